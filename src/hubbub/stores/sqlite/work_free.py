"""What paths and resources live claims and reservations hold: asked by the claim statement itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import apsw

from hubbub.globs import overlap
from hubbub.model_work import AGEING_MS, IN_LINE_MS
from hubbub.stores.sqlite.statements import statements

_SQL = statements("work.sql")
_FILES = statements("files.sql")

LOOKED_AT = 20
"""How many steps of a project are looked at to see which stand in line. The first one alone would do so that
all have their turn; more of them wait no longer than they must."""


class InLine(NamedTuple):
    """A step that stands in line for what live claims hold."""

    place: int
    """Its rank, less what the priority of its project is worth: all steps have one order."""
    step: int
    paths: str
    resources: frozenset[str]


class Held:
    """What is held at one moment, by others than one agent, and which steps stand in line for it."""

    def __init__(self, db: apsw.Connection, agent: str | None, now: int) -> None:
        rows = list(db.execute(_SQL["held_things"], {"now": now}))
        self.claimed = tuple(dict.fromkeys(paths for paths, _ in rows if paths != "[]"))
        self.used = Counter(name for _, names in rows if names != "[]" for name in _loaded(names))
        self.limits = dict(db.execute(_SQL["resource_limits"])) if self.used else {}
        reserved = list(db.execute(_FILES["held_globs"], {"now": now}))
        self.reserved = tuple(dict.fromkeys(globs for globs, who in reserved if who != agent))
        self.line: list[InLine] = []
        if self.claimed or self.used:
            self.line = self._in_line(db, now, tuple(globs for globs, _ in reserved))

    def frees(self, step: int, place: int, paths: str, resources: str) -> bool:
        """Whether a step that names these (JSON lists) can be claimed."""
        if self._in_use(paths, resources) or _any_overlaps(self.reserved, paths):
            return False
        return not self.before(step, place, paths, resources)

    def before(self, step: int, place: int, paths: str, resources: str) -> list[int]:
        """The steps in line before one that keep it from what it names."""
        ahead = [one for one in self.line if (one.place, one.step) < (place, step)]
        if not ahead:
            return []
        found = [one.step for one in ahead if _any_overlaps((one.paths,), paths)]
        for name in _loaded(resources):
            waiting = [one.step for one in ahead if name in one.resources]
            if waiting and self.used[name] + len(waiting) >= self.limits.get(name, 1):
                found += waiting
        return list(dict.fromkeys(found))

    def stands(self, step: int) -> bool:
        """Whether a step stands in line."""
        return any(one.step == step for one in self.line)

    def _in_use(self, paths: str, resources: str) -> bool:
        if any(self.used[name] >= self.limits.get(name, 1) for name in _loaded(resources)):
            return True
        return _any_overlaps(self.claimed, paths)

    def _in_line(self, db: apsw.Connection, now: int, reserved: tuple[str, ...]) -> list[InLine]:
        """Steps that only live claims keep, and have kept long enough.

        One that a reservation keeps is not among them: a reservation may be for days, and all that overlaps
        the step would stand still for as long. Nor is one that is free: nobody may want it.
        """
        values = {"ageing": AGEING_MS, "before": now - IN_LINE_MS, "now": now, "limit": LOOKED_AT}
        return [
            InLine(place, step, paths, frozenset(_loaded(resources)))
            for step, place, paths, resources in db.execute(_SQL["long_ready"], values)
            if self._in_use(paths, resources) and not _any_overlaps(reserved, paths)
        ]


def _any_overlaps(lists: Iterable[str], paths: str) -> bool:
    return paths != "[]" and any(_overlap(each, paths) for each in lists)


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
        return int(answering[0].frees(*values))

    db.create_scalar_function("is_free", is_free, 4)
