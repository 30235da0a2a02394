"""Claims: had, adopted, begun, renewed, and ended by their holder."""

from __future__ import annotations

from typing import Any

import apsw

from hubbub.clock import to_iso
from hubbub.errors_work import ClaimLost, ClaimNotFound, StepCompletedOtherwise
from hubbub.model import Actor
from hubbub.model_work import (
    AGEING_MS,
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    LEASE_MIN_MS,
    Claim,
    Nothing,
    Step,
    Wanted,
)
from hubbub.names import new_token
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite import work_files, work_telling
from hubbub.stores.sqlite.actors import admit, check_actor
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, once, one
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.work_explain import explain
from hubbub.stores.sqlite.work_free import Held, ask_while
from hubbub.stores.sqlite.work_nothing import Asked, resolve, why_nothing
from hubbub.stores.sqlite.work_rows import (
    EARLIER_MAX,
    SQL,
    attempt_of,
    done_of,
    project_of,
    project_row,
    step_of,
    step_row,
)

_AGENTS = statements("agents.sql")


def claim(
    core: Core, actor: Actor, wanted: Wanted, lease_ms: int, start: bool, key: str | None
) -> Claim | Nothing:
    """See :meth:`hubbub.stores.contract_work.WorkStore.claim`."""
    found = _claim(core, actor, wanted, lease_ms, start, key)
    if isinstance(found, Nothing) and ends.end_dead_sessions(core):
        found = _claim(core, actor, wanted, lease_ms, start, key)  # what they held is to be had sooner
    return found


def _claim(
    core: Core, actor: Actor, wanted: Wanted, lease_ms: int, start: bool, key: str | None
) -> Claim | Nothing:
    # Nothing to claim is the common case while waiting: answer it without taking the turn to write.
    nothing = _nothing_there(core, actor, wanted, key)
    if nothing is not None:
        return nothing
    with core.write() as tx:
        # Waiting for the turn takes time: what ran out meanwhile is over, and a new lease begins now.
        now = core.clock.now()
        state = admit(tx, actor, now)
        work_telling.expire(tx, now)
        asked = resolve(tx.db, wanted)
        if isinstance(asked, Nothing):
            return asked

        def act() -> dict[str, Any]:
            return _take(tx, actor, asked, lease_ms, start, now)

        def ask() -> tuple[Any, bool]:
            request = [wanted, lease_ms, start]
            return once(tx, actor.agent, key, "claim", lambda: request, now, act)

        answer, repeated = ask()
        if repeated and not _is_live(tx, answer["token"]):
            # What the key had is over: this is a new request.
            tx.db.execute(_AGENTS["forget_answer"], {"agent": actor.agent, "key": key})
            answer, repeated = ask()
        if not answer:
            return why_nothing(tx.db, asked, actor.agent, now)
        if state.ephemeral:
            tx.db.execute(_AGENTS["agent_takes_part"], {"name": actor.agent})
    with core.read() as db:  # what the claim shows needs no turn, and others wait for theirs
        return claim_of(db, answer["token"])._replace(repeated=repeated)


def _nothing_there(core: Core, actor: Actor, wanted: Wanted, key: str | None) -> Nothing | None:
    """Why there is nothing, or None when there is something to do, or may be."""
    now = core.clock.now()
    with core.read() as db:
        if check_actor(db, actor, now).lapsed:
            return None
        if key is not None and one(db, _AGENTS["answer_of"], {"agent": actor.agent, "key": key}) is not None:
            return None
        asked = resolve(db, wanted)
        if isinstance(asked, Nothing):
            return asked
        expired = one(db, SQL["anything_expired"], {"now": now})
        if expired is not None and expired[0]:
            return None
        if _anything_ready(db, asked, actor.agent, now):
            return None
        return why_nothing(db, asked, actor.agent, now)


