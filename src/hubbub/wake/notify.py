"""The notify log of an agent: a line for each message that it is sent, in a file that a harness can follow.

How far it was written is read from the log itself: each line begins with its time and the message's id. So
there is no second record that could differ from it after a crash.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from hubbub.clock import to_iso
from hubbub.text import safe_line

if TYPE_CHECKING:
    from hubbub.model import Message

LINE_MAX = 240
"""Letters of a line at most."""

TEXT_MIN = 20
"""What is shown of a text at least, however long the line is before it."""

KEPT = 3
"""How many full logs are put aside: ``.1`` is the youngest."""

TAIL_BYTES = 512 << 10
"""How much of the logs' end is read to find out what was written."""

_LINE = re.compile(rb"^\d{4}-\d\d-\d\dT[\d:.]{8,12}Z  (m[0-9a-z]+)  to ", re.M)
_BEGINNING = re.compile(rb"\d{4}(-|\Z)")
_TRIES = 5


class Head(NamedTuple):
    """What a line says before the text of a message."""

    at: str
    where: str
    """The message's id, and whom it is to."""
    sender: str
    marks: str
    """Its kind and its priority where they are not the usual ones, as ``" (task, urgent)"``."""

    def __str__(self) -> str:
        return f"{self.at}  {self.where}  {self.sender}{self.marks}"


def head_of(message: Message) -> Head:
    """The head of a message's line; nothing in it was chosen by whoever wrote the text."""
    others = f" and {len(message.recipients) - 3} more" if len(message.recipients) > 3 else ""
    marks = [safe_line(message.kind)] if message.kind != "message" else []
    marks += [message.priority] if message.priority != "normal" else []
    return Head(
        at=to_iso(message.created_at),
        where=f"{message.id}  to {', '.join(message.recipients[:3])}{others}",
        sender=safe_line(message.sender),
        marks=f" ({', '.join(marks)})" if marks else "",
    )


def text_of(message: Message) -> str:
    """What a line says of a message: its subject, and its text."""
    return f"{message.subject}: {message.body}" if message.subject else message.body


def line_of(message: Message) -> str:
    """A message as one line without control characters, cut."""
    head = str(head_of(message))
    room = max(TEXT_MIN, LINE_MAX - len(head) - 2)
    return f"{head}: {safe_line(text_of(message)[: room + 1], room)}"


class NotifyLog:
    """One agent's log. Several processes may write to it: none tells what another has told."""

    def __init__(self, path: str, most_bytes: int, *, make_all: bool) -> None:
        """``most_bytes``: how large it grows before it is put aside. ``make_all``: make all folders that
        are missing on the way to it, not only its own."""
        self.path = path
        self._most = most_bytes
        self._make_all = make_all
        self._left: tuple[int, int, int] | None = None
        """Device, number and length of the file as this process left it."""

    def told(self) -> list[str]:
        """The ids of the messages that were written last, newest first. Raises OSError."""
        found: list[str] = []
        room = TAIL_BYTES
        for path in (self.path, *(f"{self.path}.{number}" for number in range(1, KEPT + 1))):
            try:
                with open(path, "rb") as file:
                    size = file.seek(0, os.SEEK_END)
                    file.seek(max(0, size - room))
                    data = file.read(room)
            except FileNotFoundError:
                continue
            ids = [id_.decode() for id_ in _LINE.findall(data[: data.rfind(b"\n") + 1])]
            found += reversed(ids)
            room -= len(data)
            if room <= 0:
                break
        return found

    def append(self, lines: list[tuple[str, str]]) -> int:
        """Write messages' ids and lines, those that are not there already; how many. Raises OSError: then
        those that were not written are to be handed over again."""
        written = 0
        descriptor = self._open()
        try:
            if self._mark(descriptor) != self._left:
                self._mend(descriptor)
                told = set(self.told())
                lines = [pair for pair in lines if pair[0] not in told]
            waiting = [line.encode("utf-8", "replace") + b"\n" for _, line in lines]
            while waiting:
                size = os.fstat(descriptor).st_size
                count = _fitting(waiting, self._most - size if size else self._most)
                if count == 0 and size:
                    self._put_aside()
                    os.close(descriptor)
                    descriptor = -1
                    descriptor = self._open()
                    continue
                count = count or 1  # a line alone goes in whatever its length
                _write_whole(descriptor, b"".join(waiting[:count]), size)
                self._left = self._mark(descriptor)
                del waiting[:count]
                written += count
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return written

    def _open(self) -> int:
        """The log, opened and locked: nobody else writes to it or puts it aside meanwhile."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        for _ in range(_TRIES):
            _make_folder(os.path.dirname(self.path), self._make_all)
            descriptor = os.open(self.path, flags, 0o600)
            try:
                state = os.fstat(descriptor)
                if not stat.S_ISREG(state.st_mode):
                    raise OSError(errno.EINVAL, "it is not a regular file")
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if stat.S_IMODE(state.st_mode) & 0o077:
                    os.fchmod(descriptor, 0o600)
                with suppress(FileNotFoundError):
                    there = os.stat(self.path)
                    if (there.st_dev, there.st_ino) == (state.st_dev, state.st_ino):
                        return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # put aside or removed in between
        raise OSError(errno.EAGAIN, "it is put in another's place all the time")

    def _mark(self, descriptor: int) -> tuple[int, int, int]:
        state = os.fstat(descriptor)
        return state.st_dev, state.st_ino, state.st_size

    def _mend(self, descriptor: int) -> None:
        """Have the log end with a whole line: whoever wrote the last one may have been killed meanwhile."""
        size = os.fstat(descriptor).st_size
        start = max(0, size - (4 * LINE_MAX + 64))
        tail = os.pread(descriptor, size - start, start)
        if not tail or tail.endswith(b"\n"):
            return
        place = tail.rfind(b"\n") + 1
        if _BEGINNING.match(tail, place) or len(tail) - place < 4:
            os.ftruncate(descriptor, start + place)
        else:
            _write_whole(descriptor, b"\n", size)  # not of ours: it stays

    def _put_aside(self) -> None:
        for number in range(KEPT, 0, -1):
            before = f"{self.path}.{number - 1}" if number > 1 else self.path
            with suppress(FileNotFoundError):
                os.replace(before, f"{self.path}.{number}")


def _fitting(waiting: list[bytes], room: int) -> int:
    count = 0
    for line in waiting:
        room -= len(line)
        if room < 0:
            break
        count += 1
    return count


def _write_whole(descriptor: int, data: bytes, size: int) -> None:
    """Write all of ``data`` in one call, or nothing. Raises OSError."""
    written = os.write(descriptor, data)
    if written < len(data):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _make_folder(folder: str, all_: bool) -> None:
    """Make a folder that only its owner can look into, where it is missing."""
    if os.path.isdir(folder):
        return
    if all_:
        _make_folder(os.path.dirname(folder), all_)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
