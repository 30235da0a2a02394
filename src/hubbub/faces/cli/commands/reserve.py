"""reserve: keeping files to oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import EXIT_FAILED
from hubbub.errors_work import ReservationNotFound
from hubbub.faces.cli import render_work
from hubbub.faces.cli.failures import UsageError
from hubbub.names import parse_id
from hubbub.text import safe_line
from hubbub.wire_work import conflict_dict, reservation_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Actor
    from hubbub.model_work import Reservation

LISTED = 10
"""Reservations that an error names."""


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
    actor = context.actor
    kept = context.bus.work.renew_reservation(actor, _own(context, actor), ttl=given.ttl)
    return _done(context, kept, f"Renewed {kept.id}: {_globs(kept)}", until=True)


def release(context: Context) -> int:
    """Give them up."""
    actor = context.actor
    kept = context.bus.work.release_reservation(actor, _own(context, actor))
    return _done(context, kept, f"Released {kept.id}: {_globs(kept)}", until=False)


def check(context: Context) -> int:
    """Who holds files: free, or only one's own, ends with 0; held by others with 1."""
    output, agent = context.output, context.known_agent
    found = context.bus.work.conflicts(context.arguments.globs)
    held = [each for each in found if each.agent != agent]
    own = [each for each in found if each.agent == agent]
    if output.json:
        answer: dict[str, Any] = {"free": not held, "conflicts": [conflict_dict(each) for each in held]}
        output.answer({**answer, "yours": [conflict_dict(each) for each in own]} if own else answer)
        return EXIT_FAILED if held else 0
    now = context.bus.store.now()
    for each in found:
        render_work.conflict(each, now, output, yours=each.agent == agent)
    if not found:
        output.line("Free.")
    elif not held:
        output.line("Free for you: nobody else holds them.")
    return EXIT_FAILED if held else 0


def _own(context: Context, actor: Actor) -> str:
    """The id of the reservation that is named by its id, or by a glob of it.

    Raises:
        ReservationNotFound: the agent has none of that glob.
        UsageError: it has several.
    """
    name = str(context.arguments.id)
    kept = context.bus.work.reservations(agent=actor.agent)
    found = [each for each in kept if name == each.id or name in each.globs]
    if not found and name.endswith("/"):
        found = [each for each in kept if name + "**" in each.globs]
    if len(found) == 1:
        return found[0].id
    if not found and parse_id("r", name) is not None:
        return name  # the bus says what became of it
    if found:
        ids = ", ".join(f"{each.id} ({_globs(each)})" for each in found[:LISTED])
        raise UsageError(
            f"You have {len(found)} reservations of {safe_line(name, 100)}.", hint=f"One of: {ids}"
        )
    yours = "; ".join(f"{each.id} ({_globs(each)})" for each in kept[:LISTED])
    raise ReservationNotFound(
        f"{actor.agent} has no reservation of {safe_line(name, 100)}.",
        hint=f"Yours: {yours}" if yours else "You have none. All: hubbub reserve list",
    )


def _done(context: Context, kept: Reservation, told: str, *, until: bool) -> int:
    ends = f"; it ends {render_work.due(context.bus.store.now(), kept.until)}" if until else ""
    context.done({"reservation": reservation_dict(kept)}, f"{told}{ends}.")
    return 0


def _globs(kept: Reservation) -> str:
    return " ".join(map(safe_line, kept.globs))
