// The protocol's definitions, parsed when the program starts: nothing is
// generated, and nothing has to lie beside the program.
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import * as protobuf from "protobufjs";
import health from "../proto/health.proto";
import plugin from "../proto/plugin.proto";
import provider from "../proto/provider.proto";
import status from "../proto/status.proto";

const root = new protobuf.Root();
for (const file of ["any", "duration", "timestamp"]) {
  const common = protobuf.common.get(`google/protobuf/${file}.proto`);
  if (common?.nested !== undefined) root.addJSON(common.nested);
}
for (const text of [provider, health, plugin, status]) protobuf.parse(text, root, { keepCase: true });
root.resolveAll();

const packages = loadPackageDefinition(
  fromJSON(root.toJSON({ keepComments: false }), {
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  }),
);

function service(...path: string[]): ServiceDefinition {
  let here: GrpcObject[string] | undefined = packages;
  for (const name of path) here = (here as GrpcObject)[name];
  return (here as ServiceClientConstructor).service;
}

export const services = {
  provider: service("actionllama", "provider", "v1", "ProviderService"),
  health: service("grpc", "health", "v1", "Health"),
  controller: service("plugin", "GRPCController"),
  stdio: service("plugin", "GRPCStdio"),
};

/** What Deliver had found out before it failed. */
export interface Detail {
  which: number[];
  unsigned: boolean;
}

/** The status of a failed Deliver, with a DeliverFailure in its details. */
export function encodeStatus(code: number, message: string, detail: Detail): Buffer {
  const name = "actionllama.provider.v1.DeliverFailure";
  const value = root.lookupType(name).encode(detail).finish();
  const details = [{ type_url: `type.googleapis.com/${name}`, value }];
  return Buffer.from(root.lookupType("google.rpc.Status").encode({ code, message, details }).finish());
}
