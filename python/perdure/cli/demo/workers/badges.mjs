// A worker of the service "badges" on the raw bridge protocol, profile L0, over stdio.
// bridges/typescript has a package for it; this shows how little is needed without.
import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";

function send(frame) {
  const document = Buffer.from(JSON.stringify(frame));
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(document.length);
  process.stdout.write(Buffer.concat([prefix, document]));
}

function badge(name) {
  return `${name}-${createHash("sha256").update(name).digest("hex").slice(0, 6)}`;
}

function run({ task, nonce, activity, arguments: [name] }) {
  if (activity !== "badge") {
    const error = { type: "UnknownActivity", message: activity, started: false };
    send({ frame: "error", task, nonce, error });
    return;
  }
  appendFileSync(process.env.DEMO_WITNESS, `begin badge ${name}\n`);
  setTimeout(
    () => {
      appendFileSync(process.env.DEMO_WITNESS, `end badge ${name}\n`);
      send({ frame: "result", task, nonce, value: badge(name) });
    },
    Number(process.env.DEMO_STEP_MS),
  );
}

let received = Buffer.alloc(0);
process.stdin.on("data", (chunk) => {
  received = Buffer.concat([received, chunk]);
  while (received.length >= 4 && received.length >= 4 + received.readUInt32BE()) {
    const end = 4 + received.readUInt32BE();
    const frame = JSON.parse(received.subarray(4, end).toString());
    received = received.subarray(end);
    if (frame.frame === "task") run(frame);
  }
});
process.stdin.on("end", () => process.exit(0));

send({
  frame: "hello",
  service: "badges",
  instance: `badges-${process.pid}`,
  language: "javascript",
  activities: [{ name: "badge" }],
});
