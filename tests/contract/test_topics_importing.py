"""Topics filled from elsewhere: unseen until they are whole, and gone on with after a stop."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import HubbubError, InvalidArgument, NotFound, TopicExists, TopicNotFound
from hubbub.model import Actor
from hubbub.model_topics import Imported, Post
from hubbub.names import topic_id
from tests.contract.world import World

IMPORT_KEPT_MS = 7 * 86_400_000
OLD = 1_500_000_000_000

MESSAGES = (
    Imported("cy", "question", "what?", {"a": 1}, None, OLD + 1),
    Imported("Old Name", "answer", "that", None, 1, OLD + 2),
    Imported("ada", "message", "own", None, None, OLD + 3),
    Imported("cy", "message", "thanks", None, 2, OLD + 4),
)


def _begin(world: World, actor: Actor, source: str = "s", name: str = "old", **options: Any) -> int:
    begun = world.topics.begin_import(actor, source, name, created_at=OLD, **options)
    assert begun.topic.state == "importing"
    return begun.done


def _import(world: World, actor: Actor, source: str = "s", name: str = "old", **options: Any) -> str:
    _begin(world, actor, source, name)
    assert world.topics.add_imported(actor, source, 0, MESSAGES) == 4
    return world.topics.finish_import(actor, source, **options).id


def test_an_imported_topic_is_as_it_once_was(world: World) -> None:
    ada = world.agent("ada")
    assert _begin(world, ada, metadata={"from": "elsewhere"}) == 0
    world.topics.add_imported(ada, "s", 0, MESSAGES)
    world.topics.finish_import(ada, "s")
    topic = world.topics.get("old")
    assert (topic.name, topic.state, topic.metadata) == ("old", "open", {"from": "elsewhere"})
    assert (topic.created_at, topic.last_seq) == (OLD, 4)
    found = world.topics.history("old").messages
    shown = [(one.seq, one.sender, one.kind, one.body, one.metadata, one.created_at) for one in found]
    assert shown == [
        (number, one.sender, one.kind, one.body, one.metadata, one.created_at)
        for number, one in enumerate(MESSAGES, 1)
    ]
    ids = [one.id for one in found]
    assert [one.reply_to for one in found] == [None, ids[0], None, ids[1]]
    assert [one.thread for one in found] == [ids[0], ids[0], ids[2], ids[0]]
    assert [one.id for one in world.topics.history("old", thread=ids[3]).messages] == [ids[0], ids[1], ids[3]]


def test_nobody_sees_an_import_before_it_is_finished(world: World) -> None:
    ada = world.agent("ada")
    begun = world.topics.begin_import(ada, "s", "old", created_at=OLD)
    world.topics.add_imported(ada, "s", 0, MESSAGES)
    before = world.store.info()
    for name in ("old", begun.topic.id):
        for act in (
            lambda name: world.topics.get(name),
            lambda name: world.topics.history(name),
            lambda name: world.topics.sync(ada, name),
            lambda name: world.topics.join(ada, name),
            lambda name: world.topics.close(ada, name),
            lambda name: world.topics.delete(ada, name),
            lambda name: world.topics.members(name),
        ):
            with pytest.raises(TopicNotFound):
                act(name)
    assert [one.name for one in world.topics.list(state="all").topics] == ["all"]
    assert before.topics == 1
    world.topics.finish_import(ada, "s")
    assert world.store.info().topics == 2


def test_messages_of_an_unfinished_import_are_not_found(world: World) -> None:
    ada = world.agent("ada")
    topic = _import(world, ada)
    (posted,) = world.topics.history("old", limit=1).messages
    assert world.topics.message(posted.id).topic == topic
    world.topics.begin_import(ada, "t", "new", created_at=OLD)
    world.topics.add_imported(ada, "t", 0, MESSAGES)
    for event in world.events("topic_posted"):
        assert event.topic == topic


def test_an_import_goes_on_where_it_stopped(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    _begin(world, ada)
    assert world.topics.add_imported(ada, "s", 0, MESSAGES[:2]) == 2
    assert _begin(world, bob) == 2
    # The same part again, after an answer that got lost, does nothing.
    assert world.topics.add_imported(bob, "s", 0, MESSAGES[:2]) == 2
    assert world.topics.add_imported(bob, "s", 1, MESSAGES[1:]) == 2
    assert world.topics.add_imported(bob, "s", 2, MESSAGES[2:]) == 4
    assert _begin(world, ada) == 4
    world.topics.finish_import(ada, "s")
    assert world.written("old") == [one.body for one in MESSAGES]


def test_an_import_leaves_no_gap(world: World) -> None:
    ada = world.agent("ada")
    _begin(world, ada)
    with pytest.raises(HubbubError):
        world.topics.add_imported(ada, "s", 3, MESSAGES)
    assert _begin(world, ada) == 0


@pytest.mark.parametrize("reply_to", [2, 3, 99, 0, -1])
def test_a_message_answers_only_one_before_it(world: World, reply_to: int) -> None:
    ada = world.agent("ada")
    _begin(world, ada)
    bad = (MESSAGES[0], Imported("cy", "message", "x", None, reply_to, OLD))
    with pytest.raises(InvalidArgument):
        world.topics.add_imported(ada, "s", 0, bad)
    assert _begin(world, ada) == 0


def test_several_imports_side_by_side(world: World) -> None:
    ada = world.agent("ada")
    for source, name in (("s", "one"), ("t", "other")):
        _begin(world, ada, source, name)
    world.topics.add_imported(ada, "t", 0, MESSAGES[:1])
    world.topics.add_imported(ada, "s", 0, MESSAGES)
    for source in ("s", "t"):
        world.topics.finish_import(ada, source)
    assert (len(world.written("one")), len(world.written("other"))) == (4, 1)


def test_a_closed_topic_is_imported_closed(world: World) -> None:
    ada = world.agent("ada")
    _import(world, ada, closed_at=OLD + 9, close_reason="done")
    topic = world.topics.get("old")
    assert (topic.state, topic.closed_at, topic.close_reason) == ("closed", OLD + 9, "done")
    assert world.topics.reopen(ada, "old").changed


def test_a_name_that_is_taken_is_refused_at_the_start(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada, "Old")
    before = world.last_seq()
    with pytest.raises(TopicExists):
        world.topics.begin_import(ada, "s", "old", created_at=OLD)
    assert world.last_seq() == before


def test_a_name_that_was_taken_meanwhile_is_refused_at_the_end(world: World) -> None:
    ada = world.agent("ada")
    _begin(world, ada)
    world.topics.add_imported(ada, "s", 0, MESSAGES)
    taken = world.topic(ada, "old").id
    with pytest.raises(TopicExists):
        world.topics.finish_import(ada, "s")
    assert world.written("old") == []
    # Once the name is free the import can be ended, with nothing done twice.
    world.topics.rename(ada, taken, "newer")
    assert _begin(world, ada) == 4
    world.topics.finish_import(ada, "s")
    assert len(world.written("old")) == 4


def test_an_import_can_go_on_under_another_name(world: World) -> None:
    ada = world.agent("ada")
    _begin(world, ada)
    world.topics.add_imported(ada, "s", 0, MESSAGES)
    world.topic(ada, "old")
    assert _begin(world, ada, name="old, imported") == 4
    world.topics.finish_import(ada, "s")
    assert len(world.written("old, imported")) == 4


def test_nothing_is_added_to_or_finished_that_was_not_begun(world: World) -> None:
    ada = world.agent("ada")
    _import(world, ada)
    before = world.last_seq()
    for source in ("s", "nonsense"):
        with pytest.raises(NotFound):
            world.topics.add_imported(ada, source, 0, MESSAGES)
        with pytest.raises(NotFound):
            world.topics.finish_import(ada, source)
    assert world.last_seq() == before


def test_an_imported_topic_is_used_like_any_other(world: World) -> None:
    ada, cy = world.agents_named("ada", "cy")
    _import(world, ada)
    # What an import says that somebody wrote is nobody's own: everyone gets it, and sees who brought it.
    synced = world.topics.sync(ada, "old")
    assert [one.body for one in synced.messages] == ["what?", "that", "own", "thanks"]
    assert {one.imported_by for one in synced.messages} == {"ada"}
    assert world.unread("ada", "old") == 0
    joined = world.topics.join(cy, "old")
    assert joined.unread == 4
    assert world.read(cy, "old", limit=1) == ["what?"]
    assert world.read(cy, "old") == ["that", "own", "thanks"]
    assert world.unread("cy", "old") == 0
    answered = world.topics.history("old").messages[1].id
    (posted,) = world.post(cy, "old", Post("late answer", reply_to=answered))
    assert posted.seq == 5
    assert world.topics.delete(ada, "old").changed


def test_an_import_that_nobody_goes_on_with_is_given_up_in_the_end(world: World) -> None:
    ada = world.agent("ada")
    _begin(world, ada)
    world.topics.add_imported(ada, "s", 0, MESSAGES)
    world.clock.advance(IMPORT_KEPT_MS)
    assert world.store.sweep("h").posts_removed == 0
    assert _begin(world, ada) == 4
    world.clock.advance(IMPORT_KEPT_MS + 1)
    assert world.store.sweep("h").posts_removed == 4
    with pytest.raises(NotFound):
        world.topics.finish_import(ada, "s")
    assert _begin(world, ada) == 0
    world.topics.add_imported(ada, "s", 0, MESSAGES)
    world.topics.finish_import(ada, "s")
    assert len(world.written("old")) == 4


def test_the_maker_of_an_import_is_in_the_ledger(world: World) -> None:
    ada = world.agent("ada")
    topic = _import(world, ada)
    (event,) = world.events("topic_imported")
    assert (event.actor, event.topic) == ("ada", topic)
    assert topic != topic_id(1, 0)


def test_who_registers_under_the_name_of_a_sender_of_then_has_not_written_it(world: World) -> None:
    ada = world.agent("ada")
    _import(world, ada)
    cy = world.agent("cy")
    for start, unread in ((1, 3), (0, 4), (3, 1)):
        assert world.topics.join(cy, "old", start=start).unread == unread
    world.topics.reset(cy, "old", 0)
    assert world.read(cy, "old") == ["what?", "that", "own", "thanks"]
    world.post(cy, "old", "mine")
    assert world.topics.history("old").messages[-1].imported_by is None
    assert world.unread("cy", "old") == 0
