"""Agents and sessions in SQLite. See :class:`hubbub.stores.contract.AgentStore`."""

from __future__ import annotations

from hubbub.clock import spoken
from hubbub.errors import NameTaken, SessionEnded, SessionSuperseded
from hubbub.model import (
    INBOX_LIMIT,
    MAX_MESSAGE_BYTES,
    SESSION_TTL_MS,
    Actor,
    Agent,
    NewSession,
    Profile,
    Registration,
    Session,
    Stakes,
)
from hubbub.stores.sqlite import due
from hubbub.stores.sqlite.actors import admit, check_actor, revive
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, one, seq_of, unknown_agent
from hubbub.stores.sqlite.looking import catch_up, catch_up_all
from hubbub.stores.sqlite.rows import agent_of, session_of
from hubbub.stores.sqlite.statements import statements

_SQL = statements("agents.sql")
_MAIL = statements("mail.sql")


class SqliteAgents:
    """The facet of agents and sessions."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def register(
        self,
        profile: Profile,
        session: NewSession | None = None,
        *,
        take_over: bool = False,
    ) -> Registration:
        """Make an agent known and open its session."""
        now = self._core.clock.now()
        with self._core.write() as tx:
            opened = session is not None and _is_open(tx, profile.name, session, now)
            superseded = None if opened else _make_room(tx, profile.name, session, now, take_over)
            created = _keep_profile(tx, profile, now)
            if profile.role == "publisher":
                from hubbub.stores.sqlite.waiving import waive_all  # few are

                waive_all(tx, profile.name, now, f"{profile.name} has no inbox any more")
            if session is not None and not opened:
                _open_session(tx, profile.name, session, now)
            tx.ring("agents", f"room/{profile.name}")
            row = one(tx.db, _SQL["agent_row"], {"name": profile.name})
            assert row is not None  # it was just written
            return Registration(agent_of(row, now), created, superseded)

    def unregister(self, name: str, *, actor: Actor | None = None, delete_mail: bool = False) -> Agent:
        """Take a name off the bus."""
        now = self._core.clock.now()
        with self._core.write() as tx:
            if actor is not None:
                admit(tx, actor, now)
            row = one(tx.db, _SQL["agent_row"], {"name": name})
            if row is None or row[10] is not None:
                raise unknown_agent(tx.db, name)
            agent = agent_of(row, now)
            if row[12] is not None:
                due.end_session(tx, row[12], name, now, "ended", "unregistered")
            _release_claims(tx, name, now)
            if delete_mail:
                _delete_mail(tx, name, now, actor)
            due.unregister(tx, name, now, actor, {"mail_deleted": True} if delete_mail else None)
            return agent

    def release_name(self, name: str, why: str) -> Session | None:
        """End the session that holds a name."""
        now = self._core.clock.now()
        with self._core.write() as tx:
            row = one(tx.db, _SQL["agent_row"], {"name": name})
            if row is None or row[10] is not None:
                raise unknown_agent(tx.db, name)
            if row[12] is None:
                return None
            if row[21] <= now:
                due.end_session(tx, row[12], name, now, "expired", "no beat in time")
                return None
            due.end_session(tx, row[12], name, now, "ended", why, gone=True)
            add_event(tx.db, now, "name_released", None, agent=name, detail={"why": why})
            return session_of(row[12:24])

    def get(self, name: str) -> Agent:
        """One agent."""
        catch_up(self._core, name)
        now = self._core.clock.now()
        with self._core.read() as db:
            row = one(db, _SQL["agent_row"], {"name": name})
            if row is None or row[10] is not None:
                raise unknown_agent(db, name)
            return agent_of(row, now)

    def all(self) -> list[Agent]:
        """All agents."""
        catch_up_all(self._core)
        now = self._core.clock.now()
        with self._core.read() as db:
            return [agent_of(row, now) for row in db.execute(_SQL["agent_rows"])]

    def stakes(self, name: str) -> Stakes:
        """What there is at all."""
        with self._core.read() as db:
            row = one(db, _SQL["stakes"], {"name": name, "now": self._core.clock.now()})
        assert row is not None  # it always has one
        return Stakes(*map(bool, row))

    def beat(self, session: str) -> Session:
        """Keep a session alive."""
        with self._core.write() as tx:
            now = self._core.clock.now()  # a lease that ran out while the turn was awaited stays lost
            row = one(tx.db, _SQL["session_row"], {"id": session})
            if row is None or row[2] == "ended":
                raise SessionEnded("This session was ended.")
            if row[2] == "superseded":
                raise SessionSuperseded(f"Another session took over the name {row[1]}.")
            if row[2] == "expired":
                check_actor(tx.db, Actor(row[1], session), now)
                revive(tx, Actor(row[1], session), now)
            tx.db.execute(_SQL["beat"], {"id": session, "now": now, "expires_at": now + SESSION_TTL_MS})
            tx.db.execute(_SQL["renew_claims"], {"id": session, "now": now})
            found = one(tx.db, _SQL["session_row"], {"id": session})
            assert found is not None
            return session_of(found)

    def end_session(
        self, session: str, why: str, *, unseen: tuple[str, ...] = (), gone: bool = False
    ) -> None:
        """End a session."""
        now = self._core.clock.now()
        with self._core.write() as tx:
            never_left = frozenset(seq for seq in (seq_of(tx.db, id_) for id_ in unseen) if seq is not None)
            row = one(tx.db, _SQL["session_row"], {"id": session})
            if row is None or row[2] != "live":
                return
            due.end_session(tx, session, row[1], now, "ended", why, never_left, gone=gone)
            due.give_back_unused_name(tx, row[1], now)

    def identify(self, session: str, client_session: str) -> None:
        """Keep a client's session id."""
        with self._core.write() as tx:
            tx.db.execute(_SQL["identify"], {"id": session, "client_session": client_session})

    def sessions(self) -> list[Session]:
        """The live sessions."""
        now = self._core.clock.now()
        with self._core.read() as db:
            found = [session_of(row) for row in db.execute(_SQL["live_sessions"])]
        return [session for session in found if session.expires_at > now]

    def find_client_session(self, client_session: str) -> Session | None:
        """The session of a client's session id."""
        with self._core.read() as db:
            row = one(db, _SQL["session_of_client"], {"client_session": client_session})
        return None if row is None else session_of(row)


