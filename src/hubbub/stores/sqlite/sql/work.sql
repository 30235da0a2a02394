-- Statements on claims, attempts and what follows when they end.

-- name: project_row
-- One project by number.
SELECT project, tag, name, state, base_commit, description, priority, metadata, topic,
       (SELECT t.tag FROM topics t WHERE t.topic = projects.topic), created_by, created_at,
       not_started, claimed, in_progress, completed, merged, failed, parked, cancelled, ready
FROM projects WHERE project = :project;

-- name: project_by_name
-- One project by its name.
SELECT project FROM projects WHERE name_key = :name_key;

-- name: project_names
-- The names that one may have meant.
SELECT name FROM projects ORDER BY project DESC LIMIT 1000;

-- name: project_counts
-- The counts of all projects together: of those that are stopped with something left to do, or of the others.
SELECT coalesce(sum(not_started), 0), coalesce(sum(claimed), 0), coalesce(sum(in_progress), 0),
       coalesce(sum(completed), 0), coalesce(sum(merged), 0), coalesce(sum(failed), 0),
       coalesce(sum(parked), 0), coalesce(sum(cancelled), 0), coalesce(sum(ready), 0)
FROM projects
WHERE (state = 'paused' OR state <> 'active' AND not_started + claimed + in_progress > 0) = :paused;

-- name: scope_counts
-- The same of one scope, or of one scope of a project.
SELECT sum(s.status = 'not_started'), sum(s.status = 'claimed'), sum(s.status = 'in_progress'),
       sum(s.status = 'completed'), sum(s.status = 'merged'), sum(s.status = 'failed'),
       sum(s.status = 'parked'), sum(s.status = 'cancelled'),
       sum(s.status = 'not_started' AND s.waiting = 0)
FROM steps s INDEXED BY steps_of_scope JOIN projects p ON p.project = s.project
WHERE s.scope = :scope AND s.scope <> ''
  AND iif(:project IS NULL,
          (p.state = 'paused' OR p.state <> 'active' AND p.not_started + p.claimed + p.in_progress > 0) = :paused,
          s.project = :project);

-- name: step_row
-- One step, with who has it or finished it.
SELECT s.step, s.tag, s.project, p.tag, s.num, s.title, s.instructions, s.acceptance, s.branch, s.scope,
       s.paths, s.resources, s.priority, s.status, s.waiting, s.attempts, s.max_attempts, s.time_limit_ms,
       s.not_before, s.metadata, s.created_at, s.ready_at, s.ended_at, s.charged, s.lost, s.forgiven,
       p.state, p.name, a.agent, a.lease_until, a.commit_id, a.files, a.notes, a.result, a.state
FROM steps s
JOIN projects p ON p.project = s.project
LEFT JOIN attempts a ON a.step = s.step AND a.number = s.attempts
WHERE s.step = :step;

-- name: step_numbered
-- Which step of a project has a number.
SELECT step FROM steps WHERE project = :project AND num = :num;

-- name: needs_rows
-- What a step needs.
SELECT n.num, e.until, e.on_failure, e.met FROM needs e JOIN steps n ON n.step = e.needed
WHERE e.step = :step ORDER BY n.num;

-- name: needs_done
-- What the steps that a step needs left behind.
SELECT n.num, n.title, n.status, coalesce(a.branch, n.branch), a.commit_id, a.result
FROM needs e
JOIN steps n ON n.step = e.needed
LEFT JOIN attempts a ON a.step = n.step AND a.state = 'completed'
WHERE e.step = :step ORDER BY n.num;

-- name: attempt_rows
-- The attempts at a step, the latest first.
SELECT number, agent, session, state, claimed_at, started_at, lease_until, limit_until, ended_at,
       branch, worktree, commit_id, files, notes, result, failure, reason
FROM attempts WHERE step = :step ORDER BY number DESC LIMIT :limit;

-- name: attempt_of_token
-- The attempt that a token belongs to.
SELECT attempt, step, number, agent, session, state, lease_ms, lease_until, limit_until, ended_at
FROM attempts WHERE token = :token;

-- name: live_attempt
-- The live claim of a step.
SELECT attempt, token, number, agent, session, lease_until, limit_until FROM attempts
WHERE step = :step AND state = 'live';

