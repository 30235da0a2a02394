"""Bells as Unix datagram sockets: one folder per key, one socket per waiter and key."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import socket

_PATH_MAX = 100
"""Longest socket path to rely on: sun_path takes 104 bytes on macOS and 108 on Linux."""

_NAME_ROOM = 90
"""What a key (``inbox/`` and a name of up to 64) and a socket's own name may need."""


class SocketBells:
    """The bells of one bus."""

    def __init__(self, folder: str) -> None:
        """``folder`` holds the sockets; where its path is too long for one, a short stand-in
        that every process derives alike serves instead."""
        self.folder = folder if len(os.fsencode(folder)) + _NAME_ROOM <= _PATH_MAX else _short_folder(folder)
        self._sender: socket.socket | None = None
        self._count = 0

    def listen(self, keys: Iterable[str]) -> SocketBell:
        """A bell for ``keys``. Raises OSError where sockets can't be bound."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if os.stat(self.folder).st_uid != os.geteuid() and os.geteuid() != 0:
            raise PermissionError(f"{self.folder} belongs to another user")
        self._count += 1
        return SocketBell(self.folder, tuple(keys), f"{os.getpid()}-{id(self):x}-{self._count}")

    def ring(self, keys: Iterable[str]) -> int:
        """Ring whoever waits for any of ``keys``; how many were rung. Never raises: a bell is a hint."""
        rung = 0
        for key in keys:
            folder = f"{self.folder}/{key}"
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for name in names:
                rung += self._ring_one(f"{folder}/{name}")
        return rung

    def _ring_one(self, path: str) -> int:
        import socket  # only once somebody waits: it costs milliseconds

        try:
            if self._sender is None:
                sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                sender.setblocking(False)
                self._sender = sender
            self._sender.sendto(b"!", path)
        except BlockingIOError:
            return 1  # its queue is full of rings already
        except ConnectionRefusedError:
            _unlink(path)  # nobody listens any more: the waiter was killed
            return 0
        except OSError:
            return 0
        return 1

    def sweep(self) -> int:
        """Remove the sockets of waiters that were killed; how many. Rings nobody."""
        import socket

        swept = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
                    try:
                        probe.connect(path)
                    except ConnectionRefusedError:
                        _unlink(path)
                        swept += 1
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
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(b"!", self._paths[0])
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


def _place(listener: socket.socket, path: str, first: str | None) -> None:
    """Bind or link ``path``, making its folder again when a leaving waiter removed it meanwhile."""
    for attempt in range(20):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        try:
            if first is None:
                listener.bind(path)
                os.chmod(path, 0o600)
            else:
                os.link(first, path)
            return
        except FileNotFoundError:
            if attempt == 19:
                raise


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _short_folder(folder: str) -> str:
    import hashlib

    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    # Not the TMPDIR of the environment: clients start their servers with different ones.
    return f"/tmp/hubbub-{os.geteuid()}/{digest}"
