"""What a wrapper counts of the mail that comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.stores import open_store
from hubbub.wake.ring_mail import _Arrivals


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=ManualClock())) as bus:
        for name in ("alice", "bob", "carol"):
            bus.agents.register(name)
        yield bus


def _send(bus: Bus, *to: str, by: str = "alice") -> str:
    return bus.mail.send(bus.agents.attach(by), bus.mail.draft(list(to), "hello")).id


def test_mail_to_several_comes_in_too(bus: Bus) -> None:
    arrivals = _Arrivals("bob")
    assert arrivals.look(bus)[0].newest is None
    for fresh, to in enumerate((("bob",), ("bob", "carol"), ("*",), ("carol", "bob")), 1):
        id_ = _send(bus, *to)
        waiting, _ = arrivals.look(bus)
        assert (waiting.newest, waiting.fresh, waiting.total) == (id_, fresh, fresh)
    _send(bus, "carol")
    _send(bus, "alice", "carol", by="bob")
    assert arrivals.look(bus)[0] == waiting


def test_the_newest_that_waited_before_is_known(bus: Bus) -> None:
    id_ = _send(bus, "carol", "bob")
    assert _Arrivals("bob").look(bus)[0].newest == id_
