"""The real store against the model, operation by operation, in any order that can be thought of."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import LEASE_MS, SESSION_TTL_MS, Actor, Draft, NewSession, Profile
from hubbub.stores import open_store
from hubbub.stores.sqlite import migrating
from tests.properties.model import PRIORITIES, Delivery, Inbox, Model

NAMES = ("ada", "bob", "cy")
LIMITS = {"ada": 1000, "bob": 6, "cy": 3}
names = st.sampled_from(NAMES)
indexes = st.integers(0, 10_000)


class MailMachine(RuleBasedStateMachine):
    """Three agents, with and without sessions, send, receive, settle, fail and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="hubbub-property-")
        self.clock = ManualClock()
        # Every example has a new file; making its log long takes more time than the example.
        setattr(migrating, "LOG_BYTES", 0)  # noqa: B010 - the constant is not exported
        self.store = open_store(f"sqlite://{self.folder}/bus.db", clock=self.clock)
        self.model = Model(self.clock.now())
        self.numbers = itertools.count(1)
        self.steps = 0

    def teardown(self) -> None:
        """Whatever happened: the store agrees, is whole, and every message can be accounted for."""
        try:
            self._compare_everything()
            assert self.store.check() == []
            self._drain()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    # --- helpers -------------------------------------------------------------------------------

    def _actor(self, name: str, seated: bool) -> Actor:
        inbox = self.model.inboxes[name]
        if seated and inbox.session is not None:
            return Actor(name, inbox.session)
        return Actor(name)

    def _acted(self, actor: Actor) -> None:
        """It did something; what is refused changes nothing, and revives no session either."""
        if actor.session is not None:
            self.model.acts(self.model.inboxes[actor.agent])

    def _pick(self, index: int, agent: str | None = None, likely: str = "leased") -> Delivery | None:
        """Any delivery, but mostly one in the state where something can come of it."""
        pool = [one for one in self.model.deliveries.values() if agent in (None, one.agent)]
        if index % 3:
            pool = [one for one in pool if one.state == likely] or pool
        return pool[index % len(pool)] if pool else None

    def _code(self, act: Any) -> str:
        try:
            act()
        except HubbubError as error:
            return error.code
        return ""

    def _accept(self, id_: str, seq: int, to: tuple[str, ...], priority: str, ttl: int | None) -> None:
        for name in to:
            expires = None if ttl is None else self.model.now + ttl
            self.model.deliveries[name, id_] = Delivery(id_, seq, name, priority, expires)

    # --- rules ---------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Register all."""
        for name in NAMES:
            self.store.agents.register(Profile(name, inbox_limit=LIMITS[name]))
            self.model.inboxes[name] = Inbox(name, LIMITS[name])

    @rule(
        sender=names,
        seated=st.booleans(),
        to=st.lists(names, min_size=1, max_size=3, unique=True),
        priority=st.sampled_from(PRIORITIES),
        ttl=st.sampled_from([None, None, 1000, LEASE_MS]),
        repeat=st.booleans(),
    )
    def send(
        self, sender: str, seated: bool, to: list[str], priority: str, ttl: int | None, repeat: bool
    ) -> None:
        """Accepted by all or refused by all; a repeated key sends nothing."""
        full = [name for name in to if sum(self.model.counts(name)[:2]) >= self.model.inboxes[name].limit]
        draft = Draft(tuple(to), "body", priority=priority, ttl_ms=ttl)
        key = f"k{next(self.numbers)}"
        actor = self._actor(sender, seated)
        if full:
            assert self._code(lambda: self.store.mail.send(actor, draft, key=key)) == "INBOX_FULL"
            return
        sent = self.store.mail.send(actor, draft, key=key)
        self._acted(actor)
        self._accept(sent.id, sent.seq, sent.recipients, priority, ttl)
        if repeat:
            assert self.store.mail.send(actor, draft, key=key) == sent._replace(repeated=True)

    @rule(agent=names, seated=st.booleans(), limit=st.integers(1, 4))
    def receive(self, agent: str, seated: bool, limit: int) -> None:
        """Hands out what the model says, in that order."""
        actor = self._actor(agent, seated)
        expected = self.model.available(agent)[:limit]
        handout = self.store.mail.receive(actor, limit=limit)
        self._acted(actor)
        assert [one.message.id for one in handout.deliveries] == [one.id for one in expected]
        for one, given in zip(expected, handout.deliveries, strict=True):
            self.model.lease(one, actor.session)
            assert given.delivery_count == one.count
            assert given.redelivered is (one.count > 1)
            assert given.lease_until == one.lease_until
            assert len(given.reasons) == one.failures
        assert handout.remaining == self.model.counts(agent)[0]
        assert handout.next_due_at == self.model.next_due(agent)

    @rule(agent=names, seated=st.booleans(), index=indexes)
    def settle(self, agent: str, seated: bool, index: int) -> None:
        """Acknowledge any delivery of the agent, whatever its state."""
        one = self._pick(index, agent)
        if one is None:
            return
        actor = self._actor(agent, seated)
        again = "" if one.implicit else "ALREADY_SETTLED"
        expected = {"settled": again, "dead": "DELIVERY_DEAD", "purged": "NOT_YOUR_MESSAGE"}
        code = self._code(lambda: self.store.mail.settle(actor, (one.id,)))
        assert code == expected.get(one.state, "")
        if not code:
            self._acted(actor)
            one.state = "settled"

    @rule(agent=names, index=indexes, seated=st.booleans())
    def settle_implicitly(self, agent: str, index: int, seated: bool) -> None:
        """Only what this session has in hand."""
        one = self._pick(index, agent)
        if one is None:
            return
        actor = self._actor(agent, seated)
        # In hand past its time, and nobody looked since: the store may go either way. Look first.
        self.store.mail.peek(agent)
        settled = self.store.mail.settle_implicitly(actor, (one.id,))
        self._acted(actor)
        mine = one.state == "leased" and one.session == actor.session
        assert settled == ((one.id,) if mine else ())
        if mine:
            one.state, one.implicit = "settled", True

    @rule(
        agent=names,
        seated=st.booleans(),
        index=indexes,
        delay=st.sampled_from([0, 0, 500, 60_000]),
        unseen=st.booleans(),
    )
    def release(self, agent: str, seated: bool, index: int, delay: int, unseen: bool) -> None:
        """Give any delivery back: only what this very session has in hand can be."""
        one = self._pick(index, agent)
        if one is None:
            return
        actor = self._actor(agent, seated)
        not_before = self.model.now + delay if delay else None
        code = self._code(lambda: self.store.mail.release(actor, (one.id,), delay_ms=delay, unseen=unseen))
        mine = "" if one.session == actor.session else "NOT_LEASED"
        expected = {"leased": mine, "purged": "NOT_YOUR_MESSAGE"}
        assert code == expected.get(one.state, "NOT_LEASED")
        if not code:
            self._acted(actor)
            self.model.give_back(one, not_before or 0, unseen=unseen)

    @rule(agent=names, seated=st.booleans(), index=indexes)
    def reply(self, agent: str, seated: bool, index: int) -> None:
        """An answer to ada, which always has room, settles what it answers in any state."""
        one = self._pick(index, agent)
        if one is None:
            return
        actor = self._actor(agent, seated)
        draft = Draft(("ada",), "answer", in_reply_to=one.id)
        if one.state == "purged":
            assert self._code(lambda: self.store.mail.send(actor, draft)) == "NOT_YOUR_MESSAGE"
            return
        sent = self.store.mail.send(actor, draft)
        self._acted(actor)
        assert sent.settled == (None if one.state == "settled" else one.id)
        one.state = "settled"
        self._accept(sent.id, sent.seq, ("ada",), "normal", None)

    @rule(index=indexes)
    def retry(self, index: int) -> None:
        """Any message: only dead letters go back, within the bound."""
        picked = self._pick(index, likely="dead")
        if picked is None:
            return
        dead = [
            self.model.deliveries[name, picked.id]
            for name in NAMES
            if (name, picked.id) in self.model.deliveries
        ]
        dead = [one for one in dead if one.state == "dead"]
        full = [
            one
            for one in dead
            if sum(self.model.counts(one.agent)[:2]) >= self.model.inboxes[one.agent].limit
        ]
        code = self._code(lambda: self.store.mail.retry((picked.id,)))
        assert code == ("NOT_DEAD" if not dead else "INBOX_FULL" if full else "")
        if not code:
            for one in dead:
                one.state, one.count, one.expires_at, one.not_before = "queued", 0, None, 0

    @rule(index=indexes)
    def purge(self, index: int) -> None:
        """Any delivery: only a dead letter can be purged."""
        one = self._pick(index, likely="dead")
        if one is None:
            return
        code = self._code(lambda: self.store.mail.purge((one.id,), agent=one.agent))
        assert code == ("" if one.state == "dead" else "NOT_DEAD")
        if not code:
            one.state = "purged"

    @rule(agent=names, take_over=st.booleans())
    def join(self, agent: str, take_over: bool) -> None:
        """One live session holds a name."""
        inbox = self.model.inboxes[agent]
        session = NewSession(f"s{next(self.numbers)}")
        held = inbox.session is not None and not self.model.lapsed(inbox)
        if held and not take_over:
            code = self._code(lambda: self.store.agents.register(Profile(agent), session))
            assert code == "NAME_TAKEN"
            return
        made = self.store.agents.register(Profile(agent), session, take_over=take_over)
        assert (made.superseded.id if made.superseded else None) == (inbox.session if held else None)
        if inbox.session is not None:
            self.model.loses(inbox, "SESSION_SUPERSEDED" if held else None)
        self.model.opens(inbox, session.id)

    @precondition(lambda self: any(inbox.session for inbox in self.model.inboxes.values()))
    @rule(agent=names, seen=st.booleans())
    def leave(self, agent: str, seen: bool) -> None:
        """A session ends; of what it never saw the hand-out does not count."""
        inbox = self.model.inboxes[agent]
        if inbox.session is None:
            return
        mine = [one.id for one in self.model.of(agent, "leased") if one.session == inbox.session]
        unseen = () if seen else tuple(mine[::2])
        # A lease that ran out must not be told apart from one that was taken back in time.
        self.store.mail.peek(agent)
        self.store.agents.end_session(inbox.session, "left", unseen=unseen)
        self.model.loses(inbox, "SESSION_ENDED", set(unseen))

    @rule(agent=names)
    def beat(self, agent: str) -> None:
        """A beat keeps a session, or brings it back."""
        inbox = self.model.inboxes[agent]
        if inbox.session is not None:
            assert self.store.agents.beat(inbox.session).state == "live"
            inbox.expires_at = self.model.now + SESSION_TTL_MS

    @rule(agent=names, index=indexes)
    def act_when_fenced(self, agent: str, index: int) -> None:
        """A session that lost its name changes nothing."""
        fenced = list(self.model.inboxes[agent].fenced.items())
        if not fenced:
            return
        session, code = fenced[index % len(fenced)]
        actor = Actor(agent, session)
        assert self._code(lambda: self.store.mail.receive(actor)) == code
        assert self._code(lambda: self.store.mail.send(actor, Draft(("ada",), "x"))) == code
        assert self._code(lambda: self.store.agents.beat(session)) == code

    @rule(milliseconds=st.sampled_from([1, 999, 1000, SESSION_TTL_MS, LEASE_MS - 1, LEASE_MS, 2 * LEASE_MS]))
    def time_passes(self, milliseconds: int) -> None:
        """Nothing is done about it until somebody looks."""
        self.clock.advance(milliseconds)
        self.model.advance(milliseconds)

    @rule(agent=names, seated=st.booleans(), times=st.integers(2, 6))
    def fail_again_and_again(self, agent: str, seated: bool, times: int) -> None:
        """Take all there is and let the leases run out."""
        for _ in range(times):
            self.receive(agent, seated, 4)
            self.time_passes(LEASE_MS)

    @rule()
    def sweep(self) -> None:
        """Housekeeping also ends sessions that missed their beats."""
        assert self.store.sweep("housekeeper").ran
        for inbox in self.model.inboxes.values():
            if self.model.lapsed(inbox):
                self.model.loses(inbox, None)

    # --- what must always hold -------------------------------------------------------------------

    @invariant()
    def counts_agree(self) -> None:
        """The counts of every inbox; now and then everything."""
        self.steps += 1
        for name in self.model.inboxes:
            found = self.store.agents.get(name)
            assert (found.queued, found.leased, found.dead) == self.model.counts(name)
        if self.steps % 10 == 0:
            self._compare_everything()
        if self.steps % 25 == 0:
            assert self.store.check() == []

    def _compare_everything(self) -> None:
        for name, inbox in self.model.inboxes.items():
            holder = self.store.agents.get(name).session
            live = None if self.model.lapsed(inbox) else inbox.session
            assert (holder.id if holder else None) == live
            peeked = self.store.mail.peek(name, limit=1000).deliveries
            assert [one.message.id for one in peeked] == [one.id for one in self.model.available(name)]
        for (agent, id_), one in self.model.deliveries.items():
            places = [found for found in self.store.mail.whereabouts(id_).recipients if found.agent == agent]
            assert [found.state for found in places] == [one.state]
            if one.state != "purged":
                assert places[0].delivery_count == one.count
                assert len(places[0].reasons) == one.failures

    def _drain(self) -> None:
        """Bring all dead letters back and settle everything: each delivery turns up once."""
        self.clock.advance(LEASE_MS)
        self.model.advance(LEASE_MS)
        for name in self.model.inboxes:
            self.store.agents.register(Profile(name, inbox_limit=100_000))
        for one in self.store.mail.dead(limit=100_000):
            self.store.mail.retry((one.message.id,), agent=one.agent)
        for name in self.model.inboxes:
            expected = {one.id for one in self.model.of(name, "queued", "leased", "dead")}
            self.clock.advance(LEASE_MS)
            handed = self.store.mail.receive(Actor(name), limit=100_000).deliveries
            ids = [one.message.id for one in handed]
            # A ttl may have passed meanwhile for what was never retried: those are dead, and listed.
            late = [one.message.id for one in self.store.mail.dead(agent=name, limit=100_000)]
            assert sorted(ids + late) == sorted(expected)
            if ids:
                self.store.mail.settle(Actor(name), tuple(ids))
        assert self.store.check() == []


TestMail = MailMachine.TestCase
