"""Other programs at the same file, and copies put in its place."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import apsw

import hubbub
from hubbub.process import is_gone, this_process

LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute("select count(*) from agents").fetchone() == (1,)
db.close()
"""


def journal_mode(path: Path) -> str:
    db = apsw.Connection(str(path))
    mode = str(db.pragma("journal_mode"))
    db.close()
    return mode


def test_a_second_opening_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Closing any descriptor of a file drops this process's locks on it; then another program that
    leaves takes the log away, and what is accepted afterwards is lost."""
    url = f"sqlite://{tmp_path}/bus.db"
    with hubbub.connect(url) as bus:
        bus.agents.register("ada")
        hubbub.connect(url).close()
        subprocess.run([sys.executable, "-c", LOOK, f"{tmp_path}/bus.db"], check=True, timeout=30)
        sent = bus.mail.send(bus.agents.attach("ada"), bus.mail.draft("ada", "still there"))
        with sqlite3.connect(f"file:{tmp_path}/bus.db?mode=ro", uri=True) as other:
            assert other.execute("select count(*) from messages").fetchone() == (1,)
        other.close()
        assert bus.mail.message(sent.id).body == "still there"


def test_a_restored_copy_gets_its_log_again(tmp_path: Path) -> None:
    with hubbub.connect(f"sqlite://{tmp_path}/bus.db") as bus:
        bus.agents.register("ada")
        bus.backup(str(tmp_path / "copy.db"))
    shutil.copy(tmp_path / "copy.db", tmp_path / "restored.db")
    with hubbub.connect(f"sqlite://{tmp_path}/restored.db") as bus:
        bus.mail.send(bus.agents.attach("ada"), bus.mail.draft("ada", "x"))
        assert journal_mode(tmp_path / "restored.db") == "wal"
        assert bus.check() == []


def test_links_to_a_bus_lead_to_one_queue_and_one_set_of_bells(tmp_path: Path) -> None:
    os.symlink(tmp_path / "bus.db", tmp_path / "link.db")
    with (
        hubbub.connect(f"sqlite://{tmp_path}/bus.db") as real,
        hubbub.connect(f"sqlite://{tmp_path}/link.db") as linked,
        linked.store.bell("inbox/ada") as bell,
    ):
        real.agents.register("ada")
        real.mail.send(real.agents.attach("ada"), real.mail.draft("ada", "x"))
        assert bell.wait(5)
    assert not (tmp_path / "link.db-queue").exists()


def test_what_cannot_be_read_of_a_process_is_no_evidence_that_it_ended() -> None:
    host, boot, pid, started = this_process().split("/")
    assert not is_gone(this_process())
    for doubtful in (f"{host}/-/{pid}/{started}", f"{host}/{boot}/{pid}/-", "other/x/1/1", "rubbish"):
        assert not is_gone(doubtful)
    assert is_gone(f"{host}/another-boot/{pid}/{started}")
    assert is_gone(f"{host}/{boot}/{pid}/1")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        child.wait(30)
    assert is_gone(f"{host}/{boot}/{child.pid}/123")
