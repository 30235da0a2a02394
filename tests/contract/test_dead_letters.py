"""Dead letters: listed with their reasons, retried, purged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import InboxFull, MessageNotFound, NotDead, NotRegistered
from hubbub.model import LEASE_MS, MAX_DELIVERIES, Actor
from tests.contract.world import World

WAYS: list[Callable[[World, tuple[str, ...]], int]] = [
    lambda world, ids: world.mail.retry(ids),
    lambda world, ids: world.mail.purge(ids),
]
BOTH = pytest.mark.parametrize("way", WAYS, ids=["retry", "purge"])


def test_dead_letters_are_listed_by_seq(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cy")
    sent = [world.send(ada, to, ttl_ms=1000).id for to in ("cy", "bob", ("bob", "cy"))]
    world.clock.advance(1000)
    world.store.sweep("h")
    found = [(one.message.id, one.agent, one.state) for one in world.mail.dead()]
    assert found == [
        (sent[0], "cy", "dead"),
        (sent[1], "bob", "dead"),
        (sent[2], "bob", "dead"),
        (sent[2], "cy", "dead"),
    ]
    assert [one.message.id for one in world.mail.dead(agent="bob")] == [sent[1], sent[2]]
    assert [one.message.id for one in world.mail.dead(limit=1)] == sent[:1]
    first = world.mail.dead(limit=1)[0].message.seq
    assert [one.message.id for one in world.mail.dead(agent="bob", after=first)] == sent[1:]
    assert all("expired" in one.reasons[-1] for one in world.mail.dead())


@pytest.mark.parametrize("agent", [None, "bob"])
def test_dead_letters_include_what_fell_due(world: World, agent: str | None) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob", ttl_ms=1000).id
    assert world.mail.dead(agent=agent) == []
    world.clock.advance(1000)
    assert [one.message.id for one in world.mail.dead(agent=agent)] == [sent]


@BOTH
@pytest.mark.parametrize("why", ["expired", "used up"])
def test_what_fell_due_can_be_retried_and_purged_at_once(
    world: World, way: Callable[[World, tuple[str, ...]], int], why: str
) -> None:
    ada, _ = world.agents_named("ada", "bob")
    if why == "expired":
        sent = world.send(ada, "bob", ttl_ms=1000).id
        world.clock.advance(1000)
    else:
        sent = world.send(ada, "bob").id
        world.use_up("bob", sent)
    assert way(world, (sent,)) == 1


def test_retry_resets_the_count_and_keeps_the_reasons(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.use_up("bob", sent)
    reasons = world.mail.delivery("bob", sent).reasons
    assert len(reasons) == MAX_DELIVERIES + 1
    assert world.mail.retry((sent,)) == 1
    delivery = world.take_one(bob)
    assert (delivery.message.id, delivery.delivery_count) == (sent, 1)
    assert delivery.reasons == reasons
    world.clock.advance(LEASE_MS)
    world.use_up("bob", sent, times=MAX_DELIVERIES - 1)
    again = world.mail.delivery("bob", sent)
    assert again.state == "dead"
    assert again.reasons[: len(reasons)] == reasons
    assert len(again.reasons) == 2 * len(reasons)


def test_a_retried_message_does_not_expire_a_second_time(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.dead_letter("bob", ada)
    world.mail.retry((sent.id,))
    world.clock.advance(86_400_000)
    assert world.state("bob", sent.id) == "queued"


@BOTH
def test_all_or_none(world: World, way: Callable[[World, tuple[str, ...]], int]) -> None:
    ada, _ = world.agents_named("ada", "bob")
    dead = world.dead_letter("bob", ada).id
    queued = world.send(ada, "bob").id
    before = world.last_seq()
    with pytest.raises(NotDead) as caught:
        way(world, (dead, queued))
    assert queued in caught.value.message
    for unknown in ("nonsense", "m1zzzzz", ""):
        with pytest.raises(MessageNotFound):
            way(world, (dead, unknown))
    assert world.last_seq() == before
    assert world.state("bob", dead) == "dead"
    second = world.dead_letter("bob", ada).id
    assert way(world, (dead, second)) == 2


def test_a_message_dead_for_several_is_handled_for_all_or_for_the_one_named(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cy")
    sent = world.send(ada, ("bob", "cy"), ttl_ms=1000).id
    world.clock.advance(1000)
    world.store.sweep("h")
    assert world.mail.purge((sent,), agent="cy") == 1
    assert world.state("bob", sent) == "dead"
    assert world.mail.message(sent).body == "hello"
    with pytest.raises(NotDead):
        world.mail.retry((sent,), agent="cy")
    assert world.mail.retry((sent,)) == 1
    assert world.state("bob", sent) == "queued"


def test_retry_keeps_the_bound_of_the_inbox(world: World) -> None:
    ada = world.agent("ada")
    world.agent("bob", inbox_limit=2)
    dead = [world.dead_letter("bob", ada).id for _ in range(2)]
    world.send(ada, "bob")
    before = world.last_seq()
    with pytest.raises(InboxFull) as caught:
        world.mail.retry(tuple(dead))
    assert caught.value.details["recipient"] == "bob"
    assert world.last_seq() == before
    assert [world.state("bob", id_) for id_ in dead] == ["dead", "dead"]
    assert world.mail.retry((dead[0],)) == 1


def test_purge_blanks_the_text_and_the_ledger_keeps_that_it_was(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob", "secret", subject="s", metadata={"a": 1}, ttl_ms=1000)
    world.clock.advance(1000)
    assert world.state("bob", sent.id) == "dead"
    assert world.mail.purge((sent.id,), by=ada) == 1
    message = world.mail.message(sent.id)
    assert (message.subject, message.body, message.metadata) == ("", "", None)
    assert (message.id, message.sender, message.recipients) == (sent.id, "ada", ("bob",))
    assert world.mail.dead() == []
    assert world.mail.peek("bob").deliveries == ()
    (event,) = world.events("message_purged")
    assert (event.actor, event.message, event.agent) == ("ada", sent.id, "bob")
    assert [one.event for one in world.events(message=sent.id)] == [
        "message_sent",
        "message_expired",
        "message_purged",
    ]
    assert world.agents.get("bob").dead == 0
    assert world.take(bob) == []


@BOTH
def test_who_asks_must_be_registered(world: World, way: Callable[[World, tuple[str, ...]], int]) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.dead_letter("bob", ada).id
    act = world.mail.retry if way is WAYS[0] else world.mail.purge
    with pytest.raises(NotRegistered):
        act((sent,), by=Actor("nobody"))
    assert world.state("bob", sent) == "dead"
    assert act((sent,), by=ada) == 1
