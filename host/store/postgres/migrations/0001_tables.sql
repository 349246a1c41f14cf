-- +goose Up

-- Times are Unix nanoseconds in UTC, NULL for none, as in a SQLite store: what is copied from one to the other stays
-- exact. Lists of strings are JSON, empty for none. Text that PostgreSQL can not hold is stored in the form that
-- text.go describes. Ids and names are compared byte by byte, whatever the database's language is.

-- One row: what holds for all agents together. How many runs are under way is counted from runs, so that no two
-- agents' runs ever wait for this row to end.
CREATE TABLE project (
  id            integer PRIMARY KEY CHECK (id = 1),
  scale         bigint NOT NULL DEFAULT 0, -- 0 for no limit
  per_hour      bigint NOT NULL DEFAULT 0,
  per_day       bigint NOT NULL DEFAULT 0,
  paused        boolean NOT NULL DEFAULT false,
  paused_reason text NOT NULL DEFAULT '',
  closed_until  bigint,                    -- the budget is used up; NULL while it is not
  copying       boolean NOT NULL DEFAULT false -- something is being copied into this schema, and is not whole
);
INSERT INTO project (id) VALUES (1);

-- Bytes of all receipts, in parts: whoever writes adds to one of them, so that hosts do not wait for each other.
CREATE TABLE receipt_bytes (
  part  integer PRIMARY KEY,
  bytes bigint NOT NULL
);

CREATE TABLE receipts (
  id          text COLLATE "C" PRIMARY KEY,
  provider    text COLLATE "C" NOT NULL,
  sources     text COLLATE "C" NOT NULL,
  delivery_id text NOT NULL,
  received_at bigint NOT NULL,
  method      text NOT NULL,
  path        text NOT NULL,
  query       text NOT NULL,
  outcome     text COLLATE "C" NOT NULL,
  reason      text NOT NULL,
  event       text NOT NULL, -- its first, "issues.labeled"
  events      bigint NOT NULL,
  matched     bigint NOT NULL,
  replay_of   text COLLATE "C" NOT NULL, -- id of another; empty for what a vendor sent
  size        bigint NOT NULL, -- bytes of header and body as stored
  codec       smallint NOT NULL, -- of the body: 0 as it came, 1 S2
  header      text NOT NULL,   -- JSON
  body        bytea NOT NULL
);
ALTER TABLE receipts ALTER COLUMN body SET STORAGE EXTERNAL; -- is compressed already
CREATE INDEX receipts_by_age ON receipts (received_at);
CREATE INDEX receipts_by_provider ON receipts (provider, id);
-- Most deliveries are queued, and whoever looks for others has few to pass.
CREATE INDEX receipts_by_outcome ON receipts (outcome, id) WHERE outcome <> 'queued';
CREATE INDEX receipts_by_replay ON receipts (replay_of) WHERE replay_of <> '';

CREATE SEQUENCE job_ids;

