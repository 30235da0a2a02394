-- Statements on the vectors of search by meaning.

-- name: model_row
-- A model by its name.
SELECT model, takes FROM meaning_models WHERE name = :name;

-- name: add_model
-- A model that this bus has no vectors of yet.
INSERT INTO meaning_models (name) VALUES (:name);

-- name: add_progress
-- Nothing is done yet.
INSERT INTO meaning_progress (model, source) VALUES (:model, 'mail'), (:model, 'topic');

-- name: progress
-- How far a model has come in the mail and in the topics.
SELECT source, mark, done FROM meaning_progress WHERE model = :model;

-- name: move_mark
-- More is done.
UPDATE meaning_progress SET mark = :mark, done = done + :done WHERE model = :model AND source = :source;

-- name: count_less
-- Vectors of some messages were dropped.
UPDATE meaning_progress SET done = max(0, done - :done) WHERE model = :model AND source = :source;

-- name: note_takes
-- How often the next messages were handed out to have their vectors computed.
UPDATE meaning_models SET takes = :takes WHERE model = :model;

-- name: forget_takes
-- The last hand-out was given back.
UPDATE meaning_models SET takes = 0;

-- name: unread_mail
-- Mail that has no vectors yet, the beginning of its text.
SELECT seq, created_at, substr(subject || char(10) || body, 1, :most) FROM messages
WHERE seq > :mark AND purged_at IS NULL
ORDER BY seq LIMIT :limit;

-- name: unread_posts
-- Messages of topics that have no vectors yet.
SELECT p.post, p.created_at, substr(p.body, 1, :most)
FROM posts p JOIN topics t USING (topic)
WHERE p.post > :mark AND t.state <> 'deleted'
ORDER BY p.post LIMIT :limit;

-- name: unread_mail_numbers
-- Which mail up to a number has no vectors yet.
SELECT seq FROM messages WHERE seq > :mark AND seq <= :last AND purged_at IS NULL ORDER BY seq;

-- name: unread_post_numbers
-- Which messages of topics up to a number have no vectors yet.
SELECT p.post FROM posts p JOIN topics t USING (topic)
WHERE p.post > :mark AND p.post <= :last AND t.state <> 'deleted' ORDER BY p.post;

-- name: waiting
-- How many messages wait for vectors: counted up to a limit, and at most as many as numbers go.
SELECT (SELECT count(*) FROM (SELECT 1 FROM messages
                              WHERE seq > :mail AND purged_at IS NULL LIMIT :limit)),
       (SELECT coalesce(max(seq), 0) - :mail FROM messages),
       (SELECT count(*) FROM (SELECT 1 FROM posts p JOIN topics t USING (topic)
                              WHERE p.post > :topic AND t.state <> 'deleted' LIMIT :limit)),
       (SELECT coalesce(max(post), 0) - :topic FROM posts);

-- name: failures
-- Messages whose vectors could not be had, the newest first.
SELECT f.source, f.number, f.tries, f.cause, f.at,
       CASE f.source WHEN 'mail' THEN (SELECT tag FROM messages WHERE seq = f.number)
                     ELSE (SELECT tag FROM posts WHERE post = f.number) END
FROM meaning_failures f WHERE f.model = :model AND f.tries >= :tries
ORDER BY f.at DESC, f.number DESC LIMIT :limit;

-- name: failed_numbers
-- Which messages are passed over.
SELECT number FROM meaning_failures
WHERE model = :model AND source = :source AND tries >= :tries AND number > :mark;

-- name: due_again
-- Messages that have been passed over for a while: those tried last the longest ago first. A time to come was
-- written before the clock was set back.
SELECT source, number FROM meaning_failures
WHERE model = :model AND tries >= :tries AND at NOT BETWEEN :fresh + 1 AND :now ORDER BY at, number;

-- name: tried_now
-- One of them is handed out.
UPDATE meaning_failures SET at = :now WHERE model = :model AND source = :source AND number = :number;

-- name: passed_over
-- Whether a message is one that was passed over.
SELECT 1 FROM meaning_failures
WHERE model = :model AND source = :source AND number = :number AND tries >= :tries;

-- name: mail_text
-- The beginning of a message's text.
SELECT substr(subject || char(10) || body, 1, :most) FROM messages WHERE seq = :number AND purged_at IS NULL;

-- name: post_text
-- The same of a message of a topic.
SELECT substr(p.body, 1, :most) FROM posts p JOIN topics t USING (topic)
WHERE p.post = :number AND t.state <> 'deleted';

-- name: add_failure
-- Another try failed.
INSERT INTO meaning_failures (model, source, number, tries, cause, at)
VALUES (:model, :source, :number, :tries, :cause, :now)
ON CONFLICT (model, source, number)
DO UPDATE SET tries = tries + excluded.tries, cause = excluded.cause, at = excluded.at;

