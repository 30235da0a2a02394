"""What is asked of topics and can't be meant: each is refused with a code, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import hubbub
from hubbub.bus.search import MODES, SCOPES
from hubbub.faces.mcp import search_tools
from tests.faces.mcp_support import RawServer, bus_at

LONG = "x" * 100_000
HUGE = {"k": "v" * 5_000_000}
DEEP: dict[str, Any] = {}
for _ in range(60):
    DEEP = {"d": DEEP}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    """Alice's server, on a bus with the topics ``t``, ``closed`` and, once, ``deleted``."""
    bus = bus_at(tmp_path_factory.mktemp("bad"))
    with RawServer(bus, "alice") as alice:
        for name in ("t", "other", "closed", "deleted"):
            alice.use("create_topic", name=name)
        alice.use("sync", topic="other", outbox="elsewhere")
        alice.use("close_topic", topic="closed")
        with hubbub.connect(bus) as opened:
            opened.agents.register("operator")
            opened.topics.delete(opened.agents.attach("operator"), "deleted")
        yield alice


def refusal(server: RawServer, tool: str, given: dict[str, Any]) -> dict[str, Any]:
    """The error that a call leads to."""
    request = server.request("tools/call", {"name": tool, "arguments": given})
    server.send(request)
    result = server.answer_to(request)["result"]
    assert result.get("isError"), result
    error: dict[str, Any] = result["structuredContent"]["error"]
    text = result["content"][0]["text"]
    assert text.startswith(error["code"])
    assert len(json.dumps(result)) < 3000
    return error


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("sync", {"topic": "nope"}, "TOPIC_NOT_FOUND"),
    ("join_topic", {"topic": "nope"}, "TOPIC_NOT_FOUND"),
    ("leave_topic", {"topic": "nope"}, "TOPIC_NOT_FOUND"),
    ("close_topic", {"topic": "nope"}, "TOPIC_NOT_FOUND"),
    ("topic_presence", {"topic": "nope"}, "TOPIC_NOT_FOUND"),
    ("reset_cursor", {"topic": "nope", "start": 0}, "TOPIC_NOT_FOUND"),
    ("search_messages", {"query": "x", "topic": "nope"}, "TOPIC_NOT_FOUND"),
    ("read_thread", {"thread": "#nope"}, "TOPIC_NOT_FOUND"),
    ("read_thread", {"thread": "p1zzzzz"}, "THREAD_NOT_FOUND"),
    ("sync", {"topic": "deleted", "outbox": "x"}, "TOPIC_NOT_FOUND"),
    ("sync", {"topic": "closed", "outbox": "x"}, "TOPIC_CLOSED"),
    ("sync", {"topic": ""}, "INVALID_ARGUMENT"),
    ("sync", {"topic": LONG}, "INVALID_ARGUMENT"),
    ("sync", {"topic": 5}, "INVALID_ARGUMENT"),
    ("sync", {}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "body": "x"}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "limit": 0}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "limit": 10**9}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "limit": 1.5}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "wait_seconds": -1}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "wait_seconds": "soon"}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "ack_through": 99}, "CURSOR_OUT_OF_RANGE"),
    ("sync", {"topic": "t", "ack_through": -1}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "ack_through": 10**30}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "ack_through": 0, "auto_advance": True}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": ["x"] * 51}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [""]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"body": ""}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"kind": "task"}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"body": 5}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [5]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": "[5]"}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": '{"text": "x"}'}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"body": "x", "content": "y"}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"body": "x", "kind": "A B"}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"body": "x", "metadata": HUGE}]}, "MESSAGE_TOO_LARGE"),
    ("sync", {"topic": "t", "outbox": [{"body": "x", "metadata": DEEP}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"body": "x", "metadata": "no"}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": [{"body": "x" * 1_048_577}]}, "MESSAGE_TOO_LARGE"),
    ("sync", {"topic": "t", "outbox": [{"body": "x", "key": LONG}]}, "INVALID_ARGUMENT"),
    ("sync", {"topic": "t", "outbox": ["x", {"body": "y", "reply_to": "p9zzzzz"}]}, "REPLY_NOT_FOUND"),
    ("sync", {"topic": "t", "outbox": [{"body": "y", "reply_to": "x" * 200}]}, "INVALID_ARGUMENT"),
    ("create_topic", {"name": LONG}, "INVALID_ARGUMENT"),
    ("create_topic", {"name": ""}, "INVALID_ARGUMENT"),
    ("create_topic", {"name": "a\nb"}, "INVALID_ARGUMENT"),
    ("create_topic", {"name": "u", "metadata": HUGE}, "INVALID_ARGUMENT"),
    ("create_topic", {"name": "u", "metadata": [1]}, "INVALID_ARGUMENT"),
    ("create_topic", {"name": "T", "mode": "new"}, "TOPIC_EXISTS"),
    ("create_topic", {"name": "u", "mode": "old"}, "INVALID_ARGUMENT"),
    ("join_topic", {"topic": "t", "start": "middle"}, "INVALID_ARGUMENT"),
    ("join_topic", {"topic": "t", "start": 99}, "CURSOR_OUT_OF_RANGE"),
    ("join_topic", {"topic": "t", "start": -1}, "INVALID_ARGUMENT"),
    ("join_topic", {"topic": "t", "start": True}, "INVALID_ARGUMENT"),
    ("reset_cursor", {"topic": "t", "start": 99}, "CURSOR_OUT_OF_RANGE"),
    ("reset_cursor", {"topic": "t"}, "INVALID_ARGUMENT"),
    ("leave_topic", {"topic": "all"}, "TOPIC_FIXED"),
    ("close_topic", {"topic": "#all"}, "TOPIC_FIXED"),
    ("close_topic", {"topic": "t", "reason": LONG}, "INVALID_ARGUMENT"),
    ("close_topic", {"topic": "t", "reason": "why", "reopen": True}, "INVALID_ARGUMENT"),
    ("list_topics", {"limit": 0}, "INVALID_ARGUMENT"),
    ("list_topics", {"limit": 10**9}, "INVALID_ARGUMENT"),
    ("list_topics", {"state": "opne"}, "INVALID_ARGUMENT"),
    ("list_topics", {"after": "x"}, "INVALID_ARGUMENT"),
    ("list_topics", {"match": LONG}, "INVALID_ARGUMENT"),
    ("read_thread", {"thread": "#t", "limit": 0}, "INVALID_ARGUMENT"),
    ("read_thread", {"thread": "#t", "after": -1}, "INVALID_ARGUMENT"),
    ("read_thread", {"thread": "#t", "before": "x"}, "INVALID_ARGUMENT"),
    ("read_thread", {"thread": "#t", "offset": 5}, "INVALID_ARGUMENT"),
    ("read_thread", {"thread": "#" + LONG}, "INVALID_ARGUMENT"),
    ("search_messages", {"query": "x", "limit": 0}, "INVALID_ARGUMENT"),
    ("search_messages", {"query": "x", "limit": 10**9}, "INVALID_ARGUMENT"),
    ("search_messages", {"query": "x", "since": "soon"}, "INVALID_ARGUMENT"),
    ("search_messages", {"query": "x", "until": "9" * 500}, "INVALID_ARGUMENT"),
    ("search_messages", {"query": "x", "mode": "fuzzy"}, "INVALID_ARGUMENT"),
    ("search_messages", {"query": 5}, "INVALID_ARGUMENT"),
    ("search_messages", {}, "INVALID_ARGUMENT"),
]


def test_each_is_refused_with_its_code_and_changes_nothing(server: RawServer) -> None:
    for tool, given, code in REFUSED:
        shown = f"{tool} {json.dumps(given)[:100]}"
        assert refusal(server, tool, given)["code"] == code, shown
    assert server.use("read_thread", thread="#t")["messages"] == []
    states = {topic["name"]: topic["state"] for topic in server.use("list_topics", state="all")["topics"]}
    assert states == {"t": "open", "other": "open", "closed": "closed", "all": "open"}


def test_a_refusal_says_what_to_do(server: RawServer) -> None:
    assert "closed" in refusal(server, "sync", {"topic": "closde"})["hint"]
    assert "close_topic(reopen=true)" in refusal(server, "sync", {"topic": "closed", "outbox": "x"})["hint"]
    assert (
        "body, kind, reply_to, metadata, key"
        in refusal(server, "sync", {"topic": "t", "outbox": {"text": "x"}})["hint"]
    )
    assert "51" in refusal(server, "sync", {"topic": "t", "outbox": ["x"] * 51})["message"]
    assert "#NAME" in refusal(server, "read_thread", {"thread": "nothing", "newest": True})["hint"]


@pytest.mark.parametrize(
    ("outbox", "posted"),
    [
        ("plain text, with a comma", ["plain text, with a comma"]),
        ("[x] a box", ["[x] a box"]),
        ("{curly", ["{curly"]),
        ("42", ["42"]),
        ('"quoted"', ["quoted"]),
        ({"body": "one object"}, ["one object"]),
        ('{"body": "object as text"}', ["object as text"]),
        ('[{"body": "list as text"}, {"body": "two"}]', ["list as text", "two"]),
        (["a text", {"body": "and an object"}], ["a text", "and an object"]),
        ([{"body": "b", "metadata": '{"as": "text"}', "reply_to": None}], ["b"]),
        ("", []),
        ([], []),
        ("null", []),
        (None, []),
        (["x"] * 50, ["x"] * 50),
    ],
)
def test_an_outbox_is_taken_where_it_can_mean_only_one_thing(
    server: RawServer, outbox: Any, posted: list[str]
) -> None:
    topic = server.use("create_topic")["id"]
    done = server.use("sync", topic=topic, outbox=outbox)
    assert len(done.get("posted", [])) == len(posted)
    written = server.use("read_thread", thread=topic, limit=100)["messages"]
    assert [message["body"] for message in written] == posted


def test_numbers_as_text_and_places_as_numbers(server: RawServer) -> None:
    topic = server.use("create_topic")["id"]
    server.use("sync", topic=topic, outbox=["1", "2", "3"], wait_seconds="0", limit="5")
    for start, place in ((1, 1), ("2", 2), ("latest", 3), ("start", 0)):
        assert server.use("reset_cursor", topic=topic, start=start)["cursor"] == place


def test_a_reply_across_topics_is_refused_whole(server: RawServer) -> None:
    """A reply to a message of another topic: nothing of the outbox is posted."""
    topic = server.use("create_topic")["id"]
    (elsewhere,) = server.use("read_thread", thread="#other")["messages"]
    given = {"topic": topic, "outbox": ["first", {"body": "second", "reply_to": elsewhere["id"]}]}
    assert refusal(server, "sync", given)["code"] == "REPLY_NOT_FOUND"
    assert server.use("read_thread", thread=topic)["messages"] == []


def test_the_tool_knows_the_words_of_search() -> None:
    assert search_tools.MODES == MODES
    assert search_tools.SCOPES == SCOPES
