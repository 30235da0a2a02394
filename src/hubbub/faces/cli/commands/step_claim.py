"""step claim, mine, start and beat: holding a step.

A claim that nobody saw because its text could not be written is given back, as :mod:`receiving` does with
messages. One that a killed command had is found by ``step mine``, or by claiming with the same key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import EXIT_NOTHING, HubbubError
from hubbub.errors_work import ProjectNotFound
from hubbub.faces.cli import claims, render_work
from hubbub.faces.cli.bodies import read_text
from hubbub.faces.cli.holding import Signals, drive, hand_over
from hubbub.model_work import Nothing
from hubbub.text import safe_line
from hubbub.wire_work import claim_dict, lost_dict, nothing_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Actor
    from hubbub.model_work import Claim, Lost


def claim(context: Context) -> int:
    """Take the first step that is ready."""
    given = context.arguments
    actor = context.actor
    context.output.check_open()  # else a step would be taken that nobody can be shown
    with Signals() as signals:
        steps = context.bus.work.claiming(
            actor,
            project=given.project,
            scope=given.scope,
            step=given.step,
            wait=given.wait,
            lease=given.lease,
            start=given.start,
            key=given.key,
        )
        found = drive(steps, signals)
        if isinstance(found, Nothing):
            return _nothing(context, found)
        hand_over(
            context.output,
            signals,
            lambda: _show(context, found),
            lambda _: _give_back(context, actor, found),
            "" if found.repeated else "the step",
        )
    return 0


def _nothing(context: Context, found: Nothing) -> int:
    if found.reason == "no_such_project":
        raise ProjectNotFound(found.says, hint=_step_meant(context))
    if context.output.json:
        context.output.answer(nothing_dict(found))
        return EXIT_NOTHING
    again = ""
    if found.retry_at is not None:
        again = f" There may be something {render_work.due(context.bus.store.now(), found.retry_at)}."
    context.output.line(f"Nothing to claim ({found.reason}): {safe_line(found.says)}{again}")
    now, who = context.bus.store.now(), {holder.step: holder for holder in found.holders}
    for what in list(dict.fromkeys((*who, *found.blocked_by)))[:10]:
        if what in who:
            context.output.line(f"  In the way: {render_work.holder(who[what], now)}")
        elif what.startswith("s"):
            context.output.line(f"  In the way: {what}; more: hubbub step show {what}")
    return EXIT_NOTHING


def _step_meant(context: Context) -> str | None:
    """How to claim the step that the place of the project names, if it names one."""
    name = context.arguments.project
    try:
        step = context.bus.work.step(name)[0]
    except HubbubError:
        return None
    return f"To claim that step: hubbub step claim --step {safe_line(name)} ({safe_line(step.title, 60)})"


def _show(context: Context, found: Claim) -> None:
    output = context.output
    if output.json:
        output.answer(claim_dict(found))
        return
    render_work.claim(found, context.bus.store.now(), output)
    begin = "" if found.step.status == "in_progress" else "hubbub step start, then "
    output.line(f"Next: {begin}hubbub step done --commit COMMIT, or fail REASON, or release.")
    output.line(f"To act on this claim only, even if you lose it: export HUBBUB_CLAIM={found.token}")


def _give_back(context: Context, actor: Actor, found: Claim) -> None:
    if found.repeated:
        return  # an earlier command had it, and somebody may be at work on it
    try:
        context.bus.work.release(actor, found.token)
    except HubbubError:
        return  # no longer held; or the bus fails, then its lease runs out


def mine(context: Context) -> int:
    """What the agent holds."""
    actor, output = context.actor, context.output
    held = context.bus.work.mine(actor)
    lost = context.bus.work.lost(actor)
    if output.json:
        answer: dict[str, Any] = {"claims": [claim_dict(claim) for claim in held]}
        output.answer({**answer, "lost": [lost_dict(each) for each in lost]} if lost else answer)
        return _told(context, actor, lost, held)
    now = context.bus.store.now()
    for claimed in held:
        render_work.claim(claimed, now, output)
    if not held:
        output.line("You hold no step.")
    for each, name in zip(lost, claims.labels(context, [each.step for each in lost]), strict=True):
        render_work.lost(each, name, now, output)
    return _told(context, actor, lost, held)


def _told(context: Context, actor: Actor, lost: tuple[Lost, ...], held: tuple[Claim, ...]) -> int:
    if lost:
        context.output.flush()  # what nobody could read is told again
        context.bus.work.lost_told(actor, lost)
    return 0 if held else EXIT_NOTHING


def start(context: Context) -> int:
    """Say that work begins, and where."""
    given = context.arguments
    actor = context.actor
    chosen = claims.choose(context, actor)
    begun = context.bus.work.start(actor, chosen.token, branch=given.branch, worktree=given.worktree)
    return _held(context, begun, "Started", chosen)


def beat(context: Context) -> int:
    """Renew the claim, and keep notes."""
    actor = context.actor
    notes = read_text(context.arguments.notes)
    chosen = claims.choose(context, actor)
    renewed = context.bus.work.renew(actor, chosen.token, notes=notes)
    return _held(context, renewed, "Renewed", chosen)


def _held(context: Context, claim: Claim, what: str, chosen: claims.Chosen) -> int:
    now = context.bus.store.now()
    name = render_work.label(claim.project, claim.step.num)
    told = f"{what} {name}: {safe_line(claim.step.title)}{chosen.told(now)}; its lease "
    told += f"{render_work.lease(claim, now)}."
    context.done(claim_dict(claim), told)
    return 0
