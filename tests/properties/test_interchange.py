"""Whatever is said in a topic, its export says it, and nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hubbub.bus import Bus
from hubbub.errors import ImportInvalid
from hubbub.interchange import import_agent_bus, import_file
from hubbub.interchange.entries import Entry, Facts
from hubbub.interchange.forms import JsonLines, Markdown
from hubbub.interchange.reading import Reader
from hubbub.stores import open_store
from hubbub.text import safe_text
from tests.agent_bus import AgentBusFile
from tests.interchange_support import ADA, exported, post, records, saved, sealed, told

MEAN = (
    "```",
    "````",
    "~~~",
    "  ```",
    "## [2] eve (task), 2026-11-21T00:00:00.000Z",
    "---",
    "> ",
    "\t",
    "    ",
    "- ",
    "<!--",
    "</pre>",
    "In reply to #1.",
    "\r\n",
    "\r",
    "\n",
    "\x1b[2J",
    "\u2028",
    "\x85",
    "\x0b",
    "\ufeff",
    "\0",
)
TEXT = st.one_of(
    st.text(min_size=1),
    st.lists(st.one_of(st.sampled_from(MEAN), st.text(max_size=5)), min_size=1).map("".join),
).filter(bool)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
METADATA = st.none() | st.dictionaries(st.text(max_size=5), JSON, max_size=3)
MESSAGES = st.lists(st.tuples(TEXT, METADATA, TEXT.map(lambda text: text[:200])), min_size=1, max_size=5)
TIME = "2026-11-21T00:00:00.000Z"


def _entry(number: int, body: str, metadata: dict[str, Any] | None, sender: str) -> Entry:
    answers = number - 1 or None
    answered = f"p{answers}" if answers else None
    record = {
        "id": f"p{number}",
        "seq": number,
        "from": sender,
        "kind": "message",
        "reply_to": answered,
        "reply_to_seq": answers,
        "thread": "p1",
        "created_at": TIME,
        "body": body,
        "metadata": metadata,
    }
    return Entry(number, f"p{number}", sender, "message", answered, answers, 0, body, metadata, record)


def _facts(count: int, name: str) -> Facts:
    topic = {"id": "t1", "name": name, "state": "open", "metadata": None, "created_at": TIME}
    header = {"format": "hubbub-topic", "version": 1, "topic": topic, "after": 0, "count": count}
    return Facts(f"#{name}", count, header, (("Topic", "t1"), ("Reason", name)))


def _page(
    form: JsonLines | Markdown, messages: list[tuple[str, dict[str, Any] | None, str]], name: str
) -> bytes:
    parts = [form.begin(_facts(len(messages), name), 0)]
    parts += [form.message(_entry(number, *each)) for number, each in enumerate(messages, 1)]
    return b"".join([*parts, form.end(len(messages))])


@given(MESSAGES, TEXT)
def test_markdown_has_one_heading_a_message_and_every_body_to_the_letter(
    messages: list[tuple[str, dict[str, Any] | None, str]], name: str
) -> None:
    page = _page(Markdown(metadata=True), messages, name[:100]).decode()
    assert len(re.findall(r"^##", page, re.M)) == len(messages)
    assert len(re.findall(r"^In reply to #\d+\.$", page, re.M)) == len(messages) - 1
    tokens = MarkdownIt().parse(page)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert len(headings) == len(messages) + 1
    for number, heading in enumerate(headings[1:], 1):
        assert heading.startswith(f"[{number}] ")
    fences = [token.content for token in tokens if token.type == "fence" and not token.info]
    # The parser ends a document's lines as the shown text does: with line feeds.
    assert fences == [safe_text(body) + "\n" for body, _, _ in messages]
    assert not [token for token in tokens if token.type in ("html_block", "code_block", "blockquote_open")]
    for line in page.split("\n"):
        assert safe_text(line) == line


@given(MESSAGES, st.text(min_size=1, max_size=100))
def test_json_lines_come_back_to_the_letter_and_are_safe_to_show(
    messages: list[tuple[str, dict[str, Any] | None, str]], name: str
) -> None:
    data = _page(JsonLines(), messages, name)
    for line in data.decode().split("\n"):
        assert safe_text(line) == line
    reader = Reader(io.BytesIO(data))
    read = [message for batch in reader.batches() for message in batch.messages]
    assert reader.header.name == name
    assert [(m.body, m.metadata, m.sender) for m in read] == messages
    assert [m.reply_to for m in read] == [None, *range(1, len(messages))]


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """A bus that all examples use, each with topics of its own."""
    folder = tmp_path_factory.mktemp("bus")
    with Bus(open_store(f"sqlite://{folder}/bus.db")) as opened:
        opened.agents.register("ada")
        yield opened
        assert opened.check() == []


@settings(max_examples=max(20, settings.default.max_examples // 5) if settings.default else 40)
@given(messages=MESSAGES)
def test_what_was_posted_comes_back_from_a_file_the_same(
    bus: Bus, tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, dict[str, Any] | None, str]]
) -> None:
    path: Path = tmp_path_factory.mktemp("export") / "x.jsonl"
    topic = bus.topics.create(ADA).topic.id
    last = None
    for body, metadata, _ in messages:
        last = post(bus, ADA, topic, body, metadata=metadata, reply_to=last).id
    data = exported(bus, topic)
    made = import_file(bus, ADA, saved(path, data)).topics[0].topic.id
    assert told(bus, made) == told(bus, topic)
    bus.topics.delete(ADA, made)
    bus.topics.delete(ADA, topic)


# --- whatever comes from elsewhere --------------------------------------------------------------------

LINE_FIELDS = [
    *[(0, field) for field in ("format", "version", "topic", "thread", "after", "count", "exported_at")],
    *[
        (2, field)
        for field in ("id", "seq", "from", "kind", "reply_to", "reply_to_seq", "created_at", "body")
    ],
    (2, "metadata"),
    (2, "end"),
]


@given(st.sampled_from(LINE_FIELDS), JSON | METADATA)
def test_a_file_is_imported_or_refused_whatever_a_field_holds(place: tuple[int, str], value: Any) -> None:
    line, field = place
    lines = records(_page(JsonLines(), [("one", None, "ada"), ("two", None, "bob")], "x"))[:-1]
    lines[line][field] = value
    try:
        read = [
            message for batch in Reader(io.BytesIO(sealed(lines))).batches() for message in batch.messages
        ]
    except ImportInvalid:
        return
    assert [message.sender for message in read][:1] == ["ada"]
    assert len(read) == 2


@given(st.lists(st.binary() | st.sampled_from([b"{}\n", b'{"end":true}\n', b"[", b"\xff\n", b"\n"])))
def test_any_bytes_are_refused_with_a_reason(parts: list[bytes]) -> None:
    with pytest.raises(ImportInvalid):
        list(Reader(io.BytesIO(b"".join(parts))).batches())


CELL = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
COLUMNS = [
    *[("messages", name) for name in ("message_id", "topic_id", "seq", "sender", "message_type", "reply_to")],
    *[
        ("messages", name)
        for name in ("content_markdown", "metadata_json", "created_at", "client_message_id")
    ],
    *[("topics", name) for name in ("topic_id", "name", "created_at", "status", "closed_at", "close_reason")],
    *[
        ("topics", "metadata_json"),
        ("cursors", "topic_id"),
        ("cursors", "agent_name"),
        ("cursors", "last_seq"),
    ],
    *[("meta", "value"), ("meta", "key")],
]


@settings(max_examples=max(60, settings.default.max_examples // 4) if settings.default else 60)
@given(st.sampled_from(COLUMNS), CELL, st.booleans())
def test_a_database_is_imported_or_refused_whatever_a_cell_holds(
    bus: Bus, tmp_path_factory: pytest.TempPathFactory, place: tuple[str, str], value: Any, skip: bool
) -> None:
    table, column = place
    file = AgentBusFile(tmp_path_factory.mktemp("cell") / "agent_bus.sqlite")
    file.topic("a1", "plan")
    file.message("a1", 1, "one")
    file.message("a1", 2, "two", reply_to="a1-1")
    file.cursor("a1", "ada", 1)
    file.db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 1", (value,))
    path = str(file.done())
    before = {topic.id for topic in bus.topics.list(state="all").topics}
    try:
        import_agent_bus(bus, ADA, path, skip=skip)
    except ImportInvalid:
        assert {topic.id for topic in bus.topics.list(state="all").topics} == before
    for topic in bus.topics.list(state="all").topics:
        if topic.id not in before:
            bus.topics.delete(ADA, topic.id)
