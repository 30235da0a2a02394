"""The named statements of the ``.sql`` files.

A statement begins at a line ``-- name: NAME``; the comment lines after it explain it.
"""

from __future__ import annotations

import os
from functools import cache

_FOLDER = os.path.join(os.path.dirname(__file__), "sql")


@cache
def statements(file: str) -> dict[str, str]:
    """All statements of ``file`` by name, comments removed."""
    with open(os.path.join(_FOLDER, file), encoding="utf-8") as source:
        parts = source.read().split("\n-- name: ")[1:]
    found: dict[str, str] = {}
    for part in parts:
        name, _, text = part.partition("\n")
        lines = [line for line in text.splitlines() if not line.startswith("--")]
        found[name.strip()] = "\n".join(lines).strip()
    return found


def migrations() -> list[tuple[int, str]]:
    """``(number, script)`` of every migration, in order."""
    folder = os.path.join(_FOLDER, "migrations")
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".sql"):
            with open(os.path.join(folder, name), encoding="utf-8") as source:
                found.append((int(name[:4]), source.read()))
    return found


def newest_format() -> int:
    """The stored format that this program writes: the number of the last migration."""
    names = os.listdir(os.path.join(_FOLDER, "migrations"))
    return max(int(name[:4]) for name in names if name.endswith(".sql"))
