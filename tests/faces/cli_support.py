"""Real ``hubbub`` processes on a real bus."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import hubbub
from hubbub.bus import Bus
from hubbub.clock import ManualClock, SystemClock
from hubbub.faces.cli.context import CLIENT_MARKS
from hubbub.model_topics import OUTBOX_MAX
from hubbub.stores import open_store

DEADLINE = 30.0
SOURCE = str(Path(hubbub.__file__).parent.parent)


class Answer:
    """What a finished command left behind."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.status = done.returncode
        self.raw = done.stdout
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()
        assert "Traceback" not in self.err, self.err

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that the command answered with, on one line."""
        assert self.out.endswith("\n"), (self.out, self.err)
        assert self.out.count("\n") == 1, self.out
        value: dict[str, Any] = json.loads(self.out)
        return value

    @property
    def code(self) -> str:
        """The code of the error on standard error."""
        first = self.err.splitlines()[0]
        assert first.startswith("hubbub: "), self.err
        assert first.endswith("]"), self.err
        return first.rpartition("[")[2][:-1]


class Cli:
    """The command line on one bus in ``folder``."""

    def __init__(self, folder: Path, *agents: str) -> None:
        self.folder = folder
        self.path = folder / "bus.db"
        self.url = f"sqlite://{self.path}"
        # Nor what a client tells its shell: the tests may run in one.
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HUBBUB_") and name not in CLIENT_MARKS
        }
        self.env |= {"HUBBUB_BUS": self.url, "PYTHONPATH": SOURCE}
        if agents:
            with self.bus() as bus:
                for agent in agents:
                    bus.agents.register(agent)

    def bus(self, *, later: float | None = None) -> Bus:
        """The bus itself; with ``later`` by a clock that stands that many seconds from now."""
        clock = None if later is None else ManualClock(SystemClock().now() + int(later * 1000))
        return Bus(open_store(self.url, clock=clock))

    def run(
        self,
        *words: str,
        agent: str | None = None,
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        program: tuple[str, ...] = ("-m", "hubbub"),
    ) -> Answer:
        """Run ``hubbub`` with ``words`` to its end; ``program`` are Python's arguments before them."""
        acting = {} if agent is None else {"HUBBUB_AGENT": agent}
        done = subprocess.run(
            [sys.executable, *program, *words],
            input=stdin,
            capture_output=True,
            env={**self.env, **acting, **(env or {})},
            cwd=cwd or self.folder,
            timeout=DEADLINE * 2,
            check=False,
        )
        return Answer(done)

    def start(
        self, *words: str, agent: str, stdout: int | IO[Any] = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """Start ``hubbub`` and let it run."""
        return subprocess.Popen(
            [sys.executable, "-m", "hubbub", *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**self.env, "HUBBUB_AGENT": agent},
            cwd=self.folder,
        )

    def hold(self, agent: str) -> subprocess.Popen[bytes]:
        """A process that holds ``agent``'s name until it is ended."""
        script = (
            "import hubbub, sys; bus = hubbub.connect(); bus.agents.join(sys.argv[1]); "
            "print('in', flush=True); sys.stdin.read()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, agent],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        return process

    def send(self, to: str, body: str, *words: str, agent: str = "alice") -> str:
        """Send a message; its id."""
        sent = self.run("send", to, "-", "--json", *words, agent=agent, stdin=body.encode()).json
        return str(sent["id"])

    def state(self, id_: str, agent: str) -> tuple[str, int]:
        """The state of a delivery now, and how often it was handed out."""
        with self.bus() as bus:
            place = next(place for place in bus.mail.whereabouts(id_).recipients if place.agent == agent)
        return place.state, place.delivery_count

    def wait_for_state(self, id_: str, agent: str, state: str) -> None:
        """Block until the delivery is in ``state``: woken by the ledger's bell, up to the deadline."""
        end = time.monotonic() + DEADLINE
        with self.bus() as bus, bus.store.bell("events") as bell:
            while True:
                if any(
                    place.agent == agent and place.state == state
                    for place in bus.mail.whereabouts(id_).recipients
                ):
                    return
                left = end - time.monotonic()
                assert left > 0, f"{id_} is not {state} after {DEADLINE} s"
                bell.wait(min(left, 1.0))


def post(cli: Cli, topic: str, *bodies: str, agent: str = "alice") -> list[str]:
    """Post to a topic, which is made if it is not there; the ids. Without the command line: it is quick."""
    with cli.bus() as bus:
        actor = bus.agents.attach(agent)
        bus.topics.create(actor, topic)
        ids: list[str] = []
        for start in range(0, len(bodies), OUTBOX_MAX):
            outbox = tuple(bus.topics.post(body) for body in bodies[start : start + OUTBOX_MAX])
            ids += [posted.id for posted in bus.topics.sync(actor, topic, outbox).posted]
        return ids


def ageless(text: str) -> str:
    """``text`` with every ``just now`` and ``3 s ago`` as ``AGO``: how long a test takes is no matter."""
    return re.sub(r"\b(just now|\d+ (ms|s|min) ago)", "AGO", text)


def small_pipe() -> tuple[int, int]:
    """A pipe that holds one page, so that a writer of more blocks until somebody reads."""
    reading, writing = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    return reading, writing


def wait_until_listening(process: subprocess.Popen[bytes]) -> None:
    """Block until ``process`` has a socket: a command opens one only for a bell that it waits on."""
    end = time.monotonic() + DEADLINE
    while True:
        assert process.poll() is None, "it ended instead of waiting"
        folder = f"/proc/{process.pid}/fd"
        for name in os.listdir(folder):
            try:
                if os.readlink(f"{folder}/{name}").startswith("socket:"):
                    return
            except FileNotFoundError:
                continue
        assert time.monotonic() < end, "it never waited"
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue


def end(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> int:
    """Send a signal to a process of ours and wait for its end; its status."""
    if process.poll() is None:
        process.send_signal(number)
    return process.wait(DEADLINE)
