"""project export and project import: plans as files, and hq's databases."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hubbub.errors import InvalidArgument
from hubbub.faces.cli import render, render_work
from hubbub.faces.cli.failures import UsageError
from hubbub.faces.cli.plans import decoded, read_bytes
from hubbub.names import check_word
from hubbub.text import safe_line, safe_text
from hubbub.wire_work import project_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context

_DATABASE = b"SQLite format 3\0"
"""How the files of SQLite begin."""


def export(context: Context) -> int:
    """Write a project's plan."""
    from hubbub.interchange.plans import FORMS, export_plan

    given, output = context.arguments, context.output
    path = given.output or "-"
    ends = "yaml" if path.endswith((".yaml", ".yml")) else "json"
    form = ends if given.format is None else check_word(given.format, FORMS, "format")
    if path == "-" and output.json:
        raise UsageError("--json goes with -o FILE: without one the plan itself is what is printed.")
    text = export_plan(context.bus, given.project, form=form, results=given.results)
    if path == "-":
        output.check_open()
        text = safe_text(text) if sys.stdout.isatty() else text
        output.line(text.removesuffix("\n"))
        return 0
    from hubbub.interchange import output as file_output

    data = text.encode()
    with file_output(path, force=given.force) as writer:
        writer.write(data)
    file = os.path.abspath(path)
    told = f"Wrote {safe_line(file)}: {render.size(len(data))}."
    context.done({"file": file, "form": form, "bytes": len(data)}, told)
    return 0


def import_(context: Context) -> int:
    """Make projects of a plan, or of a database of hq."""
    given = context.arguments
    if given.file != "-" and read_bytes(given.file, len(_DATABASE)) == _DATABASE:
        if given.name is not None or given.format is not None or given.keep_done or given.key is not None:
            raise UsageError(
                "--name, --format, --keep-done and --key go with a plan.",
                hint="Run: hubbub project import --help",
            )
        return _import_hq(context)
    if given.projects is not None or given.again:
        raise UsageError(
            "--projects and --again go with an hq database.", hint="Run: hubbub project import --help"
        )
    return _import_plan(context)


def _import_hq(context: Context) -> int:
    from hubbub.interchange.hq import import_hq

    given = context.arguments
    wanted = None
    if given.projects is not None:
        wanted = [word.strip() for word in given.projects.split(",") if word.strip()]
    report = import_hq(context.bus, context.actor, given.file, projects=wanted, again=given.again)
    projects, lines = [], []
    for made in report.projects:
        figures = {
            "source": made.source,
            "done": made.done,
            "handed_on": made.handed_on,
            "attempts": made.attempts,
        }
        projects.append({"project": project_dict(made.project), **figures})
        back = f"; {made.handed_on} in hand there can be claimed here" if made.handed_on else ""
        name = safe_line(made.project.name)
        lines.append(f"Imported {name} ({made.project.id}): {render_work.counts(made.project.counts)}{back}.")
    lines = lines or ["There was nothing to import."]
    lines += map(safe_line, report.notes)
    if report.events:
        lines.append(f"Not imported: {render.plural(report.events, 'event')}.")
    context.done({"projects": projects, "events": report.events, "notes": list(report.notes)}, *lines)
    return 0


def _import_plan(context: Context) -> int:
    from hubbub.interchange.plans import PLAN_BYTES, import_plan

    given = context.arguments
    actor = context.actor
    data = read_bytes(given.file, PLAN_BYTES + 1)
    if len(data) > PLAN_BYTES:  # told here: what was read may end within a character
        raise InvalidArgument(
            f"A plan has at most {PLAN_BYTES} bytes.", hint="Import a part, and add steps: hubbub step add"
        )
    project, steps = import_plan(
        context.bus,
        actor,
        decoded(data, given.file),
        form=given.format,
        name=given.name,
        keep_done=given.keep_done,
        key=given.key,
    )
    told = f"Imported {safe_line(project.name)} ({project.id}): {render_work.counts(project.counts)}."
    context.done({"project": project_dict(project), "steps": len(steps)}, told)
    return 0
