"""receive and peek.

What ``receive`` takes it settles only after its text was written; until then it holds the
messages under a lease, and gives them back when the text can't be written or a signal comes.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

from hubbub.errors import EXIT_NOTHING, AlreadySettled, HubbubError
from hubbub.faces.cli import render
from hubbub.faces.cli.failures import Interrupted, OutputFailed
from hubbub.wire import handout_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Actor, Filter, Handout


def receive(context: Context) -> int:
    """Take the waiting messages, write them, and settle them."""
    given = context.arguments
    actor = context.actor
    context.output.check_open()  # else messages would be taken that nobody can be shown
    wanted = _wanted(context)
    with Signals() as signals:
        handout = _take(context, actor, wanted, signals)
        if not handout.deliveries:
            return EXIT_NOTHING
        _hand_over(context, actor, handout, signals)
        if not given.keep:
            _settle(context, actor, [delivery.message.id for delivery in handout.deliveries])
    return 0


def peek(context: Context) -> int:
    """Look at an inbox without changing it."""
    given = context.arguments
    name = given.agent if given.agent is not None else context.actor.agent
    handout = context.bus.mail.peek(name, _wanted(context), limit=given.limit)
    if not handout.deliveries:
        return EXIT_NOTHING
    _show(context, handout, kept=False)
    return 0


class Signals:
    """Signals that ask this process to end, heeded only where it can give back what it holds.

    One that comes while the bus is at work waits until the hand-out is known; while this process
    waits for mail or writes, it ends that at once.
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


def _wanted(context: Context) -> Filter:
    given = context.arguments
    return context.bus.mail.filter(given.sender, given.kind, given.priority, given.thread)


def _take(context: Context, actor: Actor, wanted: Filter, signals: Signals) -> Handout:
    given = context.arguments
    steps = context.bus.mail.receiving(
        actor, wanted, wait=given.wait, limit=given.limit, lease=given.lease, key=given.key
    )
    try:
        while True:
            pause = next(steps)
            signals.heed()
            pause.bell.wait(pause.seconds)
            signals.defer()
    except StopIteration as done:
        handout: Handout = done.value
        return handout
    finally:
        steps.close()


def _hand_over(context: Context, actor: Actor, handout: Handout, signals: Signals) -> None:
    """Write what was taken, or give it back and raise."""
    output = context.output
    try:
        signals.heed()
        _show(context, handout, kept=context.arguments.keep)
        output.flush()
        output.check_read()
        signals.defer()
    except OutputFailed as failure:
        signals.defer()
        # Where a part was written somebody may have read it: then it counts as a hand-out.
        _give_back(context, actor, handout, unseen=not output.written)
        count = render.plural(len(handout.deliveries), "message")
        raise OutputFailed(failure.message, hint=f"Gave back {count}: nothing is lost.") from None
    except BaseException:
        signals.defer()
        _give_back(context, actor, handout, unseen=False)
        raise


def _give_back(context: Context, actor: Actor, handout: Handout, *, unseen: bool) -> None:
    for delivery in handout.deliveries:
        if delivery.lease_until is None or delivery.lease_until <= context.bus.store.now():
            continue  # its lease ran out: another may have it in hand by now
        try:
            if unseen:
                context.bus.mail.take_back(actor, (delivery.message.id,))
            else:
                context.bus.mail.release(actor, [delivery.message.id])
        except HubbubError:
            continue  # no longer in hand; or the bus fails, then its lease runs out


def _settle(context: Context, actor: Actor, ids: list[str]) -> None:
    try:
        context.bus.mail.acknowledge(actor, ids)
    except AlreadySettled:
        if len(ids) > 1:  # all or none: settle those that are left one by one
            for id_ in ids:
                _settle(context, actor, [id_])


def _show(context: Context, handout: Handout, *, kept: bool) -> None:
    output = context.output
    if output.json:
        answer = handout_dict(handout)
        if not kept:
            for shown in answer["messages"]:
                shown.pop("lease_until", None)  # it will be settled in a moment, or was not leased
        output.answer(answer)
        return
    now = context.bus.store.now()
    for delivery in handout.deliveries:
        render.delivery(delivery, now, output)
    if kept:
        until = min(delivery.lease_until or now for delivery in handout.deliveries)
        output.line(f"Not settled: acknowledge with hubbub ack ID; the lease ends {render.ago(now, until)}.")
    if handout.remaining:
        output.line(f"{handout.remaining} more waiting.")
