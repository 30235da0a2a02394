"""Projects whose work began elsewhere: there whole, with what was done, and nothing of it done again."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import IdempotencyMismatch, InvalidArgument, NotRegistered
from hubbub.errors_work import DependencyCycle, ProjectExists, StepNotFound
from hubbub.model import Actor
from hubbub.model_work import (
    MAX_ATTEMPTS,
    Need,
    Past,
    PastAttempt,
    Project,
    ProjectDraft,
    Step,
    StepDraft,
    Wanted,
)
from tests.contract.working import claimed, did, failed, nothing, ready, statuses, step_of
from tests.contract.world import World

OLD = 1_500_000_000_000


def _steps(*needs: tuple[int | Need, ...]) -> tuple[StepDraft, ...]:
    """A step for each of these, with what it needs."""
    return tuple(
        StepDraft(
            f"step {num}",
            num=num,
            branch=f"b{num}",
            needs=tuple(need if isinstance(need, Need) else Need(need) for need in each),
        )
        for num, each in enumerate(needs, 1)
    )


def _went(state: str = "completed", agent: str = "old-1", **fields: Any) -> PastAttempt:
    return PastAttempt(agent, state, OLD, OLD + 60_000, **fields)


def _adopted(
    world: World, actor: Actor, steps: tuple[StepDraft, ...], *past: Past, name: str = "p", **options: Any
) -> tuple[Project, tuple[Step, ...]]:
    return world.work.adopt_project(actor, ProjectDraft(name, steps=steps), past, source="test", **options)


DONE = _went(
    commit="abc", files=("a.py",), notes="n", result="r", started_at=OLD + 1, worktree="/w", branch="x"
)


def test_what_was_done_stays_done_and_what_needed_it_is_ready(world: World) -> None:
    ada = world.agent("ada")
    project, steps = _adopted(
        world, ada, _steps((), (1,), (2,)), Past(1, "completed", (DONE,)), created_at=OLD - 5
    )
    assert (project.state, project.created_at, project.created_by) == ("active", OLD - 5, "ada")
    assert (project.counts.completed, project.counts.not_started, project.counts.ready) == (1, 2, 1)
    first = steps[0]
    assert (first.status, first.agent, first.commit, first.files) == ("completed", "old-1", "abc", ("a.py",))
    assert (first.notes, first.result, first.ended_at) == ("n", "r", OLD + 60_000)
    ((attempt,),) = [world.work.step("p/1")[1]]
    assert (attempt.state, attempt.claimed_at, attempt.started_at, attempt.ended_at) == (
        "completed",
        OLD,
        OLD + 1,
        OLD + 60_000,
    )
    assert (attempt.branch, attempt.worktree, attempt.session) == ("x", "/w", None)
    assert ready(world) == [2]
    claim = claimed(world, ada)
    assert [(need.num, need.status, need.branch, need.commit) for need in claim.needs] == [
        (1, "completed", "x", "abc")
    ]


def test_a_step_waits_for_merging_where_its_edge_asks_for_it(world: World) -> None:
    ada = world.agent("ada")
    steps = _steps((), (), (Need(1, "merged"),), (Need(2, "merged"),))
    _adopted(world, ada, steps, Past(1, "completed", (_went(),)), Past(2, "merged", (_went(),)))
    assert statuses(world) == ["completed", "merged", "not_started", "not_started"]
    assert ready(world) == [4]
    world.work.merge(ada, "p/1")
    assert ready(world) == [3, 4]


def test_earlier_attempts_are_handed_to_the_next_and_use_up_none(world: World) -> None:
    ada = world.agent("ada")
    past = tuple(_went("lost", branch="b", worktree="/w", notes=f"note {n}") for n in range(30))
    _adopted(world, ada, _steps(()), Past(1, attempts=past))
    claim = claimed(world, ada)
    assert claim.attempt.number == 31
    assert claim.earlier[0].notes == "note 29"
    assert (claim.earlier[0].branch, claim.earlier[0].worktree) == ("b", "/w")
    for _ in range(MAX_ATTEMPTS - 1):
        world.work.fail(ada, claim.token, "x", delay_ms=0)
        assert step_of(world, 1).status == "not_started"
        claim = claimed(world, ada)
    world.work.fail(ada, claim.token, "x", delay_ms=0)
    assert step_of(world, 1).status == "parked"


def test_a_step_that_failed_is_in_the_way_until_it_is_retried(world: World) -> None:
    ada = world.agent("ada")
    failure = _went("failed", failure="task", reason="no compiler")
    _adopted(world, ada, _steps((), (1,)), Past(1, "failed", (failure,)))
    assert nothing(world, ada).reason == "blocked_by_failed"
    world.work.retry(ada, "p/1")
    claim = claimed(world, ada)
    assert (claim.step.num, claim.earlier[0].reason) == (1, "no compiler")
    world.work.complete(ada, claim.token)
    assert ready(world) == [2]


def test_what_is_over_without_being_done_has_its_way_with_dependents(world: World) -> None:
    ada = world.agent("ada")
    edges = [Need(1, on_failure=way) for way in ("block", "cancel", "continue")]
    _adopted(world, ada, _steps((), *((edge,) for edge in edges)), Past(1, "cancelled"))
    assert statuses(world) == ["cancelled", "not_started", "cancelled", "not_started"]
    assert ready(world) == [4]
    world.work.retry(ada, "p/1")
    assert statuses(world) == ["not_started"] * 4
    assert ready(world) == [1]


def test_a_project_where_all_is_done_is_completed(world: World) -> None:
    ada = world.agent("ada")
    project, _ = _adopted(
        world, ada, _steps((), ()), Past(1, "merged", (_went(),)), Past(2, "cancelled", ended_at=OLD)
    )
    assert project.state == "completed"
    assert step_of(world, 2).ended_at == OLD
    assert nothing(world, ada, "p").reason == "all_done"


def test_a_step_may_be_done_by_nobody_knows_whom(world: World) -> None:
    ada = world.agent("ada")
    _adopted(world, ada, _steps((), ()), Past(1, "completed"))
    first = step_of(world, 1)
    assert (first.status, first.agent, first.commit, first.attempts) == ("completed", None, None, 0)


def test_a_paused_project_stays_paused(world: World) -> None:
    ada = world.agent("ada")
    project, _ = _adopted(world, ada, _steps(()), state="paused")
    assert project.state == "paused"
    assert nothing(world, ada, "p").reason == "paused"
    world.work.update_project(ada, "p", {"state": "active"})
    did(world, ada)


def test_an_aborted_project_has_nothing_left_to_do_and_can_be_taken_up(world: World) -> None:
    ada = world.agent("ada")
    _adopted(
        world, ada, _steps((), (1,), ()), Past(1, "completed", (_went(),)), Past(3, "failed"), state="aborted"
    )
    assert statuses(world) == ["completed", "cancelled", "failed"]
    assert world.work.project("p").state == "aborted"
    world.work.update_project(ada, "p", {"state": "active"})
    assert ready(world) == [2]
    assert statuses(world)[2] == "failed"  # as it was


def test_names_of_agents_that_were_never_here_are_no_agents(world: World) -> None:
    ada = world.agent("ada")
    _adopted(world, ada, _steps(()), Past(1, "completed", (_went(),)))
    assert [agent.name for agent in world.agents.all()] == ["ada"]
    with pytest.raises(NotRegistered):
        world.work.claim(Actor("old-1"), Wanted())
    again = world.agent("old-1")
    assert world.work.mine(again) == ()
    assert world.work.metrics().by_agent == {"old-1": 1}


def test_an_agent_that_is_here_stays_as_it_is(world: World) -> None:
    ada, old = world.agents_named("ada", "old-1")
    before = world.agents.get("old-1")
    _adopted(world, ada, _steps(()), Past(1, "completed", (_went(),)))
    assert world.agents.get("old-1") == before
    assert world.take(old) == []


def test_figures_count_no_wait_that_nobody_saw(world: World) -> None:
    ada = world.agent("ada")
    _adopted(world, ada, _steps((), ()), Past(1, "completed", (_went(),)))
    seen = world.work.metrics(project="p")
    assert (seen.wait_ms, seen.work_ms, seen.finished_last_hour) == (None, (60_000, 60_000), 0)


def test_the_ledger_says_where_it_came_from_and_the_topic_is_told_nothing_old(world: World) -> None:
    ada = world.agent("ada")
    _adopted(world, ada, _steps((), (), ()), Past(1, "completed", (_went(),)), Past(2, "failed"))
    while world.work.tell():
        pass
    assert world.written("p") == []
    (made,) = world.events("project_created")
    assert made.detail == {"name": "p", "source": "test"}
    assert [event.detail for event in world.events("step_added")] == [
        {"num": 1, "status": "completed"},
        {"num": 2, "status": "failed"},
        {"num": 3},
    ]
    did(world, ada)
    world.work.tell()
    assert len(world.written("p")) == 1


def test_the_same_key_makes_it_once(world: World) -> None:
    ada = world.agent("ada")
    past = Past(1, "completed", (_went(),))
    first = _adopted(world, ada, _steps((), ()), past, key="k")
    assert _adopted(world, ada, _steps((), ()), past, key="k") == first
    with pytest.raises(IdempotencyMismatch):
        _adopted(world, ada, _steps((), ()), key="k")
    with pytest.raises(ProjectExists):
        _adopted(world, ada, _steps((), ()), past)


@pytest.mark.parametrize(
    ("past", "state"),
    [
        ((Past(9, "completed"),), "active"),
        ((Past(1), Past(1)), "active"),
        ((Past(1, "claimed"),), "active"),
        ((Past(1, "in_progress"),), "active"),
        ((Past(1, "done"),), "active"),
        ((Past(1, "completed", (_went("failed"),)),), "active"),
        ((Past(1, "completed", (_went(), _went())),), "active"),
        ((Past(1, "not_started", (_went(),)),), "active"),
        ((Past(1, "failed", (_went("live"),)),), "active"),
        ((Past(1, "failed", (_went("failed", agent="Bad Name"),)),), "active"),
        ((Past(1, "failed", (_went("failed", failure="weather"),)),), "active"),
        ((), "completed"),
        ((), "closed"),
    ],
)
def test_a_past_that_can_not_be_makes_nothing(world: World, past: tuple[Past, ...], state: str) -> None:
    ada = world.agent("ada")
    before = world.last_seq()
    with pytest.raises(InvalidArgument):
        _adopted(world, ada, _steps((), ()), *past, state=state)
    assert world.work.projects() == ((), None)
    assert world.last_seq() == before


def test_a_plan_that_can_not_be_makes_nothing(world: World) -> None:
    ada = world.agent("ada")
    past = Past(1, "completed", (_went(),))
    with pytest.raises(DependencyCycle):
        _adopted(world, ada, _steps((2,), (1,)), past)
    with pytest.raises(StepNotFound):
        _adopted(world, ada, _steps((7,)), past)
    with pytest.raises(NotRegistered):
        _adopted(world, Actor("nobody"), _steps(()), past)
    assert world.work.projects() == ((), None)
    assert [agent.name for agent in world.agents.all()] == ["ada"]


def test_work_goes_on_as_if_it_had_begun_here(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    steps = _steps((), (1,), (1,), (2, 3))
    _adopted(world, ada, steps, Past(1, "merged", (DONE,)), Past(2, attempts=(_went("lost"),)))
    assert did(world, bob, "p/2").status == "completed"
    assert failed(world, bob, "p/3").status == "failed"
    world.work.retry(ada, "p/3")
    did(world, ada, "p/3")
    did(world, bob, "p/4")
    assert world.work.project("p").state == "completed"
