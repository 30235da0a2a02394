"""Changes of plans while work runs: edits, splits, cancellations, retries, merges, recovery."""

from __future__ import annotations

import json
from typing import Any

from hubbub.errors_work import (
    ClaimChanged,
    ClaimLive,
    ProjectExists,
    ProjectNotDone,
    StepBegun,
    StepCompletedOtherwise,
    StepExists,
    StepNotCompleted,
    StepNotParked,
    StepOver,
)
from hubbub.model import Actor
from hubbub.model_work import AGEING_MS, LIVE, OVER, Need, Project, Stale, Step, StepDraft
from hubbub.names import step_id, topic_key
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite import work_plans as plans
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, one
from hubbub.stores.sqlite.work_files import conflicts_of, path_held
from hubbub.stores.sqlite.work_free import Held
from hubbub.stores.sqlite.work_plans import PLANS
from hubbub.stores.sqlite.work_rows import (
    SQL,
    attempt_of,
    find_project,
    find_step,
    project_of,
    project_row,
    step_of,
    step_row,
)

ABORTED = -1
"""Stands in ``cancelled_for`` of what an abort cancelled."""


def update_project(core: Core, actor: Actor, project: str, changes: dict[str, Any]) -> Project:
    """See :meth:`hubbub.stores.contract_work.WorkStore.update_project`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        row = find_project(tx.db, project)
        values = {
            "project": row[0],
            "name": row[2],
            "state": row[3],
            "base_commit": row[4],
            "description": row[5],
            "priority": row[6],
            "metadata": row[7],
            **changes,
        }
        if isinstance(values["metadata"], dict):
            values["metadata"] = dump(values["metadata"])
        values["name_key"] = topic_key(values["name"])
        taken = one(tx.db, SQL["project_by_name"], {"name_key": values["name_key"]})
        if taken is not None and taken[0] != row[0]:
            raise ProjectExists(f"A project is called {values['name']}.")
        tx.db.execute(PLANS["change_project"], values)
        was = {} if values["state"] == row[3] else {"was": row[3]}
        if was and values["state"] == "completed":
            _refuse_open(row)
        add_event(tx.db, now, "project_changed", actor, project=row[0], detail={**changes, **was})
        if values["state"] != row[3]:
            _state_follows(tx, actor, row[0], row[3], values["state"], now)
        ends.ring(tx, row[0], row[1])
        return project_of(project_row(tx.db, row[0]))


def _refuse_open(row: Row) -> None:
    """Raise when a project has steps that are neither done nor cancelled."""
    not_started, claimed, in_progress, _, _, failed, parked, *_ = row[12:]
    left = not_started + claimed + in_progress + failed + parked
    if left:
        one = left == 1
        raise ProjectNotDone(
            f"{left} {'step' if one else 'steps'} of {row[2]} {'is' if one else 'are'} neither done nor "
            "cancelled; nothing was changed.",
            open=left,
        )


def _state_follows(tx: Write, actor: Actor, project: int, before: str, state: str, now: int) -> None:
    if state == "aborted":
        for step, status in list(tx.db.execute(PLANS["open_steps"], {"project": project})):
            _cancel(tx, actor, step, status, now, "the project was aborted", ABORTED)
    if state == "active":
        for (step,) in list(tx.db.execute(PLANS["cancelled_by_abort"], {"project": project})):
            _revive(tx, actor, step, now, "the project is active again")
        if before != "completed":  # that one is reopened on purpose
            ends.complete_project(tx, actor, project, now)


def edit_step(core: Core, actor: Actor, name: str, changes: dict[str, Any]) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.edit_step`."""
    with core.write() as tx:
        now = core.clock.now()
        row = _open(tx, actor, name, now)
        values: dict[str, Any] = {
            "step": row[0],
            "num": row[4],
            "title": row[5],
            "instructions": row[6],
            "acceptance": row[7],
            "branch": row[8],
            "scope": row[9],
            "paths": row[10],
            "resources": row[11],
            "priority": row[12],
            "max_attempts": row[16],
            "time_limit_ms": row[17],
            "not_before": row[18],
            "metadata": row[19],
        }
        for field, value in changes.items():
            values[field] = dump(value) if isinstance(value, tuple | dict) else value
        if values["num"] != row[4]:
            taken = one(tx.db, SQL["step_numbered"], {"project": row[2], "num": values["num"]})
            if taken is not None:
                raise StepExists(f"The project has a step {values['num']} already; nothing was changed.")
        if row[13] in LIVE:
            _refuse_held(tx, row, values, now)
        values["holds"] = int(values["paths"] != "[]" or values["resources"] != "[]")
        values["rank"] = (row[21] if row[21] is not None else now) - values["priority"] * AGEING_MS
        tx.db.execute(PLANS["change_step"], values)
        ends.note(tx, now, "step_changed", actor, row, detail=changes)
        if row[13] in LIVE and values["time_limit_ms"] != row[17]:
            tx.db.execute(SQL["limit_attempt"], {"step": row[0], "time_limit_ms": values["time_limit_ms"]})
            ends.expire(tx, now)
        return step_of(tx.db, step_row(tx.db, row[0]))


