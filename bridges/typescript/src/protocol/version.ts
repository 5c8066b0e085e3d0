/** The version of the envelope that this package speaks. */
export const protocolVersion = 0;

/** What `hello` and the micro service say of this package. */
export const sdkName = "perdure-typescript/0.1.0";
export const languageName = "typescript";
