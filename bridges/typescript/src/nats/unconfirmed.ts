import { setTimeout as sleep } from "node:timers/promises";

const confirmIntervalMs = 50;
const countLimit = 65_536;

/**
 * Final replies that may not have reached the server: those since the last PONG. They are sent once
 * more after a reconnect; the engine drops the one that it knows already.
 */
export class Unconfirmed<Message> {
  readonly #flush: () => Promise<void>;
  #messages: Message[] = [];
  #isConfirming = false;

  constructor(flush: () => Promise<void>) {
    this.#flush = flush;
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  add(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length > countLimit) {
      this.#messages.shift();
    }
    if (!this.#isConfirming) {
      this.#isConfirming = true;
      void this.#confirm();
    }
  }

  async #confirm(): Promise<void> {
    while (this.#messages.length > 0) {
      await sleep(confirmIntervalMs, undefined, { ref: false });
      const covered = new Set(this.#messages);
      try {
        await this.#flush();
        this.#messages = this.#messages.filter((each) => !covered.has(each));
      } catch {
        // Not connected: they stay until a later round trip has gone well.
      }
    }
    this.#isConfirming = false;
  }
}
