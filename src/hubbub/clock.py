"""Time, as something that is handed in.

Every time that Hubbub keeps is a whole number of milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import time
from typing import Protocol

from hubbub.errors import InvalidArgument

_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Clock(Protocol):
    """What a store asks for the time."""

    def now(self) -> int:
        """The wall clock, in milliseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """This machine's clock."""

    def now(self) -> int:
        """The machine's wall clock in milliseconds."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until told to move: tests use it in place of sleeping."""

    def __init__(self, start: int = 1_800_000_000_000) -> None:
        self._now = start

    def now(self) -> int:
        """The time it was last set to, in milliseconds."""
        return self._now

    def advance(self, milliseconds: int) -> None:
        """Move by ``milliseconds``; a negative number is a clock that was set back."""
        self._now += milliseconds


def to_iso(milliseconds: int) -> str:
    """``milliseconds`` since 1970 as ISO 8601 in UTC, e.g. ``2026-11-21T02:57:31.250Z``."""
    seconds, rest = divmod(milliseconds, 1000)
    moment = time.gmtime(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{rest:03d}Z"


def spoken(milliseconds: int) -> str:
    """A length of time for a person: ``850 ms``, ``12 s``, ``4 min``, ``3 h``, ``2 d``."""
    value = abs(milliseconds)
    for limit, size, unit in ((1000, 1, "ms"), (120_000, 1000, "s"), (7_200_000, 60_000, "min")):
        if value < limit:
            return f"{milliseconds // size} {unit}"
    if value < 172_800_000:
        return f"{milliseconds // 3_600_000} h"
    return f"{milliseconds // 86_400_000} d"


def left(until: int, now: int) -> str:
    """How long it is until a time to come, to the nearest unit: five minutes less a moment are ``5 min``,
    not 4. What is over is ``0 ms``."""
    time_left = max(0, until - now)
    unit = (
        1
        if time_left < 1000
        else 1000
        if time_left < 120_000
        else 60_000
        if time_left < 7_170_000
        else 3_600_000
    )
    return spoken((time_left + unit // 2) // unit * unit)


def moment(text: str, now: int) -> int:
    """The time that ``10m`` (ago), ``2h``, ``3d`` or an ISO date and time stands for, in milliseconds.

    A date without a zone is in local time.

    Raises:
        InvalidArgument: it is none of these.
    """
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit() and len(number) < 10:
        return now - int(number) * _UNITS[unit]
    from datetime import datetime

    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise InvalidArgument(
            f"{ascii(text)[:60]} is not a time.",
            hint="Use 30s, 10m, 2h, 3d, or a date and time like 2026-11-21T09:30Z.",
        ) from None
