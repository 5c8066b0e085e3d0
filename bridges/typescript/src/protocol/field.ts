import type { Fields } from "../codec/codec.js";
import { PayloadError } from "../codec/payload_error.js";
import { ProtocolError } from "./protocol_error.js";

/** A field that is there but is not what it should be. It fails its task, not the worker. */
export class FieldError extends Error {
  readonly field: string;

  constructor(field: string, explanation: string) {
    super(`${field}: ${explanation}`);
    this.name = "FieldError";
    this.field = field;
  }
}

/** A text without which the document means nothing. */
export function requiredText(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (typeof value !== "string") {
    throw new ProtocolError(`a document without the text ${JSON.stringify(name)}`);
  }
  return value;
}

export function optionalText(fields: Fields, name: string, fallback: string): string {
  const value = present(fields, name);
  if (value === undefined || typeof value === "string") {
    return value ?? fallback;
  }
  throw new FieldError(name, `text is expected, not ${kindOf(value)}`);
}

/** A count, or a moment in milliseconds: an integer from 0. */
export function optionalCount(fields: Fields, name: string, fallback: number): number {
  const value = present(fields, name);
  if (value === undefined) {
    return fallback;
  }
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
    return value;
  }
  throw new FieldError(name, `an integer from 0 is expected, not ${kindOf(value)}`);
}

/** An unsigned 64-bit integer. */
export function optionalUnsigned(fields: Fields, name: string): bigint {
  const value = present(fields, name) ?? 0;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))) {
    return BigInt(value);
  }
  throw new FieldError(name, `an integer is expected, not ${kindOf(value)}`);
}

export function optionalList(fields: Fields, name: string): unknown[] {
  const value = present(fields, name) ?? [];
  if (Array.isArray(value)) {
    return value;
  }
  throw new FieldError(name, `a list is expected, not ${kindOf(value)}`);
}

export function optionalRecord(fields: Fields, name: string): Record<string, unknown> | undefined {
  const value = present(fields, name);
  if (value === undefined || isRecord(value)) {
    return value;
  }
  throw new FieldError(name, `a map is expected, not ${kindOf(value)}`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function present(fields: Fields, name: string): unknown {
  const value = fields.get(name);
  if (value instanceof PayloadError) {
    throw new FieldError(name, value.message);
  }
  return value;
}

function kindOf(value: unknown): string {
  if (value === null) {
    return "null";
  }
  return Array.isArray(value) ? "a list" : typeof value;
}
