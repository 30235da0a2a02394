"""Members of a topic: joining at a place, leaving, coming back, being seen."""

from __future__ import annotations

import pytest

from hubbub.errors import CursorOutOfRange, NotJoined, NotRegistered
from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.model_topics import HANDOUT_MS, LATEST
from tests.contract.world import World


def _five(world: World) -> tuple[Actor, Actor]:
    """Ada and bob, and a topic of hers with five messages."""
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.post(ada, "build", *"12345")
    return ada, bob


@pytest.mark.parametrize(
    ("start", "expected"), [(None, "12345"), (0, "12345"), (2, "345"), (5, ""), (LATEST, "")], ids=str
)
def test_a_new_member_begins_where_it_says(world: World, start: int | None, expected: str) -> None:
    _, bob = _five(world)
    joined = world.topics.join(bob, "build", start=start)
    assert joined.fresh
    assert joined.unread == len(expected) == world.unread("bob", "build")
    assert joined.cursor == joined.position == 5 - len(expected)
    assert (joined.agent, joined.joined_at, joined.left_at) == ("bob", world.store.now(), None)
    assert (joined.topic.name, joined.topic.members) == ("build", 2)
    assert world.read(bob, "build") == list(expected)


@pytest.mark.parametrize("start", [6, 1000, 2**62])
def test_a_place_behind_the_last_message_is_refused(world: World, start: int) -> None:
    _, bob = _five(world)
    before = world.last_seq()
    with pytest.raises(CursorOutOfRange):
        world.topics.join(bob, "build", start=start)
    assert world.unread("bob", "build") is None
    assert world.last_seq() == before


def test_joining_again_changes_nothing(world: World) -> None:
    _, bob = _five(world)
    first = world.topics.join(bob, "build")
    world.read(bob, "build", limit=2)
    before = world.last_seq()
    world.clock.advance(5)
    again = world.topics.join(bob, "build")
    assert not again.fresh
    assert (again.position, again.unread, again.joined_at) == (2, 3, first.joined_at)
    assert world.last_seq() == before
    assert world.read(bob, "build") == list("345")


@pytest.mark.parametrize(("start", "expected"), [(0, "12345"), (1, "2345"), (LATEST, "")])
def test_a_member_that_names_a_place_is_set_to_it(world: World, start: int, expected: str) -> None:
    _, bob = _five(world)
    world.read(bob, "build", limit=3)
    assert world.topics.join(bob, "build", start=start).unread == len(expected)
    assert world.read(bob, "build") == list(expected)


def test_who_comes_back_goes_on_where_it_left_off(world: World) -> None:
    ada, bob = _five(world)
    synced = world.topics.sync(bob, "build", limit=2)
    assert synced.hand is not None
    world.topics.confirm(bob, (synced.hand,))
    left = world.topics.leave(bob, "build")
    assert left.left_at == world.store.now()
    assert left.topic.members == 1
    world.post(ada, "build", "6")
    back = world.topics.join(bob, "build")
    assert (back.fresh, back.left_at, back.cursor, back.unread) == (True, None, 2, 4)
    assert world.read(bob, "build") == list("3456")


def test_who_comes_back_can_begin_elsewhere(world: World) -> None:
    _, bob = _five(world)
    world.read(bob, "build", limit=2)
    for start, expected in ((0, "12345"), (LATEST, ""), (3, "45")):
        world.topics.leave(bob, "build")
        world.topics.join(bob, "build", start=start)
        assert world.read(bob, "build") == list(expected)


def test_what_was_in_hand_when_it_left_comes_again(world: World) -> None:
    _, bob = _five(world)
    world.read(bob, "build", limit=2)
    world.topics.leave(bob, "build")
    world.clock.advance(HANDOUT_MS)
    world.topics.join(bob, "build")
    assert world.read(bob, "build") + world.read(bob, "build") == list("12345")


def test_leaving_twice_or_without_being_there(world: World) -> None:
    _, bob = _five(world)
    with pytest.raises(NotJoined):
        world.topics.leave(bob, "build")
    world.topics.join(bob, "build")
    world.topics.leave(bob, "build")
    before = world.last_seq()
    with pytest.raises(NotJoined) as caught:
        world.topics.leave(bob, "build")
    assert caught.value.hint
    assert world.last_seq() == before


def test_who_left_neither_reads_nor_posts_until_it_joins(world: World) -> None:
    _, bob = _five(world)
    world.topics.join(bob, "build")
    world.topics.leave(bob, "build")
    with pytest.raises(NotJoined):
        world.topics.sync(bob, "build")
    with pytest.raises(NotJoined):
        world.post(bob, "build", "6")
    with pytest.raises(NotJoined):
        world.topics.reset(bob, "build", 0)
    assert world.unread("bob", "build") is None
    assert world.written("build") == list("12345")


def test_an_agent_that_is_not_registered_can_not_join(world: World) -> None:
    _five(world)
    for act in (
        lambda: world.topics.join(Actor("nobody"), "build"),
        lambda: world.topics.sync(Actor("nobody"), "build"),
    ):
        with pytest.raises(NotRegistered):
            act()


# --- presence --------------------------------------------------------------------------------------


