"""Import: what was read and checked becomes a topic that is there whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from hubbub.bus import Bus
from hubbub.errors import ImportInvalid, NotFound, TopicExists, TopicNotFound
from hubbub.interchange.reading import REPORTED, Header, Reader, open_file, topic_name
from hubbub.interchange.records import ImportedTopic, ImportReport, Progress
from hubbub.model import Actor
from hubbub.model_topics import Imported, Topic
from hubbub.text import safe_line

_LEDGER_PAGE = 1000


def import_file(
    bus: Bus, actor: Actor, path: str, *, name: str | None = None, progress: Progress | None = None
) -> ImportReport:
    """Make a topic of an export in JSON Lines; checked whole before anything is imported.

    Run again after it was broken off, it goes on where it stopped. Nobody sees the topic before it is whole.

    Args:
        bus: The bus.
        actor: Who imports.
        path: The file.
        name: Another name for the topic than the file's.
        progress: Told of ``(done, total)`` messages: of none as long as the file is checked.

    Raises:
        ImportInvalid: the file is not such an export, is cut off or damaged; nothing was imported. The
            details name the ``line``.
        TopicExists: the name is taken, or this file was imported before; nothing was imported.
    """
    with open_file(path) as file:
        plan = _check(Reader(file), progress)
        header = plan.header
        source = f"file:{plan.digest.hex()}"
        wanted = topic_name(header, name)
        if name is None:
            _refuse_again(bus, source, wanted)
        begun = bus.store.topics.begin_import(
            actor, source, wanted, metadata=header.metadata, created_at=header.created_at
        )
        again = Reader(file)
        fill(bus, actor, source, begun.done, _as_planned(again, plan), Tell(progress, header.total))
        topic = finish(bus, actor, source, closed_at=header.closed_at, close_reason=header.close_reason)
    notes = []
    if header.part:
        notes.append("The file holds a part of its topic; messages are numbered anew, from 1.")
    imported = ImportedTopic(
        topic=topic,
        source=header.name,
        messages=header.total,
        resumed=begun.done,
        unlinked=plan.unlinked,
        unlinked_count=plan.unlinked_count,
    )
    return ImportReport("hubbub", (imported,), tuple(notes))


class Tell:
    """Progress over several topics."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self.total = total
        self.before = 0
        """Messages of topics that are done with."""

    def __call__(self, done: int) -> None:
        """``done`` messages of the present topic are in."""
        if self._progress is not None:
            self._progress(self.before + done, self.total)


class _Plan(NamedTuple):
    """What the first pass over a file found."""

    header: Header
    digest: bytes
    marks: list[bytes]
    """The digest of the file up to each batch: the second pass must find the same."""
    unlinked: tuple[str, ...]
    unlinked_count: int


def _check(reader: Reader, progress: Progress | None) -> _Plan:
    marks: list[bytes] = []
    unlinked: list[str] = []
    count = 0
    for batch in reader.batches():
        marks.append(batch.digest)
        count += len(batch.unlinked)
        unlinked += batch.unlinked[: REPORTED - len(unlinked)]
        if progress is not None:
            progress(0, reader.header.total)
    return _Plan(reader.header, reader.digest, marks, tuple(unlinked), count)


def _as_planned(reader: Reader, plan: _Plan) -> Iterable[tuple[Imported, ...]]:
    changed = ImportInvalid(
        "The file was changed while it was imported.", hint="The topic is not there. Run the import again."
    )
    found = reader.batches()
    for mark in plan.marks:
        batch = next(found)
        if batch.digest != mark:
            raise changed
        yield batch.messages


def fill(
    bus: Bus, actor: Actor, source: str, done: int, batches: Iterable[tuple[Imported, ...]], tell: Tell
) -> None:
    """Put in what is not in yet; ``done`` messages are."""
    end = 0
    tell(done)
    for batch in batches:
        start, end = end, end + len(batch)
        if end > done:
            missing = batch[max(0, done - start) :]
            try:
                done = bus.store.topics.add_imported(actor, source, max(start, done), missing)
            except NotFound:
                # Another process that imports the same has put in the rest, and finished.
                if imported_before(bus, source) is None:
                    raise
                return
            tell(done)


def finish(bus: Bus, actor: Actor, source: str, *, closed_at: int | None, close_reason: str) -> Topic:
    """The topic is there from now on. Another process may have filled and finished it at the same time."""
    try:
        return bus.store.topics.finish_import(actor, source, closed_at=closed_at, close_reason=close_reason)
    except NotFound:
        found = imported_before(bus, source)
        if found is None:
            raise
        return found


def imported_before(bus: Bus, source: str) -> Topic | None:
    """The topic that a finished import of ``source`` made; None when there was none, or it is gone."""
    return next((topic for found, topic in finished_imports(bus, source) if found == source), None)


def finished_imports(bus: Bus, start: str) -> Iterator[tuple[str, Topic]]:
    """The imports that the ledger knows of, whose source begins with ``start``, and what they made, as far
    as it is still there."""
    after = 0
    while True:
        events = bus.events.events(after=after, limit=_LEDGER_PAGE, kinds=("topic_imported",))
        for event in events:
            source = (event.detail or {}).get("source")
            if isinstance(source, str) and source.startswith(start) and event.topic is not None:
                with suppress(TopicNotFound):
                    yield source, bus.topics.get(event.topic)
        if len(events) < _LEDGER_PAGE:
            return
        after = events[-1].seq


def _refuse_again(bus: Bus, source: str, name: str) -> None:
    """Raise TopicExists when the file was imported before, or the name leads to a topic."""
    before = imported_before(bus, source)
    hint = "Nothing was imported. To import it once more, give another name: --as-topic NAME"
    if before is not None:
        shown = safe_line(before.name)
        raise TopicExists(
            f"This file was imported before: it is the topic {shown}.", hint=hint, topic=before.id
        )
    try:
        taken = bus.topics.get(name)
    except TopicNotFound:
        return
    state = "An open" if taken.state == "open" else "A closed"
    raise TopicExists(
        f"{state} topic is called {safe_line(taken.name)}.",
        hint="Nothing was imported. Give another name: --as-topic NAME",
        topic=taken.id,
    )
