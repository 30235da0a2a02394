"""Looking after work: claims without life, what was given up, figures and events."""

from __future__ import annotations

import json
from typing import Any

from hubbub.bus import checking
from hubbub.clock import spoken, to_iso
from hubbub.errors import InvalidArgument
from hubbub.faces.mcp import render_work as render
from hubbub.faces.mcp.long_texts import shorten
from hubbub.faces.mcp.plan_tools import AS_AGENT, LISTED, LISTED_MAX
from hubbub.faces.mcp.render import quoted, safe_json
from hubbub.faces.mcp.render_topics import counted
from hubbub.faces.mcp.tools import ADDS, FLAG, NUMBER, READS, TEXT, Answer, Caller, Tool
from hubbub.model import EVENTS, Event
from hubbub.model_work import DONE, Metrics
from hubbub.text import safe_line
from hubbub.wire import detail_of, event_dict
from hubbub.wire_work import metrics_dict, stale_dict, step_dict

STALE_MINUTES = 2
"""Servers renew every 10 s; and what nobody renews is to be seen well before its lease of 5 min ends."""
GROUPS_SHOWN = 30
"""Scopes or agents in one answer."""
_KINDS = tuple(
    name for name in EVENTS if name.startswith(("project_", "step_", "claim_", "path_", "resource_"))
)
"""Whom an agent writes to is not for everybody to read."""
DETAIL_SHOWN = 300
"""Characters of an event's detail in one answer."""


def detect_stale_work(caller: Caller, given: dict[str, Any]) -> Answer:
    """Claims that show no life."""
    minutes = given.get("timeout_minutes", STALE_MINUTES)
    checking.seconds(minutes * 60, "timeout_minutes", 7 * 86_400)
    found = caller.bus.work.stale(idle=minutes * 60, limit=LISTED)
    if not found:
        return Answer(f"Every claim was renewed within {minutes:g} min.", {"stale": []})
    lines = [f"{counted(len(found), 'claim')} not renewed for {minutes:g} min:"]
    shown = []
    for each in found:
        ran_out = "its lease ran out: recover_step takes it back" if each.expired else "its lease holds"
        lines.append(
            f"- {each.step.num} ({each.step.id}) {quoted(each.step.title)}: {each.attempt.agent}, "
            f"silent for {spoken(each.idle_ms)}; {ran_out}"
        )
        data = stale_dict(each)
        data["attempt"] = {key: data["attempt"][key] for key in ("number", "agent", "claimed_at")}
        shorten(data["step"], "paths", "resources")
        data["step"].pop("metadata", None)
        shown.append(data)
    return Answer("\n".join(lines), safe_json({"stale": shown}))


def recover_step(caller: Caller, given: dict[str, Any]) -> Answer:
    """Take a step back from a holder that is gone, or bring one back that was given up."""
    work, actor = caller.bus.work, caller.member.seat.actor
    if given.get("retry"):
        step = work.retry(actor, given["step_id"], note=given.get("note", ""))
    elif "note" in given:
        raise InvalidArgument("note goes with retry=true: it is for whoever tries next.")
    else:
        step = work.recover(actor, given["step_id"])
    project = work.project(step.project)
    text = f"Step {render.step_line(step, caller.bus.store.now(), project.name)}"
    if step.status in ("failed", "parked", "cancelled"):
        text += "\nNobody holds it. retry=true brings it back."
    elif step.status in DONE:
        text += "\nNobody holds it: it is done."
    data = {"step": step_dict(step, brief=True)}
    shorten(data["step"], "paths", "resources")
    return Answer(text, safe_json(data))


def get_metrics(caller: Caller, given: dict[str, Any]) -> Answer:
    """How the work goes."""
    metrics = caller.bus.work.metrics(
        project=given.get("project"), scope=given.get("scope"), agent=given.get("agent")
    )
    data = metrics_dict(metrics)
    for key in ("by_scope", "by_agent"):
        data[key] = dict(list(data[key].items())[:GROUPS_SHOWN])
    return Answer(_metrics_text(metrics), safe_json(data))