-- name: later_holder
-- Who claimed a step after an attempt.
SELECT agent, number, claimed_at FROM attempts WHERE step = :step AND number > :number
ORDER BY number DESC LIMIT 1;

-- name: claim_any
-- not_started -> claimed or in_progress: the first ready step of all active projects, or of one. Readiness
-- is decided here: no need unmet, its time come, no path or resource that it names held by others.
UPDATE steps SET status = :status, attempts = attempts + 1, not_before = NULL
WHERE step = (
    SELECT s.step FROM projects p
    CROSS JOIN steps s ON s.step = (
        SELECT c.step FROM steps c INDEXED BY steps_ready
        WHERE c.project = p.project AND c.status = 'not_started' AND c.waiting = 0
          AND (c.not_before IS NULL OR c.not_before <= :now)
          AND (c.holds = 0 OR is_free(c.step, c.rank - p.priority * :ageing, c.paths, c.resources))
        ORDER BY c.rank, c.num LIMIT 1)
    WHERE p.state = 'active' AND p.ready > 0 AND (:project IS NULL OR p.project = :project)
    ORDER BY s.rank - p.priority * :ageing, s.step
    LIMIT 1)
  AND status = 'not_started'
RETURNING step, attempts, time_limit_ms;

-- name: claim_of_scope
-- The same among the steps of one scope.
UPDATE steps SET status = :status, attempts = attempts + 1, not_before = NULL
WHERE step = (
    SELECT s.step FROM projects p
    CROSS JOIN steps s ON s.step = (
        SELECT c.step FROM steps c INDEXED BY steps_ready_of_scope
        WHERE c.project = p.project AND c.scope = :scope AND c.scope <> '' AND c.status = 'not_started' AND c.waiting = 0
          AND (c.not_before IS NULL OR c.not_before <= :now)
          AND (c.holds = 0 OR is_free(c.step, c.rank - p.priority * :ageing, c.paths, c.resources))
        ORDER BY c.rank, c.num LIMIT 1)
    WHERE p.state = 'active' AND p.ready > 0 AND (:project IS NULL OR p.project = :project)
    ORDER BY s.rank - p.priority * :ageing, s.step
    LIMIT 1)
  AND status = 'not_started'
RETURNING step, attempts, time_limit_ms;

-- name: claim_one
-- The same for a step that is named.
UPDATE steps SET status = :status, attempts = attempts + 1, not_before = NULL
WHERE step = :step AND status = 'not_started' AND waiting = 0
  AND (not_before IS NULL OR not_before <= :now)
  AND (SELECT state FROM projects p WHERE p.project = steps.project) = 'active'
  AND (:scope IS NULL OR scope = :scope)
  AND (holds = 0 OR is_free(step, rank - :ageing * (SELECT p.priority FROM projects p WHERE p.project = steps.project),
                            paths, resources))
RETURNING step, attempts, time_limit_ms;

-- name: anything_ready
-- Whether claim_any would find a step: asked before the turn to write is taken.
SELECT EXISTS (
    SELECT 1 FROM projects p
    CROSS JOIN steps c INDEXED BY steps_ready ON c.project = p.project
    WHERE p.state = 'active' AND p.ready > 0 AND (:project IS NULL OR p.project = :project)
      AND c.status = 'not_started' AND c.waiting = 0
      AND (c.not_before IS NULL OR c.not_before <= :now)
      AND (c.holds = 0 OR is_free(c.step, c.rank - p.priority * :ageing, c.paths, c.resources)));

-- name: anything_ready_of_scope
-- The same of claim_of_scope.
SELECT EXISTS (
    SELECT 1 FROM projects p
    CROSS JOIN steps c INDEXED BY steps_ready_of_scope ON c.project = p.project AND c.scope = :scope AND c.scope <> ''
    WHERE p.state = 'active' AND p.ready > 0 AND (:project IS NULL OR p.project = :project)
      AND c.status = 'not_started' AND c.waiting = 0
      AND (c.not_before IS NULL OR c.not_before <= :now)
      AND (c.holds = 0 OR is_free(c.step, c.rank - p.priority * :ageing, c.paths, c.resources)));

