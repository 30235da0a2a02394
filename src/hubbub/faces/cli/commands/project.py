"""project: planning, and what a project is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import EXIT_FAILED
from hubbub.faces.cli import render, render_work
from hubbub.faces.cli.bodies import read_metadata, read_text
from hubbub.faces.cli.failures import UsageError
from hubbub.text import safe_line
from hubbub.wire_work import project_dict, step_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_work import Project

STEPS_TOLD = 200
"""How many of the steps that were made an answer in JSON lists."""


def create(context: Context) -> int:
    """Make a project with its steps."""
    given = context.arguments
    steps: list[Any] = []
    if given.steps is not None:
        from hubbub.faces.cli.plans import read_steps

        steps = read_steps(given.steps)
    project, made = context.bus.work.create_project(
        context.actor,
        given.name,
        steps,
        base_commit=given.base,
        description=read_text(given.description) or "",
        priority=given.priority,
        metadata=read_metadata(given.metadata),
        key=given.key,
    )
    name = safe_line(project.name)
    told = f"Created {name} ({project.id}) with {render.plural(len(made), 'step')}."
    told += "" if made else f" Add steps: hubbub step add {name} TITLE"
    answer = {
        "project": project_dict(project),
        "steps": [{"id": step.id, "num": step.num, "title": step.title} for step in made[:STEPS_TOLD]],
    }
    context.done(answer, told)
    return 0


def list_(context: Context) -> int:
    """The projects, highest priority first, then newest."""
    given, output = context.arguments, context.output
    projects, after = context.bus.work.projects(state=given.state, after=given.after, limit=given.limit)
    if output.json:
        answer: dict[str, Any] = {"projects": [project_dict(project) for project in projects]}
        output.answer(answer if after is None else {**answer, "next": after})
        return 0
    for project in projects:
        render_work.project(project, output)
    if not projects:
        output.line(f"No {given.state} projects." if given.state else "No projects.")
    if after is not None:
        output.line(f"There are more: add --after {after}")
    return 0


def show(context: Context) -> int:
    """One project with its steps."""
    given, output = context.arguments, context.output
    project = context.bus.work.project(given.project)
    steps, after = context.bus.work.steps(project.id, limit=given.limit)
    if output.json:
        shown = [step_dict(step, brief=True) for step in steps]
        answer: dict[str, Any] = {"project": project_dict(project), "steps": shown}
        output.answer(answer if after is None else {**answer, "next": after})
        return 0
    now = context.bus.store.now()
    render_work.whole_project(project, now, output)
    if steps:
        output.line()
        render_work.steps(steps, [f"  {step.num}" for step in steps], now, output)
    if after is not None:
        name = safe_line(project.name)
        output.line(f"{project.counts.total} in all; the rest: hubbub step list {name} --after {after}")
    return 0


def pause(context: Context) -> int:
    """No step of it is handed out any more; what is in hand goes on."""
    project = _set(context, "paused")
    live = project.counts.claimed + project.counts.in_progress
    told = f" {render.plural(live, 'step')} in hand may still be finished." if live else ""
    return _done(context, project, f"Paused {safe_line(project.name)}.{told}")


def resume(context: Context) -> int:
    """It is active again, and with it what an abort cancelled."""
    project = _set(context, "active")
    told = f"{safe_line(project.name)} is active: {render_work.counts(project.counts)}."
    return _done(context, project, told)


def abort(context: Context) -> int:
    """Cancel all that is not over, after asking."""
    actor = context.actor
    project = context.bus.work.project(context.arguments.project)
    counts = project.counts
    live = counts.claimed + counts.in_progress
    left = counts.not_started + live
    what = f"This aborts {safe_line(project.name)}: {render.plural(left, 'step')} will be cancelled"
    what += f", {live} of them in hand." if live else "."
    if not context.confirm(what, "What is in hand is lost, the rest comes back with a resume"):
        context.output.line("Nothing was changed.")
        return EXIT_FAILED
    project = context.bus.work.update_project(actor, project.id, state="aborted")
    return _done(
        context, project, f"Aborted {safe_line(project.name)}: {render_work.counts(project.counts)}."
    )


def edit(context: Context) -> int:
    """Change what is given of it."""
    given = context.arguments
    changes: dict[str, Any] = {
        "name": given.name,
        "base_commit": given.base,
        "priority": given.priority,
        "description": read_text(given.description),
        "metadata": read_metadata(given.metadata),
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        raise UsageError("Nothing was given to change.", hint="Run: hubbub project edit --help")
    project = context.bus.work.update_project(context.actor, given.project, **changes)
    return _done(context, project, f"Changed {safe_line(project.name)}.")


def _set(context: Context, state: str) -> Project:
    return context.bus.work.update_project(context.actor, context.arguments.project, state=state)


def _done(context: Context, project: Project, told: str) -> int:
    context.done({"project": project_dict(project)}, told)
    return 0
