"""Steps: edited, split, cancelled, and what they need changed, while work runs."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.errors import InvalidArgument
from hubbub.errors_work import (
    ClaimLost,
    DependencyCycle,
    PathHeld,
    StepBegun,
    StepExists,
    StepNotFound,
    StepOver,
)
from hubbub.model import Actor
from hubbub.model_work import CLAIM_MS, Need, ProjectDraft, StepDraft
from tests.contract.working import claimed, did, draft, failed, nums, planned, ready, statuses, step_of
from tests.contract.world import World

OVER = ("completed", "merged", "failed", "parked", "cancelled")


def _bring_to(world: World, actor: Actor, step: str, status: str) -> None:
    """Bring a step that is ready to a status."""
    if status in ("completed", "merged"):
        did(world, actor, step)
    if status == "merged":
        world.work.merge(actor, step)
    if status == "failed":
        failed(world, actor, step)
    if status == "parked":
        world.work.edit_step(actor, step, {"max_attempts": 1})
        failed(world, actor, step, final=False)
    if status == "cancelled":
        world.work.cancel_step(actor, step)
    assert world.work.step(step)[0].status == status


# --- edited ----------------------------------------------------------------------------------------

CHANGES: dict[str, Any] = {
    "title": "other",
    "instructions": "so",
    "acceptance": "green",
    "branch": "feat/x",
    "scope": "ui",
    "paths": ("a/**",),
    "resources": ("gpu",),
    "priority": 9,
    "num": 7,
    "max_attempts": 9,
    "time_limit_ms": 5000,
    "not_before": 5,
    "metadata": {"a": 1},
}


def test_every_field_of_a_step_can_be_edited(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    (step,) = planned(world, ada, "a")
    for field, value in CHANGES.items():
        changed = world.work.edit_step(bob, step.id, {field: value})
        assert changed == step._replace(**{field: value})
        step = changed
    assert world.work.edit_step(bob, step.id, CHANGES) == step
    assert world.work.step("p/7")[0] == step
    none: dict[str, Any] = {"metadata": None, "not_before": None, "paths": (), "resources": ()}
    assert world.work.edit_step(bob, step.id, none) == step._replace(**none)


def test_a_step_in_hand_can_be_edited_and_stays_in_hand(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    assert world.work.edit_step(ada, "p/1", {"instructions": "more", "num": 4}).status == "claimed"
    renewed = world.work.renew(bob, live.token)
    assert (renewed.step.instructions, renewed.step.num) == ("more", 4)


@pytest.mark.parametrize("status", OVER)
def test_a_step_that_is_over_is_not_changed_any_more(world: World, status: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    _bring_to(world, ada, "p/1", status)
    before = world.last_seq()
    for change in (
        lambda: world.work.edit_step(ada, "p/1", {"title": "x"}),
        lambda: world.work.set_needs(ada, "p/1", add=(Need(2),)),
        lambda: world.work.split_step(ada, "p/1", (draft(),)),
    ):
        with pytest.raises(StepOver, match=status):
            change()
    assert world.last_seq() == before


def test_a_number_is_changed_to_a_free_one(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1))
    with pytest.raises(StepExists):
        world.work.edit_step(ada, "p/1", {"num": 2, "title": "x"})
    assert step_of(world, 1).title == "a"
    world.work.edit_step(ada, "p/1", {"num": 9})
    with pytest.raises(StepNotFound):
        world.work.step("p/1")
    # Edges lead to the step, not to its number.
    assert step_of(world, 2).needs == (Need(9),)
    did(world, ada, "p/9")
    assert ready(world) == [2]


def test_renumbering_reorders_steps_of_the_same_age(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c")
    world.work.edit_step(ada, "p/3", {"num": 30})
    world.work.edit_step(ada, "p/1", {"num": 3})
    assert ready(world) == [2, 3, 30]
    assert [claimed(world, ada).step.title for _ in "abc"] == ["b", "a", "c"]


def test_a_new_priority_counts_at_once(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    world.work.edit_step(ada, "p/2", {"priority": 1})
    assert ready(world) == [2, 1]
    assert claimed(world, ada).step.num == 2


def test_a_step_may_be_put_off(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    world.work.edit_step(ada, "p/1", {"not_before": world.store.now() + 1000})
    assert ready(world) == []
    world.clock.advance(999)
    assert ready(world) == []
    world.clock.advance(1)
    assert ready(world) == [1]


def test_a_claim_can_be_widened_to_files_that_are_free_only(world: World) -> None:
    ada, bob, cy = world.agents_named("ada", "bob", "cy")
    planned(world, ada, draft("a", paths=("a/**",)), draft("b", paths=("b/**",)))
    live = claimed(world, bob, step="p/1")
    claimed(world, cy, step="p/2")
    world.work.reserve(cy, ("c/**",), ttl_ms=CLAIM_MS)
    for held in ("b/x.py", "c/x.py"):
        with pytest.raises(PathHeld, match="cy"):
            world.work.edit_step(ada, "p/1", {"paths": ("a/**", held)})
    assert step_of(world, 1).paths == ("a/**",)
    assert world.work.edit_step(ada, "p/1", {"paths": ("a/x/**", "d/**")}).paths == ("a/x/**", "d/**")
    assert world.work.renew(bob, live.token).step.paths == ("a/x/**", "d/**")


def test_a_claim_is_not_given_a_resource_that_is_in_use(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", resources=("x",)), draft("b", resources=("gpu",)))
    claimed(world, ada, step="p/1")
    claimed(world, ada, step="p/2")
    with pytest.raises(StepBegun, match="gpu"):
        world.work.edit_step(ada, "p/1", {"resources": ("x", "gpu")})
    assert world.work.edit_step(ada, "p/1", {"resources": ("x", "port")}).resources == ("x", "port")
    world.work.limit_resource(ada, "gpu", 2)
    assert world.work.edit_step(ada, "p/1", {"resources": ("gpu",)}).resources == ("gpu",)


# --- split -----------------------------------------------------------------------------------------


def test_parts_take_the_place_of_the_whole(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "before", draft("whole", 1), draft("after", Need(2, "merged", "cancel")))
    parts = world.work.split_step(ada, "p/2", (draft("one", num=20), draft("two", 20), draft("three")))
    assert [(part.num, part.title, part.needs) for part in parts] == [
        (20, "one", (Need(1),)),
        # A part that needs another part follows that one only.
        (21, "two", (Need(20),)),
        (22, "three", (Need(1),)),
    ]
    assert statuses(world) == ["not_started", "cancelled", *["not_started"] * 4]
    after = step_of(world, 3)
    assert after.needs == tuple(Need(num, "merged", "cancel") for num in (20, 21, 22))
    assert after.waiting == 3
    order = []
    while found := ready(world):
        order.append(found)
        did(world, ada, f"p/{found[0]}")
        world.work.merge(ada, f"p/{found[0]}")
    assert order == [[1], [20, 22], [21, 22], [22], [3]]
    assert world.work.project("p").state == "completed"


def test_dependents_wait_for_parts_though_the_whole_would_be_gone_on_without(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "whole", draft("after", Need(1, on_failure="continue")))
    world.work.split_step(ada, "p/1", (draft("one"), draft("two")))
    assert ready(world) == [3, 4]
    assert statuses(world)[:2] == ["cancelled", "not_started"]


def test_a_step_that_somebody_has_is_not_split(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    with pytest.raises(StepBegun, match="bob"):
        world.work.split_step(ada, "p/1", (draft(),))
    world.work.release(bob, live.token)
    assert nums(world.work.split_step(ada, "p/1", (draft(),))) == [2]


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((draft(num=2),), StepExists),
        ((draft(num=5), draft(num=5)), StepExists),
        ((draft("x", 77),), StepNotFound),
        ((draft("x", 2),), DependencyCycle),
    ],
    ids=["number taken", "number twice", "need of nothing", "circle through a dependent"],
)
def test_parts_that_do_not_fit_leave_the_whole_as_it_was(
    world: World, parts: tuple[Any, ...], error: type[Exception]
) -> None:
    ada = world.agent("ada")
    planned(world, ada, "whole", draft("after", 1))
    before, steps = world.last_seq(), world.work.steps("p")
    with pytest.raises(error):
        world.work.split_step(ada, "p/1", parts)
    assert (world.last_seq(), world.work.steps("p")) == (before, steps)


# --- needs -----------------------------------------------------------------------------------------


def test_needs_are_added_changed_and_removed(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c")
    changed = world.work.set_needs(ada, "p/3", add=(Need(2), Need(1)))
    assert (changed.needs, changed.waiting, changed.ready_at) == ((Need(1), Need(2)), 2, None)
    changed = world.work.set_needs(ada, "p/3", add=(Need(2, "merged", "continue"),), remove=(1, 77))
    assert (changed.needs, changed.waiting) == ((Need(2, "merged", "continue"),), 1)
    world.clock.advance(5)
    changed = world.work.set_needs(ada, "p/3", remove=(2,))
    assert (changed.needs, changed.waiting, changed.ready_at) == ((), 0, world.store.now())
    assert ready(world) == [1, 2, 3]


def test_a_need_that_is_met_already_is_not_waited_for(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada, "p/1")
    assert world.work.set_needs(ada, "p/2", add=(Need(1),)).waiting == 0
    assert world.work.set_needs(ada, "p/2", add=(Need(1, "merged"),)).waiting == 1
    world.work.merge(ada, "p/1")
    assert ready(world) == [2]


def test_needs_of_a_step_that_somebody_has_stay(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    claimed(world, bob, step="p/2")
    with pytest.raises(StepBegun):
        world.work.set_needs(ada, "p/2", add=(Need(1),))
    assert step_of(world, 2).needs == ()
    # Its lease ran out: nobody has it any more.
    world.clock.advance(CLAIM_MS)
    assert world.work.set_needs(ada, "p/2", add=(Need(1),)).waiting == 1


def test_a_step_that_is_not_there_can_not_be_needed(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    planned(world, ada, "x", "y", "z", name="q")
    with pytest.raises(StepNotFound):
        world.work.set_needs(ada, "p/2", add=(Need(1), Need(3)))
    assert step_of(world, 2).needs == ()


# --- cancelled -------------------------------------------------------------------------------------


def test_a_step_is_cancelled_with_a_reason(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    world.clock.advance(5)
    cancelled = world.work.cancel_step(bob, "p/1", reason="not wanted")
    assert (cancelled.status, cancelled.ended_at, cancelled.agent) == ("cancelled", world.store.now(), None)
    (event,) = world.events("step_cancelled")
    assert (event.actor, event.step, event.detail) == ("bob", cancelled.id, {"why": "not wanted"})
    assert ready(world) == [2]


def test_a_live_claim_of_a_cancelled_step_is_lost(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    assert world.work.cancel_step(ada, "p/1", reason="enough").status == "cancelled"
    with pytest.raises(ClaimLost, match="cancelled"):
        world.work.renew(bob, live.token)
    assert world.work.mine(bob) == ()
    (attempt,) = world.work.step("p/1")[1]
    assert (attempt.state, attempt.reason, attempt.ended_at) == ("cancelled", "enough", world.store.now())


@pytest.mark.parametrize("status", ["completed", "merged", "cancelled"])
def test_what_is_done_or_cancelled_is_not_cancelled(world: World, status: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    _bring_to(world, ada, "p/1", status)
    with pytest.raises(StepOver, match=status):
        world.work.cancel_step(ada, "p/1")
    assert step_of(world, 1).status == status


@pytest.mark.parametrize("status", ["failed", "parked"])
def test_what_was_given_up_can_be_cancelled(world: World, status: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    _bring_to(world, ada, "p/1", status)
    assert world.work.cancel_step(ada, "p/1").status == "cancelled"


def test_an_unknown_step_can_not_be_changed(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    for change in (
        lambda: world.work.edit_step(ada, "p/9", {"title": "x"}),
        lambda: world.work.set_needs(ada, "p/9", add=(Need(1),)),
        lambda: world.work.split_step(ada, "p/9", (draft(),)),
        lambda: world.work.cancel_step(ada, "p/9"),
        lambda: world.work.retry(ada, "p/9"),
        lambda: world.work.merge(ada, "p/9"),
        lambda: world.work.explain("p/9"),
    ):
        with pytest.raises(StepNotFound):
            change()
    with pytest.raises(InvalidArgument):
        world.work.add_steps(ada, "p", (draft("x", 2),))


def test_a_part_that_needs_more_than_the_whole_did_needs_that_as_well(world: World) -> None:
    ada = world.agent("ada")
    world.work.create_project(
        ada,
        ProjectDraft(
            "p",
            steps=(StepDraft("1"), StepDraft("2"), StepDraft("3", needs=(Need(1), Need(2))), StepDraft("4")),
        ),
    )
    first, second = world.work.split_step(
        ada, "p/3", (StepDraft("a", num=10, needs=(Need(4),)), StepDraft("b", num=11, needs=(Need(10),)))
    )
    assert [need.num for need in first.needs] == [1, 2, 4]
    assert [need.num for need in second.needs] == [10]
