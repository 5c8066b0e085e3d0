import assert from "node:assert/strict";
import { test } from "node:test";
import { ApplicationError, ConfigurationError, type Logger, service } from "perdure";
import {
  decodePayload,
  describeError,
  encodeError,
  type Handler,
  HeartbeatGate,
  Pace,
  type Reply,
  ReplyCache,
  readTask,
  TaskRunner,
} from "../src/internal_mod.js";
import { withEnvironment } from "../src/nats/connect.js";
import { errorVectors } from "./support/vectors.js";

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function reply(size: number) {
  return { kind: "result", body: new Uint8Array(size), encoding: "application/json" } as const;
}

test("the reply cache forgets by age, count and size, oldest first", () => {
  const cache = new ReplyCache({ ageMs: 100, count: 3, bytes: 50 });
  cache.keep("a", reply(10), 0);
  cache.keep("b", reply(10), 10);
  assert.ok(cache.find("a", 99));
  assert.equal(cache.find("a", 100), undefined);
  assert.ok(cache.find("b", 100));
  cache.keep("c", reply(10), 20);
  cache.keep("d", reply(10), 30);
  cache.keep("e", reply(10), 40);
  assert.equal(cache.size, 3);
  assert.equal(cache.find("b", 41), undefined);
  cache.keep("f", reply(45), 50);
  assert.equal(cache.size, 1);
  cache.keep("f", reply(5), 60);
  cache.keep("g", reply(45), 60);
  assert.equal(cache.size, 2);
});

test("heartbeats: the first at once, then the newest at a bearable pace", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const sent: (number | undefined)[] = [];
  const gate = new HeartbeatGate(300, (details) => sent.push(details?.[0]));
  for (let n = 1; n <= 5; n += 1) {
    gate.push(new Uint8Array([n]));
  }
  assert.deepEqual(sent, [1]);
  context.mock.timers.tick(99);
  assert.deepEqual(sent, [1]);
  context.mock.timers.tick(1);
  assert.deepEqual(sent, [1, 5]);
  gate.push(new Uint8Array([6]));
  gate.push(undefined);
  assert.deepEqual(gate.close(), new Uint8Array([6]));
  context.mock.timers.tick(1000);
  assert.deepEqual(sent, [1, 5]);
});

test("the pace of heartbeats keeps within 20 ms and a second", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  for (const [timeoutMs, intervalMs] of [
    [0, 1000],
    [30, 20],
    [60_000, 1000],
  ] as const) {
    let sent = 0;
    const gate = new HeartbeatGate(timeoutMs, () => {
      sent += 1;
    });
    gate.push(undefined);
    gate.push(undefined);
    context.mock.timers.tick(intervalMs - 1);
    assert.equal(sent, 1, `timeout ${timeoutMs}`);
    context.mock.timers.tick(1);
    assert.equal(sent, 2, `timeout ${timeoutMs}`);
  }
});

test("an activity is quick after three quick runs, and no more after a slow one", () => {
  const pace = new Pace();
  pace.record("a", 1);
  pace.record("a", 1);
  assert.equal(pace.isQuick("a"), false);
  pace.record("a", 1);
  assert.equal(pace.isQuick("a"), true);
  assert.equal(pace.isQuick("b"), false);
  pace.record("a", 25);
  assert.equal(pace.isQuick("a"), false);
});

test("errors keep their class, cause and well-formed text", () => {
  class ParseError extends Error {}
  const parse = new ParseError("bad \ud800 token");
  const outer = new AggregateError([parse], "all failed");
  const document = describeError(outer);
  assert.equal(document.type, "AggregateError");
  assert.equal(document.cause?.type, "ParseError");
  assert.equal(document.cause?.message, "bad \ufffd token");
  assert.match(document.cause?.stack ?? "", /worker\.test/);
  assert.deepEqual(describeError("text"), {
    type: "Error",
    message: "a string was thrown: text",
    retryable: true,
  });
  assert.equal(describeError(undefined).message, "a undefined was thrown: undefined");
});

test("a chain of causes is cut, even one that bites its tail", () => {
  const loop = new Error("loop");
  loop.cause = loop;
  let depth = 0;
  for (let each = describeError(loop).cause; each !== undefined; each = each.cause) {
    depth += 1;
  }
  assert.equal(depth, 16);
});

