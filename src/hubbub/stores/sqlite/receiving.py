"""Receiving: leases, settlement, release."""

from __future__ import annotations

from typing import Any

from hubbub.errors import (
    AlreadySettled,
    DeliveryDead,
    NotLeased,
    NotYourMessage,
)
from hubbub.model import LEASE_MS, Actor, Delivery, Filter, Handout
from hubbub.names import PRIORITIES, parse_message_id
from hubbub.stores.sqlite.actors import admit, check_actor, refuse_publisher
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, once, one, seq_of
from hubbub.stores.sqlite.debts import refuse_awaited
from hubbub.stores.sqlite.due import do_due_of, give_back
from hubbub.stores.sqlite.rows import delivery_of, within_bytes
from hubbub.stores.sqlite.sending import find_message, settle_one
from hubbub.stores.sqlite.statements import statements

_SQL = statements("mail.sql")
_AGENTS = statements("agents.sql")
_SIZE = 16
"""The column of ``hand_out`` that tells a message's bytes."""


def receive(
    core: Core,
    actor: Actor,
    wanted: Filter,
    limit: int,
    max_bytes: int | None,
    lease_ms: int | None,
    settle: tuple[str, ...],
    key: str | None,
) -> Handout:
    """See :meth:`hubbub.stores.contract.MailStore.receive`."""
    now = core.clock.now()
    if not settle and key is None:
        # An empty inbox is the common case while waiting: answer it without taking the turn to write.
        empty = _nothing_to_do(core, actor, wanted, now)
        if empty is not None:
            return empty
    with core.write() as tx:
        state = admit(tx, actor, now)
        refuse_publisher(actor, state.role)
        until = now + (LEASE_MS if lease_ms is None else lease_ms)
        handed: list[Delivery] = []

        _settle_known(tx, actor, settle, now)
        do_due_of(tx, actor.agent, now)

        def act() -> list[str]:
            handed.extend(_lease(tx, actor, wanted, limit, max_bytes, now, until))
            return [delivery.message.id for delivery in handed]

        def ask() -> tuple[list[str], bool]:
            request = [wanted, limit, max_bytes, lease_ms]
            return once(tx, actor.agent, key, "receive", lambda: request, now, act)

        ids, repeated = ask()
        if repeated:
            handed = _still_handed(tx, actor, ids)
            if not handed:
                # Nothing of the first answer is in hand any more: this is a new request.
                tx.db.execute(_AGENTS["forget_answer"], {"agent": actor.agent, "key": key})
                ask()
        remaining, next_due = _rest(tx, actor.agent, now)
    return Handout(tuple(handed), remaining, next_due)


def _nothing_to_do(core: Core, actor: Actor, wanted: Filter, now: int) -> Handout | None:
    with core.read() as db:
        state = check_actor(db, actor, now)
        refuse_publisher(actor, state.role)
        due = one(db, _SQL["anything_due_of"], {"agent": actor.agent, "now": now})
        if state.lapsed or (due is not None and due[0]):
            return None
        row = one(db, _SQL["queued_count"], {"agent": actor.agent})
        queued = row[0] if row else 0
        if queued and (
            wanted == Filter()
            or one(db, _SQL["hand_out"], hand_out_values(actor.agent, wanted, now, 1)) is not None
        ):
            return None
        next_due = one(db, _SQL["next_due"], {"agent": actor.agent, "now": now})
        return Handout((), queued, next_due[0] if next_due else None)


def hand_out_values(agent: str, wanted: Filter, now: int, limit: int) -> dict[str, Any]:
    """The bindings of ``hand_out``."""
    parsed = parse_message_id(wanted.thread) if wanted.thread else None
    return {
        "agent": agent,
        "now": now,
        "sender": wanted.sender,
        "kind": wanted.kind,
        "priority": None if wanted.priority is None else PRIORITIES.index(wanted.priority),
        "thread": wanted.thread,
        "thread_seq": parsed[0] if parsed else None,
        "thread_tag": parsed[1] if parsed else None,
        "limit": limit,
    }


def _lease(
    tx: Write, actor: Actor, wanted: Filter, limit: int, max_bytes: int | None, now: int, until: int
) -> list[Delivery]:
    rows = tx.db.execute(_SQL["hand_out"], hand_out_values(actor.agent, wanted, now, limit))
    handed = []
    for row in within_bytes(rows, max_bytes, _SIZE):
        values = {
            "agent": actor.agent,
            "message": row[0],
            "session": actor.session,
            "until": until,
            "now": now,
        }
        tx.db.execute(_SQL["lease"], values)
        delivery = delivery_of(row, actor.agent, "leased", until, handed=1)
        add_event(
            tx.db,
            now,
            "message_received",
            actor,
            message=row[0],
            agent=actor.agent,
            detail={"hand-out": delivery.delivery_count} if delivery.redelivered else None,
        )
        handed.append(delivery)
    return handed


