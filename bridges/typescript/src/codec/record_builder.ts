/** Sets a field as data, even one that JavaScript would take for an order (`__proto__`). */
export function setField(record: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    const attributes = { value, enumerable: true, configurable: true, writable: true };
    Object.defineProperty(record, key, attributes);
  } else {
    record[key] = value;
  }
}
