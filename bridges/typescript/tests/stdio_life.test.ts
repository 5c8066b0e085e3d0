import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { frameDocument } from "../src/internal_mod.js";
import { StdioEngine } from "./support/stdio_engine.js";

async function start(context: TestContext): Promise<StdioEngine> {
  const engine = await StdioEngine.start();
  context.after(() => engine.child.kill("SIGKILL"));
  return engine;
}

test("a task that comes twice while it runs is run once", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "sleep", [100]);
  await engine.next("accepted", "r.1.1");
  engine.ask("r.1.1", "sleep", [100], { nonce: "newer" });
  const again = await engine.next("accepted", "r.1.1");
  assert.equal(again.get("nonce"), "newer");
  const result = await engine.next("result", "r.1.1");
  assert.equal(result.get("nonce"), "newer");
  assert.equal(await engine.call("r.2.1", "echo", 1), 1);
  const results = engine.received.filter((each) => each.get("frame") === "result");
  assert.equal(results.length, 2);
});

test("a task that comes again after it is done gets the kept reply", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "raise_error", ["Once", "first"]);
  const first = await engine.error("r.1.1");
  engine.ask("r.1.1", "raise_error", ["Twice", "second"], { nonce: "later" });
  const reply = await engine.next("error", "r.1.1");
  assert.equal(reply.get("nonce"), "later");
  assert.deepEqual(reply.get("error"), first);
});

test("one task more than there are slots is answered Busy", async (context) => {
  const engine = await start(context);
  for (let n = 1; n <= 64; n += 1) {
    engine.ask(`r.${n}.1`, "wait_for_cancel");
  }
  engine.ask("r.65.1", "echo", [1]);
  const busy = await engine.error("r.65.1");
  assert.deepEqual([busy["type"], busy["retryable"], busy["started"]], ["Busy", true, false]);
  assert.ok((busy["retry_after_ms"] as number) > 0);
  engine.send({ frame: "cancel", task: "r.1.1" });
  await engine.next("cancelled", "r.1.1");
  engine.ask("r.65.1", "echo", [2]);
  const result = await engine.next("result", "r.65.1");
  assert.equal(result.get("value"), 2);
});

test("a cancelled handler stops, and may say how far it got", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "wait_for_cancel", [{ done: 3 }]);
  await engine.next("heartbeat", "r.1.1");
  engine.send({ frame: "cancel", task: "r.1.1", reason: "the workflow cancelled it" });
  const cancelled = await engine.next("cancelled", "r.1.1");
  assert.deepEqual(cancelled.get("details"), { done: 3 });

  engine.ask("r.2.1", "sleep", [60_000]);
  await engine.next("accepted", "r.2.1");
  engine.send({ frame: "cancel", task: "r.2.1" });
  const slept = await engine.next("cancelled", "r.2.1");
  assert.equal(slept.has("details"), false);
});

test("a result that is there in spite of a cancel is kept", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "ignore_cancel", [50]);
  await engine.next("accepted", "r.1.1");
  engine.send({ frame: "cancel", task: "r.1.1" });
  engine.send({ frame: "cancel", task: "nobody" });
  const result = await engine.next("result", "r.1.1");
  assert.deepEqual(result.get("value"), { cancelled: true });
});

test("a handler that stops at its deadline says so", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "sleep", [60_000], { deadline_ms: Date.now() + 60 });
  const error = await engine.error("r.1.1");
  assert.deepEqual([error["type"], error["retryable"]], ["DeadlineExceeded", true]);
});

test("the next attempt goes on where the heartbeat of the last one stood", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "heartbeat", [20, 13], { attempt: 1, heartbeat_timeout_ms: 60_000 });
  await engine.error("r.1.1");
  const beats = engine.received.filter((each) => each.get("frame") === "heartbeat");
  const details = beats.map((each) => each.get("details"));
  // The pace lets few of them through, but never the newest be lost.
  assert.deepEqual([details[0], details.at(-1)], [1, 13]);
  engine.ask("r.1.2", "heartbeat", [20, 13], { attempt: 2, heartbeat_details: 13 });
  const result = await engine.next("result", "r.1.2");
  assert.deepEqual(result.get("value"), { first: 13, count: 20 });
});

