-- Times are Unix nanoseconds in UTC, NULL for none. Lists of strings are JSON,
-- empty for none. Large columns come last: SQLite then reads the others
-- without following the pages that a large value overflows to.

-- One row. What would otherwise have to be counted.
CREATE TABLE totals (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  scale         INTEGER NOT NULL, -- of the project; 0 for no limit
  running       INTEGER NOT NULL, -- sum of queues.running
  last_job      INTEGER NOT NULL, -- highest job id ever given: ids are not reused after pruning
  receipt_bytes INTEGER NOT NULL  -- sum of receipts.size
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0);

CREATE TABLE receipts (
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
  events      INTEGER NOT NULL,
  matched     INTEGER NOT NULL,
  size        INTEGER NOT NULL, -- bytes of header and body as stored
  codec       INTEGER NOT NULL, -- of the body: 0 as it came, 1 S2
  header      TEXT NOT NULL,    -- JSON
  body        BLOB NOT NULL
) STRICT;
CREATE INDEX receipts_by_age ON receipts (received_at);

CREATE TABLE jobs (
  id          INTEGER PRIMARY KEY,
  agent       TEXT NOT NULL,
  trigger     TEXT NOT NULL,
  receipt     TEXT NOT NULL,
  source      TEXT NOT NULL,
  provider    TEXT NOT NULL,
  event       TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  key         TEXT NOT NULL,
  state       TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  crashes     INTEGER NOT NULL,
  queued_at   INTEGER,
  ended_at    INTEGER,
  reason      TEXT NOT NULL,
  sensitive   TEXT NOT NULL,
  codec       INTEGER NOT NULL, -- of the context, as in receipts
  context     BLOB NOT NULL
) STRICT;
-- What a repeat of a job collides with.
CREATE UNIQUE INDEX jobs_by_key ON jobs (agent, source, key)
  WHERE key <> '' AND state IN ('waiting', 'running', 'done');
-- The queues.
CREATE INDEX jobs_waiting ON jobs (agent, id) WHERE state = 'waiting';
-- Lists, and what Prune looks for.
CREATE INDEX jobs_by_agent ON jobs (agent, id);
CREATE INDEX jobs_by_state ON jobs (state, id) WHERE state <> 'waiting';
CREATE INDEX jobs_by_receipt ON jobs (receipt) WHERE receipt <> '';
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE runs (
  id          TEXT PRIMARY KEY,
  job         INTEGER NOT NULL,
  agent       TEXT NOT NULL,
  trigger     TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  host        TEXT NOT NULL,
  started_at  INTEGER,
  ended_at    INTEGER,
  state       TEXT NOT NULL,
  exit_code   INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  lease_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_job ON runs (job);
CREATE INDEX runs_by_agent ON runs (agent, id);
CREATE INDEX runs_under_way ON runs (lease_until) WHERE state = 'running';

CREATE TABLE queues (
  agent    TEXT PRIMARY KEY,
  scale    INTEGER NOT NULL,
  capacity INTEGER NOT NULL,
  waiting  INTEGER NOT NULL,
  running  INTEGER NOT NULL,
  dropped  INTEGER NOT NULL,
  head     INTEGER           -- id of the oldest waiting job, NULL when none waits
) STRICT, WITHOUT ROWID;
-- The agents that could start a run now, the longest waiting job first.
CREATE INDEX queues_ready ON queues (head) WHERE waiting > 0 AND running < scale;
