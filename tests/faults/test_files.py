"""Files that are not a bus, belong to others, come from the future, or are damaged."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from hubbub.errors import (
    BusCorrupt,
    BusNewer,
    BusNotHubbub,
    BusUnusable,
    HubbubError,
    StoreError,
)
from hubbub.model import Actor, Draft, Profile
from hubbub.stores import open_store
from hubbub.stores.sqlite.statements import newest_format


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    """A bus of some hundred pages, all in one file."""
    path = tmp_path / "bus.db"
    store = open_store(f"sqlite://{path}")
    for name in ("ada", "bob"):
        store.agents.register(Profile(name))
    for number in range(200):
        store.mail.send(Actor("ada"), Draft(("bob",), f"{number} " * 200, thread=f"t{number % 7}"))
    store.close()
    db = apsw.Connection(str(path))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    assert path.stat().st_size > 200_000
    return path


@pytest.mark.parametrize("create", [True, False])
def test_a_directory(tmp_path: Path, create: bool) -> None:
    with pytest.raises(BusUnusable):
        open_store(f"sqlite://{tmp_path}", create=create)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BusUnusable):
        open_store(f"sqlite://{tmp_path}/file/bus.db")


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one " * 100, b"short", b"\0" * 5000]
)
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(BusNotHubbub) as caught:
        open_store(f"sqlite://{path}")
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


@pytest.mark.parametrize("mark", ["", "PRAGMA user_version = 1", "PRAGMA application_id = 42"])
def test_another_programs_database_is_left_alone(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "theirs.db"
    db = apsw.Connection(str(path))
    db.execute(f"CREATE TABLE things (x); INSERT INTO things VALUES (1); {mark}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(BusNotHubbub):
        open_store(f"sqlite://{path}")
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_bus(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    path.touch()
    store = open_store(f"sqlite://{path}")
    assert store.agents.all() == []
    store.close()


def test_a_newer_bus_is_refused_and_left_alone(bus: Path) -> None:
    db = apsw.Connection(str(bus))
    db.pragma("user_version", newest_format() + 1)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    before = bus.read_bytes()
    with pytest.raises(BusNewer) as caught:
        open_store(f"sqlite://{bus}")
    assert caught.value.details == {"found": newest_format() + 1, "known": newest_format()}
    assert bus.read_bytes() == before


def _use_it_all(path: Path) -> list[str]:
    """Do a bit of everything; the codes of the errors. Only Hubbub's own errors may come out."""
    codes = []
    try:
        store = open_store(f"sqlite://{path}", create=False)
    except StoreError as error:
        return [error.code]
    ada, bob = Actor("ada"), Actor("bob")
    acts: list[Callable[[], object]] = [
        lambda: store.agents.all(),
        lambda: store.mail.receive(bob, limit=50),
        lambda: store.mail.peek("bob", limit=500),
        lambda: store.mail.thread("t3", limit=500),
        lambda: store.mail.send(ada, Draft(("bob",), "x", thread="t3"), key="k"),
        lambda: store.ledger.events(limit=1000),
        lambda: store.sweep("h"),
        lambda: store.info(),
    ]
    for act in acts:
        try:
            act()
        except HubbubError as error:
            codes.append(error.code)
    codes += ["problem" for problem in store.check() if problem.severity == "error"]
    store.close()
    return codes


def test_a_whole_bus_has_no_problem(bus: Path) -> None:
    assert _use_it_all(bus) == []


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_never_show_as_anything_but_a_typed_error(bus: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(bus.read_bytes())
    for _ in range(chance.choice((1, 20, 2000))):
        content[chance.randrange(100, len(content))] ^= chance.randrange(1, 256)
    bus.write_bytes(content)
    assert set(_use_it_all(bus)) <= {
        "BUS_CORRUPT", "BUS_NOT_HUBBUB", "BUS_NEWER", "STORE_ERROR", "problem",
        # What a flip in a name or an id looks like from outside:
        "UNKNOWN_AGENT", "NOT_REGISTERED", "UNKNOWN_RECIPIENT", "THREAD_NOT_FOUND",
    }  # fmt: skip


def test_a_lost_page_is_noticed(bus: Path) -> None:
    content = bytearray(bus.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    bus.write_bytes(content)
    codes = _use_it_all(bus)
    assert codes
    assert set(codes) <= {"BUS_CORRUPT", "problem"}


def test_a_truncated_file_is_noticed(bus: Path) -> None:
    content = bus.read_bytes()
    bus.write_bytes(content[: len(content) // 4096 // 2 * 4096])
    codes = _use_it_all(bus)
    assert codes
    assert set(codes) <= {"BUS_CORRUPT", "problem"}


def test_a_destroyed_header_is_noticed(bus: Path) -> None:
    content = bytearray(bus.read_bytes())
    content[:16] = b"\0" * 16
    bus.write_bytes(content)
    with pytest.raises((BusNotHubbub, BusCorrupt)):
        open_store(f"sqlite://{bus}")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE agents SET queued = queued + 1 WHERE name = 'bob'",
        "UPDATE agents SET leased = 7",
        "UPDATE agents SET dead = 1 WHERE name = 'ada'",
        "DELETE FROM deliveries WHERE message = 5",
        "PRAGMA foreign_keys = OFF; DELETE FROM messages WHERE seq = 5",
        "PRAGMA foreign_keys = OFF; DELETE FROM agents WHERE name = 'bob'",
    ],
)
def test_a_check_finds_contents_that_disagree(bus: Path, damage: str) -> None:
    db = apsw.Connection(str(bus))
    db.execute(damage)
    db.close()
    store = open_store(f"sqlite://{bus}")
    problems = store.check()
    store.close()
    assert [problem.severity for problem in problems if problem.severity == "error"]
    assert all(problem.what and problem.fix for problem in problems)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET event = 'message_sent'",
        "UPDATE messages SET body = 'forged'",
        "UPDATE deliveries SET state = 'queued', settled_by = NULL WHERE state = 'settled'",
        "INSERT INTO deliveries SELECT * FROM deliveries WHERE message = 1",
        "UPDATE deliveries SET agent = 'nobody' WHERE message = 1",
    ],
)
def test_the_file_itself_refuses_what_may_never_be(bus: Path, change: str) -> None:
    store = open_store(f"sqlite://{bus}")
    store.mail.settle(Actor("bob"), (store.mail.peek("bob").deliveries[0].message.id,))
    store.close()
    db = apsw.Connection(str(bus))
    db.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(apsw.ConstraintError):
        db.execute(change)
    db.close()
