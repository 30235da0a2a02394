"""Projects and their steps: made, changed and looked at."""

from __future__ import annotations

from typing import Any

from hubbub.bus import checking, planning
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.faces.mcp import long_texts
from hubbub.faces.mcp import render_work as render
from hubbub.faces.mcp.long_texts import shorten
from hubbub.faces.mcp.render import BODY_SHARE, fence_for, quoted, safe_json
from hubbub.faces.mcp.render_topics import counted
from hubbub.faces.mcp.tools import ADDS, FLAG, READS, TEXT, Answer, Caller, Tool
from hubbub.model_work import Project, Step
from hubbub.text import safe_line
from hubbub.wire_work import attempt_dict, blocker_dict, project_dict, step_dict

LISTED = 50
"""Steps or projects in one answer, unless asked otherwise."""
LISTED_MAX = 100
ATTEMPTS_SHOWN = 20
BLOCKERS_SHOWN = 50
FILES_SHARE = 1000
"""Characters of one attempt's list of files."""
CHANGES_MAX = 100
"""Steps that one call changes at most."""


def create_project(caller: Caller, given: dict[str, Any]) -> Answer:
    """Make a project."""
    project, steps = caller.bus.work.create_project(
        caller.member.seat.actor,
        given["name"],
        given.get("steps", []),
        base_commit=given.get("base_commit", ""),
        description=given.get("description", ""),
        priority=given.get("priority", 0),
        key=given.get("idempotency_key"),
    )
    return _made(caller, project, steps, f"Made {quoted(project.name)} ({project.id})")


def add_steps(caller: Caller, given: dict[str, Any]) -> Answer:
    """Add steps, or put several in the place of one."""
    work, actor = caller.bus.work, caller.member.seat.actor
    if "instead_of" in given:
        steps = work.split_step(actor, _step_of(given["project"], given["instead_of"]), given["steps"])
    else:
        steps = work.add_steps(actor, given["project"], given["steps"], key=given.get("idempotency_key"))
    project = work.project(given["project"])
    return _made(caller, project, steps, f"Added to {quoted(project.name)}")


def _made(caller: Caller, project: Project, steps: tuple[Step, ...], head: str) -> Answer:
    """Steps that are new, with their ids; of very many the first."""
    now, shown = caller.bus.store.now(), steps[:LISTED_MAX]
    lines = [f"{head}: {counted(len(steps), 'new step')}. In all {render.counts_text(project.counts)}."]
    lines += [render.step_line(step, now) for step in shown]
    data: dict[str, Any] = {"project": _project(project), "steps": [_listed(step) for step in shown]}
    if len(steps) > len(shown):
        data["not_shown"] = len(steps) - len(shown)
        lines.append(f"... and {data['not_shown']} more: get_project lists them.")
    return Answer("\n".join(lines), safe_json(data))


