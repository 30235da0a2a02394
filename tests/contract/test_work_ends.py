"""How steps end: done, merged, failed, given back, lost and parked."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import IdempotencyMismatch
from hubbub.errors_work import ClaimLost, StepCompletedOtherwise, StepNotCompleted
from hubbub.model_work import (
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    CLAIM_MS,
    LOST_MAX,
    MAX_ATTEMPTS,
    TRIES_MAX,
    Need,
)
from tests.contract.working import claimed, did, draft, fail_rested, failed, planned, ready, statuses, step_of
from tests.contract.world import World

# --- done ------------------------------------------------------------------------------------------


def test_a_completed_step_keeps_what_its_holder_left(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    world.clock.advance(5)
    left: dict[str, Any] = {"commit": "f00", "files": ("a.py", "b.py"), "notes": "n", "result": "r"}
    step = world.work.complete(bob, live.token, **left)
    for field, value in left.items():
        assert getattr(step, field) == value
    assert (step.status, step.agent, step.ended_at) == ("completed", "bob", world.store.now())
    assert (step.lease_until, step.attempts) == (None, 1)
    found, (attempt,) = world.work.step("p/1")
    assert found == step
    assert (attempt.state, attempt.commit, attempt.files, attempt.notes, attempt.result) == (
        "completed",
        "f00",
        ("a.py", "b.py"),
        "n",
        "r",
    )
    # It need not have been started first.
    assert (attempt.started_at, attempt.ended_at) == (world.store.now(), world.store.now())


def test_notes_that_were_kept_stay_unless_there_are_others(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    for said, kept in ((None, "before"), ("after", "after")):
        live = claimed(world, ada)
        world.work.renew(ada, live.token, notes="before")
        assert world.work.complete(ada, live.token, notes=said).notes == kept


@pytest.mark.parametrize("key", [None, "k"])
def test_completing_again_gives_the_same_answer(world: World, key: str | None) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1))
    live = claimed(world, ada)
    step = world.work.complete(ada, live.token, commit="f00", key=key)
    before = world.last_seq()
    world.clock.advance(CLAIM_MS)
    assert world.work.complete(ada, live.token, commit="f00", key=key) == step
    assert world.last_seq() == before
    if key is not None:
        with pytest.raises(IdempotencyMismatch):
            world.work.complete(ada, live.token, commit="other", key=key)
    assert step_of(world, 1).commit == "f00"


def test_completing_again_as_something_else_is_refused_with_what_was_recorded(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    left: dict[str, Any] = {"commit": "f00", "files": ("a.py",), "notes": "n", "result": "r"}
    step = world.work.complete(ada, live.token, **left)
    before = world.last_seq()
    # What is not said is as it was.
    for same in ({}, left, {"commit": "f00"}, {"files": ("a.py",), "result": "r"}):
        assert world.work.complete(ada, live.token, **same) == step
    others = {"commit": "e11", "files": ("a.py", "b.py"), "notes": "x", "result": "x"}
    for name, value in others.items():
        with pytest.raises(StepCompletedOtherwise, match=f"another {name}") as caught:
            world.work.complete(ada, live.token, **{**left, name: value})
        assert caught.value.details == {"commit": "f00", "files": ["a.py"], "notes": "n", "result": "r"}
    assert (step_of(world, 1), world.last_seq()) == (step, before)


def test_completing_again_is_the_same_after_the_step_was_merged_as_another_commit(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.work.complete(ada, live.token, commit="f00")
    merged = world.work.merge(ada, "p/1", commit="e11")
    assert world.work.complete(ada, live.token, commit="f00") == merged
    with pytest.raises(StepCompletedOtherwise):
        world.work.complete(ada, live.token, commit="e11")


def test_what_needed_only_this_is_ready_in_the_same_stroke(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", draft("c", 1), draft("d", 1, 2))
    world.clock.advance(3)
    did(world, ada, "p/1")
    assert ready(world) == [2, 3]
    assert (step_of(world, 3).ready_at, step_of(world, 4).ready_at) == (world.store.now(), None)
    assert step_of(world, 4).waiting == 1


# --- merged ----------------------------------------------------------------------------------------


def test_a_completed_step_is_merged_once(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", draft("b", Need(1, "merged")), draft("c", 1))
    step = did(world, ada, commit="f00")
    assert ready(world) == [3]
    world.clock.advance(5)
    merged = world.work.merge(bob, "p/1")
    assert merged == step._replace(status="merged")
    assert (ready(world), step_of(world, 2).ready_at) == ([3, 2], world.store.now())
    before = world.last_seq()
    for same in (None, "f00"):
        assert world.work.merge(ada, "p/1", commit=same) == merged
    with pytest.raises(StepCompletedOtherwise, match="f00") as caught:
        world.work.merge(ada, "p/1", commit="later")
    assert caught.value.details == {"commit": "f00"}
    assert (step_of(world, 1).commit, world.last_seq()) == ("f00", before)


def test_the_commit_of_the_merge_is_the_steps(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", Need(1, "merged")))
    did(world, ada, commit="f00")
    assert world.work.merge(ada, "p/1", commit="e11").commit == "e11"
    assert claimed(world, ada).needs[0].commit == "e11"


def test_only_a_completed_step_is_merged(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c", "d")
    claimed(world, ada, step="p/2")
    failed(world, ada, "p/3")
    world.work.cancel_step(ada, "p/4")
    for num in range(1, 5):
        with pytest.raises(StepNotCompleted):
            world.work.merge(ada, f"p/{num}")
    assert statuses(world) == ["not_started", "claimed", "failed", "cancelled"]


# --- failed ----------------------------------------------------------------------------------------


def test_a_failed_attempt_is_kept_with_its_reason(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    step = world.work.fail(ada, live.token, "no luck", failure="rate_limited", notes="try later")
    assert (step.status, step.agent, step.notes, step.attempts) == ("not_started", None, "try later", 1)
    (attempt,) = world.work.step("p/1")[1]
    assert (attempt.state, attempt.failure, attempt.reason, attempt.notes) == (
        "failed",
        "rate_limited",
        "no luck",
        "try later",
    )


def test_a_rest_doubles_with_each_failure_up_to_a_bound(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(max_attempts=100))
    rests = []
    for _ in range(10):
        step = fail_rested(world, ada)
        assert step.not_before is not None
        rests.append(step.not_before - world.store.now())
    assert rests == [min(BACKOFF_MAX_MS, BACKOFF_MS * 2**count) for count in range(10)]
    assert rests[-1] == BACKOFF_MAX_MS


def test_a_claim_that_was_lost_or_given_back_does_not_lengthen_the_rest(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    for _ in range(2):
        claimed(world, ada)
        world.clock.advance(CLAIM_MS)
        world.work.release(ada, claimed(world, ada).token)
    assert fail_rested(world, ada).not_before == world.store.now() + BACKOFF_MS


@pytest.mark.parametrize(("delay", "rest"), [(0, None), (1234, 1234)])
def test_the_rest_may_be_said(world: World, delay: int, rest: int | None) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    step = fail_rested(world, ada, delay_ms=delay)
    assert step.not_before == (None if rest is None else world.store.now() + rest)
    assert ready(world) == ([1] if rest is None else [])
    world.clock.advance(delay)
    assert ready(world) == [1]


@pytest.mark.parametrize("failure", ["task", "timeout"])
def test_attempts_that_fail_at_the_task_are_used_up(world: World, failure: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    for _ in range(MAX_ATTEMPTS - 1):
        assert fail_rested(world, ada, failure=failure).status == "not_started"
    step = fail_rested(world, ada, failure=failure)
    assert (step.status, step.ended_at, step.not_before) == ("parked", world.store.now(), None)
    assert (step.attempts, step.agent) == (MAX_ATTEMPTS, None)
    assert ready(world) == []


@pytest.mark.parametrize("failure", ["environment", "rate_limited"])
def test_failures_that_are_not_the_steps_fault_use_up_none(world: World, failure: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(max_attempts=1))
    for _ in range(TRIES_MAX - 1):
        assert fail_rested(world, ada, failure=failure).status == "not_started"
    # But not for ever.
    assert fail_rested(world, ada, failure=failure).status == "parked"


def test_a_step_may_have_attempts_of_its_own_number(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(max_attempts=1), draft(max_attempts=5))
    assert fail_rested(world, ada, "p/1").status == "parked"
    assert [fail_rested(world, ada, "p/2").status for _ in range(5)] == ["not_started"] * 4 + ["parked"]


def test_a_final_failure_ends_the_step(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    step = fail_rested(world, ada, final=True)
    assert (step.status, step.ended_at) == ("failed", world.store.now())


def test_failing_twice_under_a_key_fails_once(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    step = world.work.fail(ada, live.token, "x", key="k")
    before = world.last_seq()
    assert world.work.fail(ada, live.token, "x", key="k") == step
    assert world.last_seq() == before
    with pytest.raises(ClaimLost):
        world.work.fail(ada, live.token, "x")


# --- given back ------------------------------------------------------------------------------------


def test_a_step_is_given_back_without_blame(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(max_attempts=1))
    for count in range(1, 2 * TRIES_MAX):
        live = claimed(world, ada)
        assert live.attempt.number == count
        step = world.work.release(ada, live.token, notes=f"n{count}")
        assert (step.status, step.not_before, step.notes) == ("not_started", None, f"n{count}")
    assert {attempt.state for attempt in world.work.step("p/1")[1]} == {"released"}


def test_a_step_may_be_given_back_for_later(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    step = world.work.release(ada, claimed(world, ada).token, delay_ms=500)
    assert (step.not_before, ready(world)) == (world.store.now() + 500, [])
    world.clock.advance(500)
    assert ready(world) == [1]
    assert claimed(world, ada).step.not_before is None


# --- lost ------------------------------------------------------------------------------------------


def test_a_step_whose_holders_are_lost_is_parked_in_the_end(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(max_attempts=1))
    for _ in range(LOST_MAX):
        assert step_of(world, 1).status == "not_started"
        claimed(world, ada)
        world.clock.advance(CLAIM_MS)
    assert step_of(world, 1).status == "parked"
    assert {attempt.state for attempt in world.work.step("p/1")[1]} == {"lost"}
    assert [attempt.failure for attempt in world.work.step("p/1")[1]] == [None] * LOST_MAX


def test_an_attempt_beyond_its_time_limit_is_a_timeout(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(time_limit_ms=1000, max_attempts=2))
    for status in ("not_started", "parked"):
        claimed(world, ada)
        world.clock.advance(1000)
        assert step_of(world, 1).status == status
    assert [(one.state, one.failure) for one in world.work.step("p/1")[1]] == [("lost", "timeout")] * 2
