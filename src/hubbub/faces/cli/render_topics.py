"""Topics and their messages as text for people; see :mod:`hubbub.faces.cli.render`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.clock import to_iso
from hubbub.faces.cli.render import INDENT, ago, indented, plural
from hubbub.text import safe_line

if TYPE_CHECKING:
    from hubbub.faces.cli.output import Output
    from hubbub.model_topics import Membership, Topic, TopicMessage


def name_of(topic: Topic) -> str:
    """``#name``, safe to show."""
    return "#" + safe_line(topic.name)


def topic(shown: Topic, now: int, output: Output, *, reader: str | None = None) -> None:
    """Add a line on a topic: unread messages first, because that is what one looks for.

    ``reader`` is the agent that it was looked up for, if any.
    """
    parts = [] if reader is None or shown.unread is not None else ["not joined"]
    if shown.unread is not None:
        unread = f"{shown.unread} unread"
        parts.append(output.styled(unread, "yellow") if shown.unread else unread)
    parts.append(plural(shown.last_seq, "message"))
    parts += [plural(shown.members, "member")] if shown.members is not None else []
    parts.append(f"active {ago(now, shown.last_at)}" if shown.last_at else "never used")
    if shown.state != "open":
        parts.append(closing(shown, now))
    output.line(f"{output.styled(name_of(shown), 'bold')}  {shown.id}  {', '.join(parts)}")


def closing(shown: Topic, now: int) -> str:
    """By whom, when and why a topic was closed; or whatever state it is in."""
    if shown.state != "closed":
        return shown.state
    by = f" by {safe_line(shown.closed_by)}" if shown.closed_by else ""
    when = f" {ago(now, shown.closed_at)}" if shown.closed_at is not None else ""
    why = f": {safe_line(shown.close_reason, 200)}" if shown.close_reason else ""
    return f"closed{by}{when}{why}"


def whole_topic(shown: Topic, now: int, output: Output) -> None:
    """Add all that is known of a topic."""
    topic(shown, now, output)
    by = f" by {safe_line(shown.created_by)}" if shown.created_by else ""
    if shown.created_at:
        output.line(f"{INDENT}Created: {to_iso(shown.created_at)}{by}")
    if shown.state == "closed":
        output.line(f"{INDENT}{closing(shown, now).capitalize()}")
    if shown.metadata is not None:
        output.line(f"{INDENT}Metadata: {_json(shown.metadata)}")


def membership(shown: Membership, now: int, output: Output) -> None:
    """Add a line on a member: whether it is there, when it was last, and how far behind."""
    presence = output.styled("online ", "green") if shown.online else output.styled("offline", "dim")
    behind = f"{shown.unread} behind" if shown.unread else "" if shown.in_hand else "up to date"
    if shown.in_hand:
        behind += f"{', ' if behind else ''}{shown.in_hand} in hand, unconfirmed"
    seen = f"last sync {ago(now, shown.seen_at)}" if shown.seen_at is not None else "never synced"
    parts = [behind, seen, f"joined {ago(now, shown.joined_at)}"]
    output.line(f"{output.styled(safe_line(shown.agent), 'bold')}  {presence}  {', '.join(parts)}")


def topic_message(
    shown: TopicMessage, name: str, now: int, output: Output, *, redelivered: bool = False
) -> None:
    """Add a message: a head at the margin, then its fields and its body behind an indent."""
    style = output.styled
    warning = style(" (redelivered)", "yellow") if redelivered else ""
    origin = f" (as imported by {safe_line(shown.imported_by)})" if shown.imported_by else ""
    sender = style(safe_line(shown.sender), "bold") + origin
    output.line(
        f"{style(shown.id, 'cyan')} {name} {shown.seq} from {sender}: "
        f"{safe_line(shown.kind)}, {ago(now, shown.created_at)}{warning}"
    )
    if shown.reply_to:
        output.line(f"{INDENT}{style('In reply to:', 'dim')} {shown.reply_to}")
    if shown.thread not in (shown.id, shown.reply_to):
        output.line(f"{INDENT}{style('Thread:', 'dim')} {shown.thread}")
    if shown.metadata is not None:
        output.line(f"{INDENT}{style('Metadata:', 'dim')} {_json(shown.metadata)}")
    output.line()
    indented(shown.body, output)
    output.line()


def _json(value: object) -> str:
    import json

    return safe_line(json.dumps(value, ensure_ascii=False))
