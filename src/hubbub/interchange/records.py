"""What export and import hand back, and how they are told where to write and whom to tell of progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from hubbub.model_topics import Topic

FORMS = ("markdown", "jsonl")
"""The forms of an export: ``markdown`` is for reading, ``jsonl`` keeps everything and can be imported."""

Progress = Callable[[int, int], object]
"""Called now and then with how many messages are done and how many there are."""


class Writer(Protocol):
    """Where an export goes: an open binary file, or anything that takes bytes like one."""

    def write(self, data: bytes, /) -> object:
        """Take ``data``, all of it."""
        ...


class Exported(NamedTuple):
    """What an export wrote."""

    name: str
    """The topic's or the thread's."""
    messages: int
    bytes: int


class ImportedTopic(NamedTuple):
    """One topic of an import."""

    topic: Topic
    source: str
    """Its name where it came from."""
    messages: int
    """How many messages it has."""
    resumed: int = 0
    """How many of them an import that was broken off had put in before."""
    unlinked: tuple[str, ...] = ()
    """The ids, where they came from, of messages that answered one which is not there: they are kept
    without the link, and their metadata names it. Of many, the first 100."""
    unlinked_count: int = 0
    skipped: tuple[str, ...] = ()
    """The ids of messages that were left out because they are too large. Of many, the first 100."""
    skipped_count: int = 0


class ImportReport(NamedTuple):
    """What an import did."""

    form: str
    """``hubbub`` or ``agent-bus``: as :func:`hubbub.interchange.sniff` names it."""
    topics: tuple[ImportedTopic, ...]
    notes: tuple[str, ...] = ()
    """What a person should know of, a sentence each."""
