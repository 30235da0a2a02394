-- Statements on agents, sessions, idempotency keys and duties.

-- name: agent_row
-- One name with its live session, registered or not.
SELECT a.name, a.role, a.description, a.inbox_limit, a.max_message_bytes, a.registered_at,
       a.queued, a.leased, a.dead, a.last_seen_at, a.unregistered_at, a.ephemeral,
       s.id, s.agent, s.state, s.client, s.client_session, s.process, s.folder,
       s.started_at, s.beat_at, s.expires_at, s.ended_at, s.ended_why
FROM agents a
LEFT JOIN sessions s ON s.agent = a.name AND s.state = 'live'
WHERE a.name = :name;

-- name: agent_rows
-- Every registered agent with its live session, by name.
SELECT a.name, a.role, a.description, a.inbox_limit, a.max_message_bytes, a.registered_at,
       a.queued, a.leased, a.dead, a.last_seen_at, a.unregistered_at, a.ephemeral,
       s.id, s.agent, s.state, s.client, s.client_session, s.process, s.folder,
       s.started_at, s.beat_at, s.expires_at, s.ended_at, s.ended_why
FROM agents a
LEFT JOIN sessions s ON s.agent = a.name AND s.state = 'live'
WHERE a.unregistered_at IS NULL
ORDER BY a.name;

-- name: stakes
-- Whether an agent holds steps, keeps files or owes answers, and whether others keep files.
SELECT EXISTS (SELECT 1 FROM attempts INDEXED BY attempts_of_agent
               WHERE agent = :name AND state = 'live' AND lease_until > :now),
       EXISTS (SELECT 1 FROM reservations INDEXED BY reservations_live
               WHERE ended_at IS NULL AND until > :now AND agent = :name),
       EXISTS (SELECT 1 FROM debts INDEXED BY debts_owed_by WHERE debtor = :name AND state = 'open'),
       EXISTS (SELECT 1 FROM reservations INDEXED BY reservations_live
               WHERE ended_at IS NULL AND until > :now AND agent <> :name)
       OR EXISTS (SELECT 1 FROM steps s INDEXED BY steps_holding
                  CROSS JOIN attempts a ON a.step = s.step AND a.state = 'live'
                  WHERE s.holds = 1 AND s.status IN ('claimed', 'in_progress') AND s.paths <> '[]'
                    AND a.lease_until > :now AND a.agent <> :name);

-- name: agent_names
-- The registered names, to find the nearest to a mistyped one.
SELECT name FROM agents WHERE unregistered_at IS NULL;

-- name: add_agent
-- A name seen for the first time.
INSERT INTO agents (name, role, description, inbox_limit, max_message_bytes, ephemeral, registered_at)
VALUES (:name, :role, :description, :inbox_limit, :max_message_bytes, :ephemeral, :now);

-- name: update_agent
-- What a later registration says; a name that was unregistered comes back.
UPDATE agents SET role = :role, description = :description, inbox_limit = :inbox_limit,
    max_message_bytes = :max_message_bytes, ephemeral = :ephemeral,
    registered_at = iif(unregistered_at IS NULL, registered_at, :now), unregistered_at = NULL
WHERE name = :name;

-- name: unregister_agent
-- The name is no longer on the bus; the row stays for its mail.
UPDATE agents SET unregistered_at = :now WHERE name = :name;

-- name: agent_takes_part
-- A made-up name that has sent is kept.
UPDATE agents SET ephemeral = 0 WHERE name = :name AND ephemeral = 1;

-- name: seen
-- When the agent was last known to be there.
UPDATE agents SET last_seen_at = :now WHERE name = :name;

-- name: actor_row
-- All that decides whether an actor may act: its agent, and its session if it names one.
SELECT a.unregistered_at, a.role, a.ephemeral, s.state, s.expires_at, s.agent
FROM agents a
LEFT JOIN sessions s ON s.id = :session
WHERE a.name = :agent;

