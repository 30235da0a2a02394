"""What the facets share: transactions, the ledger's pen, idempotency."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import apsw

from hubbub.bells.sockets import SocketBells
from hubbub.clock import Clock
from hubbub.errors import IdempotencyMismatch, UnknownAgent
from hubbub.model import Actor
from hubbub.names import nearest, parse_message_id
from hubbub.policy import Policy
from hubbub.stores.sqlite.connection import Connections, Read, Row, Write
from hubbub.stores.sqlite.statements import statements

_SQL = statements("agents.sql")
_HAS_MESSAGE = statements("mail.sql")["has_message"]
_ADD_EVENT = statements("ledger.sql")["add_event"]


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump(value: Any) -> str:
    """``value`` as compact JSON."""
    return _encode(value)


class Core:
    """One opened database: its connections, bells and clock."""

    def __init__(
        self,
        path: str,
        clock: Clock,
        bells: SocketBells,
        connections: Connections,
        policy: Policy = Policy(),  # noqa: B008 - immutable
    ) -> None:
        self.path = path
        self.clock = clock
        self.bells = bells
        self.connections = connections
        self.policy = policy

    def write(self) -> Write:
        """A write transaction on this thread's connection."""
        return Write(self.connections.mine(), self.bells, self.policy)

    def read(self) -> Read:
        """A read transaction on this thread's connection."""
        return Read(self.connections.mine())


def one(db: apsw.Connection, statement: str, values: dict[str, Any]) -> Row | None:
    """The first row of a query, or None."""
    found: Row | None = next(db.execute(statement, values), None)
    return found


def seq_of(db: apsw.Connection, id_: str) -> int | None:
    """The ``seq`` of the message with this very id, or None: a mistyped one hits no other message."""
    parsed = parse_message_id(id_)
    if parsed is None or one(db, _HAS_MESSAGE, {"seq": parsed[0], "tag": parsed[1]}) is None:
        return None
    return parsed[0]


def add_event(
    db: apsw.Connection,
    now: int,
    event: str,
    actor: Actor | None,
    *,
    message: int | None = None,
    agent: str | None = None,
    topic: int | None = None,
    project: int | None = None,
    step: int | None = None,
    attempt: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one line of the ledger; with ``topic``, ``message`` is one of the topic's."""
    db.execute(
        _ADD_EVENT,
        {
            "at": now,
            "event": event,
            "actor": actor.agent if actor else None,
            "session": actor.session if actor else None,
            "message": message,
            "agent": agent,
            "topic": topic,
            "project": project,
            "step": step,
            "attempt": attempt,
            "detail": dump(detail) if detail else None,
        },
    )


def unknown_agent(db: apsw.Connection, name: str) -> UnknownAgent:
    """The error for a name that nobody has, with the nearest names."""
    return UnknownAgent(f"No agent is called {name}.", hint=near_hint(db, name))


def near_hint(db: apsw.Connection, name: str) -> str:
    """``Did you mean ...?`` with the nearest registered names, or how to list them."""
    near = nearest(name, [row[0] for row in db.execute(_SQL["agent_names"])])
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "List the agents with: hubbub who"


def digest(operation: str, request: Any) -> str:
    """A fingerprint of a request, to tell a retry from a new request under an old key."""
    import hashlib  # only requests with a key pay for it

    return hashlib.sha256(f"{operation}\n{dump(request)}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def once(
    tx: Write,
    agent: str,
    key: str | None,
    operation: str,
    request: Callable[[], Any],
    now: int,
    act: Callable[[], Any],
) -> tuple[Any, bool]:
    """Do ``act`` unless ``key`` was answered before: its answer as JSON values, and whether it is old.

    An empty answer (nothing to receive) is not kept: asking again is then a new request.

    Raises:
        IdempotencyMismatch: the key belongs to another request.
    """
    if key is None:
        return act(), False
    asked = digest(operation, request())
    row = one(tx.db, _SQL["answer_of"], {"agent": agent, "key": key})
    if row is not None:
        if row[0] != operation or row[1] != asked:
            raise IdempotencyMismatch(f"The idempotency key {key!r} was used for another request.")
        return json.loads(row[2]), True
    answer = act()
    if not answer:
        return answer, False
    tx.db.execute(
        _SQL["keep_answer"],
        {
            "agent": agent,
            "key": key,
            "operation": operation,
            "request": asked,
            "answer": dump(answer),
            "now": now,
        },
    )
    return answer, False
