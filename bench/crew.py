"""Many processes that do one operation flat out, all starting at the same moment."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from multiprocessing.connection import Connection
from types import TracebackType
from typing import NamedTuple, Self

from bench.rows import Unmeasurable

Prepare = Callable[..., AbstractContextManager[Callable[[], object]]]
"""Opens what an operation needs and gives the operation. A function at the top of a module."""

ANSWER_SECONDS = 60
"""How long a worker may take beyond its working time before the run is given up."""


class Slice(NamedTuple):
    """What some processes did in a stretch of time."""

    rate: float
    """Operations per second, of all of them together."""
    worst: float
    """The longest single operation, in seconds."""


class Crew:
    """Worker processes that are started once: their start-up is in no measurement."""

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(size):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(mine)
            self._processes.append(process)

    def run(self, seconds: float, jobs: list[tuple[Prepare, tuple[object, ...]]]) -> Slice:
        """One worker for each job, all at once for ``seconds``.

        Raises:
            Unmeasurable: an operation failed, or a worker does not answer.
        """
        pipes = self._pipes[: len(jobs)]
        for pipe, job in zip(pipes, jobs, strict=True):
            pipe.send(job)
        for pipe in pipes:
            _answer(pipe, ANSWER_SECONDS)  # ready
        start = time.monotonic_ns() + 20_000_000
        end = start + int(seconds * 1e9)
        for pipe in pipes:
            pipe.send((start, end))
        answers = [_answer(pipe, seconds + ANSWER_SECONDS) for pipe in pipes]
        return Slice(sum(count for count, _ in answers) / seconds, max(worst for _, worst in answers) / 1e9)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()


def _answer(pipe: Connection, seconds: float) -> tuple[int, int]:
    try:
        if not pipe.poll(seconds):
            raise Unmeasurable(f"a worker process did not answer within {seconds:.0f} s")
        answer = pipe.recv()
    except EOFError:
        raise Unmeasurable("a worker process ended early") from None
    if isinstance(answer, str):
        raise Unmeasurable(answer)
    found: tuple[int, int] = answer
    return found


def _serve(pipe: Connection) -> None:
    """The life of a worker: prepare, say so, work from the start to the end, tell; and again.

    What was prepared stays open for the next time, so that opening is in no measurement.
    """
    prepared: dict[tuple[Prepare, tuple[object, ...]], Callable[[], object]] = {}
    with ExitStack() as opened:
        while True:
            try:
                job = pipe.recv()
                if job not in prepared:
                    prepared[job] = opened.enter_context(job[0](*job[1]))
                pipe.send((0, 0))
                start, end = pipe.recv()
                pipe.send(_flat_out(prepared[job], start, end))
            except (EOFError, BrokenPipeError, KeyboardInterrupt):
                return
            except Exception as error:
                pipe.send(f"an operation failed: {type(error).__name__}: {error}")


def _flat_out(operate: Callable[[], object], start: int, end: int) -> tuple[int, int]:
    """How many operations ended in time, and the longest one in nanoseconds."""
    time.sleep(max(0, start - time.monotonic_ns()) / 1e9)
    count, worst, before = 0, 0, time.monotonic_ns()
    while before < end:
        operate()
        after = time.monotonic_ns()
        worst = max(worst, after - before)
        count += after <= end
        before = after
    return count, worst
