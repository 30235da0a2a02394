"""Round trips: a ping to a real MCP server, and a request to an agent that answers at once."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import hubbub
from bench.bare import BODY, commits, make
from bench.figures import Expected, Figure, percentile
from bench.programs import environment
from bench.rows import Run, Unmeasurable, bus_folder, row
from bench.talk import Talk
from hubbub.bus import Bus
from hubbub.bus.heart import keep_house

BATCH = 25
ANSWER_SECONDS = 30
SERVED, ANSWERING, ASKER = "served", "answering", "asker"
QUEUED = 1000
WAITING = {"wait_seconds": 45, "kind": "nothing-of-this-kind"}


def answer_questions(pipe: Connection, path: str) -> None:
    """A process that answers each question that it receives, at once."""
    with hubbub.connect("sqlite://" + path) as bus:
        actor = bus.agents.attach(ANSWERING)
        pipe.send(None)
        while True:
            handout = bus.mail.receive(actor, wait=ANSWER_SECONDS)
            for delivery in handout.deliveries:
                bus.mail.reply(actor, delivery.message.id, BODY)
            if not handout.deliveries:
                return


@contextmanager
def _answering(path: str) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=answer_questions, args=(theirs, path), daemon=True)
    process.start()
    theirs.close()
    try:
        if not pipe.poll(ANSWER_SECONDS):
            raise Unmeasurable("the answering process did not start")
        pipe.recv()
        yield
    except EOFError:
        raise Unmeasurable("the answering process ended early") from None
    finally:
        process.kill()
        process.join()
        pipe.close()


@row(
    "ping",
    "Milliseconds of a ping through the bus to a real MCP server on stdio and back: idle, with 1,000 "
    "messages in its agent's inbox, and while its model waits in a tool call of 45 s; and of a request to an "
    "agent that answers at once, until the answer is settled; against bare synced commits, in alternation: "
    "as many as a request takes (two sends, two hand-outs, one settling), and two for a ping, which syncs "
    "none.",
)
def ping(run: Run) -> None:
    """Percentiles over all samples."""
    with bus_folder(run, "ping") as path, hubbub.connect("sqlite://" + path) as bus:
        make(path + ".bare", 1)
        for name in (ASKER, ANSWERING):
            bus.agents.register(name, inbox_limit=10_000_000)
        with commits(path + ".bare", 1, queued=True) as commit:
            _measure_pings(run, bus, path, commit)
            with _answering(path):
                _measure_requests(run, bus, commit)


def _measure_pings(run: Run, bus: Bus, path: str, commit: Callable[[], object]) -> None:
    asker = bus.agents.attach(ASKER)

    def round_trip() -> None:
        bus.presence.ping(asker, SERVED, timeout=ANSWER_SECONDS)

    command = (sys.executable, "-m", "hubbub", "mcp")
    with Talk(command, environment(path, SERVED)) as talk:
        talk.greet()
        talk.ask("tools/list")
        talk.call("list_agents", {})
        most = Expected(most=3)
        _sample(run, "ping to an idle server", round_trip, commit, 2, most)
        bus.agents.register(SERVED, inbox_limit=10_000_000)
        for _ in range(QUEUED):
            bus.mail.send(asker, bus.mail.draft(SERVED, BODY))
        keep_house(bus.store, bus.agents, "bench")
        _sample(run, f"ping with {QUEUED:,} messages queued", round_trip, commit, 2, most)
        waiting = talk.begin_call("receive_messages", WAITING)
        pong = bus.presence.ping(asker, SERVED, timeout=ANSWER_SECONDS).pong
        if "receive_messages" not in pong.state:
            raise Unmeasurable(f"the server is not in its call, but says: {pong.state or 'idle'}")
        _sample(run, "ping within a tool call", round_trip, commit, 2, most)
        pong = bus.presence.ping(asker, SERVED, timeout=ANSWER_SECONDS).pong
        if "receive_messages" not in pong.state:
            raise Unmeasurable(f"call {waiting} ended before the pings did")


def _measure_requests(run: Run, bus: Bus, commit: Callable[[], object]) -> None:
    asker = bus.agents.attach(ASKER)

    def round_trip() -> None:
        done = bus.pending.request(asker, bus.mail.draft(ANSWERING, BODY, kind="question"))
        if done.state != "given" or done.answer is None:
            raise Unmeasurable(f"a request was not answered: {done.state}")
        bus.mail.acknowledge(asker, done.answer.message.id)

    _sample(run, "request to answer settled", round_trip, commit, 5, None)


def _sample(
    run: Run,
    name: str,
    act: Callable[[], object],
    commit: Callable[[], object],
    commits_each: int,
    most: Expected | None,
) -> None:
    ours: list[float] = []
    bare: list[float] = []

    def floor() -> None:
        for _ in range(commits_each):
            commit()

    batches = run.pick(6, 20)
    run.say(f"{name}, {batches} batches")
    for number in range(batches + 1):
        for samples, measured in ((ours, act), (bare, floor)):
            for _ in range(BATCH):
                start = time.perf_counter_ns()
                measured()
                if number:  # the first batch warms caches and imports
                    samples.append((time.perf_counter_ns() - start) / 1e6)
    note = f"{len(ours)} samples"
    for share, quantile in ((0.5, "p50"), (0.99, "p99")):
        what = f"{quantile} of {commits_each} bare commits"
        expected = most if share == 0.5 else None
        limit = percentile(bare, share)
        run.keep(Figure(f"{name}, {quantile}", percentile(ours, share), "ms", limit, what, expected, note))
