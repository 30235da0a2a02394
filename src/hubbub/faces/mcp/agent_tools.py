"""The tools that change under which names a connection acts."""

from __future__ import annotations

from typing import Any

from hubbub.errors import UnknownAgent
from hubbub.faces.mcp.claims import leave_behind
from hubbub.faces.mcp.render import safe_json
from hubbub.faces.mcp.tools import DESTROYS, FLAG, RETRIABLE, TEXT, Answer, Caller, Member, Tool
from hubbub.names import ROLES
from hubbub.text import safe_line
from hubbub.wire import agent_dict

_PROFILE = ("role", "description", "inbox_limit")


def register_agent(caller: Caller, given: dict[str, Any]) -> Answer:
    """Take a name, or update what is said of it."""
    profile = {part: given[part] for part in _PROFILE if part in given}
    member, replaced = caller.members.register(given["name"], bool(given.get("take_over")), profile)
    agent, default = member.seat.agent, caller.members.is_default(member)
    text = f"Registered as {agent.name} ({agent.role})."
    if replaced is not None:
        text += _given_back(caller, replaced) + _left_behind(caller, replaced.seat.agent.name)
    if not default:
        text += f" This server also acts for others: pass as_agent={agent.name!r} to act as {agent.name}."
    if member.seat.superseded is not None:
        before = safe_line(member.seat.superseded.client, 80) or "another session"
        text += f" Took the name over from {before}."
    if agent.queued:
        text += f" {agent.queued} messages wait for you."
    return Answer(text, safe_json({**agent_dict(agent), "default": default}))


def _given_back(caller: Caller, before: Member) -> str:
    """The steps that the name that was given up had, which nobody would renew now."""
    if not before.claims.open_ones():
        return ""
    steps = leave_behind(caller.bus, before)
    again = f"claim_step(step_id={steps[0]!r})" if steps else ""
    return f" Its claims were given back: {', '.join(steps)}; take them again: {again}." if steps else ""


def _left_behind(caller: Caller, name: str) -> str:
    """What waits for the name that was given up, which nobody serves now."""
    try:
        before = caller.bus.store.agents.get(name)
    except UnknownAgent:
        return ""  # it was unused, and is off the bus
    waiting = before.queued + before.leased
    return f" You are no longer {name}; {waiting} messages wait there." if waiting else ""


def unregister_agent(caller: Caller, given: dict[str, Any]) -> Answer:
    """Take the acting name off the bus."""
    name = caller.member.seat.agent.name
    deleted = bool(given.get("delete_mail"))
    caller.members.unregister(caller.member, deleted)
    kept = "Its mail was deleted." if deleted else "Its mail is kept for when the name is registered again."
    return Answer(f"{name} is no longer on the bus. {kept}", {"unregistered": name, "mail_deleted": deleted})


REGISTER = Tool(
    "register_agent",
    "Take a name, or say what you do. You already have a name (see list_agents); call this to choose "
    "another, or to add one for a sub-agent, which then passes as_agent in its calls.",
    {
        "name": {"type": "string", "description": "a-z 0-9 - _"},
        "description": {"type": "string", "description": "what you do, for the others"},
        "role": {"type": "string", "enum": list(ROLES)},
        "take_over": {"type": "boolean", "description": "fence out a live session of that name"},
    },
    ("name",),
    RETRIABLE,
    register_agent,
    unlisted=(("inbox_limit", {"type": "integer"}),),
)
UNREGISTER = Tool(
    "unregister_agent",
    "Take your name off the bus for good. Not needed when you stop.",
    {"delete_mail": FLAG, "as_agent": TEXT},
    (),
    DESTROYS,
    unregister_agent,
)
