"""Answers that are owed, who stands by, pings and wakes as JSON objects; see :mod:`hubbub.wire`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.clock import to_iso
from hubbub.wire import delivery_dict, sent_dict

if TYPE_CHECKING:
    from hubbub.model import Agent, Delivery, Sent
    from hubbub.model_pending import Debt
    from hubbub.model_presence import Pong, Standing, Wake


def _lean(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != "" and value != 0}


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else to_iso(milliseconds)


def debt_dict(debt: Debt) -> dict[str, Any]:
    """An answer that is owed, or was."""
    return {
        "id": debt.message,
        "debtor": debt.debtor,
        "asker": debt.asker,
        "kind": debt.kind,
        "state": debt.state,
        "delivery": debt.delivery,
        **_lean(
            {
                "subject": debt.subject,
                "thread": debt.thread if debt.thread != debt.message else None,
                "asked_at": to_iso(debt.asked_at),
                "due": _iso(debt.due),
                "reminders": debt.reminders,
                "next_reminder": _iso(debt.next_at),
                "escalated_at": _iso(debt.escalated_at),
                "closed_at": _iso(debt.closed_at),
                "answer": debt.answer,
                "reason": debt.why,
            }
        ),
    }


def requested_dict(
    sent: Sent, state: str, answer: Delivery | None = None, shown: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What became of a request; ``shown`` is the answer as this face shows it."""
    if state == "given":
        state = "declined" if answer is not None and declined(answer) else "answered"
    told: dict[str, Any] = {**sent_dict(sent), "state": state}
    if answer is not None:
        told["answer"] = delivery_dict(answer) if shown is None else shown
    return told


def declined(answer: Delivery) -> bool:
    """Whether an answer says that there will be none."""
    from hubbub.model_pending import DECLINED

    return answer.message.kind == DECLINED


def standing_dict(standing: Standing) -> dict[str, Any]:
    """A process that stands by an agent."""
    return {
        "kind": standing.kind,
        **_lean({"how": standing.how, "state": standing.state, "folder": standing.folder}),
        "since": to_iso(standing.since),
        "last_beat": to_iso(standing.beat_at),
    }


def wake_dict(wake: Wake) -> dict[str, Any]:
    """A try to wake an agent."""
    return {
        "how": wake.how,
        "at": to_iso(wake.at),
        "worked": wake.worked,
        **_lean({"detail": wake.detail, "message": wake.message}),
    }


def pinged_dict(agent: Agent, pong: Pong, round_trip_ms: float) -> dict[str, Any]:
    """The answer to a ping."""
    told = {"by": pong.by, **_lean({"session": pong.session, "client": pong.client, "state": pong.state})}
    if pong.idle_ms is not None:
        told["idle_ms"] = pong.idle_ms
    counts = {"queued": agent.queued, "leased": agent.leased}
    return {"agent": agent.name, "round_trip_ms": round_trip_ms, **told, **counts}
