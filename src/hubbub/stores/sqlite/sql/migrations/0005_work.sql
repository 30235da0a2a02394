-- Projects, steps, claims and reservations. Times are milliseconds since 1970 UTC.

-- One project. The counts follow the steps by trigger: why there is nothing to claim must not cost
-- a count of all steps. A project is never removed.
CREATE TABLE projects (
    project     INTEGER PRIMARY KEY,
    tag         INTEGER NOT NULL,
    name        TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    name_key    TEXT NOT NULL UNIQUE,
    state       TEXT NOT NULL CHECK (state IN ('active', 'paused', 'completed', 'aborted')),
    base_commit TEXT NOT NULL,
    description TEXT NOT NULL,
    priority    INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
    metadata    TEXT,
    topic       INTEGER,
    created_by  TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    not_started INTEGER NOT NULL DEFAULT 0 CHECK (not_started >= 0),
    claimed     INTEGER NOT NULL DEFAULT 0 CHECK (claimed >= 0),
    in_progress INTEGER NOT NULL DEFAULT 0 CHECK (in_progress >= 0),
    completed   INTEGER NOT NULL DEFAULT 0 CHECK (completed >= 0),
    merged      INTEGER NOT NULL DEFAULT 0 CHECK (merged >= 0),
    failed      INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    parked      INTEGER NOT NULL DEFAULT 0 CHECK (parked >= 0),
    cancelled   INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    ready       INTEGER NOT NULL DEFAULT 0 CHECK (ready >= 0)
) STRICT;

CREATE INDEX projects_by_priority ON projects (state, priority, project);
-- Where claims look: active projects with a step that waits for no other.
CREATE INDEX projects_with_work ON projects (project) WHERE state = 'active' AND ready > 0;

-- One step. waiting counts its needs that are not met. rank is ready_at less what its priority is worth
-- (model_work.AGEING_MS): in order of rank the higher priority goes first, but not for ever. holds says
-- that it names paths or resources, which others may hold.
CREATE TABLE steps (
    step          INTEGER PRIMARY KEY,
    tag           INTEGER NOT NULL,
    project       INTEGER NOT NULL REFERENCES projects (project),
    num           INTEGER NOT NULL CHECK (num > 0),
    title         TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
    instructions  TEXT NOT NULL,
    acceptance    TEXT NOT NULL,
    branch        TEXT NOT NULL,
    scope         TEXT NOT NULL,
    paths         TEXT NOT NULL CHECK (json_valid(paths)),
    resources     TEXT NOT NULL CHECK (json_valid(resources)),
    holds         INTEGER NOT NULL CHECK (holds IN (0, 1)),
    priority      INTEGER NOT NULL CHECK (priority BETWEEN -100 AND 100),
    status        TEXT NOT NULL CHECK (status IN ('not_started', 'claimed', 'in_progress', 'completed',
                                                  'merged', 'failed', 'parked', 'cancelled')),
    waiting       INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    rank          INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    charged       INTEGER NOT NULL DEFAULT 0,
    lost          INTEGER NOT NULL DEFAULT 0,
    forgiven      INTEGER NOT NULL DEFAULT 0,
    max_attempts  INTEGER NOT NULL CHECK (max_attempts > 0),
    time_limit_ms INTEGER NOT NULL CHECK (time_limit_ms > 0),
    not_before    INTEGER,
    cancelled_for INTEGER,
    metadata      TEXT,
    created_at    INTEGER NOT NULL,
    ready_at      INTEGER,
    ended_at      INTEGER,
    UNIQUE (project, num)
) STRICT;

CREATE INDEX steps_ready ON steps (project, rank, num) WHERE status = 'not_started' AND waiting = 0;
CREATE INDEX steps_ready_of_scope ON steps (project, scope, rank, num)
    WHERE status = 'not_started' AND waiting = 0;
-- Why there is nothing of a scope to claim must not cost a look at all steps.
CREATE INDEX steps_of_scope ON steps (scope, project, status, waiting) WHERE scope <> '';
CREATE INDEX steps_cancelled_for ON steps (cancelled_for, project) WHERE cancelled_for IS NOT NULL;
CREATE INDEX steps_in_hand ON steps (project, num) WHERE status IN ('claimed', 'in_progress');
CREATE INDEX steps_stuck ON steps (project, num) WHERE status IN ('failed', 'parked', 'cancelled');

CREATE TRIGGER steps_counted_in AFTER INSERT ON steps
BEGIN
    UPDATE projects SET
        not_started = not_started + (new.status = 'not_started'),
        ready = ready + (new.status = 'not_started' AND new.waiting = 0)
    WHERE project = new.project;
END;

CREATE TRIGGER steps_counted_over AFTER UPDATE OF status, waiting ON steps
WHEN old.status <> new.status OR (old.waiting = 0) <> (new.waiting = 0)
BEGIN
    UPDATE projects SET
        not_started = not_started + (new.status = 'not_started') - (old.status = 'not_started'),
        claimed = claimed + (new.status = 'claimed') - (old.status = 'claimed'),
        in_progress = in_progress + (new.status = 'in_progress') - (old.status = 'in_progress'),
        completed = completed + (new.status = 'completed') - (old.status = 'completed'),
        merged = merged + (new.status = 'merged') - (old.status = 'merged'),
        failed = failed + (new.status = 'failed') - (old.status = 'failed'),
        parked = parked + (new.status = 'parked') - (old.status = 'parked'),
        cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'),
        ready = ready + (new.status = 'not_started' AND new.waiting = 0)
                      - (old.status = 'not_started' AND old.waiting = 0)
    WHERE project = new.project;
