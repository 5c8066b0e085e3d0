import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { StdioEngine } from "./support/stdio_engine.js";

const program = fileURLToPath(new URL("../examples/hello/main.js", import.meta.url));
const folder = new URL("../../", import.meta.url);

async function start(context: TestContext): Promise<StdioEngine> {
  const engine = await StdioEngine.start("application/msgpack", [process.execPath, program]);
  context.after(() => engine.child.kill("SIGKILL"));
  return engine;
}

test("the README shows the example that runs here", () => {
  const source = readFileSync(new URL("examples/hello/main.ts", folder), "utf8");
  const readme = readFileSync(new URL("README.md", folder), "utf8");
  assert.ok(readme.includes(`\`\`\`ts\n${source}\`\`\``));
});

test("the worker names the version of the package", async (context) => {
  const { version } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  const engine = new StdioEngine([process.execPath, program]);
  context.after(() => engine.child.kill("SIGKILL"));
  const hello = await engine.next("hello");
  assert.equal(hello.get("sdk"), `perdure-typescript/${version}`);
});

test("the example greets, and refuses an empty name for good", async (context) => {
  const engine = await start(context);
  assert.equal(await engine.call("r.1.1", "greet", "Ann"), "Hello, Ann!");
  engine.ask("r.2.1", "greet", [""]);
  const error = await engine.error("r.2.1");
  assert.deepEqual([error["type"], error["retryable"]], ["NameMissing", false]);
});

test("the long one goes on where it was, and stops when it is told to", async (context) => {
  const engine = await start(context);
  engine.ask("r.1.2", "greet_all", [["Ann", "Bob", "Cy"]], { attempt: 2, heartbeat_details: 2 });
  const result = await engine.next("result", "r.1.2");
  assert.deepEqual(result.get("value"), { greeted: 3, resumed: 2 });
  assert.match(engine.log, /greeting activity=greet_all .*name=Cy/);
  engine.ask("r.2.1", "greet_all", [Array.from({ length: 10_000 }, () => "Eve")]);
  await engine.next("heartbeat", "r.2.1");
  engine.send({ frame: "cancel", task: "r.2.1" });
  await engine.next("cancelled", "r.2.1");
});
