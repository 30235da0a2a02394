-- Statements on the index of words.

-- name: progress
-- How far an index has come, out of how many numbers, and the texts and words in it.
SELECT upto,
       CASE :source WHEN 'mail' THEN (SELECT coalesce(max(seq), 0) FROM messages)
                    ELSE (SELECT coalesce(max(post), 0) FROM posts) END,
       texts, atoms
FROM indexed WHERE source = :source;

-- name: behind
-- How many numbers are not indexed yet, of mail and posts together.
SELECT max(0, (SELECT coalesce(max(seq), 0) FROM messages) - (SELECT upto FROM indexed WHERE source = 'mail'))
     + max(0, (SELECT coalesce(max(post), 0) FROM posts) - (SELECT upto FROM indexed WHERE source = 'topic'));

-- name: next_mail
-- Mail after a number, in order; purged mail with its text gone.
SELECT seq, tag, sender, recipients, thread, kind, subject, body, created_at, purged_at IS NULL
FROM messages WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: next_posts
-- Posts after a number, in order, in the columns of next_mail.
SELECT post, tag, sender, topic, thread, kind, '', body, created_at, 1
FROM posts WHERE post > :after ORDER BY post LIMIT :limit;

-- name: present_mail
-- Which of these numbers are still the messages that were read.
SELECT seq, tag FROM messages WHERE seq > :after AND seq <= :upto AND purged_at IS NULL;

-- name: present_posts
-- Which of these numbers are still the posts that were read.
SELECT post, tag FROM posts WHERE post > :after AND post <= :upto;

-- name: add_mail
-- The words of a message.
INSERT INTO mail_words (rowid, words, marks) VALUES (:number, :words, :marks);

-- name: add_post
-- The words of a post.
INSERT INTO post_words (rowid, words, marks) VALUES (:number, :words, :marks);

-- name: widen_span
-- A block holds messages of these times.
INSERT INTO spans (source, block, first_at, last_at) VALUES (:source, :block, :first, :last)
ON CONFLICT DO UPDATE SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);

-- name: move_mark
-- The index has come so far.
UPDATE indexed SET upto = :upto, texts = texts + :texts, atoms = atoms + :atoms WHERE source = :source;

-- name: blocks_of_time
-- The blocks that hold messages of a span of time, and whether they hold no others.
SELECT block, first_at >= :since AND last_at <= :until FROM spans
WHERE source = :source AND last_at >= :since AND first_at <= :until ORDER BY block;

-- name: hidden_topics
-- Topics that are not there for anyone, though their messages still or already are.
SELECT topic FROM topics WHERE state = 'importing'
UNION ALL
SELECT topic FROM topics WHERE state = 'deleted' AND last_seq > 0;

-- name: topic_shown
-- The number of a topic that can be searched.
SELECT topic FROM topics WHERE topic = :topic AND tag = :tag AND state IN ('open', 'closed');

-- name: mail_thread
-- The thread of a message.
SELECT thread FROM messages WHERE seq = :seq AND tag = :tag;

-- name: post_thread
-- The post that a post's thread began with.
SELECT coalesce(thread, post) FROM posts WHERE post = :post AND tag = :tag;

-- name: match_mail
-- The matches among the mail of a range of numbers, the newest first, each with its score; of a span of time,
-- if one is asked for, which all messages from number inner_first to inner_last are known to be from.
SELECT hubbub_score(mail_words), rowid FROM mail_words
WHERE mail_words MATCH :match AND rowid BETWEEN :first AND :last
  AND (:since IS NULL OR rowid BETWEEN :inner_first AND :inner_last
       OR (SELECT created_at FROM messages WHERE seq = mail_words.rowid) BETWEEN :since AND :until)
ORDER BY rowid DESC;

-- name: match_posts
-- The same among posts.
SELECT hubbub_score(post_words), rowid FROM post_words
WHERE post_words MATCH :match AND rowid BETWEEN :first AND :last
  AND (:since IS NULL OR rowid BETWEEN :inner_first AND :inner_last
       OR (SELECT created_at FROM posts WHERE post = post_words.rowid) BETWEEN :since AND :until)
ORDER BY rowid DESC;

-- name: sample_mail
-- How many of the newest messages hold a word, counted up to a limit, and the oldest of these.
SELECT count(*), min(number) FROM (SELECT rowid AS number FROM mail_words WHERE mail_words MATCH :match
                                   ORDER BY rowid DESC LIMIT :limit);

-- name: sample_posts
-- The same of posts.
SELECT count(*), min(number) FROM (SELECT rowid AS number FROM post_words WHERE post_words MATCH :match
                                   ORDER BY rowid DESC LIMIT :limit);

-- name: mail_hit
-- A message that was found, with so many characters of its text.
SELECT seq, tag, sender, recipients, thread, kind, subject, substr(body, 1, :most), created_at
FROM messages WHERE seq = :number AND purged_at IS NULL;

-- name: post_hit
-- A post that was found, with so many characters of its text, its topic and the tag of the post that its
-- thread began with.
SELECT p.post, p.tag, p.sender, p.thread, p.kind, substr(p.body, 1, :most), p.created_at, p.seq, t.topic, t.tag, t.name,
       (SELECT r.tag FROM posts r WHERE r.post = p.thread)
FROM posts p JOIN topics t ON t.topic = p.topic WHERE p.post = :number;

-- name: mail_astray
-- Whether mail up to the index's mark is missing in it, or the index holds any that it should not.
SELECT EXISTS (SELECT 1 FROM messages m
               WHERE m.seq <= (SELECT upto FROM indexed WHERE source = 'mail') AND m.purged_at IS NULL
                 AND m.seq NOT IN (SELECT id FROM mail_words_docsize))
    OR EXISTS (SELECT 1 FROM mail_words_docsize d LEFT JOIN messages m ON m.seq = d.id
               WHERE m.seq IS NULL OR m.purged_at IS NOT NULL
                  OR d.id > (SELECT upto FROM indexed WHERE source = 'mail'));

-- name: posts_astray
-- The same of posts.
SELECT EXISTS (SELECT 1 FROM posts p
               WHERE p.post <= (SELECT upto FROM indexed WHERE source = 'topic')
                 AND p.post NOT IN (SELECT id FROM post_words_docsize))
    OR EXISTS (SELECT 1 FROM post_words_docsize d LEFT JOIN posts p ON p.post = d.id
               WHERE p.post IS NULL OR d.id > (SELECT upto FROM indexed WHERE source = 'topic'));

-- name: drop_mail_words
-- Empty the index of mail.
INSERT INTO mail_words (mail_words) VALUES ('delete-all');

-- name: drop_post_words
-- Empty the index of posts.
INSERT INTO post_words (post_words) VALUES ('delete-all');

-- name: drop_spans
-- Forget the times of all blocks.
DELETE FROM spans;

-- name: begin_anew
-- Nothing is indexed.
UPDATE indexed SET upto = 0, texts = 0, atoms = 0;
