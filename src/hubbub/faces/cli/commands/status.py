"""status: the bus, one agent, or where a message is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import InvalidArgument, InvalidName, MessageNotFound, TopicNotFound, UnknownAgent
from hubbub.faces.cli import render, render_pending, render_topics, render_work
from hubbub.faces.cli.claims import held, held_dict, labels
from hubbub.faces.cli.render_topics import name_of
from hubbub.model_work import Counts
from hubbub.names import NAME_RULE, parse_message_id, parse_post_id, parse_topic_id
from hubbub.text import safe_line
from hubbub.wire import agent_dict, delivery_dict, receipt_dict, topic_dict, topic_message_dict
from hubbub.wire_pending import debt_dict, standing_dict, wake_dict
from hubbub.wire_work import counts_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Agent, Handout, Receipt
    from hubbub.model_presence import Wake
    from hubbub.model_topics import Topic
    from hubbub.model_work import Step

WAITING_SHOWN = 5
TOPICS_SHOWN = 10
STEPS_SHOWN = 10
PROJECTS_COUNTED = 1000
MEMBERS_SHOWN = 1000
TOPICS_LOOKED_AT = 1000


def status(context: Context) -> int:
    """Tell of the bus, or of what the argument names."""
    word = context.arguments.what
    if word is None:
        return _of_bus(context)
    if parse_message_id(word) is not None or parse_post_id(word) is not None:
        try:
            return _of_message(context, word) if word[0] == "m" else _of_post(context, word)
        except MessageNotFound:
            # A name may look like an id.
            if not NAME_RULE.fullmatch(word) or not _is_agent(context, word):
                raise
    if word.startswith("#") or parse_topic_id(word) is not None:
        topic = _topic(context, word)
        if topic is not None or word.startswith("#"):
            return _of_topic(context, topic or context.bus.topics.get(word))
    try:
        return _of_agent(context, context.bus.agents.get(word))
    except (UnknownAgent, InvalidName) as error:
        topic = _topic(context, word)
        if topic is None:
            raise error
        return _of_topic(context, topic)


def _topic(context: Context, word: str) -> Topic | None:
    try:
        return context.bus.topics.get(word, agent=context.reader)
    except (TopicNotFound, InvalidArgument):
        return None


def _of_topic(context: Context, topic: Topic) -> int:
    if context.output.json:
        context.output.answer({"topic": topic_dict(topic)})
    else:
        render_topics.whole_topic(topic, context.bus.store.now(), context.output)
    return 0


def _is_agent(context: Context, word: str) -> bool:
    try:
        return bool(context.bus.agents.get(word))
    except UnknownAgent:
        return False


def _of_message(context: Context, id_: str) -> int:
    receipt = context.bus.mail.whereabouts(id_, reader=context.reader)
    debts = context.bus.pending.of_message(receipt.message.id)
    failed = _failed_wakes(context, receipt)
    output, now = context.output, context.bus.store.now()
    if output.json:
        shown = receipt_dict(receipt)
        if debts:
            shown["answers"] = [debt_dict(debt) for debt in debts]
        if failed:
            shown["failed_wakes"] = [{"agent": wake.agent, **wake_dict(wake)} for wake in failed]
        output.answer(shown)
        return 0
    render.receipt(receipt, now, output)
    for debt in debts:
        if debt.state != "answered":  # which was said above
            what = "owes the answer" if debt.state == "open" else "need not answer"
            output.line(f"  {debt.debtor} {what}: {render_pending.debt(debt, now)}")
    for wake in failed:
        output.line(f"  {wake.agent} {render_pending.wake(wake, now)}")
    return 0


def _failed_wakes(context: Context, receipt: Receipt) -> list[Wake]:
    """How those who have not taken the message yet could not be woken."""
    presence, since = context.bus.presence, receipt.message.created_at
    waiting = [place.agent for place in receipt.recipients if place.state == "queued"]
    return [wake for name in waiting for wake in presence.failed_wakes(name, since)]


def _of_post(context: Context, id_: str) -> int:
    """Where a topic's message is: how far each member has come with it."""
    message = context.bus.topics.message(id_)
    topic = context.bus.topics.get(message.topic)
    members = context.bus.topics.members(topic.id, limit=MEMBERS_SHOWN)
    states = {
        member.agent: "done"
        if message.seq <= member.cursor
        else "handed out"
        if message.seq <= member.position
        else "unread"
        for member in members
        if member.agent != message.sender
    }
    if context.output.json:
        shown = {"topic": topic.name, "topic_id": topic.id, **topic_message_dict(message)}
        del shown["body"]
        members_shown = [{"agent": agent, "state": state} for agent, state in states.items()]
        context.output.answer({**shown, "members": members_shown})
        return 0
    output, now = context.output, context.bus.store.now()
    about = f"{safe_line(message.kind)}, {render.ago(now, message.created_at)}"
    where = f"{name_of(topic)} {message.seq} from {safe_line(message.sender)}"
    output.line(f"{output.styled(id_, 'cyan')} {where}: {about}")
    for agent, state in states.items():
        output.line(f"  {agent}: {state}")
    return 0


