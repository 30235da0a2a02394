-- Statements on topics, their messages, members and hand-outs.

-- name: topic_by_number
-- One topic of any state.
SELECT topic, tag, name, state, metadata, created_by, created_at, last_seq, last_at,
       closed_at, closed_by, close_reason
FROM topics WHERE topic = :topic;

-- name: topic_by_name
-- The open topic of a name, else the newest closed one.
SELECT topic, tag, name, state, metadata, created_by, created_at, last_seq, last_at,
       closed_at, closed_by, close_reason
FROM topics
WHERE topic = coalesce(
    (SELECT topic FROM topics WHERE name_key = :name_key AND state = 'open'),
    (SELECT max(topic) FROM topics WHERE name_key = :name_key AND state = 'closed'));

-- name: open_topic_named
-- Whether an open topic has a name.
SELECT topic, tag FROM topics WHERE name_key = :name_key AND state = 'open';

-- name: topic_names
-- The names that one may have meant, the last active first.
SELECT name FROM topics WHERE state IN ('open', 'closed') ORDER BY last_at DESC LIMIT 200;

-- name: deleted_topic_named
-- The newest deleted topic of a name, among the last that were deleted, when that was, and by whom if the
-- recent ledger tells. Read only on the way to an error, and bounded: neither is indexed by name or topic.
SELECT name,
       (SELECT actor FROM events
        WHERE seq > (SELECT max(seq) FROM events) - 20000
          AND events.topic = gone.topic AND event = 'topic_deleted'
        ORDER BY seq DESC LIMIT 1),
       last_at
FROM (SELECT topic, name, name_key, last_at FROM topics WHERE state = 'deleted'
      ORDER BY last_at DESC, topic DESC LIMIT 1000) AS gone
WHERE name_key = :name_key LIMIT 1;

-- name: add_topic
-- A new topic.
INSERT INTO topics (tag, name, name_key, state, metadata, created_by, created_at, last_at, source)
VALUES (:tag, :name, :name_key, :state, :metadata, :created_by, :created_at, :now, :source);

-- name: name_topic
-- A topic's name, at first or anew.
UPDATE topics SET name = :name, name_key = :name_key, last_at = :now WHERE topic = :topic;

-- name: close_topic
-- open -> closed.
UPDATE topics SET state = 'closed', closed_at = :now, closed_by = :by, close_reason = :reason, last_at = :now
WHERE topic = :topic AND state = 'open';

-- name: reopen_topic
-- closed -> open.
UPDATE topics SET state = 'open', closed_at = NULL, closed_by = NULL, close_reason = '', last_at = :now
WHERE topic = :topic AND state = 'closed';

-- name: delete_topic
-- open, closed or importing -> deleted. Its messages are erased later, in batches.
UPDATE topics SET state = 'deleted', last_at = :now WHERE topic = :topic;

-- name: topic_grew
-- Messages were posted.
UPDATE topics SET last_seq = :last_seq, last_at = :now WHERE topic = :topic;

-- name: topic_page
-- Topics of a state, the last active first, behind a place; with what an agent has unread there.
SELECT t.topic, t.tag, t.name, t.state, t.metadata, t.created_by, t.created_at, t.last_seq, t.last_at,
       t.closed_at, t.closed_by, t.close_reason,
       CASE WHEN m.left_at IS NULL THEN t.last_seq - m.position - m.own
            + (SELECT coalesce(sum(h.others), 0) FROM hands h
               WHERE h.agent = m.agent AND h.topic = m.topic
                 AND (h.lease_until IS NULL OR h.lease_until <= :now)) END,
       CASE WHEN :counted THEN
           (SELECT count(*) FROM members c JOIN agents a ON a.name = c.agent AND a.unregistered_at IS NULL
            WHERE c.topic = t.topic AND c.left_at IS NULL) END
FROM topics t
LEFT JOIN members m ON m.agent = :agent AND m.topic = t.topic
WHERE t.state = :state
  AND (:last_at IS NULL OR (t.last_at, t.topic) < (:last_at, :topic))
  AND (:match IS NULL OR instr(t.name_key, :match) > 0)
ORDER BY t.last_at DESC, t.topic DESC
LIMIT :limit;

-- name: topic_count
-- How many topics of a state there are.
SELECT count(*) FROM topics
WHERE state = :state AND (:match IS NULL OR instr(name_key, :match) > 0);

