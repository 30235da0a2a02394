"""Records of work as JSON objects. What :mod:`hubbub.wire` says of all records holds here."""

from __future__ import annotations

from typing import Any

from hubbub.clock import to_iso
from hubbub.model_work import (
    MAX_ATTEMPTS,
    TIME_LIMIT_MS,
    Attempt,
    Blocker,
    Claim,
    Conflict,
    Counts,
    Done,
    Holder,
    Lost,
    Metrics,
    Need,
    Nothing,
    Project,
    Reservation,
    Stale,
    Step,
)


def _lean(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", (), [])}


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else to_iso(milliseconds)


def counts_dict(counts: Counts) -> dict[str, int]:
    """How many steps have each status that occurs, ``ready`` of the not started ones, and ``total``."""
    shown = {status: count for status, count in counts._asdict().items() if count}
    return {**shown, "total": counts.total}


def project_dict(project: Project) -> dict[str, Any]:
    """A project and the counts of its steps."""
    return _lean(
        {
            "id": project.id,
            "name": project.name,
            "state": project.state,
            "base_commit": project.base_commit,
            "description": project.description,
            "priority": project.priority or None,
            "metadata": project.metadata,
            "topic": project.topic,
            "created_by": project.created_by,
            "created_at": to_iso(project.created_at),
            "steps": counts_dict(project.counts),
        }
    )


def need_dict(need: Need) -> dict[str, Any]:
    """An edge; what is usual is left out."""
    shown: dict[str, Any] = {"num": need.num}
    if need.until != "completed":
        shown["until"] = need.until
    if need.on_failure != "block":
        shown["on_failure"] = need.on_failure
    return shown


def step_dict(step: Step, *, brief: bool = False) -> dict[str, Any]:
    """A step. ``brief`` leaves out its long texts, for a list; limits that are usual are left out."""
    shown = {
        "id": step.id,
        "project": step.project,
        "num": step.num,
        "title": step.title,
        "status": step.status,
        "instructions": None if brief else step.instructions,
        "acceptance": None if brief else step.acceptance,
        "branch": step.branch,
        "scope": step.scope,
        "paths": list(step.paths),
        "resources": list(step.resources),
        "priority": step.priority or None,
        "needs": [need_dict(need) for need in step.needs],
        "waits_for": step.waiting or None,
        "attempts": step.attempts or None,
        "max_attempts": step.max_attempts if step.max_attempts != MAX_ATTEMPTS else None,
        "time_limit_seconds": step.time_limit_ms // 1000 if step.time_limit_ms != TIME_LIMIT_MS else None,
        "not_before": _iso(step.not_before),
        "metadata": step.metadata,
        "created_at": to_iso(step.created_at),
        "ready_at": _iso(step.ready_at),
        "ended_at": _iso(step.ended_at),
        "agent": step.agent,
        "lease_until": _iso(step.lease_until),
        "commit_hash": step.commit,
        "files_modified": None if brief else list(step.files),
        "notes": None if brief else step.notes,
        "result": None if brief else step.result,
    }
    return _lean(shown)


def attempt_dict(attempt: Attempt) -> dict[str, Any]:
    """One agent's go at a step."""
    return _lean(
        {
            "number": attempt.number,
            "agent": attempt.agent,
            "session": attempt.session,
            "state": attempt.state,
            "claimed_at": to_iso(attempt.claimed_at),
            "started_at": _iso(attempt.started_at),
            "lease_until": _iso(attempt.lease_until) if attempt.state == "live" else None,
            "limit_until": _iso(attempt.limit_until) if attempt.state == "live" else None,
            "ended_at": _iso(attempt.ended_at),
            "branch": attempt.branch,
            "worktree": attempt.worktree,
            "commit_hash": attempt.commit,
            "files_modified": list(attempt.files),
            "notes": attempt.notes,
            "result": attempt.result,
            "failure": attempt.failure,
            "reason": attempt.reason,
        }
    )


def done_dict(done: Done) -> dict[str, Any]:
    """What a step that is needed left behind."""
    return _lean(
        {
            "num": done.num,
            "title": done.title,
            "status": done.status,
            "branch": done.branch,
            "commit_hash": done.commit,
            "result": done.result,
        }
    )


def claim_dict(claim: Claim) -> dict[str, Any]:
    """A claim: the step, what it starts from, and what went before."""
    shown: dict[str, Any] = {
        "claimed": True,
        "step_id": claim.step.id,
        "claim_token": claim.token,
        "project": claim.project.name,
        "project_id": claim.project.id,
        **_lean({"base_commit": claim.project.base_commit}),
        "step": step_dict(claim.step),
        "attempt": attempt_dict(claim.attempt),
        "needs": [done_dict(done) for done in claim.needs],
        "earlier_attempts": [attempt_dict(attempt) for attempt in claim.earlier],
    }
    if claim.note:
        shown["retry_note"] = claim.note
    if claim.repeated:
        shown["repeated"] = True
    return shown


def lost_dict(lost: Lost) -> dict[str, Any]:
    """A claim that its agent lost."""
    return {"step": step_dict(lost.step, brief=True), "attempt": attempt_dict(lost.attempt)}


def holder_dict(holder: Holder) -> dict[str, Any]:
    """Who has a step, and since when nobody is there."""
    return _lean(
        {
            "step_id": holder.step,
            "name": holder.name,
            "agent": holder.agent,
            "lease_until": to_iso(holder.lease_until),
            "offline_since": _iso(holder.offline_since),
        }
    )


def nothing_dict(nothing: Nothing) -> dict[str, Any]:
    """Nothing can be claimed, and why."""
    return {
        "claimed": False,
        "reason": nothing.reason,
        "says": nothing.says,
        "steps": counts_dict(nothing.counts),
        **_lean(
            {
                "blocked_by": list(nothing.blocked_by),
                "retry_at": _iso(nothing.retry_at),
                "holders": [holder_dict(holder) for holder in nothing.holders],
            }
        ),
    }


def stale_dict(stale: Stale) -> dict[str, Any]:
    """A live claim that shows no life."""
    return {
        "step": step_dict(stale.step, brief=True),
        "attempt": attempt_dict(stale.attempt),
        "idle_seconds": stale.idle_ms // 1000,
        "expired": stale.expired,
    }


def blocker_dict(blocker: Blocker) -> dict[str, Any]:
    """One thing that a step waits for."""
    shown: dict[str, Any] = {"kind": blocker.kind, "what": blocker.what, "says": blocker.says}
    return shown if blocker.holder is None else {**shown, "holder": holder_dict(blocker.holder)}


def reservation_dict(reservation: Reservation) -> dict[str, Any]:
    """Files that an agent keeps to itself."""
    return _lean(
        {
            "id": reservation.id,
            "agent": reservation.agent,
            "globs": list(reservation.globs),
            "reason": reservation.reason,
            "created_at": to_iso(reservation.created_at),
            "until": to_iso(reservation.until),
        }
    )


def conflict_dict(conflict: Conflict) -> dict[str, Any]:
    """Who holds files that somebody asks about."""
    return _lean(
        {
            "agent": conflict.agent,
            "wanted": conflict.wanted,
            "held": conflict.held,
            "what": conflict.what,
            "until": to_iso(conflict.until),
            "reason": conflict.reason,
        }
    )


def metrics_dict(metrics: Metrics) -> dict[str, Any]:
    """How the work goes; times are in seconds, as median and 95th percentile."""
    return {
        "steps": counts_dict(metrics.counts),
        "attempts": metrics.attempts,
        "failures": metrics.failures,
        **_lean({"wait_seconds": _times(metrics.wait_ms), "work_seconds": _times(metrics.work_ms)}),
        "finished_last_hour": metrics.finished_last_hour,
        "by_scope": {scope: counts_dict(counts) for scope, counts in metrics.by_scope.items()},
        "by_agent": metrics.by_agent,
    }


def _times(times: tuple[int, int] | None) -> dict[str, float] | None:
    return None if times is None else {"median": times[0] / 1000, "p95": times[1] / 1000}
