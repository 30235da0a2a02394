"""topic: making and managing topics, and belonging to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import EXIT_FAILED
from hubbub.faces.cli import render, render_topics
from hubbub.faces.cli.bodies import read_metadata
from hubbub.faces.cli.render_topics import name_of
from hubbub.text import safe_line
from hubbub.wire import membership_dict, topic_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model_topics import Changed, Membership, Topic

CLOSED_LOOKED_AT = 100


def list_(context: Context) -> int:
    """The topics, the last active first; as an agent, with what it has unread."""
    given, output = context.arguments, context.output
    reader = context.reader
    page = context.bus.topics.list(
        agent=reader,
        state=given.state or "open",
        match=given.match,
        after=given.after,
        limit=given.limit,
    )
    closed: list[Topic] = []
    if reader is not None and given.state is None and given.after is None:
        closed = _closed_unread(context, reader)
    if output.json:
        answer: dict[str, Any] = {"topics": [topic_dict(topic) for topic in page.topics], "total": page.total}
        answer |= {"closed_unread": [topic_dict(topic) for topic in closed]} if closed else {}
        output.answer(answer if page.next is None else {**answer, "next": page.next})
        return 0
    now = context.bus.store.now()
    for topic in [*page.topics, *closed]:
        render_topics.topic(topic, now, output, reader=reader)
    if not page.topics:
        output.line(_none(given.state, given.match))
    if page.next is not None:
        output.line(f"{page.total} in all: add --after {page.next}")
    return 0


def _closed_unread(context: Context, reader: str) -> list[Topic]:
    """Of the topics that were closed last, those in which ``reader`` has something to read."""
    match = context.arguments.match
    page = context.bus.topics.list(agent=reader, state="closed", match=match, limit=CLOSED_LOOKED_AT)
    return [topic for topic in page.topics if topic.unread]


def _none(state: str | None, match: str | None) -> str:
    which = {"all": "topic", None: "open topic"}.get(state, f"{state} topic")
    if match is not None:
        return f"No {which}'s name contains {safe_line(match)}."
    return f"No {which}s."


def show(context: Context) -> int:
    """All that is known of one topic."""
    topic = context.bus.topics.get(context.arguments.topic, agent=context.reader)
    if context.output.json:
        context.output.answer({"topic": topic_dict(topic)})
    else:
        render_topics.whole_topic(topic, context.bus.store.now(), context.output)
    return 0


def create(context: Context) -> int:
    """Make a topic and join it, or join the open one of that name."""
    given = context.arguments
    made = context.bus.topics.create(
        context.actor,
        given.name,
        metadata=read_metadata(given.metadata),
        reuse=not given.new,
        key=given.key,
    )
    name = name_of(made.topic)
    told = (
        f"Created {name} ({made.topic.id})."
        if made.created
        else f"{name} was there ({made.topic.id}, {render.plural(made.topic.last_seq, 'message')})."
    )
    context.done({"topic": topic_dict(made.topic), "created": made.created}, told)
    return 0


def close(context: Context) -> int:
    """Close a topic; its waiters are told."""
    given = context.arguments
    done = context.bus.topics.close(context.actor, given.topic, reason=given.reason)
    now = context.bus.store.now()
    otherwise = f"{name_of(done.topic)} was {render_topics.closing(done.topic, now)}"
    return _changed(context, done, f"Closed {name_of(done.topic)}.", _sentence(otherwise))


def reopen(context: Context) -> int:
    """Undo a close."""
    done = context.bus.topics.reopen(context.actor, context.arguments.topic)
    name = name_of(done.topic)
    return _changed(context, done, f"Reopened {name}.", f"{name} is open already.")


def rename(context: Context) -> int:
    """Give a topic another name."""
    given = context.arguments
    before = context.bus.topics.get(given.topic)
    done = context.bus.topics.rename(context.actor, before.id, given.name)
    name = name_of(done.topic)
    return _changed(context, done, f"Renamed {name_of(before)} to {name}.", f"It is called {name} already.")


def delete(context: Context) -> int:
    """Remove a topic with its messages, after asking."""
    actor = context.actor
    topic = context.bus.topics.get(context.arguments.topic)  # a mistyped name is told before anybody is asked
    count = render.plural(topic.last_seq, "message")
    if not context.confirm(f"This deletes {name_of(topic)} with {count}."):
        context.output.line("Nothing was changed.")
        return EXIT_FAILED
    done = context.bus.topics.delete(actor, topic.id)
    count = render.plural(done.topic.last_seq, "message")
    context.done(
        {"deleted": topic_dict(done.topic), "messages": done.topic.last_seq},
        f"Deleted {name_of(topic)} with {count}.",
    )
    return 0


def join(context: Context) -> int:
    """Become a member."""
    given = context.arguments
    member = context.bus.topics.join(context.actor, given.topic, start=given.start)
    name = name_of(member.topic)
    told = f"Joined {name}" if member.fresh else f"{member.agent} is a member of {name}"
    return _member(context, member, f"{told}: {_unread(member)}.")


def leave(context: Context) -> int:
    """Be a member no longer."""
    member = context.bus.topics.leave(context.actor, context.arguments.topic)
    told = f"Left {name_of(member.topic)}. Your place in it, number {member.position}, is kept."
    return _member(context, member, told)


def reset(context: Context) -> int:
    """Go on reading from another place."""
    given = context.arguments
    member = context.bus.topics.reset(context.actor, given.topic, given.place)
    told = f"The next sync of {name_of(member.topic)} begins after number {member.cursor}"
    return _member(context, member, f"{told}: {_unread(member)}.")


def members(context: Context) -> int:
    """Who is in a topic."""
    given, output = context.arguments, context.output
    context.check_reader()
    found = context.bus.topics.members(given.topic, limit=given.limit)
    if output.json:
        output.answer({"topic": given.topic, "members": [membership_dict(member) for member in found]})
        return 0
    now = context.bus.store.now()
    for member in found:
        render_topics.membership(member, now, output)
    if not found:
        output.line("Nobody is in it.")
    return 0


def _unread(member: Membership) -> str:
    return f"{render.plural(member.unread, 'message')} to read" if member.unread else "nothing to read"


def _member(context: Context, member: Membership, told: str) -> int:
    answer = {"topic": member.topic.name, "topic_id": member.topic.id, **membership_dict(member)}
    context.done(answer, told)
    return 0


def _changed(context: Context, done: Changed, told: str, otherwise: str) -> int:
    answer = {"topic": topic_dict(done.topic), "changed": done.changed}
    if done.changed:
        context.done(answer, told)
    else:
        context.show(answer, otherwise)
    return 0


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
