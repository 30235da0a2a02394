"""The bell where sockets can't be had: watch a counter that every commit changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

INTERVAL_SECONDS = 0.05


class WatchBell:
    """Rings when ``counter()`` changes, looked at 20 times a second. Any commit rings it."""

    def __init__(self, counter: Callable[[], int]) -> None:
        self._counter = counter
        self._seen = counter()
        self._poked = threading.Event()

    def fileno(self) -> int:
        """There is no descriptor to wait on."""
        return -1

    def wait(self, seconds: float) -> bool:
        """Block until the counter changes, at most ``seconds``; True when it did."""
        deadline = time.monotonic() + seconds
        while not self._changed():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self._poked.wait(min(INTERVAL_SECONDS, left)):
                self._poked.clear()
                return True
        return True

    def _changed(self) -> bool:
        seen, self._seen = self._seen, self._counter()
        return self._seen != seen

    def clear(self) -> None:
        """Forget what changed so far."""
        self._changed()
        self._poked.clear()

    def poke(self) -> None:
        """Ring this bell."""
        self._poked.set()

    def close(self) -> None:
        """Nothing to let go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
