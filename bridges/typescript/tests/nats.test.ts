import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { NatsEngine, NatsWorker } from "./support/nats_engine.js";
import { NatsServer } from "./support/nats_server.js";

async function start(
  context: TestContext,
): Promise<{ server: NatsServer; engine: NatsEngine; worker: NatsWorker }> {
  const server = await NatsServer.start();
  context.after(() => server.kill());
  const engine = await NatsEngine.connect(server.url);
  context.after(() => engine.connection.close());
  const worker = new NatsWorker({ PERDURE_NATS_URL: server.url });
  context.after(() => worker.child.kill("SIGKILL"));
  await engine.announcement("hello");
  return { server, engine, worker };
}

test("a worker serves over NATS in both encodings", async (context) => {
  const { engine } = await start(context);
  const value = { large: 2n ** 63n, bytes: new Uint8Array([1]), none: null, "a b": Number.NaN };
  for (const encoding of ["application/json", "application/msgpack"] as const) {
    engine.ask(`r.${encoding.length}.1`, "echo", [value], { encoding });
    const reply = await engine.next(`r.${encoding.length}.1`, "ok");
    assert.equal(reply.contentType, encoding);
    assert.equal(reply.nonce, `nonce-r.${encoding.length}.1`);
    assert.deepEqual(reply.value, value);
  }
});

test("headers become the envelope", async (context) => {
  const { engine } = await start(context);
  engine.ask("r.1.3", "describe", ["x"], {
    headers: {
      "Pd-Attempt": "3",
      "Pd-Fencing-Token": "18446744073709551615",
      "Pd-Idempotency-Key": "o.1.a",
      "Pd-Workflow-Id": "audit/caf%C3%A9%20100%25",
      "Pd-H-Tenant": "b%C3%A4r",
      traceparent: "00-1",
      "Pd-Context": Buffer.from('{"last_failure":{"type":"T"}}').toString("base64"),
    },
    encoding: "application/json",
  });
  const value = (await engine.next("r.1.3", "ok")).value as Record<string, unknown>;
  assert.equal(value["attempt"], 3);
  assert.equal(value["fencing_token"], 2n ** 64n - 1n);
  assert.equal(value["idempotency_key"], "o.1.a");
  assert.equal(value["workflow_id"], "audit/café 100%");
  assert.deepEqual(value["headers"], { Tenant: "bär", traceparent: "00-1" });
  assert.equal((value["last_failure"] as { type: string }).type, "T");
});

test("heartbeats, cancel and errors travel over NATS", async (context) => {
  const { engine } = await start(context);
  engine.ask("r.1.1", "wait_for_cancel", [{ done: 3 }]);
  assert.equal((await engine.next("r.1.1", "heartbeat")).value, "waiting");
  engine.control({ frame: "cancel", task: "r.1.1", reason: "enough" });
  assert.deepEqual((await engine.next("r.1.1", "cancelled")).value, { done: 3 });
  engine.ask("r.2.1", "raise_nested");
  assert.equal((await engine.error("r.2.1"))["type"], "AuditError");
  engine.ask("r.3.2", "heartbeat", [20, undefined], {
    headers: { "Pd-Context": Buffer.from('{"heartbeat_details":13}').toString("base64") },
    encoding: "application/json",
  });
  assert.deepEqual((await engine.next("r.3.2", "ok")).value, { first: 13, count: 20 });
});

test("a task that comes twice is run once and answered twice", async (context) => {
  const { engine } = await start(context);
  engine.ask("r.1.1", "sleep", [80]);
  await engine.next("r.1.1", "accepted");
  engine.ask("r.1.1", "sleep", [80], { headers: { "Pd-Nonce": "newer" } });
  assert.equal((await engine.next("r.1.1", "accepted")).nonce, "newer");
  assert.equal((await engine.next("r.1.1", "ok")).nonce, "newer");
  engine.ask("r.1.1", "sleep", [80], { headers: { "Pd-Nonce": "last" } });
  assert.equal((await engine.next("r.1.1", "ok")).nonce, "last");
  assert.equal(engine.count("r.1.1", "accepted"), 2);
});

test("an engine that has restarted attaches to what its workers hold", async (context) => {
  const { server, engine } = await start(context);
  engine.ask("r.1.1", "wait_for_cancel", ["late"]);
  await engine.next("r.1.1", "heartbeat");
  engine.ask("r.2.1", "echo", ["kept"]);
  await engine.next("r.2.1", "ok");
  const second = await NatsEngine.connect(server.url);
  context.after(() => second.connection.close());
  const reply = `${second.inbox}.1`;
  second.control({ frame: "attach", task: "r.2.1", nonce: "second", reply });
  const kept = await second.next("r.2.1", "ok");
  assert.deepEqual([kept.nonce, kept.value], ["second", "kept"]);
  second.control({ frame: "attach", task: "r.1.1", nonce: "second", reply });
  second.control({ frame: "cancel", task: "r.1.1" });
  const cancelled = await second.next("r.1.1", "cancelled");
  assert.deepEqual([cancelled.nonce, cancelled.value], ["second", "late"]);
});

