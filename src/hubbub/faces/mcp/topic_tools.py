"""The topics toolset, but for search. Descriptions are short, as in the mail toolset."""

from __future__ import annotations

from typing import Any

from hubbub.bus import Bus, Steps, checking
from hubbub.bus.topics import METADATA_BYTES, REASON_MAX, STATES
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.faces.mcp import render_topics as render
from hubbub.faces.mcp.mail_tools import WAIT_MAX, patience, within
from hubbub.faces.mcp.pending import Taken
from hubbub.faces.mcp.render import BODY_SHARE, safe_json
from hubbub.faces.mcp.tools import (
    ADDS,
    FLAG,
    READS,
    RETRIABLE,
    TEXT,
    Answer,
    Caller,
    Tool,
    check_fields,
)
from hubbub.model import MAX_MESSAGE_BYTES
from hubbub.model_topics import OUTBOX_MAX, SYNC_MAX, Membership, Post, Synced, Topic
from hubbub.names import TOPIC_NAME_MAX
from hubbub.text import safe_line
from hubbub.wire import membership_dict, synced_dict, topic_dict

LISTED_MAX = 100
"""Topics or members in one answer at most: clients cut long answers silently."""

METADATA_LISTED = 300
"""Characters of a topic's metadata up to which a list shows it."""


def create_topic(caller: Caller, given: dict[str, Any]) -> Answer:
    """Make a topic, or find the open one of that name."""
    topic, created = caller.bus.topics.create(
        caller.member.seat.actor,
        given.get("name"),
        metadata=given.get("metadata"),
        reuse=given.get("mode", "reuse") == "reuse",
        key=given.get("idempotency_key"),
    )
    text = f"Created {render.title(topic)} ({topic.id})."
    if not created:
        kept = " Its metadata is unchanged." if given.get("metadata") else ""
        text = f"It was there already: {render.topic_line(topic, caller.bus.store.now())}.{kept}"
    return Answer(text, safe_json({**topic_dict(topic), "created": created}))


def list_topics(caller: Caller, given: dict[str, Any]) -> Answer:
    """Topics, and what is unread in each."""
    name, now = caller.member.seat.agent.name, caller.bus.store.now()
    page = caller.bus.topics.list(
        agent=name,
        state=given.get("state", "open"),
        match=given.get("match"),
        after=given.get("after"),
        limit=checking.number(given.get("limit", 30), "limit", 1, LISTED_MAX),
    )
    shown = [_listed(topic) for topic in page.topics]
    data: dict[str, Any] = {"you": name, "topics": shown, "total": page.total}
    closed = _closed_unread(caller, name, given)
    if closed:
        data["closed_unread"] = [_listed(topic) for topic in closed]
    count = f"{len(shown)} of " if len(shown) != page.total else ""
    lines = [f"{count}{render.counted(page.total, 'topic')}, the last active first. You are {name}."]
    lines += [render.topic_line(topic, now) for topic in (*page.topics, *closed)]
    if page.next is not None:
        data["next_after"] = page.next
        lines.append(f"There are more: list_topics(after={page.next!r})")
    return Answer("\n".join(lines), safe_json(data))


def _closed_unread(caller: Caller, name: str, given: dict[str, Any]) -> list[Topic]:
    """Of the topics that were closed last, those in which there is something to read: on the first page
    of a list for which no state was asked."""
    if "state" in given or "after" in given:
        return []
    page = caller.bus.topics.list(agent=name, state="closed", match=given.get("match"), limit=LISTED_MAX)
    return [topic for topic in page.topics if topic.unread]


def _listed(topic: Topic) -> dict[str, Any]:
    """A topic as one of many."""
    shown = topic_dict(topic)
    if checking.json_bytes(topic.metadata) > METADATA_LISTED:
        del shown["metadata"]
    if topic.close_reason:
        shown["close_reason"] = safe_line(topic.close_reason, 200)
    return shown


def join_topic(caller: Caller, given: dict[str, Any]) -> Answer:
    """Become a member."""
    place = caller.bus.topics.join(caller.member.seat.actor, given["topic"], start=given.get("start"))
    text = f"You {'joined' if place.fresh else 'are in'} {render.title(place.topic)}"
    return _place(caller, place, text)


def leave_topic(caller: Caller, given: dict[str, Any]) -> Answer:
    """Be a member no longer."""
    place = caller.bus.topics.leave(caller.member.seat.actor, given["topic"])
    text = f"You left {render.title(place.topic)}; join_topic goes on where you were."
    return Answer(text, safe_json({"topic": topic_dict(place.topic), **membership_dict(place)}))


