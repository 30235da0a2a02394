"""Reading a topic's history: any part, by anyone, moving nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import MessageNotFound, ThreadNotFound
from hubbub.model import Actor
from hubbub.model_topics import Post
from tests.contract.world import World


def _ten(world: World) -> Actor:
    ada = world.agent("ada")
    world.topic(ada)
    world.post(ada, "build", *"abcdefghij")
    return ada


def _part(world: World, **wanted: Any) -> tuple[str, int | None]:
    found = world.topics.history("build", **wanted)
    return "".join(one.body for one in found.messages), found.next_after


@pytest.mark.parametrize(
    ("wanted", "letters", "goes_on"),
    [
        ({}, "abcdefghij", None),
        ({"limit": 10}, "abcdefghij", None),
        ({"limit": 3}, "abc", 3),
        ({"after": 3, "limit": 3}, "def", 6),
        ({"after": 7, "limit": 3}, "hij", None),
        ({"after": 10}, "", None),
        ({"after": 99}, "", None),
        ({"before": 4}, "abc", None),
        ({"before": 1}, "", None),
        ({"before": 0}, "", None),
        ({"after": 2, "before": 6}, "cde", None),
        ({"after": 2, "before": 6, "limit": 2}, "cd", 4),
        ({"after": 6, "before": 2}, "", None),
    ],
    ids=str,
)
def test_a_part_in_order(world: World, wanted: dict[str, Any], letters: str, goes_on: int | None) -> None:
    _ten(world)
    assert _part(world, **wanted) == (letters, goes_on)


@pytest.mark.parametrize(
    ("wanted", "letters"),
    [
        ({"limit": 3}, "hij"),
        ({"limit": 99}, "abcdefghij"),
        ({"before": 8, "limit": 3}, "efg"),
        ({"before": 3, "limit": 3}, "ab"),
        ({"after": 8, "limit": 3}, "ij"),
        ({"after": 2, "before": 9, "limit": 2}, "gh"),
    ],
    ids=str,
)
def test_the_newest_part_in_order(world: World, wanted: dict[str, Any], letters: str) -> None:
    _ten(world)
    assert _part(world, newest=True, **wanted)[0] == letters


@pytest.mark.parametrize("size", [1, 3, 10])
def test_paging_gives_each_once(world: World, size: int) -> None:
    _ten(world)
    letters, after = "", 0
    while True:
        page, goes_on = _part(world, after=after, limit=size)
        letters += page
        if goes_on is None:
            break
        after = goes_on
    assert letters == "abcdefghij"


def test_max_bytes_ends_a_part_but_never_before_the_first(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    world.post(ada, "build", "x" * 10, "é" * 5, "y")
    assert _part(world, max_bytes=1) == ("x" * 10, 1)
    assert _part(world, after=1, max_bytes=10) == ("é" * 5, 2)
    assert _part(world, after=1, max_bytes=11) == ("é" * 5 + "y", None)
    assert _part(world, newest=True, max_bytes=11)[0] == "é" * 5 + "y"
    assert _part(world, newest=True, max_bytes=1)[0] == "y"


def test_history_needs_no_membership_and_moves_no_cursor(world: World) -> None:
    ada, bob = _ten(world), world.agent("bob")
    world.read(bob, "build", limit=4)
    before = world.topics.members("build"), world.last_seq()
    world.topics.history("build")
    assert (world.topics.members("build"), world.last_seq()) == before
    found = world.topics.history("#Build", limit=1)
    assert found.topic.id == world.topics.get("build").id
    assert [one.sender for one in found.messages] == [ada.agent]


def test_own_messages_are_part_of_history(world: World) -> None:
    ada, bob = _ten(world), world.agent("bob")
    world.post(bob, "build", "own")
    world.post(ada, "build", "l")
    assert _part(world, after=10)[0] == "ownl"


def _thread(world: World) -> list[str]:
    """A thread of four among other messages; the ids of its messages."""
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    ids = [world.post(ada, "build", "a")[0].id]
    for letter in "bcd":
        world.post(bob, "build", "other")
        ids.append(world.post(bob, "build", Post(letter, reply_to=ids[-1]))[0].id)
    return ids


@pytest.mark.parametrize("number", range(4))
def test_a_thread_is_named_by_any_message_in_it(world: World, number: int) -> None:
    ids = _thread(world)
    assert [one.id for one in world.topics.history("build", thread=ids[number]).messages] == ids


def test_a_thread_comes_in_parts(world: World) -> None:
    ids = _thread(world)
    assert _part(world, thread=ids[2], limit=2) == ("ab", 3)
    assert _part(world, thread=ids[2], limit=2, after=3) == ("cd", None)
    assert _part(world, thread=ids[2], limit=1, after=3) == ("c", 5)
    assert _part(world, thread=ids[2], limit=2, newest=True)[0] == "cd"
    assert _part(world, thread=ids[2], limit=2, before=5, newest=True)[0] == "ab"
    assert _part(world, thread=ids[2], limit=9, before=5)[0] == "ab"


def test_a_message_without_answers_is_a_thread_of_its_own(world: World) -> None:
    _thread(world)
    (alone,) = world.post(Actor("ada"), "build", "alone")
    assert _part(world, thread=alone.id) == ("alone", None)


def test_a_thread_that_is_not_in_this_topic(world: World) -> None:
    ids = _thread(world)
    ada = Actor("ada")
    world.topic(ada, "other")
    mail = world.send(ada, "bob").id
    (elsewhere,) = world.post(ada, "other", "x")
    for id_ in (elsewhere.id, mail, "nonsense", "p1zzzzz", "1"):
        with pytest.raises(ThreadNotFound):
            world.topics.history("build", thread=id_)
    with pytest.raises(ThreadNotFound):
        world.topics.history("other", thread=ids[0])


def test_one_message_by_its_id(world: World) -> None:
    ids = _thread(world)
    found = world.topics.message(ids[1])
    assert (found.id, found.body, found.reply_to, found.thread) == (ids[1], "b", ids[0], ids[0])
    assert found in world.topics.history("build").messages


def test_a_message_that_is_not_there(world: World) -> None:
    ids = _thread(world)
    mail = world.send(Actor("ada"), "bob").id
    mistyped = ids[0][:-1] + ("0" if ids[0][-1] != "0" else "1")
    for id_ in (mail, mistyped, "nonsense", "", "p1", world.topics.get("build").id):
        with pytest.raises(MessageNotFound):
            world.topics.message(id_)


def test_mail_and_topics_do_not_mix(world: World) -> None:
    ids = _thread(world)
    for act in (world.mail.message, world.mail.thread, world.mail.whereabouts):
        with pytest.raises(Exception, match="There is no"):
            act(ids[0])
