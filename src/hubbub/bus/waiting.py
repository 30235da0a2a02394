"""Waiting without polling: try, wait on a bell, try again.

What waits is written as a generator that yields a :class:`Pause` whenever it has nothing to do
and returns its result. Whoever drives it decides how to wait: :func:`run` blocks a thread; an
event loop awaits the bell's descriptor; closing the generator gives the wait up.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeAlias, TypeVar

from hubbub.stores.contract import Bell

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 5.0
"""A waiter looks again after this time at the latest: a bell is only a hint and may get lost, for
instance where a sandbox keeps the sender from reaching the waiter's socket."""


class Pause(NamedTuple):
    """Wait until ``bell`` rings, but not longer than ``seconds``, then go on."""

    bell: Bell
    seconds: float


Steps: TypeAlias = Generator[Pause, None, T]


def run(steps: Steps[T]) -> T:
    """Drive ``steps`` to their result, blocking this thread in between."""
    try:
        while True:
            pause = next(steps)
            pause.bell.wait(pause.seconds)
    except StopIteration as done:
        result: T = done.value
        return result
