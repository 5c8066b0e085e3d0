import type { TaskRunner } from "./task_runner.js";

/** How long stopped handlers may take to end. */
const stopGraceMs = 1000;

/** Lets running handlers finish; those that do not in time are asked to stop. */
export async function finishTasks(runner: TaskRunner, timeoutMs: number): Promise<boolean> {
  if (await runner.idle(timeoutMs)) {
    return true;
  }
  runner.stopAll("drain", "the worker is going away");
  return runner.idle(stopGraceMs);
}

/** Asks all handlers to stop because nobody waits for them any more. */
export async function abandonTasks(runner: TaskRunner): Promise<boolean> {
  runner.stopAll("disconnect", "the engine is gone");
  return runner.idle(stopGraceMs);
}
