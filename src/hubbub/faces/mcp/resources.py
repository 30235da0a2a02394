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

WATCH_SECONDS = 5.0
"""A watcher looks again at least this often; changes wake it at once."""


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
            except HubbubError:
                self._stopped.wait(1)  # a busy bus: try again
            finally:
                self._ready.set()

    def _watch(self, name: str) -> None:
        """Watch until stopped, or until the resource is read for another name."""
        with self._bus.store.bell(*keys_of(self._uri, name)) as bell:
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

    def _look(self, name: str) -> Any:
        if self._uri == INBOX:
            return _inbox(self._bus, name)
        agents = self._bus.agents.all()
        return [
            (agent.name, agent.role, agent.description, agent.session and agent.session.id)
            for agent in agents
        ]
