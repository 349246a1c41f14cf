-- +goose Up

-- al_claim starts a run of the job that has waited longest among the agents below their limits.
--
-- Where agents share something, the scale of the project or its budget, claims are made one after the other: who is
-- next, and whether there is room, is then a question with one answer. Else they are made side by side, and pass over
-- agents that somebody else is busy with, unless these are all there is.
--
-- due says that something waits whose time has come: al_let_go comes first.
-- +goose StatementBegin
CREATE FUNCTION al_claim(p_host text, p_at bigint, p_lease bigint, p_run text, p_labels text[], OUT due boolean, OUT claimed bigint)
LANGUAGE plpgsql AS $$
DECLARE
  -- Of this schema: several projects may share a database.
  v_lock CONSTANT integer := 'project'::regclass::oid::bigint::bit(32)::integer;
  v_class CONSTANT integer := 1634497377;
  v_at bigint;
  v_project project%ROWTYPE;
  v_shared boolean;
  q queues%ROWTYPE;
  v_attempt bigint;
  v_trigger text;
BEGIN
  due := false;
  v_at := coalesce(p_at, al_now());
  IF EXISTS (SELECT 1 FROM jobs WHERE state = 'waiting' AND ready_at IS NOT NULL AND ready_at <= v_at)
      OR EXISTS (SELECT 1 FROM queues WHERE closed_until IS NOT NULL AND closed_until <= v_at)
      OR EXISTS (SELECT 1 FROM project WHERE closed_until <= v_at) THEN
    due := true;
    RETURN;
  END IF;

  SELECT * INTO STRICT v_project FROM project;
  v_shared := v_project.scale > 0 OR v_project.per_hour > 0 OR v_project.per_day > 0;
  IF v_shared THEN
    PERFORM pg_advisory_xact_lock(v_class, v_lock);
  ELSE
    PERFORM pg_advisory_xact_lock_shared(v_class, v_lock);
  END IF;
  -- Limits are set under the same lock, and may be others by now. Who then finds a shared limit has the lesser lock,
  -- and leaves the job to the next claim.
  SELECT * INTO STRICT v_project FROM project;
  IF v_project.paused OR v_project.closed_until IS NOT NULL THEN
    RETURN;
  END IF;
  IF NOT v_shared AND (v_project.scale > 0 OR v_project.per_hour > 0 OR v_project.per_day > 0) THEN
    due := true;
    RETURN;
  END IF;
  IF v_project.scale > 0 AND (SELECT count(*) FROM runs WHERE state = 'running') >= v_project.scale THEN
    RETURN;
  END IF;

  IF NOT v_shared THEN
    SELECT * INTO q FROM queues
      WHERE head IS NOT NULL AND running < scale AND NOT paused AND closed_until IS NULL AND runs_on <@ p_labels
      ORDER BY head LIMIT 1 FOR UPDATE SKIP LOCKED;
  END IF;
  WHILE q.agent IS NULL LOOP
    -- What was the first may not be eligible any more when its lock comes free.
    SELECT * INTO q FROM queues
      WHERE head IS NOT NULL AND running < scale AND NOT paused AND closed_until IS NULL AND runs_on <@ p_labels
      ORDER BY head LIMIT 1 FOR UPDATE;
    IF q.agent IS NULL AND NOT EXISTS (SELECT 1 FROM queues
        WHERE head IS NOT NULL AND running < scale AND NOT paused AND closed_until IS NULL AND runs_on <@ p_labels) THEN
      RETURN;
    END IF;
  END LOOP;

  v_at := coalesce(p_at, al_now()); -- waiting for locks takes time
  UPDATE jobs SET state = 'running', attempt = attempt + 1 WHERE id = q.head
    RETURNING id, attempt, trigger INTO STRICT claimed, v_attempt, v_trigger;
  INSERT INTO runs (id, job, agent, trigger, attempt, host, started_at, state, exit_code, reason, lease_until)
    VALUES (p_run, claimed, q.agent, v_trigger, v_attempt, p_host, v_at, 'running', 0, '', v_at + p_lease);
  UPDATE queues SET waiting = q.waiting - 1, running = q.running + 1, head = al_head(q.agent, q.head),
      closed_until = al_closes(q.agent, q.per_hour, q.per_day, 0, v_at)
    WHERE agent = q.agent;
  IF v_project.per_hour > 0 OR v_project.per_day > 0 THEN
    UPDATE project SET closed_until = al_closes(NULL, per_hour, per_day, 0, v_at);
  END IF;
