-- +goose Up

-- al_set_limits makes the limits of a configuration hold, for all hosts.
-- +goose StatementBegin
CREATE FUNCTION al_set_limits(p_at bigint, p_scale bigint, p_per_hour bigint, p_per_day bigint,
  p_agent text[], p_agent_scale bigint[], p_capacity bigint[], p_agent_per_hour bigint[], p_agent_per_day bigint[],
  p_drop_beyond boolean[], p_runs_on text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_at bigint := coalesce(p_at, al_now());
BEGIN
  -- See al_claim: nobody claims by the limits before while these are written.
  PERFORM pg_advisory_xact_lock(1634497377, 'project'::regclass::oid::bigint::bit(32)::integer);
  PERFORM al_lock(ARRAY(SELECT agent FROM queues UNION SELECT unnest(p_agent)), '{}', '{}', '{}');
  UPDATE project SET scale = p_scale, per_hour = p_per_hour, per_day = p_per_day,
    closed_until = al_closes(NULL, p_per_hour, p_per_day, 0, v_at);
  UPDATE queues SET scale = 0 WHERE scale <> 0
    AND NOT EXISTS (SELECT 1 FROM unnest(p_agent) AS named WHERE named = agent);
  -- Rows that stay as they are are not written again.
  UPDATE queues q SET hidden = false, scale = l.scale, capacity = l.capacity, per_hour = l.per_hour, per_day = l.per_day,
      drop_beyond = l.drop_beyond, runs_on = l.runs_on, closed_until = l.closed_until
    FROM (SELECT *, al_closes(agent, per_hour, per_day, 0, v_at) AS closed_until,
        ARRAY(SELECT jsonb_array_elements_text(labels::jsonb)) AS runs_on
      FROM unnest(p_agent, p_agent_scale, p_capacity, p_agent_per_hour, p_agent_per_day, p_drop_beyond, p_runs_on)
        AS t (agent, scale, capacity, per_hour, per_day, drop_beyond, labels)) AS l
    WHERE q.agent = l.agent
      AND (q.hidden, q.scale, q.capacity, q.per_hour, q.per_day, q.drop_beyond, q.runs_on, q.closed_until)
        IS DISTINCT FROM (false, l.scale, l.capacity, l.per_hour, l.per_day, l.drop_beyond, l.runs_on, l.closed_until);
  -- Agents that are gone from the configuration, with nothing left to do.
  DELETE FROM queues WHERE scale = 0 AND waiting = 0 AND running = 0 AND NOT paused
    AND NOT EXISTS (SELECT 1 FROM unnest(p_agent) AS named WHERE named = agent);
END $$;
-- +goose StatementEnd

-- al_set_paused keeps an agent from starting runs, or the project for NULL. al_lock holds the agent.
-- +goose StatementBegin
CREATE FUNCTION al_set_paused(p_agent text, p_paused boolean, p_reason text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF p_agent IS NULL THEN
    UPDATE project SET paused = p_paused, paused_reason = p_reason;
    RETURN;
  END IF;
  -- A loop that paused it is counted anew from here. Its last job has the highest id that any of its events can follow.
  UPDATE queues SET paused = p_paused, paused_reason = p_reason,
      hidden = hidden AND NOT p_paused,
      resumed_after = CASE WHEN paused AND NOT p_paused
        THEN coalesce((SELECT max(id) FROM jobs WHERE agent = p_agent), resumed_after) ELSE resumed_after END
    WHERE agent = p_agent;
END $$;
-- +goose StatementEnd
