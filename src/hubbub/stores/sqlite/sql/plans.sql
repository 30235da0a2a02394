-- Statements on projects, steps and what they need.

-- name: add_project
-- A new project.
INSERT INTO projects (tag, name, name_key, state, base_commit, description, priority, metadata, topic,
                      created_by, created_at)
VALUES (:tag, :name, :name_key, 'active', :base_commit, :description, :priority, :metadata, :topic,
        :created_by, :now);

-- name: change_project
-- What a project says of itself.
UPDATE projects SET name = :name, name_key = :name_key, base_commit = :base_commit,
    description = :description, priority = :priority, metadata = :metadata, state = :state
WHERE project = :project;

-- name: project_page
-- Projects of a state, or of any, highest priority first, then newest, behind a place.
SELECT project, tag, name, state, base_commit, description, priority, metadata, topic,
       (SELECT t.tag FROM topics t WHERE t.topic = projects.topic), created_by, created_at,
       not_started, claimed, in_progress, completed, merged, failed, parked, cancelled, ready
FROM projects
WHERE (:state IS NULL OR state = :state)
  AND (:priority IS NULL OR (priority, project) < (:priority, :project))
ORDER BY priority DESC, project DESC LIMIT :limit;

-- name: add_step
-- A new step, whose needs are written already.
INSERT INTO steps (step, tag, project, num, title, instructions, acceptance, branch, scope, paths, resources, holds,
                   priority, status, waiting, rank, max_attempts, time_limit_ms, metadata, created_at, ready_at)
VALUES (:step, :tag, :project, :num, :title, :instructions, :acceptance, :branch, :scope, :paths, :resources, :holds,
        :priority, 'not_started', :waiting, :rank, :max_attempts, :time_limit_ms, :metadata, :now, :ready_at);

-- name: change_step
-- What a step says of itself.
UPDATE steps SET num = :num, title = :title, instructions = :instructions, acceptance = :acceptance,
    branch = :branch, scope = :scope, paths = :paths, resources = :resources, holds = :holds,
    priority = :priority, rank = :rank, max_attempts = :max_attempts, time_limit_ms = :time_limit_ms,
    not_before = :not_before, metadata = :metadata
WHERE step = :step;

-- name: last_step
-- The row of the newest step; steps are never removed.
SELECT coalesce(max(step), 0) FROM steps;

-- name: check_edges_later
-- Until this transaction ends, what steps need may be written before the steps are.
PRAGMA defer_foreign_keys = ON;

-- name: last_number
-- The highest number of a project's steps.
SELECT coalesce(max(num), 0) FROM steps WHERE project = :project;

-- name: numbered
-- Which of these numbers a project's steps have.
SELECT num, step, status FROM steps WHERE project = :project AND num IN (SELECT value FROM json_each(:nums));

-- name: add_need
-- A step needs another one.
INSERT INTO needs (step, needed, until, on_failure, met) VALUES (:step, :needed, :until, :on_failure, :met)
ON CONFLICT (step, needed) DO UPDATE SET
    until = excluded.until, on_failure = excluded.on_failure, met = excluded.met;

-- name: add_needs
-- New steps, by number of row, each with those that it needs in one way.
INSERT INTO needs (step, needed, until, on_failure, met)
SELECT CAST(s.key AS INTEGER), n.value, :until, :on_failure, :met
FROM json_each(:needs) s CROSS JOIN json_each(s.value) n;

-- name: remove_need
-- It needs it no longer.
DELETE FROM needs WHERE step = :step AND needed = :needed;

-- name: needs_of_step
-- What one step needs, as numbers of rows.
SELECT needed FROM needs WHERE step = :step;

-- name: needing
-- What needs one step, as numbers of rows.
SELECT step FROM needs WHERE needed = :step;

-- name: given_up_need
-- Whether a step is not to be done without one that was given up, and what that was cancelled for.
SELECT n.cancelled_for FROM needs e JOIN steps n ON n.step = e.needed JOIN steps s ON s.step = e.step
WHERE e.step = :step AND e.needed = :needed AND e.met = 0 AND e.on_failure = 'cancel'
  AND n.status IN ('failed', 'parked', 'cancelled') AND s.status = 'not_started';

-- name: dependents_of
-- What needs one step.
SELECT e.step, s.num, e.until, e.on_failure, s.status FROM needs e JOIN steps s ON s.step = e.step
WHERE e.needed = :step;

-- name: rate_ready
-- A step whose needs changed: ready from now on, or no longer.
UPDATE steps SET ready_at = iif(waiting = 0, coalesce(ready_at, :now), NULL),
    rank = iif(waiting = 0, coalesce(ready_at, :now), :now) - priority * :ageing
WHERE step = :step;

-- name: status_of
-- The status of a step.
SELECT status, num FROM steps WHERE step = :step;

-- name: steps_page
-- Steps of a project, or of all, by number, behind a place.
SELECT s.step FROM steps s
WHERE (:project IS NULL OR s.project = :project)
  AND (s.project, s.num) > (:after_project, :after_num)
  AND (:statuses IS NULL OR s.status IN (SELECT value FROM json_each(:statuses)))
  AND (:scope IS NULL OR s.scope = :scope)
ORDER BY s.project, s.num LIMIT :limit;

-- name: open_steps
-- What an aborted project cancels.
SELECT step, status FROM steps
WHERE project = :project AND status IN ('not_started', 'claimed', 'in_progress');

-- name: cancelled_by_abort
-- What comes back when it is active again.
SELECT step FROM steps INDEXED BY steps_cancelled_for
WHERE cancelled_for = -1 AND cancelled_for IS NOT NULL AND project = :project AND status = 'cancelled';

