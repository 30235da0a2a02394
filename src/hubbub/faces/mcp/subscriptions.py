"""Telling a client that a resource changed, in the way of each era."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from hubbub.bus import Bus
from hubbub.faces.mcp import protocol
from hubbub.faces.mcp.calls import Call
from hubbub.faces.mcp.members import Members
from hubbub.faces.mcp.protocol import ProtocolError, Request
from hubbub.faces.mcp.resources import Watcher, exists

WATCHERS_MAX = 32
"""Resources that one connection is told of at once: each takes a thread."""


class Subscriptions:
    """What one client wants to be told of."""

    def __init__(self, bus: Bus, members: Members, notify: Callable[[str, dict[str, Any]], None]) -> None:
        self._bus = bus
        self._members = members
        self._notify = notify
        self._watchers: dict[Any, list[Watcher]] = {}

    def subscribe(self, request: Request) -> dict[str, Any]:
        """``resources/subscribe``, of the handshake era."""
        uri = known_uri(self._bus, request)
        if uri not in self._watchers:
            if self._room() < 1:
                error = f"No more than {WATCHERS_MAX} resources can be watched at once"
                raise ProtocolError(protocol.INVALID_PARAMS, error)
            self._watch(uri, [uri], {})
        return {}

    def unsubscribe(self, request: Request) -> dict[str, Any]:
        """``resources/unsubscribe``."""
        uri = request.params.get("uri")
        # That of a topic which was deleted meanwhile is known by its watcher only.
        self.stop(uri if isinstance(uri, str) and uri in self._watchers else known_uri(self._bus, request))
        return {}

    def listen(self, request: Request, call: Call) -> None:
        """``subscriptions/listen``, of the newer era: acknowledged at once, answered never."""
        if not request.modern:
            raise ProtocolError(protocol.METHOD_NOT_FOUND, "Method not found")
        wanted = request.params.get("notifications")
        if not isinstance(wanted, dict):
            raise ProtocolError(protocol.INVALID_PARAMS, "notifications must be an object")
        asked = wanted.get("resourceSubscriptions")
        uris = self._honoured(asked if isinstance(asked, list) else [])
        meta = {protocol.SUBSCRIPTION_KEY: request.id}
        honoured = {"resourceSubscriptions": uris} if uris else {}
        # Watch first, so that no change after the acknowledgement is missed; tell only after it.
        acknowledged = threading.Event()
        if uris:
            self._watch(request.id, uris, meta, acknowledged)
        self._notify("notifications/subscriptions/acknowledged", {"notifications": honoured, "_meta": meta})
        acknowledged.set()
        if call.cancelled:
            self.stop(request.id)

    def stop(self, key: Any) -> None:
        """Stop what was begun under ``key``: a URI, or the id of a listen request."""
        for watcher in self._watchers.pop(key, []):
            watcher.stop()

    def close(self) -> None:
        """Stop all."""
        for key in list(self._watchers):
            self.stop(key)

    def _room(self) -> int:
        return WATCHERS_MAX - sum(map(len, list(self._watchers.values())))

    def _honoured(self, asked: list[Any]) -> list[str]:
        """Those of the asked for resources that there are, as many as can be watched."""
        names = list(dict.fromkeys(uri for uri in asked if isinstance(uri, str)))
        return [uri for uri in names[:1000] if exists(self._bus, uri)][: self._room()]

    def _name(self) -> str:
        """Whose inbox is watched: the default name, which may change."""
        member = self._members.current()
        return member.seat.agent.name if member is not None else ""

    def _watch(
        self, key: Any, uris: list[str], meta: dict[str, Any], may_tell: threading.Event | None = None
    ) -> None:
        def tell(uri: str) -> None:
            if may_tell is not None:
                may_tell.wait()
            self._notify(
                "notifications/resources/updated", {"uri": uri, "_meta": meta} if meta else {"uri": uri}
            )

        self._members.default()
        watchers = [Watcher(self._bus, uri, self._name, tell) for uri in uris]
        self._watchers[key] = watchers
        for watcher in watchers:
            watcher.start()


def known_uri(bus: Bus, request: Request) -> str:
    """The resource that a request names. Raises ProtocolError."""
    uri = request.params.get("uri")
    if not exists(bus, uri):
        code = protocol.INVALID_PARAMS if request.modern else protocol.RESOURCE_NOT_FOUND
        raise ProtocolError(code, f"Resource not found: {ascii(uri)[:200]}", {"uri": ascii(uri)[:200]})
    return str(uri)
