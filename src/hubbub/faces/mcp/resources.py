"""Resources: reading the inbox's state and who is there without a tool call, and being told of changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from hubbub.bus import Bus
from hubbub.errors import HubbubError, InvalidArgument, TopicNotFound
from hubbub.faces.mcp.render import BODY_SHARE, safe_json
from hubbub.faces.mcp.render_topics import posts_json
from hubbub.stores.contract import Bell
from hubbub.wire import agent_dict, message_dict, topic_dict

INBOX = "hubbub://inbox"
AGENTS = "hubbub://agents"
TOPIC = "hubbub://topic/"

RESOURCES: tuple[dict[str, str], ...] = (
    {
        "uri": INBOX,
        "name": "inbox",
        "title": "Inbox",
        "description": "How much mail waits for you, from whom, of what kind; nothing is taken.",
        "mimeType": "application/json",
    },
    {
        "uri": AGENTS,
        "name": "agents",
        "title": "Agents",
        "description": "Who is on the bus.",
        "mimeType": "application/json",
    },
)

TEMPLATES: tuple[dict[str, str], ...] = (
    {
        "uriTemplate": TOPIC + "{topic}",
        "name": "topic",
        "title": "Topic",
        "description": "A topic, by its name or id: its state, what you have unread, its newest messages.",
        "mimeType": "application/json",
    },
)

NEWEST = 20
"""How many messages of a topic its resource shows."""

WATCH_SECONDS = 5.0
"""A watcher looks again at least this often; changes wake it at once."""


def read_resource(bus: Bus, uri: str, name: str) -> dict[str, str]:
    """The contents of a resource, as agent ``name`` sees it."""
    if uri == INBOX:
        shown = _inbox(bus, name)
    elif uri.startswith(TOPIC):
        shown = _topic(bus, uri, name)
    else:
        shown = {"you": name, "agents": [agent_dict(agent) for agent in bus.agents.all()]}
    return {
        "uri": uri,
        "mimeType": "application/json",
        "text": json.dumps(safe_json(shown), indent=1, ensure_ascii=False),
    }


def _inbox(bus: Bus, name: str) -> dict[str, Any]:
    waiting = bus.mail.peek(name, limit=20)
    agent = bus.store.agents.get(name)
    headers = []
    for delivery in waiting.deliveries:
        header = message_dict(delivery.message)
        for part in ("body", "metadata", "to"):
            header.pop(part, None)
        headers.append(header)
    return {
        "agent": name,
        "queued": agent.queued,
        "leased": agent.leased,
        "dead": agent.dead,
        "next": headers,
        "not_shown": waiting.remaining,
    }


def _topic(bus: Bus, uri: str, name: str) -> dict[str, Any]:
    topic = bus.topics.get(_topic_named(uri), agent=name)
    part = bus.topics.history(topic.id, newest=True, limit=NEWEST, max_bytes=BODY_SHARE)
    return {**topic_dict(topic), "newest": posts_json(part.messages)}


def _topic_named(uri: str) -> str:
    return unquote(uri.removeprefix(TOPIC), errors="replace")


def exists(bus: Bus, uri: object) -> bool:
    """Whether there is a resource with this URI now."""
    if uri in (INBOX, AGENTS):
        return True
    if not isinstance(uri, str) or not uri.startswith(TOPIC):
        return False
    try:
        bus.topics.get(_topic_named(uri))
    except (TopicNotFound, InvalidArgument):
        return False
    return True


def keys_of(bus: Bus, uri: str, name: str) -> tuple[str, ...]:
    """The bells that ring when a resource may have changed. Raises TopicNotFound."""
    if uri.startswith(TOPIC):
        return (f"topic/{bus.topics.get(_topic_named(uri)).id}",)
    return (f"inbox/{name}", f"room/{name}") if uri == INBOX else ("agents",)


class Watcher:
    """Tells of changes to one resource until stopped."""

    def __init__(self, bus: Bus, uri: str, whose: Callable[[], str], tell: Callable[[str], None]) -> None:
        """``whose`` gives the name that the resource is read for, which may change; ``tell`` is called
        with the URI, from the watcher's own thread."""
        self._bus, self._uri, self._whose, self._tell = bus, uri, whose, tell
        self._stopped = threading.Event()
        self._bell: Bell | None = None
        self._ready = threading.Event()
        self._before: Any = None
        self._thread = threading.Thread(target=self._run, name="hubbub-watcher", daemon=True)

    def start(self) -> None:
        """Begin; returns once changes are noticed."""
        self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        """Stop soon."""
        self._stopped.set()
        bell = self._bell
        if bell is not None:
            bell.poke()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._watch(self._whose())
            except TopicNotFound:
                self._stopped.set()  # it was deleted, and its watcher told so or never began
            except HubbubError:
                self._stopped.wait(1)  # a busy bus: try again
            finally:
                self._ready.set()

    def _watch(self, name: str) -> None:
        """Watch until stopped, or until the resource is read for another name."""
        with self._bus.store.bell(*keys_of(self._bus, self._uri, name)) as bell:
            self._bell = bell
            if self._before is None:
                self._before = self._look(name)
            while not self._stopped.is_set() and self._whose() == name:
                self._compare(name)
                self._ready.set()
                bell.wait(WATCH_SECONDS)

    def _compare(self, name: str) -> None:
        """Tell if what the resource says has changed, so that a ring for nothing tells nobody."""
        after = self._look(name)
        if after != self._before and not self._stopped.is_set():
            self._before = after
            self._tell(self._uri)
            if after is None:
                self._stopped.set()  # a topic that was deleted does not come back

    def _look(self, name: str) -> Any:
        if self._uri == INBOX:
            return _inbox(self._bus, name)
        if self._uri.startswith(TOPIC):
            return self._look_at_topic()
        agents = self._bus.agents.all()
        return [
            (agent.name, agent.role, agent.description, agent.session and agent.session.id)
            for agent in agents
        ]

    def _look_at_topic(self) -> Any:
        try:
            topic = self._bus.topics.get(_topic_named(self._uri))
        except TopicNotFound:
            return None
        return topic.id, topic.name, topic.state, topic.last_seq
