"""Answering pings: with what the model is calling, or since when it called nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hubbub.bus import Bus
from hubbub.bus.pinging import Answerer
from hubbub.model_presence import Pong

if TYPE_CHECKING:
    from hubbub.faces.mcp.tools import Member


class Activity:
    """The tool calls of one member. For several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: list[str] = []
        self._idle_since = time.monotonic()

    @contextmanager
    def call(self, tool: str) -> Iterator[None]:
        """A call, from its beginning to its end."""
        with self._lock:
            self._under_way.append(tool)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove(tool)
                self._idle_since = time.monotonic()

    def told(self) -> tuple[int, str]:
        """For how many milliseconds nothing was called, and what is being called."""
        with self._lock:
            if self._under_way:
                return 0, "busy: " + ", ".join(dict.fromkeys(self._under_way))
            return int((time.monotonic() - self._idle_since) * 1000), ""


class Answering:
    """Answers the pings to the members of one connection, whatever its calls are doing."""

    def __init__(self, bus: Bus, members: Mapping[str, Member]) -> None:
        """``members`` are looked at without a lock: an answer must not wait for a registration under way."""
        self._members = members
        self._answerer = Answerer(bus.store, self._describe)

    def changed(self) -> None:
        """The members are other ones now."""
        kept = [member for member in list(self._members.values()) if not member.lost]
        self._answerer.serve(tuple(sorted(member.seat.agent.name for member in kept)))

    def stop(self) -> None:
        """Answer no more."""
        self._answerer.stop()

    def _describe(self, name: str) -> Pong:
        member = self._members.get(name)
        if member is None:  # given up in this moment
            return Pong("server", None, "", None)
        idle, state = member.activity.told()
        session = member.seat.agent.session
        client = "" if session is None else session.client
        return Pong("server", member.seat.session, client, idle, state)
