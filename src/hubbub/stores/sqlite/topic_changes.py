"""Topics made, closed, reopened, renamed and deleted."""

from __future__ import annotations

from typing import Any

from hubbub.errors import TopicFixed
from hubbub.model import Actor
from hubbub.model_topics import EVERYBODY, Changed, Created
from hubbub.names import new_tag, topic_id, topic_key
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, once, one
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.topic_members import count, enter_anew
from hubbub.stores.sqlite.topic_rows import EVERYBODYS, SQL, find, place_of, refuse_taken, topic_of

_AGENTS = statements("agents.sql")


def create(
    core: Core, actor: Actor, name: str | None, metadata: dict[str, Any] | None, reuse: bool, key: str | None
) -> Created:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.create`."""
    now = core.clock.now()
    with core.write() as tx:
        state = admit(tx, actor, now)
        if state.ephemeral:
            tx.db.execute(_AGENTS["agent_takes_part"], {"name": actor.agent})

        def act() -> dict[str, Any]:
            return _make(tx, actor, name, metadata, reuse, now)

        request = [name, metadata, reuse]
        answer, _ = once(tx, actor.agent, key, "create_topic", lambda: request, now, act)
        row = _numbered(tx, answer["topic"])
        place = place_of(tx.db, actor.agent, row[0], now)
        members = count(tx.db, row[0])
    unread = None if place is None or place.left_at is not None else place.unread(row)
    return Created(topic_of(row, unread, members), answer["created"])


def _make(
    tx: Write, actor: Actor, name: str | None, metadata: dict[str, Any] | None, reuse: bool, now: int
) -> dict[str, Any]:
    if name is not None:
        taken = one(tx.db, SQL["open_topic_named"], {"name_key": topic_key(name)})
        if taken is not None and reuse:
            enter_anew(tx, actor, _numbered(tx, taken[0]), now)
            return {"topic": taken[0], "created": False}
        refuse_taken(tx.db, topic_key(name), name)
    number = add(tx, actor, name, metadata, now, now)
    add_event(tx.db, now, "topic_created", actor, topic=number, detail={"name": _numbered(tx, number)[2]})
    enter_anew(tx, actor, _numbered(tx, number), now)
    return {"topic": number, "created": True}


def add(
    tx: Write,
    actor: Actor,
    name: str | None,
    metadata: dict[str, Any] | None,
    created_at: int,
    now: int,
    *,
    source: str | None = None,
) -> int:
    """Write a new topic's row, open or, from a ``source``, being imported; its number."""
    tag = new_tag()
    values = {
        "tag": tag,
        "name": name or "?",
        "name_key": topic_key(name) if name else f"?{tag}",
        "state": "open" if source is None else "importing",
        "metadata": None if metadata is None else dump(metadata),
        "created_by": actor.agent,
        "created_at": created_at,
        "now": now,
        "source": source,
    }
    tx.db.execute(SQL["add_topic"], values)
    number = tx.db.last_insert_rowid()
    if name is None:
        id_ = topic_id(number, tag)
        tx.db.execute(SQL["name_topic"], {"topic": number, "name": id_, "name_key": id_, "now": now})
    return number


def close(core: Core, actor: Actor, name: str, reason: str) -> Changed:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.close`."""
    now = core.clock.now()
    with core.write() as tx:
        row = _changing(tx, actor, name, now, "closed")
        if row[3] == "closed":
            return Changed(topic_of(row, members=count(tx.db, row[0])), False)
        values = {"topic": row[0], "by": actor.agent, "reason": reason, "now": now}
        tx.db.execute(SQL["close_topic"], values)
        return _changed(tx, actor, row, now, "topic_closed", {"reason": reason} if reason else None)


def reopen(core: Core, actor: Actor, name: str) -> Changed:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.reopen`."""
    now = core.clock.now()
    with core.write() as tx:
        row = _changing(tx, actor, name, now)
        if row[3] == "open":
            return Changed(topic_of(row, members=count(tx.db, row[0])), False)
        refuse_taken(tx.db, topic_key(row[2]), row[2])
        tx.db.execute(SQL["reopen_topic"], {"topic": row[0], "now": now})
        return _changed(tx, actor, row, now, "topic_reopened", None)


def rename(core: Core, actor: Actor, name: str, new: str) -> Changed:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.rename`."""
    now = core.clock.now()
    with core.write() as tx:
        row = _changing(tx, actor, name, now, "renamed")
        if row[2] == new:
            return Changed(topic_of(row, members=count(tx.db, row[0])), False)
        if row[3] == "open":
            refuse_taken(tx.db, topic_key(new), new, but=row[0])
        values = {"topic": row[0], "name": new, "name_key": topic_key(new), "now": now}
        tx.db.execute(SQL["name_topic"], values)
        return _changed(tx, actor, row, now, "topic_renamed", {"from": row[2], "to": new})


def delete(core: Core, actor: Actor, name: str) -> Changed:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.delete`."""
    now = core.clock.now()
    with core.write() as tx:
        row = _changing(tx, actor, name, now, "deleted")
        remove(tx, row[0], now)
        detail = {"name": row[2], "messages": row[7]}
        return _changed(tx, actor, row, now, "topic_deleted", detail)


def remove(tx: Write, topic: int, now: int) -> None:
    """A topic is gone; housekeeping erases its messages."""
    tx.db.execute(SQL["remove_hands_of_topic"], {"topic": topic})
    tx.db.execute(SQL["remove_members"], {"topic": topic})
    tx.db.execute(SQL["delete_topic"], {"topic": topic, "now": now})


def _changing(tx: Write, actor: Actor, name: str, now: int, what: str | None = None) -> Row:
    """The topic that ``actor`` is about to change."""
    admit(tx, actor, now)
    row = find(tx.db, name)
    if row[0] == EVERYBODYS and what is not None:
        raise TopicFixed(f"#{EVERYBODY} belongs to all agents and can't be {what}.")
    return row


def _changed(
    tx: Write, actor: Actor, row: Row, now: int, event: str, detail: dict[str, Any] | None
) -> Changed:
    add_event(tx.db, now, event, actor, topic=row[0], detail=detail)
    tx.ring(f"topic/{topic_id(row[0], row[1])}")
    return Changed(topic_of(_numbered(tx, row[0]), members=count(tx.db, row[0])), True)


def _numbered(tx: Write, topic: int) -> Row:
    row = one(tx.db, SQL["topic_by_number"], {"topic": topic})
    assert row is not None  # topics' rows are never removed
    return row
