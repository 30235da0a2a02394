"""Sync: post, acknowledge and read, in one stroke."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hubbub.errors import RateLimited, ReplyNotFound, RoleForbids
from hubbub.model import Actor
from hubbub.model_topics import Hand, Post, Posted, Synced
from hubbub.names import new_tag, parse_message_id, parse_post_id, post_id, topic_id
from hubbub.stores.sqlite import topic_hands
from hubbub.stores.sqlite.actors import admit, check_actor
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, once, one
from hubbub.stores.sqlite.gate import Gate, note_refusal
from hubbub.stores.sqlite.rows import within_bytes
from hubbub.stores.sqlite.statements import statements
from hubbub.stores.sqlite.topic_rows import (
    SIZE,
    SQL,
    Place,
    check_place,
    find,
    member_place,
    message_of,
    own_between,
    place_of,
    refuse_closed,
    topic_of,
)

_AGENTS = statements("agents.sql")

SEEN_MS = 60_000
"""How old a member's time of its last sync may get before a sync that finds nothing writes it anew."""


class Asked(NamedTuple):
    """What a sync asks for, but for who and where."""

    outbox: tuple[Post, ...]
    ack_through: int | None
    automatic: bool
    limit: int
    max_bytes: int | None
    confirm: tuple[Hand, ...]
    lease_ms: int


class _Read(NamedTuple):
    """What a sync read."""

    rows: list[Row]
    has_more: bool
    hand: Hand | None = None
    redelivered: bool = False


def sync(core: Core, actor: Actor, name: str, asked: Asked) -> Synced:
    """See :meth:`hubbub.stores.contract_topics.TopicStore.sync`."""
    now = core.clock.now()
    if not asked.outbox and asked.ack_through is None and not asked.confirm:
        # Nothing new is the common case while waiting: answer it without taking the turn to write.
        empty = _nothing_new(core, actor, name, asked, now)
        if empty is not None:
            return empty
    try:
        return _sync(core, actor, name, asked, now)
    except RateLimited as refusal:
        note_refusal(core, actor, refusal)
        raise


def _sync(core: Core, actor: Actor, name: str, asked: Asked, now: int) -> Synced:
    with core.write() as tx:
        state = admit(tx, actor, now)
        topic_hands.confirm(tx, actor, asked.confirm, now)
        topic = find(tx.db, name)
        found = place_of(tx.db, actor.agent, topic[0], now)
        if found is None:
            enter(tx, actor, topic, 0, now)
        place = (
            member_place(tx.db, actor, topic, now) if found is None or found.left_at is not None else found
        )
        if state.ephemeral:
            tx.db.execute(_AGENTS["agent_takes_part"], {"name": actor.agent})
        posted: list[Posted] = []
        if asked.outbox:
            gate = Gate(tx.db, tx.policy, actor.agent, core.clock.now())
            posted, topic = _post_all(tx, actor, state.role, topic, place, asked.outbox, now, gate)
        if asked.ack_through is not None:
            _acknowledge(tx, actor, topic, place, asked.ack_through, now)
        read = (_hand_out if asked.automatic else _look)(tx, actor, topic, place, asked, now)
        keep(tx, actor, topic[0], place.position, place.own, now)
        if place.back:
            place = member_place(tx.db, actor, topic, now)
    return _answer(topic, tuple(posted), read, place, joined=found is None)


def _answer(topic: Row, posted: tuple[Posted, ...], read: _Read, place: Place, *, joined: bool) -> Synced:
    messages = tuple(message_of(row) for row in read.rows)
    return Synced(
        topic=topic_of(topic, place.unread(topic)),
        posted=posted,
        messages=messages,
        has_more=read.has_more,
        cursor=place.cursor,
        through=messages[-1].seq if messages else place.cursor,
        hand=read.hand,
        redelivered=read.redelivered,
        next_due_at=place.until,
        joined=joined,
    )


def _nothing_new(core: Core, actor: Actor, name: str, asked: Asked, now: int) -> Synced | None:
    with core.read() as db:
        state = check_actor(db, actor, now)
        topic = find(db, name)
        place = place_of(db, actor.agent, topic[0], now)
        if state.lapsed or place is None or place.left_at is not None:
            return None
        if place.fresh(topic) or (place.back if asked.automatic else place.in_hand):
            return None
        if place.seen_at is None or not 0 <= now - place.seen_at < SEEN_MS:
            return None
        return _answer(topic, (), _Read([], False), place, joined=False)


# --- posting -------------------------------------------------------------------------------------


def _post_all(
    tx: Write,
    actor: Actor,
    role: str,
    topic: Row,
    place: Place,
    outbox: tuple[Post, ...],
    now: int,
    gate: Gate,
) -> tuple[list[Posted], Row]:
    """Post all of ``outbox``; what became of each, and the topic's row after it."""
    posted = []
    for post in outbox:
        if role == "consumer" and post.reply_to is None:
            raise RoleForbids(
                f"{actor.agent} is a consumer: it may answer, not start a conversation.",
                hint="Answer a message of the topic (reply_to), or register it with the role both.",
            )
        done, topic = _post_once(tx, actor, topic, place, post, now, gate)
        posted.append(done)
    return posted, topic


