"""step list, show, explain and graph: looking at work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hubbub.errors import InvalidArgument
from hubbub.faces.cli import render_work
from hubbub.faces.cli.claims import labels
from hubbub.faces.cli.failures import UsageError
from hubbub.model_work import LIVE
from hubbub.names import check_word
from hubbub.text import safe_line
from hubbub.wire_work import attempt_dict, blocker_dict, step_dict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubbub.drawing import Graph
    from hubbub.faces.cli.context import Context
    from hubbub.model_work import Step

PAGE = 1000

_ENDS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".txt": "text"}
"""The formats of a graph by how the name of a file ends."""


def list_(context: Context) -> int:
    """The steps, by number or in the order in which they would be claimed."""
    given, output = context.arguments, context.output
    if given.ready and given.after is not None:
        raise UsageError("--ready lists from the first: it takes no --after.")
    steps, after = context.bus.work.steps(
        given.project,
        statuses=tuple(given.statuses),
        scope=given.scope,
        ready=given.ready,
        after=given.after,
        limit=given.limit,
    )
    if given.statuses and given.ready:
        steps = tuple(step for step in steps if step.status in given.statuses)
    if output.json:
        answer: dict[str, Any] = {"steps": [step_dict(step, brief=True) for step in steps]}
        output.answer(answer if after is None else {**answer, "next": after})
        return 0
    render_work.steps(steps, labels(context, steps), context.bus.store.now(), output)
    if not steps:
        output.line("No step is ready." if given.ready else "No such steps.")
    if after is not None:
        output.line(f"There are more: add --after {after}")
    return 0


def show(context: Context) -> int:
    """One step, its attempts, and what keeps it from being claimed."""
    output, work = context.output, context.bus.work
    step, attempts = work.step(context.arguments.step)
    project = work.project(step.project)
    blockers = work.explain(step.id) if step.status == "not_started" else ()
    if output.json:
        answer = {
            "step": step_dict(step),
            "project": project.name,
            "attempts": [attempt_dict(attempt) for attempt in attempts],
            "blockers": [blocker_dict(blocker) for blocker in blockers],
        }
        output.answer(answer)
        return 0
    now = context.bus.store.now()
    why = [blocker.says for blocker in blockers]
    # Who has the step itself is said above; that nobody is there is not.
    held = work.explain(step.id) if step.status in LIVE else blockers
    gone = [each.holder for each in held if each.holder is not None and each.holder.offline_since is not None]
    why += [render_work.holder(each, now) for each in dict.fromkeys(gone)]
    render_work.whole_step(step, attempts, project, now, output, why)
    return 0


def explain(context: Context) -> int:
    """All that keeps a step from being claimed."""
    output, work = context.output, context.bus.work
    step, _ = work.step(context.arguments.step)
    blockers = work.explain(step.id)
    if output.json:
        ready = not blockers
        output.answer(
            {"step": step.id, "ready": ready, "blockers": [blocker_dict(each) for each in blockers]}
        )
        return 0
    name = render_work.label(work.project(step.project), step.num)
    if not blockers:
        output.line(f"{name} can be claimed now: hubbub step claim --step {step.id}")
        return 0
    output.line(f"{name} can't be claimed now:")
    now = context.bus.store.now()
    for blocker in blockers:
        output.line(f"  {blocker.kind:<8}  {safe_line(blocker.says)}  {safe_line(blocker.what)}")
        if blocker.holder is not None:
            output.line(f"  {'':<8}  {render_work.holder(blocker.holder, now, named=False)}")
    return 0


def graph(context: Context) -> int:
    """What waits for what, as a picture."""
    given, output = context.arguments, context.output
    form = _form(given.format, given.output or "")
    drawn = _drawn(context)
    if given.output in (None, "-"):
        if output.json:
            output.answer(
                _as_dict(drawn) if given.format is None else {"form": form, "graph": _text(drawn, form)}
            )
        else:
            for line in _lines(context, drawn, form):
                output.line(line)
        return 0
    from hubbub.interchange import output as file_output

    data = _text(drawn, form).encode()
    with file_output(given.output, force=given.force) as writer:
        writer.write(data)
    file = os.path.abspath(given.output)
    told = f"Wrote {safe_line(file)}: {len(drawn.nodes)} steps."
    context.done({"file": file, "form": form, "steps": len(drawn.nodes), "bytes": len(data)}, told)
    return 0


def _form(given: str | None, path: str) -> str:
    from hubbub.drawing import FORMS

    if given is not None:
        return check_word(given, FORMS, "format")
    end = os.path.splitext(path)[1].lower()
    if path in ("", "-") or not end:
        return "text"
    if end not in _ENDS:
        raise UsageError(
            f"A graph is not written as {safe_line(end, 20)}.",
            hint=f"A name that ends in {', '.join(_ENDS)} says how; or --format text, mermaid or svg.",
        )
    return _ENDS[end]


def _drawn(context: Context) -> Graph:
    from hubbub.drawing import graph_of

    project = context.bus.work.project(context.arguments.project)
    steps: list[Step] = []
    after: str | None = None
    while True:
        page, after = context.bus.work.steps(project.id, after=after, limit=PAGE)
        steps += page
        if after is None:
            return graph_of(project, steps)


def _lines(context: Context, drawn: Graph, form: str) -> Iterable[str]:
    if form != "text":
        return _text(drawn, form).splitlines()
    from hubbub.drawing import as_text

    return as_text(drawn, styled=context.output.styled, everything=context.arguments.all)


def _text(drawn: Graph, form: str) -> str:
    from hubbub.drawing import as_mermaid, as_svg, as_text

    if form == "mermaid":
        return as_mermaid(drawn)
    if form == "svg":
        return as_svg(drawn)
    if form != "text":
        raise InvalidArgument(f"There is no format {form}.")
    return "\n".join(as_text(drawn, everything=True)) + "\n"


def _as_dict(drawn: Graph) -> dict[str, Any]:
    return {
        "project": drawn.name,
        "waves": [list(wave) for wave in drawn.waves],
        "longest_chain": list(drawn.chain),
        "steps": [
            {
                "num": node.num,
                "title": node.title,
                "status": node.status,
                "needs": [need.num for need in node.needs],
                "blocked_by": list(node.unmet),
                "holds_up": drawn.holds_up.get(node.num, 0),
            }
            for node in drawn.nodes
        ],
    }
