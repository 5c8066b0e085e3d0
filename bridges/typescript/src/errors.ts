export interface ApplicationErrorOptions {
  /** The name by which workflow code and retry policies know the error. */
  type: string;
  message: string;
  /** Payloads that travel with the error. */
  details?: readonly unknown[];
  /** False: the same attempt would fail again, so that the engine does not try. Default: true. */
  retryable?: boolean;
  /** A wish for the delay before the next attempt. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** A failure that the activity means: typed, with details, retryable or not. */
export class ApplicationError extends Error {
  readonly type: string;
  readonly details: readonly unknown[];
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(options: ApplicationErrorOptions) {
    super(options.message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "ApplicationError";
    this.type = options.type;
    this.details = options.details ?? [];
    this.retryable = options.retryable ?? true;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Why a handler is asked to stop. */
export type StopReason = "cancel" | "deadline" | "drain" | "disconnect";

/**
 * The reason on an aborted `context.signal`. A handler that stops because of it throws it (as
 * `signal.throwIfAborted()` and most of Node's own functions do); one that wants to hand back how
 * far it got throws `new CancelledError("…", { details })` instead.
 */
export class CancelledError extends Error {
  readonly reason: StopReason;
  readonly details: unknown;

  constructor(message: string, options: { reason?: StopReason; details?: unknown } = {}) {
    super(message);
    this.name = "CancelledError";
    this.reason = options.reason ?? "cancel";
    this.details = options.details;
  }
}

/** The worker cannot start as it was told to. */
export class ConfigurationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConfigurationError";
  }
}

/** Arguments that an activity's `parse` does not take: the handler has not begun. */
export class InvalidArguments extends Error {}
