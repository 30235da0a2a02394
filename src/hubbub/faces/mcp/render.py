"""Text for a model: lean, whole, and fenced so that a body can't pass for anything else.

Clients differ in what they pass on: one shows the model only the text, another only the
object, one drops very long lines. So both carry everything, and lines are folded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hubbub.clock import spoken
from hubbub.model import Agent, Delivery, Handout, Message, Receipt
from hubbub.model_presence import Standing, Wake
from hubbub.model_topics import TopicMessage
from hubbub.names import new_token
from hubbub.text import fold_long_lines, safe_line, safe_text

LINE_WIDTH = 2000
"""Longest line shown: one client shows nothing of a line of 200 KB."""

BODY_SHARE = 40_000
"""Characters of bodies in one answer: clients cut answers silently at about 48 KB."""


METADATA_SHARE = 8_000
"""Characters of a message's metadata in one answer."""


def safe_json(value: Any) -> Any:
    """``value`` with every string in it made safe to show."""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, list | tuple):
        return [safe_json(item) for item in value]
    if isinstance(value, dict):
        return {safe_line(str(key)): safe_json(item) for key, item in value.items()}
    return value


def fence_for(texts: list[str]) -> str:
    """A mark that occurs in none of ``texts``: nobody who wrote them could know it."""
    while True:
        mark = new_token(6)
        if not any(mark in text for text in texts):
            return mark


def message_text(
    message: Message,
    mark: str,
    now: int,
    *,
    extra: tuple[str, ...] = (),
    start: int = 0,
    share: int = BODY_SHARE,
) -> str:
    """One message: a line of facts, its subject and metadata, and its body between marks."""
    facts = [f"{message.id} from {message.sender}", message.kind]
    if message.priority != "normal":
        facts.append(message.priority)
    facts.append(f"{spoken(max(0, now - message.created_at))} ago")
    if len(message.recipients) > 1:
        facts.append(
            f"to {', '.join(message.recipients[:10])}" + (" ..." if len(message.recipients) > 10 else "")
        )
    if message.thread != message.id:
        facts.append(f"thread {quoted(message.thread)}")
    if message.in_reply_to:
        facts.append(f"answers {message.in_reply_to}")
    if message.reply_due is not None:
        left = message.reply_due - now
        facts.append(f"answer due in {spoken(left)}" if left > 0 else f"answer overdue by {spoken(-left)}")
    lines = ["# " + " · ".join([*facts, *extra])]
    if message.subject:
        lines.append(f"subject: {quoted(message.subject)}")
    return "\n".join([*lines, *content_lines(message, mark, start=start, share=share)])


def quoted(text: str) -> str:
    """A stranger's text inside a line of facts: in quotes, so that it can't read like further facts."""
    return json.dumps(safe_line(text), ensure_ascii=False)


def content_lines(
    message: Message | TopicMessage, mark: str, *, start: int = 0, share: int = BODY_SHARE
) -> list[str]:
    """A message's metadata and its body from ``start`` on, between marks, and where to read on."""
    lines: list[str] = []
    if message.metadata:
        dumped = safe_line(json.dumps(message.metadata, ensure_ascii=False))
        if len(dumped) > METADATA_SHARE:
            dumped = f"{dumped[:METADATA_SHARE]}\n(the first {METADATA_SHARE} of {len(dumped)} characters)"
        lines += [f"<{mark} metadata>", fold_long_lines(dumped, LINE_WIDTH)[0], f"</{mark} metadata>"]
    part = message.body[start : start + share]
    shown, folded = fold_long_lines(safe_text(part), LINE_WIDTH)
    lines += [f"<{mark}>", shown, f"</{mark}>"]
    if folded:
        lines.append(f"(lines over {LINE_WIDTH} characters were broken)")
    end = start + len(part)
    if start or end < len(message.body):
        lines.append(f"(characters {start} to {end} of {len(message.body)})")
    if end < len(message.body):
        lines.append(f"Read on: read_thread(thread={message.id!r}, offset={end})")
    return lines


def delivery_text(delivery: Delivery, mark: str, now: int, share: int, *, unwanted: str | None = None) -> str:
    """One delivery; one that was handed out before says so, because the work may be done. ``unwanted``: why
    its answer was waived."""
    extra: tuple[str, ...] = ()
    if delivery.redelivered:
        extra = (f"REDELIVERED (hand-out {delivery.delivery_count}; the work may have been done)",)
    if unwanted is not None:
        extra += ("NO LONGER WANTED" + (f" ({quoted(unwanted[:200])})" if unwanted else ""),)
    return message_text(delivery.message, mark, now, extra=extra, share=share)


