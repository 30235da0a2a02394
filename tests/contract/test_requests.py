"""Calls that wait for the answer to their request: it is theirs while they live, and never lost."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import AnswerAwaited, HubbubError, MessageNotFound, NotYourMessage
from hubbub.model import LEASE_MS, SESSION_TTL_MS, Actor
from hubbub.model_pending import WAIT_LEASE_MS, Awaited
from tests.contract.world import World

HOUR_MS = 3_600_000


def request(world: World, actor: Actor, to: str = "bob", **fields: Any) -> str:
    """Ask, and wait for the answer."""
    return world.send(actor, to, "?", kind="question", wait_ms=WAIT_LEASE_MS, **fields).id


def answer(world: World, id_: str, name: str = "bob", **fields: Any) -> str:
    """Answer it to ada."""
    return world.send(Actor(name), "ada", "because", in_reply_to=id_, **fields).id


def wait(world: World, actor: Actor, id_: str) -> Awaited:
    """Ask for the answer again."""
    return world.store.pending.await_answer(actor, id_, lease_ms=WAIT_LEASE_MS)


@pytest.fixture(params=["seated", "attached"])
def ada(world: World, request: pytest.FixtureRequest) -> Actor:
    """ada, with a session or without; bob is there, too."""
    world.agent("bob")
    return world.seat("ada") if request.param == "seated" else world.agent("ada")


def test_the_answer_is_given_to_the_call_leased_and_to_nobody_else(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    assert wait(world, ada, id_) == Awaited("waiting")
    got = answer(world, id_)
    found = wait(world, ada, id_)
    assert found.state == "given"
    assert found.answer is not None
    assert (found.answer.message.id, found.answer.message.body) == (got, "because")
    assert (found.answer.state, found.answer.delivery_count) == ("leased", 1)
    assert found.answer.lease_until == world.store.now() + LEASE_MS
    assert world.take(Actor("ada"), limit=10) == []
    assert world.mail.settle(ada, (got,)) == (got,)
    (event,) = world.events("message_received", message=got)
    assert (event.actor, event.session, event.agent) == ("ada", ada.session, "ada")


def test_what_was_given_and_not_settled_comes_back(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    got = answer(world, id_)
    assert wait(world, ada, id_).state == "given"
    world.clock.advance(LEASE_MS)
    delivery = world.take_one(Actor("ada"))
    assert (delivery.message.id, delivery.redelivered) == (got, True)


def test_what_was_given_and_came_back_is_given_again_marked(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    answer(world, id_)
    assert wait(world, ada, id_).state == "given"
    assert wait(world, ada, id_).state == "elsewhere"
    world.clock.advance(LEASE_MS)
    found = wait(world, ada, id_)
    assert found.answer is not None
    assert (found.state, found.answer.redelivered) == ("given", True)


def test_a_kept_answer_is_not_in_the_inbox(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    got = answer(world, id_)
    other = world.send(Actor("bob"), "ada", "by the way").id
    for actor in (ada, Actor("ada")):
        assert [one.message.id for one in world.mail.peek("ada", limit=10).deliveries] == [other]
        with pytest.raises(AnswerAwaited):
            world.mail.settle(actor, (got,))
        with pytest.raises(HubbubError) as caught:
            world.mail.release(actor, (got,))
        assert caught.value.code == "NOT_LEASED"
        assert world.mail.settle_implicitly(actor, (got,)) == ()
    assert world.take(Actor("ada"), limit=10) == [other]
    # Not even an answer to the answer settles it under the hands of the call that waits for it.
    assert world.send(Actor("ada"), "bob", "thanks", in_reply_to=got).settled is None
    assert wait(world, ada, id_).state == "given"


def test_only_the_first_answer_is_kept(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    first, second = answer(world, id_), answer(world, id_)
    assert world.take(Actor("ada"), limit=10) == [second]
    found = wait(world, ada, id_)
    assert found.answer is not None
    assert found.answer.message.id == first


def test_other_mail_of_the_one_asked_is_no_answer(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    other = world.send(Actor("bob"), "ada", "unrelated").id
    assert wait(world, ada, id_).state == "waiting"
    assert world.take(Actor("ada")) == [other]


def test_an_answer_that_went_to_another_is_not_shown_to_the_asker(world: World, ada: Actor) -> None:
    world.agent("cy")
    id_ = request(world, ada)
    world.send(Actor("bob"), "cy", "a secret", in_reply_to=id_)
    for _ in range(2):
        assert wait(world, ada, id_) == Awaited("waiting")
        world.clock.advance(WAIT_LEASE_MS - 1)
    got = answer(world, id_)
    found = wait(world, ada, id_)
    assert found.answer is not None
    assert found.answer.message.id == got


def test_each_call_gets_its_own_answer(world: World, ada: Actor) -> None:
    one, two = request(world, ada), request(world, ada)
    to_two, to_one = answer(world, two), answer(world, one)
    for id_, expected in ((one, to_one), (two, to_two)):
        found = wait(world, ada, id_)
        assert found.answer is not None
        assert found.answer.message.id == expected


def test_giving_up_leaves_a_later_answer_to_the_inbox(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    assert world.store.pending.stop_waiting(ada, id_, take=True) == Awaited("over")
    got = answer(world, id_)
    assert world.take(Actor("ada")) == [got]
    assert world.store.pending.owed() == []


@pytest.mark.parametrize("take", [True, False])
def test_giving_up_when_the_answer_is_there(world: World, ada: Actor, take: bool) -> None:
    id_ = request(world, ada)
    got = answer(world, id_)
    with world.store.bell("inbox/ada") as bell:
        found = world.store.pending.stop_waiting(ada, id_, take=take)
        assert bell.wait(0) is not take
    assert found.state == ("given" if take else "over")
    assert world.take(Actor("ada")) == ([] if take else [got])
    assert world.state("ada", got) == "leased"


@pytest.mark.parametrize("swept", [False, True])
def test_a_call_that_is_not_heard_of_leaves_the_answer_to_the_inbox(
    world: World, ada: Actor, swept: bool
) -> None:
    id_ = request(world, ada)
    got = answer(world, id_)
    world.clock.advance(WAIT_LEASE_MS - 1)
    assert world.take(Actor("ada")) == []
    world.clock.advance(1)
    if swept:
        with world.store.bell("inbox/ada") as bell:
            world.store.sweep("h")
            assert bell.wait(0)
    assert world.take(Actor("ada")) == [got]
    world.mail.settle(Actor("ada"), (got,))
    late = wait(world, ada, id_)
    assert late.state == "elsewhere"
    assert late.answer is not None
    assert (late.answer.message.id, late.answer.state) == (got, "settled")


def test_an_answer_that_comes_too_late_rings_for_the_inbox(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    world.clock.advance(WAIT_LEASE_MS)
    with world.store.bell("inbox/ada") as inbox:
        got = answer(world, id_)
        assert inbox.wait(0)
    assert world.take(Actor("ada")) == [got]


@pytest.mark.parametrize("swept", [False, True])
def test_a_call_that_comes_late_and_finds_it_still_there_is_given_it(
    world: World, ada: Actor, swept: bool
) -> None:
    id_ = request(world, ada)
    world.clock.advance(WAIT_LEASE_MS)
    if swept:
        world.store.sweep("h")
    got = answer(world, id_)
    found = wait(world, ada, id_)
    assert found.state == "given"
    assert world.state("ada", got) == "leased"
    assert world.take(Actor("ada")) == []


def test_asking_again_moves_the_time_on(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    for _ in range(10):
        world.clock.advance(WAIT_LEASE_MS - 1)
        assert wait(world, ada, id_).state == "waiting"
    got = answer(world, id_)
    world.clock.advance(WAIT_LEASE_MS - 1)
    assert world.take(Actor("ada")) == []
    with pytest.raises(AnswerAwaited):
        world.mail.settle(Actor("ada"), (got,))
    assert wait(world, ada, id_).state == "given"


def test_once_its_time_is_over_anyone_may_settle_it(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    got = answer(world, id_)
    world.clock.advance(WAIT_LEASE_MS)
    assert world.mail.settle(Actor("ada"), (got,)) == (got,)


def test_a_waiver_ends_the_wait_and_wakes_it(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    assert wait(world, ada, id_).state == "waiting"
    with world.store.bell(f"answer/{id_}") as bell:
        world.store.pending.waive(ada, id_)
        assert bell.wait(0)
    assert wait(world, ada, id_) == Awaited("closed")
    assert wait(world, ada, id_) == Awaited("closed")
    got = answer(world, id_)
    assert world.take(Actor("ada")) == [got]


def test_a_waiver_of_one_of_several_ends_no_wait(world: World, ada: Actor) -> None:
    world.agent("cy")
    id_ = world.send(ada, ("bob", "cy"), kind="question", wait_ms=WAIT_LEASE_MS).id
    world.store.pending.waive(ada, id_, debtor="bob")
    for _ in range(2):
        assert wait(world, ada, id_) == Awaited("waiting")
        world.clock.advance(WAIT_LEASE_MS - 1)
    answer(world, id_, "cy")
    assert wait(world, ada, id_).state == "given"


def test_an_answer_rings_for_the_call_and_not_for_the_inbox(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    with world.store.bell(f"answer/{id_}") as mine, world.store.bell("inbox/ada") as inbox:
        answer(world, id_)
        assert mine.wait(0)
        assert not inbox.wait(0)
        answer(world, id_)
        assert inbox.wait(0)


def test_the_time_that_is_waited_at_first_is_the_drafts(world: World, ada: Actor) -> None:
    id_ = world.send(ada, "bob", kind="question", wait_ms=1000).id
    got = answer(world, id_)
    world.clock.advance(999)
    assert world.take(Actor("ada")) == []
    world.clock.advance(1)
    assert world.take(Actor("ada")) == [got]


def test_one_can_wait_for_what_was_sent_before(world: World, ada: Actor) -> None:
    id_ = world.send(ada, "bob", kind="question").id
    assert wait(world, ada, id_).state == "waiting"
    answer(world, id_)
    assert world.take(Actor("ada")) == []
    assert wait(world, ada, id_).state == "given"


def test_a_repeated_request_waits_on_for_the_same_answer(world: World, ada: Actor) -> None:
    id_ = request(world, ada, key="k")
    got = answer(world, id_)
    assert request(world, ada, key="k") == id_
    found = wait(world, ada, id_)
    assert found.answer is not None
    assert (found.state, found.answer.message.id) == ("given", got)
    assert world.take(Actor("bob"), limit=10) == []


@pytest.mark.parametrize("take", [None, True, False])
def test_nobody_waits_for_anothers_answer(world: World, ada: Actor, take: bool | None) -> None:
    id_ = request(world, ada)
    answer(world, id_)

    def act(actor: Actor, message: str) -> None:
        if take is None:
            wait(world, actor, message)
        else:
            world.store.pending.stop_waiting(actor, message, take=take)

    with pytest.raises(NotYourMessage):
        act(Actor("bob"), id_)
    with pytest.raises(MessageNotFound):
        act(ada, "m-nonsense")
    with pytest.raises(HubbubError) as caught:
        act(Actor("nobody"), id_)
    assert caught.value.code == "NOT_REGISTERED"
    assert wait(world, ada, id_).state == "given"


def test_a_session_that_lost_its_name_waits_no_more(world: World) -> None:
    world.agent("bob")
    old = world.seat("ada")
    id_ = request(world, old)
    new = world.seat("ada", take_over=True)
    for _ in range(2):
        with pytest.raises(HubbubError) as caught:
            wait(world, old, id_)
        assert caught.value.code == "SESSION_SUPERSEDED"
    assert wait(world, new, id_).state == "waiting"
    answer(world, id_)
    assert wait(world, new, id_).state == "given"


def test_a_session_that_missed_its_beats_lives_by_waiting(world: World) -> None:
    world.agent("bob")
    ada = world.seat("ada")
    id_ = request(world, ada)
    world.clock.advance(SESSION_TTL_MS // 2 + 1000)
    assert wait(world, ada, id_).state == "waiting"
    world.clock.advance(SESSION_TTL_MS // 2 - 1000)
    assert world.agents.get("ada").session is None
    assert wait(world, ada, id_).state == "waiting"
    assert world.agents.get("ada").session is not None


def test_an_answer_that_expired_while_it_was_kept_is_shown(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    answer(world, id_, ttl_ms=1000)
    world.clock.advance(1000)
    world.store.sweep("h")
    found = wait(world, ada, id_)
    assert found.answer is not None
    assert (found.state, found.answer.state, found.answer.message.body) == ("elsewhere", "dead", "because")


@pytest.mark.parametrize("jump", [-HOUR_MS, HOUR_MS], ids=["back", "forward"])
@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.parametrize("answered_before", [True, False])
def test_a_clock_that_jumps_loses_no_answer(
    world: World, ada: Actor, jump: int, lives: bool, answered_before: bool
) -> None:
    id_ = request(world, ada)
    assert wait(world, ada, id_).state == "waiting"
    got = answer(world, id_) if answered_before else ""
    world.clock.advance(jump)
    world.store.sweep("h")
    got = got or answer(world, id_)
    if lives:
        assert wait(world, ada, id_).state == "given"
        assert world.state("ada", got) == "leased"
    else:
        # No call is known any more: the answer is there at once, before it came or after.
        assert world.take(Actor("ada")) == [got]


def test_a_wait_from_before_the_clock_was_set_back_is_no_sign_of_life(world: World, ada: Actor) -> None:
    id_ = request(world, ada)
    world.clock.advance(WAIT_LEASE_MS)
    got = answer(world, id_)
    world.clock.advance(-HOUR_MS)
    # The answer went to the inbox, although the wait's time is in the future again.
    assert wait(world, ada, id_).state == "given"
    assert world.state("ada", got) == "leased"
