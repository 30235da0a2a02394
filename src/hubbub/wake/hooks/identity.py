"""Which agent a hook speaks for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hubbub.errors import HubbubError, UnknownAgent
from hubbub.names import NAME_RULE

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.model import Agent, Session
    from hubbub.wake.hooks.occasion import Occasion

FAMILIES = ("claude", "codex", "gemini", "opencode")
"""Words in the name by which a client's MCP side introduces itself."""

NEAR = 2
"""How many processes up a client is looked for: itself, and a shell between."""

BEHIND_PIPES = 4
"""The same for a command in a shell whose client tells no session: a pipe is one more shell."""


def find(bus: Bus, occasion: Occasion, named: str | None) -> Agent | None:
    """The registered agent that a client's session acts as: the one that ``named`` (``HUBBUB_AGENT``) says,
    else the one whose server was told the session's id, else the one whose server has the same parent."""
    if named is not None:
        return _get(bus, named) if NAME_RULE.fullmatch(named) else None
    if occasion.session:
        known = bus.agents.find_client_session(occasion.session)
        if known is not None:
            return _get(bus, known.agent)
    sibling = _sibling(bus.store.agents.sessions(), occasion)
    return None if sibling is None else _get(bus, sibling.agent)


def find_of_shell(bus: Bus, told: dict[str, str]) -> Agent | None:
    """The agent on whose behalf a client runs a command in its shell.

    ``told`` holds for each client that the environment speaks of the id of its session, or nothing. Of
    several one runs in the other's shell, and only their processes tell which is the inner one. None where
    it can't be told.
    """
    if len(told) == 1:
        ((client, id_),) = told.items()
        known = bus.agents.find_client_session(id_) if id_ else None
        agent = None if known is None or not _is_of(known, client) else _get(bus, known.agent)
        if agent is not None and agent.session is not None and agent.session.client_session == id_:
            return agent
    depth = BEHIND_PIPES if len(told) == 1 and not any(told.values()) else NEAR
    sessions = bus.store.agents.sessions()
    found = {
        session.agent
        for session in sessions
        if any(_is_of(session, client) and not _is_of_another(session, told[client]) for client in told)
        and _is_sibling(session, depth)
    }
    return _get(bus, found.pop()) if len(found) == 1 else None


def keep_session(bus: Bus, agent: Agent, occasion: Occasion) -> None:
    """Keep the client's id of its session with the agent's, if that is surely of this client: to find it
    again by, and to wake it. A client gives itself a new id when its conversation is cleared."""
    session = agent.session
    if session is None or not occasion.session or session.client_session == occasion.session:
        return
    if _is_of(session, occasion.client) and (not session.client_session or _is_sibling(session)):
        try:
            bus.store.agents.identify(session.id, occasion.session)
        except HubbubError:
            return  # the next hook does it


def _get(bus: Bus, name: str) -> Agent | None:
    try:
        return bus.store.agents.get(name)
    except UnknownAgent:
        return None


def _sibling(sessions: list[Session], occasion: Occasion) -> Session | None:
    """The one live session of this client that was started by the same process as this hook."""
    found = [
        session
        for session in sessions
        if _is_of(session, occasion.client)
        # One process of Codex serves many conversations: a server that knows its own is not this one's.
        and not (occasion.client == "codex" and session.client_session)
        and _is_sibling(session)
    ]
    return found[0] if len(found) == 1 else None


def _is_of(session: Session, client: str) -> bool:
    """Whether a session was opened for ``client``."""
    return client in session.client.lower()


def _is_of_another(session: Session, id_: str) -> bool:
    """Whether ``session`` belongs to another conversation of a Codex, whose one process serves many."""
    return "codex" in session.client.lower() and bool(id_) and session.client_session not in ("", id_)


def _is_sibling(session: Session, depth: int = NEAR) -> bool:
    """Whether the process of ``session`` and this one were started by the same client, each maybe through a
    shell."""
    from hubbub.process import this_process

    there, here = session.process.split("/"), this_process().split("/")
    if len(there) != 4 or there[:2] != here[:2] or not there[2].isdigit():
        return False
    mine, theirs = parents(os.getpid(), depth), parents(int(there[2]))
    # Not the grandparents of both: that is the shell from which two clients were started.
    return bool(mine and theirs) and (mine[0] in theirs or theirs[0] in mine)


def parents(pid: int, depth: int = NEAR) -> list[int]:
    """The parent, the grandparent and so on of a process, as far as they can be read."""
    found: list[int] = []
    for _ in range(depth):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                # The second field is the command in brackets and may itself hold blanks and brackets.
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        if pid <= 1:
            break
        found.append(pid)
    return found
