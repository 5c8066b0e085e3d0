import type { Fields } from "../codec/codec.js";
import { type Failure, readFailure } from "./error_document.js";
import {
  FieldError,
  optionalCount,
  optionalList,
  optionalRecord,
  optionalText,
  optionalUnsigned,
} from "./field.js";

/** One attempt of one activity, as the engine asks for it. */
export interface Task {
  readonly protocol: number;
  readonly task: string;
  readonly nonce: string;
  readonly activity: string;
  readonly namespace: string;
  readonly workflowId: string;
  readonly workflowType: string;
  readonly runId: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly fencingToken: bigint;
  readonly scheduledAtMs: number;
  /** 0 = none. */
  readonly deadlineMs: number;
  /** 0 = none. */
  readonly heartbeatTimeoutMs: number;
  /** Absent if no heartbeat of this activity had any; null is a value. */
  readonly heartbeatDetails?: { readonly value: unknown };
  readonly lastFailure?: Failure;
  readonly headers: Readonly<Record<string, string>>;
  readonly arguments: readonly unknown[];
}

/** What must be known of a task to answer it, whatever else is wrong with it. */
export interface TaskAddress {
  readonly task: string;
  readonly nonce: string;
  readonly activity: string;
}

/** Reads the fields of a task, or throws a `FieldError` that names the one that is wrong. */
export function readTask(address: TaskAddress, fields: Fields): Task {
  const lastFailure = optionalRecord(fields, "last_failure");
  const details = fields.get("heartbeat_details");
  if (details instanceof Error) {
    throw new FieldError("heartbeat_details", details.message);
  }
  return {
    protocol: optionalCount(fields, "protocol", 0),
    task: address.task,
    nonce: address.nonce,
    activity: address.activity,
    namespace: optionalText(fields, "namespace", "default"),
    workflowId: optionalText(fields, "workflow_id", ""),
    workflowType: optionalText(fields, "workflow_type", ""),
    runId: optionalText(fields, "run_id", ""),
    attempt: optionalCount(fields, "attempt", 1),
    idempotencyKey: optionalText(fields, "idempotency_key", ""),
    fencingToken: optionalUnsigned(fields, "fencing_token"),
    scheduledAtMs: optionalCount(fields, "scheduled_at_ms", 0),
    deadlineMs: optionalCount(fields, "deadline_ms", 0),
    heartbeatTimeoutMs: optionalCount(fields, "heartbeat_timeout_ms", 0),
    ...(fields.has("heartbeat_details") ? { heartbeatDetails: { value: details } } : {}),
    ...(lastFailure === undefined ? {} : { lastFailure: readFailure(lastFailure) }),
    headers: readHeaders(fields),
    arguments: optionalList(fields, "arguments"),
  };
}

function readHeaders(fields: Fields): Record<string, string> {
  const headers = optionalRecord(fields, "headers") ?? {};
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string") {
      throw new FieldError("headers", `the header ${JSON.stringify(name)} is no text`);
    }
  }
  return headers as Record<string, string>;
}
