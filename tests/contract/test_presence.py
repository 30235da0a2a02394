"""Who stands by an agent, pings, wakes, and what is set on the bus."""

from __future__ import annotations

import pytest

from hubbub.errors import HubbubError, NotRegistered
from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.model_presence import PING_KEPT_MS, NewStanding, Pong, Standing
from tests.contract.world import World

HOUR_MS = 3_600_000


def standing(id_: str, slot: str = "monitor", **fields: str) -> NewStanding:
    """A process about to stand by."""
    return NewStanding(id_, fields.pop("kind", "monitor"), slot, **fields)


def ids(world: World, agent: str | None = None) -> list[str]:
    """Who stands by."""
    return [one.id for one in world.store.presence.standing(agent)]


def test_one_that_stands_by_is_seen_with_all_it_said(world: World) -> None:
    world.agent("ada")
    now = world.store.now()
    new = NewStanding("w-1", "wrapper", "pty", "types", "waits", "host/boot/1/2", "/work")
    with world.store.bell("agents") as bell:
        assert world.store.presence.stand_by("ada", new) is None
        assert bell.wait(0)
    expected = Standing(
        "w-1", "ada", "wrapper", "pty", "types", "waits", "host/boot/1/2", "/work",
        now, now, now + SESSION_TTL_MS,
    )  # fmt: skip
    assert world.store.presence.standing("ada") == world.store.presence.standing() == [expected]
    assert world.store.presence.standing("bob") == []
    assert world.agents.get("ada").session is None
    assert world.agents.get("ada").last_seen_at == now


def test_a_slot_is_filled_once(world: World) -> None:
    world.agents_named("ada", "bob")
    assert world.store.presence.stand_by("ada", standing("w-1")) is None
    other = world.store.presence.stand_by("ada", standing("w-2"))
    assert other is not None
    assert other.id == "w-1"
    assert world.store.presence.stand_by("ada", standing("w-1")) is None
    assert world.store.presence.stand_by("ada", standing("w-3", "tmux %3")) is None
    assert world.store.presence.stand_by("bob", standing("w-4")) is None
    assert (ids(world, "ada"), ids(world, "bob")) == (["w-1", "w-3"], ["w-4"])


def test_it_lasts_as_long_as_it_is_kept(world: World) -> None:
    world.agent("ada")
    world.store.presence.stand_by("ada", standing("w-1", state="starts"))
    for state in (None, "waits", None):
        world.clock.advance(SESSION_TTL_MS - 1)
        with world.store.bell("agents") as bell:
            kept = world.store.presence.keep("w-1", state)
            assert bell.wait(0) is (state is not None)
    assert kept is not None
    assert (kept.state, kept.beat_at, kept.expires_at) == (
        "waits", world.store.now(), world.store.now() + SESSION_TTL_MS,
    )  # fmt: skip
    assert kept.since < kept.beat_at
    world.clock.advance(SESSION_TTL_MS)
    assert ids(world) == []
    assert world.store.presence.stand_by("ada", standing("w-2")) is None
    assert world.store.presence.keep("w-1") is None
    assert ids(world) == ["w-2"]


def test_housekeeping_ends_what_was_not_heard_of(world: World) -> None:
    world.agent("ada")
    world.store.presence.stand_by("ada", standing("w-1"))
    world.clock.advance(10_000)
    seen = world.store.now()
    world.store.presence.keep("w-1")
    world.clock.advance(SESSION_TTL_MS)
    with world.store.bell("agents") as bell:
        world.store.sweep("h")
        assert bell.wait(0)
    assert world.store.presence.keep("w-1") is None
    assert world.agents.get("ada").last_seen_at == seen
    # It leaves nothing in the ledger: beats are no events.
    assert {event.event for event in world.events()} == {"agent_registered"}


def test_stepping_down(world: World) -> None:
    world.agent("ada")
    world.store.presence.stand_by("ada", standing("w-1"))
    world.clock.advance(5000)
    with world.store.bell("agents") as bell:
        world.store.presence.step_down("w-1")
        assert bell.wait(0)
        world.store.presence.step_down("w-1")
    assert ids(world) == []
    assert world.store.presence.keep("w-1") is None
    assert world.agents.get("ada").last_seen_at == world.store.now()


def test_nobody_stands_by_one_that_is_not_registered(world: World) -> None:
    with pytest.raises(NotRegistered):
        world.store.presence.stand_by("ada", standing("w-1"))
    world.agent("ada")
    world.store.presence.stand_by("ada", standing("w-1"))
    world.agents.unregister("ada")
    assert ids(world) == []
    assert world.store.presence.keep("w-1") is None
    world.agent("ada")
    assert ids(world) == []
    assert world.store.presence.keep("w-1") is None


