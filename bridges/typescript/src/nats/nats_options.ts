/** How to reach and enter a NATS server. What is not given is taken from the environment. */
export interface NatsOptions {
  /** `PERDURE_NATS_URL`: one or more addresses. Default: nats://127.0.0.1:4222. */
  servers?: string | readonly string[];
  /** `PERDURE_NATS_TOKEN` */
  token?: string;
  /** `PERDURE_NATS_USER` */
  user?: string;
  /** `PERDURE_NATS_PASSWORD` */
  password?: string;
  /** `PERDURE_NATS_CREDS`: path of a credentials file. */
  credentialsFile?: string;
  /** `PERDURE_NATS_NKEY_SEED_FILE`: path of a file that holds an nkey seed. */
  nkeySeedFile?: string;
  /** `PERDURE_NATS_CA`, `PERDURE_NATS_CERT`, `PERDURE_NATS_KEY`: paths of PEM files. */
  tls?: { authorityFile?: string; certificateFile?: string; keyFile?: string };
}
