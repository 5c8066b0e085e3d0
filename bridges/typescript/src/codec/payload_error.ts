/** Why a value cannot travel; the same words in every language. */
export type PayloadErrorReason =
  | "IntegerOutOfRange"
  | "UnsafeInteger"
  | "InvalidUnicode"
  | "KeyNotString"
  | "DuplicateKey"
  | "TooDeep"
  | "UnknownExtension"
  | "UnknownTag"
  | "InvalidScalar"
  | "Unrepresentable"
  | "Malformed";

/** A value that cannot travel, or bytes that hold none. `path` leads to it from the root, `$`. */
export class PayloadError extends Error {
  readonly reason: PayloadErrorReason;
  readonly path: string;

  constructor(reason: PayloadErrorReason, path: string, explanation: string) {
    super(`${path}: ${explanation} (${reason})`);
    this.name = "PayloadError";
    this.reason = reason;
    this.path = path;
  }
}
