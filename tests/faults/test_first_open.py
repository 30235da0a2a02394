"""Many processes that open one bus, and use it, at the moment it comes into being."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubbub.stores import open_store
from tests.faults.processes import PATIENCE

PROCESSES = 40

SCRIPT = """
import os, sys
import hubbub.bus, hubbub.stores.sqlite
from hubbub import connect
os.write(1, b".")
os.read(0, 1)
with connect(sys.argv[1]) as bus:
    bus.agents.register("bob")
    seat = bus.agents.join("a" + sys.argv[2])
    bus.mail.send(seat.actor, bus.mail.draft("bob", sys.argv[2]))
"""


@pytest.mark.xdist_group("heavy")
def test_forty_processes_open_a_new_bus_at_once(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/new/folder/bus.db"
    gate_out, gate_in = os.pipe()
    ready_out, ready_in = os.pipe()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, url, str(number)],
            stdin=gate_out,
            stdout=ready_in,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    os.close(gate_out)
    os.close(ready_in)
    ready = 0
    while ready < PROCESSES:
        seen = os.read(ready_out, PROCESSES)
        assert seen, "a process ended before the start"
        ready += len(seen)
    os.close(gate_in)  # all read the end of the pipe at once
    errors = [process.communicate(timeout=2 * PATIENCE)[1] for process in started]
    os.close(ready_out)
    assert errors == [""] * PROCESSES
    assert [process.returncode for process in started] == [0] * PROCESSES
    store = open_store(url, create=False)
    try:
        waiting = store.mail.peek("bob", limit=100).deliveries
        assert sorted(int(one.message.body) for one in waiting) == list(range(PROCESSES))
        assert store.check() == []
        assert len(store.agents.all()) == PROCESSES + 1
    finally:
        store.close()
    # Nobody made a copy of a bus that was not there yet.
    left = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert left <= {"bus.db", "bus.db-wal", "bus.db-shm", "bus.db-queue", "bus.db-bells"}