-- name: attached_actor_row
-- The same for an actor without a session.
SELECT unregistered_at, role, ephemeral, NULL, NULL, NULL FROM agents WHERE name = :agent;

-- name: session_row
-- One session of any state.
SELECT id, agent, state, client, client_session, process, folder,
       started_at, beat_at, expires_at, ended_at, ended_why
FROM sessions WHERE id = :id;

-- name: live_session_of
-- The session that holds a name.
SELECT id, agent, state, client, client_session, process, folder,
       started_at, beat_at, expires_at, ended_at, ended_why
FROM sessions WHERE agent = :agent AND state = 'live';

-- name: live_sessions
-- All sessions that hold names.
SELECT id, agent, state, client, client_session, process, folder,
       started_at, beat_at, expires_at, ended_at, ended_why
FROM sessions WHERE state = 'live' ORDER BY agent;

-- name: session_of_client
-- The latest session kept with a client's own session id.
SELECT id, agent, state, client, client_session, process, folder,
       started_at, beat_at, expires_at, ended_at, ended_why
FROM sessions WHERE client_session = :client_session AND client_session <> ''
ORDER BY started_at DESC LIMIT 1;

-- name: overdue_sessions
-- Sessions that count as live and have missed their beats.
SELECT id, agent FROM sessions WHERE state = 'live' AND expires_at <= :now;

-- name: add_session
-- A session begins to hold a name.
INSERT INTO sessions (id, agent, state, client, client_session, process, folder,
                      started_at, beat_at, expires_at)
VALUES (:id, :agent, 'live', :client, :client_session, :process, :folder, :now, :now, :expires_at);

-- name: beat
-- The session is alive; one that had expired is live again (the caller has checked that it may be).
UPDATE sessions SET beat_at = :now, expires_at = :expires_at, state = 'live', ended_at = NULL, ended_why = NULL
WHERE id = :id;

-- name: renew_claims
-- A session's beat renews its live claims, as far as their time limits allow.
UPDATE attempts SET renewed_at = :now, lease_until = max(lease_until, min(:now + lease_ms, limit_until))
WHERE session = :id AND state = 'live' AND lease_until > :now;

-- name: orphan_claims
-- A session is gone without a word: its claims are good for a little while more, unless somebody renews them.
UPDATE attempts SET lease_until = min(lease_until, :until)
WHERE session = :id AND state = 'live' AND lease_until > :until;

-- name: has_claims
-- Whether an agent holds a step, or files.
SELECT 1 WHERE EXISTS (SELECT 1 FROM attempts WHERE agent = :name AND state = 'live')
            OR EXISTS (SELECT 1 FROM reservations WHERE agent = :name AND ended_at IS NULL);

-- name: identify
-- What the client calls its own session became known.
UPDATE sessions SET client_session = :client_session WHERE id = :id AND state = 'live';

-- name: end_session
-- The session holds its name no more.
UPDATE sessions SET state = :state, ended_at = :now, ended_why = :why WHERE id = :id AND state = 'live';

-- name: holds_hands
-- Whether something of a topic is in the session's hand.
SELECT 1 FROM hands WHERE session = :id LIMIT 1;

-- name: answer_of
-- The first answer to an idempotency key.
SELECT operation, request, answer FROM answers WHERE agent = :agent AND key = :key;

-- name: keep_answer
-- Remember the answer to an idempotency key.
INSERT INTO answers (agent, key, operation, request, answer, at)
VALUES (:agent, :key, :operation, :request, :answer, :now);

-- name: forget_answer
-- Forget one key.
DELETE FROM answers WHERE agent = :agent AND key = :key;

-- name: forget_answers
-- Forget keys that are too old to be retried.
DELETE FROM answers WHERE at < :before;

-- name: duty_row
-- Who holds a duty, and until when.
SELECT holder, until FROM duties WHERE duty = :duty;

-- name: take_duty
-- Take or keep a duty.
INSERT INTO duties (duty, holder, until) VALUES (:duty, :holder, :until)
ON CONFLICT (duty) DO UPDATE SET holder = excluded.holder, until = excluded.until;
