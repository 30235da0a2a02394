"""Holding what was handed out until its text has been written.

What a command takes for its reader it confirms only after the text was written and flushed. Until
then it holds it, and gives it back when the text can't be written or a signal comes.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from hubbub.errors import HubbubError
from hubbub.faces.cli.failures import Interrupted, OutputFailed

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.bus.waiting import Steps
    from hubbub.faces.cli.output import Output

T = TypeVar("T")

HOUSE_SECONDS = 10.0
"""How often a command that waits does the bus's housekeeping, or sees that another process does."""


class Signals:
    """Signals that ask this process to end, heeded only where it can give back what it holds.

    One that comes while the bus is at work waits until the hand-out is known; while this process
    waits for something or writes, it ends that at once.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._heeding = False
        self._before: list[tuple[int, object]] = []

    def __enter__(self) -> Self:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # One that the caller set to be ignored (nohup) stays ignored.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before.append((number, signal.signal(number, self._caught)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)  # type: ignore[arg-type]
        if error is None and self._came is not None:
            raise Interrupted(self._came)

    def heed(self) -> None:
        """From here on a signal raises Interrupted at once; one that came before does so now."""
        self._heeding = True
        if self._came is not None:
            raise Interrupted(self._came)

    def defer(self) -> None:
        """From here on a signal is only noted."""
        self._heeding = False

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        if self._heeding:
            self._heeding = False  # while cleaning up, a second signal changes nothing
            raise Interrupted(number)


class House:
    """The bus's housekeeping, done now and then by a command that waits long: no other process may be
    there to remind, to escalate and to bring back what was due."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._at = time.monotonic()
        self._holder = ""

    def keep(self) -> None:
        """Do a round if it is time for one."""
        if time.monotonic() - self._at < HOUSE_SECONDS:
            return
        self._at = time.monotonic()
        from hubbub.bus.heart import keep_house  # few commands wait so long
        from hubbub.names import new_token

        self._holder = self._holder or new_token()
        try:
            keep_house(self._bus.store, self._bus.agents, self._holder)
        except HubbubError:
            return  # a bus that is busy, or can't be written: what is waited for is told all the same


def drive(steps: Steps[T], signals: Signals, house: House | None = None) -> T:
    """Run ``steps`` to their result, heeding signals only while they wait; keep ``house`` meanwhile."""
    try:
        while True:
            pause = next(steps)
            signals.heed()
            pause.bell.wait(pause.seconds)
            signals.defer()
            if house is not None:
                house.keep()
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        steps.close()


def hand_over(
    output: Output,
    signals: Signals,
    show: Callable[[], None],
    give_back: Callable[[bool], None],
    what: str,
) -> None:
    """Write with ``show`` what is held, or give it back and raise.

    Args:
        output: Where ``show`` writes to.
        signals: One that comes while this writes gives back, too.
        show: Adds the text to ``output``.
        give_back: Called with True when nothing of it has left this process.
        what: What is held, in words; empty when nothing is.
    """
    before = output.written
    try:
        signals.heed()
        show()
        output.flush()
        output.check_read()
        signals.defer()
    except OutputFailed as failure:
        signals.defer()
        # Where a part was written somebody may have read it: then it counts as a hand-out.
        give_back(output.written == before)
        hint = f"Gave back {what}: nothing is lost." if what else ""
        raise OutputFailed(failure.message, hint=hint) from None
    except BaseException:
        signals.defer()
        give_back(False)
        raise
