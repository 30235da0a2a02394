"""Whether a bus that keeps a million messages is as quick as one that keeps a thousand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import hubbub
from bench.bare import BODY, commits, make
from bench.figures import Expected, Figure, median, percentile
from bench.fill import READER, WRITER, fill
from bench.rows import Run, Unmeasurable, bus_folder, row
from hubbub.bus import Bus
from hubbub.model import Actor

SMALL = 1_000
OPERATIONS = ("send", "receive", "settle")


class Timed:
    """One filled bus, and how long each operation on it took, in milliseconds."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._reader, self._writer = Actor(READER), Actor(WRITER)
        self.times: dict[str, list[float]] = {name: [] for name in OPERATIONS}

    def round(self) -> None:
        """Send one message, receive one, settle it: the inbox stays as full as it was."""
        mail = self._bus.mail
        self._time("send", lambda: mail.send(self._writer, mail.draft(READER, BODY)))
        handed: list[str] = []

        def receive() -> None:
            handed.extend(delivery.message.id for delivery in mail.receive(self._reader).deliveries)

        self._time("receive", receive)
        if len(handed) != 1:
            raise Unmeasurable(f"a receive handed out {len(handed)} messages instead of one")
        self._time("settle", lambda: mail.acknowledge(self._reader, handed[0]))

    def _time(self, name: str, act: Callable[[], object]) -> None:
        start = time.perf_counter_ns()
        act()
        self.times[name].append((time.perf_counter_ns() - start) / 1e6)


@row(
    "kept",
    "Milliseconds of send, receive and settle on a bus that keeps 1,000,000 messages in one inbox (20,000 "
    "with --quick), against one that keeps 1,000, in alternation: once all are settled, once all are queued.",
)
def kept(run: Run) -> None:
    """The two sizes take turns, operation by operation, with a bare commit between them."""
    large = run.pick(20_000, 1_000_000)
    for state in ("settled", "queued"):
        with bus_folder(run, "kept") as path:
            _measure(run, path, large, state)


@contextmanager
def _filled(run: Run, path: str, count: int, state: str) -> Iterator[Timed]:
    run.say(f"filling a bus with {count:,} {state} messages")
    fill(path, count, state)
    with hubbub.connect("sqlite://" + path) as bus:
        yield Timed(bus)


def _measure(run: Run, path: str, large: int, state: str) -> None:
    rounds, warm_up = run.pick(150, 500), 20
    make(path + ".bare", 1)
    bare: list[float] = []
    with (
        _filled(run, path, SMALL, state) as small,
        _filled(run, path + ".large", large, state) as big,
        commits(path + ".bare", 1, queued=True) as commit,
    ):
        run.say(f"send, receive, settle with {SMALL:,} and {large:,} messages {state}")
        for number in range(rounds + warm_up):
            for timed in (small, big) if number % 2 else (big, small):
                timed.round()
            start = time.perf_counter_ns()
            commit()
            bare.append((time.perf_counter_ns() - start) / 1e6)
    note = f"{rounds} samples; a bare one-row commit in between: median {median(bare[warm_up:]):.3f} ms"
    for name in OPERATIONS:
        ours, floor = big.times[name][warm_up:], small.times[name][warm_up:]
        what = f"{name}, {large:,} {state}"
        run.keep(
            Figure(
                f"{what}, median",
                median(ours),
                "ms",
                median(floor),
                f"with {SMALL:,} {state}",
                Expected(most_ratio=1.25),
                note,
            )
        )
        run.keep(
            Figure(
                f"{what}, p99",
                percentile(ours, 0.99),
                "ms",
                percentile(floor, 0.99),
                f"with {SMALL:,} {state}",
            )
        )
