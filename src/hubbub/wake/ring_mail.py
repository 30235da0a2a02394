"""The mail that waits for an agent, watched from beside it on a thread of its own.

The bus may be locked or gone for a while: whoever serves a terminal can't wait for it. What is found is
handed over through a pipe; what is to be told to the bus is left here and told when it can be.
Nothing is ever taken from the inbox.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from hubbub.errors import HubbubError, MessageNotFound, UnknownAgent
from hubbub.wake.ring import Outcome, Waiting

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.model import Event
    from hubbub.model_presence import Pong, Standing
    from hubbub.stores.contract import Bell

WOKEN = "agent_woken"
WAKERS = (("waiter", None), ("server", "codex"))
"""Kinds, and slots where not any will do, of what wakes a session by itself: one message is one turn."""

ARRIVALS = ("message_sent", "message_released", "lease_expired", "message_retried")
"""Events after which a message can be had that could not be had before."""

LOOK_AGAIN_SECONDS = 5.0
FLOOD_SECONDS = 0.02
OVERDUE_SECONDS = 1.0
"""What fell due is brought back by whoever keeps house; it is looked for this often until then."""

KEEP_SECONDS = 10.0
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
PAGE = 500
TYPISTS = ("wrapper", "tmux")
"""Kinds of what types into a terminal."""

URGENT_MAX = 20


class Beside:
    """What stands by an agent: its kind, the slot that it fills, and how it wakes."""

    def __init__(self, agent: str, kind: str, slot: str, how: str) -> None:
        self.agent, self.kind, self.slot, self.how = agent, kind, slot, how


class Mailbox:
    """Watches an agent's inbox and stands by the agent, until stopped."""

    def __init__(self, open_bus: Callable[[], Bus], beside: Beside) -> None:
        """``open_bus`` is called on the mailbox's thread, again after each failure."""
        self._open_bus = open_bus
        self._beside = beside
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._first = threading.Event()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        os.set_blocking(self._reading, False)
        self._waiting = Waiting(0)
        self._outcomes: deque[Outcome] = deque(maxlen=20)
        self._state = ""
        self._active_at = time.monotonic()
        self._bell: Bell | None = None
        self.problem: HubbubError | None = None
        """Why the bus can't be had at the moment."""
        self.other: Standing | None = None
        """Who fills the slot already; then nothing is watched."""
        self._mail = _Arrivals(beside.agent)
        self._thread = threading.Thread(target=self._run, name="hubbub-mailbox", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def begun(self, seconds: float) -> bool:
        """Wait until the bus was reached, or was found not to be; False when neither is known in time."""
        return self._first.wait(seconds)

    def fileno(self) -> int:
        """Readable when something is new."""
        return self._reading

    def take(self) -> Waiting:
        """What waits now; :meth:`fileno` is quiet until that changes."""
        with suppress(OSError):
            while os.read(self._reading, 512):
                pass
        with self._lock:
            return self._waiting

    def tell(self, state: str, active_at: float) -> None:
        """Say what is done at the moment, and when the agent did something last (monotonic seconds)."""
        with self._lock:
            changed, self._state = state != self._state, state
            self._active_at = active_at
        if changed:
            self._poke()

    def woke(self, outcome: Outcome) -> None:
        """Say what became of a try to wake the agent."""
        with self._lock:
            self._outcomes.append(outcome)
        self._poke()

    def stop(self, seconds: float = 2.0) -> None:
        """Stand by no more. A bus that can't be had is not waited for longer than ``seconds``."""
        self._stop.set()
        self._poke()
        if self._thread.is_alive():
            self._thread.join(timeout=seconds)
        if not self._thread.is_alive():
            os.close(self._reading)
            os.close(self._writing)

    def _poke(self) -> None:
        bell = self._bell
        if bell is not None:
            with suppress(OSError):
                bell.poke()

    def _signal(self) -> None:
        with suppress(OSError):
            os.write(self._writing, b"!")

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with self._open_bus() as bus:
                    if not self._enter(bus):
                        return
                    failures = 0
                    self._watch(bus)
            except HubbubError as error:
                self.problem = error
            except Exception as error:  # nothing here may end what is wrapped
                self.problem = HubbubError(f"{type(error).__name__}: {error}")
            self._first.set()
            self._signal()
            if self._stop.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]):
                return
            failures += 1

    def _enter(self, bus: Bus) -> bool:
        """Make the agent known and stand by it; False when another process does that already."""
        beside = self._beside
        try:
            bus.store.agents.get(beside.agent)
        except UnknownAgent:
            bus.agents.register(beside.agent)
        self.other = bus.presence.stand_by(
            beside.agent, beside.kind, slot=beside.slot, how=beside.how, state=self._state
        )
        self.problem = None
        if self.other is not None:
            self._first.set()
            self._signal()
        return self.other is None

    def _watch(self, bus: Bus) -> None:
        from hubbub.bus.heart import keep_house
        from hubbub.bus.pinging import Answerer
        from hubbub.names import new_token

        beside, holder, kept_at, told = self._beside, new_token(), 0.0, ""
        answerer = Answerer(bus.store, self._pong)
        try:
            with bus.store.bell(f"inbox/{beside.agent}") as bell:
                self._bell = bell
                answerer.serve((beside.agent,))
                while not self._stop.is_set():
                    wait = self._look(bus)
                    self._first.set()
                    self._report(bus)
                    if time.monotonic() - kept_at >= KEEP_SECONDS or told != self._state:
                        kept_at, told = time.monotonic(), self._state
                        if not bus.presence.keep(beside.agent, beside.slot, told) and not self._enter(bus):
                            return
                        keep_house(bus.store, bus.agents, holder)
                    if bell.wait(wait) and wait > FLOOD_SECONDS:
                        self._stop.wait(FLOOD_SECONDS)  # what comes in a flood is looked at together
                        bell.clear()
        finally:
            self._bell = None
            answerer.stop()
            with suppress(HubbubError):
                self._report(bus)
                bus.presence.step_down(beside.agent, beside.slot)

    def _look(self, bus: Bus) -> float:
        """Find out what waits; how long that holds at most, in seconds."""
        waiting, wait = self._mail.look(bus)
        if waiting.total and self._beside.kind in TYPISTS:
            # It comes and goes without a bell.
            others = bus.presence.standing(self._beside.agent)
            woken = any((each.kind, slot) in WAKERS for each in others for slot in (None, each.slot))
            waiting = waiting._replace(other=woken)
            wait = min(wait, OVERDUE_SECONDS) if waiting.fresh > waiting.told else wait
        with self._lock:
            changed, self._waiting = waiting != self._waiting, waiting
        if changed or not self._first.is_set():
            self._signal()
        return wait

    def _report(self, bus: Bus) -> None:
        while True:
            with self._lock:
                if not self._outcomes:
                    return
                worked, detail, message = self._outcomes.popleft()
            bus.presence.woke(
                self._beside.agent, self._beside.how, worked=worked, detail=detail, message=message
            )

    def _pong(self, agent: str) -> Pong:
        from hubbub.model_presence import Pong

        with self._lock:
            idle = int((time.monotonic() - self._active_at) * 1000)
            return Pong(self._beside.kind, None, "", max(0, idle), self._state)


