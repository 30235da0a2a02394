"""Reading again what was said: a thread of the mail, a topic, a thread in a topic, a long message."""

from __future__ import annotations

from typing import Any

from hubbub.errors import InvalidArgument, MessageNotFound, ThreadNotFound, TopicNotFound
from hubbub.faces.mcp import render, render_topics
from hubbub.faces.mcp.tools import FLAG, READS, TEXT, Answer, Caller, Tool
from hubbub.model_topics import TopicMessage, TopicRange
from hubbub.names import parse_post_id, parse_topic_id
from hubbub.wire import message_dict, topic_message_dict

PAGE = 20


def read_thread(caller: Caller, given: dict[str, Any]) -> Answer:
    """A thread, a topic, or the rest of one long message."""
    name = given["thread"]
    if name.startswith("#"):
        return _read_topic(caller, given, name)
    # A thread of the mail may be called by any word, so also by one that looks like an id.
    if parse_topic_id(name) is not None:
        try:
            caller.bus.topics.get(name)
        except TopicNotFound:
            return _read_mail(caller, given)
        return _read_topic(caller, given, name)
    if parse_post_id(name) is not None:
        try:
            post = caller.bus.topics.message(name)
        except MessageNotFound:
            return _read_mail(caller, given)
        if given.get("offset"):
            return _read_on_post(caller, post, int(given["offset"]))
        return _read_topic(caller, given, post.topic, thread=name)
    return _read_by_name(caller, given, name)


def _read_by_name(caller: Caller, given: dict[str, Any], name: str) -> Answer:
    """A thread of the mail; where none has the name, the topic that has it."""
    for_topics = "before" in given or given.get("newest")
    if for_topics and _is_topic(caller, name):
        return _read_topic(caller, given, name)
    try:
        return _read_mail(caller, given)
    except ThreadNotFound:
        if not _is_topic(caller, name):
            raise
        return _read_topic(caller, given, name)


def _read_topic(caller: Caller, given: dict[str, Any], topic: str, thread: str | None = None) -> Answer:
    if given.get("offset"):
        raise InvalidArgument("offset reads on in one message: give its id as thread.")
    before = given.get("before")
    # Whoever reads back from a place wants what is next to it.
    newest = bool(given.get("newest")) or (before is not None and "after" not in given)
    part = caller.bus.topics.history(
        topic,
        after=given.get("after", 0),
        before=before,
        newest=newest,
        thread=thread,
        limit=given.get("limit", PAGE),
        max_bytes=render.BODY_SHARE,
    )
    return _topic_answer(caller, part, given["thread"], thread)


def _topic_answer(caller: Caller, part: TopicRange, asked: str, thread: str | None) -> Answer:
    now, topic = caller.bus.store.now(), part.topic
    whole = render_topics.counted(topic.last_seq, "message")
    what = f"the thread of {thread} in {render_topics.title(topic)}" if thread else render_topics.title(topic)
    head = f"{len(part.messages)} of {what} ({whole}), oldest first:"
    data: dict[str, Any] = {"topic": topic.name, "topic_id": topic.id, "state": topic.state}
    data["messages"] = render_topics.posts_json(part.messages)
    foot = []
    first = part.messages[0].seq if part.messages else 0
    if first > 1 and thread is None:
        foot.append(f"Earlier ones: read_thread(thread={asked!r}, before={first}).")
    if part.next_after is not None:
        data["next_after"] = part.next_after
        foot.append(f"Later ones: read_thread(thread={asked!r}, after={part.next_after}).")
    if topic.state != "open":
        foot.append(render_topics.closed_line(topic, now))
    parts = [head, *render_topics.posts_text(part.messages, now), *([" ".join(foot)] if foot else [])]
    return Answer("\n\n".join(parts), render.safe_json(data))


def _read_on_post(caller: Caller, post: TopicMessage, start: int) -> Answer:
    if not 0 <= start < len(post.body):
        raise InvalidArgument(f"The body of {post.id} has {len(post.body)} characters.")
    mark = render.fence_for([post.body])
    text = render_topics.post_text(post, mark, caller.bus.store.now(), start=start)
    return Answer(text, render.safe_json(render.cut(topic_message_dict(post), start)))


def _read_mail(caller: Caller, given: dict[str, Any]) -> Answer:
    bus, name = caller.bus, caller.member.seat.agent.name
    if "before" in given or given.get("newest"):
        raise InvalidArgument(
            "before and newest are for topics; this is no topic.",
            hint="A topic is named as #NAME or by its id. A thread of the mail is read on with after.",
        )
    now = bus.store.now()
    if given.get("offset"):
        return _read_on_mail(caller, given, now)
    page = bus.mail.thread(
        given["thread"], reader=name, after=int(given.get("after", 0)), limit=given.get("limit", PAGE)
    )
    mark = render.fence_for([message.body for message in page.messages])
    share = render.share_of([message.body for message in page.messages])
    parts = [render.message_text(message, mark, now, share=share) for message in page.messages]
    data: dict[str, Any] = {
        "messages": [render.safe_json(render.cut(message_dict(m), share=share)) for m in page.messages]
    }
    head = f"{len(page.messages)} messages, oldest first:"
    if page.next_seq is not None:
        data["next_after"] = page.next_seq
        parts.append(f"There are more: read_thread(thread={given['thread']!r}, after={page.next_seq})")
    return Answer("\n\n".join([head, *parts]), data)


def _is_topic(caller: Caller, name: str) -> bool:
    try:
        caller.bus.topics.get(name)
    except (TopicNotFound, InvalidArgument):
        return False
    return True


def _read_on_mail(caller: Caller, given: dict[str, Any], now: int) -> Answer:
    message = caller.bus.mail.message(given["thread"], reader=caller.member.seat.agent.name)
    start = int(given["offset"])
    if not 0 <= start < len(message.body):
        raise InvalidArgument(f"The body of {message.id} has {len(message.body)} characters.")
    text = render.message_text(message, render.fence_for([message.body]), now, start=start)
    return Answer(text, render.safe_json(render.cut(message_dict(message), start)))


READ_THREAD = Tool(
    "read_thread",
    "Read again: a conversation, by its name or any message id in it; a topic, as #NAME, without joining "
    "it; the rest of a long message (offset).",
    {
        "thread": TEXT,
        "after": {"type": "integer", "description": "next_after of the page before"},
        "before": {"type": "integer", "description": "in a topic: number to read back from"},
        "newest": FLAG,
        "limit": {"type": "integer"},
        "offset": {"type": "integer", "description": "character of that message's body"},
        "as_agent": TEXT,
    },
    ("thread",),
    READS,
    read_thread,
)
