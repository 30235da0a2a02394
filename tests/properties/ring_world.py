"""A program, a person and mail in a time of their own, to see when a line is put in.

The program draws a prompt, is busy, opens dialogs, and echoes what it gets after a while. It records every
byte with what its screen was then. Nothing here waits: time is a number.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import NamedTuple

from hubbub.wake.profiles import Look, Profile, compact, look, profile_of
from hubbub.wake.pty_backlog import Backlog
from hubbub.wake.pty_keys import Keys
from hubbub.wake.ring import Ringer, Waiting

ROWS, COLUMNS = 12, 60
END = 120.0
"""When nothing more happens but what follows from what did."""

SHOWING = {
    "prompt": "^> (?P<text>.*)$",
    "busy": ["^working"],
    "dialog": [r"^Allow this\?"],
}
KINDS = {
    "shows": profile_of("shows", {**SHOWING, "trust_screen_seconds": 8}),
    "queues": profile_of("queues", {**SHOWING, "queues": True}),
    "plain": profile_of("plain", {"prompt": "> $", "busy": ["^working"], "dialog": [r"^Allow this\?"]}),
}
"""A program whose prompt tells what is typed; one that keeps what is sent while it is busy; one of which
only the place of the cursor tells."""


class Got(NamedTuple):
    """Bytes that the program got, and how it was then."""

    at: float
    who: str
    data: bytes
    dialog: bool
    busy: bool
    text: str
    quiet_for: float
    untouched_for: float


class Sent(NamedTuple):
    """A line that was submitted."""

    at: float
    who: str
    text: str


class World:
    """One run, by its seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.profile: Profile = KINDS[self.chance.choice(list(KINDS))]
        self.now = 0.0
        self.keys = Keys(self.profile.clear_keys)
        self.ringer = Ringer(self.profile, self.keys)
        self.backlog = Backlog((ROWS, COLUMNS))
        self.pastes = self.chance.random() < 0.7
        self.covers = self.chance.random() < 0.5
        """A dialog hides the prompt; else the prompt stays, and keys go to the dialog all the same."""
        self.text, self.dialog, self.busy_until = "", False, 0.0
        self.output_at = self.typed_at = float("-inf")
        self.got: list[Got] = []
        self.sent: list[Sent] = []
        self.waiting: list[float] = []
        """When each message came that the agent did not take."""
        self.unrung: list[float] = []
        """Of each message that nobody rang for and nobody took: when it came."""
        self._fresh = self._fresh_urgent = 0
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._written: list[bytes] = []
        self._unread: list[Callable[[], None]] = []
        """What has happened and is not known to the loop yet."""

    # --- the program -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether it is at work."""
        return self.now < self.busy_until

    def draw(self, *, more: str = "") -> None:
        """Draw the screen anew."""
        lines = [
            f"output {more}",
            "working on it" if self.busy else "",
            "Allow this? y/n" if self.dialog else "",
        ]
        prompt = f"\x1b[4;1H\x1b[J> {self.text}" if not (self.dialog and self.covers) else "\x1b[4;1H\x1b[J"
        data = "\x1b[?2004h" if self.pastes else ""
        data += "".join(f"\x1b[{row};1H{line}\x1b[K" for row, line in enumerate(lines, 1)) + prompt
        self.output_at = self.now
        self._unread.append(lambda: self._shown(data.encode()))

    def _shown(self, data: bytes) -> None:
        self.backlog.add(data)
        self.ringer.output(self.now)

    def take(self, who: str, data: bytes) -> None:
        """It gets bytes from the terminal."""
        self.got.append(
            Got(
                *(self.now, who, data, self.dialog, self.busy, self.text),
                *(self.now - self.output_at, self.now - self.typed_at),
            )
        )
        for mark in (b"\x1b[200~", b"\x1b[201~"):
            data = data.replace(mark, b"")
        for letter in data.decode():
            self._act(who, letter)
        self.later(self.chance.choice((0.0, 0.01, 0.05, 0.3)), self.draw)

    def _act(self, who: str, letter: str) -> None:
        if self.dialog:
            self.dialog = letter not in "yn\r"
        elif letter == "\r":
            if self.text:
                self._submit(who)
        elif letter in "\x15\x03":
            self.text = ""
        elif letter == "\x7f":
            self.text = self.text[:-1]
        else:
            self.text += letter

    def _submit(self, who: str) -> None:
        self.sent.append(Sent(self.now, who, self.text))
        rung = compact(self.text).startswith("Hubbub:")
        self.text = ""
        self.busy_until = max(self.busy_until, self.now + self.chance.uniform(0.2, 6))
        self._spin()
        if rung:
            self.unrung.clear()
            if self.chance.random() < 0.8:  # the agent may also not care
                self.later(self.chance.uniform(0.1, 3), self._read_mail)

    def _spin(self) -> None:
        self.draw(more=str(self._count))
        if self.busy:
            self.later(0.2, self._spin)

    def _read_mail(self) -> None:
        self.waiting.clear()
        self.unrung.clear()
        self._mail_changed()

    # --- what happens ------------------------------------------------------------------------------

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen in a while."""
        self._count += 1
        heapq.heappush(self._plan, (self.now + seconds, self._count, what))

    def mail(self, urgent: bool) -> None:
        """A message comes."""
        self.waiting.append(self.now)
        self.unrung.append(self.now)
        self._fresh += 1
        if urgent:
            self._fresh_urgent = self._fresh
        self._mail_changed()

    def _mail_changed(self) -> None:
        count = len(self.waiting)
        waiting = Waiting(count, min(count, 1) if self._fresh_urgent else 0, self._fresh, self._fresh_urgent)
        self._unread.append(lambda: self.ringer.mail(waiting))

    def press(self, data: bytes) -> None:
        """The person presses keys; the loop hands them on and notes them."""

        def handed() -> None:
            dialog = self.ringer.due and self.look("").dialog
            self.typed_at = self.now
            self.take("person", data)
            self.keys.feed(data, self.now, dialog=dialog)

        self._unread.append(handed)

    def open_dialog(self) -> None:
        """The program asks something."""
        self.dialog = True
        self.draw()

    def work(self) -> None:
        """The program is at work for a while by itself."""
        self.busy_until = max(self.busy_until, self.now + self.chance.uniform(0.3, 8))
        self._spin()

    def plan(self) -> None:
        """Make up what happens until the end."""
        chance = self.chance
        for _ in range(chance.randint(5, 60)):
            at = chance.uniform(0, END - 40)
            what = chance.random()
            if what < 0.3:
                self._burst(at)
            elif what < 0.5:
                urgent = chance.random() < 0.3
                for _ in range(chance.choice((1, 1, 3, 40))):
                    self.later(at + chance.uniform(0, 0.5), lambda urgent=urgent: self.mail(urgent))  # type: ignore[misc]
            elif what < 0.65:
                self.later(at, self.open_dialog)
                self.later(at + chance.uniform(0.2, 9), lambda: self.press(chance.choice((b"y", b"n"))))
            elif what < 0.85:
                self.later(at, self.work)
            else:
                self.later(at, lambda: self.draw(more="news"))
        # At last the person clears the dialog and the prompt and goes.
        self.later(END - 29, lambda: self.press(b"n"))
        self.later(END - 28, lambda: self.press(b"\x15"))
        self.draw()

    def _burst(self, at: float) -> None:
        """The person types, and sends it, clears it, or leaves it."""
        chance, time = self.chance, at
        for _ in range(chance.randint(1, 8)):
            self.later(
                time, lambda: self.press(chance.choice((b"a", b"bc", b"\x1b[200~pasted\x1b[201~", b"\x7f")))
            )
            time += chance.choice((0.05, 0.1, 0.4, 1.5))
        end = chance.choice((b"\r", b"\r", b"\x15", b""))
        if end:
            self.later(time, lambda: self.press(end))

    # --- the loop, with a hand in when things become known -------------------------------------------

    def run(self) -> None:
        """Let it all happen."""
        self.plan()
        again: float | None = 0.0
        while True:
            at = self._plan[0][0] if self._plan else float("inf")
            self.now = max(self.now, min(at, float("inf") if again is None else again))
            if self.now > END:
                return
            while self._plan and self._plan[0][0] <= self.now:
                heapq.heappop(self._plan)[2]()
            if self.chance.random() < 0.8:  # else the loop is a little late to learn of it
                self._learn()
                again = self.ringer.step(self.now, self)
                self._deliver()
            else:
                again = self.now
                again = self._late(again)

    def _late(self, again: float) -> float:
        again = self.ringer.step(self.now, self) or again + 0.01
        self._deliver()
        return max(again, self.now + 0.001) if not self._unread else self.now + 0.001

    def _learn(self) -> None:
        while self._unread:
            self._unread.pop(0)()

    def _deliver(self) -> None:
        written, self._written = self._written, []
        for data in written:
            self.take("hubbub", data)

    # --- what a hubbub.wake.ring.Terminal is -----------------------------------------------------------

    def look(self, own: str) -> Look:
        """What is known of the screen. A dialog may open in just this moment."""
        seen = look(self.profile, self.backlog.screen().view(), own)
        if self.now < END - 40 and not self.dialog and self.chance.random() < 0.1:
            self.open_dialog()
            self.later(self.chance.uniform(0.2, 4), lambda: self.press(b"y"))
        return seen

    def still(self) -> bool:
        """Whether all is known."""
        return not self._unread

    def write(self, line: str) -> None:
        """The line, to the program."""
        data = line.encode()
        self._written.append(
            b"\x1b[200~" + data + b"\x1b[201~" if self.backlog.screen().bracketed_paste else data
        )

    def enter(self) -> None:
        """Enter, to the program."""
        self._written.append(b"\r")
