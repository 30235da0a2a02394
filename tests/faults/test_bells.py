"""Bells whose waiters were killed, whose folder is gone, or that can't be had at all."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.bells.sockets import SocketBells
from hubbub.bells.watch import WatchBell
from hubbub.bus import Bus
from hubbub.model import Actor, Draft, Profile
from hubbub.stores.sqlite import SqliteStore
from tests.faults.processes import PATIENCE, child

WAITER = """
import sys
from hubbub.stores import open_store
bell = open_store(sys.argv[1]).bell("inbox/bob", "events")
print("waits", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A bus with two agents; whatever it left where its bells were is removed."""
    opened = SqliteStore(f"{tmp_path}/bus.db")
    opened.agents.register(Profile("ada"))
    opened.agents.register(Profile("bob"))
    folder = Path(opened._core.bells.folder)
    try:
        yield opened
    finally:
        opened.close()
        if folder.is_dir():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)


def _send(store: SqliteStore) -> str:
    return store.mail.send(Actor("ada"), Draft(("bob",), "hello")).id


def _sockets(store: SqliteStore) -> list[str]:
    return [name for _, _, names in os.walk(store._core.bells.folder) for name in names]


def _kill_a_waiter(store: SqliteStore) -> None:
    with child(WAITER, store.info().url) as waiter:
        assert waiter.line() == "waits"
        waiter.signal(signal.SIGKILL)
        waiter.wait()


def test_sockets_of_killed_waiters_are_swept_by_housekeeping(store: SqliteStore) -> None:
    _kill_a_waiter(store)
    with store.bell("inbox/bob") as mine:
        assert len(_sockets(store)) == 3
        assert store.sweep("h").ran
        assert len(_sockets(store)) == 1
        assert not mine.wait(0)
        _send(store)
        assert mine.wait(PATIENCE)


def test_a_send_removes_what_a_killed_waiter_left(store: SqliteStore) -> None:
    _kill_a_waiter(store)
    assert _send(store)
    assert _sockets(store) == []


def test_a_folder_removed_under_a_waiter(store: SqliteStore) -> None:
    bell = store.bell("inbox/bob")
    shutil.rmtree(store._core.bells.folder)
    assert _send(store)
    assert not bell.wait(0)
    bell.close()
    with store.bell("inbox/bob") as again:
        _send(store)
        assert again.wait(PATIENCE)


def test_a_waiter_whose_ring_was_lost_looks_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.bus.mail.LOOK_AGAIN_SECONDS", 0.05)
    bus = Bus(store)
    steps = bus.mail.receiving(Actor("bob"), bus.mail.filter(), wait=60)
    pause = next(steps)
    shutil.rmtree(store._core.bells.folder)
    sent = _send(store)
    assert not pause.bell.wait(pause.seconds)
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert [one.message.id for one in done.value.value.deliveries] == [sent]


def _no_sockets(store: SqliteStore) -> None:
    folder = Path(store._core.bells.folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")


def test_without_sockets_a_waiter_watches_for_commits(store: SqliteStore) -> None:
    _no_sockets(store)
    bell = store.bell("inbox/bob")
    assert isinstance(bell, WatchBell)
    assert bell.fileno() == -1
    assert not bell.wait(0)
    other = threading.Thread(target=_send, args=(store,))
    other.start()
    assert bell.wait(PATIENCE)
    other.join()
    bell.clear()
    assert not bell.wait(0)
    bell.poke()
    assert bell.wait(PATIENCE)
    bell.close()


def test_without_sockets_a_receiver_is_still_woken(store: SqliteStore) -> None:
    _no_sockets(store)
    bus, found, waits = Bus(store), list[str](), threading.Event()

    def receive() -> None:
        steps = bus.mail.receiving(Actor("bob"), bus.mail.filter(), wait=PATIENCE)
        try:
            while True:
                pause = next(steps)
                waits.set()
                pause.bell.wait(pause.seconds)
        except StopIteration as done:
            found.extend(one.message.id for one in done.value.deliveries)

    waiter = threading.Thread(target=receive)
    waiter.start()
    assert waits.wait(PATIENCE)
    sent = _send(store)
    waiter.join(PATIENCE)
    assert found == [sent]


def test_a_socket_that_nobody_empties_does_not_hold_up_a_sender(tmp_path: Path) -> None:
    bells = SocketBells(str(tmp_path / "bells"))
    with bells.listen(("k",)) as bell:
        for _ in range(2000):
            assert bells.ring(("k",)) == 1
        assert bell.wait(0)
        assert not bell.wait(0)
    bells.close()
    shutil.rmtree(bells.folder, ignore_errors=True)


@pytest.mark.parametrize("depth", [1, 60])
def test_bells_work_however_long_the_path_of_the_bus_is(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["deep"] * depth)
    listener, ringer = SocketBells(f"{folder}/bus.db-bells"), SocketBells(f"{folder}/bus.db-bells")
    with listener.listen(("inbox/bob",)) as bell:
        assert ringer.ring(("inbox/ada", "inbox/bob")) == 1
        assert bell.wait(PATIENCE)
    listener.close()
    ringer.close()
    shutil.rmtree(listener.folder, ignore_errors=True)
