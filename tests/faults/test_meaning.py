"""Vectors are computed by processes that may end at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import pytest

import hubbub
from hubbub.bus import Bus
from hubbub.bus.meaning import MODEL, Meaning
from hubbub.clock import ManualClock
from hubbub.errors import BusBusy, BusFull
from hubbub.model import Actor
from hubbub.stores import open_store
from tests import needs
from tests.faults.test_disk import small_disk  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]
LEASE_MS = 60_000


@pytest.fixture(autouse=True)
def _extra() -> None:
    needs.semantic()


@contextmanager
def indexer(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process that computes vectors for a serving one."""
    child = subprocess.Popen(
        [sys.executable, "-m", "hubbub.bus.meaning_child", "index", url],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def filled(path: Path, count: int) -> str:
    """A bus with ``count`` messages, half mail and half posts; its URL."""
    url = f"sqlite://{path}/bus.db"
    with hubbub.connect(url) as bus:
        bus.agents.join("ada")
        bus.agents.join("bob", inbox_limit=10_000)
        bus.topics.create(Actor("ada"), "build")
        for start in range(0, count // 2, 50):
            numbers = range(start, min(start + 50, count // 2))
            outbox = tuple(bus.topics.post(f"post {number} of the storm") for number in numbers)
            bus.topics.sync(Actor("ada"), "build", outbox)
            for number in numbers:
                bus.mail.send(Actor("ada"), bus.mail.draft("bob", f"mail {number} of the storm"))
    return url


def later(url: str, leases: int) -> Bus:
    """The bus, so much later that the leases of dead processes ran out."""
    now = int(time.time() * 1000) + leases * (LEASE_MS + 1)
    return Bus(open_store(url, clock=ManualClock(now)))


def owners(path: Path) -> Counter[tuple[str, int]]:
    """Whose vectors there are, and how many of each."""
    db = apsw.Connection(str(path / "bus.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found: Counter[tuple[str, int]] = Counter()
    for source, numbers in db.execute("SELECT source, numbers FROM meaning_blocks"):
        for at in range(0, len(numbers), 8):
            found[source, int.from_bytes(numbers[at : at + 8], "little")] += 1
    db.close()
    return found


def test_killed_again_and_again_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    count = 600
    url = filled(tmp_path, count)
    chance = random.Random(7)
    kills = 0
    with hubbub.connect(url) as bus:
        for _ in range(5):
            before = bus.search.meaning.progress()
            if not before.behind:
                break
            with indexer(url) as child:
                deadline = time.monotonic() + 60
                # Killed somewhere within the first batches that it keeps.
                while bus.search.meaning.progress().done == before.done and child.poll() is None:
                    assert time.monotonic() < deadline
                    time.sleep(0.002)
                time.sleep(chance.uniform(0, 0.1))
                child.send_signal(signal.SIGKILL)
                child.wait()
                kills += 1
            done = bus.search.meaning.progress()
            assert done.done + done.behind == count
            assert done.done > before.done
            # The lease of the killed one runs out.
            bus.store.search.release_meaning(_holder(tmp_path))
    assert kills > 1
    with later(url, 1) as bus:
        assert bus.search.meaning.index() == (count, 0)
        assert bus.check() == []
        found = owners(tmp_path)
        assert len(found) == count
        assert set(found.values()) == {1}
        assert bus.search.meaning.status().failed == ()
        assert len(bus.search.search("storm", mode="meaning", limit=100).hits) == 100


def _holder(path: Path) -> str:
    db = apsw.Connection(str(path / "bus.db"), flags=apsw.SQLITE_OPEN_READONLY)
    ((holder,),) = db.execute("SELECT holder FROM duties WHERE duty = 'meaning'")
    db.close()
    return str(holder)


def test_the_lease_of_a_killed_process_runs_out(tmp_path: Path) -> None:
    url = filled(tmp_path, 40)
    with hubbub.connect(url) as bus:
        assert bus.store.search.unread_meaning("killed", MODEL)
        assert bus.search.meaning.index() == (0, 40)
    with later(url, 1) as bus:
        assert bus.search.meaning.index() == (40, 0)


def test_a_stopped_process_that_goes_on_changes_nothing(tmp_path: Path) -> None:
    url = filled(tmp_path, 400)
    with indexer(url) as child, hubbub.connect(url) as bus:
        deadline = time.monotonic() + 60
        while not bus.search.meaning.progress().done:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        with later(url, 1) as other:
            stop_outside_of_a_write(child, bus)
            try:
                finished = other.search.meaning.index()
            finally:
                child.send_signal(signal.SIGCONT)
            assert finished == (400, 0)
        child.wait(timeout=60)
        assert bus.search.meaning.progress() == (400, 0)
    assert set(owners(tmp_path).values()) == {1}


def stop_outside_of_a_write(child: subprocess.Popen[bytes], bus: Bus) -> None:
    """Stop the process at a moment when it does not hold up every writer."""
    for _ in range(50):
        bus.store.search.release_meaning("nobody")  # a write of ours, and so none of its
        child.send_signal(signal.SIGSTOP)
        with suppress(BusBusy):
            bus.store.search.release_meaning("nobody")
            return
        child.send_signal(signal.SIGCONT)
    raise AssertionError("it was always writing")


def test_a_full_disk_keeps_nothing_half_done(small_disk: Path, tmp_path: Path) -> None:  # noqa: F811
    url = f"sqlite://{small_disk}/bus.db"
    (small_disk / "ballast").write_bytes(bytes(400_000))
    with hubbub.connect(url) as bus:
        bus.agents.join("ada")
        bus.agents.join("bob")
        sent = 0
        with suppress(BusFull):
            while sent < 1000:
                bus.mail.send(Actor("ada"), bus.mail.draft("bob", "x" * 20_000))
                sent += 1
        with pytest.raises(BusFull):
            bus.search.meaning.index()
        kept = bus.search.meaning.progress()
        assert kept.done + kept.behind == sent
        assert kept.behind > 0
        assert len(owners(small_disk)) == kept.done
        # What can't be written does not keep from finding what is there.
        assert len(bus.search.search("x" * 200, limit=100, mode="meaning").hits) == kept.done
        bus.backup(str(tmp_path / "bus.db"))
    with later(f"sqlite://{tmp_path}/bus.db", 1) as bus:
        assert bus.search.meaning.index() == (sent, 0)
        assert bus.check() == []
    # The messages are the same, and each is in there once.
    assert len(set(owners(tmp_path).values())) == 1


def test_several_at_once_share_the_work_without_doubling_it(tmp_path: Path) -> None:
    url = filled(tmp_path, 300)
    with indexer(url) as first, indexer(url) as second, indexer(url) as third:
        for child in (first, second, third):
            assert child.wait(timeout=100) == 0
    with hubbub.connect(url) as bus:
        assert bus.search.meaning.progress() == (300, 0)
    found = owners(tmp_path)
    assert len(found) == 300
    assert set(found.values()) == {1}


def test_a_backup_holds_the_vectors(tmp_path: Path) -> None:
    url = filled(tmp_path, 20)
    with hubbub.connect(url) as bus:
        bus.search.meaning.index()
        bus.backup(str(tmp_path / "copy.db"))
    with hubbub.connect(f"sqlite://{tmp_path}/copy.db") as copy:
        assert copy.search.meaning.progress() == (20, 0)
        assert len(Meaning(copy.store).find("the storm").hits) == 20
