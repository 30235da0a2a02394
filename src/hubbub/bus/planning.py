"""Plans as callers write them: checked, and turned into records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hubbub.bus import checking
from hubbub.errors import InvalidArgument
from hubbub.globs import check_glob
from hubbub.model_topics import EVERYBODY
from hubbub.model_work import (
    NEEDS,
    ON_FAILURE,
    PRIORITY_MAX,
    PROJECT_STATES,
    STEPS_MAX,
    Need,
    ProjectDraft,
    StepDraft,
)
from hubbub.names import check_topic_name, check_word, nearest, topic_key

TITLE_MAX = 300
LABEL_MAX = 200
REASON_MAX = 2000
PATH_MAX = 4096
TEXT_MAX = 65_536
PATHS_MAX = 32
NEEDS_MAX = 1000
FILES_MAX = 10_000
METADATA_BYTES = 16_384
NUMBER_MAX = 2**31 - 1

STEP_FIELDS = (
    "title",
    "num",
    "instructions",
    "acceptance",
    "branch",
    "scope",
    "paths",
    "resources",
    "priority",
    "needs",
    "max_attempts",
    "time_limit",
    "metadata",
)
"""The fields of a step as callers write it; ``time_limit`` is in seconds."""

ALIASES = {"step_num": "num", "depends_on": "needs", "description": "instructions", "name": "title"}
"""Other names for the same, as users of hq write them."""


def project(
    name: object,
    steps_given: Any,
    base_commit: object,
    description: object,
    priority: object,
    metadata: object,
) -> ProjectDraft:
    """A checked project."""
    return ProjectDraft(
        name=_project_name(name),
        base_commit=line(base_commit, "base_commit", LABEL_MAX),
        description=checking.text(description, "description", TEXT_MAX),
        priority=checking.number(priority, "priority", -PRIORITY_MAX, PRIORITY_MAX),
        metadata=_metadata(metadata),
        steps=steps(steps_given),
    )


def project_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """Checked changes of a project."""
    known: dict[str, Callable[[Any], Any]] = {
        "name": _project_name,
        "state": lambda value: check_word(value, PROJECT_STATES, "state of a project"),
        "base_commit": lambda value: line(value, "base_commit", LABEL_MAX),
        "description": lambda value: checking.text(value, "description", TEXT_MAX),
        "priority": lambda value: checking.number(value, "priority", -PRIORITY_MAX, PRIORITY_MAX),
        "metadata": _metadata,
    }
    return _changes(changes, known, "A project")


def steps(given: Any) -> tuple[StepDraft, ...]:
    """Checked steps."""
    if not isinstance(given, list | tuple):
        raise InvalidArgument("steps must be a list.", hint='For example: [{"title": "Write the parser"}]')
    if len(given) > STEPS_MAX:
        raise InvalidArgument(
            f"Up to {STEPS_MAX} steps at once, not {len(given)}.", hint="Add them in parts."
        )
    return tuple(
        each if isinstance(each, StepDraft) else step(each, place) for place, each in enumerate(given, 1)
    )


def step(given: Any, place: int = 1) -> StepDraft:
    """A checked step. ``given`` has a ``title`` and any other of :data:`STEP_FIELDS`; ``needs`` lists numbers
    of steps, or objects with ``num``, ``until`` (completed or merged) and ``on_failure`` (block, cancel or
    continue).

    Raises:
        InvalidArgument: it has not; the message says which step and field.
    """
    if isinstance(given, str):
        given = {"title": given}
    if not isinstance(given, dict):
        raise InvalidArgument(
            f"Step {place} must be an object.", hint='For example: {"title": "Write the parser"}'
        )
    fields = {ALIASES.get(str(name), str(name)): value for name, value in given.items() if value is not None}
    if "title" not in fields:
        # Users of hq name a step by its branch.
        fields["title"] = fields.get("branch") or ""
    try:
        checked = step_changes(fields, new=True)
        title = checked.pop("title", "")
        return StepDraft(title=title, **checked)
    except InvalidArgument as error:
        raise InvalidArgument(f"Step {place}: {error.message}", hint=error.hint) from None


def step_changes(changes: dict[str, Any], *, new: bool = False) -> dict[str, Any]:
    """Checked fields of a step."""
    known: dict[str, Callable[[Any], Any]] = {
        "title": lambda value: _line(value, "title", TITLE_MAX),
        "num": lambda value: checking.number(_digits(value), "num", 1, NUMBER_MAX),
        "instructions": lambda value: checking.text(value, "instructions", TEXT_MAX),
        "acceptance": lambda value: checking.text(value, "acceptance", TEXT_MAX),
        "branch": lambda value: line(value, "branch", LABEL_MAX),
        "scope": lambda value: line(value, "scope", LABEL_MAX),
        "paths": lambda value: globs(value, check_glob, PATHS_MAX, empty=True),
        "resources": _resources,
        "priority": lambda value: checking.number(value, "priority", -PRIORITY_MAX, PRIORITY_MAX),
        "max_attempts": lambda value: checking.number(value, "max_attempts", 1, 100),
        "time_limit": lambda value: checking.seconds(value, "time_limit", 30 * 86_400, 1),
        "metadata": _metadata,
    }
    if new:
        known["needs"] = needs
    else:
        known["not_before"] = lambda value: (
            value if value is None else checking.number(value, "not_before", 0, 2**53)
        )
    checked = _changes(changes, known, "A step")
    if "time_limit" in checked:
        checked["time_limit_ms"] = checked.pop("time_limit")
    return checked


def needs(given: Any) -> tuple[Need, ...]:
    """Checked edges: numbers, or objects."""
    if isinstance(given, int | str | dict) and not isinstance(given, bool):
        given = [given]
    if not isinstance(given, list | tuple):
        raise InvalidArgument("needs must be a list of step numbers.", hint="For example: [1, 2]")
    if len(given) > NEEDS_MAX:
        raise InvalidArgument(f"A step needs up to {NEEDS_MAX} others, not {len(given)}.")
    return tuple({need.num: need for need in map(_need, given)}.values())


def _need(given: Any) -> Need:
    if isinstance(given, Need):
        return given
    if not isinstance(given, dict):
        return Need(checking.number(_digits(given), "needs", 1, NUMBER_MAX))
    unknown = set(given) - {"num", "until", "on_failure"}
    if unknown or "num" not in given:
        raise InvalidArgument(
            "What a step needs is a number, or an object with num, until and on_failure.",
            hint='For example: {"num": 1, "until": "merged", "on_failure": "cancel"}',
        )
    return Need(
        checking.number(_digits(given["num"]), "num", 1, NUMBER_MAX),
        check_word(given.get("until", "completed"), NEEDS, "until"),
        check_word(given.get("on_failure", "block"), ON_FAILURE, "on_failure"),
    )


def globs(
    given: object, check: Callable[[object], str], limit: int, *, empty: bool = False
) -> tuple[str, ...]:
    """Checked globs, each once."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list | tuple) or not (given or empty):
        raise InvalidArgument("Name at least one path.", hint='For example: ["src/**", "docs/*.md"]')
    if len(given) > limit:
        raise InvalidArgument(f"Up to {limit} paths, not {len(given)}.")
    return tuple(dict.fromkeys(check(each) for each in given))


