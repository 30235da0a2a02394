"""Durable sends per second, against bare commits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import hubbub
from bench.bare import BODY, commits, make
from bench.crew import Crew, Slice
from bench.figures import Expected, Figure, median
from bench.rows import Run, bus_folder, row

RECIPIENTS = 8
WAL_HEADER, FRAME = 32, 4096 + 24
"""Sizes in a write-ahead log of 4 KiB pages: its header, and a page with its own header."""


@contextmanager
def sender(path: str, number: int) -> Iterator[Callable[[], object]]:
    """A function that sends one message, as agent ``sender-NUMBER``, to each recipient in turn."""
    with hubbub.connect("sqlite://" + path) as bus:
        actor = bus.agents.attach(f"sender-{number}")
        turns = count(number)

        def send() -> object:
            to = f"reader-{next(turns) % RECIPIENTS}"
            return bus.mail.send(actor, bus.mail.draft(to, BODY))

        yield send


def make_bus(path: str, senders: int) -> None:
    """A bus with its readers, whose inboxes never fill, and its senders."""
    with hubbub.connect("sqlite://" + path) as bus:
        for number in range(RECIPIENTS):
            bus.agents.register(f"reader-{number}", inbox_limit=10_000_000)
        for number in range(senders):
            bus.agents.register(f"sender-{number}")


def pages_of_a_send(run: Run) -> int:
    """How many pages one send writes, by the growth of the write-ahead log."""
    with bus_folder(run, "pages") as path:
        make_bus(path, 1)
        with sender(path, 0) as send:
            for _ in range(50):
                send()
            before = os.path.getsize(path + "-wal")
            for _ in range(200):
                send()
            grown = os.path.getsize(path + "-wal") - before
    assert before > WAL_HEADER
    return round(grown / FRAME / 200)


@row(
    "sends",
    "Durable sends of 200 bytes per second by 1, 8 and 64 processes flat out, each its own sender, to "
    "8 inboxes; against bare synced commits by as many processes, in alternation: of one row and of as "
    "many pages as a send writes, lined up by the same queue, and of one row under SQLite's busy handler.",
)
def sends(run: Run) -> None:
    """Medians of the rounds; the worst wait of all rounds."""
    pages = pages_of_a_send(run)
    with Crew(64) as crew:
        for processes in (1, 8, 64):
            _measure(run, crew, processes, pages)


def _measure(run: Run, crew: Crew, processes: int, pages: int) -> None:
    named = "1 process" if processes == 1 else f"{processes} processes"
    seconds = (0.3 if processes < 64 else 0.5) if run.quick else (1.0 if processes < 64 else 2.0)
    limits = (
        ("one-row commits, queued", 1, True),
        ("one-row commits, busy handler", 1, False),
        (f"{pages}-page commits, queued", pages, True),
    )
    rounds: list[list[Slice]] = []
    with bus_folder(run, "sends") as path:
        make_bus(path, processes)
        for place, (_, tables, _) in enumerate(limits):
            make(f"{path}.{place}", tables)
        for number in range(3):
            run.say(f"{named}, round {number + 1} of 3")
            slices = [crew.run(seconds, [(sender, (path, n)) for n in range(processes)])]
            for place, (_, tables, queued) in enumerate(limits):
                job = (commits, (f"{path}.{place}", tables, queued))
                slices.append(crew.run(seconds, [job] * processes))
            rounds.append(slices)
    rates = [median([slices[place].rate for slices in rounds]) for place in range(4)]
    waits = [max(slices[place].worst for slices in rounds) * 1000 for place in range(4)]
    for place, (what, _, _) in enumerate(limits, 1):
        run.keep(
            Figure(
                f"sends by {named}", rates[0], "/s", rates[place], what, expected=Expected(least_ratio=0.7)
            )
        )
    expected = Expected(most=1000) if processes == 64 else None
    for place, (what, _, _) in enumerate(limits, 1):
        run.keep(
            Figure(f"worst wait of a send, {named}", waits[0], "ms", waits[place], what, expected=expected)
        )
