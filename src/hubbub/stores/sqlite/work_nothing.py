"""Why there is nothing to claim, and what keeps one step from being claimed."""

from __future__ import annotations

from typing import NamedTuple

import apsw

from hubbub.clock import to_iso
from hubbub.errors_work import ProjectNotFound, StepNotFound
from hubbub.model_work import AGEING_MS, Blocker, Counts, Nothing, Wanted
from hubbub.names import step_id
from hubbub.stores.sqlite.core import one
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.work_free import Held
from hubbub.stores.sqlite.work_rows import SQL, find_project, find_step, project_row, step_row

_FILES = statements("files.sql")

LOOKED_AT = 200
"""How many ready steps are looked at to say why none can be had."""


class Asked(NamedTuple):
    """What a claim is to be of, as numbers."""

    project: int | None
    scope: str | None
    step: int | None


def resolve(db: apsw.Connection, wanted: Wanted) -> Asked | Nothing:
    """What ``wanted`` names.

    Raises:
        StepNotFound: it names an unknown step, or one that is not of the project or scope named beside it.
    """
    project = None
    if wanted.project is not None:
        try:
            project = int(find_project(db, wanted.project)[0])
        except ProjectNotFound as error:
            says = f"{error.message} {error.hint}".strip()
            return Nothing("no_such_project", says, Counts())
    step = None
    if wanted.step is not None:
        named = wanted.step
        if project is not None and named.isascii() and named.isdigit():
            named = f"{wanted.project}/{named}"
        step = find_step(db, named)
        found = step_row(db, step)
        if project not in (None, found[2]):
            raise StepNotFound(f"Step {found[4]} of {found[27]} is not one of {wanted.project}.")
        if wanted.scope not in (None, found[9]):
            raise StepNotFound(f"Step {found[4]} of {found[27]} has not the scope {wanted.scope}.")
    return Asked(project, wanted.scope, step)


def why_nothing(db: apsw.Connection, asked: Asked, agent: str, now: int) -> Nothing:
    """Why a claim found nothing."""
    if asked.step is not None:
        return _why_not_this(db, asked.step, agent, now)
    counts = _counts(db, asked)
    live = counts.claimed + counts.in_progress
    where = "" if asked.project is None else f" of {project_row(db, asked.project)[2]}"
    where += f" with the scope {asked.scope}" if asked.scope else ""
    stopped = _stopped(db, asked, counts, where)
    if stopped is not None:
        return stopped
    if counts.total == 0:
        return Nothing("no_steps", f"There are no steps{where} yet.", counts)
    if not (counts.not_started or live or counts.failed or counts.parked):
        return Nothing("all_done", f"All steps{where} are done or cancelled: {counts.total}.", counts)
    if not counts.not_started and live:
        says = f"All steps{where} that are left are in hand: {live}."
        return Nothing("all_in_flight", says, counts, retry_at=_next_lease(db, asked.project))
    if counts.ready:
        found = _why_not_ready(db, asked, agent, now, counts, where)
        if found is not None:
            return found
    return _why_blocked(db, asked, counts, where)


def _stopped(db: apsw.Connection, asked: Asked, counts: Counts, where: str) -> Nothing | None:
    """There is something to do, but its project is not active; or the project was aborted."""
    if asked.project is not None:
        state = project_row(db, asked.project)[3]
        if state == "aborted":  # nothing is left, as an abort cancels it, but it isn't done
            return Nothing("paused", f"The project {project_row(db, asked.project)[2]} is aborted.", counts)
        left = counts.total - counts.completed - counts.merged - counts.cancelled
        return (
            None
            if state == "active" or not left
            else Nothing("paused", f"The work{where} is {state}.", counts)
        )
    if counts.not_started + counts.claimed + counts.in_progress:
        return None
    paused = _counts(db, asked, paused=True)
    if paused.not_started + paused.claimed + paused.in_progress:
        return Nothing("paused", f"The work{where} that is left is in projects that are not active.", paused)
    return None


def _counts(db: apsw.Connection, asked: Asked, *, paused: bool = False) -> Counts:
    """The counts of what a claim looks at; without a project, of the stopped ones or of the others."""
    if asked.scope is not None:
        values = {"scope": asked.scope, "project": asked.project, "paused": int(paused)}
        row = one(db, SQL["scope_counts"], values)
    elif asked.project is not None:
        return Counts(*project_row(db, asked.project)[12:21])
    else:
        row = one(db, SQL["project_counts"], {"paused": int(paused)})
    return Counts(*(value or 0 for value in row)) if row else Counts()


def _next_lease(db: apsw.Connection, project: int | None) -> int | None:
    row = one(db, SQL["next_lease"], {"project": project})
    return None if row is None else row[0]


def _free_at(db: apsw.Connection, agent: str, now: int) -> int | None:
    """When the first of what others hold is free again, if nothing else happens."""
    row = one(db, _FILES["next_reservation"], {"now": now, "agent": agent})
    times = [_next_lease(db, None), None if row is None else row[0]]
    return min((time for time in times if time is not None), default=None)


