-- Statements on answers that are owed, calls that wait, and the gate.

-- name: open_debt
-- A recipient owes an answer.
INSERT INTO debts (message, debtor, asker, state, due, next_at, told)
VALUES (:message, :debtor, :asker, 'open', :due, :next_at, :told);

-- name: close_debt
-- open -> answered, waived or declined.
UPDATE debts SET state = :state, closed_at = :now, next_at = NULL, answer = :answer, why = :why
WHERE message = :message AND debtor = :debtor AND state = 'open';

-- name: debt_state
-- How it stands with one debt.
SELECT state, reminder, asker FROM debts WHERE message = :message AND debtor = :debtor;

-- name: debts_of_message
-- All debts of one message.
SELECT debtor, state, reminder FROM debts WHERE message = :message;

-- name: debt_rows
-- Debts with what was asked, in order; which index is used follows from what is given.
SELECT m.seq, m.tag, b.debtor, b.asker, m.kind, m.subject, m.thread, m.created_at, b.due, b.state, b.reminders,
       b.next_at, b.escalated_at, (SELECT d.state FROM deliveries d WHERE d.agent = b.debtor AND d.message = m.seq),
       b.closed_at, b.answer, (SELECT a.tag FROM messages a WHERE a.seq = b.answer), b.why
FROM debts b CROSS JOIN messages m ON m.seq = b.message
WHERE b.message > :after
  AND (:closed OR b.state = 'open')
  AND (:debtor IS NULL OR b.debtor = :debtor)
  AND (:asker IS NULL OR b.asker = :asker)
  AND (:message IS NULL OR b.message = :message)
ORDER BY b.message, b.debtor
LIMIT :limit;

-- name: debt_rows_owed_by
-- The same of one debtor, open ones only.
SELECT m.seq, m.tag, b.debtor, b.asker, m.kind, m.subject, m.thread, m.created_at, b.due, b.state, b.reminders,
       b.next_at, b.escalated_at, (SELECT d.state FROM deliveries d WHERE d.agent = b.debtor AND d.message = m.seq),
       b.closed_at, b.answer, NULL, b.why
FROM debts b INDEXED BY debts_owed_by CROSS JOIN messages m ON m.seq = b.message
WHERE b.debtor = :debtor AND b.state = 'open' AND b.message > :after
  AND (:asker IS NULL OR b.asker = :asker)
ORDER BY b.message
LIMIT :limit;

-- name: debt_rows_owed_to
-- The same of one asker, open ones only.
SELECT m.seq, m.tag, b.debtor, b.asker, m.kind, m.subject, m.thread, m.created_at, b.due, b.state, b.reminders,
       b.next_at, b.escalated_at, (SELECT d.state FROM deliveries d WHERE d.agent = b.debtor AND d.message = m.seq),
       b.closed_at, b.answer, NULL, b.why
FROM debts b INDEXED BY debts_owed_to CROSS JOIN messages m ON m.seq = b.message
WHERE b.asker = :asker AND b.state = 'open' AND b.message > :after
ORDER BY b.message, b.debtor
LIMIT :limit;

-- name: anything_to_remind
-- Whether housekeeping has anything to do on debts, waits, the gate or who stands by.
SELECT EXISTS (SELECT 1 FROM debts WHERE next_at IS NOT NULL AND next_at <= :now)
    OR EXISTS (SELECT 1 FROM waits WHERE until <= :now OR until > :too_far)
    OR EXISTS (SELECT 1 FROM gate WHERE over > told AND (window_start <= :window_over OR window_start > :now))
    OR EXISTS (SELECT 1 FROM standings WHERE expires_at <= :now)
    OR EXISTS (SELECT 1 FROM pings WHERE at <= :ping_over);

-- name: due_debts
-- Debts that are to be reminded of or escalated.
SELECT b.message, m.tag, b.debtor, b.asker, b.due, b.reminders, b.reminder, m.subject, m.thread, m.kind,
       b.unseen, b.told
FROM debts b INDEXED BY debts_next CROSS JOIN messages m ON m.seq = b.message
WHERE b.next_at IS NOT NULL AND b.next_at <= :now
ORDER BY b.next_at
LIMIT :limit;

-- name: overdue_count
-- How many answers an agent owes that are overdue.
SELECT count(*) FROM debts INDEXED BY debts_owed_by
WHERE debtor = :debtor AND state = 'open' AND due <= :now;

-- name: note_unseen
-- The question expired before anybody took it: that is to be told at once, and nobody to be reminded.
UPDATE debts SET unseen = 1, next_at = :now
WHERE message = :message AND debtor = :debtor AND state = 'open' AND escalated_at IS NULL;

-- name: not_yet
-- It is too early for what comes next.
UPDATE debts SET next_at = :next_at WHERE message = :message AND debtor = :debtor AND state = 'open';

-- name: debts_to_asker
-- All that one agent is owed.
SELECT b.message, m.tag, b.debtor, b.reminder
FROM debts b INDEXED BY debts_owed_to CROSS JOIN messages m ON m.seq = b.message
WHERE b.asker = :asker AND b.state = 'open';

-- name: waits_on_debtor
-- Calls that wait for an answer of one agent.
SELECT w.message, m.tag FROM waits w CROSS JOIN messages m ON m.seq = w.message
WHERE w.answer IS NULL
  AND EXISTS (SELECT 1 FROM debts b WHERE b.message = w.message AND b.debtor = :debtor AND b.state = 'open');

