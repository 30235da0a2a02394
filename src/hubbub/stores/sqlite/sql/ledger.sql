-- Statements on the ledger, and checks of the whole.

-- name: add_event
-- One line of the ledger.
INSERT INTO events (at, event, actor, session, message, agent, topic, project, step, attempt, detail)
VALUES (:at, :event, :actor, :session, :message, :agent, :topic, :project, :step, :attempt, :detail);

-- name: events_forward
-- Events after a place, oldest first. What went to several names none of them; their names, in quotes,
-- are in the list of the message.
SELECT e.seq, e.at, e.event, e.actor, e.session, e.message,
       iif(e.topic IS NULL, (SELECT m.tag FROM messages m WHERE m.seq = e.message),
           (SELECT p.tag FROM posts p WHERE p.post = e.message)),
       e.agent, e.detail, e.topic, (SELECT t.tag FROM topics t WHERE t.topic = e.topic),
       e.project, (SELECT j.tag FROM projects j WHERE j.project = e.project),
       e.step, (SELECT s.tag FROM steps s WHERE s.step = e.step), e.attempt
FROM events e
WHERE e.seq > :after
  AND (:agent IS NULL OR e.actor = :agent OR e.agent = :agent
       OR e.agent IS NULL AND e.event = 'message_sent' AND e.topic IS NULL
          AND EXISTS (SELECT 1 FROM messages m WHERE m.seq = e.message
                      AND instr(m.recipients, '"' || :agent || '"')))
  AND (:message IS NULL OR e.message = :message AND (e.topic IS NULL) = (:posted IS NULL))
  AND (:topic IS NULL OR e.topic = :topic)
  AND (:since IS NULL OR e.at >= :since)
  AND (:kinds IS NULL OR e.event IN (SELECT value FROM json_each(:kinds)))
ORDER BY e.seq LIMIT :limit;

-- name: events_forward_of_project
-- The same of one project.
SELECT e.seq, e.at, e.event, e.actor, e.session, e.message,
       iif(e.topic IS NULL, (SELECT m.tag FROM messages m WHERE m.seq = e.message),
           (SELECT p.tag FROM posts p WHERE p.post = e.message)),
       e.agent, e.detail, e.topic, (SELECT t.tag FROM topics t WHERE t.topic = e.topic),
       e.project, (SELECT j.tag FROM projects j WHERE j.project = e.project),
       e.step, (SELECT s.tag FROM steps s WHERE s.step = e.step), e.attempt
FROM events e INDEXED BY events_of_project
WHERE e.project = :project AND e.seq > :after
  AND (:agent IS NULL OR e.actor = :agent OR e.agent = :agent)
  AND (:message IS NULL OR e.message = :message AND (e.topic IS NULL) = (:posted IS NULL))
  AND (:topic IS NULL OR e.topic = :topic)
  AND (:since IS NULL OR e.at >= :since)
  AND (:kinds IS NULL OR e.event IN (SELECT value FROM json_each(:kinds)))
ORDER BY e.seq LIMIT :limit;

-- name: events_forward_of_step
-- The same of one step.
SELECT e.seq, e.at, e.event, e.actor, e.session, e.message,
       iif(e.topic IS NULL, (SELECT m.tag FROM messages m WHERE m.seq = e.message),
           (SELECT p.tag FROM posts p WHERE p.post = e.message)),
       e.agent, e.detail, e.topic, (SELECT t.tag FROM topics t WHERE t.topic = e.topic),
       e.project, (SELECT j.tag FROM projects j WHERE j.project = e.project),
       e.step, (SELECT s.tag FROM steps s WHERE s.step = e.step), e.attempt
FROM events e INDEXED BY events_of_step
WHERE e.step = :step AND (:project IS NULL OR e.project = :project) AND e.seq > :after
  AND (:agent IS NULL OR e.actor = :agent OR e.agent = :agent)
  AND (:message IS NULL OR e.message = :message AND (e.topic IS NULL) = (:posted IS NULL))
  AND (:topic IS NULL OR e.topic = :topic)
  AND (:since IS NULL OR e.at >= :since)
  AND (:kinds IS NULL OR e.event IN (SELECT value FROM json_each(:kinds)))
ORDER BY e.seq LIMIT :limit;

-- name: events_backward
-- The last events after a place, newest first.
SELECT e.seq, e.at, e.event, e.actor, e.session, e.message,
       iif(e.topic IS NULL, (SELECT m.tag FROM messages m WHERE m.seq = e.message),
           (SELECT p.tag FROM posts p WHERE p.post = e.message)),
       e.agent, e.detail, e.topic, (SELECT t.tag FROM topics t WHERE t.topic = e.topic),
       e.project, (SELECT j.tag FROM projects j WHERE j.project = e.project),
       e.step, (SELECT s.tag FROM steps s WHERE s.step = e.step), e.attempt
