import type { PayloadError } from "./payload_error.js";
import type { Walk } from "./walk.js";

/** Whether `value` is a record: a plain object, or an instance of a class of one's own. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return true;
  }
  return Object.prototype.toString.call(value) === "[object Object]";
}

/**
 * The fields of `value` that travel: its own enumerable ones with text keys, without those that are
 * undefined, in order.
 */
export function recordKeys(value: object, walk: Walk): string[] {
  if (!isRecord(value)) {
    throw walk.refuse("Unrepresentable", describeForeigner(value));
  }
  const keys = Object.keys(value);
  const record = value as Record<string, unknown>;
  for (const key of keys) {
    if (record[key] === undefined) {
      return keys.filter((each) => record[each] !== undefined);
    }
  }
  return keys;
}

/** The entries of a Map that travel. */
export function mapEntries(value: ReadonlyMap<unknown, unknown>, walk: Walk): [string, unknown][] {
  const entries: [string, unknown][] = [];
  for (const [key, item] of value) {
    if (typeof key !== "string") {
      throw walk.refuse("KeyNotString", `a map has text keys only, not ${typeof key}`);
    }
    if (item !== undefined) {
      entries.push([key, item]);
    }
  }
  return entries;
}

function describeForeigner(value: object): string {
  if (value instanceof Promise) {
    return "a Promise cannot travel; is an await missing?";
  }
  const name = value.constructor?.name ?? "object";
  const advice = value instanceof Set ? "; send an array" : "";
  return `a ${name} has no counterpart in other languages${advice}`;
}

/** Text must be whole Unicode: half of a surrogate pair means nothing in other languages. */
export function refuseLoneSurrogate(text: string, walk: Walk): void {
  if (!text.isWellFormed()) {
    throw walk.refuse("InvalidUnicode", "text with a lone surrogate is no Unicode");
  }
}

export function refuseKind(value: unknown, walk: Walk): PayloadError {
  const explanation = `a ${typeof value} has no counterpart in other languages`;
  return walk.refuse("Unrepresentable", explanation);
}

export function refuseLargeInteger(walk: Walk): PayloadError {
  return walk.refuse("IntegerOutOfRange", "an integer beyond 64 bits; send a Decimal or text");
}

/** Runs a constructor that throws RangeError, and turns that into a refusal. */
export function checked<Result>(walk: Walk, make: () => Result): Result {
  try {
    return make();
  } catch (error) {
    throw walk.refuse("InvalidScalar", error instanceof Error ? error.message : String(error));
  }
}