def _post_once(
    tx: Write, actor: Actor, topic: Row, place: Place, post: Post, now: int, gate: Gate
) -> tuple[Posted, Row]:
    grown = topic

    def act() -> dict[str, int | str]:
        nonlocal grown
        refuse_closed(topic)
        gate.pass_through(tx, actor, f"#{topic[0]}", f"#{topic[2]}")
        id_, grown = write_post(tx, actor, topic, post, now)
        return {"id": id_, "seq": grown[7], "created_at": now}

    request = [topic[0], topic[1], post.body, post.kind, post.reply_to, post.metadata]
    answer, repeated = once(tx, actor.agent, post.key, "post", lambda: request, now, act)
    if not repeated:
        note_own(place, topic, grown)
    return Posted(answer["id"], answer["seq"], answer["created_at"], repeated), grown


def note_own(place: Place, before: Row, after: Row) -> None:
    """The member posted: one that had read all has read this, too, and need never skip over it."""
    if place.fresh(before):
        place.own += 1
    else:
        place.position, place.own = after[7], 0


def write_post(
    tx: Write, actor: Actor, topic: Row, post: Post, now: int, *, ring: bool = True
) -> tuple[str, Row]:
    """Write one message; its id, and the topic's row after it."""
    number, _, *_ = topic
    answered, thread = _answered(tx, topic, post.reply_to)
    seq, tag = topic[7] + 1, new_tag()
    values = {
        "tag": tag,
        "topic": number,
        "seq": seq,
        "sender": actor.agent,
        "kind": post.kind,
        "reply_to": answered,
        "thread": thread,
        "body": post.body,
        "metadata": None if post.metadata is None else dump(post.metadata),
        "created_at": now,
        "imported_by": None,
    }
    tx.db.execute(SQL["add_post"], values)
    written = tx.db.last_insert_rowid()
    tx.db.execute(SQL["topic_grew"], {"topic": number, "last_seq": seq, "now": now})
    add_event(tx.db, now, "topic_posted", actor, message=written, topic=number)
    if ring:
        tx.ring(f"topic/{topic_id(number, topic[1])}")
    return post_id(written, tag), (*topic[:7], seq, now, *topic[9:])


def _answered(tx: Write, topic: Row, reply_to: str | None) -> tuple[int | None, int | None]:
    """The message that is answered, and the one that its thread began with."""
    if reply_to is None:
        return None, None
    parsed = parse_post_id(reply_to)
    if parsed is None and parse_message_id(reply_to) is not None:
        raise ReplyNotFound(
            f"{reply_to} is mail, and no message of the topic {topic[2]}; nothing was posted.",
            hint=f"Answer mail with send_message(in_reply_to={reply_to!r}), or hubbub reply {reply_to}.",
        )
    row = one(tx.db, SQL["post_place"], {"post": parsed[0]}) if parsed else None
    if parsed is None or row is None or row[1] != parsed[1] or row[0] != topic[0]:
        raise ReplyNotFound(
            f"There is no message {ascii(reply_to)[:80]} in the topic {topic[2]}; nothing was posted."
        )
    return parsed[0], row[2] if row[2] is not None else parsed[0]


# --- reading -------------------------------------------------------------------------------------


def _rows(tx: Write, agent: str, topic: Row, after: int, last: int, limit: int, asked: Asked) -> list[Row]:
    """Up to ``limit`` messages of others in a range, within the bytes that were asked for."""
    values = {
        "agent": agent,
        "topic": topic[0],
        "topic_tag": topic[1],
        "after": after,
        "last": last,
        "limit": min(limit, asked.limit),
    }
    return within_bytes(tx.db.execute(SQL["posts_of_others"], values), asked.max_bytes, SIZE)


def _hand_out(tx: Write, actor: Actor, topic: Row, place: Place, asked: Asked, now: int) -> _Read:
    """Automatic mode: first what came back, the lowest first, then what is new."""
    if place.back:
        return _hand_out_again(tx, actor, topic, place, asked, now)
    fresh = place.fresh(topic)
    rows = _rows(tx, actor.agent, topic, place.position, topic[7], fresh, asked) if fresh else []
    if not rows:
        return _Read([], False)
    first, all_read = place.position + 1, len(rows) == fresh
    # With nothing of others left, its own messages at the end are passed over as well.
    last = topic[7] if all_read else rows[-1][4]
    place.own = 0 if all_read else place.own - (last - place.position - len(rows))
    place.position = last
    _lend(tx, actor, topic, (first, last, len(rows)), asked, now, marked=False)
    # What was just written need not be read for the answer.
    place.low = first if place.low is None else min(place.low, first)
    place.until = now + asked.lease_ms if place.until is None else min(place.until, now + asked.lease_ms)
    return _Read(rows, not all_read, Hand(topic_id(topic[0], topic[1]), first, last))


