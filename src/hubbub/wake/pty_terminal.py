"""The terminal that a person sits at: bytes in and out of it, its settings, its size.

Whatever happens, it is left as it was found.
"""

from __future__ import annotations

import contextlib
import os
import stat
import termios
import tty
from typing import Any

from hubbub.wake.pty_spawn import Size

SIZE = (24, 80)
"""The size of a terminal where there is none to ask."""

_OFF = (1, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026, 2027, 2031, 2048)
"""Modes that a program which was killed may leave on, and that make a shell hard to use."""

_CHUNK = 512
"""What can be written at once to a pipe that takes anything at all, wherever its descriptor comes from."""


class Terminal:
    """Standard input and output: a terminal, or whatever stands in for one."""

    def __init__(self, source: int = 0, target: int = 1) -> None:
        self.source, self.target = source, target
        self.is_terminal = os.isatty(source)
        """Whether a person may type."""
        self.shows = os.isatty(target)
        """Whether output goes to a terminal's screen."""
        self.attributes: list[Any] | None = None
        with contextlib.suppress(termios.error):
            self.attributes = termios.tcgetattr(source) if self.is_terminal else None
        self._own = -1
        self._limit: int | None = None
        self._open_target()

    def _open_target(self) -> None:
        """Open the target once more: without blocking, which must not be set on what others share."""
        kind = os.fstat(self.target).st_mode
        path = ""
        if self.shows:
            with contextlib.suppress(OSError):
                path = os.ttyname(self.target)
        elif stat.S_ISFIFO(kind):
            path = f"/proc/self/fd/{self.target}"
        if path:
            with contextlib.suppress(OSError):
                self._own = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        if self._own < 0:
            self._limit = None if stat.S_ISREG(kind) else _CHUNK

    @property
    def out(self) -> int:
        """The descriptor to write to."""
        return self._own if self._own >= 0 else self.target

    def write(self, data: memoryview) -> int:
        """Write as much as goes without waiting; how much. Raises OSError when nobody reads any more."""
        try:
            return os.write(self.out, data if self._limit is None else data[: self._limit])
        except BlockingIOError:
            return 0

    def raw(self) -> None:
        """Hand every key through as it is."""
        if self.attributes is not None:
            with contextlib.suppress(termios.error):
                tty.setraw(self.source, termios.TCSADRAIN)

    def restore(self) -> None:
        """Set it as it was found."""
        if self.attributes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.source, termios.TCSADRAIN, self.attributes)

    def size(self) -> Size:
        """Rows and columns."""
        for descriptor in (self.source, self.target, 2):
            try:
                found = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if found.lines and found.columns:
                return found.lines, found.columns
        return SIZE

    def close(self) -> None:
        """Let go of what was opened here."""
        if self._own >= 0:
            os.close(self._own)
            self._own = -1


def undoing(modes: set[int], cursor_hidden: bool) -> bytes:
    """What switches off the modes that a killed program left on."""
    numbers = [mode for mode in _OFF if mode in modes]
    undo = b"".join(b"\x1b[?%dl" % mode for mode in numbers)
    return (
        undo
        + (b"\x1b[?25h" if cursor_hidden else b"")
        + (b"\x1b[<u\x1b[>4m\x1b[0m" if undo or cursor_hidden else b"")
    )
