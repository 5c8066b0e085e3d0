import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  type ConnectionOptions,
  connect,
  createInbox,
  headers,
  type Msg,
  type NatsConnection,
} from "@nats-io/transport-node";
import {
  decodeDocument,
  decodePayload,
  documentDepthLimit,
  type Encoding,
  encodePayload,
  type Fields,
  Walk,
} from "../../src/internal_mod.js";
import { conformanceRun } from "./stdio_engine.js";

export interface NatsReply {
  status: string;
  nonce: string;
  contentType: string;
  value: unknown;
  /** When it arrived, on the clock of `performance.now()`. */
  atMs: number;
}

interface Waiter<Item> {
  matches: (item: Item) => boolean;
  resolve: (item: Item) => void;
}

const patienceMs = 15_000;

/** A list of what has come, from which one may wait for what will. */
class Arrivals<Item> {
  readonly all: Item[] = [];
  #unread: Item[] = [];
  #waiters: Waiter<Item>[] = [];

  push(item: Item): void {
    this.all.push(item);
    const index = this.#waiters.findIndex((waiter) => waiter.matches(item));
    if (index < 0) {
      this.#unread.push(item);
    } else {
      this.#waiters.splice(index, 1)[0]?.resolve(item);
    }
  }

  async next(what: string, matches: (item: Item) => boolean): Promise<Item> {
    const index = this.#unread.findIndex(matches);
    const [found] = index < 0 ? [] : this.#unread.splice(index, 1);
    if (found !== undefined) {
      return found;
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${what} came within ${patienceMs} ms`)),
        patienceMs,
      );
      const settle = (item: Item) => {
        clearTimeout(timer);
        resolve(item);
      };
      this.#waiters.push({ matches, resolve: settle });
    });
  }
}

/** The engine's side of NATS, as a test needs it. */
export class NatsEngine {
  readonly connection: NatsConnection;
  readonly inbox = createInbox();
  readonly #replies = new Arrivals<NatsReply & { task: string }>();
  readonly #announcements = new Arrivals<Fields>();

  private constructor(connection: NatsConnection) {
    this.connection = connection;
  }

  static async connect(url: string, more: ConnectionOptions = {}): Promise<NatsEngine> {
    const connection = await connect({
      servers: url,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
      ...more,
    });
    const engine = new NatsEngine(connection);
    connection.subscribe(`${engine.inbox}.*`, {
      callback: (_error, message) => engine.#receive(message),
    });
    connection.subscribe("pd.l.default.conformance", {
      callback: (_error, message) => {
        engine.#announcements.push(decodeDocument(message.data, "application/json"));
      },
    });
    await connection.flush();
    return engine;
  }

  ask(
    task: string,
    activity: string,
    parameters: unknown[] = [],
    more: { headers?: Record<string, string>; encoding?: Encoding; body?: Uint8Array } = {},
  ): void {
    const encoding = more.encoding ?? "application/msgpack";
    const fields = headers();
    const own = { "Pd-Task": task, "Pd-Nonce": `nonce-${task}`, "Content-Type": encoding };
    for (const [name, value] of Object.entries({ ...own, ...more.headers })) {
      fields.set(name, value);
    }
    const body = more.body ?? encodePayload(parameters, encoding);
    const reply = `${this.inbox}.1`;
    this.connection.publish(`pd.a.default.conformance.${activity}`, body, {
      headers: fields,
      reply,
    });
  }

  async next(task: string, status: string): Promise<NatsReply> {
    return this.#replies.next(`${status} of ${task}`, (reply) => {
      return reply.task === task && reply.status === status;
    });
  }

  async call(task: string, activity: string, ...parameters: unknown[]): Promise<unknown> {
    this.ask(task, activity, parameters);
    return (await this.next(task, "ok")).value;
  }

  async error(task: string): Promise<Record<string, unknown>> {
    return (await this.next(task, "error")).value as Record<string, unknown>;
  }

  async announcement(frame: string): Promise<Fields> {
    return this.#announcements.next(frame, (fields) => fields.get("frame") === frame);
  }

  control(document: object): void {
    this.connection.publish("pd.c.default.conformance", JSON.stringify(document));
  }

  /** How many replies of this status a task has got so far. */
  count(task: string, status: string): number {
    return this.#replies.all.filter((each) => each.task === task && each.status === status).length;
  }

  #receive(message: Msg): void {
    const field = (name: string) => message.headers?.get(name) ?? "";
    const contentType = field("Content-Type");
    const walk = new Walk(documentDepthLimit);
    const value =
      message.data.length === 0
        ? undefined
        : decodePayload(message.data, contentType as Encoding, walk);
    this.#replies.push({
      task: field("Pd-Task"),
      status: field("Pd-Status"),
      nonce: field("Pd-Nonce"),
      contentType,
      value,
      atMs: performance.now(),
    });
  }
}

/** A worker as a process of its own. */
export class NatsWorker {
  readonly child: ChildProcess;
  readonly #log = new Arrivals<string>();
  #unfinishedLine = "";

  constructor(environment: Record<string, string>, command: readonly string[] = [conformanceRun]) {
    const [program = "", ...parameters] = command;
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("PERDURE_"));
    this.child = spawn(program, parameters, {
      env: { ...Object.fromEntries(clean), ...environment },
      stdio: ["ignore", "inherit", "pipe"],
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (this.#unfinishedLine + text).split("\n");
      this.#unfinishedLine = lines.pop() ?? "";
      for (const line of lines) {
        this.#log.push(line);
      }
    });
  }

  get log(): string {
    return this.#log.all.join("\n");
  }

  /** Waits until the worker has logged these words. */
  async logged(words: string): Promise<void> {
    await this.#log.next(`log line with ${words}`, (line) => line.includes(words));
  }

  async exit(): Promise<number | string | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      await once(this.child, "exit");
    }
    return this.child.exitCode ?? this.child.signalCode;
  }
}
