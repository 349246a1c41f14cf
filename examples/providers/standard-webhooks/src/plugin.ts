// The process around the calls, as docs/provider-protocol.md has it: go-plugin's
// handshake with mutual TLS, health, and the end.
import { randomBytes } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ownCertificate } from "./certificate";
import { log } from "./log";
import { services } from "./proto";

const PROTOCOL = "1";

/** What a message may be larger than the body in it. */
const OVERHEAD = 2 * 1024 * 1024;

interface Self {
  type: string;
  name: string;
  version: string;
}

export function serve(self: Self, provider: UntypedServiceImplementation): void {
  if (process.env["AL_PROVIDER_PLUGIN"] !== "actionllama.provider") return explain(self);
  start(provider).catch((error: unknown) => {
    log("error", "the provider does not start", { error: String(error) });
    process.exit(1);
  });
}

/** A person has started the program. */
function explain(self: Self): void {
  if (process.argv[2] === "--version") {
    process.stderr.write(`al-provider-${self.type} ${self.version} (protocol ${PROTOCOL})\n`);
    return;
  }
  process.stderr.write(`This is the ${self.name} provider (version ${self.version}, protocol ${PROTOCOL}) for the al gateway.
It is started by al, not by hand: install it with \`al plugin add\`.
`);
  process.exitCode = 1;
}

async function start(provider: UntypedServiceImplementation): Promise<void> {
  leaveWithHost();
  const versions = (process.env["PLUGIN_PROTOCOL_VERSIONS"] ?? PROTOCOL).split(",");
  if (!versions.includes(PROTOCOL)) throw new Error(`the host speaks versions ${versions.join(", ")} of the protocol, and this provider ${PROTOCOL}`);
  const host = process.env["PLUGIN_CLIENT_CERT"];
  if (!host) throw new Error("PLUGIN_CLIENT_CERT is missing: the host has to authenticate itself");

  const limit = Number(process.env["AL_PROVIDER_MAX_BODY_BYTES"] || 32 * 1024 * 1024) + OVERHEAD;
  const server = new Server({
    "grpc.max_receive_message_length": limit,
    "grpc.max_send_message_length": limit,
    "grpc-node.flow_control_window": 8 * 1024 * 1024,
  });
  server.addService(services.provider, provider);
  server.addService(services.health, health);
  server.addService(services.controller, { Shutdown: shutdown(server) });
  server.addService(services.stdio, { StreamStdio: stdio });

  const own = await ownCertificate();
  // The host's certificate is its own authority: nobody else has one it signed.
  const credentials = ServerCredentials.createSsl(Buffer.from(host), [{ private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.pem) }], true);

  const socket = join(process.env["PLUGIN_UNIX_SOCKET_DIR"] || "/tmp", `plugin${randomBytes(6).toString("hex")}`);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, credentials, (error) => (error ? reject(error) : resolve()));
  });
  chmodSync(socket, 0o600);
  process.on("exit", () => rmSync(socket, { force: true }));
  process.on("SIGINT", () => {}); // a terminal's, and meant for the host

  const der = own.der.toString("base64").replace(/=+$/, "");
  process.stdout.write(`1|${PROTOCOL}|unix|${socket}|grpc|${der}\n`);
}

/** A host that was killed can not say goodbye. */
function leaveWithHost(): void {
  const parent = process.ppid;
  const host = Number(process.env["AL_PROVIDER_HOST_PID"] || parent);
  if (parent !== host) process.exit(1); // it was gone before this began
  setInterval(() => {
    if (process.ppid !== parent) process.exit(0);
  }, 1000);
}

const health = {
  Check(call: ServerUnaryCall<{ service: string }, object>, reply: sendUnaryData<object>): void {
    if (call.request.service === "plugin" || call.request.service === "") reply(null, { status: "SERVING" });
    else reply({ code: status.NOT_FOUND, details: "unknown service" });
  },
  Watch(call: ServerWritableStream<{ service: string }, object>): void {
    call.write({ status: call.request.service === "plugin" ? "SERVING" : "SERVICE_UNKNOWN" });
  },
};

/** The answer comes first, then the end; calls in flight are over by then. */
function shutdown(server: Server) {
  return (_: ServerUnaryCall<object, object>, reply: sendUnaryData<object>): void => {
    reply(null, {});
    server.tryShutdown(() => process.exit(0));
    setTimeout(() => process.exit(0), 500);
  };
}

/** Stays open and says nothing: this program writes to its own standard error. */
function stdio(call: ServerWritableStream<object, object>): void {
  call.on("cancelled", () => call.end());
}
