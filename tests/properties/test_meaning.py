"""The real store's search by meaning against a plain comparison with every message, whatever happens when."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from hubbub.model_search import Vectors, Where
from tests.properties.test_search import KINDS, Kept, SearchMachine, indexes, kinds, names, texts

np = pytest.importorskip("numpy", reason="to run this test: pip install 'hubbub[semantic]'")

MODEL = "a-model/1"
LEASE_MS = 60_000


@cache
def vector(text: str) -> bytes:
    """Any vector, but always the same for a text."""
    return random.Random(text).randbytes(384)


def cosine(one: bytes, other: bytes) -> float:
    """Of two vectors."""
    first, second = (np.frombuffer(each, np.int8).astype(np.float64) for each in (one, other))
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


class MeaningMachine(SearchMachine):
    """What happens to search by words, and processes that compute vectors, some of which never come back."""

    holder = "h0"

    def teardown(self) -> None:
        """Whatever happened: in the end there are vectors of what is there, and no others."""
        self._embed_all()
        while self.store.sweep("h").posts_removed:
            pass
        self._embed_all()
        there = sum(not one.gone for one in self.kept)
        assert self.store.search.meaning_behind(MODEL) == (there, 0)
        assert self.store.search.meaning_failures(MODEL) == ()
        super().teardown()

    @rule(limit=st.integers(1, 5), keep=st.integers(0, 5), late=st.booleans())
    def embed(self, limit: int, keep: int, late: bool) -> None:
        """A process takes a batch and keeps a part of it; a late one has lost its lease by then."""
        search = self.store.search
        given = search.unread_meaning(self.holder, MODEL, limit=limit)
        assert len(given) <= limit
        batch = tuple(Vectors(one.source, one.number, (vector(one.text.strip()),)) for one in given[:keep])
        if not given:
            return
        if late:
            self.clock.advance(LEASE_MS + 1)
            search.unread_meaning("another", MODEL, limit=limit)
            search.release_meaning("another")
            before = search.meaning_behind(MODEL)
            assert not search.keep_meaning(self.holder, MODEL, batch)
            assert search.meaning_behind(MODEL) == before
        else:
            assert search.keep_meaning(self.holder, MODEL, batch)
            search.release_meaning(self.holder)

    @rule()
    def forget(self) -> None:
        """All vectors are dropped."""
        self.store.search.forget_meaning(MODEL)

    @rule(
        query=texts,
        reader=st.none() | names,
        scope=st.sampled_from(["all", "all", "mail", "topics"]),
        sender=st.none() | names,
        kind=st.none() | st.sampled_from(KINDS) | kinds,
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
        """A search gives what comparing with everything gives; before all have vectors, part of it."""
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
        expected = [one for one in seen if self._allowed(one, reader, where, thread_id)]
        partly = self.store.search.near(MODEL, vector(query), reader=reader, where=where, limit=1000)
        bodies = sorted(one.text for one in expected)
        for hit in partly.hits:
            bodies.remove(f"{hit.subject}\n{hit.body}" if hit.source == "mail" else hit.body)
        self._embed_all()
        found = self.store.search.near(MODEL, vector(query), reader=reader, where=where, limit=1000)
        assert (found.total, found.behind) == (len(expected), 0)
        assert {hit.id for hit in found.hits if hit.sender != "Old One"} == {
            one.id for one in expected if "/" not in one.id
        }
        assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
        for hit in found.hits:
            own = vector(f"{hit.subject}\n{hit.body}".strip())
            assert hit.score == pytest.approx(cosine(own, vector(query)), abs=1e-3)

    def _embed_all(self) -> None:
        search = self.store.search
        while given := search.unread_meaning(self.holder, MODEL, limit=7):
            batch = tuple(Vectors(one.source, one.number, (vector(one.text.strip()),)) for one in given)
            assert search.keep_meaning(self.holder, MODEL, batch)

    @staticmethod
    def _allowed(one: Kept, reader: str | None, where: Where, thread: str | None) -> bool:
        return (
            (reader is None or one.readers is None or reader in one.readers)
            and (where.scope == "all" or (where.scope == "mail") == (one.topic is None))
            and where.topic in (None, one.topic)
            and where.sender in (None, one.sender)
            and where.kind in (None, one.kind)
            and thread in (None, one.thread)
            and (where.since is None or one.at >= where.since)
            and (where.until is None or one.at <= where.until)
        )


TestMeaning = MeaningMachine.TestCase
