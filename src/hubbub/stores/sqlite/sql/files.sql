-- Statements on reservations of files.

-- name: add_reservation
-- Files are kept.
INSERT INTO reservations (tag, agent, globs, reason, created_at, until)
VALUES (:tag, :agent, :globs, :reason, :now, :until);

-- name: reservation_row
-- One live reservation.
SELECT reservation, tag, agent, globs, reason, created_at, until FROM reservations
WHERE reservation = :reservation AND ended_at IS NULL AND until > :now;

-- name: live_reservations
-- All live reservations, of one agent or of all; sorted afterwards, so as not to read those that are over.
SELECT reservation, tag, agent, globs, reason, created_at, until FROM reservations
WHERE ended_at IS NULL AND until > :now AND (:agent IS NULL OR agent = :agent) ORDER BY +reservation;

-- name: held_globs
-- What is kept, and by whom.
SELECT globs, agent FROM reservations WHERE ended_at IS NULL AND until > :now;

-- name: next_reservation
-- When the first of what others than one agent keep is free.
SELECT min(until) FROM reservations WHERE ended_at IS NULL AND until > :now AND agent IS NOT :agent;

-- name: renew_reservation
-- Kept longer.
UPDATE reservations SET until = :until WHERE reservation = :reservation;

-- name: end_reservation
-- Given up.
UPDATE reservations SET ended_at = :now WHERE reservation = :reservation AND ended_at IS NULL;

-- name: end_old_reservations
-- Reservations whose time ran out need not be looked at again.
UPDATE reservations SET ended_at = until WHERE ended_at IS NULL AND until <= :now;

-- name: set_limit
-- How many may have a resource.
INSERT INTO resource_limits (resource, count) VALUES (:resource, :count)
ON CONFLICT (resource) DO UPDATE SET count = excluded.count;