def _metrics_text(metrics: Metrics) -> str:
    lines = [f"{render.counts_text(metrics.counts)}. {counted(metrics.attempts, 'attempt')}."]
    if metrics.failures:
        lines.append("Failures: " + ", ".join(f"{count} {kind}" for kind, count in metrics.failures.items()))
    for name, times in (("Ready to claimed", metrics.wait_ms), ("Claimed to completed", metrics.work_ms)):
        if times is not None:
            lines.append(f"{name}: median {spoken(times[0])}, 95% within {spoken(times[1])}")
    lines.append(f"Finished in the last hour: {metrics.finished_last_hour}")
    for scope, counts in list(metrics.by_scope.items())[:GROUPS_SHOWN]:
        lines.append(f"- {f'scope {quoted(scope)}' if scope else 'no scope'}: {render.counts_text(counts)}")
    for agent, count in list(metrics.by_agent.items())[:GROUPS_SHOWN]:
        lines.append(f"- {agent}: {count} completed")
    more = max(len(metrics.by_scope), len(metrics.by_agent)) - GROUPS_SHOWN
    return "\n".join(lines + ([f"... and {more} more: name a scope or an agent."] if more > 0 else []))


def get_agent_events(caller: Caller, given: dict[str, Any]) -> Answer:
    """What happened to work, the newest last."""
    forward = "after" in given
    limit = checking.number(given.get("limit", LISTED), "limit", 1, LISTED_MAX)
    step = given.get("step_id")
    events = caller.bus.events.events(
        agent=given.get("agent"),
        project=given.get("project"),
        step=step,
        after=checking.number(given.get("after", 0), "after", 0, 2**63 - 1),
        limit=limit,
        kinds=_KINDS,
        newest=not forward,
    )
    now = caller.bus.store.now()
    lines = [f"{counted(len(events), 'event')}, oldest first{':' if events else '.'}"]
    lines += [_event_line(event, now) for event in events]
    shown = [_event(event) for event in events]
    data: dict[str, Any] = {"events": shown}
    if forward and len(events) == limit:
        data["next_after"] = events[-1].seq
        lines.append(f"There may be more: after={events[-1].seq}")
    return Answer("\n".join(lines), safe_json(data))


def _event(event: Event) -> dict[str, Any]:
    shown = event_dict(event)
    dumped = json.dumps(shown.get("detail"), ensure_ascii=False)
    if len(dumped) > DETAIL_SHOWN:
        shown["detail"] = {"characters": len(dumped), "start": dumped[:DETAIL_SHOWN]}
    return shown


def _event_line(event: Event, now: int) -> str:
    facts = [f"{event.seq} {to_iso(event.at)[:19]} {event.event}"]
    facts += [f"by {event.actor}"] if event.actor else []
    facts += [f"step {event.step}"] if event.step else [f"project {event.project}"] if event.project else []
    facts += [f"attempt {event.attempt}"] if event.attempt else []
    if event.detail:
        facts.append(safe_line(json.dumps(detail_of(event), ensure_ascii=False), DETAIL_SHOWN))
    return " · ".join(facts)


OVERSIGHT_TOOLS = (
    Tool(
        "detect_stale_work",
        "Claims without life.",
        {"timeout_minutes": NUMBER},
        (),
        READS,
        detect_stale_work,
        unlisted=(AS_AGENT,),
    ),
    Tool(
        "recover_step",
        "Free a step whose lease ran out; retry=true: reopen a failed, parked or cancelled one.",
        {"step_id": TEXT, "retry": FLAG},
        ("step_id",),
        ADDS,
        recover_step,
        unlisted=(("note", TEXT), AS_AGENT),
    ),
    Tool(
        "get_metrics",
        "Counts, times, failures.",
        {"project": TEXT},
        (),
        READS,
        get_metrics,
        unlisted=(("agent", TEXT), ("scope", TEXT), AS_AGENT),
    ),
    Tool(
        "get_agent_events",
        "What happened.",
        {"agent": TEXT, "project": TEXT},
        (),
        READS,
        get_agent_events,
        unlisted=(
            ("step_id", TEXT),
            ("after", {"type": "integer"}),
            ("limit", {"type": "integer"}),
            AS_AGENT,
        ),
    ),
)
