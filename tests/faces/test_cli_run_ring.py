"""hubbub run rings: a real program at a real terminal, that keeps a record of every byte it gets."""

from __future__ import annotations

import json
import pathlib
import random
import sys
import time
from typing import Any

import pytest

import hubbub
from hubbub.bus import Bus
from tests.faces.test_cli_run import send
from tests.faces.wrapper_support import DEADLINE, PROFILE, Terminal, profile_into

PROGRAM = str(pathlib.Path(__file__).parent / "wrapped_program.py")
ENTER = b"\x1b[13u"
"""A person's Enter, in another way of writing it: the plain one is only Hubbub's."""


class Wrapped:
    """The program, wrapped, with a bus beside it."""

    def __init__(self, folder: pathlib.Path, *, seed: int = 0, profile: str = PROFILE) -> None:
        self.url = f"sqlite://{folder / 'bus.db'}"
        self.record = folder / "record"
        environment = {"HUBBUB_BUS": self.url, "HOME": str(folder), **profile_into(folder, text=profile)}
        with hubbub.connect(self.url) as bus:
            bus.agents.register("bob")
        self.terminal = Terminal.run(
            [sys.executable, PROGRAM, str(self.record), str(seed)],
            environment,
            "--profile",
            "quick",
            answers=True,
        )
        self.terminal.until(b"\x1b[4;1H\x1b[J> ")

    def notes(self, what: str = "") -> list[dict[str, Any]]:
        """What the program noted so far."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [note for line in lines if (note := json.loads(line)) and what in ("", note["what"])]

    def sent(self) -> list[str]:
        """The lines that it was sent."""
        return [note["data"] for note in self.notes("sent")]

    def until_sent(self, count: int) -> list[str]:
        """Wait until it was sent so many lines."""
        deadline = time.monotonic() + DEADLINE
        while len(self.sent()) < count:
            assert time.monotonic() < deadline, (self.sent(), self.terminal.seen[-500:])
            self.terminal.during(0.02)
        return self.sent()

    def finish(self) -> None:
        """End it by its own key; its exit status must come through."""
        self.terminal.press(b"\x15\x04")
        assert self.terminal.end() == 7
        assert self.terminal.settings() == self.terminal.before


def line(count: int, urgent: int = 0) -> str:
    """The doorbell, as it is to be."""
    some = f" ({urgent} urgent)" if urgent else ""
    waits = "1 message" + some + " waits" if count == 1 else f"{count} messages{some} wait"
    which = "it" if count == 1 else "them"
    how = "Call receive_messages (in a shell: hubbub receive)"
    return f"Hubbub: {waits} in your inbox. {how} and act on {which}."


def take_all(bus: Bus) -> None:
    """The agent reads its mail."""
    actor = bus.agents.attach("bob")
    while handed := bus.mail.receive(actor, limit=50).deliveries:
        bus.mail.acknowledge(actor, [delivery.message.id for delivery in handed])


def test_mail_gives_a_turn_once_and_again_only_for_new_mail(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path)
    with wrapped.terminal:
        send(wrapped.url)
        assert wrapped.until_sent(1) == [line(1)]
        wrapped.terminal.during(1.5)
        assert wrapped.sent() == [line(1)]  # it was told; nothing new came
        send(wrapped.url, 2)
        assert wrapped.until_sent(2)[1:] in ([line(2)], [line(3)])
        with hubbub.connect(wrapped.url) as bus:
            assert bus.agents.get("bob").queued == 3  # nothing is ever taken
        wrapped.finish()


def test_a_message_that_comes_back_is_rung_for_again(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path)
    with wrapped.terminal, hubbub.connect(wrapped.url) as bus:
        send(wrapped.url)
        wrapped.until_sent(1)
        actor = bus.agents.attach("bob")
        [delivery] = bus.mail.receive(actor).deliveries
        bus.mail.release(actor, [delivery.message.id], delay=0.5)
        assert wrapped.until_sent(2) == [line(1), line(1)]
        wrapped.finish()


def test_ten_thousand_messages_are_one_ring(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path)
    with wrapped.terminal, hubbub.connect(wrapped.url) as bus:
        bus.agents.register("bob", inbox_limit=20_000)
        wrapped.terminal.press(b"x")  # it waits
        send(wrapped.url, 10_000)
        wrapped.terminal.press(b"\x15")
        assert wrapped.until_sent(1) == [line(10_000)]
        wrapped.terminal.during(1.0)
        assert len(wrapped.sent()) == 1
        wrapped.finish()


def test_what_a_person_typed_is_never_sent_for_them(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path)
    with wrapped.terminal:
        wrapped.terminal.press(b"half a line")
        send(wrapped.url)
        wrapped.terminal.during(2.5)
        assert not wrapped.sent()
        wrapped.terminal.press(b" and its end" + ENTER)
        assert wrapped.until_sent(2) == ["half a line and its end", line(1)]
        wrapped.finish()


def test_a_dialog_gets_nothing(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path)
    with wrapped.terminal:
        wrapped.terminal.press(b"\x0f")
        send(wrapped.url)
        wrapped.terminal.during(1.5)
        assert [note["data"] for note in wrapped.notes("byte")] == ["\x0f"]
        wrapped.terminal.press(b"n")
        assert wrapped.until_sent(1) == [line(1)]
        wrapped.finish()


SLOW = PROFILE.replace("settle_seconds = 0.05", "settle_seconds = 1.0")


def test_a_key_between_the_line_and_enter_keeps_enter_back(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path, profile=SLOW)
    with wrapped.terminal:
        send(wrapped.url)
        wrapped.terminal.until(b"act on it.")
        wrapped.terminal.press(b"X")
        wrapped.terminal.during(2.0)
        assert not wrapped.sent()
        with hubbub.connect(wrapped.url) as bus:
            [wake] = bus.presence.wakes("bob")
            assert not wake.worked
            assert "left to them" in wake.detail
        wrapped.terminal.press(b"\x15")
        assert wrapped.until_sent(1) == [line(1)]
        wrapped.finish()


def test_a_dialog_between_the_line_and_enter_keeps_enter_back(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path, profile=SLOW)
    with wrapped.terminal:
        send(wrapped.url)
        wrapped.terminal.until(b"act on it.")
        wrapped.terminal.press(b"\x0f")
        wrapped.terminal.during(2.0)
        assert not wrapped.sent()
        assert not [note for note in wrapped.notes("byte") if note["dialog"]]
        wrapped.terminal.press(b"n\x15")
        assert wrapped.until_sent(1) == [line(1)]
        wrapped.finish()


def test_urgent_mail_rings_while_the_agent_works_where_that_is_kept(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path, profile=PROFILE + "queues = true\n")
    with wrapped.terminal:
        deadline = time.monotonic() + DEADLINE
        send(wrapped.url, priority="urgent")
        while not wrapped.sent():
            assert time.monotonic() < deadline
            wrapped.terminal.press(b"\x17")  # it works on and on
            wrapped.terminal.during(0.35)
        assert wrapped.sent() == [line(1, 1)]
        [paste] = [note for note in wrapped.notes("byte") if note["data"] == "\x1b[200~"]
        assert paste["text"] == ""
        wrapped.finish()


@pytest.mark.parametrize("seed", range(1, 7))
def test_whatever_happens_every_byte_is_where_it_may_be(tmp_path: pathlib.Path, seed: int) -> None:
    chance = random.Random(seed)
    wrapped = Wrapped(tmp_path, seed=seed)
    with wrapped.terminal, hubbub.connect(wrapped.url) as bus:
        for _ in range(12):
            what = chance.random()
            if what < 0.35:
                wrapped.terminal.press(
                    b"".join(chance.choice((b"A", b"B", b"C")) for _ in range(chance.randint(1, 5)))
                )
                wrapped.terminal.during(chance.choice((0, 0.05, 0.4)))
                wrapped.terminal.press(chance.choice((ENTER, b"\x15", b"")))
            elif what < 0.7:
                send(wrapped.url, chance.choice((1, 5)))
            elif what < 0.8:
                wrapped.terminal.press(chance.choice((b"\x0f", b"\x17")))
            else:
                take_all(bus)
            wrapped.terminal.during(chance.uniform(0, 0.6))
            wrapped.terminal.press(chance.choice((b"", b"n")))
        wrapped.terminal.press(b"\x05n\x15")
        before = len(wrapped.sent())
        send(wrapped.url)
        sent = wrapped.until_sent(before + 1)
        assert sent[-1].startswith("Hubbub: ")
        wrapped.finish()
    judge(wrapped.notes(), f"seed {seed}")


def judge(notes: list[dict[str, Any]], case: str) -> None:
    """What Hubbub typed went to an empty prompt; what it sent was its own line."""
    rings = 0
    for note in notes:
        if note["what"] == "byte" and note["data"] == "\x1b[200~":
            rings += 1
            # What the program drew within the last moment may not have come to Hubbub when it typed.
            assert note["text"] == "", (case, note)
            assert note["unseen"] or not (note["dialog"] or note["busy"]), (case, note)
        if note["what"] == "byte" and note["data"] == "\r":
            assert note["unseen"] or not note["dialog"], (case, note)
            assert note["dialog"] or (
                note["text"].startswith("Hubbub: ") and note["text"].endswith(("it.", "them."))
            ), (case, note)
        if note["what"] == "sent":
            assert "Hubbub: " not in note["data"][1:], (case, note)
    assert rings, case
