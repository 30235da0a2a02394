"""From rows to records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hubbub.errors import BusCorrupt
from hubbub.model import Agent, Delivery, Message, Session
from hubbub.names import PRIORITIES, message_id
from hubbub.stores.sqlite.connection import Row

MESSAGE_COLUMNS = 14


def load(text: str) -> Any:
    """Stored JSON. Raises BusCorrupt when it is none any more: it was written as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        raise BusCorrupt("The database is damaged: stored JSON can't be read.") from None


def message_of(row: Row) -> Message:
    """The first 14 columns of the message queries."""
    (
        seq,
        tag,
        sender,
        recipients,
        thread,
        reply_seq,
        kind,
        priority,
        subject,
        body,
        metadata,
        due,
        at,
        reply_tag,
    ) = row[:MESSAGE_COLUMNS]
    id_ = message_id(seq, tag)
    return Message(
        id=id_,
        seq=seq,
        sender=sender,
        recipients=tuple(load(recipients)),
        thread=thread or id_,
        in_reply_to=None if reply_seq is None else message_id(reply_seq, reply_tag),
        kind=kind,
        priority=PRIORITIES[priority],
        subject=subject,
        body=body,
        metadata=None if metadata is None else load(metadata),
        reply_due=due,
        created_at=at,
    )


def session_of(row: Row) -> Session:
    """The twelve columns of the session queries."""
    return Session(*row)


def agent_of(row: Row, now: int) -> Agent:
    """The 24 columns of ``agent_row``; a session that missed its beats does not count."""
    session = session_of(row[12:24]) if row[12] is not None and row[17 + 4] > now else None
    name, role, description, inbox_limit, max_bytes, registered_at, queued, leased, dead, seen = row[:10]
    return Agent(
        name=name,
        role=role,
        description=description,
        inbox_limit=inbox_limit,
        max_message_bytes=max_bytes,
        registered_at=registered_at,
        queued=queued,
        leased=leased,
        dead=dead,
        session=session,
        last_seen_at=session.beat_at if session else seen,
        ephemeral=bool(row[11]),
    )


def reasons_of(text: str | None) -> tuple[str, ...]:
    """The stored list of reasons."""
    return tuple(load(text)) if text else ()


def with_reason(text: str | None, reason: str) -> str:
    """The stored list with one more reason."""
    return json.dumps([*reasons_of(text), reason], ensure_ascii=False)


def delivery_of(
    row: Row, agent: str, state: str, lease_until: int | None = None, handed: int = 0
) -> Delivery:
    """A message row followed by its delivery count and reasons; ``handed`` counts this hand-out."""
    return Delivery(
        message=message_of(row),
        agent=agent,
        state=state,
        delivery_count=row[MESSAGE_COLUMNS] + handed,
        lease_until=lease_until,
        reasons=reasons_of(row[MESSAGE_COLUMNS + 1]),
    )


def within_bytes(rows: Iterable[Row], max_bytes: int | None, size: int) -> list[Row]:
    """The rows up to ``max_bytes`` of text, which column ``size`` tells, but at least the first; reads no
    further."""
    if max_bytes is None:
        return list(rows)
    total, kept = 0, list[Row]()
    for row in rows:
        total += row[size]
        if kept and total > max_bytes:
            break
        kept.append(row)
    return kept