test("SIGTERM drains: what runs is finished, nothing new is taken", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "ignore_cancel", [150]);
  await engine.next("accepted", "r.1.1");
  engine.child.kill("SIGTERM");
  await engine.next("draining");
  engine.ask("r.2.1", "echo", [1]);
  const refused = await engine.error("r.2.1");
  assert.deepEqual(
    [refused["type"], refused["retryable"], refused["started"]],
    ["Draining", true, false],
  );
  const result = await engine.next("result", "r.1.1");
  assert.deepEqual(result.get("value"), { cancelled: false });
  assert.equal(await engine.exit(), 0);
});

test("the engine's drain is for the instance that it names", async (context) => {
  const engine = await start(context);
  engine.send({ frame: "drain", instance: "another" });
  assert.equal(await engine.call("r.1.1", "echo", 1), 1);
  engine.send({ frame: "drain" });
  await engine.next("draining");
  // This one crosses `draining` on its way; it is answered, not lost.
  engine.ask("r.2.1", "echo", [1]);
  assert.equal((await engine.error("r.2.1"))["type"], "Draining");
  assert.equal(await engine.exit(), 0);
});

test("an engine that hangs up ends the worker, whatever runs", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "sleep", [60_000]);
  engine.ask("r.2.1", "ignore_cancel", [60_000]);
  await engine.next("accepted", "r.2.1");
  assert.equal(await engine.close(), 0);
  assert.match(engine.log, /r\.2\.1/);
});

const garbage: Record<string, Buffer> = {
  "a length of 0": Buffer.from([0, 0, 0, 0]),
  "a length above the limit": Buffer.from([0x04, 0x01, 0x00, 0x01]),
  "bytes that are no document": Buffer.from([0, 0, 0, 2, 0xc1, 0xc1]),
  "text where MessagePack is due": Buffer.from("\0\0\0\x02{}"),
  "a document cut short": Buffer.from([0, 0, 0, 2, 0x81, 0xa5]),
  "a document without its kind": frameDocument({ task: "r.1.1" }, "application/msgpack"),
  "a task without activity": frameDocument({ frame: "task", task: "x" }, "application/msgpack"),
};

for (const [name, bytes] of Object.entries(garbage)) {
  test(`${name} ends the worker with a reason`, async (context) => {
    const engine = await start(context);
    engine.sendBytes(bytes);
    assert.equal(await engine.exit(), 1);
    assert.match(engine.log, /ProtocolError/);
  });
}

test("a frame before welcome ends the worker", async (context) => {
  const engine = new StdioEngine();
  context.after(() => engine.child.kill("SIGKILL"));
  await engine.next("hello");
  engine.ask("r.1.1", "echo", [1]);
  assert.equal(await engine.exit(), 1);
  assert.match(engine.log, /before welcome/);
});

test("unknown frames and fields are ignored", async (context) => {
  const engine = await start(context);
  engine.send({ frame: "sing", song: ["la", 1, null] });
  engine.ask("r.1.1", "echo", [1], { colour: { a: [1] } });
  const result = await engine.next("result", "r.1.1");
  assert.equal(result.get("value"), 1);
});

test("a refused payload in a sound frame fails its task alone", async (context) => {
  const engine = await start(context);
  // arguments: [{1: 2}], a key that is no text.
  const sound = frameDocument(
    { frame: "task", task: "r.1.1", nonce: "n", activity: "echo", arguments: [[0]] },
    "application/msgpack",
  );
  const bytes = Buffer.from(sound.toString("hex").replace(/9100$/, "810102"), "hex");
  bytes.writeUInt32BE(bytes.length - 4);
  engine.sendBytes(bytes);
  const error = await engine.error("r.1.1");
  assert.deepEqual([error["type"], error["retryable"]], ["InvalidArguments", false]);
  assert.match(String(error["message"]), /\$\[0\]/);
  assert.equal(await engine.call("r.2.1", "echo", 1), 1);
});

test("an engine that reads slowly loses no reply", async (context) => {
  const engine = await start(context);
  engine.child.stdout.pause();
  const tasks = Array.from({ length: 40 }, (_, index) => `r.${index + 1}.1`);
  for (const task of tasks) {
    engine.ask(task, "big", [1024 * 1024]);
  }
  engine.send({ frame: "drain" });
  engine.child.stdout.resume();
  for (const result of await Promise.all(tasks.map((task) => engine.next("result", task)))) {
    assert.equal((result.get("value") as Uint8Array).length, 1024 * 1024);
  }
  assert.equal(await engine.exit(), 0);
});
