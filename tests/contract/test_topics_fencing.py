"""Who may act in topics: not a session that lost its name, nor an agent that is not registered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import HubbubError, NotRegistered, RoleForbids, SessionEnded
from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.model_topics import Hand, Imported, Post
from tests.contract.world import World

MESSAGE = Imported("old", "message", "x", None, None, 1000)

ACTS: dict[str, Callable[[World, Actor, Hand], object]] = {
    "create": lambda w, a, hand: w.topics.create(a, "other"),
    "create without a name": lambda w, a, hand: w.topics.create(a, None),
    "find by creating": lambda w, a, hand: w.topics.create(a, "build"),
    "create with a known key": lambda w, a, hand: w.topics.create(a, "kept", key="c"),
    "close": lambda w, a, hand: w.topics.close(a, "build", reason="x"),
    "reopen": lambda w, a, hand: w.topics.reopen(a, "closed"),
    "rename": lambda w, a, hand: w.topics.rename(a, "build", "other"),
    "delete": lambda w, a, hand: w.topics.delete(a, "build"),
    "join": lambda w, a, hand: w.topics.join(a, "foreign"),
    "join again": lambda w, a, hand: w.topics.join(a, "build", start=0),
    "leave": lambda w, a, hand: w.topics.leave(a, "build"),
    "read": lambda w, a, hand: w.topics.sync(a, "build"),
    "read, nothing there": lambda w, a, hand: w.topics.sync(a, "kept"),
    "look": lambda w, a, hand: w.topics.sync(a, "build", automatic=False),
    "acknowledge": lambda w, a, hand: w.topics.sync(a, "build", automatic=False, ack_through=2),
    "post": lambda w, a, hand: w.topics.sync(a, "build", outbox=(Post("x"),)),
    "post with a known key": lambda w, a, hand: w.topics.sync(a, "build", outbox=(Post("mine", key="k"),)),
    "confirm": lambda w, a, hand: w.topics.confirm(a, (hand,)),
    "confirm by a sync": lambda w, a, hand: w.topics.sync(a, "build", confirm=(hand,)),
    "give back": lambda w, a, hand: w.topics.give_back(a, (hand,)),
    "give back unseen": lambda w, a, hand: w.topics.give_back(a, (hand,), unseen=True),
    "reset": lambda w, a, hand: w.topics.reset(a, "build", 0),
    "begin an import": lambda w, a, hand: w.topics.begin_import(a, "s2", "imported", created_at=1),
    "add to an import": lambda w, a, hand: w.topics.add_imported(a, "s1", 0, (MESSAGE,)),
    "finish an import": lambda w, a, hand: w.topics.finish_import(a, "s1"),
}


def _taken_over(world: World, bob: Actor) -> None:
    world.seat("bob", take_over=True)


def _ended(world: World, bob: Actor) -> None:
    world.agents.end_session(bob.session or "", "left")


def _replaced_when_it_missed_its_beats(world: World, bob: Actor) -> None:
    world.clock.advance(SESSION_TTL_MS)
    world.seat("bob")


def _unregistered(world: World, bob: Actor) -> None:
    world.agents.unregister("bob")


LOSSES: list[tuple[Callable[[World, Actor], None], str]] = [
    (_taken_over, "SESSION_SUPERSEDED"),
    (_replaced_when_it_missed_its_beats, "SESSION_SUPERSEDED"),
    (_ended, "SESSION_ENDED"),
    (_unregistered, "SESSION_ENDED"),
]


def _stage(world: World, bob: Actor) -> Hand:
    """Topics in which something can be done; what bob was handed in one of them."""
    ada = world.agent("ada")
    for name in ("build", "closed", "foreign"):
        world.topic(ada, name)
    world.topics.create(bob, "kept", key="c")
    world.topics.close(ada, "closed")
    world.post(ada, "build", *"123")
    world.topics.sync(bob, "build", outbox=(Post("mine", key="k"),), limit=1, automatic=False)
    world.topics.begin_import(bob, "s1", "half", created_at=1000)
    hand = world.topics.sync(bob, "build", limit=2).hand
    assert hand is not None
    return hand


def _everything(world: World) -> object:
    topics = world.topics.list(state="all", agent="bob")
    return (
        world.last_seq(),
        topics,
        [world.topics.members(one.id) for one in topics.topics],
        [world.topics.history(one.id) for one in topics.topics],
    )


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("lose", "code"), LOSSES, ids=lambda value: getattr(value, "__name__", value))
def test_a_session_that_lost_its_name_changes_nothing(
    world: World, lose: Callable[[World, Actor], None], code: str, act: str
) -> None:
    bob = world.seat("bob")
    hand = _stage(world, bob)
    lose(world, bob)
    before = _everything(world)
    with pytest.raises(HubbubError) as caught:
        ACTS[act](world, bob, hand)
    assert caught.value.code == code
    assert _everything(world) == before


@pytest.mark.parametrize("act", ACTS)
def test_an_agent_that_is_not_registered_changes_nothing(world: World, act: str) -> None:
    hand = _stage(world, world.seat("bob"))
    before = _everything(world)
    with pytest.raises(NotRegistered) as caught:
        ACTS[act](world, Actor("nobody"), hand)
    assert "hubbub register nobody" in caught.value.hint
    assert _everything(world) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_session_acts_only_for_its_own_agent(world: World, act: str) -> None:
    bob = world.seat("bob")
    hand = _stage(world, bob)
    before = _everything(world)
    with pytest.raises(SessionEnded):
        ACTS[act](world, Actor("ada", bob.session), hand)
    assert _everything(world) == before


@pytest.mark.parametrize("act", ACTS)
def test_a_session_that_missed_its_beats_is_live_again_by_acting(world: World, act: str) -> None:
    bob = world.seat("bob")
    hand = _stage(world, bob)
    world.clock.advance(SESSION_TTL_MS)
    ACTS[act](world, bob, hand)
    assert [session.id for session in world.agents.sessions()] == [bob.session]


def test_a_consumer_answers_and_does_not_start(world: World) -> None:
    ada = world.agent("ada")
    eve = world.agent("eve", role="consumer")
    world.topic(ada)
    (asked,) = world.post(ada, "build", "question")
    with pytest.raises(RoleForbids) as caught:
        world.post(eve, "build", "my own idea")
    assert caught.value.hint
    world.post(eve, "build", Post("answer", reply_to=asked.id))
    assert world.written("build") == ["question", "answer"]


def test_a_publisher_posts_and_reads(world: World) -> None:
    ada, press = world.agent("ada"), world.agent("press", role="publisher")
    world.topic(ada)
    world.post(press, "build", "news")
    world.post(ada, "build", "thanks")
    assert world.read(press, "build") == ["thanks"]


def test_an_agent_that_took_part_in_a_topic_keeps_its_made_up_name(world: World) -> None:
    from hubbub.model import NewSession, Profile

    acts: list[Callable[[Actor], object]] = [
        lambda actor: world.topics.create(actor, "build"),
        lambda actor: world.topics.join(actor, "build"),
        lambda actor: world.topics.sync(actor, "build", outbox=(Post("x"),)),
        lambda actor: world.topics.sync(actor, "build"),
    ]
    for number, act in enumerate(acts):
        name, session = f"claude-{number}", f"s-{number}"
        world.agents.register(Profile(name, ephemeral=True), NewSession(session))
        act(Actor(name, session))
        world.agents.end_session(session, "left")
        assert world.agents.get(name).name == name


def test_a_made_up_name_that_did_nothing_is_given_back_and_can_come_again(world: World) -> None:
    from hubbub.model import NewSession, Profile

    for number in range(2):
        world.agents.register(Profile("claude-7", ephemeral=True), NewSession(f"s-{number}"))
        assert world.topics.get("all").members == 1
        world.agents.end_session(f"s-{number}", "left")
        assert world.topics.get("all").members == 0
