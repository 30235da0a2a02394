"""project metrics and project events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.clock import spoken
from hubbub.errors import InvalidArgument
from hubbub.faces.cli import render, render_work
from hubbub.faces.cli.commands import ledger
from hubbub.names import check_name
from hubbub.text import safe_line
from hubbub.wire_work import metrics_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.faces.cli.output import Output
    from hubbub.model_work import Metrics

SHOWN = 20
"""How many scopes and agents are listed for people."""


def metrics(context: Context) -> int:
    """How the work goes: of one project, scope or agent, or of all."""
    given = context.arguments
    found = context.bus.work.metrics(project=given.project, scope=given.scope, agent=given.agent)
    if context.output.json:
        context.output.answer(metrics_dict(found))
        return 0
    _show(found, context.output)
    return 0


def _show(found: Metrics, output: Output) -> None:
    output.line(f"Steps:     {render_work.counts(found.counts)}")
    failures = ", ".join(f"{count} {name}" for name, count in sorted(found.failures.items()))
    output.line(f"Attempts:  {found.attempts}" + (f"; not finished: {failures}" if failures else ""))
    for title, times in (("Waiting:", found.wait_ms), ("Working:", found.work_ms)):
        if times is not None:
            output.line(f"{title:<11}half within {spoken(times[0])}, 95 % within {spoken(times[1])}")
    output.line(f"Finished:  {render.plural(found.finished_last_hour, 'step')} in the last hour")
    scopes = {scope: counts for scope, counts in found.by_scope.items() if scope}
    for scope, counts in list(scopes.items())[:SHOWN]:
        output.line(f"Scope {safe_line(scope, 60)}: {render_work.counts(counts)}")
    if len(scopes) > SHOWN:
        output.line(f"and {len(scopes) - SHOWN} more scopes: --json lists all")
    agents = sorted(found.by_agent.items(), key=lambda item: (-item[1], item[0]))
    for agent, done in agents[:SHOWN]:
        output.line(f"Agent {safe_line(agent)}: {render.plural(done, 'step')} completed")
    if len(agents) > SHOWN:
        output.line(f"and {len(agents) - SHOWN} more agents: --json lists all")


def events(context: Context) -> int:
    """What happened in a project, the newest last."""
    given = context.arguments
    if not 1 <= given.limit <= ledger.LIMIT_MAX:
        raise InvalidArgument(f"limit must be from 1 to {ledger.LIMIT_MAX}.")
    project = context.bus.work.project(given.project)
    step = given.step
    if step is not None and step.isascii() and step.isdigit():
        step = f"{project.id}/{step}"
    found = context.bus.events.events(
        newest=True,
        limit=given.limit,
        project=project.id,
        step=step,
        agent=None if given.agent is None else check_name(given.agent),
    )
    ledger.tell(context, found)
    if not found and not context.output.json:
        context.output.line("Nothing of that has happened yet.")
    return 0
