"""Writers take turns: a lock file that processes queue on before they begin to write.

SQLite's own busy handler sleeps and retries, so that under load some writers starve; waiting
in the kernel's queue for a lock serves them in order of arrival. The wait is bounded: a writer
that was stopped while it held the turn costs the others an error, not a hang.
"""

from __future__ import annotations

import _thread
import os

from hubbub.errors import BusBusy

try:
    import fcntl

    HAVE_FLOCK = True
except ImportError:  # pragma: no cover - Windows: SQLite's busy handler alone orders the writers
    HAVE_FLOCK = False


class Turnstile:
    """One thread's place in the queue of writers. Not to be shared between threads."""

    def __init__(self, path: str, timeout_ms: int) -> None:
        self._timeout = timeout_ms / 1000
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) if HAVE_FLOCK else -1
        # flock can't be told how long to wait; a helper thread waits for it, started when first needed.
        self._helper: _Helper | None = None

    def enter(self) -> None:
        """Wait for the turn.

        Raises:
            BusBusy: it did not come within the time-out.
        """
        if not HAVE_FLOCK:
            return
        if self._helper is None or not self._helper.waiting:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
        if self._helper is None:
            self._helper = _Helper(self._file)
        if not self._helper.lock(self._timeout):
            raise BusBusy(f"Another process has been writing for more than {self._timeout:g} s.")

    def leave(self) -> None:
        """Let the next writer in."""
        if HAVE_FLOCK:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let the lock file go; a helper that still waits keeps it until it is served."""
        if self._file >= 0 and (self._helper is None or self._helper.retire()):
            os.close(self._file)
        self._file = -1


class _Helper:
    """A thread that blocks in flock on behalf of another, which waits for it with a time-out.

    When the other gives up, the helper keeps its place in the kernel's queue; the next attempt
    takes that place over, and a turn that nobody takes is passed on.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self.waiting = False
        self._wanted = False
        self._retired = False
        self._state = _thread.allocate_lock()
        self._ask = _thread.allocate_lock()
        self._ask.acquire()
        self._served = _thread.allocate_lock()
        self._served.acquire()
        _thread.start_new_thread(self._run, ())

    def lock(self, timeout: float) -> bool:
        with self._state:
            self._wanted = True
            if not self.waiting:
                self.waiting = True
                self._ask.release()
        try:
            if self._served.acquire(True, timeout):
                return True
        except BaseException:  # Ctrl-C: nobody will use the turn
            with self._state:
                self._wanted = False
                if not self.waiting:
                    self._served.acquire(False)
                    fcntl.flock(self._file, fcntl.LOCK_UN)
            raise
        with self._state:
            if not self.waiting:  # served between the time-out and now
                self._served.acquire()
                return True
            self._wanted = False
        return False

    def retire(self) -> bool:
        """End the thread; False when it still waits, and will close the file itself."""
        with self._state:
            self._retired = True
            if self.waiting:
                return False
            self._ask.release()
        return True

    def _run(self) -> None:
        while True:
            self._ask.acquire()
            if self._retired and not self.waiting:
                return
            fcntl.flock(self._file, fcntl.LOCK_EX)
            with self._state:
                if self._wanted:
                    self.waiting = self._wanted = False
                    self._served.release()
                    continue
                # Still "waiting" until the lock is let go: nobody may take it for his meanwhile.
                fcntl.flock(self._file, fcntl.LOCK_UN)
                self.waiting = False
                if self._retired:
                    os.close(self._file)
                    return
