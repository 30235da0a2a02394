"""A review held in a topic: real servers, the official client, and a crash in the middle."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

import hubbub
from mcp import Client, StdioServerParameters
from tests.faces.mcp_support import DEADLINE, ERAS, bus_at, environment, server_arguments, text_of, use

pytestmark = pytest.mark.parametrize("era", ERAS)

NAME = "review: parser"


def server(bus: str, name: str, era: str) -> AbstractAsyncContextManager[Client]:
    """The official client, with a server of its own."""
    parameters = StdioServerParameters(
        command=sys.executable, args=server_arguments(name), env=environment(bus)
    )
    return Client(parameters, mode=era)


def kill(bus: str, name: str) -> None:
    """Kill -9 the server that acts for an agent, and wait until it is gone."""
    with hubbub.connect(bus) as opened:
        session = opened.agents.get(name).session
        assert session is not None
        pid = int(session.process.split("/")[2])
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE
        while opened.agents.get(name).session is not None:
            assert time.monotonic() < deadline


def bodies(answer: dict[str, Any]) -> list[str]:
    return [message["body"] for message in answer["messages"]]


def find(messages: list[dict[str, Any]], part: str) -> dict[str, Any]:
    (found,) = (message for message in messages if part in message["body"])
    return found


async def ask(alice: Client) -> str:
    """The author asks for a review; the id of the request."""
    await use(alice, "create_topic", name=NAME, metadata={"repository": "shop", "branch": "parser"})
    request = {
        "body": "Please review commit 1f3a: the new tokenizer.",
        "kind": "review_request",
        "metadata": {"commit": "1f3a"},
    }
    asked = await use(alice, "sync", topic=NAME, outbox=[request])
    return str(asked["posted"][0]["id"])


async def review(bob: Client, request: str) -> None:
    """The reviewer sees where something is unread, reads it and posts what it found."""
    listed = await use(bob, "list_topics")
    assert NAME in [topic["name"] for topic in listed["topics"]]
    got = await use(bob, "sync", topic=NAME, wait_seconds=30)
    assert (got["messages"][0]["id"], got["messages"][0]["metadata"]) == (request, {"commit": "1f3a"})
    findings = [
        {"body": "HIGH: tokenizer.py:88 drops the last quote.", "kind": "review_response"},
        {"body": "LOW: a name in lexer.py is misspelt.", "kind": "review_response"},
    ]
    await use(bob, "sync", topic=NAME, outbox=[{**each, "reply_to": request} for each in findings])


async def fix(alice: Client, findings: list[dict[str, Any]]) -> None:
    """The author answers each finding."""
    outbox = [
        {"body": "Fixed in 2b4c: quotes are kept.", "reply_to": find(findings, "HIGH")["id"], "key": "fix-1"},
        {"body": "Fixed in 2b4d: renamed.", "reply_to": find(findings, "LOW")["id"], "key": "fix-2"},
    ]
    await use(alice, "sync", topic=NAME, outbox=outbox)


def test_a_review_loop_survives_a_crash(era: str, tmp_path: Path) -> None:
    bus = bus_at(tmp_path)

    async def author_until_killed(bob: Client) -> str:
        async with server(bus, "alice", era) as alice:
            request = await ask(alice)
            await review(bob, request)
            got = await use(alice, "sync", topic=NAME, wait_seconds=30)
            assert len(got["messages"]) == 2
            # The answer is there, and the process dies before the agent did anything with it.
            await anyio.to_thread.run_sync(kill, bus, "alice")
        return request

    async def author_again(bob: Client, request: str) -> None:
        async with server(bus, "alice", era) as alice:
            listed = await use(alice, "list_topics")
            (topic,) = (each for each in listed["topics"] if each["name"] == NAME)
            assert topic["unread"] == 2
            got = await use(alice, "sync", topic=NAME)
            assert got["redelivered"] is True
            await fix(alice, got["messages"])
            fixes = await use(bob, "sync", topic=NAME, wait_seconds=30)
            assert bodies(fixes) == ["Fixed in 2b4c: quotes are kept.", "Fixed in 2b4d: renamed."]
            approval = {"body": "Approved at 2b4d.", "kind": "decision", "reply_to": request}
            await use(bob, "sync", topic=NAME, outbox=[approval])
            got = await use(alice, "sync", topic=NAME, wait_seconds=30)
            (approved,) = got["messages"]
            assert (approved["kind"], approved["reply_to"], got.get("redelivered")) == (
                "decision",
                request,
                None,
            )
            await use(alice, "close_topic", topic=NAME, reason="approved at 2b4d")

    async def main() -> None:
        with anyio.fail_after(DEADLINE * 2):
            async with server(bus, "bob", era) as bob:
                request = await author_until_killed(bob)
                await author_again(bob, request)
                assert "approved at 2b4d" in await text_of(bob, "sync", topic=NAME, wait_seconds=45)
            async with server(bus, "carol", era) as carol:
                await read_back(carol, request)

    anyio.run(main)


async def read_back(carol: Client, request: str) -> None:
    """A third agent, later: finds a remark by search and reads the whole without joining."""
    hit = (await use(carol, "search_messages", query="tokenizer.py quote"))["hits"][0]
    assert (hit["topic"], hit["from"], hit["seq"]) == (NAME, "bob", 2)
    whole = await use(carol, "read_thread", thread=hit["topic_id"])
    assert [message["seq"] for message in whole["messages"]] == [1, 2, 3, 4, 5, 6]
    assert [message["from"] for message in whole["messages"]] == [
        "alice",
        "bob",
        "bob",
        "alice",
        "alice",
        "bob",
    ]
    assert whole["state"] == "closed"
    # One chain of replies: all hang together by the request.
    thread = await use(carol, "read_thread", thread=hit["id"])
    assert [message["seq"] for message in thread["messages"]] == [1, 2, 3, 4, 5, 6]
    assert all(message.get("thread", request) == request for message in thread["messages"][1:])
    (topic,) = (await use(carol, "list_topics", state="closed"))["topics"]
    assert (topic["members"], "unread" in topic) == (2, False)
