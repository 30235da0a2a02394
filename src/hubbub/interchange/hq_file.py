"""The database of hq, read and never written: its projects and steps as they are there."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from hubbub.errors import ImportInvalid, InvalidArgument
from hubbub.interchange import checks, foreign
from hubbub.text import safe_line

VERSIONS = (1, 2)
"""The versions of the stored format that are known."""

STATUSES = ("not_started", "claimed", "in_progress", "completed", "failed", "merged")
PROJECT_STATES = ("active", "completed", "aborted")

_NEEDED = {
    "projects": {"id", "name", "base_commit", "created_at", "status", "priority"},
    "steps": {
        "id",
        "project_id",
        "step_num",
        "branch",
        "scope",
        "status",
        "worktree",
        "agent_id",
        "claimed_at",
        "started_at",
        "completed_at",
        "last_heartbeat",
        "last_commit",
        "files_modified",
        "notes",
    },
    "dependencies": {"step_id", "depends_on_step_id"},
    "agent_events": {"agent_id", "step_id", "event_type", "timestamp"},
    "schema_migrations": {"version"},
}
_HISTORY = {
    "original_step_id",
    "project_id",
    "branch",
    "worktree",
    "agent_id",
    "claimed_at",
    "started_at",
    "failed_at",
    "last_commit",
    "files_modified",
    "notes",
    "archived_at",
}
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?: ?(Z|UTC|([+-])(\d\d):?(\d\d)))?(?: .*)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SourceProject(NamedTuple):
    """A project as its database has it."""

    id: str
    name: str
    base_commit: str
    created_at: int
    status: str
    priority: int


class Trace(NamedTuple):
    """What an attempt at a step left behind."""

    agent: str
    claimed_at: int | None
    started_at: int | None
    ended_at: int | None
    branch: str
    worktree: str
    commit: str
    files: tuple[str, ...]
    notes: str


class SourceStep(NamedTuple):
    """A step as its database has it."""

    id: str
    num: int
    branch: str
    scope: str
    status: str
    trace: Trace | None
    """Of the present attempt, or the last; None where nobody was ever at it."""
    failed: tuple[Trace, ...]
    """Attempts that failed before the step was brought back, the oldest first."""
    needs: tuple[int, ...]
    lost_needs: int
    """How many of its dependencies lead to no step of its project."""


class Database:
    """An open database, as it was at one moment: what is written to it meanwhile is not seen."""

    def __init__(self, path: str) -> None:
        """Open ``path``.

        Raises:
            ImportInvalid: it is no database of hq in a version that is known, or damaged.
        """
        self._path = path
        self._sql = foreign.statements("hq.sql")
        self._db = foreign.connect(path)
        try:
            with self._told():
                self._check()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def projects(self) -> list[SourceProject]:
        """All projects, the oldest first."""
        with self._told():
            return [self._project(row) for row in self._db.execute(self._sql["projects"])]

    def steps(self, project: SourceProject) -> list[SourceStep]:
        """The steps of a project by number."""
        own = {"project": project.id.encode()}
        with self._told():
            needs: dict[Any, list[Any]] = {}
            for num, needed in self._db.execute(self._sql["needs"], own):
                needs.setdefault(num, []).append(needed)
            seen: dict[tuple[str, str], tuple[str, int | None]] = {}
            for step, kind, agent, at in self._db.execute(self._sql["last_seen"], own):
                seen[_text(step, "step_id"), _text(kind, "event_type")] = (
                    _text(agent, "agent_id"),
                    _time(at, "timestamp"),
                )
            failed: dict[str, list[Trace]] = {}
            for row in self._db.execute(self._sql["history"], own) if self._history else ():
                failed.setdefault(_text(row[0], "original_step_id"), []).append(_past(row))
            rows = list(self._db.execute(self._sql["steps"], own))
        return [_step(row, needs, seen, failed) for row in rows]

    def events(self) -> int:
        """How many events there are."""
        with self._told():
            return int(next(self._db.execute(self._sql["events"]))[0])

    def _project(self, row: tuple[Any, ...]) -> SourceProject:
        try:
            created = _time(row[3], "created_at")
            if created is None:
                raise InvalidArgument("created_at is missing.")
            status = _text(row[4], "status")
            if status not in PROJECT_STATES:
                raise InvalidArgument(f"the status {ascii(status)[:40]} is not known.")
            return SourceProject(
                _text(row[0], "id"),
                _text(row[1], "name"),
                _text(row[2], "base_commit"),
                created,
                status,
                row[5],
            )
        except InvalidArgument as error:
            raise ImportInvalid(
                f"The project {ascii(row[1])[:60]} can't be read: {error.message}",
                hint="Nothing was imported.",
            ) from None

    def _check(self) -> None:
        owner = self._db.pragma("application_id")
        shown = safe_line(self._path)
        if owner == foreign.OWN:
            raise ImportInvalid(
                f"{shown} is a bus of Hubbub itself.", hint="Use it with --bus; nothing is to import."
            )
        for table, needed in _NEEDED.items():
            if owner or not needed <= self._columns(table):
                raise ImportInvalid(
                    f"{shown} is a database of another program, not of hq: it has no {table} as hq has.",
                    hint="Its file is usually ~/.claude/agent-coordination.db.",
                )
        self._history = self._columns("failed_steps_history") >= _HISTORY
        # From here on one moment is seen.
        self._db.execute("BEGIN")
        version = next(self._db.execute(self._sql["version"]))[0]
        if version not in VERSIONS:
            found = "no version" if version is None else f"version {version}"
            known = " and ".join(str(each) for each in VERSIONS)
            raise ImportInvalid(
                f"{shown} has {found} of hq's format.", hint=f"Nothing was imported: import knows {known}."
            )
        history = ("failed_steps_history",) if self._history else ()
        foreign.check_whole(self._db, self._path, (*_NEEDED, *history))

    def _columns(self, table: str) -> set[str]:
        return {row[0] for row in self._db.execute(self._sql["columns"], {"name": table})}

    def _told(self) -> AbstractContextManager[None]:
        return foreign.told(self._path)


# --- rows ------------------------------------------------------------------------------------------


def _step(
    row: tuple[Any, ...],
    needs: dict[Any, list[Any]],
    seen: dict[tuple[str, str], tuple[str, int | None]],
    failed: dict[str, list[Trace]],
) -> SourceStep:
    id_ = ascii(row[0])[:60]
    try:
        id_ = _text(row[0], "id")
        num = row[1]
        if not isinstance(num, int):
            raise InvalidArgument("its number is none.")
        status = _text(row[4], "status")
        if status not in STATUSES:
            raise InvalidArgument(f"the status {ascii(status)[:40]} is not known.")
        branch = _text(row[2], "branch")
        found = needs.get(num, [])
        known = tuple(each for each in found if isinstance(each, int))
        trace = _trace(id_, status, row, branch, seen)
        return SourceStep(
            id_,
            num,
            branch,
            _text(row[3], "scope"),
            status,
            trace,
            tuple(failed.get(id_, ())),
            known,
            len(found) - len(known),
        )
    except InvalidArgument as error:
        raise InvalidArgument(f"step {ascii(row[1])[:20]} ({safe_line(id_, 60)}): {error.message}") from None


def _trace(
    id_: str,
    status: str,
    row: tuple[Any, ...],
    branch: str,
    seen: dict[tuple[str, str], tuple[str, int | None]],
) -> Trace | None:
    """What the last attempt left: of one that was taken back, hq keeps commit, files and notes, and who it
    was is said by the event of its claim alone."""
    claimant, claimed_at = seen.get((id_, "claimed"), ("", None))
    claimed = _time(row[7], "claimed_at")
    started = _time(row[8], "started_at")
    ended = {
        "completed": _time(row[9], "completed_at"),
        "merged": _time(row[9], "completed_at"),
        "failed": seen.get((id_, "failed"), ("", None))[1],
    }.get(status)
    trace = Trace(
        agent=_text(row[6], "agent_id") or claimant,
        claimed_at=claimed_at if claimed is None else claimed,
        started_at=started,
        ended_at=_time(row[10], "last_heartbeat") if ended is None else ended,
        branch=branch,
        worktree=_text(row[5], "worktree"),
        commit=_text(row[11], "last_commit"),
        files=_files(row[12]),
        notes=_text(row[13], "notes"),
    )
    left = trace.worktree or trace.commit or trace.files or trace.notes
    return trace if status != "not_started" or left else None


def _past(row: tuple[Any, ...]) -> Trace:
    return Trace(
        agent=_text(row[2], "agent_id"),
        claimed_at=_time(row[3], "claimed_at"),
        started_at=_time(row[4], "started_at"),
        ended_at=_time(row[5], "failed_at"),
        branch=_text(row[9], "branch"),
        worktree=_text(row[1], "worktree"),
        commit=_text(row[6], "last_commit"),
        files=_files(row[7]),
        notes=_text(row[8], "notes"),
    )


def _text(value: object, what: str) -> str:
    """Text as it is there; empty where there is none."""
    if value is None:
        return ""
    if not isinstance(value, bytes):
        raise InvalidArgument(f"{what} is not text.")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidArgument(f"{what} is not valid UTF-8.") from None


def _files(value: object) -> tuple[str, ...]:
    """A list of paths as JSON."""
    text = _text(value, "files_modified")
    if not text:
        return ()
    try:
        found = checks.load(text)
    except (json.JSONDecodeError, ValueError) as error:
        raise InvalidArgument(f"files_modified is not JSON: {error}.") from None
    if found is None:
        return ()
    if not isinstance(found, list):
        raise InvalidArgument("files_modified is not a list.")
    return tuple(dict.fromkeys(each for each in found if isinstance(each, str) and each))


def _time(value: object, what: str) -> int | None:
    """A time in one of the forms that hq and its driver write, UTC unless it says otherwise."""
    text = _text(value, what)
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise InvalidArgument(f"{what} is not a time: {ascii(text)[:40]}.")
    day, hour, fraction, _, sign, hours, minutes = found.groups()
    try:
        zone = UTC
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            zone = timezone(-offset if sign == "-" else offset)
        moment = datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=zone)
        milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1) + int(
            (fraction or "0").ljust(3, "0")[:3]
        )
    except (ValueError, OverflowError):
        milliseconds = -1
    if not 0 <= milliseconds <= checks.TIME_MAX:
        raise InvalidArgument(f"{what} is not a time: {ascii(text)[:40]}.")
    return milliseconds
