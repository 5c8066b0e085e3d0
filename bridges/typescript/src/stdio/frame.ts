import { type Encoding, encodeDocument, withMessagePackWriter } from "../codec/codec.js";
import type { Reply, ReplyKind } from "../protocol/reply.js";

const prefix = Buffer.alloc(4);

/** The field of a reply frame that holds its payload. */
const bodyFields: Readonly<Record<ReplyKind, string>> = {
  accepted: "details",
  heartbeat: "details",
  result: "value",
  error: "error",
  cancelled: "details",
};

/** Frames a document: the length, then the bytes, in one buffer. */
export function frameDocument(document: object, encoding: Encoding): Buffer {
  return withPrefix(Buffer.concat([prefix, encodeDocument(document, encoding)]));
}

/** Frames a reply around its payload, which is encoded already. */
export function frameReply(reply: Reply, encoding: Encoding): Buffer {
  if (encoding === "application/json") {
    return frameJsonReply(reply);
  }
  const { kind, task, nonce, body } = reply;
  const framed = withMessagePackWriter((writer) => {
    writer.writeRaw(prefix);
    writer.writeMapHeader(body === undefined ? 3 : 4);
    writer.writeText("frame");
    writer.writeText(kind);
    writer.writeText("task");
    writer.writeText(task);
    writer.writeText("nonce");
    writer.writeText(nonce);
    if (body !== undefined) {
      writer.writeText(bodyFields[kind]);
      writer.writeRaw(body);
    }
  });
  return withPrefix(framed);
}

function frameJsonReply({ kind, task, nonce, body }: Reply): Buffer {
  const address = `"task":${JSON.stringify(task)},"nonce":${JSON.stringify(nonce)}`;
  const start = `{"frame":"${kind}",${address}`;
  if (body === undefined) {
    return withPrefix(Buffer.concat([prefix, Buffer.from(`${start}}`)]));
  }
  const field = Buffer.from(`${start},"${bodyFields[kind]}":`);
  return withPrefix(Buffer.concat([prefix, field, body, Buffer.from("}")]));
}

function withPrefix(framed: Buffer): Buffer {
  framed.writeUInt32BE(framed.length - prefix.length, 0);
  return framed;
}
