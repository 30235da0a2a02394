"""Waiting as long as the client lives that this process was started by."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hubbub.wake.foreground import SHELLS, command_of
from hubbub.wake.hooks.identity import parents

if TYPE_CHECKING:
    from hubbub.stores.contract import Bell

BLIND_SECONDS = 1.0
"""How often processes are looked at where they can't be waited for, or the bell has no descriptor."""


class Over(Exception):
    """There is nobody to wait for any more."""


class Company:
    """Some processes. When one of them ends, so does the wait."""

    def __init__(self, pids: list[int]) -> None:
        self._parent = os.getppid()
        self._descriptors: list[int] = []
        self._blind: list[int] = []
        for pid in dict.fromkeys(pids):
            try:
                self._descriptors.append(os.pidfd_open(pid))
            except (OSError, AttributeError):
                self._blind.append(pid)

    @classmethod
    def of_client(cls, pid: int, named: str | None = None) -> Company:
        """The client that started ``pid``, through a shell or not; ``named`` is its process id, if told."""
        found = parents(pid)
        # What is behind a shell is the client; what is behind a client is no matter of ours.
        pids = found if len(found) == 2 and command_of(found[0]) in SHELLS else found[:1]
        if named and named.isascii() and named.isdigit() and os.path.isdir(f"/proc/{named}"):
            pids.append(int(named))
        return cls(pids)

    def wait(self, bell: Bell, seconds: float, *, until: float | None = None) -> None:
        """Wait until ``bell`` rings, at most ``seconds``.

        Raises:
            Over: a process ended, or the time ``until`` (monotonic) came.
        """
        if bell.fileno() < 0:
            self._check(until)
            bell.wait(min(seconds, BLIND_SECONDS))
        else:
            self._poll(seconds, until, bell.fileno())
            bell.clear()
        self._check(until)

    def rest(self, seconds: float, *, until: float | None = None) -> None:
        """Wait ``seconds``. Raises as :meth:`wait`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._poll(end - time.monotonic(), until, None)
            self._check(until)

    def _poll(self, seconds: float, until: float | None, bell: int | None) -> None:
        import select

        if until is not None:
            seconds = min(seconds, until - time.monotonic())
        if self._blind:
            seconds = min(seconds, BLIND_SECONDS)
        poller = select.poll()
        for descriptor in [*self._descriptors, *([] if bell is None else [bell])]:
            poller.register(descriptor, select.POLLIN)
        poller.poll(max(0.0, seconds) * 1000)

    def _check(self, until: float | None) -> None:
        if until is not None and time.monotonic() >= until:
            raise Over("the agent did not come")
        if self.gone():
            raise Over

    def gone(self) -> bool:
        """Whether one of them ended."""
        import select

        poller = select.poll()
        for descriptor in self._descriptors:
            poller.register(descriptor, select.POLLIN)
        if self._descriptors and poller.poll(0):
            return True
        return os.getppid() != self._parent or any(not _alive(pid) for pid in self._blind)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True