-- name: ready_steps
-- Steps that wait for no other, in the order of their projects' claims.
SELECT s.step, s.rank - p.priority * :ageing AS place, s.not_before, s.holds, s.paths, s.resources
FROM steps s INDEXED BY steps_ready
CROSS JOIN projects p ON p.project = s.project
WHERE s.project = :project AND s.status = 'not_started' AND s.waiting = 0
  AND (:scope IS NULL OR s.scope = :scope)
ORDER BY s.rank, s.num LIMIT :limit;

-- name: projects_with_work
-- Active projects with a step that waits for no other.
SELECT project FROM projects WHERE state = 'active' AND ready > 0;

-- name: held_paths
-- The paths of live claims.
SELECT s.step, s.tag, s.paths, a.agent, a.lease_until, s.title, s.num
FROM steps s CROSS JOIN attempts a ON a.step = s.step AND a.state = 'live'
WHERE s.holds = 1 AND s.status IN ('claimed', 'in_progress') AND s.paths <> '[]' AND a.lease_until > :now;

-- name: held_things
-- The paths and resources of live claims.
SELECT s.paths, s.resources FROM steps s CROSS JOIN attempts a ON a.step = s.step AND a.state = 'live'
WHERE s.holds = 1 AND s.status IN ('claimed', 'in_progress') AND a.lease_until > :now;

-- name: resource_limits
-- How many may have each resource, where that was set.
SELECT resource, count FROM resource_limits;

-- name: long_ready
-- Ready steps that name paths or resources and whose place in the order of claims is long past: the first few
-- of each project. What they name decides whether they stand in line.
SELECT s.step, s.rank - p.priority * :ageing AS place, s.paths, s.resources
FROM projects p
CROSS JOIN steps s ON s.step IN (
    SELECT c.step FROM steps c
    WHERE c.project = p.project AND c.holds = 1 AND c.status = 'not_started' AND c.waiting = 0
      AND c.rank <= :before + p.priority * :ageing
      AND (c.not_before IS NULL OR c.not_before <= :now)
    ORDER BY c.rank, c.num LIMIT :limit)
WHERE p.state = 'active' AND p.ready > 0
ORDER BY place, s.step;

-- name: limit_attempt
-- The time limit of a step was changed: it is that of its live claim, too.
UPDATE attempts SET limit_until = claimed_at + :time_limit_ms,
    lease_until = min(lease_until, claimed_at + :time_limit_ms)
WHERE step = :step AND state = 'live';

-- name: completed_as
-- With which commit a step was completed, whatever came of merging.
SELECT json_extract(detail, '$.commit_id') FROM events
WHERE step = :step AND event = 'step_completed' ORDER BY seq DESC LIMIT 1;

-- name: add_attempt
-- A claim begins.
INSERT INTO attempts (token, step, number, agent, session, state, claimed_at, started_at, renewed_at,
                      lease_ms, lease_until, limit_until, branch)
VALUES (:token, :step, :number, :agent, :session, 'live', :now, :started_at, :now,
        :lease_ms, min(:now + :lease_ms, :limit_until), :limit_until, :branch);

-- name: live_of_agent
-- The live claims of an agent.
SELECT token, attempt, step, number, session FROM attempts
WHERE agent = :agent AND state = 'live' AND lease_until > :now ORDER BY attempt;

-- name: adopt
-- Another session of the same agent goes on with a claim.
UPDATE attempts SET session = :session, renewed_at = :now, lease_until = min(:now + lease_ms, limit_until)
WHERE attempt = :attempt AND state = 'live';

-- name: renew
-- The holder is at work: the lease is as long as it was, up to the time limit.
UPDATE attempts SET renewed_at = :now, lease_until = max(lease_until, min(:now + lease_ms, limit_until)),
    notes = coalesce(:notes, notes), branch = coalesce(:branch, branch),
    worktree = coalesce(:worktree, worktree), started_at = coalesce(started_at, :started_at)
WHERE attempt = :attempt AND state = 'live';

-- name: start_step
-- claimed -> in_progress.
UPDATE steps SET status = 'in_progress' WHERE step = :step AND status = 'claimed';

