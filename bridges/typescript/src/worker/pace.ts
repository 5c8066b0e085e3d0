const quickLimitMs = 20;
const provenCount = 3;

/**
 * Knows which activities are quick. The engine wants a sign of life within 100 ms, and a handler
 * that computes keeps the event loop to itself; so a task is accepted before its handler starts,
 * unless its activity has lately been too quick for that to be worth a message.
 */
export class Pace {
  readonly #quickRuns = new Map<string, number>();

  isQuick(activity: string): boolean {
    return (this.#quickRuns.get(activity) ?? 0) >= provenCount;
  }

  record(activity: string, durationMs: number): void {
    const before = this.#quickRuns.get(activity) ?? 0;
    if (durationMs >= quickLimitMs) {
      this.#quickRuns.set(activity, 0);
    } else if (before < provenCount) {
      this.#quickRuns.set(activity, before + 1);
    }
  }
}
