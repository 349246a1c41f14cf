// The messages of actionllama.provider.v1, as the generated code of proto-loader
// hands them over: every field is there, bytes are Buffers, what is optional is
// null when it is absent. proto/provider.proto says what each one means.

export interface Timestamp {
  seconds: number | string;
  nanos: number;
}

export interface Header {
  name: string;
  values: Buffer[];
}

export interface Request {
  method: string;
  path: string;
  query: string;
  headers: Header[];
  body: Buffer;
  received_at: Timestamp | null;
}

export interface Secret {
  source: string;
  instance: string;
  fields: Record<string, string>;
}

export interface Event {
  delivery_id?: string;
  name: string;
  timestamp?: Timestamp;
  attributes?: { name: string; values: string[] }[];
  extra_json?: Buffer;
}

export interface DeliverRequest {
  request: Request;
  secrets: Secret[];
  allow_unsigned: boolean;
}

export interface SampleRequest {
  name: string;
  body?: Buffer;
  secret: Secret | null;
  sent_at: Timestamp | null;
  unique: string;
}
