"""A session that ends waits for nothing any more: its answers are in the inbox at once."""

from __future__ import annotations

import pytest

from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.model_pending import WAIT_LEASE_MS
from tests.contract.world import World


@pytest.mark.parametrize("first", ["answer", "end"])
def test_the_answer_to_an_ended_session_is_in_the_inbox_at_once(world: World, first: str) -> None:
    world.agent("bob")
    ada = world.seat("ada")
    id_ = world.send(ada, "bob", "?", wait_ms=WAIT_LEASE_MS).id
    assert ada.session is not None
    if first == "end":
        world.store.agents.end_session(ada.session, "left")
    got = world.send(Actor("bob"), "ada", "because", in_reply_to=id_).id
    if first == "answer":
        assert world.take(Actor("ada")) == []  # kept for the call
        world.store.agents.end_session(ada.session, "left")
    delivery = world.take_one(Actor("ada"))
    assert (delivery.message.id, delivery.delivery_count) == (got, 1)


def test_one_that_only_missed_its_beats_waits_on(world: World) -> None:
    world.agent("bob")
    ada = world.seat("ada")
    id_ = world.send(ada, "bob", "?", wait_ms=WAIT_LEASE_MS).id
    world.clock.advance(SESSION_TTL_MS + 1)
    world.store.sweep("h")
    found = world.store.pending.await_answer(ada, id_, lease_ms=WAIT_LEASE_MS)
    assert found.state == "waiting"
    got = world.send(Actor("bob"), "ada", "because", in_reply_to=id_).id
    assert world.take(Actor("ada")) == []
    found = world.store.pending.await_answer(ada, id_, lease_ms=WAIT_LEASE_MS)
    assert found.answer is not None
    assert (found.state, found.answer.message.id) == ("given", got)


def test_a_call_that_waits_is_owed_an_answer_whatever_the_kind(world: World) -> None:
    ada = world.seat("ada")
    world.agent("bob")
    id_ = world.send(ada, "bob", "?", kind="message", wait_ms=WAIT_LEASE_MS).id
    assert [debt.message for debt in world.store.pending.owed(debtor="bob")] == [id_]
    world.send(Actor("bob"), "ada", "because", in_reply_to=id_)
    assert world.store.pending.owed(debtor="bob") == []


def test_what_is_unread_in_the_topic_of_all_is_counted(world: World) -> None:
    ada, bob = world.agent("ada"), world.agent("bob")
    assert world.store.mail.unread_in_all("nobody") == 0
    assert world.store.mail.unread_in_all("bob") == 0
    world.send(ada, "bob", "known to all", announce=True)
    assert (world.store.mail.unread_in_all("bob"), world.store.mail.unread_in_all("ada")) == (1, 0)
    world.send(bob, "ada", "this, too", announce=True)
    assert (world.store.mail.unread_in_all("bob"), world.store.mail.unread_in_all("ada")) == (1, 1)
