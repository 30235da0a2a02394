"""What doctor says of the clients: how each is set up, and how a running agent is woken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hubbub.faces.cli import render

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.setup.looking import Seen

Found = tuple[str, str, str]
"""Level, what was found, what to do."""

OWN_WAYS = {"claude": "its hooks", "codex": "codex queue", "opencode": "its plugin"}
"""How an idle session of a client gets a turn once it is set up."""


def clients() -> Iterator[Found]:
    """How each client on this machine is set up. Raises SetupRecordDamaged."""
    from hubbub.setup.looking import look
    from hubbub.setup.places import project_root, this_program

    seen = look(os.path.expanduser("~"), project_root(os.getcwd()), this_program())
    if not seen:
        yield "ok", "none of the clients that setup knows is here", ""
    for client in dict.fromkeys(each.client for each in seen):
        yield from _client(client, [each for each in seen if each.client == client])


def _client(client: str, seen: list[Seen]) -> Iterator[Found]:
    from hubbub.setup import looking

    where = {"user": "for your user", "project": "in this project"}
    whole = [where[each.scope] for each in seen if each.state == looking.WHOLE]
    if whole:
        yield "ok", f"{client} is set up {' and '.join(whole)}", ""
    for each in seen:
        again = f"hubbub setup {client}" + (" --scope project" if each.scope == "project" else "")
        place = where[each.scope]
        if each.state == looking.UNREADABLE:
            yield (
                "problem",
                f"{client}: {each.detail}",
                "Correct the file: the client may not read it either.",
            )
        elif each.state == looking.BROKEN:
            yield "problem", f"{client}: {each.detail}, which is not there", f"Run: {again} --force"
        elif each.state == looking.PART and not whole:
            yield "warning", f"{client} is set up in part {place}", f"Run: {again}"
        elif each.state == looking.OTHER:
            fix = f"See the difference: {again} --preview"
            yield "warning", f"{client} has entries of another setup {place}", fix
    if all(each.state == looking.NONE for each in seen):
        yield "ok", f"{client} is here and not set up", f"If you want it: hubbub setup {client}"


def profiles() -> Iterator[Found]:
    """Profiles for terminals that can't be read: the programs that they are for are taken for others."""
    from hubbub.wake.profiles import problems

    for each in problems():
        yield "problem", each.message, each.hint


def waking(context: Context) -> Iterator[Found]:
    """How each agent that is online is given a turn when mail comes."""
    bus = context.bus
    stands: dict[str, list[str]] = {}
    for each in bus.presence.standing():
        if each.how:
            stands.setdefault(each.agent, []).append(each.how)
    ways, none = [], []
    for agent in bus.agents.all():
        if agent.session is None and agent.name not in stands:
            continue
        own = [
            way
            for client, way in OWN_WAYS.items()
            if agent.session is not None and client in agent.session.client.lower()
        ]
        found = list(dict.fromkeys([*stands.get(agent.name, []), *own]))
        if found:
            ways.append(f"{agent.name} ({', '.join(found)})")
        else:
            none.append(agent.name)
    if ways:
        yield "ok", f"can be woken: {'; '.join(ways)}", ""
    if none:
        fix = "They see mail at their next turn. To wake them: hubbub setup, hubbub run, or hubbub wake."
        yield "ok", f"{render.plural(len(none), 'agent')} nobody can wake: {', '.join(none)}", fix
