"""What tests of work do most, in few words."""

from __future__ import annotations

from typing import Any

from hubbub.model import Actor
from hubbub.model_work import Claim, Need, Nothing, Project, ProjectDraft, Step, StepDraft, Wanted
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