-- name: failure_over
-- The vectors are there after all, or the message is gone.
DELETE FROM meaning_failures
WHERE source = :source AND number IN (SELECT value FROM json_each(:numbers))
  AND (:model IS NULL OR model = :model);

-- name: last_block
-- Where the next vectors go, if there is room.
SELECT b.block, b.count, b.first, b.last, b.numbers, b.bits, v.vectors
FROM meaning_blocks b JOIN meaning_vectors v USING (block)
WHERE b.model = :model AND b.source = :source
ORDER BY b.first DESC LIMIT 1;

-- name: add_block
-- A new block.
INSERT INTO meaning_blocks (model, source, first, last, count, numbers, bits)
VALUES (:model, :source, :first, :last, :count, :numbers, :bits);

-- name: add_vectors
-- Its vectors in full.
INSERT INTO meaning_vectors (block, vectors) VALUES (:block, :vectors);

-- name: set_block
-- A block with more vectors, or fewer.
UPDATE meaning_blocks SET first = :first, last = :last, count = :count, numbers = :numbers, bits = :bits
WHERE block = :block;

-- name: set_vectors
-- Its vectors in full.
UPDATE meaning_vectors SET vectors = :vectors WHERE block = :block;

-- name: drop_block
-- Nothing is left in it. Its vectors go with it.
DELETE FROM meaning_blocks WHERE block = :block;

-- name: blocks_between
-- The blocks of any model that may hold vectors of these messages.
SELECT block, model, numbers FROM meaning_blocks
WHERE source = :source AND first <= :last AND last >= :first;

-- name: block_contents
-- All that a block holds.
SELECT b.bits, v.vectors FROM meaning_blocks b JOIN meaning_vectors v USING (block) WHERE b.block = :block;

-- name: scan
-- What the first choice is made of.
SELECT block, source, numbers, bits FROM meaning_blocks
WHERE model = :model AND (:source IS NULL OR source = :source);

-- name: posts_of
-- The messages of a topic, and of one thread in it if one is named.
SELECT post FROM posts WHERE topic = :topic AND (:thread IS NULL OR thread = :thread OR post = :thread);

-- name: posts_of_thread
-- The messages of a thread in a topic.
SELECT post FROM posts WHERE thread = :thread UNION SELECT post FROM posts WHERE post = :thread;

-- name: mail_of_thread
-- The mail of a thread.
SELECT seq FROM messages WHERE thread = :thread UNION SELECT seq FROM messages WHERE seq = :root;

-- name: mail_allowed
-- Which of these a reader may see and was asking for.
SELECT m.seq FROM json_each(:numbers) j CROSS JOIN messages m ON m.seq = j.value
WHERE m.purged_at IS NULL
  AND (:reader IS NULL OR m.sender = :reader
       OR EXISTS (SELECT 1 FROM deliveries d WHERE d.agent = :reader AND d.message = m.seq))
  AND (:sender IS NULL OR m.sender = :sender)
  AND (:kind IS NULL OR m.kind = :kind)
  AND (:since IS NULL OR m.created_at >= :since)
  AND (:until IS NULL OR m.created_at <= :until);

-- name: posts_allowed
-- Which of these are in a topic that is there, and were asked for.
SELECT p.post FROM json_each(:numbers) j CROSS JOIN posts p ON p.post = j.value
CROSS JOIN topics t ON t.topic = p.topic
WHERE t.state IN ('open', 'closed')
  AND (:sender IS NULL OR p.sender = :sender)
  AND (:kind IS NULL OR p.kind = :kind)
  AND (:since IS NULL OR p.created_at >= :since)
  AND (:until IS NULL OR p.created_at <= :until);

-- name: kept_of
-- How many messages have vectors, of one model or of all.
SELECT coalesce(sum(done), 0) FROM meaning_progress WHERE (:model IS NULL OR model = :model);

-- name: drop_blocks
-- Drop the vectors of one model, or of all.
DELETE FROM meaning_blocks WHERE (:model IS NULL OR model = :model);

-- name: drop_failures
-- What failed is tried again.
DELETE FROM meaning_failures WHERE (:model IS NULL OR model = :model);

-- name: drop_progress
-- All is to be done again.
DELETE FROM meaning_progress WHERE (:model IS NULL OR model = :model);

-- name: drop_models
-- The model is not known to this bus any more.
DELETE FROM meaning_models WHERE (:model IS NULL OR model = :model);

-- name: torn_blocks
-- How many blocks have other vectors than they say.
SELECT count(*) FROM meaning_blocks b LEFT JOIN meaning_vectors v USING (block)
WHERE v.block IS NULL OR length(v.vectors) <> 8 * length(b.bits);

-- name: strays
-- Blocks that hold vectors of more than the marks say that is done.
SELECT count(*) FROM meaning_blocks b
WHERE b.last > (SELECT max(mark) FROM meaning_progress p WHERE p.model = b.model AND p.source = b.source);
