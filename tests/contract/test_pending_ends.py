"""What is owed where it can't be paid any more, or is not wanted; and replies that pay nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import InboxFull, InvalidName, NothingOwed, RoleForbids
from hubbub.model import Actor
from hubbub.model_pending import ESCALATION, WAIT_LEASE_MS, Awaited
from tests.contract.test_pending import the_debt
from tests.contract.test_pending_reminders import DUE_MS, ESCALATED, mail_of_the_bus, run_to
from tests.contract.world import World


def asked(world: World, kind: str = "question", **fields: Any) -> str:
    """ada asks bob; cy and the watchdog are there, too."""
    world.agents_named("ada", "bob", "cy", "watchdog")
    return world.send(Actor("ada"), "bob", "?", kind=kind, **fields).id


# --- replies that are no answer ----------------------------------------------------------------------


def test_a_reply_to_others_settles_nothing_and_the_answer_is_owed_still(world: World) -> None:
    id_ = asked(world)
    bob = Actor("bob")
    world.take(bob)
    sent = world.send(bob, "cy", "can you?", in_reply_to=id_)
    assert (sent.debt, sent.settled) == ("open", None)
    assert world.state("bob", id_) == "leased"
    sent = world.send(bob, ("cy", "ada"), "because", in_reply_to=id_)
    assert (sent.debt, sent.settled) == ("answered", id_)
    assert the_debt(world, id_).answer == sent.id


def test_a_reply_to_others_settles_what_wants_no_answer(world: World) -> None:
    id_ = asked(world, kind="message")
    assert world.send(Actor("bob"), "cy", "look", in_reply_to=id_).settled == id_


def test_a_status_settles_and_is_no_answer(world: World) -> None:
    id_ = asked(world)
    sent = world.send(Actor("bob"), "ada", "half done", kind="status", in_reply_to=id_)
    assert (sent.debt, sent.settled) == ("open", id_)
    (receipt,) = world.mail.whereabouts(id_).recipients
    assert receipt.answered_by is None
    answer = world.send(Actor("bob"), "ada", "done", in_reply_to=id_)
    (receipt,) = world.mail.whereabouts(id_).recipients
    assert receipt.answered_by == answer.id


def test_a_call_that_waits_is_given_the_answer_and_not_the_status(world: World) -> None:
    id_ = asked(world, wait_ms=WAIT_LEASE_MS)
    status = world.send(Actor("bob"), "ada", "half done", kind="status", in_reply_to=id_).id
    assert world.take(Actor("ada"), limit=5) == [status]
    world.clock.advance(WAIT_LEASE_MS - 1)
    assert world.store.pending.await_answer(Actor("ada"), id_, lease_ms=WAIT_LEASE_MS) == Awaited("waiting")
    answer = world.send(Actor("bob"), "ada", "done", in_reply_to=id_).id
    found = world.store.pending.await_answer(Actor("ada"), id_, lease_ms=WAIT_LEASE_MS)
    assert found.answer is not None
    assert (found.state, found.answer.message.id) == ("given", answer)


# --- a full inbox ------------------------------------------------------------------------------------


def _fill(world: World) -> None:
    world.agent("ada", inbox_limit=1)
    world.send(Actor("cy"), "ada")


def test_the_answer_that_a_call_waits_for_finds_room_and_no_other(world: World) -> None:
    id_ = asked(world, wait_ms=WAIT_LEASE_MS)
    _fill(world)
    with pytest.raises(InboxFull):
        world.send(Actor("bob"), "ada", "unrelated")
    with pytest.raises(InboxFull):
        world.send(Actor("bob"), "ada", "soon", kind="status", in_reply_to=id_)
    answer = world.send(Actor("bob"), "ada", "because", in_reply_to=id_).id
    found = world.store.pending.await_answer(Actor("ada"), id_, lease_ms=WAIT_LEASE_MS)
    assert found.answer is not None
    assert found.answer.message.id == answer
    with pytest.raises(InboxFull):
        world.send(Actor("bob"), "ada", "and", in_reply_to=id_)


def test_a_refusal_finds_room(world: World) -> None:
    id_ = asked(world)
    _fill(world)
    with pytest.raises(InboxFull):
        world.send(Actor("bob"), "ada", "because", in_reply_to=id_)
    assert world.send(Actor("bob"), "ada", kind="declined", in_reply_to=id_).debt == "declined"
    with pytest.raises(InboxFull):
        world.send(Actor("bob"), "ada", kind="declined", in_reply_to=id_)


# --- who can't be answered ---------------------------------------------------------------------------


def test_what_one_that_left_asked_is_waived_and_stays_in_the_inbox(world: World) -> None:
    id_ = asked(world, kind="task")
    world.agents.unregister("ada")
    debt = the_debt(world, id_)
    assert (debt.state, debt.why) == ("waived", "ada left the bus")
    assert world.take(Actor("bob")) == [id_]


def test_one_that_becomes_a_publisher_is_owed_nothing(world: World) -> None:
    id_ = asked(world)
    world.agent("ada", role="publisher")
    assert the_debt(world, id_).state == "waived"
    assert world.send(Actor("ada"), "bob", kind="question", reply_within_ms=1).id
    assert world.store.pending.owed() == []


def test_a_request_of_a_publisher_is_refused_and_not_sent(world: World) -> None:
    world.agents_named("bob")
    with pytest.raises(RoleForbids):
        world.send(world.agent("ada", role="publisher"), "bob", wait_ms=WAIT_LEASE_MS)
    assert world.mail.peek("bob").deliveries == ()


def test_a_call_that_waits_ends_when_who_was_asked_leaves(world: World) -> None:
    id_ = asked(world, wait_ms=WAIT_LEASE_MS)
    with world.store.bell(f"answer/{id_}") as bell:
        world.agents.unregister("bob")
        assert bell.wait(0)
    ada = Actor("ada")
    assert world.store.pending.await_answer(ada, id_, lease_ms=WAIT_LEASE_MS) == Awaited("left")
    assert world.store.pending.stop_waiting(ada, id_, take=True) == Awaited("left")
    assert the_debt(world, id_).state == "open"
    world.agent("bob")
    answer = world.send(Actor("bob"), "ada", "late", in_reply_to=id_).id
    assert world.take(ada) == [answer]


@pytest.mark.parametrize("how", ["purged", "deleted"])
def test_a_question_that_is_gone_is_owed_no_answer(world: World, how: str) -> None:
    id_ = asked(world, wait_ms=WAIT_LEASE_MS, ttl_ms=1000)
    with world.store.bell(f"answer/{id_}") as bell:
        if how == "purged":
            world.clock.advance(1000)
            world.mail.purge((id_,))
        else:
            world.agents.unregister("bob", delete_mail=True)
        assert bell.wait(0)
    debt = the_debt(world, id_)
    assert (debt.state, debt.why, debt.delivery) == ("waived", "question removed", "gone")
    found = world.store.pending.await_answer(Actor("ada"), id_, lease_ms=WAIT_LEASE_MS)
    assert found == Awaited("closed")


def test_nobody_acts_for_the_bus_itself(world: World) -> None:
    world.agent("bob")
    with pytest.raises(InvalidName):
        world.send(Actor("hubbub"), "bob")


# --- waivers -----------------------------------------------------------------------------------------


def test_a_waived_question_that_was_not_read_is_taken_out(world: World) -> None:
    world.agents_named("ada", "bob", "cy")
    id_ = world.send(Actor("ada"), ("bob", "cy"), kind="question").id
    world.store.pending.waive(Actor("ada"), id_, debtor="bob", reason="found it")
    assert world.take(Actor("bob")) == []
    (event,) = world.events("message_settled", message=id_)
    assert (event.agent, event.detail) == ("bob", {"why": "waived", "reason": "found it"})
    assert world.take(Actor("cy")) == [id_]
    world.store.pending.waive(Actor("ada"), id_)
    assert world.state("cy", id_) == "leased"
    assert world.send(Actor("bob"), "ada", "all the same", in_reply_to=id_).debt == "waived"


def test_a_waiver_of_what_is_closed_says_what_became_of_it(world: World) -> None:
    world.agents_named("ada", "bob", "cy", "dee")
    ada = Actor("ada")
    id_ = world.send(ada, ("bob", "cy", "dee"), kind="question").id
    given = world.send(Actor("bob"), "ada", "because", in_reply_to=id_).id
    refused = world.send(Actor("cy"), "ada", kind="declined", in_reply_to=id_).id
    world.store.pending.waive(ada, id_)
    with pytest.raises(NothingOwed) as caught:
        world.store.pending.waive(ada, id_)
    told = caught.value.message
    assert f"bob answered it with {given}" in told
    assert f"cy declined it with {refused}" in told
    assert "that of dee was waived" in told
    with pytest.raises(NothingOwed) as caught:
        world.store.pending.waive(ada, id_, debtor="bob")
    assert "cy" not in caught.value.message


# --- questions that nobody saw -----------------------------------------------------------------------


@pytest.mark.parametrize("within", [None, DUE_MS])
def test_who_asked_is_told_at_once_of_a_question_that_nobody_took(world: World, within: int | None) -> None:
    id_ = asked(world, ttl_ms=1000, reply_within_ms=within)
    world.clock.advance(1000)
    assert world.store.sweep("h").escalations == 1
    (told,) = mail_of_the_bus(world, "ada")
    assert told.kind == ESCALATION
    assert f"{id_} (question), which you asked bob, expired before bob took it" in told.body
    (event,) = world.events("answer_escalated")
    assert event.detail == {"to": ["ada", "watchdog"], "why": "nobody took it"}
    run_to(world, world.store.now() + DUE_MS + 2 * ESCALATED, step=10_000)
    assert world.events("reminder_sent") == []
    assert len(mail_of_the_bus(world, "ada")) == 1


def test_one_that_was_taken_before_it_expired_is_reminded_of(world: World) -> None:
    asked(world, ttl_ms=1000, reply_within_ms=DUE_MS)
    assert world.take(Actor("bob"), lease_ms=100)
    world.clock.advance(100)
    run_to(world, world.store.now() + DUE_MS + ESCALATED, step=10_000)
    assert len(world.events("message_expired")) == 1
    assert len(world.events("reminder_sent")) == 4


def test_an_answered_question_that_expires_is_told_to_nobody(world: World) -> None:
    id_ = asked(world, ttl_ms=1000)
    world.store.pending.waive(Actor("ada"), id_)
    world.clock.advance(1000)
    assert world.store.sweep("h").escalations == 0