def _hand_out_again(tx: Write, actor: Actor, topic: Row, place: Place, asked: Asked, now: int) -> _Read:
    where = {"agent": actor.agent, "topic": topic[0]}
    row = one(tx.db, SQL["hands_waiting"], {**where, "now": now, "limit": 1})
    assert row is not None  # place.back counted it in this transaction
    first, last, others, _, until, marked = row
    marked = bool(marked) or until is not None
    rows = _rows(tx, actor.agent, topic, first - 1, last, others, asked)
    tx.db.execute(SQL["remove_hand"], {**where, "first": first})
    if len(rows) < others:
        rest = {"first": rows[-1][4] + 1, "last": last, "others": others - len(rows)}
        tx.db.execute(
            SQL["add_hand"], {**where, **rest, "session": None, "until": None, "marked": int(marked)}
        )
        last = rows[-1][4]
    _lend(tx, actor, topic, (first, last, len(rows)), asked, now, marked=marked)
    has_more = bool(place.back - len(rows) or place.fresh(topic))
    return _Read(rows, has_more, Hand(topic_id(topic[0], topic[1]), first, last), marked)


def _lend(
    tx: Write, actor: Actor, topic: Row, span: tuple[int, int, int], asked: Asked, now: int, *, marked: bool
) -> None:
    first, last, others = span
    values = {
        "agent": actor.agent,
        "topic": topic[0],
        "first": first,
        "last": last,
        "others": others,
        "session": actor.session,
        "until": now + asked.lease_ms,
        "marked": int(marked),
    }
    tx.db.execute(SQL["add_hand"], values)
    detail: dict[str, object] = {"first": first, "last": last, "messages": others}
    if marked:
        detail["redelivered"] = True
    add_event(tx.db, now, "topic_read", actor, topic=topic[0], agent=actor.agent, detail=detail)


def _look(tx: Write, actor: Actor, topic: Row, place: Place, asked: Asked, now: int) -> _Read:
    """Manual mode: all that is not done with, as often as it is asked for."""
    fresh = place.fresh(topic)
    waiting = fresh + place.in_hand
    if not waiting:
        return _Read([], False)
    where = {"agent": actor.agent, "topic": topic[0]}
    hands = list(tx.db.execute(SQL["hands_below"], {**where, "last": topic[7]}))
    marked = [(hand[0], hand[1]) for hand in hands if hand[5] or hand[4] is not None]
    spans = [(first - 1, last, others) for first, last, others, *_ in hands]
    spans.append((place.position, topic[7], fresh))

    def rows() -> Iterable[Row]:
        left = asked.limit
        for after, last, others in spans:
            values = {
                **where,
                "topic_tag": topic[1],
                "after": after,
                "last": last,
                "limit": min(others, left),
            }
            for row in tx.db.execute(SQL["posts_of_others"], values) if values["limit"] else ():
                left -= 1
                yield row

    kept = within_bytes(rows(), asked.max_bytes, SIZE)
    # What was handed out in automatic mode and not confirmed may have been read before.
    again = any(first <= row[4] <= last for row in kept for first, last in marked)
    return _Read(kept, len(kept) < waiting, redelivered=again)


def _acknowledge(tx: Write, actor: Actor, topic: Row, place: Place, through: int, now: int) -> None:
    """All up to ``through`` is done with; what was so before stays so."""
    check_place(topic, through)
    before = place.cursor
    if through <= before:
        return
    where = {"agent": actor.agent, "topic": topic[0]}
    for first, last, others, session, until, marked in list(
        tx.db.execute(SQL["hands_below"], {**where, "last": through})
    ):
        tx.db.execute(SQL["remove_hand"], {**where, "first": first})
        if last > through:
            done = through - first + 1 - own_between(tx.db, actor.agent, topic[0], first - 1, through)
            rest = {"first": through + 1, "last": last, "others": others - done}
            rest |= {"session": session, "until": until, "marked": marked}
            if others > done:
                tx.db.execute(SQL["add_hand"], {**where, **rest})
    if through > place.position:
        place.own -= own_between(tx.db, actor.agent, topic[0], place.position, through)
        place.position = through
    if not place.fresh(topic):
        place.position, place.own = topic[7], 0
    detail = {"first": before + 1, "last": through}
    add_event(tx.db, now, "topic_confirmed", actor, topic=topic[0], agent=actor.agent, detail=detail)
    keep(tx, actor, topic[0], place.position, place.own, now)
    found = member_place(tx.db, actor, topic, now)
    place.low, place.in_hand, place.back = found.low, found.in_hand, found.back


def keep(tx: Write, actor: Actor, topic: int, position: int, own: int, now: int) -> None:
    """Write down where a member is, and that it was there."""
    values = {"agent": actor.agent, "topic": topic, "position": position, "own": own, "now": now}
    tx.db.execute(SQL["move_member"], values)


def enter(tx: Write, actor: Actor, topic: Row, position: int, now: int) -> None:
    """Make the actor a member at ``position``."""
    values = {
        "agent": actor.agent,
        "topic": topic[0],
        "position": position,
        "own": own_between(tx.db, actor.agent, topic[0], position, topic[7]),
        "now": now,
    }
    tx.db.execute(SQL["add_member"], values)
    add_event(
        tx.db, now, "topic_joined", actor, topic=topic[0], agent=actor.agent, detail={"after": position}
    )
