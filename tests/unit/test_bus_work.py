"""Work of the bus: checks of what callers hand in, and claims that wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus, Pause, planning
from hubbub.clock import ManualClock
from hubbub.errors import InvalidArgument, InvalidName, SessionSuperseded
from hubbub.errors_work import ClaimLost, ProjectNotFound, StepNotFound
from hubbub.model import Actor
from hubbub.model_work import (
    CLAIM_MS,
    MAX_ATTEMPTS,
    STEPS_MAX,
    TIME_LIMIT_MS,
    Claim,
    Need,
    Nothing,
    StepDraft,
)
from hubbub.stores import open_store
from tests.faults.processes import PATIENCE, child

ADA, BOB = Actor("ada"), Actor("bob")
MB = "x" * 1_000_000

DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.fixture
def clock() -> ManualClock:
    """The bus's time."""
    return ManualClock()


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[Bus]:
    """A bus with two agents and a project of one step."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as opened:
        for name in ("ada", "bob"):
            opened.agents.register(name)
        opened.work.create_project(ADA, "p", [{"title": "one"}])
        yield opened
        assert opened.check() == []


def _add(bus: Bus, *steps: Any) -> None:
    bus.work.add_steps(ADA, "p", list(steps))


def _claimed(bus: Bus, actor: Actor = ADA, **options: Any) -> Claim:
    found = bus.work.claim(actor, **options)
    assert isinstance(found, Claim), found
    return found


# --- checks ----------------------------------------------------------------------------------------


def _field(name: str, value: Any) -> Callable[[Bus], object]:
    return lambda bus: bus.work.add_steps(ADA, "p", [{"title": "x", name: value}])


BAD: dict[str, Callable[[Bus], object]] = {
    "project: no name": lambda bus: bus.work.create_project(ADA, ""),
    "project: blank": lambda bus: bus.work.create_project(ADA, "  "),
    "project: 1 MB name": lambda bus: bus.work.create_project(ADA, MB),
    "project: no text": lambda bus: bus.work.create_project(ADA, 5),  # type: ignore[arg-type]
    "project: two lines": lambda bus: bus.work.create_project(ADA, "a\nb"),
    "project: 1 MB description": lambda bus: bus.work.create_project(ADA, "q", description=MB),
    "project: 1 MB base": lambda bus: bus.work.create_project(ADA, "q", base_commit=MB),
    "project: priority 101": lambda bus: bus.work.create_project(ADA, "q", priority=101),
    "project: priority -101": lambda bus: bus.work.create_project(ADA, "q", priority=-101),
    "project: priority text": lambda bus: bus.work.create_project(ADA, "q", priority="1"),  # type: ignore[arg-type]
    "project: priority true": lambda bus: bus.work.create_project(ADA, "q", priority=True),
    "project: metadata list": lambda bus: bus.work.create_project(ADA, "q", metadata=[]),  # type: ignore[arg-type]
    "project: metadata 1 MB": lambda bus: bus.work.create_project(ADA, "q", metadata={"a": MB}),
    "project: metadata deep": lambda bus: bus.work.create_project(ADA, "q", metadata={"a": DEEP}),
    "project: key": lambda bus: bus.work.create_project(ADA, "q", key=MB),
    "project: steps are text": lambda bus: bus.work.create_project(ADA, "q", "one"),  # type: ignore[arg-type]
    "project: steps are an object": lambda bus: bus.work.create_project(ADA, "q", {"title": "x"}),  # type: ignore[arg-type]
    "project: a step is a number": lambda bus: bus.work.create_project(ADA, "q", [1]),  # type: ignore[list-item]
    "project: too many steps": lambda bus: bus.work.create_project(
        ADA, "q", [{"title": "x"}] * (STEPS_MAX + 1)
    ),
    "project: numbers twice": lambda bus: bus.work.create_project(ADA, "q", [{"title": "x", "num": 2}] * 2),
    "project: circle": lambda bus: bus.work.create_project(ADA, "q", [{"title": "x", "needs": [1]}]),
    "update: nothing": lambda bus: bus.work.update_project(ADA, "p"),
    "update: state": lambda bus: bus.work.update_project(ADA, "p", state="pause"),
    "update: unknown": lambda bus: bus.work.update_project(ADA, "p", titel="x"),
    "update: name": lambda bus: bus.work.update_project(ADA, "p", name=""),
    "update: description": lambda bus: bus.work.update_project(ADA, "p", description=None),
    "step: no title": lambda bus: bus.work.add_steps(ADA, "p", [{"scope": "x"}]),
    "step: empty title": _field("title", ""),
    "step: blank title": _field("title", "  "),
    "step: 1 MB title": _field("title", MB),
    "step: two lines": _field("title", "a\nb"),
    "step: escape": _field("title", "a\x1b[2J"),
    "step: title no text": _field("title", 5),
    "step: surrogate": _field("title", "\ud800"),
    "step: 1 MB instructions": _field("instructions", MB),
    "step: 1 MB acceptance": _field("acceptance", MB),
    "step: branch": _field("branch", MB),
    "step: scope": _field("scope", MB),
    "step: number 0": _field("num", 0),
    "step: number -1": _field("num", -1),
    "step: number 2**40": _field("num", 2**40),
    "step: number text": _field("num", "one"),
    "step: number half": _field("num", 1.5),
    "step: number taken": _field("num", 1),
    "step: priority": _field("priority", 1000),
    "step: paths": _field("paths", 5),
    "step: absolute path": _field("paths", ["/etc"]),
    "step: path out": _field("paths", ["../x"]),
    "step: 101 paths": _field("paths", [f"a{num}" for num in range(101)]),
    "step: resources": _field("resources", {"gpu": 1}),
    "step: empty resource": _field("resources", [""]),
    "step: 1 MB resource": _field("resources", [MB]),
    "step: needs": _field("needs", "a, b"),
    "step: needs true": _field("needs", True),
    "step: needs unknown": _field("needs", [{"num": 1, "after": 2}]),
    "step: needs without": _field("needs", [{"until": "merged"}]),
    "step: needs until": _field("needs", [{"num": 1, "until": "done"}]),
    "step: needs on_failure": _field("needs", [{"num": 1, "on_failure": "wait"}]),
    "step: 1001 needs": _field("needs", list(range(1, 1002))),
    "step: attempts": _field("max_attempts", 0),
    "step: time limit": _field("time_limit", 0),
    "step: time limit nan": _field("time_limit", float("nan")),
    "step: metadata": _field("metadata", {"a": float("inf")}),
    "step: unknown": _field("titel", "x"),
    "step: draft no step": lambda bus: bus.work.add_steps(ADA, "p", [None]),  # type: ignore[list-item]
    "edit: nothing": lambda bus: bus.work.edit_step(ADA, "p/1"),
    "edit: unknown": lambda bus: bus.work.edit_step(ADA, "p/1", prioity=1),
    "edit: needs": lambda bus: bus.work.edit_step(ADA, "p/1", needs=[2]),
    "edit: not_before": lambda bus: bus.work.edit_step(ADA, "p/1", not_before=-1),
    "split: into nothing": lambda bus: bus.work.split_step(ADA, "p/1", []),
    "needs: remove": lambda bus: bus.work.set_needs(ADA, "p/1", remove=["x"]),  # type: ignore[list-item]
    "cancel: reason": lambda bus: bus.work.cancel_step(ADA, "p/1", reason=MB),
    "step: empty name": lambda bus: bus.work.step(""),
    "step: 1 MB name": lambda bus: bus.work.step(MB),
    "steps: status": lambda bus: bus.work.steps("p", statuses=("done",)),
    "steps: limit": lambda bus: bus.work.steps("p", limit=0),
    "steps: scope": lambda bus: bus.work.steps("p", scope="\ud800"),
    "steps: scope no text": lambda bus: bus.work.steps("p", scope=5),  # type: ignore[arg-type]
    "steps: place": lambda bus: bus.work.steps("p", after="nonsense"),
    "steps: place no text": lambda bus: bus.work.steps("p", after=5),  # type: ignore[arg-type]
    "projects: state": lambda bus: bus.work.projects(state="activ"),
    "projects: limit": lambda bus: bus.work.projects(limit=10**9),
    "projects: place": lambda bus: bus.work.projects(after=5),  # type: ignore[arg-type]
    "claim: project": lambda bus: bus.work.claim(ADA, project=""),
    "claim: scope": lambda bus: bus.work.claim(ADA, scope=""),
    "claim: wait": lambda bus: bus.work.claim(ADA, wait=-1),
    "claim: endless wait": lambda bus: bus.work.claim(ADA, wait=float("inf")),
    "claim: lease": lambda bus: bus.work.claim(ADA, lease=0),
    "claim: long lease": lambda bus: bus.work.claim(ADA, lease=10**9),
    "claim: key": lambda bus: bus.work.claim(ADA, key=""),
    "start: token": lambda bus: bus.work.start(ADA, ""),
    "start: branch": lambda bus: bus.work.start(ADA, "x", branch=MB),
    "start: worktree": lambda bus: bus.work.start(ADA, "x", worktree=MB),
    "renew: notes": lambda bus: bus.work.renew(ADA, "x", notes=MB),
    "renew: token no text": lambda bus: bus.work.renew(ADA, None),  # type: ignore[arg-type]
    "complete: commit": lambda bus: bus.work.complete(ADA, "x", commit=MB),
    "complete: files": lambda bus: bus.work.complete(ADA, "x", files={"a": 1}),  # type: ignore[arg-type]
    "complete: empty file": lambda bus: bus.work.complete(ADA, "x", files=[""]),
    "complete: result": lambda bus: bus.work.complete(ADA, "x", result=MB),
    "complete: notes no text": lambda bus: bus.work.complete(ADA, "x", notes=5),  # type: ignore[arg-type]
    "merge: commit": lambda bus: bus.work.merge(ADA, "p/1", commit=MB),
    "fail: no reason": lambda bus: bus.work.fail(ADA, "x", ""),
    "fail: 1 MB": lambda bus: bus.work.fail(ADA, "x", MB),
    "fail: class": lambda bus: bus.work.fail(ADA, "x", "y", failure="bug"),
    "fail: delay": lambda bus: bus.work.fail(ADA, "x", "y", delay=-1),
    "release: delay": lambda bus: bus.work.release(ADA, "x", delay=float("nan")),
    "retry: note": lambda bus: bus.work.retry(ADA, "p/1", note=MB),
    "stale: idle": lambda bus: bus.work.stale(idle=-1),
    "stale: limit": lambda bus: bus.work.stale(limit=0),
    "reserve: nothing": lambda bus: bus.work.reserve(ADA, []),
    "reserve: absolute": lambda bus: bus.work.reserve(ADA, ["/x"]),
    "reserve: no glob": lambda bus: bus.work.reserve(ADA, ["[a"]),
    "reserve: 101": lambda bus: bus.work.reserve(ADA, [f"a{num}" for num in range(101)]),
    "reserve: ttl": lambda bus: bus.work.reserve(ADA, ["a"], ttl=0),
    "reserve: reason": lambda bus: bus.work.reserve(ADA, ["a"], reason=MB),
    "reservation: renew": lambda bus: bus.work.renew_reservation(ADA, ""),
    "reservation: ttl": lambda bus: bus.work.renew_reservation(ADA, "x", ttl=10**9),
    "reservations: agent": lambda bus: bus.work.reservations(agent="Not A Name"),
    "conflicts: nothing": lambda bus: bus.work.conflicts([]),
    "conflicts: but": lambda bus: bus.work.conflicts(["a"], but="Not A Name"),
    "limit: name": lambda bus: bus.work.limit_resource(ADA, "", 1),
    "limit: none": lambda bus: bus.work.limit_resource(ADA, "gpu", 0),
    "metrics: agent": lambda bus: bus.work.metrics(agent="Not A Name"),
    "metrics: scope": lambda bus: bus.work.metrics(scope="\ud800"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_with_a_typed_error_and_changes_nothing(bus: Bus, what: str) -> None:
    before = bus.events.events(limit=1, newest=True)
    with pytest.raises((InvalidArgument, InvalidName)) as caught:
        BAD[what](bus)
    assert len(caught.value.message) < 300
    assert len(caught.value.hint) < 600
    assert bus.events.events(limit=1, newest=True) == before


def test_an_error_in_a_plan_names_the_step_and_the_field(bus: Bus) -> None:
    with pytest.raises(InvalidArgument, match=r"Step 2: priority must be from -100 to 100, not 999"):
        bus.work.create_project(ADA, "q", [{"title": "a"}, {"title": "b", "priority": 999}])
    with pytest.raises(ProjectNotFound):
        bus.work.project("q")


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("titel", "title"),
        ("prioritiy", "priority"),
        ("path", "paths"),
        ("need", "needs"),
        ("instruction", "inst"),
    ],
)
def test_an_unknown_field_is_answered_with_the_nearest(bus: Bus, field: str, meant: str) -> None:
    with pytest.raises(InvalidArgument, match=field) as caught:
        _add(bus, {"title": "x", field: "y"})
    assert f"Did you mean {meant}" in caught.value.hint
    assert "acceptance" in caught.value.hint


def test_a_step_as_short_and_as_long_as_it_may_be() -> None:
    assert planning.step("Write it") == planning.step({"title": " Write it "}) == StepDraft("Write it")
    full = planning.step(
        {
            "title": "t" * 300,
            "num": "7",
            "instructions": "i" * 65_536,
            "acceptance": "a",
            "branch": "b",
            "scope": "s",
            "paths": "src/",
            "resources": ["gpu", "gpu"],
            "priority": -100,
            "needs": [1, "2", {"num": 3, "until": "merged", "on_failure": "cancel"}, 1],
            "max_attempts": 100,
            "time_limit": 1.5,
            "metadata": {"a": [1, None]},
        }
    )
    assert full == StepDraft(
        "t" * 300,
        7,
        "i" * 65_536,
        "a",
        "b",
        "s",
        ("src/**",),
        ("gpu",),
        -100,
        (Need(1), Need(2), Need(3, "merged", "cancel")),
        100,
        1500,
        {"a": [1, None]},
    )


def test_a_plan_in_hqs_words_is_understood(bus: Bus) -> None:
    plan = [
        {"step_num": 1, "branch": "feat/a", "scope": "core"},
        {"step_num": 2, "branch": "feat/b", "scope": "ui", "depends_on": [1], "description": "Build it."},
        {"step_num": 3, "name": "Ship", "depends_on": [1, 2]},
    ]
    _, steps = bus.work.create_project(ADA, "q", plan, base_commit="abc")
    assert [(step.num, step.title, step.branch, step.instructions) for step in steps] == [
        (1, "feat/a", "feat/a", ""),
        (2, "feat/b", "feat/b", "Build it."),
        (3, "Ship", "", ""),
    ]
    assert [step.needs for step in steps] == [(), (Need(1),), (Need(1), Need(2))]
    assert (steps[0].max_attempts, steps[0].time_limit_ms) == (MAX_ATTEMPTS, TIME_LIMIT_MS)


def test_what_is_null_in_a_plan_is_as_if_not_said(bus: Bus) -> None:
    _, (step,) = bus.work.create_project(ADA, "q", [{"title": "x", "paths": None, "priority": None}])
    assert (step.paths, step.priority) == ((), 0)


def test_no_change_of_needs_is_no_error(bus: Bus) -> None:
    assert bus.work.set_needs(ADA, "p/1").needs == ()


def test_names_are_said_in_several_ways(bus: Bus) -> None:
    id_ = bus.work.step("p/1")[0].id
    for name in ("p/1", "P/1", id_, f"{bus.work.project('p').id}/1"):
        assert bus.work.step(name)[0].id == id_
    assert _claimed(bus, project="p", step="1").step.id == id_


def test_news_are_told_by_who_makes_them(bus: Bus) -> None:
    live = _claimed(bus)
    bus.work.complete(ADA, live.token, commit="f00")
    told = [one.body for one in bus.topics.history("p").messages]
    assert told == [
        "Step 1 (one) is completed - commit f00.",
        "All steps of p are over: the project is completed.",
    ]
    assert bus.work.tell_all() == 0


def test_news_that_could_not_be_told_do_not_undo_what_was_done(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hubbub.errors import BusBusy

    live = _claimed(bus)
    with monkeypatch.context() as patch:

        def busy(**options: Any) -> int:
            raise BusBusy("Another process is writing.")

        patch.setattr(bus.store.work, "tell", busy)
        assert bus.work.complete(ADA, live.token).status == "completed"
    assert bus.topics.history("p").messages == ()
    seen: list[int] = []
    assert bus.work.tell_all(progress=seen.append) == 2
    assert seen[-1] == 2


def test_recovering_takes_back_what_ran_out_and_nothing_else(bus: Bus, clock: ManualClock) -> None:
    from hubbub.errors_work import ClaimLive

    assert bus.work.recover(ADA, "p/1").status == "not_started"
    live = _claimed(bus, BOB)
    with pytest.raises(ClaimLive):
        bus.work.recover(ADA, "p/1")
    clock.advance(CLAIM_MS)
    assert bus.work.recover(ADA, "p/1").status == "not_started"
    with pytest.raises(ClaimLost):
        bus.work.renew(BOB, live.token)


# --- waiting ---------------------------------------------------------------------------------------

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
    _add(bus, {"title": "two", "needs": [1]})
    live = _claimed(bus)
    assert _woken(bus, lambda: bus.work.complete(ADA, live.token)).step.num == 2


def test_a_released_step_wakes(bus: Bus) -> None:
    live = _claimed(bus)
    assert _woken(bus, lambda: bus.work.release(ADA, live.token)).step.num == 1


def test_a_failed_step_that_may_be_had_at_once_wakes(bus: Bus) -> None:
    live = _claimed(bus)
    assert _woken(bus, lambda: bus.work.fail(ADA, live.token, "x", delay=0)).step.num == 1


def test_a_retried_step_wakes(bus: Bus) -> None:
    bus.work.fail(ADA, _claimed(bus).token, "x", final=True)
    assert _woken(bus, lambda: bus.work.retry(ADA, "p/1")).step.num == 1


def test_added_steps_wake(bus: Bus) -> None:
    _claimed(bus)
    assert _woken(bus, lambda: _add(bus, {"title": "two"})).step.num == 2


def test_a_new_project_wakes(bus: Bus) -> None:
    _claimed(bus)
    assert _woken(bus, lambda: bus.work.create_project(ADA, "q", [{"title": "x"}])).project.name == "q"


def test_a_project_that_goes_on_wakes(bus: Bus) -> None:
    bus.work.update_project(ADA, "p", state="paused")
    assert _woken(bus, lambda: bus.work.update_project(ADA, "p", state="active"), project="p").step.num == 1


def test_a_released_reservation_wakes(bus: Bus) -> None:
    bus.work.edit_step(ADA, "p/1", paths=["src/**"])
    kept = bus.work.reserve(ADA, ["src/a"])
    assert _woken(bus, lambda: bus.work.release_reservation(ADA, kept.id)).step.num == 1


def test_a_raised_limit_wakes(bus: Bus) -> None:
    _add(bus, {"title": "two", "resources": ["gpu"]})
    bus.work.edit_step(ADA, "p/1", resources=["gpu"])
    _claimed(bus)
    assert _woken(bus, lambda: bus.work.limit_resource(ADA, "gpu", 2)).step.num == 2


def test_a_merge_wakes(bus: Bus) -> None:
    _add(bus, {"title": "two", "needs": [{"num": 1, "until": "merged"}]})
    bus.work.complete(ADA, _claimed(bus).token)
    assert _woken(bus, lambda: bus.work.merge(ADA, "p/1")).step.num == 2


def test_an_agent_that_leaves_wakes(bus: Bus) -> None:
    _claimed(bus)
    assert _woken(bus, lambda: bus.agents.unregister("ada")).step.num == 1


def test_nothing_wakes_nobody(bus: Bus) -> None:
    _claimed(bus)
    _, pause = _wait(bus)
    bus.agents.register("cy")
    bus.topics.create(ADA, "other")
    bus.mail.send(ADA, bus.mail.draft("cy", "hello"))
    bus.work.steps("p")
    bus.work.mine(ADA)
    assert not pause.bell.wait(0)


def test_what_is_not_for_one_is_waited_over(bus: Bus) -> None:
    _claimed(bus)
    steps, pause = _wait(bus, scope="ui")
    _add(bus, {"title": "two", "scope": "db"})
    assert pause.bell.wait(PATIENCE)
    pause = next(steps)
    _add(bus, {"title": "three", "scope": "ui"})
    assert pause.bell.wait(PATIENCE)
    found = _end(steps)
    assert isinstance(found, Claim)
    assert found.step.num == 3


def test_one_step_goes_to_one_of_two_who_wait(bus: Bus) -> None:
    _claimed(bus)
    bus.agents.register("cy")
    one, first = _wait(bus)
    other, second = _wait(bus, Actor("cy"))
    _add(bus, {"title": "two"})
    assert first.bell.wait(PATIENCE)
    assert second.bell.wait(PATIENCE)
    assert isinstance(_end(one), Claim)
    assert next(other).seconds > 0
    other.close()


@pytest.mark.parametrize("what", ["lease", "rest", "reservation"])
def test_a_waiter_looks_again_when_time_makes_a_step_ready(bus: Bus, clock: ManualClock, what: str) -> None:
    if what == "lease":
        _claimed(bus, lease=2)
    elif what == "rest":
        bus.work.release(ADA, _claimed(bus).token, delay=2)
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
    _claimed(bus)
    steps, pause = _wait(bus, wait=0.02)
    assert 0 < pause.seconds <= 0.02
    steps.close()
    found = bus.work.claim(BOB, wait=0.02)
    assert isinstance(found, Nothing)
    assert found.reason == "all_in_flight"


@pytest.mark.parametrize("options", [{}, {"wait": 0}, {"wait": 0, "project": "p"}], ids=str)
def test_no_wait_is_no_wait(bus: Bus, options: dict[str, Any]) -> None:
    _claimed(bus)
    assert isinstance(_end(bus.work.claiming(BOB, **options)), Nothing)


def test_what_can_not_come_is_not_waited_for(bus: Bus) -> None:
    bus.work.complete(ADA, _claimed(bus).token)
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
    live = _claimed(bus)
    steps, pause = _wait(bus, project="p")
    bus.work.complete(ADA, live.token)
    assert pause.bell.wait(PATIENCE)
    found = _end(steps)
    assert isinstance(found, Nothing)
    assert found.reason == "all_done"


def test_a_wait_that_is_given_up_takes_nothing(bus: Bus) -> None:
    live = _claimed(bus)
    steps, _ = _wait(bus)
    steps.close()
    bus.work.release(ADA, live.token)
    assert bus.work.project("p").counts.ready == 1


def test_a_waiter_that_is_taken_over_learns_it(bus: Bus) -> None:
    _claimed(bus)
    seat = bus.agents.join("bob")
    steps, pause = _wait(bus, seat.actor)
    bus.agents.join("bob", take_over=True)
    assert pause.bell.wait(PATIENCE)
    with pytest.raises(SessionSuperseded):
        next(steps)


def test_a_wait_under_a_key_has_the_claim_once(bus: Bus) -> None:
    live = _claimed(bus)
    steps, _ = _wait(bus, key="k")
    bus.work.release(ADA, live.token)
    found = _end(steps)
    again = bus.work.claim(BOB, key="k", wait=3600)
    assert isinstance(found, Claim)
    assert isinstance(again, Claim)
    assert (again.token, again.repeated) == (found.token, True)


def test_a_thread_that_waits_is_woken_by_another(bus: Bus) -> None:
    live = _claimed(bus)
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
        live = _claimed(bus)
        with child(WAITER, bus.info().url) as waiter:
            assert waiter.line() == "waits"
            bus.work.complete(ADA, live.token)
            assert waiter.line() == "2"
