"""What a plan's file says, checked field by field, so that an error says where it is."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from hubbub.bus import Bus, checking, planning
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.errors_work import DependencyCycle, StepExists, StepNotFound
from hubbub.interchange import checks
from hubbub.interchange.plan_text import Parsed, invalid
from hubbub.model import Actor
from hubbub.model_work import DONE, PROJECT_STATES, STATUSES, STEPS_MAX, Need, Past, PastAttempt, StepDraft
from hubbub.names import check_name, check_word, nearest

FORMAT = "hubbub-plan"
VERSION = 1

PLAN_FIELDS = (
    "format",
    "version",
    "name",
    "base_commit",
    "description",
    "priority",
    "metadata",
    "state",
    "steps",
)
"""The fields of a plan, in the order of an export."""

STEP_FIELDS = (*planning.STEP_FIELDS, "status", "outcome")
"""The fields of a step: those that a plan takes everywhere, and what became of it."""

OUTCOME_FIELDS = (
    "agent",
    "claimed_at",
    "started_at",
    "ended_at",
    "branch",
    "worktree",
    "commit_hash",
    "files_modified",
    "notes",
    "result",
)
"""Who did a step, when, and what came of it."""


class Plan(NamedTuple):
    """A plan that was read and checked."""

    name: str
    head: dict[str, Any]
    """What :meth:`hubbub.bus.work.Work.create_project` takes besides."""
    steps: tuple[StepDraft, ...]
    past: tuple[Past, ...]
    state: str


def read_plan(bus: Bus, actor: Actor, parsed: Parsed, name: str | None, *, keep_done: bool) -> Plan:
    """What a file says, checked.

    Raises:
        ImportInvalid: it is not a plan.
    """
    value = {"steps": parsed.value} if isinstance(parsed.value, list) else parsed.value
    if not isinstance(value, dict):
        raise invalid("A plan is an object with a name and steps, or a list of steps.", line=parsed.line(0))
    reader = _Reader(bus, actor, parsed)
    reader.only(value, PLAN_FIELDS, 0, "A plan")
    if "format" in value or "version" in value:
        _refuse_other(parsed, value)
    if name is None and value.get("name") is None:
        raise invalid("The plan has no name.", hint="Nothing was imported. Give it one.", field="name")
    checked_name = (
        _checked_name(name)
        if name is not None
        else reader.checked(0, "name", lambda: _checked_name(value["name"]))
    )
    given = {
        field: value[field]
        for field in ("base_commit", "description", "priority", "metadata")
        if value.get(field) is not None
    }
    head: dict[str, Any] = {"base_commit": "", "description": "", "priority": 0, "metadata": None}
    for field, each in given.items():
        change = {field: each}
        head |= reader.checked(0, field, lambda change=change: planning.project_changes(change))
    state = "active"
    if value.get("state") is not None:
        state = reader.checked(
            0, "state", lambda: check_word(value["state"], PROJECT_STATES, "state of a project")
        )
    if not keep_done or state == "completed":
        state = "active"
    steps, past = reader.steps(value.get("steps"), keep_done=keep_done, aborted=state == "aborted")
    return Plan(checked_name, head, steps, past, state)


def _checked_name(name: object) -> str:
    return str(planning.project_changes({"name": name})["name"])


def _refuse_other(parsed: Parsed, value: dict[str, Any]) -> None:
    if value.get("format") != FORMAT:
        shown = ascii(value.get("format"))[:40]
        raise invalid(
            f"the format of a plan is {FORMAT}, not {shown}.", line=parsed.line(0, "format"), field="format"
        )
    if value.get("version", VERSION) != VERSION:
        shown = ascii(value["version"])[:40]
        raise invalid(
            f"the plan has version {shown}; this program knows {VERSION}.",
            line=parsed.line(0, "version"),
            hint="Nothing was imported. Upgrade this Hubbub.",
            field="version",
        )


def _circle(needs: dict[int, tuple[Need, ...]]) -> list[int]:
    """A circle of steps that need each other, from one step to itself again; empty when there is none."""
    known = {num: [need.num for need in each] for num, each in needs.items()}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        return [int(num) for num in reversed(error.args[1])]
    return []


class _Reader:
    """Checks the parts of a plan, and says where something is wrong."""

    def __init__(self, bus: Bus, actor: Actor, parsed: Parsed) -> None:
        self._bus = bus
        self._actor = actor
        self._parsed = parsed

    def checked(self, place: int, field: str, check: Any) -> Any:
        """What ``check`` returns.

        Raises:
            ImportInvalid: it raised; the step and the field are named.
        """
        try:
            return check()
        except HubbubError as error:
            raise self._wrong(place, field, error.message, error.hint) from None

    def _wrong(self, place: int, field: str, message: str, hint: str = "") -> HubbubError:
        parts = [f"step {place}" if place else "", f"field {field}" if field else ""]
        where = ", ".join(part for part in parts if part)
        if "must be text" in message and self._parsed.form == "yaml":
            hint = "In YAML, put it between quotes."
        return invalid(
            f"{where[:1].upper()}{where[1:]}: {message}" if where else message,
            line=self._parsed.line(place, field),
            hint=f"Nothing was imported. {hint}".strip(),
            step=place or None,
            field=field or None,
        )

    def only(self, value: dict[Any, Any], known: tuple[str, ...], place: int, owner: str) -> None:
        """Raise when there is a field that is not known."""
        for name in value:
            if name not in known:
                near = nearest(str(name), known, 1)
                hint = f"Did you mean {near[0]}?" if near else f"{owner} has: {', '.join(known)}."
                raise self._wrong(place, str(name)[:60] or "''", f"{owner} has no such field.", hint)

    def steps(
        self, given: object, *, keep_done: bool, aborted: bool
    ) -> tuple[tuple[StepDraft, ...], tuple[Past, ...]]:
        """The steps, each with a number, and what became of them as far as that is to be kept."""
        if not isinstance(given, list):
            raise self._wrong(0, "steps", "A plan has a list of steps.")
        if len(given) > STEPS_MAX:
            raise self._wrong(0, "steps", f"A plan has up to {STEPS_MAX} steps, not {len(given)}.")
        values = [self._fields(place, each) for place, each in enumerate(given, 1)]
        drafts = [self._draft(place, each) for place, each in enumerate(values, 1)]
        following = max((draft.num for draft in drafts if draft.num is not None), default=0)
        numbered, past = [], []
        for place, draft in enumerate(drafts, 1):
            if draft.num is None:
                following += 1
            num = following if draft.num is None else draft.num
            numbered.append(draft._replace(num=num))
            was = self._past(place, num, values[place - 1])
            # What an abort cancelled comes back when the project is taken up again.
            if keep_done and (was.status in DONE or (was.status == "cancelled" and not aborted)):
                past.append(was)
        self._check_numbers(numbered)
        return tuple(numbered), tuple(past)

    def _check_numbers(self, drafts: list[StepDraft]) -> None:
        """Raise, with the place, what the bus would refuse without one: numbers that are there twice, needs
        of steps that are not there, and circles."""
        places: dict[int, int] = {}
        for place, draft in enumerate(drafts, 1):
            assert draft.num is not None
            if draft.num in places:
                what = f"Step {places[draft.num]} of the file has the number {draft.num}, too."
                raise self._at(place, "num", StepExists, what)
            places[draft.num] = place
        for place, draft in enumerate(drafts, 1):
            for need in draft.needs:
                if need.num not in places:
                    raise self._at(place, "needs", StepNotFound, f"The plan has no step {need.num}.")
        circle = _circle({draft.num: draft.needs for draft in drafts if draft.num is not None})
        if circle:
            shown = " -> ".join(map(str, circle[:30])) + (" -> ..." if len(circle) > 30 else "")
            what = f"Steps would wait for each other: {shown}."
            raise self._at(places[circle[0]], "needs", DependencyCycle, what, cycle=circle)

    def _at(
        self, place: int, field: str, kind: type[HubbubError], message: str, **details: Any
    ) -> HubbubError:
        """An error of that kind that says where it is."""
        line = self._parsed.line(place, field)
        where = f"Line {line}: step {place}" if line is not None else f"Step {place}"
        known = {"step": place, "field": field, **details} | ({} if line is None else {"line": line})
        return kind(f"{where}, field {field}: {message}", hint="Nothing was imported.", **known)

    def _fields(self, place: int, given: object) -> dict[str, Any]:
        if isinstance(given, str):
            return {"title": given}
        if not isinstance(given, dict):
            hint = 'For example: {"title": "Write the parser"}'
            raise self._wrong(place, "", "A step is an object, or its title alone.", hint)
        fields: dict[str, Any] = {}
        for name, value in given.items():
            known = planning.ALIASES.get(str(name), str(name))
            if known in fields:
                raise self._wrong(place, known, f"It is there twice, once as {ascii(name)[:60]}.")
            fields[known] = value
        self.only(fields, STEP_FIELDS, place, "A step")
        return {name: value for name, value in fields.items() if value is not None}

    def _draft(self, place: int, fields: dict[str, Any]) -> StepDraft:
        planned = {name: value for name, value in fields.items() if name in planning.STEP_FIELDS}
        if not planned.get("title"):
            planned["title"] = planned.get("branch") or ""  # as planning.step has it
        checked: dict[str, Any] = {}
        for name, value in planned.items():
            change = {name: value}
            checked |= self.checked(
                place, name, lambda change=change: planning.step_changes(change, new=True)
            )
        return StepDraft(**checked)

    def _past(self, place: int, num: int, fields: dict[str, Any]) -> Past:
        """What the file says became of a step; checked also where it is not kept."""
        status = self.checked(
            place, "status", lambda: check_word(fields.get("status", "not_started"), STATUSES, "status")
        )
        outcome = fields.get("outcome")
        if outcome is None:
            return Past(num, status)
        if not isinstance(outcome, dict) or status not in DONE:
            raise self._wrong(place, "outcome", "An outcome is an object, of a step that is done.")
        self.only(outcome, OUTCOME_FIELDS, place, "An outcome")
        attempt = self.checked(place, "outcome", lambda: self._attempt(outcome))
        return Past(num, status, (attempt,))

    def _attempt(self, outcome: dict[str, Any]) -> PastAttempt:
        def text(name: str, limit: int) -> str | None:
            value = outcome.get(name)
            return None if value is None else checking.text(value, name, limit)

        def line(name: str, limit: int) -> str | None:
            value = outcome.get(name)
            return None if value is None else planning.line(value, name, limit)

        def when(name: str) -> int | None:
            value = outcome.get(name)
            return None if value is None else checks.time_of(value, name)

        ended = when("ended_at")
        ended = self._bus.store.now() if ended is None else ended
        claimed = when("claimed_at")
        claimed = ended if claimed is None else claimed
        if claimed > ended:
            raise InvalidArgument("ended_at must not come before claimed_at.")
        return PastAttempt(
            agent=check_name(outcome.get("agent", self._actor.agent), "name of an agent"),
            state="completed",
            claimed_at=claimed,
            ended_at=ended,
            started_at=when("started_at"),
            branch=line("branch", planning.LABEL_MAX),
            worktree=line("worktree", planning.PATH_MAX),
            commit=line("commit_hash", planning.LABEL_MAX),
            files=planning.files(outcome.get("files_modified", ())),
            notes=text("notes", planning.TEXT_MAX),
            result=text("result", planning.TEXT_MAX),
        )
