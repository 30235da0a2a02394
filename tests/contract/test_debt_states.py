"""The states of an answer that is owed: every pair of state and event."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import HubbubError
from hubbub.model import Actor
from hubbub.policy import ESCALATE_AFTER_MS, REMIND_AFTER_MS
from tests.contract.world import World

DUE_MS = 60_000
TTL_MS = 86_400_000

STATES = ("open", "answered", "declined", "waived")


def _reply(world: World, id_: str) -> None:
    world.send(Actor("bob"), "ada", "because", in_reply_to=id_)


def _status(world: World, id_: str) -> None:
    world.send(Actor("bob"), "ada", "half done", kind="status", in_reply_to=id_)


def _forward(world: World, id_: str) -> None:
    world.send(Actor("bob"), "cy", "can you?", in_reply_to=id_)


def _removed(world: World, id_: str) -> None:
    world.agents.unregister("bob", delete_mail=True)


def _asker_leaves(world: World, id_: str) -> None:
    world.agents.unregister("ada")


def _decline(world: World, id_: str) -> None:
    world.send(Actor("bob"), "ada", "no time", kind="declined", in_reply_to=id_)


def _waive(world: World, id_: str) -> None:
    world.store.pending.waive(Actor("ada"), id_)


def _settle(world: World, id_: str) -> None:
    world.mail.settle(Actor("bob"), (id_,))


def _reminder(world: World, id_: str) -> None:
    world.clock.advance(DUE_MS + REMIND_AFTER_MS[0])
    world.store.sweep("h")


def _escalation(world: World, id_: str) -> None:
    for _ in range(len(REMIND_AFTER_MS) + 1):
        world.clock.advance(DUE_MS + ESCALATE_AFTER_MS)
        world.store.sweep("h")


def _expires(world: World, id_: str) -> None:
    world.clock.advance(TTL_MS)
    world.store.sweep("h")


def _leaves(world: World, id_: str) -> None:
    world.agents.unregister("bob")


EVENTS: dict[str, Callable[[World, str], None]] = {
    "reply": _reply,
    "reply of kind declined": _decline,
    "reply of kind status": _status,
    "reply to others": _forward,
    "waive": _waive,
    "acknowledge": _settle,
    "reminder": _reminder,
    "escalation": _escalation,
    "question expires": _expires,
    "question removed": _removed,
    "debtor leaves": _leaves,
    "asker leaves": _asker_leaves,
}

# What an event leads to from each of STATES, in their order: a state, or the code of a refusal.
TABLE = {
    "reply": ("answered", "answered", "declined", "waived"),
    "reply of kind declined": ("declined", "answered", "declined", "waived"),
    "reply of kind status": ("open", "answered", "declined", "waived"),
    "reply to others": ("open", "answered", "declined", "waived"),
    "waive": ("waived", "NOTHING_OWED", "NOTHING_OWED", "NOTHING_OWED"),
    "acknowledge": ("open", "ALREADY_SETTLED", "ALREADY_SETTLED", "waived"),
    "reminder": ("open", "answered", "declined", "waived"),
    "escalation": ("open", "answered", "declined", "waived"),
    "question expires": ("open", "answered", "declined", "waived"),
    "question removed": ("waived", "answered", "declined", "waived"),
    "debtor leaves": ("open", "answered", "declined", "waived"),
    "asker leaves": ("waived", "answered", "declined", "waived"),
}
ROWS = [(state, event, TABLE[event][column]) for event in EVENTS for column, state in enumerate(STATES)]


def _state(world: World, id_: str) -> str:
    (debt,) = world.store.pending.owed(message=id_, closed=True)
    return debt.state


@pytest.mark.parametrize(("state", "event", "outcome"), ROWS)
def test_every_row(world: World, state: str, event: str, outcome: str) -> None:
    ada, *_ = world.agents_named("ada", "bob", "cy")
    id_ = world.send(ada, "bob", "?", kind="question", reply_within_ms=DUE_MS, ttl_ms=TTL_MS).id
    {
        "open": lambda: None,
        "answered": lambda: _reply(world, id_),
        "declined": lambda: _decline(world, id_),
    }.get(state, lambda: _waive(world, id_))()
    assert _state(world, id_) == state
    if outcome in STATES:
        EVENTS[event](world, id_)
        assert _state(world, id_) == outcome
    else:
        with pytest.raises(HubbubError) as refused:
            EVENTS[event](world, id_)
        assert refused.value.code == outcome
        assert _state(world, id_) == state


def test_only_open_ones_are_reminded_of(world: World) -> None:
    ada = world.agent("ada")
    world.agent("bob")
    ids = [world.send(ada, "bob", "?", reply_within_ms=DUE_MS).id for _ in range(4)]
    _reply(world, ids[1])
    _decline(world, ids[2])
    _waive(world, ids[3])
    world.take(Actor("ada"), limit=10)
    _escalation(world, ids[0])
    reminded = {event.message for event in world.events("reminder_sent")}
    assert reminded == {ids[0]}
    assert {event.message for event in world.events("answer_escalated")} == {ids[0]}


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == EVENTS.keys()
    assert all(len(row) == len(STATES) for row in TABLE.values())