def _anything_ready(db: apsw.Connection, asked: Asked, agent: str, now: int) -> bool:
    if asked.step is not None:
        return not explain(db, asked.step, agent, now)
    ask_while(db, Held(db, agent, now))
    values: dict[str, Any] = {"project": asked.project, "now": now, "ageing": AGEING_MS}
    if asked.scope is None:
        row = one(db, SQL["anything_ready"], values)
    else:
        row = one(db, SQL["anything_ready_of_scope"], {**values, "scope": asked.scope})
    return row is not None and bool(row[0])


def _take(tx: Write, actor: Actor, asked: Asked, lease_ms: int, start: bool, now: int) -> dict[str, Any]:
    ask_while(tx.db, Held(tx.db, actor.agent, now))
    name = "claim_one" if asked.step is not None else "claim_any" if asked.scope is None else "claim_of_scope"
    values: dict[str, Any] = {
        "status": "in_progress" if start else "claimed",
        "now": now,
        "ageing": AGEING_MS,
    }
    if name == "claim_one":
        values |= {"step": asked.step, "scope": asked.scope}
    else:
        values["project"] = asked.project
        values |= {"scope": asked.scope} if name == "claim_of_scope" else {}
    # Read to its end: a statement that returns rows is not over before.
    rows = list(tx.db.execute(SQL[name], values))
    if not rows:
        return {}
    step, number, time_limit = rows[0]
    row = step_row(tx.db, step)
    token, limit = "c" + new_token(16), now + time_limit
    session = actor.session or _serving(tx, actor.agent, now)
    if session is not None:
        lease_ms = max(lease_ms, LEASE_MIN_MS)  # its beats must be in time
    tx.db.execute(
        SQL["add_attempt"],
        {
            "token": token,
            "step": step,
            "number": number,
            "agent": actor.agent,
            "session": session,
            "now": now,
            "started_at": now if start else None,
            "lease_ms": lease_ms,
            "limit_until": limit,
            "branch": row[8] or None,
        },
    )
    until = min(now + lease_ms, limit)
    detail = {"lease_until": until, "started": True} if start else {"lease_until": until}
    ends.note(tx, now, "step_claimed", actor, row, attempt=number, detail=detail)
    return {"token": token}


def _serving(tx: Write, agent: str, now: int) -> str | None:
    """The live session of the agent that a short command acts beside: it renews what the command claims."""
    row = one(tx.db, _AGENTS["live_session_of"], {"agent": agent})
    return None if row is None or row[9] <= now else str(row[0])


def _is_live(tx: Write, token: str) -> bool:
    row = one(tx.db, SQL["attempt_of_token"], {"token": token})
    return row is not None and row[5] == "live"


def claim_of(db: apsw.Connection, token: str) -> Claim:
    """The claim of a token that is known."""
    row = one(db, SQL["attempt_of_token"], {"token": token})
    assert row is not None  # the caller has checked it
    step = step_row(db, row[1])
    attempts = [
        attempt_of(each)
        for each in db.execute(SQL["attempt_rows"], {"step": row[1], "limit": EARLIER_MAX + 1})
    ]
    own = next(each for each in attempts if each.number == row[2])
    earlier = tuple(each for each in attempts if each.number < row[2])[:EARLIER_MAX]
    needs = tuple(done_of(each) for each in db.execute(SQL["needs_done"], {"step": row[1]}))
    said = one(db, SQL["retry_note"], {"step": row[1]})
    note = said[0] or "" if said is not None else ""
    project = project_of(project_row(db, step[2]))
    return Claim(token, project, step_of(db, step), own, needs, earlier, note=note)


