"""Posting to topics: how many a second, and how soon one who waits has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import hubbub
from bench.bare import BODY, commits, make
from bench.crew import Crew, Slice
from bench.figures import Expected, Figure, median
from bench.log import fill_log, pages_of
from bench.rows import Run, bus_folder, row
from bench.wake import ANSWER_SECONDS, against_a_datagram
from hubbub.model_topics import Hand

POSTED, TALKED = "posted", "talked"
"""The topics: one that its posters do not read, one where each reads all, so that nobody has a backlog."""

PROCESSES = (1, 8, 32)


def make_bus(path: str, posters: int) -> None:
    """A bus with the topics and their members."""
    with hubbub.connect("sqlite://" + path) as bus:
        for number in range(posters):
            bus.agents.register(f"poster-{number}")
            actor = bus.agents.attach(f"poster-{number}")
            bus.topics.create(actor, POSTED)
            bus.topics.create(actor, TALKED)


@contextmanager
def poster(path: str, number: int) -> Iterator[Callable[[], object]]:
    """A function that posts one message as ``poster-NUMBER`` and reads nothing but the next in line."""
    with hubbub.connect("sqlite://" + path) as bus:
        actor = bus.agents.attach(f"poster-{number}")
        post = (bus.topics.post(BODY),)
        yield lambda: bus.topics.sync(actor, POSTED, post, auto_advance=False, limit=1)


@contextmanager
def talker(path: str, number: int) -> Iterator[Callable[[], object]]:
    """A function that posts one message, confirms what the last call read, and reads what is new."""
    with hubbub.connect("sqlite://" + path) as bus:
        actor = bus.agents.attach(f"poster-{number}")
        post = (bus.topics.post(BODY),)
        hands: tuple[Hand, ...] = ()

        def talk() -> object:
            nonlocal hands
            synced = bus.topics.sync(actor, TALKED, post, confirm=hands, limit=100)
            hands = () if synced.hand is None else (synced.hand,)
            return synced

        yield talk


@row(
    "topics",
    "Posts of 200 bytes per second to one topic by 1, 8 and 32 processes flat out, each its own agent, once "
    "posting only and once reading and confirming all that the others post as well; against bare synced "
    "commits by as many processes, lined up by the same queue, in alternation: of one row and of as many "
    "pages as a post writes. And milliseconds from before a post to the moment when the bell woke a process "
    "that waits in the topic, and to when its sync returned; against a bare synced commit and one datagram.",
)
def topics(run: Run) -> None:
    """Medians of the rounds; percentiles of the waking."""
    _measure_rates(run)
    _measure_wake(run)


def _measure_rates(run: Run) -> None:
    with bus_folder(run, "topics") as path, Crew(max(PROCESSES)) as crew:
        run.say("filling the write-ahead logs once")
        make_bus(path, max(PROCESSES))
        with poster(path, 0) as post:
            pages = pages_of(path, post)
            fill_log(path, post)
        for tables in (1, pages):
            make(f"{path}.{tables}", tables)
            with commits(f"{path}.{tables}", tables, queued=True) as commit:
                fill_log(f"{path}.{tables}", commit)
        for processes in PROCESSES:
            _measure_rate(run, crew, path, processes, pages)


def _measure_rate(run: Run, crew: Crew, path: str, processes: int, pages: int) -> None:
    named = "1 process" if processes == 1 else f"{processes} processes"
    count = run.pick(3, 5)
    seconds = 0.4 if run.quick else 1.0
    rounds: list[list[Slice]] = []
    for number in range(count):
        run.say(f"{named}, round {number + 1} of {count}")
        slices = [
            crew.run(seconds, [(work, (path, n)) for n in range(processes)]) for work in (poster, talker)
        ]
        for tables in (1, pages):
            job = (commits, (f"{path}.{tables}", tables, True))
            slices.append(crew.run(seconds, [job] * processes))
        rounds.append(slices)
    rates = [median([slices[place].rate for slices in rounds]) for place in range(4)]
    waits = [max(slices[place].worst for slices in rounds) * 1000 for place in range(4)]
    what = ("one-row commits, queued", f"{pages}-page commits, queued")
    for limit, place in zip(what, (2, 3), strict=True):
        expected = Expected(least_ratio=0.7)
        run.keep(Figure(f"posts by {named}", rates[0], "/s", rates[place], limit, expected))
    if processes > 1:
        note = (
            f"each hands on to {processes - 1} readers: {rates[1] * (processes - 1):,.0f} readings a second"
        )
        run.keep(Figure(f"posts by {named} that read all", rates[1], "/s", rates[3], what[1], None, note))
    most = Expected(most=1000) if processes == max(PROCESSES) else None
    run.keep(Figure(f"worst wait of a post, {named}", waits[0], "ms", waits[3], what[1], most))


def wait_in_topic(pipe: Connection, path: str) -> None:
    """A process that syncs again and again, and tells when it waits and when it woke."""
    with hubbub.connect("sqlite://" + path) as bus:
        actor = bus.agents.attach("poster-0")
        hands: tuple[Hand, ...] = ()
        while True:
            # Confirmed ahead, so that what is measured is the wait alone.
            bus.topics.confirm(actor, hands)
            steps = bus.topics.syncing(actor, TALKED, wait=ANSWER_SECONDS)
            told, woke = False, 0
            try:
                while True:
                    pause = next(steps)
                    if not told:
                        pipe.send(None)
                        told = True
                    pause.bell.wait(pause.seconds)
                    woke = time.monotonic_ns()
            except StopIteration as done:
                synced, returned = done.value, time.monotonic_ns()
            if synced.hand is None:
                return
            hands = (synced.hand,)
            pipe.send((woke, returned))


def _measure_wake(run: Run) -> None:
    with bus_folder(run, "topics-wake") as path, hubbub.connect("sqlite://" + path) as bus:
        make_bus(path, 2)
        actor = bus.agents.attach("poster-1")
        post = (bus.topics.post(BODY),)

        def act() -> None:
            bus.topics.sync(actor, TALKED, post)

        against_a_datagram(run, path, wait_in_topic, act, ("post to waiter woken", "post to sync returned"))