FROM events e
WHERE e.seq > :after
  AND (:agent IS NULL OR e.actor = :agent OR e.agent = :agent
       OR e.agent IS NULL AND e.event = 'message_sent' AND e.topic IS NULL
          AND EXISTS (SELECT 1 FROM messages m WHERE m.seq = e.message
                      AND instr(m.recipients, '"' || :agent || '"')))
  AND (:message IS NULL OR e.message = :message AND (e.topic IS NULL) = (:posted IS NULL))
  AND (:topic IS NULL OR e.topic = :topic)
  AND (:since IS NULL OR e.at >= :since)
  AND (:kinds IS NULL OR e.event IN (SELECT value FROM json_each(:kinds)))
ORDER BY e.seq DESC LIMIT :limit;

-- name: events_backward_of_project
-- The same of one project.
SELECT e.seq, e.at, e.event, e.actor, e.session, e.message,
       iif(e.topic IS NULL, (SELECT m.tag FROM messages m WHERE m.seq = e.message),
           (SELECT p.tag FROM posts p WHERE p.post = e.message)),
       e.agent, e.detail, e.topic, (SELECT t.tag FROM topics t WHERE t.topic = e.topic),
       e.project, (SELECT j.tag FROM projects j WHERE j.project = e.project),
       e.step, (SELECT s.tag FROM steps s WHERE s.step = e.step), e.attempt
FROM events e INDEXED BY events_of_project
WHERE e.project = :project AND e.seq > :after
  AND (:agent IS NULL OR e.actor = :agent OR e.agent = :agent)
  AND (:message IS NULL OR e.message = :message AND (e.topic IS NULL) = (:posted IS NULL))
  AND (:topic IS NULL OR e.topic = :topic)
  AND (:since IS NULL OR e.at >= :since)
  AND (:kinds IS NULL OR e.event IN (SELECT value FROM json_each(:kinds)))
ORDER BY e.seq DESC LIMIT :limit;

-- name: events_backward_of_step
-- The same of one step.
SELECT e.seq, e.at, e.event, e.actor, e.session, e.message,
       iif(e.topic IS NULL, (SELECT m.tag FROM messages m WHERE m.seq = e.message),
           (SELECT p.tag FROM posts p WHERE p.post = e.message)),
       e.agent, e.detail, e.topic, (SELECT t.tag FROM topics t WHERE t.topic = e.topic),
       e.project, (SELECT j.tag FROM projects j WHERE j.project = e.project),
       e.step, (SELECT s.tag FROM steps s WHERE s.step = e.step), e.attempt
FROM events e INDEXED BY events_of_step
WHERE e.step = :step AND (:project IS NULL OR e.project = :project) AND e.seq > :after
  AND (:agent IS NULL OR e.actor = :agent OR e.agent = :agent)
  AND (:message IS NULL OR e.message = :message AND (e.topic IS NULL) = (:posted IS NULL))
  AND (:topic IS NULL OR e.topic = :topic)
  AND (:since IS NULL OR e.at >= :since)
  AND (:kinds IS NULL OR e.event IN (SELECT value FROM json_each(:kinds)))
ORDER BY e.seq DESC LIMIT :limit;

-- name: totals
-- How much is kept.
SELECT (SELECT coalesce(max(seq), 0) FROM messages), (SELECT coalesce(max(seq), 0) FROM events),
       (SELECT count(*) FROM topics WHERE state IN ('open', 'closed')),
       (SELECT coalesce(sum(last_seq), 0) FROM topics WHERE state IN ('open', 'closed'));

-- name: wrong_counts
-- Agents whose counts disagree with their deliveries.
SELECT a.name FROM agents a
LEFT JOIN (SELECT agent, sum(state = 'queued') AS queued, sum(state = 'leased') AS leased,
                  sum(state = 'dead') AS dead
           FROM deliveries GROUP BY agent) d ON d.agent = a.name
WHERE a.queued <> coalesce(d.queued, 0) OR a.leased <> coalesce(d.leased, 0) OR a.dead <> coalesce(d.dead, 0);

-- name: orphan_messages
-- Messages that should be in an inbox and are in none, though never purged.
SELECT count(*) FROM messages m
WHERE m.purged_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM deliveries d, json_each(m.recipients) r
                  WHERE d.agent = r.value AND d.message = m.seq);
