"""The stores that the contract suite runs on. A further store is one more entry of PLACES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from hubbub.clock import ManualClock
from hubbub.stores import open_store
from tests.contract.world import World


class Place(NamedTuple):
    """An empty bus to be, and how to shift its time."""

    url: str
    clock: ManualClock


@contextmanager
def _sqlite(folder: Path) -> Iterator[Place]:
    yield Place(f"sqlite://{folder}/bus.db", ManualClock())


PLACES: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {"sqlite": _sqlite}


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty bus of each store in turn."""
    with PLACES[request.param](tmp_path) as found:
        yield found


@pytest.fixture
def world(place: Place) -> Iterator[World]:
    """The same, opened. Whatever a test did, what it leaves must be whole."""
    found = World(place.url, open_store(place.url, clock=place.clock), place.clock)
    try:
        yield found
        assert found.store.check() == []
    finally:
        found.store.close()
