"""A clock that jumps by an hour, forward or back, between any two operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hubbub.bus import Bus, Seat
from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import Actor, Delivery
from hubbub.stores import open_store

HOUR_MS = 3_600_000


class Day:
    """Some work of a sender and a receiver, one operation at a time."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        bus.agents.register("ada")
        self.seat: Seat = bus.agents.join("bob")
        self.sent: list[str] = []
        self.done: list[str] = []
        self.hand: list[Delivery] = []

    def send(self) -> None:
        """One more message."""
        draft = self.bus.mail.draft("bob", str(len(self.sent)))
        self.sent.append(self.bus.mail.send(Actor("ada"), draft).id)

    def receive(self) -> None:
        """Take up to two."""
        handout = self.bus.mail.receive(self.seat.actor, limit=2)
        self.hand += handout.deliveries
        due = handout.next_due_at
        assert due is None or due > self.bus.store.now()

    def release(self) -> None:
        """Give the newest back, if it is still in hand, to be had again in two seconds."""
        if not self.hand:
            return
        id_ = self.hand.pop().message.id
        try:
            self.bus.mail.release(self.seat.actor, id_, delay=2)
        except HubbubError as error:
            assert error.code == "NOT_LEASED"  # noqa: PT017 - any other code is a failure

    def settle(self) -> None:
        """Settle the oldest in hand."""
        if self.hand:
            id_ = self.hand.pop(0).message.id
            self.bus.mail.acknowledge(self.seat.actor, id_)
            self.done.append(id_)

    def beat(self) -> None:
        """Say that it is alive."""
        assert self.bus.agents.beat(self.seat).state == "live"

    def sweep(self) -> None:
        """Housekeeping by whoever comes."""
        self.bus.store.sweep(f"h{len(self.sent)}")


WORK: list[Callable[[Day], None]] = [
    Day.send, Day.send, Day.receive, Day.send, Day.beat, Day.release, Day.sweep, Day.settle, Day.send,
    Day.receive, Day.sweep, Day.settle, Day.release, Day.beat, Day.receive, Day.sweep, Day.settle,
]  # fmt: skip


@pytest.mark.parametrize("jump", [-HOUR_MS, HOUR_MS], ids=["back", "forward"])
@pytest.mark.parametrize("position", range(len(WORK)))
def test_nothing_is_lost_when_the_clock_jumps(tmp_path: Path, position: int, jump: int) -> None:
    clock = ManualClock()
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as bus:
        day = Day(bus)
        for number, operation in enumerate(WORK):
            if number == position:
                clock.advance(jump)
            operation(day)
            clock.advance(1000)
        # The session works, and all that was sent is done or can still be had.
        day.beat()
        clock.advance(2 * HOUR_MS)
        rest = [one.message.id for one in bus.mail.receive(day.seat.actor, limit=100).deliveries]
        assert sorted(day.done + rest) == sorted(day.sent)
        assert bus.mail.dead() == []
        assert bus.check() == []


def test_a_waiter_never_waits_a_negative_time_nor_for_ever(tmp_path: Path) -> None:
    clock = ManualClock()
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as bus:
        day = Day(bus)
        day.send()
        (first,) = bus.mail.receive(day.seat.actor).deliveries
        steps = bus.mail.receiving(day.seat.actor, bus.mail.filter(), wait=3600)
        for jump in (-HOUR_MS, HOUR_MS, -2 * HOUR_MS):
            clock.advance(jump)
            assert 0 < next(steps).seconds <= 5
        clock.advance(4 * HOUR_MS)
        with pytest.raises(StopIteration) as done:
            next(steps)
        (again,) = done.value.value.deliveries
        assert (again.message.id, again.redelivered) == (first.message.id, True)
