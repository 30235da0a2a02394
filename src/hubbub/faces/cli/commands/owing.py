"""pending: the answers that are owed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.faces.cli import render_pending as render
from hubbub.faces.cli.context import no_agent
from hubbub.faces.cli.failures import UsageError
from hubbub.wire_pending import debt_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_pending import Debt


def pending(context: Context) -> int:
    """What one agent owes and is owed, or all that is owed on the bus."""
    given = context.arguments
    if given.all:
        if given.name is not None:
            raise UsageError("--all is every agent: give it without a name.")
        context.check_reader()
        return _of_all(context)
    name = given.name or context.known_agent
    if name is None:
        raise no_agent(
            "Whose? No agent was named.", hint="hubbub pending NAME, or --all; or set HUBBUB_AGENT."
        )
    context.bus.agents.get(name)
    find = context.bus.pending
    options = {"after": given.after, "limit": given.limit, "closed": given.closed}
    mine, theirs = find.owed_by(name, **options), find.owed_to(name, **options)
    # Both are paged by one number: neither is shown beyond where the other was cut.
    ends = [part[-1].seq for part in (mine, theirs) if len(part) >= given.limit]
    if ends:
        mine, theirs = ([debt for debt in part if debt.seq <= min(ends)] for part in (mine, theirs))
    if context.output.json:
        shown = {"agent": name, "owes": _dicts(mine), "is_owed": _dicts(theirs)}
        context.output.answer({**shown, "next_after": min(ends)} if ends else shown)
        return 0
    render.debts(f"{name} owes {_count(mine)}", mine, context, to=True)
    render.debts(f"{name} waits for {_count(theirs)}", theirs, context, to=False)
    return _more(context, ends)


def waive(context: Context) -> int:
    """Want an answer no longer: as who asked, or without a name as the operator."""
    given = context.arguments
    actor = None if context.reader is None else context.actor
    waived = context.bus.pending.waive(actor, given.id, debtor=given.of, reason=given.reason)
    names = ", ".join(debt.debtor for debt in waived)
    context.done({"waived": _dicts(waived)}, f"Waived the answer of {names} to {given.id}.")
    return 0


def _of_all(context: Context) -> int:
    given = context.arguments
    debts = context.bus.pending.all(after=given.after, limit=given.limit, closed=given.closed)
    ends = [debts[-1].seq] if len(debts) >= given.limit else []
    if context.output.json:
        shown = {"owed": _dicts(debts)}
        context.output.answer({**shown, "next_after": ends[0]} if ends else shown)
        return 0
    render.debts(f"Owed: {_count(debts)}", debts, context)
    return _more(context, ends)


def _more(context: Context, ends: list[int]) -> int:
    if ends:
        context.output.line(f"There may be more: add --after {min(ends)}")
    return 0


def _dicts(debts: list[Debt] | tuple[Debt, ...]) -> list[dict[str, object]]:
    return [debt_dict(debt) for debt in debts]


def _count(debts: list[Debt]) -> str:
    return "no answer" if not debts else f"{len(debts)} answer{'' if len(debts) == 1 else 's'}"
