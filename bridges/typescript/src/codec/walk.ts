import { payloadDepthLimit } from "./limits.js";
import { PayloadError, type PayloadErrorReason } from "./payload_error.js";

type Step = string | number | undefined;

const plainKey = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Where a writer or reader stands in a payload. Steps are kept in a plain stack, so that the way to
 * a fault costs nothing until there is one.
 */
export class Walk {
  readonly #steps: Step[] = [];
  readonly #containers: unknown[] = [];
  readonly #limit: number;

  constructor(limit: number = payloadDepthLimit) {
    this.#limit = limit;
  }

  /** Steps into a list or map; until the first `at`, faults are those of the container itself. */
  enter(container: unknown): void {
    if (this.#steps.length >= this.#limit) {
      throw this.#tooDeep(container);
    }
    this.#containers.push(container);
    this.#steps.push(undefined);
  }

  at(step: Step): void {
    this.#steps[this.#steps.length - 1] = step;
  }

  leave(): void {
    this.#containers.pop();
    this.#steps.pop();
  }

  refuse(reason: PayloadErrorReason, explanation: string): PayloadError {
    return new PayloadError(reason, formatPath(this.#steps), explanation);
  }

  // A cycle always ends at the depth limit, so it is looked for only there.
  #tooDeep(container: unknown): PayloadError {
    const seen = new Set<unknown>();
    for (const [depth, ancestor] of [...this.#containers, container].entries()) {
      if (ancestor !== undefined && seen.has(ancestor)) {
        const path = formatPath(this.#steps.slice(0, depth));
        return new PayloadError("Unrepresentable", path, "the value contains itself");
      }
      seen.add(ancestor);
    }
    return this.refuse("TooDeep", `nested deeper than ${this.#limit} levels`);
  }
}

/** Writes a path as people read it: `$.items[3].price`, `$["odd key"]`. */
function formatPath(steps: readonly Step[]): string {
  let text = "$";
  for (const step of steps) {
    if (typeof step === "number") {
      text += `[${step}]`;
    } else if (step !== undefined) {
      text += plainKey.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
    }
  }
  return text;
}
