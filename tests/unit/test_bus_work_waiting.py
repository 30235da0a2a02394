"""Claims that wait: what wakes them, what ends the wait, and what does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus, Pause
from hubbub.clock import ManualClock
from hubbub.errors import SessionSuperseded
from hubbub.errors_work import StepNotFound
from hubbub.model import Actor
from hubbub.model_work import Claim, Nothing
from hubbub.stores import open_store
from tests.faults.processes import PATIENCE, child
from tests.unit.bus_of_work import ADA, BOB, add, bus_with_work, claimed


@pytest.fixture
def clock() -> ManualClock:
    """The bus's time."""
    return ManualClock()


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[Bus]:
    """A bus with two agents and a project of one step."""
    with bus_with_work(tmp_path, clock) as opened:
        yield opened


Waiting = Generator[Pause, None, Claim | Nothing]


def _wait(bus: Bus, actor: Actor = BOB, **options: Any) -> tuple[Waiting, Pause]:
    """One who waits, and what it waits on."""
    steps = bus.work.claiming(actor, **{"wait": 3600, **options})
    pause = next(steps)
    pause.bell.clear()
    return steps, pause


def _end(steps: Waiting) -> Claim | Nothing:
    """What the wait came to; it must be over."""
    with pytest.raises(StopIteration) as done:
        next(steps)
    found: Claim | Nothing = done.value.value
    return found


def _woken(bus: Bus, act: Callable[[], object], **options: Any) -> Claim:
    """The claim that an act brings to who waits."""
    steps, pause = _wait(bus, **options)
    assert not pause.bell.wait(0)
    act()
    assert pause.bell.wait(PATIENCE)
    found = _end(steps)
    assert isinstance(found, Claim), found
    return found


def test_a_step_that_is_there_is_not_waited_for(bus: Bus) -> None:
    found = _end(bus.work.claiming(BOB, wait=3600))
    assert isinstance(found, Claim)
    assert found.step.num == 1


def test_a_completed_step_wakes_who_waits_for_what_needs_it(bus: Bus) -> None:
    add(bus, {"title": "two", "needs": [1]})
    live = claimed(bus)
    assert _woken(bus, lambda: bus.work.complete(ADA, live.token)).step.num == 2


def test_a_released_step_wakes(bus: Bus) -> None:
    live = claimed(bus)
    assert _woken(bus, lambda: bus.work.release(ADA, live.token)).step.num == 1


def test_a_failed_step_that_may_be_had_at_once_wakes(bus: Bus) -> None:
    live = claimed(bus)
    assert _woken(bus, lambda: bus.work.fail(ADA, live.token, "x", delay=0)).step.num == 1


def test_a_retried_step_wakes(bus: Bus) -> None:
    bus.work.fail(ADA, claimed(bus).token, "x", final=True)
    assert _woken(bus, lambda: bus.work.retry(ADA, "p/1")).step.num == 1


def test_added_steps_wake(bus: Bus) -> None:
    claimed(bus)
    assert _woken(bus, lambda: add(bus, {"title": "two"})).step.num == 2


def test_a_new_project_wakes(bus: Bus) -> None:
    claimed(bus)
    assert _woken(bus, lambda: bus.work.create_project(ADA, "q", [{"title": "x"}])).project.name == "q"


def test_a_project_that_goes_on_wakes(bus: Bus) -> None:
    bus.work.update_project(ADA, "p", state="paused")
    assert _woken(bus, lambda: bus.work.update_project(ADA, "p", state="active"), project="p").step.num == 1


def test_a_released_reservation_wakes(bus: Bus) -> None:
    bus.work.edit_step(ADA, "p/1", paths=["src/**"])
    kept = bus.work.reserve(ADA, ["src/a"])
    assert _woken(bus, lambda: bus.work.release_reservation(ADA, kept.id)).step.num == 1


def test_a_raised_limit_wakes(bus: Bus) -> None:
    add(bus, {"title": "two", "resources": ["gpu"]})
    bus.work.edit_step(ADA, "p/1", resources=["gpu"])
    claimed(bus)
    assert _woken(bus, lambda: bus.work.limit_resource(ADA, "gpu", 2)).step.num == 2


def test_a_merge_wakes(bus: Bus) -> None:
    add(bus, {"title": "two", "needs": [{"num": 1, "until": "merged"}]})
    bus.work.complete(ADA, claimed(bus).token)
    assert _woken(bus, lambda: bus.work.merge(ADA, "p/1")).step.num == 2


def test_an_agent_that_leaves_wakes(bus: Bus) -> None:
    claimed(bus)
    assert _woken(bus, lambda: bus.agents.unregister("ada")).step.num == 1


def test_nothing_wakes_nobody(bus: Bus) -> None:
    claimed(bus)
    _, pause = _wait(bus)
    bus.agents.register("cy")
    bus.topics.create(ADA, "other")
    bus.mail.send(ADA, bus.mail.draft("cy", "hello"))
    bus.work.steps("p")
    bus.work.mine(ADA)
    assert not pause.bell.wait(0)


def test_what_is_not_for_one_is_waited_over(bus: Bus) -> None:
    claimed(bus)
    steps, pause = _wait(bus, scope="ui")
    add(bus, {"title": "two", "scope": "db"})
    assert pause.bell.wait(PATIENCE)
    pause = next(steps)
    add(bus, {"title": "three", "scope": "ui"})
    assert pause.bell.wait(PATIENCE)
    found = _end(steps)
    assert isinstance(found, Claim)
    assert found.step.num == 3


