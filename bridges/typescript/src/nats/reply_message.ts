import { headers, type MsgHdrs } from "@nats-io/transport-node";
import type { Encoding } from "../codec/codec.js";
import type { Reply, ReplyKind } from "../protocol/reply.js";
import { encodeHeaderText } from "./header_text.js";

const statuses: Readonly<Record<ReplyKind, string>> = {
  accepted: "accepted",
  heartbeat: "heartbeat",
  result: "ok",
  error: "error",
  cancelled: "cancelled",
};

/** The headers of a reply; its body is the payload as it is. */
export function replyHeaders(reply: Reply, encoding: Encoding): MsgHdrs {
  const fields = headers();
  fields.set("Pd-Task", encodeHeaderText(reply.task));
  fields.set("Pd-Nonce", encodeHeaderText(reply.nonce));
  fields.set("Pd-Status", statuses[reply.kind]);
  if (reply.body !== undefined) {
    fields.set("Content-Type", encoding);
  }
  return fields;
}
