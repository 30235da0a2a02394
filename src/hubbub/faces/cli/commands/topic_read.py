"""topic read: the history of a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hubbub.errors import InvalidArgument
from hubbub.faces.cli import render_topics
from hubbub.faces.cli.render_topics import name_of
from hubbub.faces.cli.topic_arguments import READ_LAST, READ_LIMIT
from hubbub.wire import topic_message_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_topics import Topic, TopicMessage

PAGE = 200
PAGE_BYTES = 4 << 20
LIMIT_MAX = 1_000_000
LAST_MAX = 1000


class Part(NamedTuple):
    """Some messages of a topic."""

    topic: Topic
    messages: list[TopicMessage]
    more: int | None = None
    """There are more after this number."""


def read(context: Context) -> int:
    """Show messages of a topic; no membership is needed and no cursor moves."""
    given = context.arguments
    context.check_reader()
    if given.last is not None and not 1 <= given.last <= LAST_MAX:
        raise InvalidArgument(f"last must be from 1 to {LAST_MAX}, not {given.last}.")
    if given.last is not None or (given.after is None and given.thread is None):
        count = READ_LAST if given.limit is None else given.limit
        found = context.bus.topics.history(
            given.topic,
            after=given.after or 0,
            before=given.before,
            newest=True,
            thread=given.thread,
            limit=count if given.last is None else given.last,
        )
        earlier = given.after is None and given.thread is None
        return show(context, Part(found.topic, list(found.messages)), earlier=earlier)
    limit = READ_LIMIT if given.limit is None else given.limit
    return show(context, part(context, given.topic, given.after or 0, given.before, given.thread, limit))


def part(context: Context, name: str, after: int, before: int | None, thread: str | None, limit: int) -> Part:
    """The messages of a topic, or of a thread in it, after one number and before another, up to ``limit``.

    Raises:
        InvalidArgument: ``limit`` is out of range.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidArgument(f"limit must be from 1 to {LIMIT_MAX}.")
    messages: list[TopicMessage] = []
    while True:
        found = context.bus.topics.history(
            name,
            after=after,
            before=before,
            thread=thread,
            limit=min(PAGE, limit - len(messages)),
            max_bytes=PAGE_BYTES,
        )
        name = found.topic.id  # a name may lead to another topic by the next page
        messages += found.messages
        if found.next_after is None or len(messages) >= limit:
            return Part(found.topic, messages, found.next_after)
        after = found.next_after


def show(context: Context, shown: Part, *, earlier: bool = False) -> int:
    """Answer with messages; with ``earlier``, and how to see those before them."""
    output, topic, messages = context.output, shown.topic, shown.messages
    if output.json:
        answer: dict[str, Any] = {"topic": topic.name, "topic_id": topic.id, "state": topic.state}
        answer["messages"] = [topic_message_dict(message) for message in messages]
        output.answer(answer if shown.more is None else {**answer, "next_after": shown.more})
        return 0
    now = context.bus.store.now()
    for message in messages:
        render_topics.topic_message(message, name_of(topic), now, output)
    if not messages:
        output.line(_none(topic))
    elif earlier and messages[0].seq > 1:
        output.line(f"There are earlier ones: add --before {messages[0].seq}")
    if shown.more is not None:
        output.line(f"There is more: add --after {shown.more}")
    return 0


def _none(topic: Topic) -> str:
    """Why nothing is shown."""
    if not topic.last_seq:
        return f"{name_of(topic)} has no messages."
    return f"No messages there: {name_of(topic)} ends at {topic.last_seq}."
