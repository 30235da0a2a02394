"""What a program wrote and was not read yet, and the screen that it makes.

Bytes are handed on at once and read when the screen is asked for, or, a little at a time, when many wait and
nothing else is to be done. Of a flood only the end is read.
"""

from __future__ import annotations

import re

from hubbub.wake.pty_spawn import Size
from hubbub.wake.screen import Screen

BACKLOG_MAX = 1 << 20
KEPT = 1 << 17
BEHIND = 1 << 16
"""With more than this unread, reading goes on while nothing else is to be done: a look is to take 0.1 s
or so, and what a program writes in hours is not to count as a flood."""

SLICE = 1 << 13
"""What is read at once then: about a hundredth of a second."""

_MODES = re.compile(rb"\x1b\[\?([0-9;]{1,40})([hl])")
_CLEARED = re.compile(rb"\x1b\[[23]J|\x1b\[\?(?:1049|1047|47)[hl]|\x1bc")


class Backlog:
    """The output of a program, and its screen."""

    def __init__(self, size: Size) -> None:
        self._screen = Screen(*size)
        self._data = bytearray()
        self.unknown = False
        """Part of the output was not read, and the screen was not drawn anew since."""

    @property
    def size(self) -> int:
        """How many bytes were not read yet."""
        return len(self._data)

    def add(self, data: bytes) -> None:
        """The program wrote this."""
        self._data += data
        if len(self._data) > BACKLOG_MAX:
            self._cut()

    def resize(self, size: Size) -> None:
        """The terminal has another size."""
        self.screen().resize(*size)

    def screen(self) -> Screen:
        """The screen as it is now."""
        if self._data:
            self._read(len(self._data))
        return self._screen

    @property
    def behind(self) -> bool:
        """Whether much was not read yet."""
        return len(self._data) > BEHIND

    def catch_up(self) -> None:
        """Read a little, when much was not read."""
        if self.behind:
            self._read(SLICE)

    def _read(self, size: int) -> None:
        data = bytes(self._data[:size])
        del self._data[:size]
        if self.unknown and _CLEARED.search(data):
            self.unknown = False
        try:
            self._screen.feed(data)
        except Exception:  # a mistake in reading a screen must not end what is wrapped
            self._screen, self.unknown = self._screen.successor(), True

    def _cut(self) -> None:
        """Drop all but the end: no screen shows more, if it was written line by line."""
        cut = self._data.find(b"\n", len(self._data) - KEPT) + 1 or len(self._data) - KEPT
        dropped = bytes(self._data[:cut])
        del self._data[:cut]
        self._screen = self._screen.successor()
        self._screen.feed(b"".join(found[0] for found in _MODES.finditer(dropped)))
        kept = bytes(self._data)
        self.unknown = kept.count(b"\n") < self._screen.size[0] and not _CLEARED.search(kept)
