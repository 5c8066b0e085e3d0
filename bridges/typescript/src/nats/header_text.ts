const plain = /^[!-$&-~]*$/;

/** Writes a header value: bytes outside `!`…`~`, and `%`, as `%XX`. */
export function encodeHeaderText(text: string): string {
  if (plain.test(text)) {
    return text;
  }
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x25;
    const digits = byte.toString(16).toUpperCase().padStart(2, "0");
    encoded += isPlain ? String.fromCharCode(byte) : `%${digits}`;
  }
  return encoded;
}

/** Reads a header value; undefined if its percent signs make no UTF-8. */
export function decodeHeaderText(text: string): string | undefined {
  if (!text.includes("%")) {
    return text;
  }
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
