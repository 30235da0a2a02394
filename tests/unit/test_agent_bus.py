"""Import of Agent Bus MCP databases: all of it that can be kept, and the file left as it is."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.errors import ImportInvalid, TopicNotFound
from hubbub.interchange import import_agent_bus, sniff
from hubbub.interchange.agent_bus_file import kind_of
from hubbub.names import KIND_RULE
from hubbub.stores import open_store
from tests.agent_bus import AgentBusFile
from tests.interchange_support import ADA, BOB, everything, exported, topic_names

REAL = Path(__file__).parent.parent / "data" / "agent-bus-0.5.1.sqlite.gz"
"""Written by Agent Bus MCP 0.5.1: three names, four topics, a deleted message, a dangling reply."""


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with two agents."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=ManualClock())) as opened:
        opened.agents.register("ada")
        opened.agents.register("bob")
        yield opened
        assert opened.check() == []


@pytest.fixture
def source(tmp_path: Path) -> Iterator[AgentBusFile]:
    """A file in the other system's format, open."""
    made = AgentBusFile(tmp_path / "agent_bus.sqlite")
    yield made
    made.db.close()


class Stop(Exception):
    """Breaks an import off."""


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_of_the_real_program(bus: Bus, tmp_path: Path) -> None:
    path = tmp_path / "real file #1?%.sqlite"
    path.write_bytes(gzip.decompress(REAL.read_bytes()))
    before = _digest(path)
    assert sniff(str(path)) == "agent-bus"
    seen: list[tuple[int, int]] = []
    report = import_agent_bus(bus, BOB, str(path), progress=lambda done, total: seen.append((done, total)))
    assert report.form == "agent-bus"
    assert [(t.source, t.topic.name, t.topic.state, t.messages) for t in report.topics] == [
        ("review loop", "review loop", "open", 5),
        ("hand-off", "hand-off-2", "closed", 0),
        ("hand-off", "hand-off", "open", 1),
        ("topic-cfd534cdc3", "topic-cfd534cdc3", "open", 0),
    ]
    loop, closed = report.topics[0], report.topics[1]
    assert loop.topic.metadata == {"pr": 17, "repo": "shop"}
    assert (closed.topic.close_reason, closed.topic.closed_at) == ("superseded", 1_795_249_457_150)
    assert loop.unlinked == ("dcf2161841",)
    messages = everything(bus, "review loop")
    assert [(m.seq, m.sender, m.kind) for m in messages] == [
        (1, "Red Squirrel", "message"),
        (2, "Red Squirrel", "question"),
        (3, "bob", "answer"),
        (4, "bob", "review_finding"),
        (5, "alice", "message"),
    ]
    assert messages[0].body == "# Findings\r\n\r\n1. `its` broken — 日本 🐿️"
    assert messages[0].created_at == 1_795_249_457_159
    ship = messages[1].id
    assert [m.reply_to for m in messages] == [None, None, ship, None, ship]
    assert messages[1].metadata == {"severity": ["high", None, 1.5]}
    assert messages[3].metadata == {
        "z": [1, None],
        "agent_bus_type": "Review Finding!",
        "agent_bus_reply_to": "deadbeef00",
    }
    assert seen == sorted(seen)
    assert seen[-1] == (6, 6)
    assert _digest(path) == before
    # bob imported it and goes on where he was; nobody else is made a member.
    assert [(m.agent, m.cursor, m.unread) for m in bus.topics.members("review loop")] == [("bob", 2, 3)]
    assert any("goes on after number 2" in note for note in report.notes)
    assert exported(bus, "review loop", "markdown").count(b'"Red Squirrel"') == 2


def test_importing_again_changes_nothing(bus: Bus, tmp_path: Path) -> None:
    path = tmp_path / "agent_bus.sqlite"
    path.write_bytes(gzip.decompress(REAL.read_bytes()))
    import_agent_bus(bus, ADA, str(path))
    before = topic_names(bus)
    report = import_agent_bus(bus, ADA, str(path))
    assert report.topics == ()
    assert len(report.notes) == 4
    assert all("imported before" in note and "left as it is" in note for note in report.notes)
    assert topic_names(bus) == before
    bus.topics.delete(ADA, "review loop")
    assert [t.topic.name for t in import_agent_bus(bus, ADA, str(path)).topics] == ["review loop"]