test("details that cannot travel are named, the error still arrives", () => {
  const error = new ApplicationError({
    type: "Odd",
    message: "odd",
    details: [() => 0],
    retryable: false,
    cause: new Error("why"),
  });
  const bytes = encodeError(describeError(error), "application/json");
  const document = decodePayload(bytes, "application/json") as Record<string, unknown>;
  assert.deepEqual([document["type"], document["retryable"]], ["Odd", false]);
  assert.match(String(document["message"]), /details cannot travel: \$\.details\[0\]/);
  assert.equal((document["cause"] as Record<string, unknown>)["message"], "why");
});

for (const vector of errorVectors) {
  test(`error ${vector.name} survives both profiles`, () => {
    const value = decodePayload(Buffer.from(vector.json), "application/json") as object;
    const document = value as Parameters<typeof encodeError>[0];
    assert.equal(encodeError(document, "application/json").toString(), vector.json);
    const packed = encodeError(document, "application/msgpack").toString("hex");
    assert.equal(packed, vector.msgpack_hex);
  });
}

function runTask(handler: Handler, parameters: unknown[]): Promise<Reply> {
  return new Promise((resolve) => {
    const activities = new Map([["act", handler]]);
    const runner = new TaskRunner({ service: "s", activities, concurrency: 1, logger: silent });
    const address = { task: "r.1.1", nonce: "n", activity: "act" };
    runner.take(readTask(address, new Map([["arguments", parameters]])), {
      encoding: "application/json",
      bodyLimit: 1_000_000,
      send: (sent) => (sent.kind === "accepted" ? undefined : resolve(sent)),
    });
  });
}

async function resultOf(handler: Handler, parameters: unknown[]): Promise<unknown> {
  const { kind, body = new Uint8Array() } = await runTask(handler, parameters);
  assert.equal(kind, "result", Buffer.from(body).toString());
  return decodePayload(body, "application/json");
}

test("the context comes after the arguments, whatever is missing", async () => {
  const isContext = (value: unknown) => value?.constructor?.name === "ActivityContext";
  const seen = (...values: unknown[]) => values.map((each) => (isContext(each) ? "ctx" : each));
  assert.deepEqual(await resultOf((a, b, c) => seen(a, b, c), ["x", "y"]), ["x", "y", "ctx"]);
  assert.deepEqual(await resultOf((a, b, c) => seen(a, b, c), ["x"]), ["x", null, "ctx"]);
  assert.deepEqual(await resultOf((c) => seen(c), []), ["ctx"]);
  assert.deepEqual(await resultOf((...all) => seen(...all), [1, 2]), [1, 2, "ctx"]);
  assert.deepEqual(await resultOf(async () => undefined, [1]), null);
});

test("a getter of the result that throws is an error of the handler", async () => {
  const handler = () => ({
    get price(): number {
      throw new RangeError("no price");
    },
  });
  const { kind, body = new Uint8Array() } = await runTask(handler, []);
  assert.equal(kind, "error");
  const document = decodePayload(body, "application/json") as Record<string, unknown>;
  assert.deepEqual([document["type"], document["message"]], ["RangeError", "no price"]);
});

test("names and options are checked where they are given", () => {
  for (const name of ["", "Upper", "a.b", "x".repeat(64), "é"]) {
    assert.throws(() => service(name), ConfigurationError, name);
  }
  assert.throws(() => service("s", { concurrency: 0 }), ConfigurationError);
  assert.throws(() => service("s", { concurrency: 1.5 }), ConfigurationError);
  const built = service("s").activity("Source.analyze_2-x", () => 0);
  for (const name of ["", ".a", "a.", "a..b", "a b", "a>", "a*", "x".repeat(201)]) {
    assert.throws(() => built.activity(name, () => 0), ConfigurationError, name);
  }
  assert.throws(() => built.activity("Source.analyze_2-x", () => 0), /two activities/);
});

test("the program's own login is not mixed with the environment's", () => {
  const environment = {
    PERDURE_NATS_URL: "nats://a:1,nats://b:2",
    PERDURE_NATS_TOKEN: "t",
    PERDURE_NATS_CA: "/ca.pem",
  };
  assert.deepEqual(withEnvironment({}, environment), {
    servers: "nats://a:1,nats://b:2",
    token: "t",
    tls: { authorityFile: "/ca.pem" },
  });
  assert.deepEqual(withEnvironment({ servers: "nats://c:3", user: "u" }, environment), {
    servers: "nats://c:3",
    user: "u",
    tls: { authorityFile: "/ca.pem" },
  });
});
