"""A clock that jumps by an hour, forward or back, while a topic is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hubbub.bus import Bus, Seat
from hubbub.clock import ManualClock
from hubbub.model import Actor
from hubbub.model_topics import Hand, Synced
from hubbub.stores import open_store

HOUR_MS = 3_600_000
ADA = Actor("ada")


class Day:
    """Some work of a writer and a reader, one operation at a time."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        bus.agents.register("ada")
        self.seat: Seat = bus.agents.join("bob")
        bus.topics.create(ADA, "build")
        bus.topics.join(self.seat.actor, "build")
        self.posted: list[int] = []
        self.done: set[int] = set()
        self.had: set[int] = set()
        self.hand: list[tuple[Hand, list[int]]] = []

    def post(self) -> None:
        """Two more messages."""
        outbox = (self.bus.topics.post("x"), self.bus.topics.post("y"))
        self.posted += [one.seq for one in self.bus.topics.sync(ADA, "build", outbox).posted]

    def read(self) -> None:
        """Take up to three."""
        self.reads(self.bus.topics.sync(self.seat.actor, "build", limit=3))

    def reads(self, synced: Synced) -> None:
        """Nothing comes again unmarked."""
        seqs = [one.seq for one in synced.messages]
        assert synced.redelivered or not self.had.intersection(seqs)
        self.had.update(seqs)
        if synced.hand:
            self.hand.append((synced.hand, seqs))
        else:
            assert synced.next_due_at is None or synced.next_due_at > self.bus.store.now()

    def confirm(self) -> None:
        """Confirm the oldest in hand."""
        if self.hand:
            hand, seqs = self.hand.pop(0)
            if self.bus.topics.confirm(self.seat.actor, (hand,)):
                self.done.update(seqs)

    def give_back(self) -> None:
        """Give the newest back."""
        if self.hand:
            hand, _ = self.hand.pop()
            self.bus.topics.take_back(self.seat.actor, (hand,), unseen=False)

    def beat(self) -> None:
        """Say that it is alive."""
        assert self.bus.agents.beat(self.seat).state == "live"

    def sweep(self) -> None:
        """Housekeeping by whoever comes."""
        self.bus.store.sweep(f"h{len(self.posted)}")


WORK: list[Callable[[Day], None]] = [
    Day.post, Day.read, Day.post, Day.beat, Day.read, Day.give_back, Day.sweep, Day.confirm, Day.post,
    Day.read, Day.sweep, Day.confirm, Day.read, Day.give_back, Day.beat, Day.read, Day.sweep, Day.confirm,
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
        day.beat()
        clock.advance(2 * HOUR_MS)
        rest: list[int] = []
        while bus.topics.get("build", agent="bob").unread:
            synced = bus.topics.sync(day.seat.actor, "build", limit=3)
            day.reads(synced)
            rest += [one.seq for one in synced.messages]
            assert synced.hand is not None
            bus.topics.confirm(day.seat.actor, (synced.hand,))
        # What was confirmed does not come again, and all the rest does, once.
        assert sorted([*day.done, *rest]) == day.posted
        assert bus.topics.sync(day.seat.actor, "build").cursor == len(day.posted)
        assert bus.check() == []


def test_a_waiter_never_waits_a_negative_time_nor_for_ever(tmp_path: Path) -> None:
    clock = ManualClock()
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as bus:
        day = Day(bus)
        day.post()
        day.read()
        steps = bus.topics.syncing(day.seat.actor, "build", wait=3600)
        for jump in (-HOUR_MS, HOUR_MS, -2 * HOUR_MS):
            clock.advance(jump)
            assert 0 < next(steps).seconds <= 5
        clock.advance(4 * HOUR_MS)
        with pytest.raises(StopIteration) as done:
            next(steps)
        again: Synced = done.value.value
        assert ([one.seq for one in again.messages], again.redelivered) == ([1, 2], True)


def test_a_message_of_an_earlier_time_is_still_a_later_message(tmp_path: Path) -> None:
    clock = ManualClock()
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as bus:
        day = Day(bus)
        for _ in range(3):
            day.post()
            clock.advance(-HOUR_MS)
        found = bus.topics.sync(day.seat.actor, "build").messages
        assert [one.seq for one in found] == day.posted == list(range(1, 7))
        assert [one.created_at for one in found] == sorted((one.created_at for one in found), reverse=True)
