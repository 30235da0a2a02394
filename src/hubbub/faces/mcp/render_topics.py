"""Topics as text for a model: what :mod:`hubbub.faces.mcp.render` says of mail holds here."""

from __future__ import annotations

import re
from typing import Any

from hubbub.clock import spoken
from hubbub.faces.mcp.render import (
    BODY_SHARE,
    content_lines,
    cut,
    fence_for,
    quoted,
    safe_json,
    share_of,
)
from hubbub.faces.mcp.tools import Caller
from hubbub.model_topics import Membership, Synced, Topic, TopicMessage
from hubbub.names import KIND_RULE, NAME_RULE
from hubbub.wire import topic_message_dict

LOOKED_THROUGH = 10
"""How many topics an empty answer looks through for something unread: it must cost next to nothing."""

_PLAIN = re.compile(r"[\w.+/-]{1,64}")


def title(topic: Topic) -> str:
    """How a topic is called in a text: ``#name``; a name that could read like more stands in quotes."""
    return f"#{topic.name}" if _PLAIN.fullmatch(topic.name) else f"#{quoted(topic.name)}"


def who(sender: str) -> str:
    """A sender's name; what an import brought need not keep the rule for names."""
    return sender if NAME_RULE.fullmatch(sender) else quoted(sender)


def word(kind: str) -> str:
    """A kind of message, likewise."""
    return kind if KIND_RULE.fullmatch(kind) else quoted(kind)


def counted(count: int, noun: str) -> str:
    """``1 message``, ``2 messages``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def ago(then: int, now: int) -> str:
    """How long ago."""
    return f"{spoken(max(0, now - then))} ago"


def closed_line(topic: Topic, now: int) -> str:
    """That a topic is closed, by whom and why."""
    line = f"{title(topic)} is closed: it can be read, not posted to"
    if topic.closed_at is not None:
        line += f". Closed {ago(topic.closed_at, now)}" + (
            f" by {topic.closed_by}" if topic.closed_by else ""
        )
    return line + (f"; reason: {quoted(topic.close_reason)}" if topic.close_reason else "") + "."


def topic_line(topic: Topic, now: int) -> str:
    """One topic in a line."""
    facts = [f"{topic.unread} unread" if topic.unread is not None else "not joined"]
    facts.append(counted(topic.last_seq, "message"))
    facts += [counted(topic.members, "member")] if topic.members is not None else []
    facts += [f"active {ago(topic.last_at, now)}"] if topic.last_at else []
    if topic.state == "closed":
        facts.insert(0, "CLOSED" + (f" ({quoted(topic.close_reason)[:200]})" if topic.close_reason else ""))
    return f"{title(topic)} ({topic.id}): {', '.join(facts)}"


def member_line(member: Membership, now: int) -> str:
    """One member in a line."""
    facts = ["online" if member.online else "offline"]
    facts.append("never synced" if member.seen_at is None else f"synced {ago(member.seen_at, now)}")
    if member.unread or not member.in_hand:
        facts.append(f"{member.unread} unread" if member.unread else "has read all")
    if member.in_hand:
        facts.append(f"{member.in_hand} in hand, unconfirmed")
    if member.left_at is not None:
        facts.append(f"left {ago(member.left_at, now)}")
    return f"{member.agent}: {', '.join(facts)}"


def post_text(
    message: TopicMessage, mark: str, now: int, *, share: int = BODY_SHARE, start: int = 0, place: str = ""
) -> str:
    """One message of a topic: a line of facts, and its metadata and body between marks."""
    sender = f"{message.id} from {who(message.sender)}"
    if message.imported_by:
        sender += f", as imported by {who(message.imported_by)}"
    facts = [sender, f"{place}number {message.seq}", word(message.kind)]
    facts.append(ago(message.created_at, now))
    if message.reply_to:
        facts.append(f"answers {message.reply_to}")
    if message.thread not in (message.id, message.reply_to):
        facts.append(f"thread {message.thread}")
    return "\n".join(["# " + " · ".join(facts), *content_lines(message, mark, start=start, share=share)])


def posts_text(messages: tuple[TopicMessage, ...], now: int) -> list[str]:
    """Messages of a topic, each a part of an answer."""
    bodies = [message.body for message in messages]
    mark, share = fence_for(bodies), share_of(bodies)
    return [post_text(message, mark, now, share=share) for message in messages]


def posts_json(messages: tuple[TopicMessage, ...]) -> list[Any]:
    """The same as objects."""
    share = share_of([message.body for message in messages])
    return [safe_json(cut(topic_message_dict(message), share=share)) for message in messages]


def synced_text(caller: Caller, synced: Synced, *, manual: bool, waited: float, within: str) -> str:
    """The answer to a sync. One that brings nothing says why; ``within`` tells how long was waited."""
    topic, now = synced.topic, caller.bus.store.now()
    head = []
    if synced.joined:
        head.append(f"You joined {title(topic)}.")
    head += [_posted_line(synced)] if synced.posted else []
    if synced.messages:
        more = ", and there are more" if synced.has_more else ""
        head.append(f"{counted(len(synced.messages), 'message')} in {title(topic)}{more}:")
    else:
        head.append(f"Nothing new in {title(topic)}{within if topic.state == 'open' else ''}.")
        if synced.next_due_at is not None:
            head.append(
                "Messages that another session of yours was handed can be had again "
                f"in {spoken(max(0, synced.next_due_at - now))}, unless it has had them."
            )
        # Who only posts is at work here already, and posting must be quick.
        head.append("" if synced.posted and not waited else unread_elsewhere(caller, topic.id).strip())
    if synced.redelivered:
        they = "it was" if len(synced.messages) == 1 else "they were"
        head.append(f"REDELIVERED: {they} handed out before; the work may have been done.")
    foot = [closed_line(topic, now)] if topic.state != "open" else []
    if synced.messages and manual:
        foot.append(
            f"When these are dealt with: sync(topic={topic.id!r}, ack_through={synced.through}). "
            "Until then they come again."
        )
    elif synced.has_more:
        foot.append("Call sync again for the next ones.")
    return "\n\n".join(
        [" ".join(filter(None, head)), *posts_text(synced.messages, now), *([" ".join(foot)] if foot else [])]
    )


def unread_elsewhere(caller: Caller, but: str | None = None) -> str:
    """For an answer that brings nothing: in which of the last active topics, ``but`` one, there is
    something to read. Empty when nowhere, and where the server has no tools for topics."""
    if not caller.topics:
        return ""
    page = caller.bus.topics.list(
        agent=caller.member.seat.agent.name, state="all", limit=LOOKED_THROUGH, count_members=False
    )
    unread = [
        f"{title(topic)} {topic.unread}{'' if topic.state == 'open' else f' ({topic.state})'}"
        for topic in page.topics
        if topic.unread and topic.id != but
    ]
    return f" Unread in {'other ' if but else ''}topics: {', '.join(unread)}." if unread else ""


def _posted_line(synced: Synced) -> str:
    shown = [
        f"{posted.id} (number {posted.seq}{', posted before with this key' if posted.repeated else ''})"
        for posted in synced.posted
    ]
    return f"Posted {', '.join(shown)}."
