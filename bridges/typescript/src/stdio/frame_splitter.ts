import { ProtocolError } from "../protocol/protocol_error.js";

const prefixSize = 4;

/** The largest document of a frame: 64 MiB of payload and 64 KiB of envelope. */
export const frameLimit = 64 * 1024 * 1024 + 64 * 1024;

/**
 * Cuts a stream of bytes into documents. A document that lies within one chunk is handed out as a
 * view of it, without a copy.
 */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #size = 0;

  /** Whether the stream stands in the middle of a frame. */
  get isInside(): boolean {
    return this.#size > 0;
  }

  *push(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      const length = this.#nextLength();
      if (length === undefined || this.#size < prefixSize + length) {
        return;
      }
      const joined = this.#join();
      const end = prefixSize + length;
      this.#chunks = end < joined.length ? [joined.subarray(end)] : [];
      this.#size = joined.length - end;
      yield joined.subarray(prefixSize, end);
    }
  }

  #nextLength(): number | undefined {
    if (this.#size < prefixSize) {
      return undefined;
    }
    const first = this.#chunks[0];
    const head = first !== undefined && first.length >= prefixSize ? first : this.#join();
    const length = head.readUInt32BE(0);
    if (length === 0 || length > frameLimit) {
      const bytes = head.subarray(0, 16).toString("hex");
      const explanation = `a frame of ${length} bytes, allowed are 1 to ${frameLimit}`;
      throw new ProtocolError(`${explanation} (the stream goes on with ${bytes})`);
    }
    return length;
  }

  #join(): Buffer {
    const [first] = this.#chunks;
    const joined = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
