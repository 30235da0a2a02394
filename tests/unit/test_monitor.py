"""The monitor by a clock that is moved: the wall clock jumps, beats go on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.errors import BusFull, NotRegistered, UnknownAgent
from hubbub.model_presence import NewStanding
from hubbub.stores import open_store
from hubbub.wake import monitor as module
from hubbub.wake.monitor import Monitor, Taken
from hubbub.wake.notify import NotifyLog

DEADLINE = 20.0


class Running:
    """A monitor on a thread, and the bus that it stands on."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.path = folder / "bus.db"
        self.bus = self.open()
        for name in ("alice", "bob"):
            self.bus.agents.register(name)
        self.log = NotifyLog(str(folder / "bob.log"), 1_000_000, make_all=False)
        self.complaints: list[str] = []
        self.ended_by: BaseException | None = None
        self._stop, self._wake = os.pipe()
        self.monitor = Monitor(
            self.open, str(self.path), "bob", self.log, stop=self._stop, complain=self.complaints.append
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def open(self) -> Bus:
        return Bus(open_store(f"sqlite://{self.path}", clock=self.clock))

    def _run(self) -> None:
        try:
            self.monitor.run()
        except (Taken, NotRegistered, UnknownAgent) as error:
            self.ended_by = error

    def send(self, count: int = 1) -> list[str]:
        alice = self.bus.agents.attach("alice")
        return [self.bus.mail.send(alice, self.bus.mail.draft("bob", "hello")).id for _ in range(count)]

    def wait(self, done: Callable[[], Any]) -> None:
        """Wait until ``done``, woken by what happens on the bus."""
        with self.bus.store.bell("events", "agents") as bell:
            for _ in range(int(DEADLINE / 0.05)):
                if done():
                    return
                bell.wait(0.05)
        raise AssertionError((self.complaints, self.ended_by, self.log.told()))

    def wait_for(self, ids: list[str]) -> None:
        self.wait(lambda: len(self.log.told()) >= len(ids))
        assert self.log.told() == ids[::-1]

    def join(self) -> None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def end(self) -> None:
        os.write(self._wake, b"!")
        self.join()
        self.bus.close()
        os.close(self._stop)
        os.close(self._wake)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    found = Running(tmp_path)
    found.wait(lambda: found.bus.presence.standing("bob"))
    yield found
    found.end()


@pytest.mark.parametrize("jump", [3_600_000, -3_600_000])
def test_a_clock_that_jumps(running: Running, jump: int) -> None:
    ids = running.send(2)
    running.wait_for(ids)
    for step in (jump, -jump, jump):
        running.clock.advance(step)
        running.bus.store.sweep("another")  # which may end what it takes for overdue
        ids += running.send(2)
        running.wait_for(ids)
        running.wait(lambda: running.bus.presence.standing("bob"))
        (standing,) = running.bus.presence.standing("bob")
        assert standing.agent == "bob"
    assert running.ended_by is None


def test_it_ends_when_the_agent_is_unregistered(running: Running) -> None:
    running.bus.agents.unregister("bob")
    running.join()
    assert isinstance(running.ended_by, NotRegistered | UnknownAgent)


def test_it_ends_when_another_has_its_place(running: Running) -> None:
    new = NewStanding(id="w-other", kind="monitor", slot="monitor", process="elsewhere/-/1/-")

    def taken() -> bool:
        for standing in running.bus.store.presence.standing("bob"):
            running.bus.store.presence.step_down(standing.id)
        return running.bus.store.presence.stand_by("bob", new) is None

    running.wait(taken)
    running.join()
    assert isinstance(running.ended_by, Taken)
    assert running.ended_by.other.id == "w-other"


def test_it_does_the_housekeeping(running: Running) -> None:
    alice = running.bus.agents.attach("alice")
    running.bus.mail.send(alice, running.bus.mail.draft("bob", "well?", kind="question", reply_within=1))
    running.clock.advance(40_000)
    running.wait(lambda: running.bus.events.events(kinds=("reminder_sent",)))
    (reminder,) = running.bus.events.events(kinds=("reminder_sent",))
    assert reminder.agent == "bob"


def test_a_ledger_that_went_back_is_followed_from_the_log(running: Running, tmp_path: Path) -> None:
    ids = running.send(3)
    running.wait_for(ids)
    monitor = running.monitor
    monitor._position = 10_000  # as if the file had been overwritten in place by an older copy
    ids += running.send(2)
    running.wait_for(ids)


def test_a_bus_that_can_not_be_written_is_followed_all_the_same(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()
    keep = type(running.bus.presence).keep

    def refuse(self: Any, *given: Any, **named: Any) -> bool:
        if full.is_set():
            raise BusFull("The disk is full.")
        return keep(self, *given, **named)

    monkeypatch.setattr(type(running.bus.presence), "keep", refuse)
    full.set()
    running.wait(lambda: running.complaints)
    ids = running.send(2)
    running.wait_for(ids)
    full.clear()
    running.wait(lambda: len(running.complaints) == 2)
    assert "The disk is full; trying again" in running.complaints[0]
    assert "written again" in running.complaints[1]


def test_what_the_agent_sends_itself_is_not_told(running: Running) -> None:
    bob = running.bus.agents.attach("bob")
    ids = running.send(1)
    running.bus.mail.send(bob, running.bus.mail.draft("alice", "an answer"))
    ids.append(running.bus.mail.send(bob, running.bus.mail.draft("bob", "a note to itself")).id)
    ids += running.send(1)
    running.wait_for(ids)
