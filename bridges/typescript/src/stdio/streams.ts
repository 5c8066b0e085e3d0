import { createReadStream, createWriteStream } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";

/** The two ways between worker and engine. */
export interface FrameStreams {
  readonly input: Readable;
  readonly output: Writable;
}

/**
 * Takes stdin and stdout for the protocol and keeps user code off them: whatever is printed from
 * now on lands on stderr, which is the log.
 *
 * `process.stdout` itself would not do for frames: to a pipe it writes synchronously, so that an
 * engine that reads slowly would stop the whole worker.
 */
export function claimStandardStreams(): FrameStreams {
  const streams = {
    input: open(0, (fd) => createReadStream("", { fd, autoClose: false })),
    output: open(1, (fd) => createWriteStream("", { fd, autoClose: false })),
  };
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  return streams;
}

// A pipe or socket gives way to others while it waits; a plain file (a test, a recording) is read
// and written as one.
function open<Stream>(fd: number, openFile: (fd: number) => Stream): Socket | Stream {
  try {
    return new Socket({ fd, readable: fd === 0, writable: fd === 1 });
  } catch {
    return openFile(fd);
  }
}