END;

CREATE TRIGGER steps_never_removed BEFORE DELETE ON steps
BEGIN
    SELECT RAISE (ABORT, 'a step is cancelled, not removed');
END;

CREATE TRIGGER steps_merged_is_final BEFORE UPDATE OF status ON steps
WHEN old.status = 'merged' AND new.status <> 'merged'
   OR old.status = 'completed' AND new.status NOT IN ('completed', 'merged')
BEGIN
    SELECT RAISE (ABORT, 'a finished step stays finished');
END;

-- A step needs another one of its project: until it is completed or merged. met follows the other's status.
CREATE TABLE needs (
    step       INTEGER NOT NULL REFERENCES steps (step),
    needed     INTEGER NOT NULL REFERENCES steps (step),
    until      TEXT NOT NULL CHECK (until IN ('completed', 'merged')),
    on_failure TEXT NOT NULL CHECK (on_failure IN ('block', 'cancel', 'continue')),
    met        INTEGER NOT NULL CHECK (met IN (0, 1)),
    PRIMARY KEY (step, needed),
    CHECK (step <> needed)
) STRICT, WITHOUT ROWID;

CREATE INDEX needs_of ON needs (needed, step);

CREATE TRIGGER needs_counted_in AFTER INSERT ON needs WHEN new.met = 0
BEGIN
    UPDATE steps SET waiting = waiting + 1 WHERE step = new.step;
END;

CREATE TRIGGER needs_counted_over AFTER UPDATE OF met ON needs WHEN old.met <> new.met
BEGIN
    UPDATE steps SET waiting = waiting + old.met - new.met WHERE step = new.step;
END;

CREATE TRIGGER needs_counted_out AFTER DELETE ON needs WHEN old.met = 0
BEGIN
    UPDATE steps SET waiting = waiting - 1 WHERE step = old.step;
END;

-- One agent's go at a step. token is what fences it; its rows are kept for whoever comes next.
CREATE TABLE attempts (
    attempt     INTEGER PRIMARY KEY,
    token       TEXT NOT NULL UNIQUE,
    step        INTEGER NOT NULL REFERENCES steps (step),
    number      INTEGER NOT NULL,
    agent       TEXT NOT NULL REFERENCES agents (name),
    session     TEXT,
    state       TEXT NOT NULL CHECK (state IN ('live', 'completed', 'failed', 'released', 'lost', 'cancelled')),
    claimed_at  INTEGER NOT NULL,
    started_at  INTEGER,
    renewed_at  INTEGER NOT NULL,
    lease_ms    INTEGER NOT NULL CHECK (lease_ms > 0),
    lease_until INTEGER NOT NULL,
    limit_until INTEGER NOT NULL,
    ended_at    INTEGER,
    branch      TEXT,
    worktree    TEXT,
    commit_id   TEXT,
    files       TEXT,
    notes       TEXT,
    result      TEXT,
    failure     TEXT CHECK (failure IN ('task', 'environment', 'rate_limited', 'timeout')),
    reason      TEXT,
    UNIQUE (step, number),
    CHECK ((state = 'live') = (ended_at IS NULL)),
    CHECK (lease_until <= limit_until)
) STRICT;

-- A claim has one holder.
CREATE UNIQUE INDEX attempts_one_live ON attempts (step) WHERE state = 'live';
CREATE INDEX attempts_running_out ON attempts (lease_until) WHERE state = 'live';
CREATE INDEX attempts_of_agent ON attempts (agent, attempt) WHERE state = 'live';
CREATE INDEX attempts_of_session ON attempts (session) WHERE state = 'live';

CREATE TRIGGER attempts_end_once BEFORE UPDATE OF state ON attempts WHEN old.state <> 'live'
BEGIN
    SELECT RAISE (ABORT, 'an attempt ends once');
END;

-- How many live claims may have a resource; 1 where nothing is said.
CREATE TABLE resource_limits (
    resource TEXT PRIMARY KEY,
    count    INTEGER NOT NULL CHECK (count > 0)
) STRICT, WITHOUT ROWID;

-- Files that an agent keeps to itself, outside steps.
CREATE TABLE reservations (
    reservation INTEGER PRIMARY KEY,
    tag         INTEGER NOT NULL,
    agent       TEXT NOT NULL REFERENCES agents (name),
    globs       TEXT NOT NULL CHECK (json_valid(globs)),
    reason      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;

CREATE INDEX reservations_live ON reservations (until) WHERE ended_at IS NULL;

ALTER TABLE events ADD COLUMN project INTEGER;
ALTER TABLE events ADD COLUMN step INTEGER;
ALTER TABLE events ADD COLUMN attempt INTEGER;

CREATE INDEX events_of_project ON events (project, seq) WHERE project IS NOT NULL;
CREATE INDEX events_of_step ON events (step, seq) WHERE step IS NOT NULL;
CREATE INDEX events_of_work ON events (seq) WHERE project IS NOT NULL;
