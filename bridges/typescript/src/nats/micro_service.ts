import type { NatsConnection } from "@nats-io/transport-node";
import { encodings } from "../codec/codec.js";
import { languageName, protocolVersion } from "../protocol/version.js";
import type { Identity } from "../worker/identity.js";
import type { Statistics } from "../worker/statistics.js";
import type { Subjects } from "./subjects.js";

const version = "0.0.0";
const nanosecondsPerMillisecond = 1e6;

/**
 * Answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, so that the usual tools list the fleet.
 * Written by hand: the library for it is a pre-release that brings an older copy of the client.
 */
export class MicroService {
  readonly #identity: Identity;
  readonly #subjects: Subjects;
  readonly #statistics: Statistics;
  readonly #started = new Date().toISOString();

  constructor(identity: Identity, subjects: Subjects, statistics: Statistics) {
    this.#identity = identity;
    this.#subjects = subjects;
    this.#statistics = statistics;
  }

  listen(connection: NatsConnection): void {
    const verbs = {
      PING: () => this.#ping(),
      INFO: () => this.#info(),
      STATS: () => this.#stats(),
    };
    const { microServiceName } = this.#subjects;
    for (const [verb, answer] of Object.entries(verbs)) {
      for (const suffix of ["", `.${microServiceName}`, `.${microServiceName}.${this.#id}`]) {
        connection.subscribe(`$SRV.${verb}${suffix}`, {
          callback: (_error, message) => {
            message.respond(JSON.stringify(answer()));
          },
        });
      }
    }
  }

  get #id(): string {
    return this.#identity.instance;
  }

  #describe(kind: string): object {
    return {
      type: `io.nats.micro.v1.${kind}_response`,
      name: this.#subjects.microServiceName,
      id: this.#id,
      version,
      metadata: {
        "pd.protocol": String(protocolVersion),
        "pd.instance": this.#identity.instance,
        "pd.language": languageName,
        "pd.accept": encodings.join(","),
      },
    };
  }

  #endpoint(activity: string): object {
    return {
      name: activity.replaceAll(".", "_"),
      subject: this.#subjects.activity(activity),
      queue_group: this.#identity.service,
    };
  }

  #ping(): object {
    return this.#describe("ping");
  }

  #info(): object {
    const endpoints = this.#identity.activities.map((each) => this.#endpoint(each));
    return { ...this.#describe("info"), description: "", endpoints };
  }

  #stats(): object {
    const endpoints = this.#identity.activities.map((activity) => {
      const { requests, errors, lastError, processingMs } = this.#statistics.of(activity);
      const processingTime = Math.round(processingMs * nanosecondsPerMillisecond);
      return {
        ...this.#endpoint(activity),
        num_requests: requests,
        num_errors: errors,
        last_error: lastError,
        processing_time: processingTime,
        average_processing_time: requests === 0 ? 0 : Math.round(processingTime / requests),
      };
    });
    return { ...this.#describe("stats"), started: this.#started, endpoints };
  }
}