-- name: member_count
-- How many agents are members.
SELECT count(*) FROM members c JOIN agents a ON a.name = c.agent AND a.unregistered_at IS NULL
WHERE c.topic = :topic AND c.left_at IS NULL;

-- name: member_row
-- One agent's place in a topic, and what of it is in hand.
SELECT m.position, m.own, m.joined_at, m.left_at, m.seen_at, h.first, h.others, h.back, h.until
FROM members m
LEFT JOIN (SELECT min(first) AS first, sum(others) AS others,
                  sum(iif(lease_until IS NULL OR lease_until <= :now, others, 0)) AS back,
                  min(lease_until) AS until
           FROM hands WHERE agent = :agent AND topic = :topic) h
WHERE m.agent = :agent AND m.topic = :topic;

-- name: members_of
-- Who is in a topic, those who synced last first.
SELECT m.agent, m.position, m.own, m.joined_at, m.left_at, m.seen_at,
       (SELECT min(first) FROM hands h WHERE h.agent = m.agent AND h.topic = m.topic),
       (SELECT sum(others) FROM hands h WHERE h.agent = m.agent AND h.topic = m.topic
          AND (h.lease_until IS NULL OR h.lease_until <= :now)),
       (SELECT sum(others) FROM hands h WHERE h.agent = m.agent AND h.topic = m.topic),
       EXISTS (SELECT 1 FROM sessions s
               WHERE s.agent = m.agent AND s.state = 'live' AND s.expires_at > :now)
FROM members m JOIN agents a ON a.name = m.agent AND a.unregistered_at IS NULL
WHERE m.topic = :topic AND m.left_at IS NULL
ORDER BY m.seen_at DESC, m.agent
LIMIT :limit;

-- name: add_member
-- An agent joins, or joins again.
INSERT INTO members (agent, topic, position, own, joined_at) VALUES (:agent, :topic, :position, :own, :now)
ON CONFLICT (agent, topic) DO UPDATE SET
    position = excluded.position, own = excluded.own, joined_at = excluded.joined_at, left_at = NULL;

-- name: leave_topic
-- A member leaves; its place is kept.
UPDATE members SET left_at = :now WHERE agent = :agent AND topic = :topic;

-- name: move_member
-- How far a member is, and that it was there.
UPDATE members SET position = :position, own = :own, seen_at = :now WHERE agent = :agent AND topic = :topic;

-- name: remove_members
-- Nobody is a member of a deleted topic.
DELETE FROM members WHERE topic = :topic;

-- name: own_between
-- How many messages that one agent posted are in a range.
SELECT count(*) FROM posts WHERE topic = :topic AND seq > :after AND seq <= :last AND sender = :agent
  AND imported_by IS NULL;

-- name: add_post
-- A message is written.
INSERT INTO posts (tag, topic, seq, sender, kind, reply_to, thread, body, metadata, created_at, imported_by)
VALUES (:tag, :topic, :seq, :sender, :kind, :reply_to, :thread, :body, :metadata, :created_at, :imported_by);

-- name: post_place
-- Where a message is, to answer it.
SELECT topic, tag, thread, seq FROM posts WHERE post = :post;

-- name: post_at
-- Which message has a number in a topic.
SELECT post, thread FROM posts WHERE topic = :topic AND seq = :seq;

-- name: post_row
-- One message of a topic that is there.
SELECT p.post, p.tag, t.topic, t.tag, p.seq, p.sender, p.kind, p.reply_to,
       (SELECT r.tag FROM posts r WHERE r.post = p.reply_to), p.thread,
       (SELECT r.tag FROM posts r WHERE r.post = p.thread), p.body, p.metadata, p.created_at, 0, p.imported_by
FROM posts p JOIN topics t ON t.topic = p.topic AND t.state IN ('open', 'closed')
WHERE p.post = :post;

-- name: posts_of_others
-- What others posted in a range, in order.
SELECT p.post, p.tag, p.topic, :topic_tag, p.seq, p.sender, p.kind, p.reply_to,
       (SELECT r.tag FROM posts r WHERE r.post = p.reply_to), p.thread,
       (SELECT r.tag FROM posts r WHERE r.post = p.thread), p.body, p.metadata, p.created_at,
       octet_length(p.body) + coalesce(octet_length(p.metadata), 0), p.imported_by
FROM posts p
WHERE p.topic = :topic AND p.seq > :after AND p.seq <= :last
  AND (p.sender <> :agent OR p.imported_by IS NOT NULL)
