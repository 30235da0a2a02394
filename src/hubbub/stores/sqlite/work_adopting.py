"""Projects whose work began elsewhere: made with what became of their steps."""

from __future__ import annotations

from typing import Any

from hubbub.errors import InvalidArgument
from hubbub.model import INBOX_LIMIT, MAX_MESSAGE_BYTES, Actor
from hubbub.model_work import (
    CLAIM_MS,
    DONE,
    FAILURES,
    OVER,
    PAST_ATTEMPTS_MAX,
    Past,
    PastAttempt,
    Project,
    ProjectDraft,
    Step,
)
from hubbub.names import check_name, new_token
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite import work_plans as plans
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import Core, dump, once
from hubbub.stores.sqlite.work_changes import ABORTED
from hubbub.stores.sqlite.work_plans import PLANS
from hubbub.stores.sqlite.work_rows import SQL, project_of, project_row, step_of, step_row

_STATES = ("active", "paused", "aborted")
_ENDS = ("completed", "failed", "released", "lost", "cancelled")


def adopt(
    core: Core,
    actor: Actor,
    draft: ProjectDraft,
    past: tuple[Past, ...],
    source: str,
    state: str,
    created_at: int | None,
    key: str | None,
) -> tuple[Project, tuple[Step, ...]]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.adopt_project`."""
    known = _checked(draft, past, state)
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)

        def act() -> dict[str, Any]:
            plans.refuse_taken(tx, draft.name)
            project = plans.add_project(tx, actor, draft, now, created_at=created_at, source=source)
            statuses = {num: each.status for num, each in known.items()}
            steps = plans.add_all(tx, actor, project, draft.steps, now, statuses=statuses)
            _put_back(tx, actor, project, steps, known, state, now)
            return {"project": project, "steps": steps}

        def request() -> Any:
            return [draft, past, source, state, created_at]

        answer, _ = once(tx, actor.agent, key, "adopt_project", request, now, act)
        shown = project_of(project_row(tx.db, answer["project"]))
        return shown, tuple(step_of(tx.db, step_row(tx.db, step)) for step in answer["steps"])


def _put_back(
    tx: Write, actor: Actor, project: int, steps: list[int], known: dict[int, Past], state: str, now: int
) -> None:
    """Bring each step to where it was, and then all to where that leads."""
    rows = {step: step_row(tx.db, step)[4] for step in steps}
    without = []
    for step, num in rows.items():
        each = known.get(num, Past(num))
        aborted = state == "aborted" and each.status == "not_started"
        status = "cancelled" if aborted else each.status
        for number, attempt in enumerate(each.attempts, 1):
            _add_attempt(tx, step, number, attempt, now)
        ended = each.ended_at
        if ended is None:
            ended = each.attempts[-1].ended_at if each.attempts and not aborted else now
        values = {
            "step": step,
            "status": status,
            "attempts": len(each.attempts),
            "ended_at": None if status == "not_started" else ended,
            "cancelled_for": ABORTED if aborted else None,
        }
        tx.db.execute(PLANS["adopt_step"], values)
        if status in ("failed", "parked", "cancelled"):
            without.append(step)
    for step in steps:
        tx.db.execute(SQL["rate_needs"], {"step": step})
    for step in steps:
        if step_row(tx.db, step)[13] == "not_started":
            plans.rate(tx, step, now)
    for step in without:
        ends.cancel_with(tx, actor, step, now, step)
    if state == "active":
        ends.complete_project(tx, actor, project, now)
    else:
        tx.db.execute(SQL["set_state"], {"project": project, "state": state})


def _add_attempt(tx: Write, step: int, number: int, attempt: PastAttempt, now: int) -> None:
    agent = {
        "name": attempt.agent,
        "inbox_limit": INBOX_LIMIT,
        "max_message_bytes": MAX_MESSAGE_BYTES,
        "now": now,
    }
    tx.db.execute(PLANS["adopt_agent"], agent)
    values = {
        **attempt._asdict(),
        "token": "c" + new_token(16),
        "step": step,
        "number": number,
        "lease_ms": CLAIM_MS,
        "commit_id": attempt.commit,
        "files": dump(attempt.files) if attempt.files else None,
    }
    tx.db.execute(PLANS["adopt_attempt"], values)


def _checked(draft: ProjectDraft, past: tuple[Past, ...], state: str) -> dict[int, Past]:
    """``past`` by number.

    Raises:
        InvalidArgument: it can't have been so.
    """
    if state not in _STATES:
        raise InvalidArgument(f"A project can't be made {ascii(state)[:40]}.")
    numbered = {step.num for step in draft.steps}
    known: dict[int, Past] = {}
    for each in past:
        if each.num not in numbered or each.num in known:
            raise InvalidArgument(f"The past of step {each.num} belongs to no step, or is there twice.")
        _check_past(each)
        known[each.num] = each
    return known


def _check_past(past: Past) -> None:
    if past.status not in ("not_started", *OVER):
        raise InvalidArgument(f"Step {past.num} can't be {ascii(past.status)[:40]} from the start.")
    if len(past.attempts) > PAST_ATTEMPTS_MAX:
        raise InvalidArgument(f"Step {past.num} brings {len(past.attempts)} attempts.")
    last = len(past.attempts)
    for number, attempt in enumerate(past.attempts, 1):
        check_name(attempt.agent)
        done = number == last and past.status in DONE
        if attempt.state not in _ENDS or (attempt.state == "completed") != done:
            raise InvalidArgument(
                f"Attempt {number} at step {past.num} can't be {ascii(attempt.state)[:40]} "
                f"where the step is {past.status}."
            )
        if attempt.failure not in (None, *FAILURES):
            raise InvalidArgument(f"Attempt {number} at step {past.num} failed in no known way.")
