-- Statements on messages and deliveries.

-- name: recipient_row
-- All that decides whether a message may be sent to a name.
SELECT unregistered_at, role, queued + leased, inbox_limit, max_message_bytes
FROM agents WHERE name = :name;

-- name: everyone
-- Every registered agent with an inbox, but the sender.
SELECT name FROM agents
WHERE unregistered_at IS NULL AND role <> 'publisher' AND name <> :sender
ORDER BY name;

-- name: add_message
-- A new message; its seq is the next one.
INSERT INTO messages (tag, sender, recipients, thread, in_reply_to, kind, priority, subject, body,
                      metadata, reply_due, created_at, bytes)
VALUES (:tag, :sender, :recipients, :thread, :in_reply_to, :kind, :priority, :subject, :body,
        :metadata, :reply_due, :now, :bytes);

-- name: add_delivery
-- The message enters an inbox.
INSERT INTO deliveries (agent, message, state, priority, since, expires_at)
VALUES (:agent, :message, 'queued', :priority, :now, :expires_at);

-- name: message_row
-- One message.
SELECT seq, tag, sender, recipients, thread, in_reply_to, kind, priority, subject, body, metadata,
       reply_due, created_at,
       (SELECT r.tag FROM messages r WHERE r.seq = m.in_reply_to)
FROM messages m WHERE seq = :seq;

-- name: has_message
-- Whether there is a message of that id.
SELECT 1 FROM messages WHERE seq = :seq AND tag = :tag;

-- name: delivery_row
-- One delivery.
SELECT state, delivery_count, since, session, lease_until, settled_by, reasons, expires_at
FROM deliveries WHERE agent = :agent AND message = :message;

-- name: due_leases_of
-- Leases on one inbox that have run out.
SELECT message, agent, delivery_count, session, reasons FROM deliveries
WHERE agent = :agent AND state = 'leased' AND lease_until <= :now;

-- name: due_leases
-- Leases of any inbox that have run out.
SELECT d.message, d.agent, d.delivery_count, d.session, d.reasons
FROM agents a CROSS JOIN deliveries d INDEXED BY deliveries_leased
WHERE a.leased > 0 AND d.agent = a.name AND d.state = 'leased' AND d.lease_until <= :now;

-- name: leases_of_session
-- All that a session has in hand.
SELECT message, agent, delivery_count, session, reasons FROM deliveries
WHERE agent = :agent AND session = :session AND state = 'leased';

-- name: due_expiries
-- Messages that nobody took within their time.
SELECT message, agent, reasons, delivery_count FROM deliveries
WHERE state = 'queued' AND expires_at IS NOT NULL AND expires_at <= :now;

-- name: anything_due_of
-- Whether an inbox holds a lease that ran out or a message that expired.
SELECT EXISTS (SELECT 1 FROM deliveries WHERE agent = :agent AND state = 'leased' AND lease_until <= :now)
    OR EXISTS (SELECT 1 FROM deliveries
               WHERE state = 'queued' AND expires_at IS NOT NULL AND expires_at <= :now);

-- name: anything_due
-- Whether housekeeping has anything to do on deliveries, sessions or keys.
SELECT EXISTS (SELECT 1 FROM agents a CROSS JOIN deliveries d INDEXED BY deliveries_leased
               WHERE a.leased > 0 AND d.agent = a.name AND d.state = 'leased' AND d.lease_until <= :now)
    OR EXISTS (SELECT 1 FROM deliveries
               WHERE state = 'queued' AND expires_at IS NOT NULL AND expires_at <= :now)
    OR EXISTS (SELECT 1 FROM sessions WHERE state = 'live' AND expires_at <= :now)
    OR EXISTS (SELECT 1 FROM answers WHERE at < :before);

-- name: hand_out
-- What can be handed out now, in order: urgent, normal, low, then seq.
SELECT m.seq, m.tag, m.sender, m.recipients, m.thread, m.in_reply_to, m.kind, m.priority, m.subject,
       m.body, m.metadata, m.reply_due, m.created_at,
       (SELECT r.tag FROM messages r WHERE r.seq = m.in_reply_to),
       d.delivery_count, d.reasons, m.bytes
FROM deliveries d INDEXED BY deliveries_queued
CROSS JOIN messages m ON m.seq = d.message
WHERE d.agent = :agent AND d.state = 'queued'
  AND (d.not_before IS NULL OR d.not_before <= :now)
  AND (d.expires_at IS NULL OR d.expires_at > :now)
  AND (:sender IS NULL OR m.sender = :sender)
  AND (:kind IS NULL OR m.kind = :kind)
  AND (:priority IS NULL OR d.priority = :priority)
  AND (:thread IS NULL OR m.thread = :thread OR (m.seq = :thread_seq AND m.tag = :thread_tag))
ORDER BY d.priority, d.message
LIMIT :limit;

-- name: next_due
-- When something leased or delayed in an inbox can next be had.
SELECT min(at) FROM (
    SELECT min(lease_until) AS at FROM deliveries WHERE agent = :agent AND state = 'leased'
    UNION ALL
    SELECT min(not_before) FROM deliveries
    WHERE agent = :agent AND state = 'queued' AND not_before IS NOT NULL AND not_before > :now
);

-- name: queued_count
-- How many messages of an inbox are queued.
SELECT queued FROM agents WHERE name = :agent;

