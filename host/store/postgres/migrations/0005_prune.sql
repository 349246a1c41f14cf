-- +goose Up

-- al_prune deletes ended history, a step of it, and says whether there is more. It waits for nobody: what somebody else
-- is busy with is left for later.
-- +goose StatementBegin
CREATE FUNCTION al_prune(p_before bigint, p_max_bytes bigint, p_step bigint, p_step_bytes bigint, p_part integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_jobs bigint[] := '{}';
  v_ids text[] := '{}';
  v_bytes bigint := 0;
  v_excess bigint := 0;
  v_freed bigint;
  v_more boolean := false;
  r record;
BEGIN
  IF NOT pg_try_advisory_xact_lock(1634497378, 'project'::regclass::oid::bigint::bit(32)::integer) THEN
    RETURN false;
  END IF;
  IF p_max_bytes > 0 THEN
    SELECT coalesce(sum(bytes), 0) - p_max_bytes INTO v_excess FROM receipt_bytes;
  END IF;

  IF p_before IS NOT NULL THEN
    -- All with all of their jobs, or none.
    FOR r IN SELECT id, size FROM receipts WHERE received_at < p_before
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE receipt = receipts.id AND receipt <> '' AND (ended_at IS NULL OR ended_at >= p_before))
        AND NOT EXISTS (SELECT 1 FROM job_events e JOIN jobs j ON j.id = e.job
          WHERE e.receipt = receipts.id AND e.receipt <> '' AND (j.ended_at IS NULL OR j.ended_at >= p_before))
      ORDER BY received_at LOOP
      IF cardinality(v_ids) >= p_step OR v_bytes >= p_step_bytes THEN
        v_more := true;
        EXIT;
      END IF;
      v_ids := v_ids || r.id; v_bytes := v_bytes + r.size;
    END LOOP;
    v_jobs := ARRAY(SELECT id FROM jobs WHERE ended_at < p_before ORDER BY ended_at LIMIT p_step FOR UPDATE SKIP LOCKED);
    v_more := v_more OR cardinality(v_jobs) >= p_step;
  END IF;

  IF v_excess > v_bytes AND NOT v_more THEN
    FOR r IN SELECT id, size FROM receipts WHERE id <> ALL (v_ids)
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE receipt = receipts.id AND receipt <> '' AND ended_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM job_events e JOIN jobs j ON j.id = e.job
          WHERE e.receipt = receipts.id AND e.receipt <> '' AND j.ended_at IS NULL)
      ORDER BY received_at LOOP
      EXIT WHEN v_bytes >= v_excess;
      IF cardinality(v_ids) >= p_step OR v_bytes >= p_step_bytes THEN
        v_more := true;
        EXIT;
      END IF;
      v_ids := v_ids || r.id; v_bytes := v_bytes + r.size;
    END LOOP;
  END IF;

  DELETE FROM run_cancels WHERE run IN (SELECT id FROM runs WHERE job = ANY (v_jobs));
  DELETE FROM runs WHERE job = ANY (v_jobs);
  DELETE FROM job_events WHERE job = ANY (v_jobs);
  DELETE FROM jobs WHERE id = ANY (v_jobs);
  WITH gone AS (DELETE FROM receipts WHERE id = ANY (v_ids) RETURNING size)
    SELECT coalesce(sum(size), 0) INTO v_freed FROM gone;
  IF v_freed > 0 THEN
    INSERT INTO receipt_bytes AS b (part, bytes) VALUES (p_part, -v_freed)
      ON CONFLICT (part) DO UPDATE SET bytes = b.bytes + excluded.bytes;
  END IF;
  RETURN v_more;
END $$;
-- +goose StatementEnd
