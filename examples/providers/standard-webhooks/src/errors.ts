// The kinds of failure that the host acts on, each a gRPC status code. Every
// other error is INTERNAL: a fault of the provider, for which the sender is
// answered 503. A message quotes neither a body nor a secret.
import { status } from "@grpc/grpc-js";

export class Failure extends Error {
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

/** Nobody's signature: missing, doubled, malformed or wrong. 401. */
export const badSignature = (why: string) => new Failure(status.UNAUTHENTICATED, `bad signature: ${why}`);

/** The signature holds, and its time is too far from the time of receipt. 401. */
export const stale = (why: string) => new Failure(status.OUT_OF_RANGE, `signed timestamp is outside the tolerance: ${why}`);

/** Signed, and not what the sender documents. 400, and a dead letter. */
export const unparseable = (why: string) => new Failure(status.INVALID_ARGUMENT, `unparseable: ${why}`);

/** A secret that can not be used. 503, and the operator has to act. */
export const unusableCredential = (why: string) => new Failure(status.FAILED_PRECONDITION, `unusable credential: ${why}`);

/** There is no sample of that name. */
export const noSample = (name: string) => new Failure(status.NOT_FOUND, `no such sample: ${JSON.stringify(name)}`);
