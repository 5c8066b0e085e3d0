import {
  decodeDocument,
  decodePayload,
  type Encoding,
  type Fields,
  isEncoding,
} from "../codec/codec.js";
import { documentDepthLimit } from "../codec/limits.js";
import { PayloadError } from "../codec/payload_error.js";
import { setField } from "../codec/record_builder.js";
import { Walk } from "../codec/walk.js";
import { FieldError } from "../protocol/field.js";
import { readTask, type Task, type TaskAddress } from "../protocol/task.js";
import { decodeHeaderText } from "./header_text.js";

/** What of a NATS message a task is read from. */
export interface TaskMessage {
  /** The activity that the subject names. */
  readonly activity: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** What was read: the task, or what is wrong with it, and in any case how to answer. */
export type ReadMessage = { readonly address: TaskAddress; readonly encoding: Encoding } & (
  | { readonly task: Task }
  | { readonly fault: string }
);

const textFields = new Map([
  ["Pd-Namespace", "namespace"],
  ["Pd-Workflow-Id", "workflow_id"],
  ["Pd-Workflow-Type", "workflow_type"],
  ["Pd-Run-Id", "run_id"],
  ["Pd-Idempotency-Key", "idempotency_key"],
]);

const integerFields = new Map([
  ["Pd-Protocol", "protocol"],
  ["Pd-Attempt", "attempt"],
  ["Pd-Fencing-Token", "fencing_token"],
  ["Pd-Scheduled-At", "scheduled_at_ms"],
  ["Pd-Deadline", "deadline_ms"],
  ["Pd-Heartbeat", "heartbeat_timeout_ms"],
]);

const userHeaderPrefix = "Pd-H-";
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Reads a task message; undefined if it does not even say which task it is. */
export function readTaskMessage(message: TaskMessage): ReadMessage | undefined {
  const { headers } = message;
  const task = decodeHeaderText(headers.get("Pd-Task") ?? "");
  if (task === undefined || task === "") {
    return undefined;
  }
  const nonce = decodeHeaderText(headers.get("Pd-Nonce") ?? "") ?? "";
  const address = { task, nonce, activity: headers.get("Pd-Activity") ?? message.activity };
  const contentType = headers.get("Content-Type") ?? "application/json";
  if (!isEncoding(contentType)) {
    const fault = `Content-Type: ${contentType} is not spoken here`;
    return { address, encoding: "application/json", fault };
  }
  try {
    const fields = fieldsOfMessage(message, contentType);
    return { address, encoding: contentType, task: readTask(address, fields) };
  } catch (error) {
    if (!(error instanceof FieldError)) {
      throw error;
    }
    return { address, encoding: contentType, fault: error.message };
  }
}

/** The message as the fields of a `task` document. */
function fieldsOfMessage(message: TaskMessage, encoding: Encoding): Fields {
  const fields = new Map<string, unknown>();
  const headers: Record<string, unknown> = {};
  for (const [name, value] of message.headers) {
    const textField = textFields.get(name);
    const integerField = integerFields.get(name);
    if (textField !== undefined) {
      fields.set(textField, textOf(name, value));
    } else if (integerField !== undefined) {
      fields.set(integerField, integerOf(name, value));
    } else if (name === "traceparent") {
      setField(headers, name, textOf(name, value));
    } else if (name.startsWith(userHeaderPrefix)) {
      setField(headers, name.slice(userHeaderPrefix.length), textOf(name, value));
    } else if (name === "Pd-Context") {
      addContext(fields, value, encoding);
    }
  }
  fields.set("headers", headers);
  fields.set("arguments", argumentsOf(message.body, encoding));
  return fields;
}

function textOf(name: string, value: string): string {
  const text = decodeHeaderText(value);
  if (text === undefined) {
    throw new FieldError(name, "percent signs that make no UTF-8");
  }
  return text;
}

function integerOf(name: string, value: string): number | bigint {
  if (!/^\d{1,20}$/.test(value)) {
    throw new FieldError(name, `${JSON.stringify(value)} is no integer`);
  }
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

function addContext(fields: Map<string, unknown>, value: string, encoding: Encoding): void {
  if (!base64.test(value)) {
    throw new FieldError("Pd-Context", "the text is no base64");
  }
  let context: Fields;
  try {
    context = decodeDocument(Buffer.from(value, "base64"), encoding);
  } catch (error) {
    throw new FieldError("Pd-Context", String(error));
  }
  for (const name of ["heartbeat_details", "last_failure"]) {
    if (context.has(name)) {
      fields.set(name, context.get(name));
    }
  }
}

/** The arguments, or the `PayloadError` for which they are refused. */
function argumentsOf(body: Uint8Array, encoding: Encoding): unknown {
  if (body.length === 0) {
    return [];
  }
  try {
    return decodePayload(body, encoding, new Walk(documentDepthLimit));
  } catch (error) {
    if (error instanceof PayloadError) {
      return error;
    }
    throw error;
  }
}
