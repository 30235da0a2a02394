"""What the tests of export and import share."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from hubbub.bus import Bus
from hubbub.interchange import export_topic
from hubbub.model import Actor
from hubbub.model_topics import Imported, Posted, Topic, TopicMessage

ADA = Actor("ada")
BOB = Actor("bob")


def post(bus: Bus, actor: Actor, topic: str, body: str, **fields: Any) -> Posted:
    """Post one message."""
    (posted,) = bus.topics.sync(actor, topic, (bus.topics.post(body, **fields),)).posted
    return posted


def conversation(bus: Bus, name: str = "plan") -> Topic:
    """A topic with two threads, metadata and awkward text."""
    topic = bus.topics.create(ADA, name, metadata={"repo": "shop", "list": [1, None, 2.5]}).topic
    first = post(bus, ADA, name, "Shall we?\r\n\r\n```\ncode\n```\n", kind="question", metadata={"a": "é"})
    post(bus, BOB, name, "## [1] ada (message), now", kind="status")
    second = post(
        bus, BOB, name, "Yes \x1b[2J\u202e\x7f\x9b \u2028 日本 ❤️ \0", kind="answer", reply_to=first.id
    )
    post(bus, ADA, name, "Good.", reply_to=second.id, metadata={})
    return topic


def many(bus: Bus, name: str, count: int, *, body: str = "message") -> Topic:
    """A topic of ``count`` messages, each tenth of which answers the one before."""
    bus.store.topics.begin_import(ADA, f"test:{name}", name, created_at=1_000_000)
    for start in range(0, count, 1000):
        batch = tuple(
            Imported("ada", "message", f"{body} {n}", None, n - 1 if n % 10 == 0 else None, 1_000_000 + n)
            for n in range(start + 1, min(start + 1000, count) + 1)
        )
        bus.store.topics.add_imported(ADA, f"test:{name}", start, batch)
    return bus.store.topics.finish_import(ADA, f"test:{name}")


def exported(bus: Bus, topic: str, form: str = "jsonl", **options: Any) -> bytes:
    """The export of a topic."""
    out = io.BytesIO()
    export_topic(bus, topic, out, form=form, **options)
    return out.getvalue()


def records(data: bytes) -> list[dict[str, Any]]:
    """The lines of an export in JSON Lines."""
    return [json.loads(line) for line in data.splitlines()]


def sealed(lines: list[Any], *, count: int | None = None) -> bytes:
    """A file of these lines, objects or bytes, with the end mark that belongs to them."""
    parts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    data = b"".join(part + b"\n" for part in parts)
    end = {
        "end": True,
        "count": len(lines) - 1 if count is None else count,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return data + json.dumps(end).encode() + b"\n"


def everything(bus: Bus, topic: str) -> list[TopicMessage]:
    """All messages of a topic."""
    found: list[TopicMessage] = []
    after: int | None = 0
    while after is not None:
        page = bus.topics.history(topic, after=after, limit=1000)
        found += page.messages
        after = page.next_after
    return found


def told(bus: Bus, topic: str) -> list[tuple[Any, ...]]:
    """What stays the same when a topic is exported and imported: all but the ids."""
    numbers: dict[str, int] = {}
    rows = []
    for message in everything(bus, topic):
        numbers[message.id] = message.seq
        answered = None if message.reply_to is None else numbers[message.reply_to]
        rows.append(
            (
                message.seq,
                message.sender,
                message.kind,
                message.body,
                message.metadata,
                message.created_at,
                answered,
                numbers[message.thread],
            )
        )
    return rows


def saved(path: Path, data: bytes) -> str:
    """``data`` in a file; its path."""
    path.write_bytes(data)
    return str(path)


def topic_names(bus: Bus) -> set[str]:
    """The names of all topics that anyone can see."""
    return {topic.name for topic in bus.topics.list(state="all", limit=1000).topics}
