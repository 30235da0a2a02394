"""Checks of what callers hand in: each either returns the value or says what would do."""

from __future__ import annotations

import json
from typing import Any

from hubbub.errors import InvalidArgument, InvalidName, MessageTooLarge
from hubbub.model import MESSAGE_BYTES_CEILING
from hubbub.names import EVERYONE, check_name, quoted
from hubbub.text import has_lone_surrogate

SUBJECT_MAX = 300
THREAD_MAX = 128
KEY_MAX = 200
DESCRIPTION_MAX = 1000
RECIPIENTS_MAX = 1000
METADATA_DEPTH = 50

NO_LIMIT = 2**62
"""A number that may be as large as this is bounded by the store alone."""


def text(value: object, what: str, limit: int | None = None, *, empty: bool = True) -> str:
    """A string that can be stored, of up to ``limit`` characters."""
    if not isinstance(value, str):
        raise InvalidArgument(f"{what} must be text, not {_kind(value)}.")
    if has_lone_surrogate(value):
        raise InvalidArgument(f"{what} holds half of a surrogate pair and is not valid Unicode text.")
    if limit is not None and len(value) > limit:
        raise InvalidArgument(f"{what} has {len(value)} characters; at most {limit} are taken.")
    if not empty and not value:
        raise InvalidArgument(f"{what} must not be empty.")
    return value


def body(value: object) -> str:
    """The body of a message: any text that is not empty and could fit into some inbox."""
    checked = text(value, "body", empty=False)
    if len(checked) > MESSAGE_BYTES_CEILING:
        raise MessageTooLarge(
            f"The body has {len(checked)} characters; no inbox takes more than {MESSAGE_BYTES_CEILING} bytes."
        )
    return checked


def label(value: object, what: str, limit: int) -> str:
    """A short printable string without line breaks: a thread's name, an idempotency key."""
    checked = text(value, what, limit, empty=False)
    if not checked.isprintable():
        raise InvalidArgument(f"{what} must be printable text on one line.")
    return checked


def number(value: object, what: str, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        given = _cut(value) if isinstance(value, float) else _kind(value)
        raise InvalidArgument(f"{what} must be a whole number, not {given}.")
    if value < low and high >= NO_LIMIT:
        raise InvalidArgument(f"{what} must be {low} or more, not {_cut(value)}.")
    if not low <= value <= high:
        raise InvalidArgument(f"{what} must be from {low} to {high}, not {_cut(value)}.")
    return value


def seconds(value: object, what: str, high: float, low: float = 0) -> int:
    """A length of time given in seconds, as milliseconds."""
    if value != value:
        raise InvalidArgument(f"{what} must be a number of seconds.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgument(f"{what} must be a number of seconds, not {_kind(value)}.")
    if not low <= value <= high:
        bounds = f"{_plain(low)} to {_plain(high)}"
        raise InvalidArgument(f"{what} must be from {bounds} seconds, not {_cut(value)}.")
    return round(value * 1000)


def metadata(value: object) -> dict[str, Any] | None:
    """A JSON object, or nothing."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidArgument(
            f"metadata must be a JSON object, not {_kind(value)}.", hint='For example: {"branch": "fix-42"}'
        )
    if _deeper_than(value, METADATA_DEPTH):
        raise InvalidArgument(f"metadata is nested more than {METADATA_DEPTH} deep.")
    try:
        dumped = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"metadata can't be written as JSON: {error}") from None
    if has_lone_surrogate(dumped):
        raise InvalidArgument("metadata holds half of a surrogate pair and is not valid Unicode text.")
    # Keys that are not strings become strings in JSON: keep what a reader will see.
    kept: dict[str, Any] = json.loads(dumped)
    return kept


def json_bytes(value: object) -> int:
    """How many bytes ``value`` takes as compact JSON; nothing takes none."""
    if value is None:
        return 0
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list | tuple):
                inner += item
        if not inner:
            return False
        level = inner
    return any(isinstance(item, dict | list | tuple) for item in level)


def recipients(value: object) -> tuple[str, ...]:
    """One name or several, each once, in the order given; or ``*`` alone."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise InvalidArgument("Name at least one recipient, or * for everyone.")
    if EVERYONE in names:
        if len(names) > 1:
            raise InvalidArgument("* is everyone: give it alone.")
        return (EVERYONE,)
    for name in names:
        if isinstance(name, str) and name.startswith("#"):
            topic = quoted(name[1:])
            raise InvalidName(
                f"{quoted(name)} is a topic, and mail goes to agents.",
                hint=f"Post to it: sync(topic={topic}, outbox=[TEXT]), or hubbub sync {topic} --post TEXT",
            )
    if len(names) > RECIPIENTS_MAX:
        raise InvalidArgument(f"A message takes up to {RECIPIENTS_MAX} recipients, not {len(names)}.")
    return tuple(dict.fromkeys(check_name(name, "recipient") for name in names))


def message_ids(value: object) -> tuple[str, ...]:
    """One message id or several, each once."""
    ids = [value] if isinstance(value, str) else value
    if not isinstance(ids, list | tuple) or not ids or not all(isinstance(id_, str) for id_ in ids):
        raise InvalidArgument("Name at least one message by its id.")
    if len(ids) > 1000:
        raise InvalidArgument(f"Up to 1000 messages at once, not {len(ids)}.")
    return tuple(dict.fromkeys(ids))


def key(value: object) -> str | None:
    """An idempotency key, or nothing."""
    return None if value is None else label(value, "The idempotency key", KEY_MAX)


def _kind(value: object) -> str:
    names: dict[type, str] = {
        type(None): "nothing",
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        tuple: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def _plain(value: float) -> str:
    """Without an exponent: ``31449600``, ``0.001``."""
    return str(int(value)) if value == int(value) else str(value)


def _cut(value: float) -> str:
    shown = str(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
