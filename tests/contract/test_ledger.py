"""The ledger: every transition, with actor, session, subject and time."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from hubbub.errors import MessageNotFound, RateLimited
from hubbub.model import EVENTS, LEASE_MS, MAX_DELIVERIES, SESSION_TTL_MS, Actor
from tests.contract.world import World

OTHERS = ("topic", "cursor", "project", "step", "claim", "path", "resource")
"""How the events begin that are not of agents and mail."""


def _a_long_day(world: World) -> str:
    """Something of everything; the id of the message that it happened to."""
    ada, bob = world.agent("ada"), world.seat("bob")
    sent = world.send(ada, "bob").id
    for _ in range(MAX_DELIVERIES):
        world.take(bob)
        world.clock.advance(LEASE_MS)
    world.take(bob)
    world.mail.retry((sent,))
    world.take(bob)
    world.mail.release(bob, (sent,))
    world.take(bob)
    world.mail.settle(bob, (sent,))
    world.mail.purge((world.dead_letter("bob", ada).id,))
    newer = world.seat("bob", take_over=True)
    world.agents.end_session(newer.session or "", "left")
    world.seat("bob")
    world.agents.release_name("bob", "stuck")
    world.seat("bob")
    world.clock.advance(SESSION_TTL_MS)
    world.store.sweep("h")
    world.agents.unregister("bob")
    return sent


def _a_day_of_waiting(world: World) -> None:
    """Answers that are late, declined and waived, a gate, and wakes."""
    ada, cy = world.agents_named("ada", "cy")
    late, declined, waived = (
        world.send(ada, "cy", kind="question", reply_within_ms=within).id for within in (1000, None, None)
    )
    world.send(cy, "ada", kind="declined", in_reply_to=declined)
    world.store.pending.waive(ada, waived)
    for _ in range(5):
        world.clock.advance(500_000)
        world.store.sweep("h")
    world.send(cy, "ada", in_reply_to=late)
    world.store.settings.put("gate.limit", "1")
    for mode in ("observe", "enforce"):
        world.store.settings.put("gate.mode", mode)
        for _ in range(2):
            with suppress(RateLimited):
                world.send(ada, "cy")
    for worked in (True, False):
        world.store.presence.woke("cy", "pty", worked, "", None)


def test_every_kind_of_event_is_written(world: World) -> None:
    _a_long_day(world)
    _a_day_of_waiting(world)
    # Those of topics and of work: test_topics_ledger, test_work_ledger.
    of_mail = {name for name in EVENTS if name.split("_")[0] not in OTHERS}
    assert {event.event for event in world.events()} == of_mail


def test_the_story_of_a_message(world: World) -> None:
    sent = _a_long_day(world)
    story = [(event.event, event.detail) for event in world.events(message=sent)]
    expected: list[tuple[str, Any]] = [("message_sent", None), ("message_received", None)]
    for count in range(2, MAX_DELIVERIES + 1):
        expected += [("lease_expired", {"why": "lease ran out"}), ("message_received", {"hand-out": count})]
    expected += [
        ("lease_expired", {"why": "lease ran out"}),
        ("message_dead", {"deliveries": MAX_DELIVERIES}),
        ("message_retried", None),
        ("message_received", None),
        ("message_released", None),
        ("message_received", {"hand-out": 2}),
        ("message_settled", {"by": "acknowledge"}),
    ]
    assert story == expected


def test_events_name_actor_session_subject_and_time(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    world.clock.advance(11)
    sent = world.send(ada, "bob").id
    world.clock.advance(11)
    now = world.store.now()
    world.take(bob)
    (one,) = world.events("message_sent")
    assert (one.at, one.actor, one.session, one.message, one.agent) == (now - 11, "ada", None, sent, "bob")
    (one,) = world.events("message_received")
    assert (one.at, one.actor, one.session, one.message, one.agent) == (now, "bob", bob.session, sent, "bob")


@pytest.mark.parametrize("how", ["acknowledge", "reply", "implicit"])
def test_how_a_message_was_settled(world: World, how: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.take(bob)
    if how == "reply":
        world.send(bob, "ada", in_reply_to=sent)
    elif how == "implicit":
        world.mail.settle_implicitly(bob, (sent,))
    else:
        world.mail.settle(bob, (sent,))
    (event,) = world.events("message_settled")
    assert (event.actor, event.message, event.detail) == ("bob", sent, {"by": how})


def test_a_refused_operation_leaves_no_event(world: World) -> None:
    from hubbub.errors import UnknownRecipient

    ada = world.agent("ada")
    before = world.last_seq()
    with pytest.raises(UnknownRecipient):
        world.send(ada, "nobody")
    assert world.last_seq() == before


def test_registering_again_without_change_is_no_event(world: World) -> None:
    world.agent("ada", role="consumer")
    before = world.last_seq()
    world.agent("ada", role="consumer")
    assert world.last_seq() == before
    world.agent("ada", role="both")
    assert [event.event for event in world.events(after=before)] == ["agent_registered"]


def test_paging_forward(world: World) -> None:
    _a_long_day(world)
    everything = world.store.ledger.events(limit=10_000)
    assert [event.seq for event in everything] == sorted({event.seq for event in everything})
    seen, after = [], 0
    while page := world.store.ledger.events(after=after, limit=7):
        assert len(page) <= 7
        seen += page
        after = page[-1].seq
    assert seen == everything


def test_the_newest_come_oldest_first(world: World) -> None:
    _a_long_day(world)
    everything = world.store.ledger.events(limit=10_000)
    assert world.store.ledger.events(limit=5, newest=True) == everything[-5:]
    after = everything[-3].seq
    assert world.store.ledger.events(limit=5, newest=True, after=after) == everything[-2:]


def test_filters(world: World) -> None:
    sent = _a_long_day(world)
    everything = world.store.ledger.events(limit=10_000)
    middle = everything[len(everything) // 2].at
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"agent": "bob"}, lambda e: "bob" in (e.actor, e.agent)),
        ({"agent": "nobody"}, lambda e: False),
        ({"message": sent}, lambda e: e.message == sent),
        (
            {"kinds": ("message_sent", "lease_expired")},
            lambda e: e.event in ("message_sent", "lease_expired"),
        ),
        ({"since": middle}, lambda e: e.at >= middle),
        (
            {"agent": "ada", "kinds": ("message_sent",)},
            lambda e: e.actor == "ada" and e.event == "message_sent",
        ),
    ]
    for wanted, keep in cases:
        found = world.store.ledger.events(limit=10_000, **wanted)
        assert found == [event for event in everything if keep(event)], wanted
        newest = world.store.ledger.events(limit=10_000, newest=True, **wanted)
        assert newest == found, wanted


def test_a_mistyped_message_id_finds_no_other_messages_events(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    mistyped = sent[:-1] + ("0" if sent[-1] != "0" else "1")
    for text in (mistyped, "nonsense"):
        try:
            assert world.store.ledger.events(message=text) == []
        except MessageNotFound:
            continue


def test_the_ledger_does_not_go_back_with_the_clock(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.send(ada, "bob")
    world.clock.advance(-3_600_000)
    world.take(bob)
    newest = world.store.ledger.events(limit=2, newest=True)
    assert [event.event for event in newest] == ["message_sent", "message_received"]
    assert newest[1].at == newest[0].at - 3_600_000


def test_an_unregistered_agents_events_stay(world: World) -> None:
    world.agent("ada")
    world.agents.unregister("ada", actor=Actor("ada"))
    assert [event.event for event in world.events(agent="ada")] == ["agent_registered", "agent_unregistered"]


def test_a_send_to_several_concerns_each_of_them(world: World) -> None:
    ada, bob, *_ = world.agents_named("ada", "bob", "bobby", "cy")
    one, two, all_ = (world.send(ada, to).id for to in ("bob", ("bob", "cy"), "*"))
    other = world.send(ada, ("cy", "bobby")).id
    topic = world.topic(bob)
    world.post(ada, topic.id, "to all who read it")

    def sends(agent: str, **wanted: Any) -> list[str | None]:
        return [event.message for event in world.events("message_sent", agent=agent, **wanted)]

    assert sends("bob") == sends("bob", newest=True) == [one, two, all_]
    assert sends("cy") == [two, all_, other]
    assert sends("bobby") == [all_, other]
    assert sends("ada") == [one, two, all_, other]
    assert sends("bo") == []
    assert sends("bob", message=two) == [two]
