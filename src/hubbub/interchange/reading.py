"""Reading an export in JSON Lines: line by line, in bounded memory, every line checked."""

from __future__ import annotations

import hashlib
import os
import stat
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, NoReturn

from hubbub.bus import checking
from hubbub.errors import HubbubError, ImportInvalid, InvalidArgument
from hubbub.interchange import checks
from hubbub.model_topics import Imported
from hubbub.names import check_topic_name
from hubbub.text import safe_line

FORMAT = "hubbub-topic"
VERSION = 1
LINE_MAX = 1 << 25
"""Bytes of a line: the largest message, with every letter escaped, fits."""

BATCH = 500
BATCH_BYTES = 1 << 22
"""How many messages, or bytes of them, are put in at once."""

REPORTED = 100

_FIELDS = {
    "id",
    "seq",
    "from",
    "kind",
    "reply_to",
    "reply_to_seq",
    "thread",
    "created_at",
    "body",
    "metadata",
}
_NEEDED = ("id", "seq", "from", "kind", "created_at", "body")


class Header(NamedTuple):
    """What the first line says."""

    id: str
    name: str
    metadata: dict[str, Any] | None
    created_at: int
    closed_at: int | None
    close_reason: str
    after: int
    thread: str | None
    total: int

    @property
    def part(self) -> bool:
        """The file holds only some of the topic's messages: what they answer may not be in it."""
        return self.after > 0 or self.thread is not None


class Batch(NamedTuple):
    """Some messages that follow each other, and the digest of the file up to their end."""

    messages: tuple[Imported, ...]
    digest: bytes
    unlinked: tuple[str, ...]
    """The ids of those whose link to what they answer leads out of the file."""


def open_file(path: str) -> BinaryIO:
    """A file to import.

    Raises:
        ImportInvalid: it is not there, is no regular file, or can't be read.
    """
    shown = safe_line(path)
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ImportInvalid(f"{shown} can't be read: {why}.", hint="Check the path.") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ImportInvalid(
            f"{shown} is not a regular file.", hint="It is read twice: save what comes from a pipe to a file."
        )
    return os.fdopen(number, "rb")


