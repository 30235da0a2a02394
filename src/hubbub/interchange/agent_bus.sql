-- What is read from a database of Agent Bus MCP. Text is taken as bytes where it may not be valid.

-- name: columns
-- The columns of a table; of a view, or where there is none, no row.
SELECT c.name
FROM sqlite_schema AS s, pragma_table_info(s.name) AS c
WHERE s.type = 'table' AND s.name = :name;

-- name: version
-- The version of the stored format.
SELECT iif(typeof(value) = 'text', CAST(value AS BLOB), NULL) FROM meta WHERE key = 'schema_version';

-- name: topics
-- All topics, the oldest first.
SELECT iif(typeof(topic_id) = 'text', CAST(topic_id AS BLOB), NULL),
       iif(typeof(name) = 'text', CAST(name AS BLOB), NULL),
       created_at, status = 'closed', closed_at,
       iif(typeof(close_reason) = 'text', CAST(close_reason AS BLOB), NULL),
       iif(typeof(metadata_json) = 'text', CAST(metadata_json AS BLOB), NULL)
FROM topics
ORDER BY created_at, rowid;

-- name: counts
-- How many messages each topic has.
SELECT CAST(topic_id AS BLOB), count(*) FROM messages GROUP BY topic_id;

-- name: messages
-- The messages of a topic in order, each with the number of what it answers, if that is there.
SELECT m.seq,
       iif(typeof(m.message_id) = 'text', CAST(m.message_id AS BLOB), NULL),
       iif(typeof(m.sender) = 'text', CAST(m.sender AS BLOB), NULL),
       iif(typeof(m.message_type) = 'text', CAST(m.message_type AS BLOB), NULL),
       iif(typeof(m.reply_to) = 'text', CAST(m.reply_to AS BLOB), NULL),
       o.seq,
       iif(typeof(m.content_markdown) = 'text', CAST(m.content_markdown AS BLOB), NULL),
       iif(typeof(m.metadata_json) = 'text', CAST(m.metadata_json AS BLOB), NULL),
       m.created_at
FROM messages AS m
LEFT JOIN messages AS o ON o.message_id = m.reply_to AND o.topic_id = m.topic_id
WHERE m.topic_id = :topic
ORDER BY m.seq;

-- name: readers
-- How far each agent has read in a topic.
SELECT iif(typeof(agent_name) = 'text', CAST(agent_name AS BLOB), NULL), last_seq
FROM cursors
WHERE topic_id = :topic
ORDER BY agent_name;

-- name: place
-- How many messages of a topic come up to a number.
SELECT count(*) FROM messages WHERE topic_id = :topic AND seq <= :seq;
