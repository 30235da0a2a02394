"""The ledger in SQLite. See :class:`hubbub.stores.contract.LedgerStore`."""

from __future__ import annotations

from hubbub.errors import MessageNotFound
from hubbub.model import Event
from hubbub.names import message_id
from hubbub.stores.sqlite.core import Core, dump, seq_of
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements

_SQL = statements("ledger.sql")


class SqliteLedger:
    """The facet of the ledger."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def events(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        newest: bool = False,
        agent: str | None = None,
        message: str | None = None,
        kinds: tuple[str, ...] = (),
        since: int | None = None,
    ) -> list[Event]:
        """Part of the ledger."""
        values = {
            "after": after,
            "limit": limit,
            "agent": agent,
            "kinds": dump(kinds) if kinds else None,
            "since": since,
        }
        with self._core.read() as db:
            values["message"] = None if message is None else seq_of(db, message)
            if message is not None and values["message"] is None:
                raise MessageNotFound(f"There is no message {ascii(message)[:80]} on this bus.")
            rows = list(db.execute(_SQL["events_backward" if newest else "events_forward"], values))
        if newest:
            rows.reverse()
        return [
            Event(
                seq=seq,
                at=at,
                event=event,
                actor=actor,
                session=session,
                message=None if subject is None or tag is None else message_id(subject, tag),
                agent=concerned,
                detail=None if detail is None else load(detail),
            )
            for seq, at, event, actor, session, subject, tag, concerned, detail in rows
        ]
