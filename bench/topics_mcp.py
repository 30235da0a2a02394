"""Topics as agents have them: over MCP servers, beside those of another program."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from bench.figures import Expected, Figure, median, percentile
from bench.official import rates
from bench.peer_agent_bus import agent_bus
from bench.rows import Run, Unmeasurable, bus_folder, row
from bench.servers import Place, least, ours, structured, theirs
from bench.talk import Calls, Talk, failure, flat_out, memory, ready, written

WRITERS = 8
OUTBOX = 50
"""How many messages both programs post at most in one sync."""

WAIT_SECONDS = 20
Json = dict[str, Any]


class Compared(NamedTuple):
    """Hubbub, the other program where it runs, and how figures of the two are kept."""

    run: Run
    folder: str
    peer: bool
    note: str
    """What there is to know of the other program."""
    place: Callable[[str], list[Place]]
    """Servers with a new database each: ours, and theirs where they run. Given a name for the databases."""

    def keep(
        self, what: str, values: list[float], unit: str, expected: Expected | None = None, note: str = ""
    ) -> None:
        """Our value, and theirs beside it if there is one."""
        figure = Figure(what, values[0], unit, expected=expected, note=note)
        if self.peer:
            figure = figure._replace(limit=values[1], limit_what=self.place("")[1].server.named)
        self.run.keep(figure)


@row(
    "topics_mcp",
    "MCP servers with topics, started as `python -m hubbub mcp`; with --peers, those of agent-bus-mcp beside "
    "them: posts per second (a sync with one message) through the official client; from before a post to the "
    "answer of another agent's waiting sync; failed calls when 8 servers post at full rate; their memory; "
    "start to the answer of `initialize`; a sync that finds nothing after 20,000 messages of one's own; "
    "what a server has written to disk while its agent waits 10 s.",
)
def topics_mcp(run: Run) -> None:
    """Ours and theirs take turns, part by part."""
    with bus_folder(run, "topics-mcp") as path:
        folder = os.path.dirname(path)
        troubles, servers, note = list[str](), [ours()], ""
        if run.peers is not None:
            try:
                peer = agent_bus(run)
                servers.append(theirs(peer))
                note = peer.note
            except Unmeasurable as error:
                troubles.append(str(error))

        def place(name: str) -> list[Place]:
            return [
                Place(server, os.path.join(folder, f"{name}-{number}.db"))
                for number, server in enumerate(servers)
            ]

        compared = Compared(run, folder, len(servers) > 1, note, place)
        for part in (_posts, _starts, _full_rate, _wake, _own, _idle):
            run.say(part.__name__.strip("_").replace("_", " "))
            try:
                part(compared)
            except Unmeasurable as error:
                troubles.append(str(error))
    if troubles:
        raise Unmeasurable("; ".join(troubles))


def _posts(compared: Compared) -> None:
    run = compared.run
    places = [*compared.place("posts"), Place(least(), os.path.join(compared.folder, "least.db"))]
    *found, limit = rates(places, run.pick(3, 7), 0.4 if run.quick else 1.0)
    what = "posts through the official client"
    run.keep(Figure(what, found[0], "/s", limit, places[-1].server.named))
    if compared.peer:
        compared.keep(what, found, "/s", note=compared.note)


def _starts(compared: Compared) -> None:
    run, times = compared.run, list[list[float]]()
    places = compared.place("starts")
    for number in range(run.pick(5, 20) + 1):
        for kind, place in enumerate(places):
            start = time.perf_counter_ns()
            with place.start("starter-0") as talk:
                talk.greet()
                taken = (time.perf_counter_ns() - start) / 1e6
                talk.end()
            if number == 0:
                times.append([])
            else:
                times[kind].append(taken)
    values = [median(samples) for samples in times]
    note = f"median of {len(times[0])}"
    compared.keep("start to the answer of initialize", values, "ms", Expected(most=100), note)


def _full_rate(compared: Compared) -> None:
    seconds = 2.0 if compared.run.quick else 10.0
    calls, resident, proportional = list[Calls](), list[float](), list[float]()
    for place in compared.place("full-rate"):
        with ExitStack() as opened:
            talks = [opened.enter_context(place.start(f"writer-{n}")) for n in range(WRITERS)]
            topics = [place.join(talk, f"writer-{n}") for n, talk in enumerate(talks)]
            calls.append(flat_out(talks, "sync", place.server.sync(topics[0], 1, 0), seconds))
            used = [found for talk in talks if (found := memory(talk.pid)) is not None]
            if len(used) == len(talks):
                resident.append(median([found.resident for found in used]))
                proportional.append(median([found.proportional for found in used]))
    note = "; ".join(
        f"{place.server.named}: {found.failed:,} of {found.done + found.failed:,} calls failed"
        + (f" ({found.first_failure})" if found.failed else "")
        for place, found in zip(compared.place(""), calls, strict=True)
    )
    shares = [100 * found.failed / max(1, found.done + found.failed) for found in calls]
    named = f"{WRITERS} servers posting at full rate"
    compared.keep(f"failed calls, {named}", shares, "%", Expected(most=0), note)
    compared.keep(f"posts, {named}", [found.done / found.seconds for found in calls], "/s")
    compared.keep(f"worst call, {named}", [found.worst for found in calls], "ms")
    if len(resident) < len(calls):
        raise Unmeasurable("memory is read from /proc, which this system has not")
    compared.keep("resident memory of a server", resident, "MiB", Expected(most=30))
    compared.keep("memory of a server, shared pages in part", proportional, "MiB")


def _wake(compared: Compared) -> None:
    run, values = compared.run, list[list[float]]()
    notes = []
    for place in compared.place("wake"):
        # The other program looks every 250 to 1,000 ms, so its posts come at any moment of that.
        pause, count = (0.01, run.pick(50, 300)) if not values else (1.0, run.pick(8, 60))
        with place.start("waiter-0") as waiter, place.start("poster-0") as poster:
            waits = place.server.sync(place.join(waiter, "waiter-0"), 0, WAIT_SECONDS)
            posts = place.server.sync(place.join(poster, "poster-0"), 1, 0)
            samples = [_woken(place, (waiter, waits), (poster, posts), pause) for _ in range(count)]
        values.append([sample.milliseconds for sample in samples])
        refused = sum(sample.refused for sample in samples)
        notes.append(f"{place.server.named}: {count} samples, {refused} posts refused and made again")
    for share, named in ((0.5, "p50"), (0.99, "p99")):
        found = [percentile(samples, share) for samples in values]
        compared.keep(f"post to answer of a waiting sync, {named}", found, "ms", note=", ".join(notes))


class Woken(NamedTuple):
    """One sample."""

    milliseconds: float
    """From before the post to the answer of the other agent's sync that waited for it."""
    refused: int
    """How many posts failed before."""


