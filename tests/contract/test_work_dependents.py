"""What the end of a step does to others, and how what was given up returns."""

from __future__ import annotations

import pytest

from hubbub.errors_work import StepNotParked
from hubbub.model import Actor
from hubbub.model_work import (
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    CLAIM_MS,
    Need,
)
from tests.contract.working import claimed, did, draft, fail_rested, failed, planned, ready, statuses, step_of
from tests.contract.world import World

# --- dependents ------------------------------------------------------------------------------------

ENDINGS = ("failed", "parked", "cancelled")


def _give_up(world: World, actor: Actor, status: str, step: str = "p/1") -> None:
    if status == "cancelled":
        world.work.cancel_step(actor, step)
    else:
        if status == "parked":
            world.work.edit_step(actor, step, {"max_attempts": 1})
        failed(world, actor, step, final=status == "failed")
    assert world.work.step(step)[0].status == status


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_dependent_goes_the_way_of_its_edge(world: World, ending: str) -> None:
    ada = world.agent("ada")
    edges = [
        Need(1, until, policy)
        for until in ("completed", "merged")
        for policy in ("block", "cancel", "continue")
    ]
    planned(world, ada, "a", *[draft("x", edge) for edge in edges])
    world.clock.advance(5)
    _give_up(world, ada, ending)
    assert statuses(world) == [ending, *["not_started", "cancelled", "not_started"] * 2]
    assert [step_of(world, num).waiting for num in (2, 4, 5, 7)] == [1, 0, 1, 0]
    assert ready(world) == [4, 7]
    assert step_of(world, 4).ready_at == world.store.now()
    assert [one.kind for one in world.work.explain("p/2")] == ["failed"]
    assert step_of(world, 3).ended_at == world.store.now()


@pytest.mark.parametrize("ending", ENDINGS)
def test_cancelling_goes_on_to_what_depends_on_that(world: World, ending: str) -> None:
    ada = world.agent("ada")
    cancel, go_on = "cancel", "continue"
    planned(
        world,
        ada,
        "1",
        draft("2", Need(1, on_failure=cancel)),
        draft("3", Need(2, on_failure=cancel)),
        draft("4", Need(2, on_failure=go_on)),
        draft("5", Need(3)),
        draft("6", Need(3, on_failure=go_on), Need(4)),
    )
    _give_up(world, ada, ending)
    assert statuses(world) == [ending, "cancelled", "cancelled", "not_started", "not_started", "not_started"]
    assert ready(world) == [4]
    did(world, ada)
    assert ready(world) == [6]
    assert "step 2" in world.events("step_cancelled", step="p/3")[0].detail["why"]  # type: ignore[index]


def test_what_needs_two_that_will_not_be_done_is_cancelled_once(world: World) -> None:
    ada = world.agent("ada")
    planned(
        world,
        ada,
        "1",
        draft("2", Need(1, on_failure="cancel")),
        draft("3", Need(1, on_failure="cancel")),
        draft("4", Need(2, on_failure="cancel"), Need(3, on_failure="cancel")),
    )
    failed(world, ada, "p/1")
    assert len(world.events("step_cancelled", step="p/4")) == 1
    world.work.retry(ada, "p/1")
    assert len(world.events("step_retried", step="p/4")) == 1


def test_a_long_chain_is_cancelled_whole(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "1", *[draft(str(num), Need(num - 1, on_failure="cancel")) for num in range(2, 1501)])
    world.work.cancel_step(ada, "p/1")
    assert world.work.project("p").counts.cancelled == 1500
    world.work.retry(ada, "p/1")
    assert world.work.project("p").counts.not_started == 1500
    assert ready(world) == [1]