def hold(tx: Write, actor: Actor, token: str, now: int) -> Row:
    """The attempt of a token that is the actor's live claim.

    Raises:
        ClaimLost: it is not: it ran out, was ended, or belongs to another.
    """
    row = one(tx.db, SQL["attempt_of_token"], {"token": token})
    if row is None:
        raise ClaimNotFound(
            f"No claim has the token {ascii(token)[:40]}.",
            hint="Check it for typos. Your own claims: claim_step(mine=true), or hubbub step mine",
        )
    if row[3] != actor.agent:
        raise ClaimLost(f"This claim belongs to {row[3]}, not to {actor.agent}.", holder=row[3])
    if row[5] == "live" and row[7] > now:
        return row
    raise _lost(tx, row, now)


def _lost(tx: Write, row: Row, now: int) -> ClaimLost:
    step = step_row(tx.db, row[1])
    ended = row[7] if row[5] in ("live", "lost") else row[9]
    how = {"live": "ran out", "lost": "ran out", "failed": "was ended as failed"}.get(row[5], f"was {row[5]}")
    says = (
        f"Your claim on step {step[4]} of {step[27]} (attempt {row[2]}) {how} at {to_iso(min(ended, now))}."
    )
    next_one = ends.later(tx, row[1], row[2])
    details: dict[str, Any] = {"attempt": row[2], "ended_at": to_iso(min(ended, now))}
    if next_one is not None:
        says += f" {next_one[0]} has had it since {to_iso(next_one[2])} (attempt {next_one[1]})."
        details |= {"holder": next_one[0]}
    return ClaimLost(says, **details)


def start(core: Core, actor: Actor, token: str, branch: str | None, worktree: str | None) -> Claim:
    """See :meth:`hubbub.stores.contract_work.WorkStore.start`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        row = hold(tx, actor, token, now)
        begun = step_row(tx.db, row[1])[13] == "in_progress"
        values = {"attempt": row[0], "now": now, "notes": None, "branch": branch, "worktree": worktree}
        tx.db.execute(SQL["renew"], {**values, "started_at": now})
        if not begun:
            tx.db.execute(SQL["start_step"], {"step": row[1]})
            detail = {"branch": branch, "worktree": worktree} if branch or worktree else None
            ends.note(tx, now, "step_started", actor, step_row(tx.db, row[1]), attempt=row[2], detail=detail)
        return claim_of(tx.db, token)


def renew(core: Core, actor: Actor, token: str, notes: str | None) -> Claim:
    """See :meth:`hubbub.stores.contract_work.WorkStore.renew`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        row = hold(tx, actor, token, now)
        values = {"attempt": row[0], "now": now, "notes": notes, "branch": None, "worktree": None}
        tx.db.execute(SQL["renew"], {**values, "started_at": None})
        return claim_of(tx.db, token)


