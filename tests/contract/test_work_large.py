"""Plans as large as one call takes."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from hubbub.errors_work import DependencyCycle, StepNotFound
from hubbub.model_work import Need
from tests.contract.working import claimed, draft, planned, ready, step_of
from tests.contract.world import World


def test_a_plan_with_many_edges_is_as_a_small_one(world: World) -> None:
    ada = world.agent("ada")
    chance = random.Random(7)
    needs = {num: sorted(chance.sample(range(1, num), min(5, num - 1))) for num in range(1, 401)}
    steps = planned(world, ada, *[draft(f"{num}", *its, num=num) for num, its in needs.items()])
    assert [[need.num for need in step.needs] for step in steps] == list(needs.values())
    assert [step.waiting for step in steps] == [len(its) for its in needs.values()]
    assert [step.ready_at is None for step in steps] == [bool(its) for its in needs.values()]
    assert ready(world) == [1]
    assert world.work.project("p").counts.ready == 1
    assert world.store.check() == []
    with pytest.raises(DependencyCycle) as caught:
        world.work.set_needs(ada, "p/1", add=(Need(400),))
    circle = caught.value.details["cycle"]
    assert circle[0] == circle[-1]
    inner = {**needs, 1: [400]}
    assert all(after in inner[before] for before, after in pairwise(circle))
    assert step_of(world, 1).needs == ()


def test_edges_of_new_steps_to_old_ones_are_as_these_are_by_then(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "done", "open", "off", name="p")
    world.work.complete(ada, claimed(world, ada, step="p/1").token)
    world.work.cancel_step(ada, "p/3")
    added = world.work.add_steps(
        ada,
        "p",
        (
            draft("met", 1),
            draft("not merged", Need(1, "merged"), Need(2)),
            draft("without", Need(3, on_failure="continue"), num=9),
            draft("dropped", Need(3, on_failure="cancel"), num=8),
            draft("with it", Need(8, on_failure="cancel"), num=7),
        ),
    )
    assert [(step.num, step.status, step.waiting) for step in added] == [
        (10, "not_started", 0),
        (11, "not_started", 2),
        (9, "not_started", 0),
        (8, "cancelled", 1),
        (7, "cancelled", 1),
    ]
    assert set(ready(world)) == {2, 9, 10}
    with pytest.raises(StepNotFound, match="needs step 99"):
        world.work.add_steps(ada, "p", (draft("x", 99),))
    with pytest.raises(DependencyCycle, match=r"20 -> 21 -> 20|21 -> 20 -> 21"):
        world.work.add_steps(ada, "p", (draft("x", 21, num=20), draft("y", 20, num=21)))
    assert world.store.check() == []
