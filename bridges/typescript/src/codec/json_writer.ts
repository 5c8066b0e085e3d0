import { Decimal } from "../values/decimal.js";
import { Duration } from "../values/duration.js";
import { Timestamp } from "../values/timestamp.js";
import { Uuid } from "../values/uuid.js";
import {
  checked,
  mapEntries,
  recordKeys,
  refuseKind,
  refuseLargeInteger,
  refuseLoneSurrogate,
} from "./record.js";
import { Walk } from "./walk.js";

/** Writes one value as text of the JSON profile. */
export class JsonWriter {
  readonly #walk: Walk;

  constructor(walk: Walk = new Walk()) {
    this.#walk = walk;
  }

  write(value: unknown): string {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return writeNumber(value);
      case "boolean":
        return value ? "true" : "false";
      case "bigint":
        return this.#integer(value);
      case "undefined":
        return "null";
      case "object":
        return value === null ? "null" : this.#object(value);
      default:
        throw refuseKind(value, this.#walk);
    }
  }

  #object(value: object): string {
    if (Array.isArray(value)) {
      return this.#array(value);
    }
    if (value instanceof Uint8Array) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      return tagged("$bytes", bytes.toString("base64"));
    }
    if (value instanceof Map) {
      return this.#entries(value, mapEntries(value, this.#walk));
    }
    return this.#scalar(value) ?? this.#record(value);
  }

  #scalar(value: object): string | undefined {
    if (value instanceof Date) {
      const moment = checked(this.#walk, () => Timestamp.fromDate(value));
      return tagged("$timestamp", String(moment));
    }
    if (value instanceof Timestamp) {
      return tagged("$timestamp", String(value));
    }
    if (value instanceof Duration) {
      return tagged("$duration", String(value.nanoseconds));
    }
    if (value instanceof Decimal) {
      return tagged("$decimal", value.text);
    }
    if (value instanceof Uuid) {
      return tagged("$uuid", value.text);
    }
    return undefined;
  }

  #array(items: readonly unknown[]): string {
    this.#walk.enter(items);
    const parts: string[] = [];
    for (let index = 0; index < items.length; index += 1) {
      this.#walk.at(index);
      parts.push(this.write(items[index]));
    }
    this.#walk.leave();
    return `[${parts.join(",")}]`;
  }

  #record(value: object): string {
    const keys = recordKeys(value, this.#walk);
    const record = value as Record<string, unknown>;
    this.#walk.enter(value);
    const parts: string[] = [];
    for (const key of keys) {
      parts.push(this.#field(key, record[key]));
    }
    this.#walk.leave();
    return `{${parts.join(",")}}`;
  }

  #entries(container: object, entries: readonly [string, unknown][]): string {
    this.#walk.enter(container);
    const parts: string[] = [];
    for (const [key, value] of entries) {
      parts.push(this.#field(key, value));
    }
    this.#walk.leave();
    return `{${parts.join(",")}}`;
  }

  #field(key: string, value: unknown): string {
    this.#walk.at(undefined);
    const name = this.#text(key.startsWith("$") ? `$${key}` : key);
    this.#walk.at(key);
    return `${name}:${this.write(value)}`;
  }

  #text(text: string): string {
    refuseLoneSurrogate(text, this.#walk);
    return JSON.stringify(text);
  }

  #integer(value: bigint): string {
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) {
      return String(value);
    }
    if (value >= 2n ** 64n || value < -(2n ** 63n)) {
      throw refuseLargeInteger(this.#walk);
    }
    return tagged("$int", String(value));
  }
}

function tagged(tag: string, text: string): string {
  return `{"${tag}":"${text}"}`;
}

function writeNumber(value: number): string {
  if (Number.isSafeInteger(value)) {
    return Object.is(value, -0) ? tagged("$float", "-0") : String(value);
  }
  if (!Number.isFinite(value)) {
    return tagged("$float", String(value));
  }
  const text = String(value);
  // A float must look like one, or the reader would take it for an integer.
  return /[.e]/.test(text) ? text : `${text}.0`;
}
