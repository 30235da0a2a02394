"""Lines over two file descriptors: bounded when read, whole when written."""

from __future__ import annotations

import json
import os
import re
import select
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

LINE_MAX = 16 << 20
"""Bytes of the longest line that is read: the largest message (4 MiB) in any common escaping."""

_KEEP = 4096
_ID = re.compile(rb'"id"\s*:\s*(-?\d+|"(?:[^"\\]|\\.){0,200}")')


class Line(NamedTuple):
    """One line of input."""

    offset: int
    """Where it began, in bytes since the start of the input."""
    data: bytes
    """The line without its end; of one that was too long, only its beginning."""
    too_long: bool


class LineReader:
    """Reads lines from a descriptor, and knows how far the sender has got."""

    def __init__(self, descriptor: int, limit: int = LINE_MAX, stop: int = -1) -> None:
        """``stop`` is a descriptor that becomes readable when reading is to end."""
        self._descriptor = descriptor
        self._stop = stop
        self._limit = limit
        self._read = 0
        # Reading and counting what was read is one step for horizon().
        self._counting = threading.Lock()

    def __iter__(self) -> Iterator[Line]:
        """Yield lines until the input ends, or reading is to end."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        if self._stop >= 0:
            poller.register(self._stop, select.POLLIN)
        buffer = bytearray()
        start = 0
        dropping = False
        while True:
            if any(ready == self._stop for ready, _ in poller.poll()):
                return
            with self._counting:
                chunk = os.read(self._descriptor, 1 << 16)
                self._read += len(chunk)
            searched = 0 if dropping else len(buffer)
            buffer += chunk
            while (end := buffer.find(b"\n", searched)) >= 0:
                size = end + 1
                if dropping:
                    yield Line(start, bytes(buffer[:_KEEP]), True)
                    start, dropping = self._read - len(buffer) + size, False
                else:
                    yield Line(start, bytes(buffer[:end]), False)
                    start += size
                del buffer[:size]
                searched = 0
            if dropping or len(buffer) > self._limit:
                dropping = True
                del buffer[_KEEP:]
            if not chunk:
                if buffer.strip():
                    yield Line(start, bytes(buffer), dropping)
                return

    def horizon(self) -> int:
        """How many bytes the sender had written by now: read, or waiting in the pipe.

        What begins at or after it was written later than this call.
        """
        try:
            import fcntl
            import termios

            with self._counting:
                waiting = fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0\0\0\0")
                return self._read + int.from_bytes(waiting, "little")
        except (ImportError, OSError):
            return self._read


class LineWriter:
    """Writes JSON objects, a line each, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.lock = threading.RLock()
        """Held while a line is written."""
        self.broken = False

    def write(self, value: dict[str, Any], before: Callable[[], bool] | None = None) -> bool:
        """Write one line; False when nobody reads any more. ``before`` is called right before the
        first byte goes out, and decides whether it does."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        data = memoryview(text.encode("utf-8", "replace") + b"\n")
        with self.lock:
            if self.broken:
                return False
            if before is not None and not before():
                return False
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                self.broken = True
                return False
        return True


def guess_id(data: bytes) -> Any:
    """The request id in a line that could not be read whole, or None."""
    found = _ID.search(data)
    if found is None:
        return None
    try:
        return json.loads(found.group(1))
    except ValueError:
        return None
