import type { Encoding } from "../codec/codec.js";

export type FinalKind = "result" | "error" | "cancelled";
export type ReplyKind = "accepted" | "heartbeat" | FinalKind;

/** One answer to a task; `body` is its encoded payload, if it has one. */
export interface Reply {
  readonly kind: ReplyKind;
  readonly task: string;
  readonly nonce: string;
  readonly body?: Uint8Array;
}

/** The way back to whoever asked for a task. Each transport has its own. */
export interface ReplyChannel {
  readonly encoding: Encoding;
  /** The largest body in bytes that one reply can carry. */
  readonly bodyLimit: number;
  send(reply: Reply): void;
}
