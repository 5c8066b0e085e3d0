import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { nkeyAuthenticator, nkeys } from "@nats-io/transport-node";
import { NatsEngine, NatsWorker } from "./support/nats_engine.js";
import { NatsServer } from "./support/nats_server.js";

test("SIGTERM drains: the queue is left, what runs is finished", async (context) => {
  const server = await NatsServer.start();
  context.after(() => server.kill());
  const engine = await NatsEngine.connect(server.url);
  context.after(() => engine.connection.close());
  const worker = new NatsWorker({ PERDURE_NATS_URL: server.url });
  context.after(() => worker.child.kill("SIGKILL"));
  await engine.announcement("hello");
  engine.ask("r.1.1", "ignore_cancel", [300]);
  await engine.next("r.1.1", "accepted");
  worker.child.kill("SIGTERM");
  await engine.announcement("draining");
  const nobody = engine.connection.request("pd.a.default.conformance.echo", "[]");
  await assert.rejects(nobody, /no responders/i);
  assert.deepEqual((await engine.next("r.1.1", "ok")).value, { cancelled: false });
  assert.equal(await worker.exit(), 0);
});

test("two workers share the tasks of their service", async (context) => {
  const server = await NatsServer.start();
  context.after(() => server.kill());
  const engine = await NatsEngine.connect(server.url);
  context.after(() => engine.connection.close());
  const workers = [1, 2].map(() => new NatsWorker({ PERDURE_NATS_URL: server.url }));
  context.after(() => workers.map((worker) => worker.child.kill("SIGKILL")));
  const instances = new Set<unknown>();
  while (instances.size < 2) {
    instances.add((await engine.announcement("hello")).get("instance"));
  }
  const tasks = Array.from({ length: 40 }, (_, index) => `r.${index + 1}.1`);
  for (const task of tasks) {
    engine.ask(task, "sleep", [20]);
  }
  await Promise.all(tasks.map((task) => engine.next(task, "ok")));
  for (const task of tasks) {
    assert.equal(engine.count(task, "accepted"), 1);
  }
});

test("a worker that is killed is replaced by the next one", async (context) => {
  const server = await NatsServer.start();
  context.after(() => server.kill());
  const engine = await NatsEngine.connect(server.url);
  context.after(() => engine.connection.close());
  const first = new NatsWorker({ PERDURE_NATS_URL: server.url });
  await engine.announcement("hello");
  engine.ask("r.1.1", "exit", [3]);
  assert.equal(await first.exit(), 3);
  assert.equal(engine.count("r.1.1", "ok"), 0);
  const second = new NatsWorker({ PERDURE_NATS_URL: server.url });
  context.after(() => second.child.kill("SIGKILL"));
  await engine.announcement("hello");
  assert.equal(await engine.call("r.1.2", "echo", "again"), "again");
});

test("a final reply outlives a crash of the server", async (context) => {
  const server = await NatsServer.start();
  context.after(() => server.kill());
  const engine = await NatsEngine.connect(server.url);
  context.after(() => engine.connection.close());
  const worker = new NatsWorker({ PERDURE_NATS_URL: server.url });
  context.after(() => worker.child.kill("SIGKILL"));
  await engine.announcement("hello");
  engine.ask("r.1.1", "sleep_and_log", [400]);
  await engine.next("r.1.1", "accepted");
  await server.kill();
  // The task ends while there is no server; its reply leaves when there is one again.
  await worker.logged("disconnected from NATS");
  await worker.logged("slept");
  await server.start();
  assert.equal((await engine.next("r.1.1", "ok")).value, 400);
  await engine.announcement("hello");
  assert.equal(await engine.call("r.2.1", "echo", "again"), "again");
});

test("a worker waits for a server that is not there yet", async (context) => {
  const server = await NatsServer.start();
  context.after(() => server.kill());
  await server.kill();
  const worker = new NatsWorker({ PERDURE_NATS_URL: server.url });
  context.after(() => worker.child.kill("SIGKILL"));
  await worker.logged("no NATS server yet");
  await server.start();
  const engine = await NatsEngine.connect(server.url);
  context.after(() => engine.connection.close());
  await engine.announcement("hello");
  assert.equal(await engine.call("r.1.1", "echo", 1), 1);
});

