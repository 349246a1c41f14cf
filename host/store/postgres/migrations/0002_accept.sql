-- +goose Up

-- What is asked of the store is decided by functions, so that a transaction is one round trip and its locks are held
-- no longer than that. The rules are those of host/store/store.go. A function that was released is only ever replaced
-- by one that takes the same and does right by hosts of the version before: hosts are upgraded one by one.

-- al_now is the clock of all hosts.
-- +goose StatementBegin
CREATE FUNCTION al_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000
$$;
-- +goose StatementEnd

-- al_lock takes the locks of a transaction before it does anything else: the queues of agents and of runs that are to
-- end, by name, and then the runs, by id. Everybody takes them in this order, so that nobody waits in a circle.
-- +goose StatementBegin
CREATE FUNCTION al_lock(p_agents text[], p_ends text[], p_renews text[], p_cancels text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_agents text[];
  v_locked bigint;
BEGIN
  IF p_cancels <> '{}' THEN -- what may be an id or an agent
    p_ends := p_ends || ARRAY(SELECT id FROM runs WHERE state = 'running' AND lease_until IS NOT NULL
      AND (id = ANY (p_cancels) OR agent = ANY (p_cancels)));
  END IF;
  SELECT coalesce(array_agg(a ORDER BY a COLLATE "C"), '{}') INTO v_agents FROM (
    SELECT unnest(p_agents) AS a UNION SELECT agent FROM runs WHERE id = ANY (p_ends)) AS wanted;
  IF v_agents <> '{}' THEN
    SELECT count(*) INTO v_locked FROM (
      SELECT 1 FROM queues WHERE agent = ANY (v_agents) ORDER BY agent FOR UPDATE) AS locked;
    IF v_locked < cardinality(v_agents) THEN
      INSERT INTO queues (agent) SELECT a FROM unnest(v_agents) AS a ORDER BY a COLLATE "C" ON CONFLICT DO NOTHING;
      PERFORM 1 FROM queues WHERE agent = ANY (v_agents) ORDER BY agent FOR UPDATE;
    END IF;
  END IF;
  IF p_ends <> '{}' OR p_renews <> '{}' THEN
    PERFORM 1 FROM runs WHERE id = ANY (p_ends || p_renews) ORDER BY id FOR UPDATE;
  END IF;
END $$;
-- +goose StatementEnd

-- al_head returns the oldest job of a queue that could start. None before p_from can: the index still leads past those
-- that have started, until they are vacuumed away.
-- +goose StatementBegin
CREATE FUNCTION al_head(p_agent text, p_from bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT id FROM jobs WHERE agent = p_agent AND id >= p_from AND state = 'waiting' AND NOT blocked AND ready_at IS NULL
  ORDER BY id LIMIT 1
$$;
-- +goose StatementEnd

-- al_first_in_line returns the job that has a concurrency key now. The jobs of a key are a line: those that wait or
-- run, by id. The first of them may run, the others are blocked.
-- +goose StatementBegin
CREATE FUNCTION al_first_in_line(p_agent text, p_key text) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT id FROM jobs WHERE agent = p_agent AND concurrency_key = p_key AND concurrency_key <> ''
    AND state IN ('waiting', 'running') ORDER BY id LIMIT 1
$$;
-- +goose StatementEnd

-- al_leave_line lets the next job of a line start, after one has left it, and returns it if it could start now.
-- +goose StatementBegin
CREATE FUNCTION al_leave_line(p_agent text, p_key text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_id bigint;
  v_ready_at bigint;
BEGIN
  IF p_key = '' THEN
    RETURN NULL;
  END IF;
  UPDATE jobs SET blocked = false WHERE id = al_first_in_line(p_agent, p_key) AND blocked RETURNING id, ready_at INTO v_id, v_ready_at;
  IF v_ready_at IS NOT NULL THEN
    RETURN NULL;
  END IF;
  RETURN v_id;
END $$;
-- +goose StatementEnd

-- al_drop takes a waiting job out of its queue for good and returns the job at the head after that.
-- +goose StatementBegin
CREATE FUNCTION al_drop(p_agent text, p_head bigint, p_id bigint, p_key text, p_at bigint, p_reason text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_next bigint;
BEGIN
  UPDATE jobs SET state = 'dropped', ended_at = p_at, reason = p_reason, burst = '' WHERE id = p_id AND state = 'waiting';
  v_next := al_leave_line(p_agent, p_key);
  IF p_head = p_id THEN
    p_head := al_head(p_agent, p_id);
  END IF;
  RETURN least(p_head, v_next); -- of which NULL is none
END $$;
-- +goose StatementEnd

-- al_started returns when the n-th newest run of an agent started, of any agent for NULL.
-- +goose StatementBegin
CREATE FUNCTION al_started(p_agent text, p_n bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_agent IS NULL THEN
    RETURN (SELECT started_at FROM runs ORDER BY started_at DESC LIMIT 1 OFFSET p_n - 1);
  END IF;
  RETURN (SELECT started_at FROM runs WHERE agent = p_agent ORDER BY started_at DESC LIMIT 1 OFFSET p_n - 1);
END $$;
-- +goose StatementEnd

-- al_closes returns until when a budget keeps runs from starting, NULL when one may start. p_ahead runs will start
-- before.
-- +goose StatementBegin
CREATE FUNCTION al_closes(p_agent text, p_per_hour bigint, p_per_day bigint, p_ahead bigint, p_at bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_hour CONSTANT bigint := 3600000000000;
  v_until bigint;
  v_opens bigint;
BEGIN
  IF p_per_hour > 0 THEN
    v_opens := CASE WHEN p_ahead < p_per_hour THEN al_started(p_agent, p_per_hour - p_ahead) ELSE p_at END + v_hour;
    IF v_opens > p_at THEN
      v_until := v_opens;
    END IF;
  END IF;
  IF p_per_day > 0 THEN
    v_opens := CASE WHEN p_ahead < p_per_day THEN al_started(p_agent, p_per_day - p_ahead) ELSE p_at END + 24 * v_hour;
    IF v_opens > p_at THEN
      v_until := greatest(v_until, v_opens);
    END IF;
  END IF;
  RETURN v_until;
END $$;
-- +goose StatementEnd

-- al_accept queues the jobs of one acceptance, each as an element of the arrays, and settles the outcome of its
-- receipt. al_lock holds their agents.
-- +goose StatementBegin
CREATE FUNCTION al_accept(
  p_at bigint, p_receipt text,
  p_agent text[], p_trigger text[], p_source text[], p_provider text[], p_event text[], p_delivery_id text[],
  p_key text[], p_again boolean[], p_only_if_free boolean[], p_tick bigint[],
  p_concurrency_key text[], p_on_busy text[], p_burst text[], p_quiet bigint[], p_longest bigint[],
  p_entity text[], p_sender text[], p_loop_limit bigint[], p_loop_window bigint[],
  p_sensitive text[], p_codec smallint[], p_context bytea[], p_max_merged bigint,
  OUT verdicts text[], OUT ids bigint[],
  OUT dropped_agents text[], OUT dropped_ids bigint[], OUT dropped_by bigint[],
  OUT cancelled text[], OUT tripped_agents text[], OUT tripped_reasons text[]
) LANGUAGE plpgsql AS $$
DECLARE
  v_at bigint := coalesce(p_at, al_now());
  v_project project%ROWTYPE;
  j record;
  o record;
  q queues%ROWTYPE;
  v_before bigint;
  v_id bigint;
  v_merged bigint;
  v_blocked boolean;
  v_end bigint;
  v_ready bigint;
  v_chain bigint;
  v_count bigint;
  v_run text;
  v_reason text;
  v_verdict text;
BEGIN
  verdicts := '{}'; ids := '{}';
  dropped_agents := '{}'; dropped_ids := '{}'; dropped_by := '{}';
  cancelled := '{}'; tripped_agents := '{}'; tripped_reasons := '{}';
  SELECT * INTO STRICT v_project FROM project;

  FOR j IN SELECT * FROM unnest(
      p_agent, p_trigger, p_source, p_provider, p_event, p_delivery_id, p_key, p_again, p_only_if_free, p_tick,
      p_concurrency_key, p_on_busy, p_burst, p_quiet, p_longest, p_entity, p_sender, p_loop_limit, p_loop_window,
      p_sensitive, p_codec, p_context)
    AS t (agent, trigger, source, provider, event, delivery_id, key, again, only_if_free, tick,
      concurrency_key, on_busy, burst, quiet, longest, entity, sender, loop_limit, loop_window, sensitive, codec, context)
  LOOP
    -- Is it a repeat?
    IF j.key <> '' THEN
      IF j.again THEN -- one that is done gives up its key
        UPDATE jobs SET key = '' WHERE agent = j.agent AND source = j.source AND key = j.key
          AND key <> '' AND state IN ('waiting', 'running', 'done') AND state = 'done';
        UPDATE job_events SET key = '' WHERE agent = j.agent AND source = j.source AND key = j.key AND key <> ''
          AND (SELECT state FROM jobs WHERE id = job) = 'done';
      END IF;
      SELECT id INTO v_id FROM jobs WHERE agent = j.agent AND source = j.source AND key = j.key
        AND key <> '' AND state IN ('waiting', 'running', 'done');
      IF v_id IS NULL THEN
        SELECT e.job INTO v_id FROM job_events e JOIN jobs taker ON taker.id = e.job
          WHERE e.agent = j.agent AND e.source = j.source AND e.key = j.key AND e.key <> ''
          AND taker.state IN ('waiting', 'running', 'done') LIMIT 1;
      END IF;
      IF v_id IS NOT NULL THEN
        verdicts := verdicts || 'duplicate'::text; ids := ids || v_id;
        CONTINUE;
      END IF;
    END IF;

    SELECT * INTO STRICT q FROM queues WHERE agent = j.agent;
    q.hidden := false;
    v_verdict := NULL;
    v_id := 0;

    IF j.tick <> 0 THEN -- kept whatever becomes of the job; a late host may ask for one before the latest
      IF q.last_tick >= j.tick THEN
        verdicts := verdicts || 'duplicate'::text; ids := ids || 0::bigint;
        CONTINUE;
      END IF;
      q.last_tick := j.tick;
    END IF;

    v_before := NULL;
    IF j.concurrency_key <> '' THEN
      v_before := al_first_in_line(j.agent, j.concurrency_key);
    END IF;

    -- May it wait?
    IF j.only_if_free THEN
      IF q.paused OR v_project.paused THEN
        v_verdict := 'paused';
      ELSIF q.closed_until > v_at OR v_project.closed_until > v_at OR v_before IS NOT NULL THEN
        v_verdict := 'busy';
      ELSE
        -- Those that wait for a time or for their turn take no slot.
        SELECT count(*) INTO v_count FROM (SELECT 1 FROM jobs WHERE agent = j.agent AND state = 'waiting' AND NOT blocked
          AND ready_at IS NULL LIMIT greatest(q.scale - q.running, 0)) AS ready;
        IF q.running + v_count >= q.scale THEN
          v_verdict := 'busy';
        END IF;
      END IF;
    END IF;

    -- Does it join another?
    IF v_verdict IS NULL AND j.burst <> '' THEN
      SELECT id, merged + 1, burst_end, blocked INTO v_id, v_merged, v_end, v_blocked
        FROM jobs WHERE agent = j.agent AND burst = j.burst AND burst <> '';
      IF FOUND THEN
        v_verdict := 'merged';
        INSERT INTO job_events (job, seq, agent, receipt, source, provider, event, delivery_id, key, sensitive, codec, context)
          VALUES (v_id, v_merged, j.agent, p_receipt, j.source, j.provider, j.event, j.delivery_id, j.key, j.sensitive, j.codec, j.context);
        IF v_merged < p_max_merged THEN
          UPDATE jobs SET merged = v_merged, ready_at = least(v_at + j.quiet, v_end) WHERE id = v_id;
        ELSE -- full: it need not wait any longer, and the next event begins another
          UPDATE jobs SET merged = v_merged, ready_at = NULL, burst = '', burst_end = NULL WHERE id = v_id;
          IF NOT v_blocked THEN
            q.head := least(q.head, v_id);
          END IF;
        END IF;
      ELSE
        v_id := 0;
      END IF;
    END IF;

    -- Does its agent let go what its budget leaves no room for? What waits uses it up before this job does.
    v_reason := NULL;
    IF v_verdict IS NULL THEN
      IF q.drop_beyond AND (q.closed_until > v_at OR v_project.closed_until > v_at
          OR al_closes(j.agent, q.per_hour, q.per_day, q.waiting, v_at) IS NOT NULL) THEN
        v_verdict := 'limited';
        v_reason := 'not queued: the budget of runs (maxRunsPerHour, maxRunsPerDay) is used up';
      ELSIF v_before IS NOT NULL AND j.on_busy = 'skip' THEN
        v_verdict := 'skipped';
        v_reason := format('skipped: job %s with the same concurrency key is not done', v_before);
      END IF;
    END IF;

    IF v_reason IS NOT NULL THEN -- recorded, so that its end can be seen
      v_id := nextval('job_ids');
      INSERT INTO jobs (id, agent, trigger, receipt, source, provider, event, delivery_id, key, state, attempt, crashes, failures, merged,
          concurrency_key, blocked, burst, entity, sender, chain, queued_at, ended_at, reason, sensitive, codec, context)
        VALUES (v_id, j.agent, j.trigger, p_receipt, j.source, j.provider, j.event, j.delivery_id, j.key, 'dropped', 0, 0, 0, 0,
          j.concurrency_key, false, '', j.entity, j.sender, 0, v_at, v_at, v_reason, j.sensitive, j.codec, j.context);
      q.dropped := q.dropped + 1;
    END IF;

    IF v_verdict IS NULL THEN
      v_verdict := 'enqueued';
      v_id := nextval('job_ids');

      -- It takes the place of those with its key.
      IF v_before IS NOT NULL AND j.on_busy IN ('latest', 'cancel') THEN
        FOR o IN SELECT id, state FROM jobs WHERE agent = j.agent AND concurrency_key = j.concurrency_key
            AND concurrency_key <> '' AND state IN ('waiting', 'running') ORDER BY id
        LOOP
          IF o.state = 'waiting' THEN
            q.head := al_drop(j.agent, q.head, o.id, j.concurrency_key, v_at, format('job %s is newer and has the same concurrency key', v_id));
            q.waiting := q.waiting - 1;
            q.dropped := q.dropped + 1;
            dropped_agents := dropped_agents || j.agent; dropped_ids := dropped_ids || o.id; dropped_by := dropped_by || v_id;
          ELSIF j.on_busy = 'cancel' THEN
            SELECT id INTO v_run FROM runs WHERE job = o.id AND state = 'running';
            IF FOUND THEN
              INSERT INTO run_cancels (run, reason)
                VALUES (v_run, format('cancelled: job %s is newer and has the same concurrency key', v_id))
                ON CONFLICT (run) DO UPDATE SET reason = excluded.reason;
              cancelled := cancelled || v_run;
            END IF;
          END IF;
        END LOOP;
        v_before := al_first_in_line(j.agent, j.concurrency_key);
      END IF;

      -- How many events in a row, up to and with this one, came of the agent's own runs: each while a run for the one
      -- before it was under way, or within the window after its end. What came while that still waited proves nothing.
      v_chain := 0;
      IF j.loop_limit > 0 AND j.entity <> '' THEN
        SELECT CASE
            WHEN state IN ('waiting', 'dropped') THEN chain
            WHEN state = 'running' THEN chain + 1
            WHEN v_at <= coalesce(ended_at, 0) + j.loop_window THEN chain + 1
            ELSE 0 END
          INTO v_chain FROM jobs WHERE agent = j.agent AND entity = j.entity AND entity <> '' AND sender = j.sender
            AND id > q.resumed_after ORDER BY id DESC LIMIT 1;
        v_chain := coalesce(v_chain, 0);
      END IF;

      v_ready := NULL;
      v_end := NULL;
      IF j.burst <> '' THEN
        v_ready := v_at + j.quiet;
        v_end := v_at + greatest(j.longest, j.quiet);
      END IF;
      INSERT INTO jobs (id, agent, trigger, receipt, source, provider, event, delivery_id, key, state, attempt, crashes, failures, merged,
          concurrency_key, blocked, burst, burst_end, entity, sender, chain, queued_at, ready_at, reason, sensitive, codec, context)
        VALUES (v_id, j.agent, j.trigger, p_receipt, j.source, j.provider, j.event, j.delivery_id, j.key, 'waiting', 0, 0, 0, 0,
          j.concurrency_key, v_before IS NOT NULL, j.burst, v_end, j.entity, j.sender, v_chain, v_at, v_ready, '',
          j.sensitive, j.codec, j.context);
      IF j.loop_limit > 0 AND v_chain > j.loop_limit AND NOT q.paused THEN
        q.paused := true;
        q.paused_reason := format('it keeps starting itself: %s events in a row about "%s" by "%s" came of its own runs', v_chain, j.entity, j.sender);
        tripped_agents := tripped_agents || j.agent; tripped_reasons := tripped_reasons || q.paused_reason;
      END IF;
      q.waiting := q.waiting + 1;
      IF v_before IS NULL AND v_ready IS NULL THEN
        q.head := least(q.head, v_id);
      END IF;

      WHILE q.waiting > q.capacity LOOP
        SELECT id, concurrency_key AS key INTO STRICT o FROM jobs WHERE agent = j.agent AND state = 'waiting' ORDER BY id LIMIT 1;
        q.head := al_drop(j.agent, q.head, o.id, o.key, v_at, format('pushed out of the full queue (capacity %s) by a newer job', q.capacity));
        q.waiting := q.waiting - 1;
        q.dropped := q.dropped + 1;
        dropped_agents := dropped_agents || j.agent; dropped_ids := dropped_ids || o.id; dropped_by := dropped_by || 0::bigint;
      END LOOP;
    END IF;

    UPDATE queues SET hidden = false, waiting = q.waiting, dropped = q.dropped, head = q.head,
      paused = q.paused, paused_reason = q.paused_reason, last_tick = q.last_tick WHERE agent = j.agent;
    verdicts := verdicts || v_verdict; ids := ids || v_id;
  END LOOP;

  IF p_receipt <> '' AND cardinality(verdicts) > 0 AND verdicts <@ '{duplicate,skipped,limited}' THEN
    UPDATE receipts SET outcome = CASE WHEN verdicts <@ '{duplicate}' THEN 'duplicate' ELSE 'dropped' END WHERE id = p_receipt;
  END IF;
END $$;
-- +goose StatementEnd
