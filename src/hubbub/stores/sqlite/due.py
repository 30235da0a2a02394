"""What falls due as time passes, done within a write: leases, expiries, sessions without beats."""

from __future__ import annotations

from typing import Any

from hubbub.clock import to_iso
from hubbub.model import MAX_DELIVERIES, Actor
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import add_event, one
from hubbub.stores.sqlite.rows import with_reason
from hubbub.stores.sqlite.statements import statements

_MAIL = statements("mail.sql")
_AGENTS = statements("agents.sql")
_PENDING = statements("pending.sql")


def do_due_of(tx: Write, agent: str, now: int) -> None:
    """Bring one inbox up to date."""
    for row in list(tx.db.execute(_MAIL["due_leases_of"], {"agent": agent, "now": now})):
        _take_back(tx, row, now, "lease_expired", "lease ran out")
    expire_messages(tx, now)


def take_back_due(tx: Write, now: int) -> int:
    """Take back every lease that ran out; how many."""
    rows = list(tx.db.execute(_MAIL["due_leases"], {"now": now}))
    for row in rows:
        _take_back(tx, row, now, "lease_expired", "lease ran out")
    return len(rows)


def take_back_of_session(
    tx: Write, agent: str, session: str, now: int, why: str, unseen: frozenset[int] = frozenset()
) -> None:
    """Take back all that a session has in hand; those ``unseen`` never left the process."""
    for row in list(tx.db.execute(_MAIL["leases_of_session"], {"agent": agent, "session": session})):
        if row[0] in unseen:
            give_back(tx, row, now, Actor(row[1], session), unseen=True)
        else:
            _take_back(tx, row, now, "lease_expired", why)


def _take_back(tx: Write, row: Row, now: int, event: str, why: str) -> None:
    """leased -> queued, or dead once the deliveries are used up."""
    message, agent, count, session, reasons = row
    reason = f"{to_iso(now)} hand-out {count}: {why}" + (f" (session {session})" if session else "")
    known = with_reason(reasons, reason)
    holder = Actor(agent, session)
    if count >= MAX_DELIVERIES:
        known = with_reason(known, f"{to_iso(now)} dead: handed out {count} times and never settled")
        tx.db.execute(_MAIL["bury"], {"agent": agent, "message": message, "now": now, "reasons": known})
        add_event(tx.db, now, event, holder, message=message, agent=agent, detail={"why": why})
        add_event(
            tx.db, now, "message_dead", None, message=message, agent=agent, detail={"deliveries": count}
        )
        tx.ring(f"room/{agent}")
        return
    values = {
        "agent": agent,
        "message": message,
        "now": now,
        "not_before": None,
        "uncount": 0,
        "reasons": known,
    }
    tx.db.execute(_MAIL["requeue"], values)
    add_event(tx.db, now, event, holder, message=message, agent=agent, detail={"why": why})
    tx.ring(f"inbox/{agent}")


def give_back(
    tx: Write, row: Row, now: int, actor: Actor, *, not_before: int | None = None, unseen: bool
) -> None:
    """leased -> queued on purpose. ``row`` is ``(message, agent, count, session, reasons)``."""
    message, agent, _, _, reasons = row
    values = {
        "agent": agent,
        "message": message,
        "now": now,
        "not_before": not_before,
        "uncount": 1 if unseen else 0,
        "reasons": reasons,
    }
    tx.db.execute(_MAIL["requeue"], values)
    detail = {"unseen": True} if unseen else {"not_before": not_before} if not_before else None
    add_event(tx.db, now, "message_released", actor, message=message, agent=agent, detail=detail)
    tx.ring(f"inbox/{agent}")


def expire_messages(tx: Write, now: int) -> int:
    """queued -> dead for every message that nobody took within its time; how many."""
    rows = list(tx.db.execute(_MAIL["due_expiries"], {"now": now}))
    for message, agent, reasons, count in rows:
        known = with_reason(reasons, f"{to_iso(now)} expired: nobody took it within its time")
        tx.db.execute(_MAIL["bury"], {"agent": agent, "message": message, "now": now, "reasons": known})
        add_event(tx.db, now, "message_expired", None, message=message, agent=agent)
        if not count:
            # Nobody saw it: housekeeping tells who asked, and reminds nobody.
            tx.db.execute(_PENDING["note_unseen"], {"message": message, "debtor": agent, "now": now})
        tx.ring(f"room/{agent}")
    return len(rows)


def expire_sessions(tx: Write, now: int) -> int:
    """live -> expired for every session that missed its beats; how many."""
    rows = list(tx.db.execute(_AGENTS["overdue_sessions"], {"now": now}))
    for session, agent in rows:
        end_session(tx, session, agent, now, "expired", "no beat in time")
        give_back_unused_name(tx, agent, now)
    return len(rows)


def end_session(
    tx: Write,
    session: str,
    agent: str,
    now: int,
    state: str,
    why: str,
    unseen: frozenset[int] = frozenset(),
    *,
    gone: bool = False,
) -> None:
    """live -> ``state``, with all that it had in hand taken back. One that expired, or is ``gone``, did
    not end by its own word: nobody is to wait for its claims."""
    tx.db.execute(_AGENTS["end_session"], {"id": session, "state": state, "now": now, "why": why})
    tx.db.execute(_AGENTS["seen"], {"name": agent, "now": now})
    take_back_of_session(tx, agent, session, now, f"its session {state}", unseen)
    if one(tx.db, _AGENTS["holds_hands"], {"id": session}) is not None:
        from hubbub.stores.sqlite.topic_hands import return_of_session  # few sessions end so

        return_of_session(tx, session, now, f"its session {state}")
    for message, asker, answer in list(tx.db.execute(_PENDING["waits_of_session"], {"session": session})):
        tx.db.execute(_PENDING["end_wait"], {"message": message})
        if answer is not None:
            tx.db.execute(_PENDING["free_answer"], {"agent": asker, "message": answer})
    if gone or state == "expired":
        from hubbub.model_work import ORPHAN_MS  # a send and a receive do without

        tx.db.execute(_AGENTS["orphan_claims"], {"id": session, "until": now + ORPHAN_MS})
        if tx.db.changes():
            tx.ring("work")  # what waits for them waits less long
    event = {"superseded": "session_superseded", "expired": "session_expired"}.get(state, "session_ended")
    add_event(tx.db, now, event, Actor(agent, session), agent=agent, detail={"why": why})
    # The session itself may be waiting for mail: it must learn that it lost the name.
    tx.ring("agents", f"inbox/{agent}")


def give_back_unused_name(tx: Write, name: str, now: int) -> None:
    """Take a made-up name off the bus whose session is over and that neither sent nor was sent anything."""
    agent = one(tx.db, _AGENTS["agent_row"], {"name": name})
    if agent is not None and agent[11] and agent[10] is None:
        unregister(tx, name, now, None, {"why": "a made-up name that was not used"})


def unregister(tx: Write, name: str, now: int, actor: Actor | None, detail: dict[str, Any] | None) -> None:
    """The name leaves the bus; its row stays for its mail."""
    from hubbub.stores.sqlite.waiving import agent_leaves  # few names leave

    agent_leaves(tx, name, now)
    tx.db.execute(_AGENTS["unregister_agent"], {"name": name, "now": now})
    add_event(tx.db, now, "agent_unregistered", actor, agent=name, detail=detail)
    tx.ring("agents")
