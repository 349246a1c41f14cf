-- What lists of deliveries show and are narrowed by. The table is made anew to
-- keep its large columns last.
CREATE TABLE receipts_2 (
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  provider    TEXT NOT NULL,
  sources     TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  method      TEXT NOT NULL,
  path        TEXT NOT NULL,
  query       TEXT NOT NULL,
  outcome     TEXT NOT NULL,
  reason      TEXT NOT NULL,
  event       TEXT NOT NULL, -- its first, "issues.labeled"
  events      INTEGER NOT NULL,
  matched     INTEGER NOT NULL,
  replay_of   TEXT NOT NULL, -- id of another; empty for what a vendor sent
  size        INTEGER NOT NULL, -- bytes of header and body as stored
  codec       INTEGER NOT NULL, -- of the body: 0 as it came, 1 S2
  header      TEXT NOT NULL,    -- JSON
  body        BLOB NOT NULL
) STRICT;
INSERT INTO receipts_2
  SELECT seq, id, provider, sources, delivery_id, received_at, method, path, query, outcome, reason, '', events, matched, '',
    size, codec, header, body
  FROM receipts;
DROP TABLE receipts;
ALTER TABLE receipts_2 RENAME TO receipts;
CREATE INDEX receipts_by_age ON receipts (received_at);
CREATE INDEX receipts_by_provider ON receipts (provider, id);
-- Most deliveries are queued, and whoever looks for those has few others to pass.
CREATE INDEX receipts_by_outcome ON receipts (outcome, id) WHERE outcome <> 'queued';
