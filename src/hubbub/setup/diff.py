"""The difference that a change makes to a file, for a person to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

CONTEXT = 3
LONG = 300
"""Characters of a line that are shown."""


def unified(before: bytes | None, after: bytes | None, path: str) -> list[str]:
    """The lines of a unified diff; empty where nothing changes."""
    if before == after:
        return []
    old, new = _lines(before), _lines(after)
    same = _common(old, new)
    start = max(0, same - CONTEXT)
    end = _common(old[same:][::-1], new[same:][::-1])
    end = max(0, end - CONTEXT)
    names = (path if before is not None else "/dev/null", path if after is not None else "/dev/null")
    lines = difflib.unified_diff(
        old[start : len(old) - end], new[start : len(new) - end], *names, lineterm=""
    )
    return [*_shifted(lines, start)]


def _shifted(lines: Iterator[str], start: int) -> Iterator[str]:
    """The lines with the numbers that they have in the whole files."""
    for line in lines:
        if line.startswith("@@ ") and start:
            yield "@@ " + " ".join(_moved(word, start) for word in line.split()[1:3]) + " @@"
        else:
            yield line if len(line) <= LONG else line[:LONG] + " ..."


def _moved(span: str, start: int) -> str:
    number, comma, count = span[1:].partition(",")
    return f"{span[0]}{int(number) + start}{comma}{count}"


def _lines(data: bytes | None) -> list[str]:
    text = (data or b"").decode("utf-8", "replace")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    elif text:
        lines.append("\\ No newline at end of file")
    return lines


def _common(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count
