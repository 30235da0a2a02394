"""Waking a session for mail that it was not told of: once for all that comes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hubbub.wake.hooks import inbox
from hubbub.wake.hooks.memory import recall
from hubbub.wake.hooks.texts import doorbell

if TYPE_CHECKING:
    from hubbub.bus import Bus

GATHER_SECONDS = 1.0
"""How long a ring waits after mail came: for what comes with it, for a hook that tells of it at the same
time, and for the agent that takes it by itself."""


class Ring(NamedTuple):
    """What a session is to be woken for."""

    text: str
    """The doorbell: how many, and what to call."""
    message: str
    """The id of the message that came last."""


class Session(NamedTuple):
    """Whom to wake: a client's session, and the agent that it acts as."""

    bus_url: str
    agent: str
    client: str
    session: str

    def due(self, bus: Bus) -> bool:
        """Whether mail waits that the session was not told of."""
        queue, _ = inbox.look(bus, self.agent)
        if not queue:
            return False
        known = recall(*self, create=False)
        if known is None:
            return False
        with known:
            return bool(inbox.untold(known, queue))

    def take(self, bus: Bus) -> Ring | None:
        """The ring for what waits and was not told of: it counts as told of from here on. None where there
        is no such mail, or where it can't be remembered, for then it would ring for ever."""
        known = recall(*self)
        if known is None:
            return None
        with known:
            queue, total = inbox.look(bus, self.agent)
            new = inbox.tell(known, queue)
            if not new or not known.save():
                return None
        urgent = sum(delivery.message.priority == "urgent" for delivery in queue)
        newest = max(new, key=lambda delivery: delivery.message.seq)
        return Ring(doorbell(total, urgent), newest.message.id)
