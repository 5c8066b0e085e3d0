import { ConfigurationError } from "../errors.js";

const token = /^[a-z0-9_-]{1,63}$/;
const activityGrammar = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
const activityLengthLimit = 200;

export function checkServiceName(name: string): void {
  checkToken("service", name);
}

export function checkNamespace(name: string): void {
  checkToken("namespace", name);
}

export function checkActivityName(name: string): void {
  if (!activityGrammar.test(name) || name.length > activityLengthLimit) {
    const rule = "letters, digits, _ and -, joined by dots, 200 characters at most";
    throw new ConfigurationError(`${JSON.stringify(name)} cannot name an activity: ${rule}`);
  }
}

function checkToken(kind: string, name: string): void {
  if (!token.test(name)) {
    const rule = "1 to 63 of a-z, 0-9, _ and -";
    throw new ConfigurationError(`${JSON.stringify(name)} cannot name a ${kind}: ${rule}`);
  }
}