-- name: end_attempt
-- live -> over.
UPDATE attempts SET state = :state, ended_at = :now, commit_id = coalesce(:commit_id, commit_id),
    files = coalesce(:files, files), notes = coalesce(:notes, notes), result = coalesce(:result, result),
    failure = :failure, reason = :reason, started_at = coalesce(started_at, :started_at)
WHERE attempt = :attempt AND state = 'live';

-- name: end_step
-- claimed or in_progress -> completed, failed or parked; not_started -> cancelled.
UPDATE steps SET status = :status, ended_at = :now, not_before = NULL, cancelled_for = :cancelled_for
WHERE step = :step;

-- name: give_back_step
-- claimed or in_progress -> not_started.
UPDATE steps SET status = 'not_started', not_before = :not_before WHERE step = :step;

-- name: charge
-- What an attempt that did not finish counts.
UPDATE steps SET charged = charged + :charged, lost = lost + :lost, forgiven = forgiven + :forgiven
WHERE step = :step;

-- name: revive_step
-- parked, failed or cancelled -> not_started, with its attempts forgiven.
UPDATE steps SET status = 'not_started', ended_at = NULL, not_before = NULL, cancelled_for = NULL,
    charged = 0, lost = 0, forgiven = attempts, ready_at = iif(waiting = 0, :now, NULL),
    rank = :now - priority * :ageing
WHERE step = :step;

-- name: merge_step
-- completed -> merged.
UPDATE steps SET status = 'merged' WHERE step = :step AND status = 'completed';

-- name: set_commit
-- The commit that came of merging.
UPDATE attempts SET commit_id = :commit_id WHERE step = :step AND state = 'completed';

-- name: meet_needs
-- A step is done: what waited for that waits no more.
UPDATE needs SET met = 1 WHERE needed = :step AND met = 0 AND (until = 'completed' OR :merged);

-- name: go_on_without
-- A step will not be done: who goes on without it waits no more.
UPDATE needs SET met = 1 WHERE needed = :step AND met = 0 AND on_failure = 'continue';

-- name: wait_again
-- A step will be done after all: who has not begun without it waits for it again.
UPDATE needs SET met = 0
WHERE needed = :step AND met = 1
  AND (SELECT status FROM steps s WHERE s.step = needs.step) = 'not_started';

-- name: rate_needs
-- A step comes back: which of its needs are met by now.
UPDATE needs SET met = (
    SELECT n.status = 'merged' OR n.status = 'completed' AND needs.until = 'completed'
        OR needs.on_failure = 'continue' AND n.status IN ('failed', 'parked', 'cancelled')
    FROM steps n WHERE n.step = needs.needed)
WHERE step = :step;

-- name: now_ready
-- Dependents of a step that wait for nothing any more are ready from now on.
UPDATE steps SET ready_at = :now, rank = :now - priority * :ageing
WHERE step IN (SELECT step FROM needs WHERE needed = :step)
  AND status = 'not_started' AND waiting = 0 AND ready_at IS NULL;

-- name: no_longer_ready
-- Dependents of a step that wait again.
UPDATE steps SET ready_at = NULL
WHERE step IN (SELECT step FROM needs WHERE needed = :step)
  AND status = 'not_started' AND waiting > 0;

-- name: cancelled_with
-- Steps that are not to be done without another one.
SELECT s.step FROM needs e JOIN steps s ON s.step = e.step
WHERE e.needed = :step AND e.on_failure = 'cancel' AND e.met = 0 AND s.status = 'not_started';

-- name: cancelled_for
-- Steps that were cancelled for the sake of another one.
SELECT step FROM steps INDEXED BY steps_cancelled_for
WHERE cancelled_for = :step AND cancelled_for IS NOT NULL AND status = 'cancelled' AND project = :project;

-- name: set_state
-- A project's state.
UPDATE projects SET state = :state WHERE project = :project;

-- name: expired
-- Live claims whose lease ran out.
SELECT attempt, step, number, agent, session, lease_until, limit_until FROM attempts
WHERE state = 'live' AND lease_until <= :now ORDER BY lease_until LIMIT 1000;

-- name: anything_expired
-- Whether a lease ran out.
SELECT EXISTS (SELECT 1 FROM attempts WHERE state = 'live' AND lease_until <= :now);