def test_members_say_how_far_each_has_read_and_when_it_was_seen(world: World) -> None:
    _, bob = _five(world)
    world.seat("cy")
    world.topics.join(Actor("cy"), "build", start=1)
    world.clock.advance(1000)
    hand = world.topics.sync(bob, "build", limit=3).hand
    assert hand is not None
    found = {one.agent: one for one in world.topics.members("build")}
    assert set(found) == {"ada", "bob", "cy"}
    now = world.store.now()
    assert (found["bob"].cursor, found["bob"].position, found["bob"].unread) == (0, 3, 2)
    assert (found["bob"].seen_at, found["bob"].joined_at, found["bob"].online) == (now, now, False)
    assert (found["cy"].seen_at, found["cy"].online, found["cy"].unread) == (None, True, 4)
    assert (found["ada"].unread, found["ada"].joined_at) == (0, now - 1000)
    world.topics.confirm(bob, (hand,))
    assert {one.agent: one.cursor for one in world.topics.members("build")}["bob"] == 3


def test_who_synced_last_comes_first(world: World) -> None:
    ada, bob = _five(world)
    cy, dan, _ = world.agents_named("cy", "dan", "eve")
    for actor in (dan, bob, cy):
        world.topics.join(actor, "build")
    for actor in (cy, ada, bob):
        # A sync that finds nothing need not be noted to the second: it would cost a write.
        world.clock.advance(120_000)
        world.topics.sync(actor, "build", automatic=False)
    assert [one.agent for one in world.topics.members("build")] == ["bob", "ada", "cy", "dan"]
    assert [one.agent for one in world.topics.members("build", limit=2)] == ["bob", "ada"]


def test_who_left_is_not_shown(world: World) -> None:
    _, bob = _five(world)
    world.topics.join(bob, "build")
    world.topics.leave(bob, "build")
    assert [one.agent for one in world.topics.members("build")] == ["ada"]


def test_a_member_whose_session_missed_its_beats_is_not_online(world: World) -> None:
    _five(world)
    cy = world.seat("cy")
    world.topics.join(cy, "build")
    world.clock.advance(SESSION_TTL_MS)
    assert {one.agent: one.online for one in world.topics.members("build")} == {"ada": False, "cy": False}


# --- reset -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "expected"), [(0, "12345"), (1, "2345"), (3, "45"), (4, "5"), (5, ""), (LATEST, "")]
)
def test_a_reader_goes_on_where_it_is_set_to(world: World, position: int, expected: str) -> None:
    _, bob = _five(world)
    world.read(bob, "build", limit=3)
    place = world.topics.reset(bob, "build", position)
    assert place.cursor == place.position == 5 - len(expected)
    assert place.unread == len(expected) == world.unread("bob", "build")
    assert world.read(bob, "build") == list(expected)


@pytest.mark.parametrize("position", [6, 2**62])
def test_nobody_is_set_behind_the_last_message(world: World, position: int) -> None:
    _, bob = _five(world)
    world.read(bob, "build", limit=3)
    before = world.last_seq()
    with pytest.raises(CursorOutOfRange):
        world.topics.reset(bob, "build", position)
    assert world.last_seq() == before
    assert world.read(bob, "build") == list("45")


def test_only_a_member_is_set_to_a_place(world: World) -> None:
    _, bob = _five(world)
    with pytest.raises(NotJoined):
        world.topics.reset(bob, "build", 0)


@pytest.mark.parametrize("position", [0, 2, LATEST])
def test_a_reset_forgets_what_was_in_hand(world: World, position: int) -> None:
    _, bob = _five(world)
    hands = [world.topics.sync(bob, "build", limit=2).hand for _ in range(2)]
    world.topics.reset(bob, "build", position)
    assert world.topics.confirm(bob, tuple(hand for hand in hands if hand)) == 0
    world.clock.advance(HANDOUT_MS)
    expected = [] if position == LATEST else list("12345"[position:])
    assert world.read(bob, "build") == expected


def test_a_reset_counts_own_messages_as_read(world: World) -> None:
    ada, bob = _five(world)
    world.post(bob, "build", "own", "own")
    world.post(ada, "build", "8")
    world.post(bob, "build", "own")
    world.topics.reset(bob, "build", LATEST)
    for position, unread in ((0, 6), (5, 1), (6, 1), (7, 1), (8, 0), (9, 0), (3, 3)):
        assert world.topics.reset(bob, "build", position).unread == unread
    assert world.read(bob, "build") == ["4", "5", "8"]
    assert world.unread("bob", "build") == 0


def test_who_died_with_messages_in_hand_has_not_read_them(world: World) -> None:
    ada, _ = _five(world)
    cy = world.seat("cy")
    world.topics.join(cy, "build")
    assert world.topics.sync(cy, "build", limit=3).hand is not None
    found = {one.agent: one for one in world.topics.members("build")}
    assert (found["cy"].unread, found["cy"].in_hand, found["cy"].online) == (2, 3, True)
    world.clock.advance(SESSION_TTL_MS + 1)
    found = {one.agent: one for one in world.topics.members("build")}
    assert (found["cy"].unread, found["cy"].in_hand, found["cy"].online) == (5, 0, False)
    assert world.topics.get("build", agent="cy").unread == 5
    assert ada.agent in found


def test_a_look_in_manual_mode_marks_what_was_in_hand_before(world: World) -> None:
    _five(world)
    cy = world.agent("cy")
    assert not world.topics.sync(cy, "build", automatic=False).redelivered
    assert world.topics.sync(cy, "build", limit=2).hand is not None
    assert world.topics.sync(cy, "build", automatic=False).redelivered
    assert not world.topics.sync(cy, "build", automatic=False, ack_through=2).redelivered
