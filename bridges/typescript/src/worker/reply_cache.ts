import type { Encoding } from "../codec/codec.js";
import type { FinalKind } from "../protocol/reply.js";

/** A final reply, kept for the case that its task arrives once more. */
export interface KeptReply {
  readonly kind: FinalKind;
  readonly body: Uint8Array | undefined;
  readonly encoding: Encoding;
}

export interface ReplyCacheLimits {
  readonly ageMs: number;
  readonly count: number;
  readonly bytes: number;
}

const defaultLimits: ReplyCacheLimits = { ageMs: 60_000, count: 65_536, bytes: 64 * 1024 * 1024 };

interface Entry {
  readonly reply: KeptReply;
  readonly keptAtMs: number;
}

/** The final replies of the last minute, oldest dropped first. Time is handed to it. */
export class ReplyCache {
  readonly #limits: ReplyCacheLimits;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(limits: ReplyCacheLimits = defaultLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  keep(task: string, reply: KeptReply, nowMs: number): void {
    this.#drop(task);
    this.#entries.set(task, { reply, keptAtMs: nowMs });
    this.#bytes += reply.body?.length ?? 0;
    this.#prune(nowMs);
  }

  find(task: string, nowMs: number): KeptReply | undefined {
    this.#prune(nowMs);
    return this.#entries.get(task)?.reply;
  }

  #prune(nowMs: number): void {
    for (const [task, entry] of this.#entries) {
      const tooOld = nowMs - entry.keptAtMs >= this.#limits.ageMs;
      const tooMany = this.#entries.size > this.#limits.count || this.#bytes > this.#limits.bytes;
      if (!tooOld && !tooMany) {
        return;
      }
      this.#drop(task);
    }
  }

  #drop(task: string): void {
    const entry = this.#entries.get(task);
    if (entry !== undefined) {
      this.#entries.delete(task);
      this.#bytes -= entry.reply.body?.length ?? 0;
    }
  }
}
