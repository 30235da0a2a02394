"""Reading by sync: what others posted, in order, in portions, and never one's own."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.model import Actor
from hubbub.model_topics import Post, Synced
from tests.contract.world import World, bodies


def _two(world: World) -> tuple[Actor, Actor]:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    return ada, bob


def _confirmed(world: World, actor: Actor, **options: Any) -> Synced:
    """A sync whose hand-out is confirmed at once."""
    synced = world.topics.sync(actor, "build", **options)
    if synced.hand is not None:
        assert world.topics.confirm(actor, (synced.hand,)) == 1
    return synced


def test_who_never_was_a_member_becomes_one_at_the_start(world: World) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", *"123")
    synced = world.topics.sync(bob, "build")
    assert synced.joined
    assert bodies(synced) == list("123")
    assert {one.agent for one in world.topics.members("build")} == {"ada", "bob"}


@pytest.mark.parametrize("automatic", [True, False])
def test_the_answer_shows_the_topic_as_it_is_then(world: World, automatic: bool) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", *"123")
    synced = world.topics.sync(bob, "build", outbox=(Post("x"),), limit=2, automatic=automatic)
    assert (synced.topic.name, synced.topic.state, synced.topic.last_seq) == ("build", "open", 4)
    assert synced.topic.unread == world.unread("bob", "build") == (1 if automatic else 3)


def test_messages_come_in_portions(world: World) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", *"12345")
    found = [world.topics.sync(bob, "build", limit=2) for _ in range(4)]
    assert [bodies(one) for one in found] == [["1", "2"], ["3", "4"], ["5"], []]
    assert [one.has_more for one in found] == [True, True, False, False]
    assert not any(one.redelivered for one in found)


def test_a_full_last_portion_is_the_last(world: World) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", *"12")
    world.post(bob, "build", "own")
    synced = world.topics.sync(bob, "build", limit=2)
    assert (bodies(synced), synced.has_more) == (["1", "2"], False)


@pytest.mark.parametrize("automatic", [True, False])
def test_max_bytes_ends_a_portion_but_never_before_the_first(world: World, automatic: bool) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", "x" * 10, "é" * 5, "x", "y", "z" * 50)
    found: list[list[int]] = []
    ack = None
    while True:
        synced = world.topics.sync(
            bob, "build", max_bytes=[1, 11, 11, 11][len(found)], automatic=automatic, ack_through=ack
        )
        found.append([len(one.body.encode()) for one in synced.messages])
        ack = None if automatic else synced.through
        if not synced.has_more:
            break
    assert found == [[10], [10, 1], [1], [50]]


def test_metadata_counts_as_text_does_not_break_a_portion(world: World) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", Post("x", metadata={"a": "y" * 1000}), Post("z"))
    first = world.topics.sync(bob, "build", max_bytes=10)
    rest = world.topics.sync(bob, "build", max_bytes=10)
    assert bodies(first) + bodies(rest) == ["x", "z"]


def test_own_messages_never_come_back(world: World) -> None:
    ada, bob = _two(world)
    world.post(bob, "build", "own 1")
    world.post(ada, "build", "1")
    world.post(bob, "build", "own 2", "own 3")
    world.post(ada, "build", "2", "3")
    synced = world.topics.sync(bob, "build", outbox=(Post("own 4"),))
    assert bodies(synced) == ["1", "2", "3"]
    assert not synced.has_more
    assert world.read(bob, "build") == []
    assert world.read(ada, "build") == ["own 1", "own 2", "own 3", "own 4"]


def test_a_portion_is_counted_without_own_messages(world: World) -> None:
    ada, bob = _two(world)
    for number in range(6):
        world.post(bob, "build", "own")
        world.post(ada, "build", str(number))
    assert world.read(bob, "build", limit=4) == list("0123")
    assert world.unread("bob", "build") == 2
    assert world.read(bob, "build", limit=4) == list("45")


def test_a_thousand_own_messages_cost_nothing(world: World) -> None:
    ada, bob = _two(world)
    for _ in range(20):
        world.topics.sync(bob, "build", outbox=tuple(Post("own") for _ in range(50)))
    assert world.unread("bob", "build") == 0
    synced = world.topics.sync(bob, "build")
    assert (synced.messages, synced.hand, synced.cursor) == ((), None, 1000)
    (place,) = [one for one in world.topics.members("build") if one.agent == "bob"]
    assert (place.position, place.cursor, place.unread) == (1000, 1000, 0)
    world.post(ada, "build", "at last")
    assert world.unread("bob", "build") == 1
    assert world.read(bob, "build", limit=1) == ["at last"]


def test_own_messages_behind_what_is_unread_are_not_counted(world: World) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", *"12")
    world.post(bob, "build", "own", "own")
    world.post(ada, "build", "3")
    assert world.unread("bob", "build") == 3
    assert _confirmed(world, bob, limit=1).topic.unread == 2
    assert _confirmed(world, bob, limit=1).topic.unread == 1
    last = _confirmed(world, bob, limit=1)
    assert (bodies(last), last.topic.unread, last.has_more) == (["3"], 0, False)
    assert world.topics.sync(bob, "build").cursor == 5


def test_own_messages_of_all_sessions_are_own(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    bob = world.seat("bob")
    world.post(bob, "build", "by the session")
    world.post(Actor("bob"), "build", "by an attachment")
    for actor in (bob, Actor("bob")):
        assert world.read(actor, "build") == []
    newer = world.seat("bob", take_over=True)
    assert world.read(newer, "build") == []
    assert world.read(ada, "build") == ["by the session", "by an attachment"]


def test_what_is_posted_and_read_in_one_stroke_is_in_one_order(world: World) -> None:
    ada, bob = _two(world)
    world.post(ada, "build", "1")
    synced = world.topics.sync(bob, "build", outbox=(Post("2"),))
    assert ([one.seq for one in synced.posted], [one.seq for one in synced.messages]) == ([2], [1])


def test_readers_do_not_disturb_each_other(world: World) -> None:
    ada, bob = _two(world)
    cy = world.agent("cy")
    world.post(ada, "build", *"12")
    assert world.read(bob, "build") == list("12")
    assert world.read(cy, "build", limit=1) == ["1"]
    world.post(bob, "build", "3")
    assert world.read(cy, "build") == ["2", "3"]
    assert world.read(ada, "build") == ["3"]
    assert world.read(bob, "build") == []


def test_topics_do_not_disturb_each_other(world: World) -> None:
    ada, bob = _two(world)
    world.topic(ada, "deploy")
    world.post(ada, "build", "b")
    world.post(ada, "deploy", "d")
    assert world.read(bob, "deploy") == ["d"]
    assert world.unread("bob", "build") is None
    assert world.read(bob, "build") == ["b"]


def test_a_large_topic_comes_whole_and_in_order(world: World) -> None:
    ada, bob = _two(world)
    for start in range(0, 500, 50):
        world.post(ada, "build", *[str(number) for number in range(start, start + 50)])
        world.post(bob, "build", "own")
    found: list[str] = []
    while True:
        synced = _confirmed(world, bob, limit=37)
        found += bodies(synced)
        if not synced.has_more:
            break
    assert found == [str(number) for number in range(500)]
    assert world.unread("bob", "build") == 0
