"""The two eras of the protocol: what tells them apart, and what each wraps around a result.

Formats: modelcontextprotocol.io, revisions 2024-11-05 to 2025-11-25 (handshake) and 2026-07-28.
"""

from __future__ import annotations

from typing import Any

from hubbub import __version__

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
UNSUPPORTED_VERSION = -32022
RESOURCE_NOT_FOUND = -32002
"""Of the handshake era; the newer one says INVALID_PARAMS."""

_PREFIX = "io.modelcontextprotocol/"
VERSION_KEY = _PREFIX + "protocolVersion"
CAPABILITIES_KEY = _PREFIX + "clientCapabilities"
CLIENT_KEY = _PREFIX + "clientInfo"
SERVER_KEY = _PREFIX + "serverInfo"
SUBSCRIPTION_KEY = _PREFIX + "subscriptionId"

HANDSHAKE_METHODS = ("initialize", "ping", "resources/subscribe", "resources/unsubscribe")
"""Methods that the newer era has no more."""

SERVER_INFO = {"name": "hubbub", "title": "Hubbub", "version": __version__}
CAPABILITIES: dict[str, Any] = {"tools": {}, "resources": {"subscribe": True}}

LIST_TTL_MS = 3_600_000
"""How long a client may keep a list: this server's lists never change while it runs."""


class ProtocolError(Exception):
    """A JSON-RPC error, which answers a request instead of a result."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data


class Request:
    """One request, of either era."""

    __slots__ = ("id", "meta", "method", "modern", "offset", "params")

    def __init__(self, id: Any, method: str, params: dict[str, Any], offset: int) -> None:
        self.id = id
        self.method = method
        self.params = params
        self.offset = offset
        """Where its line began in the input."""
        meta = params.get("_meta")
        self.meta: dict[str, Any] = meta if isinstance(meta, dict) else {}
        self.modern = VERSION_KEY in self.meta

    def check_envelope(self) -> None:
        """Refuse a modern request that lacks its envelope or wants a version that is not spoken."""
        if not self.modern:
            return
        version = self.meta[VERSION_KEY]
        if not isinstance(version, str) or not isinstance(self.meta.get(CAPABILITIES_KEY), dict):
            raise ProtocolError(INVALID_PARAMS, f"params._meta needs {VERSION_KEY} and {CAPABILITIES_KEY}")
        if version not in MODERN_VERSIONS:
            raise ProtocolError(
                UNSUPPORTED_VERSION,
                "Unsupported protocol version",
                {"supported": list(MODERN_VERSIONS), "requested": version},
            )

    @property
    def client_info(self) -> dict[str, Any]:
        """Who the client says it is."""
        info = self.meta.get(CLIENT_KEY) if self.modern else self.params.get("clientInfo")
        return info if isinstance(info, dict) else {}

    @property
    def progress_token(self) -> Any:
        """The token that progress is reported with, or None."""
        token = self.meta.get("progressToken")
        return token if isinstance(token, str | int) and not isinstance(token, bool) else None


def parse_request(message: dict[str, Any], offset: int) -> Request:
    """The request in a JSON-RPC object that has an id.

    Raises:
        ProtocolError: it is none.
    """
    method, params = message.get("method"), message.get("params", {})
    id_ = message.get("id")
    if isinstance(id_, bool) or not isinstance(id_, str | int):
        raise ProtocolError(INVALID_REQUEST, "id must be a string or a whole number")
    if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise ProtocolError(INVALID_REQUEST, "Not a JSON-RPC 2.0 request")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise ProtocolError(INVALID_PARAMS, "params must be an object")
    return Request(id_, method, params, offset)


def finish(
    request: Request, result: dict[str, Any], *, ttl_ms: int | None = None, scope: str = "private"
) -> Any:
    """``result`` in the form of the request's era; ``ttl_ms`` for results that may be cached."""
    if not request.modern:
        return result
    finished = {"resultType": "complete", **result}
    if ttl_ms is not None:
        finished["ttlMs"] = ttl_ms
        finished["cacheScope"] = scope
    finished["_meta"] = {**result.get("_meta", {}), SERVER_KEY: SERVER_INFO}
    return finished


def negotiate(params: dict[str, Any]) -> str:
    """The handshake version to speak: the client's, if known, else the newest."""
    asked = params.get("protocolVersion")
    return asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
