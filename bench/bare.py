"""The machine's own limit: synced commits of a few rows through the same engine, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from hubbub.stores.sqlite.connection import CHECKPOINT_PAGES
from hubbub.stores.sqlite.writers import Turnstile

BODY = "The build of the feature branch is green; please look at the two open questions. " * 3
BODY = BODY[:200]
"""What every measured message says: 200 bytes."""

PATIENCE_MS = 20_000
"""How long a bare writer waits for its turn."""


def make(path: str, tables: int) -> None:
    """A database with the bus's settings and ``tables`` tables of one column of text."""
    db = _open(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    db.execute("PRAGMA journal_mode = WAL")
    for number in range(tables):
        db.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")
    db.close()


def _open(path: str, flags: int) -> apsw.Connection:
    db = apsw.Connection(path, flags=flags | apsw.SQLITE_OPEN_NOMUTEX)
    db.set_busy_timeout(PATIENCE_MS)
    db.execute("PRAGMA synchronous = FULL")
    db.wal_autocheckpoint(CHECKPOINT_PAGES)
    return db


@contextmanager
def commits(path: str, tables: int, queued: bool) -> Iterator[Callable[[], None]]:
    """A function that commits one row into each of ``tables`` tables, synced.

    ``queued`` lines the writers up as the bus does; otherwise SQLite's busy handler orders them.
    """
    db = _open(path, apsw.SQLITE_OPEN_READWRITE)
    turn = Turnstile(path + "-queue", PATIENCE_MS) if queued else None
    inserts = [f"INSERT INTO t{number} (body) VALUES (?)" for number in range(tables)]  # noqa: S608 - own names

    def write() -> None:
        db.execute("BEGIN IMMEDIATE")
        for insert in inserts:
            db.execute(insert, (BODY,))
        db.execute("COMMIT")

    def write_in_turn() -> None:
        assert turn is not None
        turn.enter()
        try:
            write()
        finally:
            turn.leave()

    try:
        yield write_in_turn if turn is not None else write
    finally:
        db.close()
        if turn is not None:
            turn.close()
