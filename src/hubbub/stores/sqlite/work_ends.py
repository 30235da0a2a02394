"""What follows when a step ends, or an attempt at it: dependents, the project, parking."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hubbub.errors import BusBusy, BusFull, BusReadOnly
from hubbub.model import Actor
from hubbub.model_work import AGEING_MS, LOST_MAX, TRIES_MAX
from hubbub.names import project_id
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, one
from hubbub.stores.sqlite.due import expire_sessions
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.work_rows import SQL, project_row, step_row

PLANS = statements("plans.sql")


def note(
    tx: Write,
    now: int,
    event: str,
    actor: Actor | None,
    step: Row,
    *,
    attempt: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write a step's line of the ledger, and ring for those who wait for work."""
    add_event(tx.db, now, event, actor, project=step[2], step=step[0], attempt=attempt, detail=detail)
    ring(tx, step[2], step[3])


def ring(tx: Write, project: int, tag: int) -> None:
    """Whoever waits for work looks again."""
    tx.ring("work", f"work/{project_id(project, tag)}")


def finish(
    tx: Write, actor: Actor | None, step: int, now: int, status: str, cancelled_for: int | None = None
) -> None:
    """A step is over: ``completed``, ``failed``, ``parked`` or ``cancelled``; and what that leads to."""
    values = {"step": step, "status": status, "now": now, "cancelled_for": cancelled_for}
    tx.db.execute(SQL["end_step"], values)
    if status == "completed":
        tx.db.execute(SQL["meet_needs"], {"step": step, "merged": 0})
    else:
        tx.db.execute(SQL["go_on_without"], {"step": step})
    tx.db.execute(SQL["now_ready"], {"step": step, "now": now, "ageing": AGEING_MS})
    if status != "completed":
        cancel_with(tx, actor, step, now, cancelled_for or step)
    complete_project(tx, actor, step_row(tx.db, step)[2], now)


def cancel_with(tx: Write, actor: Actor | None, step: int, now: int, root: int) -> None:
    """Cancel what is not to be done without a step, and what is not to be done without that."""
    _cancel_all(
        tx, actor, [(row[0], step) for row in tx.db.execute(SQL["cancelled_with"], {"step": step})], now, root
    )


def cancel_one_with(tx: Write, actor: Actor, step: int, without: int, now: int, root: int) -> None:
    """The same for one of them alone."""
    _cancel_all(tx, actor, [(step, without)], now, root)


def _cancel_all(tx: Write, actor: Actor | None, left: list[tuple[int, int]], now: int, root: int) -> None:
    """Cancel steps, each with what it can't be done without, and all that follows from that."""
    while left:
        each, without = left.pop()
        if step_row(tx.db, each)[13] == "cancelled":
            continue  # it needed two that will not be done
        values = {"step": each, "status": "cancelled", "now": now, "cancelled_for": root}
        tx.db.execute(SQL["end_step"], values)
        tx.db.execute(SQL["go_on_without"], {"step": each})
        tx.db.execute(SQL["now_ready"], {"step": each, "now": now, "ageing": AGEING_MS})
        row = step_row(tx.db, each)
        because = step_row(tx.db, without)
        note(tx, now, "step_cancelled", actor, row, detail={"why": f"step {because[4]} is {because[13]}"})
        left += [(found[0], each) for found in tx.db.execute(SQL["cancelled_with"], {"step": each})]


def complete_project(tx: Write, actor: Actor | None, project: int, now: int) -> None:
    """An active project whose steps are all over, one of them done at least, is completed."""
    row = project_row(tx.db, project)
    not_started, claimed, in_progress, completed, merged, failed, parked, *_ = row[12:]
    if row[3] != "active" or not_started or claimed or in_progress or failed or parked:
        return
    if completed + merged:
        tx.db.execute(SQL["set_state"], {"project": project, "state": "completed"})
        add_event(tx.db, now, "project_completed", actor, project=project)
        ring(tx, project, row[1])


