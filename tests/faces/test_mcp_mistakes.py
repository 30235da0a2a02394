"""Mistakes that models make with topics, mail and names: each answer leads to what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.faces.mcp.mail_tools import patience, within
from tests.faces.mcp_support import RawServer, bus_at
from tests.faces.test_mcp_topics_bad import refusal


@pytest.fixture
def bus(tmp_path: Path) -> str:
    """A bus of its own."""
    return bus_at(tmp_path)


@pytest.fixture
def server(bus: str) -> Iterator[RawServer]:
    """Alice's server, with a topic ``t``."""
    with RawServer(bus, "alice") as alice:
        alice.use("create_topic", name="t")
        yield alice


def test_a_topic_is_read_by_its_bare_name_where_no_thread_has_it(server: RawServer) -> None:
    server.use("sync", topic="t", outbox=["one", "two"])
    assert [m["body"] for m in server.use("read_thread", thread="t")["messages"]] == ["one", "two"]
    assert [m["body"] for m in server.use("read_thread", thread="t", newest=True, limit=1)["messages"]] == [
        "two"
    ]
    assert refusal(server, "read_thread", {"thread": "nothing"})["code"] == "THREAD_NOT_FOUND"


def test_a_message_of_a_topic_is_not_answered_by_mail(server: RawServer) -> None:
    (post,) = server.use("sync", topic="t", outbox=["one"])["posted"]
    for tool, given in (
        ("send_message", {"in_reply_to": post["id"], "body": "x"}),
        ("acknowledge", {"ids": [post["id"]]}),
        ("acknowledge", {"release": [post["id"]]}),
        ("get_queue_status", {"message_id": post["id"]}),
    ):
        error = refusal(server, tool, given)
        assert error["code"] == "MESSAGE_NOT_FOUND"
        assert error["message"] == f"{post['id']} is a message of the topic #t, not mail."
        assert f"sync(topic='t', outbox=[{{'body': TEXT, 'reply_to': '{post['id']}'}}])" in error["hint"]
    assert "not mail" not in refusal(server, "acknowledge", {"ids": ["p1zzzzz"]})["message"]


def test_mail_is_not_answered_in_a_topic(server: RawServer) -> None:
    error = refusal(server, "sync", {"topic": "t", "outbox": [{"body": "x", "reply_to": "m1zzzzz"}]})
    assert error["code"] == "REPLY_NOT_FOUND"
    assert error["message"].startswith("m1zzzzz is mail")
    assert "send_message(in_reply_to='m1zzzzz')" in error["hint"]


def test_mail_to_a_topic_leads_to_sync(server: RawServer) -> None:
    error = refusal(server, "send_message", {"to": "#t", "body": "x"})
    assert error["message"] == "'#t' is a topic, and mail goes to agents."
    assert "sync(topic='t'" in error["hint"]


def test_an_error_in_an_outbox_says_which_item_and_that_nothing_was_posted(server: RawServer) -> None:
    for item in ({"body": "x", "kind": "A B"}, {"body": ""}, {"text": "x"}, 5):
        message = refusal(server, "sync", {"topic": "t", "outbox": ["fine", item]})["message"]
        assert message.startswith("Item 2 of the outbox")
        assert message.endswith("Nothing was posted.")
    assert server.use("read_thread", thread="#t")["messages"] == []


def test_what_agent_bus_calls_a_field_is_taken(server: RawServer) -> None:
    item = {"content_markdown": "hello", "message_type": "question", "client_message_id": "k"}
    server.use("sync", topic="t", outbox=[item], max_items=5)
    server.use("sync", topic="t", outbox=[item])
    (post,) = server.use("read_thread", thread="#t")["messages"]
    assert (post["body"], post["kind"]) == ("hello", "question")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("topic_create", "create_topic"),
        ("cursor_reset", "reset_cursor"),
        ("messages_search", "search_messages"),
    ],
)
def test_a_tool_of_agent_bus_leads_to_ours(server: RawServer, name: str, meant: str) -> None:
    error = refusal(server, name, {})
    assert error["message"] == f"There is no tool {name}."
    assert error["hint"].startswith(f"Use {meant}(")


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"topic": "t", "message": "x"}, "outbox=["),
        ({"topic": "t", "body": "x"}, "outbox=["),
        ({"topic": "t", "last_seq": 3}, "reset_cursor(start=NUMBER)"),
    ],
)
def test_an_argument_that_sync_has_not_leads_to_what_is_meant(
    server: RawServer, given: dict[str, Any], hint: str
) -> None:
    told = refusal(server, "sync", given)["hint"]
    assert hint in told
    assert "Did you mean" not in told


def test_a_wait_out_of_bounds_is_told_by_its_own_name(server: RawServer) -> None:
    for tool, given in (("sync", {"topic": "t"}), ("receive_messages", {})):
        message = refusal(server, tool, {**given, "wait_seconds": -1})["message"]
        assert message == "wait_seconds must be from 0 to 45, not -1."


def test_unread_messages_of_a_closed_topic_are_shown(server: RawServer, bus: str) -> None:
    with RawServer(bus, "bob") as bob:
        server.use("sync", topic="t")
        bob.use("sync", topic="t", outbox=["before the end"])
        bob.use("close_topic", topic="t")
        (closed,) = server.use("list_topics")["closed_unread"]
        assert (closed["name"], closed["state"], closed["unread"]) == ("t", "closed", 1)
        assert "closed_unread" not in server.use("list_topics", state="open")
        assert "#t 1 (closed)" in server.use("receive_messages")["reason"]
        server.use("sync", topic="t")
        server.use("receive_messages")
        assert "closed_unread" not in server.use("list_topics")


def test_one_whose_name_was_taken_over_is_told_by_list_agents(server: RawServer, bus: str) -> None:
    with RawServer(bus) as other:
        other.use("register_agent", name="alice", take_over=True)
        assert refusal(server, "list_agents", {})["code"] == "SESSION_SUPERSEDED"
        assert other.use("list_agents")["you"] == "alice"


@pytest.mark.parametrize(
    ("asked", "waits", "told"),
    [
        ({}, 0, ""),
        ({"wait_seconds": 20}, 20, " within 20 s"),
        ({"wait_seconds": 60}, 45, " within 45 s, the longest wait of one call"),
    ],
)
def test_a_wait_that_is_cut_says_so(asked: dict[str, Any], waits: float, told: str) -> None:
    assert patience(asked) == waits
    assert within(asked) == told
