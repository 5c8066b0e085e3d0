const nanosecondsPerMillisecond = 1_000_000n;
const smallest = -(2n ** 63n);
const largest = 2n ** 63n - 1n;

/** A length of time, exact to the nanosecond (about ±292 years). */
export class Duration {
  readonly nanoseconds: bigint;

  constructor(nanoseconds: bigint) {
    if (nanoseconds < smallest || nanoseconds > largest) {
      throw new RangeError(`a Duration holds a 64-bit count of nanoseconds, not ${nanoseconds}`);
    }
    this.nanoseconds = nanoseconds;
  }

  static fromMilliseconds(milliseconds: number): Duration {
    const whole = Math.trunc(milliseconds);
    const rest = Math.round((milliseconds - whole) * 1e6);
    return new Duration(BigInt(whole) * nanosecondsPerMillisecond + BigInt(rest));
  }

  /** The length in milliseconds, rounded to what a number can hold. */
  toMilliseconds(): number {
    const whole = this.nanoseconds / nanosecondsPerMillisecond;
    return Number(whole) + Number(this.nanoseconds % nanosecondsPerMillisecond) / 1e6;
  }

  toString(): string {
    return `${this.nanoseconds}ns`;
  }
}
