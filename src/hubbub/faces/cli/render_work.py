"""Projects, steps and claims as text for people; see :mod:`hubbub.faces.cli.render`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.clock import left, spoken, to_iso
from hubbub.faces.cli.render import INDENT, ago, plural
from hubbub.model_work import LIVE
from hubbub.text import safe_line, safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubbub.faces.cli.output import Output
    from hubbub.model_work import (
        Attempt,
        Claim,
        Conflict,
        Counts,
        Holder,
        Lost,
        Project,
        Reservation,
        Stale,
        Step,
    )

STATUS_WIDTH = len("not_started")

STYLES = {
    "claimed": "cyan",
    "in_progress": "cyan",
    "completed": "green",
    "merged": "green",
    "failed": "red",
    "parked": "red",
    "cancelled": "dim",
}
"""The colour of each status; the others have none."""


def due(now: int, then: int) -> str:
    """``then`` as :func:`hubbub.faces.cli.render.ago` tells it, but a time to come to the nearest unit: five
    minutes less a moment are ``in 5 min``, not 4."""
    return ago(now, then) if then - now < 1000 else f"in {left(then, now)}"


def label(project: Project, num: int) -> str:
    """How a step is named for a person, and on the command line: ``parser/3``."""
    return f"{safe_line(project.name)}/{num}"


def counts(shown: Counts) -> str:
    """``5 steps: 2 merged, 1 in progress, 1 ready, 1 waiting``."""
    parts = {
        "merged": shown.merged,
        "completed": shown.completed,
        "in progress": shown.in_progress,
        "claimed": shown.claimed,
        "ready": shown.ready,
        "waiting": shown.not_started - shown.ready,
        "failed": shown.failed,
        "parked": shown.parked,
        "cancelled": shown.cancelled,
    }
    told = ", ".join(f"{count} {word}" for word, count in parts.items() if count)
    return plural(shown.total, "step") + (f": {told}" if told else "")


def project(shown: Project, output: Output) -> None:
    """Add a line on a project."""
    state = shown.state if shown.state == "active" else output.styled(shown.state, "yellow")
    about = f", priority {shown.priority}" if shown.priority else ""
    name = output.styled(safe_line(shown.name), "bold")
    output.line(f"{name}  {shown.id}  {state}{about}, {counts(shown.counts)}")


def whole_project(shown: Project, now: int, output: Output) -> None:
    """Add all that is known of a project, without its steps."""
    project(shown, output)
    if shown.base_commit:
        output.line(f"{INDENT}Base: {safe_line(shown.base_commit)}")
    output.line(f"{INDENT}Created: {ago(now, shown.created_at)} by {safe_line(shown.created_by)}")
    if shown.topic:
        output.line(f"{INDENT}News: in the topic {shown.topic}")
    if shown.metadata is not None:
        output.line(f"{INDENT}Metadata: {_json(shown.metadata)}")
    block("Description", shown.description, output)


def block(title: str, text: str | None, output: Output, indent: str = INDENT) -> None:
    """Add a text that others wrote below its title, or nothing when there is none."""
    if not text:
        return
    output.line(f"{indent}{output.styled(title + ':', 'dim')}")
    for line in safe_text(text).removesuffix("\n").split("\n"):
        output.line((indent + INDENT + line).rstrip())


def steps(shown: Sequence[Step], names: Sequence[str], now: int, output: Output) -> None:
    """Add a table of steps: what each is called (``names``), its status, title, and what is to be said."""
    width = max(map(len, names), default=0)
    for each, name in zip(shown, names, strict=True):
        status = f"{each.status:<{STATUS_WIDTH}}"
        status = output.styled(status, STYLES[each.status]) if each.status in STYLES else status
        notes = ", ".join(_notes(each, now))
        told = output.styled(f"  ({notes})", "dim") if notes else ""
        place = f"{name:<{width}}" if "/" in name else f"{name:>{width}}"
        output.line(f"{place}  {status}  {safe_line(each.title, 100)}{told}")


def _notes(shown: Step, now: int) -> list[str]:
    """What a line on a step says beside its status and title."""
    notes = []
    if shown.agent:
        notes.append(safe_line(shown.agent))
    if shown.status in LIVE and shown.lease_until is not None:
        notes.append(f"lease ends {due(now, shown.lease_until)}")
    if shown.status == "not_started":
        resting = shown.not_before is not None and shown.not_before > now
        if shown.waiting:
            notes.append(f"needs {needs(shown)}; {shown.waiting} not met")
        elif resting:
            assert shown.not_before is not None
            notes.append(f"rests, free {due(now, shown.not_before)}")
        else:
            notes.append("ready")
    notes += [f"scope {safe_line(shown.scope, 40)}"] if shown.scope else []
    notes += [f"priority {shown.priority}"] if shown.priority else []
    notes += [plural(shown.attempts, "attempt")] if shown.attempts > 1 else []
    return notes


def needs(shown: Step) -> str:
    """The steps that a step needs: ``1, 2 (merged)``."""
    words = []
    for need in shown.needs[:12]:
        more = [need.until] if need.until != "completed" else []
        more += [f"else {need.on_failure}"] if need.on_failure != "block" else []
        words.append(str(need.num) + (f" ({', '.join(more)})" if more else ""))
    more_needs = len(shown.needs) - len(words)
    return ", ".join(words) + (f" and {more_needs} more" if more_needs else "")


def _fields(shown: Step, output: Output) -> None:
    """Add what a step says of itself, but its title and status."""
    for title, value in (
        ("Branch", safe_line(shown.branch)),
        ("Scope", safe_line(shown.scope)),
        ("Files", ", ".join(map(safe_line, shown.paths))),
        ("Resources", ", ".join(map(safe_line, shown.resources))),
        ("Priority", str(shown.priority) if shown.priority else ""),
        ("Metadata", "" if shown.metadata is None else _json(shown.metadata)),
    ):
        if value:
            output.line(f"{INDENT}{output.styled(title + ':', 'dim')} {value}")
    block("Instructions", shown.instructions, output)
    block("Acceptance", shown.acceptance, output)


def whole_step(
    shown: Step, attempts: Sequence[Attempt], of: Project, now: int, output: Output, why: Sequence[str] = ()
) -> None:
    """Add all that is known of a step, its attempts, and ``why`` it can't be claimed."""
    head = output.styled(label(of, shown.num), "bold")
    status = output.styled(shown.status, STYLES[shown.status]) if shown.status in STYLES else shown.status
    output.line(f"{head}  {shown.id}  {status}  {safe_line(shown.title)}")
    notes = _notes(shown, now)
    if notes:
        output.line(f"{INDENT}{', '.join(notes)}")
    if shown.needs:
        output.line(f"{INDENT}{output.styled('Needs:', 'dim')} {needs(shown)}")
    for line in why:
        output.line(f"{INDENT}{output.styled('In the way:', 'yellow')} {safe_line(line)}")
    limit = f"up to {plural(shown.max_attempts, 'attempt')} of {spoken(shown.time_limit_ms)}"
    output.line(f"{INDENT}{output.styled('Limits:', 'dim')} {limit}")
    _fields(shown, output)
    if shown.commit:
        output.line(f"{INDENT}{output.styled('Commit:', 'dim')} {safe_line(shown.commit)}")
    block("Result", shown.result, output)
    if attempts:
        output.line(f"{INDENT}{output.styled('Attempts:', 'dim')}")
    for attempt in attempts:
        _attempt(attempt, now, output)


