const shortestIntervalMs = 20;
const longestIntervalMs = 1000;

/** Lets heartbeats through at a bearable pace: the first at once, then the newest now and then. */
export class HeartbeatGate {
  readonly #send: (details: Uint8Array | undefined) => void;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #waiting: { details: Uint8Array | undefined } | undefined;

  constructor(heartbeatTimeoutMs: number, send: (details: Uint8Array | undefined) => void) {
    this.#send = send;
    this.#intervalMs = intervalOf(heartbeatTimeoutMs);
  }

  push(details: Uint8Array | undefined): void {
    if (this.#timer !== undefined) {
      this.#waiting = { details: details ?? this.#waiting?.details };
      return;
    }
    this.#send(details);
    this.#arm();
  }

  /** Ends the pacing and hands back the details that have not left yet. */
  close(): Uint8Array | undefined {
    clearTimeout(this.#timer);
    const details = this.#waiting?.details;
    this.#waiting = undefined;
    return details;
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const waiting = this.#waiting;
      if (waiting !== undefined) {
        this.#waiting = undefined;
        this.#send(waiting.details);
        this.#arm();
      }
    }, this.#intervalMs);
  }
}

function intervalOf(heartbeatTimeoutMs: number): number {
  if (heartbeatTimeoutMs === 0) {
    return longestIntervalMs;
  }
  return Math.min(Math.max(heartbeatTimeoutMs / 3, shortestIntervalMs), longestIntervalMs);
}
