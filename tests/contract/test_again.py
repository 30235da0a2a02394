"""Retries and restarts: what comes again finds things as they are."""

from __future__ import annotations

from hubbub.model import LEASE_MS, Draft
from tests.contract.world import World


def test_a_release_with_a_delay_is_retried_safely(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    world.take(bob)
    assert world.mail.release(bob, (id_,), delay_ms=5000, key="k") == (id_,)
    world.clock.advance(1000)
    assert world.mail.release(bob, (id_,), delay_ms=5000, key="k") == (id_,)


def test_a_receive_repeated_after_its_lease_is_a_new_one(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    first = world.mail.receive(bob, key="k")
    assert [delivery.message.id for delivery in first.deliveries] == [id_]
    world.clock.advance(LEASE_MS + 1)
    again = world.mail.receive(bob, key="k")
    assert [(d.message.id, d.delivery_count) for d in again.deliveries] == [(id_, 2)]
    assert world.mail.receive(bob, key="k").deliveries == again.deliveries


def test_a_repeated_receive_still_settles_what_it_was_given_to_settle(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    one, two = world.send(ada, "bob").id, world.send(ada, "bob").id
    world.mail.receive(bob, key="k")
    world.mail.receive(bob)
    world.mail.receive(bob, key="k", settle=(two,))
    assert (world.state("bob", one), world.state("bob", two)) == ("leased", "settled")


def test_no_page_of_dead_letters_is_cut_inside_a_message(world: World) -> None:
    names = ["b", "c", "d"]
    sender = world.agents_named("ada", *names)[0]
    many = world.mail.send(sender, Draft(tuple(names), "x", ttl_ms=1)).id
    other = world.mail.send(sender, Draft(("b",), "y", ttl_ms=1)).id
    world.clock.advance(2)
    page = world.mail.dead(limit=2)
    assert [(letter.message.id, letter.agent) for letter in page] == [(many, name) for name in names]
    rest = world.mail.dead(after=page[-1].message.seq, limit=2)
    assert [letter.message.id for letter in rest] == [other]
