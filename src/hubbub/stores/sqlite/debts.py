"""Answers that are owed: opened by a send, closed by its reply, within the same write."""

from __future__ import annotations

import json
from typing import NamedTuple

import apsw

from hubbub.errors import AnswerAwaited
from hubbub.model import Actor, Draft
from hubbub.model_pending import DECLINED, STATUS, WANTS_ANSWER
from hubbub.policy import ESCALATE_AFTER_MS, REMIND_AFTER_MS, WATCHDOG, Policy, Schedule
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import add_event, dump, one
from hubbub.stores.sqlite.statements import statements

_SQL = statements("pending.sql")
_MAIL = statements("mail.sql")

LONGEST_MS = 10 * 365 * 86_400_000
"""A longer time on the bus is a mistake, and the usual one holds."""


def wants_answer(draft: Draft) -> bool:
    """Whether a message of this form is owed an answer."""
    return draft.reply_within_ms is not None or draft.wait_ms is not None or draft.kind in WANTS_ANSWER


def open_debts(
    tx: Write, policy: Policy, asker: str, recipients: tuple[str, ...], message: int, due: int | None
) -> None:
    """Every recipient but the asker itself owes an answer from now on."""
    next_at, told = None, None
    if due is not None:
        told = _told(policy)
        next_at = due + steps(schedule_of(tx.db, told))[0]
    for name in recipients:
        if name == asker:
            continue
        values = {"message": message, "debtor": name, "asker": asker, "due": due, "next_at": next_at}
        tx.db.execute(_SQL["open_debt"], {**values, "told": told})


def _told(policy: Policy) -> str | None:
    """What the asker's process was told of reminders: it is kept with the debt, because whoever keeps house
    may have been told other things, which are not for this asker."""
    told = (policy.remind_after_ms, policy.escalate_after_ms, policy.watchdog)
    return None if told == (None, None, None) else dump(told)


def steps(schedule: Schedule) -> tuple[int, ...]:
    """How long after the due time each reminder comes, and last the escalation, after which none comes."""
    end = schedule.escalate_after_ms
    return (*(after for after in schedule.remind_after_ms if after < end), end)


def schedule_of(db: apsw.Connection, told: str | None) -> Schedule:
    """When is reminded: as the asker was told, else as is set on the bus, else as usual.

    A value on the bus that can't be understood, set by another program, stops nobody.
    """
    after, escalate, watchdog = json.loads(told) if told else (None, None, None)
    for name, value in db.execute(_SQL["reminder_settings"]):
        try:
            if name == "config.reminders.after" and after is None:
                after = tuple(_milliseconds(part) for part in value.split(",") if part != "none")
            elif name == "config.reminders.escalate_after" and escalate is None:
                escalate = _milliseconds(value)
            elif name == "config.reminders.watchdog" and watchdog is None:
                watchdog = value
        except (ValueError, OverflowError):
            continue
    return Schedule(
        REMIND_AFTER_MS if after is None else tuple(after),
        ESCALATE_AFTER_MS if escalate is None else escalate,
        WATCHDOG if watchdog is None else watchdog,
    )


def _milliseconds(seconds: str) -> int:
    found = round(float(seconds) * 1000)
    if not 0 <= found <= LONGEST_MS:
        raise ValueError(seconds)
    return found


class Reply(NamedTuple):
    """What a reply means for the message that it replies to."""

    to: int
    state: str | None
    """The state of the sender's debt; None where it owed nothing."""
    reminder: int | None
    closes: bool
    """Whether the debt is closed by it: it is open, and the reply goes to who asked and is no ``status``."""
    settles: bool
    """Whether the delivery is settled by it: not where the reply only passes on what is still owed."""
    waits: str | None
    """For whose call it is kept."""
    until: int
    has_room: str | None
    """Whose inbox takes it however full that is: who waits for it, or is told that there is nothing to
    wait for."""


def look_at_reply(tx: Write, sender: str, to: int, kind: str, recipients: tuple[str, ...], now: int) -> Reply:
    """What a reply of ``kind`` by ``sender`` to message ``to`` does."""
    row = one(tx.db, _SQL["debt_state"], {"message": to, "debtor": sender})
    state, reminder, asker = row or (None, None, None)
    is_open, comes_home = state == "open", asker in recipients
    closes = is_open and comes_home and kind != STATUS
    waits = None if kind == STATUS else _who_waits(tx, to, recipients, now)
    waiter, until = waits or (None, 0)
    has_room = waiter or (asker if closes and kind == DECLINED else None)
    settles = comes_home or not is_open
    return Reply(to, state, reminder, closes, settles, waiter, until, has_room)


def close_debt(tx: Write, actor: Actor, reply: Reply, answer: int, kind: str, now: int) -> str | None:
    """The reply closes the actor's debt, if it does; the state after that, None where none was owed."""
    if not reply.closes:
        return reply.state
    state = DECLINED if kind == DECLINED else "answered"
    values = {"message": reply.to, "debtor": actor.agent, "state": state, "answer": answer, "now": now}
    tx.db.execute(_SQL["close_debt"], {**values, "why": None})
    withdraw(tx, actor.agent, reply.reminder, now, read=True)
    if state == DECLINED:
        add_event(tx.db, now, "answer_declined", actor, message=reply.to, agent=actor.agent)
    return state


def withdraw(tx: Write, debtor: str, reminder: int | None, now: int, *, read: bool = False) -> None:
    """Take a reminder that nobody read out of the inbox: there is nothing to remind of any more.

    With ``read`` also one that was read: what the debtor did settles it.
    """
    if reminder is None:
        return
    where = {"agent": debtor, "message": reminder}
    row = one(tx.db, _MAIL["delivery_row"], where)
    if row is None or row[0] not in ("queued", "leased"):
        return
    if row[0] == "leased" and row[4] > now and not read:
        return
    tx.db.execute(_MAIL["settle"], {**where, "how": "implicit", "now": now})
    add_event(
        tx.db, now, "message_settled", None, message=reminder, agent=debtor, detail={"why": "withdrawn"}
    )
    tx.ring(f"room/{debtor}")


def _who_waits(tx: Write, asked: int, recipients: tuple[str, ...], now: int) -> tuple[str, int] | None:
    """Who of ``recipients`` waits for the answer to ``asked`` and has none yet, and until when."""
    row = one(tx.db, _SQL["wait_row"], {"message": asked})
    if row is None or row[0] not in recipients or row[2] <= now or row[3] is not None:
        return None
    return row[0], row[2]


def refuse_awaited(tx: Write, answer: int, id_: str, now: int) -> None:
    """Raise ``ANSWER_AWAITED`` when message ``answer`` is kept for a call that waits for it."""
    if is_awaited(tx, answer, now):
        raise AnswerAwaited(f"{id_} answers a request that another call of yours waits for.", message_id=id_)


def is_awaited(tx: Write, answer: int, now: int) -> bool:
    """Whether message ``answer`` is kept for a call that waits for it."""
    row = one(tx.db, _SQL["wait_for_answer"], {"answer": answer})
    return row is not None and row[1] > now
