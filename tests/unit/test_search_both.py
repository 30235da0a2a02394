"""A search by words and by meaning says of each message which of the two found it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import hubbub
from hubbub.bus import Bus
from hubbub.bus.search import FUSED
from hubbub.model import Actor
from tests import needs

FULL = "The disk of the build host is full."
ROOM = "There is no storage space left on the runner."


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with an agent and a topic."""
    needs.semantic()
    with hubbub.connect(f"sqlite://{tmp_path}/bus.db") as found:
        found.agents.register("ada")
        found.topics.create(Actor("ada"), "build")
        yield found


def _post(bus: Bus, texts: list[str]) -> None:
    for first in range(0, len(texts), 50):
        outbox = tuple(bus.topics.post(text) for text in texts[first : first + 50])
        bus.topics.sync(Actor("ada"), "build", outbox)
    bus.search.meaning.index()


def test_what_only_its_meaning_found_is_marked(bus: Bus) -> None:
    _post(bus, [FULL, ROOM])
    found = {result.hit.body: result.by_meaning for result in bus.search.search("storage space left").hits}
    assert found == {ROOM: False, FULL: True}
    assert [result.by_meaning for result in bus.search.search("disk full", mode="words").hits] == [False]


def test_more_matches_than_are_merged_are_not_taken_for_others(bus: Bus) -> None:
    _post(bus, [f"The disk is full, host {number}." for number in range(FUSED + 20)])
    found = bus.search.search("disk is full", mode="hybrid", limit=100)
    assert len(found.hits) == 100
    assert not any(result.by_meaning for result in found.hits)
