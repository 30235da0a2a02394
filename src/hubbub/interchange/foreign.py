"""Databases of other programs, opened to be read and never written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import apsw

from hubbub.errors import ImportInvalid
from hubbub.interchange.reading import open_file
from hubbub.text import safe_line

MAGIC = b"SQLite format 3\x00"
OWN = int.from_bytes(b"HubB", "big")
"""What a bus of Hubbub names itself by."""

_BUSY_MS = 5000


def connect(path: str) -> apsw.Connection:
    """An open database, of which nothing was read yet.

    Raises:
        ImportInvalid: it is not there, or no SQLite database.
    """
    with open_file(path) as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ImportInvalid(f"{safe_line(path)} is not an SQLite database.", hint="Check the path.")
    with told(path):
        try:
            db = _connect(path, "mode=ro")
            db.pragma("schema_version")
        except (apsw.CantOpenError, apsw.ReadOnlyError):
            # Where its log can't be made beside it, nobody can be writing it either, unless there is one.
            log = f"{path}-wal"
            if os.path.exists(log) and os.path.getsize(log):
                raise
            db = _connect(path, "mode=ro&immutable=1")
        return db


def _connect(path: str, how: str) -> apsw.Connection:
    from urllib.parse import quote

    address = f"file:{quote(os.path.abspath(path))}?{how}"
    db = apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    db.set_busy_timeout(_BUSY_MS)
    # A stranger's file: nothing that its schema holds is run, and damage is noticed.
    db.pragma("trusted_schema", False)
    db.pragma("cell_size_check", True)
    return db


@contextmanager
def told(path: str) -> Iterator[None]:
    """What SQLite complains of, as an error of import."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError) as error:
        damaged(path, str(error))
    except apsw.Error as error:
        raise ImportInvalid(
            f"{safe_line(path)} can't be read: {safe_line(str(error), 200)}",
            hint="Check who may read it, and try again when nothing writes it.",
        ) from None


def damaged(path: str, why: str) -> NoReturn:
    """Raise that a file is damaged."""
    raise ImportInvalid(
        f"{safe_line(path)} is damaged: {safe_line(why, 200)}",
        hint="Nothing was imported. Restore a backup of it, or save what can be: sqlite3 FILE .recover",
    )


def check_whole(db: apsw.Connection, path: str, tables: tuple[str, ...]) -> None:
    """Raise when one of the tables is damaged."""
    for table in tables:
        found = next(db.execute(f"PRAGMA integrity_check({table})"))[0]
        if found != "ok":
            damaged(path, str(found))


def statements(name: str) -> dict[str, str]:
    """The named statements of a ``.sql`` file of this folder."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as source:
        parts = source.read().split("\n-- name: ")[1:]
    return {name.strip(): text for name, _, text in (part.partition("\n") for part in parts)}
