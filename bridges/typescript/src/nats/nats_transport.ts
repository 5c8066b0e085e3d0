import { setTimeout as sleep } from "node:timers/promises";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { decodeDocument, type Encoding, encodeDocument } from "../codec/codec.js";
import type { Logger } from "../logger.js";
import { readControl } from "../protocol/control.js";
import { requiredText } from "../protocol/field.js";
import type { Reply, ReplyChannel } from "../protocol/reply.js";
import { refusal } from "../worker/describe_error.js";
import { finishTasks } from "../worker/drain.js";
import {
  drainingDocument,
  helloDocument,
  type Identity,
  livenessDocument,
} from "../worker/identity.js";
import type { TaskRunner } from "../worker/task_runner.js";
import type { Transport } from "../worker/transport.js";
import { connectToNats } from "./connect.js";
import { MicroService } from "./micro_service.js";
import type { NatsOptions } from "./nats_options.js";
import { replyHeaders } from "./reply_message.js";
import { Subjects } from "./subjects.js";
import { readTaskMessage } from "./task_message.js";
import { Unconfirmed } from "./unconfirmed.js";

const livenessIntervalMs = 5000;
const returnDelaysMs = [0, 1000, 5000];
const headerRoom = 4096;
const goodbyeTimeoutMs = 1000;

export interface NatsTransportOptions {
  readonly identity: Identity;
  readonly runner: TaskRunner;
  readonly nats: NatsOptions;
  readonly drainTimeoutMs: number;
  readonly logger: Logger;
}

interface OutgoingReply {
  readonly subject: string;
  readonly reply: Reply;
  readonly encoding: Encoding;
}

/** Serves every engine that speaks with the same NATS server. */
export class NatsTransport implements Transport {
  readonly #options: NatsTransportOptions;
  readonly #subjects: Subjects;
  readonly #leaving = new AbortController();
  readonly #unconfirmed: Unconfirmed<OutgoingReply>;
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #subscriptions: Subscription[] = [];
  #draining: Promise<void> | undefined;

  constructor(options: NatsTransportOptions) {
    this.#options = options;
    this.#subjects = new Subjects(options.identity.namespace, options.identity.service);
    this.#unconfirmed = new Unconfirmed(() => this.#roundTrip());
  }

