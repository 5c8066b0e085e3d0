import type { ActivityContext } from "../activity_context.js";
import { decodePayload, type Encoding, encodePayload } from "../codec/codec.js";
import { documentDepthLimit } from "../codec/limits.js";
import { Walk } from "../codec/walk.js";
import type { StopReason } from "../errors.js";
import type { Logger } from "../logger.js";
import type { ErrorDocument } from "../protocol/error_document.js";
import type { ReplyChannel } from "../protocol/reply.js";
import type { Task, TaskAddress } from "../protocol/task.js";
import { protocolVersion } from "../protocol/version.js";
import { encodeError, refusal } from "./describe_error.js";
import { type Outcome, outcomeOfFailure, outcomeOfResult } from "./outcome.js";
import { Pace } from "./pace.js";
import { type KeptReply, ReplyCache } from "./reply_cache.js";
import { RunningTask } from "./running_task.js";
import { Statistics } from "./statistics.js";

export type Handler = (...parameters: unknown[]) => unknown;

export interface TaskRunnerOptions {
  readonly service: string;
  readonly activities: ReadonlyMap<string, Handler>;
  readonly concurrency: number;
  readonly logger: Logger;
}

const acceptDelayMs = 50;
const busyRetryMs = 100;

/** Takes tasks, runs their handlers, and sees that each gets one final reply. No transport here. */
export class TaskRunner {
  readonly statistics = new Statistics();
  readonly #options: TaskRunnerOptions;
  readonly #running = new Map<string, RunningTask>();
  readonly #kept = new ReplyCache();
  readonly #pace = new Pace();
  #acceptTimer: NodeJS.Timeout | undefined;
  #isDraining = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: TaskRunnerOptions) {
    this.#options = options;
  }

  /** The tasks that have no final reply yet. */
  taskIds(): string[] {
    return [...this.#running.keys()];
  }

  take(task: Task, channel: ReplyChannel): void {
    if (this.#answerDuplicate(task, channel)) {
      return;
    }
    const refused = this.#refusalOf(task);
    if (refused === undefined) {
      this.#start(task, channel);
    } else {
      this.refuse(task, channel, refused);
    }
  }

  /** Answers a task whose handler does not begin. Such answers are not kept. */
  refuse(address: TaskAddress, channel: ReplyChannel, document: ErrorDocument): void {
    const body = encodeError(document, channel.encoding);
    channel.send({ kind: "error", task: address.task, nonce: address.nonce, body });
  }

  cancel(task: string, reason: string): void {
    const message = reason === "" ? "the activity is cancelled" : reason;
    this.#running.get(task)?.stop("cancel", message);
  }

  /** An engine that has restarted wants the replies of a task; ignored if the task is unknown. */
  attach(task: string, nonce: string, makeChannel: (encoding: Encoding) => ReplyChannel): void {
    const running = this.#running.get(task);
    const kept = this.#kept.find(task, performance.now());
    if (running !== undefined) {
      running.redirect(nonce, makeChannel(running.channel.encoding));
    } else if (kept !== undefined) {
      sendKept(kept, task, nonce, makeChannel(kept.encoding));
    }
  }

  stopTaking(): void {
    this.#isDraining = true;
  }

  stopAll(reason: StopReason, message: string): void {
    for (const running of this.#running.values()) {
      running.stop(reason, message);
    }
  }

  /** Waits until nothing runs any more, at most so long; says whether it came to that. */
  async idle(timeoutMs: number): Promise<boolean> {
    if (this.#running.size === 0) {
      return true;
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#whenIdle.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #answerDuplicate(task: Task, channel: ReplyChannel): boolean {
    const running = this.#running.get(task.task);
    if (running !== undefined) {
      running.redirect(task.nonce, channel);
      channel.send({ kind: "accepted", task: task.task, nonce: task.nonce });
      return true;
    }
    const kept = this.#kept.find(task.task, performance.now());
    if (kept === undefined) {
      return false;
    }
    sendKept(kept, task.task, task.nonce, channel);
    return true;
  }

  #refusalOf(task: Task): ErrorDocument | undefined {
    const { service, activities, concurrency } = this.#options;
    if (task.protocol > protocolVersion) {
      const message = `protocol ${task.protocol} is asked for, ${protocolVersion} is spoken`;
      return refusal("UnsupportedProtocol", message, { retryable: true });
    }
    if (this.#isDraining) {
      return refusal("Draining", "the worker is going away", { retryable: true });
    }
    if (!activities.has(task.activity)) {
      const known = [...activities.keys()].join(", ");
      const message = `the service ${service} has no ${task.activity}; it has: ${known}`;
      return refusal("UnknownActivity", message, { retryable: true });
    }
    if (this.#running.size >= concurrency) {
      const options = { retryable: true, retryAfterMs: busyRetryMs };
      return refusal("Busy", `all ${concurrency} slots are taken`, options);
    }
    return undefined;
  }

  #start(task: Task, channel: ReplyChannel): void {
    const running = new RunningTask(task, channel, this.#options.logger);
    this.#running.set(task.task, running);
    if (this.#pace.isQuick(task.activity)) {
      this.#invoke(running);
    } else {
      running.accept();
      // The handler may keep the event loop to itself, so the reply leaves first.
      setImmediate(() => this.#invoke(running));
    }
  }

  #invoke(running: RunningTask): void {
    let returned: unknown;
    try {
      returned = this.#call(running);
    } catch (error) {
      this.#finish(running, outcomeOfFailure(error, running));
      return;
    }
    if (!isThenable(returned)) {
      this.#finish(running, outcomeOfResult(returned, running));
      return;
    }
    this.#acceptTimer ??= setTimeout(() => this.#acceptAll(), acceptDelayMs);
    returned.then(
      (value) => this.#finish(running, outcomeOfResult(value, running)),
      (error) => this.#finish(running, outcomeOfFailure(error, running)),
    );
  }

  /** Arguments in order, then the context; arguments that were not sent are undefined. */
  #call(running: RunningTask): unknown {
    const { task } = running;
    const handler = this.#options.activities.get(task.activity);
    if (handler === undefined) {
      throw new Error(`the service has no ${task.activity}`);
    }
    const parameters: unknown[] = [...task.arguments];
    while (parameters.length < handler.length - 1) {
      parameters.push(undefined);
    }
    const context: ActivityContext = running.context();
    return handler(...parameters, context);
  }

  #acceptAll(): void {
    this.#acceptTimer = undefined;
    for (const running of this.#running.values()) {
      running.accept();
    }
  }

  #finish(running: RunningTask, outcome: Outcome): void {
    const { task, channel } = running;
    const nowMs = performance.now();
    this.#running.delete(task.task);
    const durationMs = nowMs - running.startedAtMs;
    this.#pace.record(task.activity, durationMs);
    this.statistics.record(task.activity, durationMs, outcome.error);
    running.finish(outcome.kind, outcome.body);
    const { kind, body } = outcome;
    this.#kept.keep(task.task, { kind, body, encoding: channel.encoding }, nowMs);
    if (this.#running.size === 0) {
      clearTimeout(this.#acceptTimer);
      this.#acceptTimer = undefined;
      for (const resolve of this.#whenIdle.splice(0)) {
        resolve();
      }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}

function sendKept(kept: KeptReply, task: string, nonce: string, channel: ReplyChannel): void {
  const body = inEncoding(kept, channel);
  const reply = { kind: kept.kind, task, nonce };
  channel.send(body === undefined ? reply : { ...reply, body });
}

/** A reply kept in one encoding may be asked for in the other. */
function inEncoding(kept: KeptReply, channel: ReplyChannel): Uint8Array | undefined {
  if (kept.body === undefined || kept.encoding === channel.encoding) {
    return kept.body;
  }
  const value = decodePayload(kept.body, kept.encoding, new Walk(documentDepthLimit));
  return encodePayload(value, channel.encoding, documentDepthLimit);
}