def _still_handed(tx: Write, actor: Actor, ids: list[str]) -> list[Delivery]:
    """What an earlier receive with the same key handed out and is still leased."""
    found = []
    for id_ in ids:
        seq = find_message(tx, id_)
        row = one(tx.db, _SQL["message_row"], {"seq": seq})
        delivery = one(tx.db, _SQL["delivery_row"], {"agent": actor.agent, "message": seq})
        if (
            row is not None
            and delivery is not None
            and (delivery[0], delivery[3]) == ("leased", actor.session)
        ):
            found.append(delivery_of((*row, delivery[1], delivery[6]), actor.agent, "leased", delivery[4]))
    return found


def _rest(tx: Write, agent: str, now: int) -> tuple[int, int | None]:
    row = one(tx.db, _SQL["queued_count"], {"agent": agent})
    remaining = row[0] if row else 0
    due = one(tx.db, _SQL["next_due"], {"agent": agent, "now": now})
    return remaining, due[0] if due else None


def settle(core: Core, actor: Actor, ids: tuple[str, ...], key: str | None) -> tuple[str, ...]:
    """See :meth:`hubbub.stores.contract.MailStore.settle`."""
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)

        def act() -> list[str]:
            do_due_of(tx, actor.agent, now)
            for id_ in ids:
                _settle_explicitly(tx, actor, id_, now)
            return list(ids)

        answer, _ = once(tx, actor.agent, key, "settle", lambda: ids, now, act)
    return tuple(answer)


def _settle_explicitly(tx: Write, actor: Actor, id_: str, now: int) -> None:
    seq, row = _own(tx, actor, id_)
    if row[0] == "settled":
        if row[5] == "implicit":
            return  # the caller could not know that it was settled for it
        raise AlreadySettled(f"{id_} was settled before.", message_id=id_)
    if row[0] == "dead":
        raise DeliveryDead(
            f"{id_} is a dead letter.", hint=f"Bring it back with: hubbub dead retry {id_}", message_id=id_
        )
    if row[0] == "queued":
        refuse_awaited(tx, seq, id_, now)
    settle_one(tx, actor, seq, now, "acknowledge", row[0])


def settle_implicitly(core: Core, actor: Actor, ids: tuple[str, ...]) -> tuple[str, ...]:
    """See :meth:`hubbub.stores.contract.MailStore.settle_implicitly`."""
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)
        return _settle_known(tx, actor, ids, now)


def _settle_known(tx: Write, actor: Actor, ids: tuple[str, ...], now: int) -> tuple[str, ...]:
    """Settle those that are still leased to this session, even past their time; skip the others."""
    settled = []
    for id_ in ids:
        seq = seq_of(tx.db, id_)
        row = (
            None if seq is None else one(tx.db, _SQL["delivery_row"], {"agent": actor.agent, "message": seq})
        )
        if seq is not None and row is not None and (row[0], row[3]) == ("leased", actor.session):
            settle_one(tx, actor, seq, now, "implicit", "leased")
            settled.append(id_)
    return tuple(settled)


def release(
    core: Core, actor: Actor, ids: tuple[str, ...], delay_ms: int, unseen: bool, key: str | None
) -> tuple[str, ...]:
    """See :meth:`hubbub.stores.contract.MailStore.release`."""
    now = core.clock.now()
    not_before = now + delay_ms if delay_ms else None
    with core.write() as tx:
        admit(tx, actor, now)

        def act() -> list[str]:
            do_due_of(tx, actor.agent, now)
            for id_ in ids:
                seq, row = _own(tx, actor, id_)
                if row[0] == "leased" and row[3] != actor.session:
                    raise NotLeased(
                        f"{id_} is in the hands of another session of {actor.agent}.",
                        hint="That session can give it back; or wait until its lease ends.",
                        message_id=id_,
                    )
                if row[0] != "leased":
                    raise NotLeased(
                        f"{id_} is {row[0]}, not in hand.",
                        hint="Only a message that was received and not settled can be given back.",
                        message_id=id_,
                    )
                lease = (seq, actor.agent, row[1], row[3], row[6])
                give_back(tx, lease, now, actor, not_before=not_before, unseen=unseen)
            return list(ids)

        answer, _ = once(tx, actor.agent, key, "release", lambda: [ids, delay_ms], now, act)
    return tuple(answer)


def _own(tx: Write, actor: Actor, id_: str) -> tuple[int, Row]:
    """The ``seq`` and the actor's delivery of message ``id_``."""
    seq = find_message(tx, id_)
    row = one(tx.db, _SQL["delivery_row"], {"agent": actor.agent, "message": seq})
    if row is None:
        raise NotYourMessage(f"{id_} is not in the mail of {actor.agent}.", hint="", message_id=id_)
    return seq, row
