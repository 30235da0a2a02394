"""Who is on the bus: names, roles, sessions."""

from __future__ import annotations

import os
from typing import NamedTuple

from hubbub.bus import checking
from hubbub.errors import NameTaken, UnknownAgent
from hubbub.model import MESSAGE_BYTES_CEILING, Actor, Agent, NewSession, Profile, Registration, Session
from hubbub.names import ROLES, check_name, check_own_name, check_word, new_token
from hubbub.process import is_gone, this_process
from hubbub.stores.contract import Store

INBOX_LIMIT_MAX = 10_000_000


class Seat(NamedTuple):
    """A name that this process holds, through a live session."""

    agent: Agent
    session: str
    created: bool
    superseded: Session | None

    @property
    def actor(self) -> Actor:
        """Who acts through this seat."""
        return Actor(self.agent.name, self.session)


class Agents:
    """The agents of one bus."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(
        self,
        name: str,
        *,
        role: str | None = None,
        description: str | None = None,
        inbox_limit: int | None = None,
        max_message_bytes: int | None = None,
    ) -> Registration:
        """Make an agent known, or change what is given of a known one. It is not online by this.

        Args:
            name: ``[a-z0-9][a-z0-9_-]{0,63}``.
            role: ``both`` (unless known otherwise), ``publisher`` (sends, has no inbox) or
                ``consumer`` (receives, and sends only answers).
            description: What it does, for other agents; up to 1000 characters.
            inbox_limit: How many unsettled messages its inbox takes (1000 unless known otherwise).
            max_message_bytes: The largest message it takes (1 MiB unless known otherwise).

        Raises:
            InvalidName, InvalidArgument: something given is not as above.
        """
        return self._store.agents.register(
            _profile(name, role, description, inbox_limit, max_message_bytes, ephemeral=False)
        )

    def join(
        self,
        name: str,
        *,
        role: str | None = None,
        description: str | None = None,
        inbox_limit: int | None = None,
        max_message_bytes: int | None = None,
        client: str = "",
        client_session: str = "",
        take_over: bool = False,
        ephemeral: bool = False,
    ) -> Seat:
        """Register and hold the name with a session, which must beat at least every 30 s.

        ``take_over`` fences out a session that holds the name; ``ephemeral`` marks a name that
        was made up and is given back when the session ends without having been used.

        Raises:
            NameTaken: another live session holds it.
        """
        profile = _profile(name, role, description, inbox_limit, max_message_bytes, ephemeral)
        session = NewSession(
            id="s-" + new_token(),
            client=checking.text(client, "client")[:80],
            client_session=checking.text(client_session, "client_session")[:200],
            process=this_process(),
            folder=_folder(),
        )
        try:
            made = self._store.agents.register(profile, session, take_over=take_over)
        except NameTaken:
            # Its process may have been killed without a word: then the name is free at once.
            if not self.end_if_gone(name):
                raise
            made = self._store.agents.register(profile, session, take_over=take_over)
        return Seat(made.agent, session.id, made.created, made.superseded)

    def refresh(
        self,
        seat: Seat,
        *,
        role: str | None = None,
        description: str | None = None,
        inbox_limit: int | None = None,
        max_message_bytes: int | None = None,
    ) -> Seat:
        """Change what is said of the agent, through the session that holds its name.

        Raises:
            SessionSuperseded, SessionEnded: the seat was lost; nothing was changed.
        """
        name = seat.agent.name
        profile = _profile(name, role, description, inbox_limit, max_message_bytes, ephemeral=False)
        made = self._store.agents.register(profile, NewSession(id=seat.session))
        return Seat(made.agent, seat.session, created=False, superseded=None)

    def attach(self, name: str) -> Actor:
        """Act for a registered agent beside whatever session holds its name.

        Raises:
            InvalidName: it can't be a name. That it is registered is checked by what is done.
        """
        return Actor(check_name(name))

    def beat(self, seat: Seat) -> Session:
        """Keep the seat's session alive. Raises SessionSuperseded or SessionEnded when it is lost."""
        return self._store.agents.beat(seat.session)

    def leave(self, seat: Seat, *, why: str = "left") -> None:
        """End the seat's session. What it had leased goes back to the queue."""
        self._store.agents.end_session(seat.session, why)

    def unregister(self, name: str, *, actor: Actor | None = None, delete_mail: bool = False) -> Agent:
        """Take an agent off the bus. Its mail is kept for when it comes back, unless ``delete_mail``."""
        return self._store.agents.unregister(check_name(name), actor=actor, delete_mail=delete_mail)

    def release(self, name: str, *, why: str = "released by the operator") -> Session | None:
        """End the session that holds a name, from outside; None when none did."""
        return self._store.agents.release_name(check_name(name), why)

    def get(self, name: str) -> Agent:
        """One agent. Raises UnknownAgent."""
        self.end_if_gone(check_name(name))
        return self._store.agents.get(name)

    def all(self) -> list[Agent]:
        """All registered agents, by name."""
        agents = self._store.agents.all()
        gone = [agent for agent in agents if agent.session is not None and is_gone(agent.session.process)]
        for agent in gone:
            self._end_gone(agent)
        return self._store.agents.all() if gone else agents

    def identify(self, seat: Seat, client_session: str) -> None:
        """Keep what the client calls its own session, once that is known."""
        self._store.agents.identify(seat.session, checking.text(client_session, "client_session")[:200])

    def find_client_session(self, client_session: str) -> Session | None:
        """The latest session that was kept with a client's own session id."""
        return self._store.agents.find_client_session(client_session)

    def end_if_gone(self, name: str) -> bool:
        """End the session that holds ``name`` if its process surely ended; True when it did."""
        try:
            agent = self._store.agents.get(name)
        except UnknownAgent:
            return False
        return agent.session is not None and is_gone(agent.session.process) and self._end_gone(agent)

    def _end_gone(self, agent: Agent) -> bool:
        if agent.session is not None:
            self._store.agents.end_session(agent.session.id, "its process ended", gone=True)
        return True


def _profile(
    name: str,
    role: str | None,
    description: str | None,
    inbox_limit: int | None,
    max_message_bytes: int | None,
    ephemeral: bool,
) -> Profile:
    return Profile(
        name=check_own_name(name),
        role=None if role is None else check_word(role, ROLES, "role"),
        description=None
        if description is None
        else checking.text(description, "description", checking.DESCRIPTION_MAX),
        inbox_limit=None
        if inbox_limit is None
        else checking.number(inbox_limit, "inbox_limit", 1, INBOX_LIMIT_MAX),
        max_message_bytes=None
        if max_message_bytes is None
        else checking.number(max_message_bytes, "max_message_bytes", 1, MESSAGE_BYTES_CEILING),
        ephemeral=ephemeral,
    )


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