def reset_cursor(caller: Caller, given: dict[str, Any]) -> Answer:
    """Go on from another place."""
    place = caller.bus.topics.reset(caller.member.seat.actor, given["topic"], given["start"])
    return _place(caller, place, f"You go on after number {place.cursor} of {render.title(place.topic)}")


def _place(caller: Caller, place: Membership, text: str) -> Answer:
    text += f": {place.unread} to read, {render.counted(place.topic.last_seq, 'message')} in all."
    if place.topic.state != "open":
        text += " " + render.closed_line(place.topic, caller.bus.store.now())
    return Answer(text, safe_json({"topic": topic_dict(place.topic), **membership_dict(place)}))


def close_topic(caller: Caller, given: dict[str, Any]) -> Answer:
    """Close it, or undo that."""
    topics, actor = caller.bus.topics, caller.member.seat.actor
    if given.get("reopen"):
        if given.get("reason"):
            raise InvalidArgument("A reason goes with closing, not with reopen=true.")
        topic, changed = topics.reopen(actor, given["topic"])
        text = f"{render.title(topic)} is open{' again' if changed else ': it was not closed'}."
    else:
        topic, changed = topics.close(actor, given["topic"], reason=given.get("reason", ""))
        text = ("" if changed else "It was closed before. ") + render.closed_line(
            topic, caller.bus.store.now()
        )
    return Answer(text, safe_json({**topic_dict(topic), "changed": changed}))


def topic_presence(caller: Caller, given: dict[str, Any]) -> Answer:
    """Who is in a topic, and how far each has read."""
    topic = caller.bus.topics.get(given["topic"], agent=caller.member.seat.agent.name)
    members = caller.bus.topics.members(topic.id, limit=LISTED_MAX)
    now = caller.bus.store.now()
    online = sum(member.online for member in members)
    count = render.counted(topic.members or len(members), "member")
    lines = [f"{count} in {render.title(topic)}, {online} online:"]
    lines += [render.member_line(member, now) for member in members]
    left_out = max(0, (topic.members or 0) - len(members))
    lines += [f"... and {left_out} more who synced longer ago."] if left_out else []
    data: dict[str, Any] = {
        "topic": topic_dict(topic),
        "members": [
            membership_dict(member)
            | ({} if member.seen_at is None else {"seconds_since_sync": max(0, now - member.seen_at) // 1000})
            for member in members
        ],
    }
    return Answer("\n".join(lines), safe_json(data))


def sync(caller: Caller, given: dict[str, Any]) -> Steps[Answer]:
    """Post, acknowledge, read and wait, in steps."""
    bus, actor = caller.bus, caller.member.seat.actor
    manual = not given.get("auto_advance", "ack_through" not in given)
    wait = patience(given)
    synced = yield from bus.topics.syncing(
        actor,
        given["topic"],
        _outbox(bus, given.get("outbox", [])),
        wait=wait,
        limit=given.get("limit", 20),
        max_bytes=BODY_SHARE,
        auto_advance=not manual,
        ack_through=given.get("ack_through"),
        confirm=caller.due.hands,
    )
    hands = () if synced.hand is None else (synced.hand,)
    try:
        answer = _synced(caller, synced, manual=manual, waited=wait, within=within(given))
    except BaseException:
        bus.topics.take_back(actor, hands)
        raise
    return answer._replace(handed=Taken(hands=hands))


def _synced(caller: Caller, synced: Synced, *, manual: bool, waited: float, within: str) -> Answer:
    data = synced_dict(synced)
    data["messages"] = render.posts_json(synced.messages)
    if not manual:
        del data["through"]
    if synced.topic.closed_by:
        data["closed_by"] = synced.topic.closed_by
    text = render.synced_text(caller, synced, manual=manual, waited=waited, within=within)
    if not synced.messages and not synced.posted:
        data["reason"] = text
    return Answer(text, safe_json({"agent": caller.member.seat.agent.name, **data}))


def _outbox(bus: Bus, items: list[Any]) -> tuple[Post, ...]:
    """What to post. A text is a message with that body."""
    if len(items) > OUTBOX_MAX:
        raise InvalidArgument(
            f"An outbox takes up to {OUTBOX_MAX} messages, not {len(items)}.",
            hint="Post the first ones now and the others in another sync.",
        )
    return tuple(_post(bus, number, item) for number, item in enumerate(items, 1))


def _post(bus: Bus, number: int, item: Any) -> Post:
    owner = f"Item {number} of the outbox"
    try:
        return _checked_post(bus, owner, item)
    except HubbubError as error:
        if not error.message.startswith(owner):
            error.message = f"{owner}: {error.message}"
        error.message += " Nothing was posted."
        raise


def _checked_post(bus: Bus, owner: str, item: Any) -> Post:
    if isinstance(item, str):
        item = {"body": item}
    if not isinstance(item, dict):
        raise InvalidArgument(f"{owner} must be an object.", hint='For example: {"body": "Done."}')
    item = {
        _OTHER_FIELDS.get(name, name) if _OTHER_FIELDS.get(name) not in item else name: value
        for name, value in item.items()
    }
    return bus.topics.post(**check_fields(owner, "field", _POST["properties"], ("body",), item))


_OTHER_FIELDS = {
    "content_markdown": "body",
    "message_type": "kind",
    "client_message_id": "key",
}
"""What Agent Bus MCP calls the fields of a message, and those that they mean."""


_TOPIC = {"type": "string", "maxLength": 200, "description": "name or id"}
_START = {"type": "string", "description": "start, latest, or the number to go on after"}
_POST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "body": {"type": "string", "minLength": 1, "maxLength": MAX_MESSAGE_BYTES},
        "kind": {"type": "string", "maxLength": 32},
        "reply_to": {"type": "string", "description": "id of a message here"},
        "metadata": {"type": "object", "description": "with body up to 1 MiB"},
        "key": {"type": "string", "maxLength": 200, "description": "same key on a retry posts once"},
    },
    "required": ["body"],
}

