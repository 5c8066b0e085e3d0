import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeDocument,
  decodePayload,
  documentDepthLimit,
  type Encoding,
  readTask,
  Walk,
} from "../src/internal_mod.js";
import { decodeHeaderText, encodeHeaderText } from "../src/nats/header_text.js";
import { replyHeaders } from "../src/nats/reply_message.js";
import { Subjects } from "../src/nats/subjects.js";
import { readTaskMessage } from "../src/nats/task_message.js";
import { type NatsVector, natsVectors } from "./support/vectors.js";

const tasks = natsVectors.filter((vector) => vector.subject.startsWith("pd.a."));
const replies = natsVectors.filter((vector) => vector.subject.startsWith("_INBOX."));
const subjects = new Subjects("default", "goaudit");

function bodyOf(vector: NatsVector): Buffer {
  const { body_hex: hex, body_text: text } = vector;
  return hex === undefined ? Buffer.from(text ?? "") : Buffer.from(hex, "hex");
}

function read(vector: NatsVector) {
  return readTaskMessage({
    activity: subjects.activityOf(vector.subject),
    headers: new Map(Object.entries(vector.headers)),
    body: bodyOf(vector),
  });
}

for (const vector of tasks) {
  if (vector.dropped) {
    test(`task message ${vector.name} is dropped`, () => {
      assert.equal(read(vector), undefined);
    });
  } else if (vector.refused === "InvalidArguments") {
    test(`task message ${vector.name} is refused`, () => {
      const message = read(vector);
      assert.equal(message?.address.task, vector.headers["Pd-Task"]);
      assert.ok(message !== undefined && "fault" in message, "no fault was found");
    });
  } else {
    test(`task message ${vector.name} is the task of the document`, () => {
      const message = read(vector);
      assert.ok(message !== undefined && "task" in message);
      if (vector.frame === undefined) {
        assert.equal(vector.refused, "UnsupportedProtocol");
        assert.equal(message.task.protocol, 99);
        return;
      }
      const fields = decodeDocument(Buffer.from(vector.frame), "application/json");
      const { task, nonce, activity } = message.address;
      assert.equal(task, fields.get("task"));
      assert.equal(nonce, fields.get("nonce") ?? "");
      assert.equal(activity, fields.get("activity"));
      const expected = readTask({ task, nonce, activity }, fields);
      const { headers, ...rest } = message.task;
      const { headers: expectedHeaders, ...expectedRest } = expected;
      assert.deepEqual(rest, expectedRest);
      // A header whose name no NATS header can have does not travel on NATS.
      const travelling = Object.entries(expectedHeaders).filter(([name]) => /^[\w-]+$/.test(name));
      assert.deepEqual(headers, Object.fromEntries(travelling));
    });
  }
}

for (const vector of replies) {
  test(`reply message ${vector.name} is written as the page says`, () => {
    const fields = decodeDocument(Buffer.from(vector.frame ?? ""), "application/json");
    const kind = String(fields.get("frame")) as Parameters<typeof replyHeaders>[0]["kind"];
    const body = bodyOf(vector);
    const reply = {
      kind,
      task: String(fields.get("task")),
      nonce: String(fields.get("nonce")),
      ...(body.length > 0 ? { body } : {}),
    };
    const encoding = (vector.headers["Content-Type"] ?? "application/json") as Encoding;
    const written = replyHeaders(reply, encoding);
    const names = [...written].map(([name]) => [name, written.get(name)]);
    assert.deepEqual(Object.fromEntries(names), vector.headers);
    if (body.length > 0) {
      const value = decodePayload(body, encoding, new Walk(documentDepthLimit));
      const name = kind === "result" ? "value" : kind === "error" ? "error" : "details";
      assert.deepEqual(value, fields.get(name));
    }
  });
}

test("header values outside printable ASCII are percent-encoded", () => {
  const values = ["plain/text", "a b", "café", "100%", "\u{1f600}", "tab\tnewline\n", "%41"];
  for (const value of values) {
    const encoded = encodeHeaderText(value);
    assert.match(encoded, /^[!-~]*$/);
    assert.equal(decodeHeaderText(encoded), value);
  }
  assert.equal(encodeHeaderText("audit/café 100%"), "audit/caf%C3%A9%20100%25");
  assert.equal(decodeHeaderText("caf%c3%a9"), "café");
  assert.equal(decodeHeaderText("%FF"), undefined);
  assert.equal(decodeHeaderText("%4"), undefined);
});
