"""The mail toolset. Descriptions are short and say when to call: a model pays for every word."""

from __future__ import annotations

from typing import Any

from hubbub.bus import Steps
from hubbub.clock import spoken
from hubbub.errors import InvalidArgument
from hubbub.faces.mcp import render
from hubbub.faces.mcp.pending import Taken
from hubbub.faces.mcp.reading_tools import READ_THREAD
from hubbub.faces.mcp.render_topics import unread_elsewhere
from hubbub.faces.mcp.tools import ADDS, FLAG, NUMBER, READS, TEXT, Answer, Caller, Tool
from hubbub.model import Agent, Handout, Receipt
from hubbub.model_presence import Standing
from hubbub.names import PRIORITIES
from hubbub.text import safe_line
from hubbub.wire import agent_dict, delivery_dict, receipt_dict, sent_dict
from hubbub.wire_pending import debt_dict, standing_dict, wake_dict

WAIT_MAX = 45.0
"""Seconds that a waiting tool waits at most: one client gives a call up at 60 without progress."""

AGENTS_SHOWN = 200

_IMPLICIT = (
    "Answer with send_message(in_reply_to=ID). Your next call settles these; "
    "to give one back: acknowledge(release=[ID])."
)
_EXPLICIT = "When done with one: acknowledge(ids=[...]), or answer it with send_message(in_reply_to=...)."
_DEBTS = {
    "answered": "; that is the answer you owed",
    "declined": "; you owe no answer any more, for you declined",
    "open": "; this was no answer to who asked: you owe it still",
    "waived": "; the answer had been waived: nobody waits for it",
}
IDS = {"type": "array", "items": TEXT}
_PRIORITY = {"type": "string", "enum": list(PRIORITIES)}


def send_message(caller: Caller, given: dict[str, Any]) -> Steps[Answer]:
    """Send, in steps: it may wait for room."""
    actor = caller.member.seat.actor
    draft = caller.bus.mail.draft(
        recipients(given.get("to")),
        given["body"],
        subject=given.get("subject", ""),
        kind=given.get("kind"),
        priority=given.get("priority", "normal"),
        metadata=given.get("metadata"),
        thread=given.get("thread"),
        in_reply_to=given.get("in_reply_to"),
        reply_within=given.get("reply_within_seconds"),
        ttl=given.get("ttl_seconds"),
        announce=given.get("announce", False),
        actor=actor,
    )
    sent = yield from caller.bus.mail.sending(
        actor,
        draft,
        key=given.get("idempotency_key"),
        wait_for_room=patience(given, "wait_for_room_seconds"),
    )
    text = f"Sent {sent.id} to {', '.join(sent.recipients[:20])}" + (
        " and others" if len(sent.recipients) > 20 else ""
    )
    if sent.repeated:
        text = f"Sent before with this idempotency key: {sent.id}; nothing new was sent"
    if sent.settled:
        text += f"; {sent.settled} is settled"
    text += _DEBTS.get(sent.debt or "", "")
    if sent.announced:
        text += f"; announced in #all as {sent.announced}"
    return Answer(text + ".", sent_dict(sent))


def receive_messages(caller: Caller, given: dict[str, Any]) -> Steps[Answer]:
    """Receive, in steps: it may wait."""
    bus, seat = caller.bus, caller.member.seat
    ack = given.get("ack", "implicit")
    wanted = bus.mail.filter(given.get("from"), given.get("kind"), given.get("priority"), given.get("thread"))
    if given.get("peek"):
        bus.mail.settle_implicitly(seat.actor, caller.due.mail)
        waiting = bus.mail.peek(seat.agent.name, wanted, limit=given.get("limit", 10))
        return _handout(caller, waiting, given, "Only looked at: they still wait for receive_messages.")
    handout = yield from bus.mail.receiving(
        seat.actor,
        wanted,
        wait=patience(given),
        limit=given.get("limit", 10),
        max_bytes=render.BODY_SHARE,
        settle=caller.due.mail,
        key=given.get("idempotency_key"),
    )
    handed = tuple(delivery.message.id for delivery in handout.deliveries)
    try:
        answer = _handout(caller, handout, given, _EXPLICIT if ack == "explicit" else _IMPLICIT)
    except BaseException:
        bus.mail.take_back(seat.actor, handed)
        raise
    return answer._replace(handed=Taken(handed), implicit=ack != "explicit")


