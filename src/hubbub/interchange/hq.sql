-- What is read from a database of hq. Text is taken as bytes, since it may not be valid; so are ids, whatever
-- their type.

-- name: columns
-- The columns of a table; of a view, or where there is none, no row.
SELECT c.name
FROM sqlite_schema AS s, pragma_table_info(s.name) AS c
WHERE s.type = 'table' AND s.name = :name;

-- name: version
-- The number of the last migration that was applied.
SELECT max(CAST(version AS INTEGER)) FROM schema_migrations;

-- name: projects
-- All projects, the oldest first.
SELECT CAST(id AS BLOB), CAST(name AS BLOB), CAST(base_commit AS BLOB), CAST(created_at AS BLOB),
       CAST(status AS BLOB), iif(typeof(priority) = 'integer', priority, 0)
FROM projects
ORDER BY created_at, rowid;

-- name: steps
-- The steps of a project by number.
SELECT CAST(id AS BLOB), step_num, CAST(branch AS BLOB), CAST(scope AS BLOB), CAST(status AS BLOB),
       CAST(worktree AS BLOB), CAST(agent_id AS BLOB), CAST(claimed_at AS BLOB), CAST(started_at AS BLOB),
       CAST(completed_at AS BLOB), CAST(last_heartbeat AS BLOB), CAST(last_commit AS BLOB),
       CAST(files_modified AS BLOB), CAST(notes AS BLOB)
FROM steps
WHERE CAST(project_id AS BLOB) = :project
ORDER BY step_num, rowid;

-- name: needs
-- What the steps of a project need: the number of the step, and that of the other, if it is one of them.
SELECT s.step_num, n.step_num
FROM dependencies AS d
JOIN steps AS s ON s.id = d.step_id
LEFT JOIN steps AS n ON n.id = d.depends_on_step_id AND n.project_id = s.project_id
WHERE CAST(s.project_id AS BLOB) = :project
ORDER BY s.step_num, n.step_num;

-- name: history
-- The attempts that failed before a step was brought back, the oldest first.
SELECT CAST(h.original_step_id AS BLOB), CAST(h.worktree AS BLOB), CAST(h.agent_id AS BLOB),
       CAST(h.claimed_at AS BLOB), CAST(h.started_at AS BLOB), CAST(h.failed_at AS BLOB),
       CAST(h.last_commit AS BLOB), CAST(h.files_modified AS BLOB), CAST(h.notes AS BLOB),
       CAST(h.branch AS BLOB)
FROM failed_steps_history AS h
WHERE CAST(h.project_id AS BLOB) = :project
ORDER BY h.archived_at, h.rowid;

-- name: last_seen
-- When each kind of thing last happened to each step of a project, and who did it.
SELECT CAST(e.step_id AS BLOB), CAST(e.event_type AS BLOB), CAST(e.agent_id AS BLOB),
       CAST(max(e.timestamp) AS BLOB)
FROM agent_events AS e
JOIN steps AS s ON s.id = e.step_id
WHERE CAST(s.project_id AS BLOB) = :project AND e.event_type IN ('claimed', 'failed')
GROUP BY e.step_id, e.event_type;

-- name: events
-- How many events there are.
SELECT count(*) FROM agent_events;
