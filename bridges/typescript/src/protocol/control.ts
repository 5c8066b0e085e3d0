import type { Fields } from "../codec/codec.js";
import { optionalText, requiredText } from "./field.js";

/** An order that concerns the worker as such. */
export type Control =
  | { readonly kind: "cancel"; readonly task: string; readonly reason: string }
  | { readonly kind: "inventory" }
  | { readonly kind: "drain" }
  | {
      readonly kind: "attach";
      readonly task: string;
      readonly nonce: string;
      readonly reply: string;
    };

/** Reads an order; undefined if it is none that is known, or meant for another instance. */
export function readControl(frame: string, fields: Fields, instance: string): Control | undefined {
  if (fields.has("instance") && fields.get("instance") !== instance) {
    return undefined;
  }
  switch (frame) {
    case "cancel": {
      const reason = optionalText(fields, "reason", "");
      return { kind: "cancel", task: requiredText(fields, "task"), reason };
    }
    case "inventory":
      return { kind: "inventory" };
    case "drain":
      return { kind: "drain" };
    case "attach":
      return {
        kind: "attach",
        task: requiredText(fields, "task"),
        nonce: optionalText(fields, "nonce", ""),
        reply: requiredText(fields, "reply"),
      };
    default:
      return undefined;
  }
}
