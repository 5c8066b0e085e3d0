import { PayloadError } from "./payload_error.js";

/**
 * Where the MessagePack value at `start` ends. It counts instead of calling itself, so that no
 * depth of nesting can exhaust the stack.
 */
export function endOfValue(bytes: Buffer, start: number): number {
  let offset = start;
  for (let remaining = 1; remaining > 0; remaining -= 1) {
    const marker = bytes[offset];
    if (marker === undefined) {
      throw endsEarly();
    }
    const { header, content, items } = measure(bytes, offset, marker);
    offset += header + content;
    remaining += items;
    if (offset > bytes.length) {
      throw endsEarly();
    }
  }
  return offset;
}

interface Extent {
  /** Bytes of the marker and the length behind it. */
  header: number;
  /** Bytes after the header that are no values of their own. */
  content: number;
  /** Values that follow and belong to this one. */
  items: number;
}

const scalarSizes = new Map([
  [0xc0, 0],
  [0xc2, 0],
  [0xc3, 0],
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
  [0xd4, 2],
  [0xd5, 3],
  [0xd6, 5],
  [0xd7, 9],
  [0xd8, 17],
]);

function measure(bytes: Buffer, offset: number, marker: number): Extent {
  if (marker < 0x80 || marker >= 0xe0) {
    return { header: 1, content: 0, items: 0 };
  }
  if (marker < 0x90) {
    return { header: 1, content: 0, items: 2 * (marker & 0x0f) };
  }
  if (marker < 0xa0) {
    return { header: 1, content: 0, items: marker & 0x0f };
  }
  if (marker < 0xc0) {
    return { header: 1, content: marker & 0x1f, items: 0 };
  }
  const size = scalarSizes.get(marker);
  return size === undefined
    ? measureLong(bytes, offset, marker)
    : { header: 1, content: size, items: 0 };
}

function measureLong(bytes: Buffer, offset: number, marker: number): Extent {
  const sized = (lengthSize: number, extra: number): Extent => ({
    header: 1 + lengthSize,
    content: readLength(bytes, offset + 1, lengthSize) + extra,
    items: 0,
  });
  const counted = (lengthSize: number, each: number): Extent => ({
    header: 1 + lengthSize,
    content: 0,
    items: readLength(bytes, offset + 1, lengthSize) * each,
  });
  if (marker >= 0xc4 && marker <= 0xc6) {
    return sized(1 << (marker - 0xc4), 0);
  }
  if (marker >= 0xc7 && marker <= 0xc9) {
    return sized(1 << (marker - 0xc7), 1);
  }
  if (marker >= 0xd9 && marker <= 0xdb) {
    return sized(1 << (marker - 0xd9), 0);
  }
  if (marker === 0xdc || marker === 0xdd) {
    return counted(marker === 0xdc ? 2 : 4, 1);
  }
  if (marker === 0xde || marker === 0xdf) {
    return counted(marker === 0xde ? 2 : 4, 2);
  }
  throw new PayloadError("Malformed", "$", `the marker 0x${marker.toString(16)} has no meaning`);
}

function readLength(bytes: Buffer, offset: number, size: number): number {
  if (offset + size > bytes.length) {
    throw endsEarly();
  }
  return bytes.readUIntBE(offset, size);
}

function endsEarly(): PayloadError {
  return new PayloadError("Malformed", "$", "the bytes end early");
}
