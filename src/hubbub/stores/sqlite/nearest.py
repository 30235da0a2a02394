"""Finding the vectors nearest to one: over all of them, in two steps.

The first step compares signs: a bit for each number of each vector, 48 bytes where the vector has 384. The
second compares the vectors themselves, for the best of the first that the reader may see. Both go through
the vectors block by block, so that memory holds ten bytes for each of them and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from hubbub.errors import MeaningUnavailable
from hubbub.model_search import Hit, Where
from hubbub.names import parse_message_id, parse_post_id, parse_topic_id
from hubbub.stores.sqlite.core import dump, one
from hubbub.stores.sqlite.found_rows import hit_of
from hubbub.stores.sqlite.statements import statements

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SQL = statements("meaning.sql")
_WORDS = statements("search.sql")

FIRST_CHOICE = 1_000
FIRST_SHARE = 200
"""How many vectors the first step leaves for the second, at first: so many, or one of so many if that is
more; and four times as many each time that the reader may see too few of them. Of 5,800 real texts the
first 0.5 % held 91 % of the ten that were nearest indeed, 1 % held 97 %, and 4 % 99 %."""

STRETCH_MIN = 500
"""A text shorter than this has one vector, whatever it is cut into stretches by."""

ENOUGH = 4
"""The second step is over with so many times the vectors that were asked for."""


def signs(vectors: bytes, count: int) -> bytes:
    """One bit for each number of ``count`` vectors in a row: whether it is above zero."""
    np = _numpy()
    rows = np.frombuffer(vectors, dtype=np.int8).reshape(count, -1)
    if rows.shape[1] % 64:
        raise ValueError(f"a vector of {rows.shape[1]} numbers, which is not a multiple of 64")
    packed: bytes = np.packbits(rows > 0, axis=1).tobytes()
    return packed


class _All(NamedTuple):
    """The first step's answer: for each vector whose it is (mail above zero, topics below), where it is, and
    how many of its signs differ from the wanted one's."""

    keys: NDArray[np.int64]
    distances: NDArray[np.uint16]
    blocks: list[int]
    starts: NDArray[np.int64]
    """The place of each block's first vector."""


