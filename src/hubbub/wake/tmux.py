"""Ringing in a pane of tmux: for an agent that runs there already.

The screen is what tmux says that it is. When somebody typed last is known to the second, by the clients
that show the pane. The pane is looked at only while there is something to ring for.
"""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

from hubbub.errors import InvalidArgument
from hubbub.errors_wake import PaneNotFound, TmuxUnavailable
from hubbub.text import safe_line
from hubbub.wake.foreground import SHELLS
from hubbub.wake.profiles import Look, Profile, look
from hubbub.wake.pty_keys import Keys
from hubbub.wake.screen import Screen

TMUX_SECONDS = 10.0
"""How long tmux may take for an answer."""

_STATE = " ".join(
    f"#{{{name}}}"
    for name in ("pane_id", "pane_height", "pane_width", "cursor_y", "cursor_x", "pane_in_mode", "pane_dead")
)
_PROGRAM = "#{pane_current_command}"
_CLIENTS = "#{client_activity} #{pane_id}"


class Shown(NamedTuple):
    """What tmux shows of a pane."""

    state: str
    program: str
    title: str
    screen: str
    activity: str
    """When the clients that show it were used last."""


class Pane:
    """A pane of tmux, as something to ring in."""

    def __init__(self, target: str, profile: Profile) -> None:
        if not profile.shows_text:
            raise InvalidArgument(
                f"The profile {profile.name} can't tell in a pane what somebody has typed and not sent.",
                hint="Name one that can: --profile claude (codex, gemini, opencode), or one of your own with "
                "a group (?P<text>...) in its prompt: docs/reference/wrapper.md",
            )
        self._target = target
        self._profile = profile
        self.keys = Keys(profile.clear_keys)
        self._shown: Shown | None = None
        self.output_at = float("-inf")
        """When what it shows was seen to have changed last."""
        self.id = find(target)
        self._program = program(self.id)

    def refresh(self, now: float) -> None:
        """Look at the pane. Raises PaneNotFound when it is gone."""
        shown = self._look()
        before, self._shown = self._shown, shown
        if before is None or before[:-1] != shown[:-1]:
            self.output_at = now
        if before is None or before.activity != shown.activity:
            self.keys.touched_at = now
            self.keys.count += 1

    def _look(self) -> Shown:
        # One call: nothing happens in between. Program and title have lines of their own: both may hold
        # blanks, and tabs are not always written as such.
        output = _tmux(
            *("display-message", "-p", "-t", self.id, _STATE, ";"),
            *("display-message", "-p", "-t", self.id, _PROGRAM, ";"),
            *("display-message", "-p", "-t", self.id, "#{pane_title}", ";"),
            *("list-clients", "-F", _CLIENTS, ";", "display-message", "-p", "", ";"),
            *("capture-pane", "-p", "-e", "-t", self.id),
        )
        state, name, title, rest = (output.split("\n", 3) + [""] * 3)[:4]
        clients, _, screen = rest.partition("\n\n") if not rest.startswith("\n") else ("", "", rest[1:])
        fields = state.split(" ")
        if fields[:1] != [self.id] or fields[6:7] == ["1"]:
            raise PaneNotFound(f"The pane {self._target!a} is gone.")
        mine = sorted(line for line in clients.split("\n") if line.endswith(f" {self.id}"))
        return Shown(state, name, title, screen, "\n".join(mine))

    def look(self, own: str) -> Look:
        """What it shows."""
        shown = self._shown
        if shown is None:
            return Look(False, False, None)
        fields = shown.state.split(" ")
        rows, columns, row, column, in_mode = (int(field or 0) for field in fields[1:6])
        if in_mode:
            return Look(True, False, None)  # somebody looks back in it: keys go there
        if shown.program != self._program:
            return Look(False, False, None)  # the agent has ended, maybe: this is a shell
        if shown.program in SHELLS and not self._profile.shell:
            return Look(False, False, None, shell=True)
        screen = Screen(rows, columns)
        lines = shown.screen.removesuffix("\n").split("\n")[:rows]
        screen.feed("\r\n".join(lines).encode())
        screen.put(row, column, shown.title)
        return look(self._profile, screen.view(), own)

    def still(self) -> bool:
        """Whether it shows what it did, and nobody typed."""
        return self._look() == self._shown

    def write(self, line: str) -> None:
        """Put a line at its prompt, marked as pasted where its program wants that."""
        name = f"hubbub-{os.getpid()}"
        _tmux(
            "set-buffer", "-b", name, "--", line, ";", "paste-buffer", "-p", "-d", "-b", name, "-t", self.id
        )

    def enter(self) -> None:
        """Press Enter."""
        _tmux("send-keys", "-t", self.id, "Enter")


def find(target: str) -> str:
    """The id of a pane. Raises PaneNotFound, TmuxUnavailable."""
    found = _tmux("display-message", "-p", "-t", target, "#{pane_id}").strip()
    if not found.startswith("%"):
        raise PaneNotFound(f"tmux has no pane {target!a}.")
    return found


def program(pane: str) -> str:
    """The name of the program that runs in a pane."""
    return _tmux("display-message", "-p", "-t", pane, _PROGRAM).removesuffix("\n")


def _tmux(*words: str) -> str:
    try:
        done = subprocess.run(
            # In UTF-8 whatever the locale: else what titles say is underscores.
            ["tmux", "-u", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TMUX_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise TmuxUnavailable("tmux is not installed.") from None
    except subprocess.TimeoutExpired:
        raise TmuxUnavailable(f"tmux did not answer within {TMUX_SECONDS:g} s.") from None
    if done.returncode:
        told = safe_line(done.stderr.decode("utf-8", "replace").strip())
        if "can't find" in told:
            raise PaneNotFound(f"tmux: {told}.")
        raise TmuxUnavailable(f"tmux: {told or 'it failed without a word'}.")
    return done.stdout.decode("utf-8", "replace")
