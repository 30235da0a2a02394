"""Bringing an older bus to a newer format, and what may go wrong on the way."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from hubbub.errors import BusNewer, HubbubError
from hubbub.model import Actor, Draft, Profile
from hubbub.stores import open_store
from hubbub.stores.sqlite.connection import Connection
from hubbub.stores.sqlite.migrating import migrate
from hubbub.stores.sqlite.statements import migrations, newest_format
from tests.faults.processes import child

NOW = 1_800_000_000_000
NEXT = newest_format() + 1
GOOD = [*migrations(), (NEXT, "CREATE TABLE extra (x); INSERT INTO extra VALUES (1);")]
BAD = [
    *migrations(),
    (NEXT, "CREATE TABLE extra (x); UPDATE agents SET description = 'lost'; SELECT nonsense;"),
]


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    """A bus in today's format, with something in it."""
    path = tmp_path / "bus.db"
    store = open_store(f"sqlite://{path}")
    for name in ("ada", "bob"):
        store.agents.register(Profile(name))
    store.mail.send(Actor("ada"), Draft(("bob",), "precious"))
    store.close()
    return path


def _migrate(path: Path, scripts: list[tuple[int, str]], now: int = NOW) -> int:
    connection = Connection(str(path), 5000)
    try:
        return migrate(connection, scripts, now)
    finally:
        connection.close()


def _format(path: Path) -> int:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(db.pragma("user_version"))
    finally:
        db.close()


def _copies(path: Path) -> list[Path]:
    return sorted(path.parent.glob("bus.db.before-*"))


def test_an_older_bus_is_copied_before_it_is_changed(bus: Path) -> None:
    assert _migrate(bus, GOOD) == newest_format()
    assert _format(bus) == NEXT
    (copy,) = _copies(bus)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert _format(copy) == newest_format()
    restored = open_store(f"sqlite://{copy}", create=False)
    assert [one.message.body for one in restored.mail.peek("bob").deliveries] == ["precious"]
    assert restored.check() == []
    restored.close()
    with pytest.raises(BusNewer):
        open_store(f"sqlite://{bus}")


def test_a_bus_of_this_format_is_left_as_it_is(bus: Path) -> None:
    assert _migrate(bus, migrations()) == newest_format()
    assert _migrate(bus, GOOD) == newest_format()
    assert _migrate(bus, GOOD) == NEXT
    assert len(_copies(bus)) == 1


def test_a_failing_script_leaves_the_bus_as_it_was(bus: Path) -> None:
    with pytest.raises(HubbubError) as caught:
        _migrate(bus, BAD)
    assert str(bus) in caught.value.message
    assert _format(bus) == newest_format()
    store = open_store(f"sqlite://{bus}", create=False)
    assert store.agents.get("ada").description == ""
    assert [one.message.body for one in store.mail.peek("bob").deliveries] == ["precious"]
    assert store.check() == []
    store.close()
    assert len(_copies(bus)) == 1
    assert _migrate(bus, GOOD, NOW + 1) == newest_format()
    assert _format(bus) == NEXT


def test_a_script_that_fails_on_a_new_bus_leaves_it_empty(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    path.touch()
    with pytest.raises(HubbubError):
        _migrate(path, [(1, "CREATE TABLE half (x); SELECT nonsense;")])
    assert _format(path) == 0
    assert _copies(path) == []
    open_store(f"sqlite://{path}").close()
    assert _format(path) == newest_format()


MIGRATOR = """
import sys
from hubbub.stores.sqlite.connection import Connection
from hubbub.stores.sqlite.migrating import migrate
from hubbub.stores.sqlite.statements import migrations, newest_format
connection = Connection(sys.argv[1], 20_000)
scripts = [*migrations(), (newest_format() + 1, "CREATE TABLE extra (x); INSERT INTO extra VALUES (1);")]
print("ready", flush=True)
sys.stdin.readline()
migrate(connection, scripts, 1_800_000_000_000 + int(sys.argv[2]))
connection.close()
"""


def test_two_processes_that_migrate_at_once_take_turns(bus: Path) -> None:
    with child(MIGRATOR, str(bus), "1") as one, child(MIGRATOR, str(bus), "2") as other:
        assert (one.line(), other.line()) == ("ready", "ready")
        one.go()
        other.go()
        assert (one.wait(), other.wait()) == (0, 0)
    db = apsw.Connection(str(bus))
    assert db.execute("SELECT count(*) FROM extra").fetchall() == [(1,)]
    db.close()
    assert len(_copies(bus)) == 1
