"""topic read: the history of a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import InvalidArgument
from hubbub.faces.cli import render_topics
from hubbub.faces.cli.render_topics import name_of
from hubbub.faces.cli.topic_arguments import READ_LAST
from hubbub.wire import topic_message_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_topics import Topic, TopicMessage

PAGE = 200
PAGE_BYTES = 4 << 20
LIMIT_MAX = 1_000_000


def read(context: Context) -> int:
    """Show messages of a topic; no membership is needed and no cursor moves."""
    given, output = context.arguments, context.output
    backward = given.last is not None or (given.after is None and given.thread is None)
    topic, messages, more = _newest(context) if backward else _from(context)
    if output.json:
        answer: dict[str, Any] = {"topic": topic.name, "topic_id": topic.id, "state": topic.state}
        answer["messages"] = [topic_message_dict(message) for message in messages]
        output.answer(answer if more is None else {**answer, "next_after": more})
        return 0
    now = context.bus.store.now()
    for message in messages:
        render_topics.topic_message(message, name_of(topic), now, output)
    if not messages:
        output.line("No messages.")
    elif backward and given.after is None and given.thread is None and messages[0].seq > 1:
        output.line(f"There are earlier ones: add --before {messages[0].seq}")
    if more is not None:
        output.line(f"There is more: add --after {more}")
    return 0


def _newest(context: Context) -> tuple[Topic, list[TopicMessage], None]:
    given = context.arguments
    count = READ_LAST if given.last is None else given.last
    found = context.bus.topics.history(
        given.topic,
        after=given.after or 0,
        before=given.before,
        newest=True,
        thread=given.thread,
        limit=count,
    )
    return found.topic, list(found.messages), None


def _from(context: Context) -> tuple[Topic, list[TopicMessage], int | None]:
    """Those after a number up to ``--limit``, and where to go on if there are more."""
    given = context.arguments
    if not 1 <= given.limit <= LIMIT_MAX:
        raise InvalidArgument(f"limit must be from 1 to {LIMIT_MAX}.")
    name, after = given.topic, given.after or 0
    messages: list[TopicMessage] = []
    while True:
        found = context.bus.topics.history(
            name,
            after=after,
            before=given.before,
            thread=given.thread,
            limit=min(PAGE, given.limit - len(messages)),
            max_bytes=PAGE_BYTES,
        )
        name = found.topic.id  # a name may lead to another topic by the next page
        messages += found.messages
        if found.next_after is None or len(messages) >= given.limit:
            return found.topic, messages, found.next_after
        after = found.next_after
