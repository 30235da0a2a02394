"""The real store's search against a plain reading of every message, after any order of what can happen."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hubbub.clock import ManualClock
from hubbub.model import Actor, Draft, Profile
from hubbub.model_search import Where
from hubbub.model_topics import Imported, Post
from hubbub.stores import open_store
from hubbub.stores.sqlite import migrating
from hubbub.words import Query, holds, parse

NAMES = ("ada", "bob", "cy")
WORDS = ("red", "green", "blue", "re", "C++", "c", "v0.5", "naïve", "日本", "本", "=r:ada", "OR")
KINDS = ("message", "todo")
"""Kinds that want no answer: the bus writes no mail of its own about them."""

names = st.sampled_from(NAMES)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
kinds = st.sampled_from(KINDS)
indexes = st.integers(0, 10_000)
queries = st.one_of(
    st.sampled_from(WORDS),
    st.tuples(st.sampled_from(WORDS), st.sampled_from(["", "-", "OR "]), st.sampled_from(WORDS)).map(
        lambda parts: f"{parts[0]} {parts[1]}{parts[2]}"
    ),
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=3).map(lambda words: f'"{" ".join(words)}"'),
    st.sampled_from(
        ["red*", "gre*", "日*", "-red", "red -green -blue", "red OR green OR blue c", '"red blu"*']
    ),
)


@dataclass
class Kept:
    """One message that was sent or posted."""

    id: str
    text: str
    sender: str
    kind: str
    at: int
    readers: frozenset[str] | None
    """None: everyone, as it is in a topic."""
    topic: str | None
    thread: str
    gone: bool = False
    hidden: bool = False
    """In a topic that is being imported."""


class SearchMachine(RuleBasedStateMachine):
    """Three agents write to each other and to topics; some of it is purged, deleted, imported."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="hubbub-property-")
        self.clock = ManualClock()
        # Every example has a new file; making its log long takes more time than the example.
        setattr(migrating, "LOG_BYTES", 0)  # noqa: B010 - the constant is not exported
        self.store = open_store(f"sqlite://{self.folder}/bus.db", clock=self.clock)
        # As if there were many messages: a span of time falls into several blocks, and into too many ranges.
        self.patch = pytest.MonkeyPatch()
        for name, value in (("indexing.BLOCK_BITS", 1), ("finding.BLOCK_BITS", 1), ("finding.RANGES_MAX", 2)):
            self.patch.setattr(f"hubbub.stores.sqlite.{name}", value)
        self.kept: list[Kept] = []
        self.topics: list[str] = []
        self.importing: list[tuple[str, int]] = []

    def teardown(self) -> None:
        """Whatever happened: the index agrees with the messages."""
        try:
            self._catch_up()
            while self.store.sweep("h").posts_removed:
                pass
            assert self.store.check() == []
        finally:
            self.patch.undo()
            self.store.close()
            shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        """Three agents, one topic."""
        for name in NAMES:
            self.store.agents.register(Profile(name))
        self.topics.append(self.store.topics.create(Actor("ada"), "first").topic.id)

    # --- what is written -----------------------------------------------------------------------

    @rule(
        sender=names,
        to=st.sets(names, min_size=1),
        text=texts,
        subject=st.sampled_from(["", "red"]),
        kind=kinds,
    )
    def send(self, sender: str, to: set[str], text: str, subject: str, kind: str) -> None:
        """Mail, which dies soon if nobody takes it."""
        draft = Draft(tuple(sorted(to)), text, kind=kind, subject=subject, ttl_ms=60_000)
        sent = self.store.mail.send(Actor(sender), draft)
        words = f"{subject}\n{text}"
        readers = frozenset({sender, *to})
        self.kept.append(Kept(sent.id, words, sender, kind, self.clock.now(), readers, None, sent.id))

    @rule(sender=names, topic=indexes, text=texts, kind=kinds, reply=st.none() | indexes)
    def post(self, sender: str, topic: int, text: str, kind: str, reply: int | None) -> None:
        """A post, perhaps in answer to another."""
        if not self.topics:
            return
        id_ = self.topics[topic % len(self.topics)]
        there = [one for one in self.kept if one.topic == id_ and one.thread]
        to = there[reply % len(there)] if there and reply is not None else None
        outbox = (Post(text, kind, None if to is None else to.id),)
        (posted,) = self.store.topics.sync(Actor(sender), id_, outbox=outbox).posted
        thread = posted.id if to is None else to.thread
        self.kept.append(Kept(posted.id, text, sender, kind, self.clock.now(), None, id_, thread))

    @rule(name=st.sampled_from(["second", "third"]))
    def create(self, name: str) -> None:
        """A topic."""
        id_ = self.store.topics.create(Actor("ada"), name).topic.id
        if id_ not in self.topics:
            self.topics.append(id_)

    @rule(text=texts, count=st.integers(1, 3), ago=st.integers(0, 10**9))
    def import_some(self, text: str, count: int, ago: int) -> None:
        """Old messages, not to be seen yet."""
        source, at = f"s{len(self.importing)}-{len(self.kept)}", self.clock.now() - ago
        topic = self.store.topics.begin_import(Actor("ada"), source, source, created_at=at).topic.id
        imported = tuple(Imported("Old One", "message", text, None, None, at) for _ in range(count))
        self.store.topics.add_imported(Actor("ada"), source, 0, imported)
        for number in range(count):
            self.kept.append(
                Kept(f"{topic}/{number + 1}", text, "Old One", "message", at, None, topic, "", hidden=True)
            )
        self.importing.append((source, len(self.kept) - count))

    @precondition(lambda self: self.importing)
    @rule()
    def finish_import(self) -> None:
        """Now they are to be seen."""
        source, first = self.importing.pop(0)
        topic = self.store.topics.finish_import(Actor("ada"), source).id
        for one in self.kept[first:]:
            if one.topic == topic:
                one.hidden = False
        self.topics.append(topic)

    # --- what goes -------------------------------------------------------------------------------

    @rule(which=indexes)
    def purge(self, which: int) -> None:
        """Mail that died is removed for good."""
        dead = sorted({letter.message.id for letter in self.store.mail.dead(limit=1000)})
        if dead:
            id_ = dead[which % len(dead)]
            self.store.mail.purge((id_,))
            (one,) = [one for one in self.kept if one.id == id_]
            one.gone = True

    @rule(which=indexes)
    def delete(self, which: int) -> None:
        """A topic with all in it."""
        if self.topics:
            id_ = self.topics.pop(which % len(self.topics))
            self.store.topics.delete(Actor("ada"), id_)
            for one in self.kept:
                one.gone = one.gone or one.topic == id_

    @rule(by=st.sampled_from([1, 1000, 61_000, -5_000]))
    def pass_time(self, by: int) -> None:
        """The clock goes on, or is set back."""
        self.clock.advance(by)

    @rule()
    def sweep(self) -> None:
        """Housekeeping."""
        self.store.sweep("h")

    @rule(limit=st.integers(1, 5))
    def index(self, limit: int) -> None:
        """A part of what is to be indexed."""
        self.store.search.index(limit=limit)

    # --- looking ---------------------------------------------------------------------------------

    @rule(
        query=queries,
        reader=st.none() | names,
        scope=st.sampled_from(["all", "all", "mail", "topics"]),
        sender=st.none() | names,
        kind=st.none() | kinds,
        topic=st.none() | indexes,
        thread=st.none() | indexes,
        since=st.none() | indexes,
        until=st.none() | indexes,
    )
    def look(
        self,
        query: str,
        reader: str | None,
        scope: str,
        sender: str | None,
        kind: str | None,
        topic: int | None,
        thread: int | None,
        since: int | None,
        until: int | None,
    ) -> None:
        """A search gives what reading everything gives; with an index that is behind, part of it."""
        seen = [one for one in self.kept if not one.gone and not one.hidden]

        def pick(index: int | None) -> Kept | None:
            return None if index is None or index % 2 or not seen else seen[index % len(seen)]

        at_topic, at_thread, first, last = pick(topic), pick(thread), pick(since), pick(until)
        where = Where(
            scope=scope,
            topic=None if at_topic is None else at_topic.topic,
            sender=sender,
            kind=kind,
            thread=None if at_thread is None or not at_thread.thread else at_thread.id,
            since=None if first is None else first.at,
            until=None if last is None else last.at,
        )
        thread_id = None if where.thread is None or at_thread is None else at_thread.thread
        parsed = parse(query).query
        expected = [one for one in seen if self._matches(one, parsed, reader, where, thread_id)]
        partly = self.store.search.search(parsed, reader=reader, where=where, limit=1000)
        assert partly.total == len(partly.hits)
        texts = sorted(one.text for one in expected)
        for hit in partly.hits:
            texts.remove(f"{hit.subject}\n{hit.body}" if hit.source == "mail" else hit.body)
        self._catch_up()
        found = self.store.search.search(parsed, reader=reader, where=where, limit=1000)
        assert (found.total, found.capped, found.behind) == (len(expected), False, 0)
        known = {one.id for one in expected if "/" not in one.id}
        assert {hit.id for hit in found.hits if hit.sender != "Old One"} == known
        assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)

    def _catch_up(self) -> None:
        while self.store.search.index().behind:
            pass

    @staticmethod
    def _matches(one: Kept, query: Query, reader: str | None, where: Where, thread: str | None) -> bool:
        return (
            bool(query.groups)
            and all(holds(one.text, group) for group in query.groups)
            and not holds(one.text, query.excluded)
            and (reader is None or one.readers is None or reader in one.readers)
            and (where.scope == "all" or (where.scope == "mail") == (one.topic is None))
            and where.topic in (None, one.topic)
            and where.sender in (None, one.sender)
            and where.kind in (None, one.kind)
            and thread in (None, one.thread)
            and (where.since is None or one.at >= where.since)
            and (where.until is None or one.at <= where.until)
        )


TestSearch = SearchMachine.TestCase
