"""The real store's topics against the model, operation by operation, in any order."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import SESSION_TTL_MS, Actor, Draft, NewSession, Profile
from hubbub.model_topics import HANDOUT_MS, LATEST, SYNC_MAX, Hand, Imported, Post, Synced
from hubbub.names import topic_key
from hubbub.stores import open_store
from hubbub.stores.sqlite import migrating
from tests.properties.topic_model import Agent, Member, Range, Topic

NAMES = ("ada", "bob", "cy")
LATE = "dan"
TITLES = ("one", "two", "One")
names = st.sampled_from(NAMES)
indexes = st.integers(0, 10_000)
limits = st.sampled_from([1, 2, 3, 20])


class TopicMachine(RuleBasedStateMachine):
    """Three agents, with and without sessions, post, read, confirm, crash, leave and come back."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where that can be had: what survives a crash is the storm's question, not this one.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="hubbub-property-", dir=memory)
        self.clock = ManualClock()
        # Every example has a new file; making its log long takes more time than the example.
        setattr(migrating, "LOG_BYTES", 0)  # noqa: B010 - the constant is not exported
        self.store = open_store(f"sqlite://{self.folder}/bus.db", clock=self.clock)
        self.agents: dict[str, Agent] = {}
        self.topics: dict[str, Topic] = {}
        self.gone: list[str] = []
        self.given: list[tuple[str, Hand]] = []
        """Every hand-out there ever was, and to whom."""
        self.numbers = itertools.count(1)
        self.steps = 0

    def teardown(self) -> None:
        """Whatever happened: each member gets all that is left, and the store is whole."""
        try:
            self._compare_everything()
            self._drain()
            assert self.store.check() == []
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    # --- helpers -------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The time."""
        return self.clock.now()

    def _actor(self, name: str, seated: bool) -> Actor:
        return Actor(name, self.agents[name].session if seated else None)

    def _acted(self, actor: Actor) -> None:
        """It did something: a session that missed its beats is live again."""
        agent = self.agents[actor.agent]
        if actor.session is not None and agent.lapsed(self.now):
            agent.expires_at = self.now + SESSION_TTL_MS

    def _code(self, act: Any) -> str:
        try:
            act()
        except HubbubError as error:
            return error.code
        return ""

    def _topic(self, index: int) -> Topic:
        """Any topic, but mostly the first that was made: much has to happen in one."""
        pool = list(self.topics.values())
        return pool[index % len(pool)] if index % 3 == 0 else pool[min(1, len(pool) - 1)]

    def _open_named(self, name: str) -> Topic | None:
        key = topic_key(name)
        found = [one for one in self.topics.values() if one.state == "open" and topic_key(one.name) == key]
        return found[0] if found else None

    # --- agents and sessions -------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Register all."""
        all_ = self.store.topics.get("#all")
        self.topics[all_.id] = Topic(all_.id, "all")
        for name in NAMES:
            self._register(name)
            self.sit_down(name, False)
        self.create("ada", True, "one", True)
        one = list(self.topics.values())[1]
        for name in NAMES:
            posted = self.store.topics.sync(Actor(name), one.id, outbox=(Post(name),), automatic=False)
            one.enters(name, 0)
            one.append(name, posted.posted[0].id)
            one.members[name].accounted.update(message.seq for message in posted.messages)

    def _register(self, name: str) -> None:
        self.store.agents.register(Profile(name))
        self.agents[name] = Agent(name)
        topic = next(iter(self.topics.values()))
        topic.enters(name, LATEST)

    @rule()
    def a_late_comer(self) -> None:
        """It belongs to #all from now on."""
        if LATE not in self.agents:
            self._register(LATE)

    @rule(agent=names, take_over=st.booleans())
    def sit_down(self, agent: str, take_over: bool) -> None:
        """A session opens; an older one is fenced out and what it had in hand comes back."""
        known = self.agents[agent]
        session = NewSession(f"s{next(self.numbers)}")
        held = known.session is not None and not known.lapsed(self.now)
        if held and not take_over:
            assert self._code(lambda: self.store.agents.register(Profile(agent), session)) == "NAME_TAKEN"
            return
        self.store.agents.register(Profile(agent), session, take_over=take_over)
        if known.session is not None:
            # One that merely expired comes back to life when its successor is gone, too.
            self._loses(known, "SESSION_SUPERSEDED" if held else None)
        known.opens(session.id, self.now)

    @rule(agent=names)
    def crash(self, agent: str) -> None:
        """A session ends with whatever it had in hand."""
        known = self.agents[agent]
        if known.session is not None:
            self.store.agents.end_session(known.session, "left")
            self._loses(known, "SESSION_ENDED")

    def _loses(self, known: Agent, code: str | None) -> None:
        session, known.session = known.session, None
        if code is not None:
            assert session is not None
            known.fenced.append((session, code))
        for topic in self.topics.values():
            member = topic.members.get(known.name)
            for one in member.hands if member else ():
                if one.session == session:
                    one.returns(seen=True)

    @rule(agent=names, index=indexes)
    def act_when_fenced(self, agent: str, index: int) -> None:
        """A session that lost its name changes nothing."""
        fenced = self.agents[agent].fenced
        if not fenced:
            return
        session, code = fenced[index % len(fenced)]
        actor, topic = Actor(agent, session), self._topic(index).id
        assert self._code(lambda: self.store.topics.sync(actor, topic)) == code
        assert self._code(lambda: self.store.topics.sync(actor, topic, outbox=(Post("x"),))) == code
        assert self._code(lambda: self.store.topics.reset(actor, topic, 0)) == code
        hands = tuple(hand for name, hand in self.given if name == agent)
        assert self._code(lambda: self.store.topics.confirm(actor, hands)) == code
        assert self._code(lambda: self.store.topics.give_back(actor, hands)) == code

    @rule(milliseconds=st.sampled_from([1, 1000, SESSION_TTL_MS, HANDOUT_MS - 1, HANDOUT_MS]))
    def time_passes(self, milliseconds: int) -> None:
        """Nothing is done about it until somebody looks."""
        self.clock.advance(milliseconds)

    @rule()
    def sweep(self) -> None:
        """Housekeeping brings hand-outs back and ends sessions that missed their beats."""
        assert self.store.sweep("housekeeper").ran
        for topic in self.topics.values():
            for member in topic.members.values():
                for one in member.hands:
                    if one.until is not None and one.until <= self.now:
                        one.returns(seen=True)
        for known in self.agents.values():
            if known.lapsed(self.now):
                self._loses(known, None)

    # --- topics --------------------------------------------------------------------------------

    @rule(agent=names, seated=st.booleans(), name=st.sampled_from(TITLES), reuse=st.booleans())
    def create(self, agent: str, seated: bool, name: str, reuse: bool) -> None:
        """A name is one open topic."""
        actor, there = self._actor(agent, seated), self._open_named(name)
        if there is not None and not reuse:
            code = self._code(lambda: self.store.topics.create(actor, name, reuse=False))
            assert code == "TOPIC_EXISTS"
            return
        key = f"k{next(self.numbers)}"
        made = self.store.topics.create(actor, name, reuse=reuse, key=key)
        assert made.created is (there is None)
        self._acted(actor)
        topic = there or self.topics.setdefault(made.topic.id, Topic(made.topic.id, name))
        assert made.topic.id == topic.id
        topic.enters(agent, None)
        again = self.store.topics.create(actor, name, reuse=reuse, key=key)
        assert (again.topic.id, again.created) == (topic.id, made.created)

    @rule(
        agent=names, seated=st.booleans(), index=indexes, what=st.sampled_from(["close", "reopen", "delete"])
    )
    def change(self, agent: str, seated: bool, index: int, what: str) -> None:
        """Closed, reopened, deleted."""
        if index % 4 or (what == "delete" and index % 3):
            return  # most of the time there is something to read and to write
        topic, actor = self._topic(index), self._actor(agent, seated)
        expected = "TOPIC_FIXED" if topic.name == "all" and what != "reopen" else ""
        if what == "reopen" and topic.state == "closed" and self._open_named(topic.name):
            expected = "TOPIC_EXISTS"
        changed: list[bool] = []
        code = self._code(lambda: changed.append(getattr(self.store.topics, what)(actor, topic.id).changed))
        assert code == expected
        if code:
            return
        self._acted(actor)
        state = {"close": "closed", "reopen": "open", "delete": "deleted"}[what]
        assert changed == [topic.state != state]
        topic.state = state
        if state == "deleted":
            del self.topics[topic.id]
            self.gone.append(topic.id)

    @rule(agent=names, index=indexes, name=st.sampled_from(TITLES))
    def rename(self, agent: str, index: int, name: str) -> None:
        """Another name, unless it is taken."""
        topic, actor = self._topic(index), Actor(agent)
        there = self._open_named(name)
        taken = topic.state == "open" and there is not None and there is not topic and topic.name != name
        expected = "TOPIC_FIXED" if topic.name == "all" else "TOPIC_EXISTS" if taken else ""
        assert self._code(lambda: self.store.topics.rename(actor, topic.id, name)) == expected
        if not expected:
            topic.name = name

    @rule(agent=names, index=indexes)
    def what_is_gone_is_gone(self, agent: str, index: int) -> None:
        """Nothing can be done with a deleted topic."""
        if self.gone:
            id_, actor = self.gone[index % len(self.gone)], Actor(agent)
            for act in (self.store.topics.sync, self.store.topics.join, self.store.topics.leave):
                assert self._code(lambda act=act: act(actor, id_)) == "TOPIC_NOT_FOUND"

    @rule(agent=names, senders=st.lists(st.sampled_from([*NAMES, "Old"]), max_size=6), cut=st.integers(0, 6))
    def import_one(self, agent: str, senders: list[str], cut: int) -> None:
        """A topic from elsewhere, in which members of today may have written."""
        if cut % 2:
            return  # seldom: each leaves one more topic to look at
        actor, source = Actor(agent), f"source-{next(self.numbers)}"
        name = f"import {source}"
        messages = tuple(
            Imported(sender, "message", str(number), None, number if number else None, number)
            for number, sender in enumerate(senders)
        )
        self.store.topics.begin_import(actor, source, name, created_at=1)
        self.store.topics.add_imported(actor, source, 0, messages[:cut])
        done = self.store.topics.begin_import(actor, source, name, created_at=1).done
        assert done == len(messages[:cut])
        self.store.topics.add_imported(actor, source, done, messages[done:])
        topic = Topic(self.store.topics.finish_import(actor, source).id, name)
        for one in self.store.topics.history(topic.id).messages:
            topic.append(one.sender, one.id)
        assert topic.senders == senders
        self.topics[topic.id] = topic

    # --- members -------------------------------------------------------------------------------

    @rule(agent=names, seated=st.booleans(), index=indexes, start=st.sampled_from([None, None, 0, 2, LATEST]))
    def join(self, agent: str, seated: bool, index: int, start: int | None) -> None:
        """At a place, or where it left off."""
        topic, actor = self._topic(index), self._actor(agent, seated)
        if start is not None and start > topic.last_seq:
            code = self._code(lambda: self.store.topics.join(actor, topic.id, start=start))
            assert code == "CURSOR_OUT_OF_RANGE"
            return
        joined = self.store.topics.join(actor, topic.id, start=start)
        self._acted(actor)
        assert joined.fresh is topic.enters(agent, start)
        assert joined.unread == topic.unread(topic.members[agent], self.now)

    @rule(agent=names, seated=st.booleans(), index=indexes)
    def leave(self, agent: str, seated: bool, index: int) -> None:
        """Its place is kept; most come back."""
        topic, actor = self._topic(index), self._actor(agent, seated)
        member = topic.members.get(agent)
        there = member is not None and member.present
        expected = "TOPIC_FIXED" if topic.name == "all" else "" if there else "NOT_JOINED"
        assert self._code(lambda: self.store.topics.leave(actor, topic.id)) == expected
        if not expected:
            assert member is not None
            self._acted(actor)
            topic.leaves(member)
            if index % 4:
                self.join(agent, seated, index, None)

    @rule(agent=names, seated=st.booleans(), index=indexes, place=st.sampled_from([0, 1, 3, 7, LATEST]))
    def reset(self, agent: str, seated: bool, index: int, place: int) -> None:
        """Back or forward."""
        topic, actor = self._topic(index), self._actor(agent, seated)
        member = topic.members.get(agent)
        if member is None or not member.present:
            expected = "NOT_JOINED"
        else:
            expected = "CURSOR_OUT_OF_RANGE" if place > topic.last_seq else ""
        assert self._code(lambda: self.store.topics.reset(actor, topic.id, place)) == expected
        if not expected:
            assert member is not None
            self._acted(actor)
            topic.set_to(member, place)

    # --- sync ----------------------------------------------------------------------------------

    @rule(
        agent=names,
        seated=st.booleans(),
        index=indexes,
        posts=st.sampled_from([0, 0, 1, 1, 2, 4]),
        limit=limits,
        mode=st.sampled_from(["automatic", "automatic", "automatic", "manual", "acknowledge"]),
        near=indexes,
        old=st.booleans(),
        answers=indexes,
    )
    def sync(
        self,
        agent: str,
        seated: bool,
        index: int,
        posts: int,
        limit: int,
        mode: str,
        near: int,
        old: bool,
        answers: int,
    ) -> None:
        """Confirm, post, acknowledge and read in one stroke."""
        topic, actor = self._topic(index), self._actor(agent, seated)
        outbox = self._outbox(topic, posts, answers)
        options: dict[str, Any] = {"outbox": outbox, "limit": limit, "automatic": mode == "automatic"}
        through = self._through(topic, agent, near)
        if mode == "acknowledge":
            options["ack_through"] = through
        confirmed = [hand for name, hand in self.given[-6:] if old and name == agent]
        options["confirm"] = tuple(confirmed)
        expected = self._refusal(topic, agent, outbox, options.get("ack_through"))
        before = self.store.ledger.events(limit=1, newest=True)
        found: list[Synced] = []
        code = self._code(lambda: found.append(self.store.topics.sync(actor, topic.id, **options)))
        assert code == expected
        if code:
            assert self.store.ledger.events(limit=1, newest=True) == before
            return
        (synced,) = found
        self._acted(actor)
        self._confirmed(actor, confirmed)
        assert synced.joined is (agent not in topic.members)
        if synced.joined:
            topic.enters(agent, 0)
        self._posted(topic, agent, outbox, synced)
        member = topic.members[agent]
        if mode == "acknowledge":
            topic.acknowledges(member, through)
        if mode == "automatic":
            self._read(topic, member, actor, limit, synced)
        else:
            self._looked(topic, member, limit, synced)
        assert synced.topic.unread == topic.unread(member, self.now)
        self._cursor_is_right(topic, member, synced.cursor)
        if outbox:
            again = self.store.topics.sync(actor, topic.id, outbox=outbox, automatic=False, limit=1)
            assert again.posted == tuple(one._replace(repeated=True) for one in synced.posted)

    def _through(self, topic: Topic, agent: str, near: int) -> int:
        """Any number, but mostly one at which something changes."""
        member = topic.members.get(agent)
        undone = topic.undone(member) if member else []
        return undone[near % len(undone)] if undone and near % 4 else near % (topic.last_seq + 2)

    @rule(agent=names, seated=st.booleans(), index=indexes, limit=limits, times=st.integers(1, 3))
    def read(self, agent: str, seated: bool, index: int, limit: int, times: int) -> None:
        """Take without confirming."""
        for _ in range(times):
            self.sync(agent, seated, index, 0, limit, "automatic", 0, False, 1)

    @rule(agent=names, seated=st.booleans(), index=indexes)
    def post(self, agent: str, seated: bool, index: int) -> None:
        """Post without reading."""
        self.sync(agent, seated, index, 1, 1, "manual", 0, False, 1)

    def _outbox(self, topic: Topic, posts: int, answers: int) -> tuple[Post, ...]:
        pool = [id_ for one in self.topics.values() for id_ in one.ids]
        target = pool[answers % len(pool)] if pool and answers % 4 == 0 else None
        return tuple(
            Post(f"body {next(self.numbers)}", key=f"k{next(self.numbers)}", reply_to=target)
            for _ in range(posts)
        )

    def _refusal(self, topic: Topic, agent: str, outbox: tuple[Post, ...], through: int | None) -> str:
        member = topic.members.get(agent)
        if member is not None and not member.present:
            return "NOT_JOINED"
        if outbox and topic.state == "closed":
            return "TOPIC_CLOSED"
        if any(post.reply_to and post.reply_to not in topic.ids for post in outbox):
            return "REPLY_NOT_FOUND"
        if through is not None and through > topic.last_seq + len(outbox):
            return "CURSOR_OUT_OF_RANGE"
        return ""

    def _posted(self, topic: Topic, agent: str, outbox: tuple[Post, ...], synced: Synced) -> None:
        assert len(synced.posted) == len(outbox)
        for one in synced.posted:
            assert (one.seq, one.created_at, one.repeated) == (topic.last_seq + 1, self.now, False)
            topic.append(agent, one.id)

    def _read(self, topic: Topic, member: Member, actor: Actor, limit: int, synced: Synced) -> None:
        """An automatic sync gave what the model says, with the right mark."""
        seqs = [one.seq for one in synced.messages]
        again = topic.hands_again(member, limit, self.now, actor.session)
        if again is None:
            expected = topic.fresh(member)[:limit]
            more = len(topic.fresh(member)) > limit
            if expected:
                assert synced.hand is not None
                span = synced.hand
                member.hands.append(
                    Range(span.first, span.last, expected, actor.session, self.now + HANDOUT_MS, False)
                )
                # Nothing of others is in the range but what was given.
                assert topic.of_others(member.agent, span.first - 1, span.last) == expected
                member.position = span.last
        else:
            expected = again.seqs
            more = bool(topic.back(member, self.now) or topic.fresh(member))
            assert synced.hand is not None
            assert (synced.hand.first, synced.hand.last) == (again.first, again.last)
        assert seqs == expected
        assert synced.has_more is more
        assert synced.redelivered is (again is not None and again.marked)
        # Whatever the model says of marks: nothing that it may have read comes again unmarked.
        assert synced.redelivered or not member.had.intersection(seqs)
        assert (synced.hand is None) is (not seqs)
        if synced.hand is not None:
            self.given.append((member.agent, synced.hand))
        else:
            assert synced.next_due_at == min((one.until for one in member.hands if one.until), default=None)
        member.had.update(seqs)
        member.accounted.update(seqs)
        self._texts_are_right(topic, synced)

    def _looked(self, topic: Topic, member: Member, limit: int, synced: Synced) -> None:
        """A manual sync gave all that is not done with."""
        undone = topic.undone(member)
        assert [one.seq for one in synced.messages] == undone[:limit]
        assert synced.has_more is (len(undone) > limit)
        assert (synced.hand, synced.redelivered) == (None, False)
        member.accounted.update(undone[:limit])
        if undone:
            assert synced.through == undone[:limit][-1]
        self._texts_are_right(topic, synced)

    def _texts_are_right(self, topic: Topic, synced: Synced) -> None:
        for one in synced.messages:
            assert (one.id, one.sender, one.topic) == (
                topic.ids[one.seq - 1], topic.senders[one.seq - 1], topic.id,
            )  # fmt: skip

    def _cursor_is_right(self, topic: Topic, member: Member, cursor: int) -> None:
        """It is the number before the first message of others that is left, but for own ones between."""
        lowest = next(iter(topic.undone(member)), topic.last_seq + 1)
        assert cursor < lowest
        assert not topic.of_others(member.agent, cursor, lowest - 1)

    # --- hand-outs -----------------------------------------------------------------------------

    def _spoken_for(self, actor: Actor, hand: Hand) -> tuple[Member | None, list[Range]]:
        """What is left of a hand-out that is the actor's to speak for."""
        topic = self.topics.get(hand.topic)
        member = topic.members.get(actor.agent) if topic else None
        if member is None:
            return None, []
        return member, [
            one
            for one in member.hands
            if hand.first <= one.first
            and one.last <= hand.last
            and (one.session == actor.session or one.until is None)
        ]

    def _confirmed(self, actor: Actor, hands: list[Hand]) -> int:
        count = 0
        for hand in hands:
            member, found = self._spoken_for(actor, hand)
            for one in found:
                assert member is not None
                member.hands.remove(one)
                count += 1
        return count

    @rule(agent=names, seated=st.booleans(), index=indexes, several=st.integers(1, 3))
    def confirm(self, agent: str, seated: bool, index: int, several: int) -> None:
        """Some hand-outs, however old; some may lie within others."""
        if self.given:
            place = index % min(len(self.given), 5)
            hands = [hand for _, hand in self.given[-1 - place :][:several]]
            actor = self._actor(agent, seated)
            count = self.store.topics.confirm(actor, tuple(hands))
            self._acted(actor)
            assert count == self._confirmed(actor, hands)

    @rule(agent=names, seated=st.booleans(), index=indexes, unseen=st.booleans())
    def give_back(self, agent: str, seated: bool, index: int, unseen: bool) -> None:
        """One hand-out, however old."""
        if self.given:
            _, hand = self.given[-1 - index % min(len(self.given), 5)]
            actor = self._actor(agent, seated)
            member, found = self._spoken_for(actor, hand)
            assert self.store.topics.give_back(actor, (hand,), unseen=unseen) == len(found)
            self._acted(actor)
            for one in found:
                assert member is not None
                one.returns(seen=not unseen)
                if not one.marked:
                    member.had.difference_update(one.seqs)

    @rule(agent=names, to=names)
    def announce(self, agent: str, to: str) -> None:
        """A copy of some mail stands in #all."""
        sent = self.store.mail.send(Actor(agent), Draft((to,), "news", announce=True))
        assert sent.announced is not None
        next(iter(self.topics.values())).append(agent, sent.announced)

    # --- what must always hold -----------------------------------------------------------------

    @invariant()
    def unread_agrees(self) -> None:
        """What every agent has unread in every topic; now and then everything."""
        self.steps += 1
        for name in self.agents:
            page = self.store.topics.list(agent=name, state="all", limit=1000)
            assert {one.id: one.state for one in page.topics} == {
                one.id: one.state for one in self.topics.values()
            }
            for one in page.topics:
                member = self.topics[one.id].members.get(name)
                there = member is not None and member.present
                assert one.unread == (self.topics[one.id].unread(member, self.now) if there else None)  # type: ignore[arg-type]
        if self.steps % 10 == 0:
            self._compare_everything()
        if self.steps % 25 == 0:
            assert self.store.check() == []

    def _compare_everything(self) -> None:
        for topic in self.topics.values():
            found = self.store.topics.history(topic.id, limit=100_000)
            assert [one.id for one in found.messages] == topic.ids
            assert [one.seq for one in found.messages] == list(range(1, topic.last_seq + 1))
            present = {name: one for name, one in topic.members.items() if one.present}
            places = {one.agent: one for one in self.store.topics.members(topic.id)}
            assert set(places) == set(present)
            assert self.store.topics.get(topic.id).members == len(present)
            for name, member in present.items():
                assert places[name].unread == topic.unread(member, self.now)
                self._cursor_is_right(topic, member, places[name].cursor)

    def _drain(self) -> None:
        """Everyone reads all that is left: by then each had every message of others, or skipped it."""
        self.clock.advance(HANDOUT_MS)
        for topic in self.topics.values():
            for name, member in topic.members.items():
                if not member.present:
                    self.store.topics.join(Actor(name), topic.id)
                    topic.enters(name, None)
                while True:
                    synced = self.store.topics.sync(Actor(name), topic.id, limit=SYNC_MAX)
                    self._read(topic, member, Actor(name), SYNC_MAX, synced)
                    if synced.hand is None:
                        break
                    assert self.store.topics.confirm(Actor(name), (synced.hand,)) == 1
                    self._confirmed(Actor(name), [synced.hand])
                assert set(topic.of_others(name, 0)) <= member.accounted
                assert self.store.topics.sync(Actor(name), topic.id).cursor <= topic.last_seq
                assert self.store.topics.get(topic.id, agent=name).unread == 0


TestTopics = TopicMachine.TestCase
