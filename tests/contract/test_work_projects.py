"""Projects: changed, stopped, ended and gone on with."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors_work import ClaimLost, ProjectExists, ProjectNotDone, ProjectNotFound
from hubbub.model_work import Counts, Need
from tests.contract.working import (
    claimed,
    did,
    draft,
    failed,
    made,
    nothing,
    planned,
    ready,
    statuses,
)
from tests.contract.world import World

# --- changed ---------------------------------------------------------------------------------------


def test_what_a_project_says_of_itself_can_be_changed(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    project, _ = made(world, ada, "a", metadata={"a": 1})
    changes: dict[str, Any] = {"name": "Q", "base_commit": "f00", "description": "d", "priority": 9}
    changes["metadata"] = {"b": 2}
    changed = world.work.update_project(bob, "p", changes)
    assert changed == project._replace(**changes)
    assert world.work.project("q") == changed
    with pytest.raises(ProjectNotFound):
        world.work.project("p")
    assert world.work.update_project(bob, "q", {"metadata": None}).metadata is None
    # It may be written another way, but not as another one is.
    made(world, ada, name="r")
    assert world.work.update_project(ada, "q", {"name": "q"}).name == "q"
    before = world.last_seq()
    with pytest.raises(ProjectExists):
        world.work.update_project(ada, "q", {"name": "R", "priority": 1})
    with pytest.raises(ProjectNotFound):
        world.work.update_project(ada, "zzz", {"priority": 1})
    assert (world.last_seq(), world.work.project("q").priority) == (before, 9)


# --- paused and aborted ----------------------------------------------------------------------------


def test_a_paused_project_gives_nothing_out_until_it_goes_on(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    live = claimed(world, ada)
    assert world.work.update_project(ada, "p", {"state": "paused"}).state == "paused"
    for wanted in ({}, {"project": "p"}, {"step": "p/2"}):
        assert nothing(world, ada, **wanted).reason == "paused"
    # What is in hand can be finished.
    assert world.work.complete(ada, live.token).status == "completed"
    assert world.work.update_project(ada, "p", {"state": "active"}).state == "active"
    assert claimed(world, ada).step.num == 2


def test_an_aborted_project_cancels_what_is_not_over(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "done", "merged", "failed", "claimed", "begun", "open", draft("waits", 6))
    for num in (1, 2):
        did(world, ada, f"p/{num}")
    world.work.merge(ada, "p/2")
    failed(world, ada, "p/3")
    tokens = [claimed(world, ada, step=f"p/{num}", start=num == 5).token for num in (4, 5)]
    assert world.work.update_project(ada, "p", {"state": "aborted"}).counts == Counts(
        completed=1, merged=1, failed=1, cancelled=4
    )
    for token in tokens:
        with pytest.raises(ClaimLost, match="cancelled"):
            world.work.complete(ada, token)
    assert nothing(world, ada, project="p").reason == "paused"
    # It does not complete by itself.
    assert world.work.project("p").state == "aborted"


def test_an_aborted_project_comes_back_with_what_the_abort_cancelled(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "done", "off before", "open", draft("waits", 3), draft("met", 1))
    did(world, ada, "p/1")
    world.work.cancel_step(ada, "p/2")
    world.work.update_project(ada, "p", {"state": "aborted"})
    assert world.work.update_project(ada, "p", {"state": "active"}).state == "active"
    assert statuses(world) == ["completed", "cancelled", "not_started", "not_started", "not_started"]
    assert ready(world) == [3, 5]
    did(world, ada, "p/3")
    assert claimed(world, ada, step="p/4").step.status == "claimed"


@pytest.mark.parametrize("on_failure", ["block", "cancel", "continue"])
def test_an_abort_and_back_leaves_the_order_of_steps_as_it_was(world: World, on_failure: str) -> None:
    ada = world.agent("ada")
    planned(
        world,
        ada,
        "a",
        draft("b", Need(1, on_failure=on_failure)),
        draft("c", Need(2, on_failure=on_failure)),
    )
    for _ in range(2):
        world.work.update_project(ada, "p", {"state": "aborted"})
        assert statuses(world) == ["cancelled"] * 3
        world.work.update_project(ada, "p", {"state": "active"})
        assert [step.waiting for step in world.work.steps("p")[0]] == [0, 1, 1]
    for num in (1, 2, 3):
        assert ready(world) == [num]
        did(world, ada)


def test_an_abort_and_back_leaves_what_was_given_up_before(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", Need(1, on_failure="cancel")), draft("c", max_attempts=1), "d")
    failed(world, ada, "p/1")
    failed(world, ada, "p/3", final=False)
    given_up = ["failed", "cancelled", "parked"]
    assert statuses(world) == [*given_up, "not_started"]
    world.work.update_project(ada, "p", {"state": "aborted"})
    assert statuses(world) == [*given_up, "cancelled"]
    world.work.update_project(ada, "p", {"state": "active"})
    assert statuses(world) == [*given_up, "not_started"]
    assert ready(world) == [4]
    # A retry brings it back, as ever.
    world.work.retry(ada, "p/1")
    assert ready(world) == [1, 4]


def test_a_project_with_something_left_is_not_called_completed(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c", "d")
    failed(world, ada, "p/1")
    claimed(world, ada)
    did(world, ada, "p/3")
    before = world.last_seq()
    with pytest.raises(ProjectNotDone, match="3 steps of p are neither") as caught:
        world.work.update_project(ada, "p", {"state": "completed"})
    assert caught.value.details == {"open": 3}
    assert (world.work.project("p").state, world.last_seq()) == ("active", before)
    for num in (1, 2, 4):
        world.work.cancel_step(ada, f"p/{num}")
    assert world.work.update_project(ada, "p", {"state": "completed"}).state == "completed"


# --- completed -------------------------------------------------------------------------------------


def test_a_project_completes_when_its_last_step_is_over(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada)
    assert world.work.project("p").state == "active"
    did(world, ada)
    assert world.work.project("p").state == "completed"
    assert [event.event for event in world.events(project="p")][-2:].count("project_completed") == 1


def test_cancelling_what_is_left_completes_a_project_of_which_something_is_done(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada)
    world.work.cancel_step(ada, "p/2")
    assert world.work.project("p").state == "completed"
    planned(world, ada, "a", name="q")
    world.work.cancel_step(ada, "q/1")
    assert world.work.project("q").state == "active"


def test_a_project_with_a_step_that_was_given_up_is_not_completed(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada, "p/1")
    failed(world, ada, "p/2")
    assert world.work.project("p").state == "active"
    world.work.cancel_step(ada, "p/2")
    assert world.work.project("p").state == "completed"


def test_a_completed_project_is_active_again_when_there_is_more_to_do(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada)
    world.work.cancel_step(ada, "p/2")
    world.work.add_steps(ada, "p", (draft("c"),))
    assert world.work.project("p").state == "active"
    did(world, ada)
    assert world.work.project("p").state == "completed"
    world.work.retry(ada, "p/2")
    assert world.work.project("p").state == "active"
    did(world, ada)
    assert world.work.project("p").state == "completed"
    # By hand, too; then it stays so.
    assert world.work.update_project(ada, "p", {"state": "active"}).state == "active"


def test_merging_leaves_a_completed_project_completed(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    did(world, ada)
    world.work.merge(ada, "p/1")
    assert world.work.project("p").state == "completed"


def test_a_project_whose_last_step_was_done_while_it_was_paused_completes_when_it_goes_on(
    world: World,
) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.work.update_project(ada, "p", {"state": "paused"})
    world.work.complete(ada, live.token)
    assert world.work.project("p").state == "paused"
    assert world.work.update_project(ada, "p", {"state": "active"}).state == "completed"
