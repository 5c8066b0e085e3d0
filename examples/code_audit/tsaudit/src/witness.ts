import { appendFileSync } from "node:fs";

/** Adds one line to the log of what really ran, if `CODE_AUDIT_WITNESS` names one. */
export function witness(service: string, path: string): void {
  const file = process.env["CODE_AUDIT_WITNESS"];
  if (file) appendFileSync(file, `${service}\t${path}\n`);
}
