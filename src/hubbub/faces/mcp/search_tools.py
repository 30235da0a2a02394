"""Finding what was said, in the mail and in topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.clock import moment
from hubbub.faces.mcp.render import quoted, safe_json
from hubbub.faces.mcp.render_topics import ago, counted, who, word
from hubbub.faces.mcp.tools import READS, TEXT, Answer, Caller, Tool
from hubbub.model_search import SEARCH_MAX
from hubbub.wire import hit_dict

if TYPE_CHECKING:
    from hubbub.bus.search import Result

MODES = ("auto", "words", "hybrid", "meaning")
SCOPES = ("all", "mail", "topics")


def search_messages(caller: Caller, given: dict[str, Any]) -> Answer:
    """Search what the acting agent may read."""
    now = caller.bus.store.now()
    results = caller.bus.search.search(
        given["query"],
        reader=caller.member.seat.agent.name,
        scope=given.get("scope", "all"),
        topic=given.get("topic"),
        sender=given.get("from"),
        kind=given.get("kind"),
        thread=given.get("thread"),
        since=moment(given["since"], now) if "since" in given else None,
        until=moment(given["until"], now) if "until" in given else None,
        limit=given.get("limit", 10),
        mode=given.get("mode", "auto"),
    )
    hits = [hit_dict(found.hit, found.snippet, by_meaning=found.by_meaning) for found in results.hits]
    data: dict[str, Any] = {"hits": hits, "total": results.total}
    if results.capped:
        data["capped"] = True
    if results.behind:
        data["not_indexed_yet"] = results.behind
    if results.notes:
        data["notes"] = list(results.notes)
    total = f"{'at least ' if results.capped else ''}{counted(results.total, 'message')} found"
    count = f", the best {len(results.hits)}" if len(results.hits) < results.total else ""
    lines = [f"{total}{count}{':' if results.hits else '.'}", *results.notes]
    lines += [_line(found, now) for found in results.hits]
    if results.hits:
        lines.append("Read its thread: read_thread(thread=ID).")
    if any(found.hit.topic is not None for found in results.hits):
        lines.append("Read on behind it in its topic: read_thread(thread=TOPIC, after=NUMBER).")
    return Answer("\n".join(lines), safe_json(data))


def _line(found: Result, now: int) -> str:
    """One hit: where it is, and the stretch that matches, in quotes because it is a stranger's text."""
    hit = found.hit
    facts = [f"{hit.id} from {who(hit.sender)}", word(hit.kind), ago(hit.created_at, now)]
    if hit.topic is not None:
        facts.append(f"number {hit.seq} of topic {hit.topic} {quoted(hit.topic_name or '')}")
    else:
        facts.append(f"to {', '.join(hit.recipients[:5])}" + (" ..." if len(hit.recipients) > 5 else ""))
    if hit.subject:
        facts.append(f"subject {quoted(hit.subject)}")
    if found.by_meaning:
        facts.append("by meaning: it has not these words")
    return f"- {' · '.join(facts)}\n  {quoted(found.snippet)}"


SEARCH = Tool(
    "search_messages",
    'Find what was said before, in your mail and in all topics. Words, "a phrase", -not, a OR b, begin*.',
    {
        "query": TEXT,
        "scope": {"type": "string", "enum": list(SCOPES)},
        "topic": TEXT,
        "from": TEXT,
        "kind": TEXT,
        "thread": TEXT,
        "since": {"type": "string", "description": "2h, 3d, or a date and time"},
        "until": TEXT,
        "limit": {"type": "integer", "minimum": 1, "maximum": SEARCH_MAX},
        "mode": {"type": "string", "enum": list(MODES)},
        "as_agent": TEXT,
    },
    ("query",),
    READS,
    search_messages,
)
