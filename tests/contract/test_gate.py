"""The gate: how many messages one agent may send another within a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubbub.clock import ManualClock
from hubbub.errors import HubbubError, RateLimited
from hubbub.model import Actor, Draft
from hubbub.model_topics import Post
from hubbub.policy import GATE_LIMIT, GATE_WINDOW_MS, Policy
from hubbub.stores import open_store
from tests.contract.conftest import Place
from tests.contract.world import World


@pytest.fixture
def strict(world: World) -> World:
    """A bus that enforces a limit of 3, with three agents."""
    world.agents_named("ada", "bob", "cy")
    world.store.settings.put("gate.mode", "enforce")
    world.store.settings.put("gate.limit", "3")
    return world


def refusal(world: World, name: str, to: str | tuple[str, ...], **fields: Any) -> RateLimited:
    """The refusal that a send meets."""
    with pytest.raises(RateLimited) as caught:
        world.send(Actor(name), to, **fields)
    return caught.value


def told(world: World, kind: str) -> list[tuple[str | None, str | None, int]]:
    """What the ledger says of refusals or excess: by whom, to whom, and how many."""
    return [(event.actor, event.agent, (event.detail or {})["count"]) for event in world.events(kind)]


def passed(world: World, name: str, to: str, tries: int) -> int:
    """How many of so many sends were accepted."""
    accepted = 0
    for _ in range(tries):
        try:
            world.send(Actor(name), to)
            accepted += 1
        except RateLimited:
            continue
    return accepted


def test_observing_refuses_nothing_and_tells_at_once_and_in_the_end(world: World) -> None:
    world.agents_named("ada", "bob")
    start = world.store.now()
    for _ in range(GATE_LIMIT):
        world.send(Actor("ada"), "bob")
    assert told(world, "gate_exceeded") == []
    for _ in range(5):
        world.send(Actor("ada"), "bob")
    assert told(world, "gate_exceeded") == [("ada", "bob", 1)]
    assert world.mail.peek("bob").remaining + 10 == GATE_LIMIT + 5
    world.clock.advance(GATE_WINDOW_MS - 1)
    world.store.sweep("h")
    assert told(world, "gate_exceeded") == [("ada", "bob", 1)]
    world.clock.advance(1)
    for _ in range(2):
        world.store.sweep("h")
    assert told(world, "gate_exceeded") == [("ada", "bob", 1), ("ada", "bob", 4)]
    assert {(event.detail or {})["window_start"] for event in world.events("gate_exceeded")} == {start}
    assert told(world, "gate_refused") == []


def test_enforcing_refuses_with_the_time_to_wait(strict: World) -> None:
    assert passed(strict, "ada", "bob", 3) == 3
    strict.clock.advance(4000)
    refused = refusal(strict, "ada", "bob")
    assert (refused.code, refused.details["recipient"], refused.details["limit"]) == (
        "RATE_LIMITED",
        "bob",
        3,
    )
    assert (refused.details["retry_after_seconds"], refused.details["at_most"]) == (6.0, 0)
    assert "3 messages to bob" in refused.message
    assert "6 s" in refused.hint
    assert len(strict.mail.peek("bob").deliveries) == 3
    strict.clock.advance(5999)
    refusal(strict, "ada", "bob")
    strict.clock.advance(1)
    assert passed(strict, "ada", "bob", 9) == 3


def test_a_window_begins_with_the_first_send_of_a_pair(strict: World) -> None:
    strict.send(Actor("ada"), "bob")
    strict.clock.advance(6000)
    assert passed(strict, "ada", "bob", 3) == 2
    strict.clock.advance(4000)
    assert passed(strict, "ada", "bob", 4) == 3
    strict.clock.advance(GATE_WINDOW_MS - 1)
    assert passed(strict, "ada", "bob", 1) == 0
    strict.clock.advance(1)
    strict.send(Actor("ada"), "bob")
    strict.clock.advance(GATE_WINDOW_MS)
    assert passed(strict, "ada", "bob", 9) == 3


def test_each_pair_is_counted_by_itself(strict: World) -> None:
    assert passed(strict, "ada", "bob", 4) == 3
    assert passed(strict, "ada", "cy", 4) == 3
    assert passed(strict, "bob", "ada", 4) == 3
    assert passed(strict, "cy", "bob", 4) == 3


def test_only_accepted_sends_count(strict: World) -> None:
    strict.agent("bob", max_message_bytes=10)
    for _ in range(5):
        with pytest.raises(HubbubError) as caught:
            strict.send(Actor("ada"), "bob", "far too long a text")
        assert caught.value.code == "MESSAGE_TOO_LARGE"
    for _ in range(5):
        with pytest.raises(HubbubError):
            strict.send(Actor("ada"), ("bob", "nobody"))
    assert passed(strict, "ada", "bob", 9) == 3
    assert passed(strict, "ada", "bob", 9) == 0


def test_a_repeated_send_counts_once_and_is_answered_beyond_the_limit(strict: World) -> None:
    for _ in range(5):
        strict.send(Actor("ada"), "bob", key="k")
    assert passed(strict, "ada", "bob", 9) == 2
    assert strict.send(Actor("ada"), "bob", key="k").repeated


def test_several_recipients_all_or_none(strict: World) -> None:
    for _ in range(3):
        strict.send(Actor("ada"), "bob")
    refused = refusal(strict, "ada", ("cy", "bob"))
    assert refused.details["recipient"] == "bob"
    assert strict.mail.peek("cy").deliveries == ()
    assert passed(strict, "ada", "cy", 9) == 3


@pytest.mark.parametrize("how", ["reply", "request", "everyone", "announcement", "declined"])
def test_every_way_of_sending_mail_passes_it(strict: World, how: str) -> None:
    asked = strict.send(Actor("bob"), "ada", kind="question").id
    strict.agents.unregister("cy")
    ways: dict[str, dict[str, Any]] = {
        "reply": {"in_reply_to": asked},
        "declined": {"in_reply_to": asked, "kind": "declined"},
        "request": {"kind": "question", "wait_ms": 1000},
        "announcement": {"announce": True},
        "everyone": {},
    }
    to = "*" if how == "everyone" else "bob"
    for _ in range(3):
        strict.send(Actor("ada"), to, **ways[how])
    assert refusal(strict, "ada", to, **ways[how]).details["recipient"] == "bob"
    assert len(strict.mail.peek("bob").deliveries) == 3


def test_what_the_bus_sends_does_not_pass_it(strict: World) -> None:
    for _ in range(3):
        strict.send(Actor("ada"), "bob", kind="question", reply_within_ms=1)
    strict.clock.advance(GATE_WINDOW_MS)
    for _ in range(3):
        strict.send(Actor("ada"), "bob", kind="question", reply_within_ms=1)
    strict.clock.advance(100_000)
    strict.store.settings.put("gate.limits.hubbub", "0")
    assert strict.store.sweep("h").reminders == 6
    assert len(strict.mail.peek("bob", limit=20).deliveries) == 7


def test_posts_to_a_topic_pass_it_as_to_the_topic(strict: World) -> None:
    ada = Actor("ada")
    topic = strict.topic(ada)
    strict.post(ada, "build", "1", "2")
    strict.post(ada, "build", "3")
    with pytest.raises(RateLimited) as caught:
        strict.post(ada, "build", "4")
    assert caught.value.details["recipient"] == "#build"
    (event,) = strict.events("gate_refused")
    assert (event.actor, event.agent, event.topic) == ("ada", None, topic.id)
    strict.topic(ada, "other")
    strict.post(ada, "other", "1", "2", "3")
    assert strict.written("build") == ["1", "2", "3"]
    # Mail is counted apart.
    assert passed(strict, "ada", "bob", 9) == 3
    # A retry of what is there is no new post.
    key = Post("again", key="k")
    strict.clock.advance(GATE_WINDOW_MS)
    strict.post(ada, "build", key, "x", "y")
    assert strict.post(ada, "build", key)[0].repeated


def test_a_batch_is_told_how_it_can_pass(strict: World) -> None:
    ada = Actor("ada")
    strict.topic(ada)
    batch = [str(number) for number in range(5)]
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            strict.post(ada, "build", *batch)
    assert "has sent 0 of them" in caught.value.message
    assert caught.value.hint == "Send at most 3 at a time."
    assert caught.value.details["at_most"] == 3
    assert strict.written("build") == []
    strict.post(ada, "build", "a")
    with pytest.raises(RateLimited) as caught:
        strict.post(ada, "build", *batch)
    assert "has sent 1 of them" in caught.value.message
    assert caught.value.hint.startswith("Send at most 3 at a time: 2 now, the others in ")
    strict.post(ada, "build", *batch[: caught.value.details["at_most"]])
    strict.clock.advance(GATE_WINDOW_MS)
    strict.post(ada, "build", *batch[2:])
    assert strict.written("build") == ["a", *batch]


def test_the_ledger_adds_up_to_the_refusals(strict: World) -> None:
    refused = 0
    for tries in (10, 4, 3, 30, 5):
        refused += tries - passed(strict, "ada", "bob", tries)
        strict.clock.advance(GATE_WINDOW_MS)
    strict.store.sweep("h")
    counts = told(strict, "gate_refused")
    assert sum(count for _, _, count in counts) == refused == 7 + 1 + 0 + 27 + 2
    assert [count for _, _, count in counts] == [1, 6, 1, 1, 26, 1, 1]
    assert {count[:2] for count in counts} == {("ada", "bob")}


def test_a_refusal_is_in_the_ledger_at_once_even_in_a_new_window(strict: World) -> None:
    assert passed(strict, "ada", "bob", 3) == 3
    strict.topic(Actor("ada"))
    strict.post(Actor("ada"), "build", "1")
    strict.clock.advance(5 * GATE_WINDOW_MS)
    for _ in range(2):
        with pytest.raises(RateLimited):
            strict.post(Actor("ada"), "build", *"12345")
    (event,) = strict.events("gate_refused")
    assert (event.at, event.detail) == (
        strict.store.now(),
        {"count": 1, "window_start": strict.store.now()},
    )


def test_nothing_refused_is_dropped_later_and_nothing_accepted(strict: World) -> None:
    assert passed(strict, "ada", "bob", 50) == 3
    strict.clock.advance(10 * GATE_WINDOW_MS)
    strict.store.sweep("h")
    assert len(strict.take(Actor("bob"), limit=100)) == 3


@pytest.mark.parametrize("jump", [-3_600_000, -1, 3_600_000], ids=["back", "a little back", "forward"])
def test_a_clock_that_jumps_begins_a_new_window(strict: World, jump: int) -> None:
    refused = 10 - passed(strict, "ada", "bob", 10)
    strict.clock.advance(jump)
    strict.store.sweep("h")
    assert sum(count for _, _, count in told(strict, "gate_refused")) == refused
    assert passed(strict, "ada", "bob", 10) == 3


def test_a_send_that_waited_for_its_turn_is_counted_in_the_others_window(place: Place) -> None:
    """Another process began the window while this one waited: its sends are not forgotten."""

    class Late(ManualClock):
        """A clock that lets something else happen once, right after it was looked at."""

        between: Callable[[], object] | None = None

        def now(self) -> int:
            at, act, self.between = super().now(), self.between, None
            if act is not None:
                place.clock.advance(5)
                act()
                self.advance(5)
            return at

    clock = Late(place.clock.now())
    first, second = open_store(place.url, clock=clock), open_store(place.url, clock=place.clock)
    try:
        world = World(place.url, second, place.clock)
        world.agents_named("ada", "bob")
        world.store.settings.put("gate.mode", "enforce")
        world.store.settings.put("gate.limit", "2")
        clock.between = lambda: passed(world, "ada", "bob", 2)
        with pytest.raises(RateLimited):
            first.mail.send(Actor("ada"), Draft(("bob",), "late"))
        assert passed(world, "ada", "bob", 2) == 0
    finally:
        first.close()
        second.close()


# --- what is set -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bus", "process", "limit"),
    [
        ({}, {}, GATE_LIMIT),
        ({"gate.limit": "5"}, {}, 5),
        ({"gate.limit": "50"}, {}, 50),
        ({}, {"gate_limit": 5}, 5),
        ({}, {"gate_limit": 50}, GATE_LIMIT),
        ({"gate.limit": "50"}, {"gate_limit": GATE_LIMIT}, GATE_LIMIT),
        ({"gate.limit": "5"}, {"gate_limit": 7}, 5),
        ({"gate.limit": "7"}, {"gate_limit": 5}, 5),
        ({"gate.limit": "5", "gate.limits.ada": "7"}, {}, 7),
        ({"gate.limit": "5", "gate.limits.bob": "7"}, {}, 5),
        ({"gate.limit": "5", "gate.limits.ada": "7"}, {"gate_limit": 6}, 6),
        ({"gate.limits.ada": "7"}, {"gate_limits": (("ada", 9), ("bob", 1))}, 7),
        ({"gate.limits.ada": "9"}, {"gate_limits": (("ada", 7),), "gate_limit": 1}, 7),
        ({"gate.limits.ada": "0"}, {}, 0),
        ({"gate.limit": "many", "gate.limits.ada": "-1"}, {}, GATE_LIMIT),
    ],
    ids=str,
)
def test_the_stricter_limit_holds(
    place: Place, bus: dict[str, str], process: dict[str, Any], limit: int
) -> None:
    store = open_store(place.url, clock=place.clock, policy=Policy(gate_enforce=True, **process))
    try:
        world = World(place.url, store, place.clock)
        world.agents_named("ada", "bob")
        for key, value in bus.items():
            world.store.settings.put(key, value)
        assert passed(world, "ada", "bob", limit + 2) == limit
        if limit == 0:
            assert "limit is 0" in refusal(world, "ada", "bob").message
    finally:
        store.close()


@pytest.mark.parametrize("bus", [None, "observe", "enforce"])
@pytest.mark.parametrize("process", [False, True])
def test_either_can_enforce(place: Place, bus: str | None, process: bool) -> None:
    store = open_store(place.url, clock=place.clock, policy=Policy(gate_enforce=process, gate_limit=2))
    try:
        world = World(place.url, store, place.clock)
        world.agents_named("ada", "bob")
        if bus is not None:
            world.store.settings.put("gate.mode", bus)
        assert passed(world, "ada", "bob", 5) == (2 if process or bus == "enforce" else 5)
    finally:
        store.close()


def test_what_is_set_holds_at_once(strict: World) -> None:
    assert passed(strict, "ada", "bob", 5) == 3
    strict.store.settings.put("gate.limit", "4")
    assert passed(strict, "ada", "bob", 5) == 1
    strict.store.settings.put("gate.mode", None)
    assert passed(strict, "ada", "bob", 5) == 5


def test_refused_and_exceeded_are_told_apart_whoever_keeps_house(world: World, place: Place) -> None:
    """One process enforces, another does not, and a third does the housekeeping."""
    world.agents_named("ada", "bob")
    store = open_store(place.url, clock=place.clock, policy=Policy(gate_enforce=True, gate_limit=2))
    try:
        enforcing = World(place.url, store, place.clock)
        assert passed(enforcing, "ada", "bob", 6) == 2
        world.store.settings.put("gate.limit", "2")
        assert passed(world, "ada", "bob", 3) == 3
        assert passed(enforcing, "ada", "bob", 2) == 0
    finally:
        store.close()
    world.clock.advance(GATE_WINDOW_MS)
    world.store.sweep("h")
    assert sum(count for _, _, count in told(world, "gate_refused")) == 6
    assert sum(count for _, _, count in told(world, "gate_exceeded")) == 3


def test_a_limit_of_thousands_of_digits_limits_nothing(strict: World) -> None:
    for name in ("gate.limit", "gate.limits.ada"):
        strict.store.settings.put(name, "9" * 5000)
    assert passed(strict, "ada", "bob", 5) == 5
