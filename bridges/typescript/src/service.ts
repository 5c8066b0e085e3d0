import { ConfigurationError, InvalidArguments } from "./errors.js";
import { type Logger, standardErrorLogger } from "./logger.js";
import type { NatsOptions } from "./nats/nats_options.js";
import { checkActivityName, checkNamespace, checkServiceName } from "./worker/names.js";
import { runWorker } from "./worker/run_worker.js";
import type { Handler } from "./worker/task_runner.js";

export interface ServiceOptions {
  /** How many tasks run at a time. Default: 16. */
  concurrency?: number;
  /** Default: the environment's `PERDURE_NAMESPACE`, else "default". */
  namespace?: string;
  /** How long a worker that must go lets its tasks finish. Default: 10 s. */
  drainTimeoutMs?: number;
  /** What it says goes to stderr unless another is given. */
  logger?: Logger;
  /** How to reach NATS; wins over the environment. Not used when an engine starts the program. */
  nats?: NatsOptions;
}

/**
 * A function that does one activity: the arguments in order, then an `ActivityContext` if it wants
 * one. Since the context always comes last, an argument that may be missing is declared as
 * `| undefined`, not with `?` or a default.
 */
// biome-ignore lint/suspicious/noExplicitAny: only `any` lets each handler have its own arguments.
export type ActivityHandler = (...parameters: any[]) => unknown;

export interface ActivityOptions {
  /**
   * Makes the arguments that the handler gets of those that were sent; the place for a schema's
   * `parse`. What it throws fails the activity for good, as `InvalidArguments`.
   */
  parse?: (parameters: unknown[]) => unknown[];
}

const defaultConcurrency = 16;
const defaultDrainTimeoutMs = 10_000;

/** A named set of activities. */
export class Service {
  readonly name: string;
  readonly #options: ServiceOptions;
  readonly #activities = new Map<string, Handler>();

  constructor(name: string, options: ServiceOptions = {}) {
    checkServiceName(name);
    const concurrency = options.concurrency ?? defaultConcurrency;
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new ConfigurationError(`concurrency is an integer from 1, not ${concurrency}`);
    }
    this.name = name;
    this.#options = options;
  }

  /** Adds an activity. What the handler returns, or what its promise resolves to, is the result. */
  activity(name: string, handler: ActivityHandler, options: ActivityOptions = {}): this {
    checkActivityName(name);
    if (this.#activities.has(name)) {
      throw new ConfigurationError(`the service ${this.name} has two activities ${name}`);
    }
    const { parse } = options;
    this.#activities.set(name, parse === undefined ? handler : parsing(handler, parse));
    return this;
  }

  /**
   * Serves until the worker is drained (SIGTERM, SIGINT, or the engine's word) or, over stdio,
   * until the engine is gone. Over stdio if an engine started this program, else over NATS.
   */
  async run(): Promise<void> {
    const options = this.#options;
    const namespace = options.namespace ?? process.env["PERDURE_NAMESPACE"] ?? "default";
    checkNamespace(namespace);
    await runWorker({
      service: this.name,
      activities: this.#activities,
      namespace,
      concurrency: options.concurrency ?? defaultConcurrency,
      drainTimeoutMs: options.drainTimeoutMs ?? defaultDrainTimeoutMs,
      logger: options.logger ?? standardErrorLogger(),
      nats: options.nats ?? {},
    });
  }
}

/** Begins a service: `service("tsaudit").activity("analyze", analyze)`, then `run()`. */
export function service(name: string, options: ServiceOptions = {}): Service {
  return new Service(name, options);
}

/** A handler that reads its arguments first. It takes as many parameters as the one within. */
function parsing(
  handler: ActivityHandler,
  parse: NonNullable<ActivityOptions["parse"]>,
): ActivityHandler {
  const whole: ActivityHandler = (...parameters) => {
    const context: unknown = parameters.pop();
    return handler(...read(parse, parameters), context);
  };
  Object.defineProperty(whole, "length", { value: handler.length });
  return whole;
}

function read(parse: NonNullable<ActivityOptions["parse"]>, parameters: unknown[]): unknown[] {
  try {
    return parse(parameters);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InvalidArguments(message, { cause: error });
  }
}
