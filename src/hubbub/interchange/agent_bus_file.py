"""The database of Agent Bus MCP, read and never written: its topics and messages as this bus takes them."""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple

from hubbub.errors import HubbubError, ImportInvalid, InvalidArgument
from hubbub.interchange import checks, foreign
from hubbub.model import MAX_MESSAGE_BYTES
from hubbub.model_topics import Imported
from hubbub.names import KIND_RULE, check_topic_name
from hubbub.text import safe_line

VERSION = "6"
"""The one version of the stored format that was ever released with topics of this shape."""

REASON_MAX = 1000
NAME_ROOM = 120
"""Letters of a topic's name that leave room for a suffix."""

_NEEDED = {
    "meta": {"key", "value"},
    "topics": {"topic_id", "name", "created_at", "status", "closed_at", "close_reason", "metadata_json"},
    "messages": {
        "message_id",
        "topic_id",
        "seq",
        "sender",
        "message_type",
        "reply_to",
        "content_markdown",
        "metadata_json",
        "created_at",
    },
    "cursors": {"topic_id", "agent_name", "last_seq"},
}


class SourceTopic(NamedTuple):
    """A topic as its database has it."""

    id: str
    name: str
    """As it was; not always a name that a topic of this bus can have."""
    created_at: int
    closed_at: int | None
    close_reason: str
    metadata: dict[str, Any] | None
    total: int
    fault: str = ""
    """Why its facts can't be taken as they are."""


class SourceMessage(NamedTuple):
    """A message as its database has it, and what becomes of it."""

    id: str
    imported: Imported | None
    """None: this bus can't take it."""
    fault: str = ""
    unlinked: bool = False
    """It answers a message that is not there."""


class Database:
    """An open database, as it was at one moment: what is written to it meanwhile is not seen."""

    def __init__(self, path: str) -> None:
        """Open ``path``.

        Raises:
            ImportInvalid: it is no database of Agent Bus MCP in the version that is known, or damaged.
        """
        self._path = path
        self._sql = foreign.statements("agent_bus.sql")
        self._db = foreign.connect(path)
        try:
            with self._told():
                self._check()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def topics(self) -> list[SourceTopic]:
        """All topics, the oldest first."""
        with self._told():
            counts = {bytes(id_): count for id_, count in self._db.execute(self._sql["counts"])}
            return [
                _topic(row, counts.get(row[0] or b"", 0)) for row in self._db.execute(self._sql["topics"])
            ]

    def messages(self, topic: str) -> Iterator[SourceMessage]:
        """The messages of a topic in order. What they answer is given by the place among those that can be
        taken, from 1."""
        kept = array("q")
        with self._told():
            for row in self._db.execute(self._sql["messages"], {"topic": topic}):
                found = _message(row, kept)
                if found.imported is not None:
                    kept.append(row[0])
                yield found

    def readers(self, topic: str) -> list[tuple[str, int]]:
        """How far each agent has read in a topic, as the number of messages that come up to its cursor."""
        found = []
        with self._told():
            for name, seq in list(self._db.execute(self._sql["readers"], {"topic": topic})):
                row = next(self._db.execute(self._sql["place"], {"topic": topic, "seq": seq}))
                with suppress(InvalidArgument):  # a name that is no text is nobody's here
                    found.append((_text(name, "agent_name"), int(row[0])))
        return found

    def _check(self) -> None:
        owner = self._db.pragma("application_id")
        if owner == foreign.OWN:
            raise ImportInvalid(
                f"{safe_line(self._path)} is a bus of Hubbub itself.",
                hint="Use it with --bus; nothing is to import.",
            )
        for table, needed in _NEEDED.items():
            columns = {row[0] for row in self._db.execute(self._sql["columns"], {"name": table})}
            if owner or not needed <= columns:
                raise ImportInvalid(
                    f"{safe_line(self._path)} is a database of another program, not of Agent Bus MCP.",
                    hint="Its file is usually ~/.agent_bus/agent_bus.sqlite.",
                )
        # From here on one moment is seen.
        self._db.execute("BEGIN")
        row = next(self._db.execute(self._sql["version"]), None)
        if row is None or row[0] != VERSION.encode():
            shown = (
                "no version"
                if row is None or row[0] is None
                else f"version {ascii(row[0].decode('latin-1'))[:40]}"
            )
            raise ImportInvalid(
                f"{safe_line(self._path)} has {shown} of Agent Bus MCP's format.",
                hint=f"Nothing was imported: import knows version {VERSION}.",
            )
        foreign.check_whole(self._db, self._path, ("topics", "messages", "cursors"))

    def _told(self) -> AbstractContextManager[None]:
        return foreign.told(self._path)