def test_a_clock_set_back_blocks_no_slot(world: World) -> None:
    world.agent("ada")
    world.store.presence.stand_by("ada", standing("w-1"))
    world.clock.advance(-HOUR_MS)
    assert world.store.presence.stand_by("ada", standing("w-2")) is None
    assert ids(world) == ["w-2"]


# --- pings -----------------------------------------------------------------------------------------


def test_a_ping_is_answered_once(world: World) -> None:
    world.agents_named("ada", "bob")
    before = world.last_seq()
    with world.store.bell("ping/bob") as asked, world.store.bell("ping/ada") as others:
        number = world.store.presence.ping("ada", "bob")
        assert asked.wait(0)
        assert not others.wait(0)
    other = world.store.presence.ping("ada", "bob")
    assert world.store.presence.pings(("bob",)) == [(number, "bob"), (other, "bob")]
    assert world.store.presence.pings(("ada",)) == world.store.presence.pings(()) == []
    assert world.store.presence.pong_of(number) is None
    pong = Pong("server", "s-1", "codex", 250, "in a tool")
    with world.store.bell(f"pong/{number}") as told, world.store.bell(f"pong/{other}") as not_told:
        assert world.store.presence.pong(number, pong)
        assert told.wait(0)
        assert not not_told.wait(0)
    assert not world.store.presence.pong(number, Pong("monitor", None, "", None))
    assert world.store.presence.pong_of(number) == pong
    assert world.store.presence.pings(("ada", "bob")) == [(other, "bob")]
    assert world.last_seq() == before


def test_a_ping_is_forgotten_and_its_number_never_used_again(world: World) -> None:
    world.agents_named("ada", "bob")
    number = world.store.presence.ping("ada", "bob")
    world.clock.advance(PING_KEPT_MS)
    assert world.store.presence.pings(("bob",)) == []
    world.store.sweep("h")
    assert not world.store.presence.pong(number, Pong("server", None, "", None))
    later = world.store.presence.ping("ada", "bob")
    assert later > number
    assert world.store.presence.pong_of(later) is None
    assert world.store.presence.pong_of(number) is None


# --- wakes -----------------------------------------------------------------------------------------


def test_the_last_try_of_each_way_is_kept(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob").id
    world.store.presence.woke("bob", "pty", True, "", sent)
    world.clock.advance(5)
    world.store.presence.woke("bob", "tmux %3", False, "no such pane", None)
    world.clock.advance(5)
    world.store.presence.woke("bob", "pty", False, "a dialog is open", sent)
    found = [(one.how, one.worked, one.detail, one.message) for one in world.store.presence.wakes("bob")]
    assert found == [("pty", False, "a dialog is open", sent), ("tmux %3", False, "no such pane", None)]
    assert world.store.presence.wakes("ada") == []
    told = [
        (event.event, event.message, event.agent, event.detail)
        for event in world.events("agent_woken", "wake_failed")
    ]
    assert told == [
        ("agent_woken", sent, "bob", {"how": "pty"}),
        ("wake_failed", None, "bob", {"how": "tmux %3", "detail": "no such pane"}),
        ("wake_failed", sent, "bob", {"how": "pty", "detail": "a dialog is open"}),
    ]
    with pytest.raises(NotRegistered):
        world.store.presence.woke("nobody", "pty", True, "", None)


# --- settings --------------------------------------------------------------------------------------


def test_a_setting_is_put_changed_and_dropped_and_the_ledger_knows(world: World) -> None:
    ada = world.agent("ada")
    put = world.store.settings.put
    assert world.store.settings.all() == {}
    assert put("gate.limit", "5", by=ada) is None
    assert put("gate.limit", "6") == "5"
    assert put("gate.limit", "6") == "6"
    assert put("a.b", "x") is None
    assert world.store.settings.all() == {"a.b": "x", "gate.limit": "6"}
    assert put("gate.limit", None) == "6"
    assert put("gate.limit", None) is None
    assert world.store.settings.all() == {"a.b": "x"}
    told = [(event.actor, event.detail) for event in world.events("setting_changed")]
    assert told == [
        ("ada", {"key": "gate.limit", "value": "5", "before": None}),
        (None, {"key": "gate.limit", "value": "6", "before": "5"}),
        (None, {"key": "a.b", "value": "x", "before": None}),
        (None, {"key": "gate.limit", "value": None, "before": "6"}),
    ]
    with pytest.raises(HubbubError) as caught:
        put("a.b", "y", by=Actor("nobody"))
    assert caught.value.code == "NOT_REGISTERED"
    assert world.store.settings.all() == {"a.b": "x"}
