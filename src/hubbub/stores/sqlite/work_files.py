"""Reservations of files, and who holds what."""

from __future__ import annotations

import json

import apsw

from hubbub.clock import to_iso
from hubbub.errors_work import PathHeld, ReservationNotFound
from hubbub.globs import overlap
from hubbub.model import Actor
from hubbub.model_work import Conflict, Reservation
from hubbub.names import new_tag, parse_id, reservation_id, step_id
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite.actors import admit, admit_to_stay
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, once, one
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.work_rows import SQL

FILES = statements("files.sql")


def reserve(
    core: Core, actor: Actor, globs: tuple[str, ...], ttl_ms: int, reason: str, key: str | None
) -> Reservation:
    """See :meth:`hubbub.stores.contract_work.WorkStore.reserve`."""
    with core.write() as tx:
        now = core.clock.now()  # the turn may have been long in coming
        admit_to_stay(tx, actor, now)
        ends.expire(tx, now)

        def act() -> dict[str, int]:
            held = conflicts_of(tx.db, dump(globs), actor.agent, now)
            if held:
                raise path_held(held, "nothing was reserved")
            values = {
                "tag": new_tag(),
                "agent": actor.agent,
                "globs": dump(globs),
                "reason": reason,
                "now": now,
                "until": now + ttl_ms,
            }
            tx.db.execute(FILES["add_reservation"], values)
            number = tx.db.last_insert_rowid()
            detail = {"globs": list(globs), "until": now + ttl_ms, "reservation": number}
            add_event(tx.db, now, "path_reserved", actor, agent=actor.agent, detail=detail)
            return {"reservation": number}

        answer, _ = once(tx, actor.agent, key, "reserve", lambda: [globs, ttl_ms, reason], now, act)
        row = one(tx.db, FILES["reservation_row"], {"reservation": answer["reservation"], "now": now})
        if row is None:
            raise ReservationNotFound("What this key reserved has run out or was released.")
        return _reservation(row)


def path_held(held: list[Conflict], so: str) -> PathHeld:
    """The error for files that others hold; ``so`` says what was not done."""
    first = held[0]
    reason = f" ({first.reason})" if first.reason else ""
    more = f", and {len(held) - 1} more" if len(held) > 1 else ""
    return PathHeld(
        f"{first.agent} holds {first.held} until {to_iso(first.until)}{reason}{more}; {so}.",
        conflicts=[{"agent": each.agent, "held": each.held, "wanted": each.wanted} for each in held[:20]],
    )


def _own(tx: Write, actor: Actor, id_: str, now: int) -> Row:
    parsed = parse_id("r", id_)
    row = one(tx.db, FILES["reservation_row"], {"reservation": parsed[0], "now": now}) if parsed else None
    if parsed is None or row is None or row[1] != parsed[1]:
        raise ReservationNotFound(f"There is no live reservation {ascii(id_)[:40]}.")
    if row[2] != actor.agent:
        raise ReservationNotFound(f"The reservation {id_} is of {row[2]}.")
    return row


def renew(core: Core, actor: Actor, id_: str, ttl_ms: int) -> Reservation:
    """See :meth:`hubbub.stores.contract_work.WorkStore.renew_reservation`."""
    with core.write() as tx:
        now = core.clock.now()  # the turn may have been long in coming
        admit(tx, actor, now)
        row = _own(tx, actor, id_, now)
        tx.db.execute(FILES["renew_reservation"], {"reservation": row[0], "until": now + ttl_ms})
        detail = {"reservation": row[0], "until": now + ttl_ms}
        add_event(tx.db, now, "path_renewed", actor, agent=actor.agent, detail=detail)
        return _reservation((*row[:6], now + ttl_ms))


def release(core: Core, actor: Actor, id_: str) -> Reservation:
    """See :meth:`hubbub.stores.contract_work.WorkStore.release_reservation`."""
    with core.write() as tx:
        now = core.clock.now()  # the turn may have been long in coming
        admit(tx, actor, now)
        row = _own(tx, actor, id_, now)
        _end(tx, actor, row[0], now)
        return _reservation(row)


def release_all(tx: Write, agent: str, now: int) -> None:
    """Give up all that an agent keeps: it leaves the bus."""
    for row in list(tx.db.execute(FILES["live_reservations"], {"now": now, "agent": agent})):
        _end(tx, Actor(agent), row[0], now)


def _end(tx: Write, actor: Actor, reservation: int, now: int) -> None:
    tx.db.execute(FILES["end_reservation"], {"reservation": reservation, "now": now})
    add_event(tx.db, now, "path_released", actor, agent=actor.agent, detail={"reservation": reservation})
    tx.ring("work")


def reservations(core: Core, agent: str | None) -> tuple[Reservation, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.reservations`."""
    values = {"now": core.clock.now(), "agent": agent}
    with core.read() as db:
        return tuple(_reservation(row) for row in db.execute(FILES["live_reservations"], values))


def conflicts(core: Core, globs: tuple[str, ...], but: str | None) -> tuple[Conflict, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.conflicts`."""
    now = core.clock.now()
    with core.read() as db:
        return tuple(conflicts_of(db, dump(globs), but, now))


def conflicts_of(
    db: apsw.Connection, globs: str, but: str | None, now: int, *, own_claims: bool = False
) -> list[Conflict]:
    """Who holds files that ``globs`` (a JSON list) could name. What ``but`` itself holds is no conflict, but
    with ``own_claims`` its live claims are: two claims never overlap, whoever holds them."""
    wanted: list[str] = json.loads(globs)
    found: list[Conflict] = []
    if not wanted:
        return found
    for row in db.execute(FILES["live_reservations"], {"now": now, "agent": None}):
        if row[2] != but:
            id_ = reservation_id(row[0], row[1])
            found += _meeting(wanted, load(row[3]), row[2], id_, row[6], row[4])
    for step, tag, paths, agent, until, title, num in db.execute(SQL["held_paths"], {"now": now}):
        if own_claims or agent != but:
            reason = f"step {num}: {title}"
            found += _meeting(wanted, load(paths), agent, step_id(step, tag), until, reason)
    return found


def _meeting(
    wanted: list[str], held: list[str], agent: str, what: str, until: int, reason: str
) -> list[Conflict]:
    return [
        Conflict(agent, one_wanted, one_held, what, until, reason)
        for one_wanted in wanted
        for one_held in held
        if overlap(one_wanted, one_held)
    ]


def _reservation(row: Row) -> Reservation:
    return Reservation(reservation_id(row[0], row[1]), row[2], tuple(load(row[3])), row[4], row[5], row[6])


def limit(core: Core, actor: Actor, resource: str, count: int) -> None:
    """See :meth:`hubbub.stores.contract_work.WorkStore.limit_resource`."""
    with core.write() as tx:
        now = core.clock.now()  # the turn may have been long in coming
        admit(tx, actor, now)
        tx.db.execute(FILES["set_limit"], {"resource": resource, "count": count})
        detail = {"resource": resource, "count": count}
        add_event(tx.db, now, "resource_limited", actor, detail=detail)
        tx.ring("work")