def _woken(place: Place, waits: tuple[Talk, Json], posts: tuple[Talk, Json], pause: float) -> Woken:
    (waiter, waiting_arguments), (poster, posting_arguments) = waits, posts
    waiting = waiter.begin_call("sync", waiting_arguments)
    time.sleep(0.02 + random.uniform(0, pause))  # it has begun to wait, and is somewhere in it
    refused, posted, woken = 0, False, 0
    start = time.perf_counter_ns()
    poster.begin_call("sync", posting_arguments)
    while not (posted and woken):
        for talk, number in ready((waiter, poster), WAIT_SECONDS + 20):
            now = time.perf_counter_ns()
            answer = talk.taken(number)
            fault = failure(answer)
            if number == waiting and talk is waiter:
                if fault or place.server.received(structured(answer["result"])) != 1:
                    raise Unmeasurable(
                        f"a waiting sync of {place.server.named} failed: {fault or 'too late'}"
                    )
                woken = now
            elif fault:
                refused += 1
                start = time.perf_counter_ns()
                poster.begin_call("sync", posting_arguments)
            else:
                posted = True
    return Woken((woken - start) / 1e6, refused)


def _own(compared: Compared) -> None:
    run = compared.run
    count, samples = run.pick(2_000, 20_000), run.pick(50, 200)
    before, after = list[float](), list[float]()
    for place in compared.place("own"):
        with place.start("poster-0") as talk:
            topic = place.join(talk, "poster-0")
            nothing = place.server.sync(topic, 0, 0)
            before.append(_median_of(talk, nothing, samples))
            for _ in range(count // OUTBOX):
                talk.call("sync", place.server.sync(topic, OUTBOX, 0))
            after.append(_median_of(talk, nothing, samples))
    what = f"sync that finds nothing after {count:,} own messages"
    expected = Expected(most_ratio=1.25)
    run.keep(Figure(what, after[0], "ms", before[0], "in a new topic", expected, f"median of {samples}"))
    if compared.peer:
        compared.keep(what, after, "ms", note=f"in a new topic, the other takes {before[1]:.3g} ms")


def _median_of(talk: Talk, arguments: Json, samples: int) -> float:
    times = []
    for _ in range(samples):
        start = time.perf_counter_ns()
        talk.call("sync", arguments)
        times.append((time.perf_counter_ns() - start) / 1e6)
    return median(times)


def _idle(compared: Compared) -> None:
    seconds = 3 if compared.run.quick else 10
    with ExitStack() as opened:
        talks, waiting = [], []
        for place in compared.place("idle"):
            talk = opened.enter_context(place.start("waiter-0"))
            topic = place.join(talk, "waiter-0")
            talks.append(talk)
            waiting.append(talk.begin_call("sync", place.server.sync(topic, 0, seconds + 5)))
        time.sleep(2)  # what starting leads to is over
        before = [written(talk.pid) for talk in talks]
        time.sleep(seconds)
        after = [written(talk.pid) for talk in talks]
        for talk, number in zip(talks, waiting, strict=True):
            talk.answer(number)
    if None in before or None in after:
        raise Unmeasurable("what a process writes is read from /proc, which this system has not")
    grown = [(end or 0) - (start or 0) for start, end in zip(before, after, strict=True)]
    values = [number / 1024 for number in grown]
    compared.keep(f"written by an idle waiter in {seconds} s", values, "KiB")
