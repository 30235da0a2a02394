"""Checks of what comes from elsewhere: each returns what can be stored, or says what is wrong with it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hubbub.bus import checking
from hubbub.bus.topics import METADATA_BYTES
from hubbub.errors import InvalidArgument, MessageTooLarge
from hubbub.model import MESSAGE_BYTES_CEILING
from hubbub.model_topics import Imported
from hubbub.names import check_kind

SENDER_MAX = 200
"""Letters of a sender's name. In history it is text, and need not be an agent of this bus."""

MESSAGE_MAX = MESSAGE_BYTES_CEILING + (1 << 18)
"""Bytes of a message: the largest mail, as ``#all`` may hold it, with the names of its recipients."""

TIME_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def load(text: str) -> Any:
    """The JSON value in ``text``.

    Raises:
        ValueError: it is none. Strict: no ``NaN``, no key twice, no nesting beyond Python's.
    """
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it names a key twice")
    return found


_decode = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_no_twice).decode


def time_of(value: object, what: str) -> int:
    """An ISO 8601 time with its zone, in milliseconds since 1970."""
    shown = checking.text(value, what, 40)
    if _TIME.fullmatch(shown):
        try:
            found = (datetime.fromisoformat(shown) - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError):
            found = -1
        if 0 <= found <= TIME_MAX:
            return found
    raise InvalidArgument(f"{what} must be a time such as 2026-11-21T02:57:31.250Z, not {shown!a}.")


def topic_metadata(value: object) -> dict[str, Any] | None:
    """A topic's metadata."""
    found = checking.metadata(value)
    size = checking.json_bytes(found)
    if size > METADATA_BYTES:
        raise InvalidArgument(f"The topic's metadata has {size} bytes; at most {METADATA_BYTES} are taken.")
    return found


def message(
    *,
    sender: object,
    kind: object,
    body: object,
    metadata: object,
    reply_to: int | None,
    created_at: int,
    limit: int = MESSAGE_MAX,
) -> Imported:
    """A message that can be put into a topic.

    Raises:
        MessageTooLarge: body and metadata have more than ``limit`` bytes.
        InvalidArgument: it can't be stored.
    """
    text = checking.text(body, "body", empty=False)
    kept = checking.metadata(metadata)
    size = len(text.encode()) + checking.json_bytes(kept)
    if size > limit:
        raise MessageTooLarge(f"It has {size} bytes; a topic takes up to {limit}.", limit=limit)
    return Imported(
        sender=checking.text(sender, "from", SENDER_MAX, empty=False),
        kind=check_kind(kind),
        body=text,
        metadata=kept,
        reply_to=reply_to,
        created_at=created_at,
    )
