"""Search by meaning: finding messages that say what was asked for in other words.

The model is loaded where it is needed and nowhere else. A short command loads it into itself. A
serving process stays small: it has children of its own do the work, which end when it is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from hubbub import meaning
from hubbub.errors import BusBusy, BusFull, BusReadOnly, StoreError
from hubbub.meaning import MODEL, available
from hubbub.model_search import Failed, Found, Hit, Indexed, Text, Vectors, Where
from hubbub.names import new_token
from hubbub.stores.contract import Store

if TYPE_CHECKING:
    from hubbub.bus.meaning_apart import Apart
    from hubbub.meaning.model import Model

__all__ = ["MODEL", "Meaning", "MeaningStatus", "available", "fused"]

RANK_CONSTANT = 60
"""The k of reciprocal rank fusion, as in Cormack, Clarke and Büttcher (2009): how little the first
places count for more than those behind them."""

SCORE_MIN = 0.2
"""A cosine below which two texts have nothing to do with each other: of all messages one is always the
nearest. Measured: docs/decisions/0013-meaning.md."""

BATCH = 64
"""How many messages one hand-out of the store holds."""

STRETCHES_AT_ONCE = 16
"""About how many stretches are computed between two strokes of the store: a second for long ones, so that
whoever is told to stop does so before it is made to."""

CATCH_UP = 32
"""So many messages a search computes itself, within the bounds below: what was just written can be found."""

CATCH_UP_CHARACTERS = 16_000
"""How many characters of text it computes at most: a second's work."""

CATCH_UP_SECONDS = 2.0
"""How long it goes on at most, on a machine that is busy."""

CATCH_UP_AT_ONCE = 8
"""How many stretches it computes together: of several messages those before a long one are found."""

QUERY_CHARACTERS = 4_000
"""How much of a query is compared: more than the model reads of one text."""


_EVERYWHERE = Where()


class MeaningStatus(NamedTuple):
    """How search by meaning stands on this bus."""

    available: bool
    """Whether the extra is installed here."""
    done: int
    """How many messages have vectors."""
    behind: int
    """How many wait for them."""
    failed: tuple[Failed, ...]
    """Those whose vectors could not be had, up to 100."""


