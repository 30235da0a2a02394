"""Resources: reading the inbox's state and who is there without a tool call, and being told of changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from hubbub.bus import Bus
from hubbub.errors import HubbubError
from hubbub.faces.mcp.render import safe_json
from hubbub.stores.contract import Bell
from hubbub.wire import agent_dict, message_dict

INBOX = "hubbub://inbox"
AGENTS = "hubbub://agents"

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

WATCH_SECONDS = 30.0
"""A watcher looks whether it should stop at least this often; changes wake it at once."""


def read_resource(bus: Bus, uri: str, name: str) -> dict[str, str]:
    """The contents of a resource, as agent ``name`` sees it."""
    if uri == INBOX:
        shown = _inbox(bus, name)
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


def keys_of(uri: str, name: str) -> tuple[str, ...]:
    """The bells that ring when a resource may have changed."""
    return (f"inbox/{name}", f"room/{name}") if uri == INBOX else ("agents",)


class Watcher:
    """Tells of changes to one resource until stopped."""

    def __init__(self, bus: Bus, uri: str, name: str, tell: Callable[[str], None]) -> None:
        """``tell`` is called with the URI, from the watcher's own thread."""
        self._bus, self._uri, self._name, self._tell = bus, uri, name, tell
        self._stopped = False
        self._bell: Bell | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hubbub-watcher", daemon=True)

    def start(self) -> None:
        """Begin; returns once changes are noticed."""
        self._thread.start()
        self._ready.wait(5)

    def stop(self) -> None:
        """Stop soon."""
        self._stopped = True
        if self._bell is not None:
            self._bell.poke()

    def _run(self) -> None:
        try:
            with self._bus.store.bell(*keys_of(self._uri, self._name)) as bell:
                self._bell = bell
                before = self._look()
                self._ready.set()
                while not self._stopped:
                    bell.wait(WATCH_SECONDS)
                    after = None if self._stopped else self._look()
                    if after is not None and after != before:
                        before = after
                        self._tell(self._uri)
        except HubbubError:
            return
        finally:
            self._ready.set()

    def _look(self) -> Any:
        """What the resource says now, so that a ring for nothing tells nobody."""
        if self._uri == INBOX:
            return _inbox(self._bus, self._name)
        agents = self._bus.agents.all()
        return [
            (agent.name, agent.role, agent.description, agent.session and agent.session.id)
            for agent in agents
        ]