def _attempt(shown: Attempt, now: int, output: Output) -> None:
    """Add an attempt, and what it leaves to whoever is next."""
    when = shown.ended_at if shown.ended_at is not None else shown.claimed_at
    kind = f" ({shown.failure})" if shown.failure else ""
    why = f": {safe_line(shown.reason)}" if shown.reason else ""
    twice = INDENT * 2
    output.line(
        f"{twice}{shown.number} by {safe_line(shown.agent)}, {shown.state}{kind} {ago(now, when)}{why}"
    )
    places = [
        f"{title} {safe_line(value)}"
        for title, value in (("branch", shown.branch), ("worktree", shown.worktree), ("commit", shown.commit))
        if value
    ]
    if places:
        output.line(f"{INDENT * 3}{', '.join(places)}")
    if shown.files:
        more = f" and {len(shown.files) - 20} more" if len(shown.files) > 20 else ""
        output.line(f"{INDENT * 3}changed {', '.join(map(safe_line, shown.files[:20]))}{more}")
    block("Notes", shown.notes, output, INDENT * 3)


def claim(shown: Claim, now: int, output: Output) -> None:
    """Add a claim: all that an agent needs that knows nothing of the project."""
    step, own, dim = shown.step, shown.attempt, "dim"
    head = output.styled(label(shown.project, step.num), "bold")
    again = ", claimed before" if shown.repeated else ""
    output.line(f"{head}  {step.id}  {step.status}, attempt {own.number}{again}  {safe_line(step.title)}")
    output.line(f"{INDENT}{output.styled('Token:', dim)} {output.styled(shown.token, 'cyan')}")
    if shown.project.base_commit:
        output.line(f"{INDENT}{output.styled('Base:', dim)} {safe_line(shown.project.base_commit)}")
    if own.worktree:
        output.line(f"{INDENT}{output.styled('Worktree:', dim)} {safe_line(own.worktree)}")
    output.line(f"{INDENT}{output.styled('Lease:', dim)} {lease(shown, now)}")
    block("Project", shown.project.description, output)
    _fields(step, output)
    block("Brought back with the note", shown.note, output)
    if own.notes:
        block("Notes", own.notes, output)
    if shown.needs:
        output.line(f"{INDENT}{output.styled('Needs:', dim)}")
    for done in shown.needs:
        places = [f"branch {safe_line(done.branch)}"] if done.branch else []
        places += [f"commit {safe_line(done.commit)}"] if done.commit else []
        told = ", ".join([done.status, *places])
        output.line(f"{INDENT * 2}{done.num} {safe_line(done.title, 100)}: {told}")
        block("Result", done.result, output, INDENT * 3)
    if shown.earlier:
        output.line(f"{INDENT}{output.styled('Earlier attempts:', dim)}")
    for attempt in shown.earlier:
        _attempt(attempt, now, output)


