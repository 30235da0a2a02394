"""project export and project import: plans as files."""

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
    """Make a project of a plan."""
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