-- name: holder_gone
-- Whether a claim is of a session that stopped beating, which nobody has noticed yet.
SELECT EXISTS (SELECT 1 FROM attempts a CROSS JOIN sessions s ON s.id = a.session
               WHERE a.state = 'live' AND s.state = 'live' AND s.expires_at <= :now);

-- name: lost_of_agent
-- Claims that an agent lost and has not had again, as far as no other session of it was told.
SELECT a.step, a.number FROM attempts a
WHERE a.agent = :agent AND a.state = 'lost' AND a.ended_at > :since
  AND (a.loss_told IS NULL OR a.loss_told = :session)
  AND NOT EXISTS (SELECT 1 FROM attempts l
                  WHERE l.step = a.step AND l.number > a.number AND l.agent = a.agent)
ORDER BY a.ended_at DESC LIMIT 10;

-- name: tell_loss
-- An agent was told that it lost a claim.
UPDATE attempts SET loss_told = :session
WHERE step = :step AND number = :number AND agent = :agent AND state = 'lost' AND loss_told IS NULL;

-- name: retry_note
-- What was said when a step was last brought back.
SELECT json_extract(detail, '$.note') FROM events
WHERE step = :step AND event = 'step_retried' ORDER BY seq DESC LIMIT 1;

-- name: stale
-- Live claims that were not renewed for a while.
SELECT attempt, step, renewed_at, lease_until FROM attempts
WHERE state = 'live' AND (renewed_at <= :before OR lease_until <= :now)
ORDER BY renewed_at LIMIT :limit;

-- name: attempt_numbered
-- One attempt at a step.
SELECT number, agent, session, state, claimed_at, started_at, lease_until, limit_until, ended_at,
       branch, worktree, commit_id, files, notes, result, failure, reason
FROM attempts WHERE step = :step AND number = :number;

-- name: next_lease
-- When the first live claim runs out, of a project or of all.
SELECT min(a.lease_until) FROM attempts a
WHERE a.state = 'live'
  AND (:project IS NULL OR (SELECT s.project FROM steps s WHERE s.step = a.step) = :project);

-- name: first_to_hold
-- The first step that is ready but for what it names.
SELECT s.step
FROM projects p
CROSS JOIN steps s ON s.step = (
    SELECT c.step FROM steps c
    WHERE c.project = p.project AND c.holds = 1 AND c.status = 'not_started' AND c.waiting = 0
      AND (c.not_before IS NULL OR c.not_before <= :now) AND (:scope IS NULL OR c.scope = :scope)
    ORDER BY c.rank, c.num LIMIT 1)
WHERE p.state = 'active' AND p.ready > 0 AND (:project IS NULL OR p.project = :project)
ORDER BY s.rank - p.priority * :ageing, s.step LIMIT 1;

-- name: resting
-- How many steps wait for nothing but their time, and when the first of them is to be had.
SELECT count(*), min(s.not_before) FROM steps s JOIN projects p ON p.project = s.project
WHERE s.not_before IS NOT NULL AND s.not_before > :now AND s.status = 'not_started' AND s.waiting = 0
  AND p.state = 'active' AND (:project IS NULL OR s.project = :project)
  AND (:scope IS NULL OR s.scope = :scope);

-- name: stuck_steps
-- Steps that failed or are parked, of a project or of all active ones, of a scope or of any.
SELECT s.step, s.tag, s.num, p.name, s.status
FROM projects p CROSS JOIN steps s INDEXED BY steps_stuck
     ON s.project = p.project AND s.status IN ('failed', 'parked', 'cancelled')
WHERE p.state = 'active' AND p.failed + p.parked > 0 AND (:project IS NULL OR p.project = :project)
  AND s.status <> 'cancelled' AND (:scope IS NULL OR s.scope = :scope)
LIMIT :limit;

-- name: in_the_way
-- Steps that will not be done and that others wait for all the same.
SELECT s.step, s.tag, s.num, p.name, s.status
FROM projects p CROSS JOIN steps s INDEXED BY steps_stuck
     ON s.project = p.project AND s.status IN ('failed', 'parked', 'cancelled')
