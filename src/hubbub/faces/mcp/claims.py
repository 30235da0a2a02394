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
            raise _others(caller, step, attempts[0])
    raise _not_held(step, attempts, caller.member.seat.agent.name)


def _only(caller: Caller) -> str:
    held = _adopted(caller)
    lost = caller.member.claims.lost(claim.token for claim in held)
    if lost is not None:
        return lost  # the store says when and to whom
    if not held:
        for claim in left_by_others(caller.bus, caller.member):
            raise _others(caller, claim.step, claim.attempt)
        last = caller.member.claims.last_ended()
        over = f" The last one, on {last}, is over." if last else ""
        raise ClaimNotFound(f"You have no claim.{over}", hint="Take a step first: claim_step()")
    if len(held) > 1:
        names = ", ".join(f"{claim.step.id} ({claim.project.name}/{claim.step.num})" for claim in held[:20])
        raise InvalidArgument(f"You have {len(held)} claims: {names}.", hint="Say which: step_id=...")
    return held[0].token


def adopt(bus: Bus, member: Member, *, all_: bool = False) -> tuple[Claim, ...]:
    """The live claims of a member: its own session renews them from now on.

    Those of an earlier session are among them if the member is known to go on where that left off. Others'
    claims on steps that the member was told it lost are left out: who repeats a call that was refused does
    not mean those. With ``all_`` it takes over all that is claimed under its name.
    """
    kept = member.claims
    if all_ or member.goes_on:
        claims = bus.work.mine(member.seat.actor)
    else:
        # What is claimed under the name says nothing of whether it is still held.
        bus.agents.beat(member.seat)
        claims = tuple(claim for claim in _of_name(bus, member) if _is_own(member, claim))
    own = tuple(claim for claim in claims if all_ or not kept.is_others(claim.token, claim.step.id))
    for claim in own:
        kept.keep(claim.token, claim.step.id)
    return own


def left_by_others(bus: Bus, member: Member) -> tuple[Claim, ...]:
    """What is claimed under the member's name and not by it, as far as it knows."""
    kept = member.claims
    return tuple(
        claim
        for claim in _of_name(bus, member)
        if kept.is_others(claim.token, claim.step.id) or not (member.goes_on or _is_own(member, claim))
    )


def _of_name(bus: Bus, member: Member) -> tuple[Claim, ...]:
    """All claims under the member's name; nothing is taken over by looking."""
    return bus.work.mine(bus.agents.attach(member.seat.agent.name))


def _is_own(member: Member, claim: Claim) -> bool:
    """Whether the claim was made by this process, or by a command beside it."""
    return claim.attempt.session == member.seat.session or member.claims.step_of(claim.token) is not None


def _adopted(caller: Caller) -> tuple[Claim, ...]:
    return adopt(caller.bus, caller.member)


def _others(caller: Caller, step: Step, attempt: Attempt) -> HubbubError:
    """The member's name has the step, but another process of that name claimed it."""
    if not caller.member.claims.was_told(step.id):
        return ClaimNotFound(
            f"You have no claim. Step {step.num} ({step.id}) was claimed by an earlier process under the "
            f"name {attempt.agent}, which was made from your client's, at {to_iso(attempt.claimed_at)}.",
            hint="If that was you: claim_step(mine=true) takes it over. If not, leave it alone.",
        )
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
