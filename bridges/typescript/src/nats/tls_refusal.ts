import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { connect as secure } from "node:tls";
import type { NatsOptions } from "./nats_options.js";

const probeTimeoutMs = 3000;
const codes = /^(ERR_(TLS|SSL|OSSL)_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH)/;

/** What is wrong with a certificate, if that is why a connection failed. */
export function tlsRefusal(error: unknown): Error | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    if ("code" in each && typeof each.code === "string" && codes.test(each.code)) {
      return each;
    }
  }
  return undefined;
}

/**
 * Why a server that was reached says nothing: under TLS 1.3 it refuses a client's certificate after
 * the handshake has ended for the client, and the NATS client then sees no more than a silence.
 */
export async function probeTls(
  address: string,
  tls: NonNullable<NatsOptions["tls"]>,
): Promise<Error | undefined> {
  const { hostname, port } = new URL(address.includes("://") ? address : `nats://${address}`);
  const file = (path: string | undefined) => (path ? readFileSync(path) : undefined);
  const late = AbortSignal.timeout(probeTimeoutMs);
  const plain = dial({ host: hostname, port: Number(port || 4222), signal: late });
  try {
    // The server's greeting comes first, in plain text.
    await once(plain, "data", { signal: late });
    const socket = secure({
      socket: plain,
      host: hostname,
      ca: file(tls.authorityFile),
      cert: file(tls.certificateFile),
      key: file(tls.keyFile),
    });
    await once(socket, "data", { signal: late });
  } catch (error) {
    return tlsRefusal(error);
  } finally {
    plain.destroy();
  }
  return undefined;
}
