"""Reminding of answers that are overdue, escalating once, and then being silent."""

from __future__ import annotations

from hubbub.clock import spoken
from hubbub.model import Actor
from hubbub.model_pending import REMINDER_GAP_MS
from hubbub.names import BUS_NAME, PRIORITIES, message_id, new_tag
from hubbub.policy import Policy, Schedule
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import add_event, dump, one
from hubbub.stores.sqlite.debts import schedule_of, steps, withdraw
from hubbub.stores.sqlite.statements import statements
from hubbub.text import safe_line

_SQL = statements("pending.sql")
_MAIL = statements("mail.sql")

AT_ONCE = 200
"""How many debts one round sees to; the others are seen to in the next."""

SUBJECT_SHOWN = 80


def remind(tx: Write, policy: Policy, now: int) -> tuple[int, int]:
    """Remind of and escalate what is due; how many of each."""
    reminded = escalated = 0
    due = list(tx.db.execute(_SQL["due_debts"], {"now": now, "limit": AT_ONCE}))
    schedule = schedule_of(tx.db, policy) if due else Schedule()
    for row in due:
        if row[5] < len(steps(schedule)) - 1:
            _remind(tx, schedule, row, now)
            reminded += 1
        else:
            _escalate(tx, schedule, row, now)
            escalated += 1
    return reminded, escalated


def _remind(tx: Write, schedule: Schedule, debt: Row, now: int) -> None:
    message, tag, debtor, asker, due, count, before, *_ = debt
    withdraw(tx, debtor, before, now)
    times = steps(schedule)
    next_at = max(due + times[count + 1], now + REMINDER_GAP_MS)
    id_, what = message_id(message, tag), _what(debt)
    body = (
        f"Reminder {count + 1} of {len(times) - 1}: {asker} waits for your answer to {id_}{what}, "
        f"which was due {spoken(now - due)} ago. Answer it with in_reply_to={id_}; if you will not, answer "
        "with kind declined and the reason."
    )
    sent, why = _send(tx, debtor, body, f"Answer owed to {asker}", debt, {"reminds": id_}, now)
    values = {
        "message": message,
        "debtor": debtor,
        "reminders": count,
        "reminder": sent,
        "next_at": next_at,
    }
    tx.db.execute(_SQL["note_reminder"], values)
    detail = {"number": count + 1, **({"not_delivered": why} if why else {})}
    add_event(tx.db, now, "reminder_sent", None, message=message, agent=debtor, detail=detail)


def _escalate(tx: Write, schedule: Schedule, debt: Row, now: int) -> None:
    message, tag, debtor, asker, due, count, before, *_ = debt
    withdraw(tx, debtor, before, now)
    id_, what = message_id(message, tag), _what(debt)
    said = (
        f"{debtor} has not answered {id_}{what}, which {asker} asked; it was due {spoken(now - due)} ago, "
        f"and {debtor} was reminded {count} times. Nobody is reminded of it any more."
    )
    hint = f" Ask another agent, or give it up: hubbub pending waive {id_}"
    told, failed = [], {}
    for name in dict.fromkeys((asker, schedule.watchdog)):
        if name == debtor:
            continue
        body = said + (hint if name == asker else "")
        sent, why = _send(tx, name, body, f"No answer from {debtor}", debt, {"escalates": id_}, now)
        if sent is not None:
            told.append(name)
        elif name == asker or why != "not registered":
            failed[name] = why  # a watchdog is not something that every bus has
    tx.db.execute(_SQL["note_escalation"], {"message": message, "debtor": debtor, "now": now})
    detail = {"to": told, **({"not_delivered": failed} if failed else {})}
    add_event(tx.db, now, "answer_escalated", None, message=message, agent=debtor, detail=detail)


def _what(debt: Row) -> str:
    subject = safe_line(debt[7] or "", SUBJECT_SHOWN)
    return f" ({debt[9]}: {subject})" if subject else f" ({debt[9]})"


def _send(
    tx: Write, name: str, body: str, subject: str, debt: Row, metadata: dict[str, str], now: int
) -> tuple[int | None, str]:
    """The bus's own mail; its ``seq``, or why it could not be had."""
    row = one(tx.db, _MAIL["recipient_row"], {"name": name})
    if row is None or row[0] is not None:
        return None, "not registered"
    if row[1] == "publisher":
        return None, "no inbox"
    if row[2] >= row[3]:
        return None, "inbox full"
    text = dump(metadata)
    values = {
        "tag": new_tag(),
        "sender": BUS_NAME,
        "recipients": dump([name]),
        "thread": debt[8] or message_id(debt[0], debt[1]),
        "in_reply_to": None,
        "kind": "reminder",
        "priority": PRIORITIES.index("normal"),
        "subject": subject,
        "body": body,
        "metadata": text,
        "reply_due": None,
        "now": now,
        "bytes": len(subject.encode()) + len(body.encode()) + len(text),
    }
    tx.db.execute(_MAIL["add_message"], values)
    seq = tx.db.last_insert_rowid()
    delivery = {"agent": name, "message": seq, "priority": values["priority"], "now": now, "expires_at": None}
    tx.db.execute(_MAIL["add_delivery"], delivery)
    add_event(tx.db, now, "message_sent", Actor(BUS_NAME), message=seq, agent=name)
    tx.ring(f"inbox/{name}")
    return seq, ""
