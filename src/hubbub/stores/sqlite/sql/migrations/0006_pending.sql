-- Answers that are owed, requests that are waited for, the gate, who stands by an agent, and pings.

-- One row per recipient of a message that wants an answer. It is opened by the send and closed by the
-- reply, in the same strokes; next_at is when housekeeping is to remind of it or to escalate it.
CREATE TABLE debts (
    message      INTEGER NOT NULL REFERENCES messages (seq),
    debtor       TEXT NOT NULL REFERENCES agents (name),
    asker        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('open', 'answered', 'waived', 'declined')),
    due          INTEGER,
    reminders    INTEGER NOT NULL DEFAULT 0 CHECK (reminders >= 0),
    reminder     INTEGER REFERENCES messages (seq),
    next_at      INTEGER,
    escalated_at INTEGER,
    closed_at    INTEGER,
    answer       INTEGER REFERENCES messages (seq),
    why          TEXT,
    -- Whether the question expired before anybody took it.
    unseen       INTEGER NOT NULL DEFAULT 0 CHECK (unseen IN (0, 1)),
    -- What the asker's process was told of reminders, as JSON: times, escalation, watchdog.
    told         TEXT,
    PRIMARY KEY (message, debtor),
    CHECK ((state = 'open') = (closed_at IS NULL)),
    CHECK (state = 'open' OR next_at IS NULL),
    CHECK (due IS NOT NULL OR unseen = 1 OR next_at IS NULL),
    CHECK (escalated_at IS NULL OR next_at IS NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX debts_owed_by ON debts (debtor, message) WHERE state = 'open';
CREATE INDEX debts_owed_to ON debts (asker, message) WHERE state = 'open';
CREATE INDEX debts_next ON debts (next_at) WHERE next_at IS NOT NULL;

CREATE TRIGGER debts_closed_is_final BEFORE UPDATE OF state ON debts
WHEN old.state <> 'open'
BEGIN
    SELECT RAISE (ABORT, 'an answer that was given, waived or declined is no longer owed');
END;

-- The bus's own name is no agent's any more.
INSERT INTO events (at, event, agent, detail)
SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000, 'agent_unregistered', name,
       '{"why":"this is the name of the bus itself"}'
FROM agents WHERE name = 'hubbub' AND unregistered_at IS NULL;
UPDATE sessions SET state = 'ended', ended_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000,
    ended_why = 'its name is that of the bus itself'
WHERE agent = 'hubbub' AND state = 'live';
UPDATE agents SET unregistered_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000
WHERE name = 'hubbub' AND unregistered_at IS NULL;

-- What was asked before debts were kept and has no answer yet is owed still, to those that can be
-- answered. Nobody is reminded of what was due more than a day ago.
INSERT INTO debts (message, debtor, asker, state, due, next_at)
SELECT m.seq, d.agent, m.sender, 'open', m.reply_due,
       iif(m.reply_due > (CAST(strftime('%s', 'now') AS INTEGER) - 86400) * 1000, m.reply_due + 30000, NULL)
FROM messages m JOIN deliveries d ON d.message = m.seq
JOIN agents s ON s.name = m.sender AND s.unregistered_at IS NULL AND s.role <> 'publisher'
WHERE (m.reply_due IS NOT NULL OR m.kind IN ('task', 'question', 'review_request'))
  AND m.purged_at IS NULL AND m.sender <> d.agent AND d.state <> 'dead'
  AND d.agent <> 'hubbub'
  AND NOT EXISTS (SELECT 1 FROM messages a
                  WHERE a.in_reply_to = m.seq AND a.sender = d.agent AND a.kind <> 'status'
                    AND EXISTS (SELECT 1 FROM json_each(a.recipients) r WHERE r.value = m.sender));

-- A call that waits for the answer to its request. The answer is kept for it until that time, which the
-- call moves on while it waits; then it is in the inbox like any other mail.
CREATE TABLE waits (
    message INTEGER PRIMARY KEY REFERENCES messages (seq),
    asker   TEXT NOT NULL,
    session TEXT,
    until   INTEGER NOT NULL,
    answer  INTEGER REFERENCES messages (seq)
) STRICT;

CREATE UNIQUE INDEX waits_for_answer ON waits (answer) WHERE answer IS NOT NULL;
CREATE INDEX waits_by_end ON waits (until);

-- How many messages went from one agent to another (or to a topic, as #ID) since window_start; over
-- counts those beyond the limit, which were all refused or all only counted, told how many of these the
-- ledger has been told of.
CREATE TABLE gate (
    sender       TEXT NOT NULL,
    recipient    TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    sent         INTEGER NOT NULL CHECK (sent >= 0),
    over         INTEGER NOT NULL CHECK (over >= 0),
    told         INTEGER NOT NULL CHECK (told BETWEEN 0 AND over),
    refused      INTEGER NOT NULL CHECK (refused IN (0, 1)),
    PRIMARY KEY (sender, recipient)
) STRICT, WITHOUT ROWID;

CREATE INDEX gate_untold ON gate (window_start) WHERE over > told;

-- Processes that stand by an agent beside the session that holds its name: a monitor, a wrapper, a
-- waiter. At most one fills a slot of an agent at a time.
CREATE TABLE standings (
    id         TEXT PRIMARY KEY,
    agent      TEXT NOT NULL REFERENCES agents (name),
    kind       TEXT NOT NULL,
    slot       TEXT NOT NULL,
    how        TEXT NOT NULL,
    state      TEXT NOT NULL,
    process    TEXT NOT NULL,
    folder     TEXT NOT NULL,
    since      INTEGER NOT NULL,
    beat_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX standings_one_a_slot ON standings (agent, slot);

-- The last try to wake an agent in each way.
CREATE TABLE wakes (
    agent   TEXT NOT NULL REFERENCES agents (name),
    how     TEXT NOT NULL,
    at      INTEGER NOT NULL,
    worked  INTEGER NOT NULL CHECK (worked IN (0, 1)),
    detail  TEXT NOT NULL,
    message INTEGER,
    PRIMARY KEY (agent, how)
) STRICT, WITHOUT ROWID;

-- Pings under way; a row is of no use once its asker has looked at the answer. A number is never used
-- again: a process that was stopped may answer late.
CREATE TABLE pings (
    ping        INTEGER PRIMARY KEY AUTOINCREMENT,
    agent       TEXT NOT NULL,
    asker       TEXT NOT NULL,
    at          INTEGER NOT NULL,
    answered_by TEXT,
    answer      TEXT,
    CHECK ((answered_by IS NULL) = (answer IS NULL))
) STRICT;

CREATE INDEX pings_open ON pings (agent) WHERE answered_by IS NULL;
