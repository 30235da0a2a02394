"""Agent Bus MCP, whose topics are the nearest to ours that can be installed: for figures in the same run.

It is installed from the package index into a folder of the run, and removed with it, when the run asks
for peers. Its C part refers to three functions that the C library has from version 2.38 on. Where they
are missing, and a C compiler is there, they are handed in by a library of three lines: they differ from
the old ones only in that they read binary numbers, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from typing import NamedTuple

from bench.rows import Run, Unmeasurable

PACKAGE = "agent-bus-mcp"
VERSION = "0.5.1"
"""The newest there was when this was written, and the one that the figures are of."""

NEEDS = (3, 12)
"""The oldest Python that it runs on."""

INSTALL_SECONDS = 300

_LOOK = "import sys; print(sys.executable, *sys.version_info[:2])"

_MISSING = "__isoc23_"

_FUNCTIONS = """
#include <stdlib.h>
#define NEW(type, old) type __isoc23_##old(const char *s, char **end, int base) { return old(s, end, base); }
NEW(long, strtol)
NEW(long long, strtoll)
NEW(unsigned long long, strtoull)
"""


class Peer(NamedTuple):
    """The installed program."""

    command: str
    preload: str | None
    """A library that it must be started with."""
    note: str

    def environment(self, path: str) -> dict[str, str]:
        """What it is started in, with its database at ``path``. Without its indexing by meaning, which
        would have a model downloaded and computed beside the messages."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENT_BUS_")}
        kept.update(AGENT_BUS_DB=path, AGENT_BUS_EMBEDDINGS_AUTOINDEX="0", HOME=os.path.dirname(path))
        return kept if self.preload is None else {**kept, "LD_PRELOAD": self.preload}


def agent_bus(run: Run) -> Peer:
    """The peer, installed; once for all rows of a run.

    Raises:
        Unmeasurable: it can't be installed or does not start here, and why.
    """
    if run.peers is None:
        raise Unmeasurable("peers are measured when asked for, with --peers")
    run.say(f"installing {PACKAGE} {VERSION} (for this run)")
    return _installed(run.folder, run.peers)


@cache
def _installed(folder: str, python: str) -> Peer:
    place = os.path.join(folder, "peer-agent-bus")
    _run((python or _find_python(), "-m", "venv", place), "a virtual environment can't be made")
    within = os.path.join(place, "bin", "python")
    install = (within, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run((*install, f"{PACKAGE}=={VERSION}"), f"{PACKAGE} {VERSION} can't be installed")
    peer = Peer(os.path.join(place, "bin", "agent-bus"), None, f"{PACKAGE} {VERSION}")
    fault = _start(peer, place)
    if _MISSING in fault:
        peer = _with_functions(peer, place, fault)
        fault = _start(peer, place)
    if fault:
        raise Unmeasurable(f"{PACKAGE} {VERSION} does not start here: {fault}")
    return peer


def _start(peer: Peer, folder: str) -> str:
    """Why it does not start; empty when it does."""
    environ = peer.environment(os.path.join(folder, "start.sqlite"))
    done = subprocess.run(
        (peer.command, "cli", "topics", "list"),
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]


def _with_functions(peer: Peer, folder: str, fault: str) -> Peer:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Unmeasurable(f"{peer.note} does not start here, and no C compiler is there to help: {fault}")
    source, library = os.path.join(folder, "functions.c"), os.path.join(folder, "functions.so")
    with open(source, "w", encoding="ascii") as file:
        file.write(_FUNCTIONS)
    compile_ = (compiler, "-shared", "-fPIC", "-O2", "-o", library, source)
    _run(compile_, "the missing functions can't be compiled")
    helped = "with three functions handed in that this C library lacks"
    return peer._replace(preload=library, note=f"{peer.note}, {helped}")


def _find_python() -> str:
    """An interpreter that is new enough: this one, or one on the path."""
    names = [sys.executable, "python3", "python3.14", "python3.13", "python3.12"]
    for name in names:
        try:
            done = subprocess.run(
                (name, "-c", _LOOK), capture_output=True, text=True, timeout=20, check=False
            )
        except OSError:
            continue
        found = done.stdout.split()
        if done.returncode == 0 and tuple(map(int, found[-2:])) >= NEEDS:
            return name
    raise Unmeasurable(
        f"{PACKAGE} needs Python {NEEDS[0]}.{NEEDS[1]}, and none is on the path (name one: --peers PYTHON)"
    )


def _run(command: tuple[str, ...], trouble: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unmeasurable(f"{trouble}: {error}") from None
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Unmeasurable(f"{trouble}: {last}")