def test_one_step_goes_to_one_of_two_who_wait(bus: Bus) -> None:
    claimed(bus)
    bus.agents.register("cy")
    one, first = _wait(bus)
    other, second = _wait(bus, Actor("cy"))
    add(bus, {"title": "two"})
    assert first.bell.wait(PATIENCE)
    assert second.bell.wait(PATIENCE)
    assert isinstance(_end(one), Claim)
    assert next(other).seconds > 0
    other.close()


@pytest.mark.parametrize("what", ["lease", "rest", "reservation"])
def test_a_waiter_looks_again_when_time_makes_a_step_ready(bus: Bus, clock: ManualClock, what: str) -> None:
    if what == "lease":
        claimed(bus, lease=2)
    elif what == "rest":
        bus.work.release(ADA, claimed(bus).token, delay=2)
    else:
        bus.work.edit_step(ADA, "p/1", paths=["a"])
        bus.work.reserve(ADA, ["a"], ttl=2)
    steps, pause = _wait(bus)
    assert 1.9 < pause.seconds <= 2
    clock.advance(1500)
    assert 0 < next(steps).seconds <= 0.5
    clock.advance(500)
    found = _end(steps)
    assert isinstance(found, Claim)
    assert found.step.num == 1


def test_a_wait_has_an_end(bus: Bus) -> None:
    claimed(bus)
    steps, pause = _wait(bus, wait=0.02)
    assert 0 < pause.seconds <= 0.02
    steps.close()
    found = bus.work.claim(BOB, wait=0.02)
    assert isinstance(found, Nothing)
    assert found.reason == "all_in_flight"


@pytest.mark.parametrize("options", [{}, {"wait": 0}, {"wait": 0, "project": "p"}], ids=str)
def test_no_wait_is_no_wait(bus: Bus, options: dict[str, Any]) -> None:
    claimed(bus)
    assert isinstance(_end(bus.work.claiming(BOB, **options)), Nothing)


def test_what_can_not_come_is_not_waited_for(bus: Bus) -> None:
    bus.work.complete(ADA, claimed(bus).token)
    for options, reason in (
        ({"project": "nonsense"}, "no_such_project"),
        ({"project": "p"}, "all_done"),
        ({"step": "p/1"}, "all_done"),
    ):
        found = _end(bus.work.claiming(BOB, wait=3600, **options))  # type: ignore[arg-type]
        assert isinstance(found, Nothing)
        assert found.reason == reason
    with pytest.raises(StepNotFound):
        next(bus.work.claiming(BOB, wait=3600, step="p/9"))


def test_a_wait_is_over_when_nothing_can_come_any_more(bus: Bus) -> None:
    live = claimed(bus)
    steps, pause = _wait(bus, project="p")
    bus.work.complete(ADA, live.token)
    assert pause.bell.wait(PATIENCE)
    found = _end(steps)
    assert isinstance(found, Nothing)
    assert found.reason == "all_done"


def test_a_wait_that_is_given_up_takes_nothing(bus: Bus) -> None:
    live = claimed(bus)
    steps, _ = _wait(bus)
    steps.close()
    bus.work.release(ADA, live.token)
    assert bus.work.project("p").counts.ready == 1


def test_a_waiter_that_is_taken_over_learns_it(bus: Bus) -> None:
    claimed(bus)
    seat = bus.agents.join("bob")
    steps, pause = _wait(bus, seat.actor)
    bus.agents.join("bob", take_over=True)
    assert pause.bell.wait(PATIENCE)
    with pytest.raises(SessionSuperseded):
        next(steps)


def test_a_wait_under_a_key_has_the_claim_once(bus: Bus) -> None:
    live = claimed(bus)
    steps, _ = _wait(bus, key="k")
    bus.work.release(ADA, live.token)
    found = _end(steps)
    again = bus.work.claim(BOB, key="k", wait=3600)
    assert isinstance(found, Claim)
    assert isinstance(again, Claim)
    assert (again.token, again.repeated) == (found.token, True)


def test_a_thread_that_waits_is_woken_by_another(bus: Bus) -> None:
    live = claimed(bus)
    began = threading.Event()
    found: list[Claim | Nothing] = []

    def wait() -> None:
        steps = bus.work.claiming(BOB, wait=PATIENCE)
        pause = next(steps)
        began.set()
        while True:
            pause.bell.wait(PATIENCE)
            try:
                pause = next(steps)
            except StopIteration as done:
                found.append(done.value)
                return

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert began.wait(PATIENCE)
    bus.work.release(ADA, live.token)
    waiter.join(PATIENCE)
    assert isinstance(found[0], Claim)


WAITER = """
import sys
from hubbub import connect
from hubbub.model import Actor
bus = connect(sys.argv[1])
steps = bus.work.claiming(Actor("bob"), wait=20)
pause = next(steps)
print("waits", flush=True)
while True:
    pause.bell.wait(20)
    try:
        pause = next(steps)
    except StopIteration as done:
        print(done.value.step.num, flush=True)
        break
"""


def test_a_process_that_waits_is_woken_by_another(tmp_path: Path) -> None:
    with Bus(open_store(f"sqlite://{tmp_path}/real.db")) as bus:
        for name in ("ada", "bob"):
            bus.agents.register(name)
        bus.work.create_project(ADA, "p", ["one", {"title": "two", "needs": [1]}])  # type: ignore[list-item]
        live = claimed(bus)
        with child(WAITER, bus.info().url) as waiter:
            assert waiter.line() == "waits"
            bus.work.complete(ADA, live.token)
            assert waiter.line() == "2"
