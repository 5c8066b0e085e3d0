import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeDocument,
  decodePayload,
  documentDepthLimit,
  type Encoding,
  encodePayload,
  FieldError,
  type Fields,
  FrameSplitter,
  frameDocument,
  frameLimit,
  frameReply,
  readControl,
  readTask,
  requiredText,
  Walk,
} from "../src/internal_mod.js";
import { type FrameVector, frameVectors } from "./support/vectors.js";

const replyBodies: Record<string, string> = {
  accepted: "details",
  heartbeat: "details",
  result: "value",
  error: "error",
  cancelled: "details",
};

const replies = frameVectors.filter((vector) => JSON.parse(vector.json).frame in replyBodies);
const toWorker = frameVectors.filter((vector) => vector.direction.startsWith("engine"));

function encodingsOf(vector: FrameVector): [Encoding, string][] {
  const both: [Encoding, string | undefined][] = [
    ["application/json", vector.json_frame_hex],
    ["application/msgpack", vector.msgpack_frame_hex],
  ];
  return both.filter((pair): pair is [Encoding, string] => pair[1] !== undefined);
}

function split(hex: string): Buffer[] {
  return [...new FrameSplitter().push(Buffer.from(hex, "hex"))];
}

// 1.0 goes through JavaScript as 1, which is the one documented difference.
function withoutFractions(fields: Fields): unknown {
  const whole = encodePayload(Object.fromEntries(fields), "application/json", documentDepthLimit);
  return decodePayload(whole, "application/json", new Walk(documentDepthLimit));
}

test("the vectors hold frames of each direction", () => {
  assert.ok(replies.length >= 8 && toWorker.length >= 12);
});

for (const vector of frameVectors) {
  test(`frame ${vector.name} is read alike in both encodings`, () => {
    const read = encodingsOf(vector).map(([encoding, hex]) => {
      const [document, ...rest] = split(hex);
      assert.ok(document !== undefined && rest.length === 0);
      return withoutFractions(decodeDocument(document, encoding));
    });
    const expected = decodePayload(
      Buffer.from(vector.json),
      "application/json",
      new Walk(documentDepthLimit),
    );
    for (const each of read) {
      assert.deepEqual(each, expected);
    }
  });
}

for (const vector of replies) {
  test(`reply ${vector.name} is written byte for byte`, () => {
    for (const [encoding, hex] of encodingsOf(vector)) {
      const [document = Buffer.alloc(0)] = split(hex);
      const fields = decodeDocument(document, encoding);
      const kind = String(fields.get("frame")) as Parameters<typeof frameReply>[0]["kind"];
      const name = replyBodies[kind] ?? "";
      const task = String(fields.get("task"));
      const nonce = String(fields.get("nonce"));
      const body = fields.has(name)
        ? { body: encodePayload(fields.get(name), encoding, documentDepthLimit) }
        : {};
      const framed = frameReply({ kind, task, nonce, ...body }, encoding);
      const rewritten = frameDocument(Object.fromEntries(fields), encoding);
      assert.equal(framed.toString("hex"), rewritten.toString("hex"));
      if (!vector.json.includes("1.0")) {
        assert.equal(framed.toString("hex"), hex);
      }
    }
  });
}

for (const vector of toWorker) {
  const expectation = vector.malformed ? "malformed" : vector.ignored ? "ignored" : "understood";
  test(`frame ${vector.name} is ${expectation}`, () => {
    for (const [encoding, hex] of encodingsOf(vector)) {
      const [document = Buffer.alloc(0)] = split(hex);
      const read = () => interpret(decodeDocument(document, encoding));
      if (vector.malformed) {
        assert.throws(read, { name: "ProtocolError" });
      } else {
        assert.equal(read() === undefined, vector.ignored === true);
      }
    }
  });
}