def find(
    db: apsw.Connection,
    model: int,
    vector: bytes,
    reader: str | None,
    where: Where,
    limit: int,
    body_max: int | None,
) -> tuple[Hit, ...]:
    """The nearest messages, best first."""
    np = _numpy()
    found = _scan(db, model, vector, where)
    narrow = _narrowed(db, where)
    places = np.arange(len(found.keys)) if narrow is None else np.flatnonzero(np.isin(found.keys, narrow))
    places = places[np.argsort(found.distances[places], kind="stable")]
    wanted = np.frombuffer(vector, dtype=np.int8).astype(np.float32)
    wanted /= max(float(np.linalg.norm(wanted)), 1e-12)
    best: dict[int, tuple[float, int]] = {}
    seen = begin = 0
    size = max(FIRST_CHOICE, len(places) // FIRST_SHARE, ENOUGH * limit)
    while begin < len(places) and (seen < ENOUGH * limit or len(best) < limit):
        part = places[begin : begin + size]
        allowed = _allowed(db, found.keys[part], reader, where)
        part = part[np.isin(found.keys[part], np.fromiter(allowed, np.int64, len(allowed)))]
        seen += len(part)
        _score(db, found, part, wanted, best)
        begin, size = begin + size, 4 * size
    top = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[:limit]
    most = None if body_max is None else max(body_max, STRETCH_MIN)
    hits = [
        (hit_of(db, "mail" if key > 0 else "topic", abs(key), score, most), key, place)
        for key, (score, place) in top
    ]
    return tuple(hit._replace(stretch=_stretch(found, hit, key, place)) for hit, key, place in hits if hit)


def _stretch(found: _All, hit: Hit, key: int, place: int) -> int:
    """Which of a message's vectors, which lie in the order of its text, is at a place."""
    if len(hit.subject) + len(hit.body) < STRETCH_MIN:
        return 0
    return int(_numpy().count_nonzero(found.keys[:place] == key))


def _scan(db: apsw.Connection, model: int, vector: bytes, where: Where) -> _All:
    """How far each vector's signs are from those of ``vector``."""
    np = _numpy()
    source = {"mail": "mail", "topics": "topic"}.get(where.scope)
    if where.topic is not None and source is None:
        source = "topic"
    wanted = np.frombuffer(signs(vector, 1), dtype=np.uint64)
    keys, distances, blocks, starts, total = [], [], [], [], 0
    for block, kind, numbers, bits in db.execute(_SQL["scan"], {"model": model, "source": source}):
        owners = np.frombuffer(numbers, dtype="<i8")
        rows = np.frombuffer(bits, dtype=np.uint64).reshape(len(owners), -1)
        if rows.shape[1] != len(wanted):
            continue
        keys.append(owners if kind == "mail" else -owners)
        distances.append(np.bitwise_count(rows ^ wanted).sum(axis=1, dtype=np.uint16))
        blocks.append(block)
        starts.append(total)
        total += len(owners)
    if not blocks:
        return _All(np.empty(0, np.int64), np.empty(0, np.uint16), [], np.empty(0, np.int64))
    return _All(np.concatenate(keys), np.concatenate(distances), blocks, np.array(starts))


def _narrowed(db: apsw.Connection, where: Where) -> NDArray[np.int64] | None:
    """The messages of the topic and the thread that were asked for; None when neither was."""
    if where.topic is None and where.thread is None:
        return None
    keys: NDArray[np.int64] = _numpy().array(list(_members(db, where)), dtype="int64")
    return keys


def _members(db: apsw.Connection, where: Where) -> Iterator[int]:
    """The keys of those messages. A thread may be named by any message in it."""
    thread: int | None = None
    if where.thread is not None:
        parsed = parse_post_id(where.thread)
        if parsed is None:
            if where.topic is None:
                yield from _mail_of_thread(db, where.thread)
            return
        row = one(db, _WORDS["post_thread"], {"post": parsed[0], "tag": parsed[1]})
        if row is None:
            return
        thread = row[0]
    if where.topic is None:
        rows = db.execute(_SQL["posts_of_thread"], {"thread": thread})
    else:
        topic = parse_topic_id(where.topic)
        rows = db.execute(_SQL["posts_of"], {"topic": topic and topic[0], "thread": thread})
    yield from (-post for (post,) in rows)


def _mail_of_thread(db: apsw.Connection, thread: str) -> Iterator[int]:
    parsed = parse_message_id(thread)
    row = one(db, _WORDS["mail_thread"], {"seq": parsed[0], "tag": parsed[1]}) if parsed else None
    name = thread if row is None or row[0] is None else str(row[0])
    root = parse_message_id(name)
    rows = db.execute(_SQL["mail_of_thread"], {"thread": name, "root": root and root[0]})
    yield from (seq for (seq,) in rows)


def _allowed(db: apsw.Connection, keys: NDArray[np.int64], reader: str | None, where: Where) -> list[int]:
    """Which of these messages there are, the reader may see, and were asked for."""
    values = {"sender": where.sender, "kind": where.kind, "since": where.since, "until": where.until}
    given = set(keys.tolist())
    mail = dump([key for key in given if key > 0])
    posts = dump([-key for key in given if key < 0])
    allowed = [
        seq for (seq,) in db.execute(_SQL["mail_allowed"], values | {"numbers": mail, "reader": reader})
    ]
    allowed += [-post for (post,) in db.execute(_SQL["posts_allowed"], values | {"numbers": posts})]
    return allowed


def _score(
    db: apsw.Connection,
    found: _All,
    places: NDArray[np.int64],
    wanted: NDArray[np.float32],
    best: dict[int, tuple[float, int]],
) -> None:
    """The cosine of each of these vectors with the wanted one: of each message the best, and its place."""
    np = _numpy()
    if not len(places):
        return
    length = len(wanted)
    places = np.sort(places)
    within = np.searchsorted(found.starts, places, side="right") - 1
    rows = np.empty((len(places), length), dtype=np.int8)
    blob: apsw.Blob | None = None
    held = -1
    for row, (block, place) in enumerate(zip(within.tolist(), places.tolist(), strict=True)):
        if blob is None:
            blob = db.blob_open("main", "meaning_vectors", "vectors", found.blocks[block], False)
        elif block != held:
            blob.reopen(found.blocks[block])
        held = block
        blob.seek((place - int(found.starts[block])) * length)
        rows[row] = np.frombuffer(blob.read(length), dtype=np.int8)
    if blob is not None:
        blob.close()
    real = rows.astype(np.float32)
    scores = real @ wanted / np.maximum(np.linalg.norm(real, axis=1), 1e-12)
    owners = found.keys[places].tolist()
    for key, score, place in zip(owners, scores.tolist(), places.tolist(), strict=True):
        if key not in best or score > best[key][0]:
            best[key] = (score, place)


def _numpy() -> Any:
    """numpy, which the extra brings.

    Raises:
        MeaningUnavailable: it is not installed.
    """
    try:
        import numpy
    except ImportError:
        raise MeaningUnavailable("Search by meaning is not installed here.") from None
    return numpy
