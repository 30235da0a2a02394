"""Manual mode: the same messages come until they are acknowledged; and the two modes side by side."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import CursorOutOfRange
from hubbub.model import Actor
from hubbub.model_topics import HANDOUT_MS, LATEST, Hand, Post, Synced
from tests.contract.world import World, bodies


def _posted(world: World, letters: str = "12345") -> tuple[Actor, Actor]:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.post(ada, "build", *letters)
    return ada, bob


def _look(world: World, actor: Actor, **options: Any) -> Synced:
    return world.topics.sync(actor, "build", automatic=False, **options)


def test_the_same_messages_come_until_they_are_acknowledged(world: World) -> None:
    _, bob = _posted(world)
    for _ in range(3):
        synced = _look(world, bob, limit=2)
        assert (bodies(synced), synced.through, synced.cursor) == (["1", "2"], 2, 0)
        assert (synced.has_more, synced.hand, synced.redelivered) == (True, None, False)
        assert world.unread("bob", "build") == 5
    synced = _look(world, bob, limit=2, ack_through=synced.through)
    assert (bodies(synced), synced.through, synced.cursor) == (["3", "4"], 4, 2)
    assert world.unread("bob", "build") == 3


def test_an_acknowledgement_and_the_next_portion_are_one_call(world: World) -> None:
    _, bob = _posted(world)
    found, through = [], None
    while True:
        synced = (
            _look(world, bob, limit=2) if through is None else _look(world, bob, limit=2, ack_through=through)
        )
        if not synced.messages:
            break
        found += bodies(synced)
        through = synced.through
    assert found == list("12345")
    assert (synced.cursor, synced.has_more, synced.topic.unread) == (5, False, 0)


def test_a_part_of_what_came_can_be_acknowledged(world: World) -> None:
    _, bob = _posted(world)
    assert bodies(_look(world, bob)) == list("12345")
    assert bodies(_look(world, bob, ack_through=3)) == list("45")


def test_what_was_acknowledged_before_is_fine(world: World) -> None:
    _, bob = _posted(world)
    _look(world, bob, ack_through=3)
    before = world.last_seq()
    for through in (3, 2, 0):
        synced = _look(world, bob, ack_through=through)
        assert (bodies(synced), synced.cursor) == (list("45"), 3)
    assert world.last_seq() == before


@pytest.mark.parametrize("through", [6, 2**62])
def test_nothing_is_acknowledged_beyond_the_last_message(world: World, through: int) -> None:
    _, bob = _posted(world)
    _look(world, bob)
    before = world.last_seq()
    with pytest.raises(CursorOutOfRange):
        world.topics.sync(bob, "build", outbox=(), automatic=False, ack_through=through)
    assert world.last_seq() == before
    assert bodies(_look(world, bob)) == list("12345")


def test_an_acknowledgement_may_cover_what_the_same_call_posts(world: World) -> None:
    _, bob = _posted(world)
    synced = world.topics.sync(bob, "build", outbox=(Post("own"),), automatic=False, ack_through=6)
    assert (synced.messages, synced.cursor) == ((), 6)
    with pytest.raises(CursorOutOfRange):
        world.topics.sync(bob, "build", outbox=(Post("refused"),), automatic=False, ack_through=8)
    assert world.written("build")[5:] == ["own"]


def test_acknowledging_what_was_never_handed_out_skips_it(world: World) -> None:
    _, bob = _posted(world)
    assert bodies(_look(world, bob, ack_through=4)) == ["5"]


@pytest.mark.parametrize("limit", [1, 2, 5, 20])
def test_through_is_always_right_to_acknowledge(world: World, limit: int) -> None:
    ada, bob = _posted(world, "12")
    world.post(bob, "build", "own", "own")
    world.post(ada, "build", "3")
    world.post(bob, "build", "own")
    through, found = 0, []
    for _ in range(10):
        synced = _look(world, bob, limit=limit, ack_through=through)
        found += bodies(synced)
        assert synced.through >= through
        through = synced.through
    assert found == list("123")
    assert world.unread("bob", "build") == 0
    assert _look(world, bob).cursor == 6


def test_own_messages_alone_leave_nothing_to_acknowledge(world: World) -> None:
    _, bob = _posted(world, "")
    for _ in range(10):
        synced = world.topics.sync(bob, "build", outbox=(Post("own"),), automatic=False)
        assert (synced.messages, synced.topic.unread) == ((), 0)
    assert _look(world, bob, ack_through=10).cursor == 10


def test_time_and_the_end_of_sessions_change_nothing(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    _look(world, bob, ack_through=2)
    world.clock.advance(HANDOUT_MS)
    newer = world.seat("bob", take_over=True)
    for actor in (newer, Actor("bob")):
        synced = _look(world, actor)
        assert (bodies(synced), synced.redelivered, synced.cursor) == (list("345"), False, 2)


# --- the two modes side by side --------------------------------------------------------------------


def test_what_was_acknowledged_does_not_come_back_to_the_automatic_mode(world: World) -> None:
    _, bob = _posted(world)
    _look(world, bob, ack_through=2)
    synced = world.topics.sync(bob, "build")
    assert (bodies(synced), synced.redelivered) == (list("345"), False)


def test_what_was_handed_out_and_not_confirmed_is_seen_in_manual_mode(world: World) -> None:
    _, bob = _posted(world)
    assert world.read(bob, "build", limit=3) == list("123")
    synced = _look(world, bob)
    assert (bodies(synced), synced.cursor, synced.has_more) == (list("12345"), 0, False)


def test_what_is_in_hand_is_seen_in_manual_mode_when_nothing_is_new(world: World) -> None:
    _, bob = _posted(world)
    assert world.read(bob, "build") == list("12345")
    assert world.read(bob, "build") == []
    assert bodies(_look(world, bob)) == list("12345")


def test_what_is_left_of_a_hand_out_keeps_its_mark(world: World) -> None:
    _, bob = _posted(world)
    hand = world.topics.sync(bob, "build").hand
    assert hand is not None
    world.topics.give_back(bob, (hand,))
    assert world.topics.sync(bob, "build").redelivered
    _look(world, bob, ack_through=2)
    assert world.topics.give_back(bob, (Hand(hand.topic, 3, 5),), unseen=True) == 1
    again = world.topics.sync(bob, "build")
    assert (bodies(again), again.redelivered) == (list("345"), True)


def test_an_acknowledgement_ends_hand_outs_up_to_its_number(world: World) -> None:
    _, bob = _posted(world)
    first, second = (world.topics.sync(bob, "build", limit=2).hand for _ in range(2))
    assert first is not None
    assert second is not None
    synced = _look(world, bob, ack_through=3)
    assert (bodies(synced), synced.cursor) == (["4", "5"], 3)
    assert world.topics.confirm(bob, (first,)) == 0
    world.clock.advance(HANDOUT_MS)
    again = world.topics.sync(bob, "build")
    assert (bodies(again), again.redelivered) == (["4"], True)
    assert world.read(bob, "build") == ["5"]


def test_an_acknowledgement_up_to_own_messages_at_the_end_of_a_hand_out(world: World) -> None:
    ada, bob = _posted(world, "12")
    world.post(bob, "build", "own", "own")
    assert world.topics.sync(bob, "build").hand is not None
    assert _look(world, bob, ack_through=2).cursor == 4
    world.post(ada, "build", "3")
    world.clock.advance(HANDOUT_MS)
    synced = world.topics.sync(bob, "build")
    assert (bodies(synced), synced.redelivered, synced.has_more) == (["3"], False, False)


def test_the_manual_mode_shows_all_behind_the_cursor_whatever_was_confirmed(world: World) -> None:
    _, bob = _posted(world)
    hands = [world.topics.sync(bob, "build", limit=2).hand for _ in range(2)]
    assert hands[1] is not None
    world.topics.confirm(bob, (hands[1],))
    seen: set[str] = set()
    through = 0
    for _ in range(10):
        synced = _look(world, bob, limit=2, ack_through=through)
        seen.update(bodies(synced))
        through = synced.through
        if not synced.has_more:
            break
    # In hand, and never handed out: both must be among what comes before it says that there is no more.
    assert seen >= {"1", "2", "5"}


def test_a_whole_answer_in_manual_mode_says_that_it_is_whole(world: World) -> None:
    _, bob = _posted(world)
    hands = [world.topics.sync(bob, "build", limit=1).hand for _ in range(3)]
    world.topics.confirm(bob, tuple(hand for hand in hands[1:] if hand))
    synced = _look(world, bob)
    assert not synced.has_more
    assert {"1", "4", "5"} <= set(bodies(synced))
    synced = _look(world, bob, ack_through=synced.through)
    assert (synced.messages, synced.cursor) == ((), 5)


def test_a_reset_serves_both_modes(world: World) -> None:
    _, bob = _posted(world)
    _look(world, bob, ack_through=5)
    world.topics.reset(bob, "build", 3)
    assert bodies(_look(world, bob)) == ["4", "5"]
    assert world.read(bob, "build") == ["4", "5"]
    world.topics.reset(bob, "build", LATEST)
    assert bodies(_look(world, bob)) == []