END $$;
-- +goose StatementEnd

-- al_let_go makes the jobs ready whose time has come, and opens the budgets that have room again.
-- +goose StatementBegin
CREATE FUNCTION al_let_go(p_at bigint, p_limit bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_at bigint := coalesce(p_at, al_now());
  v_agents text[];
  v_job record;
BEGIN
  SELECT coalesce(array_agg(DISTINCT agent), '{}') INTO v_agents FROM (
    SELECT agent FROM (SELECT agent FROM jobs WHERE state = 'waiting' AND ready_at IS NOT NULL AND ready_at <= v_at
      ORDER BY ready_at LIMIT p_limit) AS timed
    UNION SELECT agent FROM (SELECT agent FROM queues WHERE closed_until IS NOT NULL AND closed_until <= v_at
      ORDER BY closed_until LIMIT p_limit) AS closed) AS due;
  PERFORM al_lock(v_agents, '{}', '{}', '{}');
  FOR v_job IN
    UPDATE jobs SET ready_at = NULL, burst = '', burst_end = NULL
      WHERE state = 'waiting' AND ready_at IS NOT NULL AND ready_at <= v_at AND agent = ANY (v_agents)
      RETURNING id, agent, blocked
  LOOP
    IF NOT v_job.blocked THEN
      UPDATE queues SET head = least(head, v_job.id) WHERE agent = v_job.agent;
    END IF;
  END LOOP;
  UPDATE queues SET closed_until = NULL WHERE closed_until IS NOT NULL AND closed_until <= v_at AND agent = ANY (v_agents);
  UPDATE project SET closed_until = NULL WHERE closed_until <= v_at;
END $$;
-- +goose StatementEnd

-- al_end_job ends a job whose run has ended, and lets the next of its line go.
-- +goose StatementBegin
CREATE FUNCTION al_end_job(p_agent text, p_job bigint, p_state text, p_reason text, p_at bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_key text;
  v_next bigint;
BEGIN
  UPDATE jobs SET state = p_state, ended_at = p_at, reason = p_reason WHERE id = p_job RETURNING concurrency_key INTO v_key;
  v_next := al_leave_line(p_agent, v_key);
  UPDATE queues SET running = running - 1, head = least(head, v_next) WHERE agent = p_agent;
END $$;
-- +goose StatementEnd

-- al_give_back puts the job of a run that has ended at the head of its queue again: it was the first in its line, if it
-- is in one, and its id is older than those of all that never ran.
-- +goose StatementBegin
CREATE FUNCTION al_give_back(p_agent text, p_job bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE jobs SET state = 'waiting' WHERE id = p_job;
  UPDATE queues SET running = running - 1, waiting = waiting + 1, head = least(head, p_job) WHERE agent = p_agent;
END $$;
-- +goose StatementEnd

-- al_finish ends a run that is still its caller's; p_state is done or failed, or waiting to give its job back. A
-- failed job with a delay waits for another attempt. Returns ok, or why not: lost, none. al_lock holds the run and its
-- agent. p_again says that the caller asked before and lost the answer with its connection: ok, if that was recorded.
-- +goose StatementBegin
CREATE FUNCTION al_finish(p_run text, p_state text, p_exit_code bigint, p_reason text, p_at bigint, p_retry_delay bigint, p_again boolean)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_at bigint := coalesce(p_at, al_now());
  r runs%ROWTYPE;
BEGIN
  SELECT * INTO r FROM runs WHERE id = p_run;
  IF NOT FOUND THEN
    RETURN 'none';
  END IF;
  IF r.state <> 'running' THEN
    RETURN CASE WHEN p_again AND (r.state, r.exit_code, r.reason) = (p_state, p_exit_code, p_reason) THEN 'ok' ELSE 'lost' END;
  END IF;
  UPDATE runs SET state = p_state, exit_code = p_exit_code, reason = p_reason, ended_at = v_at WHERE id = p_run;
  DELETE FROM run_cancels WHERE run = p_run;
  IF p_state = 'waiting' THEN
    PERFORM al_give_back(r.agent, r.job);
  ELSIF p_retry_delay IS NOT NULL THEN
    UPDATE jobs SET state = 'waiting', failures = failures + 1, ready_at = v_at + p_retry_delay, reason = p_reason WHERE id = r.job;
    UPDATE queues SET running = running - 1, waiting = waiting + 1 WHERE agent = r.agent;
  ELSE
    PERFORM al_end_job(r.agent, r.job, p_state, p_reason, v_at);
  END IF;
  RETURN 'ok';
END $$;
-- +goose StatementEnd

-- al_renew extends the leases of runs and returns those that are still under way, with the reason of those that are to
-- end. al_lock holds them. A lease is counted from the database's clock unless the caller brings a time.
-- +goose StatementBegin
CREATE FUNCTION al_renew(p_runs text[], p_until bigint, p_lease bigint) RETURNS TABLE (run text, cancel text) LANGUAGE sql AS $$
  WITH renewed AS (
    UPDATE runs SET lease_until = CASE WHEN p_lease IS NULL THEN p_until ELSE al_now() + p_lease END
      WHERE id = ANY (p_runs) AND state = 'running' RETURNING id)
  SELECT id, coalesce((SELECT reason FROM run_cancels c WHERE c.run = id), '') FROM renewed
$$;
-- +goose StatementEnd

-- al_cancel asks for the end of a run and of the runs of an agent: a name may look like an id. al_lock holds their
-- agents.
-- +goose StatementBegin
CREATE FUNCTION al_cancel(p_agent_or_run text, p_reason text) RETURNS SETOF text LANGUAGE sql AS $$
  INSERT INTO run_cancels (run, reason)
    SELECT id, p_reason FROM runs WHERE state = 'running' AND lease_until IS NOT NULL AND (id = p_agent_or_run OR agent = p_agent_or_run)
    ORDER BY id
    ON CONFLICT (run) DO UPDATE SET reason = excluded.reason
  RETURNING run
$$;
-- +goose StatementEnd

-- al_recover gives up the runs whose lease has ended, by the database's clock unless the caller brings a time, and
-- returns them, but for those of hosts that are known to be alive. Their jobs go back, or are dead after p_max_attempts
-- of them.
-- +goose StatementBegin
CREATE FUNCTION al_recover(p_at bigint, p_before bigint, p_living text[], p_max_attempts bigint)
RETURNS TABLE (lost runs, dead boolean) LANGUAGE plpgsql AS $$
DECLARE
  v_at bigint := coalesce(p_at, al_now());
  v_before bigint := CASE WHEN p_at IS NULL THEN least(p_before, v_at) ELSE p_before END;
  v_runs text[];
  r runs%ROWTYPE;
  v_crashes bigint;
BEGIN
  SELECT coalesce(array_agg(id), '{}') INTO v_runs FROM runs
    WHERE state = 'running' AND lease_until < v_before AND host <> ALL (p_living);
  IF v_runs = '{}' THEN
    RETURN;
  END IF;
  PERFORM al_lock('{}', v_runs, '{}', '{}');
  -- Some may have been renewed, have ended, or been given up by another host before this one had the locks.
  FOR r IN SELECT * FROM runs WHERE id = ANY (v_runs) AND state = 'running' AND lease_until < v_before ORDER BY lease_until, id LOOP
    UPDATE jobs SET crashes = crashes + 1 WHERE id = r.job RETURNING crashes INTO STRICT v_crashes;
    dead := v_crashes >= p_max_attempts;
    r.state := CASE WHEN dead THEN 'failed' ELSE 'waiting' END;
    r.ended_at := v_at;
    r.exit_code := -1; -- that of its process is not known
    r.reason := format('the host %s stopped while it ran', r.host);
    UPDATE runs SET state = r.state, ended_at = r.ended_at, exit_code = r.exit_code, reason = r.reason WHERE id = r.id;
    DELETE FROM run_cancels WHERE run = r.id;
    IF dead THEN
      PERFORM al_end_job(r.agent, r.job, 'dead', CASE WHEN v_crashes = 1 THEN 'given up: its host stopped while it ran'
        ELSE format('given up: its host stopped %s times while it ran', v_crashes) END, v_at);
    ELSE
      PERFORM al_give_back(r.agent, r.job);
    END IF;
    lost := r;
    RETURN NEXT;
  END LOOP;
END $$;
-- +goose StatementEnd