def complete(
    core: Core,
    actor: Actor,
    token: str,
    left: dict[str, Any],
    key: str | None,
    tell: bool,
) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.complete`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)

        def act() -> dict[str, int]:
            done = one(tx.db, SQL["attempt_of_token"], {"token": token})
            if done is not None and done[3] == actor.agent and done[5] == "completed":
                _refuse_otherwise(tx, done, left)
                return {"step": done[1]}
            row = hold(tx, actor, token, now)
            ends.end_attempt(tx, row[0], now, "completed", started=True, **left)
            detail = {
                name: value for name, value in left.items() if name in ("commit_id", "result") and value
            }
            step = step_row(tx.db, row[1])
            ends.note(tx, now, "step_completed", actor, step, attempt=row[2], detail=detail or None)
            ends.finish(tx, actor, row[1], now, "completed")
            return {"step": row[1]}

        answer, _ = once(tx, actor.agent, key, "complete", lambda: [token, left], now, act)
        if tell:
            work_telling.tell_within(tx, now, work_telling.TOLD_WITH)
    with core.read() as db:
        return step_of(db, step_row(db, answer["step"]))


def _refuse_otherwise(tx: Write, done: Row, left: dict[str, Any]) -> None:
    """Raise when a step that is completed is to be completed with something else. What is not given is as it
    was: an answer that was lost may be asked for with the token alone."""
    attempt = one(tx.db, SQL["attempt_numbered"], {"step": done[1], "number": done[2]})
    assert attempt is not None  # its row was just found
    was = attempt_of(attempt)
    completed = one(tx.db, SQL["completed_as"], {"step": done[1]})
    commit = was.commit if completed is None else completed[0]
    recorded = {"commit_id": commit, "files": was.files, "notes": was.notes, "result": was.result}
    other = [name for name, value in left.items() if value and value != recorded[name]]
    if not other:
        return
    step = step_row(tx.db, done[1])
    named = " and ".join(name.removesuffix("_id") for name in other)
    shown = f" (commit {commit})" if commit else ""
    raise StepCompletedOtherwise(
        f"Step {step[4]} of {step[27]} is done already{shown}, with another {named}; nothing was changed.",
        commit=commit,
        files=list(was.files),
        notes=was.notes,
        result=was.result,
    )


def fail(
    core: Core,
    actor: Actor,
    token: str,
    told: dict[str, Any],
    key: str | None,
    tell: bool,
) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.fail`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)

        def act() -> dict[str, int]:
            row = hold(tx, actor, token, now)
            _fail(tx, actor, row, told, now)
            return {"step": row[1]}

        answer, _ = once(tx, actor.agent, key, "fail", lambda: [token, told], now, act)
        if tell:
            work_telling.tell_within(tx, now, work_telling.TOLD_WITH)
        return step_of(tx.db, step_row(tx.db, answer["step"]))


def _fail(tx: Write, actor: Actor, row: Row, told: dict[str, Any], now: int) -> None:
    attempt, step, number = row[:3]
    failure, reason = told["failure"], told["reason"]
    ends.end_attempt(
        tx, attempt, now, "failed", started=True, failure=failure, reason=reason, notes=told["notes"]
    )
    charged = int(failure in ("task", "timeout"))
    tx.db.execute(SQL["charge"], {"step": step, "charged": charged, "lost": 0, "forgiven": 0})
    before = step_row(tx.db, step)
    detail: dict[str, Any] = {"class": failure, "reason": reason}
    if told["final"]:
        ends.note(tx, now, "step_failed", actor, before, attempt=number, detail={**detail, "final": True})
        ends.finish(tx, actor, step, now, "failed")
        return
    rest = told["delay_ms"]
    if rest is None:
        failures = before[15] - before[25] - before[24]  # all attempts but those given back or lost
        rest = min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** max(0, failures - 1))
    ends.note(
        tx, now, "step_failed", actor, before, attempt=number, detail={**detail, "not_before": now + rest}
    )
    ends.rest_or_park(tx, actor, step, number, now, now + rest if rest else None)


def release(core: Core, actor: Actor, token: str, notes: str | None, delay_ms: int) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.release`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        row = hold(tx, actor, token, now)
        _release(tx, actor, (row[0], row[1], row[2]), now, notes, now + delay_ms if delay_ms else None)
        return step_of(tx.db, step_row(tx.db, row[1]))


def _release(
    tx: Write, actor: Actor, claim: tuple[int, int, int], now: int, notes: str | None, not_before: int | None
) -> None:
    attempt, step, number = claim
    ends.end_attempt(tx, attempt, now, "released", notes=notes)
    tx.db.execute(SQL["charge"], {"step": step, "charged": 0, "lost": 0, "forgiven": 1})
    ends.give_back(tx, step, now, not_before)
    ends.note(tx, now, "step_released", actor, step_row(tx.db, step), attempt=number)


def release_all(tx: Write, agent: str, now: int) -> None:
    """Give back all that an agent holds: it leaves the bus."""
    for _, attempt, step, number, session in list(
        tx.db.execute(SQL["live_of_agent"], {"agent": agent, "now": -1})
    ):
        _release(tx, Actor(agent, session), (attempt, step, number), now, None, None)
    work_files.release_all(tx, agent, now)
