"""Automatic mode: what is handed out waits to be confirmed, and comes again if nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.model_topics import HANDOUT_MS, Hand, Synced
from tests.contract.world import World, bodies


def _posted(world: World, letters: str = "12345") -> None:
    """A topic of ada with one message per letter."""
    ada = world.agent("ada")
    world.topic(ada)
    world.post(ada, "build", *letters)


def _handed(world: World, actor: Actor, **options: Any) -> tuple[Synced, Hand]:
    """A sync that hands something out."""
    synced = world.topics.sync(actor, "build", **options)
    assert synced.hand is not None
    return synced, synced.hand


def test_a_hand_out_is_done_with_once_it_is_confirmed(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    synced, hand = _handed(world, bob, limit=3)
    assert bodies(synced) == list("123")
    assert hand == Hand(world.topics.get("build").id, 1, 3)
    assert (synced.cursor, synced.redelivered) == (0, False)
    (place,) = [one for one in world.topics.members("build") if one.agent == "bob"]
    assert (place.cursor, place.position, place.unread) == (0, 3, 2)
    assert world.topics.confirm(bob, (hand,)) == 1
    (place,) = [one for one in world.topics.members("build") if one.agent == "bob"]
    assert (place.cursor, place.position, place.unread) == (3, 3, 2)
    world.clock.advance(HANDOUT_MS)
    assert bodies(world.topics.sync(bob, "build")) == list("45")


def test_confirming_again_counts_nothing(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    _, hand = _handed(world, bob)
    assert world.topics.confirm(bob, (hand, hand)) == 1
    before = world.last_seq()
    assert world.topics.confirm(bob, (hand,)) == 0
    assert world.topics.give_back(bob, (hand,)) == 0
    assert world.last_seq() == before


def test_hand_outs_that_overlap_are_confirmed_once(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    _, whole = _handed(world, bob)
    world.clock.advance(HANDOUT_MS)
    world.agents.beat(bob.session or "")
    _, part = _handed(world, bob, limit=2)
    assert (part.first, part.last) == (1, 2)
    # It was handed the first two again, and now confirms all that it ever had.
    assert world.topics.confirm(bob, (whole, part)) == 2
    done = [event.detail for event in world.events("topic_confirmed")]
    assert done == [{"first": 1, "last": 2}, {"first": 3, "last": 5}]
    assert world.topics.sync(bob, "build").cursor == 5


def test_hand_outs_that_overlap_are_given_back_once(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    _, whole = _handed(world, bob)
    world.clock.advance(HANDOUT_MS)
    world.agents.beat(bob.session or "")
    _, part = _handed(world, bob, limit=2)
    assert world.topics.give_back(bob, (part, whole)) == 2
    assert world.read(bob, "build") + world.read(bob, "build") == list("12345")


def test_what_never_was_handed_out_is_not_confirmed(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    topic = world.topics.get("build").id
    nonsense = (Hand(topic, 1, 5), Hand("t1zzzzz", 1, 5), Hand("nonsense", 1, 1), Hand(topic, 3, 2))
    assert world.topics.confirm(bob, nonsense) == 0
    assert world.topics.give_back(bob, nonsense) == 0
    assert world.read(bob, "build") == list("12345")


def test_an_agent_confirms_only_its_own(world: World) -> None:
    _posted(world)
    bob, cy = world.seat("bob"), world.seat("cy")
    _, hand = _handed(world, bob)
    assert world.topics.confirm(cy, (hand,)) == 0
    assert world.topics.give_back(cy, (hand,)) == 0
    assert world.topics.confirm(bob, (hand,)) == 1


def test_a_sync_confirms_what_came_before_in_the_same_stroke(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    _, hand = _handed(world, bob, limit=3)
    synced = world.topics.sync(bob, "build", confirm=(hand,))
    assert (bodies(synced), synced.cursor) == (list("45"), 3)


def test_one_sync_confirms_what_another_topic_handed_out(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    world.topic(bob, "other")
    _, hand = _handed(world, bob)
    world.topics.sync(bob, "other", confirm=(hand,))
    assert world.topics.confirm(bob, (hand,)) == 0
    assert world.topics.sync(bob, "build").cursor == 5


def test_hand_outs_are_confirmed_in_any_order(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    hands = [_handed(world, bob, limit=1)[1] for _ in range(5)]
    for numbers, cursor in (((1,), 0), ((4, 2), 0), ((0,), 3), ((3,), 5)):
        assert world.topics.confirm(bob, tuple(hands[number] for number in numbers)) == len(numbers)
        (place,) = [one for one in world.topics.members("build") if one.agent == "bob"]
        assert place.cursor == cursor
    world.clock.advance(HANDOUT_MS)
    assert world.read(bob, "build") == []


# --- what comes back -------------------------------------------------------------------------------


def _session_ends(world: World, bob: Actor) -> None:
    world.agents.end_session(bob.session or "", "left")


def _is_taken_over(world: World, bob: Actor) -> None:
    world.seat("bob", take_over=True)


def _is_released(world: World, bob: Actor) -> None:
    world.agents.release_name("bob", "stuck")


def _misses_its_beats(world: World, bob: Actor) -> None:
    world.clock.advance(SESSION_TTL_MS)
    world.store.sweep("h")


def _is_replaced(world: World, bob: Actor) -> None:
    world.clock.advance(SESSION_TTL_MS)
    world.seat("bob")


def _is_unregistered(world: World, bob: Actor) -> None:
    world.agents.unregister("bob")
    world.agent("bob")


def _lease_runs_out(world: World, bob: Actor) -> None:
    world.clock.advance(HANDOUT_MS)


def _lease_runs_out_and_is_swept(world: World, bob: Actor) -> None:
    world.clock.advance(HANDOUT_MS)
    world.agents.beat(bob.session or "")
    assert world.store.sweep("h").topic_leases_expired == 2


def _gives_back(world: World, bob: Actor) -> None:
    topic = world.topics.get("build").id
    assert world.topics.give_back(bob, (Hand(topic, 1, 2), Hand(topic, 3, 3))) == 2


LOSSES: list[Callable[[World, Actor], None]] = [
    _session_ends, _is_taken_over, _is_released, _misses_its_beats, _is_replaced, _is_unregistered,
    _lease_runs_out, _lease_runs_out_and_is_swept, _gives_back,
]  # fmt: skip


@pytest.mark.parametrize("lose", LOSSES)
def test_what_was_not_confirmed_comes_again_first_marked_and_in_order(
    world: World, lose: Callable[[World, Actor], None]
) -> None:
    _posted(world)
    bob = world.seat("bob")
    _handed(world, bob, limit=2)
    _handed(world, bob, limit=1)
    lose(world, bob)
    world.post(Actor("ada"), "build", "6")
    reader = Actor("bob")
    assert world.unread("bob", "build") == 6
    found = []
    while True:
        synced = world.topics.sync(reader, "build")
        found.append((bodies(synced), synced.redelivered, synced.has_more))
        assert synced.hand is None or world.topics.confirm(reader, (synced.hand,)) == 1
        if not synced.has_more:
            break
    assert [one for answer, _, _ in found for one in answer] == list("123456")
    # Nothing new is mixed with what comes again, or its mark would say nothing.
    assert {one: again for answer, again, _ in found for one in answer} == {
        **dict.fromkeys("123", True), **dict.fromkeys("456", False),
    }  # fmt: skip
    assert world.unread("bob", "build") == 0
    assert world.topics.sync(reader, "build").cursor == 6


def test_a_session_that_lives_on_has_its_own_again_when_the_lease_runs_out(world: World) -> None:
    _posted(world, "12")
    bob = world.seat("bob")
    _handed(world, bob, lease_ms=5000)
    for _ in range(2):
        world.clock.advance(4999)
        assert bodies(world.topics.sync(bob, "build", lease_ms=5000)) == []
        world.clock.advance(1)
        again, _ = _handed(world, bob, lease_ms=5000)
        assert (bodies(again), again.redelivered) == (["1", "2"], True)


def test_what_never_left_the_process_is_not_marked(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    _, hand = _handed(world, bob, limit=2)
    assert world.topics.give_back(bob, (hand,), unseen=True) == 1
    assert world.unread("bob", "build") == 5
    again, hand = _handed(world, bob, limit=2)
    assert (bodies(again), again.redelivered) == (["1", "2"], False)
    # Once somebody may have had it, it stays marked.
    world.topics.give_back(bob, (hand,))
    again, hand = _handed(world, bob, limit=2)
    assert again.redelivered
    world.topics.give_back(bob, (hand,), unseen=True)
    assert _handed(world, bob, limit=2)[0].redelivered


def test_what_comes_again_can_come_in_smaller_portions(world: World) -> None:
    _posted(world, "1234567")
    bob = world.seat("bob")
    _handed(world, bob, limit=5)
    _session_ends(world, bob)
    reader = world.seat("bob")
    found = [_handed(world, reader, limit=2)[0] for _ in range(4)]
    assert [bodies(one) for one in found] == [["1", "2"], ["3", "4"], ["5"], ["6", "7"]]
    assert [one.redelivered for one in found] == [True, True, True, False]
    assert [one.has_more for one in found] == [True, True, True, False]
    hands = tuple(one.hand for one in found if one.hand)
    assert world.topics.confirm(reader, hands[1:]) == 3
    assert world.topics.sync(reader, "build").cursor == 0
    world.topics.give_back(reader, hands[:1])
    again, hand = _handed(world, reader, max_bytes=1)
    assert bodies(again) == ["1"]
    rest, other = _handed(world, reader)
    assert (bodies(rest), rest.redelivered) == (["2"], True)
    assert world.topics.confirm(reader, (hand, other)) == 2
    assert world.topics.sync(reader, "build").cursor == 7


def test_the_answer_says_that_more_came_back(world: World) -> None:
    _posted(world, "123")
    bob = world.seat("bob")
    for _ in range(3):
        _handed(world, bob, limit=1)
    _session_ends(world, bob)
    reader = world.seat("bob")
    found = [_handed(world, reader)[0] for _ in range(3)]
    assert [(bodies(one), one.has_more) for one in found] == [(["1"], True), (["2"], True), (["3"], False)]


def test_own_messages_in_a_range_that_comes_again_do_not_come(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    world.topic(ada)
    for number in range(4):
        world.post(ada, "build", str(number))
        world.post(bob, "build", "own", "own")
    synced, hand = _handed(world, bob)
    assert bodies(synced) == list("0123")
    world.topics.give_back(bob, (hand,))
    assert world.unread("bob", "build") == 4
    hands = []
    for expected in ("01", "23"):
        synced, hand = _handed(world, bob, limit=2)
        assert bodies(synced) == list(expected)
        hands.append(hand)
    assert world.read(bob, "build") == []
    assert world.topics.confirm(bob, tuple(hands)) == 2
    assert world.topics.sync(bob, "build").cursor == 12


# --- several readers of one agent ------------------------------------------------------------------


def test_two_that_act_for_one_agent_never_both_have_a_range(world: World) -> None:
    _posted(world)
    bob, attached = world.seat("bob"), Actor("bob")
    assert bodies(_handed(world, bob, limit=2)[0]) == ["1", "2"]
    assert bodies(_handed(world, attached, limit=2)[0]) == ["3", "4"]
    assert bodies(_handed(world, bob)[0]) == ["5"]
    for actor in (bob, attached):
        synced = world.topics.sync(actor, "build")
        assert (synced.messages, synced.has_more) == ((), False)
        assert synced.next_due_at == world.store.now() + HANDOUT_MS


def test_the_answer_says_when_a_range_can_next_be_had(world: World) -> None:
    _posted(world)
    bob, attached = world.seat("bob"), Actor("bob")
    _handed(world, attached, limit=2, lease_ms=9000)
    _, hand = _handed(world, bob, lease_ms=5000)
    assert world.topics.sync(bob, "build").next_due_at == world.store.now() + 5000
    world.topics.confirm(bob, (hand,))
    assert world.topics.sync(bob, "build").next_due_at == world.store.now() + 9000
    world.clock.advance(9000)
    again, hand = _handed(world, bob)
    assert (bodies(again), again.redelivered) == (["1", "2"], True)
    world.topics.confirm(bob, (hand,))
    assert world.topics.sync(bob, "build").next_due_at is None


def test_a_late_confirmation_counts_while_nobody_else_was_handed_it(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    for swept in (False, True):
        _, hand = _handed(world, bob, limit=2)
        world.clock.advance(HANDOUT_MS)
        world.agents.beat(bob.session or "")
        if swept:
            world.store.sweep("h")
        assert world.topics.confirm(bob, (hand,)) == 1
    assert world.read(Actor("bob"), "build") == ["5"]


def test_a_late_confirmation_does_not_count_once_another_was_handed_it(world: World) -> None:
    _posted(world)
    bob, attached = world.seat("bob"), Actor("bob")
    _, hand = _handed(world, bob, limit=2)
    world.clock.advance(HANDOUT_MS)
    again, later = _handed(world, attached)
    assert (bodies(again), later, again.redelivered) == (["1", "2"], hand, True)
    assert world.topics.confirm(bob, (hand,)) == 0
    assert world.topics.give_back(bob, (hand,)) == 0
    assert world.topics.confirm(attached, (later,)) == 1


def test_a_late_confirmation_counts_for_the_part_that_nobody_else_was_handed(world: World) -> None:
    _posted(world, "1234")
    bob, attached = world.seat("bob"), Actor("bob")
    _, hand = _handed(world, bob)
    world.clock.advance(HANDOUT_MS)
    again, later = _handed(world, attached, limit=1)
    assert bodies(again) == ["1"]
    world.topics.confirm(bob, (hand,))
    # The rest is done; the first is still the later reader's.
    assert world.unread("bob", "build") == 0
    assert world.topics.sync(attached, "build").cursor == 0
    assert world.topics.confirm(attached, (later,)) == 1
    assert world.topics.sync(attached, "build").cursor == 4


def test_ending_a_session_leaves_what_an_attachment_has_in_hand(world: World) -> None:
    _posted(world)
    bob, attached = world.seat("bob"), Actor("bob")
    _handed(world, attached, limit=2)
    _handed(world, bob, limit=2)
    _session_ends(world, bob)
    reader = world.seat("bob")
    assert bodies(_handed(world, reader)[0]) == ["3", "4"]
    assert bodies(_handed(world, reader)[0]) == ["5"]
    assert world.read(reader, "build") == []


def test_an_agent_that_comes_back_has_what_its_last_session_had(world: World) -> None:
    _posted(world)
    for number in range(1, 4):
        reader = world.seat("bob")
        synced, _ = _handed(world, reader)
        assert (bodies(synced), synced.redelivered) == (list("12345"), number > 1)
        _session_ends(world, reader)


def test_nothing_is_parked_however_often_it_was_handed_out(world: World) -> None:
    _posted(world, "1")
    bob = world.seat("bob")
    for _ in range(30):
        _, hand = _handed(world, bob)
        world.topics.give_back(bob, (hand,))
    assert bodies(_handed(world, bob)[0]) == ["1"]


def test_a_revived_session_has_what_it_had_unless_it_was_handed_on(world: World) -> None:
    _posted(world)
    bob = world.seat("bob")
    _, hand = _handed(world, bob, limit=2)
    world.clock.advance(SESSION_TTL_MS)
    # Nobody looked meanwhile: it acts again, and what it had it had.
    assert world.topics.confirm(bob, (hand,)) == 1
    assert bodies(_handed(world, bob)[0]) == list("345")