TOPIC_TOOLS = (
    Tool(
        "list_topics",
        "The topics, the last active first, with how much is unread for you in each: where to look next.",
        {
            "state": {"type": "string", "enum": list(STATES)},
            "match": {"type": "string", "description": "part of a name"},
            "after": {"type": "string", "description": "next_after of the page before"},
            "limit": {"type": "integer", "minimum": 1, "maximum": LISTED_MAX},
            "as_agent": TEXT,
        },
        (),
        READS,
        list_topics,
        aliases=(("max_items", "limit"),),
    ),
    Tool(
        "sync",
        "All in one for a topic: post the outbox, get what others posted since your last sync, and if there "
        "is nothing wait up to wait_seconds for it. Call again while has_more. Joins you if need be. "
        "Your next call confirms what you got.",
        {
            "topic": _TOPIC,
            "outbox": {"type": "array", "maxItems": OUTBOX_MAX, "items": _POST},
            "wait_seconds": {"type": "number", "minimum": 0, "maximum": WAIT_MAX},
            "limit": {"type": "integer", "minimum": 1, "maximum": SYNC_MAX},
            "auto_advance": {
                "type": "boolean",
                "description": "false: the same messages come until ack_through",
            },
            "ack_through": {"type": "integer", "minimum": 0, "description": "number of the last one done"},
            "as_agent": TEXT,
        },
        ("topic",),
        ADDS,
        sync,
        settles="hands",
        aliases=(("max_items", "limit"),),
    ),
    Tool(
        "create_topic",
        "Make a topic for a discussion of several agents, or with mode reuse (default) get the open one of "
        "that name; joins you.",
        {
            "name": {"type": "string", "maxLength": TOPIC_NAME_MAX},
            "metadata": {"type": "object", "description": f"up to {METADATA_BYTES >> 10} KiB"},
            "mode": {"type": "string", "enum": ["reuse", "new"]},
            "idempotency_key": TEXT,
            "as_agent": TEXT,
        },
        (),
        ADDS,
        create_topic,
    ),
    Tool(
        "join_topic",
        "Join a topic to read from a place other than its start (sync alone joins at the start), "
        "or again after leaving.",
        {"topic": _TOPIC, "start": _START, "as_agent": TEXT},
        ("topic",),
        RETRIABLE,
        join_topic,
    ),
    Tool(
        "leave_topic",
        "Leave a topic you are done with; your place is kept.",
        {"topic": _TOPIC, "as_agent": TEXT},
        ("topic",),
        RETRIABLE,
        leave_topic,
    ),
    Tool(
        "reset_cursor",
        "Move your place in a topic, to get messages again or skip them.",
        {"topic": _TOPIC, "start": _START, "as_agent": TEXT},
        ("topic", "start"),
        RETRIABLE,
        reset_cursor,
    ),
    Tool(
        "topic_presence",
        "Who is in a topic: online, last sync, how far behind.",
        {"topic": _TOPIC, "as_agent": TEXT},
        ("topic",),
        READS,
        topic_presence,
    ),
    Tool(
        "close_topic",
        "Close a topic when its work is done: nobody can post, all can read; who waits in it is told. "
        "reopen undoes it.",
        {
            "topic": _TOPIC,
            "reason": {"type": "string", "maxLength": REASON_MAX},
            "reopen": FLAG,
            "as_agent": TEXT,
        },
        ("topic",),
        RETRIABLE,
        close_topic,
    ),
)
