// What Standard Webhooks is and what it sends. How it signs is in signature.ts; nothing
// here knows about gRPC.
import { createHash } from "node:crypto";
import { noSample, unparseable } from "./errors";
import { memberOf } from "./json";
import type { Event, Request, SampleRequest } from "./messages";
import { ID, SIGNATURE, sign, TIMESTAMP, valuesOf } from "./signature";

/** The data of an event reaches the agent up to this size, in bytes. */
const MAX_DATA = 64 * 1024;

/** And this deep: decoders of JSON have limits. */
const MAX_DEPTH = 100;

export const descriptor = {
  type: "standardwebhooks",
  name: "Standard Webhooks",
  version: VERSION,
  docs_url: "https://www.standardwebhooks.com/",
  credential: {
    type: "standardwebhooks_secret",
    fields: [
      {
        name: "secret",
        label: "Signing secret",
        secret: true,
        help: "Shown where Standard Webhooks lets you add a webhook; it begins with whsec_.",
        pattern: "(whsec_)?[A-Za-z0-9+/]+={0,2}",
      },
    ],
  },
  signature_headers: [SIGNATURE],
  delivery_id_header: ID,
  filters: [
    {
      name: "events",
      kind: "FILTER_KIND_STRING_LIST",
      attribute: "event",
      help: "types of events, for example order.created",
      match_case: true,
    },
  ],
  reply_deadline: { seconds: 15, nanos: 0 },
  setup: "At Standard Webhooks, add a webhook with the address {url}, and copy its signing secret.",
  example: [{ name: "events", values: ["order.created"] }],
  challenges: false,
  samples: [
    { name: "order.created", help: "Ada orders two lamps." },
    { name: "ping", help: "The webhook was added." },
  ],
};

/** The events of a request: one, of the type that its body names. */
export function parse(request: Request): Event[] {
  const body = decoded(request.body);
  const payload = parsed(body);
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    throw unparseable("the body is not a JSON object");
  }
  const { type, timestamp } = payload as { type?: unknown; timestamp?: unknown };
  if (typeof type !== "string" || type === "") throw unparseable('"type" is missing, or no text');

  const event: Event = { name: type, attributes: [{ name: "event", values: [type] }] };
  const ids = valuesOf(request.headers, ID);
  if (ids.length > 1) throw unparseable(`header ${ID} comes ${ids.length} times`);
  if (ids[0] !== undefined) event.delivery_id = ids[0].toString("utf8");
  const millis = typeof timestamp === "string" ? Date.parse(timestamp) : NaN;
  if (!Number.isNaN(millis) && millis > Date.UTC(1, 0) && millis < Date.UTC(9999, 0)) {
    event.timestamp = { seconds: Math.floor(millis / 1000), nanos: (((millis % 1000) + 1000) % 1000) * 1e6 };
  }
  // As it came, since numbers beyond 2^53 are not what JSON.parse makes of them.
  const data = memberOf(body, "data", MAX_DEPTH);
  if (data !== null && data !== "null" && Buffer.byteLength(data) <= MAX_DATA) {
    event.extra_json = Buffer.from(`{"data":${data}}`);
  }
  return [event];
}

function decoded(body: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw unparseable("the body is not UTF-8");
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw unparseable("the body is not JSON"); // the reason would quote it
  }
}

const samples: Record<string, (at: string, id: string) => object> = {
  "order.created": (at, id) => ({ type: "order.created", timestamp: at, data: { order: id, total: 42, customer: "Ada" } }),
  ping: (at) => ({ type: "ping", timestamp: at }),
};

/** A request as Standard Webhooks makes it. What is asked for alone decides what comes out. */
export function sample(ask: SampleRequest): Partial<Request> {
  const seconds = Number(ask.sent_at?.seconds ?? 0);
  const unique = createHash("sha256").update(ask.unique).digest("hex").slice(0, 24);
  let body = ask.body;
  if (body === undefined) {
    const make = Object.hasOwn(samples, ask.name) ? samples[ask.name] : undefined;
    if (make === undefined) throw noSample(ask.name);
    body = Buffer.from(JSON.stringify(make(new Date(seconds * 1000).toISOString(), `A-${unique.slice(0, 6)}`)));
  }
  const id = `msg_${unique}`;
  const headers: Record<string, string> = { "Content-Type": "application/json", [ID]: id, [TIMESTAMP]: String(seconds) };
  if (ask.secret !== null) headers[SIGNATURE] = sign(ask.secret, id, seconds, body);
  return {
    method: "POST",
    headers: Object.entries(headers).map(([name, value]) => ({ name, values: [Buffer.from(value)] })),
    body,
  };
}
