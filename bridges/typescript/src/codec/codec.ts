import { JsonReader } from "./json_reader.js";
import { JsonWriter } from "./json_writer.js";
import { documentDepthLimit, payloadDepthLimit } from "./limits.js";
import { MessagePackReader } from "./message_pack_reader.js";
import { MessagePackWriter } from "./message_pack_writer.js";
import { PayloadError } from "./payload_error.js";
import { decodeText } from "./text.js";
import { Walk } from "./walk.js";

/** The two forms of a payload. */
export const encodings = ["application/json", "application/msgpack"] as const;
export type Encoding = (typeof encodings)[number];

export function isEncoding(name: unknown): name is Encoding {
  return encodings.some((each) => each === name);
}

let idleWriter: MessagePackWriter | undefined = new MessagePackWriter();

/** Lends the one long-lived writer, or a new one if a getter of a value encodes in its turn. */
export function withMessagePackWriter(write: (writer: MessagePackWriter) => void): Buffer {
  const writer = idleWriter ?? new MessagePackWriter();
  idleWriter = undefined;
  try {
    write(writer);
    return writer.copy();
  } finally {
    writer.reset();
    idleWriter = writer;
  }
}

/** Encodes a value, or throws a `PayloadError` that names the part that cannot travel. */
export function encodePayload(
  value: unknown,
  encoding: Encoding,
  depthLimit: number = payloadDepthLimit,
): Buffer {
  const walk = new Walk(depthLimit);
  if (encoding === "application/json") {
    return Buffer.from(new JsonWriter(walk).write(value), "utf8");
  }
  return withMessagePackWriter((writer) => writer.writeValue(value, walk));
}

/** Encodes a document: a map with payloads inside it. */
export function encodeDocument(value: object, encoding: Encoding): Buffer {
  return encodePayload(value, encoding, documentDepthLimit);
}

/** Decodes a payload, or throws a `PayloadError`. */
export function decodePayload(bytes: Uint8Array, encoding: Encoding, walk?: Walk): unknown {
  if (encoding === "application/msgpack") {
    return new MessagePackReader(bytes, walk).readAll();
  }
  return new JsonReader(textOf(bytes), walk).readAll();
}

/** The fields of a document; each is a payload, or the `PayloadError` for which it was refused. */
export type Fields = ReadonlyMap<string, unknown>;

/** Decodes a document, or throws a `PayloadError` if it is none. */
export function decodeDocument(bytes: Uint8Array, encoding: Encoding): Fields {
  const walk = new Walk(documentDepthLimit);
  if (encoding === "application/msgpack") {
    return new MessagePackReader(bytes, walk).readFields();
  }
  return new JsonReader(textOf(bytes), walk).readFields();
}

function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = decodeText(buffer, 0, buffer.length);
  if (text === undefined) {
    throw new PayloadError("InvalidUnicode", "$", "text that is no UTF-8");
  }
  return text;
}
