"""Announcements: mail of which everyone can know, because a copy stands in ``#all``."""

from __future__ import annotations

import pytest

from hubbub.errors import IdempotencyMismatch, InboxFull, UnknownRecipient
from hubbub.model import Draft, Sent
from tests.contract.world import World


def _announced(world: World, **fields: object) -> Sent:
    """Mail of ada to bob, announced."""
    key = fields.pop("key", None)
    draft = Draft(("bob",), "the parser is done", announce=True, **fields)  # type: ignore[arg-type]
    sent = world.mail.send(world.agent("ada"), draft, key=key)  # type: ignore[arg-type]
    assert sent.announced is not None
    return sent


def test_an_announced_message_is_in_the_inbox_and_in_all(world: World) -> None:
    world.agents_named("bob", "cy")
    sent = _announced(world, subject="parser", kind="status", metadata={"branch": "fix"})
    bob, cy = world.agent("bob"), world.agent("cy")
    assert world.take(bob) == [sent.id]
    copy = world.topics.message(sent.announced or "")
    assert (copy.topic, copy.seq, copy.sender) == (world.topics.get("all").id, 1, "ada")
    assert "the parser is done" in copy.body
    assert (copy.reply_to, copy.thread) == (None, copy.id)
    assert world.topics.sync(cy, "#all").messages == (copy,)


def test_the_copy_names_the_message(world: World) -> None:
    world.agents_named("bob")
    sent = _announced(world)
    copy = world.topics.message(sent.announced or "")
    assert copy.metadata is not None
    assert sent.id in copy.metadata.values()


def test_everyone_but_the_sender_has_it_unread(world: World) -> None:
    world.agents_named("bob", "cy")
    _announced(world)
    assert {name: world.unread(name, "all") for name in ("ada", "bob", "cy")} == {"ada": 0, "bob": 1, "cy": 1}


def test_what_is_not_announced_is_not_in_all(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    assert world.send(ada, "bob").announced is None
    assert world.topics.get("all").last_seq == 0


def test_an_announcement_wakes_nobody_who_waits_in_all(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    topic = world.topics.get("all").id
    with world.store.bell(f"topic/{topic}") as bell, world.store.bell("inbox/bob") as witness:
        _announced(world)
        assert witness.wait(20)
        assert not bell.wait(0)
        world.post(ada, "all", "this does")
        assert bell.wait(20)
    assert world.read(bob, "all") == ["the parser is done", "this does"]


def test_a_repeated_send_announces_once(world: World) -> None:
    world.agents_named("bob")
    first = _announced(world, key="k")
    assert _announced(world, key="k") == first._replace(repeated=True)
    assert world.topics.get("all").last_seq == 1
    with pytest.raises(IdempotencyMismatch):
        world.send(world.agent("ada"), "bob", "the parser is done", key="k")


def test_what_is_refused_is_not_announced(world: World) -> None:
    ada = world.agent("ada")
    bob = world.agent("bob", inbox_limit=1)
    with pytest.raises(UnknownRecipient):
        world.send(ada, "nobody", announce=True)
    world.send(ada, "bob")
    with pytest.raises(InboxFull):
        world.send(ada, "bob", announce=True)
    assert world.topics.get("all").last_seq == 0
    assert world.read(bob, "all") == []


def test_an_announcement_to_several_is_one(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cy")
    sent = world.send(ada, ("bob", "cy"), announce=True)
    assert sent.announced is not None
    assert world.send(ada, "*", announce=True).announced != sent.announced
    assert world.topics.get("all").last_seq == 2


def test_an_announcement_is_in_the_ledger(world: World) -> None:
    world.agents_named("bob")
    sent = _announced(world)
    (event,) = world.events("topic_posted")
    assert (event.actor, event.message, event.topic) == ("ada", sent.announced, world.topics.get("all").id)
    assert [event.message for event in world.events("message_sent")] == [sent.id]