def get_project(caller: Caller, given: dict[str, Any]) -> Answer:
    """One project and its steps, a page at a time."""
    work, now = caller.bus.work, caller.bus.store.now()
    project = work.project(given["project"])
    statuses = (given["status"],) if "status" in given else ()
    limit = checking.number(given.get("limit", LISTED), "limit", 1, LISTED_MAX)
    steps, more = work.steps(project.id, statuses=statuses, after=given.get("after"), limit=limit)
    data: dict[str, Any] = {"project": _project(project), "steps": [_listed(step) for step in steps]}
    lines = [render.project_line(project._replace(description=""), now)]
    if project.description:
        mark = fence_for([project.description])
        lines += long_texts.fenced("description", project.description, mark, "", 0, BODY_SHARE // 2)
    lines += render.metadata_lines(project.metadata)
    lines += [render.step_line(step, now) for step in steps]
    if more is not None:
        data["next_after"] = more
        lines.append(f"There are more: get_project(project={project.id!r}, after={more!r})")
    return Answer("\n".join(lines), safe_json(data))


def list_projects(caller: Caller, given: dict[str, Any]) -> Answer:
    """Projects, a page at a time."""
    now = caller.bus.store.now()
    found, more = caller.bus.work.projects(
        state=given.get("state"), after=given.get("after"), limit=given.get("limit", LISTED)
    )
    lines = [f"{counted(len(found), 'project')}{':' if found else '. create_project makes one.'}"]
    lines += [render.project_line(project, now) for project in found]
    data: dict[str, Any] = {"projects": [_project(project, short=True) for project in found]}
    if more is not None:
        data["next_after"] = more
        lines.append(f"There are more: list_projects(after={more!r})")
    return Answer("\n".join(lines), safe_json(data))


def update_project(caller: Caller, given: dict[str, Any]) -> Answer:
    """Change a project, or its steps."""
    work, actor = caller.bus.work, caller.member.seat.actor
    name, items = given.pop("project"), given.pop("steps", [])
    # Everything is looked at before anything is changed.
    changes = [_checked(number, item) for number, item in enumerate(items, 1)]
    if len(changes) > CHANGES_MAX:
        raise InvalidArgument(f"Up to {CHANGES_MAX} steps at once, not {len(changes)}.")
    project = work.update_project(actor, name, **given) if given or not changes else work.project(name)
    changed: list[Step] = []
    for item in changes:
        try:
            changed.append(_change(caller, project, dict(item)))
        except HubbubError as error:
            if changed or given:
                done = ", ".join(str(step.num) for step in changed) or "none"
                error.hint = f"{error.hint or ''} Before this, steps were changed: {done}.".strip()
            raise
    project = work.project(project.id)
    now = caller.bus.store.now()
    lines = [render.project_line(project, now), *(render.step_line(step, now) for step in changed)]
    data: dict[str, Any] = {"project": _project(project, short=True)}
    if changed:
        data["steps"] = [_listed(step) for step in changed]
    return Answer("\n".join(lines), safe_json(data))


def _checked(number: int, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not item.get("step_id"):
        raise InvalidArgument(
            f"Change {number} needs step_id.", hint='For example: {"step_id": "parser/3", "priority": 5}'
        )
    fields = {
        planning.ALIASES.get(str(name), str(name)): item[name] for name in item if item[name] is not None
    }
    rest = {name: value for name, value in fields.items() if name not in ("step_id", "cancel", "needs")}
    if len(fields) == 1:
        raise InvalidArgument(f"Change {number} says nothing to change.", hint="Give cancel, or new values.")
    if fields.get("cancel") and (rest or "needs" in fields):
        raise InvalidArgument(f"Change {number}: cancel goes alone.")
    try:
        if rest:
            planning.step_changes(dict(rest))
        planning.needs(fields.get("needs", []))
    except InvalidArgument as error:
        raise InvalidArgument(f"Change {number}: {error.message}", hint=error.hint) from None
    return fields


def _change(caller: Caller, project: Project, item: dict[str, Any]) -> Step:
    """Do one change of a step; ``needs`` are all that it needs from then on."""
    work, actor = caller.bus.work, caller.member.seat.actor
    name, cancel, needs = _step_of(project.id, item.pop("step_id")), item.pop("cancel", None), None
    step = work.step(name)[0]
    if step.project != project.id:
        raise InvalidArgument(f"Step {step.id} is of another project.")
    if cancel:
        return work.cancel_step(actor, step.id, reason=cancel if isinstance(cancel, str) else "")
    needs = item.pop("needs", None)
    if item:
        step = work.edit_step(actor, step.id, **item)
    if needs is not None:
        wanted = planning.needs(needs)
        gone = {need.num for need in step.needs} - {need.num for need in wanted}
        step = work.set_needs(actor, step.id, add=wanted, remove=tuple(gone))
    return step


def _step_of(project: str, step: Any) -> str:
    """A step as the bus names it: a bare number is one of the project."""
    name = str(step)
    return f"{project}/{name}" if name.isascii() and name.isdigit() else name


def get_step(caller: Caller, given: dict[str, Any]) -> Answer:
    """One step: what keeps it, its attempts, or one of its texts read on."""
    work, now = caller.bus.work, caller.bus.store.now()
    step, attempts = work.step(given["step_id"])
    if "field" in given or "offset" in given:
        text = long_texts.field_of(step, attempts, given.get("field", "instructions"))
        return _read_on(step, given, text)
    blockers = work.explain(step.id)
    project = work.project(step.project)
    shown = attempts[:ATTEMPTS_SHOWN]
    data: dict[str, Any] = {
        "project_name": project.name,
        "step": step_dict(step),
        "blockers": [blocker_dict(blocker) for blocker in blockers[:BLOCKERS_SHOWN]],
        "attempts": [attempt_dict(attempt) for attempt in shown],
    }
    shorten(data["step"], "paths", "resources")
    for attempt in data["attempts"]:
        shorten(attempt, "files_modified", share=FILES_SHARE)
    for key in ("notes", "result", "files_modified"):
        data["step"].pop(key, None)  # they are the last attempt's
    texts = long_texts.of_step(step, data)
    return Answer(render.step_text(step, project, attempts, blockers, data, texts, now), safe_json(data))


def _read_on(step: Step, given: dict[str, Any], text: str | None) -> Answer:
    field, start = given.get("field", "instructions"), given.get("offset", 0)
    if text is None:
        raise InvalidArgument(
            f"A step has no field {ascii(field)[:60]}.",
            hint=f"It has: {', '.join(long_texts.FIELDS)}; notes/2 is that of attempt 2.",
        )
    start = checking.number(start, "offset", 0, len(text))
    read_on = f"get_step(step_id={step.id!r}, field={field!r}"
    data: dict[str, Any] = {"step_id": step.id, "field": field, "text": text[start : start + BODY_SHARE]}
    data |= {"characters": len(text), "offset": start}
    if start + BODY_SHARE < len(text):
        data["next_offset"] = start + BODY_SHARE
    lines = long_texts.fenced(field, text, fence_for([text]), read_on, start, BODY_SHARE)
    return Answer("\n".join([f"{field} of step {step.num} ({step.id}):", *lines]), safe_json(data))


def get_available_steps(caller: Caller, given: dict[str, Any]) -> Answer:
    """What could be claimed now, in that order."""
    work, now = caller.bus.work, caller.bus.store.now()
    limit = checking.number(given.get("limit", LISTED), "limit", 1, LISTED_MAX)
    steps, _ = work.steps(given.get("project"), scope=given.get("scope"), ready=True, limit=limit)
    names: dict[str, str] = {}
    for step in steps:
        if step.project not in names:
            names[step.project] = work.project(step.project).name
    data = {"steps": [{**_listed(step), "project_name": names[step.project]} for step in steps]}
    if not steps:
        return Answer("No step can be claimed now; claim_step tells why.", data)
    head = f"{counted(len(steps), 'step')} can be claimed now, in this order:"
    lines = [render.step_line(step, now, names[step.project]) for step in steps]
    return Answer("\n".join([head, *lines]), safe_json(data))


def _listed(step: Step) -> dict[str, Any]:
    """A step as one of many."""
    shown = step_dict(step, brief=True)
    for key in ("metadata", "paths", "resources", "created_at", "ready_at", "time_limit_seconds"):
        shown.pop(key, None)
    for key in ("title", "branch", "scope", "commit_hash"):
        if key in shown:
            shown[key] = safe_line(shown[key], render.TITLE_SHOWN)
    if len(step.needs) > LISTED:
        shown["needs"] = shown["needs"][:LISTED]
        shown["needs_total"] = len(step.needs)
    return shown


def _project(project: Project, *, short: bool = False) -> dict[str, Any]:
    shown = project_dict(project)
    limit = 300 if short else BODY_SHARE // 2
    if len(project.description) > limit:
        shown["description"] = project.description[:limit]
        shown["description_characters"] = len(project.description)
    if short and checking.json_bytes(project.metadata) > 300:
        del shown["metadata"]
    return shown


_WHOLE = {"type": "integer"}
_STEPS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "title": TEXT,
            "instructions": TEXT,
            "acceptance": TEXT,
            "branch": TEXT,
            "paths": {"type": "array", "items": TEXT, "description": "globs to change"},
            "needs": {
                "type": "array",
                "items": _WHOLE,
                "description": "nums from 1, or {num, until, on_failure}",
            },
        },
    },
}
KEY = (("idempotency_key", TEXT),)
AS_AGENT = ("as_agent", TEXT)
"""Taken by every tool; listed where a claim begins, and named in its answer where it is needed."""
_PAGE = (("after", TEXT), ("limit", _WHOLE), AS_AGENT)
_MORE_STEPS: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "properties": {"title": TEXT}},
    "description": "as in create_project",
}
_CHANGES: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "properties": {"step_id": TEXT, "cancel": FLAG}},
    "description": "cancel, or new values",
}

