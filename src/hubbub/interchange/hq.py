"""Import of a database of hq: its projects become projects of this bus, with what was done and tried."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from hubbub.bus import Bus, planning
from hubbub.errors import ImportInvalid, InvalidArgument
from hubbub.errors_work import ProjectNotFound
from hubbub.interchange.hq_file import Database, SourceProject, SourceStep, Trace
from hubbub.model import Actor
from hubbub.model_topics import EVERYBODY
from hubbub.model_work import (
    DONE,
    PAST_ATTEMPTS_MAX,
    PRIORITY_MAX,
    STEPS_MAX,
    Need,
    Past,
    PastAttempt,
    Project,
    ProjectDraft,
    StepDraft,
)
from hubbub.names import NAME_RULE, TOPIC_NAME_MAX, check_topic_name, nearest, suggest_name, topic_key
from hubbub.text import safe_line

UNKNOWN = "unknown"
"""Who is said to have made an attempt of which hq does not say who made it."""

_SOURCE = "hq:"
_LEDGER_PAGE = 1000
_SHOWN = 20

__all__ = ["HqProject", "HqReport", "import_hq"]


class HqProject(NamedTuple):
    """One project of an import."""

    project: Project
    source: str
    """Its name in hq."""
    steps: int
    done: int
    """How many of them were completed or merged."""
    handed_on: int
    """How many were in somebody's hands, and are to be had again."""
    attempts: int
    """How many attempts came along, those that did a step included."""


class HqReport(NamedTuple):
    """What an import did."""

    projects: tuple[HqProject, ...]
    events: int
    """How many lines of hq's ledger there are; they were not imported."""
    notes: tuple[str, ...] = ()
    """What a person should know of, a sentence each."""


def import_hq(
    bus: Bus, actor: Actor, path: str, *, projects: Sequence[str] | None = None, again: bool = False
) -> HqReport:
    """Make projects of those of an hq database, which is only read, also while it is in use.

    What was completed or merged is so here, with who did it, when, and what it left; what failed has failed.
    A step that somebody had is to be had again, and what is known of that attempt is handed to the next.
    A project that was imported before is left as it is, and the notes say so.

    Args:
        bus: The bus.
        actor: Who imports.
        path: The file, usually ``~/.claude/agent-coordination.db``.
        projects: The names or ids of the wanted projects; None is all.
        again: Import also what was imported before, as another project.

    Raises:
        ImportInvalid: it is not such a database, is of another version, damaged, or holds what this bus
            can't take; nothing was imported.
        ProjectNotFound: it has no such project.
    """
    with closing(Database(path)) as database:
        wanted = _chosen(database.projects(), projects)
        plans = _plans(database, wanted)
        events = database.events()
    before = {} if again else _imported_before(bus)
    new = [plan for plan in plans if plan.identity not in before]
    names = _names(bus, new)
    notes: list[str] = []
    done = []
    for plan in plans:
        if plan.identity in before:
            notes.append(_known(plan, *before[plan.identity]))
        else:
            done.append(_import(bus, actor, plan, names[plan.identity]))
            notes += [f"{safe_line(names[plan.identity])}: {note}" for note in plan.notes]
            if names[plan.identity] != plan.source.name:
                notes.append(f"{safe_line(plan.source.name, 80)} is called {names[plan.identity]} here.")
    return HqReport(tuple(done), events, tuple(notes))


class _Plan(NamedTuple):
    """A project as it will be here."""

    source: SourceProject
    identity: str
    """What tells it from other projects, also when it has changed."""
    digest: str
    """What tells it from itself at another time."""
    steps: tuple[StepDraft, ...]
    past: tuple[Past, ...]
    handed_on: int
    state: str
    notes: tuple[str, ...]


def _import(bus: Bus, actor: Actor, plan: _Plan, name: str) -> HqProject:
    source = plan.source
    draft = ProjectDraft(
        name=name,
        base_commit=_printable(source.base_commit)[: planning.LABEL_MAX],
        priority=max(-PRIORITY_MAX, min(PRIORITY_MAX, source.priority)),
        metadata=None if name == source.name else {"hq_name": source.name[:TOPIC_NAME_MAX]},
        steps=plan.steps,
    )
    project, _ = bus.store.work.adopt_project(
        actor,
        draft,
        plan.past,
        source=f"{_SOURCE}{plan.identity}:{plan.digest}",
        state=plan.state,
        created_at=source.created_at,
    )
    return HqProject(
        project=project,
        source=source.name,
        steps=len(plan.steps),
        done=sum(past.status in DONE for past in plan.past),
        handed_on=plan.handed_on,
        attempts=sum(len(past.attempts) for past in plan.past),
    )


# --- what was imported before --------------------------------------------------------------------------


