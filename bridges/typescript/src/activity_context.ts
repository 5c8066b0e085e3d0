import type { Logger } from "./logger.js";
import { withFields } from "./logger.js";
import type { Failure } from "./protocol/error_document.js";
import type { Task } from "./protocol/task.js";

/** What the context needs from the worker that runs the task. */
export interface ContextHost {
  readonly signal: AbortSignal;
  heartbeat(details: unknown): void;
  readonly logger: Logger;
}

/** What a handler knows of its task, and how it speaks with the engine. Its last argument. */
export class ActivityContext {
  readonly #task: Task;
  readonly #host: ContextHost;

  constructor(task: Task, host: ContextHost) {
    this.#task = task;
    this.#host = host;
  }

  /** The id of this attempt: `<run>.<n>.<attempt>`. */
  get task(): string {
    return this.#task.task;
  }

  /** The name of the activity. */
  get activity(): string {
    return this.#task.activity;
  }

  /** From 1. */
  get attempt(): number {
    return this.#task.attempt;
  }

  /** The same for every attempt and after every crash: hand it to whoever must not act twice. */
  get idempotencyKey(): string {
    return this.#task.idempotencyKey;
  }

  /** Never goes down: a store that remembers the highest can refuse a worker of the past. */
  get fencingToken(): bigint {
    return this.#task.fencingToken;
  }

  get namespace(): string {
    return this.#task.namespace;
  }

  get workflowId(): string {
    return this.#task.workflowId;
  }

  get workflowType(): string {
    return this.#task.workflowType;
  }

  get runId(): string {
    return this.#task.runId;
  }

  /** When the engine scheduled this attempt. */
  get scheduledAt(): Date {
    return new Date(this.#task.scheduledAtMs);
  }

  /** When the engine stops waiting for this attempt; undefined = never. */
  get deadline(): Date | undefined {
    const { deadlineMs } = this.#task;
    return deadlineMs === 0 ? undefined : new Date(deadlineMs);
  }

  /** Text that the caller sent along, such as `traceparent`. */
  get headers(): Readonly<Record<string, string>> {
    return this.#task.headers;
  }

  /** Why the attempt before this one failed. */
  get lastFailure(): Failure | undefined {
    return this.#task.lastFailure;
  }

  /**
   * Aborted, with a `CancelledError` as reason, when the workflow cancels the activity, when the
   * deadline passes, and when the worker must go. What the handler does then is its own decision.
   */
  get signal(): AbortSignal {
    return this.#host.signal;
  }

  /**
   * Says that the activity gets on. The newest details are handed to the next attempt, should this
   * one fail. Call it as often as you like: few of many calls leave the worker.
   */
  heartbeat(details?: unknown): void {
    this.#host.heartbeat(details);
  }

  /** The last details that an attempt before this one handed to `heartbeat`. */
  heartbeatDetails<Details = unknown>(): Details | undefined {
    return this.#task.heartbeatDetails?.value as Details | undefined;
  }

  /** A logger whose entries name the activity, the task and the workflow. */
  get logger(): Logger {
    const { activity, task, workflowId } = this.#task;
    return withFields(this.#host.logger, { activity, task, workflow_id: workflowId });
  }
}
