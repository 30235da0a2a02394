"""What can happen to a topic as a whole: closed, reopened, renamed, deleted; and ``#all``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import (
    MessageNotFound,
    ThreadNotFound,
    TopicClosed,
    TopicExists,
    TopicFixed,
    TopicNotFound,
)
from hubbub.model import Actor, Profile
from hubbub.model_topics import EVERYBODY, HANDOUT_MS, LATEST, Post
from tests.contract.world import World

# --- closing ---------------------------------------------------------------------------------------


def test_a_closed_topic_says_who_closed_it_when_and_why(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.clock.advance(5)
    closed = world.topics.close(bob, "build", reason="done")
    assert closed.changed
    topic = world.topics.get("build")
    assert (topic.state, topic.closed_by, topic.close_reason) == ("closed", "bob", "done")
    assert topic.closed_at == topic.last_at == world.store.now()
    assert closed.topic.id == topic.id
    assert (closed.topic.state, closed.topic.close_reason) == ("closed", "done")


def test_closing_again_changes_nothing(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    made = world.topic(ada)
    world.topics.close(ada, "build", reason="first")
    before = world.topics.get("build"), world.last_seq()
    world.clock.advance(5)
    again = world.topics.close(bob, made.id, reason="second")
    assert not again.changed
    assert again.topic.close_reason == "first"
    assert (world.topics.get("build"), world.last_seq()) == before


def test_nobody_can_post_to_a_closed_topic(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    made = world.topic(ada)
    world.post(ada, "build", "before")
    world.topics.close(bob, "build")
    for topic in ("build", made.id):
        with pytest.raises(TopicClosed) as caught:
            world.post(ada, topic, "after")
    assert caught.value.hint
    assert world.written("build") == ["before"]


def test_what_was_posted_before_the_close_is_answered_again_after_it(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    (first,) = world.post(ada, "build", Post("last words", key="k"))
    world.topics.close(ada, "build")
    assert world.post(ada, "build", Post("last words", key="k")) == (first._replace(repeated=True),)
    with pytest.raises(TopicClosed):
        world.post(ada, "build", Post("last words", key="k"), Post("more"))


def test_a_closed_topic_can_be_read_joined_and_left(world: World) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    world.topic(ada)
    world.post(ada, "build", "1", "2")
    assert world.read(bob, "build", limit=1) == ["1"]
    world.topics.close(ada, "build", reason="done")
    synced = world.topics.sync(bob, "build")
    assert [one.body for one in synced.messages] == ["2"]
    assert (synced.topic.state, synced.topic.close_reason) == ("closed", "done")
    assert world.topics.join(cy, "build", start=1).unread == 1
    assert world.read(cy, "build") == ["2"]
    world.topics.reset(cy, "build", 0)
    assert world.read(cy, "build") == ["1", "2"]
    assert world.written("build") == ["1", "2"]
    assert world.topics.leave(cy, "build").left_at == world.store.now()


def test_hand_outs_of_a_closed_topic_are_confirmed_or_come_back(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.post(ada, "build", "1", "2")
    first, second = (world.topics.sync(bob, "build", limit=1).hand for _ in range(2))
    world.topics.close(ada, "build")
    assert first is not None
    assert second is not None
    assert world.topics.confirm(bob, (first,)) == 1
    world.clock.advance(HANDOUT_MS)
    again = world.topics.sync(bob, "build")
    assert ([one.body for one in again.messages], again.redelivered) == (["2"], True)


# --- reopening -------------------------------------------------------------------------------------


def test_a_reopened_topic_is_as_it_was(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    made = world.topic(ada)
    world.post(ada, "build", "1")
    world.topics.close(ada, "build", reason="done")
    world.clock.advance(5)
    opened = world.topics.reopen(bob, "build")
    assert opened.changed
    topic = world.topics.get("build")
    assert (topic.id, topic.state, topic.last_seq) == (made.id, "open", 1)
    assert (topic.closed_at, topic.closed_by, topic.close_reason) == (None, None, "")
    world.post(ada, "build", "2")
    assert world.written("build") == ["1", "2"]


def test_reopening_an_open_topic_changes_nothing(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    before = world.topics.get("build"), world.last_seq()
    assert not world.topics.reopen(ada, "build").changed
    assert (world.topics.get("build"), world.last_seq()) == before


def test_a_topic_whose_name_was_taken_stays_closed(world: World) -> None:
    ada = world.agent("ada")
    old = world.topic(ada)
    world.topics.close(ada, "build")
    world.topic(ada, "BUILD")
    before = world.last_seq()
    with pytest.raises(TopicExists):
        world.topics.reopen(ada, old.id)
    assert world.topics.get(old.id).state == "closed"
    assert world.last_seq() == before
    world.topics.rename(ada, old.id, "old build")
    assert world.topics.reopen(ada, old.id).changed


def test_a_topic_can_be_closed_with_another_reason_after_a_reopen(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    world.topics.close(ada, "build", reason="first")
    world.topics.reopen(ada, "build")
    assert world.topics.close(ada, "build", reason="second").changed
    assert world.topics.get("build").close_reason == "second"


# --- renaming --------------------------------------------------------------------------------------


def test_a_renamed_topic_keeps_its_messages_and_readers(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    made = world.topic(ada)
    world.post(ada, "build", "of build", "more of build")
    world.read(bob, "build", limit=1)
    renamed = world.topics.rename(bob, "build", "make")
    assert renamed.changed
    assert (renamed.topic.id, renamed.topic.name) == (made.id, "make")
    assert world.written("make") == ["of build", "more of build"]
    assert world.read(bob, "make") == ["more of build"]
    with pytest.raises(TopicNotFound):
        world.topics.get("build")
    assert world.topics.create(ada, "build").created


def test_a_name_of_an_open_topic_can_not_be_taken(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada, "build")
    world.topic(ada, "deploy")
    before = world.last_seq()
    for name in ("deploy", "Deploy", "all", "ALL"):
        with pytest.raises(TopicExists):
            world.topics.rename(ada, "build", name)
    assert world.topics.get("build").name == "build"
    assert world.last_seq() == before


def test_a_name_can_change_its_capitals(world: World) -> None:
    ada = world.agent("ada")
    made = world.topic(ada)
    assert world.topics.rename(ada, "build", "Build").changed
    assert (world.topics.get("build").id, world.topics.get("build").name) == (made.id, "Build")


def test_renaming_to_the_name_it_has_changes_nothing(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    before = world.topics.get("build"), world.last_seq()
    assert not world.topics.rename(ada, "build", "build").changed
    assert (world.topics.get("build"), world.last_seq()) == before


# --- deleting --------------------------------------------------------------------------------------


def test_a_deleted_topic_is_gone_at_once(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    made = world.topic(ada)
    posted = world.post(ada, "build", "1", "2")
    world.topics.join(bob, "build")
    deleted = world.topics.delete(bob, "build")
    assert deleted.changed
    assert (deleted.topic.id, deleted.topic.state) == (made.id, "deleted")
    acts: list[Callable[[str], object]] = [
        world.topics.get,
        world.topics.history,
        world.topics.members,
        lambda topic: world.topics.sync(bob, topic),
        lambda topic: world.topics.join(bob, topic),
        lambda topic: world.topics.delete(bob, topic),
        lambda topic: world.topics.reopen(bob, topic),
    ]
    for act in acts:
        for topic in ("build", made.id):
            with pytest.raises(TopicNotFound):
                act(topic)
    for one in posted:
        with pytest.raises(MessageNotFound):
            world.topics.message(one.id)
    assert [one.name for one in world.topics.list(state="all").topics] == [EVERYBODY]


def test_the_name_of_a_deleted_topic_is_free(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    old = world.topic(ada)
    world.post(ada, "build", "old")
    world.topics.join(bob, "build", start=LATEST)
    world.topics.delete(ada, "build")
    new = world.topics.create(ada, "build", reuse=False)
    assert new.topic.id != old.id
    world.post(ada, "build", "new")
    assert world.read(bob, "build") == ["new"]


def test_deleting_an_open_topic_leaves_a_closed_one_of_that_name(world: World) -> None:
    ada = world.agent("ada")
    old = world.topic(ada)
    world.topics.close(ada, "build")
    world.topic(ada)
    world.topics.delete(ada, "build")
    assert world.topics.get("build").id == old.id
    world.topics.delete(ada, "build")
    with pytest.raises(TopicNotFound):
        world.topics.get("build")


def _sweep_all(world: World) -> list[int]:
    """Erased by each round, until a round erases nothing."""
    rounds: list[int] = []
    for _ in range(100):
        swept = world.store.sweep("h")
        assert swept.ran
        if not swept.posts_removed:
            return rounds
        rounds.append(swept.posts_removed)
    raise AssertionError("housekeeping never came to an end")


LONG = 12_000
"""How many messages are more than a deletion erases itself."""


def test_a_deletion_erases_at_once_what_is_not_long(world: World) -> None:
    ada = world.agent("ada")
    before = world.store.info()
    for number in range(20):
        world.topic(ada, f"short {number}")
        world.post(ada, f"short {number}", "1", "2")
    for number in range(20):
        world.topics.delete(ada, f"short {number}")
    assert world.store.sweep("h").posts_removed == 0
    after = world.store.info()
    assert (after.topics, after.topic_messages) == (before.topics, before.topic_messages)
    assert world.store.check() == []


def test_housekeeping_erases_what_was_deleted_a_part_at_a_time(world: World) -> None:
    ada = world.agent("ada")
    before = world.store.info()
    world.topic(ada)
    world.topic(ada, "kept")
    world.post(ada, "kept", "kept")
    for start in range(0, LONG, 50):
        world.post(ada, "build", *[f"message {number}" for number in range(start, start + 50)])
    world.topics.delete(ada, "build")
    # The deletion erases what is quickly erased, and the rest comes bit by bit.
    rounds = _sweep_all(world)
    assert 0 < sum(rounds) < LONG
    after = world.store.info()
    assert (after.topics, after.topic_messages) == (before.topics + 1, before.topic_messages + 1)
    assert world.written("kept") == ["kept"]
    assert world.store.check() == []


def test_the_ledger_keeps_what_was_deleted(world: World) -> None:
    ada = world.agent("ada")
    made = world.topic(ada)
    world.post(ada, "build", "1")
    world.topics.delete(ada, "build")
    for _ in range(2):
        (event,) = world.events("topic_deleted")
        assert (event.topic, event.actor) == (made.id, "ada")
        assert "build" in (event.detail or {}).values()
        told = [event.event for event in world.events(topic=made.id)]
        assert told == ["topic_created", "topic_joined", "topic_posted", "topic_deleted"]
        _sweep_all(world)


def test_what_a_reader_had_in_hand_of_a_deleted_topic_troubles_nobody(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    world.topic(ada)
    world.post(ada, "build", "1", "2")
    hand = world.topics.sync(bob, "build", limit=1).hand
    attached = world.topics.sync(Actor("bob"), "build", limit=1).hand
    assert hand is not None
    assert attached is not None
    world.topics.delete(ada, "build")
    assert world.topics.confirm(bob, (hand,)) == 0
    assert world.topics.give_back(bob, (hand,)) == 0
    world.clock.advance(HANDOUT_MS)
    world.agents.beat(bob.session or "")
    _sweep_all(world)
    assert world.topics.confirm(Actor("bob"), (attached,)) == 0
    world.agents.end_session(bob.session or "", "left")


def test_threads_of_a_deleted_topic_are_not_found(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    (posted,) = world.post(ada, "build", "1")
    world.topics.delete(ada, "build")
    world.topic(ada)
    with pytest.raises(ThreadNotFound):
        world.topics.history("build", thread=posted.id)


# --- #all ------------------------------------------------------------------------------------------


def test_every_agent_is_a_member_of_all_from_its_registration(world: World) -> None:
    ada = world.agent("ada")
    world.post(ada, "#all", "before")
    world.agent("bob")
    world.seat("cy")
    assert {one.agent for one in world.topics.members("all")} == {"ada", "bob", "cy"}
    assert world.topics.get("#all").members == 3
    assert world.unread("bob", "all") == 0
    world.post(ada, "#all", "after")
    assert world.unread("bob", "all") == 1
    assert world.read(Actor("bob"), "#all") == ["after"]
    assert world.written("all") == ["before", "after"]


def test_what_came_before_can_be_read_from_all(world: World) -> None:
    ada = world.agent("ada")
    world.post(ada, "#all", "before")
    bob = world.agent("bob")
    assert world.topics.join(bob, "all", start=0).unread == 1
    assert world.read(bob, "all") == ["before"]


def test_all_is_the_topic_that_its_name_makes(world: World) -> None:
    ada = world.agent("ada")
    made = world.topics.create(ada, "All")
    assert not made.created
    assert made.topic.id == world.topics.get("#all").id
    assert made.topic.name == EVERYBODY


def test_all_can_not_be_closed_renamed_deleted_or_left(world: World) -> None:
    ada = world.agent("ada")
    id_ = world.topics.get("all").id
    before = world.topics.get("all"), world.last_seq()
    for name in ("all", "#all", "ALL", id_):
        for act in (
            lambda name: world.topics.close(ada, name),
            lambda name: world.topics.rename(ada, name, "everyone"),
            lambda name: world.topics.delete(ada, name),
            lambda name: world.topics.leave(ada, name),
        ):
            with pytest.raises(TopicFixed):
                act(name)
    assert (world.topics.get("all"), world.last_seq()) == before


def test_registering_again_keeps_the_place_in_all(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.post(ada, "all", "1")
    world.agents.register(Profile("bob", description="changed"))
    assert world.unread("bob", "all") == 1
    assert world.read(bob, "all") == ["1"]
    world.agents.unregister("bob")
    world.agent("bob")
    assert world.read(bob, "all") == []


def test_an_unregistered_agent_is_no_member_to_be_seen(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.topics.join(bob, "build")
    world.agents.unregister("bob")
    for name in ("build", "all"):
        assert [one.agent for one in world.topics.members(name)] == ["ada"]
        assert world.topics.get(name).members == 1
    world.agent("bob")
    assert {one.agent for one in world.topics.members("build")} == {"ada", "bob"}