def test_a_topic_that_grew_since_is_told(bus: Bus, source: AgentBusFile) -> None:
    source.topic("aaaaaaaaaa", "plan")
    source.message("aaaaaaaaaa", 1)
    import_agent_bus(bus, ADA, str(source.path))
    source.message("aaaaaaaaaa", 2)
    report = import_agent_bus(bus, ADA, str(source.path))
    assert report.topics == ()
    (note,) = report.notes
    assert "has changed since" in note
    assert bus.topics.get("plan").last_seq == 1


# --- names ------------------------------------------------------------------------------------------


def test_names_that_clash_or_can_t_be_get_another(bus: Bus, source: AgentBusFile) -> None:
    bus.topics.create(ADA, "Taken")
    source.topic("a1", "same", created=1)
    source.topic("a2", "same", created=2)
    source.topic("a3", "SAME", created=3, closed=4)
    source.topic("a4", "taken", created=5)
    source.topic("a5", "x" * 100_000, created=6)
    source.topic("a6", "two\nlines\x1b[2J", created=7)
    source.topic("a7", "", created=8)
    source.topic("a8", "all", created=9)
    report = import_agent_bus(bus, ADA, str(source.path))
    names = {made.source[:20]: made.topic.name for made in report.topics[3:]}
    assert [made.topic.name for made in report.topics[:3]] == ["same-2", "same", "SAME-3"]
    assert names == {
        "taken": "taken-2",
        "x" * 20: "x" * 119 + "…",
        "two\nlines\x1b[2J": "two␤lines␛[2J",
        "": "agent-bus-a7",
        "all": "all-2",
    }
    assert bus.topics.get("taken-2").metadata == {"agent_bus_name": "taken"}
    assert bus.topics.get("same").metadata is None
    assert report.notes == ()


def test_wanted_topics_by_name_or_id(bus: Bus, source: AgentBusFile) -> None:
    for id_, name in (("a1", "plan"), ("a2", "plan"), ("a3", "review"), ("a4", "other")):
        source.topic(id_, name)
    report = import_agent_bus(bus, ADA, str(source.path), topics=["plan", "a3"])
    assert {made.topic.name for made in report.topics} == {"plan", "plan-2", "review"}
    with pytest.raises(TopicNotFound) as refused:
        import_agent_bus(bus, ADA, str(source.path), topics=["othr"])
    assert "other" in refused.value.hint
    with pytest.raises(TopicNotFound) as refused:
        import_agent_bus(bus, ADA, str(source.path), topics=["zzz"])
    assert refused.value.hint == "It has: other, plan, review."
    assert topic_names(bus) == {"all", "plan", "plan-2", "review"}


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("message", "message"),
        ("Review Request", "review_request"),
        ("über-Frage", "ber-frage"),
        ("42nd", "nd"),
        ("!!!", "message"),
        ("日本", "message"),
        ("x" * 40, "x" * 32),
    ],
)
def test_a_type_becomes_a_kind(word: str, kind: str) -> None:
    assert kind_of(word) == kind
    assert KIND_RULE.fullmatch(kind)


# --- messages ---------------------------------------------------------------------------------------


def test_replies_lead_to_what_they_answered(bus: Bus, source: AgentBusFile) -> None:
    source.topic("a1", "plan")
    source.topic("a2", "other")
    elsewhere = source.message("a2", 1)
    first = source.message("a1", 3, "first")
    source.message("a1", 7, "yes", reply_to=first, metadata={"a": 1})
    source.message("a1", 8, "to another topic", reply_to=elsewhere)
    source.message("a1", 9, "to a later one", reply_to="a1-20")
    source.message("a1", 20, "to itself", reply_to="a1-20")
    report = import_agent_bus(bus, ADA, str(source.path), topics=["plan"])
    messages = everything(bus, "plan")
    assert [m.seq for m in messages] == [1, 2, 3, 4, 5]
    assert [m.reply_to for m in messages] == [None, messages[0].id, None, None, None]
    assert [m.metadata for m in messages] == [
        None,
        {"a": 1},
        {"agent_bus_reply_to": elsewhere},
        {"agent_bus_reply_to": "a1-20"},
        {"agent_bus_reply_to": "a1-20"},
    ]
    assert report.topics[0].unlinked == ("a1-8", "a1-9", "a1-20")


