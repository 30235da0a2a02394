"""A bus with some work, for the tests of the bus's side of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.model import Actor
from hubbub.model_work import Claim
from hubbub.stores import open_store

ADA, BOB = Actor("ada"), Actor("bob")


@contextmanager
def bus_with_work(folder: Path, clock: ManualClock) -> Iterator[Bus]:
    """A bus with two agents and a project of one step. Whatever a test did, what it leaves must be whole."""
    with Bus(open_store(f"sqlite://{folder}/bus.db", clock=clock)) as opened:
        for name in ("ada", "bob"):
            opened.agents.register(name)
        opened.work.create_project(ADA, "p", [{"title": "one"}])
        yield opened
        assert opened.check() == []


def add(bus: Bus, *steps: Any) -> None:
    """More steps."""
    bus.work.add_steps(ADA, "p", list(steps))


def claimed(bus: Bus, actor: Actor = ADA, **options: Any) -> Claim:
    """A claim that must be had."""
    found = bus.work.claim(actor, **options)
    assert isinstance(found, Claim), found
    return found
