"""Settling and releasing."""

from __future__ import annotations

import pytest

from hubbub.errors import (
    AlreadySettled,
    DeliveryDead,
    HubbubError,
    MessageNotFound,
    NotLeased,
    NotYourMessage,
)
from hubbub.model import LEASE_MS, Actor
from tests.contract.world import World


def _mistyped(id_: str) -> str:
    return id_[:-1] + ("0" if id_[-1] != "0" else "1")


def test_all_are_settled_or_none(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "cy")
    mine, other = world.send(ada, "bob").id, world.send(ada, "cy").id
    world.take(bob)
    before = world.last_seq()
    with pytest.raises(NotYourMessage):
        world.mail.settle(bob, (mine, other))
    assert world.last_seq() == before
    assert world.state("bob", mine) == "leased"
    second = world.send(ada, "bob").id
    world.take(bob)
    assert world.mail.settle(bob, (second, mine)) == (second, mine)
    assert world.state("bob", mine) == world.state("bob", second) == "settled"


@pytest.mark.parametrize("text", ["", "nonsense", "m1zzzzz", "m", "m" * 500, "1"])
def test_settling_what_is_no_message(world: World, text: str) -> None:
    with pytest.raises(MessageNotFound):
        world.mail.settle(world.agent("bob"), (text,))


def test_a_mistyped_id_is_no_message(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    with pytest.raises(MessageNotFound):
        world.mail.settle(bob, (_mistyped(sent),))
    assert world.mail.settle_implicitly(bob, (_mistyped(sent),)) == ()
    assert world.state("bob", sent) == "leased"


def test_settling_twice(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    world.mail.settle(bob, (sent,))
    with pytest.raises(AlreadySettled):
        world.mail.settle(bob, (sent,))


def test_settling_what_was_settled_implicitly_is_fine_and_does_nothing(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    world.mail.settle_implicitly(bob, (sent,))
    before = world.last_seq()
    assert world.mail.settle(bob, (sent,)) == (sent,)
    assert world.last_seq() == before
    assert world.mail.whereabouts(sent).recipients[0].settled_by == "implicit"


def test_settling_a_dead_letter(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.dead_letter("bob", ada)
    with pytest.raises(DeliveryDead) as caught:
        world.mail.settle(bob, (sent.id,))
    assert sent.id in caught.value.hint


def test_settling_late_is_fine(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    world.clock.advance(LEASE_MS + 1)
    assert world.mail.settle(bob, (sent,)) == (sent,)
    assert world.take(bob) == []
    (event,) = world.events("message_settled")
    assert event.detail == {"by": "acknowledge", "from": "queued"}


def test_settling_what_was_never_received(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    assert world.mail.settle(bob, (sent,)) == (sent,)
    assert world.take(bob) == []


def test_implicit_settlement_takes_only_what_this_session_has_in_hand(world: World) -> None:
    ada, bob, cy = world.agent("ada"), world.seat("bob"), world.agent("cy")
    mine, others, queued = (world.send(ada, "bob").id for _ in range(3))
    not_mine = world.send(ada, "cy").id
    assert world.take(bob) == [mine]
    assert world.take(Actor("bob")) == [others]
    world.take(cy)
    ids = (queued, others, not_mine, "nonsense", mine)
    assert world.mail.settle_implicitly(bob, ids) == (mine,)
    assert world.state("bob", mine) == "settled"
    assert world.state("bob", others) == "leased"
    assert world.state("bob", queued) == "queued"
    assert world.state("cy", not_mine) == "leased"
    assert world.mail.settle_implicitly(bob, ids) == ()


def test_release_gives_back_now(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    assert world.mail.release(bob, (sent,)) == (sent,)
    again = world.take_one(bob)
    assert (again.message.id, again.delivery_count, again.redelivered) == (sent, 2, True)


def test_release_of_what_never_left_does_not_count(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    for _ in range(7):
        delivery = world.take_one(bob)
        assert (delivery.delivery_count, delivery.redelivered) == (1, False)
        world.mail.release(bob, (sent,), unseen=True)
    assert world.mail.delivery("bob", sent).delivery_count == 0


def test_all_are_released_or_none(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first, second = world.send(ada, "bob").id, world.send(ada, "bob").id
    world.take(bob)
    with pytest.raises(NotLeased):
        world.mail.release(bob, (first, second))
    assert world.state("bob", first) == "leased"
    world.take(bob)
    assert world.mail.release(bob, (first, second)) == (first, second)
    assert world.take(bob, limit=5) == [first, second]


@pytest.mark.parametrize("kind", ["unknown", "mistyped", "not mine"])
def test_release_is_refused_as_settle_is(world: World, kind: str) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    sent = world.send(ada, "cy").id
    world.take(cy)
    asked, code = {
        "unknown": ("nonsense", "MESSAGE_NOT_FOUND"),
        "mistyped": (_mistyped(sent), "MESSAGE_NOT_FOUND"),
        "not mine": (sent, "NOT_YOUR_MESSAGE"),
    }[kind]
    with pytest.raises(HubbubError) as caught:
        world.mail.release(bob, (asked,))
    assert caught.value.code == code
    assert world.state("cy", sent) == "leased"


def test_a_delayed_message_is_not_seen_before_its_time(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first, second = world.send(ada, "bob").id, world.send(ada, "bob").id
    world.take(bob)
    world.mail.release(bob, (first,), delay_ms=1000)
    assert [one.message.id for one in world.mail.peek("bob").deliveries] == [second]
    assert world.take(bob, limit=5) == [second]
    world.clock.advance(1000)
    assert world.take(bob, limit=5) == [first]
    world.mail.release(bob, (first,))
    assert world.take(bob) == [first]
