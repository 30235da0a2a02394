"""What tests of work do most, in few words."""

from __future__ import annotations

from typing import Any

from hubbub.model import Actor
from hubbub.model_work import (
    BACKOFF_MAX_MS,
    CLAIM_MS,
    Claim,
    Need,
    Nothing,
    Project,
    ProjectDraft,
    Step,
    StepDraft,
    Wanted,
)
from tests.contract.world import World


def draft(title: str = "x", *needs: int | Need, **fields: Any) -> StepDraft:
    """A step that needs others, named by number or as edges."""
    edges = tuple(need if isinstance(need, Need) else Need(need) for need in needs)
    return StepDraft(title, needs=edges, **fields)


def planned(
    world: World,
    actor: Actor,
    *steps: StepDraft | str,
    name: str = "p",
    key: str | None = None,
    **fields: Any,
) -> tuple[Step, ...]:
    """Make a project; its steps."""
    return made(world, actor, *steps, name=name, key=key, **fields)[1]


def made(
    world: World,
    actor: Actor,
    *steps: StepDraft | str,
    name: str = "p",
    key: str | None = None,
    **fields: Any,
) -> tuple[Project, tuple[Step, ...]]:
    """Make a project; it and its steps."""
    drafts = tuple(StepDraft(one) if isinstance(one, str) else one for one in steps)
    return world.work.create_project(actor, ProjectDraft(name, steps=drafts, **fields), key=key)


def claimed(
    world: World,
    actor: Actor,
    project: str | None = None,
    step: str | None = None,
    scope: str | None = None,
    **options: Any,
) -> Claim:
    """A claim that must be had."""
    found = world.work.claim(actor, Wanted(project, scope, step), **options)
    assert isinstance(found, Claim), found
    return found


def nothing(
    world: World,
    actor: Actor,
    project: str | None = None,
    step: str | None = None,
    scope: str | None = None,
    **options: Any,
) -> Nothing:
    """Why nothing can be claimed, which must be so."""
    found = world.work.claim(actor, Wanted(project, scope, step), **options)
    assert isinstance(found, Nothing), found
    return found


def did(world: World, actor: Actor, step: str | None = None, **left: Any) -> Step:
    """Claim a step and complete it."""
    return world.work.complete(actor, claimed(world, actor, step=step).token, **left)


def failed(world: World, actor: Actor, step: str | None = None, **how: Any) -> Step:
    """Claim a step and fail for good, unless ``how`` says otherwise."""
    return world.work.fail(actor, claimed(world, actor, step=step).token, "broken", **{"final": True, **how})


def step_of(world: World, num: int, project: str = "p") -> Step:
    """One step as it is now."""
    return world.work.step(f"{project}/{num}")[0]


def statuses(world: World, project: str = "p") -> list[str]:
    """The status of every step, by number."""
    return [one.status for one in world.work.steps(project, limit=1000)[0]]


def nums(steps: tuple[Step, ...]) -> list[int]:
    """Their numbers."""
    return [one.num for one in steps]


def ready(world: World, project: str | None = "p") -> list[int]:
    """The numbers of the steps that can be claimed, in the order in which they would be."""
    return nums(world.work.steps(project, ready=True)[0])


def fail_rested(world: World, actor: Actor, step: str = "p/1", **how: Any) -> Step:
    """Claim a step as soon as it may be, and fail at it."""
    world.clock.advance(BACKOFF_MAX_MS)
    return world.work.fail(actor, claimed(world, actor, step=step).token, "broken", **how)


def a_long_day(world: World) -> None:
    """Something of everything in the project p."""
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "1", draft("2", max_attempts=1), "3")
    world.work.add_steps(ada, "p", (draft("4"),))
    world.work.edit_step(ada, "p/4", {"title": "four"})
    live = claimed(world, bob)
    world.work.start(bob, live.token)
    bob = world.seat("bob", take_over=True)
    world.work.mine(bob)
    world.work.complete(bob, live.token, commit="f00", result="good")
    world.work.merge(ada, "p/1")
    failed(world, bob, "p/2", final=False)
    world.work.retry(ada, "p/2", note="again")
    world.work.release(bob, claimed(world, bob, step="p/2").token)
    claimed(world, bob, step="p/2")
    world.clock.advance(CLAIM_MS)
    lost = claimed(world, bob, step="p/3")
    world.clock.advance(CLAIM_MS)
    world.work.recover(ada, "p/3", attempt=1, lease_until=lost.attempt.lease_until)
    world.work.cancel_step(ada, "p/4", reason="no need")
    did(world, bob, "p/2")
    did(world, bob, "p/3")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000)
    world.work.renew_reservation(ada, kept.id, ttl_ms=1000)
    world.work.release_reservation(ada, kept.id)
    world.work.limit_resource(ada, "gpu", 2)
    world.work.update_project(ada, "p", {"priority": 1})
