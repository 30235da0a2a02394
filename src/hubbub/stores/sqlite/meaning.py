"""How far the vectors of search by meaning have come, and keeping them.

Everything goes in the order of the messages' numbers, mail and topics each: up to a mark all is done, and
behind it nothing. So no message is forgotten, whatever process ends where. Who computes vectors holds
the duty ``meaning``; the mark and the vectors move in one stroke, and only for its holder.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from operator import itemgetter

import apsw

from hubbub.model_search import FAILED_TRIES, TEXT_MAX, Failed, Found, Indexed, Text, Vectors, Where
from hubbub.names import message_id, post_id
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import Core, dump, one
from hubbub.stores.sqlite.statements import statements

SQL = statements("meaning.sql")
_AGENTS = statements("agents.sql")

LEASE_MS = 60_000
"""How long a process has the duty after it took or kept a batch: many times what one message takes."""

FREE = 0
"""The end of a lease that was given up, whatever becomes of the clock."""

TAKES_ONE = 3
"""After so many hand-outs without a result only one message is handed out, to find the one that ends
the process that computes its vectors."""

TAKES_MAX = 6
"""After so many it is passed over."""

RETRY_MS = 86_400_000
"""How long a message is passed over until it is tried again: what ended its processes may have been the
machine."""

COUNTED_MAX = 1_000
"""Up to how many waiting messages are counted; of more, the numbers say how many there are at most."""

BLOCK_VECTORS = 256
"""How many vectors a block holds: adding one writes the block anew, and searching reads each."""

_SOURCES = ("mail", "topic")
_DUTY = "meaning"


# --- taking and keeping ------------------------------------------------------------------------


def unread_meaning(core: Core, holder: str, model: str, limit: int) -> tuple[Text, ...]:
    """Hand out the next messages to the holder of the duty."""
    now = core.clock.now()
    with core.write() as tx:
        if _held_by_another(tx, holder, now):
            return ()
        number, takes = _model(tx.db, model) or (_add_model(tx.db, model), 0)
        if takes >= TAKES_MAX:
            _pass_over(tx.db, number, now)
            takes = 0
        texts = _due_again(tx.db, number, now)
        if not texts:  # one that is tried again is alone, and no fault of the others
            texts = _unread(tx.db, number, 1 if takes >= TAKES_ONE else limit)
            takes = takes + 1 if texts else 0
        tx.db.execute(SQL["note_takes"], {"model": number, "takes": takes})
        until = now + LEASE_MS if texts else FREE
        tx.db.execute(_AGENTS["take_duty"], {"duty": _DUTY, "holder": holder, "until": until})
    return texts


def keep_meaning(core: Core, holder: str, model: str, batch: tuple[Vectors, ...]) -> bool:
    """Keep the vectors of a batch, and the mark behind it."""
    now = core.clock.now()
    with core.write() as tx:
        known = _model(tx.db, model)
        if known is None or not _holds(tx, holder):
            return False
        for source in _SOURCES:
            _keep(tx.db, known[0], source, [item for item in batch if item.source == source])
        tx.db.execute(SQL["note_takes"], {"model": known[0], "takes": 0})
        tx.db.execute(_AGENTS["take_duty"], {"duty": _DUTY, "holder": holder, "until": now + LEASE_MS})
    return True


def fail_meaning(core: Core, holder: str, model: str, source: str, number: int, cause: str) -> bool:
    """Note that a message's vectors could not be had."""
    now = core.clock.now()
    with core.write() as tx:
        known = _model(tx.db, model)
        if known is None or not _holds(tx, holder):
            return False
        _add_failure(tx.db, known[0], source, number, cause, 1, now)
        tx.db.execute(SQL["note_takes"], {"model": known[0], "takes": 0})
        tx.db.execute(_AGENTS["take_duty"], {"duty": _DUTY, "holder": holder, "until": now + LEASE_MS})
    return True


def release_meaning(core: Core, holder: str) -> None:
    """Give the duty up, if the holder has it: that there is no result is no message's fault."""
    with core.write() as tx:
        if _holds(tx, holder):
            tx.db.execute(SQL["forget_takes"])
            values = {"duty": _DUTY, "holder": holder, "until": FREE}
            tx.db.execute(_AGENTS["take_duty"], values)


