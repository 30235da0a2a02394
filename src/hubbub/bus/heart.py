"""The heart of a serving process: it beats for the seats it holds and does housekeeping.

No model has to remember a heartbeat, and no daemon has to run: every process that serves an
agent has a heart, and one of them at a time, by a lease in the store, keeps house for all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from hubbub.bus.agents import Agents, Seat
from hubbub.errors import HubbubError, SessionEnded, SessionSuperseded
from hubbub.model import BEAT_INTERVAL_MS, Swept
from hubbub.names import new_token
from hubbub.stores.contract import Store


def keep_house(store: Store, agents: Agents, holder: str) -> Swept:
    """One round: all that fell due in the store, and sessions whose process is gone."""
    swept = store.sweep(holder)
    if swept.ran:
        agents.all()  # ends the sessions of processes that are gone
    return swept


class Heart:
    """Beats for some seats until stopped."""

    def __init__(
        self,
        store: Store,
        agents: Agents,
        *,
        lost: Callable[[Seat, HubbubError], None] | None = None,
        chores: Callable[[bool], None] | None = None,
        interval_ms: int = BEAT_INTERVAL_MS,
    ) -> None:
        """``lost`` is told, from the heart's own thread, when a seat was taken over or ended; ``chores`` is
        called there after each beat, with whether this process keeps house, and must not take long."""
        self._store = store
        self._agents = agents
        self._lost = lost
        self._chores = chores
        self._interval = interval_ms / 1000
        self._holder = new_token()
        self._seats: dict[str, Seat] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, seat: Seat) -> None:
        """Beat for this seat, too."""
        with self._lock:
            self._seats[seat.session] = seat
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hubbub-heart", daemon=True)
                self._thread.start()

    def remove(self, seat: Seat) -> None:
        """Beat no more for this seat."""
        with self._lock:
            self._seats.pop(seat.session, None)

    def stop(self) -> None:
        """Stop and wait until it has stopped."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.beat_once()

    def beat_once(self) -> None:
        """One beat for every seat, and a round of housekeeping."""
        with self._lock:
            seats = list(self._seats.values())
        for seat in seats:
            try:
                self._agents.beat(seat)
            except (SessionSuperseded, SessionEnded) as error:
                self.remove(seat)
                if self._lost is not None:
                    self._lost(seat, error)
            except HubbubError:
                continue  # a busy bus: the next beat comes before the session runs out
        try:
            swept = keep_house(self._store, self._agents, self._holder)
            if self._chores is not None:
                self._chores(swept.ran)
        except HubbubError:
            return  # whoever is next does it
