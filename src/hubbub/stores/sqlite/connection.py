"""Connections to the database file: opened with care, one per thread, and their transactions."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import apsw

from hubbub.bells.sockets import SocketBells
from hubbub.errors import (
    BusBusy,
    BusCorrupt,
    BusFull,
    BusNotHubbub,
    BusReadOnly,
    BusUnusable,
    HubbubError,
    StoreError,
)
from hubbub.policy import Policy
from hubbub.stores.sqlite.writers import Turnstile

APPLICATION_ID = 0x48756242
"""``HubB``: marks a database file as a Hubbub bus (PRAGMA application_id)."""

CHECKPOINT_PAGES = 1000
"""Pages in the write-ahead log before a commit copies them into the database (SQLite's default)."""

LOG_BYTES = 4 << 20
"""How long a new bus's log is made at once: what :data:`CHECKPOINT_PAGES` take. To sync a file that
grows, the file system must also write down its new length, which nearly doubles the cost."""

Row = tuple[Any, ...]


def translate(error: BaseException, path: str) -> HubbubError:
    """The Hubbub error that stands for an error of apsw or the operating system."""
    if isinstance(error, HubbubError):
        return error
    if isinstance(error, apsw.BusyError):
        return BusBusy(f"Another program holds {path}.")
    if isinstance(error, apsw.FullError):
        return BusFull(f"The disk that holds {path} is full.")
    if isinstance(error, apsw.ReadOnlyError):
        return BusReadOnly(f"{path} can't be written.")
    if isinstance(error, apsw.NotADBError):
        return BusNotHubbub(f"{path} is not a database.")
    if isinstance(error, apsw.CorruptError | UnicodeDecodeError):
        return BusCorrupt(f"{path} is damaged: {error}")
    if isinstance(error, apsw.CantOpenError | apsw.PermissionsError | apsw.AuthError):
        return BusUnusable(f"{path} can't be opened.")
    if isinstance(error, OSError):
        if error.errno == 28:  # ENOSPC
            return BusFull(f"The disk that holds {path} is full.")
        if error.errno in (13, 30) and os.access(path, os.R_OK):  # EACCES, EROFS
            return BusReadOnly(f"{path} can't be written.")
        return BusUnusable(f"{path} can't be opened: {error.strerror}.")
    return StoreError(f"{path}: {error}")


class Connection:
    """One thread's connection, and its place in the queue of writers."""

    def __init__(self, path: str, busy_timeout_ms: int) -> None:
        self.path = path
        self.db = _open(path, busy_timeout_ms)
        self.turn = Turnstile(path + "-queue", busy_timeout_ms)

    def close(self) -> None:
        """Close both."""
        self.db.close(True)
        self.turn.close()

    def __del__(self) -> None:
        # Reached when its thread ended: a thread's connection goes with it.
        with suppress(Exception):
            self.close()


def _open(path: str, busy_timeout_ms: int) -> apsw.Connection:
    db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX)
    try:
        db.set_busy_timeout(busy_timeout_ms)
        # The last short command to leave need not empty the log: the next busy one will.
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        # A statement is planned once, not anew for the values of each use: planning cost as much as running.
        db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.wal_autocheckpoint(CHECKPOINT_PAGES)
    except BaseException:
        db.close(True)
        raise
    return db


def make_file(path: str) -> None:
    """Create an empty database file that only its owner can read, and its folder.

    Raises:
        BusUnusable: the path is a directory, or can't be created.
    """
    if os.path.isdir(path):
        raise BusUnusable(f"{path} is a directory, not a file.")
    try:
        _make_folders(os.path.dirname(path))
        # Never open a file that is there: closing it would drop the locks that another connection
        # of this process has on it (POSIX locks belong to the process, not to the descriptor).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise translate(error, path) from None


def _make_folders(folder: str) -> None:
    """Make ``folder`` and what is missing above it, closed to other users (makedirs closes only the last)."""
    if not os.path.isdir(folder):
        _make_folders(os.path.dirname(folder))
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)


class Write:
    """A write transaction: waits for the turn, begins, and commits unless something is raised.

    Collects the keys of the bells to ring once the commit is durable.
    """

    __slots__ = ("_bells", "_connection", "_rings", "db", "policy")

    def __init__(self, connection: Connection, bells: SocketBells, policy: Policy) -> None:
        self._connection = connection
        self._bells = bells
        self.db = connection.db
        self.policy = policy
        self._rings: set[str] = {"events"}

    def ring(self, *keys: str) -> None:
        """Ring these after the commit."""
        self._rings.update(keys)

    def __enter__(self) -> Self:
        self._connection.turn.enter()
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self._connection.turn.leave()
            raise _translated(error, self._connection.path) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.db.execute("COMMIT")
        except BaseException as failure:
            error = failure
        finally:
            if error is not None:
                self._roll_back()
            self._connection.turn.leave()
        if error is not None:
            raise _translated(error, self._connection.path) from None
        self._bells.ring(self._rings)

    def _roll_back(self) -> None:
        try:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
        except apsw.Error:  # SQLite rolled back by itself, as it does on a full disk
            return


class Read:
    """A read transaction: all its statements see one state of the bus."""

    __slots__ = ("_connection", "db")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.db = connection.db

    def __enter__(self) -> apsw.Connection:
        try:
            self.db.execute("BEGIN")
        except BaseException as error:
            raise _translated(error, self._connection.path) from None
        return self.db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
        except apsw.Error as failure:
            error = error or failure
        if error is not None:
            raise _translated(error, self._connection.path) from None


def _translated(error: BaseException, path: str) -> BaseException:
    if isinstance(error, apsw.Error | OSError | UnicodeDecodeError):
        return translate(error, path)
    return error


class Connections:
    """A connection for each thread that asks, kept open until the thread ends or the store is closed."""

    def __init__(self, path: str, busy_timeout_ms: int) -> None:
        self.path = path
        self._timeout = busy_timeout_ms
        self._mine = threading.local()
        self._all: WeakSet[Connection] = WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def mine(self) -> Connection:
        """This thread's connection."""
        found: Connection | None = getattr(self._mine, "connection", None)
        if found is not None and not self._closed:
            return found
        if self._closed:
            raise StoreError("The bus was closed.", hint="Open it again.")
        try:
            found = Connection(self.path, self._timeout)
        except (apsw.Error, OSError) as error:
            raise translate(error, self.path) from None
        self._mine.connection = found
        with self._lock:
            self._all.add(found)
        return found

    def close(self) -> None:
        """Close all. No other thread may be using its connection."""
        with self._lock:
            self._closed = True
            for connection in list(self._all):
                connection.close()
