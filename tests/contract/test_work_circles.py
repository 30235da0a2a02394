"""Steps that would wait for each other: found however long the way, and shown."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hubbub.errors_work import (
    DependencyCycle,
)
from hubbub.model_work import Need
from tests.contract.working import draft, planned, ready, step_of
from tests.contract.world import World

# --- circles ---------------------------------------------------------------------------------------


def test_a_step_can_not_need_itself(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    with pytest.raises(DependencyCycle) as caught:
        world.work.set_needs(ada, "p/1", add=(Need(1),))
    assert caught.value.details["cycle"] == [1, 1]


def test_two_steps_can_not_need_each_other(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1))
    before = world.last_seq()
    with pytest.raises(DependencyCycle) as caught:
        world.work.set_needs(ada, "p/1", add=(Need(2),))
    assert caught.value.details["cycle"] in ([1, 2, 1], [2, 1, 2])
    assert "1 -> 2" in caught.value.message
    assert (world.last_seq(), step_of(world, 1).needs) == (before, ())


def test_a_circle_of_five_hundred_is_found_and_printed_in_order(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "1", *[draft(str(num), num - 1) for num in range(2, 501)])
    with pytest.raises(DependencyCycle) as caught:
        world.work.set_needs(ada, "p/1", add=(Need(500),))
    circle = caught.value.details["cycle"]
    assert len(circle) == 501
    assert circle[0] == circle[-1]
    assert sorted(circle[:-1]) == list(range(1, 501))
    # Each needs the next one.
    assert all(after == (before - 1 or 500) for before, after in pairwise(circle))
    assert "500 steps" in caught.value.message
    assert len(caught.value.message) < 500


def test_a_chain_of_five_thousand_is_no_circle_and_closing_it_is_one(world: World) -> None:
    ada = world.agent("ada")
    # The last first, so that the search begins at the deep end.
    chain = [draft(str(num), *([num - 1] if num > 1 else []), num=num) for num in range(5000, 0, -1)]
    planned(world, ada, *chain)
    assert ready(world) == [1]
    with pytest.raises(DependencyCycle) as caught:
        world.work.set_needs(ada, "p/1", add=(Need(5000),))
    assert len(caught.value.details["cycle"]) == 5001


def test_many_ways_to_one_step_are_no_circle(world: World) -> None:
    ada = world.agent("ada")
    # Each needs the two before it: the ways double with every step, and the search must not follow all.
    planned(world, ada, "1", draft("2", 1), *[draft(str(num), num - 1, num - 2) for num in range(3, 201)])
    assert ready(world) == [1]
    with pytest.raises(DependencyCycle):
        world.work.set_needs(ada, "p/1", add=(Need(200),))


def test_a_circle_among_new_steps_alone(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    with pytest.raises(DependencyCycle) as caught:
        world.work.add_steps(ada, "p", (draft("b", 4), draft("c", 2), draft("d", 3)))
    assert sorted(set(caught.value.details["cycle"])) == [2, 3, 4]


def test_a_circle_that_is_broken_in_the_same_stroke_is_none(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1))
    world.work.set_needs(ada, "p/2", remove=(1,))
    assert world.work.set_needs(ada, "p/1", add=(Need(2),)).waiting == 1
    assert ready(world) == [2]