ORDER BY p.seq LIMIT :limit;

-- name: history_forward
-- A stretch of a topic, in order.
SELECT p.post, p.tag, p.topic, :topic_tag, p.seq, p.sender, p.kind, p.reply_to,
       (SELECT r.tag FROM posts r WHERE r.post = p.reply_to), p.thread,
       (SELECT r.tag FROM posts r WHERE r.post = p.thread), p.body, p.metadata, p.created_at,
       octet_length(p.body) + coalesce(octet_length(p.metadata), 0), p.imported_by
FROM posts p
WHERE p.topic = :topic AND p.seq > :after AND p.seq < :before
ORDER BY p.seq LIMIT :limit;

-- name: history_backward
-- The end of a stretch of a topic, the last first.
SELECT p.post, p.tag, p.topic, :topic_tag, p.seq, p.sender, p.kind, p.reply_to,
       (SELECT r.tag FROM posts r WHERE r.post = p.reply_to), p.thread,
       (SELECT r.tag FROM posts r WHERE r.post = p.thread), p.body, p.metadata, p.created_at,
       octet_length(p.body) + coalesce(octet_length(p.metadata), 0), p.imported_by
FROM posts p
WHERE p.topic = :topic AND p.seq > :after AND p.seq < :before
ORDER BY p.seq DESC LIMIT :limit;

-- name: thread_forward
-- A stretch of a thread of a topic, in order.
SELECT p.post, p.tag, p.topic, :topic_tag, p.seq, p.sender, p.kind, p.reply_to,
       (SELECT r.tag FROM posts r WHERE r.post = p.reply_to), p.thread,
       (SELECT r.tag FROM posts r WHERE r.post = p.thread), p.body, p.metadata, p.created_at,
       octet_length(p.body) + coalesce(octet_length(p.metadata), 0), p.imported_by
FROM (SELECT :thread AS post UNION ALL
      SELECT post FROM (SELECT post FROM posts WHERE thread = :thread AND seq > :after AND seq < :before
                        ORDER BY seq LIMIT :limit)) x
CROSS JOIN posts p ON p.post = x.post
WHERE +p.topic = :topic AND +p.seq > :after AND +p.seq < :before
ORDER BY p.seq LIMIT :limit;

-- name: thread_backward
-- The end of a stretch of a thread of a topic, the last first.
SELECT p.post, p.tag, p.topic, :topic_tag, p.seq, p.sender, p.kind, p.reply_to,
       (SELECT r.tag FROM posts r WHERE r.post = p.reply_to), p.thread,
       (SELECT r.tag FROM posts r WHERE r.post = p.thread), p.body, p.metadata, p.created_at,
       octet_length(p.body) + coalesce(octet_length(p.metadata), 0), p.imported_by
FROM (SELECT :thread AS post UNION ALL
      SELECT post FROM (SELECT post FROM posts WHERE thread = :thread AND seq > :after AND seq < :before
                        ORDER BY seq DESC LIMIT :limit)) x
CROSS JOIN posts p ON p.post = x.post
WHERE +p.topic = :topic AND +p.seq > :after AND +p.seq < :before
ORDER BY p.seq DESC LIMIT :limit;

-- name: add_hand
-- A range is handed out, or waits to be.
INSERT INTO hands (agent, topic, first, last, others, session, lease_until, marked)
VALUES (:agent, :topic, :first, :last, :others, :session, :until, :marked);

-- name: hands_waiting
-- What came back or ran out, to be handed out again; the lowest first.
SELECT first, last, others, session, lease_until, marked FROM hands
WHERE agent = :agent AND topic = :topic AND (lease_until IS NULL OR lease_until <= :now)
ORDER BY first LIMIT :limit;

-- name: hands_within
-- The hand-outs that lie in a range and that a session may speak for: its own and those that came back.
SELECT first, last, session, lease_until FROM hands
WHERE agent = :agent AND topic = :topic AND first >= :first AND last <= :last
  AND (session IS :session OR lease_until IS NULL);

-- name: hands_below
-- The hand-outs that begin at or before a number, in order.
SELECT first, last, others, session, lease_until, marked FROM hands
WHERE agent = :agent AND topic = :topic AND first <= :last ORDER BY first;

-- name: remove_hand
-- A hand-out is over.
DELETE FROM hands WHERE agent = :agent AND topic = :topic AND first = :first;