def _why_not_ready(
    db: apsw.Connection, asked: Asked, agent: str, now: int, counts: Counts, where: str
) -> Nothing | None:
    """Steps wait for no other and still can't be had: they rest, or others hold what they need."""
    projects = (
        [asked.project]
        if asked.project is not None
        else [row[0] for row in db.execute(SQL["projects_with_work"])]
    )
    held = Held(db, agent, now)
    kept: list[int] = []
    resting: list[int] = []
    for project in projects:
        values = {"project": project, "scope": asked.scope, "ageing": AGEING_MS, "limit": LOOKED_AT}
        for step, _, not_before, holds, paths, resources in db.execute(SQL["ready_steps"], values):
            if not_before is not None and not_before > now:
                resting.append(not_before)
            elif holds and not held.frees(paths, resources):
                kept.append(step)
    if not (kept or resting):
        return None
    times = [*resting, _free_at(db, agent, now) if kept else _next_lease(db, asked.project)]
    retry_at = min((time for time in times if time is not None), default=None)
    if kept:
        blockers = tuple(dict.fromkeys(blocker.what for blocker in explain(db, kept[0], agent, now)))
        says = f"{_steps(len(kept), 'ready step', where)} {'names' if len(kept) == 1 else 'name'}"
        says += " files or resources that others hold."
        return Nothing("held", says, counts, blocked_by=blockers, retry_at=retry_at)
    rest = "rests until" if len(resting) == 1 else "rest at least until"
    says = f"{_steps(len(resting), 'step', where)} {rest} {to_iso(min(resting))}."
    return Nothing("delayed", says, counts, retry_at=retry_at)


def _why_blocked(db: apsw.Connection, asked: Asked, counts: Counts, where: str) -> Nothing:
    """Nothing is ready: steps wait for what is in hand, for what was given up, or for what nobody did yet."""
    if not counts.not_started:
        given_up = _listed(db, "stuck_steps", project=asked.project)
        says = (
            f"What is left{where} was given up: {_named(given_up)}. Bring it back with a retry, or cancel it."
        )
        return Nothing("blocked_by_failed", says, counts, tuple(given_up))
    waiting = f"{_steps(counts.not_started, 'step', where)} {'waits' if counts.not_started == 1 else 'wait'}"
    in_the_way = _listed(db, "in_the_way", project=asked.project)
    in_hand = _listed(db, "steps_in_hand", project=asked.project)
    if in_hand:
        says = f"{waiting} for others; in hand: {_named(in_hand)}."
        says += f" In the way: {_named(in_the_way)}." if in_the_way else ""
        lease = _next_lease(db, asked.project)
        return Nothing("blocked", says, counts, (*in_hand, *in_the_way), lease)
    if in_the_way:
        return Nothing(
            "blocked_by_failed", f"{waiting}; in the way: {_named(in_the_way)}.", counts, tuple(in_the_way)
        )
    waited_for = _listed(db, "waited_for", project=asked.project, scope=asked.scope)
    return Nothing("blocked", f"{waiting} for {_named(waited_for)}.", counts, tuple(waited_for))


def _steps(count: int, what: str, where: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}{where}"


def _listed(db: apsw.Connection, statement: str, **values: object) -> dict[str, str]:
    """Steps by id, as a sentence names them."""
    rows = db.execute(SQL[statement], values)
    return {step_id(row[0], row[1]): f"step {row[2]} of {row[3]} ({row[4]})" for row in rows}


def _named(steps: dict[str, str]) -> str:
    return ", ".join(steps.values())


def _why_not_this(db: apsw.Connection, step: int, agent: str, now: int) -> Nothing:
    row = step_row(db, step)
    counts = Counts(*project_row(db, row[2])[12:21])
    blockers = explain(db, step, agent, now)
    kinds = [blocker.kind for blocker in blockers]
    says = " ".join(blocker.says for blocker in blockers) or "It was taken just now."
    reason = {
        "over": "all_done",
        "claimed": "all_in_flight",
        "project": "paused",
        "failed": "blocked_by_failed",
        "need": "blocked",
        "delay": "delayed",
        "path": "held",
        "resource": "held",
    }.get(kinds[0] if kinds else "", "all_in_flight")
    retry_at = row[18] if reason == "delayed" else row[29] if reason == "all_in_flight" else None
    if reason == "held":
        retry_at = _free_at(db, agent, now)
    return Nothing(reason, says, counts, tuple(blocker.what for blocker in blockers), retry_at)


def explain(db: apsw.Connection, step: int, agent: str | None, now: int) -> tuple[Blocker, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.explain`."""
    row = step_row(db, step)
    own = step_id(row[0], row[1])
    if row[13] in ("claimed", "in_progress"):
        until = f"until {to_iso(row[29])}" if row[29] else ""
        return (Blocker("claimed", own, f"{row[28]} has it {until} (attempt {row[15]})."),)
    if row[13] != "not_started":
        return (Blocker("over", own, f"It is {row[13]}."),)
    found: list[Blocker] = []
    if row[26] != "active":
        found.append(Blocker("project", row[27], f"The project {row[27]} is {row[26]}."))
    for needed, tag, num, title, status, until in db.execute(SQL["unmet_needs"], {"step": step}):
        kind = "failed" if status in ("failed", "parked", "cancelled") else "need"
        says = f"It needs step {num} ({title[:60]}) to be {until}; that one is {status}."
        found.append(Blocker(kind, step_id(needed, tag), says))
    found.sort(key=lambda blocker: blocker.kind != "failed")
    if row[18] is not None and row[18] > now:
        found.append(Blocker("delay", own, f"It rests until {to_iso(row[18])}."))
    found += _held_by(db, row, agent, now)
    return tuple(found)


def _held_by(db: apsw.Connection, row: tuple[object, ...], agent: str | None, now: int) -> list[Blocker]:
    from hubbub.stores.sqlite.work_files import conflicts_of  # files look at steps, and steps at files

    found = [
        Blocker("path", each.what, f"{each.agent} holds {each.held} until {to_iso(each.until)}.")
        for each in conflicts_of(db, str(row[10]), agent, now, own_claims=True)
    ]
    full = {name: (have, may) for name, have, may in db.execute(SQL["held_resources"], {"now": now})}
    for (name,) in db.execute(SQL["resources_of"], {"step": row[0]}):
        have, may = full.get(name, (0, 1))
        if have >= may:
            found.append(Blocker("resource", name, f"{have} of {may} of the resource {name} are in use."))
    return found
