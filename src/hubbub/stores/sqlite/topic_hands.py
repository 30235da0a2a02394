"""Hand-outs of topics: confirmed, given back, or run out."""

from __future__ import annotations

from hubbub.model import Actor
from hubbub.model_topics import Hand
from hubbub.names import parse_topic_id, topic_id
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import add_event, one
from hubbub.stores.sqlite.topic_rows import SQL


def confirm(tx: Write, actor: Actor, hands: tuple[Hand, ...], now: int) -> int:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.confirm`."""
    count = 0
    for topic, first, last in _own_hands(tx, actor, hands):
        tx.db.execute(SQL["remove_hand"], {"agent": actor.agent, "topic": topic, "first": first})
        add_event(
            tx.db,
            now,
            "topic_confirmed",
            actor,
            topic=topic,
            agent=actor.agent,
            detail={"first": first, "last": last},
        )
        count += 1
    return count


def give_back(tx: Write, actor: Actor, hands: tuple[Hand, ...], now: int, unseen: bool) -> int:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.give_back`."""
    found = _own_hands(tx, actor, hands)
    for topic, first, last in found:
        _return(tx, (actor.agent, topic, first, last, actor.session), now, "given back", marked=not unseen)
    return len(found)


def _own_hands(tx: Write, actor: Actor, hands: tuple[Hand, ...]) -> list[tuple[int, int, int]]:
    """``(topic, first, last)`` of those that are still the actor's to speak for, each once: a range that came
    back and was handed out again in parts lies within the older hand-out and in a newer one."""
    found: dict[tuple[int, int, int], None] = {}
    for hand in hands:
        parsed = parse_topic_id(hand.topic)
        if parsed is None:
            continue
        values = {
            "agent": actor.agent,
            "topic": parsed[0],
            "first": hand.first,
            "last": hand.last,
            "session": actor.session,
        }
        found.update(
            dict.fromkeys((parsed[0], row[0], row[1]) for row in tx.db.execute(SQL["hands_within"], values))
        )
    return list(found)


def _return(tx: Write, row: Row, now: int, why: str, *, marked: bool) -> None:
    agent, topic, first, last, session = row
    values = {"agent": agent, "topic": topic, "first": first}
    before = one(tx.db, SQL["hand_mark"], values)
    if before is None:
        return
    # A range that was marked once stays marked: somebody may have had it.
    mark = int(marked or bool(before[0]))
    tx.db.execute(SQL["return_hand"], {**values, "marked": mark})
    add_event(
        tx.db,
        now,
        "topic_returned",
        Actor(agent, session),
        topic=topic,
        agent=agent,
        detail={"first": first, "last": last, "why": why},
    )
    found = one(tx.db, SQL["topic_by_number"], {"topic": topic})
    if found is not None:
        tx.ring(f"topic/{topic_id(found[0], found[1])}")


def return_due(tx: Write, now: int) -> int:
    """Hand-outs whose time ran out come back; how many."""
    rows = list(tx.db.execute(SQL["hands_due"], {"now": now}))
    for row in rows:
        _return(tx, row, now, "not confirmed in time", marked=True)
    return len(rows)


def return_of_session(tx: Write, session: str, now: int, why: str) -> None:
    """What a session had in hand comes back."""
    for row in list(tx.db.execute(SQL["hands_of_session"], {"session": session})):
        _return(tx, row, now, why, marked=True)
