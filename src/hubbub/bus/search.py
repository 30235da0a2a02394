"""Search: messages by their words, and by their meaning where that is installed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from hubbub.bus import checking
from hubbub.bus.snippets import Snipper
from hubbub.errors import BusBusy, BusFull, BusReadOnly, InvalidArgument, MeaningUnavailable
from hubbub.model_search import SEARCH_MAX, TEXT_MAX, Found, Hit, Indexed, Where
from hubbub.names import check_kind, check_name, check_word, nearest
from hubbub.stores.contract import Store
from hubbub.words import Parsed, Term, holds, parse

if TYPE_CHECKING:
    from hubbub.bus.meaning import Meaning

SCOPES = ("all", "mail", "topics")
MODES = ("auto", "words", "hybrid", "meaning")

FUSED = 100
"""How many of the best by words and by meaning are merged."""

CATCH_UP_MESSAGES = 20_000
CATCH_UP_SECONDS = 2.0
"""How much a search brings the index up to date before it looks, at most."""


class Result(NamedTuple):
    """One message that was found, and why."""

    hit: Hit
    snippet: str
    """Its text around the best matches, or its beginning."""
    marks: tuple[tuple[int, int], ...] = ()
    """``(start, end)`` of each match in the snippet."""
    by_meaning: bool = False
    """Of a search by both: it does not hold the words, but is near in meaning."""


class Results(NamedTuple):
    """The answer to a search."""

    hits: tuple[Result, ...]
    """Best first."""
    total: int
    """How many messages match; with ``capped``, that many at least."""
    capped: bool
    """More matched than are ranked: these are the best of the newest."""
    behind: int
    """How many messages are not indexed yet, and so can't be found."""
    notes: tuple[str, ...] = ()
    """What the answer leaves out and why: plain sentences."""