-- name: remove_hands
-- All hand-outs of one member are over.
DELETE FROM hands WHERE agent = :agent AND topic = :topic;

-- name: remove_hands_of_topic
-- Nothing of a deleted topic is handed out.
DELETE FROM hands WHERE topic = :topic;

-- name: return_hand
-- A hand-out comes back.
UPDATE hands SET session = NULL, lease_until = NULL, marked = :marked
WHERE agent = :agent AND topic = :topic AND first = :first;

-- name: hands_due
-- Hand-outs whose time ran out.
SELECT agent, topic, first, last, session FROM hands WHERE lease_until <= :now;

-- name: hands_of_session
-- What a session has in hand.
SELECT agent, topic, first, last, session FROM hands WHERE session = :session;

-- name: importing_from
-- The unfinished import of a source.
SELECT topic, tag, name, state, metadata, created_by, created_at, last_seq, last_at,
       closed_at, closed_by, close_reason
FROM topics WHERE source = :source AND state = 'importing';

-- name: finish_import
-- importing -> open or closed.
UPDATE topics SET state = iif(:closed_at IS NULL, 'open', 'closed'), closed_at = :closed_at,
    closed_by = iif(:closed_at IS NULL, NULL, :by), close_reason = :reason, last_at = :now
WHERE topic = :topic AND state = 'importing';

-- name: abandoned_imports
-- Imports that nobody went on with.
SELECT topic FROM topics WHERE state = 'importing' AND last_at < :before;

-- name: topics_to_erase
-- Deleted topics whose messages are still stored.
SELECT topic FROM topics INDEXED BY topics_to_erase WHERE state = 'deleted' AND last_seq > 0 LIMIT 1;

-- name: posts_to_erase
-- Messages of a deleted topic.
SELECT post FROM posts WHERE topic = :topic LIMIT :limit;

-- name: erase_posts
-- They are gone.
DELETE FROM posts WHERE post IN (SELECT value FROM json_each(:posts));

-- name: topic_is_erased
-- Nothing of a deleted topic is stored any more.
UPDATE topics SET last_seq = 0 WHERE topic = :topic AND state = 'deleted';

-- name: anything_due
-- Whether housekeeping has something to do for topics.
SELECT EXISTS (SELECT 1 FROM hands WHERE lease_until <= :now)
    OR EXISTS (SELECT 1 FROM topics INDEXED BY topics_to_erase WHERE state = 'deleted' AND last_seq > 0)
    OR EXISTS (SELECT 1 FROM topics WHERE state = 'importing' AND last_at < :before);

-- name: wrong_numbers
-- Topics whose messages are not numbered 1, 2, 3 to the last.
SELECT t.name FROM topics t
WHERE t.state IN ('open', 'closed', 'importing')
  AND (SELECT count(*) FROM posts p WHERE p.topic = t.topic) <> t.last_seq
   OR t.state <> 'deleted' AND t.last_seq <> (SELECT coalesce(max(seq), 0) FROM posts p WHERE p.topic = t.topic);

-- name: wrong_places
-- Members whose counts disagree with the messages, or that are ahead of their topic.
SELECT m.agent, t.name FROM members m JOIN topics t ON t.topic = m.topic
WHERE m.position > t.last_seq
   OR m.own <> (SELECT count(*) FROM posts p
                WHERE p.topic = m.topic AND p.seq > m.position AND p.sender = m.agent
                  AND p.imported_by IS NULL)
   OR EXISTS (SELECT 1 FROM hands h WHERE h.agent = m.agent AND h.topic = m.topic AND h.last > m.position)
   OR EXISTS (SELECT 1 FROM hands h WHERE h.agent = m.agent AND h.topic = m.topic
              AND h.others <> (SELECT count(*) FROM posts p WHERE p.topic = h.topic
                               AND p.seq BETWEEN h.first AND h.last
                               AND (p.sender <> h.agent OR p.imported_by IS NOT NULL)))
   OR EXISTS (SELECT 1 FROM hands h JOIN hands k ON k.agent = h.agent AND k.topic = h.topic
              WHERE h.agent = m.agent AND h.topic = m.topic AND h.first < k.first AND h.last >= k.first);

-- name: hand_mark
-- Whether a hand-out was handed out before.
SELECT marked FROM hands WHERE agent = :agent AND topic = :topic AND first = :first;
