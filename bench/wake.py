"""From a send to the waiter that it wakes."""

from __future__ import annotations

import multiprocessing
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import hubbub
from bench.bare import BODY, commits, make
from bench.figures import Expected, Figure, percentile
from bench.rows import Run, Unmeasurable, bus_folder, row

BATCH = 50
ANSWER_SECONDS = 30
Times = tuple[int, int]
"""When a waiter's bell woke it, and when it had its message: ``time.monotonic_ns``, which all
processes of a machine share."""


def wait_for_mail(pipe: Connection, path: str) -> None:
    """A process that receives one message after another, and tells when it waits and when it woke."""
    with hubbub.connect("sqlite://" + path) as bus:
        actor = bus.agents.attach("reader-0")
        while True:
            steps = bus.mail.receiving(actor, bus.mail.filter(), wait=ANSWER_SECONDS)
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
                received = time.monotonic_ns()
                handout = done.value
            if not handout.deliveries:
                return
            bus.mail.acknowledge(actor, handout.deliveries[0].message.id)
            pipe.send((woke, received))


def wait_for_datagram(pipe: Connection, path: str) -> None:
    """A process that waits for one datagram after another."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        while True:
            pipe.send(None)
            if not poller.poll(ANSWER_SECONDS * 1000):
                return
            listener.recv(16)
            woke = time.monotonic_ns()
            pipe.send((woke, woke))


class Waiter:
    """The waiting process, and samples of how long waking it takes."""

    def __init__(self, target: Callable[[Connection, str], None], path: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, path), daemon=True)
        self._process.start()
        theirs.close()

    def sample(self, act: Callable[[], object]) -> tuple[float, float]:
        """Milliseconds from before ``act`` until the waiter woke, and until it had its message."""
        if self._told() is not None:
            raise Unmeasurable("the waiting process received what was not sent")
        time.sleep(0.001)  # the waiter has said that it will wait: let it fall asleep
        start = time.monotonic_ns()
        act()
        times = self._told()
        if times is None:
            raise Unmeasurable("the waiting process did not wake")
        return (times[0] - start) / 1e6, (times[1] - start) / 1e6

    def _told(self) -> Times | None:
        try:
            if self._pipe.poll(ANSWER_SECONDS):
                told: Times | None = self._pipe.recv()
                return told
        except EOFError:
            pass
        raise Unmeasurable("the waiting process ended early")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


@contextmanager
def _waiter(target: Callable[[Connection, str], None], path: str) -> Iterator[Waiter]:
    waiter = Waiter(target, path)
    try:
        yield waiter
    finally:
        waiter.close()


@row(
    "wake",
    "Milliseconds from before a send to the moment when the bell woke a process that waits for mail, and to "
    "when its receive returned (its lease is a second synced commit); against a bare synced commit and one "
    "datagram to a waiting process, in alternation.",
)
def wake(run: Run) -> None:
    """Percentiles over all samples."""
    with bus_folder(run, "wake") as path, hubbub.connect("sqlite://" + path) as bus:
        bus.agents.register("reader-0")
        bus.agents.register("sender-0")
        actor = bus.agents.attach("sender-0")

        def send() -> None:
            bus.mail.send(actor, bus.mail.draft("reader-0", BODY))

        named = ("send to waiter woken", "send to message in hand")
        against_a_datagram(run, path, wait_for_mail, send, named)


def against_a_datagram(
    run: Run,
    path: str,
    target: Callable[[Connection, str], None],
    act: Callable[[], object],
    named: tuple[str, str],
) -> None:
    """Measure how soon ``act`` wakes a process that runs ``target``, and when that has what it waited for.

    ``named`` says what the two figures are of.
    """
    batches = run.pick(10, 20)
    ours: list[tuple[float, float]] = []
    limit: list[tuple[float, float]] = []
    make(path + ".bare", 1)
    address = os.path.relpath(path + ".bell") if len(path) > 90 else path + ".bell"
    with (
        _waiter(target, path) as waiter,
        _waiter(wait_for_datagram, address) as listener,
        commits(path + ".bare", 1, queued=True) as commit,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell,
    ):

        def ring() -> None:
            commit()
            bell.sendto(b"!", address)

        for number in range(batches + 1):
            run.say(f"batch {number} of {batches}")
            ours += [waiter.sample(act) for _ in range(BATCH)]
            limit += [listener.sample(ring) for _ in range(BATCH)]
    # The first batch warms caches and imports.
    ours, limit = ours[BATCH:], limit[BATCH:]
    note = f"{len(ours)} samples"
    for share, quantile in ((0.5, "p50"), (0.99, "p99")):
        floor = percentile([sample[0] for sample in limit], share)
        what = f"{quantile}, bare commit + datagram"
        for place, name in enumerate(named):
            value = percentile([sample[place] for sample in ours], share)
            expected = Expected(most=1.5) if (place, share) == (1, 0.5) else None
            run.keep(Figure(f"{name}, {quantile}", value, "ms", floor, what, expected, note))