class Meaning:
    """Search by meaning on one bus."""

    def __init__(self, store: Store, *, apart: bool = False, holder: str | None = None) -> None:
        """``apart``: this process stays small, and children of it do the work. ``holder``
        is the name that the work is leased to, where another process must know it."""
        self._store = store
        self._holder = holder
        self._model: Model | None = None
        self._apart: Apart | None = None
        if apart:
            from hubbub.bus.meaning_apart import Apart

            self._apart = Apart(store)

    @property
    def note(self) -> str:
        """What somebody who searched should know of the vectors; empty when nothing."""
        return self.note_of(self._store.search.meaning_behind(MODEL))

    @staticmethod
    def note_of(indexed: Indexed) -> str:
        """The same of what :meth:`progress` gave."""
        if not indexed.behind:
            return ""
        total = indexed.done + indexed.behind
        return f"Search by meaning has covered {indexed.done:,} of {total:,} messages so far."

    def progress(self) -> Indexed:
        """How many messages have vectors, and how many wait for them."""
        return self._store.search.meaning_behind(MODEL)

    def ready(self) -> bool:
        """Whether there is something to find: vectors, or so few messages that a search makes them itself."""
        if not available():
            return False
        indexed = self.progress()
        return indexed.done > 0 or 0 < indexed.behind <= CATCH_UP

    def status(self) -> MeaningStatus:
        """How it stands."""
        indexed = self.progress()
        failed = self._store.search.meaning_failures(MODEL)
        return MeaningStatus(available(), indexed.done, indexed.behind, failed)

    def forget(self) -> int:
        """Drop all vectors, also those of other models; of how many messages."""
        return self._store.search.forget_meaning()

    # --- searching ---------------------------------------------------------------------------

    def find(
        self,
        query: str,
        *,
        reader: str | None = None,
        where: Where = _EVERYWHERE,
        limit: int = 20,
    ) -> Found:
        """The messages nearest to ``query``, best first; none that have nothing to do with it. Of a long
        text the hits have the beginning.

        Raises:
            MeaningUnavailable: the extra is not installed, or switched off.
        """
        if not available():
            meaning.load()  # says why
        if self._apart is not None:
            return self._apart.find(query, reader, where, limit)
        model = self._loaded()
        if 0 < self.progress().behind <= CATCH_UP:
            with suppress(BusReadOnly, BusBusy, BusFull):  # what has vectors can be found all the same
                deadline = time.monotonic() + CATCH_UP_SECONDS
                self._work(stop=lambda: time.monotonic() >= deadline, most=CATCH_UP_CHARACTERS)
        (vector,) = _bytes(model, [query[:QUERY_CHARACTERS]])
        found = self._store.search.near(MODEL, vector, reader=reader, where=where, limit=limit, body_max=0)
        hits = tuple(hit for hit in found.hits if hit.score >= SCORE_MIN)
        return found._replace(hits=hits, total=len(hits))

    # --- computing vectors ---------------------------------------------------------------------

    def index(
        self,
        progress: Callable[[Indexed], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Indexed:
        """Compute the vectors that are missing, until none are, ``stop`` says so, or another process is
        at it; how far it has come. ``progress`` is told every few seconds at most.

        Raises:
            MeaningUnavailable: the extra is not installed, or switched off.
        """
        self._work(progress or (lambda _: None), stop or (lambda: False))
        return self.progress()

    def _work(
        self,
        progress: Callable[[Indexed], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
        most: int | None = None,
    ) -> None:
        """The same, up to ``most`` characters if that is given."""
        search, holder = self._store.search, self._holder or new_token()
        model = self._loaded()
        left = most
        try:
            while not stop():
                texts = search.unread_meaning(holder, MODEL, limit=BATCH)
                if not texts:
                    return
                for group in _groups(texts, STRETCHES_AT_ONCE if most is None else CATCH_UP_AT_ONCE):
                    if left is not None:
                        left -= sum(len(stretch) for _, cut in group for stretch in cut)
                        if left < 0:
                            return
                    kept = self._embed(model, holder, group)
                    progress(self.progress())
                    if not kept or stop():
                        break
        finally:
            with suppress(StoreError):  # then it runs out by itself
                search.release_meaning(holder)

    def _embed(self, model: Model, holder: str, group: Sequence[tuple[Text, list[str]]]) -> bool:
        """Compute and keep some messages' vectors; False when to take anew what is left."""
        search = self._store.search
        try:
            vectors = _bytes(model, [stretch for _, stretches in group for stretch in stretches])
        except Exception as error:  # whatever it is, it must not keep the others from theirs
            if len(group) > 1:
                return all(self._embed(model, holder, [one]) for one in group)
            text = group[0][0]
            cause = f"{type(error).__name__}: {error}"
            search.fail_meaning(holder, MODEL, text.source, text.number, cause)
            return False
        batch, at = [], 0
        for text, stretches in group:
            batch.append(Vectors(text.source, text.number, tuple(vectors[at : at + len(stretches)])))
            at += len(stretches)
        return search.keep_meaning(holder, MODEL, tuple(batch))

    def _loaded(self) -> Model:
        if self._model is None:
            self._model = meaning.load()
        return self._model

    # --- in a serving process --------------------------------------------------------------------

    def tend(self, keeps_house: bool) -> None:
        """A serving process calls this at every beat: it has a child compute what waits, and returns at
        once. Without the extra, or with the work in this process itself, it does nothing.

        Args:
            keeps_house: This process does the housekeeping now. It is the one that begins; the others do
                only when nothing moves, because its installation may lack the extra.
        """
        if self._apart is not None and available():
            self._apart.tend(keeps_house, self.progress(), time.monotonic())

    def close(self) -> None:
        """End what runs for this process."""
        if self._apart is not None:
            self._apart.close()


def fused(*rankings: Sequence[Hit], constant: int = RANK_CONSTANT) -> list[Hit]:
    """Several results as one, by reciprocal rank fusion: each hit counts for ``1 / (k + place)`` in each, and
    what only one of them found is in it, too. Of equal ones the newer comes first."""
    scores: dict[str, float] = {}
    hits: dict[str, Hit] = {}
    for ranking in rankings:
        for place, hit in enumerate(ranking, 1):
            scores[hit.id] = scores.get(hit.id, 0.0) + 1 / (constant + place)
            hits.setdefault(hit.id, hit)
    ordered = sorted(hits.values(), key=lambda hit: (-scores[hit.id], -hit.created_at, hit.id))
    return [hit._replace(score=scores[hit.id]) for hit in ordered]


def _groups(texts: Sequence[Text], at_once: int) -> list[list[tuple[Text, list[str]]]]:
    """The messages with their stretches, in order, so many together as are computed at once."""
    from hubbub.meaning.stretches import stretches

    groups: list[list[tuple[Text, list[str]]]] = [[]]
    size = 0
    for text in texts:
        cut = stretches(text.text)
        if groups[-1] and size + len(cut) > at_once:
            groups.append([])
            size = 0
        groups[-1].append((text, cut))
        size += len(cut)
    return groups


def _bytes(model: Model, texts: list[str]) -> list[bytes]:
    from hubbub.meaning.vectors import to_bytes

    return to_bytes(model.embed(texts)) if texts else []
