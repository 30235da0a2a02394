"""How far long work has come, on standard error while that is a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

INTERVAL_SECONDS = 0.1
CLEAR = "\r\x1b[K"


class Progress:
    """Call it with how much is done and how much there is; as a context it cleans up behind itself."""

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self._what = what
        self._shown_at = 0.0
        self._drawn = False
        self._wanted = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Show it, not more often than an eye can follow."""
        now = time.monotonic()
        if not self._wanted or (done < total and now < self._shown_at + INTERVAL_SECONDS):
            return
        self._shown_at = now
        share = f" ({100 * done // total} %)" if total else ""
        self._write(f"{CLEAR}{self._what}: {done:,} of {total:,}{share}")
        self._drawn = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            self._write(CLEAR)
            self._drawn = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            self._wanted = False
