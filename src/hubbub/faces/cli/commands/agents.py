"""register and unregister."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import EXIT_FAILED, UnknownAgent
from hubbub.faces.cli.failures import UsageError
from hubbub.text import safe_line
from hubbub.wire import agent_dict, session_dict

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.faces.cli.context import Context
    from hubbub.model import Agent


def register(context: Context) -> int:
    """Make an agent known, or change what is given of a known one."""
    given = context.arguments
    bus = context.open_bus(create=True)
    before = _known(bus, given.name)
    made = bus.agents.register(
        given.name,
        role=given.role,
        description=given.description,
        inbox_limit=given.inbox_limit,
        max_message_bytes=given.max_message_bytes,
    )
    agent = made.agent
    wait = "1 message waits" if agent.queued == 1 else f"{agent.queued} messages wait"
    waiting = f" {wait} for it." if agent.queued else ""
    role = "" if agent.role == "both" else f" ({agent.role})"
    told = (
        f"Registered {agent.name}{role}."
        if made.created
        else f"{agent.name} was registered before{role}: {_changes(before, agent)}."
    )
    context.done({"agent": agent_dict(agent), "created": made.created}, told + waiting)
    return 0


def _known(bus: Bus, name: str) -> Agent | None:
    try:
        return bus.agents.get(name)
    except UnknownAgent:
        return None


def _changes(before: Agent | None, now: Agent) -> str:
    """What registering a known agent anew changed of it."""
    fields = ("role", "description", "inbox_limit", "max_message_bytes")
    changed = (
        [] if before is None else [part for part in fields if getattr(before, part) != getattr(now, part)]
    )
    if not changed:
        return "nothing was changed"
    shown = [
        f"{part.replace('_', ' ')} is now {safe_line(str(getattr(now, part)), 80) or 'empty'}"
        for part in changed
    ]
    return ", ".join(shown)


def unregister(context: Context) -> int:
    """Take an agent off the bus, or only end the session that holds its name."""
    given = context.arguments
    if given.release_name:
        if given.delete_mail:
            raise UsageError("--release-name keeps the agent and its mail.", hint="Leave out --delete-mail.")
        return _release_name(context, given.name)
    agents = context.bus.agents
    if given.delete_mail:
        agents.get(given.name)  # a mistyped name is told before anybody is asked
        if not context.confirm(f"This deletes all mail of {given.name}."):
            context.output.line("Nothing was changed.")
            return EXIT_FAILED
    agent = agents.unregister(given.name, delete_mail=given.delete_mail)
    fate = "Its mail was deleted." if given.delete_mail else "Its mail is kept for when it comes back."
    context.done(
        {"unregistered": agent.name, "mail_deleted": given.delete_mail}, f"Unregistered {agent.name}. {fate}"
    )
    return 0


def _release_name(context: Context, name: str) -> int:
    held = context.bus.agents.release(name)
    told = (
        f"Ended session {held.id} of {name}; the name is free." if held else f"No live session holds {name}."
    )
    context.done({"name": name, "released": None if held is None else session_dict(held)}, told)
    return 0
