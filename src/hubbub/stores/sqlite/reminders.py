"""Reminding of answers that are overdue, escalating once, and then being silent.

A round of housekeeping writes one mail to each debtor and one to each that is told of an escalation,
however many debts it is about.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hubbub.clock import spoken
from hubbub.model import Actor
from hubbub.model_pending import ESCALATION, REMINDER, REMINDER_GAP_MS
from hubbub.names import BUS_NAME, PRIORITIES, message_id, new_tag
from hubbub.policy import Schedule
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import add_event, dump, one
from hubbub.stores.sqlite.debts import schedule_of, steps, withdraw
from hubbub.stores.sqlite.statements import statements
from hubbub.text import safe_line

_SQL = statements("pending.sql")
_MAIL = statements("mail.sql")

AT_ONCE = 200
"""How many debts one write sees to."""

NAMED = 10
"""How many debts one mail names; of the others it says how many they are."""

SUBJECT_SHOWN = 80


class Debt(NamedTuple):
    """What is due, with when it is to be done."""

    message: int
    tag: int
    debtor: str
    asker: str
    due: int | None
    reminders: int
    reminder: int | None
    subject: str
    thread: str | None
    kind: str
    unseen: int
    schedule: Schedule

    @property
    def id(self) -> str:
        """The id of the question."""
        return message_id(self.message, self.tag)

    @property
    def where(self) -> dict[str, Any]:
        """Its row."""
        return {"message": self.message, "debtor": self.debtor}

    @property
    def what(self) -> str:
        """The question in a few words."""
        subject = safe_line(self.subject or "", SUBJECT_SHOWN)
        return f"({self.kind}: {subject})" if subject else f"({self.kind})"


class Round:
    """One round of housekeeping, in as many writes as it takes."""

    def __init__(self) -> None:
        self.reminded = 0
        self.escalated = 0
        self._told: dict[tuple[str, str], tuple[str, str]] = {}
        """By kind of mail and recipient: the debt that leads this round's mail, and why it could not be
        had."""

    def remind(self, tx: Write, now: int) -> bool:
        """Remind of and escalate part of what is due; whether there may be more."""
        schedules: dict[str | None, Schedule] = {}
        to_remind: dict[str, list[Debt]] = {}
        to_escalate: list[Debt] = []
        rows = list(tx.db.execute(_SQL["due_debts"], {"now": now, "limit": AT_ONCE}))
        for row in rows:
            debt = _debt(tx, row, schedules)
            times = steps(debt.schedule)
            at = (
                0
                if debt.due is None or debt.unseen
                else debt.due + times[min(debt.reminders, len(times) - 1)]
            )
            if now < at:
                # The times were others when this one was set.
                tx.db.execute(_SQL["not_yet"], {**debt.where, "next_at": at})
            elif debt.unseen or debt.reminders >= len(times) - 1:
                to_escalate.append(debt)
            else:
                to_remind.setdefault(debt.debtor, []).append(debt)
        for debtor, debts in to_remind.items():
            self._remind(tx, debtor, sorted(debts, key=_oldest), now)
        if to_escalate:
            self._escalate(tx, sorted(to_escalate, key=_oldest), now)
        return len(rows) == AT_ONCE

    def _remind(self, tx: Write, debtor: str, debts: list[Debt], now: int) -> None:
        for debt in debts:
            withdraw(tx, debtor, debt.reminder, now)
        lead, sent = debts[0], None
        if (REMINDER, debtor) not in self._told:
            subject = f"Answer owed to {lead.asker}"
            if len(debts) > 1:
                total = (one(tx.db, _SQL["overdue_count"], {"debtor": debtor, "now": now}) or (0,))[0]
                subject = f"{total} answers owed"
                body = _several_to_remind(debts, total, now)
            else:
                body = _one_to_remind(lead, now)
            sent, why = _send(tx, debtor, REMINDER, subject, body, debts, now)
            self._told[REMINDER, debtor] = lead.id, why
        first, why = self._told[REMINDER, debtor]
        for debt in debts:
            assert debt.due is not None
            next_at = max(debt.due + steps(debt.schedule)[debt.reminders + 1], now + REMINDER_GAP_MS)
            values = {**debt.where, "reminders": debt.reminders, "next_at": next_at}
            tx.db.execute(_SQL["note_reminder"], {**values, "reminder": sent if debt is lead else None})
            detail: dict[str, Any] = {"number": debt.reminders + 1}
            detail.update({"with": first} if debt.id != first else {})
            detail.update({"not_delivered": why} if why else {})
            add_event(tx.db, now, "reminder_sent", None, message=debt.message, agent=debtor, detail=detail)
        self.reminded += len(debts)

    def _escalate(self, tx: Write, debts: list[Debt], now: int) -> None:
        of: dict[str, list[Debt]] = {}
        for debt in debts:
            withdraw(tx, debt.debtor, debt.reminder, now)
            for name in _to_be_told(debt):
                of.setdefault(name, []).append(debt)
        for name, theirs in of.items():
            if (ESCALATION, name) not in self._told:
                debtors = list(dict.fromkeys(debt.debtor for debt in theirs))
                subject = f"No answer from {debtors[0]}" + (" and others" if len(debtors) > 1 else "")
                body = _escalation(theirs, name, now, may_be_more=len(debts) + self.reminded >= AT_ONCE)
                _, why = _send(tx, name, ESCALATION, subject, body, theirs, now)
                self._told[ESCALATION, name] = theirs[0].id, why
        for debt in debts:
            tx.db.execute(_SQL["note_escalation"], {**debt.where, "now": now})
            detail = self._told_of(debt)
            add_event(
                tx.db, now, "answer_escalated", None, message=debt.message, agent=debt.debtor, detail=detail
            )
        self.escalated += len(debts)

    def _told_of(self, debt: Debt) -> dict[str, Any]:
        """What the ledger says of an escalation."""
        told, failed = [], {}
        for name in _to_be_told(debt):
            why = self._told[ESCALATION, name][1]
            if not why:
                told.append(name)
            elif name == debt.asker or why != "not registered":
                failed[name] = why  # a watchdog is not something that every bus has
        detail: dict[str, Any] = {"to": told}
        first = self._told.get((ESCALATION, debt.asker), (debt.id, ""))[0]
        detail.update({"with": first} if first != debt.id else {})
        detail.update({"why": "nobody took it"} if debt.unseen else {})
        detail.update({"not_delivered": failed} if failed else {})
        return detail


def _debt(tx: Write, row: Row, schedules: dict[str | None, Schedule]) -> Debt:
    told = row[11]
    if told not in schedules:
        schedules[told] = schedule_of(tx.db, told)
    return Debt._make((*row[:11], schedules[told]))


def _oldest(debt: Debt) -> tuple[int, int]:
    return (debt.due or 0, debt.message)


def _to_be_told(debt: Debt) -> tuple[str, ...]:
    names = dict.fromkeys((debt.asker, debt.schedule.watchdog))
    return tuple(name for name in names if name != debt.debtor)


def _one_to_remind(debt: Debt, now: int) -> str:
    return (
        f"Reminder {debt.reminders + 1} of {len(steps(debt.schedule)) - 1}: {debt.asker} waits for your "
        f"answer to {debt.id} {debt.what}, which was due {spoken(now - (debt.due or now))} ago. Answer it "
        f"with in_reply_to={debt.id}; if you will not, answer with kind declined and the reason."
    )


def _several_to_remind(debts: list[Debt], total: int, now: int) -> str:
    lines = [f"You owe {total} answers that are overdue:"]
    lines += [
        f"- {debt.id} to {debt.asker} {debt.what}, due {spoken(now - (debt.due or now))} ago"
        for debt in debts[:NAMED]
    ]
    lines += _more(total - len(debts[:NAMED]))
    lines.append(
        "Answer each with in_reply_to and its id; if you will not, answer with kind declined and the reason."
    )
    return "\n".join(lines)


def _more(count: int | str) -> list[str]:
    return (
        [] if isinstance(count, int) and count <= 0 else [f"- {count} more: list_pending, or hubbub pending"]
    )


def _escalation(debts: list[Debt], to: str, now: int, *, may_be_more: bool) -> str:
    """With ``may_be_more`` the round has not seen all yet."""
    lines = [_missing(debt, to, now) for debt in debts[:NAMED]]
    if len(debts) > 1:
        count = f"At least {len(debts)}" if may_be_more else len(debts)
        lines = [f"{count} answers did not come:", *(f"- {line}" for line in lines)]
        rest = len(debts) - NAMED
        lines += _more(f"at least {rest}" if may_be_more and rest > 0 else rest)
    lines.append("Nobody is reminded of it any more.")
    mine = next((debt for debt in debts if debt.asker == to), None)
    if mine is not None:
        how = f"list_pending(waive=[{mine.id!r}]), or hubbub pending waive {mine.id}"
        lines.append(f"Ask another agent, or give it up: {how}")
    else:
        lines.append("Ask the one who owes it what is in the way, or take it over and tell who asked.")
    return ("\n" if len(debts) > 1 else " ").join(lines)


def _missing(debt: Debt, to: str, now: int) -> str:
    asked = "you asked" if debt.asker == to else f"{debt.asker} asked"
    if debt.unseen:
        return f"{debt.id} {debt.what}, which {asked} {debt.debtor}, expired before {debt.debtor} took it."
    return (
        f"{debt.debtor} has not answered {debt.id} {debt.what}, which {asked}; it was due "
        f"{spoken(now - (debt.due or now))} ago, and {debt.debtor} was reminded {debt.reminders} times."
    )


def _send(
    tx: Write, name: str, kind: str, subject: str, body: str, debts: list[Debt], now: int
) -> tuple[int | None, str]:
    """The bus's own mail on ``debts``; its ``seq``, or why it could not be had."""
    row = one(tx.db, _MAIL["recipient_row"], {"name": name})
    if row is None or row[0] is not None:
        return None, "not registered"
    if row[1] == "publisher":
        return None, "no inbox"
    if row[2] >= row[3]:
        return None, "inbox full"
    lead, *others = debts[:NAMED]
    metadata: dict[str, Any] = {"reminds" if kind == REMINDER else "escalates": lead.id}
    metadata.update({"also": [debt.id for debt in others]} if others else {})
    text = dump(metadata)
    values = {
        "tag": new_tag(),
        "sender": BUS_NAME,
        "recipients": dump([name]),
        "thread": lead.thread or lead.id,
        "in_reply_to": None,
        "kind": kind,
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
