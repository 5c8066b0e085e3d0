const firstSecond = -62_135_596_800n;
const lastSecond = 253_402_300_799n;
const grammar = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z$/;

/**
 * A moment from year 1 to year 9999, exact to the nanosecond. Moments that a `Date` can hold
 * without loss arrive as `Date`; only those with a part below the millisecond arrive as this.
 */
export class Timestamp {
  /** Whole seconds since 1970-01-01T00:00:00Z, rounded down. */
  readonly seconds: bigint;
  /** The rest, from 0 to 999,999,999. */
  readonly nanoseconds: number;

  constructor(seconds: bigint, nanoseconds = 0) {
    if (!Number.isInteger(nanoseconds) || nanoseconds < 0 || nanoseconds > 999_999_999) {
      throw new RangeError(`a second has no ${nanoseconds} nanoseconds`);
    }
    if (seconds < firstSecond || seconds > lastSecond) {
      throw new RangeError(`${seconds} seconds lie outside the years 1 to 9999`);
    }
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
  }

  static fromDate(date: Date): Timestamp {
    const milliseconds = date.getTime();
    if (Number.isNaN(milliseconds)) {
      throw new RangeError("an invalid Date is no moment");
    }
    const seconds = Math.floor(milliseconds / 1000);
    return new Timestamp(BigInt(seconds), (milliseconds - seconds * 1000) * 1_000_000);
  }

  /** Reads RFC 3339 in UTC ("2026-11-23T21:00:00.000000001Z"). */
  static parse(text: string): Timestamp {
    const match = grammar.exec(text);
    const date = new Date(`${match?.[1]}Z`);
    if (match === null || Number.isNaN(date.getTime())) {
      throw new RangeError(`${JSON.stringify(text)} is no RFC 3339 moment in UTC`);
    }
    // JavaScript rolls the 30th of February over to March: only a text that comes back as it went
    // in names a real moment.
    if (date.toISOString().slice(0, 19) !== match[1]) {
      throw new RangeError(`${JSON.stringify(text)} names no real moment`);
    }
    const nanoseconds = Number((match[2] ?? "").padEnd(9, "0"));
    return new Timestamp(BigInt(date.getTime() / 1000), nanoseconds);
  }

  /** The same moment as a `Date`, rounded down to the millisecond. */
  toDate(): Date {
    return new Date(Number(this.seconds) * 1000 + Math.floor(this.nanoseconds / 1e6));
  }

  /** The same moment as a `Date` if that loses nothing, else this. */
  toDateIfExact(): Date | Timestamp {
    return this.nanoseconds % 1_000_000 === 0 ? this.toDate() : this;
  }

  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  toEpochNanoseconds(): bigint {
    return this.seconds * 1_000_000_000n + BigInt(this.nanoseconds);
  }

  /** RFC 3339 in UTC, with as many fraction digits as are needed. */
  toString(): string {
    const whole = new Date(Number(this.seconds) * 1000).toISOString().slice(0, 19);
    if (this.nanoseconds === 0) {
      return `${whole}Z`;
    }
    return `${whole}.${String(this.nanoseconds).padStart(9, "0").replace(/0+$/, "")}Z`;
  }
}
