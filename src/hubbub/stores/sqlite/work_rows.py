"""Finding projects and steps, and their rows as records."""

from __future__ import annotations

import apsw

from hubbub.errors_work import ProjectNotFound, StepNotFound
from hubbub.model_work import Attempt, Counts, Done, Need, Project, Step
from hubbub.names import nearest, parse_id, project_id, step_id, topic_id, topic_key
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import one
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements

SQL = statements("work.sql")
EARLIER_MAX = 10
"""How many earlier attempts a claim shows."""


def find_project(db: apsw.Connection, name: str) -> Row:
    """The row of the project of that id or name.

    Raises:
        ProjectNotFound: there is none.
    """
    parsed = parse_id("j", name)
    row = one(db, SQL["project_row"], {"project": parsed[0]}) if parsed else None
    if parsed is not None and row is not None and row[1] == parsed[1]:
        return row
    found = one(db, SQL["project_by_name"], {"name_key": topic_key(name)})
    if found is None:
        raise ProjectNotFound(
            f"There is no project {ascii(name)[:80]} on this bus.", hint=near_project(db, name)
        )
    return project_row(db, found[0])


def near_project(db: apsw.Connection, name: str) -> str | None:
    """``Did you mean ...?``, or None when nothing is near."""
    known = {topic_key(row[0]): row[0] for row in db.execute(SQL["project_names"])}
    near = [known[found] for found in nearest(topic_key(name), known)]
    return f"Did you mean {' or '.join(near)}?" if near else None


def project_row(db: apsw.Connection, project: int) -> Row:
    """The row of a project that is there."""
    row = one(db, SQL["project_row"], {"project": project})
    assert row is not None  # projects are never removed
    return row


def find_step(db: apsw.Connection, name: str) -> int:
    """The number of the step of that id, or of ``PROJECT/NUMBER``.

    Raises:
        StepNotFound: there is none.
        ProjectNotFound: it names an unknown project.
    """
    parsed = parse_id("s", name)
    if parsed is not None:
        row = one(db, SQL["step_row"], {"step": parsed[0]})
        if row is not None and row[1] == parsed[1]:
            return parsed[0]
    project, slash, number = name.rpartition("/")
    if slash and number.isascii() and number.isdigit() and len(number) < 18:
        found = find_project(db, project)
        row = one(db, SQL["step_numbered"], {"project": found[0], "num": int(number)})
        if row is not None:
            return int(row[0])
        raise StepNotFound(f"The project {found[2]} has no step {number}.")
    raise StepNotFound(f"There is no step {ascii(name)[:80]} on this bus.")


def step_row(db: apsw.Connection, step: int) -> Row:
    """The row of a step that is there."""
    row = one(db, SQL["step_row"], {"step": step})
    assert row is not None  # steps are never removed
    return row


def project_of(row: Row) -> Project:
    """A project's row as a record."""
    return Project(
        id=project_id(row[0], row[1]),
        name=row[2],
        state=row[3],
        base_commit=row[4],
        description=row[5],
        priority=row[6],
        metadata=None if row[7] is None else load(row[7]),
        topic=None if row[8] is None or row[9] is None else topic_id(row[8], row[9]),
        created_by=row[10],
        created_at=row[11],
        counts=Counts(*row[12:21]),
    )


def step_of(db: apsw.Connection, row: Row) -> Step:
    """A step's row as a record, with what it needs."""
    needs = tuple(
        Need(num, until, fails) for num, until, fails, _ in db.execute(SQL["needs_rows"], {"step": row[0]})
    )
    shown = row[13] in ("claimed", "in_progress", "completed", "merged")
    return Step(
        id=step_id(row[0], row[1]),
        project=project_id(row[2], row[3]),
        num=row[4],
        title=row[5],
        instructions=row[6],
        acceptance=row[7],
        branch=row[8],
        scope=row[9],
        paths=tuple(load(row[10])),
        resources=tuple(load(row[11])),
        priority=row[12],
        status=row[13],
        needs=needs,
        waiting=row[14],
        attempts=row[15],
        max_attempts=row[16],
        time_limit_ms=row[17],
        not_before=row[18],
        metadata=None if row[19] is None else load(row[19]),
        created_at=row[20],
        ready_at=row[21],
        ended_at=row[22],
        agent=row[28] if shown else None,
        lease_until=row[29] if row[34] == "live" else None,
        commit=row[30] if shown else None,
        files=tuple(load(row[31])) if shown and row[31] else (),
        notes=row[32],
        result=row[33] if shown else None,
    )


def attempt_of(row: Row) -> Attempt:
    """An attempt's row as a record."""
    files = tuple(load(row[12])) if row[12] else ()
    return Attempt._make((*row[:12], files, *row[13:]))


def done_of(row: Row) -> Done:
    """What a needed step left behind."""
    return Done(row[0], row[1], row[2], row[3] or None, row[4], row[5])
