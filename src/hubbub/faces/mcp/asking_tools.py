"""The tools for answers: ask and wait, ping, and what is owed. Part of the mail toolset."""

from __future__ import annotations

from typing import Any

from hubbub.bus import Steps
from hubbub.bus.pending import Requested
from hubbub.clock import left, spoken
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.faces.mcp import render
from hubbub.faces.mcp.mail_tools import IDS, WAIT_MAX, patience, presence_words, recipients
from hubbub.faces.mcp.pending import Taken
from hubbub.faces.mcp.tools import ADDS, NUMBER, READS, TEXT, Answer, Caller, Tool
from hubbub.model import Delivery
from hubbub.model_pending import Debt
from hubbub.text import safe_line
from hubbub.wire import delivery_dict
from hubbub.wire_pending import debt_dict, declined, pinged_dict, requested_dict

DEBTS_SHOWN = 30
"""Answers that are owed in one answer, on each side."""


def request(caller: Caller, given: dict[str, Any]) -> Steps[Answer]:
    """Ask, and wait for the answer, in steps."""
    bus, actor = caller.bus, caller.member.seat.actor
    wait = patience({"wait_seconds": WAIT_MAX, **given})
    draft = bus.mail.draft(
        recipients(given["to"]),
        given["body"],
        subject=given.get("subject", ""),
        kind=given.get("kind", "question"),
        priority=given.get("priority", "normal"),
        metadata=given.get("metadata"),
        thread=given.get("thread"),
        reply_within=given.get("reply_within_seconds"),
        actor=actor,
    )
    requested = yield from bus.pending.requesting(actor, draft, wait=wait, key=given.get("idempotency_key"))
    handed: tuple[str, ...] = ()
    if requested.state == "given" and requested.answer is not None:
        handed = (requested.answer.message.id,)
    try:
        answer = _requested(caller, requested, given, wait)
    except BaseException:
        bus.mail.take_back(actor, handed)
        raise
    return answer._replace(handed=Taken(handed))


def _requested(caller: Caller, requested: Requested, given: dict[str, Any], wait: float) -> Answer:
    sent, answer = requested.sent, requested.answer
    to = sent.recipients[0]
    if answer is not None:
        shown = render.safe_json(render.cut(delivery_dict(answer)))
        return Answer(
            _answer_text(caller, requested, answer), requested_dict(sent, requested.state, answer, shown)
        )
    if requested.state == "waived":
        return Answer(
            f"The answer to {sent.id} was waived: nobody waits for it.", requested_dict(sent, "waived")
        )
    if requested.state == "left":
        return Answer(
            f"Asked {to}: {sent.id}. {to} is not on the bus any more: ask another agent.",
            requested_dict(sent, "left"),
        )
    asked = given.get("wait_seconds", wait)
    cut = ", the longest wait of one call" if asked > WAIT_MAX else ""
    due = ""
    if "reply_within_seconds" in given:
        due = f", due within {spoken(round(given['reply_within_seconds'] * 1000))} of the question"
    text = (
        f"Asked {to}: {sent.id}. No answer within {wait:g} s{cut}. {to} is {presence_words(caller, to)}; "
        f"it owes you the answer{due}, which will come to your inbox (receive_messages). Do not ask again: "
        "go on with other work."
    )
    return Answer(text, requested_dict(sent, requested.state))


def _answer_text(caller: Caller, requested: Requested, answer: Delivery) -> str:
    who, id_, now = answer.message.sender, requested.sent.id, caller.bus.store.now()
    if requested.state == "elsewhere":
        head = f"{who} answered {id_}; you took that out of your inbox before:"
    elif declined(answer):
        head = f"{who} declines to answer {id_}:"
    else:
        head = f"{who} answered {id_}:"
    mark = render.fence_for([answer.message.body])
    parts = [head, render.delivery_text(answer, mark, now, render.BODY_SHARE)]
    if requested.state == "given":
        parts.append(
            f"Your next call settles it; to give it back: acknowledge(release=['{answer.message.id}'])."
        )
    return "\n\n".join(parts)


def ping_agent(caller: Caller, given: dict[str, Any]) -> Steps[Answer]:
    """A round trip to the process that serves an agent, in steps."""
    pinged = yield from caller.bus.presence.pinging(
        caller.member.seat.actor,
        given["agent"],
        timeout=patience({"timeout_seconds": 5.0, **given}, "timeout_seconds"),
    )
    agent, pong = pinged.agent, pinged.pong
    facts = [f"{agent.name} answered in {pinged.round_trip_ms:.1f} ms", f"by its {safe_line(pong.by, 40)}"]
    if pong.client:
        facts.append(safe_line(pong.client, 80))
    if pong.session:
        facts.append(f"session {pong.session}")
    if pong.state:
        facts.append(safe_line(pong.state, 100))
    elif pong.idle_ms is not None:
        facts.append(f"idle for {spoken(pong.idle_ms)}")
    facts.append(f"{agent.queued} waiting, {agent.leased} in hand")
    return Answer("; ".join(facts) + ".", render.safe_json(pinged_dict(agent, pong, pinged.round_trip_ms)))


