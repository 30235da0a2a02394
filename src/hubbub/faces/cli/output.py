"""Standard output, written with care.

Text is collected and written by :meth:`Output.flush`, straight to the descriptor: a failure is
known at once and exactly, not at the interpreter's end.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import Any

from hubbub.faces.cli.failures import OutputFailed
from hubbub.text import safe_text

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


USUAL_WIDTH = 80
"""Cells in a line where a terminal does not say."""


class ReaderGone(OutputFailed):
    """Whoever read standard output has closed it."""


class Output:
    """Where a command's answer goes: text for people, or JSON, one object a line."""

    def __init__(self, *, json: bool = False, colour: bool = False, width: int | None = None) -> None:
        self.json = json
        self.width = width
        """Cells in a line of the terminal; None where standard output is none, and nothing is folded."""
        self.colour = colour
        self.answered = False
        """An answer in JSON was begun: anything more would be a second one."""
        self.written = 0
        """Bytes that have left this process."""
        self.done = ""
        """What the command has changed, in words: it stays changed if the answer can't be written."""
        self._parts: list[str] = []

    def line(self, text: str = "") -> None:
        """Add a line, on a terminal folded to its width.

        What others wrote must have passed through ``safe_text`` or ``safe_line``.
        """
        # No letter takes more than two cells, but a tab may.
        if self.width is not None and (2 * len(text) > self.width or "\t" in text):
            from hubbub.faces.cli.folding import fold

            text = "\n".join(fold(text, self.width))
        self._parts.append(text + "\n")

    def answer(self, value: dict[str, Any]) -> None:
        """Add ``value`` as one line of JSON that is safe to show on a terminal."""
        self.answered = True
        self._parts.append(json_line(value) + "\n")

    def discard(self) -> None:
        """Forget what was added and not written yet."""
        self._parts.clear()

    def styled(self, text: str, style: str) -> str:
        """``text`` in a colour or weight, where colour is wanted."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour else text

    def check_open(self) -> None:
        """Raise OutputFailed when standard output was closed before this process began."""
        if sys.stdout is None:
            raise OutputFailed("Standard output is closed: the answer has nowhere to go.")

    def flush(self) -> None:
        """Write all that was added.

        Raises:
            ReaderGone: the other end of a pipe was closed.
            OutputFailed: it can't be written for another reason, e.g. a full disk.
        """
        if not self._parts:
            return
        self.check_open()
        text = "".join(self._parts)
        self._parts.clear()
        data = memoryview(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        try:
            # A caller in this same process may have printed before.
            sys.stdout.flush()
            descriptor = sys.stdout.fileno()
            while data:
                count = _write(descriptor, data)
                self.written += count
                data = data[count:]
        except BrokenPipeError:
            raise ReaderGone("Nobody reads standard output any more.") from None
        except OSError as error:
            raise OutputFailed(f"Standard output can't be written: {error.strerror}.") from None

    def check_read(self) -> None:
        """Raise ReaderGone when standard output is a pipe whose reader has left by now."""
        import select

        if not hasattr(select, "poll") or not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
            return
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise ReaderGone("Nobody reads standard output any more.")


def _write(descriptor: int, data: memoryview) -> int:
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:  # the other end made the pipe non-blocking
            import select

            select.select([], [descriptor], [])


def json_line(value: dict[str, Any]) -> str:
    """``value`` as JSON in printable ASCII without line breaks."""
    import json

    # DEL is the one control character that JSON's ASCII form leaves as it is.
    return json.dumps(value, ensure_ascii=True, default=str).replace("\x7f", "\\u007f")


def complain(text: str) -> None:
    """Write ``text`` and a line feed to standard error, if there is one to write to."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(safe_text(text).encode("utf-8", "replace").decode() + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def wants_colour(*, refused: bool) -> bool:
    """Whether standard output is a terminal whose user did not ask for plain text."""
    if refused or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_width() -> int | None:
    """How many cells a line of the terminal has that standard output is; None when it is none."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or USUAL_WIDTH
    except OSError:
        return USUAL_WIDTH


def open_missing_streams() -> None:
    """Give the standard descriptors that the caller closed to the null device, so that no file
    opened later takes their number and gets what was meant for a terminal."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
