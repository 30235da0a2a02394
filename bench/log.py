"""A write-ahead log: how much an operation puts into it, and how long it has become."""

from __future__ import annotations

import os
from collections.abc import Callable

import apsw

from bench.rows import Unmeasurable
from hubbub.stores.sqlite.connection import CHECKPOINT_PAGES

FRAME = 4096 + 24
"""A page in a write-ahead log, with its header."""


def pages_of(path: str, operate: Callable[[], object], count: int = 50) -> int:
    """How many pages one operation on the database at ``path`` writes, on average.

    Raises:
        Unmeasurable: the log holds less than a page for each.
    """
    operate()
    _pages_in_log(path)  # copies them into the database: the next commit begins the log anew
    for _ in range(count):
        operate()
    pages = _pages_in_log(path)
    if pages < count:
        raise Unmeasurable(f"{count} operations left {pages} pages in the write-ahead log")
    return round(pages / count)


def _pages_in_log(path: str) -> int:
    db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        db.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # a log that was not read counts as none
        return db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[0]
    finally:
        db.close()


def fill_log(path: str, operate: Callable[[], object]) -> None:
    """Commit until the log has the length from which on it is written over, not lengthened."""
    while os.path.getsize(path + "-wal") < CHECKPOINT_PAGES * FRAME:
        operate()
