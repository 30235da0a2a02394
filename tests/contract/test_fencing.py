"""Fencing: a session that lost its name can change nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import HubbubError, SessionEnded
from hubbub.model import SESSION_TTL_MS, Actor, Draft
from tests.contract.world import World

WRITES: dict[str, Callable[[World, Actor, str, str], object]] = {
    "send": lambda w, a, leased, dead: w.mail.send(a, Draft(("ada",), "x")),
    "send with a key": lambda w, a, leased, dead: w.mail.send(a, Draft(("ada",), "first"), key="k"),
    "reply": lambda w, a, leased, dead: w.mail.send(a, Draft(("ada",), "x", in_reply_to=leased)),
    "receive": lambda w, a, leased, dead: w.mail.receive(a),
    "receive, nothing there": lambda w, a, leased, dead: w.mail.receive(a, limit=1),
    "receive and settle": lambda w, a, leased, dead: w.mail.receive(a, settle=(leased,)),
    "settle": lambda w, a, leased, dead: w.mail.settle(a, (leased,)),
    "settle with a key": lambda w, a, leased, dead: w.mail.settle(a, (leased,), key="s"),
    "settle implicitly": lambda w, a, leased, dead: w.mail.settle_implicitly(a, (leased,)),
    "release": lambda w, a, leased, dead: w.mail.release(a, (leased,)),
    "release unseen": lambda w, a, leased, dead: w.mail.release(a, (leased,), unseen=True),
    "retry": lambda w, a, leased, dead: w.mail.retry((dead,), by=a),
    "purge": lambda w, a, leased, dead: w.mail.purge((dead,), by=a),
    "unregister": lambda w, a, leased, dead: w.agents.unregister("ada", actor=a),
    "beat": lambda w, a, leased, dead: w.agents.beat(a.session or ""),
}


def _taken_over(world: World, bob: Actor) -> None:
    world.seat("bob", take_over=True)


def _ended(world: World, bob: Actor) -> None:
    world.agents.end_session(bob.session or "", "left")


def _released_by_the_operator(world: World, bob: Actor) -> None:
    world.agents.release_name("bob", "stuck")


def _replaced_when_it_missed_its_beats(world: World, bob: Actor) -> None:
    world.clock.advance(SESSION_TTL_MS)
    world.seat("bob")


def _unregistered(world: World, bob: Actor) -> None:
    world.agents.unregister("bob")


def _unregistered_and_back(world: World, bob: Actor) -> None:
    world.agents.unregister("bob")
    world.seat("bob")


LOSSES: list[tuple[Callable[[World, Actor], None], str]] = [
    (_taken_over, "SESSION_SUPERSEDED"),
    (_replaced_when_it_missed_its_beats, "SESSION_SUPERSEDED"),
    (_ended, "SESSION_ENDED"),
    (_released_by_the_operator, "SESSION_ENDED"),
    (_unregistered, "SESSION_ENDED"),
    (_unregistered_and_back, "SESSION_ENDED"),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(("lose", "code"), LOSSES, ids=lambda value: getattr(value, "__name__", value))
def test_a_session_that_lost_its_name_changes_nothing(
    world: World, lose: Callable[[World, Actor], None], code: str, write: str
) -> None:
    ada = world.agent("ada")
    bob = world.seat("bob")
    dead = world.dead_letter("bob", ada).id
    leased = world.send(ada, "bob").id
    assert world.take(bob) == [leased]
    world.mail.send(bob, Draft(("ada",), "first"), key="k")
    lose(world, bob)
    before = world.last_seq(), world.agents.all()
    with pytest.raises(HubbubError) as caught:
        WRITES[write](world, bob, leased, dead)
    assert caught.value.code == code
    assert (world.last_seq(), world.agents.all()) == before
    assert world.mail.whereabouts(leased).recipients[0].state == "queued"


def test_a_session_acts_only_for_its_own_agent(world: World) -> None:
    bob = world.seat("bob")
    world.agent("ada")
    with pytest.raises(SessionEnded):
        world.send(Actor("ada", bob.session), "bob")


def test_a_session_that_is_not_known(world: World) -> None:
    world.agent("ada")
    with pytest.raises(SessionEnded):
        world.send(Actor("ada", "s-nobody"), "ada")


def test_an_attachment_goes_on_when_the_session_is_taken_over(world: World) -> None:
    ada = world.agent("ada")
    world.seat("bob")
    world.seat("bob", take_over=True)
    world.send(Actor("bob"), "ada")
    assert len(world.take(ada)) == 1