def _handout(caller: Caller, handout: Handout, given: dict[str, Any], foot: str) -> Answer:
    name, now = caller.member.seat.agent.name, caller.bus.store.now()
    share = render.share_of([delivery.message.body for delivery in handout.deliveries])
    shown = [render.cut(delivery_dict(delivery), share=share) for delivery in handout.deliveries]
    messages = [render.safe_json(message) for message in shown]
    data: dict[str, Any] = {"agent": name, "messages": messages, "remaining": handout.remaining}
    unread = caller.bus.mail.unread_in_all(name)
    if unread:
        data["announcements"] = unread
    if handout.deliveries:
        unwanted = caller.bus.pending.unwanted(name, handout.deliveries)
        foot += _announced(caller, unread)
        return Answer(render.handout_text(handout, name, now, foot, unwanted), data)
    why = _why_empty(caller, handout, given, now)
    if not caller.topics:
        why += _announced(caller, unread)
    data["reason"] = why
    return Answer(why, data)


def _announced(caller: Caller, unread: int) -> str:
    """What is told to all wakes nobody: here it is at least counted."""
    if not unread:
        return ""
    where = 'sync("all")' if caller.topics else 'read_thread("#all", newest=true)'
    return f" {unread} unread in #all: {where}."


def _why_empty(caller: Caller, handout: Handout, given: dict[str, Any], now: int) -> str:
    """An empty answer says why."""
    name = caller.member.seat.agent.name
    agent = caller.bus.store.agents.get(name)
    why = f"No messages for {name}{within(given)}."
    if handout.remaining and any(given.get(part) for part in ("from", "kind", "priority", "thread")):
        why += f" {handout.remaining} waiting that the filter leaves out."
    elif handout.remaining:
        why += f" {handout.remaining} delayed."
    if agent.leased:
        why += f" {agent.leased} already handed out and not settled."
    if handout.next_due_at is not None and (agent.leased or handout.remaining):
        why += f" The next can be had in {spoken(max(0, handout.next_due_at - now))}."
    if agent.dead:
        why += f" {agent.dead} dead letters: see get_queue_status(dead=true)."
    return why + unread_elsewhere(caller)


def acknowledge(caller: Caller, given: dict[str, Any]) -> Answer:
    """Settle, or give back."""
    mail, actor, key = caller.bus.mail, caller.member.seat.actor, given.get("idempotency_key")
    ids, back = given.get("ids") or [], given.get("release") or []
    if bool(ids) == bool(back):
        raise InvalidArgument("Give either ids, to settle them, or release, to give them back.")
    if back:
        released = mail.release(actor, back, delay=given.get("delay_seconds", 0), key=key)
        return Answer(f"Released {', '.join(released)}; back in your queue.", {"released": list(released)})
    settled = mail.acknowledge(actor, ids, key=key)
    return Answer(f"Settled {', '.join(settled)}.", {"settled": list(settled)})


def get_queue_status(caller: Caller, given: dict[str, Any]) -> Answer:
    """Where a message is, dead letters, or how full an inbox is."""
    bus, name = caller.bus, caller.member.seat.agent.name
    now = bus.store.now()
    if "message_id" in given:
        receipt = bus.mail.whereabouts(given["message_id"], reader=name)
        return _receipt(caller, receipt, now)
    if given.get("dead"):
        letters = bus.mail.dead(agent=name, limit=20)
        lines = [
            f"{len(letters)} dead letters for {name}." + (" A person can run: hubbub dead" if letters else "")
        ]
        lines += [
            f"- {letter.message.id} from {letter.message.sender}: {safe_line(letter.reasons[-1], 300)}"
            for letter in letters
            if letter.reasons
        ]
        share = render.share_of([letter.message.body for letter in letters])
        shown = [render.safe_json(render.cut(delivery_dict(letter), share=share)) for letter in letters]
        return Answer("\n".join(lines), {"agent": name, "dead": shown})
    agent = bus.agents.get(given.get("agent", name))
    room = max(0, agent.inbox_limit - agent.queued - agent.leased)
    standing, wakes = bus.presence.standing(agent.name), bus.presence.wakes(agent.name)
    text = f"{render.agent_line(agent, now, standing)}. Room for {room} more."
    if agent.dead:
        text += f" {agent.dead} dead letters."
    lines = [text, *(f"- {render.wake_line(wake, now)}" for wake in wakes)]
    data = {**agent_dict(agent), **_presence_dict(agent, standing), "room": room}
    if wakes:
        data["wakes"] = [wake_dict(wake) for wake in wakes]
    return Answer("\n".join(lines), render.safe_json(data))


