"""Steps as a file or the options of a command give them."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from hubbub.errors import InvalidArgument, NotFound
from hubbub.faces.cli.bodies import read_metadata, read_text
from hubbub.faces.cli.failures import UsageError
from hubbub.text import safe_line

if TYPE_CHECKING:
    from argparse import Namespace

PLAN_BYTES = 64 << 20
"""How large a file of steps may be."""

_EXAMPLE = 'For example: [{"title": "Write the lexer"}, {"title": "Write the parser", "needs": [1]}]'

_FIELDS = (
    "title",
    "branch",
    "scope",
    "paths",
    "resources",
    "priority",
    "num",
    "needs",
    "time_limit",
)


def read_steps(path: str) -> list[Any]:
    """The list of steps in a JSON file, or on standard input for ``-``; also below ``steps`` of an object.

    Raises:
        NotFound: there is no such file.
        InvalidArgument: it is no such list.
    """
    shown = _shown(path)
    data = read_bytes(path, PLAN_BYTES + 1)
    if len(data) > PLAN_BYTES:
        raise InvalidArgument(
            f"{shown} has more than {PLAN_BYTES >> 20} MiB.", hint="Add the steps in parts."
        )
    try:
        value = json.loads(decoded(data, path))
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"{shown} is not JSON: {error}", hint=f"{_EXAMPLE}; a plan in YAML: hubbub project import FILE"
        ) from None
    if isinstance(value, dict) and "steps" in value:
        value = value["steps"]
    if not isinstance(value, list):
        raise InvalidArgument(f"{shown} holds no list of steps.", hint=_EXAMPLE)
    return value


def _shown(path: str) -> str:
    return "standard input" if path == "-" else safe_line(path)


def read_bytes(path: str, limit: int) -> bytes:
    """What a file holds, or standard input for ``-``, up to ``limit`` bytes. Raises as :func:`read_steps`."""
    try:
        if path != "-":
            with open(path, "rb") as file:
                return file.read(limit)
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("Nobody pipes anything in.", hint="Name a file, or pipe one in.")
        with os.fdopen(os.dup(sys.stdin.fileno()), "rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        raise NotFound(f"There is no file {_shown(path)}.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidArgument(f"{_shown(path)} can't be read: {reason}.") from None


def decoded(data: bytes, path: str) -> str:
    """The text of a file, which must be UTF-8; a mark at its beginning is left out."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{_shown(path)} is not UTF-8 text (byte {error.start}).") from None


def step_fields(given: Namespace) -> dict[str, Any]:
    """The fields of a step that the options of ``step add`` and ``step edit`` give."""
    fields = {name: value for name in _FIELDS if (value := getattr(given, name, None)) is not None}
    for name in ("instructions", "acceptance"):
        text = read_text(getattr(given, name))
        if text is not None:
            fields[name] = text
    if given.attempts is not None:
        fields["max_attempts"] = given.attempts
    if given.metadata is not None:
        fields["metadata"] = read_metadata(given.metadata)
    for name in ("paths", "resources"):
        if fields.get(name) == [""]:
            fields[name] = []  # an edit that takes them away
    return fields


def many_steps(given: Namespace, titles: list[str]) -> list[Any]:
    """The steps of ``--steps``, or one of each title.

    Raises:
        UsageError: both or neither are given.
    """
    if given.steps is not None and titles:
        raise UsageError("Titles and --steps don't go together.", hint="Put all steps into the file.")
    if given.steps is not None:
        return read_steps(given.steps)
    if not titles:
        raise UsageError("No step was given.", hint="Give titles, or a file of steps with --steps FILE.")
    return [{"title": title} for title in titles]
