"""search: messages by their words, and by their meaning where that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.clock import moment
from hubbub.errors import EXIT_NOTHING, MeaningUnavailable
from hubbub.faces.cli.failures import UsageError
from hubbub.faces.cli.render import INDENT, ago, plural
from hubbub.text import safe_line
from hubbub.wire import hit_dict

if TYPE_CHECKING:
    from hubbub.bus.search import Result, Results
    from hubbub.faces.cli.context import Context
    from hubbub.faces.cli.output import Output


def search(context: Context) -> int:
    """Find messages: as the agent where one is named, else as the operator."""
    given = context.arguments
    if given.index:
        return _index(context)
    if not given.query:
        raise UsageError("There is nothing to search for.", hint="Run: hubbub search --help")
    bus = context.bus
    now = bus.store.now()
    found = bus.search.search(
        " ".join(given.query),
        reader=context.reader,
        scope="mail" if given.mail else "topics" if given.topics else "all",
        topic=given.topic,
        sender=given.sender,
        kind=given.kind,
        thread=given.thread,
        since=None if given.since is None else moment(given.since, now),
        until=None if given.until is None else moment(given.until, now),
        limit=given.limit,
        mode=given.mode,
    )
    if context.output.json:
        context.output.answer(_as_dict(found))
    else:
        _show(context.output, found, now)
    return 0 if found.hits else EXIT_NOTHING


def _as_dict(found: Results) -> dict[str, Any]:
    hits = [hit_dict(each.hit, each.snippet, each.marks, by_meaning=each.by_meaning) for each in found.hits]
    answer: dict[str, Any] = {"hits": hits}
    answer["total"] = found.total
    answer |= {"capped": True} if found.capped else {}
    answer |= {"not_indexed_yet": found.behind} if found.behind else {}
    answer |= {"notes": list(found.notes)} if found.notes else {}
    return answer


def _show(output: Output, found: Results, now: int) -> None:
    for each in found.hits:
        _show_hit(output, each, now)
    if not found.hits:
        output.line("Nothing was found.")
    elif found.capped or found.total > len(found.hits):
        many = f"{'at least ' if found.capped else ''}{found.total} messages match"
        output.line(f"The best {len(found.hits)}: {many}.")
    for note in found.notes:
        output.line(safe_line(note))


def _show_hit(output: Output, found: Result, now: int) -> None:
    hit = found.hit
    if hit.topic_name is not None:
        place, whom = f" #{safe_line(hit.topic_name)} {hit.seq}", ""
    else:
        others = f" and {len(hit.recipients) - 3} more" if len(hit.recipients) > 3 else ""
        place, whom = "", f" to {', '.join(hit.recipients[:3])}{others}"
    sender = output.styled(safe_line(hit.sender), "bold")
    about = f"{safe_line(hit.kind)}, {ago(now, hit.created_at)}{', by meaning' if found.by_meaning else ''}"
    output.line(f"{output.styled(hit.id, 'cyan')}{place} from {sender}{whom}: {about}")
    if hit.subject:
        output.line(f"{INDENT}{output.styled('Subject:', 'dim')} {safe_line(hit.subject)}")
    output.line(INDENT + _marked(output, found))


def _marked(output: Output, found: Result) -> str:
    """The snippet on one line, with what matched in bold where styles are wanted."""
    parts, end = [], 0
    for first, behind in found.marks:
        parts.append(safe_line(found.snippet[end:first]))
        parts.append(output.styled(safe_line(found.snippet[first:behind]), "bold"))
        end = behind
    return "".join([*parts, safe_line(found.snippet[end:])])


def _index(context: Context) -> int:
    """Bring the index of words up to date, and that of meaning where it is installed."""
    from hubbub.bus.meaning import Meaning
    from hubbub.faces.cli.progress import Progress

    if context.arguments.query:
        raise UsageError("--index takes no query.", hint="Search afterwards: hubbub search QUERY")
    bus = context.bus
    with Progress("Indexed") as progress:
        words = bus.search.catch_up(lambda far: progress(far.done, far.done + far.behind))
    answer: dict[str, Any] = {"words": words._asdict()}
    lines = [f"Indexed the words of {plural(words.done, 'message')}."]
    lines += [f"{plural(words.behind, 'message')} could not be indexed yet."] if words.behind else []
    meaning = Meaning(bus.store)
    try:
        with Progress("Indexed by meaning") as progress:
            far = meaning.index(lambda far: progress(far.done, far.done + far.behind))
        failed = len(meaning.status().failed)
        answer["meaning"] = {**far._asdict(), "failed": failed}
        lines.append(f"By meaning: {plural(far.done, 'message')} done, {far.behind} left, {failed} failed.")
    except MeaningUnavailable as error:
        answer["meaning"] = None
        lines.append(f"{error.message} {error.hint}")
    context.done(answer, *lines)
    return 0