def end_attempt(
    tx: Write,
    attempt: int,
    now: int,
    state: str,
    *,
    started: bool = False,
    failure: str | None = None,
    reason: str | None = None,
    **left: Any,
) -> None:
    """live -> ``state``, with what the holder leaves behind: commit_id, files, notes, result."""
    values = {
        "attempt": attempt,
        "state": state,
        "now": now,
        "failure": failure,
        "reason": reason,
        "started_at": now if started else None,
        "commit_id": left.get("commit_id"),
        "files": dump(left["files"]) if left.get("files") else None,
        "notes": left.get("notes"),
        "result": left.get("result"),
    }
    tx.db.execute(SQL["end_attempt"], values)


def rest_or_park(
    tx: Write, actor: Actor | None, step: int, attempt: int, now: int, not_before: int | None
) -> str:
    """After an attempt that did not finish: not_started again from ``not_before``, or parked when the
    attempts are used up; which of them."""
    row = step_row(tx.db, step)
    charged, lost, tries = row[23], row[24], row[15] - row[25]
    if charged < row[16] and lost < LOST_MAX and tries < TRIES_MAX:
        give_back(tx, step, now, not_before)
        return "not_started"
    detail = {"failed": charged, "lost": lost, "attempts": tries}
    note(tx, now, "step_parked", actor, row, attempt=attempt, detail=detail)
    finish(tx, actor, step, now, "parked")
    return "parked"


def give_back(tx: Write, step: int, now: int, not_before: int | None) -> None:
    """claimed or in_progress -> not_started. It went on without what is to be done again by now: it waits for
    that after all."""
    tx.db.execute(SQL["give_back_step"], {"step": step, "not_before": not_before})
    tx.db.execute(SQL["rate_needs"], {"step": step})
    if step_row(tx.db, step)[14]:
        tx.db.execute(PLANS["rate_ready"], {"step": step, "now": now, "ageing": AGEING_MS})


def end_dead_sessions(core: Core) -> bool:
    """End the sessions that hold claims and missed their beats, if there are any: their claims are over soon.
    Whether there were."""
    with core.read() as db:
        row = one(db, SQL["holder_gone"], {"now": core.clock.now()})
    if row is None or not row[0]:
        return False
    # A look needs no turn: where nothing can be written, it shows what is written.
    with suppress(BusBusy, BusFull, BusReadOnly), core.write() as tx:
        return expire_sessions(tx, core.clock.now()) > 0
    return False


def expire(tx: Write, now: int) -> int:
    """End every claim whose lease ran out; how many."""
    rows = list(tx.db.execute(SQL["expired"], {"now": now}))
    for attempt, step, number, agent, session, until, limit in rows:
        lose(tx, Actor(agent, session), (attempt, step, number, until, limit), now, "claim_expired", None)
    return len(rows)


def lose(
    tx: Write, holder: Actor, claim: tuple[int, int, int, int, int], now: int, event: str, by: Actor | None
) -> str:
    """The lease of a claim ran out: the step is to be had again, or parked; which of them."""
    attempt, step, number, until, limit = claim
    late = until >= limit
    why = "its time limit passed" if late else "its lease ran out"
    end_attempt(tx, attempt, now, "lost", failure="timeout" if late else None, reason=why)
    tx.db.execute(SQL["charge"], {"step": step, "charged": int(late), "lost": int(not late), "forgiven": 0})
    detail = {"agent": holder.agent, "lease_until": until, "why": why}
    note(tx, now, event, by or holder, step_row(tx.db, step), attempt=number, detail=detail)
    return rest_or_park(tx, by, step, number, now, None)


def later(tx: Write, step: int, number: int) -> Row | None:
    """Who claimed the step after this attempt: ``(agent, number, claimed_at)``."""
    return one(tx.db, SQL["later_holder"], {"step": step, "number": number})
