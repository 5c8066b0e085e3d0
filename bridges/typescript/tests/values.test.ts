import assert from "node:assert/strict";
import { test } from "node:test";
import { PayloadError } from "perdure";
import { decodePayload, type Encoding, encodePayload } from "../src/internal_mod.js";
import { type RefusedVector, refusedVectors, valueVectors } from "./support/vectors.js";

const json = "application/json";
const messagePack = "application/msgpack";

// JavaScript has one kind of number, so these two come back as integers, as the page says.
const integersInJavaScript = new Map([
  ["float_1", { json: "1", hex: "01" }],
  ["float_0", { json: "0", hex: "00" }],
]);

function encodeBoth(value: unknown): { json: string; hex: string } {
  return {
    json: encodePayload(value, json).toString("utf8"),
    hex: encodePayload(value, messagePack).toString("hex"),
  };
}

for (const vector of valueVectors) {
  test(`value ${vector.name} survives both profiles`, () => {
    const expected = integersInJavaScript.get(vector.name) ?? {
      json: vector.json,
      hex: vector.msgpack_hex,
    };
    const texts = [vector.json, ...(vector.json_also ?? [])];
    const hexes = [vector.msgpack_hex, ...(vector.msgpack_also_hex ?? [])];
    for (const text of texts) {
      assert.deepEqual(encodeBoth(decodePayload(Buffer.from(text), json)), expected, text);
    }
    for (const hex of hexes) {
      const value = decodePayload(Buffer.from(hex, "hex"), messagePack);
      assert.deepEqual(encodeBoth(value), expected, hex);
    }
  });
}

function bytesOf(vector: RefusedVector): Buffer {
  const { repeat, encoding } = vector;
  if (repeat !== undefined) {
    const text = repeat.prefix.repeat(repeat.times) + repeat.suffix;
    return Buffer.from(text, encoding === "json" ? "utf8" : "hex");
  }
  return vector.hex === undefined ? Buffer.from(vector.text ?? "") : Buffer.from(vector.hex, "hex");
}

for (const vector of refusedVectors) {
  test(`${vector.encoding} bytes ${vector.name} are refused`, () => {
    const encoding: Encoding = vector.encoding === "json" ? json : messagePack;
    assert.throws(
      () => decodePayload(bytesOf(vector), encoding),
      (error) => {
        assert.ok(error instanceof PayloadError, String(error));
        assert.deepEqual([error.reason, error.path], [vector.reason, vector.path], error.message);
        return true;
      },
    );
  });
}
