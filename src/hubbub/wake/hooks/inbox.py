"""Looking at the mail of an agent, and which of it a session was not told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.model import Delivery
    from hubbub.wake.hooks.memory import Memory

LOOKED_AT = 20
"""How many waiting messages are looked at: those that would be handed out next."""


def look(bus: Bus, agent: str) -> tuple[list[Delivery], int]:
    """The messages that would be handed out next, and how many there are in all."""
    found = bus.mail.peek(agent, limit=LOOKED_AT)
    return list(found.deliveries), found.remaining + len(found.deliveries)


def key(delivery: Delivery) -> str:
    """What is remembered of a message: one that comes back is told of again."""
    return f"{delivery.message.id}:{delivery.delivery_count}"


def untold(known: Memory, queue: list[Delivery]) -> list[Delivery]:
    """Those that the session was not told of."""
    new = set(known.untold([key(delivery) for delivery in queue]))
    return [delivery for delivery in queue if key(delivery) in new]


def tell(known: Memory, queue: list[Delivery]) -> list[Delivery]:
    """The same; they count as told of from here on."""
    new = untold(known, queue)
    known.tell([key(delivery) for delivery in new])
    return new
