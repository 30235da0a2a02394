"""Under which names a connection acts.

The server registers its agent by itself, because models do not: under ``HUBBUB_AGENT``, or the
name that this client's session had before, or one made from the client's name. Further names
join with ``register_agent`` and are chosen by ``as_agent``, so that sub-agents sharing one
server do not take each other's name.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypedDict

from hubbub.bus import Bus, Seat
from hubbub.bus.heart import Heart
from hubbub.errors import HubbubError, NameTaken, NotRegistered, SessionEnded, SessionSuperseded
from hubbub.faces.mcp.answering import Answering
from hubbub.faces.mcp.tools import Member
from hubbub.names import suggest_name

_CLIENT_NAMES = (
    ("claude", "claude"),
    ("codex", "codex"),
    ("gemini", "gemini"),
    ("opencode", "opencode"),
    ("cursor", "cursor"),
    ("visual-studio-code", "vscode"),
)
MADE_UP_TRIES = 200


class _Identity(TypedDict):
    client: str
    client_session: str


class Members:
    """The names of one connection."""

    def __init__(
        self, bus: Bus, agent: str | None, joined: Callable[[Member], None] = lambda member: None
    ) -> None:
        """``agent`` is the name that the surroundings give (``HUBBUB_AGENT``), if any; ``joined`` is told
        of every name that is taken, and must not wait."""
        self.bus = bus
        self._joined = joined
        self._agent = agent
        self._client: dict[str, Any] = {}
        self._client_session = os.environ.get("CLAUDE_CODE_SESSION_ID", "")
        self._members: dict[str, Member] = {}
        self._default: Member | None = None
        self._lock = threading.RLock()
        self._answering = Answering(bus, self._members)
        self._heart = Heart(bus.store, bus.agents, lost=self._on_lost, chores=bus.serve())

    def meet(self, client_info: dict[str, Any]) -> None:
        """Learn who the client is."""
        # Without the lock: the reader's thread must not wait for a registration under way.
        if client_info and not self._client:
            self._client = client_info

    def client_name(self) -> str:
        """What the client calls itself; empty as long as it has not said."""
        name = self._client.get("name")
        return name if isinstance(name, str) else ""

    def default(self) -> Member:
        """The member that acts when none is named, registering it if that was not possible before.

        Raises:
            HubbubError: it can't be registered now.
        """
        with self._lock:
            member = self._default
            if member is not None and not (member.lost and member.made_up):
                return member
            if member is not None:
                self._members.pop(member.seat.agent.name, None)
            self._default = member = self._join_by_itself()
            return member

    def current(self) -> Member | None:
        """The member that acts when none is named, if there is one."""
        return self._default

    def acting(self, as_agent: str | None) -> Member:
        """The member that a call acts as.

        Raises:
            NotRegistered: this connection did not register ``as_agent``.
        """
        if as_agent is None:
            return self.default()
        with self._lock:
            member = self._members.get(as_agent)
        if member is None:
            names = ", ".join(self.names()) or "nobody"
            raise NotRegistered(
                f"This server does not act for {ascii(as_agent)[:70]}.",
                hint=f"Call register_agent for that name first; now it acts for: {names}.",
            )
        return member

    def names(self) -> list[str]:
        """All names, the default one first."""
        with self._lock:
            first = [self._default.seat.agent.name] if self._default else []
            return first + [name for name in self._members if name not in first]

    def every(self) -> list[Member]:
        """All members."""
        # Without the lock: the reader's thread asks, and must not wait for a registration under way.
        return list(self._members.values())

    def register(self, name: str, take_over: bool, profile: dict[str, Any]) -> tuple[Member, Member | None]:
        """Register ``name`` for this connection; the member, and the one that it replaced as the default.

        It becomes the default in place of none, of a made-up name, and of one that was lost.
        """
        with self._lock:
            known = self._members.get(name)
            if known is not None and not known.lost and self._refreshed(known, profile):
                return known, None
            before = self._default
            replaces = before is None or before.made_up or before.lost
            # Only the default one is what a resumed session of the client should find again.
            identity = self._identity(main=replaces)
            seat = self.bus.agents.join(name, take_over=take_over, **profile, **identity)
            member = self._add(seat, made_up=False)
            if not replaces:
                return member, None
            self._default = member
            if before is not None:
                self._drop(before, why=f"the agent took the name {name}")
            return member, before

    def _refreshed(self, known: Member, profile: dict[str, Any]) -> bool:
        """Update what is said of a name that is held already; False when its session was lost meanwhile."""
        try:
            known.seat = self.bus.agents.refresh(known.seat, **profile)
        except (SessionSuperseded, SessionEnded):
            self.note_lost(known)
            return False
        known.made_up = False
        self._recognise(known)
        return True

    def _recognise(self, member: Member) -> None:
        """The member turned out to be who had its name before."""
        if not member.goes_on:
            member.goes_on = True
            self._joined(member)

    def is_default(self, member: Member) -> bool:
        """Whether ``member`` acts when no name is given."""
        return member is self._default

    def unregister(self, member: Member, delete_mail: bool) -> None:
        """Take the member's name off the bus and forget it."""
        with self._lock:
            name = member.seat.agent.name
            self.bus.agents.unregister(name, actor=member.seat.actor, delete_mail=delete_mail)
            self._heart.remove(member.seat)
            self._members.pop(name, None)
            self._answering.changed()
            if self._default is member:
                self._default = None
                # It was taken off on purpose: the next call gets a made-up name instead.
                self._agent = None
                self._client_session = ""

    def note_client_session(self, member: Member, client_session: str) -> None:
        """Keep the client's session id that came with a call (Codex tells it in no other way)."""
        if client_session and not self._client_session and member is self._default:
            self._client_session = client_session
            before = self.bus.agents.find_client_session(client_session)
            self.bus.agents.identify(member.seat, client_session)
            if before is not None and before.agent == member.seat.agent.name:
                self._recognise(member)

    def close(self) -> None:
        """End all sessions."""
        self._answering.stop()
        self._heart.stop()
        with self._lock:
            for member in self._members.values():
                self._leave(member, "its server ended")
            self._members.clear()

    # --- registering by itself ---------------------------------------------------------------

    def _join_by_itself(self) -> Member:
        if self._agent:
            return self._add(self.bus.agents.join(self._agent, **self._identity()), made_up=False)
        taken: NameTaken | None = None
        before = self._name_before()
        for name in self._made_up_names(before):
            try:
                seat = self.bus.agents.join(name, ephemeral=True, **self._identity())
                return self._add(seat, made_up=seat.agent.ephemeral, goes_on=name == before)
            except NameTaken as error:
                taken = error
        raise taken or NotRegistered("No free name was found.", hint="Call register_agent with a name.")

    def _name_before(self) -> str | None:
        """The name that this session of the client had when it was last here."""
        if not self._client_session:
            return None
        before = self.bus.agents.find_client_session(self._client_session)
        return None if before is None else before.agent

    def _made_up_names(self, before: str | None) -> list[str]:
        names = [] if before is None else [before]
        client = suggest_name(str(self._client.get("name") or "agent")) or "agent"
        stem = next((short for long, short in _CLIENT_NAMES if long in client), client)[:58]
        return [*names, stem, *(f"{stem}-{number}" for number in range(2, MADE_UP_TRIES))]

    def _identity(self, main: bool = True) -> _Identity:
        name, version = self._client.get("name"), self._client.get("version")
        client = " ".join(str(part) for part in (name, version) if part)[:80]
        return {
            "client": client.encode("utf-8", "replace").decode(),
            "client_session": self._client_session if main else "",
        }

    def _add(self, seat: Seat, made_up: bool, goes_on: bool = True) -> Member:
        member = Member(seat, made_up, goes_on)
        self._members[seat.agent.name] = member
        self._heart.add(seat)
        self._answering.changed()
        self._joined(member)
        return member

    def _drop(self, member: Member, why: str) -> None:
        if self._members.get(member.seat.agent.name) is member:
            del self._members[member.seat.agent.name]
        self._heart.remove(member.seat)
        self._answering.changed()
        self._leave(member, why)

    def _leave(self, member: Member, why: str) -> None:
        try:
            self.bus.agents.leave(member.seat, why=why)
        except HubbubError:
            return  # the session runs out by itself

    def note_lost(self, member: Member) -> None:
        """Another session has the member's name, or it was taken off the bus."""
        member.lost = True
        self._answering.changed()

    def _on_lost(self, seat: Seat, error: HubbubError) -> None:
        member = self._members.get(seat.agent.name)
        if member is not None and member.seat.session == seat.session:
            self.note_lost(member)