class _Arrivals:
    """Counts what comes into an inbox, without looking at more than is new."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._after: int | None = None
        self._newest: str | None = None
        self._fresh = 0
        self._fresh_urgent = 0
        self._last = 0
        self._urgent_seq = 0
        self._told = 0
        self._newest_told: int | None = None
        """How many had come since the last look when the newest of them was told of."""

    def look(self, bus: Bus) -> tuple[Waiting, float]:
        """What waits, and for how many seconds that holds if nothing comes."""
        came = self._came(bus)
        seen = bus.mail.peek(self._agent, limit=1)
        count = seen.remaining + 1 if seen.deliveries else 0
        if self._newest_told is not None:
            self._told = self._fresh + self._newest_told
        if came or count > self._last:  # it may also have been put off until now
            self._fresh += max(1, came)
        self._last = count
        urgent = (
            self._urgent(bus) if seen.deliveries and seen.deliveries[0].message.priority == "urgent" else 0
        )
        wait = LOOK_AGAIN_SECONDS
        if seen.next_due_at is not None:
            left = (seen.next_due_at - bus.store.now()) / 1000
            wait = min(wait, left + 0.005 if left > 0 else OVERDUE_SECONDS)
        return Waiting(count, urgent, self._fresh, self._fresh_urgent, self._newest, self._told), wait

    def _came(self, bus: Bus) -> int:
        """How many messages came since the last look."""
        if self._after is None:
            newest = bus.events.events(newest=True, limit=1)
            self._after = newest[-1].seq if newest else 0
            last = bus.events.events(newest=True, limit=1, agent=self._agent, kinds=ARRIVALS)
            self._newest = last[-1].message if last and self._is_mine(bus, last[-1]) else None
            return 0
        came, self._newest_told = 0, None
        kinds = (*ARRIVALS, WOKEN)
        while True:
            events = bus.events.events(after=self._after, limit=PAGE, agent=self._agent, kinds=kinds)
            for event in events:
                if not self._is_mine(bus, event):
                    continue
                if event.event != WOKEN:
                    came, self._newest = came + 1, event.message
                elif event.message is not None and event.message == self._newest:
                    self._newest_told = came
            if events:
                self._after = events[-1].seq
            if len(events) < PAGE:
                return came

    def _is_mine(self, bus: Bus, event: Event) -> bool:
        """Whether it is about this agent's inbox; a send to several names no agent."""
        if event.agent is not None or event.message is None:
            return event.agent == self._agent
        try:
            return self._agent in bus.mail.message(event.message).recipients
        except MessageNotFound:
            return False  # removed meanwhile

    def _urgent(self, bus: Bus) -> int:
        waiting = bus.mail.peek(self._agent, bus.mail.filter(priority="urgent"), limit=URGENT_MAX).deliveries
        newest = max((delivery.message.seq for delivery in waiting), default=0)
        if newest > self._urgent_seq:
            self._urgent_seq, self._fresh_urgent = newest, self._fresh
        return len(waiting)
