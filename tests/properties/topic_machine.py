"""Agents, topics and members of the property test: what can be done but for reading and posting."""

from __future__ import annotations

import itertools
import os
import tempfile
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import SESSION_TTL_MS, Actor, NewSession, Profile
from hubbub.model_topics import HANDOUT_MS, LATEST, Hand, Imported, Post
from hubbub.names import topic_key
from hubbub.stores import open_store
from hubbub.stores.sqlite import migrating
from tests.properties.topic_model import Agent, Topic

NAMES = ("ada", "bob", "cy")
LATE = "dan"
TITLES = ("one", "two", "One")
names = st.sampled_from(NAMES)
indexes = st.integers(0, 10_000)
limits = st.sampled_from([1, 2, 3, 20])


class TopicStage(RuleBasedStateMachine):
    """Three agents, with and without sessions, make topics, join and leave them, crash and come back."""

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
        """A topic from elsewhere: what it says that members of today wrote is not their own."""
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
            assert one.imported_by == agent
            topic.append("", one.id)
        assert len(topic.senders) == len(senders)
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
