const grammar = /^(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity)$/;

/**
 * A decimal number as text, exactly as the sender wrote it ("1.10" stays "1.10"). Perdure does not
 * calculate with it: hand `text` to the decimal library of your choice.
 */
export class Decimal {
  readonly text: string;

  constructor(text: string) {
    if (!grammar.test(text)) {
      throw new RangeError(`${JSON.stringify(text)} is no decimal number`);
    }
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}
