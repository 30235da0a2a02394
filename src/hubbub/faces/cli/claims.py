"""Which claim a command is about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from hubbub.clock import to_iso
from hubbub.errors_work import ClaimLost, ClaimNotFound, StepNotFound
from hubbub.faces.cli.failures import UsageError
from hubbub.faces.cli.render import ago
from hubbub.model_work import LIVE
from hubbub.text import safe_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubbub.faces.cli.context import Context
    from hubbub.model import Actor
    from hubbub.model_work import Attempt, Claim, Step

LISTED = 10
PAGE = 1000
_TAKE_ONE = "Take one: hubbub step claim. One that was not renewed in time is over: hubbub log tells."


class Chosen(NamedTuple):
    """The claim that a command is about."""

    token: str
    attempt: Attempt | None
    """Which attempt that is; None where the token itself was named."""

    def told(self, now: int) -> str:
        """Which attempt the command acts on, to stand behind the title of the step; empty where the caller
        has said so by naming its token."""
        own = self.attempt
        return (
            ""
            if own is None
            else f" (attempt {own.number}, claimed {ago(now, own.claimed_at)} by {own.agent})"
        )

    def answer(self) -> dict[str, Any]:
        """The same as a part of an answer in JSON."""
        own = self.attempt
        return (
            {}
            if own is None
            else {"attempt": {"number": own.number, "claimed_at": to_iso(own.claimed_at), "agent": own.agent}}
        )


def choose(context: Context, actor: Actor) -> Chosen:
    """The claim that ``--token`` or ``--step`` names, else HUBBUB_CLAIM, else the agent's only live one.

    Without a token a command acts for its agent as that is now, whichever of its shells claimed.

    Raises:
        ClaimLost: it held the step that ``--step`` names, and lost it; or ``--attempt`` is another one.
        ClaimNotFound: it holds none, or not that step.
        UsageError: it holds several.
    """
    given = context.arguments
    if given.token is not None and given.step is not None:
        raise UsageError("--token and --step name the same thing: give one of them.")
    named = given.token
    if named is None and given.step is None:
        named = os.environ.get("HUBBUB_CLAIM") or None
    if named is not None and given.attempt is None:
        return Chosen(str(named), None)
    held = context.bus.work.mine(actor)
    if named is not None:
        found = next((claim for claim in held if claim.token == named), None)
        if found is None:
            return Chosen(str(named), None)  # the bus says what became of it
    else:
        found = _found(context, actor, held)
    if given.attempt not in (None, found.attempt.number):
        raise _another(found, given.attempt)
    return Chosen(found.token, found.attempt if named is None else None)


def _found(context: Context, actor: Actor, held: tuple[Claim, ...]) -> Claim:
    """The one of the agent's claims that ``--step`` names, or the only one."""
    given = context.arguments
    if given.step is not None:
        held = _of_step(context, held)
    if len(held) == 1:
        return held[0]
    if not held:
        if given.step is not None:
            _refuse_lost(context, actor)
        what = "no step" if given.step is None else f"no claim on {safe_line(given.step, 100)}"
        raise ClaimNotFound(f"{actor.agent} holds {what}.", hint=_TAKE_ONE)
    several = "; ".join(f"--token {claim.token} ({_named(claim)})" for claim in held[:LISTED])
    more = f"; and {len(held) - LISTED} more" if len(held) > LISTED else ""
    raise UsageError(
        f"{actor.agent} holds {len(held)} steps: say which one.", hint=f"One of: {several}{more}."
    )


def _another(held: Claim, wanted: int) -> ClaimLost:
    """The agent holds the step by another attempt than the caller believes."""
    own, name = held.attempt, f"{safe_line(held.project.name)}/{held.step.num}"
    return ClaimLost(
        f"The claim of {own.agent} on {name} is attempt {own.number}, claimed at "
        f"{to_iso(own.claimed_at)}, not attempt {wanted}.",
        hint=f"If you work on attempt {wanted}: stop, it is over, and do not push. Else give --attempt "
        f"{own.number}.",
        attempt=wanted,
    )


def _of_step(context: Context, held: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Those of the step that ``--step`` names; a number alone is that of a step that is held."""
    name = context.arguments.step
    if name.isascii() and name.isdigit():
        return tuple(claim for claim in held if str(claim.step.num) == name.lstrip("0"))
    try:
        id_ = context.bus.work.step(name)[0].id
    except StepNotFound as error:
        error.hint = "The steps that you hold: hubbub step mine"
        raise
    return tuple(claim for claim in held if claim.step.id == id_)


def _refuse_lost(context: Context, actor: Actor) -> None:
    """Say what became of the agent's last claim on the step that ``--step`` names, if that was lost: who is
    late must stop, and knows no token to be told so by."""
    name = context.arguments.step
    if name.isascii() and name.isdigit():
        return  # a number alone names a step that is held, and none is
    step, attempts = context.bus.work.step(name)
    own = next((attempt for attempt in attempts if attempt.agent == actor.agent), None)
    if own is None or own.state not in ("lost", "cancelled") or own.ended_at is None:
        return
    how = (
        f"ran out at {to_iso(own.lease_until)}"
        if own.state == "lost"
        else f"was cancelled at {to_iso(own.ended_at)}"
    )
    so = f" {step.agent} has it now." if step.status in LIVE else f" It is {step.status}."
    raise ClaimLost(
        f"{actor.agent}'s claim on {safe_line(name, 100)} (attempt {own.number}) {how}.{so}",
        attempt=own.number,
    )


def held(context: Context) -> dict[str, list[Step]]:
    """The steps that agents hold now, by their names."""
    found: dict[str, list[Step]] = {}
    after: str | None = None
    while True:
        steps, after = context.bus.work.steps(statuses=LIVE, after=after, limit=PAGE)
        for step in steps:
            found.setdefault(step.agent or "", []).append(step)
        if after is None:
            return found


def labels(context: Context, steps: Iterable[Step]) -> list[str]:
    """How each of ``steps`` is named: ``parser/3``."""
    projects: dict[str, str] = {}
    for step in steps:
        if step.project not in projects:
            projects[step.project] = safe_line(context.bus.work.project(step.project).name)
    return [f"{projects[step.project]}/{step.num}" for step in steps]


def held_dict(step: Step, name: str) -> dict[str, Any]:
    """What a list of agents says of a step that one holds."""
    return {"step": name, "step_id": step.id, "title": step.title, "status": step.status}


def _named(claim: Claim) -> str:
    return f"{safe_line(claim.project.name)}/{claim.step.num} {safe_line(claim.step.title, 60)}"
