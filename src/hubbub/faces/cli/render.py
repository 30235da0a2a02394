"""Records as text for people.

Every line that others can write is indented or follows a name on its line, and has lost its
control characters, so that no body can pass for the head of another message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.clock import spoken, to_iso
from hubbub.text import safe_line, safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubbub.faces.cli.output import Output
    from hubbub.model import Agent, Delivery, Event, Message, Receipt, Whereabouts
    from hubbub.model_presence import Standing

INDENT = "  "


def ago(now: int, then: int) -> str:
    """``then`` as seen from ``now``: ``3 min ago``, ``in 20 s``, ``just now``."""
    passed = now - then
    if -1000 < passed < 1000:
        return "just now"
    return f"{spoken(passed)} ago" if passed > 0 else f"in {spoken(-passed)}"


def size(count: int) -> str:
    """A number of bytes: ``512 B``, ``3.2 KiB``, ``1.0 MiB``."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024 or unit == "GiB":
            break
    return f"{value:.1f} {unit}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 agent``, ``3 agents``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def indented(text: str, output: Output) -> None:
    """Add a text that others wrote, each of its lines behind an indent."""
    for line in safe_text(text).removesuffix("\n").split("\n"):
        output.line((INDENT + line).rstrip())


def message(shown: Message, now: int, output: Output, *, notes: str = "", to: bool = False) -> None:
    """Add a message: a head at the margin, then its fields and its body behind an indent."""
    style = output.styled
    whom = f" to {_names(shown.recipients)}" if to else ""
    words = [shown.kind] + ([shown.priority] if shown.priority != "normal" else [])
    about = f"{', '.join(words)}, {ago(now, shown.created_at)}"
    warning = style(f" ({notes})", "yellow") if notes else ""
    output.line(f"{style(shown.id, 'cyan')} from {style(shown.sender, 'bold')}{whom}: {about}{warning}")
    if shown.subject:
        output.line(f"{INDENT}{style('Subject:', 'dim')} {safe_line(shown.subject)}")
    if shown.thread != shown.id:
        output.line(f"{INDENT}{style('Thread:', 'dim')} {safe_line(shown.thread)}")
    if shown.in_reply_to:
        output.line(f"{INDENT}{style('In reply to:', 'dim')} {shown.in_reply_to}")
    if shown.reply_due is not None:
        output.line(f"{INDENT}{style('Answer due:', 'dim')} {ago(now, shown.reply_due)}")
    if shown.metadata is not None:
        import json

        written = json.dumps(shown.metadata, ensure_ascii=False)
        output.line(f"{INDENT}{style('Metadata:', 'dim')} {safe_line(written)}")
    output.line()
    indented(shown.body, output)
    output.line()


def delivery(shown: Delivery, now: int, output: Output, *, unwanted: str | None = None) -> None:
    """Add a delivery: its message, and whether it may have been worked on before; ``unwanted`` is why its
    answer was waived, if it was."""
    notes = []
    if unwanted is not None:
        notes.append("no longer wanted" + (f" ({safe_line(unwanted, 200)})" if unwanted else ""))
    if shown.redelivered:
        notes.append(f"redelivered: hand-out {shown.delivery_count}")
    elif shown.state == "queued" and shown.delivery_count:
        notes.append(f"handed out {plural(shown.delivery_count, 'time')} before")
    message(shown.message, now, output, notes=", ".join(notes))


def agent(shown: Agent, now: int, output: Output, *, standing: Sequence[Standing] = ()) -> None:
    """Add a line or two on an agent: presence, counts, and what it says of itself."""
    parts = [] if shown.role == "both" else [shown.role]  # most agents do both
    parts.append(f"{shown.queued} queued")
    parts += [f"{shown.leased} leased"] if shown.leased else []
    parts += [f"{shown.dead} dead"] if shown.dead else []
    if shown.session is not None:
        parts += [safe_line(shown.session.client, 40)] if shown.session.client else []
        parts.append(f"last beat {ago(now, shown.session.beat_at)}")
    elif shown.last_seen_at is not None:
        parts.append(f"last seen {ago(now, shown.last_seen_at)}")
    if standing:
        by = [
            safe_line(each.kind, 20) + (f" ({safe_line(each.state, 60)})" if each.state else "")
            for each in standing
        ]
        parts.append(f"{'with' if shown.session else 'by'} its {', '.join(by)}")
    online = shown.session is not None or bool(standing)
    presence = output.styled("online ", "green") if online else output.styled("offline", "dim")
    output.line(f"{output.styled(shown.name, 'bold')}  {presence}  {', '.join(parts)}")
    if shown.description:
        output.line(INDENT + safe_line(shown.description, 200))


def receipt(shown: Receipt, now: int, output: Output) -> None:
    """Add where a message is for each of its recipients."""
    told = shown.message
    output.line(
        f"{output.styled(told.id, 'cyan')} from {told.sender} to {_names(told.recipients)}: "
        f"{told.kind}, {ago(now, told.created_at)}"
    )
    if told.subject:
        output.line(f"{INDENT}Subject: {safe_line(told.subject)}")
    for place in shown.recipients:
        output.line(f"{INDENT}{place.agent}: {whereabouts(place, now)}")
        for reason in place.reasons:
            output.line(f"{INDENT}{INDENT}{safe_line(reason)}")


def whereabouts(place: Whereabouts, now: int) -> str:
    """Where a message is for one recipient, in words."""
    words = place.state
    if place.since is not None:
        words += f" {ago(now, place.since)}"
    if place.settled_by == "reply" and place.answered_by:
        words += f", answered by {place.answered_by}"
    elif place.settled_by:
        words += f" ({place.settled_by})" + (
            f", answered by {place.answered_by}" if place.answered_by else ""
        )
    if place.lease_until is not None:
        holder = f" by session {place.session}" if place.session else ""
        words += f"{holder}, lease ends {ago(now, place.lease_until)}"
    if place.delivery_count > 1:
        words += f", handed out {place.delivery_count} times"
    return words


def event(shown: Event, output: Output, *, topic: str | None = None, work: str | None = None) -> None:
    """Add one line of the ledger; its time in UTC, so that lines can be compared.

    ``topic`` is the name of the topic that it concerns, ``work`` that of the project or step; without one
    an id is shown.
    """
    who = shown.actor or "-"
    if shown.agent and shown.agent != shown.actor:
        who += f" -> {shown.agent}"
    parts = [output.styled(to_iso(shown.at), "dim"), f"{shown.seq:>6}", f"{shown.event:<19}", who]
    if shown.topic:
        parts.append(shown.topic if topic is None else f"#{safe_line(topic)}")
    if shown.message:
        parts.append(output.styled(shown.message, "cyan"))
    if shown.project:
        parts.append(safe_line(work or shown.step or shown.project))
    if shown.attempt:
        parts.append(f"attempt {shown.attempt}")
    if shown.detail:
        import json

        from hubbub.wire import detail_of

        parts.append(safe_line(json.dumps(detail_of(shown), ensure_ascii=False), 200))
    output.line("  ".join(parts))


def _names(names: tuple[str, ...]) -> str:
    if len(names) <= 5:
        return ", ".join(names)
    return ", ".join(names[:4]) + f" and {len(names) - 4} more"
