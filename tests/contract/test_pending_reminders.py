"""Reminding: when, to whom, how often, and how it ends."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hubbub.model import LEASE_MS, Actor, Message
from hubbub.model_pending import REMINDER_GAP_MS
from hubbub.names import BUS_NAME
from hubbub.policy import Policy
from hubbub.stores import open_store
from tests.contract.conftest import Place
from tests.contract.world import World

DUE_MS = 60_000
AFTER = (30_000, 60_000, 120_000, 240_000)
ESCALATED = 480_000
DAY_MS = 86_400_000


def ask(world: World, *, to: str | tuple[str, ...] = "bob", kind: str = "question") -> str:
    """ada asks, to be answered within a minute; the question is taken out of the inboxes."""
    for name in ("ada", *((to,) if isinstance(to, str) else to)):
        world.agent(name)
    return world.send(Actor("ada"), to, "?", kind=kind, subject="the build", reply_within_ms=DUE_MS).id


def run_to(world: World, end: int, *, step: int = 1000) -> None:
    """Let time pass until ``end``, with a round of housekeeping at each step."""
    while world.store.now() < end:
        world.clock.advance(min(step, end - world.store.now()))
        world.store.sweep("h")


def mail_of_the_bus(world: World, agent: str) -> list[Message]:
    """What of the bus's own mail waits for ``agent``."""
    waiting = world.mail.peek(agent, limit=1000).deliveries
    return [one.message for one in waiting if one.message.sender == BUS_NAME]


def times(world: World, kind: str, start: int) -> list[int]:
    """When the ledger says that something happened, after ``start``."""
    return [event.at - start for event in world.events(kind)]


