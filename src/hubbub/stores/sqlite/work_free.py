"""What paths and resources live claims and reservations hold: asked by the claim statement itself."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import apsw

from hubbub.globs import overlap
from hubbub.stores.sqlite.statements import statements

_SQL = statements("work.sql")
_FILES = statements("files.sql")


class Held:
    """What is held at one moment, by others than one agent."""

    def __init__(self, db: apsw.Connection, agent: str | None, now: int) -> None:
        paths = [row[2] for row in db.execute(_SQL["held_paths"], {"now": now})]
        paths += [row[0] for row in db.execute(_FILES["held_globs"], {"now": now, "agent": agent})]
        self.paths = tuple(dict.fromkeys(paths))
        self.full = {row[0] for row in db.execute(_SQL["held_resources"], {"now": now}) if row[1] >= row[2]}

    def frees(self, paths: str, resources: str) -> bool:
        """Whether a step that names these (JSON lists) can be claimed."""
        if resources != "[]" and self.full and not self.full.isdisjoint(_loaded(resources)):
            return False
        return paths == "[]" or not any(_overlap(held, paths) for held in self.paths)


@lru_cache(maxsize=4096)
def _loaded(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=65536)
def _overlap(one_list: str, other_list: str) -> bool:
    return any(overlap(a, b) for a in _loaded(one_list) for b in _loaded(other_list))


_asking: WeakKeyDictionary[apsw.Connection, list[Held]] = WeakKeyDictionary()


def ask_while(db: apsw.Connection, held: Held) -> None:
    """Have the statements' ``is_free`` answer from ``held``."""
    known = _asking.get(db)
    if known is not None:
        known[0] = held
        return
    # Defined once: to define a function anew makes SQLite plan all statements of the connection again.
    answering = _asking[db] = [held]

    def is_free(*values: Any) -> int:
        return int(answering[0].frees(values[0], values[1]))

    db.create_scalar_function("is_free", is_free, 2)