def test_a_dependent_that_is_begun_is_not_cancelled(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", Need(1, on_failure="continue")))
    failed(world, ada, "p/1")
    live = claimed(world, ada)
    # What it went on without comes back: it has begun, and need not wait.
    world.work.retry(ada, "p/1")
    assert step_of(world, 2).status == "claimed"
    world.work.cancel_step(ada, "p/1")
    assert world.work.complete(ada, live.token).status == "completed"


# --- brought back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_given_up_is_brought_back_with_its_attempts_forgiven(world: World, ending: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("a", max_attempts=3))
    fail_rested(world, ada)
    if ending == "parked":
        fail_rested(world, ada)
        fail_rested(world, ada)
    else:
        world.clock.advance(BACKOFF_MAX_MS)
        _give_up(world, ada, ending)
    assert step_of(world, 1).status == ending
    used = step_of(world, 1).attempts
    world.clock.advance(5)
    step = world.work.retry(bob, "p/1", note="disk is larger")
    assert (step.status, step.ended_at, step.not_before) == ("not_started", None, None)
    assert (step.ready_at, step.attempts) == (world.store.now(), used)
    (event,) = world.events("step_retried")
    assert (event.actor, event.detail) == ("bob", {"note": "disk is larger"})
    # The rest and the count begin anew; attempts are numbered on.
    live = claimed(world, ada)
    assert (live.attempt.number, len(live.earlier)) == (used + 1, used)
    step = world.work.fail(ada, live.token, "x")
    assert step.not_before == world.store.now() + BACKOFF_MS
    assert [fail_rested(world, ada).status for _ in range(2)] == ["not_started", "parked"]


def test_a_retried_step_brings_back_what_was_cancelled_for_it_and_nothing_else(world: World) -> None:
    ada = world.agent("ada")
    cancel = "cancel"
    planned(
        world,
        ada,
        "1",
        draft("2", Need(1, on_failure=cancel)),
        draft("3", Need(2, on_failure=cancel)),
        draft("4", Need(1, on_failure=cancel)),
        "5",
    )
    for num in (4, 5):
        world.work.cancel_step(ada, f"p/{num}")
    failed(world, ada, "p/1")
    world.work.retry(ada, "p/1")
    assert statuses(world) == ["not_started", "not_started", "not_started", "cancelled", "cancelled"]
    assert [step_of(world, num).waiting for num in (1, 2, 3)] == [0, 1, 1]
    for num in (1, 2, 3):
        assert ready(world) == [num]
        did(world, ada)


def test_who_went_on_without_a_step_waits_for_it_again_unless_begun(world: World) -> None:
    ada = world.agent("ada")
    edge = Need(1, on_failure="continue")
    planned(world, ada, "1", draft("2", edge), draft("3", edge), draft("4", edge))
    failed(world, ada, "p/1")
    assert ready(world) == [2, 3, 4]
    claimed(world, ada, step="p/2")
    did(world, ada, "p/3")
    world.work.retry(ada, "p/1")
    assert ready(world) == [1]
    assert (step_of(world, 4).waiting, step_of(world, 4).ready_at) == (1, None)
    did(world, ada, "p/1")
    assert ready(world) == [4]


def test_a_step_that_was_cancelled_waits_for_what_came_back_meanwhile(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "1", draft("2", Need(1, on_failure="continue")))
    world.work.cancel_step(ada, "p/2")
    failed(world, ada, "p/1")
    world.work.retry(ada, "p/1")
    world.work.retry(ada, "p/2")
    assert ready(world) == [1]


def test_only_what_was_given_up_is_retried(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c", "d")
    did(world, ada, "p/1")
    did(world, ada, "p/2")
    world.work.merge(ada, "p/2")
    claimed(world, ada, step="p/3")
    before = world.last_seq()
    for num in range(1, 5):
        with pytest.raises(StepNotParked):
            world.work.retry(ada, f"p/{num}")
    assert world.last_seq() == before


def test_a_step_that_time_has_parked_can_be_retried_though_nobody_looked(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(max_attempts=1, time_limit_ms=1000))
    claimed(world, ada)
    world.clock.advance(1000)
    assert world.work.retry(ada, "p/1").status == "not_started"


def test_an_edge_to_what_was_given_up_before_is_followed_at_once(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", draft("c", 2), draft("d", Need(2, on_failure="cancel")), "e")
    world.work.cancel_step(ada, "p/1")
    step = world.work.set_needs(ada, "p/2", add=(Need(1, on_failure="cancel"),))
    assert step.status == "cancelled"
    assert statuses(world) == ["cancelled", "cancelled", "not_started", "cancelled", "not_started"]
    # It comes back with what it was cancelled for.
    world.work.retry(ada, "p/1")
    assert statuses(world) == ["not_started"] * 5
    assert ready(world) == [1, 5]


@pytest.mark.parametrize("back", ["release", "fail", "lose"])
def test_who_gave_up_a_step_that_went_on_without_another_waits_for_that_after_all(
    world: World, back: str
) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", Need(1, on_failure="continue")), draft("c", 2))
    failed(world, ada, "p/1")
    live = claimed(world, ada, step="p/2")
    world.work.retry(ada, "p/1")
    assert (step_of(world, 2).status, step_of(world, 2).waiting) == ("claimed", 0)
    if back == "release":
        world.work.release(ada, live.token)
    elif back == "fail":
        world.work.fail(ada, live.token, "x", delay_ms=0)
    else:
        world.clock.advance(CLAIM_MS)
    assert (step_of(world, 2).status, step_of(world, 2).waiting) == ("not_started", 1)
    assert (step_of(world, 2).ready_at, ready(world)) == (None, [1])
    did(world, ada, "p/1")
    assert (step_of(world, 2).ready_at, ready(world)) == (world.store.now(), [2])


def test_a_step_that_was_brought_back_without_what_it_needs_is_not_cancelled_by_other_changes(
    world: World,
) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", Need(1, on_failure="cancel")), "c")
    world.work.cancel_step(ada, "p/1")
    world.work.retry(ada, "p/2")
    assert statuses(world) == ["cancelled", "not_started", "not_started"]
    world.work.set_needs(ada, "p/2", add=(Need(3, on_failure="cancel"),))
    assert step_of(world, 2).status == "not_started"
    parts = world.work.split_step(ada, "p/2", (draft("part"), draft("other")))
    assert [part.status for part in parts] == ["not_started"] * 2
