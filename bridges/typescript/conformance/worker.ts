import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ActivityContext,
  ApplicationError,
  CancelledError,
  Decimal,
  Duration,
  service,
  Timestamp,
  Uuid,
} from "perdure";

class ParseError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ParseError";
  }
}

/** The service against which every language is tested with the same cases. */
const conformance = service(process.env["CONFORMANCE_SERVICE"] || "conformance", {
  concurrency: 64,
});

conformance.activity("echo", (value: unknown) => value);

/** Everything that was sent, and what the context knows. */
conformance.activity("describe", (...parameters: unknown[]) => {
  const context = parameters.pop() as ActivityContext;
  return {
    arguments: parameters,
    task: context.task,
    activity: context.activity,
    attempt: context.attempt,
    idempotency_key: context.idempotencyKey,
    fencing_token: context.fencingToken,
    namespace: context.namespace,
    workflow_id: context.workflowId,
    workflow_type: context.workflowType,
    run_id: context.runId,
    scheduled_at: context.scheduledAt,
    deadline: context.deadline,
    headers: context.headers,
    last_failure: context.lastFailure,
  };
});

/** Reads one field of a record and hands the record on: unknown fields stay on it. */
conformance.activity("record_echo", (record: { name: string }) => {
  record.name = record.name.toUpperCase();
  return record;
});

type Check = readonly [kind: string, holds: (value: unknown) => boolean, otherwise?: unknown];

const text: Check = ["a string", (value) => typeof value === "string", ""];

/** The fields of a record: their kinds, and what they are when they are missing. */
const fields: Readonly<Record<string, Check>> = {
  name: text,
  count: ["an integer", (value) => typeof value === "bigint" || Number.isSafeInteger(value), 0],
  ratio: ["a number", (value) => typeof value === "number", 0],
  raw: ["bytes", (value) => value instanceof Uint8Array],
  at: ["a timestamp", (value) => value instanceof Date || value instanceof Timestamp],
  lasting: ["a duration", (value) => value instanceof Duration],
  price: ["a decimal", (value) => value instanceof Decimal],
  id: ["a UUID", (value) => value instanceof Uuid],
  tags: ["a list of strings", (value) => Array.isArray(value) && value.every(text[1])],
  optional: ["a string or null", (value) => value === null || text[1](value), null],
};

/** Reads a record as a schema does: names what does not fit, passes over what it does not know. */
function parseRecord([record]: unknown[]): unknown[] {
  const given = record as Record<string, unknown>;
  const parsed = Object.entries(fields).map(([name, [kind, holds, otherwise]]) => {
    const value = given[name] === undefined ? otherwise : given[name];
    if (!holds(value)) {
      throw new TypeError(`$[0].${name}: ${kind} is wanted, not a ${typeof value}`);
    }
    return [name, value];
  });
  return [Object.fromEntries(parsed)];
}

conformance.activity("typed_echo", (record: Record<string, unknown>) => record, {
  parse: parseRecord,
});

conformance.activity("raise_error", (...parameters: unknown[]) => {
  const [type, message, retryable, details, retryAfterMs] = parameters;
  throw new ApplicationError({
    type: typeof type === "string" ? type : "CardDeclined",
    message: typeof message === "string" ? message : "the card is declined",
    retryable: retryable !== false,
    details: Array.isArray(details) ? details : [],
    ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
  });
});

conformance.activity("raise_nested", () => {
  const parse = new ApplicationError({
    type: "ParseError",
    message: "unexpected '}'",
    details: [{ line: 12, token: new Uint8Array([0x7d]) }],
    retryable: false,
  });
  const load = new ParseError("café.go");
  load.name = "LoadError";
  load.cause = parse;
  throw new ApplicationError({
    type: "AuditError",
    message: "audit failed",
    details: [2n ** 60n, null, Number.NaN],
    retryAfterMs: 1500,
    cause: load,
  });
});

conformance.activity("raise_plain", () => {
  throw new Error("print: out of paper", { cause: new Error("out of paper") });
});

conformance.activity("panic", (message: string) => {
  throw new ParseError(typeof message === "string" ? message : "panic");
});

conformance.activity("sleep", async (milliseconds: number, context: ActivityContext) => {
  await sleep(milliseconds, undefined, { signal: context.signal });
  return milliseconds;
});

/** Counts up to `count` with a heartbeat each; goes on where the attempt before it stopped. */
conformance.activity(
  "heartbeat",
  async (count: number, failAt: number | undefined, context: ActivityContext) => {
    const first = context.heartbeatDetails<number>() ?? 0;
    for (let done = first + 1; done <= count; done += 1) {
      context.heartbeat(done);
      if (done === failAt && context.attempt === 1) {
        throw new Error(`failed at ${done}`);
      }
      await sleep(5, undefined, { signal: context.signal });
    }
    return { first, count };
  },
);

conformance.activity("wait_for_cancel", async (details: unknown, context: ActivityContext) => {
  context.heartbeat("waiting");
  await new Promise<void>((resolve) => {
    context.signal.addEventListener("abort", () => resolve(), { once: true });
    if (context.signal.aborted) {
      resolve();
    }
  });
  throw new CancelledError("stopped", { details });
});

/** Finishes with a result although it is cancelled. */
conformance.activity("ignore_cancel", async (milliseconds: number, context: ActivityContext) => {
  await sleep(milliseconds);
  return { cancelled: context.signal.aborted };
});

conformance.activity("big", (size: number) => new Uint8Array(size).fill(7));

conformance.activity("deep", (levels: number) => {
  let value: unknown[] = [];
  for (let level = 1; level < levels; level += 1) {
    value = [value];
  }
  return value;
});

conformance.activity("broken_text", () => ({ items: [1, { name: "a\ud800" }] }));

conformance.activity("unencodable", () => ({ items: [1, { callback: () => 0 }] }));

/** Prints to stdout, which must not reach the protocol. */
conformance.activity("print", (text: string) => {
  console.log(text);
  process.stdout.write(`${text}\n`);
  return text.length;
});

/** Sleeps through anything, then says so in the log. */
conformance.activity("sleep_and_log", async (milliseconds: number, context: ActivityContext) => {
  await sleep(milliseconds);
  context.logger.info("slept", { milliseconds });
  return milliseconds;
});

/** Computes without giving way, as a parser does. */
conformance.activity("spin", (milliseconds: number) => {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
  return milliseconds;
});

/**
 * Adds a line to a file as it begins: its key, its attempt and the microsecond since the Unix
 * epoch. After a while it returns the square of a number, with the key and the attempt, so that a
 * test can tell which execution a result is of.
 */
conformance.activity(
  "witness",
  async (file: string, number: number, milliseconds: number, context: ActivityContext) => {
    const { idempotencyKey: key, attempt } = context;
    appendFileSync(file, `${key} ${attempt} ${Date.now() * 1000}\n`);
    await sleep(milliseconds, undefined, { signal: context.signal });
    return { square: number * number, key, attempt };
  },
);

/** Says in a file how it begins and how it ends, and returns a value in either case. */
conformance.activity(
  "watch",
  async (file: string, name: string, milliseconds: number, context: ActivityContext) => {
    appendFileSync(file, `begun ${name}\n`);
    const word = await sleep(milliseconds, "ended", { signal: context.signal }).catch(
      () => "cancelled",
    );
    appendFileSync(file, `${word} ${name}\n`);
    return `${word} ${name}`;
  },
);

/** Dies in the middle of a task. */
conformance.activity("exit", (status: number) => process.exit(status));

await conformance.run();
