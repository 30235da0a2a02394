"""Threads that are kept for the next job, because each has its own connection to the bus."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable

from hubbub.errors import HubbubError


class Workers:
    """As many threads as there are jobs at once."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._calm = threading.Condition(self._lock)
        self._idle = 0
        self._busy = 0

    def run(self, job: Callable[[], None]) -> None:
        """Have a thread do ``job``, at once."""
        with self._lock:
            self._busy += 1
            new = self._idle == 0
            if not new:
                self._idle -= 1
        if new:
            threading.Thread(target=self._work, name="hubbub-call", daemon=True).start()
        self._jobs.put(job)

    def join(self, seconds: float) -> None:
        """Wait until all jobs are done, at most ``seconds``."""
        with self._lock:
            self._calm.wait_for(lambda: self._busy == 0, seconds)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except HubbubError:
                continue  # a job that has somebody to tell tells it itself
            except Exception:  # a thread that serves others must survive its job
                traceback.print_exc()
            finally:
                with self._lock:
                    self._busy -= 1
                    self._idle += 1
                    self._calm.notify_all()