def holder(shown: Holder, now: int, *, named: bool = True) -> str:
    """Who has a step, until when, and what a person can do when nobody is there."""
    told = f"{safe_line(shown.name)} is held by {shown.agent}" if named else shown.agent
    ends = f"its lease ends {due(now, shown.lease_until)}"
    if shown.offline_since is None:
        return f"{told}, {ends}" if named else f"{told} is there; {ends}"
    since = to_iso(shown.offline_since)
    told += f", offline since {since}" if named else f" is offline since {since}"
    return (
        f"{told}; {ends}. To free it now, and all that {shown.agent} holds: hubbub unregister {shown.agent}"
    )


def lost(shown: Lost, name: str, now: int, output: Output) -> None:
    """Add what became of a claim that its agent lost, and where its work may be."""
    step, own = shown.step, shown.attempt
    so = f"{step.agent} has it now" if step.status in LIVE else f"it is {step.status}"
    ended = ago(now, own.ended_at or own.lease_until)
    output.line(
        f"{output.styled('Lost:', 'yellow')} {name}  {step.id}  {safe_line(step.title, 100)}: "
        f"attempt {own.number} ended {ended}; {so}"
    )
    places = [
        f"{title} {safe_line(value)}"
        for title, value in (("branch", own.branch), ("worktree", own.worktree))
        if value
    ]
    where = f"{INDENT}Your work is in {', '.join(places)}: do not push it." if places else ""
    output.line(where or f"{INDENT}Stop working on it, and do not push.")


def lease(shown: Claim, now: int) -> str:
    """Until when a claim is good, and who renews it."""
    own = shown.attempt
    ends = f"ends {due(now, own.lease_until)}, at {to_iso(own.lease_until)}"
    most = f"; the attempt itself {due(now, own.limit_until)}"
    if own.session is not None:
        return f"{ends}; your session {own.session} renews it{most}"
    return f"{ends}; renew it before with: hubbub step beat{most}"


def stale(shown: Stale, of: Project, now: int, output: Output) -> None:
    """Add a line on a claim that shows no life."""
    ended = (
        output.styled("ran out", "red")
        if shown.expired
        else f"lease ends {due(now, shown.attempt.lease_until)}"
    )
    output.line(
        f"{output.styled(label(of, shown.step.num), 'bold')}  {safe_line(shown.attempt.agent)}, "
        f"attempt {shown.attempt.number}, last renewed {spoken(shown.idle_ms)} ago, {ended}  "
        f"{safe_line(shown.step.title, 100)}"
    )


def reservation(shown: Reservation, now: int, output: Output) -> None:
    """Add a line on files that an agent keeps."""
    why = f": {safe_line(shown.reason, 200)}" if shown.reason else ""
    globs = " ".join(map(safe_line, shown.globs))
    output.line(
        f"{output.styled(shown.id, 'cyan')}  {output.styled(safe_line(shown.agent), 'bold')}  {globs}  "
        f"ends {due(now, shown.until)}{why}"
    )


def conflict(shown: Conflict, now: int, output: Output, *, yours: bool = False) -> None:
    """Add a line on who holds files that were asked about; ``yours`` when that is who asks."""
    why = f": {safe_line(shown.reason, 200)}" if shown.reason else ""
    who = "yours" if yours else f"held by {output.styled(safe_line(shown.agent), 'bold')}"
    output.line(
        f"{safe_line(shown.wanted)}  {who} "
        f"({shown.what}, {safe_line(shown.held)}), ends {due(now, shown.until)}{why}"
    )


def _json(value: object) -> str:
    import json

    return safe_line(json.dumps(value, ensure_ascii=False))