# --- rows ------------------------------------------------------------------------------------------


def _text(value: object, what: str) -> str:
    if not isinstance(value, bytes):
        raise InvalidArgument(f"{what} is not text.")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidArgument(f"{what} is not valid UTF-8.") from None


def _time(value: object, what: str) -> int:
    """Seconds since 1970, as milliseconds."""
    if isinstance(value, int | float) and 0 <= value * 1000 <= checks.TIME_MAX:
        return min(round(value * 1000), checks.TIME_MAX)
    raise InvalidArgument(f"{what} is not a time.")


def _object(value: object, what: str) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        found = checks.load(_text(value, what))
    except ValueError as error:
        raise InvalidArgument(f"{what} is not JSON: {error}.") from None
    if found is not None and not isinstance(found, dict):
        raise InvalidArgument(f"{what} is not a JSON object.")
    return found


def _topic(row: tuple[Any, ...], count: int) -> SourceTopic:
    try:
        id_ = _text(row[0], "topic_id")
        name = _text(row[1], "name")
        created = _time(row[2], "created_at")
        closed = None
        if row[3]:
            closed = created if row[4] is None else _time(row[4], "closed_at")
        reason = "" if row[5] is None else _text(row[5], "close_reason")
    except InvalidArgument as error:
        raise ImportInvalid(
            f"The topic {ascii(row[0])[:60]} can't be read: {error.message}", hint="Nothing was imported."
        ) from None
    fault, metadata = "", None
    try:
        metadata = checks.topic_metadata(_object(row[6], "metadata_json"))
    except HubbubError as error:
        fault = f"its metadata can't be taken: {error.message}"
    return SourceTopic(id_, name, created, closed, reason, metadata, count, fault)


def _message(row: tuple[Any, ...], kept: array[int]) -> SourceMessage:
    seq, raw_id, sender, kind, reply_to, answered_seq, body, metadata_json, created_at = row
    id_ = f"number {seq}"
    try:
        id_ = _text(raw_id, "message_id")
        if not isinstance(seq, int):
            raise InvalidArgument("its number is none.")
        metadata = _object(metadata_json, "metadata_json")
        word = _text(kind, "message_type")
        added: dict[str, Any] = {}
        if kind_of(word) != word:
            added["agent_bus_type"] = word
        answered = _place(kept, answered_seq)
        unlinked = reply_to is not None and answered is None
        if unlinked:
            added["agent_bus_reply_to"] = _text(reply_to, "reply_to")
        imported = checks.message(
            sender=_text(sender, "sender"),
            kind=kind_of(word),
            body=_text(body, "content_markdown"),
            metadata={**(metadata or {}), **added} if added else metadata,
            reply_to=answered,
            created_at=_time(created_at, "created_at"),
            limit=MAX_MESSAGE_BYTES,
        )
    except HubbubError as error:
        return SourceMessage(id_, None, error.message)
    return SourceMessage(id_, imported, unlinked=unlinked)


def _place(kept: array[int], answered: object) -> int | None:
    """The place of number ``answered`` among the messages so far, from 1; None when it is none of them."""
    if not isinstance(answered, int):
        return None
    place = bisect_left(kept, answered)
    return place + 1 if place < len(kept) and kept[place] == answered else None


def kind_of(word: str) -> str:
    """The kind that a message's type becomes: in lower case, what is no letter of a kind as ``_``."""
    if KIND_RULE.fullmatch(word):
        return word
    made = re.sub(r"[^a-z0-9_-]+", "_", word.lower()).strip("_-").lstrip("0123456789_-")[:32]
    return made or "message"


def name_of(topic: SourceTopic) -> str:
    """The name nearest to the topic's own that a topic of this bus can have."""
    for text in (topic.name, safe_line(topic.name, NAME_ROOM)):
        try:
            return check_topic_name(text)
        except InvalidArgument:
            continue
    return f"agent-bus-{safe_line(topic.id, 60)}"


def fingerprint(message: Imported) -> bytes:
    """What tells one message from another, as bytes."""
    return json.dumps(message, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
