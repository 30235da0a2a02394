"""Calls that wait for the answer to their request: the answer is kept for them until they are gone."""

from __future__ import annotations

from hubbub.errors import NotYourMessage
from hubbub.model import LEASE_MS, Actor, Delivery
from hubbub.model_pending import Awaited
from hubbub.stores.sqlite.actors import admit, check_actor
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, one, seq_of
from hubbub.stores.sqlite.due import do_due_of
from hubbub.stores.sqlite.rows import delivery_of
from hubbub.stores.sqlite.sending import find_message
from hubbub.stores.sqlite.statements import statements

_SQL = statements("pending.sql")
_MAIL = statements("mail.sql")


def await_answer(core: Core, actor: Actor, id_: str, lease_ms: int) -> Awaited:
    """See :meth:`hubbub.stores.contract_pending.PendingStore.await_answer`."""
    with core.read() as db:
        now = core.clock.now()
        lapsed = check_actor(db, actor, now).lapsed
        # A look is enough while nothing has changed and the time is not half over; a time further away
        # than it can be was written before the clock was set back.
        seq = seq_of(db, id_)
        row = None if seq is None or lapsed else one(db, _SQL["wait_row"], {"message": seq})
        mine = row is not None and row[:2] == (actor.agent, actor.session)
        if mine and row is not None and row[3] is None and lease_ms // 2 < row[2] - now <= lease_ms:
            return Awaited("waiting")
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        seq = _own_request(tx, actor, id_)
        found = _look(tx, actor, seq, now, take=True)
        if found is not None:
            return found
        until = now + lease_ms
        values = {"message": seq, "asker": actor.agent, "session": actor.session, "until": until}
        tx.db.execute(_SQL["move_wait"], values)
        return Awaited("waiting")


def stop_waiting(core: Core, actor: Actor, id_: str, take: bool) -> Awaited:
    """See :meth:`hubbub.stores.contract_pending.PendingStore.stop_waiting`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        seq = _own_request(tx, actor, id_)
        found = _look(tx, actor, seq, now, take=take)
        tx.db.execute(_SQL["end_wait"], {"message": seq})
        return found or Awaited("over")


def _own_request(tx: Write, actor: Actor, id_: str) -> int:
    seq = find_message(tx, id_)
    row = one(tx.db, _MAIL["message_row"], {"seq": seq})
    if row is None or row[2] != actor.agent:
        raise NotYourMessage(f"{id_} was not sent by {actor.agent}.", hint="Wait for answers to your own.")
    return seq


def _look(tx: Write, actor: Actor, seq: int, now: int, *, take: bool) -> Awaited | None:
    """What came of the request so far; None while nothing did."""
    row = one(tx.db, _SQL["wait_row"], {"message": seq})
    answer = None if row is None else row[3]
    if answer is None:
        first = one(tx.db, _SQL["first_answer"], {"message": seq, "asker": actor.agent})
        answer = None if first is None else first[0]
    if answer is None:
        states = {state for _, state, _ in tx.db.execute(_SQL["debts_of_message"], {"message": seq})}
        if states == {"waived"}:
            tx.db.execute(_SQL["end_wait"], {"message": seq})
            return Awaited("closed")
        if "open" in states and one(tx.db, _SQL["debtor_is_there"], {"message": seq}) is None:
            tx.db.execute(_SQL["end_wait"], {"message": seq})
            return Awaited("left")
        return None
    do_due_of(tx, actor.agent, now)
    delivery = one(tx.db, _MAIL["delivery_row"], {"agent": actor.agent, "message": answer})
    tx.db.execute(_SQL["end_wait"], {"message": seq})
    if delivery is None or delivery[0] != "queued":
        shown = one(tx.db, _MAIL["message_row"], {"seq": answer})
        assert shown is not None  # it answers a message, and messages stay
        state, count, reasons = ("settled", 1, None) if delivery is None else (*delivery[:2], delivery[6])
        return Awaited("elsewhere", delivery_of((*shown, count, reasons), actor.agent, state))
    if not take:
        tx.db.execute(_SQL["free_answer"], {"agent": actor.agent, "message": answer})
        tx.ring(f"inbox/{actor.agent}")
        return None
    return Awaited("given", _hand_out(tx, actor, answer, delivery, now))


def _hand_out(tx: Write, actor: Actor, answer: int, delivery: Row, now: int) -> Delivery:
    until = now + LEASE_MS
    lease = {"agent": actor.agent, "message": answer, "session": actor.session, "until": until, "now": now}
    tx.db.execute(_MAIL["lease"], lease)
    row = one(tx.db, _MAIL["message_row"], {"seq": answer})
    assert row is not None
    found = delivery_of((*row, delivery[1], delivery[6]), actor.agent, "leased", until, handed=1)
    detail = {"hand-out": found.delivery_count} if found.redelivered else None
    add_event(tx.db, now, "message_received", actor, message=answer, agent=actor.agent, detail=detail)
    return found
