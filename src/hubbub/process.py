"""Which process is this, and is that one still alive?

A process is named so that a reused process id is not taken for the process that had it
before: host, boot, process id and start time.
"""

from __future__ import annotations

import os
import sys


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "-"


def _started(pid: int) -> str | None:
    """The start time of ``pid`` in clock ticks since boot (field 22 of proc(5) stat); None when it
    can't be read, ``ended`` for a process that only waits to be collected."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            stat = file.read()
    except OSError:
        return None
    # The second field is the command in brackets and may itself hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return "ended" if state in "ZX" else started


def _host() -> str:
    host = os.uname().nodename.replace("/", "-") if hasattr(os, "uname") else "-"
    try:
        # Containers of one name may count their processes apart.
        return f"{host}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return host


def this_process() -> str:
    """The name of this process: ``host/boot/pid/start``; ``-`` stands for what can't be read."""
    pid = os.getpid()
    if pid not in _known:
        _known.clear()
        _known[pid] = f"{_host()}/{_boot()}/{pid}/{_started(pid) or '-'}"
    return _known[pid]


_known: dict[int, str] = {}


def is_gone(process: str) -> bool:
    """True only when ``process`` surely ended: same host, and no such process any more.

    What can't be read (a sandbox, no descriptors left, another container) is no evidence.
    """
    parts = process.split("/")
    if len(parts) != 4 or not parts[2].isdigit() or sys.platform == "win32":
        return False
    host, boot, pid, started = parts[0], parts[1], int(parts[2]), parts[3]
    here = this_process().split("/")
    if host != here[0] or "-" in (boot, here[1], here[3]):
        return False
    if boot != here[1]:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # another user's: it is there
    now = _started(pid)
    return "-" not in (started, now or "-") and now != started