PLAN_TOOLS = (
    Tool(
        "create_project",
        "Plan work: steps, each done by one agent, after those it needs.",
        {"name": TEXT, "base_commit": TEXT, "steps": _STEPS},
        ("name",),
        ADDS,
        create_project,
        unlisted=(("description", TEXT), ("priority", _WHOLE), *KEY, AS_AGENT),
    ),
    Tool(
        "get_project",
        "A project and its steps.",
        {"project": TEXT},
        ("project",),
        READS,
        get_project,
        unlisted=(("status", TEXT), *_PAGE),
        aliases=(("name", "project"),),
    ),
    Tool(
        "list_projects",
        "All, and how far they are.",
        {"state": TEXT},
        (),
        READS,
        list_projects,
        unlisted=_PAGE,
        aliases=(("status", "state"),),
    ),
    Tool(
        "update_project",
        "Change a project (state: active, paused, aborted) or its steps.",
        {"project": TEXT, "state": TEXT, "steps": _CHANGES},
        ("project",),
        {},  # by the protocol's defaults it may destroy
        update_project,
        unlisted=(
            ("base_commit", TEXT),
            ("name", TEXT),
            ("description", TEXT),
            ("priority", _WHOLE),
            ("metadata", {"type": "object"}),
            AS_AGENT,
        ),
    ),
    Tool(
        "add_steps",
        "Add steps while work runs, or split one (instead_of).",
        {"project": TEXT, "steps": _MORE_STEPS, "instead_of": TEXT},
        ("project", "steps"),
        ADDS,
        add_steps,
        unlisted=(*KEY, AS_AGENT),
    ),
)
GET_STEP = Tool(
    "get_step",
    "A step, its attempts, and what keeps it from being claimed.",
    {"step_id": TEXT},
    ("step_id",),
    READS,
    get_step,
    unlisted=(("field", TEXT), ("offset", _WHOLE), AS_AGENT),
)
GET_AVAILABLE = Tool(
    "get_available_steps",
    "What could be claimed now.",
    {"project": TEXT},
    (),
    READS,
    get_available_steps,
    unlisted=(("scope", TEXT), ("limit", _WHOLE), AS_AGENT),
)
