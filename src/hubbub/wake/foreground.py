"""Whether what a terminal runs in its foreground is a shell, which would run a line as a command."""

from __future__ import annotations

import os
import subprocess

SHELLS = (
    "sh",
    "bash",
    "dash",
    "zsh",
    "fish",
    "ksh",
    "mksh",
    "ash",
    "busybox",
    "csh",
    "tcsh",
    "nu",
    "pwsh",
    "xonsh",
)
"""Names of programs that are shells."""

_PS_SECONDS = 2.0


def is_shell(group: int) -> bool:
    """Whether a process group is a shell and nothing else. A shell that runs a script is in one
    group with the program that it waits for: then it is that which reads."""
    members = _members(group)
    return bool(members) and all(name in SHELLS for name in members)


def command_of(pid: int) -> str:
    """The name of the program that a process runs; empty when that is not known."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _members(group: int) -> list[str]:
    """The names of the programs of a process group."""
    leader = command_of(group)
    if not leader and not os.path.exists("/proc/self/stat"):
        return _by_ps(group)
    if leader and leader not in SHELLS:
        return [leader]
    return [command_of(int(each)) for each in os.listdir("/proc") if each.isdigit() and _group(each) == group]


def _group(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[2])
    except (OSError, ValueError, IndexError):
        return 0


def _by_ps(group: int) -> list[str]:
    """The same where processes are not files."""
    try:
        done = subprocess.run(
            ["ps", "-A", "-o", "pgid=,comm="],
            capture_output=True,
            text=True,
            timeout=_PS_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.split(None, 1) for line in done.stdout.splitlines()]
    return [os.path.basename(row[1]).lstrip("-") for row in rows if len(row) == 2 and row[0] == str(group)]
