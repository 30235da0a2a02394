"""Which numbers a search in a span of time looks at, and of which it knows the time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from hubbub.model_search import Where
from hubbub.stores.sqlite import SqliteStore, finding
from hubbub.stores.sqlite.indexing import BLOCK_BITS, SQL

SIZE = 1 << BLOCK_BITS


@pytest.mark.parametrize(
    ("run", "inner"),
    [
        ([True], (0, 1)),
        ([False], None),
        ([True, True, True], (0, 3)),
        ([False, True, True, False], (1, 3)),
        ([True, False, True], (0, 1)),
        ([False, True, False, True, True], (1, 2)),
    ],
)
def test_only_what_is_known_to_be_of_the_time_is_taken_unseen(
    run: list[bool], inner: tuple[int, int] | None
) -> None:
    found = finding._range([(5 + place, whole) for place, whole in enumerate(run)])
    assert (found.first, found.last) == (5 * SIZE, (5 + len(run)) * SIZE - 1)
    if inner is None:
        assert found.inner_first > found.inner_last
    else:
        assert (found.inner_first, found.inner_last) == ((5 + inner[0]) * SIZE, (5 + inner[1]) * SIZE - 1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[apsw.Connection]:
    """A bus with 100 blocks, of which every second is of one time and the others of another; ten at the end
    are of the first."""
    store = SqliteStore(f"{tmp_path}/bus.db")
    db = store._core.connections.mine().db
    for block in range(100):
        at = 1000 if block % 2 or block >= 90 else 2000
        db.execute(SQL["widen_span"], {"source": "mail", "block": block, "first": at, "last": at + block % 3})
    yield db
    store.close()


def test_ranges_are_few_and_hold_all_blocks_of_the_time(db: apsw.Connection) -> None:
    ranges = finding._ranges(db, "mail", Where(since=1000, until=1002))
    assert len(ranges) == finding.RANGES_MAX
    covered = {number for part in ranges for number in range(part.first, part.last + 1, SIZE)}
    assert {block * SIZE for block in range(100) if block % 2 or block >= 90} <= covered
    assert list(ranges) == sorted(ranges, reverse=True), "the newest come first, and none overlap"
    for newer, older in pairwise(ranges):
        assert older.last < newer.first
    known = {
        block
        for part in ranges
        for block in range(100)
        if part.inner_first <= block * SIZE and (block + 1) * SIZE - 1 <= part.inner_last
    }
    assert known <= {block for block in range(100) if block % 2 or block >= 90}
    assert set(range(90, 100)) <= known


def test_no_block_of_the_time_is_no_range(db: apsw.Connection) -> None:
    assert finding._ranges(db, "mail", Where(since=3000)) == ()
    assert finding._ranges(db, "topic", Where(since=1000)) == ()


def test_without_a_time_all_numbers_are_one_range(db: apsw.Connection) -> None:
    (everything,) = finding._ranges(db, "mail", Where(sender="ada"))
    assert (everything.first, everything.last) == (0, 2**63 - 1)
