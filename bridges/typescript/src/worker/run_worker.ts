import { randomUUID } from "node:crypto";
import type { Logger } from "../logger.js";
import type { NatsOptions } from "../nats/nats_options.js";
import { NatsTransport } from "../nats/nats_transport.js";
import { StdioTransport } from "../stdio/stdio_transport.js";
import { claimStandardStreams } from "../stdio/streams.js";
import { type Handler, TaskRunner } from "./task_runner.js";
import type { Transport } from "./transport.js";

export interface WorkerOptions {
  readonly service: string;
  readonly namespace: string;
  readonly activities: ReadonlyMap<string, Handler>;
  readonly concurrency: number;
  readonly drainTimeoutMs: number;
  readonly logger: Logger;
  readonly nats: NatsOptions;
}

const drainSignals = ["SIGTERM", "SIGINT"] as const;

/** Runs one worker to its end. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { service, namespace, activities, concurrency, drainTimeoutMs, logger } = options;
  const runner = new TaskRunner({ service, activities, concurrency, logger });
  const identity = {
    service,
    namespace,
    concurrency,
    instance: randomUUID(),
    activities: [...activities.keys()],
  };
  const shared = { identity, runner, drainTimeoutMs, logger };
  const transport: Transport =
    process.env["PERDURE_TRANSPORT"] === "stdio"
      ? new StdioTransport({ ...shared, streams: claimStandardStreams() })
      : new NatsTransport({ ...shared, nats: options.nats });
  await runUntilDrained(transport);
  // Handlers that would not stop must not keep a worker alive that nobody can reach any more.
  if (runner.taskIds().length > 0) {
    logger.warn("leaving handlers behind that did not stop", { tasks: runner.taskIds().join(" ") });
    process.exit();
  }
}

async function runUntilDrained(transport: Transport): Promise<void> {
  const drain = () => void transport.drain();
  for (const signal of drainSignals) {
    process.on(signal, drain);
  }
  try {
    await transport.run();
  } finally {
    for (const signal of drainSignals) {
      process.removeListener(signal, drain);
    }
  }
}
