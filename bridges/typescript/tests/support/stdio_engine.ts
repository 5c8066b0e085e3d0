import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  decodeDocument,
  type Encoding,
  type Fields,
  FrameSplitter,
  frameDocument,
} from "../../src/internal_mod.js";

export const conformanceRun = fileURLToPath(new URL("../../../conformance/run", import.meta.url));

type Matcher = (fields: Fields) => boolean;

interface Waiter {
  matches: Matcher;
  resolve: (fields: Fields) => void;
  reject: (error: Error) => void;
}

const patienceMs = 10_000;

/** The engine's side of stdio, as a test needs it: starts a real worker and speaks with it. */
export class StdioEngine {
  readonly child: ChildProcessWithoutNullStreams;
  readonly received: Fields[] = [];
  log = "";
  encoding: Encoding = "application/json";
  readonly #splitter = new FrameSplitter();
  #waiters: Waiter[] = [];
  #unread: Fields[] = [];

  constructor(command: readonly string[] = [conformanceRun]) {
    const [program = "", ...parameters] = command;
    this.child = spawn(program, parameters, {
      env: { ...process.env, PERDURE_TRANSPORT: "stdio" },
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    this.child.stdout.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.child.stdin.on("error", () => undefined);
    this.child.on("close", () => {
      for (const waiter of this.#waiters.splice(0)) {
        waiter.reject(new Error(`the worker has exited; its log: ${this.log}`));
      }
    });
  }

  /** Starts a worker and shakes hands with it. */
  static async start(
    encoding: Encoding = "application/msgpack",
    command?: readonly string[],
    welcome: object = {},
  ): Promise<StdioEngine> {
    const engine = new StdioEngine(command);
    await engine.next("hello");
    engine.send({ frame: "welcome", protocol: 0, encoding, engine: "test", ...welcome });
    engine.encoding = encoding;
    return engine;
  }

  send(document: object): void {
    this.sendBytes(frameDocument(document, this.encoding));
  }

  sendBytes(bytes: Uint8Array): void {
    this.child.stdin.write(bytes);
  }

  /** The next frame of this kind that has not been read yet; of this task, if one is named. */
  async next(frame: string, task?: string): Promise<Fields> {
    const matches: Matcher = (fields) =>
      fields.get("frame") === frame && (task === undefined || fields.get("task") === task);
    const index = this.#unread.findIndex(matches);
    const [found] = index < 0 ? [] : this.#unread.splice(index, 1);
    if (found !== undefined) {
      return found;
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no ${frame} came within ${patienceMs} ms; the log: ${this.log}`));
      }, patienceMs);
      const settle = (fields: Fields) => {
        clearTimeout(timer);
        resolve(fields);
      };
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      this.#waiters.push({ matches, resolve: settle, reject: fail });
    });
  }

  /** Sends a task; its final reply is awaited by the test. */
  ask(task: string, activity: string, parameters: unknown[] = [], more: object = {}): void {
    this.send({
      frame: "task",
      task,
      nonce: `nonce-${task}`,
      activity,
      arguments: parameters,
      ...more,
    });
  }

  async call(task: string, activity: string, ...parameters: unknown[]): Promise<unknown> {
    this.ask(task, activity, parameters);
    const result = await this.next("result", task);
    assert.equal(result.get("nonce"), `nonce-${task}`);
    return result.get("value");
  }

  async error(task: string): Promise<Record<string, unknown>> {
    const fields = await this.next("error", task);
    return fields.get("error") as Record<string, unknown>;
  }

  /** Waits for the worker's end; its exit code, or the signal that ended it. */
  async exit(): Promise<number | string | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) {
      return this.child.exitCode ?? this.child.signalCode;
    }
    const [code, signal] = (await once(this.child, "exit")) as [number | null, string | null];
    return code ?? signal;
  }

  /** Hangs up, as a dying engine does, and waits for the worker to leave. */
  async close(): Promise<number | string | null> {
    this.child.stdin.end();
    return this.exit();
  }

  #receive(chunk: Buffer): void {
    for (const document of this.#splitter.push(chunk)) {
      const fields = decodeDocument(document, this.encoding);
      this.received.push(fields);
      const index = this.#waiters.findIndex((waiter) => waiter.matches(fields));
      if (index < 0) {
        this.#unread.push(fields);
      } else {
        this.#waiters.splice(index, 1)[0]?.resolve(fields);
      }
    }
  }
}
