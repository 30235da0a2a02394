"""Who is in a topic, and from where it reads."""

from __future__ import annotations

import apsw

from hubbub.errors import TopicFixed
from hubbub.model import Actor
from hubbub.model_topics import EVERYBODY, Membership
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, one
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.topic_rows import (
    EVERYBODYS,
    SQL,
    Place,
    check_place,
    find,
    member_place,
    own_between,
    place_of,
    topic_of,
)
from hubbub.stores.sqlite.topic_sync import enter

_AGENTS = statements("agents.sql")


def join(core: Core, actor: Actor, name: str, start: int | None) -> Membership:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.join`."""
    now = core.clock.now()
    with core.write() as tx:
        state = admit(tx, actor, now)
        if state.ephemeral:
            tx.db.execute(_AGENTS["agent_takes_part"], {"name": actor.agent})
        topic = find(tx.db, name)
        before = place_of(tx.db, actor.agent, topic[0], now)
        fresh = before is None or before.left_at is not None
        if fresh:
            enter_anew(tx, actor, topic, now, start)
        elif start is not None:
            _go_to(tx, actor, topic, check_place(topic, start), now)
        return _membership(tx, actor, topic, now, fresh=fresh)


def enter_anew(tx: Write, actor: Actor, topic: Row, now: int, start: int | None = None) -> None:
    """Make the actor a member unless it is one: at ``start``, where it left off, or at the start."""
    before = place_of(tx.db, actor.agent, topic[0], now)
    if before is not None and before.left_at is None:
        return
    if start is not None:
        position = check_place(topic, start)
    else:
        position = 0 if before is None else before.cursor
    tx.db.execute(SQL["remove_hands"], {"agent": actor.agent, "topic": topic[0]})
    enter(tx, actor, topic, position, now)


def leave(core: Core, actor: Actor, name: str) -> Membership:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.leave`."""
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)
        topic = find(tx.db, name)
        if topic[0] == EVERYBODYS:
            raise TopicFixed(f"Every agent belongs to #{EVERYBODY}: nobody can leave it.")
        place = member_place(tx.db, actor, topic, now)
        # What is in hand then was not confirmed: it comes again to one who joins again.
        _go_to(tx, actor, topic, place.cursor, now, tell=False)
        tx.db.execute(SQL["leave_topic"], {"agent": actor.agent, "topic": topic[0], "now": now})
        add_event(tx.db, now, "topic_left", actor, topic=topic[0], agent=actor.agent)
        return _membership(tx, actor, topic, now)


def reset(core: Core, actor: Actor, name: str, position: int) -> Membership:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.reset`."""
    now = core.clock.now()
    with core.write() as tx:
        admit(tx, actor, now)
        topic = find(tx.db, name)
        member_place(tx.db, actor, topic, now)
        _go_to(tx, actor, topic, check_place(topic, position), now)
        return _membership(tx, actor, topic, now)


def _go_to(tx: Write, actor: Actor, topic: Row, position: int, now: int, *, tell: bool = True) -> None:
    """Set a member to a place, with nothing in hand."""
    where = {"agent": actor.agent, "topic": topic[0]}
    tx.db.execute(SQL["remove_hands"], where)
    own = own_between(tx.db, actor.agent, topic[0], position, topic[7])
    tx.db.execute(SQL["move_member"], {**where, "position": position, "own": own, "now": now})
    if tell:
        add_event(
            tx.db, now, "cursor_reset", actor, topic=topic[0], agent=actor.agent, detail={"after": position}
        )


def _membership(tx: Write, actor: Actor, topic: Row, now: int, *, fresh: bool = False) -> Membership:
    place = place_of(tx.db, actor.agent, topic[0], now)
    assert place is not None  # a member's row is never removed while its topic is there
    shown = topic_of(topic, members=count(tx.db, topic[0]))
    return place.membership(shown, online=actor.session is not None, fresh=fresh)


def count(db: apsw.Connection, topic: int) -> int:
    """How many agents are members of a topic."""
    row = one(db, SQL["member_count"], {"topic": topic})
    return row[0] if row else 0


def members(core: Core, name: str, limit: int) -> tuple[Membership, ...]:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.members`."""
    now = core.clock.now()
    with core.read() as db:
        topic = find(db, name)
        rows = list(db.execute(SQL["members_of"], {"topic": topic[0], "now": now, "limit": limit}))
        shown = topic_of(topic, members=count(db, topic[0]))
    found = []
    for agent, position, own, joined_at, left_at, seen_at, low, back, in_hand, online in rows:
        place = Place(agent, (position, own, joined_at, left_at, seen_at, low, in_hand, back, None))
        found.append(place.membership(shown, online=bool(online)))
    return tuple(found)
