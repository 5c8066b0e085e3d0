import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { ApplicationError, service } from "perdure";

import { analyzeSource } from "./analyze.js";
import { type FileReport, SourceError } from "./report.js";
import { witnessed } from "./witness.js";

/** Measures one file of a tree on this machine. */
async function analyze(root: string, path: string): Promise<FileReport> {
  const bytes = await read(join(root, path));
  try {
    return analyzeSource(path, bytes);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    throw new ApplicationError({
      type: "ParseError",
      message: error.message,
      details: [{ line: error.line }],
      retryable: false,
    });
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    // Up to the comma: the rest names the path on this machine, which no report shall hold.
    const [message = ""] = String(cause instanceof Error ? cause.message : cause).split(",", 1);
    throw new ApplicationError({ type: "UnreadableFileError", message, retryable: false, cause });
  }
}

await service("tsaudit")
  .activity("analyze", (root: string, path: string) => witnessed(path, () => analyze(root, path)))
  .run();
