"""The records of who stands by an agent, of pings and of wakes. Units as in :mod:`hubbub.model`."""

from __future__ import annotations

from typing import Any, NamedTuple

PING_KEPT_MS = 60_000
"""How long a ping is kept: nobody waits that long for an answer."""

STANDING_KINDS = ("monitor", "wrapper", "waiter", "tmux", "command", "server", "plugin")
"""What may stand by an agent."""


class NewStanding(NamedTuple):
    """A process about to stand by an agent."""

    id: str
    kind: str
    """One of :data:`STANDING_KINDS`."""
    slot: str
    """What only one process does for one agent at a time: ``monitor``, ``tmux %3``."""
    how: str = ""
    """How it wakes the agent, in a few words: ``types into its terminal``; empty: it does not."""
    state: str = ""
    process: str = ""
    folder: str = ""


class Standing(NamedTuple):
    """A process that stands by an agent, beside the session that holds its name."""

    id: str
    agent: str
    kind: str
    slot: str
    how: str
    state: str
    """What it does at the moment, in a few words: ``waits for a quiet prompt``."""
    process: str
    folder: str
    since: int
    beat_at: int
    expires_at: int


class Pong(NamedTuple):
    """The answer to a ping, as the process that serves the agent gave it."""

    by: str
    """``server``, ``monitor``, ``wrapper``, ...: what kind of process answered."""
    session: str | None
    client: str
    idle_ms: int | None
    """How long the agent itself has done nothing through this process; None where it can't tell."""
    state: str = ""

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return self._asdict()


class Wake(NamedTuple):
    """A try to give a running agent a turn."""

    agent: str
    how: str
    at: int
    worked: bool
    detail: str
    message: str | None = None
    """The newest message that it was woken for."""
