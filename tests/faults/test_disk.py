"""A full disk, and files and folders that can't be written."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.errors import BackupFailed, BusFull
from hubbub.model import Actor, Draft, Profile
from hubbub.model_topics import Hand, Post, Synced
from hubbub.stores import open_store
from hubbub.stores.contract import Store
from hubbub.stores.sqlite import SqliteStore
from tests.faults.processes import AS_NOBODY, output_of

BODY = "x" * 20_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root: sudo -E env PATH=$PATH python -m pytest tests/faults")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here: in a container give it CAP_SYS_ADMIN")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _two_agents(store: Store) -> None:
    store.agents.register(Profile("ada"))
    store.agents.register(Profile("bob"))


def _send_until_full(store: Store) -> list[str]:
    accepted = []
    for number in range(1000):
        try:
            accepted.append(store.mail.send(Actor("ada"), Draft(("bob",), BODY), key=str(number)).id)
        except BusFull:
            return accepted
    raise AssertionError("the disk did not fill")


def _whole(store: Store, accepted: list[str]) -> None:
    waiting = store.mail.peek("bob", limit=1000)
    assert [one.message.id for one in waiting.deliveries] == accepted
    sent = store.ledger.events(kinds=("message_sent",), limit=1000)
    assert [event.message for event in sent] == accepted
    assert store.check() == []


def test_a_full_disk_refuses_and_nothing_is_half_done(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)
    store = open_store(f"sqlite://{small_disk}/bus.db")
    try:
        _two_agents(store)
        accepted = _send_until_full(store)
        assert accepted
        _whole(store, accepted)
        with pytest.raises(BackupFailed):
            store.backup(str(small_disk / "copy.db"))
        assert not (small_disk / "copy.db").exists()
        ballast.unlink()
        # The refused message is retried under its key: once the disk has room it is accepted, once.
        again = store.mail.send(Actor("ada"), Draft(("bob",), BODY), key=str(len(accepted)))
        assert not again.repeated
        _whole(store, [*accepted, again.id])
    finally:
        store.close()


def test_a_bus_can_not_begin_on_a_full_disk(small_disk: Path) -> None:
    with contextlib.suppress(OSError):
        (small_disk / "ballast").write_bytes(b"x" * 3_000_000)
    with pytest.raises(BusFull):
        open_store(f"sqlite://{small_disk}/bus.db")
    (small_disk / "ballast").unlink()
    store = open_store(f"sqlite://{small_disk}/bus.db")
    _two_agents(store)
    store.close()


def test_a_file_that_may_not_grow_refuses_and_nothing_is_half_done(tmp_path: Path) -> None:
    store = SqliteStore(f"{tmp_path}/bus.db")
    try:
        _two_agents(store)
        db = store._core.connections.mine().db
        db.pragma("max_page_count", int(db.pragma("page_count")) + 60)
        accepted = _send_until_full(store)
        assert accepted
        _whole(store, accepted)
        db.pragma("max_page_count", 1_000_000)
        again = store.mail.send(Actor("ada"), Draft(("bob",), BODY), key=str(len(accepted)))
        _whole(store, [*accepted, again.id])
    finally:
        store.close()


def _sync(store: Store, number: int, confirm: tuple[Hand, ...]) -> Synced:
    """Confirm, post and read in one stroke: bob posts, and has one more of what ada posted."""
    outbox = (Post(BODY, key=f"k{number}"),)
    return store.topics.sync(Actor("bob"), "build", outbox=outbox, confirm=confirm, limit=1)


def _topic_of_a_hundred(store: Store) -> None:
    store.topics.create(Actor("ada"), "build")
    for _ in range(2):
        store.topics.sync(Actor("ada"), "build", outbox=(Post("small"),) * 50)


def _sync_until_full(store: Store) -> tuple[int, tuple[Hand, ...]]:
    """How many syncs were done, and what the last one of them handed out."""
    hands: tuple[Hand, ...] = ()
    for number in range(1000):
        before = store.topics.get("build"), store.topics.members("build"), store.ledger.events(newest=True)
        try:
            synced = _sync(store, number, hands)
        except BusFull:
            now = store.topics.get("build"), store.topics.members("build"), store.ledger.events(newest=True)
            assert now == before
            assert store.check() == []
            return number, hands
        assert synced.hand is not None
        hands = (synced.hand,)
    raise AssertionError("the disk did not fill")


def _goes_on(store: Store, number: int, hands: tuple[Hand, ...]) -> None:
    """The refused sync is retried under its key: all of it is done now, once."""
    synced = _sync(store, number, hands)
    assert [one.repeated for one in synced.posted] == [False]
    assert [one.seq for one in synced.messages] == [number + 1]
    assert synced.cursor == number
    assert [one.repeated for one in _sync(store, number, hands).posted] == [True]
    history = store.topics.history("build", after=100, limit=1000).messages
    assert [one.body for one in history] == [BODY] * (number + 1)
    assert store.check() == []


def test_a_full_disk_refuses_a_sync_and_nothing_is_half_done(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)
    store = open_store(f"sqlite://{small_disk}/bus.db")
    try:
        _two_agents(store)
        _topic_of_a_hundred(store)
        number, hands = _sync_until_full(store)
        ballast.unlink()
        _goes_on(store, number, hands)
    finally:
        store.close()


def test_a_file_that_may_not_grow_refuses_a_sync_and_nothing_is_half_done(tmp_path: Path) -> None:
    store = SqliteStore(f"{tmp_path}/bus.db")
    try:
        _two_agents(store)
        _topic_of_a_hundred(store)
        db = store._core.connections.mine().db
        db.pragma("max_page_count", int(db.pragma("page_count")) + 100)
        number, hands = _sync_until_full(store)
        assert number > 5
        db.pragma("max_page_count", 1_000_000)
        _goes_on(store, number, hands)
    finally:
        store.close()


READ_ONLY = (
    AS_NOBODY
    + """