test("garbage is answered or dropped, and never ends the worker", async (context) => {
  const { engine, worker } = await start(context);
  const spoilt: [string, Parameters<NatsEngine["ask"]>[3]][] = [
    ["r.1.1", { body: Buffer.from([0xc1]) }],
    ["r.2.1", { headers: { "Pd-Attempt": "two" } }],
    ["r.3.1", { headers: { "Content-Type": "text/plain" } }],
    ["r.4.1", { headers: { "Pd-Context": "!!" } }],
    ["r.5.1", { headers: { "Pd-Workflow-Id": "%FF" } }],
  ];
  for (const [task, more] of spoilt) {
    engine.ask(task, "echo", [1], more);
    const error = await engine.error(task);
    assert.deepEqual([error["type"], error["retryable"]], ["InvalidArguments", false], task);
  }
  engine.connection.publish("pd.a.default.conformance.echo", "no headers at all");
  engine.connection.publish("pd.c.default.conformance", "no document");
  engine.connection.publish("pd.c.default.conformance", '{"frame":"cancel"}');
  assert.equal(await engine.call("r.9.1", "echo", "still here"), "still here");
  assert.equal(worker.child.exitCode, null);
});

test("a reply above the server's limit fails its task, and the worker lives", async (context) => {
  const { engine } = await start(context);
  engine.ask("r.1.1", "big", [2 * 1024 * 1024]);
  const error = await engine.error("r.1.1");
  assert.deepEqual([error["type"], error["retryable"]], ["PayloadTooLarge", false]);
  const bytes = (await engine.call("r.2.1", "big", 1000 * 1024)) as Uint8Array;
  assert.equal(bytes.length, 1000 * 1024);
});

test("one task more than there are slots is answered Busy", async (context) => {
  const { engine } = await start(context);
  for (let n = 1; n <= 64; n += 1) {
    engine.ask(`r.${n}.1`, "wait_for_cancel");
  }
  engine.ask("r.65.1", "echo", [1]);
  assert.equal((await engine.error("r.65.1"))["type"], "Busy");
});

test("a handler that computes is accepted before it starts", async (context) => {
  const { engine } = await start(context);
  engine.ask("r.1.1", "spin", [300]);
  const accepted = await engine.next("r.1.1", "accepted");
  const result = await engine.next("r.1.1", "ok");
  assert.ok(result.atMs - accepted.atMs > 100, `${result.atMs - accepted.atMs} ms apart`);
});

test("inventory is answered with hello and what is held", async (context) => {
  const { engine } = await start(context);
  await engine.announcement("liveness");
  engine.ask("r.1.1", "wait_for_cancel");
  await engine.next("r.1.1", "heartbeat");
  engine.control({ frame: "inventory" });
  await engine.announcement("hello");
  const liveness = await engine.announcement("liveness");
  assert.deepEqual(liveness.get("tasks"), ["r.1.1"]);
});

test("the worker is a NATS micro service", async (context) => {
  const { engine } = await start(context);
  await engine.call("r.1.1", "echo", 1);
  engine.ask("r.2.1", "panic", ["boom"]);
  await engine.error("r.2.1");
  const ask = async (subject: string) => {
    const reply = await engine.connection.request(subject, "", { timeout: 2000 });
    return reply.json<Record<string, unknown>>();
  };
  const ping = await ask("$SRV.PING");
  assert.equal(ping["type"], "io.nats.micro.v1.ping_response");
  assert.equal(ping["name"], "pd-default-conformance");
  const info = await ask("$SRV.INFO.pd-default-conformance");
  const endpoints = info["endpoints"] as Record<string, unknown>[];
  const echo = endpoints.find((each) => each["name"] === "echo");
  assert.equal(echo?.["subject"], "pd.a.default.conformance.echo");
  const stats = await ask(`$SRV.STATS.pd-default-conformance.${ping["id"]}`);
  const counts = stats["endpoints"] as Record<string, unknown>[];
  const panic = counts.find((each) => each["name"] === "panic");
  assert.deepEqual([panic?.["num_requests"], panic?.["num_errors"]], [1, 1]);
  assert.equal(panic?.["last_error"], "ParseError: boom");
});
