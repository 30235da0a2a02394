"""reserve: keeping files to oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import EXIT_FAILED
from hubbub.faces.cli import render_work
from hubbub.text import safe_line
from hubbub.wire_work import conflict_dict, reservation_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_work import Reservation


def reserve(context: Context) -> int:
    """Keep files for a while."""
    given = context.arguments
    kept = context.bus.work.reserve(
        context.actor, given.globs, ttl=given.ttl, reason=given.reason, key=given.key
    )
    return _done(context, kept, f"Reserved {_globs(kept)} ({kept.id})", until=True)


def list_(context: Context) -> int:
    """What agents keep."""
    output = context.output
    kept = context.bus.work.reservations(agent=context.arguments.agent)
    if output.json:
        output.answer({"reservations": [reservation_dict(each) for each in kept]})
        return 0
    now = context.bus.store.now()
    for each in kept:
        render_work.reservation(each, now, output)
    if not kept:
        output.line("No files are reserved.")
    return 0


def renew(context: Context) -> int:
    """Keep them longer."""
    given = context.arguments
    kept = context.bus.work.renew_reservation(context.actor, given.id, ttl=given.ttl)
    return _done(context, kept, f"Renewed {kept.id}: {_globs(kept)}", until=True)


def release(context: Context) -> int:
    """Give them up."""
    kept = context.bus.work.release_reservation(context.actor, context.arguments.id)
    return _done(context, kept, f"Released {kept.id}: {_globs(kept)}", until=False)


def check(context: Context) -> int:
    """Who else holds files: free ends with 0, held with 1."""
    output = context.output
    held = context.bus.work.conflicts(context.arguments.globs, but=context.known_agent)
    if output.json:
        output.answer({"free": not held, "conflicts": [conflict_dict(each) for each in held]})
    else:
        now = context.bus.store.now()
        for each in held:
            render_work.conflict(each, now, output)
        if not held:
            output.line("Free.")
    return EXIT_FAILED if held else 0


def _done(context: Context, kept: Reservation, told: str, *, until: bool) -> int:
    ends = f"; it ends {render_work.due(context.bus.store.now(), kept.until)}" if until else ""
    context.done({"reservation": reservation_dict(kept)}, f"{told}{ends}.")
    return 0


def _globs(kept: Reservation) -> str:
    return " ".join(map(safe_line, kept.globs))
