"""Who stands by an agent, pings, wakes and settings, in SQLite.

See :mod:`hubbub.stores.contract_presence`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.model_presence import PING_KEPT_MS, NewStanding, Pong, Standing, Wake
from hubbub.names import message_id
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import Core, add_event, dump, one, seq_of
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements

_SQL = statements("presence.sql")


class SqlitePresence:
    """The facet of who is there."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def stand_by(self, agent: str, new: NewStanding) -> Standing | None:
        """Fill a slot."""
        with self._core.write() as tx:
            now = self._core.clock.now()
            admit(tx, Actor(agent), now)
            row = one(tx.db, _SQL["standing_in_slot"], {"agent": agent, "slot": new.slot})
            if row is not None and row[0] != new.id:
                # A time further away than it can be was written before the clock was set back.
                if now < row[10] <= now + SESSION_TTL_MS:
                    return Standing(*row)
                tx.db.execute(_SQL["end_standing"], {"id": row[0]})
            tx.db.execute(_SQL["end_standing"], {"id": new.id})
            values = {**new._asdict(), "agent": agent, "now": now, "expires_at": now + SESSION_TTL_MS}
            tx.db.execute(_SQL["add_standing"], values)
            tx.db.execute(_SQL["seen_by_standing"], {"agent": agent, "at": now})
            tx.ring("agents")
        return None

    def keep(self, id: str, state: str | None = None) -> Standing | None:
        """Stay."""
        with self._core.write() as tx:
            now = self._core.clock.now()
            values = {"id": id, "state": state, "now": now, "expires_at": now + SESSION_TTL_MS}
            tx.db.execute(_SQL["keep_standing"], values)
            if not tx.db.changes():
                tx.db.execute(_SQL["end_standing"], {"id": id})
            row = one(tx.db, _SQL["standing_row"], {"id": id})
            if state is not None:
                tx.ring("agents")
        return None if row is None else Standing(*row)

    def step_down(self, id: str) -> None:
        """Leave the slot."""
        with self._core.write() as tx:
            row = one(tx.db, _SQL["standing_row"], {"id": id})
            if row is None:
                return
            tx.db.execute(_SQL["end_standing"], {"id": id})
            tx.db.execute(_SQL["seen_by_standing"], {"agent": row[1], "at": self._core.clock.now()})
            tx.ring("agents")

    def standing(self, agent: str | None = None) -> list[Standing]:
        """Who stands by."""
        values = {"agent": agent, "now": self._core.clock.now()}
        with self._core.read() as db:
            return [Standing(*row) for row in db.execute(_SQL["standing_rows"], values)]

    def ping(self, asker: str, agent: str) -> int:
        """Ask for a sign of life."""
        with _unsynced(self._core), self._core.write() as tx:
            values = {"agent": agent, "asker": asker, "now": self._core.clock.now()}
            tx.db.execute(_SQL["add_ping"], values)
            number = tx.db.last_insert_rowid()
            tx.ring(f"ping/{agent}")
        return number

    def pings(self, agents: tuple[str, ...]) -> list[tuple[int, str]]:
        """What nobody answered yet."""
        over = self._core.clock.now() - PING_KEPT_MS
        with self._core.read() as db:
            rows = db.execute(_SQL["open_pings"], {"agents": dump(agents), "over": over})
            return [(row[0], row[1]) for row in rows]

    def pong(self, ping: int, pong: Pong) -> bool:
        """Answer."""
        with _unsynced(self._core), self._core.write() as tx:
            values = {"ping": ping, "by": pong.by, "answer": dump(pong.as_dict())}
            tx.db.execute(_SQL["answer_ping"], values)
            first = tx.db.changes() > 0
            tx.ring(f"pong/{ping}")
        return first

    def pong_of(self, ping: int) -> Pong | None:
        """The answer."""
        with self._core.read() as db:
            row = one(db, _SQL["ping_answer"], {"ping": ping})
        return None if row is None or row[0] is None else Pong(**load(row[0]))

    def woke(self, agent: str, how: str, worked: bool, detail: str, message: str | None) -> None:
        """Keep what became of a wake."""
        with self._core.write() as tx:
            now = self._core.clock.now()
            admit(tx, Actor(agent), now)
            seq = None if message is None else seq_of(tx.db, message)
            values = {"agent": agent, "how": how, "worked": worked, "detail": detail, "message": seq}
            tx.db.execute(_SQL["keep_wake"], {**values, "now": now})
            known = {"how": how, **({"detail": detail} if detail else {})}
            event = "agent_woken" if worked else "wake_failed"
            add_event(tx.db, now, event, Actor(agent), message=seq, agent=agent, detail=known)

    def wakes(self, agent: str) -> list[Wake]:
        """The last tries."""
        with self._core.read() as db:
            return [
                Wake(who, how, at, bool(worked), detail, None if tag is None else message_id(seq, tag))
                for who, how, at, worked, detail, seq, tag in db.execute(_SQL["wake_rows"], {"agent": agent})
            ]


class SqliteSettings:
    """The facet of what is set on the bus itself."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def all(self) -> dict[str, str]:
        """Every value."""
        with self._core.read() as db:
            return {row[0]: row[1] for row in db.execute(_SQL["setting_rows"], {})}

    def put(self, key: str, value: str | None, *, by: Actor | None = None) -> str | None:
        """Set one."""
        with self._core.write() as tx:
            now = self._core.clock.now()
            if by is not None:
                admit(tx, by, now)
            row = one(tx.db, _SQL["setting_row"], {"key": key})
            before = None if row is None else str(row[0])
            statement = "drop_setting" if value is None else "put_setting"
            tx.db.execute(_SQL[statement], {"key": key, **({} if value is None else {"value": value})})
            if before != value:
                detail: dict[str, Any] = {"key": key, "value": value, "before": before}
                add_event(tx.db, now, "setting_changed", by, detail=detail)
        return before


@contextmanager
def _unsynced(core: Core) -> Iterator[None]:
    """Commit without waiting for the disk: a ping that a power failure takes is asked again. What others
    commit is as durable as ever: their sync writes all that is before it."""
    db = core.connections.mine().db
    db.pragma("synchronous", "NORMAL")
    try:
        yield
    finally:
        db.pragma("synchronous", "FULL")


def end_old_standings(tx: Write, now: int) -> None:
    """End those that were not heard of; their agents were last seen when they were."""
    rows = list(tx.db.execute(_SQL["overdue_standings"], {"now": now}))
    for id_, agent, beat_at in rows:
        tx.db.execute(_SQL["end_standing"], {"id": id_})
        tx.db.execute(_SQL["seen_by_standing"], {"agent": agent, "at": beat_at})
    if rows:
        tx.ring("agents")
    tx.db.execute(_SQL["forget_pings"], {"over": now - PING_KEPT_MS})
