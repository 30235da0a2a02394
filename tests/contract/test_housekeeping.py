"""Housekeeping: what falls due is done by whoever is up, one at a time."""

from __future__ import annotations

import threading

import pytest

from hubbub.model import IDEMPOTENCY_MS, LEASE_MS, SESSION_TTL_MS, Swept
from hubbub.stores import open_store
from tests.contract.conftest import Place
from tests.contract.world import World

HOUR_MS = 3_600_000
LONGER_THAN_A_DUTY_MS = 60_000


def test_a_round_does_all_that_fell_due(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    leased = world.send(ada, "bob", key="k").id
    world.take(bob)
    expiring = world.send(ada, "bob", ttl_ms=1000).id
    world.clock.advance(LEASE_MS)
    assert world.store.sweep("h") == Swept(True, 1, 1, 1, 0, indexed=2)
    assert world.state("bob", leased) == "queued"
    assert world.state("bob", expiring) == "dead"
    assert world.agents.sessions() == []
    world.clock.advance(IDEMPOTENCY_MS)
    assert world.store.sweep("h") == Swept(True, 0, 0, 0, 1)


def test_a_session_that_expires_returns_what_it_had_in_hand(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    world.clock.advance(SESSION_TTL_MS)
    assert world.store.sweep("h").sessions_expired == 1
    assert world.state("bob", sent) == "queued"
    (event,) = world.events("session_expired")
    assert (event.actor, event.session) == ("bob", bob.session)


def test_nothing_due_is_no_event(world: World) -> None:
    world.agent("ada")
    before = world.last_seq()
    for _ in range(3):
        assert world.store.sweep("h") == Swept(ran=True)
        world.clock.advance(10_000)
    assert world.last_seq() == before


def test_a_second_holder_does_not_run(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    assert world.store.sweep("first").ran
    world.send(ada, "bob", ttl_ms=1000)
    world.clock.advance(1000)
    assert world.store.sweep("second") == Swept(ran=False)
    assert world.store.sweep("first").messages_expired == 1


def test_the_duty_stays_with_one_that_keeps_doing_it(world: World) -> None:
    for _ in range(10):
        assert world.store.sweep("first").ran
        world.clock.advance(10_000)
        assert not world.store.sweep("second").ran


def test_the_duty_moves_on_when_its_holder_stops(world: World) -> None:
    assert world.store.sweep("first").ran
    world.clock.advance(LONGER_THAN_A_DUTY_MS)
    assert world.store.sweep("second").ran
    assert not world.store.sweep("first").ran


@pytest.mark.parametrize("back", [HOUR_MS, 24 * HOUR_MS])
def test_a_clock_set_back_does_not_stop_housekeeping(world: World, back: int) -> None:
    ada, _ = world.agents_named("ada", "bob")
    assert world.store.sweep("first").ran
    world.clock.advance(-back)
    world.send(ada, "bob", ttl_ms=1000)
    world.clock.advance(LONGER_THAN_A_DUTY_MS)
    assert world.store.sweep("second").messages_expired == 1


def test_only_one_of_many_at_once_runs(world: World, place: Place) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for _ in range(20):
        world.send(ada, "bob", ttl_ms=1000)
    world.clock.advance(1000)
    start, found = threading.Barrier(6), list[Swept]()

    def sweep(number: int) -> None:
        store = open_store(place.url, clock=place.clock)
        try:
            start.wait(20)
            found.append(store.sweep(f"h{number}"))
        finally:
            store.close()

    threads = [threading.Thread(target=sweep, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(swept.ran for swept in found) == [False] * 5 + [True]
    assert sum(swept.messages_expired for swept in found) == 20
    assert len(world.events("message_expired")) == 20
