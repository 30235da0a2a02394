"""Claiming steps, doing them and handing them back. Which toolset is made of what is at the end."""

from __future__ import annotations

from typing import Any

from hubbub.bus import Steps
from hubbub.clock import left, to_iso
from hubbub.errors import InvalidArgument
from hubbub.errors_work import ClaimNotFound
from hubbub.faces.mcp import long_texts
from hubbub.faces.mcp import render_work as render
from hubbub.faces.mcp.claims import adopt, left_by_others, with_claim
from hubbub.faces.mcp.long_texts import shorten
from hubbub.faces.mcp.mail_tools import patience
from hubbub.faces.mcp.oversight_tools import OVERSIGHT_TOOLS
from hubbub.faces.mcp.pending import Taken
from hubbub.faces.mcp.plan_tools import AS_AGENT, FILES_SHARE, GET_AVAILABLE, GET_STEP, KEY, PLAN_TOOLS
from hubbub.faces.mcp.render import BODY_SHARE, quoted, safe_json
from hubbub.faces.mcp.tools import ADDS, FLAG, NUMBER, TEXT, Answer, Caller, Tool
from hubbub.model_work import FAILURES, Claim, Lost, Nothing, Step
from hubbub.wire_work import claim_dict, counts_dict, lost_dict, nothing_dict, step_dict

MINE_SHOWN = 10
"""Claims that are shown whole at once."""
_WAITS = ("all_in_flight", "blocked", "held", "delayed")


def claim_step(caller: Caller, given: dict[str, Any]) -> Answer | Steps[Answer]:
    """Take a step, or show what the agent has."""
    if not given.get("mine"):
        return _claiming(caller, given)
    if len(given) > 1:
        raise InvalidArgument("mine=true shows what you have: give it alone.")
    claims = adopt(caller.bus, caller.member, all_=True)
    lost = caller.bus.work.lost(caller.member.seat.actor)
    gone: dict[str, Any] = {"lost": [_lost(each) for each in lost]} if lost else {}
    told = render.lost_lines(lost, caller.bus.store.now())
    caller.bus.work.lost_told(caller.member.seat.actor, lost)
    if not claims:
        text = "\n".join(["You have no claim. claim_step() takes a step.", *told])
        return Answer(text, safe_json({"claims": [], **gone}))
    share = BODY_SHARE // min(len(claims), MINE_SHOWN)
    shown = [_claim(caller, claim, [], share) for claim in claims[:MINE_SHOWN]]
    text = "\n\n".join(answer.text for answer in shown)
    data: dict[str, Any] = {"claims": [answer.data for answer in shown], **gone}
    if len(claims) > len(shown):
        rest = [claim.step.id for claim in claims[len(shown) :]]
        data["more"] = rest
        text += f"\n\nAnd {len(rest)} more: {', '.join(rest[:100])}"
    return Answer("\n\n".join([text, *(["\n".join(told)] if told else [])]), safe_json(data))


def _lost(lost: Lost) -> dict[str, Any]:
    """A lost claim in short."""
    shown = lost_dict(lost)
    step = {
        key: shown["step"][key] for key in ("id", "num", "title", "status", "agent") if key in shown["step"]
    }
    own = shown["attempt"]
    keys = ("number", "claimed_at", "ended_at", "branch", "worktree")
    return {"step": step, "attempt": {key: own[key] for key in keys if key in own}}


def _claiming(caller: Caller, given: dict[str, Any]) -> Steps[Answer]:
    """Claim, in steps: it may wait."""
    wait = patience(given)
    found = yield from caller.bus.work.claiming(
        caller.member.seat.actor,
        project=given.get("project"),
        scope=given.get("scope"),
        step=given.get("step_id"),
        wait=wait,
        start=bool(given.get("start")),
        key=given.get("idempotency_key"),
    )
    if isinstance(found, Nothing):
        return _nothing(caller, found, wait)
    kept = caller.member.claims
    kept.keep(found.token, found.step.id)
    try:
        others = [step for token, step in kept.open_ones() if token != found.token]
        answer = _claim(caller, found, others)
    except BaseException:
        if not found.repeated:
            kept.forget(found.token)
            caller.bus.work.release(caller.member.seat.actor, found.token)
        raise
    # What an earlier call was given is not undone with this one.
    return answer if found.repeated else answer._replace(handed=Taken(claims=(found.token,)))


