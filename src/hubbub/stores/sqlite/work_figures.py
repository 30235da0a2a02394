"""Looking at work: lists and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from hubbub.errors import InvalidArgument
from hubbub.model_work import AGEING_MS, Counts, Metrics, Project, Step
from hubbub.stores.sqlite.core import Core, dump, one
from hubbub.stores.sqlite.work_free import Held
from hubbub.stores.sqlite.work_plans import PLANS
from hubbub.stores.sqlite.work_rows import SQL, find_project, project_of, step_of, step_row

HOUR_MS = 3_600_000


def projects(
    core: Core, state: str | None, after: str | None, limit: int
) -> tuple[tuple[Project, ...], str | None]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.projects`."""
    priority, number = _place(after)
    values = {"state": state, "priority": priority, "project": number, "limit": limit + 1}
    with core.read() as db:
        rows = list(db.execute(PLANS["project_page"], values))
    shown = rows[:limit]
    more = f"{shown[-1][6]}:{shown[-1][0]}" if len(rows) > limit else None
    return tuple(project_of(row) for row in shown), more


def steps(
    core: Core,
    project: str | None,
    statuses: tuple[str, ...],
    scope: str | None,
    ready: bool,
    after: str | None,
    limit: int,
) -> tuple[tuple[Step, ...], str | None]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.steps`."""
    now = core.clock.now()
    with core.read() as db:
        number = None if project is None else find_project(db, project)[0]
        if ready:
            found = _ready(core, number, scope, limit, now)
            return tuple(step_of(db, step_row(db, step)) for step in found), None
        after_project, after_num = _place(after)
        values = {
            "project": number,
            "after_project": after_project or 0,
            "after_num": after_num or 0,
            "statuses": dump(statuses) if statuses else None,
            "scope": scope,
            "limit": limit + 1,
        }
        rows = [row[0] for row in db.execute(PLANS["steps_page"], values)]
        shown = [step_row(db, step) for step in rows[:limit]]
        more = f"{shown[-1][2]}:{shown[-1][4]}" if len(rows) > limit else None
        return tuple(step_of(db, row) for row in shown), more


def _ready(core: Core, project: int | None, scope: str | None, limit: int, now: int) -> list[int]:
    """What could be claimed, in the order in which it would be."""
    db = core.connections.mine().db
    held = Held(db, None, now)
    projects = [row[0] for row in db.execute(SQL["projects_with_work"]) if project in (None, row[0])]

    def of(project: int) -> Iterator[tuple[int, int]]:
        values = {"project": project, "scope": scope, "ageing": AGEING_MS, "limit": -1}
        for step, place, not_before, holds, paths, resources in db.execute(SQL["ready_steps"], values):
            rests = not_before is not None and not_before > now
            if not rests and not (holds and not held.frees(step, place, paths, resources)):
                yield place, step

    # As a claim does: the first of each project in its order, and of these the first.
    return [step for _, step in islice(merge(*[list(islice(of(each), limit)) for each in projects]), limit)]


def _place(after: str | None) -> tuple[int | None, int | None]:
    if after is None:
        return None, None
    first, _, second = after.partition(":")
    digits = first.removeprefix("-")
    if not (after.isascii() and digits.isdigit() and second.isdigit() and max(len(digits), len(second)) < 19):
        raise InvalidArgument(f"{ascii(after)[:60]} is not a place in the list.", hint="Take it from a page.")
    return int(first), int(second)


def metrics(core: Core, project: str | None, scope: str | None, agent: str | None) -> Metrics:
    """See :meth:`hubbub.stores.contract_work.WorkStore.metrics`."""
    now = core.clock.now()
    with core.read() as db:
        number = None if project is None else find_project(db, project)[0]
        where: dict[str, Any] = {"project": number, "scope": scope, "agent": agent}
        by_scope = {
            row[0]: Counts(*(value or 0 for value in row[1:]))
            for row in db.execute(PLANS["counts_by_scope"], where)
        }
        outcomes = list(db.execute(PLANS["attempts_by_outcome"], where))
        by_agent = {row[0]: row[1] for row in db.execute(PLANS["completed_by_agent"], where)}
        times = list(db.execute(PLANS["finished_times"], where))
    failures: dict[str, int] = {}
    for state, failure, count in outcomes:
        if state in ("failed", "lost"):
            name = failure or "lost"
            failures[name] = failures.get(name, 0) + count
    waits = sorted(max(0, claimed - ready) for ready, claimed, _ in times if ready is not None)
    works = sorted(max(0, ended - claimed) for _, claimed, ended in times)
    return Metrics(
        counts=Counts(*(sum(values) for values in zip(*by_scope.values(), strict=True)))
        if by_scope
        else Counts(),
        attempts=sum(count for _, _, count in outcomes),
        failures=failures,
        wait_ms=_middle_and_high(waits),
        work_ms=_middle_and_high(works),
        finished_last_hour=sum(ended > now - HOUR_MS for _, _, ended in times),
        by_scope=by_scope,
        by_agent=by_agent,
    )


def _middle_and_high(ordered: Sequence[int]) -> tuple[int, int] | None:
    """Median and 95th percentile."""
    if not ordered:
        return None
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]


def told_through(core: Core) -> tuple[int, int]:
    """Up to where the ledger's news were posted, and where the ledger ends."""
    with core.read() as db:
        told, last = one(db, PLANS["told_through"], {}), one(db, PLANS["last_event"], {})
    return int(told[0]) if told else 0, last[0] if last else 0