def _imported_before(bus: Bus) -> dict[str, tuple[str, str]]:
    """The digest of each project that was imported, and what it is called here, by its identity."""
    found: dict[str, tuple[str, str]] = {}
    after = 0
    while True:
        events = bus.events.events(after=after, limit=_LEDGER_PAGE, kinds=("project_created",))
        for event in events:
            source = (event.detail or {}).get("source")
            if isinstance(source, str) and source.startswith(_SOURCE) and event.project is not None:
                identity, _, digest = source.removeprefix(_SOURCE).partition(":")
                found[identity] = digest, bus.work.project(event.project).name
        if len(events) < _LEDGER_PAGE:
            return found
        after = events[-1].seq


def _known(plan: _Plan, digest: str, name: str) -> str:
    shown = f"{safe_line(plan.source.name, 80)} was imported before, as {safe_line(name)}"
    if digest == plan.digest:
        return f"{shown}: left as it is."
    return f"{shown}, and has changed in hq since: left as it is."


def _names(bus: Bus, plans: list[_Plan]) -> dict[str, str]:
    """A name for each project: its own, or with a number behind it where that is taken here."""
    taken = {EVERYBODY}
    after: str | None = None
    while True:
        page, after = bus.work.projects(after=after, limit=1000)
        taken |= {topic_key(project.name) for project in page}
        if after is None:
            break
    given = {}
    for plan in plans:
        name = tried = _name_of(plan.source)
        number = 1
        while topic_key(tried) in taken:
            number += 1
            suffix = f"-{number}"
            tried = name[: TOPIC_NAME_MAX - len(suffix)].rstrip() + suffix
        taken.add(topic_key(tried))
        given[plan.identity] = tried
    return given


def _name_of(project: SourceProject) -> str:
    """The name nearest to the project's own that a project of this bus can have."""
    for text in (project.name, safe_line(project.name, TOPIC_NAME_MAX - 8)):
        try:
            return check_topic_name(text)
        except InvalidArgument:
            continue
    return f"hq-{suggest_name(project.id) or 'project'}"


def _chosen(found: list[SourceProject], wanted: Iterable[str] | None) -> list[SourceProject]:
    if wanted is None:
        return found
    names = set(wanted)
    for name in sorted(names):
        if not any(name in (project.id, project.name) for project in found):
            near = nearest(name, {project.name for project in found})
            raise ProjectNotFound(
                f"The file has no project {ascii(name)[:80]}; nothing was imported.",
                hint=f"Did you mean {' or '.join(safe_line(each, 80) for each in near)}?"
                if near
                else "Name those of the file, or none: then all are imported.",
            )
    return [project for project in found if names & {project.id, project.name}]


# --- from there to here --------------------------------------------------------------------------------


def _plans(database: Database, wanted: list[SourceProject]) -> list[_Plan]:
    """All of them, or none.

    Raises:
        ImportInvalid: this bus can't take one of them.
    """
    plans, faults = [], []
    for source in wanted:
        try:
            plans.append(_Reading(source, database.steps(source)).plan())
        except InvalidArgument as error:
            if isinstance(error, ImportInvalid):
                raise
            faults.append(f"{safe_line(source.name, 80)}: {error.message}")
    if faults:
        more = f" And {len(faults) - 3} more projects." if len(faults) > 3 else ""
        raise ImportInvalid(
            f"This bus can't take all of it. {' '.join(faults[:3])}{more}",
            hint="Nothing was imported. Choose other projects by name.",
            faults=faults[:_SHOWN],
        )
    return plans