-- name: waits_of_asker
-- All calls of one agent that wait, and the answers that are kept for them.
SELECT w.message, m.tag, w.answer FROM waits w CROSS JOIN messages m ON m.seq = w.message
WHERE w.asker = :asker;

-- name: debtor_is_there
-- Whether anybody that owes the answer to a message is on the bus.
SELECT 1 FROM debts b CROSS JOIN agents a ON a.name = b.debtor
WHERE b.message = :message AND b.state = 'open' AND a.unregistered_at IS NULL
LIMIT 1;

-- name: note_reminder
-- One more reminder was sent, or could not be.
UPDATE debts SET reminders = reminders + 1, reminder = :reminder, next_at = :next_at
WHERE message = :message AND debtor = :debtor AND state = 'open' AND reminders = :reminders;

-- name: note_escalation
-- It was escalated, and that is the end of it.
UPDATE debts SET escalated_at = :now, next_at = NULL, reminder = NULL
WHERE message = :message AND debtor = :debtor AND state = 'open' AND escalated_at IS NULL;

-- name: open_wait
-- A call waits for the answer to the message that it sends.
INSERT INTO waits (message, asker, session, until) VALUES (:message, :asker, :session, :until);

-- name: wait_row
-- Who waits for the answer to a message, and until when.
SELECT asker, session, until, answer FROM waits WHERE message = :message;

-- name: wait_for_answer
-- Which wait a message answers.
SELECT message, until FROM waits WHERE answer = :answer;

-- name: move_wait
-- The call still waits.
INSERT INTO waits (message, asker, session, until) VALUES (:message, :asker, :session, :until)
ON CONFLICT (message) DO UPDATE SET session = excluded.session, until = excluded.until;

-- name: keep_answer_for
-- The first answer is there.
UPDATE waits SET answer = :answer WHERE message = :message AND answer IS NULL;

-- name: end_wait
-- Nobody waits any more.
DELETE FROM waits WHERE message = :message;

-- name: kept_answers_of_the_lost
-- Whose inboxes have an answer that was kept for a call that was not heard of. A time too far away was
-- written before the clock was set back.
SELECT asker, answer FROM waits WHERE (until <= :now OR until > :too_far) AND answer IS NOT NULL;

-- name: forget_waits
-- Calls that were not heard of; their answers are in the inbox by their time.
DELETE FROM waits WHERE until <= :now OR until > :too_far;

-- name: add_kept_delivery
-- An answer that is kept for the call that waits for it.
INSERT INTO deliveries (agent, message, state, priority, since, expires_at, not_before)
VALUES (:agent, :message, 'queued', :priority, :now, :expires_at, :not_before);

-- name: waits_of_session
-- The calls of one session that wait, and the answers that are kept for them.
SELECT message, asker, answer FROM waits WHERE session = :session;

-- name: free_answer
-- An answer is no longer kept for a call.
UPDATE deliveries SET not_before = NULL
WHERE agent = :agent AND message = :message AND state = 'queued' AND not_before IS NOT NULL;

-- name: recipient_at_gate
-- All that decides whether one agent may send another a message: what the name is, the pair's window, and
-- whether anything is set for the gate.
SELECT a.unregistered_at, a.role, a.queued + a.leased, a.inbox_limit, a.max_message_bytes,
       g.window_start, g.sent, g.over, g.told, g.refused,
       EXISTS (SELECT 1 FROM settings WHERE name BETWEEN 'config.gate.' AND 'config.gate/')
FROM agents a LEFT JOIN gate g ON g.sender = :sender AND g.recipient = a.name
WHERE a.name = :name;

-- name: count_send
-- One more within the window.
UPDATE gate SET sent = sent + 1 WHERE sender = :sender AND recipient = :recipient;

-- name: gate_row
-- How many went from one to another in the current window.
SELECT window_start, sent, over, told, refused FROM gate WHERE sender = :sender AND recipient = :recipient;

-- name: count_sends
-- Some more.
INSERT INTO gate (sender, recipient, window_start, sent, over, told, refused)
VALUES (:sender, :recipient, :window_start, :sent, :over, :told, :refused)
ON CONFLICT (sender, recipient) DO UPDATE
SET window_start = excluded.window_start, sent = excluded.sent, over = excluded.over, told = excluded.told,
    refused = excluded.refused;

-- name: gate_settings
-- What is set for the gate on the bus itself.
SELECT name, value FROM settings WHERE name BETWEEN 'config.gate.' AND 'config.gate/';

-- name: reminder_settings
-- What is set for the reminders on the bus itself.
SELECT name, value FROM settings WHERE name BETWEEN 'config.reminders.' AND 'config.reminders/';

-- name: gate_untold
-- Windows that are over and whose excess the ledger has not been told of in full.
SELECT sender, recipient, window_start, sent, over, told, refused FROM gate
WHERE over > told AND (window_start <= :window_over OR window_start > :now);

-- name: gate_told
-- Now it has.
UPDATE gate SET told = over WHERE sender = :sender AND recipient = :recipient;

-- name: forget_gate
-- Pairs that have not sent for long.
DELETE FROM gate WHERE window_start < :before AND over = told;

-- name: first_answer
-- The first reply to a message that went to its asker and is more than a status.
SELECT min(a.seq) FROM messages a
WHERE a.in_reply_to = :message AND a.kind <> 'status'
  AND EXISTS (SELECT 1 FROM json_each(a.recipients) r WHERE r.value = :asker)
HAVING min(a.seq) IS NOT NULL;
