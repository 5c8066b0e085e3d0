/** Where the JSON value at `start` ends, whatever it holds; the end of the text if it does not. */
export function endOfJsonValue(text: string, start: number): number {
  let depth = 0;
  for (let offset = start; offset < text.length; offset += 1) {
    switch (text[offset]) {
      case '"':
        offset = endOfText(text, offset);
        break;
      case "{":
      case "[":
        depth += 1;
        break;
      case "}":
      case "]":
        if (depth === 0) {
          return offset;
        }
        depth -= 1;
        break;
      case ",":
        if (depth === 0) {
          return offset;
        }
        break;
    }
  }
  return text.length;
}

function endOfText(text: string, start: number): number {
  for (let offset = start + 1; offset < text.length; offset += 1) {
    if (text[offset] === "\\") {
      offset += 1;
    } else if (text[offset] === '"') {
      return offset;
    }
  }
  return text.length;
}
