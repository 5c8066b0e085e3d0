import { type Encoding, encodeDocument } from "../codec/codec.js";
import { PayloadError } from "../codec/payload_error.js";
import { ApplicationError } from "../errors.js";
import { causeLimit, type ErrorDocument } from "../protocol/error_document.js";

/** Turns whatever a handler threw into an error document. */
export function describeError(thrown: unknown, depth = 0): ErrorDocument {
  const document = describeOne(thrown);
  const cause = causeOf(thrown);
  if (cause !== undefined && depth < causeLimit) {
    document.cause = describeError(cause, depth + 1);
  }
  return document;
}

/** Encodes an error document; details that cannot travel are named in the message instead. */
export function encodeError(document: ErrorDocument, encoding: Encoding): Buffer {
  try {
    return encodeDocument(document, encoding);
  } catch (error) {
    if (!(error instanceof PayloadError)) {
      throw error;
    }
    return encodeDocument(withoutDetails(document, error), encoding);
  }
}

/** An error that the worker itself raises before a handler has begun. */
export function refusal(
  type: string,
  message: string,
  options: { retryable: boolean; retryAfterMs?: number },
): ErrorDocument {
  const { retryable, retryAfterMs } = options;
  const delay = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
  return { type, message: message.toWellFormed(), retryable, ...delay, started: false };
}

/** An error that the worker itself raises after the handler has run. */
export function outcomeError(type: string, message: string, retryable: boolean): ErrorDocument {
  return { type, message: message.toWellFormed(), retryable };
}

function describeOne(thrown: unknown): ErrorDocument {
  if (!(thrown instanceof Error)) {
    return { type: "Error", message: describeThrown(thrown), retryable: true };
  }
  const document: ErrorDocument = {
    type: typeName(thrown).toWellFormed(),
    message: String(thrown.message).toWellFormed(),
    stack: String(thrown.stack ?? "").toWellFormed(),
    details: [],
    retryable: true,
  };
  if (thrown instanceof ApplicationError) {
    document.type = thrown.type.toWellFormed();
    document.details = thrown.details;
    document.retryable = thrown.retryable;
    if (thrown.retryAfterMs !== undefined) {
      document.retry_after_ms = Math.max(0, Math.round(thrown.retryAfterMs));
    }
  }
  return document;
}

/** The error's own name; a subclass that sets none is known by its class. */
function typeName(error: Error): string {
  if (typeof error.name === "string" && error.name !== "" && error.name !== "Error") {
    return error.name;
  }
  return error.constructor?.name || "Error";
}

function causeOf(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) {
    return undefined;
  }
  if (thrown.cause !== undefined && thrown.cause !== null) {
    return thrown.cause;
  }
  return thrown instanceof AggregateError ? thrown.errors[0] : undefined;
}

function describeThrown(thrown: unknown): string {
  try {
    const text = typeof thrown === "object" ? JSON.stringify(thrown) : String(thrown);
    return `a ${typeof thrown} was thrown: ${text}`.toWellFormed();
  } catch {
    return `a ${typeof thrown} was thrown`;
  }
}

function withoutDetails(document: ErrorDocument, reason: PayloadError): ErrorDocument {
  const { cause, ...rest } = document;
  const bare: ErrorDocument = { ...rest, details: [] };
  if ((rest.details ?? []).length > 0) {
    bare.message = `${rest.message} (its details cannot travel: ${reason.message})`.toWellFormed();
  }
  return cause === undefined ? bare : { ...bare, cause: withoutDetails(cause, reason) };
}
