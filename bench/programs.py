"""The ways to start Hubbub as a program, and the environment that it is started in."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NamedTuple

from bench.rows import Unmeasurable


class Program(NamedTuple):
    """One way to start it."""

    named: str
    command: tuple[str, ...]


def programs() -> list[Program]:
    """``python -m hubbub``, and the installed script where one lies beside the interpreter."""
    found = [Program("python -m hubbub", (sys.executable, "-m", "hubbub"))]
    script = os.path.join(os.path.dirname(sys.executable), "hubbub")
    if os.access(script, os.X_OK):
        found.append(Program("hubbub (script)", (script,)))
    return found


def environment(path: str, agent: str) -> dict[str, str]:
    """This process's environment, but that the bus and the agent are set for the run.

    Compiled modules may be written, as where it is installed: else each start would compile them anew.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUBBUB_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "HUBBUB_BUS": "sqlite://" + path, "HUBBUB_AGENT": agent}


def run_once(command: tuple[str, ...], environ: dict[str, str]) -> str:
    """Run it to its end; what it printed. Raises Unmeasurable when it fails."""
    done = subprocess.run(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Unmeasurable(f"{' '.join(command)} ended with {done.returncode}: {last}")
    return done.stdout
