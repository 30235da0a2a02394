"""Waking the client from here, where it can be woken by a command."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hubbub.bus import Bus, Seat
from hubbub.faces.mcp.members import Members

if TYPE_CHECKING:
    from hubbub.wake.native import CodexWaker


class Waking:
    """What wakes the client of one connection, and how busy that is."""

    def __init__(self, bus: Bus, members: Members) -> None:
        self._bus = bus
        self._members = members
        self._lock = threading.Lock()
        self._under_way = 0
        self._ended_at = time.monotonic()
        self._waker: CodexWaker | None = None

    def wanted(self) -> bool:
        """Whether the client is one that is woken from here, and nothing does it yet."""
        return self._waker is None and "codex" in self._members.client_name().lower()

    def begin(self) -> None:
        """Begin to wake it for its mail."""
        from hubbub.wake.native import CodexWaker

        with self._lock:
            if self._waker is not None:
                return
            self._waker = CodexWaker(self._bus, self._seat, self._busy_for)
            self._waker.start()

    @contextmanager
    def call(self) -> Iterator[None]:
        """A tool call, from its beginning to its end."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._ended_at = time.monotonic()

    def close(self) -> None:
        """Stop."""
        if self._waker is not None:
            self._waker.stop()

    def _seat(self) -> Seat | None:
        member = self._members.current()
        return None if member is None or member.lost else member.seat

    def _busy_for(self) -> float | None:
        with self._lock:
            return None if self._under_way else time.monotonic() - self._ended_at