def _claim(caller: Caller, claim: Claim, others: list[str], share: int = BODY_SHARE) -> Answer:
    data = claim_dict(claim)
    if len(data["needs"]) > render.NEEDS_SHOWN:
        data["needs_total"] = len(data["needs"])
        data["needs"] = data["needs"][: render.NEEDS_SHOWN]
    shorten(data["step"], "paths", "resources")
    for attempt in data["earlier_attempts"]:
        shorten(attempt, "files_modified", share=FILES_SHARE)
    for key in ("notes", "result", "files_modified"):
        data["step"].pop(key, None)  # the attempt's own
    if others:
        data["also_yours"] = others
    texts = long_texts.of_claim(claim, data, share)
    # Only who acts under a name of its own has to give it.
    named = "" if caller.members.is_default(caller.member) else caller.member.seat.agent.name
    text = render.claim_text(claim, data, texts, caller.bus.store.now(), others, named)
    return Answer(text, safe_json(data))


def _nothing(caller: Caller, nothing: Nothing, waited: float) -> Answer:
    data = nothing_dict(nothing)
    held: list[str] = []
    others: list[str] = []
    if nothing.reason in _WAITS:
        held = [claim.step.id for claim in adopt(caller.bus, caller.member)]
        others = [claim.step.id for claim in left_by_others(caller.bus, caller.member)]
    if held:
        data["yours"] = held
    text = render.nothing_text(nothing, caller.bus.store.now(), waited, held, others)
    return Answer(text, safe_json(data))


def start_step(caller: Caller, given: dict[str, Any]) -> Answer:
    """Work begins."""
    work, actor = caller.bus.work, caller.member.seat.actor
    where = {"branch": given.get("branch"), "worktree": given.get("worktree")}
    claim = with_claim(caller, given, lambda token: work.start(actor, token, **where))
    return _held(caller, claim, "is in progress")


def heartbeat(caller: Caller, given: dict[str, Any]) -> Answer:
    """Notes for a successor, and a renewed lease."""
    work, actor = caller.bus.work, caller.member.seat.actor
    claim = with_claim(caller, given, lambda token: work.renew(actor, token, notes=given.get("notes")))
    kept = "; the notes are kept for whoever comes next" if given.get("notes") else ""
    return _held(caller, claim, f"is yours{kept}")


def _held(caller: Caller, claim: Claim, what: str) -> Answer:
    caller.member.claims.keep(claim.token, claim.step.id)
    attempt, now = claim.attempt, caller.bus.store.now()
    text = f"Step {claim.step.num} of {quoted(claim.project.name)} ({claim.step.id}) {what}. "
    text += f"You have {left(attempt.limit_until, now)} left for it; this server renews the claim."
    data = {
        "step_id": claim.step.id,
        "status": claim.step.status,
        "lease_until": to_iso(attempt.lease_until),
        "limit_until": to_iso(attempt.limit_until),
    }
    return Answer(text, data)


def complete_step(caller: Caller, given: dict[str, Any]) -> Answer:
    """The step is done, or its work is merged."""
    work, actor = caller.bus.work, caller.member.seat.actor
    left = {
        "commit": given.get("commit_hash"),
        "files": given.get("files_modified", ()),
        "notes": given.get("notes"),
        "result": given.get("result"),
        "key": given.get("idempotency_key"),
    }

    def act(token: str) -> Step:
        done = work.complete(actor, token, **left)
        caller.member.claims.ended(token)
        return done

    merged = bool(given.get("merged"))
    try:
        step = with_claim(caller, given, act)
    except ClaimNotFound:
        if not merged or "step_id" not in given:
            raise
        # Who merges a step need not be who did it.
        step = work.step(given["step_id"])[0]
    if merged:
        step = work.merge(actor, step.id, commit=given.get("commit_hash"))
    return _over(caller, step, f"is {step.status}.")


