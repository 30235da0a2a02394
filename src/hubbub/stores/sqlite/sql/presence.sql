-- Statements on who stands by an agent, pings, wakes and settings.

-- name: standing_in_slot
-- Who fills a slot.
SELECT id, agent, kind, slot, how, state, process, folder, since, beat_at, expires_at FROM standings
WHERE agent = :agent AND slot = :slot;

-- name: standing_row
-- One of them.
SELECT id, agent, kind, slot, how, state, process, folder, since, beat_at, expires_at FROM standings WHERE id = :id;

-- name: standing_rows
-- Who stands by one agent, or by any.
SELECT id, agent, kind, slot, how, state, process, folder, since, beat_at, expires_at FROM standings
WHERE expires_at > :now AND (:agent IS NULL OR agent = :agent)
  AND EXISTS (SELECT 1 FROM agents a WHERE a.name = standings.agent AND a.unregistered_at IS NULL)
ORDER BY agent, since, id;

-- name: add_standing
-- A process stands by an agent.
INSERT INTO standings (id, agent, kind, slot, how, state, process, folder, since, beat_at, expires_at)
VALUES (:id, :agent, :kind, :slot, :how, :state, :process, :folder, :now, :now, :expires_at);

-- name: keep_standing
-- It is still there, and so is its agent.
UPDATE standings SET beat_at = :now, expires_at = :expires_at, state = coalesce(:state, state)
WHERE id = :id
  AND EXISTS (SELECT 1 FROM agents a WHERE a.name = standings.agent AND a.unregistered_at IS NULL);

-- name: end_standing
-- It is no more.
DELETE FROM standings WHERE id = :id;

-- name: seen_by_standing
-- The agent was seen when what stood by it was last heard of.
UPDATE agents SET last_seen_at = max(coalesce(last_seen_at, 0), :at) WHERE name = :agent;

-- name: overdue_standings
-- Those that were not heard of.
SELECT id, agent, beat_at FROM standings WHERE expires_at <= :now;

-- name: add_ping
-- Ask an agent for a sign of life.
INSERT INTO pings (agent, asker, at) VALUES (:agent, :asker, :now);

-- name: open_pings
-- What nobody answered yet.
SELECT ping, agent FROM pings
WHERE answered_by IS NULL AND agent IN (SELECT value FROM json_each(:agents)) AND at > :over;

-- name: answer_ping
-- The first answer counts.
UPDATE pings SET answered_by = :by, answer = :answer WHERE ping = :ping AND answered_by IS NULL;

-- name: ping_answer
-- The answer.
SELECT answer FROM pings WHERE ping = :ping;

-- name: forget_pings
-- Nobody waits for these any more.
DELETE FROM pings WHERE at <= :over;

-- name: keep_wake
-- The last try to wake an agent in one way.
INSERT INTO wakes (agent, how, at, worked, detail, message) VALUES (:agent, :how, :now, :worked, :detail, :message)
ON CONFLICT (agent, how) DO UPDATE
SET at = excluded.at, worked = excluded.worked, detail = excluded.detail, message = excluded.message;

-- name: wake_rows
-- The last tries to wake an agent, newest first.
SELECT w.agent, w.how, w.at, w.worked, w.detail, w.message, (SELECT m.tag FROM messages m WHERE m.seq = w.message)
FROM wakes w WHERE w.agent = :agent ORDER BY w.at DESC;

-- name: setting_rows
-- All that is set.
SELECT substr(name, 8), value FROM settings WHERE name BETWEEN 'config.' AND 'config/' ORDER BY name;

-- name: setting_row
-- One value.
SELECT value FROM settings WHERE name = 'config.' || :key;

-- name: put_setting
-- Set it.
INSERT INTO settings (name, value) VALUES ('config.' || :key, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: drop_setting
-- Set it no longer.
DELETE FROM settings WHERE name = 'config.' || :key;