def _refuse_held(tx: Write, row: Row, values: dict[str, Any], now: int) -> None:
    """Raise when a live claim would come to hold what others hold."""
    own = step_id(row[0], row[1])
    if values["paths"] != row[10]:
        found = conflicts_of(tx.db, values["paths"], row[28], now, own_claims=True)
        held = [each for each in found if each.what != own]
        if held:
            raise path_held(held, "nothing was changed")
    if values["resources"] != row[11]:
        had = json.loads(row[11])
        claims = Held(tx.db, row[28], now)
        wanted = [name for name in json.loads(values["resources"]) if name not in had]
        taken = [name for name in wanted if claims.used[name] >= claims.limits.get(name, 1)]
        if taken:
            raise StepBegun(f"{row[28]} has step {row[4]}, and {taken[0]} is in use; nothing was changed.")


def _open(tx: Write, actor: Actor, name: str, now: int) -> Row:
    """The step to change, which is not over."""
    admit(tx, actor, now)
    ends.expire(tx, now)
    row = step_row(tx.db, find_step(tx.db, name))
    if row[13] in OVER:
        raise StepOver(f"Step {row[4]} of {row[27]} is {row[13]}; nothing was changed.")
    return row


def _unbegun(tx: Write, actor: Actor, name: str, now: int) -> Row:
    row = _open(tx, actor, name, now)
    if row[13] in LIVE:
        raise StepBegun(f"{row[28]} has step {row[4]} of {row[27]}; nothing was changed.")
    return row


