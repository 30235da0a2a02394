"""A full-screen program to be wrapped: it keeps a record of every byte that it gets, and of its state then.

Usage: wrapped_program.py RECORD SEED. It has a prompt; it is at work for a while now and then, and opens
dialogs, by itself (from SEED) until it gets ctrl-E, and by keys: ctrl-O a dialog, ctrl-W work.
ctrl-D ends it.
"""

import json
import os
import random
import select
import sys
import time
import tty

PASTE, PASTE_END, ENTER, SEEN = b"\x1b[200~", b"\x1b[201~", b"\x1b[13u", b"\x1b[0n"


class Program:
    """Its state."""

    def __init__(self, record: str, seed: int) -> None:
        self.record = open(record, "w", buffering=1)  # noqa: SIM115 - it lives as long as the program
        self.chance = random.Random(seed)
        self.text = ""
        self.dialog = False
        self.busy_until = 0.0
        self.unseen = 0
        self.pasting = False
        self.alone = seed != 0
        self.rest = b""

    def draw(self) -> None:
        """Draw it all anew, and ask the terminal to say when it has seen that."""
        self.unseen += 1
        lines = ["a program", "working" if self.busy else "", "Allow this? y/n" if self.dialog else "", ""]
        drawn = "".join(f"\x1b[{row};1H{line}\x1b[K" for row, line in enumerate(lines, 1))
        os.write(1, (drawn + "\x1b[4;1H\x1b[J> " + self.text + "\x1b[5n").encode())

    @property
    def busy(self) -> bool:
        """Whether it is at work."""
        return time.monotonic() < self.busy_until

    def note(self, what: str, data: str) -> None:
        """Keep what came, with the state that it came into."""
        state = {"dialog": self.dialog, "busy": self.busy, "text": self.text, "unseen": self.unseen}
        self.record.write(json.dumps({"at": time.monotonic(), "what": what, "data": data, **state}) + "\n")

    def feed(self, data: bytes) -> None:
        """Bytes came."""
        self.rest += data
        while self.rest:
            known = next(
                (mark for mark in (PASTE, PASTE_END, ENTER, SEEN) if self.rest.startswith(mark)), None
            )
            if known is None and any(mark.startswith(self.rest) for mark in (PASTE, PASTE_END, ENTER, SEEN)):
                return
            piece = known or self.rest[:1]
            self.rest = self.rest[len(piece) :]
            if piece == SEEN:
                self.unseen -= 1
            else:
                self.take(piece)

    def take(self, piece: bytes) -> None:
        """A key, or the begin or end of a paste."""
        self.note("byte", piece.decode("latin1"))
        if piece == PASTE:
            self.pasting = True
        elif piece == PASTE_END:
            self.pasting = False
        elif self.dialog:
            self.dialog = piece not in (b"y", b"n", b"\r")
        elif piece in (b"\r", ENTER) and not self.pasting:
            self.submit()
        elif piece == b"\x04":
            self.note("end", "")
            sys.exit(7)
        elif piece == b"\x15":
            self.text = ""
        elif piece == b"\x0f":
            self.dialog = True
        elif piece == b"\x17":
            self.busy_until = time.monotonic() + 0.4
        elif piece == b"\x05":
            self.alone = False
        else:
            self.text += piece.decode("latin1")

    def submit(self) -> None:
        """The line is sent."""
        if self.text:
            self.note("sent", self.text)
            self.text = ""
            self.busy_until = time.monotonic() + 0.1

    def run(self) -> None:
        """Serve."""
        os.write(1, b"\x1b[?2004h\x1b[2J")
        self.draw()
        was_busy = False
        while True:
            wait = 0.05 if self.busy or self.alone else 0.5
            ready = select.select([0], [], [], wait)[0]
            if ready:
                data = os.read(0, 4096)
                before = (self.text, self.dialog, self.busy)
                self.feed(data)
                if (self.text, self.dialog, self.busy) != before:
                    self.draw()
            elif self.alone and not self.dialog and not self.busy and self.chance.random() < 0.05:
                if self.chance.random() < 0.5:
                    self.dialog = True
                else:
                    self.busy_until = time.monotonic() + self.chance.uniform(0.1, 0.6)
                self.draw()
            elif was_busy != self.busy:
                self.draw()
            was_busy = self.busy


if __name__ == "__main__":
    tty.setraw(0)
    Program(sys.argv[1], int(sys.argv[2])).run()
