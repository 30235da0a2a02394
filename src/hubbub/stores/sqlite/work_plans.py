"""Plans: projects and steps made and changed, and the edges between steps."""

from __future__ import annotations

from typing import Any

import apsw

from hubbub.errors_work import DependencyCycle, ProjectExists, StepExists, StepNotFound
from hubbub.model import Actor
from hubbub.model_work import AGEING_MS, DONE, Need, Project, ProjectDraft, Step, StepDraft
from hubbub.names import new_tag, topic_id, topic_key
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite.actors import admit_to_stay
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, once, one
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.work_rows import SQL, find_project, project_of, project_row, step_of, step_row

PLANS = statements("plans.sql")
_TOPICS = statements("topics.sql")


def create_project(
    core: Core, actor: Actor, draft: ProjectDraft, key: str | None
) -> tuple[Project, tuple[Step, ...]]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.create_project`."""
    with core.write() as tx:
        now = core.clock.now()
        admit_to_stay(tx, actor, now)

        def act() -> dict[str, Any]:
            refuse_taken(tx, draft.name)
            project = add_project(tx, actor, draft, now)
            return {"project": project, "steps": add_all(tx, actor, project, draft.steps, now)}

        answer, _ = once(tx, actor.agent, key, "create_project", lambda: draft, now, act)
        shown = project_of(project_row(tx.db, answer["project"]))
        return shown, tuple(step_of(tx.db, step_row(tx.db, step)) for step in answer["steps"])


def refuse_taken(tx: Write, name: str) -> None:
    """Raise PROJECT_EXISTS when a project has this name."""
    if one(tx.db, SQL["project_by_name"], {"name_key": topic_key(name)}) is not None:
        raise ProjectExists(f"A project is called {name}.")


def add_project(
    tx: Write,
    actor: Actor,
    draft: ProjectDraft,
    now: int,
    *,
    created_at: int | None = None,
    source: str | None = None,
) -> int:
    """Write a new project without its steps; its number of row."""
    values = {
        "tag": new_tag(),
        "name": draft.name,
        "name_key": topic_key(draft.name),
        "base_commit": draft.base_commit,
        "description": draft.description,
        "priority": draft.priority,
        "metadata": None if draft.metadata is None else dump(draft.metadata),
        "topic": _topic(tx, actor, draft.name, now),
        "created_by": actor.agent,
        "now": now if created_at is None else created_at,
    }
    tx.db.execute(PLANS["add_project"], values)
    project = tx.db.last_insert_rowid()
    detail = {"name": draft.name} if source is None else {"name": draft.name, "source": source}
    add_event(tx.db, now, "project_created", actor, project=project, detail=detail)
    return project


def _topic(tx: Write, actor: Actor, name: str, now: int) -> int:
    """The open topic of the project's name, made if there is none."""
    from hubbub.stores.sqlite.topic_changes import add  # few plans are made

    found = one(tx.db, _TOPICS["open_topic_named"], {"name_key": topic_key(name)})
    if found is not None:
        return int(found[0])
    topic = add(tx, actor, name, {"project": name}, now, now)
    add_event(tx.db, now, "topic_created", actor, topic=topic, detail={"name": name})
    row = one(tx.db, _TOPICS["topic_by_number"], {"topic": topic})
    assert row is not None
    tx.ring(f"topic/{topic_id(row[0], row[1])}")
    return topic


def add_steps(
    core: Core, actor: Actor, project: str, steps: tuple[StepDraft, ...], key: str | None
) -> tuple[Step, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.add_steps`."""
    with core.write() as tx:
        now = core.clock.now()
        admit_to_stay(tx, actor, now)
        row = find_project(tx.db, project)

        def act() -> dict[str, Any]:
            return {"steps": add_all(tx, actor, row[0], steps, now)}

        answer, _ = once(tx, actor.agent, key, "add_steps", lambda: [row[0], steps], now, act)
        _reopen(tx, actor, row[0], now)
        return tuple(step_of(tx.db, step_row(tx.db, step)) for step in answer["steps"])


def _reopen(tx: Write, actor: Actor, project: int, now: int) -> None:
    """A completed project that has something to do again is active."""
    row = project_row(tx.db, project)
    if row[3] == "completed" and row[12]:
        tx.db.execute(SQL["set_state"], {"project": project, "state": "active"})
        detail = {"state": "active", "was": "completed"}
        add_event(tx.db, now, "project_changed", actor, project=project, detail=detail)


def add_all(
    tx: Write,
    actor: Actor,
    project: int,
    drafts: tuple[StepDraft, ...],
    now: int,
    *,
    statuses: dict[int, str] | None = None,
) -> list[int]:
    """Write new steps and what they need; their numbers of rows, in the order given. ``statuses`` are what
    the ledger says of those that come with one."""
    numbers = numbers_of(tx, project, drafts)
    rows: dict[int, int] = {}
    for num, draft in sorted(zip(numbers, drafts, strict=True), key=lambda pair: pair[0]):
        rows[num] = _add_step(tx, actor, project, num, draft, now, (statuses or {}).get(num))
    for num, draft in zip(numbers, drafts, strict=True):
        for need in draft.needs:
            _add_need(tx, project, rows[num], num, need, rows)
    refuse_cycles(tx.db, list(rows.values()))
    for step in rows.values():
        rate(tx, step, now)
    ends.ring(tx, project, project_row(tx.db, project)[1])
    return [rows[num] for num in numbers]


def numbers_of(tx: Write, project: int, drafts: tuple[StepDraft, ...]) -> list[int]:
    """The numbers that new steps get."""
    last = one(tx.db, PLANS["last_number"], {"project": project})
    given = [draft.num for draft in drafts if draft.num is not None]
    seen: set[int] = set()
    for num in given:
        if num in seen:
            raise StepExists(f"Two of the new steps have the number {num}; nothing was added.")
        seen.add(num)
    taken = list(tx.db.execute(PLANS["numbered"], {"project": project, "nums": dump(given)}))
    if taken:
        raise StepExists(f"The project has a step {taken[0][0]} already; nothing was added.")
    following = max([last[0] if last else 0, *given])
    numbers = []
    for draft in drafts:
        if draft.num is None:
            following += 1
        numbers.append(following if draft.num is None else draft.num)
    return numbers


def _add_step(
    tx: Write, actor: Actor, project: int, num: int, draft: StepDraft, now: int, status: str | None
) -> int:
    values = {
        "tag": new_tag(),
        "project": project,
        "num": num,
        "title": draft.title,
        "instructions": draft.instructions,
        "acceptance": draft.acceptance,
        "branch": draft.branch,
        "scope": draft.scope,
        "paths": dump(draft.paths),
        "resources": dump(draft.resources),
        "holds": int(bool(draft.paths or draft.resources)),
        "priority": draft.priority,
        "rank": now - draft.priority * AGEING_MS,
        "max_attempts": draft.max_attempts,
        "time_limit_ms": draft.time_limit_ms,
        "metadata": None if draft.metadata is None else dump(draft.metadata),
        "now": now,
    }
    tx.db.execute(PLANS["add_step"], values)
    step = tx.db.last_insert_rowid()
    detail = {"num": num} if status is None else {"num": num, "status": status}
    add_event(tx.db, now, "step_added", actor, project=project, step=step, detail=detail)
    return step


def _add_need(tx: Write, project: int, step: int, num: int, need: Need, known: dict[int, int]) -> None:
    if need.num == num:
        raise DependencyCycle(f"Step {num} can't need itself; nothing was changed.", cycle=[num, num])
    needed = known.get(need.num)
    if needed is None:
        row = one(tx.db, SQL["step_numbered"], {"project": project, "num": need.num})
        if row is None:
            raise StepNotFound(
                f"Step {num} needs step {need.num}, which the project does not have; nothing was changed."
            )
        needed = int(row[0])
    status = one(tx.db, PLANS["status_of"], {"step": needed})
    assert status is not None
    met = status[0] == "merged" or (status[0] in DONE and need.until == "completed")
    met = met or (need.on_failure == "continue" and status[0] in ("failed", "parked", "cancelled"))
    values = {
        "step": step,
        "needed": needed,
        "until": need.until,
        "on_failure": need.on_failure,
        "met": int(met),
    }
    tx.db.execute(PLANS["add_need"], values)


def rate(tx: Write, step: int, now: int) -> None:
    """Say whether a step whose needs changed is ready."""
    tx.db.execute(PLANS["rate_ready"], {"step": step, "now": now, "ageing": AGEING_MS})


def set_needs(
    tx: Write, actor: Actor, row: Row, add: tuple[Need, ...], remove: tuple[int, ...], now: int
) -> None:
    """Change what a step needs."""
    for num in remove:
        needed = one(tx.db, SQL["step_numbered"], {"project": row[2], "num": num})
        if needed is not None:
            tx.db.execute(PLANS["remove_need"], {"step": row[0], "needed": needed[0]})
    for need in add:
        _add_need(tx, row[2], row[0], row[4], need, {})
    refuse_cycles(tx.db, [row[0]])
    rate(tx, row[0], now)
    if any(need.on_failure == "cancel" for need in add):
        _cancel_late(tx, actor, row[0], now)


def _cancel_late(tx: Write, actor: Actor, step: int, now: int) -> None:
    """A step that is not to be done without another one, and that one was given up before: so is this."""
    found = one(tx.db, PLANS["given_up_need"], {"step": step})
    if found is not None:
        needed, cancelled_for = found
        ends.cancel_with(tx, actor, needed, now, needed if cancelled_for is None else cancelled_for)
        ends.complete_project(tx, actor, step_row(tx.db, step)[2], now)


def refuse_cycles(db: apsw.Connection, starts: list[int]) -> None:
    """Raise DependencyCycle, with the circle, when one leads through any of these steps."""
    done: set[int] = set()
    for start in starts:
        path: list[int] = []
        on_path: set[int] = set()
        # Each entry is a step and what it still has to look into; no recursion: chains can be long.
        stack: list[tuple[int, list[int]]] = [(start, [])] if start not in done else []
        if stack:
            stack = [(start, _needed(db, start))]
            path, on_path = [start], {start}
        while stack:
            step, left = stack[-1]
            if not left:
                stack.pop()
                on_path.discard(path.pop())
                done.add(step)
                continue
            following = left.pop()
            if following in on_path:
                raise _cycle(db, [*path[path.index(following) :], following])
            if following not in done:
                stack.append((following, _needed(db, following)))
                path.append(following)
                on_path.add(following)


def _needed(db: apsw.Connection, step: int) -> list[int]:
    return [row[0] for row in db.execute(PLANS["needs_of_step"], {"step": step})]


def _cycle(db: apsw.Connection, steps: list[int]) -> DependencyCycle:
    nums = []
    for step in steps:
        row = one(db, PLANS["status_of"], {"step": step})
        nums.append(row[1] if row else 0)
    shown = " -> ".join(str(num) for num in nums[:30]) + (" -> ..." if len(nums) > 30 else "")
    return DependencyCycle(
        f"Steps would wait for each other: {shown} ({len(nums) - 1} steps); nothing was changed.", cycle=nums
    )
