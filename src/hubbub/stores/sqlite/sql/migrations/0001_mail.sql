-- Agents, sessions, mail and the ledger. Times are milliseconds since 1970 UTC.

-- Where the bus as a whole keeps a value of its own.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per name ever registered. Unregistering sets unregistered_at and keeps the row, so
-- that kept mail has an owner. The three counts follow the deliveries by trigger: a send has to
-- know how full an inbox is, and counting would cost more the fuller it is.
CREATE TABLE agents (
    name              TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    role              TEXT NOT NULL CHECK (role IN ('both', 'publisher', 'consumer')),
    description       TEXT NOT NULL,
    inbox_limit       INTEGER NOT NULL CHECK (inbox_limit > 0),
    max_message_bytes INTEGER NOT NULL CHECK (max_message_bytes > 0),
    ephemeral         INTEGER NOT NULL CHECK (ephemeral IN (0, 1)),
    registered_at     INTEGER NOT NULL,
    unregistered_at   INTEGER,
    last_seen_at      INTEGER,
    queued            INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
    leased            INTEGER NOT NULL DEFAULT 0 CHECK (leased >= 0),
    dead              INTEGER NOT NULL DEFAULT 0 CHECK (dead >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id             TEXT PRIMARY KEY,
    agent          TEXT NOT NULL REFERENCES agents (name),
    state          TEXT NOT NULL CHECK (state IN ('live', 'expired', 'superseded', 'ended')),
    client         TEXT NOT NULL,
    client_session TEXT NOT NULL,
    process        TEXT NOT NULL,
    folder         TEXT NOT NULL,
    started_at     INTEGER NOT NULL,
    beat_at        INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    ended_why      TEXT,
    CHECK ((state = 'live') = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;

-- A name is one agent: one live session holds it.
CREATE UNIQUE INDEX sessions_one_live ON sessions (agent) WHERE state = 'live';
CREATE INDEX sessions_of_client ON sessions (client_session, started_at) WHERE client_session <> '';

-- A message is written once. Its id is made of seq and tag (names.message_id), so that finding
-- one by id needs no index. thread is NULL where the message starts a thread of its own: most
-- do, and then the index of threads costs nothing.
CREATE TABLE messages (
    seq         INTEGER PRIMARY KEY,
    tag         INTEGER NOT NULL,
    sender      TEXT NOT NULL,
    recipients  TEXT NOT NULL CHECK (json_valid(recipients)),
    thread      TEXT,
    in_reply_to INTEGER REFERENCES messages (seq),
    kind        TEXT NOT NULL,
    priority    INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    subject     TEXT NOT NULL,
    body        TEXT NOT NULL,
    metadata    TEXT,
    reply_due   INTEGER,
    created_at  INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    purged_at   INTEGER
) STRICT;

CREATE INDEX messages_of_thread ON messages (thread, seq) WHERE thread IS NOT NULL;
CREATE INDEX messages_answering ON messages (in_reply_to) WHERE in_reply_to IS NOT NULL;

CREATE TRIGGER messages_are_immutable BEFORE UPDATE ON messages
WHEN new.purged_at IS NULL OR old.purged_at IS NOT NULL
BEGIN
    SELECT RAISE (ABORT, 'a message never changes');
END;

-- One message in one inbox. The states and their transitions are in docs/reference/states.md.
CREATE TABLE deliveries (
    agent          TEXT NOT NULL REFERENCES agents (name),
    message        INTEGER NOT NULL REFERENCES messages (seq),
    state          TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'settled', 'dead')),
    priority       INTEGER NOT NULL,
    delivery_count INTEGER NOT NULL DEFAULT 0 CHECK (delivery_count >= 0),
    since          INTEGER NOT NULL,
    session        TEXT,
    lease_until    INTEGER,
    not_before     INTEGER,
    expires_at     INTEGER,
    settled_by     TEXT CHECK (settled_by IN ('acknowledge', 'reply', 'implicit')),
    reasons        TEXT,
    PRIMARY KEY (agent, message),
    CHECK ((state = 'leased') = (lease_until IS NOT NULL)),
    CHECK ((state = 'settled') = (settled_by IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- What is waiting, in the order of hand-out, and what is in hand. Settled mail is in neither, so
-- that receive does not get slower as mail is kept.
CREATE INDEX deliveries_queued ON deliveries (agent, priority, message) WHERE state = 'queued';
CREATE INDEX deliveries_delayed ON deliveries (agent, not_before)
    WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (agent, lease_until) WHERE state = 'leased';
CREATE INDEX deliveries_expiring ON deliveries (expires_at)
    WHERE state = 'queued' AND expires_at IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (message, agent) WHERE state = 'dead';

CREATE TRIGGER deliveries_settled_is_final BEFORE UPDATE OF state ON deliveries
WHEN old.state = 'settled'
BEGIN
    SELECT RAISE (ABORT, 'a settled delivery never changes');
END;

CREATE TRIGGER deliveries_counted_in AFTER INSERT ON deliveries
BEGIN
    UPDATE agents SET
        queued = queued + (new.state = 'queued'),
        leased = leased + (new.state = 'leased'),
        dead = dead + (new.state = 'dead'),
        ephemeral = 0
    WHERE name = new.agent;
END;

CREATE TRIGGER deliveries_counted_over AFTER UPDATE OF state ON deliveries
WHEN old.state <> new.state
BEGIN
    UPDATE agents SET
        queued = queued + (new.state = 'queued') - (old.state = 'queued'),
        leased = leased + (new.state = 'leased') - (old.state = 'leased'),
        dead = dead + (new.state = 'dead') - (old.state = 'dead')
    WHERE name = new.agent;
END;

CREATE TRIGGER deliveries_counted_out AFTER DELETE ON deliveries
BEGIN
    UPDATE agents SET
        queued = queued - (old.state = 'queued'),
        leased = leased - (old.state = 'leased'),
        dead = dead - (old.state = 'dead')
    WHERE name = old.agent;
END;

-- The ledger: every transition, never changed.
CREATE TABLE events (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    actor   TEXT,
    session TEXT,
    message INTEGER,
    agent   TEXT,
    detail  TEXT
) STRICT;

CREATE TRIGGER events_are_immutable BEFORE UPDATE ON events
BEGIN
    SELECT RAISE (ABORT, 'the ledger is append-only');
END;

-- The first answer to each idempotency key. answer is JSON; request is a digest of what was asked.
CREATE TABLE answers (
    agent     TEXT NOT NULL,
    key       TEXT NOT NULL,
    operation TEXT NOT NULL,
    request   TEXT NOT NULL,
    answer    TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (agent, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_age ON answers (at);

-- Who does a job that only one process should do at a time, and until when.
CREATE TABLE duties (
    duty   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
