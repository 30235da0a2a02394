"""What one session of a client was told already: a small file, locked while a hook uses it.

It lies beside the bus, so that all worktrees and a sandbox that may write the bus find it; where that can't
be written, in the user's folder. Without a file a hook can't know what it said before: then it says nothing
where saying it twice would make a loop.
"""

from __future__ import annotations

import os
import time
from typing import Any, Self

from hubbub.wake.hooks.folders import ensure_folder, state_folder

KEPT = 2000
"""How many messages a file remembers, the latest."""

LOCK_SECONDS = 0.5
"""How long a hook waits for another one of the same session."""

FORGOTTEN_AFTER_SECONDS = 14 * 86_400
"""A session that nothing was written for in this time is over."""

FILE_MAX = 1 << 20


class Memory:
    """What one session was told. Use :func:`recall` to open it; without a file it knows and keeps nothing."""

    def __init__(self, descriptor: int = -1, path: str = "") -> None:
        self._descriptor = descriptor
        self._path = path
        found = _read(descriptor)
        self._told = _words(found, "told")
        self._stopped = _words(found, "stopped")
        blocks = found.get("blocks")
        self.blocks = blocks if isinstance(blocks, int) and 0 <= blocks < 1000 else 0
        """How many stops in a row were refused."""
        waiter = found.get("waiter")
        self.waiter = waiter if isinstance(waiter, str) else ""
        """Which process waits for mail beside the session."""

    def untold(self, keys: list[str]) -> list[str]:
        """Those of ``keys`` that the session was not told of."""
        return [key for key in keys if key not in self._told]

    def unstopped(self, keys: list[str]) -> list[str]:
        """Those of ``keys`` that no stop was refused for."""
        return [key for key in keys if key not in self._stopped]

    def tell(self, keys: list[str]) -> None:
        """The session is told of these."""
        self._told.update(dict.fromkeys(keys))

    def stop(self, keys: list[str]) -> None:
        """A stop is refused for these."""
        self._stopped.update(dict.fromkeys(keys))

    def save(self) -> bool:
        """Keep all that; False where it can't be kept."""
        if self._descriptor < 0:
            return False
        import json

        content = {
            "told": list(self._told)[-KEPT:],
            "stopped": list(self._stopped)[-KEPT:],
            "blocks": self.blocks,
            "waiter": self.waiter,
        }
        data = json.dumps(content, separators=(",", ":")).encode()
        try:
            # In one write: a process killed here leaves the old text or the new one, or one that is not
            # JSON and counts as none.
            if os.pwrite(self._descriptor, data, 0) != len(data):
                return False
            os.ftruncate(self._descriptor, len(data))
        except OSError:
            return False
        return True

    def forget(self) -> None:
        """The session is over."""
        try:
            os.unlink(self._path)
        except OSError:
            return

    def close(self) -> None:
        """Let others of the session go on."""
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def recall(bus_url: str, agent: str, client: str, session: str, *, create: bool = True) -> Memory | None:
    """What ``session`` of ``client`` was told as ``agent``; None where that can't be kept, or not in time.
    Without ``create``, an empty one where nothing was kept."""
    name = f"{agent}.{client}.{_sum(session)}.json"
    for folder in folders(bus_url):
        descriptor = _open(folder, name, create)
        if descriptor is None:
            continue
        if _lock(descriptor):
            return Memory(descriptor, os.path.join(folder, name))
        os.close(descriptor)
        return None  # another hook has it: a second file would forget what that one says
    return None if create else Memory()


def prune(bus_url: str, now: float) -> int:
    """Remove the files of sessions that were over without saying so; how many."""
    removed = 0
    for folder in folders(bus_url):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                if name.endswith(".json") and os.stat(path).st_mtime < now - FORGOTTEN_AFTER_SECONDS:
                    os.unlink(path)
                    removed += 1
            except OSError:
                continue
    return removed


def folders(bus_url: str) -> list[str]:
    """Where the files of a bus may be, the best place first."""
    scheme, _, path = bus_url.partition("://")
    place = os.path.realpath(path) if scheme == "sqlite" else bus_url  # whatever links lead to it
    beside = [place + "-hooks"] if scheme == "sqlite" else []
    return [*beside, os.path.join(state_folder(), "hooks", _sum(place))]


def _sum(text: str) -> str:
    import zlib

    # A session's id is the client's: it need not be one that can name a file.
    data = text.encode("utf-8", "surrogateescape")
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


def _open(folder: str, name: str, create: bool) -> int | None:
    try:
        flags = os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
        if create:
            ensure_folder(folder)
            flags |= os.O_CREAT
        return os.open(os.path.join(folder, name), flags, 0o600)
    except OSError:
        return None


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: hooks of one session seldom run at once
        return True
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.005)
        except OSError:
            return False


def _read(descriptor: int) -> dict[str, Any]:
    if descriptor < 0:
        return {}
    import json

    try:
        raw = os.pread(descriptor, FILE_MAX, 0)
        found = json.loads(raw) if raw else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(found: dict[str, Any], key: str) -> dict[str, None]:
    """A list of the file, in its order."""
    words = found.get(key)
    return dict.fromkeys(word for word in words if isinstance(word, str)) if isinstance(words, list) else {}
