"""``hubbub run`` in a terminal that the test holds the other end of."""

from __future__ import annotations

import fcntl
import os
import pathlib
import select
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType
from typing import Any, Self

DEADLINE = 30.0

PROFILE = """
commands = ["{python}"]
prompt = '^> (?P<text>.*)$'
busy = ['^working']
dialog = ['^Allow this']
quiet_seconds = 0.15
untouched_seconds = 0.25
settle_seconds = 0.05
shell = true
trust_screen_seconds = 1.0
"""


def profile_into(folder: pathlib.Path, name: str = "quick", text: str = PROFILE) -> dict[str, str]:
    """A profile with short times; what the environment must hold for it to be found."""
    profiles = folder / "config" / "hubbub" / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    (profiles / f"{name}.toml").write_text(text.format(python="quick-program"))
    return {"XDG_CONFIG_HOME": str(folder / "config")}


class Terminal:
    """A program at a terminal; what the test writes are keys, what it reads is the screen."""

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        *,
        size: tuple[int, int] = (24, 80),
        answers: bool = False,
    ) -> None:
        self.master, self.slave = os.openpty()
        self.resize(*size)
        self.before = self.settings()
        self.seen = b""
        self._answers = answers
        self._answered = 0
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.set_blocking(self.master, False)

    @classmethod
    def run(cls, command: list[str], environment: dict[str, str], *options: str, **more: Any) -> Self:
        """``hubbub run`` of a command."""
        words = [sys.executable, "-m", "hubbub", "run", "--as", "bob", *options, "--", *command]
        return cls(words, {"PYTHONPATH": os.pathsep.join(sys.path), **environment}, **more)

    def resize(self, rows: int, columns: int) -> None:
        """Another size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def settings(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self.slave)

    def press(self, data: bytes) -> None:
        """Press keys; what comes meanwhile is read."""
        left, deadline = memoryview(data), time.monotonic() + DEADLINE
        while left:
            assert time.monotonic() < deadline, "nobody takes the keys"
            readable, writable, _ = select.select([self.master], [self.master], [], 1)
            if writable:
                try:
                    left = left[os.write(self.master, left[:1024]) :]
                except BlockingIOError:
                    continue
            if readable:
                self.read()

    def read(self) -> bool:
        """Take what is on the screen by now; False at its end."""
        try:
            data = os.read(self.master, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.seen += data
        if self._answers:
            asked = self.seen.count(b"\x1b[5n")
            os.write(self.master, b"\x1b[0n" * (asked - self._answered))
            self._answered = asked
        return bool(data)

    def until(self, text: bytes, *, seconds: float = DEADLINE) -> None:
        """Read until ``text`` is there."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not in {self.seen[-2000:]!r}"
            if select.select([self.master], [], [], left)[0] and not self.read():
                assert text in self.seen, f"ended without {text!r}: {self.seen[-2000:]!r}"

    def during(self, seconds: float) -> None:
        """Read for a while: a person pauses."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0] and not self.read():
                return

    def end(self, *, seconds: float = DEADLINE) -> int:
        """Read until the program has ended; its exit status."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen[-2000:]!r}"
            if select.select([self.master], [], [], 0.05)[0]:
                self.read()
        while select.select([self.master], [], [], 0)[0] and self.read():
            pass
        return self.process.returncode

    def close(self) -> None:
        """Hang up."""
        for descriptor in (self.master, self.slave):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self.slave = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.close()
