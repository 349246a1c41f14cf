-- What decides when a waiting job may start: its turn among those with its
-- concurrency key, a time, its agent's budget of runs, and whether that is
-- paused. The table jobs is made anew to keep its large columns last.

CREATE TABLE jobs_2 (
  id              INTEGER PRIMARY KEY,
  agent           TEXT NOT NULL,
  trigger         TEXT NOT NULL,
  receipt         TEXT NOT NULL,
  source          TEXT NOT NULL,
  provider        TEXT NOT NULL,
  event           TEXT NOT NULL,
  delivery_id     TEXT NOT NULL,
  key             TEXT NOT NULL,
  state           TEXT NOT NULL,
  attempt         INTEGER NOT NULL,
  crashes         INTEGER NOT NULL,
  failures        INTEGER NOT NULL,
  merged          INTEGER NOT NULL, -- events in job_events
  concurrency_key TEXT NOT NULL,
  blocked         INTEGER NOT NULL, -- 1: another job with the key is before it
  burst           TEXT NOT NULL,    -- group that further events join by; empty when none may
  burst_end       INTEGER,          -- ready_at never goes beyond
  entity          TEXT NOT NULL,    -- what the event is about and who caused it, for loops
  sender          TEXT NOT NULL,
  chain           INTEGER NOT NULL, -- how many events before this one came of the agent's own runs
  queued_at       INTEGER,
  ready_at        INTEGER,          -- not before; NULL once that time has come
  ended_at        INTEGER,
  reason          TEXT NOT NULL,
  sensitive       TEXT NOT NULL,
  codec           INTEGER NOT NULL, -- of the context, as in receipts
  context         BLOB NOT NULL
) STRICT;
INSERT INTO jobs_2
  SELECT id, agent, trigger, receipt, source, provider, event, delivery_id, key, state, attempt, crashes, 0, 0, '', 0,
    '', NULL, '', '', 0, queued_at, NULL, ended_at, reason, sensitive, codec, context
  FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_2 RENAME TO jobs;

-- What a repeat of a job collides with.
CREATE UNIQUE INDEX jobs_by_key ON jobs (agent, source, key)
  WHERE key <> '' AND state IN ('waiting', 'running', 'done');
-- The queues, and of these the jobs that could start.
CREATE INDEX jobs_waiting ON jobs (agent, id) WHERE state = 'waiting';
CREATE INDEX jobs_ready ON jobs (agent, id) WHERE state = 'waiting' AND blocked = 0 AND ready_at IS NULL;
CREATE INDEX jobs_timed ON jobs (ready_at) WHERE state = 'waiting' AND ready_at IS NOT NULL;
CREATE INDEX jobs_in_line ON jobs (agent, concurrency_key, id)
  WHERE concurrency_key <> '' AND state IN ('waiting', 'running');
CREATE UNIQUE INDEX jobs_by_burst ON jobs (agent, burst) WHERE burst <> '';
CREATE INDEX jobs_by_entity ON jobs (agent, entity, sender, id) WHERE entity <> '';
-- Lists, and what Prune looks for.
CREATE INDEX jobs_by_agent ON jobs (agent, id);
CREATE INDEX jobs_by_state ON jobs (state, id) WHERE state <> 'waiting';
CREATE INDEX jobs_by_receipt ON jobs (receipt) WHERE receipt <> '';
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- Events of a job after its first.
CREATE TABLE job_events (
  job         INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  agent       TEXT NOT NULL,
  receipt     TEXT NOT NULL,
  source      TEXT NOT NULL,
  provider    TEXT NOT NULL,
  event       TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  key         TEXT NOT NULL,
  sensitive   TEXT NOT NULL,
  codec       INTEGER NOT NULL,
  context     BLOB NOT NULL,
  UNIQUE (job, seq)
) STRICT;
CREATE INDEX job_events_by_key ON job_events (agent, source, key) WHERE key <> '';
CREATE INDEX job_events_by_receipt ON job_events (receipt) WHERE receipt <> '';

-- Why a run is to end, and empty while it need not.
ALTER TABLE runs ADD COLUMN cancel TEXT NOT NULL DEFAULT '';

DROP INDEX queues_ready;
ALTER TABLE queues ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN paused_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE queues ADD COLUMN resumed_after INTEGER NOT NULL DEFAULT 0; -- job id: loops are counted from later ones
ALTER TABLE queues ADD COLUMN per_hour INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN per_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN drop_beyond INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN closed_until INTEGER; -- the budget is used up; NULL while it is not
ALTER TABLE queues ADD COLUMN last_tick INTEGER;
-- head is the oldest job that could start now, not the oldest that waits.
CREATE INDEX queues_ready ON queues (head)
  WHERE head IS NOT NULL AND running < scale AND paused = 0 AND closed_until IS NULL;
CREATE INDEX queues_closed ON queues (closed_until) WHERE closed_until IS NOT NULL;

ALTER TABLE totals ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN paused_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE totals ADD COLUMN per_hour INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN per_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN closed_until INTEGER;
