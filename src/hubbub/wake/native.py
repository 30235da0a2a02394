"""Waking an idle session of Codex by ``codex queue``, from the process that serves its agent.

Codex has no hook that waits in the background. Its session is named by the thread id that comes with its tool
calls, or that its hooks kept with the agent. Nothing here can fail a send: what becomes of a try is kept on
the bus, for the sender to see.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from hubbub.errors import HubbubError
from hubbub.wake.ringing import GATHER_SECONDS, Ring, Session

if TYPE_CHECKING:
    from hubbub.bus import Bus, Seat
    from hubbub.stores.contract import Bell

SLOT = "codex"
HOW = "codex queue"
LOOK_AGAIN_SECONDS = 5.0
BEAT_SECONDS = 10.0

QUIET_SECONDS = 3.0
"""How long the agent must have called no tool: one that is at work sees its mail by itself."""

COMMAND_SECONDS = 30.0
"""How long ``codex queue`` may take."""

DETAIL_MAX = 300


class Outcome(NamedTuple):
    """What became of a try."""

    worked: bool
    detail: str


class CodexWaker:
    """A thread that wakes a Codex session for new mail until it is stopped."""

    def __init__(
        self,
        bus: Bus,
        whose: Callable[[], Seat | None],
        busy_for: Callable[[], float | None],
        *,
        queue: Callable[[str, str], Outcome] | None = None,
        gather: float = GATHER_SECONDS,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        """``whose`` gives the seat of the agent; ``busy_for`` the seconds since its last tool call ended, or
        None while one is under way; ``queue`` hands a text to a thread (:func:`codex_queue`)."""
        self._bus = bus
        self._whose = whose
        self._busy_for = busy_for
        self._queue = queue or codex_queue
        self._gather = gather
        self._quiet = quiet
        self._url = bus.info().url
        self._stopped = threading.Event()
        self._bell: Bell | None = None
        self._beat_at = 0.0
        self._state = ""
        self._rang = ""
        self._thread = threading.Thread(target=self._run, name="hubbub-waker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait until it has stopped."""
        self._stopped.set()
        bell = self._bell
        if bell is not None:
            bell.poke()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.is_set():
            seat = self._whose()
            if seat is None:
                self._stopped.wait(1.0)
                continue
            try:
                self._watch(seat)
            except HubbubError:
                self._stopped.wait(1.0)  # a busy bus: it is asked again

    def _watch(self, seat: Seat) -> None:
        """Wait for mail as long as the agent has this name."""
        name = seat.agent.name
        try:
            with self._bus.store.bell(f"inbox/{name}") as bell:
                self._bell = bell
                while not self._stopped.is_set() and self._whose() == seat:
                    bell.wait(self._look(name, seat.session))
        finally:
            self._bell = None
            self._step_down(name)

    def _look(self, name: str, session: str) -> float:
        """Wake the session if there is need to; the seconds after which to look again without a ring."""
        held = self._bus.store.agents.get(name).session
        thread = held.client_session if held is not None and held.id == session else ""
        state = self._rang or "waits for mail"
        self._beat(name, state if thread else "was not told the client's session yet")
        target = Session(self._url, name, "codex", thread)
        if not thread or not target.due(self._bus):
            return LOOK_AGAIN_SECONDS
        if self._stopped.wait(self._gather):
            return 0.0
        busy_for = self._busy_for()
        if busy_for is None or busy_for < self._quiet:
            return self._quiet
        ring = target.take(self._bus)
        if ring is not None:
            self._wake(name, thread, ring)
        return LOOK_AGAIN_SECONDS

    def _wake(self, name: str, thread: str, ring: Ring) -> None:
        outcome = self._queue(thread, ring.text)
        presence = self._bus.presence
        presence.woke(name, HOW, worked=outcome.worked, detail=outcome.detail, message=ring.message)
        now = time.strftime("%H:%M")
        self._rang = f"rang {now}" if outcome.worked else f"could not ring {now}: {outcome.detail}"
        self._beat(name, self._rang)

    def _beat(self, name: str, state: str) -> None:
        """Be shown beside the agent."""
        now = time.monotonic()
        if state == self._state and now - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at, self._state = now, state
        if not self._bus.presence.keep(name, SLOT, state):
            self._bus.presence.stand_by(name, "server", slot=SLOT, how=HOW, state=state)

    def _step_down(self, name: str) -> None:
        self._state = ""
        try:
            self._bus.presence.step_down(name, SLOT)
        except HubbubError:
            return  # it runs out by itself


def codex_queue(thread: str, text: str) -> Outcome:
    """Give ``text`` to a thread of Codex as its next prompt."""
    import subprocess

    program = codex_program()
    if program is None:
        return Outcome(False, "codex was not found on PATH")
    environment = {**os.environ, **_codex_home()}
    try:
        done = subprocess.run(
            [program, "queue", "--thread", thread, "--message", text],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(False, f"codex queue did not end within {COMMAND_SECONDS:g} s; it may have worked")
    except OSError as error:
        return Outcome(False, f"codex queue could not be run: {error.strerror}")
    if done.returncode == 0:
        return Outcome(True, "")
    said = done.stderr.decode("utf-8", "replace").strip().replace("\n", " ")[:DETAIL_MAX]
    return Outcome(False, f"codex queue ended with {done.returncode}: {said}")


def codex_program() -> str | None:
    """The Codex that started this process, else the one on PATH."""
    import shutil

    try:
        parent = os.readlink(f"/proc/{os.getppid()}/exe")
    except OSError:
        parent = ""
    if os.path.basename(parent) == "codex" and os.access(parent, os.X_OK):
        return parent
    return shutil.which("codex")


def _codex_home() -> dict[str, str]:
    """Where Codex keeps its things, which it does not tell its servers."""
    if "CODEX_HOME" in os.environ:
        return {}
    try:
        with open(f"/proc/{os.getppid()}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return {}
    for variable in variables:
        name, mark, value = variable.partition(b"=")
        if name == b"CODEX_HOME" and mark:
            return {"CODEX_HOME": os.fsdecode(value)}
    return {}
