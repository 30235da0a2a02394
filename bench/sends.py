"""Durable sends per second, against bare commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

import hubbub
from bench.bare import BODY, commits, make
from bench.crew import Crew, Slice
from bench.figures import Expected, Figure, median
from bench.log import fill_log, pages_of
from bench.rows import Run, bus_folder, row

RECIPIENTS = 8


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
    """How many pages one send writes."""
    with bus_folder(run, "pages") as path:
        make_bus(path, 1)
        with sender(path, 0) as send:
            return pages_of(path, send)


@row(
    "sends",
    "Durable sends of 200 bytes per second by 1, 8 and 64 processes flat out, each its own sender, to "
    "8 inboxes; against bare synced commits by as many processes, in alternation: of one row and of as "
    "many pages as a send writes, lined up by the same queue, and of one row under SQLite's busy handler. "
    "All write-ahead logs have their full length before; what a send takes until then is measured first.",
)
def sends(run: Run) -> None:
    """Medians of the rounds; the worst wait of all rounds."""
    pages = pages_of_a_send(run)
    _measure_new(run, pages)
    limits = (
        Limit("one-row commits, queued", 1, True),
        Limit("one-row commits, busy handler", 1, False),
        Limit(f"{pages}-page commits, queued", pages, True),
    )
    with bus_folder(run, "sends") as path, Crew(64) as crew:
        run.say("filling the write-ahead logs once")
        make_bus(path, 64)
        with sender(path, 0) as send:
            fill_log(path, send)
        for place, limit in enumerate(limits):
            make(f"{path}.{place}", limit.tables)
            with commits(f"{path}.{place}", limit.tables, limit.queued) as commit:
                fill_log(f"{path}.{place}", commit)
        for processes in (1, 8, 64):
            _measure(run, crew, path, processes, limits)


class Limit(NamedTuple):
    """One kind of bare commit."""

    what: str
    tables: int
    queued: bool


def _measure_new(run: Run, pages: int) -> None:
    """Sends while the log still grows, which is the whole life of a bus of a few hundred messages."""
    run.say("a new bus")
    times: tuple[list[float], list[float]] = ([], [])
    with bus_folder(run, "new") as path:
        make_bus(path, 1)
        make(path + ".bare", pages)
        with sender(path, 0) as send, commits(path + ".bare", pages, queued=True) as commit:
            for _ in range(300):
                for place, act in enumerate((send, commit)):
                    start = time.perf_counter_ns()
                    act()
                    times[place].append((time.perf_counter_ns() - start) / 1e6)
    name = "one of the first 300 sends of a new bus, median"
    what = f"{pages}-page commit to a new file"
    run.keep(Figure(name, median(times[0]), "ms", median(times[1]), what))


def _measure(run: Run, crew: Crew, path: str, processes: int, limits: tuple[Limit, ...]) -> None:
    named = "1 process" if processes == 1 else f"{processes} processes"
    count = run.pick(3, 5)
    seconds = (0.3 if processes < 64 else 0.6) if run.quick else (0.8 if processes < 64 else 1.5)
    rounds: list[list[Slice]] = []
    for number in range(count):
        run.say(f"{named}, round {number + 1} of {count}")
        slices = [crew.run(seconds, [(sender, (path, n)) for n in range(processes)])]
        for place, limit in enumerate(limits):
            job = (commits, (f"{path}.{place}", limit.tables, limit.queued))
            slices.append(crew.run(seconds, [job] * processes))
        rounds.append(slices)
    rates = [median([slices[place].rate for slices in rounds]) for place in range(4)]
    waits = [max(slices[place].worst for slices in rounds) * 1000 for place in range(4)]
    for place, limit in enumerate(limits, 1):
        expected = Expected(least_ratio=0.7)
        run.keep(Figure(f"sends by {named}", rates[0], "/s", rates[place], limit.what, expected))
    for place, limit in enumerate(limits, 1):
        most = Expected(most=1000) if processes == 64 else None
        run.keep(Figure(f"worst wait of a send, {named}", waits[0], "ms", waits[place], limit.what, most))
