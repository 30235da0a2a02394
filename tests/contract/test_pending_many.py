"""Many overdue answers at once, and processes that were told different times."""

from __future__ import annotations

import pytest

from hubbub.bus import Bus
from hubbub.errors import InvalidArgument
from hubbub.model import Actor
from hubbub.policy import Policy
from hubbub.stores import open_store
from tests.contract.conftest import Place
from tests.contract.test_pending_reminders import (
    AFTER,
    DUE_MS,
    ESCALATED,
    ask,
    mail_of_the_bus,
    run_to,
    times,
)
from tests.contract.world import World


def test_many_overdue_answers_are_one_mail_a_round(world: World) -> None:
    world.agents_named("ada", "bob", "watchdog")
    ids = []
    for number in range(250):
        within = DUE_MS - (number == 70)
        ids.append(world.send(Actor("ada"), "bob", kind="question", reply_within_ms=within).id)
    world.clock.advance(DUE_MS + AFTER[0])
    assert world.store.sweep("h").reminders == 250
    (mail,) = mail_of_the_bus(world, "bob")
    assert mail.metadata == {"reminds": ids[70], "also": ids[:9]}
    assert "You owe 250 answers that are overdue" in mail.body
    assert "240 more: list_pending" in mail.body
    assert mail.body.count("to ada (question)") == 10
    details = {event.message: event.detail for event in world.events("reminder_sent")}
    assert details.pop(ids[70]) == {"number": 1}
    assert [details[id_] for id_ in (ids[0], ids[249])] == [{"number": 1, "with": ids[70]}] * 2
    run_to(world, world.store.now() + ESCALATED, step=10_000)
    for name in ("ada", "watchdog"):
        told = [one for one in mail_of_the_bus(world, name) if one.kind == "escalation"]
        assert len(told) == 1
        assert told[0].metadata == {"escalates": ids[70], "also": ids[:9]}
        assert told[0].body.count("has not answered") == 10
        assert "At least 200 answers did not come" in told[0].body
        assert "at least 190 more: list_pending" in told[0].body
    assert len(world.events("answer_escalated")) == 250
    assert len(mail_of_the_bus(world, "bob")) == 0


def test_the_mail_of_a_round_goes_with_the_one_that_leads_it(world: World) -> None:
    world.agents_named("ada", "bob")
    first, second = (
        world.send(Actor("ada"), "bob", kind="question", reply_within_ms=DUE_MS).id for _ in range(2)
    )
    run_to(world, world.store.now() + DUE_MS + AFTER[0])
    world.send(Actor("bob"), "ada", in_reply_to=second)
    assert len(mail_of_the_bus(world, "bob")) == 1
    world.send(Actor("bob"), "ada", in_reply_to=first)
    assert mail_of_the_bus(world, "bob") == []


def test_a_reminder_of_several_is_not_answered_itself(world: World) -> None:
    bus, bob = Bus(world.store), Actor("bob")
    ids = [ask(world) for _ in range(2)]
    run_to(world, world.store.now() + DUE_MS + AFTER[0])
    (mail,) = mail_of_the_bus(world, "bob")
    with pytest.raises(InvalidArgument) as caught:
        bus.mail.draft(None, "soon", in_reply_to=mail.id, actor=bob)
    assert ids[0] in (caught.value.hint or "")


def test_one_round_sees_to_many_debtors(world: World) -> None:
    world.agent("ada")
    names = tuple(f"bob{number}" for number in range(450))
    world.agents_named(*names)
    world.send(Actor("ada"), names, kind="question", reply_within_ms=DUE_MS)
    world.clock.advance(DUE_MS + AFTER[0])
    swept = [world.store.sweep("h").reminders for _ in range(3)]
    assert sum(swept) == 450
    assert swept[0] > 200
    assert all(len(mail_of_the_bus(world, name)) == 1 for name in names)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(remind_after_ms=(), escalate_after_ms=1000),
        Policy(remind_after_ms=(1000, 2000), escalate_after_ms=600_000_000),
    ],
    ids=["hasty", "silent"],
)
def test_what_the_housekeeper_was_told_is_not_for_others(world: World, place: Place, policy: Policy) -> None:
    id_ = ask(world)
    due = world.store.now() + DUE_MS
    other = open_store(place.url, clock=place.clock, policy=policy)
    try:
        keeper = World(place.url, other, place.clock)
        run_to(keeper, due + 2 * ESCALATED)
    finally:
        other.close()
    assert times(world, "reminder_sent", due) == list(AFTER)
    assert times(world, "answer_escalated", due) == [ESCALATED]
    assert world.store.pending.owed(message=id_)[0].escalated_at == due + ESCALATED


def test_what_the_asker_was_told_holds_whoever_keeps_house(world: World, place: Place) -> None:
    policy = Policy(remind_after_ms=(5000,), escalate_after_ms=90_000, watchdog="owl")
    store = open_store(place.url, clock=place.clock, policy=policy)
    try:
        ask(World(place.url, store, place.clock))
    finally:
        store.close()
    world.agents_named("owl", "watchdog")
    due = world.store.now() + DUE_MS
    run_to(world, due + ESCALATED)
    assert times(world, "reminder_sent", due) == [5000]
    assert [event.detail for event in world.events("answer_escalated")] == [{"to": ["ada", "owl"]}]


def test_times_that_are_set_later_hasten_and_delay(world: World) -> None:
    ask(world)
    due = world.store.now() + DUE_MS
    world.store.settings.put("reminders.after", "100")
    run_to(world, due + ESCALATED)
    assert times(world, "reminder_sent", due) == [100_000]
    assert times(world, "answer_escalated", due) == [ESCALATED]


@pytest.mark.parametrize("value", ["1e300", "9" * 400, "-5", "nan", "1e17"])
def test_a_time_that_can_not_be_stops_no_send(world: World, value: str) -> None:
    world.store.settings.put("reminders.after", "none")
    world.store.settings.put("reminders.escalate_after", value)
    ask(world)
    due = world.store.now() + DUE_MS
    run_to(world, due + ESCALATED)
    assert times(world, "answer_escalated", due) == [ESCALATED]