CREATE TABLE jobs (
  id              bigint PRIMARY KEY, -- of job_ids; rises within an agent in the order of commits
  agent           text COLLATE "C" NOT NULL,
  trigger         text NOT NULL,
  receipt         text COLLATE "C" NOT NULL,
  source          text COLLATE "C" NOT NULL,
  provider        text NOT NULL,
  event           text NOT NULL,
  delivery_id     text NOT NULL,
  key             text COLLATE "C" NOT NULL,
  state           text COLLATE "C" NOT NULL,
  attempt         bigint NOT NULL,
  crashes         bigint NOT NULL,
  failures        bigint NOT NULL,
  merged          bigint NOT NULL, -- events in job_events
  concurrency_key text COLLATE "C" NOT NULL,
  blocked         boolean NOT NULL, -- another job with the key is before it
  burst           text COLLATE "C" NOT NULL, -- group that further events join by; empty when none may
  burst_end       bigint,           -- ready_at never goes beyond
  entity          text COLLATE "C" NOT NULL, -- what the event is about and who caused it, for loops
  sender          text COLLATE "C" NOT NULL,
  chain           bigint NOT NULL,  -- how many events before this one came of the agent's own runs
  queued_at       bigint,
  ready_at        bigint,           -- not before; NULL once that time has come
  ended_at        bigint,
  reason          text NOT NULL,
  sensitive       text NOT NULL,
  codec           smallint NOT NULL, -- of the context, as in receipts
  context         bytea NOT NULL
) WITH (fillfactor = 80);
ALTER TABLE jobs ALTER COLUMN context SET STORAGE EXTERNAL;
-- What a repeat of a job collides with.
CREATE UNIQUE INDEX jobs_by_key ON jobs (agent, source, key) WHERE key <> '' AND state IN ('waiting', 'running', 'done');
-- The queues, and of these the jobs that could start.
CREATE INDEX jobs_waiting ON jobs (agent, id) WHERE state = 'waiting';
CREATE INDEX jobs_ready ON jobs (agent, id) WHERE state = 'waiting' AND NOT blocked AND ready_at IS NULL;
CREATE INDEX jobs_timed ON jobs (ready_at) WHERE state = 'waiting' AND ready_at IS NOT NULL;
CREATE INDEX jobs_in_line ON jobs (agent, concurrency_key, id) WHERE concurrency_key <> '' AND state IN ('waiting', 'running');
CREATE UNIQUE INDEX jobs_by_burst ON jobs (agent, burst) WHERE burst <> '';
CREATE INDEX jobs_by_entity ON jobs (agent, entity, sender, id) WHERE entity <> '';
-- Lists, and what is to be pruned.
CREATE INDEX jobs_by_agent ON jobs (agent, id);
CREATE INDEX jobs_by_state ON jobs (state, id) WHERE state <> 'waiting';
CREATE INDEX jobs_by_receipt ON jobs (receipt) WHERE receipt <> '';
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- Events of a job after its first.
CREATE TABLE job_events (
  job         bigint NOT NULL,
  seq         bigint NOT NULL,
  agent       text COLLATE "C" NOT NULL,
  receipt     text COLLATE "C" NOT NULL,
  source      text COLLATE "C" NOT NULL,
  provider    text NOT NULL,
  event       text NOT NULL,
  delivery_id text NOT NULL,
  key         text COLLATE "C" NOT NULL,
  sensitive   text NOT NULL,
  codec       smallint NOT NULL,
  context     bytea NOT NULL,
  PRIMARY KEY (job, seq)
);
ALTER TABLE job_events ALTER COLUMN context SET STORAGE EXTERNAL;
CREATE INDEX job_events_by_key ON job_events (agent, source, key) WHERE key <> '';
CREATE INDEX job_events_by_receipt ON job_events (receipt) WHERE receipt <> '';

CREATE TABLE runs (
  id          text COLLATE "C" PRIMARY KEY,
  job         bigint NOT NULL,
  agent       text COLLATE "C" NOT NULL,
  trigger     text NOT NULL,
  attempt     bigint NOT NULL,
  host        text NOT NULL,
  started_at  bigint,
  ended_at    bigint,
  state       text COLLATE "C" NOT NULL,
  exit_code   bigint NOT NULL,
  reason      text NOT NULL,
  lease_until bigint
) WITH (fillfactor = 80);
CREATE INDEX runs_by_job ON runs (job);
CREATE INDEX runs_by_agent ON runs (agent, id);
-- Budgets and tallies go by the database's clock; ids are by the clocks of hosts.
CREATE INDEX runs_by_start ON runs (started_at);
CREATE INDEX runs_by_agent_start ON runs (agent, started_at);
CREATE INDEX runs_under_way ON runs (lease_until) WHERE state = 'running';

-- Why runs are to end. Beside runs, so that who asks for an end and who renews a lease never wait for each other.
CREATE TABLE run_cancels (
  run    text COLLATE "C" PRIMARY KEY,
  reason text NOT NULL
);

-- A row for each agent, which whoever changes its jobs holds a lock on: all that is decided about an agent is decided
-- one after the other, and agents do not wait for each other. Rows are small and change all the time.
CREATE TABLE queues (
  agent         text COLLATE "C" PRIMARY KEY,
  hidden        boolean NOT NULL DEFAULT true, -- made to be locked: nothing is known of the agent yet
  scale         bigint NOT NULL DEFAULT 0,
  capacity      bigint NOT NULL DEFAULT 100,
  waiting       bigint NOT NULL DEFAULT 0,
  running       bigint NOT NULL DEFAULT 0,
  dropped       bigint NOT NULL DEFAULT 0,
  head          bigint,                    -- the oldest job that could start now
  paused        boolean NOT NULL DEFAULT false,
  paused_reason text NOT NULL DEFAULT '',
  resumed_after bigint NOT NULL DEFAULT 0, -- job id: loops are counted from later ones
  per_hour      bigint NOT NULL DEFAULT 0,
  per_day       bigint NOT NULL DEFAULT 0,
  drop_beyond   boolean NOT NULL DEFAULT false,
  closed_until  bigint,                    -- the budget is used up; NULL while it is not
  last_tick     bigint,
  runs_on       text[] NOT NULL DEFAULT '{}' -- labels that a host must have
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- The agents that could start a run now, the longest waiting job first.
CREATE INDEX queues_ready ON queues (head)
  WHERE head IS NOT NULL AND running < scale AND NOT paused AND closed_until IS NULL;
CREATE INDEX queues_closed ON queues (closed_until) WHERE closed_until IS NOT NULL;
