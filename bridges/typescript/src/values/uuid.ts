const grammar = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A UUID, in its lower-case text form with hyphens. */
export class Uuid {
  readonly text: string;

  constructor(text: string) {
    const lowerCase = text.toLowerCase();
    if (!grammar.test(lowerCase)) {
      throw new RangeError(`${JSON.stringify(text)} is no UUID`);
    }
    this.text = lowerCase;
  }

  static fromBytes(bytes: Uint8Array): Uuid {
    if (bytes.length !== 16) {
      throw new RangeError(`a UUID has 16 bytes, not ${bytes.length}`);
    }
    const digits = Buffer.from(bytes).toString("hex");
    const groups = [
      digits.slice(0, 8),
      digits.slice(8, 12),
      digits.slice(12, 16),
      digits.slice(16, 20),
      digits.slice(20),
    ];
    return new Uuid(groups.join("-"));
  }

  toBytes(): Uint8Array {
    return Buffer.from(this.text.replaceAll("-", ""), "hex");
  }

  toString(): string {
    return this.text;
  }
}