-- name: lease
-- queued -> leased.
UPDATE deliveries SET state = 'leased', delivery_count = delivery_count + 1, since = :now,
    session = :session, lease_until = :until, not_before = NULL
WHERE agent = :agent AND message = :message AND state = 'queued';

-- name: settle
-- queued, leased or dead -> settled.
UPDATE deliveries SET state = 'settled', settled_by = :how, since = :now, lease_until = NULL, not_before = NULL
WHERE agent = :agent AND message = :message AND state <> 'settled';

-- name: requeue
-- leased -> queued: released, or the lease ended.
UPDATE deliveries SET state = 'queued', since = :now, session = NULL, lease_until = NULL,
    not_before = :not_before, delivery_count = delivery_count - :uncount, reasons = :reasons
WHERE agent = :agent AND message = :message AND state = 'leased';

-- name: bury
-- queued or leased -> dead.
UPDATE deliveries SET state = 'dead', since = :now, session = NULL, lease_until = NULL, not_before = NULL,
    reasons = :reasons
WHERE agent = :agent AND message = :message AND state IN ('queued', 'leased');

-- name: revive
-- dead -> queued, with the count reset and no second expiry.
UPDATE deliveries SET state = 'queued', since = :now, delivery_count = 0, expires_at = NULL, not_before = NULL
WHERE agent = :agent AND message = :message AND state = 'dead';

-- name: remove_delivery
-- A dead letter is purged, or an inbox deleted.
DELETE FROM deliveries WHERE agent = :agent AND message = :message;

-- name: deliveries_of
-- All that an agent was ever delivered and still has.
SELECT message, state FROM deliveries WHERE agent = :agent;

-- name: blank_message
-- A message that is in no inbox any more keeps its place and loses its text.
UPDATE messages SET subject = '', body = '', metadata = NULL, purged_at = :now
WHERE seq = :message AND purged_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM deliveries d, json_each(messages.recipients) r
                  WHERE d.agent = r.value AND d.message = messages.seq);

-- name: whereabouts
-- Each recipient's delivery of a message, if it still has one, and its answer. While one is owed, other
-- replies are none.
SELECT r.value, d.state, d.since, d.delivery_count, d.session, d.lease_until, d.settled_by, d.reasons,
       d.expires_at, a.seq, a.tag
FROM messages m
CROSS JOIN json_each(m.recipients) r
LEFT JOIN deliveries d ON d.agent = r.value AND d.message = m.seq
LEFT JOIN debts b ON b.message = m.seq AND b.debtor = r.value
LEFT JOIN messages a ON a.seq = coalesce(b.answer, (SELECT min(x.seq) FROM messages x
                                                    WHERE x.in_reply_to = m.seq AND x.sender = r.value
                                                      AND b.state IS NOT 'open'))
WHERE m.seq = :message;

-- name: was_purged
-- Whether the ledger says that a delivery was purged: the way to tell it from one never made.
SELECT EXISTS (SELECT 1 FROM events
               WHERE event = 'message_purged' AND message = :message AND agent = :agent);

-- name: thread_rows
-- A thread's messages, oldest first: the one that began it and those that name it.
SELECT m.seq, m.tag, m.sender, m.recipients, m.thread, m.in_reply_to, m.kind, m.priority, m.subject,
       m.body, m.metadata, m.reply_due, m.created_at,
       (SELECT r.tag FROM messages r WHERE r.seq = m.in_reply_to)
FROM messages m
WHERE (m.seq = :root OR m.seq IN (SELECT seq FROM messages WHERE thread = :thread AND seq > :after))
  AND m.seq > :after
  AND (:reader IS NULL OR m.sender = :reader
       OR EXISTS (SELECT 1 FROM deliveries d WHERE d.agent = :reader AND d.message = m.seq))
ORDER BY m.seq
LIMIT :limit;

-- name: dead_rows
-- Dead letters by seq and agent: those of the messages after one and up to another, and the rest of
-- that one's behind an agent.
SELECT m.seq, m.tag, m.sender, m.recipients, m.thread, m.in_reply_to, m.kind, m.priority, m.subject,
       m.body, m.metadata, m.reply_due, m.created_at,
       (SELECT r.tag FROM messages r WHERE r.seq = m.in_reply_to),
       d.delivery_count, d.reasons, d.agent
FROM deliveries d INDEXED BY deliveries_dead
CROSS JOIN messages m ON m.seq = d.message
WHERE d.state = 'dead' AND d.message BETWEEN :after AND :until
  AND (d.message > :after OR d.agent > :behind) AND (:agent IS NULL OR d.agent = :agent)
ORDER BY d.message, d.agent
LIMIT :limit;

-- name: dead_of_message
-- Whose dead letter a message is.
SELECT agent, reasons FROM deliveries
WHERE message = :message AND state = 'dead' AND (:agent IS NULL OR agent = :agent);

-- name: unread_in_all
-- How many messages of others in the topic of all agents, the first of all topics, an agent has not read.
SELECT t.last_seq - m.position - m.own
       + (SELECT coalesce(sum(h.others), 0) FROM hands h
          WHERE h.agent = m.agent AND h.topic = m.topic
            AND (h.lease_until IS NULL OR h.lease_until <= :now))
FROM topics t JOIN members m ON m.topic = t.topic AND m.left_at IS NULL
WHERE t.topic = 1 AND m.agent = :agent;
