"""Answers that are owed against the model: asking, answering, waiving, waiting, sweeping, in any order."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import LEASE_MS, Actor, Draft, NewSession, Profile
from hubbub.model_pending import REMINDER_GAP_MS, WAIT_LEASE_MS
from hubbub.names import BUS_NAME
from hubbub.policy import ESCALATE_AFTER_MS, REMIND_AFTER_MS
from hubbub.stores import open_store
from hubbub.stores.sqlite import migrating
from tests.properties.pending_model import Mail, Model, Wait

NAMES = ("ada", "bob", "cy")
names = st.sampled_from(NAMES)
indexes = st.integers(0, 10_000)
JUMPS = [1, 10_000, WAIT_LEASE_MS - 1, WAIT_LEASE_MS, 60_000, LEASE_MS, ESCALATE_AFTER_MS, 3_600_000]


class PendingMachine(RuleBasedStateMachine):
    """Three agents ask each other, wait, answer, decline, waive, are reminded, and lose their sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="hubbub-property-")
        self.clock = ManualClock()
        setattr(migrating, "LOG_BYTES", 0)  # noqa: B010 - the constant is not exported
        self.store = open_store(f"sqlite://{self.folder}/bus.db", clock=self.clock)
        self.store.settings.put("gate.limit", "100000")
        self.model = Model(self.clock.now())
        self.numbers = itertools.count(1)
        self.sessions: dict[str, str] = {}
        self.questions: list[tuple[str, str]] = []
        self.steps = 0

    def teardown(self) -> None:
        """In the end each debt was reminded of as it should be, and the store is whole."""
        try:
            self.model_agrees()
            self._run_out()
            assert self.store.check() == []
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    # --- helpers -----------------------------------------------------------------------------------

    def _actor(self, name: str, seated: bool) -> Actor:
        return Actor(name, self.sessions.get(name) if seated else None)

    def _code(self, act: Any) -> str:
        try:
            act()
        except HubbubError as error:
            return error.code
        return ""

    def _deliver(self, id_: str, seq: int, to: str, **fields: Any) -> Mail:
        self.model.mail[to, id_] = one = Mail(id_, seq, to, **fields)
        return one

    # --- rules -------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Register all; no inbox is ever full."""
        for name in NAMES:
            self.store.agents.register(Profile(name, inbox_limit=1_000_000))

    @rule(
        asker=names,
        seated=st.booleans(),
        to=st.lists(names, min_size=1, max_size=3, unique=True),
        within=st.sampled_from([None, 1000, 60_000]),
        kind=st.sampled_from(["question", "task", "message"]),
        waits=st.booleans(),
    )
    def ask(
        self, asker: str, seated: bool, to: list[str], within: int | None, kind: str, waits: bool
    ) -> None:
        """Each recipient but the asker owes an answer, where one is wanted."""
        actor = self._actor(asker, seated)
        wait_ms = WAIT_LEASE_MS if waits else None
        draft = Draft(tuple(to), "?", kind=kind, reply_within_ms=within, wait_ms=wait_ms)
        sent = self.store.mail.send(actor, draft)
        self.questions.append((sent.id, asker))
        due = None if within is None else self.model.now + within
        for name in to:
            self._deliver(sent.id, sent.seq, name)
            if name != asker and (within is not None or waits or kind != "message"):
                self.model.owes(sent.id, name, asker, due)
        if waits:
            self.model.waits[sent.id] = Wait(asker, actor.session, self.model.now + WAIT_LEASE_MS)

    @rule(
        index=indexes,
        who=indexes,
        seated=st.booleans(),
        kind=st.sampled_from(["answer", "status", "declined"]),
    )
    def answer(self, index: int, who: int, seated: bool, kind: str) -> None:
        """Any recipient answers any question, for the first time or again."""
        if not self.questions:
            return
        question, asker = self.questions[index % len(self.questions)]
        recipients = [name for name in NAMES if (name, question) in self.model.mail]
        debtor = recipients[who % len(recipients)]
        draft = Draft((asker,), "!", kind=kind, in_reply_to=question)
        sent = self.store.mail.send(self._actor(debtor, seated), draft)
        debt = self.model.debts.get((question, debtor))
        if debt is not None and debt.state == "open" and kind != "status":
            self.model.close(debt, "declined" if kind == "declined" else "answered", read=True)
        assert sent.debt == (None if debt is None else debt.state)
        asked = self.model.mail[debtor, question]
        assert sent.settled == (None if asked.state == "settled" else question)
        asked.state = "settled"
        reply = self._deliver(sent.id, sent.seq, asker)
        if kind != "status":
            self.model.answered(question, asker, reply)

    @rule(index=indexes, who=indexes)
    def pass_on(self, index: int, who: int) -> None:
        """A reply to others: what is owed is owed still, and waits in the inbox still."""
        if not self.questions:
            return
        question, asker = self.questions[index % len(self.questions)]
        recipients = [name for name in NAMES if (name, question) in self.model.mail and name != asker]
        if not recipients:
            return
        debtor = recipients[who % len(recipients)]
        (other,) = set(NAMES) - {debtor, asker}
        sent = self.store.mail.send(Actor(debtor), Draft((other,), "you?", in_reply_to=question))
        debt = self.model.debts.get((question, debtor))
        assert sent.debt == (None if debt is None else debt.state)
        asked = self.model.mail[debtor, question]
        if debt is None or debt.state != "open":
            assert sent.settled == (None if asked.state == "settled" else question)
            asked.state = "settled"
        else:
            assert sent.settled is None
        self._deliver(sent.id, sent.seq, other)

    @rule(index=indexes, debtor=st.sampled_from([None, *NAMES]), by=st.sampled_from([None, *NAMES]))
    def waive(self, index: int, debtor: str | None, by: str | None) -> None:
        """Only the asker or the operator can, and only what is open."""
        if not self.questions:
            return
        question, asker = self.questions[index % len(self.questions)]
        of_it = [debt for (id_, _), debt in self.model.debts.items() if id_ == question]
        mine = [one for one in of_it if one.state == "open" and debtor in (None, one.debtor)]
        actor = None if by is None else Actor(by)
        code = self._code(lambda: self.store.pending.waive(actor, question, debtor=debtor))
        assert code == ("NOT_YOUR_MESSAGE" if by not in (None, asker) else "" if mine else "NOTHING_OWED")
        if not code:
            for one in mine:
                self.model.waive(one)
            if all(one.state == "waived" for one in of_it):
                self.model.waits.pop(question, None)

    @rule(agent=names, seated=st.booleans(), limit=st.integers(1, 5))
    def receive(self, agent: str, seated: bool, limit: int) -> None:
        """Hands out what the model says: nothing that is kept for a call."""
        actor = self._actor(agent, seated)
        expected = self.model.of(agent)[:limit]
        handed = self.store.mail.receive(actor, limit=limit).deliveries
        assert [one.message.id for one in handed] == [one.id for one in expected]
        for one in expected:
            self.model.lease(one, actor.session)

    @rule(agent=names, index=indexes)
    def settle(self, agent: str, index: int) -> None:
        """Anything but what is kept."""
        pool = [one for one in self.model.mail.values() if one.to == agent]
        pool = [one for one in pool if one.state != "settled"]
        if not pool:
            return
        one = pool[index % len(pool)]
        code = self._code(lambda: self.store.mail.settle(Actor(agent), (one.id,)))
        kept = one.state == "queued" and self.model.is_kept(one.id)
        assert code == ("ANSWER_AWAITED" if kept else "DELIVERY_DEAD" if one.state == "dead" else "")
        if not code:
            one.state = "settled"

    @rule(index=indexes, seated=st.booleans())
    def await_answer(self, index: int, seated: bool) -> None:
        """Look again, for any question that was asked."""
        if not self.questions:
            return
        question, asker = self.questions[index % len(self.questions)]
        actor = self._actor(asker, seated)
        # A look that finds nothing new need not move the time on.
        wait = self.model.waits.get(question)
        idle = (
            wait is not None
            and wait.session == actor.session
            and wait.answer is None
            and wait.until - self.model.now > WAIT_LEASE_MS // 2
        )
        found = self.store.pending.await_answer(actor, question, lease_ms=WAIT_LEASE_MS)
        first = wait.answer if wait is not None and wait.answer else None
        first = first or next(iter(self.model.answers.get(question, ())), None)
        expected = self.model.look(question, asker, actor.session, take=True)
        assert found.state == expected
        if expected == "waiting" and not idle:
            self.model.still_waits(question, asker, actor.session)
        if expected in ("given", "elsewhere"):
            assert found.answer is not None
            assert found.answer.message.id == first

    @rule(index=indexes, take=st.booleans())
    def stop_waiting(self, index: int, take: bool) -> None:
        """Give up."""
        if not self.questions:
            return
        question, asker = self.questions[index % len(self.questions)]
        found = self.store.pending.stop_waiting(Actor(asker), question, take=take)
        expected = self.model.look(question, asker, None, take=take)
        assert found.state == ("over" if expected == "waiting" else expected)
        self.model.waits.pop(question, None)

    @rule(agent=names, kill=st.booleans())
    def session(self, agent: str, kill: bool) -> None:
        """A session begins, by force if need be, or ends: what it had in hand goes back."""
        old = self.sessions.pop(agent, None)
        if old is not None and kill:
            self.store.agents.end_session(old, "killed")
        if not kill:
            id_ = f"s{next(self.numbers)}"
            self.store.agents.register(Profile(agent), NewSession(id_), take_over=True)
            self.sessions[agent] = id_
        if old is not None:
            self.model.session_ends(agent, old)

    @rule(milliseconds=st.sampled_from(JUMPS))
    def time_passes(self, milliseconds: int) -> None:
        """Nothing is done about debts until somebody keeps house; sessions beat."""
        self.clock.advance(milliseconds)
        self.model.now += milliseconds
        for id_ in self.sessions.values():
            self.store.agents.beat(id_)
        self.model.fall_due()

    @rule(holder=st.sampled_from(["h", "h"]))
    def sweep(self, holder: str) -> None:
        """A round of housekeeping: what it sent is found in the inboxes."""
        due = self.model.due_debts()
        before = self.store.ledger.events(limit=1, newest=True)[-1].seq
        swept = self.store.sweep(holder)
        reminded = [debt for debt in due if self.model.remind(debt)]
        assert (swept.reminders, swept.escalations) == (len(reminded), len(due) - len(reminded))
        self.model.forget_waits()
        for event in self.store.ledger.events(after=before, kinds=("message_sent",), limit=10_000):
            assert event.actor == BUS_NAME
            assert event.message is not None
            assert event.agent is not None
            message = self.store.mail.message(event.message)
            told = message.metadata or {}
            mail = self._deliver(message.id, message.seq, event.agent)
            if "reminds" in told:
                self.model.debts[told["reminds"], event.agent].reminder = mail

    @rule(agent=names, times=st.integers(4, 6))
    def fail_again_and_again(self, agent: str, times: int) -> None:
        """Take what there is and let the leases run out."""
        for _ in range(times):
            self.receive(agent, True, 5)
            self.time_passes(LEASE_MS)

    # --- what must always hold -----------------------------------------------------------------------

    @invariant()
    def model_agrees(self) -> None:
        """Debts, inboxes and, now and then, the whole file."""
        self.steps += 1
        debts = self.store.pending.owed(closed=True, limit=100_000)
        assert {(one.message, one.debtor) for one in debts} == self.model.debts.keys()
        for found in debts:
            one = self.model.debts[found.message, found.debtor]
            assert (found.state, found.reminders, found.next_at, found.escalated_at) == (
                one.state, one.reminders, one.next_at, one.escalated_at,
            )  # fmt: skip
            assert (found.asker, found.due) == (one.asker, one.due)
        if self.steps % 5 == 0:
            for name in NAMES:
                waiting = [one.message.id for one in self.store.mail.peek(name, limit=100_000).deliveries]
                assert waiting == [one.id for one in self.model.of(name)]
        if self.steps % 25 == 0:
            assert self.store.check() == []

    def _run_out(self) -> None:
        """Time goes on: every open debt with a time is escalated after four reminders; then it is silent."""
        for _ in range(2 * (len(REMIND_AFTER_MS) + 1)):
            self.time_passes(max(REMINDER_GAP_MS, ESCALATE_AFTER_MS))
            self.sweep("h")
        for one in self.model.debts.values():
            if one.state == "open" and one.due is not None:
                assert (one.reminders, one.next_at) == (len(REMIND_AFTER_MS), None)
                assert one.escalated_at is not None
        before = len(self.store.ledger.events(kinds=("reminder_sent", "answer_escalated"), limit=100_000))
        self.time_passes(3_600_000)
        self.sweep("h")
        after = len(self.store.ledger.events(kinds=("reminder_sent", "answer_escalated"), limit=100_000))
        assert before == after


TestPending = PendingMachine.TestCase