def _held_by_another(tx: Write, holder: str, now: int) -> bool:
    row = one(tx.db, _AGENTS["duty_row"], {"duty": _DUTY})
    # A time further away than the duty lasts was written before the clock was set back.
    return row is not None and row[0] != holder and now < row[1] <= now + LEASE_MS


def _holds(tx: Write, holder: str) -> bool:
    """Whether nobody took the duty since ``holder`` did; its time may be over."""
    row = one(tx.db, _AGENTS["duty_row"], {"duty": _DUTY})
    return row is not None and row[0] == holder


def _model(db: apsw.Connection, name: str) -> tuple[int, int] | None:
    row = one(db, SQL["model_row"], {"name": name})
    return None if row is None else (row[0], row[1])


def _add_model(db: apsw.Connection, name: str) -> int:
    db.execute(SQL["add_model"], {"name": name})
    number = db.last_insert_rowid()
    db.execute(SQL["add_progress"], {"model": number})
    return number


def _marks(db: apsw.Connection, model: int) -> dict[str, int]:
    return {source: mark for source, mark, _ in db.execute(SQL["progress"], {"model": model})}


def _failed(db: apsw.Connection, model: int, source: str, mark: int) -> set[int]:
    values = {"model": model, "source": source, "mark": mark, "tries": FAILED_TRIES}
    return {row[0] for row in db.execute(SQL["failed_numbers"], values)}


def _unread(db: apsw.Connection, model: int, limit: int) -> tuple[Text, ...]:
    """The next messages of both kinds: of each kind the first, those written first before the others."""
    marks = _marks(db, model)
    queues: list[Iterator[tuple[int, Text]]] = []
    for source, statement in (("mail", "unread_mail"), ("topic", "unread_posts")):
        failed = _failed(db, model, source, marks[source])
        values = {"mark": marks[source], "limit": limit + len(failed), "most": TEXT_MAX}
        rows = db.execute(SQL[statement], values)
        queues.append(
            iter([(at, Text(source, number, text)) for number, at, text in rows if number not in failed])
        )
    # Merging looks at the head of each queue only: what it gives of a queue is always its beginning.
    both = heapq.merge(*queues, key=itemgetter(0))
    return tuple(text for (_, text), _ in zip(both, range(limit), strict=False))


def _due_again(db: apsw.Connection, model: int, now: int) -> tuple[Text, ...]:
    """A message that was passed over a day ago, which is then passed over for another day."""
    values = {"model": model, "tries": FAILED_TRIES, "fresh": now - RETRY_MS, "now": now}
    for source, number in list(db.execute(SQL["due_again"], values)):
        db.execute(SQL["tried_now"], values | {"source": source, "number": number})
        statement = "mail_text" if source == "mail" else "post_text"
        row = one(db, SQL[statement], {"number": number, "most": TEXT_MAX})
        if row is not None:
            return (Text(source, number, row[0]),)
    return ()


def _keep_again(db: apsw.Connection, model: int, source: str, items: list[Vectors]) -> None:
    """Keep the vectors of messages that had been passed over, and still are there."""
    for item in items:
        values = {"model": model, "source": source, "number": item.number, "tries": FAILED_TRIES}
        if one(db, SQL["passed_over"], values) is not None:
            _append(db, model, source, [(item.number, vector) for vector in item.vectors])
            mark = _marks(db, model)[source]
            done = 1 if item.vectors else 0
            db.execute(SQL["move_mark"], {"model": model, "source": source, "mark": mark, "done": done})
            db.execute(SQL["failure_over"], values | {"numbers": dump([item.number])})


