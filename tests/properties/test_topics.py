"""The real store's topics against the model, operation by operation, in any order."""

from __future__ import annotations

import shutil
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from hubbub.model import Actor, Draft
from hubbub.model_topics import HANDOUT_MS, SYNC_MAX, Hand, Post, Synced
from tests.properties.topic_machine import TopicStage, indexes, limits, names
from tests.properties.topic_model import Member, Range, Topic


class TopicMachine(TopicStage):
    """They post, read, confirm and give back, and at the end each has had all there is."""

    def teardown(self) -> None:
        """Whatever happened: each member gets all that is left, and the store is whole."""
        try:
            self._compare_everything()
            self._drain()
            assert self.store.check() == []
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

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
        before = {seq for one in member.hands if one.marked or one.until is not None for seq in one.seqs}
        assert (synced.hand, synced.redelivered) == (None, not before.isdisjoint(undone[:limit]))
        member.accounted.update(undone[:limit])
        if undone:
            assert synced.through == undone[:limit][-1]
        self._texts_are_right(topic, synced)

    def _texts_are_right(self, topic: Topic, synced: Synced) -> None:
        for one in synced.messages:
            assert (one.id, one.sender if one.imported_by is None else "", one.topic) == (
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
        # To look at what an agent has to read ends the sessions that missed their beats.
        for known in self.agents.values():
            if known.lapsed(self.now):
                self._loses(known, None)
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
