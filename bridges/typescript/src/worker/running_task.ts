import { ActivityContext, type ContextHost } from "../activity_context.js";
import { encodePayload } from "../codec/codec.js";
import { PayloadError } from "../codec/payload_error.js";
import { CancelledError, type StopReason } from "../errors.js";
import type { Logger } from "../logger.js";
import type { FinalKind, Reply, ReplyChannel, ReplyKind } from "../protocol/reply.js";
import type { Task } from "../protocol/task.js";
import { HeartbeatGate } from "./heartbeat_gate.js";

// The longest delay that a timer of Node keeps; a longer one would fire at once.
const longestTimerMs = 2 ** 31 - 1;

/** One task in the hands of its handler. */
export class RunningTask implements ContextHost {
  readonly task: Task;
  readonly logger: Logger;
  readonly startedAtMs = performance.now();
  /** Why the handler has been asked to stop, if it has. */
  stopped: CancelledError | undefined;
  #nonce: string;
  #channel: ReplyChannel;
  #answered = false;
  #controller: AbortController | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #heartbeats: HeartbeatGate | undefined;
  #finished = false;

  constructor(task: Task, channel: ReplyChannel, logger: Logger) {
    this.task = task;
    this.logger = logger;
    this.#nonce = task.nonce;
    this.#channel = channel;
  }

  get channel(): ReplyChannel {
    return this.#channel;
  }

  context(): ActivityContext {
    return new ActivityContext(this.task, this);
  }

  // The signal, and with it the timer of the deadline, is made only for handlers that look at it.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.stopped !== undefined) {
        this.#controller.abort(this.stopped);
      } else if (!this.#finished && this.task.deadlineMs > 0) {
        this.#armDeadline();
      }
    }
    return this.#controller.signal;
  }

  heartbeat(details: unknown): void {
    if (this.#finished) {
      return;
    }
    const body = details === undefined ? undefined : this.#encodeDetails(details);
    this.#heartbeats ??= new HeartbeatGate(this.task.heartbeatTimeoutMs, (waiting) =>
      this.#send("heartbeat", waiting),
    );
    this.#heartbeats.push(body);
  }

  /** Says `accepted`, unless the engine has already heard of this task. */
  accept(): void {
    if (!this.#answered) {
      this.#send("accepted");
    }
  }

  /** From now on replies go to another asker. */
  redirect(nonce: string, channel: ReplyChannel): void {
    this.#nonce = nonce;
    this.#channel = channel;
  }

  stop(reason: StopReason, message: string): void {
    if (this.stopped === undefined && !this.#finished) {
      this.stopped = new CancelledError(message, { reason });
      clearTimeout(this.#deadlineTimer);
      this.#controller?.abort(this.stopped);
    }
  }

  finish(kind: FinalKind, body: Uint8Array | undefined): void {
    this.#finished = true;
    clearTimeout(this.#deadlineTimer);
    const waiting = this.#heartbeats?.close();
    if (waiting !== undefined && kind !== "result") {
      this.#send("heartbeat", waiting);
    }
    this.#send(kind, body);
  }

  #send(kind: ReplyKind, body?: Uint8Array): void {
    this.#answered = true;
    const reply: Reply = { kind, task: this.task.task, nonce: this.#nonce };
    this.#channel.send(body === undefined ? reply : { ...reply, body });
  }

  #encodeDetails(details: unknown): Uint8Array {
    const body = encodePayload(details, this.#channel.encoding);
    if (body.length > this.#channel.bodyLimit) {
      const explanation = `${body.length} bytes of heartbeat details are too many`;
      throw new PayloadError("Unrepresentable", "$", explanation);
    }
    return body;
  }

  #armDeadline(): void {
    const remainingMs = this.task.deadlineMs - Date.now();
    const delayMs = Math.min(Math.max(remainingMs, 0), longestTimerMs);
    this.#deadlineTimer = setTimeout(() => {
      if (Date.now() >= this.task.deadlineMs) {
        this.stop("deadline", "the deadline of the activity has passed");
      } else {
        this.#armDeadline();
      }
    }, delayMs);
    this.#deadlineTimer.unref();
  }
}
