"""export and import."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from hubbub.errors import ThreadNotFound, TopicNotFound
from hubbub.faces.cli import render
from hubbub.faces.cli.failures import UsageError
from hubbub.faces.cli.holding import Signals
from hubbub.faces.cli.output import ReaderGone
from hubbub.faces.cli.progress import Progress
from hubbub.faces.cli.render_topics import name_of
from hubbub.names import check_word, parse_message_id, parse_post_id
from hubbub.text import safe_line
from hubbub.wire import topic_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.interchange import Exported, ImportedTopic, ImportReport, Writer
    from hubbub.model import Actor

NAMES_SHOWN = 5


def export(context: Context) -> int:
    """Write a topic or a thread, whole."""
    from hubbub import interchange

    given = context.arguments
    path = given.output or "-"
    form = _form(given.format, path)
    if path != "-":
        with Signals() as signals, interchange.output(path, force=given.force) as writer:
            signals.heed()  # one of them takes the half of a file away
            written = _export(context, writer, form)
            signals.defer()
        file = os.path.abspath(path)
        answer = {"file": file, "name": written.name, "messages": written.messages, "bytes": written.bytes}
        count = render.plural(written.messages, "message")
        context.done(answer, f"Wrote {safe_line(file)}: {count}, {render.size(written.bytes)}.")
        return 0
    if context.output.json:
        raise UsageError(
            "--json goes with -o FILE: without one the export itself is what is printed.",
            hint="For an export in JSON: --format jsonl",
        )
    context.output.check_open()
    try:
        with interchange.output("-") as writer:
            _export(context, writer, form)
    except BrokenPipeError:
        raise ReaderGone("Nobody reads standard output any more.") from None
    return 0


def _form(given: str | None, path: str) -> str:
    from hubbub.interchange import FORMS

    if given is None:
        return "jsonl" if path.endswith((".jsonl", ".ndjson")) else "markdown"
    return check_word(given, FORMS, "format")


def _export(context: Context, writer: Writer, form: str) -> Exported:
    """Export what was named: a topic, a thread of one, or a thread of the mail."""
    from hubbub import interchange

    given, bus, name = context.arguments, context.bus, context.arguments.what
    context.check_reader()
    options: dict[str, Any] = {"form": form, "after": given.after, "metadata": given.metadata}
    mixed = given.output in (None, "-") and sys.stdout.isatty()  # it would stand between the lines
    with Progress("Exported", quiet=mixed) as progress:
        options["progress"] = progress
        if parse_post_id(name) is not None:
            topic = bus.topics.message(name).topic
            return interchange.export_topic(bus, topic, writer, thread=given.thread or name, **options)
        if given.thread is not None:
            return interchange.export_topic(bus, name, writer, thread=given.thread, **options)
        try:
            if parse_message_id(name) is None:
                return interchange.export_topic(bus, bus.topics.get(name).id, writer, **options)
        except TopicNotFound as missing:
            return _export_thread(context, writer, options, missing)
        return interchange.export_thread(bus, name, writer, reader=context.reader, **options)


def _export_thread(
    context: Context, writer: Writer, options: dict[str, Any], missing: TopicNotFound
) -> Exported:
    from hubbub.interchange import export_thread

    name = context.arguments.what
    try:
        return export_thread(context.bus, name, writer, reader=context.reader, **options)
    except ThreadNotFound:
        raise TopicNotFound(f"There is no topic and no thread {name!a:.80}.", hint=missing.hint) from None


def import_(context: Context) -> int:
    """Make topics of a file."""
    from hubbub import interchange

    given = context.arguments
    actor = context.actor
    with Progress("Imported") as progress:
        report = _import(context, actor, progress, interchange.sniff(given.file))
    lines = [_line(made) for made in report.topics] or ["There was nothing to import."]
    context.done(_as_dict(report), *lines, *map(safe_line, report.notes))
    return 0


def _import(context: Context, actor: Actor, progress: Progress, form: str) -> ImportReport:
    from hubbub import interchange

    given, bus = context.arguments, context.bus
    if form == "hubbub":
        if given.topics is not None or given.skip:
            raise UsageError(
                "--topics and --skip go with a database of Agent Bus MCP.", hint="Run: hubbub import --help"
            )
        return interchange.import_file(bus, actor, given.file, name=given.as_topic, progress=progress)
    if given.as_topic is not None:
        raise UsageError("--as-topic goes with an export.", hint="Choose topics with: --topics NAME,...")
    wanted = (
        None if given.topics is None else [word.strip() for word in given.topics.split(",") if word.strip()]
    )
    return interchange.import_agent_bus(
        bus, actor, given.file, topics=wanted, skip=given.skip, progress=progress
    )


def _line(made: ImportedTopic) -> str:
    line = f"Imported {name_of(made.topic)} ({made.topic.id}): {render.plural(made.messages, 'message')}"
    line += f", {made.resumed} of them before" if made.resumed else ""
    if made.source != made.topic.name:
        line += f"; called {safe_line(made.source)} there"
    line += "."
    if made.unlinked_count:
        shown = _some(made.unlinked, made.unlinked_count)
        line += f" {made.unlinked_count} answered a message that is not there: {shown}."
    if made.skipped_count:
        line += f" Left out as too large: {_some(made.skipped, made.skipped_count)}."
    return line


def _some(ids: tuple[str, ...], count: int) -> str:
    shown = ", ".join(map(safe_line, ids[:NAMES_SHOWN]))
    return shown + (f" and {count - NAMES_SHOWN} more" if count > NAMES_SHOWN else "")


def _as_dict(report: ImportReport) -> dict[str, Any]:
    topics = []
    for made in report.topics:
        shown: dict[str, Any] = {
            "topic": topic_dict(made.topic),
            "source": made.source,
            "messages": made.messages,
        }
        for key in ("resumed", "unlinked_count", "skipped_count"):
            if getattr(made, key):
                shown[key] = getattr(made, key)
        shown |= {"unlinked": list(made.unlinked)} if made.unlinked else {}
        shown |= {"skipped": list(made.skipped)} if made.skipped else {}
        topics.append(shown)
    return {"form": report.form, "topics": topics, "notes": list(report.notes)}
