"""The SQLite store. See :class:`hubbub.stores.contract.Store`."""

from __future__ import annotations

import os

import apsw

from hubbub.bells.sockets import SocketBells
from hubbub.bells.watch import WatchBell
from hubbub.clock import Clock, SystemClock
from hubbub.errors import BackupFailed, BusNotFound, HubbubError
from hubbub.model import IDEMPOTENCY_MS, Problem, StoreInfo, Swept
from hubbub.stores.contract import Bell
from hubbub.stores.sqlite import due
from hubbub.stores.sqlite.agents import SqliteAgents
from hubbub.stores.sqlite.connection import APPLICATION_ID, Connections, make_file, translate
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.ledger import SqliteLedger
from hubbub.stores.sqlite.mail import SqliteMail
from hubbub.stores.sqlite.migrating import copy_database, keep_log, migrate, stored_format
from hubbub.stores.sqlite.search import SqliteSearch
from hubbub.stores.sqlite.statements import migrations, newest_format, statements
from hubbub.stores.sqlite.topic_erasing import IMPORT_KEPT_MS, erase, give_up_imports
from hubbub.stores.sqlite.topic_hands import return_due
from hubbub.stores.sqlite.topics import SqliteTopics

_AGENTS = statements("agents.sql")
_MAIL = statements("mail.sql")
_LEDGER = statements("ledger.sql")
_TOPICS = statements("topics.sql")

DUTY_MS = 15_000
"""How long one process keeps the duty of housekeeping after a round: longer than a beat, so that
the duty stays with one process while it lives, and moves on soon when it does not."""


class SqliteStore:
    """One bus in one SQLite file."""

    def __init__(
        self, path: str, *, clock: Clock | None = None, create: bool = True, busy_timeout_ms: int = 5_000
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
        self._core = Core(path, clock or SystemClock(), SocketBells(path + "-bells"), connections)
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
        self.topics = SqliteTopics(self._core)
        self.search = SqliteSearch(self._core)
        self.ledger = SqliteLedger(self._core)

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
        core, now = self._core, self._core.clock.now()
        with core.read() as db:
            row = one(db, _AGENTS["duty_row"], {"duty": "housekeeping"})
            held = row is not None and row[0] != holder and now < row[1] <= now + DUTY_MS
            wanted = one(db, _MAIL["anything_due"], {"now": now, "before": now - IDEMPOTENCY_MS})
            in_topics = one(db, _TOPICS["anything_due"], {"now": now, "before": now - IMPORT_KEPT_MS})
        if held:
            return Swept(ran=False)
        fresh = row is not None and row[0] == holder and row[1] > now + DUTY_MS // 2
        if fresh and not (wanted or (1,))[0] and not (in_topics or (1,))[0]:
            return Swept(ran=True)
        with core.write() as tx:
            row = one(tx.db, _AGENTS["duty_row"], {"duty": "housekeeping"})
            # A time further away than the duty lasts was written before the clock was set back.
            if row is not None and row[0] != holder and now < row[1] <= now + DUTY_MS:
                return Swept(ran=False)
            tx.db.execute(
                _AGENTS["take_duty"], {"duty": "housekeeping", "holder": holder, "until": now + DUTY_MS}
            )
            leases = due.take_back_due(tx, now)
            expired = due.expire_messages(tx, now)
            sessions = due.expire_sessions(tx, now)
            tx.db.execute(_AGENTS["forget_answers"], {"before": now - IDEMPOTENCY_MS})
            forgotten = tx.db.changes()
            hands = return_due(tx, now)
            give_up_imports(tx, now)
            erased = erase(tx)
        core.bells.sweep()
        return Swept(
            ran=True,
            leases_expired=leases,
            messages_expired=expired,
            sessions_expired=sessions,
            keys_forgotten=forgotten,
            topic_leases_expired=hands,
            posts_removed=erased,
        )

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
        restore = "Stop all agents, keep a copy of the file, and restore a backup."
        problems: list[Problem] = []
        try:
            with self._core.read() as db:
                for (line,) in db.execute("PRAGMA integrity_check(20)"):
                    if line != "ok":
                        problems.append(Problem(f"The database is damaged: {line}", "error", restore))
                for row in db.execute("PRAGMA foreign_key_check"):
                    problems.append(Problem(f"A row of {row[0]} refers to nothing.", "error", restore))
                for (name,) in db.execute(_LEDGER["wrong_counts"]):
                    problems.append(
                        Problem(f"The counts of {name} disagree with its mail.", "error", restore)
                    )
                for (name,) in db.execute(_TOPICS["wrong_numbers"]):
                    problems.append(
                        Problem(f"The messages of topic {name} are not all there.", "error", restore)
                    )
                for agent, name in db.execute(_TOPICS["wrong_places"]):
                    problems.append(
                        Problem(f"The place of {agent} in topic {name} is wrong.", "error", restore)
                    )
                orphans = one(db, _LEDGER["orphan_messages"], {})
                if orphans is not None and orphans[0]:
                    problems.append(
                        Problem(f"Messages that are in no inbox: {orphans[0]}.", "error", restore)
                    )
        except HubbubError as error:
            problems.append(Problem(error.message, "error", error.hint or restore))
        return problems

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
