"""Keeping the index of words up to date with the messages."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeAlias

import apsw

from hubbub.model_search import Indexed
from hubbub.names import message_id
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.rows import load
from hubbub.stores.sqlite.statements import statements
from hubbub.words import cut

SQL = statements("search.sql")

STROKE_TEXTS = 64
STROKE_CHARACTERS = 64 << 10
"""How much one stroke indexes at most (a single longer message is one stroke). It holds the turn of the
writers while it writes: 256 messages of 56 words took it 25 ms, of which the sync was the larger part."""

SWEEP_STROKES = 32
"""How many strokes a round of housekeeping makes at most; a search makes those that are still missing."""

BLOCK_BITS = 10
"""The table ``spans`` has a row for each 1,024 numbers."""


class _Source(NamedTuple):
    """The statements of mail or of posts."""

    name: str
    next: str
    present: str
    add: str


SOURCES = (
    _Source("mail", "next_mail", "present_mail", "add_mail"),
    _Source("topic", "next_posts", "present_posts", "add_post"),
)


_Row: TypeAlias = tuple[int, int, str, str, int, int]
"""Number, tag, words, marks, number of words, time."""


class _Batch(NamedTuple):
    """Messages read and cut, to be written."""

    after: int
    upto: int
    rows: list[_Row]


def index(core: Core, limit: int) -> Indexed:
    """See :meth:`hubbub.stores.contract_search.SearchStore.index`."""
    # Texts are cut before the turn of writing is taken: others can write meanwhile.
    batches: list[tuple[_Source, _Batch]] = []
    room, characters = min(limit, STROKE_TEXTS), STROKE_CHARACTERS
    with core.read() as db:
        for source in SOURCES:
            batch, used = _read(db, source, room, characters)
            room, characters = room - (len(batch.rows) if batch else 0), characters - used
            if batch is not None:
                batches.append((source, batch))
        if not batches:
            return Indexed(0, behind(db))
    with core.write() as tx:
        done = sum(_write(tx, source, batch) for source, batch in batches)
        return Indexed(done, behind(tx.db))


def index_some(core: Core) -> int:
    """What one round of housekeeping indexes: some strokes, between which others write; how many messages."""
    done = 0
    for _ in range(SWEEP_STROKES):
        step = index(core, STROKE_TEXTS)
        done += step.done
        if not step.behind:
            break
    return done


def behind(db: apsw.Connection) -> int:
    """How many messages are not indexed yet."""
    row = one(db, SQL["behind"], {})
    return 0 if row is None else int(row[0])


def _read(db: apsw.Connection, source: _Source, room: int, characters: int) -> tuple[_Batch | None, int]:
    """The next messages cut into words, and how many characters of text they have."""
    row = one(db, SQL["progress"], {"source": source.name})
    if row is None or row[1] <= row[0] or room <= 0 or characters <= 0:
        return None, 0
    after = upto = row[0]
    used = 0
    rows: list[_Row] = []
    for number, tag, sender, where, thread, kind, subject, body, at, there in db.execute(
        SQL[source.next], {"after": after, "limit": room}
    ):
        length = len(subject) + len(body)
        if rows and used + length > characters:
            break
        used += length
        upto = number
        if there:
            atoms = cut(f"{subject}\n{body}" if subject else body)
            if source.name == "mail":
                marks = _mail_marks(sender, where, thread or message_id(number, tag), kind)
            else:
                marks = _post_marks(sender, where, thread or number, kind)
            rows.append((number, tag, " ".join(atoms), marks, len(atoms), at))
    return _Batch(after, upto, rows), used


def _write(tx: Write, source: _Source, batch: _Batch) -> int:
    progress = one(tx.db, SQL["progress"], {"source": source.name})
    if progress is None or not batch.after <= progress[0] < batch.upto:
        return 0  # another process was here
    after = progress[0]
    # What was purged or erased since it was read must not come in.
    present = set(tx.db.execute(SQL[source.present], {"after": after, "upto": batch.upto}))
    rows = [row for row in batch.rows if (row[0], row[1]) in present]
    tx.db.executemany(SQL[source.add], ({"number": row[0], "words": row[2], "marks": row[3]} for row in rows))
    tx.db.executemany(SQL["widen_span"], _spans(source.name, rows))
    tx.db.execute(
        SQL["move_mark"],
        {
            "source": source.name,
            "upto": batch.upto,
            "texts": len(rows),
            "atoms": sum(row[4] for row in rows),
        },
    )
    return len(rows)


def _spans(source: str, rows: list[_Row]) -> list[dict[str, Any]]:
    times: dict[int, list[int]] = {}
    for row in rows:
        times.setdefault(row[0] >> BLOCK_BITS, []).append(row[5])
    return [
        {"source": source, "block": block, "first": min(found), "last": max(found)}
        for block, found in times.items()
    ]


# --- marks -------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[a-z0-9_-]+", re.ASCII)


def mark(letter: str, value: str) -> str:
    """A word of the index that no text contains, for ``value`` in the role ``letter``."""
    # An equals sign is in no word. A space would split the mark, and a capital is one with its small letter.
    if _PLAIN.fullmatch(value):
        return f"={letter}:{value}"
    return f"={letter}={value.encode('utf-8', 'surrogatepass').hex()}"


def _mail_marks(sender: str, recipients: str, thread: str, kind: str) -> str:
    readers = {sender, *load(recipients)}
    return " ".join(
        [
            mark("s", sender),
            mark("k", kind),
            mark("h", thread),
            *(mark("r", name) for name in sorted(readers)),
        ]
    )


def _post_marks(sender: str, topic: int, thread: int, kind: str) -> str:
    return " ".join((mark("s", sender), mark("k", kind), mark("h", str(thread)), mark("t", str(topic))))


def mend(core: Core) -> bool:
    """See :meth:`hubbub.stores.contract_search.SearchStore.mend`."""
    with core.read() as db:
        if not astray(db):
            return False
    with core.write() as tx:
        for statement in ("drop_mail_words", "drop_post_words", "drop_spans", "begin_anew"):
            tx.db.execute(SQL[statement])
    return True


def astray(db: apsw.Connection) -> list[str]:
    """Which of the indexes disagree with the messages."""
    found: list[str] = []
    for name, statement in (("mail", "mail_astray"), ("topics", "posts_astray")):
        row: Row | None = one(db, SQL[statement], {})
        if row is not None and row[0]:
            found.append(name)
    return found
