"""Topics and threads as files: export to Markdown and JSON Lines, import of JSON Lines and of other systems.

* :func:`export_topic`, :func:`export_thread` write to an open binary file; :func:`output` opens one
  that is there whole or not at all.
* :func:`sniff` says what a file is; :func:`import_file` takes an export, :func:`import_agent_bus` the
  database of Agent Bus MCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hubbub.bus import Bus
from hubbub.interchange.records import (
    FORMS,
    Exported,
    ImportedTopic,
    ImportReport,
    Progress,
    Writer,
)
from hubbub.model import Actor

__all__ = [
    "FORMS",
    "Exported",
    "ImportReport",
    "ImportedTopic",
    "Progress",
    "Writer",
    "export_thread",
    "export_topic",
    "import_agent_bus",
    "import_file",
    "output",
    "sniff",
]


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
    raise NotImplementedError


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
    raise NotImplementedError


@contextmanager
def output(path: str, *, force: bool = False) -> Iterator[Writer]:
    """A file to export to: ``with output(path) as writer``.

    It is written beside its place and put there once it is whole and on disk; if the block fails, nothing
    is left. A ``path`` of ``-`` is standard output.

    Raises:
        ExportFailed: there is such a file, and ``force`` is False; or it can't be written.
    """
    raise NotImplementedError
    yield


def sniff(path: str) -> str:
    """What a file is that someone wants to import: ``hubbub`` (take :func:`import_file`) or ``agent-bus``
    (take :func:`import_agent_bus`).

    Raises:
        ImportInvalid: it is neither, not there, or can't be read.
    """
    raise NotImplementedError


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
        progress: Told of ``(done, total)`` messages.

    Raises:
        ImportInvalid: the file is not such an export, is cut off or damaged; nothing was imported. The
            details name the ``line``.
        TopicExists: the name is taken, or this file was imported before; nothing was imported.
    """
    raise NotImplementedError


def import_agent_bus(
    bus: Bus,
    actor: Actor,
    path: str,
    *,
    topics: tuple[str, ...] | list[str] | None = None,
    skip: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Make topics of those of an Agent Bus MCP database, which is only read, also while it is in use.

    Args:
        bus: The bus.
        actor: Who imports.
        path: The file, usually ``~/.agent_bus/agent_bus.sqlite``.
        topics: The names or ids of the wanted topics; None is all.
        skip: Leave out messages that this bus can't take, and say so, where else nothing is imported.
        progress: Told of ``(done, total)`` messages of all wanted topics.

    Raises:
        ImportInvalid: it is not such a database, is of another version, damaged, or holds what this bus
            can't take; nothing was imported.
        TopicNotFound: it has no such topic.
    """
    raise NotImplementedError
