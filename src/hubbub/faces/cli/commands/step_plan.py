"""step: planning. Adding, changing and splitting steps, and what they wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.faces.cli import render, render_work
from hubbub.faces.cli.failures import UsageError
from hubbub.faces.cli.plans import many_steps, step_fields
from hubbub.text import safe_line
from hubbub.wire_work import step_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_work import Step

NUMBERS_SHOWN = 12


def add(context: Context) -> int:
    """Add one step, or those of a file."""
    given = context.arguments
    fields = step_fields(given)
    if given.steps is not None and fields:
        raise UsageError("--steps and the options of one step don't go together.")
    steps = [fields] if fields.get("title") else many_steps(given, [])
    added = context.bus.work.add_steps(context.actor, given.project, steps, key=given.key)
    told = "Nothing was added."
    if added:
        project = context.bus.work.project(added[0].project)
        one = added[0]
        told = f"Added {render_work.label(project, one.num)} ({one.id}): {safe_line(one.title)}"
        if len(added) > 1:
            told = f"Added {len(added)} steps to {safe_line(project.name)}: {_numbers(added)}."
    context.done({"steps": [step_dict(step, brief=True) for step in added]}, told)
    return 0


def edit(context: Context) -> int:
    """Change what is given of a step."""
    given = context.arguments
    fields = step_fields(given)
    if given.delay is not None:
        later = int(given.delay * 1000) if 0 < given.delay < 1e9 else 0
        if later == 0 and given.delay != 0:
            raise UsageError("--delay is a time from now, like 10m, or 0.")
        fields["not_before"] = context.bus.store.now() + later if later else None
    if not fields:
        raise UsageError("Nothing was given to change.", hint="Run: hubbub step edit --help")
    step = context.bus.work.edit_step(context.actor, given.step, **fields)
    return _done(context, step, "Changed")


def split(context: Context) -> int:
    """Put several steps in the place of one that nobody has begun."""
    given = context.arguments
    parts = many_steps(given, given.titles)
    made = context.bus.work.split_step(context.actor, given.step, parts)
    answer: dict[str, Any] = {"steps": [step_dict(step, brief=True) for step in made]}
    told = f"In its place there {'is' if len(made) == 1 else 'are'} {render.plural(len(made), 'step')} now"
    context.done(answer, f"{told}: {_numbers(made)}.")
    return 0


def needs(context: Context) -> int:
    """Change what a step waits for, or show it."""
    given = context.arguments
    if given.add or given.remove:
        step = context.bus.work.set_needs(context.actor, given.step, add=given.add, remove=given.remove)
        return _done(context, step, "Changed")
    step, _ = context.bus.work.step(given.step)
    context.show({"step": step_dict(step, brief=True)}, _of(context, step))
    return 0


def limit(context: Context) -> int:
    """Set how many steps may have a resource at a time."""
    given = context.arguments
    context.bus.work.limit_resource(context.actor, given.resource, given.count)
    told = f"{render.plural(given.count, 'step')} at a time may have {safe_line(given.resource)}."
    context.done({"resource": given.resource, "limit": given.count}, told)
    return 0


def _done(context: Context, step: Step, what: str) -> int:
    context.done({"step": step_dict(step)}, f"{what} {_of(context, step)}")
    return 0


def _of(context: Context, step: Step) -> str:
    name = render_work.label(context.bus.work.project(step.project), step.num)
    waits = f"needs {render_work.needs(step)}" if step.needs else "needs no other step"
    return f"{name} ({step.id}): {safe_line(step.title)}; {step.status}, {waits}."


def _numbers(steps: tuple[Step, ...]) -> str:
    shown = ", ".join(str(step.num) for step in steps[:NUMBERS_SHOWN])
    return shown + (f" to {steps[-1].num}" if len(steps) > NUMBERS_SHOWN else "")