def _receipt(caller: Caller, receipt: Receipt, now: int) -> Answer:
    """Where a message is, what is owed for it, and whether its recipients could not be woken for it."""
    from hubbub.faces.mcp.asking_tools import debt_words

    bus, message = caller.bus, receipt.message
    lines, data = [render.receipt_text(receipt, now)], receipt_dict(receipt)
    debts = bus.pending.of_message(message.id)
    if debts:
        data["answers"] = [debt_dict(debt) for debt in debts]
        for debt in debts:
            if debt.state != "answered":  # which was said above
                what = "owes the answer" if debt.state == "open" else "need not answer"
                lines.append(f"- {debt.debtor} {what} ({debt_words(debt, now)})")
    failed = []
    for place in receipt.recipients:
        if place.state == "queued":
            failed += bus.presence.failed_wakes(place.agent, message.created_at)
    if failed:
        data["failed_wakes"] = [{"agent": wake.agent, **wake_dict(wake)} for wake in failed]
        lines += [f"- {wake.agent}: {render.wake_line(wake, now)}" for wake in failed]
    return Answer("\n".join(lines), render.safe_json(data))


def _presence_dict(agent: Agent, standing: list[Standing]) -> dict[str, Any]:
    """An agent without a session is online by what stands by it."""
    if not standing:
        return {}
    return {"online": True, "standing": [standing_dict(each) for each in standing]}


def presence_words(caller: Caller, name: str) -> str:
    """Whether an agent is online, in words."""
    agent = caller.bus.agents.get(name)
    return render.presence(agent, caller.bus.store.now(), caller.bus.presence.standing(name))


def list_agents(caller: Caller, given: dict[str, Any]) -> Answer:
    """Who is on the bus."""
    now = caller.bus.store.now()
    stands: dict[str, list[Standing]] = {}
    for each in caller.bus.presence.standing():
        stands.setdefault(each.agent, []).append(each)
    everyone = caller.bus.agents.all()
    there = {agent.name for agent in everyone if agent.session is not None or agent.name in stands}
    agents = [agent for agent in everyone if agent.name in there or not given.get("online_only")]
    me = _still(caller, agents)
    shown = sorted(agents, key=lambda agent: agent.name not in there)[:AGENTS_SHOWN]
    lines = [f"{len(agents)} agents, {len(there)} online. You are {me}."]
    lines += [render.agent_line(agent, now, stands.get(agent.name, [])) for agent in shown]
    listed = [{**agent_dict(agent), **_presence_dict(agent, stands.get(agent.name, []))} for agent in shown]
    data: dict[str, Any] = {"you": me, "agents": render.safe_json(listed)}
    if len(agents) > len(shown):
        data["not_shown"] = len(agents) - len(shown)
        lines.append(f"... and {data['not_shown']} more: get_queue_status(agent=NAME) tells of one.")
    return Answer("\n".join(lines), data)


def _still(caller: Caller, agents: list[Agent]) -> str:
    """The acting name.

    Raises:
        SessionSuperseded, SessionEnded: another session has it by now, or it was taken off the bus.
    """
    seat = caller.member.seat
    held = next((agent.session for agent in agents if agent.name == seat.agent.name), None)
    if held is None or held.id != seat.session:
        caller.bus.agents.beat(seat)  # it says what became of the session, or revives it
    return seat.agent.name


