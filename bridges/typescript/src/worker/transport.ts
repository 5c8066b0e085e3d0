/** How a worker and its engines reach each other. */
export interface Transport {
  /** Serves until `drain` is done, or until the engine is gone. */
  run(): Promise<void>;
  /** Takes no new task, finishes what runs, says goodbye; `run` then returns. */
  drain(): Promise<void>;
}
