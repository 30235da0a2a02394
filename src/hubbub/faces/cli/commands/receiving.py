"""receive and peek.

What ``receive`` takes it settles only after its text was written; until then it holds the
messages under a lease, and gives them back when the text can't be written or a signal comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import EXIT_NOTHING, AlreadySettled, HubbubError
from hubbub.faces.cli import render
from hubbub.faces.cli.holding import House, Signals, drive, hand_over
from hubbub.faces.cli.output import complain
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
        steps = context.bus.mail.receiving(
            actor, wanted, wait=given.wait, limit=given.limit, lease=given.lease, key=given.key
        )
        handout = drive(steps, signals, House(context.bus))
        unread = context.bus.mail.unread_in_all(actor.agent)
        if not handout.deliveries:
            if unread and not context.output.json:
                complain(_announcements(unread))
            return EXIT_NOTHING
        _hand_over(context, actor, handout, signals, unread)
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


def _wanted(context: Context) -> Filter:
    given = context.arguments
    return context.bus.mail.filter(given.sender, given.kind, given.priority, given.thread)


def _hand_over(context: Context, actor: Actor, handout: Handout, signals: Signals, unread: int) -> None:
    """Write what was taken, or give it back and raise."""
    hand_over(
        context.output,
        signals,
        lambda: _show(context, handout, kept=context.arguments.keep, unread=unread),
        lambda unseen: _give_back(context, actor, handout, unseen=unseen),
        render.plural(len(handout.deliveries), "message"),
    )


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


def _announcements(unread: int) -> str:
    return f"{render.plural(unread, 'message')} unread in #all: hubbub sync all"


def _show(context: Context, handout: Handout, *, kept: bool, unread: int = 0) -> None:
    output = context.output
    if output.json:
        answer = handout_dict(handout)
        if not kept:
            for shown in answer["messages"]:
                shown.pop("lease_until", None)  # it will be settled in a moment, or was not leased
        output.answer({**answer, "announcements": unread} if unread else answer)
        return
    now = context.bus.store.now()
    unwanted: dict[str, str] = {}
    # What comes for the first time is wanted, and needs no look at what is owed.
    again = [
        each
        for each in handout.deliveries
        if each.redelivered or (each.state == "queued" and each.delivery_count)
    ]
    if again:
        unwanted = context.bus.pending.unwanted(again[0].agent, again)
    for delivery in handout.deliveries:
        render.delivery(delivery, now, output, unwanted=unwanted.get(delivery.message.id))
    if kept:
        until = min(delivery.lease_until or now for delivery in handout.deliveries)
        output.line(f"Not settled: acknowledge with hubbub ack ID; the lease ends {render.ago(now, until)}.")
    if handout.remaining:
        output.line(f"{handout.remaining} more waiting.")
    if unread:
        output.line(_announcements(unread))
