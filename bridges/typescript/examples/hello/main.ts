import { setTimeout as sleep } from "node:timers/promises";
import { type ActivityContext, ApplicationError, service } from "perdure";

const greeter = service("greeter", { concurrency: 16 });

// A plain function. What it returns is recorded; whoever crashes, the workflow gets it once.
greeter.activity("greet", async (name: string): Promise<string> => {
  if (name === "") {
    // Typed, and not tried again: the same name would fail again.
    throw new ApplicationError({ type: "NameMissing", message: "whom?", retryable: false });
  }
  return `Hello, ${name}!`;
});

// A long one. It says how far it is, goes on from there after a crash, and stops when told to.
greeter.activity("greet_all", async (names: string[], context: ActivityContext) => {
  const first = context.heartbeatDetails<number>() ?? 0;
  for (const [index, name] of names.entries()) {
    if (index >= first) {
      context.logger.info("greeting", { name });
      await sleep(10, undefined, { signal: context.signal });
      context.heartbeat(index + 1);
    }
  }
  return { greeted: names.length, resumed: first };
});

await greeter.run();
