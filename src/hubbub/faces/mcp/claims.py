"""Which claim a call is about, and what becomes of one whose answer nobody had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hubbub.bus import Bus
from hubbub.clock import to_iso
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.errors_work import ClaimLost, ClaimNotFound
from hubbub.faces.mcp.tools import Caller, Member
from hubbub.model_work import LIVE, Attempt, Claim, Step

T = TypeVar("T")


def with_claim(caller: Caller, given: dict[str, Any], act: Callable[[str], T]) -> T:
    """Do ``act`` with the token of the claim that a call is about: of the token or the step that it names,
    else of the only claim of the agent.

    Raises:
        ClaimLost: the claim is over.
        ClaimNotFound: there is none.
        InvalidArgument: there are several, or the token is another step's.
        StepNotFound: there is no such step.
    """
    token = _token(caller, given)
    try:
        return act(token)
    except ClaimLost:
        # The next call that names the step means a newer claim of this process, if there is one.
        caller.member.claims.told(token)
        raise


def _token(caller: Caller, given: dict[str, Any]) -> str:
    kept, step, token = caller.member.claims, given.get("step_id"), given.get("claim_token")
    if token is not None:
        whose = kept.step_of(token)
        if step is not None and whose not in (None, step) and caller.bus.work.step(step)[0].id != whose:
            raise InvalidArgument(
                f"This claim_token is of step {whose}, not of {ascii(step)[:80]}.", hint="Give one of them."
            )
        return str(token)
    return _only(caller) if step is None else _of_step(caller, step)


def _of_step(caller: Caller, name: str) -> str:
    kept = caller.member.claims
    token = kept.token_of(name)
    if token is not None:
        return token
    if name.isascii() and name.isdigit():
        # A number alone can only mean a step that the agent has.
        held = [claim.token for claim in _adopted(caller) if str(claim.step.num) == name]
        if len(held) == 1:
            return held[0]
    step, attempts = caller.bus.work.step(name)
    token = kept.token_of(step.id)
    if token is not None:
        return token
    if step.status in LIVE and step.agent == caller.member.seat.agent.name:
        for claim in _adopted(caller):
            if claim.step.id == step.id:
                return claim.token
        if attempts[0].state == "live":
            raise _others(step, attempts[0])
    raise _not_held(step, attempts, caller.member.seat.agent.name)


def _only(caller: Caller) -> str:
    held = _adopted(caller)
    lost = caller.member.claims.lost(claim.token for claim in held)
    if lost is not None:
        return lost  # the store says when and to whom
    if not held:
        for claim in caller.bus.work.mine(caller.member.seat.actor):
            raise _others(claim.step, claim.attempt)
        last = caller.member.claims.last_ended()
        over = f" The last one, on {last}, is over." if last else ""
        raise ClaimNotFound(f"You have no claim.{over}", hint="Take a step first: claim_step()")
    if len(held) > 1:
        names = ", ".join(f"{claim.step.id} ({claim.project.name}/{claim.step.num})" for claim in held[:20])
        raise InvalidArgument(f"You have {len(held)} claims: {names}.", hint="Say which: step_id=...")
    return held[0].token


def adopt(bus: Bus, member: Member, *, all_: bool = False) -> tuple[Claim, ...]:
    """The live claims of a member, also those of its earlier session: its own session renews them now.

    Without ``all_`` others' claims on steps that the member was told it lost are left out: who repeats a call
    that was refused does not mean those.
    """
    kept = member.claims
    claims = bus.work.mine(member.seat.actor)
    own = tuple(claim for claim in claims if all_ or not kept.is_others(claim.token, claim.step.id))
    for claim in own:
        kept.keep(claim.token, claim.step.id)
    return own


def _adopted(caller: Caller) -> tuple[Claim, ...]:
    return adopt(caller.bus, caller.member)


def _others(step: Step, attempt: Attempt) -> HubbubError:
    """The member lost the step, and another process of the agent claimed it anew."""
    return ClaimLost(
        f"You lost step {step.num} ({step.id}). Another process of {attempt.agent} claimed it anew at "
        f"{to_iso(attempt.claimed_at)} (attempt {attempt.number}).",
        hint="Stop working on this step and do not push. If that claim is yours: claim_step(mine=true), "
        "then call again.",
        attempt=attempt.number,
    )


def _not_held(step: Step, attempts: tuple[Attempt, ...], agent: str) -> HubbubError:
    """The agent names a step that it has no live claim on."""
    named = f"step {step.num} ({step.id})"
    own = next((attempt for attempt in attempts if attempt.agent == agent), None)
    now_with = f" {step.agent} has it now." if step.status in LIVE else f" It is {step.status}."
    if own is not None:
        ended = f" at {to_iso(own.ended_at)}" if own.ended_at is not None else ""
        how = "ran out" if own.state == "lost" else f"was {own.state}"
        return ClaimLost(
            f"Your claim on {named}, attempt {own.number}, {how}{ended}.{now_with}", attempt=own.number
        )
    hint = f"Take it first: claim_step(step_id={step.id!r})" if step.status == "not_started" else None
    return ClaimNotFound(f"You have no claim on {named}.{now_with}", hint=hint)


def leave_behind(bus: Bus, member: Member) -> list[str]:
    """Give back what a name holds that the connection gave up; the ids of the steps."""
    actor, left = bus.agents.attach(member.seat.agent.name), []
    for token, step in member.claims.open_ones():
        try:
            bus.work.release(actor, token)
        except HubbubError:
            continue
        left.append(step)
    return left


def give_back(bus: Bus, member: Member, tokens: tuple[str, ...]) -> None:
    """The member never heard of these claims: their steps can be had again, without blame."""
    for token in tokens:
        member.claims.forget(token)
        try:
            bus.work.release(member.seat.actor, token)
        except HubbubError:
            continue  # it is over, or runs out by itself
