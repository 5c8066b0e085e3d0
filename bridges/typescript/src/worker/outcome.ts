import { encodePayload } from "../codec/codec.js";
import { PayloadError } from "../codec/payload_error.js";
import { CancelledError, InvalidArguments } from "../errors.js";
import type { ErrorDocument } from "../protocol/error_document.js";
import type { FinalKind } from "../protocol/reply.js";
import { describeError, encodeError, outcomeError, refusal } from "./describe_error.js";
import type { RunningTask } from "./running_task.js";

/** How a task ended, ready to leave. */
export interface Outcome {
  readonly kind: FinalKind;
  readonly body: Uint8Array | undefined;
  /** For the statistics: type and message of an error. */
  readonly error?: string;
}

export function outcomeOfResult(value: unknown, running: RunningTask): Outcome {
  try {
    const body = encodePayload(value, running.channel.encoding);
    return limited({ kind: "result", body }, running);
  } catch (error) {
    // Reading a field of the result may run code of the handler's own, so any error may come.
    if (error instanceof PayloadError) {
      return errorOutcome(outcomeError("UnencodableResult", error.message, false), running);
    }
    return errorOutcome(describeError(error), running);
  }
}

export function outcomeOfFailure(thrown: unknown, running: RunningTask): Outcome {
  if (thrown instanceof InvalidArguments) {
    const refused = refusal("InvalidArguments", thrown.message, { retryable: false });
    return errorOutcome(refused, running);
  }
  const { stopped } = running;
  if (stopped === undefined || !isStop(thrown, stopped)) {
    return errorOutcome(describeError(thrown), running);
  }
  if (stopped.reason === "cancel") {
    return cancelledOutcome(thrown, running);
  }
  const type = stopped.reason === "deadline" ? "DeadlineExceeded" : "Draining";
  return errorOutcome(outcomeError(type, stopped.message, true), running);
}

/** Whether a handler stopped because it was asked to, and not for a reason of its own. */
function isStop(thrown: unknown, stopped: CancelledError): boolean {
  if (thrown === stopped || thrown instanceof CancelledError) {
    return true;
  }
  return thrown instanceof Error && (thrown.name === "AbortError" || thrown.cause === stopped);
}

function cancelledOutcome(thrown: unknown, running: RunningTask): Outcome {
  const details = thrown instanceof CancelledError ? thrown.details : undefined;
  if (details === undefined) {
    return { kind: "cancelled", body: undefined };
  }
  try {
    const body = encodePayload(details, running.channel.encoding);
    return limited({ kind: "cancelled", body }, running);
  } catch (error) {
    running.logger.warn("the details of a cancelled activity cannot travel", { error });
    return { kind: "cancelled", body: undefined };
  }
}

function errorOutcome(document: ErrorDocument, running: RunningTask): Outcome {
  const body = encodeError(document, running.channel.encoding);
  const error = `${document.type}: ${document.message}`;
  return limited({ kind: "error", body, error }, running);
}

function limited(outcome: Outcome, running: RunningTask): Outcome {
  const size = outcome.body?.length ?? 0;
  const { bodyLimit, encoding } = running.channel;
  if (size <= bodyLimit) {
    return outcome;
  }
  const message = `$: the ${outcome.kind} has ${size} bytes, the transport carries ${bodyLimit}`;
  const document = outcomeError("PayloadTooLarge", message, false);
  return { kind: "error", body: encodeError(document, encoding), error: message };
}
