"""Answers that are owed: who owes which, from the send on, and how a debt ends."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import HubbubError, NothingOwed, NotYourMessage
from hubbub.model import Actor
from hubbub.model_pending import WANTS_ANSWER, Debt
from tests.contract.world import World


def owed(world: World, **wanted: Any) -> list[tuple[str, str]]:
    """The debts that match: which message, and whose."""
    return [(debt.message, debt.debtor) for debt in world.store.pending.owed(**wanted)]


def the_debt(world: World, id_: str, debtor: str = "bob") -> Debt:
    """What ``debtor`` owes, or owed, for message ``id_``."""
    (found,) = [debt for debt in world.store.pending.owed(message=id_, closed=True) if debt.debtor == debtor]
    return found


@pytest.mark.parametrize("kind", WANTS_ANSWER)
def test_a_kind_that_wants_an_answer_is_owed_one_without_a_time(world: World, kind: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob", kind=kind, subject="the build", thread="t")
    assert world.store.pending.owed() == [
        Debt(
            message=sent.id, seq=sent.seq, debtor="bob", asker="ada", kind=kind, subject="the build",
            thread="t", asked_at=sent.created_at, due=None, state="open", reminders=0, next_at=None,
            escalated_at=None, delivery="queued",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["message", "status", "result", "my-own"])
def test_other_kinds_are_owed_one_only_with_a_time(world: World, kind: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", kind=kind)
    assert world.store.pending.owed() == []
    asked = world.send(ada, "bob", kind=kind, reply_within_ms=60_000)
    (debt,) = world.store.pending.owed()
    assert (debt.message, debt.due, debt.next_at) == (
        asked.id, asked.created_at + 60_000, asked.created_at + 90_000,
    )  # fmt: skip


def test_what_a_call_waits_for_is_owed(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", wait_ms=1000).id
    assert owed(world) == [(id_, "bob")]
    world.send(bob, "ada", in_reply_to=id_)
    assert owed(world) == []


def test_every_recipient_owes_its_own_answer_but_not_the_asker(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "cy")
    id_ = world.send(ada, ("ada", "bob", "cy"), kind="question").id
    assert owed(world, message=id_) == [(id_, "bob"), (id_, "cy")]
    world.send(bob, "ada", in_reply_to=id_)
    assert owed(world, message=id_) == [(id_, "cy")]
    everyone = world.send(ada, "*", kind="task").id
    assert owed(world, asker="ada", after=the_debt(world, id_).seq) == [(everyone, "bob"), (everyone, "cy")]


@pytest.mark.parametrize(
    ("kind", "state"), [("answer", "answered"), ("message", "answered"), ("declined", "declined")]
)
def test_a_reply_closes_the_debt_in_its_own_stroke(world: World, kind: str, state: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", kind="question", reply_within_ms=1000).id
    world.take(bob)
    world.clock.advance(10)
    reply = world.send(bob, "ada", "because", kind=kind, in_reply_to=id_)
    assert reply.debt == state
    debt = the_debt(world, id_)
    assert (debt.state, debt.closed_at, debt.answer) == (state, world.store.now(), reply.id)
    assert (debt.next_at, debt.delivery) == (None, "settled")
    assert world.store.pending.owed() == []
    assert [event.agent for event in world.events("answer_declined")] == ["bob"] * (state == "declined")


def test_a_reply_to_what_is_not_owed_says_nothing_of_a_debt(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob").id
    assert world.send(bob, "ada", in_reply_to=id_).debt is None
    assert world.send(bob, "ada", "no reply at all").debt is None


def test_only_the_debtors_own_reply_closes_its_debt(world: World) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    id_ = world.send(ada, ("bob", "cy"), kind="question").id
    world.send(cy, "ada", in_reply_to=id_)
    world.send(bob, "ada", "something else")
    assert owed(world) == [(id_, "bob")]


@pytest.mark.parametrize("how", ["answered", "declined", "waived"])
def test_what_is_closed_stays_closed(world: World, how: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", kind="question").id
    if how == "waived":
        world.store.pending.waive(ada, id_)
    else:
        world.send(bob, "ada", kind="declined" if how == "declined" else "answer", in_reply_to=id_)
    before = the_debt(world, id_)
    world.clock.advance(5)
    for kind in ("answer", "declined"):
        assert world.send(bob, "ada", kind=kind, in_reply_to=id_).debt == how
    with pytest.raises(NothingOwed):
        world.store.pending.waive(ada, id_)
    assert the_debt(world, id_) == before._replace(delivery="settled")


def test_a_refused_reply_closes_nothing(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", kind="question").id
    world.agent("ada", inbox_limit=1)
    world.send(bob, "ada")
    with pytest.raises(HubbubError) as caught:
        world.send(bob, "ada", in_reply_to=id_)
    assert caught.value.code == "INBOX_FULL"
    assert owed(world) == [(id_, "bob")]


def test_settling_or_losing_the_message_pays_no_debt(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    settled, expired = (
        world.send(ada, "bob", kind="task").id,
        world.send(ada, "bob", kind="task", ttl_ms=10).id,
    )
    world.take(bob)
    world.mail.settle(bob, (settled,))
    world.clock.advance(10)
    world.store.sweep("h")
    assert [debt.delivery for debt in world.store.pending.owed()] == ["settled", "dead"]
    world.mail.purge((expired,))
    assert [debt.delivery for debt in world.store.pending.owed()] == ["settled"]


def test_a_repeated_send_owes_once(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for _ in range(2):
        world.send(ada, "bob", kind="question", key="k")
    assert len(world.store.pending.owed()) == 1


def test_a_debt_of_one_that_left_is_owed_when_it_is_back(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", kind="question").id
    world.agents.unregister("bob")
    assert owed(world) == [(id_, "bob")]
    bob = world.agent("bob")
    assert world.send(bob, "ada", in_reply_to=id_).debt == "answered"


# --- waivers ---------------------------------------------------------------------------------------


def test_the_asker_waives_one_or_all_with_a_reason(world: World) -> None:
    ada, bob, _, _ = world.agents_named("ada", "bob", "cy", "dan")
    id_ = world.send(ada, ("bob", "cy", "dan"), kind="question", reply_within_ms=1000).id
    (one,) = world.store.pending.waive(ada, id_, debtor="cy", reason="found it")
    assert (one.debtor, one.state, one.why, one.closed_at) == ("cy", "waived", "found it", world.store.now())
    assert (one.next_at, one.answer) == (None, None)
    assert owed(world) == [(id_, "bob"), (id_, "dan")]
    assert [debt.debtor for debt in world.store.pending.waive(ada, id_)] == ["bob", "dan"]
    assert owed(world) == []
    told = [
        (event.actor, event.agent, event.message, event.detail) for event in world.events("answer_waived")
    ]
    assert told == [
        ("ada", "cy", id_, {"why": "found it"}),
        ("ada", "bob", id_, None),
        ("ada", "dan", id_, None),
    ]
    # An answer may still be sent; it says that nobody waited for it any more.
    assert world.send(bob, "ada", in_reply_to=id_).debt == "waived"


def test_the_operator_waives_any(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    id_ = world.send(ada, "bob", kind="question").id
    assert len(world.store.pending.waive(None, id_)) == 1
    assert [event.actor for event in world.events("answer_waived")] == [None]


def test_nobody_else_waives(world: World) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    id_ = world.send(ada, "bob", kind="question").id
    before = world.last_seq()
    for actor in (bob, cy):
        with pytest.raises(NotYourMessage):
            world.store.pending.waive(actor, id_)
    for wrong, code in (("m-nonsense", "MESSAGE_NOT_FOUND"), (world.send(ada, "bob").id, "NOTHING_OWED")):
        with pytest.raises(HubbubError) as caught:
            world.store.pending.waive(ada, wrong)
        assert caught.value.code == code
    with pytest.raises(NothingOwed):
        world.store.pending.waive(ada, id_, debtor="cy")
    assert owed(world) == [(id_, "bob")]
    assert [event.event for event in world.events(after=before)] == ["message_sent"]


def test_a_session_that_lost_its_name_waives_nothing(world: World) -> None:
    world.agent("bob")
    old = world.seat("ada")
    id_ = world.send(old, "bob", kind="question").id
    world.seat("ada", take_over=True)
    with pytest.raises(HubbubError) as caught:
        world.store.pending.waive(old, id_)
    assert caught.value.code == "SESSION_SUPERSEDED"
    assert owed(world) == [(id_, "bob")]


# --- asking what is owed ---------------------------------------------------------------------------


def test_filters_add_up(world: World) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    one = world.send(ada, ("bob", "cy"), kind="task").id
    two = world.send(bob, "cy", kind="task").id
    three = world.send(cy, "bob", kind="task").id
    world.send(bob, "cy", in_reply_to=three)
    assert owed(world) == [(one, "bob"), (one, "cy"), (two, "cy")]
    assert owed(world, debtor="cy") == [(one, "cy"), (two, "cy")]
    assert owed(world, debtor="cy", asker="bob") == [(two, "cy")]
    assert owed(world, asker="ada") == [(one, "bob"), (one, "cy")]
    assert owed(world, asker="cy") == []
    assert owed(world, asker="cy", closed=True) == [(three, "bob")]
    assert owed(world, debtor="bob", closed=True) == [(one, "bob"), (three, "bob")]
    assert owed(world, message=one, debtor="cy") == [(one, "cy")]
    assert owed(world, message="m-nonsense") == []
    assert owed(world, debtor="nobody") == []


@pytest.mark.parametrize("wanted", [{}, {"asker": "ada"}, {"debtor": "b2"}, {"closed": True}], ids=str)
@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_paging_by_seq_misses_none(world: World, wanted: dict[str, Any], limit: int) -> None:
    ada = world.agent("ada")
    names = tuple(f"b{number}" for number in range(4))
    world.agents_named(*names)
    for to in (names, names[:1], names[1:], names):
        world.send(ada, to, kind="question")
    world.send(Actor("b0"), "ada", in_reply_to=world.store.pending.owed()[0].message)
    everything = world.store.pending.owed(**wanted)
    seen, after = list[Debt](), 0
    while page := world.store.pending.owed(**wanted, after=after, limit=limit):
        assert len({debt.seq for debt in page}) <= limit
        seen += page
        after = page[-1].seq
    assert seen == everything
    assert len(seen) >= 3
