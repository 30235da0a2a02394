"""One call of a tool: its steps driven in a thread, with progress and cancellation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from hubbub.bus import Pause, Steps
from hubbub.errors import Cancelled
from hubbub.stores.contract import Bell

T = TypeVar("T")

PROGRESS_SECONDS = 15.0
"""How often a waiting call reports progress: clients that count silence give up at 60 s."""


class Call:
    """A call under way. Its thread drives it; the reader's thread may cancel it."""

    def __init__(self, report: Callable[[float], None] | None) -> None:
        """``report`` tells the client how many seconds the call has waited, if it asked for that."""
        self.cancelled = False
        self._report = report
        self._began = time.monotonic()
        self._reported = self._began
        self._bell: Bell | None = None
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Have it stop as soon as it can."""
        with self._lock:
            self.cancelled = True
            if self._bell is not None:
                self._bell.poke()

    def drive(self, steps: Steps[T]) -> T:
        """Run ``steps`` to their result.

        Raises:
            Cancelled: it was cancelled first.
        """
        try:
            while True:
                self._wait(next(steps))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            with self._lock:
                self._bell = None
            steps.close()

    def _wait(self, pause: Pause) -> None:
        with self._lock:
            self._bell = pause.bell
        deadline = time.monotonic() + pause.seconds
        while not self.cancelled:
            left = deadline - time.monotonic()
            until_report = self._reported + PROGRESS_SECONDS - time.monotonic() if self._report else left
            if pause.bell.wait(max(0.0, min(left, until_report))):
                break
            self._report_if_due()
            if time.monotonic() >= deadline:
                break
        if self.cancelled:
            raise Cancelled("The call was cancelled.")
        self._report_if_due()

    def _report_if_due(self) -> None:
        now = time.monotonic()
        if self._report is not None and now - self._reported >= PROGRESS_SECONDS:
            self._reported = now
            self._report(now - self._began)
