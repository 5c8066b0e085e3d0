import { endOfJsonValue } from "./json_skip.js";
import { readTag } from "./json_tags.js";
import { documentDepthLimit } from "./limits.js";
import { PayloadError } from "./payload_error.js";
import { setField } from "./record_builder.js";
import { Walk } from "./walk.js";

const numberGrammar = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const spaceGrammar = /[ \t\n\r]*/y;

/**
 * Reads one value of the JSON profile. `JSON.parse` will not do: it keeps the last of two equal
 * keys, and rounds integers that it cannot hold, without a word.
 */
export class JsonReader {
  readonly #text: string;
  #walk: Walk;
  #offset = 0;

  constructor(text: string, walk: Walk = new Walk()) {
    this.#text = text;
    this.#walk = walk;
  }

  /** Reads the one value that the text holds. */
  readAll(): unknown {
    const value = this.#readValue();
    this.#skipSpace();
    if (this.#offset !== this.#text.length) {
      throw this.#walk.refuse("Malformed", `text after the end, at character ${this.#offset}`);
    }
    return value;
  }

  /**
   * Reads a document: an object whose fields are payloads of their own. One that is refused stands
   * there as its `PayloadError`, so that a single bad payload does not cost the whole document.
   */
  readFields(): Map<string, unknown> {
    const fields = new Map<string, unknown>();
    this.#expect("{");
    for (let more = !this.#accept("}"); more; more = this.#acceptMore("}")) {
      this.#skipSpace();
      const key = this.#readText();
      this.#expect(":");
      fields.set(key, this.#readField());
    }
    this.#skipSpace();
    if (this.#offset !== this.#text.length) {
      throw this.#walk.refuse("Malformed", "text after the document");
    }
    return fields;
  }

  #readField(): unknown {
    const start = this.#offset;
    try {
      return this.#readValue();
    } catch (error) {
      if (!(error instanceof PayloadError) || error.reason === "Malformed") {
        throw error;
      }
      this.#walk = new Walk(documentDepthLimit);
      this.#offset = endOfJsonValue(this.#text, start);
      return error;
    }
  }

  #readValue(): unknown {
    this.#skipSpace();
    switch (this.#text[this.#offset]) {
      case "{":
        return this.#readObject();
      case "[":
        return this.#readArray();
      case '"':
        return this.#readText();
      case "t":
        return this.#readWord("true", true);
      case "f":
        return this.#readWord("false", false);
      case "n":
        return this.#readWord("null", null);
      default:
        return this.#readNumber();
    }
  }

  #readObject(): unknown {
    const record: Record<string, unknown> = {};
    let tag: string | undefined;
    let count = 0;
    this.#offset += 1;
    this.#walk.enter(undefined);
    for (let more = !this.#accept("}"); more; more = this.#acceptMore("}")) {
      this.#skipSpace();
      this.#walk.at(undefined);
      const written = this.#readText();
      const key = written.startsWith("$$") ? written.slice(1) : written;
      if (key === written && key.startsWith("$")) {
        tag = key;
      }
      if (Object.hasOwn(record, key)) {
        const explanation = `the key ${JSON.stringify(key)} stands twice`;
        throw this.#walk.refuse("DuplicateKey", explanation);
      }
      this.#expect(":");
      this.#walk.at(key);
      setField(record, key, this.#readValue());
      count += 1;
    }
    this.#walk.leave();
    return tag === undefined ? record : readTag(tag, record[tag], count, this.#walk);
  }

  #readArray(): unknown[] {
    const items: unknown[] = [];
    this.#offset += 1;
    this.#walk.enter(undefined);
    for (let more = !this.#accept("]"); more; more = this.#acceptMore("]")) {
      this.#walk.at(items.length);
      items.push(this.#readValue());
    }
    this.#walk.leave();
    return items;
  }

  #readText(): string {
    const start = this.#offset;
    if (this.#text[start] !== '"') {
      throw this.#syntax();
    }
    let end = start + 1;
    let plain = true;
    for (; end < this.#text.length; end += 1) {
      const code = this.#text.charCodeAt(end);
      if (code === 0x22) {
        break;
      }
      if (code === 0x5c) {
        plain = false;
        end += 1;
      } else if (code < 0x20) {
        throw this.#walk.refuse("Malformed", "a bare control character in text");
      }
    }
    if (end >= this.#text.length) {
      throw this.#walk.refuse("Malformed", "the text ends early");
    }
    this.#offset = end + 1;
    return plain ? this.#text.slice(start + 1, end) : this.#unescape(start, end + 1);
  }

  #unescape(start: number, end: number): string {
    let text: string;
    try {
      text = JSON.parse(this.#text.slice(start, end)) as string;
    } catch {
      throw this.#walk.refuse("Malformed", `an unknown escape in the text at character ${start}`);
    }
    if (!text.isWellFormed()) {
      throw this.#walk.refuse("InvalidUnicode", "text with a lone surrogate is no Unicode");
    }
    return text;
  }

  #readNumber(): number {
    numberGrammar.lastIndex = this.#offset;
    const match = numberGrammar.exec(this.#text);
    if (match === null) {
      throw this.#syntax();
    }
    const value = Number(match[0]);
    const isInteger = match[1] === undefined && match[2] === undefined;
    if (isInteger && !Number.isSafeInteger(value)) {
      const explanation = 'an integer beyond ±2^53 travels as {"$int": "…"}';
      throw this.#walk.refuse("UnsafeInteger", explanation);
    }
    if (!Number.isFinite(value)) {
      throw this.#walk.refuse("InvalidScalar", `${match[0]} is beyond the range of a float`);
    }
    this.#offset = numberGrammar.lastIndex;
    return isInteger && value === 0 ? 0 : value;
  }

  #readWord<Value>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#offset)) {
      throw this.#syntax();
    }
    this.#offset += word.length;
    return value;
  }

  #accept(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#offset] !== character) {
      return false;
    }
    this.#offset += 1;
    return true;
  }

  /** After an item: a comma (there is more) or `end` (there is not). */
  #acceptMore(end: string): boolean {
    if (this.#accept(end)) {
      return false;
    }
    this.#expect(",");
    return true;
  }

  #expect(character: string): void {
    if (!this.#accept(character)) {
      throw this.#syntax();
    }
  }

  #skipSpace(): void {
    const code = this.#text.charCodeAt(this.#offset);
    if (code <= 0x20) {
      spaceGrammar.lastIndex = this.#offset;
      spaceGrammar.exec(this.#text);
      this.#offset = spaceGrammar.lastIndex;
    }
  }

  #syntax(): Error {
    const found = this.#text[this.#offset];
    if (found === undefined) {
      return this.#walk.refuse("Malformed", "the text ends early");
    }
    const explanation = `${JSON.stringify(found)} at character ${this.#offset} is no JSON`;
    return this.#walk.refuse("Malformed", explanation);
  }
}