def recipients(to: Any) -> list[str] | None:
    """The names that ``to`` of a call holds: a list, or a text with commas; None where it is empty."""
    if to is None or to == "":
        return None
    if isinstance(to, list):
        return to
    return [part for part in str(to).replace(",", " ").split() if part] or [str(to)]


def patience(given: dict[str, Any], argument: str = "wait_seconds") -> float:
    """How many seconds a call waits: what it asks for, but at most :data:`WAIT_MAX`.

    Raises:
        InvalidArgument: it is no number, or less than 0.
    """
    seconds: float = given.get(argument, 0)
    if not seconds >= 0:
        raise InvalidArgument(f"{argument} must be from 0 to {WAIT_MAX:g}, not {seconds}.")
    return min(seconds, WAIT_MAX)


def within(given: dict[str, Any]) -> str:
    """`` within 20 s``: how long a call waited in vain; says so where it waited less than it was asked to."""
    asked = given.get("wait_seconds", 0)
    if asked > WAIT_MAX:
        return f" within {WAIT_MAX:g} s, the longest wait of one call"
    return f" within {asked:g} s" if asked else ""


MAIL_TOOLS = (
    Tool(
        "list_agents",
        "Who is on the bus, who is online, and what your own name is.",
        {"online_only": FLAG, "as_agent": TEXT},
        (),
        READS,
        list_agents,
    ),
    Tool(
        "send_message",
        "Send mail to agents by name; it is on disk when this returns. Answer a message with in_reply_to: "
        "`to`, thread and kind then follow from it, and it is settled.",
        {
            "to": {"type": "string", "description": "name, several by comma, or * for all"},
            "body": TEXT,
            "kind": {
                "type": "string",
                "description": "message (default), task, question, review_request: want an answer; "
                "result, answer, review_response, status, error, decision, ...",
            },
            "in_reply_to": {"type": "string", "description": "message id"},
            "subject": TEXT,
            "priority": _PRIORITY,
            "thread": TEXT,
            "metadata": {"type": "object"},
            "reply_within_seconds": NUMBER,
            "ttl_seconds": NUMBER,
            "announce": {"type": "boolean", "description": "copy to #all"},
            "idempotency_key": {"type": "string", "description": "same key on a retry sends once"},
            "as_agent": TEXT,
        },
        ("body",),
        ADDS,
        send_message,
        unlisted=(("wait_for_room_seconds", {"type": "number", "description": "if an inbox is full"}),),
    ),
    Tool(
        "receive_messages",
        "Take your waiting mail, most urgent first. Call it before you start, between steps and before "
        "you stop. wait_seconds waits for mail when there is none.",
        {
            "wait_seconds": {"type": "number", "maximum": WAIT_MAX},
            "limit": {"type": "integer", "minimum": 1, "description": "default 10"},
            "from": TEXT,
            "kind": TEXT,
            "priority": _PRIORITY,
            "thread": TEXT,
            "peek": {"type": "boolean", "description": "look, take nothing"},
            "ack": {
                "type": "string",
                "enum": ["implicit", "explicit"],
                "description": "implicit (default): your next call settles what you got; "
                "explicit: it comes back unless you acknowledge within 5 min",
            },
            "as_agent": TEXT,
        },
        (),
        ADDS,
        receive_messages,
        settles="mail",
        unlisted=(("idempotency_key", TEXT),),
    ),
    Tool(
        "acknowledge",
        "Settle messages you are done with, or give some back to be received again later.",
        {
            "ids": IDS,
            "release": {**IDS, "description": "ids to give back"},
            "delay_seconds": {"type": "number", "description": "for release"},
            "as_agent": TEXT,
        },
        (),
        ADDS,
        acknowledge,
        unlisted=(("idempotency_key", TEXT),),
    ),
    READ_THREAD,
    Tool(
        "get_queue_status",
        "Where is a message you sent (message_id): waiting, in hand, settled, answered, dead? "
        "Or how full is an agent's inbox; or your dead letters.",
        {"message_id": TEXT, "agent": TEXT, "dead": FLAG, "as_agent": TEXT},
        (),
        READS,
        get_queue_status,
    ),
)
