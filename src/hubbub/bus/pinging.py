"""Answering pings: by the process that serves an agent, at once, whatever the agent is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hubbub.errors import HubbubError
from hubbub.model_presence import Pong
from hubbub.stores.contract import Bell, Store


class Answerer:
    """A thread that answers the pings to some agents until it is stopped."""

    def __init__(self, store: Store, describe: Callable[[str], Pong]) -> None:
        """``describe`` gives the answer for an agent; it is called on the answerer's own thread and must
        not wait."""
        self._store = store
        self._describe = describe
        self._agents: tuple[str, ...] = ()
        self._bell: Bell | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def serve(self, agents: tuple[str, ...]) -> None:
        """Answer for these from now on."""
        with self._lock:
            if agents == self._agents:
                return
            self._agents = agents
            if self._thread is None and agents:
                self._thread = threading.Thread(target=self._run, name="hubbub-pings", daemon=True)
                self._thread.start()
            elif self._bell is not None:
                self._bell.poke()

    def stop(self) -> None:
        """Stop and wait until it has stopped."""
        with self._lock:
            self._stopped = True
            if self._bell is not None:
                self._bell.poke()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopped:
            agents = self._agents
            try:
                with self._store.bell(*(f"ping/{name}" for name in agents)) as bell:
                    with self._lock:
                        self._bell = bell
                    self._answer_while(agents, bell)
            except HubbubError:
                # The bus can't be had at the moment; whoever pings is told by the time-out.
                threading.Event().wait(1.0)
            finally:
                with self._lock:
                    self._bell = None

    def _answer_while(self, agents: tuple[str, ...], bell: Bell) -> None:
        while not self._stopped and agents == self._agents:
            for number, name in self._store.presence.pings(agents):
                self._store.presence.pong(number, self._describe(name))
            bell.wait(LOOK_AGAIN_SECONDS)


LOOK_AGAIN_SECONDS = 5.0
"""A bell is only a hint: pings are looked for this often without one."""
