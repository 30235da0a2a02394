"""The registry of rows, and what a row is given."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.figures import Figure
from hubbub.bells.sockets import SocketBells


class Unmeasurable(Exception):
    """A row, or part of it, can't be measured here; the text says why."""


class Run(NamedTuple):
    """What a row is given: where it may write, how thorough to be, and how to tell of progress."""

    folder: str
    quick: bool
    say: Callable[[str], None]
    keep: Callable[[Figure], None]
    """Takes a figure as soon as it is known, so that a later failure does not lose it."""
    peers: str | None = None
    """Other programs are measured, too: with this interpreter, or an empty string for one that is found."""

    def pick(self, quick: int, full: int) -> int:
        """One of two numbers, by how thorough the run is."""
        return quick if self.quick else full


class Row(NamedTuple):
    """One registered measurement."""

    name: str
    sentence: str
    measure: Callable[[Run], None]


ROWS: dict[str, Row] = {}


def row(name: str, sentence: str) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Register a function as the row ``name``; ``sentence`` says what is measured and how."""

    def register(measure: Callable[[Run], None]) -> Callable[[Run], None]:
        ROWS[name] = Row(name, sentence, measure)
        return measure

    return register


@contextmanager
def bus_folder(run: Run, name: str) -> Iterator[str]:
    """A new folder for one bus: yields the path for its database, and removes all of it afterwards."""
    folder = tempfile.mkdtemp(prefix=f"{name}-", dir=run.folder)
    path = os.path.join(folder, "bus.db")
    try:
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # The sockets of a bus with a long path live elsewhere, in a folder of their own.
        shutil.rmtree(SocketBells(path + "-bells").folder, ignore_errors=True)
