"""Plans as files: a project with its steps as JSON or YAML, and a project made of one."""

from __future__ import annotations

from typing import Any

from hubbub.bus import Bus, checking, planning
from hubbub.clock import to_iso
from hubbub.errors import ExportFailed
from hubbub.interchange.plan_reading import (
    FORMAT,
    OUTCOME_FIELDS,
    PLAN_FIELDS,
    STEP_FIELDS,
    VERSION,
    read_plan,
)
from hubbub.interchange.plan_text import FORMS, PLAN_BYTES, read, write
from hubbub.model import Actor
from hubbub.model_work import (
    DONE,
    MAX_ATTEMPTS,
    TIME_LIMIT_MS,
    Attempt,
    Need,
    Project,
    Step,
)
from hubbub.names import check_word

_PAGE = 1000
_READINGS = 5

__all__ = [
    "FORMAT",
    "FORMS",
    "OUTCOME_FIELDS",
    "PLAN_BYTES",
    "PLAN_FIELDS",
    "STEP_FIELDS",
    "VERSION",
    "export_plan",
    "import_plan",
]


# --- export --------------------------------------------------------------------------------------------


def export_plan(bus: Bus, project: str, *, form: str = "json", results: bool = False) -> str:
    """A project with all its steps and what they need, as the text of a file.

    Args:
        bus: The bus.
        project: Its name or id.
        form: ``json`` or ``yaml``.
        results: With the state of the project, the status of each step, and what came of those that are
            done.

    Raises:
        ProjectNotFound: there is none.
        YamlUnavailable: what writes YAML is not installed.
        ExportFailed: it is changed faster than it can be read.
    """
    check_word(form, FORMS, "form of a plan")
    found, steps = _whole(bus, project)
    value: dict[str, Any] = {"format": FORMAT, "version": VERSION, "name": found.name}
    facts = {
        "base_commit": found.base_commit,
        "description": found.description,
        "priority": found.priority,
        "metadata": found.metadata,
        "state": found.state if results else "",
    }
    value |= {name: fact for name, fact in facts.items() if fact not in (None, "", 0)}
    value["steps"] = [_step_value(bus, step, results=results) for step in steps]
    return write(value, form)


def _whole(bus: Bus, project: str) -> tuple[Project, list[Step]]:
    """A project and its steps by number, none of which needs one that is not there."""
    found = bus.work.project(project)
    for _ in range(_READINGS):
        steps: list[Step] = []
        after: str | None = None
        while True:
            page, after = bus.work.steps(found.id, after=after, limit=_PAGE)
            steps += page
            if after is None:
                break
        nums = {step.num for step in steps}
        found = bus.work.project(found.id)
        if found.counts.total == len(steps) and all(need.num in nums for s in steps for need in s.needs):
            return found, steps
    raise ExportFailed("The project is being changed faster than it can be read.", hint="Try again.")


def _step_value(bus: Bus, step: Step, *, results: bool) -> dict[str, Any]:
    value: dict[str, Any] = {
        "num": step.num,
        "title": step.title,
        "instructions": step.instructions,
        "acceptance": step.acceptance,
        "branch": step.branch,
        "scope": step.scope,
        "paths": list(step.paths),
        "resources": list(step.resources),
        "priority": step.priority or None,
        "needs": [_need_value(need) for need in step.needs],
        "max_attempts": None if step.max_attempts == MAX_ATTEMPTS else step.max_attempts,
        "time_limit": None if step.time_limit_ms == TIME_LIMIT_MS else _seconds(step.time_limit_ms),
        "metadata": step.metadata,
    }
    if results:
        value["status"] = step.status
        if step.status in DONE and step.attempts:
            value["outcome"] = _outcome_value(bus.work.step(step.id)[1][0])
    return {name: each for name, each in value.items() if each not in (None, "", [])}


def _need_value(need: Need) -> int | dict[str, Any]:
    usual = Need(need.num)
    if need == usual:
        return need.num
    return {
        name: each for name, each in need._asdict().items() if name == "num" or each != getattr(usual, name)
    }


def _seconds(milliseconds: int) -> int | float:
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def _outcome_value(attempt: Attempt) -> dict[str, Any]:
    value = {
        "agent": attempt.agent,
        "claimed_at": to_iso(attempt.claimed_at),
        "started_at": None if attempt.started_at is None else to_iso(attempt.started_at),
        "ended_at": None if attempt.ended_at is None else to_iso(attempt.ended_at),
        "branch": attempt.branch,
        "worktree": attempt.worktree,
        "commit_hash": attempt.commit,
        "files_modified": list(attempt.files),
        "notes": attempt.notes,
        "result": attempt.result,
    }
    return {name: each for name, each in value.items() if each not in (None, [])}


# --- import --------------------------------------------------------------------------------------------


def import_plan(
    bus: Bus,
    actor: Actor,
    text: str,
    *,
    form: str | None = None,
    name: str | None = None,
    keep_done: bool = False,
    key: str | None = None,
) -> tuple[Project, tuple[Step, ...]]:
    """Make a project of a plan, all or nothing.

    Its steps are open, also those that the file says were done: a plan is taken to be done again.

    Args:
        bus: The bus.
        actor: Who imports.
        text: The plan: an object as :func:`export_plan` writes it, or a list of steps.
        form: ``json`` or ``yaml``; None looks at it.
        name: Another name for the project than the file's; a list of steps needs one.
        keep_done: Steps that are completed, merged or cancelled in the file are so here, with what came of
            them, and a paused or aborted project is so, too.
        key: The same key makes it once.

    Raises:
        ImportInvalid: the file is not a plan; the message and the details name the ``step`` (its place in
            the file), the ``field``, and the ``line`` where it is known. Nothing was imported.
        YamlUnavailable: it is YAML, and what reads that is not installed.
        ProjectExists, StepExists, StepNotFound, DependencyCycle: nothing was imported.
    """
    plan = read_plan(bus, actor, read(text, form), name, keep_done=keep_done)
    head = plan.head
    if plan.past or plan.state != "active":
        draft = planning.project(
            plan.name,
            plan.steps,
            head["base_commit"],
            head["description"],
            head["priority"],
            head["metadata"],
        )
        return bus.store.work.adopt_project(
            actor, draft, plan.past, source=FORMAT, state=plan.state, key=checking.key(key)
        )
    return bus.work.create_project(actor, plan.name, plan.steps, key=key, **head)
