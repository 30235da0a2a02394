"""Import of JSON Lines: checked whole first, then there whole, once, or not at all."""

from __future__ import annotations

import copy
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.errors import HubbubError, ImportInvalid, InvalidArgument, TopicExists, TopicNotFound
from hubbub.interchange import export_topic, import_file, output, sniff
from hubbub.interchange.reading import LINE_MAX
from hubbub.stores import open_store
from tests.interchange_support import (
    ADA,
    BOB,
    conversation,
    everything,
    exported,
    many,
    post,
    records,
    saved,
    sealed,
    told,
    topic_names,
)


@pytest.fixture
def clock() -> ManualClock:
    """The bus's time."""
    return ManualClock()


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[Bus]:
    """A bus with two agents."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as opened:
        opened.agents.register("ada")
        opened.agents.register("bob")
        yield opened
        assert opened.check() == []


def _like(data: bytes) -> list[dict[str, Any]]:
    """An export without what differs from import to import: ids, and when it was exported by whom."""
    found = records(data)
    for line in found:
        for field in ("id", "reply_to", "thread", "exported_at", "sha256"):
            line.pop(field, None)
        if "topic" in line:
            for field in ("id", "name", "created_by", "closed_by"):
                line["topic"].pop(field)
    return found


@pytest.mark.parametrize("closed", [False, True])
def test_a_round_trip_changes_nothing_but_ids(
    bus: Bus, clock: ManualClock, tmp_path: Path, closed: bool
) -> None:
    conversation(bus)
    if closed:
        bus.topics.close(BOB, "plan", reason="agreed\non all")
    data = exported(bus, "plan")
    clock.advance(86_400_000)
    report = import_file(bus, BOB, saved(tmp_path / "plan.jsonl", data), name="again")
    (made,) = report.topics
    assert (report.form, made.source, made.messages, made.resumed) == ("hubbub", "plan", 4, 0)
    assert (made.topic.name, made.topic.state) == ("again", "closed" if closed else "open")
    assert told(bus, "again") == told(bus, "plan")
    assert _like(exported(bus, "again")) == _like(data)
    assert {m.id for m in everything(bus, "again")}.isdisjoint(m.id for m in everything(bus, "plan"))


def test_an_imported_topic_is_one_like_any_other(bus: Bus, tmp_path: Path) -> None:
    conversation(bus)
    path = saved(tmp_path / "plan.jsonl", exported(bus, "plan"))
    import_file(bus, ADA, path, name="again")
    read = bus.topics.sync(BOB, "again").messages
    # What the file says that bob said is not his own: it comes to him, too.
    assert [m.sender for m in read] == ["ada", "bob", "bob", "ada"]
    posted = post(bus, BOB, "again", "one more", reply_to=read[0].id)
    assert posted.seq == 5


def test_a_long_topic_comes_back_whole(bus: Bus, tmp_path: Path) -> None:
    many(bus, "long", 2345)
    path = str(tmp_path / "long.jsonl")
    with output(path) as writer:
        export_topic(bus, "long", writer, form="jsonl")
    seen: list[tuple[int, int]] = []
    import_file(bus, ADA, path, name="again", progress=lambda done, total: seen.append((done, total)))
    assert told(bus, "again") == told(bus, "long")
    assert seen == sorted(seen)
    assert seen[-1] == (2345, 2345)


# --- what is refused --------------------------------------------------------------------------------


def test_every_cut_file_imports_nothing(bus: Bus, tmp_path: Path) -> None:
    conversation(bus)
    data = exported(bus, "plan")
    bus.topics.delete(ADA, "plan")
    for size in range(len(data)):
        with pytest.raises(ImportInvalid) as refused:
            import_file(bus, ADA, saved(tmp_path / "cut.jsonl", data[:size]))
        error = refused.value
        assert error.hint
        if size:
            whole = data[:size].count(b"\n")
            assert error.details == {"line": whole}, size
            assert (f"last whole line is line {whole}" if whole else "not even its first") in error.message
    assert topic_names(bus) == {"all"}
    import_file(bus, ADA, saved(tmp_path / "cut.jsonl", data))
    assert topic_names(bus) == {"all", "plan"}


def test_every_changed_byte_is_noticed(bus: Bus, tmp_path: Path) -> None:
    conversation(bus)
    data = exported(bus, "plan")
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x01
        with pytest.raises(ImportInvalid):
            import_file(bus, ADA, saved(tmp_path / "changed.jsonl", bytes(changed)), name="again")
    assert topic_names(bus) == {"all", "plan"}


Change = Callable[[list[dict[str, Any]]], object]
BAD_LINES: list[tuple[int, str, Change]] = [
    (1, "first line", lambda f: f[0].update(format="other")),
    (1, "version 2", lambda f: f[0].update(version=2)),
    (1, "topic must be", lambda f: f[0].update(topic=[])),
    (1, "open or closed", lambda f: f[0]["topic"].update(state="deleted")),
    (1, "closed_at", lambda f: f[0]["topic"].update(state="closed", closed_at=None)),
    (1, "count", lambda f: f[0].update(count="4")),
    (1, "metadata", lambda f: f[0]["topic"].update(metadata={"x": "y" * 17_000})),
    (1, "can't be a topic's name", lambda f: f[0]["topic"].update(name="a\nb")),
    (2, "id is missing", lambda f: f[1].pop("id")),
    (2, "body is missing", lambda f: f[1].pop("body")),
    (2, "body must not be empty", lambda f: f[1].update(body="")),
    (2, "body must be text", lambda f: f[1].update(body=["x"])),
    (2, "surrogate", lambda f: f[1].update(body="\ud800")),
    (2, "bytes", lambda f: f[1].update(body="x" * 4_500_000)),
    (2, "number 2 can't follow number 0", lambda f: f[1].update(seq=2)),
    (2, "seq must be", lambda f: f[1].update(seq="1")),
    (2, "seq must be", lambda f: f[1].update(seq=True)),
    (2, "stands without", lambda f: f[1].update(reply_to_seq=1)),
    (2, "'subject' is not a field", lambda f: f[1].update(subject="x")),
    (3, "number 1 can't follow number 1", lambda f: f[2].update(seq=1)),
    (3, "can't be a kind", lambda f: f[2].update(kind="Not A Kind")),
    (3, "metadata must be", lambda f: f[2].update(metadata=[1])),
    (3, "from must not be empty", lambda f: f[2].update({"from": ""})),
    (3, "from has 201", lambda f: f[2].update({"from": "x" * 201})),
    (3, "created_at must be a time", lambda f: f[2].update(created_at="yesterday")),
    (3, "created_at must be a time", lambda f: f[2].update(created_at="2026-02-30T00:00:00Z")),
    (3, "created_at must be a time", lambda f: f[2].update(created_at="1969-12-31T23:59:59Z")),
    (3, "created_at must be text", lambda f: f[2].update(created_at=5)),
    (4, "can't answer number 3", lambda f: f[3].update(reply_to_seq=3)),
    (4, "can't answer number 9", lambda f: f[3].update(reply_to_seq=9)),
    (4, "reply_to_seq must be", lambda f: f[3].update(reply_to_seq=None)),
    (4, "number 4 can't follow number 2", lambda f: f.pop(3)),
    (5, "one more", lambda f: f[0].update(count=3)),
    (6, "4 messages; its header says 5", lambda f: f[0].update(count=5)),
    (5, "3 messages; its header says 4", lambda f: f.pop()),
]


@pytest.mark.parametrize(
    ("line", "why", "change"), BAD_LINES, ids=[f"{n}-{why}" for n, (_, why, _) in enumerate(BAD_LINES)]
)
def test_a_bad_line_is_named(bus: Bus, tmp_path: Path, line: int, why: str, change: Change) -> None:
    conversation(bus)
    lines = copy.deepcopy(records(exported(bus, "plan"))[:-1])
    change(lines)
    bus.topics.delete(ADA, "plan")
    with pytest.raises(ImportInvalid) as refused:
        import_file(bus, ADA, saved(tmp_path / "bad.jsonl", sealed(lines)))
    assert why in refused.value.message
    assert refused.value.message.startswith(f"Line {line}: ")
    assert refused.value.details == {"line": line}
    assert topic_names(bus) == {"all"}


BAD_BYTES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("not UTF-8", lambda m: m.replace(b"hello", b"\xff")),
    ("not JSON", lambda m: m[:-1]),
    ("not JSON", lambda m: m.replace(b"null", b"NaN")),
    ("names a key twice", lambda m: m.replace(b'"kind"', b'"body": "x", "kind"')),
    ("not a JSON object", lambda m: b"[" + m + b"]"),
    ("not a JSON object", lambda m: b"7"),
    ("not JSON", lambda m: b""),
    ("not JSON", lambda m: b"9" * 5000),
    ("nested", lambda m: m.replace(b"null", b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}")),
    ("nested", lambda m: m.replace(b"null", b'{"a":' + b"[" * 60 + b"]" * 60 + b"}")),
    (f"more than {LINE_MAX} bytes", lambda m: m.replace(b"hello", b"x" * LINE_MAX)),
]


@pytest.mark.parametrize(
    ("why", "change"), BAD_BYTES, ids=[f"{n}-{why}" for n, (why, _) in enumerate(BAD_BYTES)]
)
def test_a_line_that_is_no_record_is_named(
    bus: Bus, tmp_path: Path, why: str, change: Callable[[bytes], bytes]
) -> None:
    bus.topics.create(ADA, "plan")
    post(bus, ADA, "plan", "hello")
    header, message, _ = records(exported(bus, "plan"))
    del message["reply_to"], message["reply_to_seq"]
    data = sealed([header, change(json.dumps(message).encode())])
    with pytest.raises(ImportInvalid) as refused:
        import_file(bus, ADA, saved(tmp_path / "bad.jsonl", data), name="again")
    assert why in refused.value.message
    assert refused.value.details["line"] == 2


def test_nothing_may_follow_the_end(bus: Bus, tmp_path: Path) -> None:
    conversation(bus)
    data = exported(bus, "plan")
    for more in (b"\n", b"{}\n", data):
        with pytest.raises(ImportInvalid, match="Line 7: something follows"):
            import_file(bus, ADA, saved(tmp_path / "more.jsonl", data + more), name="again")


def test_what_is_no_file_of_ours_is_told(bus: Bus, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    places = {
        str(tmp_path / "missing"): "No such file",
        str(tmp_path): "not a regular file",
        str(tmp_path / "pipe"): "not a regular file",
        "a\0b": "can't be read",
        saved(tmp_path / "empty", b""): "empty",
        saved(tmp_path / "text", b"hello\n"): "neither",
    }
    for path, why in places.items():
        with pytest.raises(ImportInvalid, match=why) as refused:
            sniff(path)
        assert refused.value.hint
        with pytest.raises(ImportInvalid):
            import_file(bus, ADA, path)
    conversation(bus)
    assert sniff(saved(tmp_path / "plan.jsonl", exported(bus, "plan"))) == "hubbub"


# --- names and parts --------------------------------------------------------------------------------


def test_a_taken_name_is_refused_and_another_one_taken(bus: Bus, tmp_path: Path) -> None:
    conversation(bus)
    path = saved(tmp_path / "plan.jsonl", exported(bus, "plan"))
    for _ in range(2):
        with pytest.raises(TopicExists, match="plan"):
            import_file(bus, ADA, path)
        bus.topics.close(ADA, "plan")
    for name in ("all", "plan 2"):
        bus.topics.create(ADA, "plan 2")
        with pytest.raises(TopicExists):
            import_file(bus, ADA, path, name=name)
    with pytest.raises(InvalidArgument):
        import_file(bus, ADA, path, name="a\nb")
    assert topic_names(bus) == {"all", "plan", "plan 2"}


@pytest.mark.parametrize("closed", [False, True])
def test_a_file_is_not_imported_twice_unless_meant(bus: Bus, tmp_path: Path, closed: bool) -> None:
    conversation(bus)
    if closed:
        bus.topics.close(ADA, "plan")
    path = saved(tmp_path / "plan.jsonl", exported(bus, "plan"))
    bus.topics.delete(ADA, "plan")
    made = import_file(bus, ADA, path).topics[0].topic
    if not closed:
        bus.topics.rename(ADA, made.id, "renamed")
    with pytest.raises(TopicExists) as refused:
        import_file(bus, ADA, path)
    assert refused.value.details["topic"] == made.id
    assert "imported before" in refused.value.message
    import_file(bus, ADA, path, name="once more")
    bus.topics.delete(ADA, made.id)
    bus.topics.delete(ADA, "once more")
    assert import_file(bus, ADA, path).topics[0].topic.name == "plan"


def test_a_topic_without_a_name_gets_one(bus: Bus, tmp_path: Path) -> None:
    topic = bus.topics.create(ADA, None).topic
    post(bus, ADA, topic.id, "hello")
    made = import_file(bus, ADA, saved(tmp_path / "x.jsonl", exported(bus, topic.id))).topics[0]
    assert made.topic.name == f"import-of-{topic.id}"


def test_a_part_is_numbered_anew_and_keeps_what_links_it(bus: Bus, tmp_path: Path) -> None:
    topic = conversation(bus)
    first, _, third, fourth = everything(bus, "plan")
    report = import_file(bus, ADA, saved(tmp_path / "x.jsonl", exported(bus, "plan", after=2)), name="tail")
    assert (report.topics[0].unlinked, report.topics[0].unlinked_count) == ((third.id,), 1)
    assert report.notes
    kept = everything(bus, "tail")
    assert [(m.seq, m.reply_to) for m in kept] == [(1, None), (2, kept[0].id)]
    assert kept[0].metadata == {"unlinked_reply_to": first.id}
    data = exported(bus, "plan", thread=fourth.id)
    report = import_file(bus, ADA, saved(tmp_path / "y.jsonl", data), name="thread")
    kept = everything(bus, "thread")
    assert [m.reply_to for m in kept] == [None, kept[0].id, kept[1].id]
    assert report.topics[0].unlinked == ()
    assert topic.name == "plan"


# --- broken off, changed, at the same time ------------------------------------------------------------


class Stop(Exception):
    """Breaks an import off."""


def _stop_at(wanted: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done >= wanted:
            raise Stop

    return progress


def test_what_was_broken_off_goes_on_and_is_not_seen_before(bus: Bus, tmp_path: Path) -> None:
    many(bus, "long", 2345)
    path = saved(tmp_path / "long.jsonl", exported(bus, "long"))
    for at in (500, 1500):
        with pytest.raises(Stop):
            import_file(bus, ADA, path, name="again", progress=_stop_at(at))
        assert topic_names(bus) == {"all", "long"}
        with pytest.raises(TopicNotFound):
            bus.topics.get("again")
    (made,) = import_file(bus, ADA, path, name="again").topics
    assert made.resumed == 1500
    assert told(bus, "again") == told(bus, "long")


def test_a_file_that_changes_meanwhile_imports_nothing_wrong(bus: Bus, tmp_path: Path) -> None:
    many(bus, "long", 2345)
    data = exported(bus, "long")
    path = tmp_path / "long.jsonl"

    def change(done: int, total: int) -> None:
        if done == 1000:
            path.write_bytes(data.replace(b'"message 1700"', b'"forged  1700"'))

    with pytest.raises(ImportInvalid, match="was changed"):
        import_file(bus, ADA, saved(path, data), name="again", progress=change)
    assert topic_names(bus) == {"all", "long"}
    (made,) = import_file(bus, ADA, saved(path, data), name="again").topics
    assert made.resumed == 1500
    assert told(bus, "again") == told(bus, "long")


def test_a_name_that_is_taken_meanwhile_costs_nothing(bus: Bus, tmp_path: Path) -> None:
    many(bus, "long", 1200)
    path = saved(tmp_path / "long.jsonl", exported(bus, "long"))
    with pytest.raises(TopicExists):
        import_file(
            bus, ADA, path, name="again", progress=lambda done, _: done and bus.topics.create(BOB, "again")
        )
    (made,) = import_file(bus, ADA, path, name="third").topics
    assert (made.topic.name, made.resumed) == ("third", 1200)
    assert told(bus, "third") == told(bus, "long")
    assert bus.topics.get("again").last_seq == 0


def test_two_imports_of_one_file_make_one_topic(bus: Bus, tmp_path: Path) -> None:
    many(bus, "long", 3000)
    path = saved(tmp_path / "long.jsonl", exported(bus, "long"))
    together = threading.Barrier(2, timeout=30)
    made: list[str] = []
    errors: list[HubbubError] = []

    def run() -> None:
        with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=ManualClock())) as own:
            together.wait()
            try:
                made.append(import_file(own, ADA, path, name="again").topics[0].topic.id)
            except HubbubError as error:
                errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # Whoever comes when all is done finds the name taken; else both say what both have done.
    assert [error.code for error in errors] == ["TOPIC_EXISTS"] * len(errors)
    assert len(made) + len(errors) == 2
    assert set(made) == {bus.topics.get("again").id}
    assert told(bus, "again") == told(bus, "long")


def test_the_sample_of_the_reference_can_be_imported(bus: Bus, tmp_path: Path) -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "reference" / "export-format.md"
    sample = page.read_text().split("```json\n")[1].split("```")[0]
    import_file(bus, ADA, saved(tmp_path / "sample.jsonl", sample.encode()))
    assert [m.sender for m in everything(bus, "parser-fix")] == ["ada", "bob"]
    fields = [set(line) for line in records(exported(bus, "parser-fix"))]
    assert fields == [set(line) for line in records(sample.encode())]
