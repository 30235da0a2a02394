"""Finding topics, and their rows as records."""

from __future__ import annotations

from typing import Any

import apsw

from hubbub.clock import to_iso
from hubbub.errors import CursorOutOfRange, NotJoined, TopicClosed, TopicExists, TopicNotFound
from hubbub.model import Actor
from hubbub.model_topics import LATEST, Membership, Topic, TopicMessage
from hubbub.names import nearest, parse_topic_id, post_id, topic_id, topic_key
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import one
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements

SQL = statements("topics.sql")

NEAR_MAX = 40
"""How many letters of a name decide which names are near to it."""

SIZE = 14
"""The column of a message's row that tells its bytes."""

EVERYBODYS = 1
"""The number of the topic that every agent belongs to."""


def find(db: apsw.Connection, name: str) -> Row:
    """The row of the topic of that id or name: the open one, else the newest closed one.

    Raises:
        TopicNotFound: there is none, or it was deleted.
    """
    parsed = parse_topic_id(name)
    if parsed is not None:
        row = one(db, SQL["topic_by_number"], {"topic": parsed[0]})
        if row is not None and row[1] == parsed[1] and row[3] in ("open", "closed"):
            return row
        if row is not None and row[1] == parsed[1] and row[3] == "deleted":
            raise TopicNotFound(
                f"The topic {row[2]} ({name}) was deleted.", hint="By whom: hubbub log --event topic_deleted"
            )
    key = topic_key(name.strip().removeprefix("#"))
    row = one(db, SQL["topic_by_name"], {"name_key": key})
    if row is not None:
        return row
    _refuse_deleted(db, key)
    # Comparing long names takes time, and others may be waiting to write.
    known = {topic_key(row[0])[:NEAR_MAX]: row[0] for row in db.execute(SQL["topic_names"])}
    near = [known[found] for found in nearest(key[:NEAR_MAX], known)]
    hint = f"Did you mean {' or '.join(near)}?" if near else None
    raise TopicNotFound(f"There is no topic {ascii(name)[:80]} on this bus.", hint=hint)


def _refuse_deleted(db: apsw.Connection, key: str) -> None:
    """Raise TopicNotFound that says who deleted it, when a topic of this name was deleted."""
    row = one(db, SQL["deleted_topic_named"], {"name_key": key})
    if row is not None:
        by = f" by {row[1]}" if row[1] else ""
        raise TopicNotFound(
            f"The topic {row[0]} was deleted{by} at {to_iso(row[2])}.",
            hint="Its messages are gone. Make a new one: create_topic, or hubbub topic create",
        )


def refuse_taken(db: apsw.Connection, key: str, name: str, but: int | None = None) -> None:
    """Raise TopicExists when an open topic other than ``but`` has the name."""
    row = one(db, SQL["open_topic_named"], {"name_key": key})
    if row is not None and row[0] != but:
        id_ = topic_id(row[0], row[1])
        raise TopicExists(f"An open topic is called {name} ({id_}).", topic=id_)


def refuse_closed(row: Row) -> None:
    """Raise TopicClosed for a topic that nobody can post to."""
    if row[3] != "open":
        reason = f": {row[11]}" if row[11] else ""
        raise TopicClosed(f"The topic {row[2]} is closed{reason}.", topic=topic_id(row[0], row[1]))


def topic_of(row: Row, unread: int | None = None, members: int | None = None) -> Topic:
    """A topic's row as a record."""
    return Topic(
        id=topic_id(row[0], row[1]),
        name=row[2],
        state=row[3],
        metadata=None if row[4] is None else load(row[4]),
        created_by=row[5],
        created_at=row[6],
        last_seq=row[7],
        last_at=row[8],
        closed_at=row[9],
        closed_by=row[10],
        close_reason=row[11],
        unread=unread,
        members=members,
    )


def message_of(row: Row) -> TopicMessage:
    """A message's row as a record."""
    id_ = post_id(row[0], row[1])
    return TopicMessage(
        id=id_,
        topic=topic_id(row[2], row[3]),
        seq=row[4],
        sender=row[5],
        kind=row[6],
        reply_to=None if row[7] is None or row[8] is None else post_id(row[7], row[8]),
        thread=id_ if row[9] is None or row[10] is None else post_id(row[9], row[10]),
        body=row[11],
        metadata=None if row[12] is None else load(row[12]),
        created_at=row[13],
        imported_by=row[15],
    )


class Place:
    """Where one member is in a topic, read and written within one transaction."""

    __slots__ = (
        "agent",
        "back",
        "in_hand",
        "joined_at",
        "left_at",
        "low",
        "own",
        "position",
        "seen_at",
        "until",
    )

    def __init__(self, agent: str, row: Row) -> None:
        self.agent = agent
        self.position: int
        self.own: int
        """Messages of its own after ``position``."""
        self.low: int | None
        """Where its lowest hand-out begins."""
        self.in_hand: int
        """Messages in hand-outs, those that came back included."""
        self.back: int
        """Messages in hand-outs that came back or ran out."""
        self.until: int | None
        """When the first of its hand-outs runs out."""
        self.position, self.own, self.joined_at, self.left_at, self.seen_at, self.low = row[:6]
        self.in_hand, self.back, self.until = row[6] or 0, row[7] or 0, row[8]

    @property
    def cursor(self) -> int:
        """All messages up to this number are done with."""
        return self.position if self.low is None else self.low - 1

    def fresh(self, topic: Row) -> int:
        """How many messages of others were never handed out to it."""
        return int(topic[7]) - self.position - self.own

    def unread(self, topic: Row) -> int:
        """How many messages of others wait for it."""
        return self.fresh(topic) + self.back

    def membership(self, topic: Topic, *, online: bool, fresh: bool = False) -> Membership:
        """As a record."""
        return Membership(
            topic=topic,
            agent=self.agent,
            cursor=self.cursor,
            position=self.position,
            unread=topic.last_seq - self.position - self.own + self.back,
            joined_at=self.joined_at,
            left_at=self.left_at,
            seen_at=self.seen_at,
            online=online,
            fresh=fresh,
            in_hand=self.in_hand - self.back,
        )


def place_of(db: apsw.Connection, agent: str, topic: int, now: int) -> Place | None:
    """Where ``agent`` is in a topic; None for one that never was a member."""
    row = one(db, SQL["member_row"], {"agent": agent, "topic": topic, "now": now})
    return None if row is None else Place(agent, row)


def member_place(db: apsw.Connection, actor: Actor, topic: Row, now: int) -> Place:
    """As :func:`place_of`, for a present member.

    Raises:
        NotJoined: it is none.
    """
    found = place_of(db, actor.agent, topic[0], now)
    if found is None or found.left_at is not None:
        raise NotJoined(f"{actor.agent} is not a member of {topic[2]}.")
    return found


def check_place(topic: Row, position: int) -> int:
    """``position`` in the topic, ``LATEST`` resolved.

    Raises:
        CursorOutOfRange: it lies after the last message.
    """
    last: int = topic[7]
    if position == LATEST:
        return last
    if position > last:
        raise CursorOutOfRange(
            f"{topic[2]} has messages up to number {last}; there is no {position} yet.",
            hint=f"Give a number from 0 to {last}.",
        )
    return position


def own_between(db: apsw.Connection, agent: str, topic: int, after: int, last: int) -> int:
    """How many messages of ``agent`` are in a range."""
    if last <= after:
        return 0
    values: dict[str, Any] = {"agent": agent, "topic": topic, "after": after, "last": last}
    row = one(db, SQL["own_between"], values)
    return int(row[0]) if row else 0