FAULTS: list[tuple[str, Callable[[AgentBusFile], object]]] = [
    ("bytes; a topic takes up to", lambda f: f.message("a1", 2, "x" * 1_100_000)),
    ("bytes; a topic takes up to", lambda f: f.message("a1", 2, metadata={"x": "y" * 1_100_000})),
    ("is not JSON", lambda f: f.message("a1", 2, metadata="{")),
    ("is not a JSON object", lambda f: f.message("a1", 2, metadata="[1]")),
    ("is not valid UTF-8", lambda f: f.db.execute(
        "INSERT INTO messages VALUES ('a1-2', 'a1', 2, 'x', 'm', NULL, CAST(x'61ff' AS TEXT), NULL, NULL, 1)"
    )),
    ("content_markdown is not text", lambda f: f.message("a1", 2, b"blob")),
    ("body must not be empty", lambda f: f.message("a1", 2, "")),
    ("from must not be empty", lambda f: f.message("a1", 2, sender="")),
    ("from has 1000 characters", lambda f: f.message("a1", 2, sender="x" * 1000)),
    ("created_at is not a time", lambda f: f.message("a1", 2, at=float("inf"))),
    ("created_at is not a time", lambda f: f.message("a1", 2, at=-5.0)),
    ("its number is none", lambda f: f.message("a1", "two", id="a1-2")),
]  # fmt: skip


@pytest.mark.parametrize(("why", "add"), FAULTS, ids=[f"{n}-{why}" for n, (why, _) in enumerate(FAULTS)])
def test_what_can_t_be_taken_is_told_and_left_out_only_when_meant(
    bus: Bus, source: AgentBusFile, why: str, add: Callable[[AgentBusFile], object]
) -> None:
    source.topic("a1", "plan")
    source.message("a1", 1, "one")
    add(source)
    source.message("a1", 3, "three", reply_to="a1-2")
    source.topic("a2", "fine")
    with pytest.raises(ImportInvalid, match=why) as refused:
        import_agent_bus(bus, ADA, str(source.path))
    assert "a1-2" in refused.value.message
    assert refused.value.details["count"] == 1
    assert topic_names(bus) == {"all"}
    report = import_agent_bus(bus, ADA, str(source.path), skip=True)
    made = next(made for made in report.topics if made.source == "plan")
    assert (made.skipped, made.skipped_count, made.unlinked) == (("a1-2",), 1, ("a1-3",))
    kept = everything(bus, "plan")
    assert [m.body for m in kept] == ["one", "three"]
    assert kept[1].metadata == {"agent_bus_reply_to": "a1-2"}


def test_metadata_of_a_topic_that_can_t_be_taken(bus: Bus, source: AgentBusFile) -> None:
    source.topic("a1", "plan", metadata='{"x": "' + "y" * 17_000 + '"}', reason="r" * 3000, closed=2000.0)
    with pytest.raises(ImportInvalid, match="metadata"):
        import_agent_bus(bus, ADA, str(source.path))
    report = import_agent_bus(bus, ADA, str(source.path), skip=True)
    assert report.topics[0].topic.metadata is None
    assert len(report.topics[0].topic.close_reason) == 1000
    assert [word for note in report.notes for word in ("left out", "was cut") if word in note] == [
        "left out",
        "was cut",
    ]


def test_places_of_others_are_told_not_taken(bus: Bus, source: AgentBusFile) -> None:
    source.topic("a1", "plan")
    for seq in (2, 4, 6):
        source.message("a1", seq)
    for agent, seq in (("ada", 4), ("bob", 5), ("Nobody Here", 6)):
        source.cursor("a1", agent, seq)
    report = import_agent_bus(bus, ADA, str(source.path))
    (member,) = bus.topics.members("plan")
    assert (member.agent, member.cursor) == ("ada", 2)
    topic = report.topics[0].topic
    assert any(f"hubbub topic join {topic.id} --from 2 --as bob" in note for note in report.notes)
    assert not any("Nobody" in note for note in report.notes)