test("SIGTERM ends a worker that has never reached a server", async (context) => {
  const server = await NatsServer.start();
  await server.kill();
  const worker = new NatsWorker({ PERDURE_NATS_URL: server.url });
  context.after(() => worker.child.kill("SIGKILL"));
  await worker.logged("no NATS server yet");
  worker.child.kill("SIGTERM");
  assert.equal(await worker.exit(), 0);
});

test("a token opens the server, and a wrong one is named", async (context) => {
  const server = await NatsServer.start(["--auth", "secret"]);
  context.after(() => server.kill());
  const engine = await NatsEngine.connect(server.url, { token: "secret" });
  context.after(() => engine.connection.close());
  const wrong = new NatsWorker({ PERDURE_NATS_URL: server.url, PERDURE_NATS_TOKEN: "guess" });
  context.after(() => wrong.child.kill("SIGKILL"));
  assert.equal(await wrong.exit(), 1);
  assert.match(wrong.log, /ConfigurationError.*refuses the login/);
  const right = new NatsWorker({ PERDURE_NATS_URL: server.url, PERDURE_NATS_TOKEN: "secret" });
  context.after(() => right.child.kill("SIGKILL"));
  await engine.announcement("hello");
  assert.equal(await engine.call("r.1.1", "echo", 1), 1);
});

test("an nkey seed file opens the server", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-nkey-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const user = nkeys.createUser();
  const configuration = join(folder, "server.conf");
  writeFileSync(configuration, `authorization { users = [ { nkey: ${user.getPublicKey()} } ] }\n`);
  const seedFile = join(folder, "seed");
  writeFileSync(seedFile, `${Buffer.from(user.getSeed()).toString()}\n`, { mode: 0o600 });
  const server = await NatsServer.start(["-c", configuration]);
  context.after(() => server.kill());
  const authenticator = nkeyAuthenticator(user.getSeed());
  const engine = await NatsEngine.connect(server.url, { authenticator });
  context.after(() => engine.connection.close());
  const worker = new NatsWorker({
    PERDURE_NATS_URL: server.url,
    PERDURE_NATS_NKEY_SEED_FILE: seedFile,
  });
  context.after(() => worker.child.kill("SIGKILL"));
  await engine.announcement("hello");
  assert.equal(await engine.call("r.1.1", "echo", 1), 1);
});

test("TLS with a client certificate opens the server, and nothing else does", async (context) => {
  const path = (name: string) => {
    return fileURLToPath(new URL(`../../tests/certificates/${name}`, import.meta.url));
  };
  const identity = ["--tlscert", path("server.pem"), "--tlskey", path("server-key.pem")];
  const authority = ["--tlsverify", "--tlscacert", path("authority.pem")];
  const server = await NatsServer.start(["--tls", ...identity, ...authority]);
  context.after(() => server.kill());
  const environment = {
    PERDURE_NATS_URL: server.url,
    PERDURE_NATS_CA: path("authority.pem"),
    PERDURE_NATS_CERT: path("client.pem"),
    PERDURE_NATS_KEY: path("client-key.pem"),
  };
  const { PERDURE_NATS_CERT: certFile, ...withoutCertificate } = environment;
  const stranger = new NatsWorker({ ...withoutCertificate, PERDURE_NATS_KEY: "" });
  context.after(() => stranger.child.kill("SIGKILL"));
  await stranger.logged("check PERDURE_NATS_CA, PERDURE_NATS_CERT and PERDURE_NATS_KEY");
  const tls = {
    caFile: environment.PERDURE_NATS_CA,
    certFile,
    keyFile: environment.PERDURE_NATS_KEY,
  };
  const engine = await NatsEngine.connect(server.url, { tls });
  context.after(() => engine.connection.close());
  const worker = new NatsWorker(environment);
  context.after(() => worker.child.kill("SIGKILL"));
  await engine.announcement("hello");
  assert.equal(await engine.call("r.1.1", "echo", 1), 1);
});
