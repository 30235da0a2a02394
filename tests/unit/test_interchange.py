"""Export: whole, in order, safe to read, and never half a file."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.errors import (
    ExportFailed,
    ImportInvalid,
    InvalidArgument,
    NotYourMessage,
    ThreadNotFound,
    TopicNotFound,
)
from hubbub.interchange import export_thread, export_topic, import_file, output
from hubbub.model import MESSAGE_BYTES_CEILING
from hubbub.stores import open_store
from hubbub.text import safe_text
from tests.interchange_support import ADA, BOB, conversation, exported, many, post, records, saved


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with two agents."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=ManualClock())) as opened:
        opened.agents.register("ada")
        opened.agents.register("bob")
        yield opened
        assert opened.check() == []


class Nowhere:
    """A writer that counts."""

    size = 0

    def write(self, data: bytes, /) -> int:
        """Count."""
        self.size += len(data)
        return len(data)


# --- JSON Lines ------------------------------------------------------------------------------------


def test_json_lines_hold_everything(bus: Bus) -> None:
    topic = conversation(bus)
    bus.topics.close(BOB, "plan", reason="agreed")
    data = exported(bus, "plan")
    header, *messages, end = records(data)
    assert header["format"] == "hubbub-topic"
    assert header["count"] == 4
    about = header["topic"]
    assert (about["id"], about["name"], about["state"]) == (topic.id, "plan", "closed")
    assert (about["created_by"], about["closed_by"], about["close_reason"]) == ("ada", "bob", "agreed")
    assert about["metadata"] == {"repo": "shop", "list": [1, None, 2.5]}
    stored = bus.topics.history("plan").messages
    assert [m["body"] for m in messages] == [m.body for m in stored]
    assert [m["id"] for m in messages] == [m.id for m in stored]
    assert [m["metadata"] for m in messages] == [{"a": "é"}, None, None, {}]
    assert [m["reply_to_seq"] for m in messages] == [None, None, 1, 3]
    assert {m["thread"] for m in messages if m["seq"] != 2} == {stored[0].id}
    before = data[: data.rindex(b"\n", 0, -1) + 1]
    assert end == {"end": True, "count": 4, "sha256": hashlib.sha256(before).hexdigest()}


def test_no_line_of_an_export_moves_a_cursor(bus: Bus) -> None:
    conversation(bus)
    for form in ("jsonl", "markdown"):
        for line in exported(bus, "plan", form, metadata=True).decode().split("\n"):
            assert safe_text(line) == line


def test_a_long_topic_is_whole_and_in_order(bus: Bus) -> None:
    many(bus, "long", 2345)
    seen: list[tuple[int, int]] = []
    data = exported(bus, "long", progress=lambda done, total: seen.append((done, total)))
    header, *messages, end = records(data)
    assert [m["seq"] for m in messages] == list(range(1, 2346))
    assert header["count"] == end["count"] == 2345
    assert [m["reply_to_seq"] for m in messages if m["seq"] % 10 == 0] == list(range(9, 2345, 10))
    assert seen[0] == (0, 2345)
    assert seen[-1] == (2345, 2345)
    assert seen == sorted(seen)


def test_a_topic_that_grows_is_exported_as_it_was(bus: Bus) -> None:
    many(bus, "busy", 1200)
    data = exported(bus, "busy", progress=lambda done, total: post(bus, BOB, "busy", f"at {done}"))
    header, *messages, end = records(data)
    assert header["count"] == end["count"] == len(messages) == 1200
    assert bus.topics.get("busy").last_seq > 1200


def test_a_topic_deleted_meanwhile_leaves_no_file(bus: Bus, tmp_path: Path) -> None:
    many(bus, "gone", 1200)
    path = tmp_path / "gone.jsonl"
    with pytest.raises(TopicNotFound), output(str(path)) as writer:
        export_topic(
            bus,
            "gone",
            writer,
            form="jsonl",
            progress=lambda done, _: done and bus.topics.delete(ADA, "gone"),
        )
    assert [entry for entry in os.listdir(tmp_path) if entry.startswith("gone")] == []


def test_a_part_is_exported(bus: Bus) -> None:
    conversation(bus)
    header, *messages, _ = records(exported(bus, "plan", after=2))
    assert (header["after"], header["count"]) == (2, 2)
    assert [(m["seq"], m["reply_to_seq"]) for m in messages] == [(3, 1), (4, 3)]
    header, *messages, _ = records(exported(bus, "plan", thread=messages[0]["id"]))
    assert (header["count"], [m["seq"] for m in messages]) == (3, [1, 3, 4])
    assert records(exported(bus, "plan", after=99))[0]["count"] == 0
    with pytest.raises(ThreadNotFound):
        exported(bus, "plan", thread="p1xxxxx")
    for wrong in ({"form": "html"}, {"form": "jsonl", "after": -1}):
        with pytest.raises(InvalidArgument):
            export_topic(bus, "plan", io.BytesIO(), **wrong)


def test_memory_is_bounded(bus: Bus) -> None:
    many(bus, "large", 20_000, body="x" * 1000)
    nowhere = Nowhere()
    export_topic(bus, "large", nowhere, form="jsonl")  # what is imported and cached once is not counted
    tracemalloc.start()
    try:
        export_topic(bus, "large", nowhere, form="jsonl")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert nowhere.size > 40_000_000
    assert peak < 12_000_000


def test_the_largest_message_that_a_topic_can_hold_comes_back(bus: Bus, tmp_path: Path) -> None:
    bus.agents.register("bob", max_message_bytes=MESSAGE_BYTES_CEILING)
    body = "\x01" * (MESSAGE_BYTES_CEILING - 100)  # what takes most room when it is escaped
    bus.mail.send(ADA, bus.mail.draft("bob", body, subject="large", announce=True))
    path = saved(tmp_path / "all.jsonl", exported(bus, "#all"))
    import_file(bus, ADA, path, name="all of then")
    (message,) = bus.topics.history("all of then").messages
    assert message.body == f"large\n\n{body}"


# --- Markdown ---------------------------------------------------------------------------------------


def _fences(page: str) -> list[str]:
    return [token.content for token in MarkdownIt().parse(page) if token.type == "fence" and not token.info]


def _headings(page: str) -> list[str]:
    tokens = MarkdownIt().parse(page)
    return [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]


def test_markdown_shows_what_was_said_and_by_whom(bus: Bus) -> None:
    conversation(bus)
    bus.topics.close(BOB, "plan", reason="*agreed*")
    page = exported(bus, "plan", "markdown").decode()
    title, *headings = _headings(page)
    assert title == r"\#plan"
    assert [re.sub(r", 2027\S+$", "", heading) for heading in headings] == [
        "[1] ada (question)",
        "[2] bob (status)",
        "[3] bob (answer)",
        "[4] ada (message)",
    ]
    stored = bus.topics.history("plan").messages
    assert _fences(page) == [safe_text(message.body) + "\n" for message in stored]
    assert "- Messages: 4\n" in page
    assert r"- Reason: \*agreed\*" in page
    assert page.count("In reply to #1.") == page.count("In reply to #3.") == 1
    assert page.endswith("End of the export: 4 messages.\n")
    assert "Metadata:" not in page
    assert exported(bus, "plan", "markdown", metadata=True).decode().count("Metadata:") == 3


def test_no_body_line_begins_a_line(bus: Bus) -> None:
    conversation(bus)
    page = exported(bus, "plan", "markdown").decode()
    assert len(re.findall(r"^## ", page, re.M)) == 4
    assert len(re.findall(r"^In reply to", page, re.M)) == 2


# --- mail -------------------------------------------------------------------------------------------


def test_a_thread_of_mail_is_exported_as_its_reader_sees_it(bus: Bus, tmp_path: Path) -> None:
    bus.agents.register("eve")
    sent = bus.mail.send(
        ADA, bus.mail.draft("bob", "do it", subject="*Work*", kind="task", priority="urgent")
    )
    bus.mail.receive(BOB)
    bus.mail.reply(BOB, sent.id, "done", metadata={"commit": "abc"})
    bus.mail.send(ADA, bus.mail.draft("eve", "for eve alone", thread=sent.thread))
    out = io.BytesIO()
    assert export_thread(bus, sent.id, out, form="jsonl").messages == 3
    header, task, result, _, end = records(out.getvalue())
    assert (header["format"], header["thread"], header["count"]) == ("hubbub-thread", sent.thread, 3)
    assert (task["to"], task["subject"], task["priority"]) == (["bob"], "*Work*", "urgent")
    assert (result["in_reply_to"], result["metadata"], end["count"]) == (sent.id, {"commit": "abc"}, 3)
    out = io.BytesIO()
    export_thread(bus, sent.id, out, form="markdown", reader="bob")
    page = out.getvalue().decode()
    assert _headings(page)[0] == r"\*Work\*"
    assert "## [1] ada to bob (task), " in page
    assert "In reply to #1." in page
    assert "eve" not in page
    bus.agents.register("mallory")
    with pytest.raises((ThreadNotFound, NotYourMessage)):
        export_thread(bus, sent.id, io.BytesIO(), form="markdown", reader="mallory")
    out = io.BytesIO()
    export_thread(bus, sent.thread, out, form="jsonl")
    with pytest.raises(ImportInvalid, match="thread of mail"):
        import_file(bus, ADA, saved(tmp_path / "mail.jsonl", out.getvalue()))


def test_a_long_thread_of_mail_is_whole(bus: Bus) -> None:
    for number in range(120):
        bus.mail.send(ADA, bus.mail.draft("bob", f"mail {number}", thread="long"))
    out = io.BytesIO()
    export_thread(bus, "long", out, form="jsonl")
    header, *messages, _ = records(out.getvalue())
    assert header["count"] == 120
    assert [m["body"] for m in messages] == [f"mail {number}" for number in range(120)]


# --- files ------------------------------------------------------------------------------------------


def test_a_file_is_whole_private_and_never_overwritten_unasked(bus: Bus, tmp_path: Path) -> None:
    conversation(bus)
    path = tmp_path / "out" / "plan.md"
    path.parent.mkdir()
    with output(str(path)) as writer:
        export_topic(bus, "plan", writer, form="markdown")
        assert not path.exists()
    assert path.read_bytes() == exported(bus, "plan", "markdown")
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["plan.md"]
    with pytest.raises(ExportFailed, match="exists"), output(str(path)) as writer:
        writer.write(b"never")
    with pytest.raises(TypeError), output(str(path), force=True) as writer:
        writer.write(b"half" + None)  # type: ignore[operator]
    assert path.read_bytes() == exported(bus, "plan", "markdown")
    link = tmp_path / "link.md"
    link.symlink_to(path)
    with output(str(link), force=True) as writer:
        writer.write(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["plan.md"]


def test_a_file_that_comes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "plan.md"
    with pytest.raises(ExportFailed, match="exists"), output(str(path)):
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["plan.md"]


@pytest.mark.parametrize("place", ["", "missing/plan.md", "file/plan.md"])
def test_a_place_that_can_hold_no_file_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportFailed) as failed, output(str(tmp_path / place)) as writer:
        writer.write(b"never")
    assert failed.value.hint


def test_a_full_disk_is_told(bus: Bus) -> None:
    conversation(bus)
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(ExportFailed, match="No space left"):
        export_topic(bus, "plan", full, form="jsonl")
    with pytest.raises(ExportFailed, match="not a regular file"), output("/dev/full", force=True):
        pass


def test_a_pipe_that_nobody_reads_is_the_caller_s_to_handle(bus: Bus) -> None:
    many(bus, "long", 1000)
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb", buffering=0) as pipe, pytest.raises(BrokenPipeError):
        export_topic(bus, "long", pipe, form="jsonl")