class _Reading:
    """Makes of one project of hq what this bus takes."""

    def __init__(self, source: SourceProject, steps: list[SourceStep]) -> None:
        self._source = source
        self._steps = steps
        self._cut: list[str] = []
        self._agents: dict[str, str] = {}

    def plan(self) -> _Plan:
        """The project.

        Raises:
            InvalidArgument: this bus can't take it.
        """
        self._check()
        source = self._source
        identity = repr((source.id, source.name, source.created_at)).encode()
        digest = repr((source, self._steps)).encode()
        past = tuple(self._past(step) for step in self._steps)
        drafts = tuple(self._draft(step) for step in self._steps)
        if len(source.base_commit) > planning.LABEL_MAX:
            self._cut.append("base_commit")
        return _Plan(
            source=source,
            identity=hashlib.sha256(identity).hexdigest()[:16],
            digest=hashlib.sha256(digest).hexdigest()[:32],
            steps=drafts,
            past=past,
            handed_on=sum(step.status in ("claimed", "in_progress") for step in self._steps),
            state=self._state(),
            notes=tuple(self._notes()),
        )

    def _state(self) -> str:
        over = all(step.status in DONE for step in self._steps)
        if self._source.status == "completed" and not over:
            return "paused"
        return "aborted" if self._source.status == "aborted" else "active"

    def _check(self) -> None:
        if len(self._steps) > STEPS_MAX:
            raise InvalidArgument(f"it has {len(self._steps)} steps; at most {STEPS_MAX} are taken.")
        seen: set[int] = set()
        for step in self._steps:
            if not 1 <= step.num <= planning.NUMBER_MAX or step.num in seen:
                raise InvalidArgument(f"it has a step of the number {step.num}, or two of them.")
            seen.add(step.num)
        graph = {step.num: step.needs for step in self._steps}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = " -> ".join(str(num) for num in reversed(error.args[1]))
            raise InvalidArgument(f"its steps wait for each other: {safe_line(circle, 200)}.") from None

    def _draft(self, step: SourceStep) -> StepDraft:
        title = _printable(step.branch)
        where = f"step {step.num}"
        return StepDraft(
            title=title[: planning.TITLE_MAX] or where,
            num=step.num,
            branch=self._line(step.branch, planning.LABEL_MAX, f"branch of {where}"),
            scope=self._line(step.scope, planning.LABEL_MAX, f"scope of {where}"),
            needs=tuple(Need(num) for num in step.needs),
        )

    def _past(self, step: SourceStep) -> Past:
        went = [self._attempt(step, trace, "failed") for trace in step.failed[-PAST_ATTEMPTS_MAX + 1 :]]
        live = step.status in ("claimed", "in_progress")
        if step.trace is not None:
            state = "completed" if step.status in DONE else "failed" if step.status == "failed" else "lost"
            why = f"It was {step.status} in hq when the project was taken over." if live else None
            if step.status == "not_started":
                why = "hq had taken the step back."
            went.append(self._attempt(step, step.trace, state, why))
        return Past(step.num, "not_started" if live else step.status, tuple(went))

    def _attempt(self, step: SourceStep, trace: Trace, state: str, why: str | None = None) -> PastAttempt:
        where = f"step {step.num}"
        times = [at for at in (trace.claimed_at, trace.started_at, trace.ended_at) if at is not None]
        claimed = (
            trace.claimed_at if trace.claimed_at is not None else min(times, default=self._source.created_at)
        )
        notes = self._fitting(trace.notes, planning.TEXT_MAX, f"notes of {where}")
        failed = state == "failed"
        # Why a step failed is what hq keeps as its notes.
        reason = safe_line(notes, planning.REASON_MAX) if failed else why
        files = trace.files[: planning.FILES_MAX]
        if len(files) < len(trace.files) or any(len(file) > planning.PATH_MAX for file in files):
            self._cut.append(f"files of {where}")
        return PastAttempt(
            agent=self._agent(trace.agent),
            state=state,
            claimed_at=claimed,
            ended_at=max([claimed, *times]),
            started_at=trace.started_at,
            branch=self._line(trace.branch, planning.LABEL_MAX, f"branch of {where}") or None,
            worktree=self._line(trace.worktree, planning.PATH_MAX, f"worktree of {where}") or None,
            commit=self._line(trace.commit, planning.LABEL_MAX, f"commit of {where}") or None,
            files=tuple(file for file in files if len(file) <= planning.PATH_MAX),
            notes=notes or None,
            failure="task" if failed else None,
            reason=reason or None,
        )

    def _agent(self, name: str) -> str:
        """The name nearest to an agent's that one of this bus can have."""
        if not NAME_RULE.fullmatch(name):
            self._agents[name] = suggest_name(name) or UNKNOWN
            return self._agents[name]
        return name

    def _line(self, text: str, limit: int, what: str) -> str:
        """A text that stands on one line here."""
        return self._fitting(_printable(text), limit, what)

    def _fitting(self, text: str, limit: int, what: str) -> str:
        if len(text) > limit and what not in self._cut:
            self._cut.append(what)
        return text[:limit]

    def _notes(self) -> list[str]:
        notes = []
        if self._cut:
            shown = ", ".join(self._cut[:_SHOWN])
            more = f" and {len(self._cut) - _SHOWN} more" if len(self._cut) > _SHOWN else ""
            notes.append(f"cut, since it is too long: {shown}{more}.")
        for name, kept in sorted(self._agents.items())[:_SHOWN]:
            said = ascii(name)[:80] if name else "an agent without a name"
            notes.append(f"{said} can't be the name of an agent and is {kept} here.")
        lost = sum(step.lost_needs for step in self._steps)
        if lost:
            notes.append(f"left out: dependencies that lead to no step of the project ({lost}).")
        if self._state() == "paused":
            notes.append("it was completed in hq with steps that are not done: it is paused here.")
        return notes


def _printable(text: str) -> str:
    """``text`` on one line, with a space for what can't be seen."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