class Reader:
    """One pass over a file. Afterwards :attr:`header` and :attr:`digest` say what it was."""

    header: Header
    digest: bytes
    """Of the whole file."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self._line = 0
        self._sum = hashlib.sha256()
        self._seqs = array("q")
        first = self._next()
        if first is None:
            raise ImportInvalid("The file is empty.", hint="Export the topic again.")
        value = self._object(first)
        try:
            self.header = _header(value)
        except InvalidArgument as error:
            self._refuse(error.message, error.hint)

    def batches(self) -> Iterator[Batch]:
        """The messages, checked; the last batch may be empty, and comes only when the file ended well."""
        messages: list[Imported] = []
        unlinked: list[str] = []
        size = 0
        while True:
            before = self._sum.hexdigest()
            line = self._next()
            if line is None:
                self._cut()
            value = self._object(line)
            if "end" in value:
                break
            try:
                message, linked = self._message(value)
            except HubbubError as error:
                self._refuse(error.message, error.hint)
            messages.append(message)
            if not linked:
                unlinked.append(str(value["id"]))
            size += len(line)
            if len(messages) >= BATCH or size >= BATCH_BYTES:
                yield Batch(tuple(messages), self._sum.digest(), tuple(unlinked))
                messages, unlinked, size = [], [], 0
        self._end(value, before)
        self.digest = self._sum.digest()
        yield Batch(tuple(messages), self.digest, tuple(unlinked))

    # --- lines -------------------------------------------------------------------------------

    def _next(self) -> bytes | None:
        """The next line, counted and added to the digest; None at the end of the file."""
        try:
            line = self._file.readline(LINE_MAX + 1)
        except OSError as error:
            raise ImportInvalid(
                f"The file can't be read: {error.strerror}.", hint="Check the disk."
            ) from None
        if not line:
            return None
        self._line += 1
        if len(line) > LINE_MAX:
            self._refuse(f"it has more than {LINE_MAX} bytes, which no line of an export has.")
        if not line.endswith(b"\n"):
            self._line -= 1
            self._cut()
        self._sum.update(line)
        return line

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            value = checks.load(line.decode())
        except UnicodeDecodeError:
            self._refuse("it is not UTF-8.")
        except ValueError as error:
            self._refuse(f"it is not JSON: {error}.")
        if not isinstance(value, dict):
            self._refuse("it is not a JSON object.")
        return value

    def _cut(self) -> NoReturn:
        line = self._line
        last = f"its last whole line is line {line}" if line else "not even its first line is whole"
        raise ImportInvalid(
            f"The file is cut off: {last}, and an export ends with a line of its own.",
            hint="Nothing was imported. Export the topic again, or copy the file again.",
            line=line,
        )

    def _refuse(self, why: str, hint: str = "") -> NoReturn:
        raise ImportInvalid(
            f"Line {self._line}: {why}",
            hint=f"Nothing was imported. {hint}".strip(),
            line=self._line,
        )

    # --- what they say -----------------------------------------------------------------------

    def _message(self, value: dict[str, Any]) -> tuple[Imported, bool]:
        unknown = sorted(value.keys() - _FIELDS)
        if unknown:
            raise InvalidArgument(f"{ascii(unknown[0])[:60]} is not a field of a message.")
        missing = [name for name in _NEEDED if name not in value]
        if missing:
            raise InvalidArgument(f"the field {missing[0]} is missing.")
        checking.text(value["id"], "id", 100, empty=False)
        seq = checking.number(value["seq"], "seq", 1, 2**62)
        self._in_order(seq)
        answered, metadata = self._answered(value, seq), value.get("metadata")
        linked = answered is not None or value.get("reply_to") is None
        if not linked:
            metadata = {**(checking.metadata(metadata) or {}), "unlinked_reply_to": value["reply_to"]}
        self._seqs.append(seq)
        message = checks.message(
            sender=value["from"],
            kind=value["kind"],
            body=value["body"],
            metadata=metadata,
            reply_to=answered,
            created_at=checks.time_of(value["created_at"], "created_at"),
        )
        return message, linked

    def _in_order(self, seq: int) -> None:
        header = self.header
        last = self._seqs[-1] if self._seqs else header.after
        if seq <= last or (header.thread is None and seq != last + 1):
            raise InvalidArgument(f"number {seq} can't follow number {last}.")
        if len(self._seqs) >= header.total:
            raise InvalidArgument(f"the file should have {header.total} messages, and this is one more.")

    def _answered(self, value: dict[str, Any], seq: int) -> int | None:
        """The number, in the new topic, of what a message answers; None where it is not in the file."""
        if value.get("reply_to") is not None:
            checking.text(value["reply_to"], "reply_to", 100, empty=False)
        elif value.get("reply_to_seq") is not None:
            raise InvalidArgument("reply_to_seq stands without reply_to.")
        else:
            return None
        answered = checking.number(value.get("reply_to_seq"), "reply_to_seq", 1, 2**62)
        if answered >= seq:
            raise InvalidArgument(f"number {seq} can't answer number {answered}.")
        place = bisect_left(self._seqs, answered)
        if place < len(self._seqs) and self._seqs[place] == answered:
            return place + 1
        if not self.header.part:
            raise InvalidArgument(f"number {answered}, which it answers, is not in the file.")
        return None

    def _end(self, value: dict[str, Any], before: str) -> None:
        count = len(self._seqs)
        if value.get("end") is not True or value.keys() != {"end", "count", "sha256"}:
            self._refuse("it is not the end mark of an export.")
        if value["count"] != count or self.header.total != count:
            self._refuse(
                f"the file has {count} messages; its header says {self.header.total}, "
                f"its end {ascii(value['count'])[:40]}.",
                "Lines are missing: export the topic again.",
            )
        if value["sha256"] != before:
            self._refuse(
                "its digest is not that of the lines before it: the file was changed or damaged.",
                "Export the topic again.",
            )
        if self._file.read(1):
            self._line += 1
            self._refuse("something follows the end mark.", "A file holds one export.")


def _header(value: dict[str, Any]) -> Header:
    form = value.get("format")
    if form == "hubbub-thread":
        raise InvalidArgument("this is the export of a thread of mail.", hint="Only topics can be imported.")
    if form != FORMAT:
        raise InvalidArgument(
            "it is not the first line of a topic's export.",
            hint="Import takes what hubbub export TOPIC --format jsonl wrote.",
        )
    if value.get("version") != VERSION:
        shown = ascii(value.get("version"))[:40]
        raise InvalidArgument(
            f"the export has version {shown}; this program knows {VERSION}.", hint="Upgrade this Hubbub."
        )
    topic = value.get("topic")
    if not isinstance(topic, dict):
        raise InvalidArgument("topic must be an object.")
    state = topic.get("state")
    if state not in ("open", "closed"):
        raise InvalidArgument(f"a topic is open or closed, not {ascii(state)[:40]}.")
    thread = value.get("thread")
    return Header(
        id=checking.text(topic.get("id"), "the topic's id", 100, empty=False),
        name=checking.text(topic.get("name"), "the topic's name", 200, empty=False),
        metadata=checks.topic_metadata(topic.get("metadata")),
        created_at=checks.time_of(topic.get("created_at"), "created_at"),
        closed_at=checks.time_of(topic.get("closed_at"), "closed_at") if state == "closed" else None,
        close_reason=checking.text(topic.get("close_reason", ""), "close_reason", 1000),
        after=checking.number(value.get("after", 0), "after", 0, 2**62),
        thread=None if thread is None else checking.text(thread, "thread", 100, empty=False),
        total=checking.number(value.get("count"), "count", 0, 2**62),
    )


def topic_name(header: Header, name: str | None) -> str:
    """What to call the topic.

    Raises:
        InvalidArgument: ``name`` can't be a topic's name.
        ImportInvalid: none was given, and the file's can't be one.
    """
    if name is not None:
        return check_topic_name(name)
    if header.name == header.id:  # it never had a name of its own
        return f"import-of-{safe_line(header.id)}"[:120]
    try:
        return check_topic_name(header.name)
    except InvalidArgument as error:
        raise ImportInvalid(f"Line 1: {error.message}", hint="Give the topic another name.", line=1) from None
