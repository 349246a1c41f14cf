// How Standard Webhooks are signed: an HMAC-SHA256 of id, time and body, joined
// by dots.
import { createHmac, timingSafeEqual } from "node:crypto";
import { badSignature, stale, unusableCredential } from "./errors";
import type { Header, Request, Secret } from "./messages";

export const ID = "Webhook-Id";
export const TIMESTAMP = "Webhook-Timestamp";
export const SIGNATURE = "Webhook-Signature";

/** What the libraries of Standard Webhooks allow, in seconds. */
const TOLERANCE = 5 * 60;

/** A sender offers a signature for each live secret, two during a rotation. */
const MAX_SIGNATURES = 10;

/** Which of the secrets signed the request, as indexes. */
export function verify(request: Request, secrets: Secret[]): number[] {
  const id = signedHeader(request.headers, ID);
  const timestamp = signedHeader(request.headers, TIMESTAMP);
  const offered = signaturesIn(signedHeader(request.headers, SIGNATURE).toString("latin1"));

  const which: number[] = [];
  let unusable = "";
  let usable = 0;
  secrets.forEach((secret, i) => {
    const key = keyOf(secret.fields["secret"] ?? "");
    if (key === null) {
      unusable = `source ${JSON.stringify(secret.source)}, credential ${JSON.stringify(secret.instance)}: the field "secret" is empty or not base64`;
      return;
    }
    usable++;
    // Every secret and every signature is compared, each in constant time.
    const own = createHmac("sha256", key).update(id).update(".").update(timestamp).update(".").update(request.body).digest();
    let fits = false;
    for (const signature of offered) {
      fits = (signature.length === own.length && timingSafeEqual(signature, own)) || fits;
    }
    if (fits) which.push(i);
  });
  if (which.length === 0 && usable === 0 && unusable !== "") throw unusableCredential(unusable);
  if (which.length === 0) throw badSignature(`none of ${secrets.length} secrets fits`);

  // The time is the sender's only once the signature holds.
  checkTime(timestamp.toString("latin1"), Number(request.received_at?.seconds ?? 0));
  return which;
}

/** One value of a header that is signed; names of headers have no case. */
function signedHeader(headers: Header[], name: string): Buffer {
  const values = valuesOf(headers, name);
  const [value] = values;
  if (values.length !== 1 || value === undefined || value.length === 0) {
    throw badSignature(`header ${name} comes ${values.length} times, or is empty`);
  }
  return value;
}

/** The values of a header, whatever the case of its name. */
export function valuesOf(headers: Header[], name: string): Buffer[] {
  return headers.filter((h) => h.name.toLowerCase() === name.toLowerCase()).flatMap((h) => h.values);
}

function signaturesIn(list: string): Buffer[] {
  const signatures: Buffer[] = [];
  for (const item of list.split(" ")) {
    if (!item.startsWith("v1,")) continue; // of another version
    const signature = base64(item.slice("v1,".length));
    if (signature === null || signatures.length === MAX_SIGNATURES) {
      throw badSignature(`header ${SIGNATURE} has an item that is not base64, or too many of them`);
    }
    signatures.push(signature);
  }
  if (signatures.length === 0) throw badSignature(`header ${SIGNATURE} has no item of version 1`);
  return signatures;
}

/** Node passes over what is no base64; a signature may not. */
function base64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}

function keyOf(secret: string): Buffer | null {
  const key = base64(secret.startsWith("whsec_") ? secret.slice("whsec_".length) : secret);
  return key === null || key.length === 0 ? null : key;
}

function checkTime(signed: string, receivedAt: number): void {
  if (!/^[0-9]{1,12}$/.test(signed)) throw badSignature("the signed timestamp is not a number of seconds");
  const off = Math.abs(receivedAt - Number(signed));
  if (off > TOLERANCE) throw stale(`off by ${off} s, allowed are ${TOLERANCE} s`);
}

/** Whether a request carries a signature, right or wrong. */
export function signed(request: Request): boolean {
  return valuesOf(request.headers, SIGNATURE).length > 0;
}

/** The signature that a sender makes. */
export function sign(secret: Secret, id: string, seconds: number, body: Buffer): string {
  const key = keyOf(secret.fields["secret"] ?? "");
  if (key === null) throw unusableCredential('the field "secret" is empty or not base64');
  return "v1," + createHmac("sha256", key).update(`${id}.${seconds}.`).update(body).digest("base64");
}
