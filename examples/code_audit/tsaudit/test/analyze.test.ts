import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { analyzeSource } from "../src/analyze.js";
import { type FileReport, SourceError } from "../src/report.js";

type Expectation = FileReport & { error?: { line: number } };

const fixtures = new URL("../../../fixtures/", import.meta.url);
const expected: Record<string, Expectation> = JSON.parse(
  readFileSync(new URL("expected.json", fixtures), "utf8"),
);
const ours = Object.entries(expected).filter(
  ([, { language }]) => language === "typescript" || language === "javascript",
);

test("there are five fixtures for this analyser", () => {
  assert.equal(ours.length, 5);
});

for (const [name, expectation] of ours) {
  test(`${name} is measured as the other languages measure theirs`, () => {
    const bytes = readFileSync(new URL(name, fixtures));
    if (expectation.error === undefined) {
      assert.deepEqual(analyzeSource(name, bytes), expectation);
    } else {
      const { line } = expectation.error;
      assert.throws(
        () => analyzeSource(name, bytes),
        (error: unknown) =>
          error instanceof SourceError && error.line === line && error.message !== "",
      );
    }
  });
}

test("a decorated method begins after its decorator", () => {
  const source = "export class A {\n  @sealed()\n  @other\n  public run() {\n  }\n}\n";
  const [run] = analyzeSource("decorated.ts", Buffer.from(source)).functions;
  assert.deepEqual([run?.name, run?.line, run?.length], ["A.run", 4, 2]);
});

test("a chain of a thousand conditions is no limit for the walk", () => {
  const chain = "if (a) b(); else ".repeat(1_000);
  const [run] = analyzeSource(
    "chain.js",
    Buffer.from(`function run() { ${chain} c(); }`),
  ).functions;
  assert.deepEqual([run?.complexity, run?.nesting], [1_001, 1]);
});

test("a file nested too deeply for the parser is refused, not a crash", () => {
  const source = `const x = ${"(".repeat(100_000)}`;
  assert.throws(() => analyzeSource("deep.js", Buffer.from(source)), SourceError);
});

test("a file with type annotations is no JavaScript", () => {
  const source = Buffer.from("function f(a: number) {}\n");
  assert.throws(() => analyzeSource("flow.js", source), SourceError);
  assert.equal(analyzeSource("flow.ts", source).functions.length, 1);
});

test("declarations without a body are no functions", () => {
  const source = Buffer.from("export declare function f(): void;\ninterface A { g(): void }\n");
  assert.deepEqual(analyzeSource("types.d.ts", source).functions, []);
});
