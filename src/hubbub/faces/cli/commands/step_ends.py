"""step: how steps end, and come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.clock import spoken
from hubbub.faces.cli import claims, render_work
from hubbub.faces.cli.bodies import read_body, read_text
from hubbub.text import safe_line
from hubbub.wire_work import counts_dict, stale_dict, step_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_work import Project, Step


def done(context: Context) -> int:
    """The step is done."""
    given = context.arguments
    actor = context.actor
    notes, result = read_text(given.notes), read_text(given.result)
    chosen = claims.choose(context, actor)
    step = context.bus.work.complete(
        actor,
        chosen.token,
        commit=given.commit,
        files=given.files,
        notes=notes,
        result=result,
        key=given.key,
    )
    return _told(context, step, "Completed", chosen)


def fail(context: Context) -> int:
    """The attempt failed."""
    given = context.arguments
    actor = context.actor
    reason, notes = read_body(given.reason), read_text(given.notes)
    chosen = claims.choose(context, actor)
    step = context.bus.work.fail(
        actor,
        chosen.token,
        reason,
        failure=given.failure,
        notes=notes,
        delay=given.delay,
        final=given.final,
        key=given.key,
    )
    return _told(context, step, "Failed at", chosen)


def release(context: Context) -> int:
    """Give the step back without blame."""
    given = context.arguments
    actor = context.actor
    notes = read_text(given.notes)
    chosen = claims.choose(context, actor)
    step = context.bus.work.release(actor, chosen.token, notes=notes, delay=given.delay)
    return _told(context, step, "Released", chosen)


def merged(context: Context) -> int:
    """A completed step's work is in the base."""
    given = context.arguments
    return _told(context, context.bus.work.merge(context.actor, given.step, commit=given.commit), "Merged")


def cancel(context: Context) -> int:
    """The step is not to be done."""
    given = context.arguments
    return _told(
        context, context.bus.work.cancel_step(context.actor, given.step, reason=given.reason), "Cancelled"
    )


def retry(context: Context) -> int:
    """A failed, parked or cancelled step is to be done after all."""
    given = context.arguments
    return _told(context, context.bus.work.retry(context.actor, given.step, note=given.note), "Brought back")


def stale(context: Context) -> int:
    """Claims that were not renewed for long, or ran out."""
    given, output = context.arguments, context.output
    found = context.bus.work.stale(idle=given.idle, limit=given.limit)
    if output.json:
        output.answer({"stale": [stale_dict(each) for each in found]})
        return 0
    now = context.bus.store.now()
    for each in found:
        render_work.stale(each, context.bus.work.project(each.step.project), now, output)
    if not found:
        output.line(f"Every claim was renewed within {spoken(int(given.idle * 1000))}.")
    elif any(each.expired for each in found):
        output.line("One that ran out goes to whoever claims next, or: hubbub step recover STEP")
    return 0


def recover(context: Context) -> int:
    """Take a step back from a claim that ran out."""
    named = context.known_agent
    actor = None if named is None else context.actor
    return _told(context, context.bus.work.recover(actor, context.arguments.step), "Recovered")


def _told(context: Context, step: Step, what: str, chosen: claims.Chosen | None = None) -> int:
    """Tell what became of a step, and of its project; and which claim the command chose for it."""
    project = context.bus.work.project(step.project)
    by = "" if chosen is None else chosen.told(context.bus.store.now())
    told = f"{what} {render_work.label(project, step.num)}: {safe_line(step.title)}{by}{_so(context, step)}."
    answer = {
        **({} if chosen is None else chosen.answer()),
        "step": step_dict(step),
        "project": {"name": project.name, "state": project.state, "steps": counts_dict(project.counts)},
    }
    context.done(answer, told, _of(project))
    return 0


def _so(context: Context, step: Step) -> str:
    """What follows for a step that is not done."""
    if step.status == "not_started":
        now = context.bus.store.now()
        if step.not_before is not None and step.not_before > now:
            return f"; it can be claimed again {render_work.due(now, step.not_before)}"
        return "; it waits for other steps" if step.waiting else "; it can be claimed"
    if step.status == "parked":
        return f"; it is parked: its attempts are used up. Bring it back: hubbub step retry {step.id}"
    if step.status == "failed":
        return f"; it is given up. Bring it back: hubbub step retry {step.id}"
    return ""


def _of(project: Project) -> str:
    state = "" if project.state == "active" else f" is {project.state}"
    return f"{safe_line(project.name)}{state}: {render_work.counts(project.counts)}."