  async run(): Promise<void> {
    const { nats, logger, identity } = this.#options;
    const name = this.#subjects.microServiceName;
    const connection = await connectToNats(nats, name, logger, this.#leaving.signal);
    if (connection === undefined) {
      return;
    }
    this.#connection = connection;
    this.#isConnected = true;
    logger.info("serving", { service: identity.service, server: connection.getServer() });
    this.#subscribe(connection);
    void this.#watch(connection);
    this.#announce();
    const livenessTimer = setInterval(() => this.#sendLiveness(), livenessIntervalMs);
    try {
      const fault = await connection.closed();
      if (fault !== undefined && this.#draining === undefined) {
        throw fault;
      }
    } finally {
      clearInterval(livenessTimer);
    }
    await this.#draining;
  }

  async drain(): Promise<void> {
    this.#draining ??= this.#drainOnce();
    return this.#draining;
  }

  async #drainOnce(): Promise<void> {
    this.#leaving.abort();
    const { runner, identity, drainTimeoutMs } = this.#options;
    const leaving = Promise.all(this.#subscriptions.map((each) => each.drain()));
    await withinGoodbye(leaving);
    runner.stopTaking();
    this.#publish(drainingDocument(identity));
    await finishTasks(runner, drainTimeoutMs);
    await withinGoodbye(this.#roundTrip());
    await this.#connection?.close();
  }

  #subscribe(connection: NatsConnection): void {
    const { identity, runner, logger } = this.#options;
    for (const activity of identity.activities) {
      const subscription = connection.subscribe(this.#subjects.activity(activity), {
        queue: identity.service,
        callback: (error, message) => {
          if (error === null) {
            this.#takeTask(message);
          } else {
            logger.error("a subscription is refused", { activity, error });
          }
        },
      });
      this.#subscriptions.push(subscription);
    }
    connection.subscribe(this.#subjects.control, {
      callback: (error, message) => {
        if (error === null) {
          this.#obey(message);
        }
      },
    });
    new MicroService(identity, this.#subjects, runner.statistics).listen(connection);
  }

  async #watch(connection: NatsConnection): Promise<void> {
    const { logger } = this.#options;
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        this.#isConnected = false;
        logger.warn("disconnected from NATS", { server: status.server });
      } else if (status.type === "reconnect") {
        this.#isConnected = true;
        logger.info("connected to NATS again", { server: status.server });
        this.#return(this.#unconfirmed.messages);
      } else if (status.type === "error") {
        logger.error("NATS", { error: status.error });
      }
    }
  }

  #takeTask(message: Msg): void {
    const { runner, logger } = this.#options;
    const { subject, reply, data } = message;
    const activity = this.#subjects.activityOf(subject);
    const read = readTaskMessage({ activity, headers: firstValues(message), body: data });
    if (read === undefined || reply === undefined || reply === "") {
      logger.warn("dropped a message without task id or reply", { subject });
      return;
    }
    const channel = this.#channel(reply, read.encoding);
    if ("task" in read) {
      runner.take(read.task, channel);
    } else {
      const document = refusal("InvalidArguments", read.fault, { retryable: false });
      runner.refuse(read.address, channel, document);
    }
  }

  #obey(message: Msg): void {
    const { runner, identity, logger } = this.#options;
    try {
      const fields = decodeDocument(message.data, "application/json");
      const control = readControl(requiredText(fields, "frame"), fields, identity.instance);
      switch (control?.kind) {
        case "cancel":
          runner.cancel(control.task, control.reason);
          break;
        case "inventory":
          this.#announce();
          break;
        case "drain":
          void this.drain();
          break;
        case "attach":
          runner.attach(control.task, control.nonce, (encoding) =>
            this.#channel(control.reply, encoding),
          );
          break;
      }
    } catch (error) {
      logger.warn("dropped a control message that is no document", { error });
    }
  }

  #channel(subject: string, encoding: Encoding): ReplyChannel {
    const { max_payload: payloadLimit } = this.#connection?.info ?? { max_payload: 0 };
    return {
      encoding,
      bodyLimit: payloadLimit - headerRoom,
      send: (reply) => this.#send({ subject, reply, encoding }),
    };
  }

  #send(outgoing: OutgoingReply): void {
    const { kind } = outgoing.reply;
    if (kind !== "accepted" && kind !== "heartbeat") {
      this.#unconfirmed.add(outgoing);
    }
    if (this.#isConnected) {
      this.#publishReply(outgoing);
    }
  }

  #publishReply({ subject, reply, encoding }: OutgoingReply): void {
    const headers = replyHeaders(reply, encoding);
    this.#attempt(() => this.#connection?.publish(subject, reply.body, { headers }));
  }

  /** After a reconnect: says hello and sends what may be lost; again later, for late engines. */
  #return(replies: readonly OutgoingReply[]): void {
    for (const delayMs of returnDelaysMs) {
      setTimeout(() => {
        this.#announce();
        for (const reply of replies) {
          this.#publishReply(reply);
        }
      }, delayMs).unref();
    }
  }

  #announce(): void {
    this.#publish(helloDocument(this.#options.identity));
    this.#sendLiveness();
  }

  #sendLiveness(): void {
    const { identity, runner } = this.#options;
    this.#publish(livenessDocument(identity, runner.taskIds()));
  }

  #publish(document: object): void {
    if (this.#isConnected) {
      const body = encodeDocument(document, "application/json");
      this.#attempt(() => this.#connection?.publish(this.#subjects.announcements, body));
    }
  }

  /** What cannot leave now is repeated later: by liveness, or after the reconnect. */
  #attempt(publish: () => void): void {
    try {
      publish();
    } catch (error) {
      this.#options.logger.warn("a message could not leave", { error });
    }
  }

  async #roundTrip(): Promise<void> {
    if (!this.#isConnected) {
      throw new Error("not connected");
    }
    await this.#connection?.flush();
  }
}

async function withinGoodbye(work: Promise<unknown>): Promise<void> {
  const timeout = sleep(goodbyeTimeoutMs, undefined, { ref: false });
  await Promise.race([work.catch(() => undefined), timeout]);
}

function firstValues(message: Msg): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [name, values] of message.headers ?? []) {
    fields.set(name, values[0] ?? "");
  }
  return fields;
}
