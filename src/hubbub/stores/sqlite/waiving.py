"""Debts that end without an answer: waived by who asked, or because the question or who asked is gone."""

from __future__ import annotations

from hubbub.model import Actor
from hubbub.names import message_id
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import add_event, one
from hubbub.stores.sqlite.debts import is_awaited, withdraw
from hubbub.stores.sqlite.due import do_due_of
from hubbub.stores.sqlite.statements import statements

_SQL = statements("pending.sql")
_MAIL = statements("mail.sql")


def waive_one(
    tx: Write, message: int, debtor: str, reminder: int | None, actor: Actor | None, now: int, why: str
) -> None:
    """open -> waived, with its event; an unread reminder goes."""
    values = {"message": message, "debtor": debtor, "state": "waived", "answer": None, "now": now}
    tx.db.execute(_SQL["close_debt"], {**values, "why": why or None})
    withdraw(tx, debtor, reminder, now)
    detail = {"why": why} if why else None
    add_event(tx.db, now, "answer_waived", actor, message=message, agent=debtor, detail=detail)


def settle_unread(tx: Write, message: int, debtor: str, now: int, why: str) -> None:
    """A waived question that nobody has taken out of the inbox is taken out: nobody is to work for
    nothing."""
    do_due_of(tx, debtor, now)
    where = {"agent": debtor, "message": message}
    row = one(tx.db, _MAIL["delivery_row"], where)
    if row is None or row[0] != "queued" or is_awaited(tx, message, now):
        return
    tx.db.execute(_MAIL["settle"], {**where, "how": "implicit", "now": now})
    detail = {"why": "waived", **({"reason": why} if why else {})}
    add_event(tx.db, now, "message_settled", None, message=message, agent=debtor, detail=detail)
    tx.ring(f"room/{debtor}")


def end_wait_for_nothing(tx: Write, message: int, id_: str) -> None:
    """A call that waits for the answer looks again; where no answer can come it waits no longer."""
    if all(row[1] == "waived" for row in tx.db.execute(_SQL["debts_of_message"], {"message": message})):
        tx.db.execute(_SQL["end_wait"], {"message": message})
    tx.ring(f"answer/{id_}")


def question_removed(tx: Write, message: int, debtor: str, actor: Actor | None, now: int) -> None:
    """The debtor's copy of a message was deleted: it can't answer any more."""
    row = one(tx.db, _SQL["debt_state"], {"message": message, "debtor": debtor})
    if row is None or row[0] != "open":
        return
    waive_one(tx, message, debtor, row[1], actor, now, "question removed")
    shown = one(tx.db, _MAIL["message_row"], {"seq": message})
    if shown is not None:
        end_wait_for_nothing(tx, message, message_id(message, shown[1]))


def waive_all(tx: Write, asker: str, now: int, why: str) -> None:
    """What an agent asked can't be answered any more, because it has no inbox. The questions stay where
    they are: a task that was handed out may be wanted all the same."""
    for message, tag, debtor, reminder in list(tx.db.execute(_SQL["debts_to_asker"], {"asker": asker})):
        waive_one(tx, message, debtor, reminder, None, now, why)
        tx.ring(f"answer/{message_id(message, tag)}")
    for message, tag, answer in list(tx.db.execute(_SQL["waits_of_asker"], {"asker": asker})):
        tx.db.execute(_SQL["end_wait"], {"message": message})
        if answer is not None:
            tx.db.execute(_SQL["free_answer"], {"agent": asker, "message": answer})
        tx.ring(f"answer/{message_id(message, tag)}")


def agent_leaves(tx: Write, name: str, now: int) -> None:
    """The name leaves the bus: nobody owes it anything, and calls that wait for its answer look again."""
    waive_all(tx, name, now, f"{name} left the bus")
    for message, tag in list(tx.db.execute(_SQL["waits_on_debtor"], {"debtor": name})):
        # A look that finds its wait unchanged does not look further.
        tx.db.execute(_SQL["end_wait"], {"message": message})
        tx.ring(f"answer/{message_id(message, tag)}")
