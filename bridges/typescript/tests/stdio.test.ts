import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Decimal, Timestamp } from "perdure";
import { frameLimit } from "../src/internal_mod.js";
import { StdioEngine } from "./support/stdio_engine.js";

async function start(context: TestContext, welcome: object = {}): Promise<StdioEngine> {
  const engine = await StdioEngine.start("application/msgpack", undefined, welcome);
  context.after(() => engine.child.kill("SIGKILL"));
  return engine;
}

test("a worker says hello in JSON with all that the engine must know", async (context) => {
  const engine = new StdioEngine();
  context.after(() => engine.child.kill("SIGKILL"));
  const hello = await engine.next("hello");
  assert.equal(hello.get("protocol"), 0);
  assert.equal(hello.get("service"), "conformance");
  assert.equal(hello.get("language"), "typescript");
  assert.equal(hello.get("concurrency"), 64);
  assert.equal(hello.get("profile"), "L2");
  assert.match(String(hello.get("instance")), /^[A-Za-z0-9_-]{1,64}$/);
  assert.deepEqual(hello.get("accept"), ["application/json", "application/msgpack"]);
  const activities = hello.get("activities") as { name: string }[];
  assert.ok(activities.some((each) => each.name === "echo"));
});

for (const encoding of ["application/json", "application/msgpack"] as const) {
  test(`values survive the trip in ${encoding}`, async (context) => {
    const engine = await StdioEngine.start(encoding);
    context.after(() => engine.child.kill("SIGKILL"));
    const value = {
      large: 2n ** 63n,
      nothing: null,
      bytes: new Uint8Array([0, 255]),
      floats: [Number.NaN, -0, Infinity, 1.5],
      moment: Timestamp.parse("2026-11-23T21:54:00.000000005Z"),
      price: new Decimal("12.50"),
      text: "caf\u00e9 \u{1f600} \0",
      $int: "5",
    };
    assert.deepEqual(await engine.call("r.1.1", "echo", value), value);
    const record = { name: "ann", extra: { deep: [1n, 2n ** 60n] } };
    assert.deepEqual(await engine.call("r.2.1", "record_echo", record), {
      name: "ANN",
      extra: { deep: [1, 2n ** 60n] },
    });
    assert.equal(await engine.close(), 0);
  });
}

test("the context knows the whole envelope", async (context) => {
  const engine = await start(context);
  engine.ask("r.7.2", "describe", ["a", 1], {
    namespace: "shop",
    workflow_id: "order/é",
    workflow_type: "order",
    run_id: "r",
    attempt: 2,
    idempotency_key: "r.7.abc",
    fencing_token: 2n ** 64n - 1n,
    scheduled_at_ms: 1_795_470_840_123,
    deadline_ms: 1_995_470_840_123,
    headers: { traceparent: "00-1", tenant: "bär" },
    last_failure: { type: "TimeoutError", message: "heartbeat", colour: 1 },
  });
  const reply = await engine.next("result", "r.7.2");
  assert.deepEqual(reply.get("value"), {
    arguments: ["a", 1],
    task: "r.7.2",
    activity: "describe",
    attempt: 2,
    idempotency_key: "r.7.abc",
    fencing_token: 2n ** 64n - 1n,
    namespace: "shop",
    workflow_id: "order/é",
    workflow_type: "order",
    run_id: "r",
    scheduled_at: new Date(1_795_470_840_123),
    deadline: new Date(1_995_470_840_123),
    headers: { traceparent: "00-1", tenant: "bär" },
    last_failure: {
      type: "TimeoutError",
      message: "heartbeat",
      stack: "",
      details: [],
      retryable: true,
    },
  });
});