def resource(value: object) -> str:
    """A resource's name."""
    return checking.label(value, "resource", LABEL_MAX)


def files(given: object) -> tuple[str, ...]:
    """Names of files that were changed, as they are."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list | tuple) or len(given) > FILES_MAX:
        raise InvalidArgument(f"files must be a list of up to {FILES_MAX} paths.")
    return tuple(dict.fromkeys(checking.text(each, "files", PATH_MAX, empty=False) for each in given))


def line(value: object, what: str, limit: int) -> str:
    """A text on one line, or none: a branch, a commit, a folder. It is shown in terminals as it is."""
    checked = checking.text(value, what, limit)
    if not all(letter.isprintable() or letter == "\xa0" for letter in checked):
        raise InvalidArgument(f"{what} must be printable text on one line.")
    return checked


def _project_name(value: object) -> str:
    name = check_topic_name(value)
    if topic_key(name) == EVERYBODY:
        raise InvalidArgument(
            f"A project can't be called {name}: its news would go to #{EVERYBODY}, which everybody reads.",
            hint="Choose another name.",
        )
    return name


def _resources(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or len(given) > PATHS_MAX:
        raise InvalidArgument(f"resources must be a list of up to {PATHS_MAX} names.")
    return tuple(dict.fromkeys(resource(each) for each in given))


def _changes(changes: dict[str, Any], known: dict[str, Callable[[Any], Any]], owner: str) -> dict[str, Any]:
    if not changes:
        raise InvalidArgument("Nothing was given to change.", hint=f"{owner} has: {', '.join(known)}.")
    checked = {}
    for name, value in changes.items():
        if name not in known:
            near = nearest(str(name), known, 1)
            hint = (f"Did you mean {near[0]}? " if near else "") + f"{owner} has: {', '.join(known)}."
            raise InvalidArgument(f"{owner} has no field {ascii(name)[:60]}.", hint=hint)
        checked[name] = known[name](value)
    return checked


def _line(value: object, what: str, limit: int) -> str:
    return checking.label(checking.text(value, what, limit).strip(), what, limit)


def _digits(value: Any) -> Any:
    """A number that was written as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    return value


def _metadata(value: object) -> dict[str, Any] | None:
    checked = checking.metadata(value)
    size = checking.json_bytes(checked)
    if size > METADATA_BYTES:
        raise InvalidArgument(f"metadata has {size} bytes; at most {METADATA_BYTES} are taken.")
    return checked