# --- in use, broken off -----------------------------------------------------------------------------


def test_a_file_in_use_is_read_as_it_was(bus: Bus, source: AgentBusFile) -> None:
    source.topic("a1", "plan")
    for seq in range(1, 1201):
        source.message("a1", seq, f"message {seq}")
    before = _digest(source.path)

    def write(done: int, total: int) -> None:
        seq = next(source.db.execute("SELECT max(seq) + 1 FROM messages"))[0]
        source.message("a1", seq, "written meanwhile")

    (made,) = import_agent_bus(bus, ADA, str(source.path), progress=write).topics
    assert made.messages == made.topic.last_seq == 1200
    assert next(source.db.execute("SELECT count(*) FROM messages"))[0] > 1202
    assert _digest(source.path) == before


def test_an_import_that_was_broken_off_goes_on(bus: Bus, source: AgentBusFile) -> None:
    for topic in ("a1", "a2"):
        source.topic(topic, "plan")
        for seq in range(1, 1201):
            source.message(topic, seq, f"{topic} message {seq}")

    def stop(done: int, total: int) -> None:
        if done >= 1800:
            raise Stop

    with pytest.raises(Stop):
        import_agent_bus(bus, ADA, str(source.path), progress=stop)
    assert len(topic_names(bus)) == 2
    (second,) = import_agent_bus(bus, ADA, str(source.path)).topics
    assert second.resumed == 1000
    assert topic_names(bus) == {"all", "plan", "plan-2"}
    for name in ("plan", "plan-2"):
        bodies = [m.body for m in everything(bus, name)]
        assert bodies == [f"{bodies[0][:2]} message {seq}" for seq in range(1, 1201)]


# --- what is no such file ---------------------------------------------------------------------------


def _without(table: str) -> Callable[[AgentBusFile], object]:
    return lambda f: f.db.execute(f"DROP TABLE {table}")


WRONG: list[tuple[str, Callable[[AgentBusFile], object]]] = [
    ("version '5'", lambda f: f.db.execute("UPDATE meta SET value = '5' WHERE key = 'schema_version'")),
    ("no version", lambda f: f.db.execute("DELETE FROM meta")),
    ("another program", _without("meta")),
    ("another program", _without("messages")),
    ("another program", _without("cursors")),
    ("another program", lambda f: f.db.execute("ALTER TABLE topics RENAME COLUMN name TO title")),
    ("another program", lambda f: f.db.pragma("application_id", 77)),
    (
        "another program",
        lambda f: f.db.execute("ALTER TABLE messages RENAME TO m; CREATE VIEW messages AS SELECT * FROM m"),
    ),
    ("topic b'\\\\xff' can't be read", lambda f: f.topic("a1", "x") and f.db.execute(
        "UPDATE topics SET topic_id = CAST(x'ff' AS TEXT)"
    )),
    ("created_at is not a time", lambda f: f.topic("a1", "x", created=float("inf"))),
]  # fmt: skip


@pytest.mark.parametrize(("why", "change"), WRONG, ids=[f"{n}-{why}" for n, (why, _) in enumerate(WRONG)])
def test_a_database_that_is_none_of_theirs_is_told(
    bus: Bus, source: AgentBusFile, why: str, change: Callable[[AgentBusFile], object]
) -> None:
    change(source)
    with pytest.raises(ImportInvalid, match=why) as refused:
        import_agent_bus(bus, ADA, str(source.path))
    assert refused.value.hint
    assert topic_names(bus) == {"all"}


def test_a_bus_of_our_own_and_no_database_are_told(bus: Bus, tmp_path: Path) -> None:
    with pytest.raises(ImportInvalid, match="Hubbub itself"):
        import_agent_bus(bus, ADA, f"{tmp_path}/bus.db")
    (tmp_path / "text").write_text("hello")
    for path in (str(tmp_path / "text"), str(tmp_path), str(tmp_path / "missing")):
        with pytest.raises(ImportInvalid):
            import_agent_bus(bus, ADA, path)