def share_of(bodies: list[str]) -> int:
    """How many characters of each body an answer shows: all, unless they are too many together."""
    if sum(map(len, bodies)) <= BODY_SHARE:
        return BODY_SHARE
    return max(1000, BODY_SHARE // len(bodies))


def cut(shown: dict[str, Any], start: int = 0, share: int = BODY_SHARE) -> dict[str, Any]:
    """A message's object with its body cut to its share of an answer, and where to read on."""
    dumped = json.dumps(shown.get("metadata"), ensure_ascii=False)
    if len(dumped) > METADATA_SHARE:
        shown["metadata"] = {
            "cut_at_characters": METADATA_SHARE,
            "characters": len(dumped),
            "start": dumped[:2000],
        }
    body = shown["body"]
    end = start + share
    if start or len(body) > end:
        shown["body"] = body[start:end]
        shown["body_characters"] = len(body)
        if start:
            shown["body_offset"] = start
        if len(body) > end:
            shown["body_next_offset"] = end
    return shown


def handout_text(handout: Handout, name: str, now: int, foot: str, unwanted: Mapping[str, str]) -> str:
    """What was handed out; ``unwanted``: whose answers were waived, and why."""
    count = len(handout.deliveries)
    bodies = [delivery.message.body for delivery in handout.deliveries]
    mark, share = fence_for(bodies), share_of(bodies)
    more = f", {handout.remaining} more waiting" if handout.remaining else ""
    head = f"{count} message{'s' if count != 1 else ''} for {name}{more}:"
    parts = [
        delivery_text(delivery, mark, now, share, unwanted=unwanted.get(delivery.message.id))
        for delivery in handout.deliveries
    ]
    return "\n\n".join([head, *parts, foot])


def presence(agent: Agent, now: int, standing: Sequence[Standing] = ()) -> str:
    """Whether an agent is online and by what, in words."""
    by = ", ".join(
        safe_line(each.kind, 20) + (f" ({safe_line(each.state, 80)})" if each.state else "")
        for each in standing
    )
    if agent.session is not None:
        return f"online, with its {by}" if by else "online"
    if by:
        return f"online by its {by}"
    if agent.last_seen_at is not None:
        return f"offline, seen {spoken(max(0, now - agent.last_seen_at))} ago"
    return "offline"


def wake_line(wake: Wake, now: int) -> str:
    """A try to wake an agent."""
    what = "woken" if wake.worked else "could not be woken"
    line = f"{what} {spoken(max(0, now - wake.at))} ago by {safe_line(wake.how, 80)}"
    return line + (f": {safe_line(wake.detail, 200)}" if wake.detail else "")


def agent_line(agent: Agent, now: int, standing: Sequence[Standing] = ()) -> str:
    """One agent in a line."""
    facts = [presence(agent, now, standing)]
    if agent.role != "both":
        facts.append(agent.role)
    if agent.queued or agent.leased:
        facts.append(f"{agent.queued} waiting, {agent.leased} in hand")
    line = f"{agent.name} ({'; '.join(facts)})"
    return line + (f": {safe_line(agent.description, 300)}" if agent.description else "")


def receipt_text(receipt: Receipt, now: int) -> str:
    """Where a message is."""
    message = receipt.message
    lines = [f"{message.id} ({message.kind}, sent {spoken(max(0, now - message.created_at))} ago):"]
    for place in receipt.recipients:
        state = place.state
        if place.state == "leased" and place.lease_until is not None:
            state = f"in hand, lease until {spoken(place.lease_until - now)} from now"
        elif place.state == "settled":
            state = f"settled by {place.settled_by}"
        if place.since is not None:
            state += f", for {spoken(max(0, now - place.since))}"
        if place.delivery_count:
            state += f", handed out {place.delivery_count}x"
        if place.answered_by:
            state += f", answered by {place.answered_by}"
        lines.append(f"- {place.agent}: {state}")
        lines += [f"    {safe_line(reason, 300)}" for reason in place.reasons[-5:]]
    return "\n".join(lines)
