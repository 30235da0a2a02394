"""Bells as Unix datagram sockets: one folder per key, one socket per waiter and key.

A socket's path may have about a hundred bytes, and a bus may lie deeper than that. On Linux a
folder is therefore opened and its sockets are reached through ``/proc/self/fd``; elsewhere a
short folder in ``/tmp`` stands in for a long one.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import socket

_PATH_MAX = 103
"""Longest socket path to rely on where there is no /proc: sun_path takes 104 bytes on macOS."""

_NAME_ROOM = 98
"""What a key (``inbox/`` and a name of up to 64) and a socket's own name may need."""

_HAVE_PROC = os.path.isdir("/proc/self/fd")
_TRIES = 20


class SocketBells:
    """The bells of one bus."""

    def __init__(self, folder: str) -> None:
        """``folder`` holds the sockets; every process derives the same stand-in where it is too long."""
        short = _HAVE_PROC or len(os.fsencode(folder)) + _NAME_ROOM <= _PATH_MAX
        self.folder = folder if short else _short_folder(folder)
        self._sender: socket.socket | None = None
        self._count = itertools.count(1)

    def listen(self, keys: Iterable[str]) -> SocketBell:
        """A bell for ``keys``. Raises OSError where sockets can't be bound."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if os.stat(self.folder).st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
            raise PermissionError(f"{self.folder} belongs to another user")
        return SocketBell(self.folder, tuple(keys), f"{os.getpid()}-{id(self):x}-{next(self._count)}")

    def ring(self, keys: Iterable[str]) -> int:
        """Ring whoever waits for any of ``keys``; how many were rung. Never raises: a bell is a hint."""
        rung = 0
        for key in keys:
            try:
                names = os.listdir(f"{self.folder}/{key}")
            except OSError:
                continue
            if names:
                rung += self._ring_all(f"{self.folder}/{key}", names)
        return rung

    def _ring_all(self, folder: str, names: list[str]) -> int:
        rung = 0
        try:
            with _Reach(folder) as reach:
                for name in names:
                    rung += self._ring_one(reach.path(name), f"{folder}/{name}")
        except OSError:
            return rung
        return rung

    def _ring_one(self, address: str, path: str) -> int:
        try:
            try:
                self._sending().sendto(b"!", address)
            except BlockingIOError:
                # Rings that nobody took off may fill this socket's buffer, or the waiter's own queue.
                self.close()
                self._sending().sendto(b"!", address)
        except BlockingIOError:
            return 1  # its queue is full of rings already
        except ConnectionRefusedError:
            _unlink(path)  # nobody listens any more: the waiter was killed
            return 0
        except OSError:
            return 0
        return 1

    def _sending(self) -> socket.socket:
        import socket  # only once somebody waits: it costs milliseconds

        sender = self._sender
        if sender is None:
            sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            sender.setblocking(False)
            self._sender = sender
        return sender

    def sweep(self) -> int:
        """Remove the sockets of waiters that were killed; how many. Rings nobody."""
        swept = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                try:
                    with _Reach(folder) as reach:
                        swept += _remove_if_dead(reach.path(name), f"{folder}/{name}")
                except OSError:
                    continue
        return swept

    def close(self) -> None:
        """Let the sending socket go."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()


class SocketBell:
    """One waiter's bell. See :class:`hubbub.stores.contract.Bell`."""

    def __init__(self, folder: str, keys: tuple[str, ...], name: str) -> None:
        import socket

        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._paths: list[str] = []
        try:
            self._socket.setblocking(False)
            # One socket has one address; the other keys are links to it.
            for key in keys:
                path = f"{folder}/{key}/{name}"
                _place(self._socket, path, self._paths[0] if self._paths else None)
                self._paths.append(path)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when the bell rang."""
        return self._socket.fileno()

    def wait(self, seconds: float) -> bool:
        """Block until it rings, at most ``seconds``; True when it rang."""
        import select

        poller = select.poll()
        poller.register(self._socket.fileno(), select.POLLIN)
        rung = bool(poller.poll(max(0.0, seconds) * 1000))
        if rung:
            self.clear()
        return rung

    def clear(self) -> None:
        """Take off all rings."""
        try:
            while self._socket.recv(16):
                pass
        except OSError:
            return

    def poke(self) -> None:
        """Ring this bell alone."""
        import socket

        if not self._paths:
            return
        folder, _, name = self._paths[0].rpartition("/")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                with _Reach(folder) as reach:
                    sender.sendto(b"!", reach.path(name))
            except OSError:
                return

    def close(self) -> None:
        """Stop listening and clean up."""
        for path in self._paths:
            _unlink(path)
            try:
                os.rmdir(os.path.dirname(path))
            except OSError:
                continue  # others wait there
        self._paths = []
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Reach:
    """A folder whose sockets can be addressed however long its path is."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptor = -1

    def __enter__(self) -> Self:
        if _HAVE_PROC:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def path(self, name: str) -> str:
        """The address of the socket ``name``."""
        return f"/proc/self/fd/{self._descriptor}/{name}" if _HAVE_PROC else f"{self._folder}/{name}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def _place(listener: socket.socket, path: str, first: str | None) -> None:
    """Bind or link ``path``, making its folder again when a leaving waiter removed it meanwhile."""
    folder, _, name = path.rpartition("/")
    for attempt in range(_TRIES):
        try:
            # Each level by itself: makedirs would leave the upper ones open to others.
            for part in (os.path.dirname(folder), folder):
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700)
            if first is not None:
                os.link(first, path)
                return
            with _Reach(folder) as reach:
                listener.bind(reach.path(name))
            os.chmod(path, 0o600)
            return
        except FileNotFoundError:
            if attempt == _TRIES - 1:
                raise


def _remove_if_dead(address: str, path: str) -> int:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            _unlink(path)
            return 1
        except OSError:
            return 0
    return 0


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _short_folder(folder: str) -> str:
    import zlib

    data = os.fsencode(folder)
    # Not the TMPDIR of the environment: clients start their servers with different ones.
    return f"/tmp/hubbub-{os.geteuid()}/{zlib.crc32(data):08x}{zlib.adler32(data):08x}"
