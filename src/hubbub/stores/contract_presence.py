"""What a store must do about who stands by an agent, pings, wakes, and what is set on the bus.

See :mod:`hubbub.stores.contract` for what is common. None of this is kept for good: beats and pings
are no events.
"""

from __future__ import annotations

from typing import Protocol

from hubbub.model import Actor
from hubbub.model_presence import NewStanding, Pong, Standing, Wake


class PresenceStore(Protocol):
    """Processes that stand by agents; pings; wakes."""

    def stand_by(self, agent: str, new: NewStanding) -> Standing | None:
        """Stand by ``agent`` in the slot, for as long as :meth:`keep` is called at least every 30 s.

        None when it is done; the standing of the other process when the slot is taken: one whose time
        ran out takes none. Raises ``NOT_REGISTERED``.
        """
        ...

    def keep(self, id: str, state: str | None = None) -> Standing | None:
        """Stay, and say what it does; None when it stands by no more."""
        ...

    def step_down(self, id: str) -> None:
        """Stand by no more."""
        ...

    def standing(self, agent: str | None = None) -> list[Standing]:
        """Who stands by ``agent``, or by any."""
        ...

    def ping(self, asker: str, agent: str) -> int:
        """Ask whoever serves ``agent`` for a sign of life: the ping's number. Rings ``ping/AGENT``."""
        ...

    def pings(self, agents: tuple[str, ...]) -> list[tuple[int, str]]:
        """Numbers and agents of the pings to any of ``agents`` that nobody answered yet."""
        ...

    def pong(self, ping: int, pong: Pong) -> bool:
        """Answer a ping; the first answer counts, and True means that this is it. Rings ``pong/NUMBER``."""
        ...

    def pong_of(self, ping: int) -> Pong | None:
        """The answer to a ping, if there is one."""
        ...

    def woke(self, agent: str, how: str, worked: bool, detail: str, message: str | None) -> None:
        """Keep what became of a try to wake ``agent``, also in the ledger."""
        ...

    def wakes(self, agent: str) -> list[Wake]:
        """The last try to wake ``agent`` in each way, newest first."""
        ...


class SettingsStore(Protocol):
    """What is set on the bus itself, for whoever uses it."""

    def all(self) -> dict[str, str]:
        """Every value that is set, by its key."""
        ...

    def put(self, key: str, value: str | None, *, by: Actor | None = None) -> str | None:
        """Set ``key``, or with None no longer; its value before. In the ledger."""
        ...
