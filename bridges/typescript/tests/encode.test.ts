import assert from "node:assert/strict";
import { test } from "node:test";
import { Decimal, Duration, PayloadError, Timestamp, Uuid } from "perdure";
import { decodePayload, encodePayload } from "../src/internal_mod.js";

const encodings = ["application/json", "application/msgpack"] as const;

function roundTrip(value: unknown): unknown[] {
  return encodings.map((encoding) => decodePayload(encodePayload(value, encoding), encoding));
}

function bothAre(value: unknown, expected: unknown): void {
  assert.deepEqual(roundTrip(value), [expected, expected]);
}

test("a bigint in the safe range is an integer like any other", () => {
  bothAre([5n, -5n, 2n ** 53n - 1n], [5, -5, Number.MAX_SAFE_INTEGER]);
});

test("integers beyond the safe range are bigints both ways", () => {
  const integers = [2n ** 53n, -(2n ** 53n), 2n ** 64n - 1n, -(2n ** 63n)];
  bothAre(integers, integers);
});

test("floats that are no safe integers stay numbers", () => {
  const floats = [0.5, 2 ** 53, 1e300, Number.NaN, Infinity, -Infinity, -0];
  bothAre(floats, floats);
});

test("undefined fields are left out, undefined items and results are null", () => {
  bothAre({ a: undefined, b: null, c: [undefined] }, { b: null, c: [null] });
  bothAre(undefined, null);
});

test("a Map with text keys is a record and keeps its order", () => {
  const map = new Map<string, unknown>([
    ["2", "b"],
    ["1", new Map([["x", undefined]])],
  ]);
  assert.equal(encodePayload(map, "application/json").toString(), '{"2":"b","1":{}}');
  bothAre(map, { 2: "b", 1: {} });
});

test("an instance of a class travels by its own fields", () => {
  class Report {
    functions = 3;
    #hidden = 1;
    get total(): number {
      return this.functions + this.#hidden;
    }
  }
  bothAre(new Report(), { functions: 3 });
});

test("a Date is a moment; below the millisecond it is a Timestamp", () => {
  const date = new Date("1969-12-31T23:59:59.250Z");
  const fine = Timestamp.parse("2026-11-23T21:54:00.000000005Z");
  bothAre({ date, fine }, { date, fine });
  assert.equal(fine.toDate().toISOString(), "2026-11-23T21:54:00.000Z");
  assert.equal(fine.toEpochNanoseconds(), 1_795_470_840_000_000_005n);
});

test("durations, decimals and UUIDs keep their kind", () => {
  const values = [
    Duration.fromMilliseconds(1.5),
    new Decimal("1.10"),
    new Uuid("019ABCDE-f012-7345-8678-9abcdef01234"),
  ];
  bothAre(values, values);
  assert.equal(Duration.fromMilliseconds(1.5).nanoseconds, 1_500_000n);
  assert.equal(Duration.fromMilliseconds(-2.25).toMilliseconds(), -2.25);
});

test("bytes are copied out of what was received", () => {
  const encoded = encodePayload(new Uint8Array([1, 2]), "application/msgpack");
  const bytes = decodePayload(encoded, "application/msgpack") as Uint8Array;
  encoded.fill(0);
  assert.deepEqual(bytes, new Uint8Array([1, 2]));
});

test("a getter that encodes in its turn does no harm", () => {
  const value = {
    get inner(): string {
      return encodePayload({ a: 1 }, "application/msgpack").toString("hex");
    },
    after: [1, 2],
  };
  assert.equal(encodePayload(value, "application/msgpack").toString("hex").slice(0, 2), "82");
  bothAre(value, { inner: "81a16101", after: [1, 2] });
});

test("seeded random values survive both profiles", () => {
  const seed = Number(process.env["PERDURE_SEED"] ?? Date.now() % 1_000_000);
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const make = (depth: number): unknown => {
    switch (below(depth > 4 ? 9 : 11)) {
      case 0:
        return null;
      case 1:
        return below(2) === 1;
      case 2:
        return below(2 ** 32) - 2 ** 31;
      case 3:
        return (BigInt(below(2 ** 32)) << 32n) | BigInt(2 ** 31 + below(2 ** 31)) | (1n << 60n);
      case 4:
        return below(2 ** 32) / 7 + 1e-3;
      case 5:
        return String.fromCodePoint(0x20 + below(0x5000), 0x1_f600 + below(50)).repeat(below(40));
      case 6:
        return new Uint8Array(below(300)).fill(below(256));
      case 7:
        return new Date(below(2 ** 32) * 900);
      case 8:
        return new Duration(BigInt(below(2 ** 32)) << 20n);
      case 9:
        return Array.from({ length: below(20) }, () => make(depth + 1));
      default:
        return Object.fromEntries(
          Array.from({ length: below(20) }, (_, index) => [`$k${index}é`, make(depth + 1)]),
        );
    }
  };
  for (let round = 0; round < 300; round += 1) {
    const value = make(0);
    assert.deepEqual(roundTrip(value), [value, value], `seed ${seed}, round ${round}`);
  }
});

function refused(value: unknown, reason: string, path: string): void {
  for (const encoding of encodings) {
    assert.throws(
      () => encodePayload(value, encoding),
      (error) => {
        assert.ok(error instanceof PayloadError, String(error));
        assert.deepEqual([error.reason, error.path], [reason, path], error.message);
        return true;
      },
    );
  }
}

test("what cannot travel is refused with the way to it", () => {
  const cycle: Record<string, unknown> = { name: "loop" };
  cycle["items"] = [1, { again: cycle }];
  let deep: unknown = 1;
  for (let level = 0; level < 129; level += 1) {
    deep = [deep];
  }
  refused({ items: [0, { price: 2n ** 64n }] }, "IntegerOutOfRange", "$.items[1].price");
  refused({ "a b": ["\ud800"] }, "InvalidUnicode", '$["a b"][0]');
  refused({ x: { "\udc00": 1 } }, "InvalidUnicode", "$.x");
  refused({ m: new Map([[1, 2]]) }, "KeyNotString", "$.m");
  refused({ f: () => 0 }, "Unrepresentable", "$.f");
  refused([Symbol("s")], "Unrepresentable", "$[0]");
  refused([new Set([1])], "Unrepresentable", "$[0]");
  refused({ p: Promise.resolve(1) }, "Unrepresentable", "$.p");
  refused([new Date(Number.NaN)], "InvalidScalar", "$[0]");
  refused([new Date(8.64e15)], "InvalidScalar", "$[0]");
  refused(cycle, "Unrepresentable", "$.items[1].again");
  refused(deep, "TooDeep", `$${"[0]".repeat(128)}`);
});

test("after a refusal the next value is encoded as ever", () => {
  assert.throws(() => encodePayload([[[() => 0]]], "application/msgpack"), PayloadError);
  assert.equal(encodePayload([1], "application/msgpack").toString("hex"), "9101");
});
