"""Export: a topic or a thread, whole and a page at a time, to whoever takes bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from hubbub.bus import Bus, checking
from hubbub.errors import ExportFailed
from hubbub.interchange.entries import Entry, Facts, ThreadSource, TopicSource
from hubbub.interchange.forms import Form, make_form
from hubbub.interchange.records import Exported, Progress, Writer
from hubbub.interchange.writing import Sink
from hubbub.names import check_name


class _Source(Protocol):
    facts: Facts

    def pages(self) -> Iterator[list[Entry]]: ...


def export_topic(
    bus: Bus,
    topic: str,
    writer: Writer,
    *,
    form: str,
    thread: str | None = None,
    after: int = 0,
    metadata: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write a topic, as far as it goes now, or one thread of it.

    Args:
        bus: The bus.
        topic: Its name or id.
        writer: Where to: it is given bytes of UTF-8, in order, and neither flushed nor closed.
        form: ``markdown`` or ``jsonl``.
        thread: Only the thread that this message of the topic belongs to.
        after: Only what comes after this number.
        metadata: In Markdown, show metadata too; JSON Lines always hold it.
        progress: Told of ``(done, total)`` messages, at the start, now and then, and at the end.

    Raises:
        TopicNotFound, ThreadNotFound: it is not there, or was deleted meanwhile.
        InvalidArgument: ``form`` or ``after`` is not as above.
        ExportFailed: ``writer`` can't be written, e.g. because the disk is full.
        BrokenPipeError: nobody reads what is written any more.
    """
    made = make_form(form, metadata=metadata)
    source = TopicSource(bus, topic, thread=thread, after=checking.number(after, "after", 0, 2**62))
    return _write(bus, source, made, writer, progress)


def export_thread(
    bus: Bus,
    thread: str,
    writer: Writer,
    *,
    form: str,
    reader: str | None = None,
    after: int = 0,
    metadata: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write a thread of mail, named by its name or by a message in it, as ``reader`` (None: the operator)
    sees it. The rest is as for :func:`export_topic`; ``after`` is a message's ``seq``."""
    made = make_form(form, metadata=metadata)
    source = ThreadSource(
        bus,
        thread,
        reader=None if reader is None else check_name(reader, "reader"),
        after=checking.number(after, "after", 0, 2**62),
    )
    return _write(bus, source, made, writer, progress)


def _write(bus: Bus, source: _Source, form: Form, writer: Writer, progress: Progress | None) -> Exported:
    facts = source.facts
    tell = progress or _silent
    sink = Sink(writer)
    done = 0
    tell(0, facts.total)
    sink.add(form.begin(facts, bus.store.now()))
    for page in source.pages():
        for entry in page:
            sink.add(form.message(entry))
        done += len(page)
        tell(done, facts.total)
    if done != facts.total:
        raise ExportFailed(
            f"{facts.total} messages were there to export, and {done} were found.",
            hint="Export again; if it stays so, run: hubbub doctor",
        )
    sink.add(form.end(done))
    sink.flush()
    return Exported(facts.title, done, sink.bytes)


def _silent(done: int, total: int) -> None:
    """Nobody wants to know."""
