"""Steps that name much have their turn, too: after a while those behind them wait."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.model import Actor
from hubbub.model_work import AGEING_MS, CLAIM_MS, IN_LINE_MS, Claim, Need, Nothing, StepDraft, Wanted
from tests.contract.working import claimed, draft, nothing, planned, ready, step_of
from tests.contract.world import World

WIDE = draft("wide", paths=("src/**",))


def _relay(world: World, ada: Actor, bob: Actor, rounds: int) -> list[str]:
    """Two agents hold a narrow step at any time, one always a little longer than the other; what they do in
    turn. New narrow steps never end."""
    done: list[str] = []
    held: dict[Actor, Claim] = {}
    for number in range(rounds):
        world.work.add_steps(ada, "p", (draft(f"narrow {number}", paths=(f"src/{number}.py",)),))
        actor = (ada, bob)[number % 2]
        if actor in held:
            done.append(world.work.complete(actor, held.pop(actor).token).title)
        found = world.work.claim(actor)
        if isinstance(found, Claim):
            held[actor] = found
        world.clock.advance(CLAIM_MS // 2)
        for each, live in held.items():
            world.work.renew(each, live.token)
    return done


def test_a_wide_step_has_its_turn_among_narrow_ones_that_never_end(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, WIDE)
    # It is to be had a moment later than the first narrow one.
    world.work.edit_step(ada, "p/1", {"not_before": world.store.now() + 1})
    done = _relay(world, ada, bob, 20)
    assert "wide" in done


def test_a_step_is_in_line_from_the_very_moment_on(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("now", paths=("src/0.py",), priority=9), WIDE)
    live = claimed(world, bob, lease_ms=2 * IN_LINE_MS)
    world.work.add_steps(ada, "p", tuple(draft(f"{n}", paths=(f"src/{n}.py",)) for n in (1, 2, 3)))
    world.clock.advance(IN_LINE_MS - 1)
    assert claimed(world, ada).step.title == "1"
    world.clock.advance(1)
    found = nothing(world, ada)
    assert (found.reason, found.counts.ready) == ("held", 3)
    assert "Step 2 of p is in line for them" in found.says
    assert {one.name for one in found.holders} == {"p/1", "p/3"}
    assert ready(world) == []
    # Its turn comes when both who have something are done; until then it is free for nobody.
    world.work.complete(bob, live.token)
    assert nothing(world, ada).reason == "held"
    world.clock.advance(CLAIM_MS)
    assert claimed(world, ada).step.title == "wide"


def _in_line(world: World, *behind: StepDraft, **wide: Any) -> tuple[Actor, Actor, Claim]:
    """A step waits in line for what bob holds."""
    ada, bob = world.agents_named("ada", "bob")
    planned(
        world, ada, draft("held", paths=("src/a.py",), resources=("gpu",), priority=50), draft("w", **wide)
    )
    live = claimed(world, bob, lease_ms=10 * IN_LINE_MS)
    world.clock.advance(IN_LINE_MS)
    if behind:
        world.work.add_steps(ada, "p", behind)
    return ada, bob, live


def test_only_what_it_waits_for_is_kept_for_it(world: World) -> None:
    ada, *_ = _in_line(
        world,
        draft("other", paths=("doc/**",)),
        draft("free"),
        draft("behind", paths=("src/b.py",)),
        paths=("src/**",),
    )
    assert ready(world) == [3, 4]
    assert {claimed(world, ada).step.title for _ in "ab"} == {"other", "free"}
    assert nothing(world, ada, step="p/5").reason == "held"


def test_what_has_more_right_goes_before_it(world: World) -> None:
    ada, *_ = _in_line(world, draft("urgent", paths=("src/b.py",), priority=2), paths=("src/**",))
    assert claimed(world, ada).step.title == "urgent"


def test_a_project_that_goes_first_has_more_right(world: World) -> None:
    ada, *_ = _in_line(world, paths=("src/**",))
    planned(world, ada, draft("urgent", paths=("src/b.py",)), name="q", priority=2)
    planned(world, ada, draft("not", paths=("src/c.py",)), name="r")
    assert claimed(world, ada).step.title == "urgent"
    found = nothing(world, ada, project="r")
    assert (found.reason, step_of(world, 2).id in found.blocked_by) == ("held", True)


def test_as_many_of_a_resource_are_kept_as_stand_in_line(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.work.limit_resource(ada, "gpu", 3)
    planned(
        world,
        ada,
        draft("held", paths=("a",), resources=("gpu",), priority=50),
        draft("w", paths=("a",), resources=("gpu",)),
    )
    claimed(world, bob, lease_ms=10 * IN_LINE_MS)
    world.clock.advance(IN_LINE_MS)
    world.work.add_steps(ada, "p", tuple(draft(f"{n}", resources=("gpu",)) for n in (1, 2)))
    # Three may have one: one does, and one is for whoever stands in line.
    assert claimed(world, ada).step.title == "1"
    found = nothing(world, ada)
    assert (found.reason, found.blocked_by) == ("held", (step_of(world, 1).id,))
    assert [one.kind for one in world.work.explain("p/4")] == ["line"]


@pytest.mark.parametrize("why", ["reserved", "rests", "paused", "needs"])
def test_a_step_that_something_else_keeps_keeps_nothing_itself(world: World, why: str) -> None:
    ada, bob, _ = _in_line(world, draft("behind", paths=("src/b.py",)), paths=("src/**",))
    assert ready(world) == []
    if why == "reserved":
        world.work.reserve(bob, ("src/z.py",), ttl_ms=IN_LINE_MS)
    elif why == "rests":
        world.work.edit_step(ada, "p/2", {"not_before": world.store.now() + 1})
    elif why == "needs":
        world.work.set_needs(ada, "p/2", add=(Need(1),))
    else:
        planned(world, ada, draft("elsewhere", paths=("src/c.py",)), name="q")
        world.work.update_project(ada, "p", {"state": "paused"})
        assert claimed(world, ada).step.title == "elsewhere"
        return
    assert claimed(world, ada).step.title == "behind"


def test_a_step_that_is_free_and_that_nobody_wants_keeps_nothing(world: World) -> None:
    ada, bob, live = _in_line(world, paths=("src/**",), scope="ui")
    world.work.complete(bob, live.token)
    world.work.add_steps(ada, "p", (draft("db", paths=("src/db.py",), scope="db"),))
    assert claimed(world, ada, scope="db").step.title == "db"


def test_who_waits_in_line_and_who_behind_are_told(world: World) -> None:
    ada, *_ = _in_line(world, draft("behind", paths=("src/b.py",)), paths=("src/**",))
    (first,) = world.work.explain("p/2")
    assert (first.kind, first.holder is not None and first.holder.name) == ("path", "p/1")
    assert "in line" in first.says
    (behind,) = world.work.explain("p/3")
    assert (behind.kind, behind.what) == ("line", step_of(world, 2).id)
    assert "step 2 of p" in behind.says.lower()
    found = world.work.claim(ada, Wanted(step="p/3"))
    assert isinstance(found, Nothing)
    assert (found.reason, found.retry_at is not None) == ("held", True)
    world.work.cancel_step(ada, "p/2")
    assert claimed(world, ada).step.title == "behind"


def test_of_two_in_line_the_first_goes_first(world: World) -> None:
    ada, bob, live = _in_line(world, paths=("src/**",))
    world.work.add_steps(ada, "p", (draft("other", paths=("src/**", "doc/**")),))
    world.clock.advance(AGEING_MS)
    assert [one.kind for one in world.work.explain("p/3")] == ["path", "line"]
    world.work.complete(bob, live.token)
    assert claimed(world, ada).step.title == "w"
