"""Running a program when mail came: once for each batch, without a shell.

For what can be woken by neither keys nor hooks: the program does it, a desktop notice or a call of some
service. It is told how much waits, and nothing that a message says.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import IO

from hubbub.errors_wake import CommandNotFound, CommandNotRunnable
from hubbub.text import safe_line
from hubbub.wake.ring import Waiting

TOLD_MAX = 160


def run_once(command: list[str], waiting: Waiting, environment: dict[str, str], timeout: float) -> str:
    """Run ``command``; empty when it ended well, else what went wrong.

    ``HUBBUB_COUNT`` and ``HUBBUB_URGENT`` in its environment say how many messages wait and how many of
    them are urgent. It and what it started are killed after ``timeout`` seconds.

    Raises:
        CommandNotFound, CommandNotRunnable: it can't be run at all.
    """
    told = {"HUBBUB_COUNT": str(waiting.total), "HUBBUB_URGENT": str(waiting.urgent)}
    # A file: what it leaves running may hold a pipe open for ever.
    with tempfile.TemporaryFile() as errors:
        process = _start(command, environment | told, errors)
        try:
            process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            return f"it did not end within {timeout:g} s and was killed"
        finally:
            _end(process)
        if process.returncode == 0:
            return ""
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - TOLD_MAX))
        last = safe_line(errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2], TOLD_MAX)
    how = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
    return f"it ended with {how}" + (f": {last}" if last else "")


def _start(command: list[str], environment: dict[str, str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError):
        raise CommandNotFound(f"There is no program {command[0]!a}.") from None
    except OSError as error:
        raise CommandNotRunnable(f"{command[0]!a} can't be run: {error.strerror}.") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and its group, if it is there still; what it left running in peace is left."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