def _is_open(tx: Write, name: str, session: NewSession, now: int) -> bool:
    """Whether this very session was opened before and still lives: then this is a retry."""
    row = one(tx.db, _SQL["session_row"], {"id": session.id})
    if row is None:
        return False
    check_actor(tx.db, Actor(name, session.id), now)
    if row[2] == "expired":
        revive(tx, Actor(name, session.id), now)
    return True


def _make_room(tx: Write, name: str, session: NewSession | None, now: int, take_over: bool) -> Session | None:
    """Leave ``name`` without a live session, or raise; the session that was fenced out, if any."""
    row = one(tx.db, _SQL["live_session_of"], {"agent": name})
    if session is None or row is None:
        return None
    held = session_of(row)
    if held.expires_at <= now:
        due.end_session(tx, held.id, name, now, "expired", "no beat in time")
        return None
    if not take_over:
        raise NameTaken(
            f"{name} is held by a live session" + _described(held, now) + ".",
            hint=_free_names(tx, name),
            session=held.id,
        )
    due.end_session(tx, held.id, name, now, "superseded", f"taken over by session {session.id}")
    return held


def _described(held: Session, now: int) -> str:
    who = held.client or "a client"
    return f" of {who}, started {spoken(max(0, now - held.started_at))} ago"


def _free_names(tx: Write, name: str) -> str:
    known = {row[0] for row in tx.db.execute(_SQL["agent_names"])}
    stem = name[:60].rstrip("0123456789").rstrip("-_") or name[:60]
    free = [f"{stem}-{number}" for number in range(2, len(known) + 5) if f"{stem}-{number}" not in known][:3]
    return (
        f"Take another name, such as {', '.join(free)}, or take over on purpose: "
        f"register_agent(name={name!r}, take_over=true), or hubbub unregister {name} --release-name"
    )


def _keep_profile(tx: Write, profile: Profile, now: int) -> bool:
    """Write the agent's row; True when the name is new on the bus (or back on it)."""
    row = one(tx.db, _SQL["agent_row"], {"name": profile.name})
    known: Row = row if row is not None else (None, "both", "", INBOX_LIMIT, MAX_MESSAGE_BYTES)
    values = {
        "name": profile.name,
        "role": profile.role or known[1],
        "description": known[2] if profile.description is None else profile.description,
        "inbox_limit": profile.inbox_limit or known[3],
        "max_message_bytes": profile.max_message_bytes or known[4],
        "ephemeral": int(profile.ephemeral and (row is None or bool(row[11]))),
        "now": now,
    }
    tx.db.execute(_SQL["add_agent" if row is None else "update_agent"], values)
    created = row is None or row[10] is not None
    changed = created or (values["role"], values["description"]) != (known[1], known[2])
    if changed:
        detail = {"role": values["role"], "description": values["description"]}
        add_event(tx.db, now, "agent_registered", Actor(profile.name), agent=profile.name, detail=detail)
    return created


def _open_session(tx: Write, name: str, session: NewSession, now: int) -> None:
    values = session._asdict()
    tx.db.execute(
        _SQL["add_session"], {**values, "agent": name, "now": now, "expires_at": now + SESSION_TTL_MS}
    )
    tx.db.execute(_SQL["seen"], {"name": name, "now": now})
    add_event(
        tx.db, now, "session_opened", Actor(name, session.id), agent=name, detail={"client": session.client}
    )


def _release_claims(tx: Write, name: str, now: int) -> None:
    """What a name that leaves the bus holds is to be had by others."""
    if one(tx.db, _SQL["has_claims"], {"name": name}) is not None:
        from hubbub.stores.sqlite.work_claims import release_all  # few names leave so

        release_all(tx, name, now)


def _delete_mail(tx: Write, name: str, now: int, actor: Actor | None) -> None:
    from hubbub.stores.sqlite.meaning import forget  # seldom needed
    from hubbub.stores.sqlite.waiving import question_removed

    blanked: list[int] = []
    for message, state in list(tx.db.execute(_MAIL["deliveries_of"], {"agent": name})):
        tx.db.execute(_MAIL["remove_delivery"], {"agent": name, "message": message})
        tx.db.execute(_MAIL["blank_message"], {"message": message, "now": now})
        if tx.db.changes():
            blanked.append(message)
        question_removed(tx, message, name, actor, now)
        add_event(tx.db, now, "message_purged", actor, message=message, agent=name, detail={"from": state})
    forget(tx.db, "mail", blanked)
    tx.ring(f"room/{name}")
