"""Fill a bus with kept mail quickly: valid rows, straight into the tables, in one transaction."""

from __future__ import annotations

import os

import apsw

import hubbub
from bench.bare import BODY
from bench.rows import Unmeasurable

READER, WRITER = "reader-0", "sender-0"

_MESSAGES = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO messages (tag, sender, recipients, kind, priority, subject, body, created_at, bytes)
SELECT abs(random()) & 33554431, :writer, :recipients, 'message', 1, '', :body, :now - :count + i, :bytes
FROM n
"""

_DELIVERIES = """
INSERT INTO deliveries (agent, message, state, priority, delivery_count, since, settled_by)
SELECT :reader, seq, :state, 1, :handed, created_at, :how FROM messages ORDER BY seq
"""

_EVENTS = """
INSERT INTO events (at, event, actor, message, agent, detail)
SELECT created_at, :event, :actor, seq, :reader, :detail FROM messages ORDER BY seq
"""


def fill(path: str, count: int, state: str) -> None:
    """Make a bus at ``path`` with ``count`` messages in one inbox, all ``queued`` or all ``settled``.

    Raises:
        Unmeasurable: the bus itself finds the result faulty (small ones are checked), or there is no room.
    """
    refuse_full_disk(path, count)
    with hubbub.connect("sqlite://" + path) as bus:
        bus.agents.register(READER, inbox_limit=10_000_000)
        bus.agents.register(WRITER)
        now = bus.store.now()
    db = apsw.Connection(path)
    try:
        # Nobody else has it open, and a crash costs only this benchmark: no journal, no sync.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        with db:
            _insert(db, count, state, now)
        db.execute("PRAGMA journal_mode = WAL")
    finally:
        db.close()
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    _check(path, count, state)


def _insert(db: apsw.Connection, count: int, state: str, now: int) -> None:
    settled = state == "settled"
    db.execute(
        _MESSAGES,
        {
            "count": count,
            "writer": WRITER,
            "recipients": f'["{READER}"]',
            "body": BODY,
            "bytes": len(BODY.encode()),
            "now": now,
        },
    )
    delivery = {
        "reader": READER,
        "state": state,
        "handed": int(settled),
        "how": "acknowledge" if settled else None,
    }
    db.execute(_DELIVERIES, delivery)
    events: list[tuple[str, str, str | None]] = [("message_sent", WRITER, None)]
    if settled:
        events += [
            ("message_received", READER, None),
            ("message_settled", READER, '{"by":"acknowledge"}'),
        ]
    for event, actor, detail in events:
        db.execute(_EVENTS, {"event": event, "actor": actor, "reader": READER, "detail": detail})


def _check(path: str, count: int, state: str) -> None:
    with hubbub.connect("sqlite://" + path) as bus:
        queued = bus.agents.get(READER).queued
        if bus.info().messages != count or queued != (count if state == "queued" else 0):
            raise Unmeasurable(f"the bus counts {bus.info().messages} messages and {queued} queued")
        problems = bus.check() if count <= 10_000 else []
        if problems:
            raise Unmeasurable(f"the filled bus is faulty: {problems[0].what}")


def refuse_full_disk(path: str, count: int) -> None:
    """Raise Unmeasurable when there is no room for so many messages."""
    needed = count * 1500 + (64 << 20)
    place = os.statvfs(os.path.dirname(path))
    if place.f_bavail * place.f_frsize < needed:
        raise Unmeasurable(f"{needed >> 20} MiB of free disk space are needed to keep {count:,} messages")


__all__ = ["READER", "WRITER", "fill", "refuse_full_disk"]