function interpret(fields: Fields): unknown {
  const frame = requiredText(fields, "frame");
  if (frame === "welcome") {
    return requiredText(fields, "encoding");
  }
  if (frame === "task") {
    const nonce = String(fields.get("nonce") ?? "");
    const task = requiredText(fields, "task");
    return readTask({ task, activity: requiredText(fields, "activity"), nonce }, fields);
  }
  return readControl(frame, fields, "i-0a1b2c3d4e5f");
}

test("a task without more than it needs has the defaults of the page", () => {
  const fields = new Map<string, unknown>([["frame", "task"]]);
  const task = readTask({ task: "r.1.1", nonce: "", activity: "echo" }, fields);
  assert.deepEqual(task, {
    protocol: 0,
    task: "r.1.1",
    nonce: "",
    activity: "echo",
    namespace: "default",
    workflowId: "",
    workflowType: "",
    runId: "",
    attempt: 1,
    idempotencyKey: "",
    fencingToken: 0n,
    scheduledAtMs: 0,
    deadlineMs: 0,
    heartbeatTimeoutMs: 0,
    headers: {},
    arguments: [],
  });
  const withNull = readTask(
    { task: "r.1.1", nonce: "", activity: "echo" },
    new Map([["heartbeat_details", null]]),
  );
  assert.deepEqual(withNull.heartbeatDetails, { value: null });
});

test("a field of the wrong kind is named", () => {
  const wrong: [string, unknown][] = [
    ["attempt", "two"],
    ["attempt", -1],
    ["namespace", 5],
    ["arguments", { a: 1 }],
    ["headers", { a: 1 }],
    ["headers", [1]],
    ["last_failure", "sad"],
    ["fencing_token", 1.5],
  ];
  for (const [name, value] of wrong) {
    const read = () => readTask({ task: "t", nonce: "", activity: "a" }, new Map([[name, value]]));
    assert.throws(read, (error) => error instanceof FieldError && error.field === name, name);
  }
});

test("frames are cut alike wherever the stream is torn", () => {
  const frames = ["one", "", "three".repeat(50)].map((text) =>
    frameDocument({ frame: text }, "application/msgpack"),
  );
  const stream = Buffer.concat(frames);
  const whole = [...new FrameSplitter().push(stream)].map((each) => each.toString("hex"));
  assert.equal(whole.length, 3);
  for (let size = 1; size <= stream.length; size += 1) {
    const splitter = new FrameSplitter();
    const cut: string[] = [];
    for (let start = 0; start < stream.length; start += size) {
      for (const document of splitter.push(stream.subarray(start, start + size))) {
        cut.push(document.toString("hex"));
      }
    }
    assert.deepEqual(cut, whole, `pieces of ${size} bytes`);
    assert.equal(splitter.isInside, false);
  }
});

test("a length of 0 or above the limit is refused before anything is kept", () => {
  for (const length of [0, frameLimit + 1, 0xffff_ffff]) {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    assert.throws(() => [...new FrameSplitter().push(head)], { name: "ProtocolError" });
  }
  const allowed = Buffer.alloc(4);
  allowed.writeUInt32BE(frameLimit);
  assert.deepEqual([...new FrameSplitter().push(allowed)], []);
});

test("a refused field does not cost the document, at whatever depth", () => {
  const deepJson = "[".repeat(50_000) + "]".repeat(50_000);
  const json = `{"frame":"task","x":{"$int":5},"y":${deepJson},"task":"r.1.1"}`;
  const fields = decodeDocument(Buffer.from(json), "application/json");
  assert.equal(fields.get("task"), "r.1.1");
  assert.match(String(fields.get("x")), /InvalidScalar/);
  assert.match(String(fields.get("y")), /TooDeep/);
  const deep = `${"91".repeat(50_000)}c0`;
  const hex = `83${"a178"}${"d40700"}${"a179"}${deep}${"a474"}61736b${"a572"}2e312e31`;
  const packed = decodeDocument(Buffer.from(hex, "hex"), "application/msgpack");
  assert.equal(packed.get("task"), "r.1.1");
  assert.match(String(packed.get("x")), /UnknownExtension/);
  assert.match(String(packed.get("y")), /TooDeep/);
});