def list_pending(caller: Caller, given: dict[str, Any]) -> Answer:
    """What the agent owes and is owed; and waiving the latter."""
    name, pending = caller.member.seat.agent.name, caller.bus.pending
    data: dict[str, Any] = {"agent": name}
    lines = _waive(caller, given, data)
    after = given.get("after", 0)
    mine = pending.owed_by(name, after=after, limit=DEBTS_SHOWN)
    theirs = pending.owed_to(name, after=after, limit=DEBTS_SHOWN)
    # Both sides are paged by one number: neither is shown beyond where the other was cut.
    ends = [part[-1].seq for part in (mine, theirs) if len(part) >= DEBTS_SHOWN]
    if ends:
        mine, theirs = ([debt for debt in part if debt.seq <= min(ends)] for part in (mine, theirs))
    now = caller.bus.store.now()
    more = " (first page)" if ends else ""
    lines.append(f"You owe {_answers(len(mine))}{more}{':' if mine else '.'}")
    lines += [f"- {debt.message} to {debt.asker} ({debt_words(debt, now)})" for debt in mine]
    if mine:
        lines.append("Answer with send_message(in_reply_to=ID); kind='declined' with the reason says no.")
    lines.append(f"You wait for {_answers(len(theirs))}{more}{':' if theirs else '.'}")
    lines += [f"- {debt.message} from {debt.debtor} ({debt_words(debt, now)})" for debt in theirs]
    data["you_owe"] = [render.safe_json(debt_dict(debt)) for debt in mine]
    data["owed_to_you"] = [render.safe_json(debt_dict(debt)) for debt in theirs]
    if ends:
        data["next_after"] = min(ends)
        lines.append(f"There are more: list_pending(after={min(ends)})")
    return Answer("\n".join(lines), data)


def _answers(count: int) -> str:
    return f"{count or 'no'} answer{'' if count == 1 else 's'}"


def debt_words(debt: Debt, now: int) -> str:
    """A debt in a few words."""
    facts = [debt.kind]
    if debt.subject:
        facts.append(render.quoted(debt.subject[:120]))
    facts.append(f"asked {spoken(max(0, now - debt.asked_at))} ago")
    if debt.state != "open":
        facts.append(debt.state + (f" by {debt.answer}" if debt.answer else ""))
        if debt.why:
            facts.append(render.quoted(debt.why[:120]))
    elif debt.due is not None:
        facts.append(
            f"due in {left(debt.due, now)}" if debt.due > now else f"overdue by {spoken(now - debt.due)}"
        )
    if debt.reminders:
        facts.append(f"reminded {debt.reminders}x")
    if debt.escalated_at is not None:
        facts.append("escalated")
    if debt.state == "open":
        facts.append(
            {"queued": "not read yet", "leased": "in hand", "settled": "read"}.get(
                debt.delivery, debt.delivery
            )
        )
    if debt.thread != debt.message:
        facts.append(f"thread {render.quoted(debt.thread)}")
    return ", ".join(facts)


def _waive(caller: Caller, given: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """Waive what the call names, each by itself; raises when nothing of it could be waived."""
    ids = given.get("waive") or []
    if not ids:
        if given.get("reason"):
            raise InvalidArgument("A reason goes with waive.", hint="list_pending(waive=[ID], reason=TEXT)")
        return []
    waived: list[Debt] = []
    failed: list[HubbubError] = []
    for id_ in dict.fromkeys(ids):
        try:
            waived += caller.bus.pending.waive(
                caller.member.seat.actor, id_, debtor=given.get("agent"), reason=given.get("reason", "")
            )
        except HubbubError as error:
            failed.append(error)
    if failed and not waived:
        raise failed[0]
    data["waived"] = [{"id": debt.message, "debtor": debt.debtor} for debt in waived]
    lines = [f"Waived: {', '.join(f'{debt.message} of {debt.debtor}' for debt in waived)}."]
    if failed:
        data["not_waived"] = [render.safe_json(error.as_dict()) for error in failed]
        lines += [f"{error.code}: {safe_line(error.message)}" for error in failed]
    return lines


ASKING_TOOLS = (
    Tool(
        "request",
        "Ask one agent (kind: question) and wait up to 45 s for the answer; a later one comes to your inbox.",
        {
            "to": TEXT,
            "body": TEXT,
            "wait_seconds": {"type": "number", "maximum": WAIT_MAX},
            "kind": TEXT,
            "reply_within_seconds": NUMBER,
            "as_agent": TEXT,
        },
        ("to", "body"),
        ADDS,
        request,
        aliases=(("message", "body"), ("timeout_s", "wait_seconds"), ("timeout_seconds", "wait_seconds")),
        unlisted=(
            ("subject", TEXT),
            ("thread", TEXT),
            ("priority", TEXT),
            ("metadata", {"type": "object"}),
            ("idempotency_key", TEXT),
        ),
    ),
    Tool(
        "ping_agent",
        "Is an agent's process there, and how long has it been idle? Costs its model nothing.",
        {"agent": TEXT, "as_agent": TEXT},
        ("agent",),
        READS,
        ping_agent,
        aliases=(("name", "agent"), ("timeout_s", "timeout_seconds")),
        unlisted=(("timeout_seconds", NUMBER),),
    ),
    Tool(
        "list_pending",
        "Answers you owe others and others owe you, with due times. waive: want these no longer.",
        {"waive": IDS, "as_agent": TEXT},
        (),
        ADDS,
        list_pending,
        unlisted=(
            ("agent", {"type": "string", "description": "with waive: only the answer of this agent"}),
            ("reason", {"type": "string", "description": "with waive: why"}),
            ("after", {"type": "integer", "description": "next_after of the page before"}),
        ),
    ),
)