class Search:
    """Finding messages on one bus."""

    def __init__(self, store: Store, *, apart: bool = False) -> None:
        """``apart`` is for a process that must stay small: a child of it searches by meaning."""
        self._store = store
        self._is_apart = apart
        self._meaning: Meaning | None = None

    def search(
        self,
        query: str,
        *,
        reader: str | None = None,
        scope: str = "all",
        topic: str | None = None,
        sender: str | None = None,
        kind: str | None = None,
        thread: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 20,
        mode: str = "auto",
    ) -> Results:
        """Find messages that ``reader`` may see, or with None all.

        Args:
            query: as ``docs/reference/search.md`` says; any text will do.
            topic: its name or id; leaves the mail out.
            thread: a thread of the mail by its name, or one of either kind by any message in it.
            since, until: the first and the last time, in milliseconds since 1970.
            limit: 1 to 100 hits.
            mode: ``words``, ``meaning``, ``hybrid`` (both), or ``auto``: both where meaning is installed.

        Raises:
            InvalidArgument: a filter can't be meant.
            TopicNotFound: there is no such topic.
            MeaningUnavailable: the mode needs what is not installed.
        """
        if not isinstance(query, str):
            raise InvalidArgument("The query must be text.")
        where = self._where(scope, topic, sender, kind, thread, since, until)
        reader = None if reader is None else check_name(reader, "reader")
        limit = checking.number(limit, "limit", 1, SEARCH_MAX)
        mode = check_word(mode, MODES, "mode of search")
        parsed = parse(query)
        results = self._search(query, parsed, reader, where, limit, mode)
        if results.hits or results.behind or not parsed.query.groups:
            return results
        return results._replace(notes=(*results.notes, *self._never(reader, where)))

    def _search(
        self, query: str, parsed: Parsed, reader: str | None, where: Where, limit: int, mode: str
    ) -> Results:
        """By words, by meaning or by both."""
        if mode == "words" or not parsed.query.groups or (mode == "auto" and not self._has_meaning()):
            return self._by_words(parsed, reader, where, limit)
        try:
            return self._by_meaning(query, parsed, reader, where, limit, mode)
        except MeaningUnavailable as error:
            if mode != "auto":
                raise
            words = self._by_words(parsed, reader, where, limit)
            return words._replace(notes=(*words.notes, f"By words only: {error.message}"))

    def index(self, *, limit: int = 1000) -> Indexed:
        """Index up to ``limit`` messages more, and no more than others should wait for meanwhile."""
        return self._store.search.index(limit=checking.number(limit, "limit", 1, 1_000_000))

    def catch_up(self, progress: Callable[[Indexed], None] | None = None) -> Indexed:
        """Index all that is waiting, and all anew if the index turns out to be wrong; ``progress`` is told
        how far it is after each stroke."""
        self._store.search.mend()
        done, idle = 0, 0
        while True:
            step = self._store.search.index()
            done, idle = done + step.done, 0 if step.done else idle + 1
            if progress is not None:
                progress(Indexed(done, step.behind))
            if not step.behind or idle > 100:
                return Indexed(done, step.behind)

    # --- by words ----------------------------------------------------------------------------

    def _by_words(self, parsed: Parsed, reader: str | None, where: Where, limit: int) -> Results:
        found, notes = self._look_up(parsed, reader, where, limit)
        return _results(found, parsed, notes)

    def _look_up(
        self, parsed: Parsed, reader: str | None, where: Where, limit: int, body_max: int | None = None
    ) -> tuple[Found, tuple[str, ...]]:
        """What the index of words has, brought up to date, and what a reader must know of it."""
        why = self._catch_up_some() if parsed.query.groups else ""
        found = self._store.search.search(
            parsed.query, reader=reader, where=where, limit=limit, body_max=body_max
        )
        if not found.behind:
            return found, parsed.notes
        note = f"{found.behind:,} messages are not indexed yet and could not be found. {why}"
        return found, (*parsed.notes, note.rstrip())

    def _catch_up_some(self) -> str:
        """Bring the index of words up to date, within bounds; why it is not, where it is not."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        done, idle = 0, 0
        while done < CATCH_UP_MESSAGES and idle < 3:
            try:
                step = self._store.search.index()
            except (BusReadOnly, BusBusy, BusFull) as error:
                return error.message
            if not step.behind:
                return ""
            done, idle = done + step.done, 0 if step.done else idle + 1
            if time.monotonic() > deadline:
                break
        return "Search again for the rest, or have all indexed at once: hubbub search --index"

    # --- by meaning --------------------------------------------------------------------------

    @property
    def meaning(self) -> Meaning:
        """Search by meaning."""
        if self._meaning is None:
            from hubbub.bus.meaning import Meaning

            self._meaning = Meaning(self._store, apart=self._is_apart)
        return self._meaning

    def _has_meaning(self) -> bool:
        from hubbub.meaning import available

        return available() and self.meaning.ready()

    def close(self) -> None:
        """End what runs for it."""
        if self._meaning is not None:
            self._meaning.close()

    def _by_meaning(
        self, query: str, parsed: Parsed, reader: str | None, where: Where, limit: int, mode: str
    ) -> Results:
        """By meaning alone, or by both, merged by their ranks."""
        near = self.meaning.find(query, reader=reader, where=where, limit=FUSED)
        excluded = parsed.query.excluded
        if excluded:
            hits = tuple(hit for hit in near.hits if not self._holds(hit, (excluded,)))
            near = near._replace(hits=hits, total=len(hits))
        note = self.meaning.note
        notes = (note,) if note else ()
        if mode == "meaning":
            shown = near._replace(hits=self._store.search.whole(near.hits[:limit]))
            return _results(shown, parsed, (*parsed.notes, *notes))
        from hubbub.bus.meaning import fused

        # Only the texts that are shown are loaded: each may be a megabyte.
        found, of_words = self._look_up(parsed, reader, where, FUSED, body_max=0)
        merged = fused(found.hits, near.hits)
        also = len(merged) - len(found.hits)
        both = found._replace(hits=self._store.search.whole(tuple(merged[:limit])), total=found.total + also)
        by_words = {hit.id for hit in found.hits}

        def is_near(hit: Hit) -> bool:
            if len(by_words) >= FUSED and hit.id not in by_words:  # it may be one of the further ones
                text = f"{hit.subject}\n{hit.body}"
                return not all(holds(text, group) for group in parsed.query.groups)
            return hit.id not in by_words

        return _results(both, parsed, (*of_words, *notes), is_near)

    def _holds(self, hit: Hit, groups: tuple[tuple[Term, ...], ...]) -> bool:
        """Whether the whole text of a hit has one of each group."""
        return all(
            holds(f"{full.subject}\n{full.body}", group)
            for full in self._store.search.whole((hit,))
            for group in groups
        )

    def _never(self, reader: str | None, where: Where) -> list[str]:
        """What in the limits of a search is in no message at all: it may be misspelt."""
        notes = []
        what = "Nothing" if reader is None else f"Nothing that {reader} may see"
        for limit in self._store.search.never(reader=reader, where=where):
            if limit == "sender" and where.sender is not None:
                names = [agent.name for agent in self._store.agents.all()]
                near = nearest(where.sender, names, 1)
                hint = f" Did you mean {near[0]}?" if near and near[0] != where.sender else ""
                notes.append(f"{what} was ever posted or sent by {where.sender}.{hint}")
            elif limit == "kind":
                notes.append(f"{what} is of the kind {where.kind}.")
            else:
                notes.append(f"{what} is in the thread {where.thread}.")
        return notes

    # --- what to search ----------------------------------------------------------------------

    def _where(
        self,
        scope: str,
        topic: str | None,
        sender: str | None,
        kind: str | None,
        thread: str | None,
        since: int | None,
        until: int | None,
    ) -> Where:
        check_word(scope, SCOPES, "scope of search")
        since, until = _moment(since, "since"), _moment(until, "until")
        if since is not None and until is not None and since > until:
            raise InvalidArgument("since is later than until: no message is from then.")
        if topic is not None:
            if scope == "mail":
                raise InvalidArgument("A topic holds no mail.", hint="Leave out the topic, or the scope.")
            topic = self._store.topics.get(checking.text(topic, "topic", 200, empty=False)).id
        return Where(
            scope=scope,
            topic=topic,
            sender=None if sender is None else checking.text(sender, "sender", 200, empty=False),
            kind=None if kind is None else check_kind(kind),
            thread=None if thread is None else checking.label(thread, "thread", 128),
            since=since,
            until=until,
        )


def _results(
    found: Found, parsed: Parsed, notes: tuple[str, ...], is_near: Callable[[Hit], bool] = lambda _: False
) -> Results:
    """What was found, with snippets; ``is_near`` tells what was found by its meaning only."""
    snipper = Snipper(parsed.query)
    shown = []
    for hit in found.hits:
        snippet = snipper.snippet(_nearest_part(hit) if hit.stretch and is_near(hit) else hit.body)
        shown.append(Result(hit, snippet.text, snippet.marks, is_near(hit)))
    return Results(tuple(shown), found.total, found.capped, found.behind, notes)


def _nearest_part(hit: Hit) -> str:
    """The stretch of a long message for which it was found by its meaning, and what follows."""
    from hubbub.meaning.stretches import stretches

    text = f"{hit.subject}\n{hit.body}" if hit.source == "mail" else hit.body
    parts = stretches(text[:TEXT_MAX])
    return " ".join(["…", *parts[hit.stretch :]]) if hit.stretch < len(parts) else hit.body


def _moment(value: int | None, what: str) -> int | None:
    return None if value is None else checking.number(value, what, -(2**53), 2**53)
