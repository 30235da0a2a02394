"""Whether an actor may act: its agent is registered, and its session, if it names one, is its own."""

from __future__ import annotations

import apsw

from hubbub.errors import InvalidName, NotRegistered, RoleForbids, SessionEnded, SessionSuperseded
from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.names import BUS_NAME
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import add_event, one
from hubbub.stores.sqlite.due import end_session
from hubbub.stores.sqlite.statements import statements

_SQL = statements("agents.sql")


class ActorState:
    """What was found when an actor was checked."""

    __slots__ = ("ephemeral", "lapsed", "role")

    def __init__(self, role: str, ephemeral: bool, lapsed: bool) -> None:
        self.role = role
        self.ephemeral = ephemeral
        self.lapsed = lapsed
        """The session missed its beats and must be revived before the actor acts."""


def check_actor(db: apsw.Connection, actor: Actor, now: int) -> ActorState:
    """Whether ``actor`` may act; changes nothing.

    Raises:
        NotRegistered, SessionSuperseded, SessionEnded: it may not.
    """
    if actor.agent == BUS_NAME:
        raise InvalidName(f"{BUS_NAME} is the bus itself.", hint="Act for an agent of another name.")
    if actor.session is None:
        row = one(db, _SQL["attached_actor_row"], {"agent": actor.agent})
    else:
        row = one(db, _SQL["actor_row"], {"agent": actor.agent, "session": actor.session})
    if row is not None and row[0] is not None and actor.session is not None:
        raise SessionEnded(f"{actor.agent} was unregistered, which ended this session.")
    if row is None or row[0] is not None:
        raise NotRegistered(
            f"{actor.agent} is not registered on this bus.",
            hint=f"Register it first: hubbub register {actor.agent}",
        )
    _, role, ephemeral, state, expires_at, holder = row
    lapsed = False
    if actor.session is not None:
        if state is None or holder != actor.agent:
            raise SessionEnded(f"This bus knows no session {actor.session} of {actor.agent}.")
        if state == "superseded":
            raise SessionSuperseded(f"Another session took over the name {actor.agent}.")
        if state == "ended":
            raise SessionEnded(f"This session of {actor.agent} was ended.")
        lapsed = state == "expired" or expires_at <= now
    return ActorState(role, bool(ephemeral), lapsed)


def admit(tx: Write, actor: Actor, now: int) -> ActorState:
    """Check ``actor`` within a write, and bring a session that missed its beats back to life."""
    state = check_actor(tx.db, actor, now)
    if state.lapsed:
        revive(tx, actor, now)
    return state


def admit_to_stay(tx: Write, actor: Actor, now: int) -> None:
    """:func:`admit` one that takes part: a made-up name is kept from now on."""
    if admit(tx, actor, now).ephemeral:
        tx.db.execute(_SQL["agent_takes_part"], {"name": actor.agent})


def revive(tx: Write, actor: Actor, now: int) -> None:
    """Give a session that missed its beats its name back, unless another one holds it now."""
    held = one(tx.db, _SQL["live_session_of"], {"agent": actor.agent})
    if held is not None and held[0] != actor.session and held[9] <= now:
        end_session(tx, held[0], actor.agent, now, "expired", "no beat in time")
        held = None
    if held is not None and held[0] != actor.session:
        raise SessionSuperseded(f"Another session holds the name {actor.agent} now.")
    tx.db.execute(_SQL["beat"], {"id": actor.session, "now": now, "expires_at": now + SESSION_TTL_MS})
    if held is None:
        add_event(tx.db, now, "session_opened", actor, agent=actor.agent, detail={"revived": True})
        tx.ring("agents")


def refuse_publisher(actor: Actor, role: str) -> None:
    """Raise ``ROLE_FORBIDS`` for an agent that has no inbox to read."""
    if role == "publisher":
        raise RoleForbids(
            f"{actor.agent} is a publisher and has no inbox.",
            hint="Register it with the role both or consumer to receive.",
        )
