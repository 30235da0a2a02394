"""What a program wrote and was not read yet, and the screen that it makes.

Bytes are handed on at once and read only when the screen is asked for. Of a flood only the end is read.
"""

from __future__ import annotations

import re

from hubbub.wake.pty_spawn import Size
from hubbub.wake.screen import Screen

BACKLOG_MAX = 2 << 20
KEPT = 1 << 18
_MODES = re.compile(rb"\x1b\[\?([0-9;]{1,40})([hl])")
_CLEARED = re.compile(rb"\x1b\[[23]J|\x1b\[\?(?:1049|1047|47)[hl]|\x1bc")


class Backlog:
    """The output of a program, and its screen."""

    def __init__(self, size: Size) -> None:
        self._screen = Screen(*size)
        self._data = bytearray()
        self.unknown = False
        """Part of a flood was not read, and the screen was not drawn anew since."""

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
            data = bytes(self._data)
            self._data.clear()
            if self.unknown and _CLEARED.search(data):
                self.unknown = False
            self._screen.feed(data)
        return self._screen

    def _cut(self) -> None:
        """Drop all but the end: no screen shows more, if it was written line by line."""
        cut = self._data.find(b"\n", len(self._data) - KEPT) + 1 or len(self._data) - KEPT
        dropped = bytes(self._data[:cut])
        del self._data[:cut]
        before = self._screen
        self._screen = Screen(before.grid.rows, before.grid.columns)
        for mode in before.modes:
            self._screen.sequence("?", [mode], "", "h")
        for found in _MODES.finditer(dropped):
            numbers = [int(number) for number in found[1].split(b";") if number]
            self._screen.sequence("?", numbers, "", found[2].decode())
        self._screen.title = before.title
        kept = bytes(self._data)
        self.unknown = kept.count(b"\n") < before.grid.rows and not _CLEARED.search(kept)