def _keep(db: apsw.Connection, model: int, source: str, items: list[Vectors]) -> None:
    """Keep the vectors of those messages before which nothing is left undone."""
    mark = _marks(db, model)[source]
    _keep_again(db, model, source, [item for item in items if item.number <= mark])
    given = {item.number: item for item in items if item.number > mark}
    if not given:
        return
    failed = _failed(db, model, source, mark)
    statement = "unread_mail_numbers" if source == "mail" else "unread_post_numbers"
    rows = db.execute(SQL[statement], {"mark": mark, "last": max(given)})
    waiting = [number for (number,) in rows]
    kept: list[tuple[int, bytes]] = []
    with_vectors = 0
    for number in waiting:
        if number not in given and number not in failed:
            break
        mark = number
        if number in given and given[number].vectors:
            with_vectors += 1
            kept += [(number, vector) for vector in given[number].vectors]
    else:
        mark = max(given)  # the last ones may be gone by now
    _append(db, model, source, kept)
    db.execute(SQL["move_mark"], {"model": model, "source": source, "mark": mark, "done": with_vectors})
    numbers = {"model": model, "source": source, "numbers": dump(list(given))}
    db.execute(SQL["failure_over"], numbers)


def _add_failure(
    db: apsw.Connection, model: int, source: str, number: int, cause: str, tries: int, now: int
) -> None:
    values = {"model": model, "source": source, "number": number, "tries": tries, "now": now}
    db.execute(SQL["add_failure"], values | {"cause": cause[:500]})


def _pass_over(db: apsw.Connection, model: int, now: int) -> None:
    """Give up the message that every process ended with that computed its vectors."""
    for text in _unread(db, model, 1):
        cause = "The process that computed its vectors ended each time."
        _add_failure(db, model, text.source, text.number, cause, FAILED_TRIES, now)


# --- blocks of vectors ---------------------------------------------------------------------------


def _append(db: apsw.Connection, model: int, source: str, items: list[tuple[int, bytes]]) -> None:
    """Put vectors behind the others, in the last block as far as it has room."""
    at = 0
    row = one(db, SQL["last_block"], {"model": model, "source": source})
    if items and row is not None and row[1] < BLOCK_VECTORS:
        block, count, first, last, numbers, bits, vectors = row
        fresh = items[: BLOCK_VECTORS - count]
        if len(vectors) // count == len(fresh[0][1]):
            at = len(fresh)
            values = {
                "block": block,
                "count": count + at,
                "first": min(first, fresh[0][0]),
                "last": max(last, fresh[-1][0]),
                "numbers": numbers + _numbers(fresh),
                "bits": bits + _bits(fresh),
            }
            db.execute(SQL["set_block"], values)
            db.execute(SQL["set_vectors"], {"block": block, "vectors": vectors + _joined(fresh)})
    for start in range(at, len(items), BLOCK_VECTORS):
        fresh = items[start : start + BLOCK_VECTORS]
        values = {
            "model": model,
            "source": source,
            "first": fresh[0][0],
            "last": fresh[-1][0],
            "count": len(fresh),
            "numbers": _numbers(fresh),
            "bits": _bits(fresh),
        }
        db.execute(SQL["add_block"], values)
        db.execute(SQL["add_vectors"], {"block": db.last_insert_rowid(), "vectors": _joined(fresh)})


def _numbers(items: list[tuple[int, bytes]]) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number, _ in items)


def _joined(items: list[tuple[int, bytes]]) -> bytes:
    return b"".join(vector for _, vector in items)


def _bits(items: list[tuple[int, bytes]]) -> bytes:
    from hubbub.stores.sqlite.nearest import signs

    return signs(_joined(items), len(items))


# --- forgetting ----------------------------------------------------------------------------------


def forget(db: apsw.Connection, source: str, numbers: Iterable[int]) -> None:
    """Drop the vectors of messages that are gone, within the write that removes them and after it did.

    Needs none of the extra's packages: whoever purges a message may not have them.
    """
    gone = set(numbers)
    if not gone:
        return
    span = {"source": source, "first": min(gone), "last": max(gone)}
    dropped: dict[int, set[int]] = {}
    for block, model, held in list(db.execute(SQL["blocks_between"], span)):
        found = [int.from_bytes(held[at : at + 8], "little") for at in range(0, len(held), 8)]
        if not gone.isdisjoint(found):
            _thin(db, block, found, gone)
            dropped.setdefault(model, set()).update(gone.intersection(found))
    for model, of_it in dropped.items():
        db.execute(SQL["count_less"], {"model": model, "source": source, "done": len(of_it)})
    db.execute(SQL["failure_over"], {"model": None, "source": source, "numbers": dump(sorted(gone))})


