"""Topics of the bus: checks of what callers hand in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus, topics
from hubbub.clock import ManualClock
from hubbub.errors import (
    InvalidArgument,
    MessageTooLarge,
    TopicExists,
)
from hubbub.model import MAX_MESSAGE_BYTES, Actor
from hubbub.model_topics import LATEST, Synced
from hubbub.stores import open_store

ADA, BOB = Actor("ada"), Actor("bob")

DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.fixture
def clock() -> ManualClock:
    """The bus's time."""
    return ManualClock()


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[Bus]:
    """A bus with two agents and a topic that both are in."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as opened:
        for name in ("ada", "bob"):
            opened.agents.register(name)
        opened.topics.create(ADA, "build")
        opened.topics.join(BOB, "build")
        yield opened
        assert opened.check() == []


def _post(bus: Bus, actor: Actor, *bodies: str, topic: str = "build") -> None:
    bus.topics.sync(actor, topic, tuple(bus.topics.post(body) for body in bodies), auto_advance=False)


def _bodies(synced: Synced) -> list[str]:
    return [one.body for one in synced.messages]


# --- checks ----------------------------------------------------------------------------------------

BAD: dict[str, Callable[[Bus], object]] = {
    "create: no text": lambda bus: bus.topics.create(ADA, 5),  # type: ignore[arg-type]
    "create: empty": lambda bus: bus.topics.create(ADA, ""),
    "create: blank": lambda bus: bus.topics.create(ADA, "  "),
    "create: hash alone": lambda bus: bus.topics.create(ADA, "#"),
    "create: 129 characters": lambda bus: bus.topics.create(ADA, "x" * 129),
    "create: 100,000 characters": lambda bus: bus.topics.create(ADA, "x" * 100_000),
    "create: two lines": lambda bus: bus.topics.create(ADA, "a\nb"),
    "create: escape": lambda bus: bus.topics.create(ADA, "a\x1b[2J"),
    "create: invisible": lambda bus: bus.topics.create(ADA, "rev\u200b"),
    "create: reordering": lambda bus: bus.topics.create(ADA, "a\u202eb"),
    "create: surrogate": lambda bus: bus.topics.create(ADA, "\ud800"),
    "create: an id": lambda bus: bus.topics.create(ADA, "t1abcde"),
    "create: metadata no object": lambda bus: bus.topics.create(ADA, "x", metadata=[]),  # type: ignore[arg-type]
    "create: 5 MB of metadata": lambda bus: bus.topics.create(ADA, "x", metadata={"a": "x" * 5_000_000}),
    "create: metadata too deep": lambda bus: bus.topics.create(ADA, "x", metadata={"a": DEEP}),
    "create: key": lambda bus: bus.topics.create(ADA, "x", key="k" * 201),
    "rename: name": lambda bus: bus.topics.rename(ADA, "build", "x" * 100_000),
    "close: reason": lambda bus: bus.topics.close(ADA, "build", reason="x" * 1001),
    "close: reason no text": lambda bus: bus.topics.close(ADA, "build", reason=None),  # type: ignore[arg-type]
    "topic: no text": lambda bus: bus.topics.get(7),  # type: ignore[arg-type]
    "topic: empty": lambda bus: bus.topics.get(""),
    "topic: 100,000 characters": lambda bus: bus.topics.get("x" * 100_000),
    "topic: surrogate": lambda bus: bus.topics.get("\ud800"),
    "get: agent": lambda bus: bus.topics.get("build", agent="Not A Name"),
    "list: state": lambda bus: bus.topics.list(state="opne"),
    "list: limit 0": lambda bus: bus.topics.list(limit=0),
    "list: limit 10**9": lambda bus: bus.topics.list(limit=10**9),
    "list: match": lambda bus: bus.topics.list(match=""),
    "list: place": lambda bus: bus.topics.list(after="nonsense"),
    "members: limit": lambda bus: bus.topics.members("build", limit=0),
    "join: place": lambda bus: bus.topics.join(BOB, "build", start="middle"),
    "join: negative": lambda bus: bus.topics.join(BOB, "build", start=-1),
    "join: far": lambda bus: bus.topics.join(BOB, "build", start=10**30),
    "reset: place": lambda bus: bus.topics.reset(BOB, "build", "-1"),
    "reset: half": lambda bus: bus.topics.reset(BOB, "build", 1.5),  # type: ignore[arg-type]
    "post: empty": lambda bus: bus.topics.post(""),
    "post: no text": lambda bus: bus.topics.post(None),  # type: ignore[arg-type]
    "post: surrogate": lambda bus: bus.topics.post("\ud800"),
    "post: kind": lambda bus: bus.topics.post("x", kind="Two Words"),
    "post: reply_to": lambda bus: bus.topics.post("x", reply_to="x" * 101),
    "post: empty reply_to": lambda bus: bus.topics.post("x", reply_to=""),
    "post: metadata": lambda bus: bus.topics.post("x", metadata={"a": float("nan")}),
    "post: key": lambda bus: bus.topics.post("x", key=""),
    "post: 5 MB": lambda bus: bus.topics.post("x" * 5_000_000),
    "post: 5 MB of metadata": lambda bus: bus.topics.post("x", metadata={"a": "x" * 5_000_000}),
    "sync: 51 messages": lambda bus: bus.topics.sync(ADA, "build", (bus.topics.post("x"),) * 51),
    "sync: limit 0": lambda bus: bus.topics.sync(ADA, "build", limit=0),
    "sync: limit 101": lambda bus: bus.topics.sync(ADA, "build", limit=101),
    "sync: limit 10**9": lambda bus: bus.topics.sync(ADA, "build", limit=10**9),
    "sync: ack in automatic mode": lambda bus: bus.topics.sync(ADA, "build", ack_through=0),
    "sync: negative ack": lambda bus: bus.topics.sync(ADA, "build", auto_advance=False, ack_through=-1),
    "sync: ack beyond": lambda bus: bus.topics.sync(ADA, "build", auto_advance=False, ack_through=1),
    "sync: negative wait": lambda bus: bus.topics.sync(ADA, "build", wait=-1),
    "sync: endless wait": lambda bus: bus.topics.sync(ADA, "build", wait=float("inf")),
    "sync: no lease": lambda bus: bus.topics.sync(ADA, "build", lease=0),
    "history: after": lambda bus: bus.topics.history("build", after=-1),
    "history: limit": lambda bus: bus.topics.history("build", limit=0),
    "history: limit 10**9": lambda bus: bus.topics.history("build", limit=10**9),
    "history: thread": lambda bus: bus.topics.history("build", thread=""),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_with_a_typed_error_and_changes_nothing(bus: Bus, what: str) -> None:
    before = bus.events.events(limit=1, newest=True)
    with pytest.raises(InvalidArgument) as caught:
        BAD[what](bus)
    assert len(caught.value.message) < 300
    assert bus.events.events(limit=1, newest=True) == before


def test_an_outbox_of_fifty_is_taken(bus: Bus) -> None:
    assert len(bus.topics.sync(ADA, "build", (bus.topics.post("x"),) * 50).posted) == 50


def test_a_message_of_one_megabyte_is_taken_and_no_byte_more(bus: Bus) -> None:
    _post(bus, ADA, "x" * MAX_MESSAGE_BYTES)
    with pytest.raises(MessageTooLarge):
        bus.topics.post("x" * (MAX_MESSAGE_BYTES + 1))
    with pytest.raises(MessageTooLarge):
        bus.topics.post("é" * (MAX_MESSAGE_BYTES // 2) + "x")
    with pytest.raises(MessageTooLarge):
        bus.topics.post("x" * MAX_MESSAGE_BYTES, metadata={"a": 1})
    assert len(bus.topics.sync(BOB, "build").messages[0].body) == MAX_MESSAGE_BYTES


def test_a_name_is_kept_without_its_hash_and_spaces_around_it(bus: Bus) -> None:
    assert bus.topics.create(ADA, " #release 1.0 ").topic.name == "release 1.0"
    assert not bus.topics.create(BOB, "Release  1.0").created
    assert bus.topics.create(ADA, "x" * 128).created
    with pytest.raises(TopicExists):
        bus.topics.create(ADA, "#build", reuse=False)


@pytest.mark.parametrize(
    ("given", "place"),
    [("start", 0), ("latest", LATEST), (0, 0), (7, 7), ("7", 7), (7.0, 7)],
    ids=str,
)
def test_places(given: Any, place: int) -> None:
    assert topics.place(given) == place


@pytest.mark.parametrize(
    "given", ["-1", -1, "", "end", True, None, 1.5, "９", "9" * 30, "0x1", [], 2**63], ids=str
)
def test_what_is_no_place(given: Any) -> None:
    with pytest.raises(InvalidArgument):
        topics.place(given)


def test_confirming_nothing_is_nothing(bus: Bus) -> None:
    assert bus.topics.confirm(ADA, ()) == bus.topics.take_back(ADA, ()) == 0


def test_what_was_taken_back_comes_again_as_if_for_the_first_time(bus: Bus) -> None:
    _post(bus, ADA, "x")
    for unseen, marked in ((True, False), (False, True)):
        hand = bus.topics.sync(BOB, "build").hand
        assert hand is not None
        assert bus.topics.take_back(BOB, (hand,), unseen=unseen) == 1
        again = bus.topics.sync(BOB, "build")
        assert (_bodies(again), again.redelivered) == (["x"], marked)
        assert again.hand is not None
        bus.topics.take_back(BOB, (again.hand,))


def test_a_topic_is_left_closed_reopened_and_deleted_by_its_name(bus: Bus) -> None:
    (posted,) = bus.topics.sync(ADA, "build", (bus.topics.post("x"),)).posted
    assert bus.topics.message(posted.id).body == "x"
    assert bus.topics.leave(BOB, "#build").left_at is not None
    assert [one.agent for one in bus.topics.members("build")] == ["ada"]
    assert bus.topics.close(ADA, "#build").changed
    assert bus.topics.reopen(BOB, "BUILD").changed
    assert bus.topics.rename(ADA, "build", "#make").topic.name == "make"
    assert bus.topics.delete(ADA, "make").changed
    assert [one.name for one in bus.topics.list(state="all").topics] == ["all"]