def set_needs(core: Core, actor: Actor, name: str, add: tuple[Need, ...], remove: tuple[int, ...]) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.set_needs`."""
    with core.write() as tx:
        now = core.clock.now()
        row = _unbegun(tx, actor, name, now)
        plans.set_needs(tx, actor, row, add, remove, now)
        detail: dict[str, Any] = {"needs": [need.num for need in add], "no_longer": list(remove)}
        after = step_row(tx.db, row[0])
        if row[14] and not after[14] and after[13] == "not_started":
            detail["ready"] = True
        ends.note(tx, now, "step_changed", actor, row, detail=detail)
        return step_of(tx.db, step_row(tx.db, row[0]))


def split(core: Core, actor: Actor, name: str, parts: tuple[StepDraft, ...]) -> tuple[Step, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.split_step`."""
    with core.write() as tx:
        now = core.clock.now()
        row = _unbegun(tx, actor, name, now)
        needs = tuple(
            Need(num, until, fails)
            for num, until, fails, _ in tx.db.execute(SQL["needs_rows"], {"step": row[0]})
        )
        numbered = set(plans.numbers_of(tx, row[2], parts))
        whole = tuple(part._replace(needs=_with_whole(part, numbered, needs)) for part in parts)
        inherited = frozenset(need.num for need in needs)
        added = plans.add_all(tx, actor, row[2], whole, now, inherited=inherited)
        nums = [step_row(tx.db, step)[4] for step in added]
        for dependent, _, until, fails, _ in list(tx.db.execute(PLANS["dependents_of"], {"step": row[0]})):
            tx.db.execute(PLANS["remove_need"], {"step": dependent, "needed": row[0]})
            following = tuple(Need(num, until, fails) for num in nums)
            plans.set_needs(tx, actor, step_row(tx.db, dependent), following, (), now)
        _cancel(tx, actor, row[0], row[13], now, f"split into {', '.join(map(str, nums))}", None)
        return tuple(step_of(tx.db, step_row(tx.db, step)) for step in added)


def _with_whole(part: StepDraft, others: set[int], whole: tuple[Need, ...]) -> tuple[Need, ...]:
    """What a part needs: one that needs another part follows that, the others begin where the whole did."""
    if any(need.num in others for need in part.needs):
        return part.needs
    own = {need.num for need in part.needs}
    return (*part.needs, *(need for need in whole if need.num not in own))


def cancel(core: Core, actor: Actor, name: str, reason: str) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.cancel_step`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        ends.expire(tx, now)
        row = step_row(tx.db, find_step(tx.db, name))
        if row[13] in ("completed", "merged", "cancelled"):
            raise StepOver(f"Step {row[4]} of {row[27]} is {row[13]}; nothing was changed.")
        _cancel(tx, actor, row[0], row[13], now, reason, None)
        return step_of(tx.db, step_row(tx.db, row[0]))


def _cancel(
    tx: Write, actor: Actor, step: int, status: str, now: int, why: str, cancelled_for: int | None
) -> None:
    row = step_row(tx.db, step)
    if row[13] == "cancelled":
        return  # with one that it depends on
    attempt = None
    if status in LIVE:
        live = one(tx.db, SQL["live_attempt"], {"step": step})
        assert live is not None
        attempt = live[2]
        ends.end_attempt(tx, live[0], now, "cancelled", reason=why or None)
    ends.note(tx, now, "step_cancelled", actor, row, attempt=attempt, detail={"why": why} if why else None)
    ends.finish(tx, actor, step, now, "cancelled", cancelled_for)


def retry(core: Core, actor: Actor, name: str, note: str) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.retry`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        ends.expire(tx, now)
        row = step_row(tx.db, find_step(tx.db, name))
        if row[13] not in ("failed", "parked", "cancelled"):
            raise StepNotParked(f"Step {row[4]} of {row[27]} is {row[13]}; there is nothing to retry.")
        _revive(tx, actor, row[0], now, note)
        plans._reopen(tx, actor, row[2], now)
        return step_of(tx.db, step_row(tx.db, row[0]))


def _revive(tx: Write, actor: Actor, step: int, now: int, why: str) -> None:
    """Bring a step back, and then what was cancelled for its sake."""
    # What it went on without may be about to be done after all.
    tx.db.execute(SQL["rate_needs"], {"step": step})
    tx.db.execute(SQL["revive_step"], {"step": step, "now": now, "ageing": AGEING_MS})
    tx.db.execute(SQL["wait_again"], {"step": step})
    tx.db.execute(SQL["no_longer_ready"], {"step": step})
    row = step_row(tx.db, step)
    ends.note(tx, now, "step_retried", actor, row, detail={"note": why} if why else None)
    for (with_it,) in list(tx.db.execute(SQL["cancelled_for"], {"step": step, "project": row[2]})):
        _revive(tx, actor, with_it, now, f"step {row[4]} is retried")


def merge(core: Core, actor: Actor, name: str, commit: str | None) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.merge`."""
    with core.write() as tx:
        now = core.clock.now()
        admit(tx, actor, now)
        row = step_row(tx.db, find_step(tx.db, name))
        if row[13] == "merged":
            if commit and row[30] and commit != row[30]:
                raise StepCompletedOtherwise(
                    f"Step {row[4]} of {row[27]} is merged already, as {row[30]}; nothing was changed.",
                    commit=row[30],
                )
            return step_of(tx.db, row)
        if row[13] != "completed":
            raise StepNotCompleted(f"Step {row[4]} of {row[27]} is {row[13]}, not completed.")
        tx.db.execute(SQL["merge_step"], {"step": row[0]})
        if commit:
            tx.db.execute(SQL["set_commit"], {"step": row[0], "commit_id": commit})
        tx.db.execute(SQL["meet_needs"], {"step": row[0], "merged": 1})
        tx.db.execute(SQL["now_ready"], {"step": row[0], "now": now, "ageing": AGEING_MS})
        ends.note(tx, now, "step_merged", actor, row, detail={"commit": commit} if commit else None)
        ends.complete_project(tx, actor, row[2], now)
        return step_of(tx.db, step_row(tx.db, row[0]))


def stale(core: Core, idle_ms: int, limit: int) -> tuple[Stale, ...]:
    """See :meth:`hubbub.stores.contract_work.WorkStore.stale`."""
    now = core.clock.now()
    found = []
    with core.read() as db:
        values = {"before": now - idle_ms, "now": now, "limit": limit}
        for _, step, renewed_at, until in list(db.execute(SQL["stale"], values)):
            row = step_row(db, step)
            attempt = one(db, SQL["attempt_numbered"], {"step": step, "number": row[15]})
            assert attempt is not None  # a live one is the last
            found.append(Stale(step_of(db, row), attempt_of(attempt), max(0, now - renewed_at), until <= now))
    return tuple(found)


def recover(core: Core, actor: Actor | None, name: str, attempt: int, lease_until: int) -> Step:
    """See :meth:`hubbub.stores.contract_work.WorkStore.recover`."""
    with core.write() as tx:
        now = core.clock.now()
        if actor is not None:
            admit(tx, actor, now)
        row = step_row(tx.db, find_step(tx.db, name))
        live = one(tx.db, SQL["live_attempt"], {"step": row[0]})
        if live is None or (live[2], live[5]) != (attempt, lease_until):
            raise ClaimChanged(f"The claim on step {row[4]} of {row[27]} is not the one that was seen.")
        if live[5] > now:
            raise ClaimLive(f"{live[3]} holds step {row[4]} of {row[27]}, and its lease has not run out.")
        claim = (live[0], row[0], live[2], live[5], live[6])
        ends.lose(tx, Actor(live[3], live[4]), claim, now, "claim_recovered", actor)
        return step_of(tx.db, step_row(tx.db, row[0]))
