"""Claiming and completing steps: how soon one has a step, how many a second, and what size does to it."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from glob import glob
from itertools import count

import hubbub
from bench.bare import commits, make
from bench.crew import Crew, Prepare, Slice
from bench.figures import Expected, Figure, median, percentile
from bench.log import fill_log
from bench.rows import Run, Unmeasurable, bus_folder, row
from hubbub.bus import Bus
from hubbub.model import Actor
from hubbub.model_work import Claim, Nothing, StepDraft
from hubbub.stores.sqlite import SqliteStore

Job = tuple[Prepare, tuple[object, ...]]
PROJECT = "build"
PROCESSES = (1, 10, 100)
AGENTS = 1000
LOOPS = 4
"""How many processes the paced agents share."""
SHARES = (0.5, 0.95, 0.99, 1.0)
NAMES = ("p50", "p95", "p99", "max")
FILL = """
WITH RECURSIVE n(num) AS (SELECT :first UNION ALL SELECT num + 1 FROM n WHERE num < :last)
INSERT INTO steps (tag, project, num, title, instructions, acceptance, branch, scope, paths, resources, holds,
                   priority, status, rank, max_attempts, time_limit_ms, created_at, ready_at, ended_at)
SELECT 0, 1, num, 'step ' || num, 'Do what the title says.', '', '', '', '[]', '[]', 0, 0,
       'not_started', :now + num, 3, 3600000, :now, :now, NULL
