const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes UTF-8; undefined if the bytes are none. */
export function decodeText(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString("utf8", start, end);
  // Node's quick decoder puts U+FFFD in the place of a fault, so only a text that has one needs
  // the strict decoder's second look.
  if (!text.includes("\ufffd")) {
    return text;
  }
  try {
    return strict.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}
