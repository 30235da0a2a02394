"""Answers that are owed, and calls that wait for one, as they should be: plain Python, no store."""

from __future__ import annotations

from dataclasses import dataclass

from hubbub.model import LEASE_MS, MAX_DELIVERIES
from hubbub.model_pending import REMINDER_GAP_MS, WAIT_LEASE_MS
from hubbub.policy import ESCALATE_AFTER_MS, REMIND_AFTER_MS


@dataclass
class Debt:
    """One answer that is owed."""

    question: str
    debtor: str
    asker: str
    due: int | None
    state: str = "open"
    reminders: int = 0
    next_at: int | None = None
    escalated_at: int | None = None
    reminder: Mail | None = None
    """The mail that it leads, of the last round."""


@dataclass
class Mail:
    """One delivery of a question or an answer. Either may be a reminder or an escalation of the bus."""

    id: str
    seq: int
    to: str
    state: str = "queued"
    lease_until: int = 0
    session: str | None = None
    kept_until: int = 0
    count: int = 0

    def take_back(self) -> None:
        """A hand-out that came to nothing: the last one is the message's end."""
        self.session, self.state = None, "dead" if self.count >= MAX_DELIVERIES else "queued"


@dataclass
class Wait:
    """A call that waits."""

    asker: str
    session: str | None
    until: int
    answer: str | None = None


class Model:
    """The whole of it."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.debts: dict[tuple[str, str], Debt] = {}
        self.mail: dict[tuple[str, str], Mail] = {}
        self.waits: dict[str, Wait] = {}
        self.answers: dict[str, list[str]] = {}
        """The answers to each question that went to its asker, in order."""

    def of(self, agent: str) -> list[Mail]:
        """What a receive hands out, in order."""
        found = [
            one
            for one in self.mail.values()
            if one.to == agent and one.state == "queued" and one.kept_until <= self.now
        ]
        return sorted(found, key=lambda one: one.seq)

    def fall_due(self) -> None:
        """Leases that ran out."""
        for one in self.mail.values():
            if one.state == "leased" and one.lease_until <= self.now:
                one.take_back()

    def lease(self, one: Mail, session: str | None) -> None:
        """queued -> leased."""
        one.state, one.session, one.kept_until = "leased", session, 0
        one.lease_until, one.count = self.now + LEASE_MS, one.count + 1

    # --- debts -------------------------------------------------------------------------------------

    def owes(self, question: str, debtor: str, asker: str, due: int | None) -> None:
        """A question was sent."""
        next_at = None if due is None else due + REMIND_AFTER_MS[0]
        self.debts[question, debtor] = Debt(question, debtor, asker, due, next_at=next_at)

    def close(self, debt: Debt, state: str, *, read: bool) -> None:
        """open -> ``state``; the reminder that is there goes."""
        debt.state, debt.next_at = state, None
        self.withdraw(debt, read=read)

    def waive(self, debt: Debt) -> None:
        """As :meth:`close`; a question that nobody has taken goes, too, unless a call waits for it."""
        self.close(debt, "waived", read=False)
        asked = self.mail[debt.debtor, debt.question]
        if asked.state == "queued" and not self.is_kept(asked.id):
            asked.state = "settled"

    def withdraw(self, debt: Debt, *, read: bool) -> None:
        """The newest reminder is taken out, if nobody has it in hand."""
        last, debt.reminder = debt.reminder, None
        if last is not None and (last.state == "queued" or (last.state == "leased" and read)):
            last.state = "settled"

    def due_debts(self) -> list[Debt]:
        """What a round of housekeeping sees to."""
        return [one for one in self.debts.values() if one.next_at is not None and one.next_at <= self.now]

    def remind(self, debt: Debt) -> bool:
        """One step on; False when it was the last, the escalation."""
        assert debt.due is not None
        times = (*REMIND_AFTER_MS, ESCALATE_AFTER_MS)
        self.withdraw(debt, read=False)
        if debt.reminders < len(REMIND_AFTER_MS):
            debt.reminders += 1
            debt.next_at = max(debt.due + times[debt.reminders], self.now + REMINDER_GAP_MS)
            return True
        debt.next_at, debt.escalated_at = None, self.now
        return False

    # --- waits -------------------------------------------------------------------------------------

    def answered(self, question: str, asker: str, answer: Mail) -> None:
        """An answer came: it is kept for a call that waits, if it is the first."""
        self.answers.setdefault(question, []).append(answer.id)
        wait = self.waits.get(question)
        if wait is not None and wait.until > self.now and wait.answer is None and wait.asker == asker:
            wait.answer, answer.kept_until = answer.id, wait.until

    def is_kept(self, id_: str) -> bool:
        """Whether an answer is kept for a call at this moment."""
        return any(wait.answer == id_ and wait.until > self.now for wait in self.waits.values())

    def look(self, question: str, asker: str, session: str | None, *, take: bool) -> str:
        """What a call that waits is told."""
        wait = self.waits.get(question)
        first = (
            wait.answer
            if wait is not None and wait.answer
            else next(iter(self.answers.get(question, ())), None)
        )
        if first is None:
            states = {debt.state for (id_, _), debt in self.debts.items() if id_ == question}
            if states == {"waived"}:
                self.waits.pop(question, None)
                return "closed"
            return "waiting"
        self.waits.pop(question, None)
        one = self.mail[asker, first]
        if one.state != "queued":
            return "elsewhere"
        if take:
            self.lease(one, session)
            return "given"
        one.kept_until = 0
        return "waiting"

    def still_waits(self, question: str, asker: str, session: str | None) -> None:
        """The call asked again and found nothing."""
        wait = self.waits.setdefault(question, Wait(asker, session, 0))
        wait.session, wait.until = session, self.now + WAIT_LEASE_MS

    def session_ends(self, agent: str, session: str) -> None:
        """What it had in hand goes back, and it waits for no answer any more."""
        for one in self.mail.values():
            if one.to == agent and one.session == session and one.state == "leased":
                one.take_back()
        for question, wait in list(self.waits.items()):
            if wait.session == session:
                if wait.answer is not None:
                    self.mail[wait.asker, wait.answer].kept_until = 0
                del self.waits[question]

    def forget_waits(self) -> None:
        """Calls that were not heard of."""
        for question, wait in list(self.waits.items()):
            if wait.until <= self.now:
                del self.waits[question]
