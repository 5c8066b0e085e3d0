import { Decimal } from "../values/decimal.js";
import { Duration } from "../values/duration.js";
import { Timestamp } from "../values/timestamp.js";
import { Uuid } from "../values/uuid.js";
import { extension } from "./extension.js";
import {
  checked,
  mapEntries,
  recordKeys,
  refuseKind,
  refuseLargeInteger,
  refuseLoneSurrogate,
} from "./record.js";
import { Walk } from "./walk.js";

const initialSize = 4096;
const keptSizeLimit = 1 << 20;
const uint32Limit = 0x1_0000_0000;
const asciiCopyLimit = 24;

/** Writes the MessagePack profile into one growing buffer. */
export class MessagePackWriter {
  #buffer = Buffer.allocUnsafeSlow(initialSize);
  #offset = 0;
  #walk = new Walk();

  /** A copy of what has been written, of exactly its size. */
  copy(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#offset);
    this.#buffer.copy(bytes, 0, 0, this.#offset);
    return bytes;
  }

  /** Forgets what was written. */
  reset(): void {
    this.#offset = 0;
    if (this.#buffer.length > keptSizeLimit) {
      this.#buffer = Buffer.allocUnsafeSlow(initialSize);
    }
  }

  writeRaw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#offset);
    this.#offset += bytes.length;
  }

  writeMapHeader(length: number): void {
    this.#writeLength(length, 0x80, 16, 0xde);
  }

  writeValue(value: unknown, walk: Walk): void {
    this.#walk = walk;
    this.#write(value);
  }

  #write(value: unknown): void {
    switch (typeof value) {
      case "string":
        refuseLoneSurrogate(value, this.#walk);
        this.writeText(value);
        break;
      case "number":
        this.#writeNumber(value);
        break;
      case "boolean":
        this.#byte(value ? 0xc3 : 0xc2);
        break;
      case "bigint":
        this.#writeInteger(value);
        break;
      case "undefined":
        this.#byte(0xc0);
        break;
      case "object":
        if (value === null) {
          this.#byte(0xc0);
        } else {
          this.#writeObject(value);
        }
        break;
      default:
        throw refuseKind(value, this.#walk);
    }
  }

  writeText(text: string): void {
    const length = text.length;
    // Short keys and names are nearly always ASCII; a loop is quicker than a call out of V8.
    if (length <= asciiCopyLimit && this.#writeAscii(text)) {
      return;
    }
    const size = Buffer.byteLength(text);
    if (size < 32) {
      this.#byte(0xa0 | size);
    } else {
      this.#writeSized(size, 0xd9);
    }
    this.#reserve(size);
    this.#buffer.write(text, this.#offset, size, "utf8");
    this.#offset += size;
  }

  #writeAscii(text: string): boolean {
    const length = text.length;
    this.#reserve(length + 1);
    const buffer = this.#buffer;
    const start = this.#offset + 1;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        return false;
      }
      buffer[start + index] = code;
    }
    buffer[this.#offset] = 0xa0 | length;
    this.#offset = start + length;
    return true;
  }

  #writeObject(value: object): void {
    if (Array.isArray(value)) {
      this.#writeArray(value);
    } else if (value instanceof Uint8Array) {
      this.#writeSized(value.length, 0xc4);
      this.writeRaw(value);
    } else if (value instanceof Date) {
      this.#writeTimestamp(checked(this.#walk, () => Timestamp.fromDate(value)));
    } else if (value instanceof Map) {
      this.#writeEntries(value, mapEntries(value, this.#walk));
    } else if (!this.#writeExtension(value)) {
      this.#writeRecord(value);
    }
  }

  #writeExtension(value: object): boolean {
    if (value instanceof Timestamp) {
      this.#writeTimestamp(value);
    } else if (value instanceof Duration) {
      this.#reserve(10);
      this.#byte(0xd7);
      this.#byte(extension.duration);
      this.#offset = this.#buffer.writeBigInt64BE(value.nanoseconds, this.#offset);
    } else if (value instanceof Decimal) {
      this.#writeDecimal(value.text);
    } else if (value instanceof Uuid) {
      this.#byte(0xd8);
      this.#byte(extension.uuid);
      this.writeRaw(value.toBytes());
    } else {
      return false;
    }
    return true;
  }

  #writeArray(items: readonly unknown[]): void {
    this.#walk.enter(items);
    this.#writeLength(items.length, 0x90, 16, 0xdc);
    for (let index = 0; index < items.length; index += 1) {
      this.#walk.at(index);
      this.#write(items[index]);
    }
    this.#walk.leave();
  }

  #writeRecord(value: object): void {
    const keys = recordKeys(value, this.#walk);
    const record = value as Record<string, unknown>;
    this.#walk.enter(value);
    this.writeMapHeader(keys.length);
    for (const key of keys) {
      this.#writeKey(key);
      this.#write(record[key]);
    }
    this.#walk.leave();
  }

  #writeEntries(container: object, entries: readonly [string, unknown][]): void {
    this.#walk.enter(container);
    this.writeMapHeader(entries.length);
    for (const [key, value] of entries) {
      this.#writeKey(key);
      this.#write(value);
    }
    this.#walk.leave();
  }

  #writeKey(key: string): void {
    this.#walk.at(undefined);
    refuseLoneSurrogate(key, this.#walk);
    this.#walk.at(key);
    this.writeText(key);
  }

  #writeNumber(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#writeSafeInteger(value);
      return;
    }
    this.#reserve(9);
    this.#buffer[this.#offset] = 0xcb;
    this.#offset = this.#buffer.writeDoubleBE(value, this.#offset + 1);
  }

  #writeSafeInteger(value: number): void {
    if (value >= -0x20 && value < 0x80) {
      this.#byte(value & 0xff);
      return;
    }
    this.#reserve(9);
    const buffer = this.#buffer;
    if (value >= 0) {
      if (value < 0x100) {
        this.#byte(0xcc);
        this.#byte(value);
      } else if (value < 0x1_0000) {
        this.#byte(0xcd);
        this.#offset = buffer.writeUInt16BE(value, this.#offset);
      } else if (value < uint32Limit) {
        this.#byte(0xce);
        this.#offset = buffer.writeUInt32BE(value, this.#offset);
      } else {
        this.#byte(0xcf);
        this.#offset = buffer.writeBigUInt64BE(BigInt(value), this.#offset);
      }
    } else if (value >= -0x80) {
      this.#byte(0xd0);
      this.#byte(value & 0xff);
    } else if (value >= -0x8000) {
      this.#byte(0xd1);
      this.#offset = buffer.writeInt16BE(value, this.#offset);
    } else if (value >= -0x8000_0000) {
      this.#byte(0xd2);
      this.#offset = buffer.writeInt32BE(value, this.#offset);
    } else {
      this.#byte(0xd3);
      this.#offset = buffer.writeBigInt64BE(BigInt(value), this.#offset);
    }
  }

  #writeInteger(value: bigint): void {
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) {
      this.#writeSafeInteger(Number(value));
      return;
    }
    this.#reserve(9);
    if (value >= 0n && value < 2n ** 64n) {
      this.#byte(0xcf);
      this.#offset = this.#buffer.writeBigUInt64BE(value, this.#offset);
    } else if (value < 0n && value >= -(2n ** 63n)) {
      this.#byte(0xd3);
      this.#offset = this.#buffer.writeBigInt64BE(value, this.#offset);
    } else {
      throw refuseLargeInteger(this.#walk);
    }
  }

  #writeTimestamp(moment: Timestamp): void {
    this.#reserve(15);
    const buffer = this.#buffer;
    const { seconds, nanoseconds } = moment;
    if (nanoseconds === 0 && seconds >= 0n && seconds < uint32Limit) {
      this.#byte(0xd6);
      this.#byte(0xff);
      this.#offset = buffer.writeUInt32BE(Number(seconds), this.#offset);
    } else if (seconds >= 0n && seconds < 2n ** 34n) {
      this.#byte(0xd7);
      this.#byte(0xff);
      const packed = (BigInt(nanoseconds) << 34n) | seconds;
      this.#offset = buffer.writeBigUInt64BE(packed, this.#offset);
    } else {
      this.#byte(0xc7);
      this.#byte(12);
      this.#byte(0xff);
      this.#offset = buffer.writeUInt32BE(nanoseconds, this.#offset);
      this.#offset = buffer.writeBigInt64BE(seconds, this.#offset);
    }
  }

  #writeDecimal(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    const fixed = [1, 2, 4, 8, 16].indexOf(bytes.length);
    if (fixed >= 0) {
      this.#byte(0xd4 + fixed);
    } else {
      this.#writeSized(bytes.length, 0xc7);
    }
    this.#byte(extension.decimal);
    this.writeRaw(bytes);
  }

  /** A count of items: short in the marker itself, else a marker and 16 or 32 bits. */
  #writeLength(length: number, shortMarker: number, shortLimit: number, marker: number): void {
    if (length < shortLimit) {
      this.#byte(shortMarker | length);
      return;
    }
    this.#reserve(5);
    if (length < 0x1_0000) {
      this.#byte(marker);
      this.#offset = this.#buffer.writeUInt16BE(length, this.#offset);
    } else {
      this.#byte(marker + 1);
      this.#offset = this.#buffer.writeUInt32BE(length, this.#offset);
    }
  }

  /** A size in bytes: a marker and 8, 16 or 32 bits. */
  #writeSized(size: number, marker: number): void {
    this.#reserve(5);
    if (size < 0x100) {
      this.#byte(marker);
      this.#byte(size);
    } else if (size < 0x1_0000) {
      this.#byte(marker + 1);
      this.#offset = this.#buffer.writeUInt16BE(size, this.#offset);
    } else {
      this.#byte(marker + 2);
      this.#offset = this.#buffer.writeUInt32BE(size, this.#offset);
    }
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#offset] = value;
    this.#offset += 1;
  }

  #reserve(size: number): void {
    const needed = this.#offset + size;
    if (needed <= this.#buffer.length) {
      return;
    }
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#offset);
    this.#buffer = larger;
  }
}
