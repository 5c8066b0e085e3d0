/** An error as it travels. */
export interface ErrorDocument {
  type: string;
  message: string;
  stack?: string;
  details?: readonly unknown[];
  retryable: boolean;
  retry_after_ms?: number;
  started?: boolean;
  cause?: ErrorDocument;
}

/** How long a chain of causes may be; a sender cuts the rest. */
export const causeLimit = 16;

/** A received error, as activity code reads it. */
export interface Failure {
  type: string;
  message: string;
  stack: string;
  details: readonly unknown[];
  retryable: boolean;
  retryAfterMs?: number;
  cause?: Failure;
}

/** Reads a received error; a field that is missing or of another kind gets its default. */
export function readFailure(record: Record<string, unknown>, depth = 0): Failure {
  const { type, message, stack, details, retryable, retry_after_ms: delay, cause } = record;
  const failure: Failure = {
    type: typeof type === "string" ? type : "Error",
    message: typeof message === "string" ? message : "",
    stack: typeof stack === "string" ? stack : "",
    details: Array.isArray(details) ? details : [],
    retryable: retryable !== false,
  };
  if (typeof delay === "number") {
    failure.retryAfterMs = delay;
  }
  if (typeof cause === "object" && cause !== null && depth < causeLimit) {
    failure.cause = readFailure(cause as Record<string, unknown>, depth + 1);
  }
  return failure;
}
