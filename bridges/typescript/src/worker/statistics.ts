/** What one activity has done since the worker started. */
export interface ActivityStatistics {
  requests: number;
  errors: number;
  lastError: string;
  processingMs: number;
}

/** Counts of what the activities of a worker have done. */
export class Statistics {
  readonly #activities = new Map<string, ActivityStatistics>();

  of(activity: string): Readonly<ActivityStatistics> {
    return this.#entry(activity);
  }

  record(activity: string, durationMs: number, error: string | undefined): void {
    const entry = this.#entry(activity);
    entry.requests += 1;
    entry.processingMs += durationMs;
    if (error !== undefined) {
      entry.errors += 1;
      entry.lastError = error;
    }
  }

  #entry(activity: string): ActivityStatistics {
    let entry = this.#activities.get(activity);
    if (entry === undefined) {
      entry = { requests: 0, errors: 0, lastError: "", processingMs: 0 };
      this.#activities.set(activity, entry);
    }
    return entry;
  }
}
