"""The ledger of topics, and the bells that ring in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import MessageNotFound, NotFound, ReplyNotFound, TopicClosed
from hubbub.model import EVENTS, SESSION_TTL_MS, Actor
from hubbub.model_topics import HANDOUT_MS, Imported, Post
from tests.contract.world import World

PATIENCE = 20.0
"""Seconds after which a ring is given up for lost; no test waits that long when all is well."""

TOPIC_EVENTS = {name for name in EVENTS if name.startswith("topic_") or name == "cursor_reset"}


def _a_long_day(world: World) -> str:
    """Something of everything in one topic, which ends deleted; its id."""
    ada, bob = world.agent("ada"), world.seat("bob")
    topic = world.topic(ada).id
    world.post(ada, "build", *"123")
    world.topics.join(bob, "build", start=1)
    hand = world.topics.sync(bob, "build", limit=1).hand
    assert hand is not None
    world.topics.confirm(bob, (hand,))
    world.topics.sync(bob, "build")
    world.clock.advance(HANDOUT_MS)
    world.agents.beat(bob.session or "")
    world.store.sweep("h")
    world.topics.reset(bob, "build", 0)
    world.topics.leave(bob, "build")
    world.topics.close(ada, "build", reason="done")
    world.topics.reopen(ada, "build")
    world.topics.rename(ada, "build", "make")
    world.topics.delete(ada, "make")
    return topic


def _imported(world: World) -> str:
    ada = world.agent("ada")
    world.topics.begin_import(ada, "s", "old", created_at=1000)
    world.topics.add_imported(ada, "s", 0, (Imported("cy", "message", "x", None, None, 1000),))
    return world.topics.finish_import(ada, "s").id


def test_every_kind_of_event_is_written(world: World) -> None:
    topic, other = _a_long_day(world), _imported(world)
    found = [event for event in world.events() if event.event in TOPIC_EVENTS]
    assert {event.event for event in found} == TOPIC_EVENTS
    assert {event.topic for event in found} == {topic, other}
    assert [event.topic for event in found if event.event == "topic_imported"] == [other]
    assert not [event for event in world.events() if event.topic and event.event not in TOPIC_EVENTS]


def test_the_story_of_a_topic(world: World) -> None:
    topic = _a_long_day(world)
    told = [(event.event, event.actor) for event in world.events(topic=topic)]
    assert told == [
        ("topic_created", "ada"),
        ("topic_joined", "ada"),
        ("topic_posted", "ada"),
        ("topic_posted", "ada"),
        ("topic_posted", "ada"),
        ("topic_joined", "bob"),
        ("topic_read", "bob"),
        ("topic_confirmed", "bob"),
        ("topic_read", "bob"),
        ("topic_returned", "bob"),
        ("cursor_reset", "bob"),
        ("topic_left", "bob"),
        ("topic_closed", "ada"),
        ("topic_reopened", "ada"),
        ("topic_renamed", "ada"),
        ("topic_deleted", "ada"),
    ]


def test_events_name_actor_session_topic_message_and_time(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    topic = world.topic(ada).id
    world.clock.advance(11)
    (posted,) = world.post(bob, "build", "hello")
    (event,) = world.events("topic_posted")
    assert (event.at, event.actor, event.session) == (world.store.now(), "bob", bob.session)
    assert (event.topic, event.message) == (topic, posted.id)
    world.clock.advance(11)
    hand = world.topics.sync(ada, "build").hand
    (event,) = world.events("topic_read")
    assert (event.at, event.actor, event.session, event.topic) == (world.store.now(), "ada", None, topic)
    assert event.agent == "ada"
    assert event.detail is not None
    assert hand is not None
    assert (event.detail["first"], event.detail["last"]) == (hand.first, hand.last)
    assert "redelivered" not in event.detail


def test_the_ledger_tells_what_was_handed_out_again(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    world.topic(ada)
    world.post(ada, "build", "hello")
    world.read(bob, "build")
    world.agents.end_session(bob.session or "", "left")
    world.read(Actor("bob"), "build")
    story = [
        (event.event, event.session, (event.detail or {}).get("redelivered"))
        for event in world.events("topic_read", "topic_returned")
    ]
    assert story == [
        ("topic_read", bob.session, None),
        ("topic_returned", bob.session, None),
        ("topic_read", None, True),
    ]


def test_a_closed_topic_says_why_in_the_ledger(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    world.topics.close(ada, "build", reason="done")
    (event,) = world.events("topic_closed")
    assert "done" in (event.detail or {}).values()
    world.topics.rename(ada, "build", "make")
    (event,) = world.events("topic_renamed")
    assert {"build", "make"} <= set((event.detail or {}).values())


def test_a_refused_or_empty_operation_leaves_no_event(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.topics.join(bob, "build")
    world.topics.sync(bob, "build")
    world.topics.close(ada, "build")
    before = world.last_seq()
    for _ in range(3):
        world.topics.sync(bob, "build")
        world.topics.sync(bob, "build", automatic=False)
        world.clock.advance(120_000)
    with pytest.raises(TopicClosed):
        world.post(bob, "build", "x")
    with pytest.raises(ReplyNotFound):
        world.post(bob, "all", Post("x"), Post("x", reply_to="nonsense"))
    assert world.last_seq() == before


def test_events_of_mail_and_of_topics_with_the_same_number_are_not_mixed(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    mail = world.send(ada, "bob").id
    (posted,) = world.post(ada, "build", "hello")
    world.take(bob)
    assert [event.event for event in world.events(message=mail)] == ["message_sent", "message_received"]
    assert [event.event for event in world.events(message=posted.id)] == ["topic_posted"]
    assert {event.topic for event in world.events(message=mail)} == {None}


def test_events_are_found_by_the_topics_name_too(world: World) -> None:
    ada = world.agent("ada")
    topic = world.topic(ada).id
    world.topic(ada, "other")
    for name in (topic, "build", "#BUILD"):
        assert {event.topic for event in world.events(topic=name)} == {topic}
    for text in ("nonsense", "t1zzzzz"):
        with pytest.raises(NotFound):
            world.events(topic=text)


def test_a_mistyped_message_id_finds_no_other_messages_events(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    (posted,) = world.post(ada, "build", "hello")
    mistyped = posted.id[:-1] + ("0" if posted.id[-1] != "0" else "1")
    with pytest.raises(MessageNotFound):
        world.events(message=mistyped)


# --- bells -----------------------------------------------------------------------------------------

Act = Callable[[World], object]


def _gives_back(world: World) -> None:
    hand = world.topics.sync(Actor("bob"), "build").hand
    assert hand is not None
    world.topics.give_back(Actor("bob"), (hand,))


def _loses_its_session(world: World) -> None:
    world.seat("bob")
    (session,) = world.agents.sessions()
    world.read(Actor("bob", session.id), "build")
    world.agents.end_session(session.id, "left")


def _misses_its_beats(world: World) -> None:
    world.seat("bob")
    (session,) = world.agents.sessions()
    world.read(Actor("bob", session.id), "build")
    world.clock.advance(SESSION_TTL_MS)
    world.store.sweep("h")


def _lease_runs_out(world: World) -> None:
    world.read(Actor("bob"), "build")
    world.clock.advance(HANDOUT_MS)
    world.store.sweep("h")


RINGS: dict[str, Act] = {
    "post": lambda world: world.post(Actor("ada"), "build", "x"),
    "close": lambda world: world.topics.close(Actor("ada"), "build"),
    "reopen": lambda world: (
        world.topics.close(Actor("ada"), "build"),
        world.topics.reopen(Actor("ada"), "build"),
    ),
    "delete": lambda world: world.topics.delete(Actor("ada"), "build"),
    "give back": _gives_back,
    "a session ends": _loses_its_session,
    "a session misses its beats": _misses_its_beats,
    "a lease runs out": _lease_runs_out,
}


@pytest.mark.parametrize("act", RINGS)
def test_what_rings_in_a_topic(world: World, act: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    topic = world.topic(ada).id
    world.post(ada, "build", "there")
    with world.store.bell(f"topic/{topic}") as bell:
        RINGS[act](world)
        assert bell.wait(PATIENCE)


def test_only_the_bell_of_the_topic_rings(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    topic, other = world.topic(ada).id, world.topic(ada, "other").id
    with world.store.bell(f"topic/{topic}") as bell, world.store.bell(f"topic/{other}") as quiet:
        world.post(ada, "build", "x")
        assert bell.wait(PATIENCE)
        world.send(ada, "bob")
        world.read(bob, "build")
        world.topics.join(bob, "other")
        assert not bell.wait(0)
        assert not quiet.wait(0)


def test_what_was_rolled_back_or_known_does_not_ring(world: World) -> None:
    ada = world.agent("ada")
    topic = world.topic(ada).id
    world.post(ada, "build", Post("x", key="k"))
    with world.store.bell(f"topic/{topic}") as bell:
        with pytest.raises(ReplyNotFound):
            world.post(ada, "build", Post("x"), Post("x", reply_to="nonsense"))
        world.post(ada, "build", Post("x", key="k"))
        world.topics.reopen(ada, "build")
        assert not bell.wait(0)


def test_posting_rings_the_bell_of_the_ledger(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    with world.store.bell("events") as bell:
        world.post(ada, "build", "x")
        assert bell.wait(PATIENCE)
