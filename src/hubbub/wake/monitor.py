"""``hubbub monitor``: a process that keeps an agent online and writes its notify log.

It takes nothing from the inbox. It holds no session: an agent's server may start and end beside it.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hubbub.bus.heart import keep_house
from hubbub.bus.pinging import Answerer
from hubbub.bus.waiting import LOOK_AGAIN_SECONDS
from hubbub.errors import HubbubError, MessageNotFound, NotRegistered, UnknownAgent
from hubbub.model_presence import Pong, Standing
from hubbub.names import new_token
from hubbub.process import this_process
from hubbub.wake.notify import line_of

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.stores.contract import Bell
    from hubbub.wake.notify import NotifyLog

SLOT = "monitor"
BEAT_SECONDS = 10.0
RETRY_SECONDS = 1.0
"""How often a log that can't be written, or a bus that can't be had, is tried again."""

PAGE = 200
HEAD_START_SECONDS = 0.25
"""A ping is left to the server of a live session for so long: that one knows more to say."""

UNSETTLED = ("queued", "leased")


class Moved(Exception):
    """The file of the bus is not the one that was opened."""


class Taken(Exception):
    """Another monitor stands by the agent."""

    def __init__(self, other: Standing) -> None:
        super().__init__()
        self.other = other


class Monitor:
    """Stands by one agent until stopped."""

    def __init__(
        self,
        open_bus: Callable[[], Bus],
        file: str,
        agent: str,
        log: NotifyLog,
        *,
        stop: int,
        complain: Callable[[str], None],
    ) -> None:
        """``file``: that of the bus. ``stop``: a descriptor that is readable when it is to end.
        ``complain`` is told once of each trouble, and of its end."""
        self._open_bus = open_bus
        self._file = file
        self._agent = agent
        self._log = log
        self._stop = stop
        self._complain = complain
        self._holder = new_token()
        self._troubles: dict[str, str] = {}
        self._position: int | None = None
        """The last event that needs no telling; None: to be found by the log."""
        self._only_waiting = 0
        """Up to this event a message is told only if it still waits: the log is new."""
        self._beat_at = 0.0
        self._bus: Bus | None = None
        self._inode: tuple[int, int] | None = None

    def begin(self) -> None:
        """Open the bus and stand by the agent.

        Raises:
            Taken: another monitor does already.
            HubbubError: the bus can't be opened, or nobody has the name.
        """
        there = self._there()
        if there != self._inode:
            self._inode, self._position = there, None
        bus = self._open_bus()
        try:
            bus.agents.get(self._agent)
            self._stand_by(bus)
        except BaseException:
            bus.close()
            raise
        self._bus = bus

    def run(self) -> None:
        """Do it until stopped.

        Raises:
            Taken: another monitor took over, while this process stood still.
            NotRegistered: the agent was unregistered.
        """
        while not self._stopped(0):
            try:
                if self._bus is None:
                    if self._there() is None:
                        raise Moved
                    self.begin()
                self._serve()
                self._let_go(write=True)
                return
            except Moved:
                self._trouble("bus", f"{self._file} was moved away or replaced")
                self._let_go(write=False)
            except (NotRegistered, UnknownAgent):
                self._let_go(write=False)
                raise
            except HubbubError as error:
                self._trouble("bus", error.message)
                self._let_go(write=False)
            except BaseException:
                self._let_go(write=True)
                raise
            self._stopped(RETRY_SECONDS)

    # --- the bus -----------------------------------------------------------------------------

    def _there(self) -> tuple[int, int] | None:
        try:
            state = os.stat(self._file)
        except OSError:
            return None
        return state.st_dev, state.st_ino

    def _check_here(self) -> None:
        """Raise Moved unless the file is the one that was opened: a write could damage one that took its
        place."""
        if self._there() != self._inode:
            raise Moved

    def _stand_by(self, bus: Bus) -> None:
        other = bus.presence.stand_by(self._agent, "monitor", slot=SLOT, how="", state="")
        if other is not None and other.process == this_process():
            bus.store.presence.step_down(other.id)  # of this monitor, in a copy that was put back
            other = bus.presence.stand_by(self._agent, "monitor", slot=SLOT, how="", state="")
        if other is not None:
            raise Taken(other)
        self._beat_at = time.monotonic()

    def _let_go(self, *, write: bool) -> None:
        bus, self._bus = self._bus, None
        if bus is None:
            return
        try:
            if write:
                bus.presence.step_down(self._agent, SLOT)
        except HubbubError:
            pass  # its time runs out by itself
        finally:
            bus.close()

    def _serve(self) -> None:
        bus = self._bus
        assert bus is not None
        pause = threading.Event()
        answerer = Answerer(bus.store, lambda name: self._pong(bus, name, pause))
        answerer.serve((self._agent,))
        try:
            with bus.store.bell(f"inbox/{self._agent}") as bell:
                while True:
                    self._check_here()
                    self._beat(bus)
                    done = self._tell(bus)
                    self._well("bus", f"{self._file} is there again")
                    if self._wait(bell, self._patience(done)):
                        return
        finally:
            pause.set()
            answerer.stop()

    def _beat(self, bus: Bus) -> None:
        if time.monotonic() - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at = time.monotonic()
        try:
            if not bus.presence.keep(self._agent, SLOT):
                self._stand_by(bus)
            keep_house(bus.store, bus.agents, self._holder)
        except (NotRegistered, UnknownAgent):
            raise
        except HubbubError as error:  # a full disk, say: what comes can be told all the same
            self._trouble("beat", error.message)
            return
        self._well("beat", f"{self._file} can be written again")

    def _pong(self, bus: Bus, name: str, pause: threading.Event) -> Pong:
        session = bus.store.agents.get(name).session
        if session is not None:
            pause.wait(HEAD_START_SECONDS)
        return Pong(
            by="monitor",
            session=None if session is None else session.id,
            client="" if session is None else session.client,
            idle_ms=None,
            state="writes the notify log" if "log" not in self._troubles else "can't write its notify log",
        )

    # --- the log -----------------------------------------------------------------------------

    def _tell(self, bus: Bus) -> bool:
        """Write what came into the log; whether all was written."""
        try:
            while self._page(bus):
                continue
        except OSError as error:
            self._trouble("log", f"{self._log.path} can't be written: {error.strerror or error}")
            return False
        self._well("log", f"{self._log.path} is written again; nothing was left out")
        return True

    def _page(self, bus: Bus) -> bool:
        """Write a page of lines; whether there may be more. Raises OSError: then it is still to be told."""
        # Read first: what is written meanwhile lies behind it and is looked at the next time.
        newest = bus.events.events(newest=True, limit=1)
        last = newest[-1].seq if newest else 0
        if self._position is None or self._position > last:  # the ledger of a copy that was put back
            self._find_place(bus, last)
        events = bus.events.events(
            after=self._position or 0, limit=PAGE, agent=self._agent, kinds=("message_sent",)
        )
        lines: list[tuple[str, str]] = []
        for event in events:
            # The agent's own sends are among them; one to several names no agent.
            if event.agent not in (None, self._agent) or event.message is None:
                continue
            if event.seq <= self._only_waiting and not self._waits(bus, event.message):
                continue
            try:
                message = bus.mail.message(event.message)
            except MessageNotFound:
                continue  # removed meanwhile
            if self._agent in message.recipients:
                lines.append((event.message, line_of(message)))
        if lines:
            self._log.append(lines)
        full = len(events) == PAGE
        self._position = events[-1].seq if full else max(last, events[-1].seq if events else 0)
        return full

    def _find_place(self, bus: Bus, last: int) -> None:
        """Go on behind the last message that the log has and this bus knows; without one, with what waits."""
        self._only_waiting = 0
        for id_ in self._log.told():
            try:
                sent = bus.events.events(message=id_, agent=self._agent, kinds=("message_sent",), limit=PAGE)
            except MessageNotFound:
                continue  # of the time after a copy was taken that was put back
            places = [event.seq for event in sent if event.agent in (None, self._agent)]
            if places:
                self._position = places[0]
                return
        self._position, self._only_waiting = 0, last

    def _waits(self, bus: Bus, id_: str) -> bool:
        try:
            places = bus.mail.whereabouts(id_).recipients
        except MessageNotFound:
            return False
        return any(place.agent == self._agent and place.state in UNSETTLED for place in places)

    # --- waiting and complaining ---------------------------------------------------------------

    def _patience(self, done: bool) -> float:
        left = max(0.05, self._beat_at + BEAT_SECONDS - time.monotonic())
        return min(left, LOOK_AGAIN_SECONDS if done else RETRY_SECONDS)

    def _wait(self, bell: Bell, seconds: float) -> bool:
        """Wait until the bell rings, at most so long; whether it is time to end."""
        if bell.fileno() < 0:
            bell.wait(min(seconds, RETRY_SECONDS))
            return self._stopped(0)
        poller = select.poll()
        poller.register(bell.fileno(), select.POLLIN)
        poller.register(self._stop, select.POLLIN)
        ready = {number for number, _ in poller.poll(seconds * 1000)}
        if bell.fileno() in ready:
            bell.clear()
        return self._stop in ready

    def _stopped(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._stop, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def _trouble(self, what: str, text: str) -> None:
        if self._troubles.get(what) != text:
            self._troubles[what] = text
            self._complain(f"{text.rstrip('.')}; trying again until it works.")

    def _well(self, what: str, text: str) -> None:
        if self._troubles.pop(what, None) is not None:
            self._complain(f"{text}.")
