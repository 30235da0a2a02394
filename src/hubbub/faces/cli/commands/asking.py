"""request and ping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.clock import spoken
from hubbub.errors import EXIT_FAILED, EXIT_NOTHING, AlreadySettled, HubbubError, NoPong
from hubbub.faces.cli.bodies import read_body, read_metadata
from hubbub.faces.cli.failures import Interrupted, UsageError
from hubbub.faces.cli.holding import House, Signals, drive, hand_over
from hubbub.faces.cli.output import complain
from hubbub.text import safe_line, safe_text
from hubbub.wire_pending import declined, pinged_dict, requested_dict

if TYPE_CHECKING:
    from hubbub.bus.pending import Requested
    from hubbub.bus.presence import Pinged
    from hubbub.faces.cli.context import Context
    from hubbub.model import Actor, Delivery, Draft, Sent

PING_SECONDS = 1.0
"""From one ping to the next."""

COUNT_MAX = 100_000


def request(context: Context) -> int:
    """Ask, wait for the answer, write it, and settle it."""
    given = context.arguments
    actor, bus = context.actor, context.bus
    draft = bus.mail.draft(
        given.to,
        read_body(given.body),
        subject=given.subject,
        kind=given.kind,
        priority=given.priority,
        metadata=read_metadata(given.metadata),
        thread=given.thread,
        reply_within=given.reply_within,
        actor=actor,
    )
    context.output.check_open()  # else an answer would be taken that nobody can be shown
    asked: list[Sent] = []
    try:
        return _request(context, actor, draft, asked)
    except Interrupted:
        if asked:
            complain(f"Asked {safe_line(asked[0].recipients[0])}: {asked[0].id}. {_comes_later(actor)}")
        raise


def _request(context: Context, actor: Actor, draft: Draft, asked: list[Sent]) -> int:
    """The same, with what was sent in ``asked`` until its answer has been given."""
    given = context.arguments

    def begun(sent: Sent) -> None:
        asked.append(sent)
        if not context.output.json:
            _tell_offline(context, sent.recipients[0])

    with Signals() as signals:
        steps = context.bus.pending.requesting(actor, draft, wait=given.wait, key=given.key, asked=begun)
        requested = drive(steps, signals, House(context.bus))
        answer = requested.answer
        if answer is None:
            asked.clear()
            return _no_answer(context, actor, requested)
        hand_over(
            context.output,
            signals,
            lambda: _show(context, requested, answer),
            lambda unseen: _give_back(context, actor, requested, unseen=unseen),
            "the answer" if requested.state == "given" else "",
        )
        asked.clear()
        if requested.state == "given":
            _settle(context, actor, answer)
        elif not context.output.json:
            complain("This answer was taken out of the inbox before.")
    if not declined(answer):
        return 0
    if not context.output.json:
        complain(f"{answer.message.sender} declined to answer.")
    return EXIT_FAILED


def _tell_offline(context: Context, name: str) -> None:
    """Say that whom was asked is not there: the wait may be for nothing."""
    try:
        agent = context.bus.agents.get(name)
        if agent.session is not None or context.bus.presence.standing(name):
            return
    except HubbubError:
        return  # it is a remark: the wait goes on without it
    seen = ""
    if agent.last_seen_at is not None:
        seen = f", last seen {spoken(max(0, context.bus.store.now() - agent.last_seen_at))} ago"
    complain(f"{name} is offline{seen}. Waiting up to {spoken(_waited(context))} for its answer.")


def _comes_later(actor: Actor) -> str:
    return f"The answer will come to {actor.agent}'s inbox: hubbub receive"


def _no_answer(context: Context, actor: Actor, requested: Requested) -> int:
    sent = requested.sent
    if requested.state == "waived":
        told = f"The answer to {sent.id} was waived: nobody waits for it."
    elif requested.state == "left":
        told = f"Asked {sent.recipients[0]}: {sent.id}. It is not on the bus any more: ask another agent."
    else:
        told = (
            f"Asked {sent.recipients[0]}: {sent.id}. No answer within {spoken(_waited(context))}. "
            f"{_comes_later(actor)}"
        )
    if context.output.json:
        context.output.answer(requested_dict(sent, requested.state))
    else:
        complain(told)
    return EXIT_NOTHING


def _waited(context: Context) -> int:
    return int(context.arguments.wait * 1000)


def _show(context: Context, requested: Requested, answer: Delivery) -> None:
    if context.output.json:
        shown = requested_dict(requested.sent, requested.state, answer)
        shown["answer"].pop("lease_until", None)  # it will be settled in a moment
        context.output.answer(shown)
    else:
        context.output.line(safe_text(answer.message.body).removesuffix("\n"))


def _give_back(context: Context, actor: Actor, requested: Requested, *, unseen: bool) -> None:
    if requested.answer is None or requested.state != "given":
        return
    id_ = requested.answer.message.id
    try:
        if unseen:
            context.bus.mail.take_back(actor, (id_,))
        else:
            context.bus.mail.release(actor, [id_])
    except HubbubError:
        return  # no longer in hand; or the bus fails, then its lease runs out


def _settle(context: Context, actor: Actor, answer: Delivery) -> None:
    try:
        context.bus.mail.acknowledge(actor, answer.message.id)
    except AlreadySettled:
        return  # another command of the agent was told of it, too


def ping(context: Context) -> int:
    """Round trips to the process that serves an agent."""
    given, output = context.arguments, context.output
    if not 1 <= given.count <= COUNT_MAX:
        raise UsageError(f"--count must be from 1 to {COUNT_MAX}.")
    actor = None if context.reader is None else context.actor
    results: list[Pinged | NoPong] = []
    with Signals() as signals:
        for number in range(given.count):
            if number:
                _pause(context, signals)
            try:
                steps = context.bus.presence.pinging(actor, given.name, timeout=given.timeout)
                pinged = drive(steps, signals)
            except NoPong as silent:
                results.append(silent)
                if given.count > 1 and not output.json:
                    complain(safe_line(silent.message))
                continue
            results.append(pinged)
            if not output.json:
                output.line(_ping_line(pinged))
                output.flush()
    return _summed(context, results)


def _pause(context: Context, signals: Signals) -> None:
    """Until the next ping; a signal ends it at once."""
    with context.bus.store.bell("pong/0") as bell:  # which no ping has: nothing rings it
        signals.heed()
        bell.wait(PING_SECONDS)
        signals.defer()


def _ping_line(pinged: Pinged) -> str:
    agent, pong = pinged.agent, pinged.pong
    facts = [f"by its {safe_line(pong.by, 40)}"]
    facts += [safe_line(pong.client, 40)] if pong.client else []
    facts += [f"session {pong.session}"] if pong.session else []
    if pong.state:
        facts.append(safe_line(pong.state, 80))
    elif pong.idle_ms is not None:
        facts.append(f"idle for {spoken(pong.idle_ms)}")
    facts.append(f"{agent.queued} queued")
    return f"{agent.name}: {pinged.round_trip_ms:.1f} ms, {', '.join(facts)}"


def _summed(context: Context, results: list[Pinged | NoPong]) -> int:
    answered = [each for each in results if not isinstance(each, NoPong)]
    if not answered:
        assert isinstance(results[-1], NoPong)
        raise results[-1]
    shown = [
        {"error": each.as_dict()}
        if isinstance(each, NoPong)
        else pinged_dict(each.agent, each.pong, each.round_trip_ms)
        for each in results
    ]
    if len(results) == 1:
        if context.output.json:
            context.output.answer(shown[0])
        return 0
    times = sorted(each.round_trip_ms for each in answered)
    summary: dict[str, Any] = {"sent": len(results), "answered": len(answered)}
    summary |= {"least_ms": times[0], "median_ms": times[len(times) // 2], "most_ms": times[-1]}
    context.show(
        {"agent": answered[0].agent.name, "pings": shown, **summary},
        f"{len(answered)} of {len(results)} answered; {times[0]:.1f} / {summary['median_ms']:.1f} / "
        f"{times[-1]:.1f} ms (least, median, most)",
    )
    return 0
