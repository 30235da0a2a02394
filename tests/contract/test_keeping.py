"""What a store keeps: across closing, for other processes, in a backup; and what it says of itself."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hubbub.errors import BackupFailed, StoreError
from hubbub.model import Draft
from hubbub.stores import open_store
from tests.contract.conftest import Place
from tests.contract.world import World


def test_what_was_accepted_is_there_after_closing_and_opening(world: World, place: Place) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = [world.send(ada, "bob", str(number)).id for number in range(3)]
    world.take(bob)
    other = open_store(place.url, clock=place.clock)
    try:
        assert other.mail.delivery("bob", sent[0]).state == "leased"
        assert [one.message.id for one in other.mail.receive(bob, limit=5).deliveries] == sent[1:]
    finally:
        other.close()
    world.store.close()
    again = open_store(place.url, clock=place.clock, create=False)
    try:
        assert again.agents.get("bob").leased == 3
        assert again.check() == []
    finally:
        again.close()
    world.store = open_store(place.url, clock=place.clock)


def test_what_was_accepted_survives_a_process_that_is_killed_right_after(world: World) -> None:
    _, bob = world.agents_named("ada", "bob")
    script = """
import os, signal, sys
from hubbub.model import Actor, Draft
from hubbub.stores import open_store
store = open_store(sys.argv[1])
sent = store.mail.send(Actor("ada"), Draft(("bob",), "last words"))
os.write(1, sent.id.encode())
os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", script, world.url], stdout=subprocess.PIPE, timeout=30)
    assert died.returncode < 0
    delivery = world.take_one(bob)
    assert delivery.message.id == died.stdout.decode()
    assert delivery.message.body == "last words"


def test_a_bus_that_is_not_there_is_not_made_unless_wanted(place: Place, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        open_store(place.url, clock=place.clock, create=False)
    assert list(tmp_path.iterdir()) == []


def test_using_a_closed_store_is_an_error(place: Place) -> None:
    store = open_store(place.url, clock=place.clock)
    store.close()
    store.close()
    with pytest.raises(StoreError):
        store.agents.all()


def test_one_store_serves_many_threads(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(10):
                world.mail.send(ada, Draft(("bob",), f"{number}/{count}"))
                world.mail.settle(bob, tuple(world.take(bob)))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(world.events("message_settled")) == 80
    assert world.agents.get("bob").queued == world.agents.get("bob").leased == 0


def test_threads_that_receive_at_once_never_share_a_message(world: World) -> None:
    ada = world.agent("ada")
    bob = world.seat("bob")
    sent = [world.send(ada, "bob", str(number)).id for number in range(60)]
    taken: list[str] = []

    def work() -> None:
        while ids := world.take(bob, limit=3):
            taken.extend(ids)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(taken) == sorted(sent)


def test_info(world: World, place: Place) -> None:
    ada, _ = world.agents_named("ada", "bob")
    before = world.store.info()
    world.send(ada, "bob")
    after = world.store.info()
    assert after.url == place.url
    assert after.store == place.url.partition(":")[0]
    assert after.format >= 1
    assert after.engine
    assert after.bytes > 0
    assert (after.messages, after.events) == (before.messages + 1, before.events + 1)


def test_now_is_the_stores_clock(world: World) -> None:
    before = world.store.now()
    world.clock.advance(77)
    assert world.store.now() == before + 77


def test_a_backup_is_a_whole_bus(world: World, tmp_path: Path) -> None:
    ada, bob = world.agents_named("ada", "bob")
    sent = [world.send(ada, "bob", str(number)).id for number in range(3)]
    world.take(bob)
    copy = tmp_path / "copies" / "backup.db"
    copy.parent.mkdir()
    size = world.store.backup(str(copy))
    assert size == copy.stat().st_size > 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in copy.parent.iterdir()] == ["backup.db"]
    world.send(ada, "bob", "after the backup")
    restored = open_store(f"sqlite://{copy}", create=False)
    try:
        assert restored.check() == []
        assert [one.message.id for one in restored.mail.peek("bob").deliveries] == sent[1:]
        assert [event.event for event in restored.ledger.events()].count("message_sent") == 3
    finally:
        restored.close()


def test_a_backup_never_overwrites(world: World, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    with pytest.raises(BackupFailed):
        world.store.backup(str(there))
    assert there.read_text() == "precious"


@pytest.mark.parametrize("path", ["missing/folder/backup.db", "."])
def test_a_backup_that_can_not_be_written(world: World, tmp_path: Path, path: str) -> None:
    with pytest.raises(BackupFailed):
        world.store.backup(os.path.join(str(tmp_path), path))


def test_a_backup_is_consistent_while_others_write(world: World, tmp_path: Path) -> None:
    ada, _ = world.agents_named("ada", "bob")
    stop, started = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            world.mail.send(ada, Draft(("bob",), f"number {number}"), key=f"k{number}")
            number += 1
            started.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(20)
        for number in range(5):
            world.store.backup(str(tmp_path / f"{number}.db"))
    finally:
        stop.set()
        writer.join(60)
    for number in range(5):
        copy = open_store(f"sqlite://{tmp_path}/{number}.db", create=False)
        try:
            assert copy.check() == []
            assert copy.agents.get("bob").queued == len(
                copy.ledger.events(kinds=("message_sent",), limit=10_000)
            )
        finally:
            copy.close()
