"""A terminal that tests can see and type into: one pane of a tmux server of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.needs import missing

LOOK_SECONDS = 0.05


def tmux() -> str:
    """The path of tmux."""
    found = shutil.which("tmux")
    if found is None:
        missing("tmux", "install the package tmux")
    return found


class Terminal:
    """A command on a terminal. Use it as a context manager: what it started ends with it."""

    def __init__(
        self,
        folder: Path,
        words: list[str],
        env: dict[str, str],
        cwd: Path,
        size: tuple[int, int] = (120, 40),
    ) -> None:
        self._tmux = [tmux(), "-S", str(folder / "tmux"), "-f", os.devnull]
        self._env = env
        given = [f"{key}={value}" for key, value in env.items()]
        # tmux hands its own surroundings on: only what is given here must be there.
        command = shlex.join(["env", "-i", *given, *words])
        columns, rows = (str(each) for each in size)
        self._do("new-session", "-d", "-s", "t", "-x", columns, "-y", rows, "-c", str(cwd), command)
        self._do("set-option", "-g", "remain-on-exit", "on")

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words],
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "TERM": "xterm-256color"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    @property
    def pane(self) -> str:
        """The pane's id, as ``%0``."""
        return self._do("display-message", "-p", "-t", "t", "#{pane_id}").strip()

    def screen(self) -> str:
        """What stands on the screen."""
        return self._do("capture-pane", "-p", "-t", "t")

    def write(self, text: str) -> None:
        """Type it, as a person does."""
        self._do("send-keys", "-t", "t", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys by their tmux names: ``Enter``, ``C-c``, ``Escape``."""
        self._do("send-keys", "-t", "t", *keys)

    def wait_until(self, holds: Callable[[str], bool], seconds: float, what: str) -> str:
        """The screen once it ``holds``.

        Raises:
            AssertionError: it did not within ``seconds``; it shows the screen.
        """
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if holds(screen):
                return screen
            assert time.monotonic() < deadline, f"No {what} within {seconds} s:\n{screen}"
            time.sleep(LOOK_SECONDS)

    def becomes(self, holds: Callable[[str], bool], seconds: float) -> bool:
        """Whether the screen ``holds`` within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not holds(self.screen()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def wait_quiet(self, seconds: float, within: float) -> str:
        """The screen once nothing on it has changed for ``seconds``: what runs there is idle."""
        deadline = time.monotonic() + within
        seen, since = self.screen(), time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() < deadline, f"Not quiet within {within} s:\n{seen}"
            time.sleep(LOOK_SECONDS)
            screen = self.screen()
            if screen != seen:
                seen, since = screen, time.monotonic()
        return seen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=20, check=False)