def _of_agent(context: Context, agent: Agent) -> int:
    output = context.output
    waiting = context.bus.mail.peek(agent.name, limit=WAITING_SHOWN)
    page = context.bus.topics.list(agent=agent.name, state="all", limit=TOPICS_LOOKED_AT, count_members=False)
    unread = [topic for topic in page.topics if topic.unread]
    steps = held(context).get(agent.name, [])
    names = labels(context, steps)
    standing, wakes = context.bus.presence.standing(agent.name), context.bus.presence.wakes(agent.name)
    pending = context.bus.pending
    owes, is_owed = len(pending.owed_by(agent.name, limit=1000)), len(pending.owed_to(agent.name, limit=1000))
    if output.json:
        held_steps = [held_dict(*pair) for pair in zip(steps, names, strict=True)]
        answer = {**_agent_dict(agent, waiting, unread), "steps": held_steps}
        if standing:
            answer["agent"]["online"] = True
            answer["standing"] = [standing_dict(each) for each in standing]
        if wakes:
            answer["wakes"] = [wake_dict(wake) for wake in wakes]
        output.answer({**answer, "owes": owes, "is_owed": is_owed})
        return 0
    now = context.bus.store.now()
    render.agent(agent, now, output, standing=standing)
    room = render.plural(agent.inbox_limit, "message")
    output.line(f"  Inbox: up to {room} of {render.size(agent.max_message_bytes)}")
    if agent.session is not None:
        session = agent.session
        output.line(f"  Session: {session.id}, started {render.ago(now, session.started_at)}")
        if session.folder:
            output.line(f"  Folder: {safe_line(session.folder)}")
    for each in standing:
        output.line(f"  Stands by: {render_pending.standing(each, now)}")
    for wake in wakes:
        output.line(f"  {render_pending.wake(wake, now).capitalize()}")
    if owes or is_owed:
        owed = f"Owes {render.plural(owes, 'answer')}, waits for {is_owed}"
        output.line(f"  {owed}: hubbub pending {agent.name}")
    _show_steps(context, steps, names)
    for delivery in waiting.deliveries:
        told = delivery.message
        about = safe_line(told.subject or told.body[:200], 60)
        output.line(
            f"  {told.id} from {told.sender}: {told.kind}, {render.ago(now, told.created_at)}: {about}"
        )
    if waiting.remaining:
        output.line(f"  and {waiting.remaining} more queued")
    for topic in unread[:TOPICS_SHOWN]:
        closed = "" if topic.state == "open" else f"{topic.state}, "
        active = f"active {render.ago(now, topic.last_at)}"
        output.line(f"  {name_of(topic)}: {closed}{topic.unread} unread, {active}")
    if len(unread) > TOPICS_SHOWN:
        output.line(f"  and unread in {render.plural(len(unread) - TOPICS_SHOWN, 'more topic')}")
    return 0


def _agent_dict(agent: Agent, waiting: Handout, unread: list[Topic]) -> dict[str, Any]:
    shown = [delivery_dict(delivery) for delivery in waiting.deliveries]
    for message in shown:
        del message["body"]
    limits = {"inbox_limit": agent.inbox_limit, "max_message_bytes": agent.max_message_bytes}
    return {
        "agent": {**agent_dict(agent), **limits},
        "waiting": shown,
        "unread": [
            {"topic": topic.name, "topic_id": topic.id, "state": topic.state, "unread": topic.unread}
            for topic in unread
        ],
    }


def _show_steps(context: Context, steps: list[Step], names: list[str]) -> None:
    output, now = context.output, context.bus.store.now()
    for step, name in zip(steps[:STEPS_SHOWN], names, strict=False):
        until = (
            f", lease ends {render_work.due(now, step.lease_until)}" if step.lease_until is not None else ""
        )
        output.line(f"  {name}: {step.status}{until}: {safe_line(step.title, 60)}")
    if len(steps) > STEPS_SHOWN:
        output.line(f"  and has {render.plural(len(steps) - STEPS_SHOWN, 'more step')}")


def _work(context: Context) -> tuple[int, Counts]:
    """How many projects are active, and the steps of these."""
    active, _ = context.bus.work.projects(state="active", limit=PROJECTS_COUNTED)
    return len(active), Counts(*map(sum, zip(*(project.counts for project in active), strict=True)))


def _of_bus(context: Context) -> int:
    info = context.bus.info()
    agents = context.bus.agents.all()
    stood_by = {each.agent for each in context.bus.presence.standing()}
    online = sum(agent.session is not None or agent.name in stood_by for agent in agents)
    queued = sum(agent.queued for agent in agents)
    leased = sum(agent.leased for agent in agents)
    dead = sum(agent.dead for agent in agents)
    opened, closed = (context.bus.topics.list(state=state, limit=1).total for state in ("open", "closed"))
    place = context.place
    active, steps = _work(context)
    if context.output.json:
        context.output.answer(
            {
                "bus": {**info._asdict(), "url": place.url, "named_by": place.source},
                "agents": {"registered": len(agents), "online": online},
                "queued": queued,
                "leased": leased,
                "dead": dead,
                "topics": {"open": opened, "closed": closed},
                "projects": {"active": active, "steps": counts_dict(steps)},
            }
        )
        return 0
    output = context.output
    output.line(f"Bus:     {safe_line(place.url)}")
    output.line(f"         named by {safe_line(place.source)}")
    output.line(f"Store:   {info.store}, format {info.format}, {info.engine}, {render.size(info.bytes)}")
    output.line(f"Agents:  {len(agents)} registered, {online} online")
    kept = render.plural(info.messages, "message")
    output.line(f"Mail:    {queued} queued, {leased} leased, {dead} dead; {kept} kept")
    posts = render.plural(info.topic_messages, "message")
    output.line(f"Topics:  {opened} open, {closed} closed; {posts} kept")
    if active:
        output.line(f"Work:    {render.plural(active, 'active project')}; {render_work.counts(steps)}")
    output.line(f"Ledger:  {render.plural(info.events, 'event')}")
    if dead:
        output.line("Look at the dead letters with: hubbub dead")
    return 0
