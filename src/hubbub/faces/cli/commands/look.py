"""thread and who."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import InvalidArgument, NotFound, ThreadNotFound, TopicNotFound
from hubbub.faces.cli import render
from hubbub.faces.cli.claims import held, held_dict, labels
from hubbub.names import parse_post_id, parse_topic_id
from hubbub.wire import agent_dict, message_dict
from hubbub.wire_pending import standing_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Message
    from hubbub.model_presence import Standing

PAGE = 200
STEPS_SHOWN = 5


def thread(context: Context) -> int:
    """Read a conversation: as the agent where one is named, else as the operator."""
    given = context.arguments
    named = _in_topic(context)
    if named is not None:
        return _show_topic(context, *named)
    try:
        messages, more = _pages(context)
    except ThreadNotFound:
        try:  # the bare name of a topic
            context.bus.topics.get(given.thread)
        except (TopicNotFound, InvalidArgument):
            pass
        else:
            return _show_topic(context, given.thread, None)
        raise
    if context.output.json:
        answer = {"thread": given.thread, "messages": [message_dict(message) for message in messages]}
        context.output.answer(answer if more is None else {**answer, "next_seq": more})
        return 0
    now = context.bus.store.now()
    for message in messages:
        render.message(message, now, context.output, to=True)
    if more is not None:
        context.output.line(f"There is more: add --after {more}")
    return 0


def _show_topic(context: Context, topic: str, thread: str | None) -> int:
    from hubbub.faces.cli.commands import topic_read

    given = context.arguments
    context.check_reader()
    limit = topic_read.LIMIT_MAX if given.limit is None else given.limit
    return topic_read.show(context, topic_read.part(context, topic, given.after, None, thread, limit))


def _in_topic(context: Context) -> tuple[str, str | None] | None:
    """The topic, and which thread of it, where ``#name`` or an id of one was given; else None."""
    name: str = context.arguments.thread
    if name.startswith("#"):
        return name, None
    try:  # a thread of the mail may be called by any word, so also by one that looks like an id
        if parse_post_id(name) is not None:
            return context.bus.topics.message(name).topic, name
        if parse_topic_id(name) is not None:
            return context.bus.topics.get(name).id, None
    except NotFound:
        pass
    return None


def _pages(context: Context) -> tuple[list[Message], int | None]:
    """The thread's messages up to ``--limit``, and where to go on if there are more."""
    given = context.arguments
    if given.limit is not None and given.limit < 1:
        raise InvalidArgument("limit must be at least 1.")
    reader = context.reader
    found: list[Message] = []
    after: int | None = given.after
    while after is not None and (given.limit is None or len(found) < given.limit):
        room = PAGE if given.limit is None else min(PAGE, given.limit - len(found))
        page = context.bus.mail.thread(given.thread, reader=reader, after=after, limit=room)
        found += page.messages
        after = page.next_seq
    return found, after


def who(context: Context) -> int:
    """The agents of this bus."""
    agents = context.bus.agents.all()
    stands: dict[str, list[Standing]] = {}
    for each in context.bus.presence.standing():
        stands.setdefault(each.agent, []).append(each)
    if context.arguments.online:
        agents = [agent for agent in agents if agent.session is not None or agent.name in stands]
    steps = held(context)
    if context.output.json:
        shown = [agent_dict(agent) for agent in agents]
        for told in shown:
            if told["name"] in stands:
                told["online"] = True
                told["standing"] = [standing_dict(each) for each in stands[told["name"]]]
            if told["name"] in steps:
                mine = steps[told["name"]]
                told["steps"] = [held_dict(*pair) for pair in zip(mine, labels(context, mine), strict=True)]
        context.output.answer({"agents": shown})
        return 0
    now = context.bus.store.now()
    for agent in agents:
        render.agent(agent, now, context.output, standing=stands.get(agent.name, []))
        mine = steps.get(agent.name, [])[:STEPS_SHOWN]
        if mine:
            more = len(steps[agent.name]) - len(mine)
            has = ", ".join(labels(context, mine)) + (f" and {more} more" if more else "")
            context.output.line(f"  Has the step{'' if len(steps[agent.name]) == 1 else 's'} {has}")
    if not agents:
        online = context.arguments.online
        context.output.line("No agent is online." if online else "No agent is registered on this bus.")
    return 0
