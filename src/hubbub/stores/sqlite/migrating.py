"""Bringing a database file to the format of this program."""

from __future__ import annotations

import os

import apsw

from hubbub.errors import BusNewer, BusNotHubbub, BusUnusable
from hubbub.stores.sqlite.connection import APPLICATION_ID, LOG_BYTES, Connection, Read, translate


def migrate(connection: Connection, scripts: list[tuple[int, str]], now: int) -> int:
    """Run the scripts that the file has not had yet, each in a transaction; its format before.

    A file that already holds a bus is copied first, beside itself. Two programs that open a
    bus at once take turns.

    Raises:
        BusNotHubbub: the file belongs to another program.
        BusNewer: a newer program wrote it.
    """
    found = stored_format(connection, scripts[-1][0])
    if found == scripts[-1][0]:
        return found
    connection.turn.enter()
    try:
        found = stored_format(connection, scripts[-1][0])
        waiting = [script for script in scripts if script[0] > found]
        if found and waiting:
            copy_database(connection.db, f"{connection.path}.before-{waiting[-1][0]}-{now}")
        for number, script in waiting:
            _run(connection.db, number, script)
    except (apsw.Error, OSError) as error:
        raise translate(error, connection.path) from None
    finally:
        connection.turn.leave()
    return found


def keep_log(connection: Connection) -> None:
    """Have the file use a write-ahead log: a new one does not yet, nor does one restored from a copy."""
    try:
        if str(connection.db.pragma("journal_mode")) == "wal":
            return
        connection.turn.enter()
        try:
            if str(connection.db.pragma("journal_mode", "wal")) != "wal":
                raise BusUnusable(f"{connection.path} can't have a write-ahead log here.")
            # The log comes to be with the first write.
            connection.db.pragma("user_version", int(connection.db.pragma("user_version")))
            _lengthen_log(f"{connection.path}-wal")
        finally:
            connection.turn.leave()
    except (apsw.Error, OSError) as error:
        raise translate(error, connection.path) from None


def stored_format(connection: Connection, newest: int) -> int:
    """The format of the file, 0 when it is empty."""
    # One read transaction: between two of these another process may turn an empty file into a bus.
    with Read(connection) as db:
        found = int(db.pragma("user_version"))
        owner = int(db.pragma("application_id"))
        filled = bool(db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall())
    if owner != APPLICATION_ID and (found or filled):
        raise BusNotHubbub(f"{connection.path} is the database of another program.")
    if found > newest:
        raise BusNewer(
            f"{connection.path} has format {found}; this Hubbub knows formats up to {newest}.",
            found=found,
            known=newest,
        )
    return found


def copy_database(source: apsw.Connection, path: str) -> None:
    """A consistent copy at ``path``, which must not exist, readable by its owner only."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    target = apsw.Connection(path)
    try:
        with target.backup("main", source, "main") as backup:
            # In one go: another process's write makes a backup in steps start anew, for ever on a busy bus.
            while not backup.done:
                backup.step(-1)
    except BaseException:
        target.close(True)
        os.unlink(path)
        raise
    # A copy is one file: what a write-ahead log would hold is in it.
    target.pragma("journal_mode", "DELETE")
    target.close(True)


def _lengthen_log(path: str) -> None:
    """Write zeros behind the log's frames: SQLite reads no further than the last valid frame."""
    with open(path, "r+b", buffering=0) as log:
        missing = LOG_BYTES - log.seek(0, os.SEEK_END)
        if missing > 0:
            log.write(bytes(missing))
            os.fsync(log.fileno())


def _run(db: apsw.Connection, number: int, script: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(script)
        db.pragma("application_id", APPLICATION_ID)
        db.pragma("user_version", number)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
