"""Indexing that is killed, held up, or not allowed."""

from __future__ import annotations

import random
import signal
import tempfile
from pathlib import Path

import apsw
import pytest

import hubbub
from hubbub.bus.search import Search
from hubbub.clock import ManualClock
from hubbub.model import Actor, Draft
from hubbub.model_topics import Post
from hubbub.stores import open_store
from hubbub.stores.sqlite import SqliteStore, indexing
from hubbub.stores.sqlite.connection import Connection, make_file
from hubbub.stores.sqlite.migrating import migrate
from hubbub.stores.sqlite.statements import migrations
from hubbub.words import parse
from tests.contract.world import World
from tests.faults.processes import AS_NOBODY, child, output_of

NEEDLE = parse("needle").query

INDEX = """
import sys
from hubbub.stores import open_store
store = open_store(sys.argv[1])
while True:
    print(store.search.index(limit=7).behind, flush=True)
"""

SEARCH = f"""
import hubbub.bus.search, hubbub.stores.sqlite.finding, hubbub.stores.sqlite.search, hubbub.words, unicodedata
{AS_NOBODY}
bus = hubbub.connect(sys.argv[1])
found = bus.search.search("needle", mode="words")
print(found.total, found.behind, len(found.notes))
"""


def _filled(folder: Path, count: int) -> str:
    url = f"sqlite://{folder}/bus.db"
    with hubbub.connect(url) as bus:
        bus.agents.register("ada", inbox_limit=100_000)
        ada = Actor("ada")
        bus.store.topics.create(ada, "build")
        for number in range(count):
            bus.store.mail.send(ada, Draft(("ada",), f"needle {number} " + "and more words " * 20))
        for start in range(0, count, 50):
            posts = tuple(Post(f"needle {start + number} in a topic") for number in range(50))
            bus.store.topics.sync(ada, "build", outbox=posts, automatic=False)
    return url


def test_indexing_that_is_killed_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    url = _filled(tmp_path, 400)
    chance = random.Random(5)
    kills = 0
    while True:
        with child(INDEX, url) as process:
            for _ in range(chance.randint(1, 12)):
                left = process.line()
            if left == "0":
                break
            process.signal(signal.SIGKILL)
            process.wait()
        kills += 1
        with open_store_of(url) as store:
            assert store.check() == []
    assert kills > 5
    with open_store_of(url) as store:
        found = store.search.search(NEEDLE, limit=2000)
        assert (found.total, found.behind) == (800, 0)
        assert len({hit.id for hit in found.hits}) == 800
        store_db = apsw.Connection(f"{tmp_path}/bus.db")
        for table in ("mail_words", "post_words"):
            store_db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
        store_db.close()


class open_store_of:
    """A store that is closed at the end."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    def __enter__(self) -> SqliteStore:
        assert isinstance(self._store, SqliteStore)
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def test_what_is_purged_while_it_is_being_indexed_is_not_indexed(tmp_path: Path) -> None:
    clock = ManualClock()
    store = SqliteStore(f"{tmp_path}/bus.db", clock=clock)
    world = World("", store, clock)
    ada, _ = world.agents_named("ada", "bob")
    gone, kept = (world.dead_letter("bob", ada, f"needle {number}") for number in range(2))
    core = store._core
    source = indexing.SOURCES[0]
    with core.read() as db:
        batch, _ = indexing._read(db, source, 100, 100_000)
    assert batch is not None
    world.mail.purge((gone.id,))
    with core.write() as tx:
        assert indexing._write(tx, source, batch) == 1
    assert [hit.id for hit in store.search.search(NEEDLE).hits] == [kept.id]
    assert store.check() == []
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM mail_words WHERE rowid = 7",
        "DELETE FROM post_words WHERE rowid = 7",
        "INSERT INTO post_words (rowid, words, marks) VALUES (4000, 'needle', '')",
        "UPDATE indexed SET upto = upto - 5",
        "DROP TRIGGER posts_erased_leave_the_index; DELETE FROM posts WHERE post = 50; "
        "UPDATE members SET position = 49 WHERE topic = 2; UPDATE topics SET last_seq = 49 WHERE topic = 2",
    ],
)
def test_an_index_that_disagrees_is_reported_and_can_be_made_anew(tmp_path: Path, statement: str) -> None:
    url = _filled(tmp_path, 50)
    with hubbub.connect(url) as bus:
        assert bus.search.catch_up() == (100, 0)
        assert not bus.store.search.mend()
        assert bus.check() == []
    db = apsw.Connection(f"{tmp_path}/bus.db")
    db.execute(statement)
    db.close()
    with hubbub.connect(url) as bus:
        (problem, *_) = bus.check()
        assert "index of words" in problem.what
        assert problem.fix == "Run: hubbub search --index"
        kept = 49 if "DELETE FROM posts" in statement else 50
        assert bus.search.catch_up() == (50 + kept, 0)
        assert bus.check() == []
        assert bus.search.search("needle", mode="words").total == 50 + kept
        assert bus.search.search("needle", scope="topics", mode="words").total == kept


def test_a_search_does_without_the_newest_while_another_process_holds_the_bus(tmp_path: Path) -> None:
    url = _filled(tmp_path, 50)
    with open_store_of(url) as holder:
        holder.search.index(limit=30)
        store = open_store(url, busy_timeout_ms=50)
        with holder._core.write():
            results = Search(store).search("needle", mode="words")
        assert (results.total, results.behind) == (30, 70)
        (note,) = results.notes
        assert "70 messages" in note
        assert "writing" in note
        assert Search(store).search("needle", mode="words").total == 100
        store.close()


def test_a_bus_that_may_not_be_written_is_searched_as_far_as_it_is_indexed() -> None:
    # Not under pytest's own folder, which other users can't enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = _filled(folder, 50)
        with open_store_of(url) as store:
            store.search.index(limit=30)
        for file in folder.iterdir():
            if file.is_file():
                file.chmod(0o444 if file.name == "bus.db" else 0o666)
        folder.chmod(0o777)
        assert output_of(SEARCH, url) == "30 70 1"


def test_mail_from_before_there_was_an_index_is_found(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    make_file(str(path))
    connection = Connection(str(path), 5000)
    migrate(connection, migrations()[:1], 1_800_000_000_000)
    connection.db.execute(
        """
        INSERT INTO agents (name, role, description, inbox_limit, max_message_bytes, ephemeral,
                            registered_at)
        VALUES ('ada', 'both', '', 1000, 1000000, 0, 1);
        INSERT INTO messages (tag, sender, recipients, kind, priority, subject, body, created_at, bytes)
        VALUES (7, 'ada', '["ada"]', 'message', 1, '', 'an old needle', 1, 10);
        INSERT INTO deliveries (agent, message, state, priority, since) VALUES ('ada', 1, 'queued', 1, 1);
        """
    )
    connection.close()
    with hubbub.connect(f"sqlite://{path}") as bus:
        (found,) = bus.search.search("needle", reader="ada", mode="words").hits
        assert found.hit.body == "an old needle"
        assert bus.check() == []
