"""Work of the bus: checks of what callers hand in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus, planning
from hubbub.clock import ManualClock
from hubbub.errors import InvalidArgument, InvalidName
from hubbub.errors_work import ClaimLost, ProjectNotFound
from hubbub.model_work import (
    CLAIM_MS,
    MAX_ATTEMPTS,
    STEPS_MAX,
    TIME_LIMIT_MS,
    Need,
    StepDraft,
)
from tests.unit.bus_of_work import ADA, BOB, add, bus_with_work, claimed

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
    with bus_with_work(tmp_path, clock) as opened:
        yield opened


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
    "step: control in branch": _field("branch", "a\x1b[2J"),
    "step: two lines of scope": _field("scope", "a\nb"),
    "project: control in base": lambda bus: bus.work.create_project(ADA, "q", base_commit="\x07"),
    "project: everybody's": lambda bus: bus.work.create_project(ADA, "All"),
    "project: renamed everybody's": lambda bus: bus.work.update_project(ADA, "p", name="all"),
    "start: control in branch": lambda bus: bus.work.start(ADA, "x", branch="a\rb"),
    "start: control in worktree": lambda bus: bus.work.start(ADA, "x", worktree="/w\x1b"),
    "complete: control in commit": lambda bus: bus.work.complete(ADA, "x", commit="\x00"),
    "merge: control in commit": lambda bus: bus.work.merge(ADA, "p/1", commit="\u202ef"),
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
        add(bus, {"title": "x", field: "y"})
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
    assert claimed(bus, project="p", step="1").step.id == id_


def test_news_are_told_by_who_makes_them(bus: Bus) -> None:
    live = claimed(bus)
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

    live = claimed(bus)
    with monkeypatch.context() as patch:

        def busy(**options: Any) -> int:
            raise BusBusy("Another process is writing.")

        patch.setattr(bus.store.work, "tell", busy)
        assert bus.work.cancel_step(ADA, live.step.id).status == "cancelled"
    assert bus.topics.history("p").messages == ()
    seen: list[int] = []
    assert bus.work.tell_all(progress=seen.append) == 1
    assert seen[-1] == 1


def test_recovering_takes_back_what_ran_out_and_nothing_else(bus: Bus, clock: ManualClock) -> None:
    from hubbub.errors_work import ClaimLive, StepNotClaimed

    with pytest.raises(StepNotClaimed, match="not_started: nobody holds it"):
        bus.work.recover(ADA, "p/1")
    live = claimed(bus, BOB)
    with pytest.raises(ClaimLive):
        bus.work.recover(ADA, "p/1")
    clock.advance(CLAIM_MS)
    assert bus.work.recover(ADA, "p/1").status == "not_started"
    with pytest.raises(ClaimLost):
        bus.work.renew(BOB, live.token)
    # Whoever asks again has the same answer, until somebody has the step and does not lose it.
    assert bus.work.recover(ADA, "p/1").status == "not_started"
    bus.work.complete(BOB, claimed(bus, BOB).token)
    with pytest.raises(StepNotClaimed, match="completed"):
        bus.work.recover(ADA, "p/1")
