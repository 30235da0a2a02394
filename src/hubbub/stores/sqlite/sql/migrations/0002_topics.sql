-- Topics, who reads them and how far. Times are milliseconds since 1970 UTC.

-- name_key is what names are compared by (names.topic_key). last_seq is the number of the newest
-- message: within a topic they are numbered 1, 2, 3 without a gap. A deleted topic keeps its row:
-- the ledger names it. importing is the source of an import that is not finished.
CREATE TABLE topics (
    topic        INTEGER PRIMARY KEY,
    tag          INTEGER NOT NULL,
    name         TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    name_key     TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('open', 'closed', 'importing', 'deleted')),
    metadata     TEXT,
    created_by   TEXT,
    created_at   INTEGER NOT NULL,
    last_seq     INTEGER NOT NULL DEFAULT 0,
    last_at      INTEGER NOT NULL,
    closed_at    INTEGER,
    closed_by    TEXT,
    close_reason TEXT NOT NULL DEFAULT '',
    source       TEXT,
    CHECK (state <> 'open' OR closed_at IS NULL),
    CHECK (state <> 'closed' OR closed_at IS NOT NULL),
    CHECK (state <> 'importing' OR source IS NOT NULL)
) STRICT;

-- A name is one open topic.
CREATE UNIQUE INDEX topics_one_open ON topics (name_key) WHERE state = 'open';
CREATE INDEX topics_closed ON topics (name_key, topic) WHERE state = 'closed';
CREATE INDEX topics_by_activity ON topics (state, last_at, topic);
CREATE UNIQUE INDEX topics_of_source ON topics (source) WHERE state = 'importing';
CREATE INDEX topics_to_erase ON topics (topic) WHERE state = 'deleted' AND last_seq > 0;

-- A message of a topic is written once. thread is the post that its chain of replies began with,
-- NULL where it answers none. imported_by is who brought it from elsewhere: its sender is then what the
-- import says. Numbers are never given again: indexes and the ledger go by them.
CREATE TABLE posts (
    post       INTEGER PRIMARY KEY AUTOINCREMENT,
    tag        INTEGER NOT NULL,
    topic      INTEGER NOT NULL REFERENCES topics (topic),
    seq        INTEGER NOT NULL,
    sender     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    reply_to   INTEGER,
    thread     INTEGER,
    body       TEXT NOT NULL,
    metadata   TEXT,
    created_at INTEGER NOT NULL,
    imported_by TEXT
) STRICT;

CREATE UNIQUE INDEX posts_in_order ON posts (topic, seq);
-- Counting a member's own messages in a range looks at these only, however long the topic is.
CREATE INDEX posts_of_sender ON posts (topic, sender, seq) WHERE imported_by IS NULL;
CREATE INDEX posts_of_thread ON posts (thread, seq) WHERE thread IS NOT NULL;

CREATE TRIGGER posts_are_immutable BEFORE UPDATE ON posts
BEGIN
    SELECT RAISE (ABORT, 'a message never changes');
END;

-- One agent in one topic. position: all messages up to it were handed out at least once. own is how
-- many messages of its own come after position, so that last_seq - position - own is what it has
-- unread, and skipping its own messages costs nothing.
CREATE TABLE members (
    agent     TEXT NOT NULL REFERENCES agents (name),
    topic     INTEGER NOT NULL REFERENCES topics (topic),
    position  INTEGER NOT NULL CHECK (position >= 0),
    own       INTEGER NOT NULL DEFAULT 0 CHECK (own >= 0),
    joined_at INTEGER NOT NULL,
    left_at   INTEGER,
    seen_at   INTEGER,
    PRIMARY KEY (agent, topic)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_of_topic ON members (topic, agent);

-- A range that a sync handed out and nobody confirmed yet. lease_until is NULL once it came back, to
-- be handed out again; others is how many messages of others are in it.
CREATE TABLE hands (
    agent       TEXT NOT NULL,
    topic       INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL CHECK (last >= first),
    others      INTEGER NOT NULL,
    session     TEXT,
    lease_until INTEGER,
    marked      INTEGER NOT NULL CHECK (marked IN (0, 1)),
    PRIMARY KEY (agent, topic, first),
    FOREIGN KEY (agent, topic) REFERENCES members (agent, topic)
) STRICT, WITHOUT ROWID;

CREATE INDEX hands_due ON hands (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX hands_of_session ON hands (session) WHERE session IS NOT NULL;

ALTER TABLE events ADD COLUMN topic INTEGER;

-- The topic that every agent belongs to. It is the first, and a member's place is at its end.
INSERT INTO topics (topic, tag, name, name_key, state, created_at, last_at)
VALUES (1, 0, 'all', 'all', 'open', 0, 0);

INSERT INTO members (agent, topic, position, joined_at)
SELECT name, 1, 0, registered_at FROM agents;

CREATE TRIGGER agents_belong_to_all AFTER INSERT ON agents
BEGIN
    INSERT INTO members (agent, topic, position, joined_at)
    SELECT new.name, 1, last_seq, new.registered_at FROM topics WHERE topic = 1;
END;
