"""Finding messages by their words: the newest matches are ranked, and the best of them given.

The score is BM25, with the mean length and the frequency of words taken from the index. SQLite's own
``bm25()`` counts every message that holds each word first, which takes a tenth of a second for a common word
of a million messages; here the frequency is estimated from the newest that hold it
and that the reader may see.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

import apsw

from hubbub.model_search import RANKED_MAX, Found, Hit, Where
from hubbub.names import parse_message_id, parse_post_id, parse_topic_id
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.found_rows import hit_of
from hubbub.stores.sqlite.indexing import BLOCK_BITS, SQL, behind, mark
from hubbub.words import Query, Term

SATURATION = 1.2
LENGTH_WEIGHT = 0.75
"""The usual k1 and b of BM25: how soon more of a word adds nothing, and how much length takes off."""

SAMPLE = 200
"""From how many messages that hold a word its frequency is estimated."""

RANGES_MAX = 16
"""How many ranges of numbers a search in a span of time looks at."""

_LAST = 2**63 - 1
_READER = "=r"


class _Side(NamedTuple):
    """The mail or the posts, as one search sees them."""

    source: str
    match: str
    sample: str
    marks: tuple[str, ...]
    """All of which a match has."""
    hidden: tuple[str, ...]
    """None of which a match has."""


class _Range(NamedTuple):
    """Numbers to look at, and those among them that are known to be of the time asked for."""

    first: int
    last: int
    inner_first: int
    inner_last: int


_Match: TypeAlias = tuple[float, int]
"""The score and the number of one."""

_ALL = (_Range(0, _LAST, 0, _LAST),)


def search(
    core: Core, query: Query, reader: str | None, where: Where, limit: int, body_max: int | None
) -> Found:
    """See :meth:`hubbub.stores.contract_search.SearchStore.search`."""
    scorer = _scorer_of(core)
    with core.read() as db:
        left = behind(db)
        if not query.groups:
            return Found((), 0, False, left)
        sides = _sides(db, reader, where)
        scorer.prepare(db, query, sides)
        ranked, capped = _newest([_matches(db, query, side, where) for side in sides])
        hits: list[Hit] = []
        for side, matches in zip(sides, ranked, strict=True):
            best = heapq.nlargest(limit, matches)
            found = (hit_of(db, side.source, number, score, body_max) for score, number in best)
            hits += [hit for hit in found if hit is not None]
    hits.sort(key=lambda hit: (-hit.score, -hit.created_at, hit.source, -hit.seq))
    return Found(tuple(hits[:limit]), sum(map(len, ranked)), capped, left)


def never(core: Core, reader: str | None, where: Where) -> tuple[str, ...]:
    """See :meth:`hubbub.stores.contract_search.SearchStore.never`."""
    found = []
    with core.read() as db:
        for limit in ("sender", "kind", "thread"):
            value = getattr(where, limit)
            sides = [] if value is None else _sides(db, reader, Where(where.scope, **{limit: value}))
            matches = (" AND ".join(f'"{part}"' for part in side.marks) for side in sides)
            rows = (
                one(db, SQL[side.sample], {"match": match, "limit": 1})
                for side, match in zip(sides, matches, strict=True)
            )
            if value is not None and not any(row is not None and row[0] for row in rows):
                found.append(limit)
    return tuple(found)


def _newest(sides: list[Iterator[_Match]]) -> tuple[list[list[_Match]], bool]:
    """The newest matches of each side, as many in all as are ranked, and whether there are more. Each side
    has an equal part; what one does not use is the other's."""
    taken: list[list[_Match]] = [[] for _ in sides]
    for part in (RANKED_MAX // max(len(sides), 1), RANKED_MAX):
        for mine, matches in zip(taken, sides, strict=True):
            room = min(part - len(mine), RANKED_MAX - sum(map(len, taken)))
            mine += islice(matches, max(room, 0))
    return taken, any(next(matches, None) is not None for matches in sides)


# --- what to look at ---------------------------------------------------------------------------


def _sides(db: apsw.Connection, reader: str | None, where: Where) -> list[_Side]:
    common = [
        mark(letter, value) for letter, value in (("s", where.sender), ("k", where.kind)) if value is not None
    ]
    sides = []
    if where.scope != "topics" and where.topic is None:
        thread = _mail_thread(db, where.thread)
        marks = [*common, *([] if reader is None else [mark("r", reader)])]
        if thread is not None:
            marks.append(mark("h", thread))
        if thread is not None or where.thread is None:
            sides.append(_Side("mail", "match_mail", "sample_mail", tuple(marks), ()))
    if where.scope != "mail":
        limits = _post_limits(db, where)
        if limits is not None:
            marks = [*common, *limits]
            # One topic is there or not; among all, those that are not there are left out.
            hidden = () if where.topic is not None else _hidden(db)
            sides.append(_Side("topic", "match_posts", "sample_posts", tuple(marks), hidden))
    return sides


def _mail_thread(db: apsw.Connection, thread: str | None) -> str | None:
    """The name that a thread of the mail is indexed by; it may be named by any message in it."""
    if thread is None or parse_post_id(thread) is not None:
        return None
    parsed = parse_message_id(thread)
    row = one(db, SQL["mail_thread"], {"seq": parsed[0], "tag": parsed[1]}) if parsed else None
    return thread if row is None or row[0] is None else str(row[0])


def _post_limits(db: apsw.Connection, where: Where) -> list[str] | None:
    """The marks of the topic and the thread asked for; None when there is no such."""
    marks = []
    if where.topic is not None:
        parsed = parse_topic_id(where.topic)
        row = one(db, SQL["topic_shown"], {"topic": parsed[0], "tag": parsed[1]}) if parsed else None
        if row is None:
            return None
        marks.append(mark("t", str(row[0])))
    if where.thread is not None:
        parsed = parse_post_id(where.thread)
        row = one(db, SQL["post_thread"], {"post": parsed[0], "tag": parsed[1]}) if parsed else None
        if row is None:
            return None
        marks.append(mark("h", str(row[0])))
    return marks


def _hidden(db: apsw.Connection) -> tuple[str, ...]:
    return tuple(mark("t", str(row[0])) for row in db.execute(SQL["hidden_topics"]))


def _ranges(db: apsw.Connection, source: str, where: Where) -> tuple[_Range, ...]:
    """Which numbers hold the messages of the time asked for, the newest first."""
    if where.since is None and where.until is None:
        return _ALL
    times = {**_times(where), "source": source}
    runs: list[list[tuple[int, bool]]] = []
    for block, whole in db.execute(SQL["blocks_of_time"], times):
        if runs and runs[-1][-1][0] + 1 == block:
            runs[-1].append((block, bool(whole)))
        else:
            runs.append([(block, bool(whole))])
    # Messages that were imported lie out of order. Of many small ranges some are taken together: what lies
    # between is looked at, too, and found to be of another time.
    while len(runs) > RANGES_MAX:
        gaps = [after[0][0] - before[-1][0] for before, after in pairwise(runs)]
        nearest = gaps.index(min(gaps))
        runs[nearest : nearest + 2] = [[(runs[nearest][0][0], False), (runs[nearest + 1][-1][0], False)]]
    return tuple(_range(run) for run in reversed(runs))


def _range(run: list[tuple[int, bool]]) -> _Range:
    first, last = run[0][0], run[-1][0]
    # The blocks at the ends may hold messages of other times; in order of time, no others do.
    inner = [block for block, whole in run if whole]
    while inner and inner[-1] - inner[0] >= len(inner):
        inner.pop()
    none = (1, 0)
    low, high = (inner[0] << BLOCK_BITS, ((inner[-1] + 1) << BLOCK_BITS) - 1) if inner else none
    return _Range(first << BLOCK_BITS, ((last + 1) << BLOCK_BITS) - 1, low, high)


def _times(where: Where) -> dict[str, int | None]:
    if where.since is None and where.until is None:
        return {"since": None, "until": None}
    return {
        "since": -_LAST if where.since is None else where.since,
        "until": _LAST if where.until is None else where.until,
    }


# --- matches and their scores ------------------------------------------------------------------


def _matches(db: apsw.Connection, query: Query, side: _Side, where: Where) -> Iterator[_Match]:
    """The matches, the newest first. Each is looked for when it is asked for."""
    values: dict[str, Any] = {"match": _expression(query, side), **_times(where)}
    for part in _ranges(db, side.source, where):
        yield from db.execute(SQL[side.match], {**values, **part._asdict()})


def _expression(query: Query, side: _Side) -> str:
    """The query in the language of FTS5. Its words come first: the scorer counts on it."""
    wanted = [" OR ".join(map(_phrase, group)) for group in query.groups]
    wanted += [f'"{word}"' for word in side.marks]
    unwanted = [*map(_phrase, query.excluded), *(f'"{word}"' for word in side.hidden)]
    expression = " AND ".join(f"({part})" for part in wanted)
    return f"({expression}) NOT ({' OR '.join(unwanted)})" if unwanted else expression


def _phrase(term: Term) -> str:
    # No word holds a quote: words.cut leaves only letters, digits, emoji, + and #.
    return f'"{" ".join(term.words)}"{" *" if term.prefix else ""}'


class _Scorer:
    """The function that SQLite calls for each match, and what it goes by in the present search."""

    def __init__(self) -> None:
        self._weights: list[float] = []
        self._flat = 0.0
        self._slope = 0.0

    def prepare(self, db: apsw.Connection, query: Query, sides: list[_Side]) -> None:
        """Weigh the words of a query."""
        texts = atoms = 0
        places: list[tuple[_Side, int]] = []
        for side in sides:
            row = one(db, SQL["progress"], {"source": side.source})
            if row is not None:
                places.append((side, row[0]))
                texts, atoms = texts + row[2], atoms + row[3]
        mean = atoms / texts if texts else 1.0
        self._flat = SATURATION * (1 - LENGTH_WEIGHT)
        self._slope = SATURATION * LENGTH_WEIGHT / max(mean, 1.0)
        terms = [term for group in query.groups for term in group]
        if len(terms) == 1:
            self._weights = [1.0]  # the same factor for all
            return
        known: dict[str, float] = {}
        self._weights = [
            max(_rarity(db, word, places, texts, known) for word in _whole(term)) for term in terms
        ]

    def __call__(self, api: apsw.FTS5ExtensionApi, *_: object) -> float:
        """BM25 of the message that SQLite has before it."""
        norm = self._flat + self._slope * api.column_size(0)
        score = 0.0
        for phrase, weight in enumerate(self._weights):
            count = len(api.phrase_column_offsets(phrase, 0))
            if count:
                score += weight * count * (SATURATION + 1) / (count + norm)
        return score


def _whole(term: Term) -> tuple[str, ...]:
    """The words that tell how rare the term is: counting those that begin so costs as much as a search."""
    return term.words[:-1] if term.prefix and len(term.words) > 1 else term.words


def _rarity(
    db: apsw.Connection, word: str, places: list[tuple[_Side, int]], texts: int, known: dict[str, float]
) -> float:
    """The inverse document frequency of a word."""
    if word not in known:
        count = 0.0
        for side, upto in places:
            # Among what the reader may see: a score that went by others' mail would tell of its words.
            seen = [f'"{part}"' for part in (word, *side.marks) if part == word or part.startswith(_READER)]
            row = one(db, SQL[side.sample], {"match": " AND ".join(seen), "limit": SAMPLE})
            if row is not None and row[0]:
                # The newest messages that hold it stand for all: as dense as there, to the oldest one.
                count += row[0] if row[0] < SAMPLE else row[0] * upto / max(upto - row[1] + 1, 1)
        known[word] = math.log(1 + (max(texts - count, 0) + 0.5) / (count + 0.5))
    return known[word]


_scorers: WeakKeyDictionary[apsw.Connection, _Scorer] = WeakKeyDictionary()


def _scorer_of(core: Core) -> _Scorer:
    """The scorer of this thread's connection, made once: SQLite keeps each until the connection is closed."""
    db = core.connections.mine().db
    scorer = _scorers.get(db)
    if scorer is None:
        scorer = _scorers[db] = _Scorer()
        db.register_fts5_function("hubbub_score", scorer)
    return scorer
