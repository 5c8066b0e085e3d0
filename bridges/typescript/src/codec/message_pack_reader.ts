import { Decimal } from "../values/decimal.js";
import { Duration } from "../values/duration.js";
import { Timestamp } from "../values/timestamp.js";
import { Uuid } from "../values/uuid.js";
import { extension } from "./extension.js";
import { documentDepthLimit } from "./limits.js";
import { endOfValue } from "./message_pack_skip.js";
import { PayloadError } from "./payload_error.js";
import { checked } from "./record.js";
import { setField } from "./record_builder.js";
import { decodeText } from "./text.js";
import { Walk } from "./walk.js";

const fixedExtensionSizes = [1, 2, 4, 8, 16];

/** Reads one value of the MessagePack profile. Bytes in it are copied out of the input. */
export class MessagePackReader {
  readonly #bytes: Buffer;
  #walk: Walk;
  #offset = 0;

  constructor(bytes: Uint8Array, walk: Walk = new Walk()) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#walk = walk;
  }

  /** Reads the one value that the input holds. */
  readAll(): unknown {
    const value = this.#readValue();
    if (this.#offset !== this.#bytes.length) {
      throw this.#walk.refuse(
        "Malformed",
        `${this.#bytes.length - this.#offset} bytes after the end`,
      );
    }
    return value;
  }

  /**
   * Reads a document: a map whose fields are payloads of their own. One that is refused stands
   * there as its `PayloadError`, so that a single bad payload does not cost the whole document.
   */
  readFields(): Map<string, unknown> {
    const fields = new Map<string, unknown>();
    const length = this.#mapLength();
    for (let index = 0; index < length; index += 1) {
      const key = this.#readKey();
      fields.set(key, this.#readField());
    }
    if (this.#offset !== this.#bytes.length) {
      throw this.#walk.refuse("Malformed", "bytes after the document");
    }
    return fields;
  }

  #mapLength(): number {
    const marker = this.#uint8();
    if (marker >= 0x80 && marker < 0x90) {
      return marker & 0x0f;
    }
    if (marker === 0xde) {
      return this.#uint16();
    }
    if (marker === 0xdf) {
      return this.#uint32();
    }
    throw this.#walk.refuse("Malformed", "a document is a map");
  }

  #readField(): unknown {
    const start = this.#offset;
    try {
      return this.#readValue();
    } catch (error) {
      if (!(error instanceof PayloadError) || error.reason === "Malformed") {
        throw error;
      }
      this.#walk = new Walk(documentDepthLimit);
      this.#offset = endOfValue(this.#bytes, start);
      return error;
    }
  }

  #readValue(): unknown {
    const marker = this.#uint8();
    if (marker < 0x80) {
      return marker;
    }
    if (marker < 0x90) {
      return this.#readMap(marker & 0x0f);
    }
    if (marker < 0xa0) {
      return this.#readArray(marker & 0x0f);
    }
    if (marker < 0xc0) {
      return this.#readText(marker & 0x1f);
    }
    if (marker >= 0xe0) {
      return marker - 0x100;
    }
    return marker < 0xca ? this.#readMarked(marker) : this.#readNumberOrSized(marker);
  }

  #readMarked(marker: number): unknown {
    switch (marker) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#readBytes(this.#uint8());
      case 0xc5:
        return this.#readBytes(this.#uint16());
      case 0xc6:
        return this.#readBytes(this.#uint32());
      case 0xc7:
        return this.#readExtension(this.#uint8());
      case 0xc8:
        return this.#readExtension(this.#uint16());
      case 0xc9:
        return this.#readExtension(this.#uint32());
      default:
        throw this.#walk.refuse("Malformed", `the marker 0x${marker.toString(16)} has no meaning`);
    }
  }

  #readNumberOrSized(marker: number): unknown {
    switch (marker) {
      case 0xca:
        return this.#bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#take(8));
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return narrow(this.#bytes.readBigUInt64BE(this.#take(8)));
      case 0xd0:
        return this.#bytes.readInt8(this.#take(1));
      case 0xd1:
        return this.#bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return this.#bytes.readInt32BE(this.#take(4));
      case 0xd3:
        return narrow(this.#bytes.readBigInt64BE(this.#take(8)));
      case 0xd9:
        return this.#readText(this.#uint8());
      case 0xda:
        return this.#readText(this.#uint16());
      case 0xdb:
        return this.#readText(this.#uint32());
      case 0xdc:
        return this.#readArray(this.#uint16());
      case 0xdd:
        return this.#readArray(this.#uint32());
      case 0xde:
        return this.#readMap(this.#uint16());
      case 0xdf:
        return this.#readMap(this.#uint32());
      default:
        return this.#readExtension(fixedExtensionSizes[marker - 0xd4] ?? 0);
    }
  }

  #readArray(length: number): unknown[] {
    this.#walk.enter(undefined);
    const items: unknown[] = [];
    for (let index = 0; index < length; index += 1) {
      this.#walk.at(index);
      items.push(this.#readValue());
    }
    this.#walk.leave();
    return items;
  }

  #readMap(length: number): Record<string, unknown> {
    this.#walk.enter(undefined);
    const record: Record<string, unknown> = {};
    for (let index = 0; index < length; index += 1) {
      this.#walk.at(undefined);
      const key = this.#readKey();
      if (Object.hasOwn(record, key)) {
        throw this.#walk.refuse("DuplicateKey", `the key ${JSON.stringify(key)} stands twice`);
      }
      this.#walk.at(key);
      setField(record, key, this.#readValue());
    }
    this.#walk.leave();
    return record;
  }

  #readKey(): string {
    const marker = this.#uint8();
    if (marker >= 0xa0 && marker < 0xc0) {
      return this.#readText(marker & 0x1f);
    }
    switch (marker) {
      case 0xd9:
        return this.#readText(this.#uint8());
      case 0xda:
        return this.#readText(this.#uint16());
      case 0xdb:
        return this.#readText(this.#uint32());
      default:
        throw this.#walk.refuse("KeyNotString", "a map has text keys only");
    }
  }

  #readText(size: number): string {
    const start = this.#take(size);
    const text = decodeText(this.#bytes, start, start + size);
    if (text === undefined) {
      throw this.#walk.refuse("InvalidUnicode", "text that is no UTF-8");
    }
    return text;
  }

  #readBytes(size: number): Uint8Array {
    const start = this.#take(size);
    return new Uint8Array(this.#bytes.subarray(start, start + size));
  }

  #readExtension(size: number): unknown {
    const type = this.#bytes.readInt8(this.#take(1));
    const start = this.#take(size);
    switch (type) {
      case extension.timestamp:
        return this.#timestamp(start, size);
      case extension.duration:
        if (size !== 8) {
          throw this.#walk.refuse("InvalidScalar", `a duration has 8 bytes, not ${size}`);
        }
        return new Duration(this.#bytes.readBigInt64BE(start));
      case extension.decimal:
        return checked(
          this.#walk,
          () => new Decimal(this.#bytes.toString("latin1", start, start + size)),
        );
      case extension.uuid:
        return checked(this.#walk, () => Uuid.fromBytes(this.#bytes.subarray(start, start + size)));
      default:
        throw this.#walk.refuse("UnknownExtension", `extension type ${type} is unknown`);
    }
  }

  #timestamp(start: number, size: number): Date | Timestamp {
    switch (size) {
      case 4:
        return this.#moment(BigInt(this.#bytes.readUInt32BE(start)), 0);
      case 8: {
        const packed = this.#bytes.readBigUInt64BE(start);
        return this.#moment(packed & 0x3_ffff_ffffn, Number(packed >> 34n));
      }
      case 12: {
        const nanoseconds = this.#bytes.readUInt32BE(start);
        return this.#moment(this.#bytes.readBigInt64BE(start + 4), nanoseconds);
      }
      default:
        throw this.#walk.refuse("InvalidScalar", `a timestamp has 4, 8 or 12 bytes, not ${size}`);
    }
  }

  #moment(seconds: bigint, nanoseconds: number): Date | Timestamp {
    return checked(this.#walk, () => new Timestamp(seconds, nanoseconds).toDateIfExact());
  }

  #take(size: number): number {
    const start = this.#offset;
    if (start + size > this.#bytes.length) {
      throw this.#walk.refuse("Malformed", "the bytes end early");
    }
    this.#offset = start + size;
    return start;
  }

  #uint8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  #uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  #uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }
}

function narrow(value: bigint): number | bigint {
  const safe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return safe ? Number(value) : value;
}