def _thin(db: apsw.Connection, block: int, found: list[int], gone: set[int]) -> None:
    """Write a block anew without the vectors of what is gone."""
    left = [place for place, number in enumerate(found) if number not in gone]
    if not left:
        db.execute(SQL["drop_block"], {"block": block})
        return
    row = one(db, SQL["block_contents"], {"block": block})
    assert row is not None
    bits, vectors = (
        b"".join(whole[place * size : (place + 1) * size] for place in left)
        for whole, size in ((row[0], len(row[0]) // len(found)), (row[1], len(row[1]) // len(found)))
    )
    owners = [found[place] for place in left]
    values = {
        "block": block,
        "count": len(left),
        "first": min(owners),
        "last": max(owners),
        "numbers": b"".join(number.to_bytes(8, "little") for number in owners),
        "bits": bits,
    }
    db.execute(SQL["set_block"], values)
    db.execute(SQL["set_vectors"], {"block": block, "vectors": vectors})


def forget_meaning(core: Core, model: str | None) -> int:
    """Drop all vectors of a model, or of all."""
    with core.write() as tx:
        number: int | None = None
        if model is not None:
            known = _model(tx.db, model)
            if known is None:
                return 0
            number = known[0]
        row = one(tx.db, SQL["kept_of"], {"model": number})
        for name in ("drop_blocks", "drop_failures", "drop_progress", "drop_models"):
            tx.db.execute(SQL[name], {"model": number})
    return 0 if row is None else int(row[0])


# --- asking ----------------------------------------------------------------------------------------


def meaning_behind(core: Core, model: str) -> Indexed:
    """How far the vectors have come."""
    with core.read() as db:
        return behind(db, model, core.clock.now())


def behind(db: apsw.Connection, model: str, now: int) -> Indexed:
    """The same, within a transaction."""
    known = _model(db, model)
    marks = dict.fromkeys(_SOURCES, 0)
    done = 0
    if known is not None:
        for source, mark, kept in db.execute(SQL["progress"], {"model": known[0]}):
            marks[source] = mark
            done += kept
    row = one(db, SQL["waiting"], marks | {"limit": COUNTED_MAX})
    left = 0
    if row is not None:
        for counted, span in ((row[0], row[1]), (row[2], row[3])):
            left += counted if counted < COUNTED_MAX else span
    if known is not None:
        left -= sum(len(_failed(db, known[0], source, marks[source])) for source in _SOURCES)
        values = {"model": known[0], "tries": FAILED_TRIES, "fresh": now - RETRY_MS, "now": now}
        left += sum(1 for _ in db.execute(SQL["due_again"], values))
    return Indexed(done, max(0, left))


def meaning_failures(core: Core, model: str, limit: int) -> tuple[Failed, ...]:
    """Messages that are passed over."""
    with core.read() as db:
        known = _model(db, model)
        if known is None:
            return ()
        values = {"model": known[0], "tries": FAILED_TRIES, "limit": limit}
        rows = list(db.execute(SQL["failures"], values))
    return tuple(
        Failed((message_id if source == "mail" else post_id)(number, tag), source, tries, cause, at)
        for source, number, tries, cause, at, tag in rows
        if tag is not None
    )


def faults(db: apsw.Connection) -> Iterator[str]:
    """What of the vectors disagrees with itself; nothing when all is well."""
    for statement, what in (("torn_blocks", "are not whole"), ("strays", "are ahead of their mark")):
        row = one(db, SQL[statement], {})
        if row is not None and row[0]:
            yield f"Vectors {what}: {row[0]} blocks."


def near(
    core: Core, model: str, vector: bytes, reader: str | None, where: Where, limit: int, body_max: int | None
) -> Found:
    """Find messages by their meaning."""
    from hubbub.stores.sqlite import nearest

    with core.read() as db:
        known = _model(db, model)
        left = behind(db, model, core.clock.now()).behind
        hits = () if known is None else nearest.find(db, known[0], vector, reader, where, limit, body_max)
    return Found(hits, len(hits), False, left)
