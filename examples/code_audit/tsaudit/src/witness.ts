import { appendFileSync } from "node:fs";

/** Runs one attempt, and logs its beginning and end if `CODE_AUDIT_WITNESS` names a file. */
export async function witnessed<Result>(
  path: string,
  attempt: () => Promise<Result>,
): Promise<Result> {
  append("begun", path);
  try {
    return await attempt();
  } finally {
    append("ended", path);
  }
}

function append(what: string, path: string): void {
  const file = process.env["CODE_AUDIT_WITNESS"];
  if (!file) return;
  const nowUs = Math.round((performance.timeOrigin + performance.now()) * 1000);
  appendFileSync(file, `${what}\t${nowUs}\t${path}\n`);
}
