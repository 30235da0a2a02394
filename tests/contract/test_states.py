"""The states of a delivery: every pair of state and event, those that lead on and those that can't."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import HubbubError
from hubbub.model import LEASE_MS, MAX_DELIVERIES, Actor
from tests.contract.world import World

TTL_MS = 10_000_000
"""Longer than it takes to use up the deliveries of a message."""

STATES = ("queued", "leased", "settled", "dead", "purged")


def _receive(world: World, bob: Actor, id_: str) -> None:
    world.take(bob, limit=10)


def _acknowledge(world: World, bob: Actor, id_: str) -> None:
    world.mail.settle(bob, (id_,))


def _reply(world: World, bob: Actor, id_: str) -> None:
    world.send(bob, "ada", "done", in_reply_to=id_)


def _implicit(world: World, bob: Actor, id_: str) -> None:
    world.mail.settle_implicitly(bob, (id_,))


def _release(world: World, bob: Actor, id_: str) -> None:
    world.mail.release(bob, (id_,))


def _lease_runs_out(world: World, bob: Actor, id_: str) -> None:
    world.clock.advance(LEASE_MS)
    world.agents.beat(bob.session or "")


def _session_ends(world: World, bob: Actor, id_: str) -> None:
    world.agents.end_session(bob.session or "", "left")


def _expires(world: World, bob: Actor, id_: str) -> None:
    world.clock.advance(TTL_MS)


def _retry(world: World, bob: Actor, id_: str) -> None:
    world.mail.retry((id_,))


def _purge(world: World, bob: Actor, id_: str) -> None:
    world.mail.purge((id_,))


EVENTS: dict[str, Callable[[World, Actor, str], None]] = {
    "receive": _receive,
    "acknowledge": _acknowledge,
    "reply": _reply,
    "implicit": _implicit,
    "release": _release,
    "lease runs out": _lease_runs_out,
    "session ends": _session_ends,
    "expires": _expires,
    "retry": _retry,
    "purge": _purge,
}

# What an event leads to from each of STATES, in their order: a state, or the code of a refusal.
TABLE = {
    "receive": ("leased", "leased", "settled", "dead", "purged"),
    "acknowledge": ("settled", "settled", "ALREADY_SETTLED", "DELIVERY_DEAD", "NOT_YOUR_MESSAGE"),
    "reply": ("settled", "settled", "settled", "settled", "NOT_YOUR_MESSAGE"),
    "implicit": ("queued", "settled", "settled", "dead", "purged"),
    "release": ("NOT_LEASED", "queued", "NOT_LEASED", "NOT_LEASED", "NOT_YOUR_MESSAGE"),
    "lease runs out": ("queued", "queued", "settled", "dead", "purged"),
    "session ends": ("queued", "queued", "settled", "dead", "purged"),
    "expires": ("dead", "leased", "settled", "dead", "purged"),
    "retry": ("NOT_DEAD", "NOT_DEAD", "NOT_DEAD", "queued", "NOT_DEAD"),
    "purge": ("NOT_DEAD", "NOT_DEAD", "NOT_DEAD", "purged", "NOT_DEAD"),
}
ROWS = [(state, event, TABLE[event][column]) for event in EVENTS for column, state in enumerate(STATES)]


def _whereabouts(world: World, id_: str) -> str:
    return world.mail.whereabouts(id_).recipients[0].state


def _bring_to(world: World, bob: Actor, id_: str, state: str, lease_ms: int) -> None:
    if state in ("dead", "purged"):
        world.use_up("bob", id_)
        world.agents.beat(bob.session or "")
    if state == "purged":
        assert _whereabouts(world, id_) == "dead"
        world.mail.purge((id_,))
    if state in ("leased", "settled"):
        assert world.take(bob, lease_ms=lease_ms) == [id_]
    if state == "settled":
        world.mail.settle(bob, (id_,))
    assert _whereabouts(world, id_) == state


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == EVENTS.keys()
    assert all(len(row) == len(STATES) for row in TABLE.values())


@pytest.mark.parametrize(("state", "event", "outcome"), ROWS)
def test_transition(world: World, state: str, event: str, outcome: str) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    id_ = world.send(ada, "bob", ttl_ms=TTL_MS).id
    assert _whereabouts(world, id_) == "queued"
    _bring_to(world, bob, id_, state, 2 * TTL_MS if event == "expires" else LEASE_MS)
    before = world.last_seq()
    if outcome in STATES:
        EVENTS[event](world, bob, id_)
        assert _whereabouts(world, id_) == outcome
    else:
        with pytest.raises(HubbubError) as caught:
            EVENTS[event](world, bob, id_)
        assert caught.value.code == outcome
        assert _whereabouts(world, id_) == state
    if outcome != state:
        return
    # A state that stays as it is leaves no transition in the ledger.
    kinds = {entry.event for entry in world.events(after=before, message=id_)}
    assert kinds <= {"message_sent"}


def test_a_lease_lasts_as_long_as_was_said_and_not_a_moment_longer(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    delivery = world.take_one(bob)
    assert delivery.lease_until == world.store.now() + LEASE_MS
    world.clock.advance(LEASE_MS - 1)
    assert world.state("bob", id_) == "leased"
    world.clock.advance(1)
    assert world.state("bob", id_) == "queued"


def test_a_receiver_may_ask_for_another_lease(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    assert world.take_one(bob, lease_ms=1000).lease_until == world.store.now() + 1000
    world.clock.advance(1000)
    assert world.state("bob", id_) == "queued"


def test_an_unsettled_message_comes_back_marked_until_its_deliveries_are_used_up(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    for count in range(1, MAX_DELIVERIES + 1):
        delivery = world.take_one(bob)
        assert (delivery.message.id, delivery.delivery_count) == (id_, count)
        assert delivery.redelivered is (count > 1)
        assert len(delivery.reasons) == count - 1
        world.clock.advance(LEASE_MS)
    assert world.take(bob) == []
    (dead,) = world.mail.dead(agent="bob")
    assert dead.message.id == id_
    assert dead.delivery_count == MAX_DELIVERIES
    assert len(dead.reasons) == MAX_DELIVERIES + 1
    assert "lease ran out" in dead.reasons[0]
    assert "dead" in dead.reasons[-1]
    assert str(MAX_DELIVERIES) in dead.reasons[-1]


def test_ended_sessions_use_deliveries_up_too(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    for _ in range(MAX_DELIVERIES):
        bob = world.seat("bob")
        assert world.take(bob) == [id_]
        world.agents.end_session(bob.session or "", "crashed")
    (dead,) = world.mail.dead(agent="bob")
    assert dead.message.id == id_
    assert all("session" in reason for reason in dead.reasons[:-1])


def test_an_expired_message_says_so(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", ttl_ms=1000).id
    world.clock.advance(999)
    assert world.state("bob", id_) == "queued"
    world.clock.advance(1)
    delivery = world.mail.delivery("bob", id_)
    assert delivery.state == "dead"
    assert "expired" in delivery.reasons[-1]


def test_a_message_that_was_taken_in_time_expires_when_it_comes_back(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", ttl_ms=1000).id
    world.take(bob)
    world.clock.advance(LEASE_MS)
    assert world.state("bob", id_) == "dead"


@pytest.mark.parametrize("state", ["queued", "dead"])
def test_a_lease_that_ran_out_can_no_longer_be_released(world: World, state: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    world.use_up("bob", id_, times=MAX_DELIVERIES - 1 if state == "dead" else 0)
    assert world.take(bob) == [id_]
    world.clock.advance(LEASE_MS)
    with pytest.raises(HubbubError) as caught:
        world.mail.release(bob, (id_,), unseen=True)
    assert caught.value.code == "NOT_LEASED"
    assert world.state("bob", id_) == state