from hubbub.errors import HubbubError
from hubbub.model import Actor, Draft
from hubbub.stores import open_store
try:
    store = open_store("sqlite://" + sys.argv[1], create=sys.argv[2] == "create")
    store.mail.send(Actor("ada"), Draft(("bob",), "hello"))
    print("sent")
except HubbubError as error:
    print(error.code)
"""
)


@pytest.fixture
def open_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that any user can reach, with a bus in it."""
    folder = Path(f"/tmp/hubbub-test-{os.getpid()}-{tmp_path.name}")
    folder.mkdir(mode=0o755)
    store = open_store(f"sqlite://{folder}/bus.db")
    _two_agents(store)
    store.close()
    try:
        yield folder
    finally:
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


@pytest.mark.parametrize("create", ["create", "open"])
def test_a_read_only_file(open_folder: Path, create: str) -> None:
    open_folder.chmod(0o777)
    for path in open_folder.iterdir():
        path.chmod(0o444)
    assert output_of(READ_ONLY, f"{open_folder}/bus.db", create) in ("BUS_READ_ONLY", "BUS_UNUSABLE")


@pytest.mark.parametrize("create", ["create", "open"])
def test_a_read_only_folder_with_a_bus(open_folder: Path, create: str) -> None:
    for path in open_folder.iterdir():
        path.chmod(0o444)
    open_folder.chmod(0o555)
    assert output_of(READ_ONLY, f"{open_folder}/bus.db", create) in ("BUS_READ_ONLY", "BUS_UNUSABLE")


def test_a_read_only_folder_without_a_bus(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    assert output_of(READ_ONLY, f"{open_folder}/other.db", "create") == "BUS_UNUSABLE"
    assert output_of(READ_ONLY, f"{open_folder}/deep/er/bus.db", "create") == "BUS_UNUSABLE"


def test_a_file_that_may_not_be_read(open_folder: Path) -> None:
    for path in open_folder.iterdir():
        path.chmod(0o000)
    assert output_of(READ_ONLY, f"{open_folder}/bus.db", "open") in ("BUS_READ_ONLY", "BUS_UNUSABLE")