FROM n
"""


class Samples:
    """Where a process writes how long its calls took: a file that the others of the run do not write."""

    def __init__(self, path: str, what: str, number: int) -> None:
        self._file = os.open(f"{path}.{what}-{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, began: int) -> int:
        """Write down the time since ``began``; the time now. Both as :func:`time.monotonic_ns`."""
        now = time.monotonic_ns()
        os.write(self._file, array("q", [now - began]).tobytes())
        return now


def taken(path: str, what: str) -> list[float]:
    """What all processes wrote since this was last asked, in milliseconds."""
    found = array("q")
    for name in glob(f"{path}.{what}-*"):
        with open(name, "r+b") as file:
            found.frombytes(file.read())
            file.truncate(0)
    if not found:
        raise Unmeasurable(f"no {what} ended in time")
    return [each / 1e6 for each in found]


def forget(path: str, what: str) -> None:
    """Drop what was written so far: it belongs to no measurement."""
    for name in glob(f"{path}.{what}-*"):
        os.truncate(name, 0)


def make_bus(path: str, agents: int, steps: int) -> None:
    """A bus with agents, and a project with so many steps that wait for nothing."""
    with hubbub.connect("sqlite://" + path) as bus:
        for number in range(agents):
            bus.agents.register(f"agent-{number}")
        actor = bus.agents.attach("agent-0")
        bus.work.create_project(actor, PROJECT)
    store = SqliteStore(path)
    with store._core.write() as tx:
        tx.db.execute(FILL, {"first": 1, "last": steps, "now": store.now()})
    store.close()


def _had(found: Claim | Nothing) -> Claim:
    if isinstance(found, Nothing):
        raise Unmeasurable(f"nothing to claim: {found.says}")
    return found


@contextmanager
def claimer(path: str, number: int) -> Iterator[Callable[[], object]]:
    """A function that claims a step, begun at once, and completes it."""
    with hubbub.connect("sqlite://" + path) as bus:
        actor = bus.agents.attach(f"agent-{number}")
        # What is loaded and planned for the first step is in no measurement.
        bus.work.complete(actor, _had(bus.work.claim(actor, project=PROJECT, start=True)).token)
        claims, ends = Samples(path, "claim", number), Samples(path, "end", number)

        def work() -> None:
            began = time.monotonic_ns()
            claim = _had(bus.work.claim(actor, project=PROJECT, start=True))
            began = claims.note(began)
            bus.work.complete(actor, claim.token, commit="abc")
            ends.note(began)

        yield work


@contextmanager
def bare(path: str, number: int) -> Iterator[Callable[[], object]]:
    """A function that commits one row through a queue as the bus has it."""
    samples = Samples(path, "commit", number)
    with commits(path, 1, queued=True) as commit:

        def write() -> None:
            began = time.monotonic_ns()
            commit()
            samples.note(began)

        yield write


@contextmanager
def paced(path: str, number: int) -> Iterator[Callable[[], object]]:
    """A function that waits for the time of the next of many agents, each of which makes one call a
    second: it claims, renews and completes in turn. Times count from when the call was due."""
    samples, share = Samples(path, "paced", number), AGENTS // LOOPS
    with hubbub.connect("sqlite://" + path) as bus:
        actors = [bus.agents.attach(f"agent-{number * share + place}") for place in range(share)]
        # Agents begin at different places of their round, as they would after a while.
        calls = [_calls(bus, actor, place) for place, actor in enumerate(actors)]
        turns = count()
        start = 0

        def call() -> None:
            nonlocal start
            turn = next(turns)
            interval = 1_000_000_000 // share
            now = time.monotonic_ns()
            if start == 0 or now - (start + turn * interval) > 2_000_000_000:  # a new stretch of time
                start = now - turn * interval + number * interval // LOOPS
            due = start + turn * interval
            time.sleep(max(0, due - now) / 1e9)
            next(calls[turn % share])
            samples.note(due)

        yield call


def _calls(bus: Bus, actor: Actor, place: int) -> Iterator[None]:
    """The calls of one agent, without end: claim, renew twice, complete."""
    for _ in range(place % 4):
        bus.work.mine(actor)
        yield
    while True:
        claim = _had(bus.work.claim(actor, project=PROJECT, start=True))
        yield
        for _ in range(2):
            bus.work.renew(actor, claim.token)
            yield
        bus.work.complete(actor, claim.token, commit="abc")
        yield


@row(
    "work",
    "Claiming a step and completing it, through the library: milliseconds of a claim and of a completion, "
    "and steps per second, by 1, 10 and 100 processes flat out; by 1,000 agents in 4 processes, each of "
    "which makes one call a second (claim, renew, renew, complete), counted from when the call was due; in a "
    "project of 1,000 and of 1,000,000 steps (quick: 100,000), in alternation; and when the 1,000 steps that "
    "are ready name files that somebody holds. Against bare synced one-row commits by as many processes, "
    "lined up by the same queue: a claim is one commit, a completion one and its news in the topic another.",
)
def work(run: Run) -> None:
    """Percentiles over all rounds; medians of the rates."""
    _measure_flat_out(run)
    _measure_paced(run)
    _measure_sizes(run)
    _measure_held(run)


def _measure_flat_out(run: Run) -> None:
    with bus_folder(run, "work") as path, Crew(max(PROCESSES)) as crew:
        run.say("filling the write-ahead logs once")
        make_bus(path, max(PROCESSES), 40_000)
        make(path + ".bare", 1)
        for prepare, place in ((claimer, path), (bare, path + ".bare")):
            with prepare(place, 0) as act:
                fill_log(place, act)
        for processes in PROCESSES:
            _measure_processes(run, crew, path, processes)


def _measure_processes(run: Run, crew: Crew, path: str, processes: int) -> None:
    named = "1 process" if processes == 1 else f"{processes} processes"
    for what in ("claim", "end"):
        forget(path, what)
    forget(path + ".bare", "commit")
    rates: list[Slice] = []
    bare_rates: list[Slice] = []
    seconds = (0.6 if processes < 100 else 1.5) if run.quick else (2.0 if processes < 100 else 4.0)
    for number in range(3):
        run.say(f"{named}, round {number + 1} of 3")
        rates.append(crew.run(seconds, [(claimer, (path, n)) for n in range(processes)]))
        bare_rates.append(crew.run(seconds, [(bare, (path + ".bare", n)) for n in range(processes)]))
    limits = taken(path + ".bare", "commit")
    what = "one-row commit, queued"
    claims = taken(path, "claim")
    for share, name in zip(SHARES, NAMES, strict=True):
        most = Expected(most=150) if name == "p99" and processes == max(PROCESSES) else None
        limit = percentile(limits, share)
        run.keep(Figure(f"claim by {named}, {name}", percentile(claims, share), "ms", limit, what, most))
    ends = percentile(taken(path, "end"), 0.99)
    run.keep(Figure(f"completion by {named}, p99", ends, "ms", percentile(limits, 0.99), what))
    rate, limit = median([each.rate for each in rates]), median([each.rate for each in bare_rates])
    note = "three commits each"
    run.keep(
        Figure(f"steps claimed and completed by {named}", rate, "/s", limit, "one-row commits", None, note)
    )


def _measure_paced(run: Run) -> None:
    with bus_folder(run, "work-paced") as path, Crew(LOOPS) as crew:
        run.say(f"{AGENTS} agents at one call a second")
        make_bus(path, AGENTS, 20_000)
        make(path + ".bare", 1)
        for prepare, place in ((claimer, path), (bare, path + ".bare")):
            with prepare(place, 0) as act:
                fill_log(place, act)
        jobs: list[Job] = [(paced, (path, number)) for number in range(LOOPS)]
        # The first rounds: agents get into step, statements are planned.
        crew.run(5, jobs)
        forget(path, "paced")
        done = crew.run(run.pick(8, 20), jobs)
        times = taken(path, "paced")
        forget(path + ".bare", "commit")
        bare_jobs: list[Job] = [(bare, (path + ".bare", number)) for number in range(LOOPS)]
        crew.run(2, bare_jobs)
        limits = taken(path + ".bare", "commit")
        for share, name in zip(SHARES, NAMES, strict=True):
            most = Expected(most=10) if name == "p99" else None
            what = f"one-row commit, {LOOPS} processes flat out"
            note = f"{done.rate:,.0f} calls a second" if name == "p50" else ""
            value, limit = percentile(times, share), percentile(limits, share)
            run.keep(Figure(f"call of {AGENTS:,} agents, {name}", value, "ms", limit, what, most, note))


def _measure_sizes(run: Run) -> None:
    large = run.pick(100_000, 1_000_000)
    times: tuple[list[float], list[float]] = ([], [])
    with bus_folder(run, "work-small") as small, bus_folder(run, "work-large") as big:
        for path, steps in ((small, 1000), (big, large)):
            run.say(f"making a project of {steps:,} steps")
            make_bus(path, 1, steps)
        with claimer(small, 0) as one, claimer(big, 0) as other:
            # A claim and a completion leave the number of steps as it is; as many for both.
            for _ in range(run.pick(300, 800)):
                one()
                other()
        for place, path in enumerate((small, big)):
            times[place].extend(taken(path, "claim")[50:])
    for share, name in ((0.5, "p50"), (0.95, "p95")):
        values = [percentile(each, share) for each in times]
        expected = Expected(most_ratio=1.3) if name == "p50" else None
        run.keep(
            Figure(
                f"claim among {large:,} steps, {name}", values[1], "ms", values[0], "among 1,000", expected
            )
        )


def _measure_held(run: Run) -> None:
    run.say("1,000 ready steps that are held")
    with bus_folder(run, "work-held") as path, hubbub.connect("sqlite://" + path) as bus:
        bus.agents.register("holder")
        bus.agents.register("seeker")
        holder, seeker = bus.agents.attach("holder"), bus.agents.attach("seeker")
        steps = [StepDraft("all of it", priority=9, paths=("src/**",))]
        steps += [StepDraft(f"step {number}", paths=(f"src/m{number}/**",)) for number in range(1000)]
        bus.work.create_project(holder, PROJECT, tuple(steps))
        _had(bus.work.claim(holder, project=PROJECT))
        nothing, behind = [], []
        for number in range(run.pick(100, 300)):
            start = time.monotonic_ns()
            found = bus.work.claim(seeker, project=PROJECT)
            nothing.append((time.monotonic_ns() - start) / 1e6)
            if not isinstance(found, Nothing) or found.reason != "held":
                raise Unmeasurable("a step was to be had that is held")
            bus.work.add_steps(holder, PROJECT, (StepDraft(f"free {number}"),))
            start = time.monotonic_ns()
            claim = _had(bus.work.claim(seeker, project=PROJECT))
            behind.append((time.monotonic_ns() - start) / 1e6)
            bus.work.complete(seeker, claim.token)
        for what, times in (
            ("claim that finds 1,000 held steps", nothing),
            ("claim of the one behind", behind),
        ):
            worst = percentile(times, 0.99)
            run.keep(Figure(f"{what}, p50", median(times), "ms", worst, "p99"))
