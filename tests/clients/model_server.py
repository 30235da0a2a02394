"""A server that plays the model for real clients, without a login or a network.

What the model is to do stands in the prompts: ``<<call NAME {json}>>`` calls the tool whose name is or ends
with NAME. Each is done once, in order; then the model says ``DONE`` and ends its turn.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.clients.dialects import ANTHROPIC, CHAT, GEMINI, RESPONSES, Call, Dialect, Json, Turn

_ORDER = re.compile(r"<<call (\S+) (\{.*?\})>>", re.DOTALL)


def call(name: str, **arguments: Any) -> str:
    """The words in a prompt that make the model call a tool."""
    return f"<<call {name} {json.dumps(arguments)}>>"


class ModelServer:
    """The played model. Use it as a context manager."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._changed = threading.Condition()
        server = self

        class Handler(_Handler):
            model = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def note(self, turn: Turn) -> None:
        """Keep a turn."""
        with self._changed:
            self.turns.append(turn)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[Turn], bool], seconds: float, *, after: int = 0) -> Turn:
        """The first turn after the first ``after`` of them that is ``wanted``.

        Raises:
            AssertionError: none came within ``seconds``; it says what came.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for turn in self.turns[after:]:
                    if wanted(turn):
                        return turn
                left = deadline - time.monotonic()
                if left <= 0:
                    seen = [turn.last[-300:] for turn in self.turns[after:]][-5:]
                    raise AssertionError(
                        f"No such turn in {seconds} s; the last of {len(self.turns)}: {seen}"
                    )
                self._changed.wait(left)

    def next_call(self, turn: Turn) -> Call:
        """What the model does in this turn."""
        orders = _ORDER.findall(turn.prompts)
        if turn.calls >= len(orders) or not turn.tools:
            return Call("", {}, "DONE")
        name, arguments = orders[turn.calls]
        return Call(_full_name(name, turn.tools), json.loads(arguments))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()


def _full_name(name: str, tools: tuple[str, ...]) -> str:
    for fits in (name.__eq__, lambda tool: tool.endswith(name)):
        for tool in tools:
            if fits(tool):
                return tool
    return name


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: ModelServer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Alive."""
        self._answer(b"")

    def do_GET(self) -> None:
        """No list of models is needed by any client, but they ask."""
        self._answer(b'{"data": [], "models": []}')

    def do_POST(self) -> None:
        """A turn of the model, or a count of tokens."""
        path = self.path.split("?")[0]
        body = self._body()
        if path.endswith("count_tokens"):
            self._answer(b'{"input_tokens": 100}')
        elif path.endswith(":countTokens"):
            self._answer(b'{"totalTokens": 100}')
        elif path.endswith("/messages"):
            self._play(ANTHROPIC, body, bool(body.get("stream")))
        elif path.endswith("/responses"):
            self._play(RESPONSES, body, True)
        elif path.endswith("/chat/completions"):
            self._play(CHAT, body, bool(body.get("stream")))
        elif "enerateContent" in path:
            self._play(GEMINI, body, "stream" in path)
        else:
            self._answer(b"{}")

    def _play(self, dialect: Dialect, body: Json, stream: bool) -> None:
        turn = dialect.read(body)
        self.model.note(turn)
        call = self.model.next_call(turn)
        if not stream:
            self._answer(json.dumps(dialect.whole(body, call)).encode())
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for name, data in dialect.stream(body, call):
            text = data if isinstance(data, str) else json.dumps(data)
            self.wfile.write(((f"event: {name}\n" if name else "") + f"data: {text}\n\n").encode())
            self.wfile.flush()

    def _answer(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> Json:
        raw = self._raw()
        if self.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        found = json.loads(raw or b"{}")
        return found if isinstance(found, dict) else {}

    def _raw(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole
