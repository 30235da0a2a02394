"""Idempotency keys: a retry is safe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubbub.errors import IdempotencyMismatch, InboxFull
from hubbub.model import IDEMPOTENCY_MS, LEASE_MS, Actor, Draft, Filter
from tests.contract.world import World


def test_a_repeated_send_gives_the_first_answer_and_sends_nothing(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first = world.send(ada, "bob", key="k", metadata={"a": 1})
    before = world.last_seq()
    world.clock.advance(5)
    again = world.send(ada, "bob", key="k", metadata={"a": 1})
    assert again == first._replace(repeated=True)
    assert world.last_seq() == before
    assert world.take(bob, limit=5) == [first.id]


def test_a_repeated_answer_says_again_what_it_settled(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    asked = world.send(ada, "bob")
    first = world.send(bob, "ada", key="k", in_reply_to=asked.id)
    assert world.send(bob, "ada", key="k", in_reply_to=asked.id) == first._replace(repeated=True)
    assert first.settled == asked.id


def test_a_repeated_send_is_answered_even_when_it_would_be_refused_now(world: World) -> None:
    ada = world.agent("ada")
    world.agent("bob", inbox_limit=1)
    first = world.send(ada, "bob", key="k")
    assert world.send(ada, "bob", key="k").id == first.id
    world.agents.unregister("bob")
    assert world.send(ada, "bob", key="k").id == first.id


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "cy"},
        {"body": "other"},
        {"subject": "s"},
        {"kind": "task"},
        {"priority": "low"},
        {"metadata": {"a": 1}},
        {"thread": "t"},
        {"reply_within_ms": 5},
        {"ttl_ms": 5},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_key_for_another_message_is_refused(world: World, changed: dict[str, Any]) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cy")
    world.send(ada, "bob", key="k")
    before = world.last_seq()
    with pytest.raises(IdempotencyMismatch):
        world.send(ada, **{"to": "bob", "key": "k", **changed})
    assert world.last_seq() == before


def test_keys_are_each_agents_own(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first, second = world.send(ada, "bob", "1", key="k"), world.send(bob, "ada", "2", key="k")
    assert first.id != second.id
    assert not second.repeated


def test_a_key_holds_across_the_sessions_of_an_agent(world: World) -> None:
    world.agent("bob")
    old = world.seat("ada")
    first = world.send(old, "bob", key="k")
    new = world.seat("ada", take_over=True)
    assert world.send(new, "bob", key="k") == first._replace(repeated=True)
    assert world.send(Actor("ada"), "bob", key="k").id == first.id


def test_a_refused_request_leaves_its_key_free(world: World) -> None:
    ada = world.agent("ada")
    bob = world.agent("bob", inbox_limit=1)
    world.send(ada, "bob", "1")
    with pytest.raises(InboxFull):
        world.send(ada, "bob", "2", key="k")
    world.mail.settle(bob, tuple(world.take(bob)))
    assert not world.send(ada, "bob", "2", key="k").repeated


def test_a_key_is_remembered_for_a_week(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    first = world.send(ada, "bob", key="k")
    world.clock.advance(IDEMPOTENCY_MS)
    assert world.store.sweep("h").keys_forgotten == 0
    assert world.send(ada, "bob", key="k").id == first.id
    world.clock.advance(1)
    assert world.store.sweep("h").keys_forgotten == 1
    assert world.send(ada, "bob", key="k").id != first.id


def test_a_repeated_receive_hands_out_the_same_and_counts_once(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = [world.send(ada, "bob", str(number)).id for number in range(3)]
    first = world.mail.receive(bob, limit=2, key="k")
    again = world.mail.receive(bob, limit=2, key="k")
    assert again == first
    assert [delivery.message.id for delivery in again.deliveries] == sent[:2]
    assert [delivery.delivery_count for delivery in again.deliveries] == [1, 1]


@pytest.mark.parametrize(
    "changed",
    [{"limit": 2}, {"max_bytes": 9}, {"lease_ms": 9000}, {"wanted": Filter(kind="message")}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_key_for_another_receive_is_refused(world: World, changed: dict[str, Any]) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.send(ada, "bob")
    world.mail.receive(bob, key="k")
    with pytest.raises(IdempotencyMismatch):
        world.mail.receive(bob, key="k", **changed)


def test_an_empty_hand_out_is_no_answer_to_repeat(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    assert world.take(bob, key="k") == []
    sent = world.send(ada, "bob")
    assert world.take(bob, key="k") == [sent.id]


def test_a_repeated_receive_does_not_share_what_another_session_has_by_now(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    sent = world.send(ada, "bob")
    assert world.take(bob, key="k") == [sent.id]
    world.clock.advance(LEASE_MS)
    assert world.take(Actor("bob")) == [sent.id]
    assert world.take(bob, key="k") == []


def test_a_repeated_settle_or_release_is_answered_again(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    assert world.mail.release(bob, (sent,), key="r") == (sent,)
    assert world.mail.release(bob, (sent,), key="r") == (sent,)
    world.take(bob)
    assert world.mail.settle(bob, (sent,), key="s") == (sent,)
    before = world.last_seq()
    assert world.mail.settle(bob, (sent,), key="s") == (sent,)
    assert world.last_seq() == before


def _send(world: World, bob: Actor, id_: str) -> object:
    return world.mail.send(bob, Draft(("ada",), "x"), key="k")


def _receive(world: World, bob: Actor, id_: str) -> object:
    return world.mail.receive(bob, key="k")


def _settle(world: World, bob: Actor, id_: str) -> object:
    return world.mail.settle(bob, (id_,), key="k")


def _release(world: World, bob: Actor, id_: str) -> object:
    return world.mail.release(bob, (id_,), key="k")


OPERATIONS: list[Callable[[World, Actor, str], object]] = [_send, _receive, _settle, _release]


@pytest.mark.parametrize("first", OPERATIONS)
@pytest.mark.parametrize("second", OPERATIONS)
def test_a_key_of_one_operation_is_refused_by_another(
    world: World, first: Callable[[World, Actor, str], object], second: Callable[[World, Actor, str], object]
) -> None:
    ada, bob = world.agents_named("ada", "bob")
    one, _ = world.send(ada, "bob", "1").id, world.send(ada, "bob", "2")
    if first in (_settle, _release):
        world.take(bob)
    first(world, bob, one)
    if first is second:
        second(world, bob, one)  # a safe retry
        return
    with pytest.raises(IdempotencyMismatch):
        second(world, bob, one)
