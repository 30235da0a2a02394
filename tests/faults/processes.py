"""Other processes for the fault tests: started from a script, talked to by pipes, ended by id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 30.0
"""Seconds after which another process is given up."""

AS_NOBODY = """
import os, sys
import hubbub, hubbub.bus, hubbub.stores.sqlite, hubbub.wire, encodings.idna, hashlib, socket
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""
"""Put before a script whose rights must be those of a user: root may write anything."""


class Child:
    """A running script. Its standard output is read line by line; a line to it lets it go on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        """The next line that it writes."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def go(self) -> None:
        """Let it go on from where it waits for a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> None:
        """SIGSTOP it, and wait until it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def wait(self) -> int:
        """Its exit status."""
        return self.process.wait(PATIENCE)


@contextmanager
def child(script: str, *arguments: str) -> Iterator[Child]:
    """Start ``script``; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Child(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def output_of(script: str, *arguments: str) -> str:
    """What ``script`` printed; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
