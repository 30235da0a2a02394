"""Answers that are owed, who stands by and wakes, as text for people; as :mod:`hubbub.faces.cli.render`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hubbub.faces.cli.render import ago, plural
from hubbub.text import safe_line

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_pending import Debt
    from hubbub.model_presence import Standing, Wake


def debts(head: str, shown: Sequence[Debt], context: Context, *, to: bool | None = None) -> None:
    """Add debts below a head: with whom they are owed ``to``, with who owes them, or with both."""
    output, now = context.output, context.bus.store.now()
    output.line(f"{head}{':' if shown else '.'}")
    for each in shown:
        whom = f"{each.debtor} to {each.asker}" if to is None else f"to {each.asker}" if to else each.debtor
        output.line(f"  {output.styled(each.message, 'cyan')} {whom}: {debt(each, now)}")


def debt(shown: Debt, now: int) -> str:
    """How it stands with one answer, in words."""
    words = [shown.kind + (f" ({safe_line(shown.subject, 60)})" if shown.subject else "")]
    words.append(f"asked {ago(now, shown.asked_at)}")
    if shown.state == "open":
        words.append(
            {"queued": "not read yet", "leased": "in hand", "settled": "read"}.get(
                shown.delivery, shown.delivery
            )
        )
        if shown.due is not None:
            late = now > shown.due
            words.append(f"{'was due' if late else 'due'} {ago(now, shown.due)}")
    else:
        by = f" by {shown.answer}" if shown.answer else ""
        closed = "" if shown.closed_at is None else f" {ago(now, shown.closed_at)}"
        words.append(f"{shown.state}{by}{closed}")
    if shown.reminders:
        words.append(f"reminded {plural(shown.reminders, 'time')}")
    if shown.escalated_at is not None:
        words.append(f"escalated {ago(now, shown.escalated_at)}")
    elif shown.reminders and shown.next_at is not None:
        words.append(f"next {ago(now, shown.next_at)}")
    return ", ".join(words) + (f": {safe_line(shown.why, 200)}" if shown.why else "")


def standing(shown: Standing, now: int) -> str:
    """A process that stands by an agent, in words."""
    words = [safe_line(shown.kind, 20)]
    words += [safe_line(shown.state, 80)] if shown.state else []
    words += [safe_line(shown.how, 80)] if shown.how else []
    return f"{', '.join(words)}; since {ago(now, shown.since)}, last beat {ago(now, shown.beat_at)}"


def wake(shown: Wake, now: int) -> str:
    """A try to wake an agent, in words."""
    what = "woken" if shown.worked else "could not be woken"
    # That it rang is what being woken means.
    detail = "" if shown.worked and shown.detail == "rang" else shown.detail
    why = f": {safe_line(detail, 200)}" if detail else ""
    return f"{what} {ago(now, shown.at)} ({safe_line(shown.how, 80)}{why})"
