"""Why there is nothing to claim."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from hubbub.clock import to_iso
from hubbub.errors_work import ProjectNotFound, StepNotFound
from hubbub.model_work import AGEING_MS, LIVE, Blocker, Counts, Holder, Nothing, Wanted
from hubbub.names import step_id
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import one
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.work_explain import STANDS, explain, holders
from hubbub.stores.sqlite.work_rows import SQL, find_project, find_step, project_row, step_row

_FILES = statements("files.sql")

NAMED = 10
"""How many steps of a kind are named."""


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
        rows = db.execute(
            SQL["steps_in_hand"], {"project": asked.project, "scope": asked.scope, "limit": NAMED}
        )
        who = holders(db, [row[0] for row in rows], now)
        return Nothing("all_in_flight", says, counts, retry_at=_next_lease(db, asked.project), holders=who)
    if counts.ready:
        found = _why_not_ready(db, asked, agent, now, counts, where)
        if found is not None:
            return found
    return _why_blocked(db, asked, now, counts, where)


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
    return _first(_next_lease(db, None), None if row is None else row[0])


def _first(*times: int | None) -> int | None:
    return min((time for time in times if time is not None), default=None)


def _why_not_ready(
    db: apsw.Connection, asked: Asked, agent: str, now: int, counts: Counts, where: str
) -> Nothing | None:
    """Steps wait for no other and still can't be had: they rest, or others hold what they name."""
    values = {"project": asked.project, "scope": asked.scope, "now": now}
    row = one(db, SQL["resting"], values)
    resting, rests_until = row if row is not None else (0, None)
    # None of the ready ones can be had: those that do not rest are held, each of them.
    kept = counts.ready - resting
    first = one(db, SQL["first_to_hold"], {**values, "ageing": AGEING_MS}) if kept > 0 else None
    if first is not None:
        blockers = explain(db, first[0], agent, now)
        says = f"{_steps(kept, 'ready step', where)} {'names' if kept == 1 else 'name'}"
        says += " files or resources that others hold."
        if resting:
            says += f" {_steps(resting, 'other step')} {_rest(resting, rests_until)}."
        says += "".join(f" {each.says}" for each in blockers if each.kind == "line")
        if blockers and blockers[0].says.endswith(STANDS):
            row = step_row(db, first[0])
            says += f" Step {row[4]} of {row[27]} is in line for them: steps behind it wait."
        what = tuple(dict.fromkeys(blocker.what for blocker in blockers))
        retry_at = _first(rests_until, _free_at(db, agent, now))
        return Nothing("held", says, counts, what, retry_at, _holders_of(blockers))
    if not resting:
        return None
    says = f"{_steps(resting, 'step', where)} {_rest(resting, rests_until)}."
    return Nothing("delayed", says, counts, retry_at=_first(rests_until, _next_lease(db, asked.project)))


def _rest(count: int, until: int) -> str:
    return f"{'rests until' if count == 1 else 'rest at least until'} {to_iso(until)}"


def _holders_of(blockers: tuple[Blocker, ...]) -> tuple[Holder, ...]:
    found = dict.fromkeys(blocker.holder for blocker in blockers if blocker.holder is not None)
    return tuple(found)[:NAMED]


def _why_blocked(db: apsw.Connection, asked: Asked, now: int, counts: Counts, where: str) -> Nothing:
    """Nothing is ready: steps wait for what is in hand, for what was given up, or for what nobody did yet."""
    values: dict[str, int | str | None] = {
        "project": asked.project,
        "scope": asked.scope,
        "limit": NAMED + 1,
    }
    if not counts.not_started:
        given_up = _listed(db.execute(SQL["stuck_steps"], values))
        says = (
            f"What is left{where} was given up: {_named(given_up)}. Bring it back with a retry, or cancel it."
        )
        return Nothing("blocked_by_failed", says, counts, tuple(given_up)[:NAMED])
    waiting = f"{_steps(counts.not_started, 'step', where)} {'waits' if counts.not_started == 1 else 'wait'}"
    in_hand, in_the_way, numbers = _in_the_way(db, asked, values)
    if in_hand:
        says = f"{waiting} for others; in hand: {_named(in_hand)}."
        says += f" In the way: {_named(in_the_way)}." if in_the_way else ""
        what = (*tuple(in_hand)[:NAMED], *tuple(in_the_way)[:NAMED])
        who = holders(db, numbers[:NAMED], now)
        return Nothing("blocked", says, counts, what, _next_lease(db, asked.project), who)
    # What is in hand, if anything, is nothing that they wait for; but it may come back.
    retry_at = _next_lease(db, asked.project)
    if in_the_way:
        says = f"{waiting}; in the way: {_named(in_the_way)}."
        return Nothing("blocked_by_failed", says, counts, tuple(in_the_way)[:NAMED], retry_at)
    waited_for = _listed(db.execute(SQL["waited_for"], values))
    says = f"{waiting} for {_named(waited_for)}."
    return Nothing("blocked", says, counts, tuple(waited_for)[:NAMED], retry_at)


def _in_the_way(
    db: apsw.Connection, asked: Asked, values: dict[str, int | str | None]
) -> tuple[dict[str, str], dict[str, str], list[int]]:
    """What the steps asked for wait for: what is in hand, what was given up, and the rows of the former."""
    if asked.scope is None:
        live = list(db.execute(SQL["in_hand_in_the_way"], values))
        given_up = list(db.execute(SQL["in_the_way"], values))
    else:
        rows = list(db.execute(SQL["in_the_way_of_scope"], values))
        live = [row for row in rows if row[4] in LIVE]
        given_up = [row for row in rows if row[4] not in LIVE]
    return _listed(live), _listed(given_up), [row[0] for row in live]


def _steps(count: int, what: str, where: str = "") -> str:
    return f"{count} {what}{'' if count == 1 else 's'}{where}"


def _listed(rows: Iterable[Row]) -> dict[str, str]:
    """Steps by id, as a sentence names them."""
    return {step_id(row[0], row[1]): f"step {row[2]} of {row[3]} ({row[4]})" for row in rows}


def _named(steps: dict[str, str]) -> str:
    named = list(steps.values())
    return ", ".join(named[:NAMED]) + (" and others" if len(named) > NAMED else "")


def _why_not_this(db: apsw.Connection, step: int, agent: str, now: int) -> Nothing:
    row = step_row(db, step)
    counts = Counts(*project_row(db, row[2])[12:21])
    blockers = explain(db, step, agent, now)
    kinds = [blocker.kind for blocker in blockers]
    says = " ".join(blocker.says for blocker in blockers) or "It was taken just now."
    reason = {
        "over": "blocked_by_failed" if row[13] in ("failed", "parked") else "all_done",
        "claimed": "all_in_flight",
        "project": "paused",
        "failed": "blocked_by_failed",
        "need": "blocked",
        "delay": "delayed",
        "path": "held",
        "resource": "held",
        "line": "held",
    }.get(kinds[0] if kinds else "", "all_in_flight")
    retry_at = row[18] if reason == "delayed" else row[29] if reason == "all_in_flight" else None
    if reason == "held":
        retry_at = _free_at(db, agent, now)
    what = tuple(blocker.what for blocker in blockers)
    return Nothing(reason, says, counts, what, retry_at, _holders_of(blockers))
