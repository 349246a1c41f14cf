// The calls of actionllama.provider.v1.ProviderService, on top of provider.ts:
// what is asked, what is answered, and which status a failure has.
import { Metadata, status, type sendUnaryData, type ServerUnaryCall, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { badSignature, Failure } from "./errors";
import { log } from "./log";
import type { DeliverRequest, Event, Request, SampleRequest, Secret } from "./messages";
import { encodeStatus, type Detail } from "./proto";
import { descriptor, parse, sample } from "./provider";
import { signed, verify } from "./signature";

interface Deliver {
  which: number[];
  unsigned: boolean;
  events: Event[];
}

/** Verify, then (for whoever has handshakes) Challenge, then Parse. */
function deliver(call: DeliverRequest, proved: Detail): Deliver {
  if (call.allow_unsigned && !signed(call.request)) {
    proved.unsigned = true;
  } else {
    proved.which = verify(call.request, call.secrets);
    if (proved.which.length === 0) throw badSignature("unsigned, and not a handshake");
  }
  return { ...proved, events: parse(call.request).map(wellFormed) };
}

/** Protobuf refuses a whole message for half of a surrogate pair. */
function wellFormed(event: Event): Event {
  return {
    ...event,
    name: cut(event.name),
    delivery_id: cut(event.delivery_id ?? ""),
    attributes: event.attributes?.map((a) => ({ name: a.name, values: a.values.map(cut) })),
  };
}

/** Names are short; 1,000 characters are beyond any sender's own. */
function cut(text: string): string {
  const whole = (text as string & { toWellFormed(): string }).toWellFormed();
  if (whole.length <= 1000) return whole;
  const characters = [...whole];
  return characters.length <= 1000 ? whole : characters.slice(0, 1000).join("") + "...";
}

/** A call and its answer; a failure becomes a status, with what was proved until then. */
function unary<In, Out>(answer: (request: In, proved: Detail) => Out) {
  return (call: ServerUnaryCall<In, Out>, reply: sendUnaryData<Out>): void => {
    const proved: Detail = { which: [], unsigned: false };
    try {
      reply(null, answer(call.request, proved));
    } catch (error) {
      const failure = failureOf(error);
      const metadata = new Metadata();
      if (failure.code === status.INVALID_ARGUMENT) {
        metadata.set("grpc-status-details-bin", encodeStatus(failure.code, failure.message, proved));
      }
      reply({ code: failure.code, details: failure.message, metadata });
    }
  };
}

/** Only what provider.ts says on purpose is told: other messages may quote a body. */
function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const kind = error instanceof Error ? error.name : typeof error;
  log("error", "a call failed", { kind });
  return new Failure(status.INTERNAL, `the provider failed: ${kind}`);
}

export const providerService: UntypedServiceImplementation = {
  Describe: unary(() => ({ descriptor })),
  Verify: unary((call: { request: Request; secrets: Secret[] }) => ({ which: verify(call.request, call.secrets) })),
  Challenge: unary(() => ({})), // there are no handshakes
  Parse: unary((call: { request: Request }) => ({ events: parse(call.request).map(wellFormed) })),
  Deliver: unary(deliver),
  Sample: unary((call: SampleRequest) => ({ request: sample(call) })),
};