test("errors arrive typed, with stack, details and causes", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "raise_nested");
  const error = await engine.error("r.1.1");
  assert.equal(error["type"], "AuditError");
  assert.equal(error["message"], "audit failed");
  assert.deepEqual(error["details"], [2n ** 60n, null, Number.NaN]);
  assert.equal(error["retry_after_ms"], 1500);
  assert.match(String(error["stack"]), /worker\.js/);
  const load = error["cause"] as Record<string, unknown>;
  assert.deepEqual([load["type"], load["message"]], ["LoadError", "café.go"]);
  const parse = load["cause"] as Record<string, unknown>;
  assert.equal(parse["retryable"], false);
  assert.deepEqual(parse["details"], [{ line: 12, token: new Uint8Array([0x7d]) }]);

  engine.ask("r.2.1", "panic", ["boom"]);
  const panic = await engine.error("r.2.1");
  assert.deepEqual(
    [panic["type"], panic["message"], panic["retryable"]],
    ["ParseError", "boom", true],
  );
});

test("what a worker cannot do is answered, typed", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "sing");
  const unknown = await engine.error("r.1.1");
  assert.deepEqual(
    [unknown["type"], unknown["retryable"], unknown["started"]],
    ["UnknownActivity", true, false],
  );
  engine.ask("r.2.1", "unencodable");
  const unencodable = await engine.error("r.2.1");
  assert.deepEqual([unencodable["type"], unencodable["retryable"]], ["UnencodableResult", false]);
  assert.match(String(unencodable["message"]), /\$\.items\[1\]\.callback/);
  engine.ask("r.3.1", "echo", [1], { protocol: 99 });
  assert.equal((await engine.error("r.3.1"))["type"], "UnsupportedProtocol");
  engine.ask("r.4.1", "echo", [1], { attempt: "two" });
  const invalid = await engine.error("r.4.1");
  assert.deepEqual([invalid["type"], invalid["retryable"]], ["InvalidArguments", false]);
  engine.send({ frame: "task", task: "r.5.1", activity: "echo", arguments: { a: 1 } });
  assert.equal((await engine.error("r.5.1"))["type"], "InvalidArguments");
  assert.equal(await engine.call("r.6.1", "echo", "still here"), "still here");
});

test("a print lands in the log and not in the protocol", async (context) => {
  const engine = await start(context);
  assert.equal(await engine.call("r.1.1", "print", "stray words"), 11);
  assert.equal(await engine.close(), 0);
  assert.equal(engine.log.match(/stray words/g)?.length, 2);
});

test("a payload of 16 MiB goes and comes", async (context) => {
  const engine = await start(context);
  const size = 16 * 1024 * 1024;
  const bytes = (await engine.call("r.1.1", "big", size)) as Uint8Array;
  assert.equal(bytes.length, size);
  const back = (await engine.call("r.2.1", "echo", bytes)) as Uint8Array;
  assert.equal(Buffer.compare(back, bytes), 0);
});

test("a result above the limit of a frame is refused, and the worker lives", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "big", [frameLimit]);
  const error = await engine.error("r.1.1");
  assert.deepEqual([error["type"], error["retryable"]], ["PayloadTooLarge", false]);
  assert.equal(await engine.call("r.2.1", "echo", 1), 1);
});

test("liveness comes by itself, and at once for inventory", async (context) => {
  const engine = await start(context, { liveness_interval_ms: 30 });
  engine.ask("r.1.1", "wait_for_cancel");
  await engine.next("heartbeat", "r.1.1");
  const holdsTask = async () => {
    const liveness = await engine.next("liveness");
    return (liveness.get("tasks") as string[]).includes("r.1.1");
  };
  while (!(await holdsTask()));
  engine.send({ frame: "inventory" });
  const liveness = await engine.next("liveness");
  assert.equal(liveness.get("concurrency"), 64);
});

test("a slow task is accepted before it is done", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.1", "spin", [120]);
  await engine.next("result", "r.1.1");
  const kinds = engine.received.filter((each) => each.get("task") === "r.1.1");
  assert.deepEqual(
    kinds.map((each) => each.get("frame")),
    ["accepted", "result"],
  );
});

test("a quick activity is soon answered without an accepted", async (context) => {
  const engine = await start(context);
  for (let n = 1; n <= 5; n += 1) {
    await engine.call(`r.${n}.1`, "echo", n);
  }
  const last = engine.received.filter((each) => each.get("task") === "r.5.1");
  assert.deepEqual(
    last.map((each) => each.get("frame")),
    ["result"],
  );
});
