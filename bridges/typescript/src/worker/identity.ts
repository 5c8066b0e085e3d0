import { encodings } from "../codec/codec.js";
import { languageName, protocolVersion, sdkName } from "../protocol/version.js";

/** Who this worker is. */
export interface Identity {
  readonly service: string;
  readonly namespace: string;
  readonly instance: string;
  readonly concurrency: number;
  readonly activities: readonly string[];
}

export function helloDocument(identity: Identity): object {
  return {
    frame: "hello",
    protocol: protocolVersion,
    service: identity.service,
    instance: identity.instance,
    language: languageName,
    sdk: sdkName,
    concurrency: identity.concurrency,
    activities: identity.activities.map((name) => ({ name })),
    accept: encodings,
    profile: "L2",
  };
}

export function livenessDocument(identity: Identity, tasks: readonly string[]): object {
  const { instance, concurrency } = identity;
  return { frame: "liveness", instance, concurrency, tasks };
}

export function drainingDocument(identity: Identity): object {
  return { frame: "draining", instance: identity.instance };
}
