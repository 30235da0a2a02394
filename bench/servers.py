"""The MCP servers whose topics are compared: how each is started and spoken to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from bench.bare import BODY, make
from bench.peer_agent_bus import PACKAGE, VERSION, Peer
from bench.programs import environment
from bench.rows import Unmeasurable
from bench.talk import Talk

Entering = Generator[tuple[str, dict[str, Any]], dict[str, Any], str]
"""Yields tool calls, is sent their structured answers, and returns what the topic is called in a sync."""

TOPIC = "bench"


class Server(NamedTuple):
    """One kind of server."""

    named: str
    command: tuple[str, ...]
    environment: Callable[[str, str], dict[str, str]]
    """What a server is started in: given the path of its database, and the agent that it serves."""
    enter: Callable[[str], Entering]
    """What an agent calls to be in the topic :data:`TOPIC`."""
    sync: Callable[[str, int, int], dict[str, Any]]
    """The arguments of a sync: given the topic, how many messages to post, and how many seconds to wait."""
    received: Callable[[dict[str, Any]], int]
    """How many messages an answer's structured content hands out."""


def ours() -> Server:
    """Hubbub, as ``python -m hubbub``."""
    return Server(
        named="Hubbub",
        command=(sys.executable, "-m", "hubbub", "mcp"),
        environment=environment,
        enter=_enter_ours,
        sync=lambda topic, posts, wait: {
            "topic": topic,
            "outbox": [{"body": BODY}] * posts,
            "wait_seconds": wait,
        },
        received=lambda answer: len(answer["messages"]),
    )


def _enter_ours(agent: str) -> Entering:
    yield "create_topic", {"name": TOPIC}
    yield "join_topic", {"topic": TOPIC}
    return TOPIC


def theirs(peer: Peer) -> Server:
    """The peer."""
    return Server(
        named=f"{PACKAGE} {VERSION}",
        command=(peer.command,),
        environment=lambda path, agent: peer.environment(path),
        enter=_enter_theirs,
        sync=lambda topic, posts, wait: {
            "topic_id": topic,
            "outbox": [{"content_markdown": BODY}] * posts,
            "wait_seconds": wait,
        },
        received=lambda answer: len(answer["received"]),
    )


def _enter_theirs(agent: str) -> Entering:
    yield "topic_create", {"name": TOPIC}
    joined = yield "topic_join", {"name": TOPIC, "agent_name": agent}
    return str(joined["topic_id"])


def least() -> Server:
    """A server that only commits and answers: :mod:`bench.answering`."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

    def environ(path: str, agent: str) -> dict[str, str]:
        if not os.path.exists(path):
            make(path, 1)
        paths = [root, os.path.join(root, "src"), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    return Server(
        named="a server that commits and answers",
        command=(sys.executable, "-m", "bench.answering"),
        environment=environ,
        enter=_enter_nothing,
        sync=lambda topic, posts, wait: {},
        received=lambda answer: 0,
    )


def _enter_nothing(agent: str) -> Entering:
    yield from ()
    return TOPIC


class Place(NamedTuple):
    """One kind of server with a database of its own."""

    server: Server
    path: str

    def start(self, agent: str) -> Talk:
        """A server for this agent, not greeted yet."""
        return Talk(self.command, self.server.environment(self.path, agent))

    @property
    def command(self) -> tuple[str, ...]:
        """How it is started; the least one is told its database as an argument."""
        told = (self.path,) if "bench.answering" in self.server.command else ()
        return (*self.server.command, *told)

    def join(self, talk: Talk, agent: str) -> str:
        """Greet a server and bring its agent into the topic; what the topic is called in a sync."""
        talk.greet()
        return self.enter(agent, lambda tool, arguments: structured(talk.call(tool, arguments)))

    def enter(self, agent: str, call: Callable[[str, dict[str, Any]], dict[str, Any]]) -> str:
        """Bring an agent into the topic by ``call``."""
        steps = self.server.enter(agent)
        answer: dict[str, Any] | None = None
        try:
            while True:
                answer = call(*(next(steps) if answer is None else steps.send(answer)))
        except StopIteration as done:
            topic: str = done.value
            return topic


def structured(result: dict[str, Any]) -> dict[str, Any]:
    """The structured content of a tool's answer."""
    found = result.get("structuredContent")
    if not isinstance(found, dict):
        raise Unmeasurable("an answer has no structured content")
    return found