def test_four_reminders_one_escalation_then_silence(world: World) -> None:
    id_ = ask(world)
    world.agent("watchdog")
    due = world.store.now() + DUE_MS
    assert world.store.pending.owed()[0].next_at == due + AFTER[0]
    run_to(world, due + DAY_MS // 24)
    run_to(world, due + 30 * DAY_MS, step=DAY_MS)
    assert times(world, "reminder_sent", due) == list(AFTER)
    assert [event.detail for event in world.events("reminder_sent")] == [{"number": n} for n in (1, 2, 3, 4)]
    (event,) = world.events("answer_escalated")
    assert (event.at, event.message, event.agent) == (due + ESCALATED, id_, "bob")
    assert event.detail == {"to": ["ada", "watchdog"]}
    (debt,) = world.store.pending.owed()
    assert (debt.reminders, debt.next_at, debt.escalated_at) == (4, None, due + ESCALATED)
    assert len(mail_of_the_bus(world, "ada")) == len(mail_of_the_bus(world, "watchdog")) == 1
    assert debt.state == "open"


def test_a_round_tells_how_many(world: World) -> None:
    ask(world, to=("bob", "cy"))
    run_to(world, world.store.now() + DUE_MS + AFTER[0] - 1)
    world.clock.advance(1)
    assert world.store.sweep("h").reminders == 2
    assert world.store.sweep("h").reminders == 0
    run_to(world, world.store.now() + ESCALATED - AFTER[0] - 1000)
    world.clock.advance(1000)
    assert world.store.sweep("h").escalations == 2


def test_what_a_reminder_says(world: World) -> None:
    id_ = ask(world)
    run_to(world, world.store.now() + DUE_MS + AFTER[0])
    (reminder,) = mail_of_the_bus(world, "bob")
    assert (reminder.kind, reminder.thread, reminder.metadata) == ("reminder", id_, {"reminds": id_})
    assert all(
        word in reminder.body for word in (id_, "ada", "Reminder 1 of 4", "30 s", "the build", "declined")
    )
    assert "ada" in reminder.subject
    run_to(world, world.store.now() + ESCALATED)
    (told,) = mail_of_the_bus(world, "ada")
    assert told.metadata == {"escalates": id_}
    assert all(word in told.body for word in (id_, "bob", "reminded 4 times", "hubbub pending waive"))


def test_no_time_no_reminder(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", kind="question")
    run_to(world, world.store.now() + 10 * DAY_MS, step=DAY_MS // 4)
    assert world.events("reminder_sent", "answer_escalated") == []


@pytest.mark.parametrize("taken", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("end", ["reply", "declined", "waived"])
def test_the_end_of_the_debt_ends_the_reminders_at_any_point(world: World, taken: int, end: str) -> None:
    id_ = ask(world)
    due = world.store.now() + DUE_MS
    run_to(world, due + (0, *AFTER)[taken])
    assert len(mail_of_the_bus(world, "bob")) == (taken > 0)
    if end == "waived":
        world.store.pending.waive(Actor("ada"), id_)
    else:
        kind = "declined" if end == "declined" else "answer"
        world.send(Actor("bob"), "ada", kind=kind, in_reply_to=id_)
    # What was not read is withdrawn at once, and nothing comes any more.
    assert mail_of_the_bus(world, "bob") == []
    run_to(world, due + DAY_MS // 24, step=5000)
    assert len(world.events("reminder_sent")) == taken
    assert world.events("answer_escalated") == []
    assert mail_of_the_bus(world, "ada") == mail_of_the_bus(world, "bob") == []


def test_one_that_answers_late_ends_it_too(world: World) -> None:
    id_ = ask(world)
    run_to(world, world.store.now() + DUE_MS + ESCALATED)
    assert world.send(Actor("bob"), "ada", in_reply_to=id_).debt == "answered"
    assert world.store.pending.owed() == []


def test_an_unread_reminder_gives_way_to_the_next(world: World) -> None:
    ask(world)
    due = world.store.now() + DUE_MS
    ids = []
    for after in AFTER:
        run_to(world, due + after)
        (reminder,) = mail_of_the_bus(world, "bob")
        ids.append(reminder.id)
    assert len(set(ids)) == 4
    assert [world.state("bob", id_) for id_ in ids] == ["settled"] * 3 + ["queued"]
    withdrawn = [event for event in world.events("message_settled") if event.detail == {"why": "withdrawn"}]
    assert [event.message for event in withdrawn] == ids[:3]


def test_a_reminder_in_hand_stays_with_its_reader(world: World) -> None:
    ask(world)
    bob, due = Actor("bob"), world.store.now() + DUE_MS
    run_to(world, due + AFTER[0])
    _, reminder = world.take(bob, limit=2)
    run_to(world, due + AFTER[1])
    assert world.state("bob", reminder) == "leased"
    world.mail.settle(bob, (reminder,))


@pytest.mark.parametrize("lapsed", [False, True])
def test_answering_settles_a_reminder_in_hand(world: World, lapsed: bool) -> None:
    id_ = ask(world)
    bob = Actor("bob")
    run_to(world, world.store.now() + DUE_MS + AFTER[0])
    _, reminder = world.take(bob, limit=2, lease_ms=1000 if lapsed else LEASE_MS)
    world.clock.advance(1000)
    world.send(bob, "ada", in_reply_to=id_)
    assert world.state("bob", reminder) == "settled"
    world.mail.settle(bob, (reminder,))  # it could not know
    world.clock.advance(LEASE_MS)
    assert world.take(bob, limit=10) == []


def test_a_reminder_whose_lease_ran_out_is_withdrawn_with_a_waiver(world: World) -> None:
    id_ = ask(world)
    run_to(world, world.store.now() + DUE_MS + AFTER[0])
    world.take(Actor("bob"), limit=2, lease_ms=1000)
    world.clock.advance(1000)
    world.store.pending.waive(Actor("ada"), id_)
    assert mail_of_the_bus(world, "bob") == []


# --- late, early, twice ----------------------------------------------------------------------------


def test_late_housekeeping_makes_no_burst(world: World) -> None:
    ask(world)
    world.clock.advance(DAY_MS)
    start = world.store.now()
    run_to(world, start + 600_000, step=1000)
    found = times(world, "reminder_sent", start) + times(world, "answer_escalated", start)
    assert len(found) == 5
    assert found[0] <= 1000
    assert all(later - earlier >= REMINDER_GAP_MS for earlier, later in pairwise(found))
    assert found[-1] <= 1000 + 5 * (REMINDER_GAP_MS + 1000)


@pytest.mark.parametrize("jump", [-3_600_000, 3_600_000], ids=["back", "forward"])
@pytest.mark.parametrize("position", range(6))
def test_a_clock_that_jumps_loses_none_and_makes_no_burst(world: World, jump: int, position: int) -> None:
    ask(world)
    due = world.store.now() + DUE_MS
    run_to(world, due + (-1000, 1000, *(after + 1000 for after in AFTER))[position], step=5000)
    world.clock.advance(jump)
    run_to(world, due + 7_200_000, step=5000)
    assert len(world.events("reminder_sent")) == 4
    assert len(world.events("answer_escalated")) == 1
    found = [event.at for event in world.events("reminder_sent", "answer_escalated")]
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert all(gap >= REMINDER_GAP_MS or gap < 0 for gap in gaps)


def test_two_housekeepers_remind_once(world: World, place: Place) -> None:
    ask(world)
    due = world.store.now() + DUE_MS
    other = open_store(place.url, clock=place.clock)
    try:
        while world.store.now() < due + ESCALATED:
            world.clock.advance(5000)
            world.store.sweep("first")
            other.sweep("second")
    finally:
        other.close()
    assert times(world, "reminder_sent", due) == list(AFTER)
    assert times(world, "answer_escalated", due) == [ESCALATED]


# --- where the mail can't be had -------------------------------------------------------------------


def test_a_full_inbox_is_told_to_the_ledger_and_the_count_goes_on(world: World) -> None:
    ask(world)
    world.agent("bob", inbox_limit=1)
    due = world.store.now() + DUE_MS
    run_to(world, due + ESCALATED)
    assert times(world, "reminder_sent", due) == list(AFTER)
    assert [event.detail for event in world.events("reminder_sent")] == [
        {"number": number, "not_delivered": "inbox full"} for number in (1, 2, 3, 4)
    ]
    assert world.mail.peek("bob").remaining == 0
    assert len(world.mail.peek("bob").deliveries) == 1
    assert len(mail_of_the_bus(world, "ada")) == 1


def test_room_that_fell_free_with_time_counts(world: World) -> None:
    world.agents_named("ada", "bob", "cy")
    world.agent("bob", inbox_limit=1)
    world.send(Actor("ada"), "bob", kind="question", reply_within_ms=DUE_MS)
    world.take(Actor("bob"), lease_ms=1000)
    world.mail.settle(Actor("bob"), (world.store.pending.owed()[0].message,))
    world.send(Actor("cy"), "bob", ttl_ms=DUE_MS)
    run_to(world, world.store.now() + DUE_MS + AFTER[0])
    assert len(mail_of_the_bus(world, "bob")) == 1


def test_a_debtor_that_left_is_not_reminded_and_the_count_goes_on(world: World) -> None:
    ask(world)
    world.agent("watchdog")
    due = world.store.now() + DUE_MS
    world.agents.unregister("bob")
    run_to(world, due + ESCALATED)
    details = [event.detail or {} for event in world.events("reminder_sent")]
    assert [one.get("not_delivered") for one in details] == ["not registered"] * 4
    (event,) = world.events("answer_escalated")
    assert event.detail == {"to": ["ada", "watchdog"]}


def test_an_asker_that_left_is_told_nothing_and_nobody_is_reminded(world: World) -> None:
    ask(world)
    world.agent("watchdog")
    world.agents.unregister("ada")
    run_to(world, world.store.now() + DUE_MS + 2 * ESCALATED)
    assert world.events("reminder_sent", "answer_escalated") == []


def test_a_debtor_that_became_a_publisher_has_no_inbox(world: World) -> None:
    ask(world)
    world.agent("bob", role="publisher")
    run_to(world, world.store.now() + DUE_MS + AFTER[0])
    assert [event.detail for event in world.events("reminder_sent")] == [
        {"number": 1, "not_delivered": "no inbox"}
    ]


def test_a_bus_without_a_watchdog_tells_the_asker_alone(world: World) -> None:
    ask(world)
    run_to(world, world.store.now() + DUE_MS + ESCALATED)
    assert [event.detail for event in world.events("answer_escalated")] == [{"to": ["ada"]}]


@pytest.mark.parametrize(("asker", "debtor"), [("watchdog", "bob"), ("ada", "watchdog")])
def test_the_watchdog_itself_is_told_once_and_not_of_itself(world: World, asker: str, debtor: str) -> None:
    for name in (asker, debtor):
        world.agent(name)
    world.send(Actor(asker), debtor, kind="question", reply_within_ms=DUE_MS)
    run_to(world, world.store.now() + DUE_MS + ESCALATED)
    assert [event.detail for event in world.events("answer_escalated")] == [{"to": [asker]}]
    assert len(mail_of_the_bus(world, asker)) == 1


# --- what is set -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "reminded", "escalated"),
    [
        (Policy(remind_after_ms=(1000, 90_000), escalate_after_ms=200_000), [1000, 90_000], 200_000),
        (Policy(remind_after_ms=(), escalate_after_ms=5000), [], 5000),
        (Policy(escalate_after_ms=45_000), [30_000], 60_000),
        (Policy(escalate_after_ms=10_000), [], 10_000),
    ],
    ids=["own times", "none", "sooner", "at once"],
)
def test_the_times_can_be_set(
    world: World, place: Place, policy: Policy, reminded: list[int], escalated: int
) -> None:
    store = open_store(place.url, clock=place.clock, policy=policy)
    try:
        other = World(place.url, store, place.clock)
        ask(other)
        due = other.store.now() + DUE_MS
        run_to(other, due + ESCALATED)
        assert times(other, "reminder_sent", due) == reminded
        # At least REMINDER_GAP_MS lie between a reminder and what comes next.
        assert times(other, "answer_escalated", due) == [escalated]
    finally:
        store.close()


def test_another_watchdog_can_be_set(world: World) -> None:
    ask(world)
    world.agent("owl")
    world.store.settings.put("reminders.watchdog", "owl")
    world.store.settings.put("reminders.after", "5,50")
    world.store.settings.put("reminders.escalate_after", "100")
    due = world.store.now() + DUE_MS
    run_to(world, due + ESCALATED)
    assert [event.detail for event in world.events("answer_escalated")] == [{"to": ["ada", "owl"]}]
    assert times(world, "answer_escalated", due) == [100_000]