WHERE p.state = 'active' AND p.failed + p.parked + p.cancelled > 0
  AND (:project IS NULL OR p.project = :project)
  AND EXISTS (SELECT 1 FROM needs e JOIN steps d ON d.step = e.step
              WHERE e.needed = s.step AND e.met = 0 AND d.status = 'not_started')
LIMIT :limit;

-- name: in_hand_in_the_way
-- Steps that somebody has and that others wait for.
SELECT s.step, s.tag, s.num, p.name, s.status
FROM projects p CROSS JOIN steps s INDEXED BY steps_in_hand
     ON s.project = p.project AND s.status IN ('claimed', 'in_progress')
WHERE p.state = 'active' AND p.claimed + p.in_progress > 0 AND (:project IS NULL OR p.project = :project)
  AND EXISTS (SELECT 1 FROM needs e JOIN steps d ON d.step = e.step
              WHERE e.needed = s.step AND e.met = 0 AND d.status = 'not_started')
LIMIT :limit;

-- name: in_the_way_of_scope
-- What the steps of a scope wait for, by whatever way, that somebody has or that will not be done.
WITH RECURSIVE above(step) AS (
    SELECT e.needed FROM steps s
    JOIN projects p ON p.project = s.project
    JOIN needs e ON e.step = s.step AND e.met = 0
    WHERE s.scope = :scope AND s.scope <> '' AND s.status = 'not_started' AND s.waiting > 0
      AND p.state = 'active' AND (:project IS NULL OR s.project = :project)
    UNION
    SELECT e.needed FROM above a
    JOIN steps s ON s.step = a.step AND s.status = 'not_started'
    JOIN needs e ON e.step = s.step AND e.met = 0
    LIMIT 10000)
SELECT s.step, s.tag, s.num, p.name, s.status
FROM above a JOIN steps s ON s.step = a.step JOIN projects p ON p.project = s.project
WHERE s.status IN ('claimed', 'in_progress', 'failed', 'parked', 'cancelled')
LIMIT 100;

-- name: waited_for
-- What steps that are not begun wait for, of a project or of all active ones, of a scope or of any.
SELECT DISTINCT n.step, n.tag, n.num, p.name, n.status
FROM projects p
JOIN steps s ON s.project = p.project AND s.status = 'not_started' AND s.waiting > 0
JOIN needs e ON e.step = s.step AND e.met = 0
JOIN steps n ON n.step = e.needed
WHERE p.state = 'active' AND p.not_started > p.ready AND (:project IS NULL OR p.project = :project)
  AND (:scope IS NULL OR s.scope = :scope)
LIMIT :limit;

-- name: steps_in_hand
-- Steps that somebody has, of a project or of all active ones, of a scope or of any.
SELECT s.step FROM projects p CROSS JOIN steps s INDEXED BY steps_in_hand
     ON s.project = p.project AND s.status IN ('claimed', 'in_progress')
WHERE p.state = 'active' AND p.claimed + p.in_progress > 0 AND (:project IS NULL OR p.project = :project)
  AND (:scope IS NULL OR s.scope = :scope)
LIMIT :limit;

-- name: holders
-- Who has these steps, and since when no session of theirs is live.
SELECT s.step, s.tag, s.num, p.name, a.agent, a.lease_until,
       iif(a.session IS NULL OR EXISTS (SELECT 1 FROM sessions l
                                        WHERE l.agent = a.agent AND l.state = 'live' AND l.expires_at > :now),
           NULL,
           (SELECT min(coalesce(x.ended_at, x.expires_at), x.expires_at) FROM sessions x WHERE x.id = a.session))
FROM json_each(:steps) w
CROSS JOIN steps s ON s.step = w.value
CROSS JOIN attempts a ON a.step = s.step AND a.state = 'live'
JOIN projects p ON p.project = s.project;

-- name: unmet_needs
-- What a step still waits for.
SELECT n.step, n.tag, n.num, n.title, n.status, e.until
FROM needs e JOIN steps n ON n.step = e.needed
WHERE e.step = :step AND e.met = 0 ORDER BY n.num LIMIT 50;

-- name: resources_of
-- The resources that a step names.
SELECT r.value FROM steps s, json_each(s.resources) r WHERE s.step = :step;
