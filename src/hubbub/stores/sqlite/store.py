"""The SQLite store. See :class:`hubbub.stores.contract.Store`."""

from __future__ import annotations

import os

import apsw

from hubbub.bells.sockets import SocketBells
from hubbub.bells.watch import WatchBell
from hubbub.clock import Clock, SystemClock
from hubbub.errors import BackupFailed, BusNotFound
from hubbub.model import Problem, StoreInfo, Swept
from hubbub.policy import Policy
from hubbub.stores.contract import Bell
from hubbub.stores.sqlite.agents import SqliteAgents
from hubbub.stores.sqlite.connection import APPLICATION_ID, Connections, make_file, translate
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.ledger import SqliteLedger
from hubbub.stores.sqlite.mail import SqliteMail
from hubbub.stores.sqlite.migrating import copy_database, keep_log, migrate, stored_format
from hubbub.stores.sqlite.statements import migrations, newest_format, statements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubbub.stores.sqlite.pending import SqlitePending
    from hubbub.stores.sqlite.presence import SqlitePresence, SqliteSettings
    from hubbub.stores.sqlite.search import SqliteSearch
    from hubbub.stores.sqlite.topics import SqliteTopics
    from hubbub.stores.sqlite.work import SqliteWork

_LEDGER = statements("ledger.sql")


class SqliteStore:
    """One bus in one SQLite file."""

    def __init__(
        self,
        path: str,
        *,
        clock: Clock | None = None,
        create: bool = True,
        busy_timeout_ms: int = 5_000,
        policy: Policy = Policy(),  # noqa: B008 - immutable
    ) -> None:
        """Open the bus at ``path``, creating it unless ``create`` is False.

        Raises:
            StoreError: it can't be opened; each cause has its own code.
        """
        # One bus has one queue and one set of bells, whatever links lead to it.
        path = os.path.realpath(path)
        if create or os.path.isdir(path):
            make_file(path)
        elif not os.path.exists(path) or (os.path.isfile(path) and os.path.getsize(path) == 0):
            raise BusNotFound(f"There is no bus at {path}.")
        connections = Connections(path, busy_timeout_ms)
        self._core = Core(path, clock or SystemClock(), SocketBells(path + "-bells"), connections, policy)
        try:
            mine = connections.mine()
            # Reading the scripts costs time that an up-to-date file need not pay.
            if stored_format(mine, newest_format()) != newest_format():
                migrate(mine, migrations(), self._core.clock.now())
            keep_log(mine)
        except BaseException:
            connections.close()
            raise
        self.agents = SqliteAgents(self._core)
        self.mail = SqliteMail(self._core)
        self._topics: SqliteTopics | None = None
        self._search: SqliteSearch | None = None
        self._work: SqliteWork | None = None
        self._pending: SqlitePending | None = None
        self._presence: SqlitePresence | None = None
        self.ledger = SqliteLedger(self._core)

    @property
    def topics(self) -> SqliteTopics:
        """Topics, loaded when first asked for: a send or a receive does without."""
        if self._topics is None:
            from hubbub.stores.sqlite.topics import SqliteTopics

            self._topics = SqliteTopics(self._core)
        return self._topics

    @property
    def work(self) -> SqliteWork:
        """Work, loaded when first asked for."""
        if self._work is None:
            from hubbub.stores.sqlite.work import SqliteWork

            self._work = SqliteWork(self._core)
        return self._work

    @property
    def pending(self) -> SqlitePending:
        """Answers that are owed, loaded when first asked for."""
        if self._pending is None:
            from hubbub.stores.sqlite.pending import SqlitePending

            self._pending = SqlitePending(self._core)
        return self._pending

    @property
    def presence(self) -> SqlitePresence:
        """Who stands by an agent, loaded when first asked for."""
        if self._presence is None:
            from hubbub.stores.sqlite.presence import SqlitePresence

            self._presence = SqlitePresence(self._core)
        return self._presence

    @property
    def settings(self) -> SqliteSettings:
        """What is set on the bus itself."""
        from hubbub.stores.sqlite.presence import SqliteSettings

        return SqliteSettings(self._core)

    @property
    def search(self) -> SqliteSearch:
        """Search, loaded when first asked for."""
        if self._search is None:
            from hubbub.stores.sqlite.search import SqliteSearch

            self._search = SqliteSearch(self._core)
        return self._search

    def now(self) -> int:
        """The clock's time."""
        return self._core.clock.now()

    def bell(self, *keys: str) -> Bell:
        """A bell; where sockets can't be had, one that watches for commits."""
        try:
            return self._core.bells.listen(keys)
        except OSError:
            return WatchBell(lambda: int(self._core.connections.mine().db.pragma("data_version")))

    def sweep(self, holder: str) -> Swept:
        """One round of housekeeping."""
        from hubbub.stores.sqlite import housekeeping

        return housekeeping.sweep(self._core, holder)

    def info(self) -> StoreInfo:
        """What there is."""
        with self._core.read() as db:
            row = one(db, _LEDGER["totals"], {})
        messages, events, topics, posts = row if row is not None else (0, 0, 0, 0)
        size = sum(
            os.path.getsize(self._core.path + end)
            for end in ("", "-wal")
            if os.path.exists(self._core.path + end)
        )
        return StoreInfo(
            url=f"sqlite://{self._core.path}",
            store="sqlite",
            format=newest_format(),
            engine=f"SQLite {apsw.sqlite_lib_version()}",
            bytes=size,
            messages=messages,
            events=events,
            topics=topics,
            topic_messages=posts,
        )

    def check(self) -> list[Problem]:
        """Integrity of the file and of its contents."""
        from hubbub.stores.sqlite import health

        return health.check(self._core)

    def backup(self, path: str) -> int:
        """A copy, while the bus is in use."""
        path = os.path.abspath(path)
        try:
            copy_database(self._core.connections.mine().db, path)
            return os.path.getsize(path)
        except FileExistsError:
            raise BackupFailed(
                f"{path} exists; a backup never overwrites.", hint="Name a new file."
            ) from None
        except (apsw.Error, OSError) as error:
            cause = translate(error, path)
            raise BackupFailed(f"The backup failed: {cause.message}", hint=cause.hint) from None

    def close(self) -> None:
        """Close all connections."""
        self._core.connections.close()
        self._core.bells.close()


__all__ = ["APPLICATION_ID", "SqliteStore"]
