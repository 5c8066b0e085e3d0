import { setTimeout as sleep } from "node:timers/promises";
import { decodeDocument, type Encoding, type Fields, isEncoding } from "../codec/codec.js";
import { PayloadError } from "../codec/payload_error.js";
import type { Logger } from "../logger.js";
import { readControl } from "../protocol/control.js";
import { FieldError, optionalCount, requiredText } from "../protocol/field.js";
import { ProtocolError } from "../protocol/protocol_error.js";
import type { Reply, ReplyChannel } from "../protocol/reply.js";
import { readTask } from "../protocol/task.js";
import { refusal } from "../worker/describe_error.js";
import { abandonTasks, finishTasks } from "../worker/drain.js";
import {
  drainingDocument,
  helloDocument,
  type Identity,
  livenessDocument,
} from "../worker/identity.js";
import type { TaskRunner } from "../worker/task_runner.js";
import type { Transport } from "../worker/transport.js";
import { frameDocument, frameReply } from "./frame.js";
import { FrameSplitter, frameLimit } from "./frame_splitter.js";
import type { FrameStreams } from "./streams.js";

const defaultLivenessIntervalMs = 5000;
const lingerMs = 200;
/** More than the fields around a reply take; 64 MiB of bytes still have room for their head. */
const envelopeRoom = 1024;

export interface StdioTransportOptions {
  readonly identity: Identity;
  readonly runner: TaskRunner;
  readonly streams: FrameStreams;
  readonly drainTimeoutMs: number;
  readonly logger: Logger;
}

/** Speaks with the engine that started this process, over stdin and stdout. */
export class StdioTransport implements Transport, ReplyChannel {
  readonly bodyLimit = frameLimit - envelopeRoom;
  readonly #options: StdioTransportOptions;
  readonly #splitter = new FrameSplitter();
  #encoding: Encoding | undefined;
  #livenessTimer: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  #end: (error?: Error) => void = () => undefined;

  constructor(options: StdioTransportOptions) {
    this.#options = options;
  }

  /** JSON until `welcome` has named another. */
  get encoding(): Encoding {
    return this.#encoding ?? "application/json";
  }

  async run(): Promise<void> {
    const { identity, streams } = this.#options;
    const { input, output } = streams;
    const ended = new Promise<void>((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error));
    });
    output.on("error", (error) => this.#hangUp(`stdout: ${error.message}`));
    output.on("drain", () => input.resume());
    input.on("error", (error) => this.#hangUp(`stdin: ${error.message}`));
    input.on("end", () => this.#hangUp(undefined));
    this.#write(frameDocument(helloDocument(identity), "application/json"));
    input.on("data", (chunk: Buffer) => this.#receive(chunk));
    try {
      await ended;
    } finally {
      clearInterval(this.#livenessTimer);
      input.destroy();
      output.destroy();
    }
  }

  async drain(): Promise<void> {
    this.#draining ??= this.#drainOnce();
    return this.#draining;
  }

  send(reply: Reply): void {
    this.#write(frameReply(reply, this.encoding));
  }

  async #drainOnce(): Promise<void> {
    const { runner, identity, drainTimeoutMs, streams } = this.#options;
    runner.stopTaking();
    this.#sendDocument(drainingDocument(identity));
    await finishTasks(runner, drainTimeoutMs);
    // Tasks that the engine sent before it read `draining` are still answered.
    streams.input.resume();
    await sleep(lingerMs);
    await new Promise<void>((resolve) => streams.output.end(resolve));
    this.#end();
  }

  /** The engine is gone: nobody waits for what runs here. */
  #hangUp(fault: string | undefined): void {
    if (fault !== undefined) {
      this.#options.logger.error("the engine cannot be reached", { fault });
    } else if (this.#splitter.isInside) {
      this.#options.logger.error("stdin ended in the middle of a frame");
    }
    this.#options.runner.stopTaking();
    void abandonTasks(this.#options.runner).then(() => this.#end());
  }

  #receive(chunk: Buffer): void {
    try {
      for (const document of this.#splitter.push(chunk)) {
        this.#dispatch(decodeDocument(document, this.encoding));
      }
    } catch (error) {
      this.#options.streams.input.pause();
      this.#fail(error);
    }
  }

  /** Garbage from the engine: there is no way to find the next frame, so the worker ends. */
  #fail(error: unknown): void {
    const isForeign = error instanceof PayloadError || error instanceof FieldError;
    const fault = isForeign ? new ProtocolError(`bytes that are no document: ${error}`) : error;
    this.#options.runner.stopTaking();
    void abandonTasks(this.#options.runner).then(() => this.#end(fault as Error));
  }

  #dispatch(fields: Fields): void {
    const frame = requiredText(fields, "frame");
    if (frame === "welcome") {
      this.#welcome(fields);
    } else if (this.#encoding === undefined) {
      throw new ProtocolError(`the frame ${JSON.stringify(frame)} came before welcome`);
    } else if (frame === "task") {
      this.#takeTask(fields);
    } else {
      this.#obey(frame, fields);
    }
  }

  #welcome(fields: Fields): void {
    const encoding = requiredText(fields, "encoding");
    if (!isEncoding(encoding)) {
      throw new ProtocolError(`the encoding ${JSON.stringify(encoding)} is not spoken here`);
    }
    this.#encoding = encoding;
    const wanted = optionalCount(fields, "liveness_interval_ms", 0);
    const intervalMs = wanted === 0 ? defaultLivenessIntervalMs : wanted;
    clearInterval(this.#livenessTimer);
    this.#livenessTimer = setInterval(() => this.#sendLiveness(), intervalMs);
  }

  #takeTask(fields: Fields): void {
    const { runner } = this.#options;
    const nonce = fields.get("nonce");
    const address = {
      task: requiredText(fields, "task"),
      activity: requiredText(fields, "activity"),
      nonce: typeof nonce === "string" ? nonce : "",
    };
    try {
      runner.take(readTask(address, fields), this);
    } catch (error) {
      if (!(error instanceof FieldError)) {
        throw error;
      }
      const document = refusal("InvalidArguments", error.message, { retryable: false });
      runner.refuse(address, this, document);
    }
  }

  #obey(frame: string, fields: Fields): void {
    const { runner, identity } = this.#options;
    const control = readControl(frame, fields, identity.instance);
    switch (control?.kind) {
      case "cancel":
        runner.cancel(control.task, control.reason);
        break;
      case "inventory":
        this.#sendLiveness();
        break;
      case "drain":
        void this.drain();
        break;
    }
  }

  #sendLiveness(): void {
    const { identity, runner } = this.#options;
    this.#sendDocument(livenessDocument(identity, runner.taskIds()));
  }

  #sendDocument(document: object): void {
    this.#write(frameDocument(document, this.encoding));
  }

  /**
   * One write a frame; those of one tick leave together. While the engine does not read, no new
   * tasks are read either.
   */
  #write(frame: Buffer): void {
    const { input, output } = this.#options.streams;
    if (output.writableEnded || output.destroyed) {
      return;
    }
    if (output.writableCorked === 0) {
      output.cork();
      process.nextTick(() => output.uncork());
    }
    if (!output.write(frame)) {
      input.pause();
    }
  }
}