def fail_step(caller: Caller, given: dict[str, Any]) -> Answer:
    """The attempt failed."""
    work, actor = caller.bus.work, caller.member.seat.actor

    def act(token: str) -> Step:
        failed = work.fail(
            actor,
            token,
            given["reason"],
            failure=given.get("failure", "task"),
            notes=given.get("notes"),
            final=bool(given.get("final")),
            key=given.get("idempotency_key"),
        )
        caller.member.claims.ended(token)
        return failed

    step = with_claim(caller, given, act)
    if step.status == "not_started":
        rest = "" if step.not_before is None else f" after {_rest(caller, step.not_before)}"
        return _over(caller, step, f"failed; it can be claimed again{rest}.")
    return _over(caller, step, f"is {step.status}. recover_step(retry=true) would bring it back.")


def release_step(caller: Caller, given: dict[str, Any]) -> Answer:
    """Give the step back."""
    work, actor = caller.bus.work, caller.member.seat.actor

    def act(token: str) -> Step:
        back = work.release(actor, token, notes=given.get("notes"), delay=given.get("delay_seconds", 0))
        caller.member.claims.ended(token)
        return back

    step = with_claim(caller, given, act)
    when = "now" if step.not_before is None else f"in {_rest(caller, step.not_before)}"
    return _over(caller, step, f"is given back; it can be claimed {when}.")


def _rest(caller: Caller, until: int) -> str:
    return left(until, caller.bus.store.now())


def _over(caller: Caller, step: Step, what: str) -> Answer:
    """What became of a step, and how its project stands."""
    project = caller.bus.work.project(step.project)
    text = f"Step {step.num} of {quoted(project.name)} ({step.id}) {what}\n"
    text += f"The project is {project.state}: {render.counts_text(project.counts)}."
    if project.counts.ready and project.state == "active":
        text += " claim_step() takes the next."
    data = {
        "step": step_dict(step, brief=True),
        "project": {"name": project.name, "state": project.state, "steps": counts_dict(project.counts)},
    }
    shorten(data["step"], "paths", "resources")
    return Answer(text, safe_json(data))


_HELD = (("claim_token", TEXT), AS_AGENT)

_CLAIM_STEP = Tool(
    "claim_step",
    "Take the next ready step, with all you need for it, or hear why there is none. "
    "mine=true: what you have or lost, after a restart.",
    {
        "project": TEXT,
        "scope": TEXT,
        "step_id": TEXT,
        "start": FLAG,
        "wait_seconds": NUMBER,
        "mine": FLAG,
        "as_agent": TEXT,
    },
    (),
    ADDS,
    claim_step,
    unlisted=KEY,
)
_HOLDING = (
    Tool(
        "start_step",
        "You begin a claimed step, and where.",
        {"step_id": TEXT, "worktree": TEXT, "branch": TEXT},
        (),
        ADDS,
        start_step,
        unlisted=_HELD,
    ),
    Tool(
        "heartbeat",
        "Leave notes for a successor. Not needed to keep a claim.",
        {"step_id": TEXT, "notes": TEXT},
        (),
        ADDS,
        heartbeat,
        unlisted=_HELD,
    ),
    Tool(
        "complete_step",
        "Your step is done and committed. merged=true: a step's work is in the base.",
        {"step_id": TEXT, "commit_hash": TEXT, "notes": TEXT, "result": TEXT, "merged": FLAG},
        (),
        ADDS,
        complete_step,
        unlisted=(("files_modified", {"type": "array", "items": TEXT}), *_HELD, *KEY),
        aliases=(("commit", "commit_hash"), ("files", "files_modified")),
    ),
    Tool(
        "fail_step",
        "You could not do it: it rests, then anyone may retry.",
        {
            "step_id": TEXT,
            "reason": TEXT,
            "failure": {"type": "string", "enum": list(FAILURES)},
            "final": FLAG,
        },
        ("reason",),
        ADDS,
        fail_step,
        unlisted=(("notes", TEXT), *_HELD, *KEY),
    ),
    Tool(
        "release_step",
        "Give a step back undone, without blame.",
        {"step_id": TEXT, "notes": TEXT},
        (),
        ADDS,
        release_step,
        unlisted=(("delay_seconds", NUMBER), *_HELD),
    ),
)

WORK_TOOLS = (*PLAN_TOOLS, GET_STEP, _CLAIM_STEP, *_HOLDING, GET_AVAILABLE, *OVERSIGHT_TOOLS)
