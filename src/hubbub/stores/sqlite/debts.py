"""Answers that are owed: opened by a send, closed by its reply, within the same write."""

from __future__ import annotations

import apsw

from hubbub.errors import AnswerAwaited
from hubbub.model import Actor, Draft
from hubbub.model_pending import DECLINED, WANTS_ANSWER
from hubbub.policy import ESCALATE_AFTER_MS, REMIND_AFTER_MS, WATCHDOG, Policy, Schedule
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import add_event, one
from hubbub.stores.sqlite.statements import statements

_SQL = statements("pending.sql")
_MAIL = statements("mail.sql")


def wants_answer(draft: Draft) -> bool:
    """Whether a message of this form is owed an answer."""
    return draft.reply_within_ms is not None or draft.wait_ms is not None or draft.kind in WANTS_ANSWER


def open_debts(
    tx: Write, policy: Policy, asker: str, recipients: tuple[str, ...], message: int, due: int | None
) -> None:
    """Every recipient but the asker itself owes an answer from now on."""
    next_at = None if due is None else due + steps(schedule_of(tx.db, policy))[0]
    for name in recipients:
        if name == asker:
            continue
        values = {"message": message, "debtor": name, "asker": asker, "due": due, "next_at": next_at}
        tx.db.execute(_SQL["open_debt"], values)


def steps(schedule: Schedule) -> tuple[int, ...]:
    """How long after the due time each reminder comes, and last the escalation, after which none comes."""
    end = schedule.escalate_after_ms
    return (*(after for after in schedule.remind_after_ms if after < end), end)


def schedule_of(db: apsw.Connection, policy: Policy) -> Schedule:
    """When is reminded: as this process was told, else as is set on the bus, else as usual.

    A value on the bus that can't be understood, set by another program, stops nobody.
    """
    after, escalate, watchdog = policy.remind_after_ms, policy.escalate_after_ms, policy.watchdog
    for name, value in db.execute(_SQL["reminder_settings"]):
        try:
            if name == "config.reminders.after" and after is None:
                after = tuple(round(float(part) * 1000) for part in value.split(",") if part != "none")
            elif name == "config.reminders.escalate_after" and escalate is None:
                escalate = round(float(value) * 1000)
            elif name == "config.reminders.watchdog" and watchdog is None:
                watchdog = value
        except (ValueError, OverflowError):
            continue
    return Schedule(
        REMIND_AFTER_MS if after is None else after,
        ESCALATE_AFTER_MS if escalate is None else escalate,
        WATCHDOG if watchdog is None else watchdog,
    )


def close_debt(tx: Write, actor: Actor, message: int, answer: int | None, kind: str, now: int) -> str | None:
    """The reply ``answer`` closes the actor's debt; its state after that, None where none was owed."""
    state = "declined" if kind == DECLINED else "answered"
    values = {"message": message, "debtor": actor.agent, "state": state, "answer": answer, "now": now}
    row = one(tx.db, _SQL["debt_state"], {"message": message, "debtor": actor.agent})
    if row is None:
        return None
    if row[0] != "open":
        return str(row[0])
    tx.db.execute(_SQL["close_debt"], {**values, "why": None})
    withdraw(tx, actor.agent, row[1], now, read=True)
    if state == "declined":
        add_event(tx.db, now, "answer_declined", actor, message=message, agent=actor.agent)
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


def keep_for_waiting(tx: Write, asked: int, recipients: tuple[str, ...], now: int) -> tuple[str, int] | None:
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