-- name: counts_by_scope
-- The counts of each scope.
SELECT s.scope, sum(s.status = 'not_started'), sum(s.status = 'claimed'), sum(s.status = 'in_progress'),
       sum(s.status = 'completed'), sum(s.status = 'merged'), sum(s.status = 'failed'),
       sum(s.status = 'parked'), sum(s.status = 'cancelled'),
       sum(s.status = 'not_started' AND s.waiting = 0)
FROM steps s
WHERE (:project IS NULL OR s.project = :project) AND (:scope IS NULL OR s.scope = :scope)
  AND (:agent IS NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.step = s.step AND a.agent = :agent))
GROUP BY s.scope ORDER BY s.scope;

-- name: attempts_by_outcome
-- How attempts ended.
SELECT a.state, a.failure, count(*) FROM attempts a JOIN steps s ON s.step = a.step
WHERE (:project IS NULL OR s.project = :project) AND (:scope IS NULL OR s.scope = :scope)
  AND (:agent IS NULL OR a.agent = :agent)
GROUP BY a.state, a.failure;

-- name: completed_by_agent
-- Who completed how many steps.
SELECT a.agent, count(*) FROM attempts a JOIN steps s ON s.step = a.step
WHERE a.state = 'completed' AND (:project IS NULL OR s.project = :project)
  AND (:scope IS NULL OR s.scope = :scope) AND (:agent IS NULL OR a.agent = :agent)
GROUP BY a.agent ORDER BY count(*) DESC, a.agent;

-- name: finished_times
-- When finished steps were ready, claimed and completed: the latest.
SELECT s.ready_at, a.claimed_at, a.ended_at FROM attempts a JOIN steps s ON s.step = a.step
WHERE a.state = 'completed' AND (:project IS NULL OR s.project = :project)
  AND (:scope IS NULL OR s.scope = :scope) AND (:agent IS NULL OR a.agent = :agent)
ORDER BY a.attempt DESC LIMIT 10000;

-- name: told_through
-- Up to where the ledger's news of steps were posted.
SELECT value FROM settings WHERE name = 'work_told';

-- name: anything_untold
-- Whether the ledger has news of work that were not posted.
SELECT coalesce((SELECT max(seq) FROM events INDEXED BY events_of_work WHERE project IS NOT NULL), 0)
       > coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE name = 'work_told'), 0);

-- name: tell_through
-- They were posted up to here.
INSERT INTO settings (name, value) VALUES ('work_told', :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: untold
-- The ledger's news of work, behind a place.
SELECT e.seq, e.event, e.actor, e.session, e.project, e.step, e.attempt, e.detail FROM events e INDEXED BY events_of_work
WHERE e.seq > :after AND e.project IS NOT NULL AND e.event IN (SELECT value FROM json_each(:news))
ORDER BY e.seq LIMIT :limit;

-- name: last_event
-- The last of the ledger's news of work.
SELECT coalesce(max(seq), 0) FROM events INDEXED BY events_of_work WHERE project IS NOT NULL;

-- name: wrong_waits
-- Steps whose count of unmet needs is not that of their needs, or whose status says what no attempt does.
SELECT s.num, p.name FROM steps s JOIN projects p ON p.project = s.project
WHERE s.waiting <> (SELECT count(*) FROM needs e WHERE e.step = s.step AND e.met = 0)
   OR (s.status IN ('claimed', 'in_progress'))
      <> EXISTS (SELECT 1 FROM attempts a WHERE a.step = s.step AND a.state = 'live');

-- name: wrong_project_counts
-- Projects whose counts disagree with their steps.
SELECT p.name FROM projects p
LEFT JOIN (SELECT project, count(*) AS total, sum(status = 'not_started') AS not_started,
                  sum(status IN ('claimed', 'in_progress')) AS live,
                  sum(status IN ('completed', 'merged')) AS done,
                  sum(status = 'not_started' AND waiting = 0) AS ready
           FROM steps GROUP BY project) s ON s.project = p.project
WHERE p.not_started <> coalesce(s.not_started, 0) OR p.claimed + p.in_progress <> coalesce(s.live, 0)
   OR p.completed + p.merged <> coalesce(s.done, 0) OR p.ready <> coalesce(s.ready, 0)
   OR p.not_started + p.claimed + p.in_progress + p.completed + p.merged + p.failed + p.parked + p.cancelled
      <> coalesce(s.total, 0);

-- name: adopt_step
-- What became of a step before it came here: its attempts are kept and use up none.
UPDATE steps SET status = :status, attempts = :attempts, forgiven = :attempts, ended_at = :ended_at,
    cancelled_for = :cancelled_for, ready_at = iif(:status = 'not_started', ready_at, NULL)
WHERE step = :step;

-- name: adopt_attempt
-- An attempt that was over before its step came here.
INSERT INTO attempts (token, step, number, agent, state, claimed_at, started_at, renewed_at, lease_ms,
                      lease_until, limit_until, ended_at, branch, worktree, commit_id, files, notes, result,
                      failure, reason)
VALUES (:token, :step, :number, :agent, :state, :claimed_at, :started_at, :ended_at, :lease_ms,
        :ended_at, :ended_at, :ended_at, :branch, :worktree, :commit_id, :files, :notes, :result,
        :failure, :reason);

-- name: adopt_agent
-- A name that was never on this bus and once worked on a step elsewhere: not registered.
INSERT INTO agents (name, role, description, inbox_limit, max_message_bytes, ephemeral, registered_at,
                    unregistered_at)
VALUES (:name, 'both', '', :inbox_limit, :max_message_bytes, 0, :now, :now)
ON CONFLICT (name) DO NOTHING;
