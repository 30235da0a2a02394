"""Answers that are owed, in SQLite. See :class:`hubbub.stores.contract_pending.PendingStore`."""

from __future__ import annotations

from typing import Any

from hubbub.errors import NothingOwed, NotYourMessage
from hubbub.model import Actor
from hubbub.model_pending import Awaited, Debt
from hubbub.names import message_id
from hubbub.stores.sqlite import waits
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import Core, one, seq_of
from hubbub.stores.sqlite.sending import find_message
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.waiving import end_wait_for_nothing, settle_unread, waive_one

_SQL = statements("pending.sql")
_MAIL = statements("mail.sql")


class SqlitePending:
    """The facet of answers that are owed."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def owed(
        self,
        *,
        debtor: str | None = None,
        asker: str | None = None,
        message: str | None = None,
        closed: bool = False,
        after: int = 0,
        limit: int = 100,
    ) -> list[Debt]:
        """Debts that match."""
        values: dict[str, Any] = {"debtor": debtor, "asker": asker, "message": None, "after": after}
        values.update(closed=closed, limit=limit)
        name = "debt_rows"
        if message is None and not closed and (debtor or asker):
            name = "debt_rows_owed_by" if debtor else "debt_rows_owed_to"
        with self._core.read() as db:
            if message is not None:
                values["message"] = seq_of(db, message)
                if values["message"] is None:
                    return []
            rows = list(db.execute(_SQL[name], values))
            if len(rows) == limit:
                # The others of the last message: after its seq, they would be missed.
                last = {**values, "message": rows[-1][0], "after": rows[-1][0] - 1, "limit": -1}
                rows = [row for row in rows if row[0] != rows[-1][0]]
                rows += db.execute(_SQL["debt_rows"], last)
        return [_debt(row) for row in rows]

    def waive(
        self, actor: Actor | None, id: str, *, debtor: str | None = None, reason: str = ""
    ) -> tuple[Debt, ...]:
        """open -> waived."""
        with self._core.write() as tx:
            now = self._core.clock.now()
            if actor is not None:
                admit(tx, actor, now)
            seq = find_message(tx, id)
            row = one(tx.db, _MAIL["message_row"], {"seq": seq})
            if actor is not None and (row is None or row[2] != actor.agent):
                raise NotYourMessage(
                    f"{id} was not asked by {actor.agent}.",
                    hint="Only who asked can waive the answer; one who was asked declines: answer it with "
                    "kind declined and the reason.",
                )
            waived = []
            for name, state, reminder in list(tx.db.execute(_SQL["debts_of_message"], {"message": seq})):
                if state != "open" or debtor not in (None, name):
                    continue
                waive_one(tx, seq, name, reminder, actor, now, reason)
                settle_unread(tx, seq, name, now, reason)
                waived.append(name)
            if waived:
                end_wait_for_nothing(tx, seq, id)
        found = self.owed(message=id, closed=True)
        if not waived:
            raise _nothing_owed(id, debtor, found)
        return tuple(debt for debt in found if debt.debtor in waived)

    def await_answer(self, actor: Actor, id: str, *, lease_ms: int) -> Awaited:
        """The answer, or more time."""
        return waits.await_answer(self._core, actor, id, lease_ms)

    def stop_waiting(self, actor: Actor, id: str, *, take: bool) -> Awaited:
        """Wait no longer."""
        return waits.stop_waiting(self._core, actor, id, take)


def _nothing_owed(id_: str, debtor: str | None, found: list[Debt]) -> NothingOwed:
    """The refusal of a waiver, which says what became of what was owed."""
    closed = [debt for debt in found if debtor in (None, debt.debtor)]
    if not closed:
        return NothingOwed(f"No answer to {id_} is owed{f' by {debtor}' if debtor else ''}.", message_id=id_)
    said = "; ".join(
        f"{debt.debtor} {debt.state} it with {debt.answer}"
        if debt.answer
        else f"that of {debt.debtor} was waived"
        for debt in closed[:10]
    )
    return NothingOwed(f"No answer to {id_} is owed any more: {said}.", message_id=id_)


def _debt(row: Row) -> Debt:
    seq, tag, debtor, asker, kind, subject, thread, asked_at, due, state, reminders, next_at, *rest = row
    escalated_at, delivery, closed_at, answer, answer_tag, why = rest
    return Debt(
        message=message_id(seq, tag),
        seq=seq,
        debtor=debtor,
        asker=asker,
        kind=kind,
        subject=subject,
        thread=thread or message_id(seq, tag),
        asked_at=asked_at,
        due=due,
        state=state,
        reminders=reminders,
        next_at=next_at,
        escalated_at=escalated_at,
        delivery=delivery or "gone",
        closed_at=closed_at,
        answer=None if answer is None or answer_tag is None else message_id(answer, answer_tag),
        why=why or "",
    )
