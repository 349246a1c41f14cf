// Lines as the host's log understands them: hclog's JSON, on standard error.
// Standard output belongs to the handshake. Never log a body, a header or a
// secret.

type Level = "debug" | "info" | "warn" | "error";

export function log(level: Level, message: string, fields: Record<string, string | number> = {}): void {
  const line = { "@level": level, "@message": message, "@timestamp": new Date().toISOString(), ...fields };
  process.stderr.write(JSON.stringify(line) + "\n");
}
