"""``hubbub hook CLIENT wait``: waits beside a session until mail comes, wakes it, and ends.

Claude Code starts it as a hook with ``asyncRewake``: it runs in the background, and when it ends with 2,
what it wrote to standard error gives the idle session a turn. OpenCode's plugin reads the line from standard
output. One waits per session: a newer one takes the place of an older. It ends with the client.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from hubbub.errors import BusNotFound, HubbubError, NotRegistered, UnknownAgent
from hubbub.names import new_token
from hubbub.wake.company import Company, Over
from hubbub.wake.hooks import identity
from hubbub.wake.hooks.folders import log
from hubbub.wake.hooks.memory import recall
from hubbub.wake.ringing import GATHER_SECONDS, Ring, Session

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.model import Agent
    from hubbub.wake.hooks.entry import Line
    from hubbub.wake.hooks.occasion import Occasion

FIND_SECONDS = 120.0
"""How long it waits for the client's server to make the agent known."""

LOOK_AGAIN_SECONDS = 5.0
"""It looks again this often: a bell is only a hint."""

BEAT_SECONDS = 10.0

WOKEN = {"claude": 2}
"""What it exits with when it rings, if not with 0."""

HOW = {"claude": "wakes the idle session (asyncRewake)", "opencode": "wakes the idle session (plugin)"}


def _is_never_idle() -> bool:
    """Whether Claude Code runs one prompt to its end (``claude -p``, its SDK): it then waits for every hook
    before its first turn, and has no idle session to wake."""
    return os.environ.get("CLAUDE_CODE_ENTRYPOINT", "").startswith("sdk")


def wait(line: Line) -> int:
    """Wait for mail; the exit status."""
    from hubbub.wake.hooks.entry import occasion_of
    from hubbub.wake.hooks.reading import read_input

    if line.client == "claude" and _is_never_idle():
        return 0

    _end_on_signals()
    company = Company.of_client(os.getpid(), os.environ.get("CLAUDE_PID"))
    occasion = occasion_of(line, read_input(0))
    if occasion is None:
        return 0
    try:
        ring = _wait(line, occasion, company)
    except Over as over:
        if str(over):
            log(f"{line.client} wait: {over}")
        return 0
    if line.client == "claude":
        os.write(2, ring.text.encode() + b"\n")
    else:
        os.write(1, ring.text.encode() + b"\n")
    return WOKEN.get(line.client, 0)


def _wait(line: Line, occasion: Occasion, company: Company) -> Ring:
    from hubbub.bus import Bus
    from hubbub.location import find_bus
    from hubbub.stores import open_store

    place = find_bus(line.bus, occasion.project or None)
    end = time.monotonic() + FIND_SECONDS
    while True:
        try:
            store = open_store(place.url, create=False)
            break
        except BusNotFound:
            company.rest(1.0, until=end)  # the client's server makes it when it starts
    with Bus(store) as bus:
        agent = _find(bus, occasion, line.agent, company, end)
        identity.keep_session(bus, agent, occasion)
        session = Session(place.url, agent.name, occasion.client, occasion.session)
        return Waiter(bus, session, company).run()


def _find(bus: Bus, occasion: Occasion, named: str | None, company: Company, end: float) -> Agent:
    """The agent of the session, once its server has registered it."""
    with bus.store.bell("agents") as bell:
        while True:
            agent = identity.find(bus, occasion, named)
            if agent is not None:
                return agent
            company.wait(bell, LOOK_AGAIN_SECONDS, until=end)


class Waiter:
    """A process that waits beside one session."""

    def __init__(self, bus: Bus, session: Session, company: Company) -> None:
        self._bus = bus
        self._session = session
        self._company = company
        self._token = new_token()
        self._slot = f"waiter {session.client} {session.session[:40]}".rstrip()
        self._beat_at = 0.0

    def run(self) -> Ring:
        """Wait for mail that the session was not told of.

        Raises:
            Over: the client ended, another waiter took this one's place, or the session is over.
        """
        self._take_place()
        try:
            with self._bus.store.bell(f"inbox/{self._session.agent}") as bell:
                while True:
                    try:
                        ring = self._look()
                    except (NotRegistered, UnknownAgent):
                        raise Over("the agent left the bus") from None
                    except HubbubError:
                        ring = None  # a busy bus: it is asked again
                    if ring is not None:
                        return ring
                    self._company.wait(bell, LOOK_AGAIN_SECONDS)
        finally:
            self._step_down()

    def _look(self) -> Ring | None:
        self._check_place()
        self._bus.store.agents.get(self._session.agent)
        self._beat()
        if not self._session.due(self._bus):
            return None
        self._company.rest(GATHER_SECONDS)
        self._check_place()
        ring = self._session.take(self._bus)
        if ring is not None:
            how = f"{self._session.client} waiter"
            try:
                self._bus.presence.woke(self._session.agent, how, worked=True, message=ring.message)
            except HubbubError:
                return ring  # it wakes all the same
        return ring

    def _take_place(self) -> None:
        known = recall(*self._session)
        if known is None:
            raise Over("what the session was told can't be remembered")
        with known:
            known.waiter = self._token
            if not known.save():
                raise Over("what the session was told can't be remembered")

    def _check_place(self) -> None:
        known = recall(*self._session, create=False)
        if known is None:
            return  # a hook of the session is at it
        with known:
            if known.waiter != self._token:
                raise Over

    def _beat(self) -> None:
        """Be shown beside the agent."""
        now = time.monotonic()
        if now - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at = now
        name, presence = self._session.agent, self._bus.presence
        if not presence.keep(name, self._slot):
            how = HOW.get(self._session.client, "wakes the idle session")
            presence.stand_by(name, "waiter", slot=self._slot, how=how, state="waits for mail")

    def _step_down(self) -> None:
        try:
            self._bus.presence.step_down(self._session.agent, self._slot)
        except HubbubError:
            return  # it runs out by itself


def _end_on_signals() -> None:
    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(0)

    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
