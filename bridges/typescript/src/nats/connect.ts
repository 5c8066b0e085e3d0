import { readFileSync } from "node:fs";
import {
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  TimeoutError,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { ConfigurationError } from "../errors.js";
import type { Logger } from "../logger.js";
import type { NatsOptions } from "./nats_options.js";
import { probeTls, tlsRefusal } from "./tls_refusal.js";

const defaultServer = "nats://127.0.0.1:4222";
const firstDelayMs = 100;
const longestDelayMs = 5000;

/** Fills in from the environment what the program does not say. */
export function withEnvironment(
  options: NatsOptions,
  environment: NodeJS.ProcessEnv = process.env,
): NatsOptions {
  const filled: NatsOptions = { ...options };
  const fill = (name: keyof NatsOptions, variable: string) => {
    const value = environment[variable];
    if (filled[name] === undefined && value !== undefined && value !== "") {
      Object.assign(filled, { [name]: value });
    }
  };
  fill("servers", "PERDURE_NATS_URL");
  // One way in is enough: a program that names its own is not mixed with the environment's.
  if (!hasCredentials(options)) {
    fill("token", "PERDURE_NATS_TOKEN");
    fill("user", "PERDURE_NATS_USER");
    fill("password", "PERDURE_NATS_PASSWORD");
    fill("credentialsFile", "PERDURE_NATS_CREDS");
    fill("nkeySeedFile", "PERDURE_NATS_NKEY_SEED_FILE");
  }
  const tls = tlsFromEnvironment(environment);
  if (filled.tls === undefined && Object.keys(tls).length > 0) {
    filled.tls = tls;
  }
  return filled;
}

/** Connects, waiting for the server as long as it takes; a refused login ends the waiting. */
export async function connectToNats(
  options: NatsOptions,
  name: string,
  logger: Logger,
  stop: AbortSignal,
): Promise<NatsConnection | undefined> {
  const filled = withEnvironment(options);
  const settings = connectionOptions(filled, name);
  for (let delayMs = firstDelayMs; !stop.aborted; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      return await connect(settings);
    } catch (error) {
      if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError) {
        const advice = "check PERDURE_NATS_TOKEN, PERDURE_NATS_CREDS or the nats options";
        const message = `the NATS server refuses the login: ${error.message}; ${advice}`;
        throw new ConfigurationError(message, { cause: error });
      }
      const refused = tlsRefusal(error) ?? (await refusedInSilence(error, settings, filled));
      if (refused !== undefined) {
        const advice = "check PERDURE_NATS_CA, PERDURE_NATS_CERT and PERDURE_NATS_KEY";
        const message = `the TLS handshake with the NATS server refuses: ${refused.message}`;
        throw new ConfigurationError(`${message}; ${advice}`, { cause: refused });
      }
      const retry = `${delayMs} ms`;
      logger.warn("no NATS server yet", { servers: String(settings.servers), error, retry });
      await sleep(delayMs, stop);
    }
  }
  return undefined;
}

async function refusedInSilence(
  error: unknown,
  settings: ConnectionOptions,
  { tls }: NatsOptions,
): Promise<Error | undefined> {
  const [address] = [settings.servers ?? []].flat();
  if (!(error instanceof TimeoutError) || tls === undefined || address === undefined) {
    return undefined;
  }
  return await probeTls(address, tls);
}

function hasCredentials(options: NatsOptions): boolean {
  const { token, user, credentialsFile, nkeySeedFile } = options;
  return [token, user, credentialsFile, nkeySeedFile].some((each) => each !== undefined);
}

function tlsFromEnvironment(environment: NodeJS.ProcessEnv): NonNullable<NatsOptions["tls"]> {
  const authorityFile = environment["PERDURE_NATS_CA"];
  const certificateFile = environment["PERDURE_NATS_CERT"];
  const keyFile = environment["PERDURE_NATS_KEY"];
  return {
    ...(authorityFile ? { authorityFile } : {}),
    ...(certificateFile ? { certificateFile } : {}),
    ...(keyFile ? { keyFile } : {}),
  };
}

function connectionOptions(options: NatsOptions, name: string): ConnectionOptions {
  const { servers, token, user, password, credentialsFile, nkeySeedFile, tls } = options;
  const addresses = typeof servers === "string" ? servers.split(",") : [...(servers ?? [])];
  const settings: ConnectionOptions = {
    name,
    servers: addresses.length > 0 ? addresses.map((address) => address.trim()) : [defaultServer],
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // A token may be changed on the server before it is changed back or the worker restarts.
    ignoreAuthErrorAbort: true,
    pingInterval: 10_000,
    timeout: 5000,
  };
  if (token !== undefined) {
    settings.token = token;
  }
  if (user !== undefined) {
    settings.user = user;
    settings.pass = password ?? "";
  }
  if (credentialsFile !== undefined) {
    settings.authenticator = credsAuthenticator(readSecret(credentialsFile));
  } else if (nkeySeedFile !== undefined) {
    const seed = readSecret(nkeySeedFile).toString("utf8").trim();
    settings.authenticator = nkeyAuthenticator(Buffer.from(seed));
  }
  if (tls !== undefined) {
    settings.tls = {
      ...(tls.authorityFile ? { caFile: tls.authorityFile } : {}),
      ...(tls.certificateFile ? { certFile: tls.certificateFile } : {}),
      ...(tls.keyFile ? { keyFile: tls.keyFile } : {}),
    };
  }
  return settings;
}

function readSecret(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigurationError(`the file ${path} cannot be read`, { cause: error });
  }
}

async function sleep(delayMs: number, stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, delayMs);
    stop.addEventListener("abort", wake);
  });
}
