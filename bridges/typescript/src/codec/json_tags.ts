import { Decimal } from "../values/decimal.js";
import { Duration } from "../values/duration.js";
import { Timestamp } from "../values/timestamp.js";
import { Uuid } from "../values/uuid.js";
import { checked, refuseLargeInteger } from "./record.js";
import type { Walk } from "./walk.js";

const integerGrammar = /^(?:0|-?[1-9]\d*)$/;
const base64Grammar = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const floats = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-0", -0],
]);

type TagReader = (text: string, walk: Walk) => unknown;

const readers = new Map<string, TagReader>([
  ["$int", readInteger],
  ["$float", (text, walk) => checked(walk, () => readFloat(text))],
  ["$bytes", (text, walk) => checked(walk, () => readBytes(text))],
  ["$timestamp", (text, walk) => checked(walk, () => Timestamp.parse(text).toDateIfExact())],
  ["$duration", (text, walk) => checked(walk, () => new Duration(readBigInteger(text)))],
  ["$decimal", (text, walk) => checked(walk, () => new Decimal(text))],
  ["$uuid", (text, walk) => checked(walk, () => new Uuid(text))],
]);

/** Reads what JSON has no form for: an object of one key that begins with one `$`. */
export function readTag(tag: string, body: unknown, keys: number, walk: Walk): unknown {
  const read = readers.get(tag);
  if (read === undefined) {
    throw walk.refuse("UnknownTag", `${tag} is no tag; a key of one's own is written $${tag}`);
  }
  if (keys !== 1) {
    throw walk.refuse("UnknownTag", `${tag} stands beside other keys`);
  }
  if (typeof body !== "string") {
    throw walk.refuse("InvalidScalar", `${tag} holds text, not ${typeof body}`);
  }
  return read(body, walk);
}

function readBigInteger(text: string): bigint {
  if (!integerGrammar.test(text)) {
    throw new RangeError(`${JSON.stringify(text)} is no integer`);
  }
  return BigInt(text);
}

function readInteger(text: string, walk: Walk): number | bigint {
  const value = checked(walk, () => readBigInteger(text));
  if (value >= 2n ** 64n || value < -(2n ** 63n)) {
    throw refuseLargeInteger(walk);
  }
  const safe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return safe ? Number(value) : value;
}

function readFloat(text: string): number {
  const value = floats.get(text);
  if (value === undefined) {
    throw new RangeError(`${JSON.stringify(text)} is no special float`);
  }
  return value;
}

function readBytes(text: string): Uint8Array {
  if (!base64Grammar.test(text)) {
    throw new RangeError("the text is no base64");
  }
  return new Uint8Array(Buffer.from(text, "base64"));
}
