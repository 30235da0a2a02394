"""Real ``hubbub mcp`` processes: driven raw, line by line, or through the official client."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio

from hubbub.bus import Bus
from mcp import Client, StdioServerParameters

DEADLINE = 30.0
ERAS = ("legacy", "auto")
MODERN = "2026-07-28"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
}


def environment(bus: str, **more: str) -> dict[str, str]:
    """This process's environment, less what would tell a server who it is."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HUBBUB_", "CLAUDE", "CODEX", "GEMINI"))
    }
    return {**kept, "HUBBUB_BUS": bus, **more}


def server_arguments(name: str | None, *more: str) -> list[str]:
    """The arguments of ``python`` for a server."""
    return ["-m", "hubbub", "mcp", *(["--as", name] if name else []), *more]


def over_client(
    bus: str, mode: str, names: list[str | None], play: Callable[..., Awaitable[None]], **env: str
) -> None:
    """Start a server for each name, connect the official client to each, and run ``play(*clients)``."""

    async def main() -> None:
        async def connect(left: list[str | None], clients: list[Client]) -> None:
            if not left:
                await play(*clients)
                return
            parameters = StdioServerParameters(
                command=sys.executable, args=server_arguments(left[0]), env=environment(bus, **env)
            )
            async with Client(parameters, mode=mode) as client:
                await connect(left[1:], [*clients, client])

        with anyio.fail_after(DEADLINE * 2):
            await connect(names, [])

    anyio.run(main)


async def use(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    """Call a tool that must succeed; its object."""
    result = await client.call_tool(tool, given)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def refused(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    """Call a tool that must fail; the error's object."""
    result = await client.call_tool(tool, given)
    assert result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    error: dict[str, Any] = result.structured_content["error"]
    text = getattr(result.content[0], "text", "")
    assert text.startswith(error["code"])
    return error


async def text_of(client: Client, tool: str, **given: Any) -> str:
    """Call a tool; the text that a model reads."""
    result = await client.call_tool(tool, given)
    return str(getattr(result.content[0], "text", ""))


def cancellation(request: dict[str, Any]) -> dict[str, Any]:
    """The notification that cancels a request."""
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request["id"]}}


class RawServer:
    """One server, driven line by line."""

    def __init__(self, bus: str, name: str | None = None, *more: str, hello: bool = True, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *server_arguments(name, *more)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(bus, **env),
            bufsize=0,
        )
        self._buffer = b""
        self._next_id = 0
        if hello:
            self.hello()

    def hello(self, client: str = "raw") -> dict[str, Any]:
        """Shake hands, in the older era."""
        answer = self.ask(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": client, "version": "1"},
            },
        )
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def send(self, *messages: Any) -> None:
        """Write messages, all in one write."""
        self.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) or 0 :]

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request with a new id, not sent yet."""
        self._next_id += 1
        return {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params or {}}

    def call(self, tool: str, **given: Any) -> dict[str, Any]:
        """A ``tools/call`` request, not sent yet."""
        return self.request("tools/call", {"name": tool, "arguments": given})

    def cancel(self, request: dict[str, Any]) -> None:
        """Cancel a request."""
        self.send(cancellation(request))

    def read(self, seconds: float = DEADLINE) -> dict[str, Any]:
        """The next line, which must come in time."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            assert ready, f"no answer within {seconds} s"
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            assert chunk, f"the server ended: {self.process.wait(5)}"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def answer_to(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request that was sent; what else comes before it is dropped."""
        while True:
            message = self.read()
            if message.get("id") == request["id"] and "method" not in message:
                return message

    def read_answers(self, requests: list[dict[str, Any]]) -> None:
        """Read on until all of these are answered, in whatever order."""
        waiting = {request["id"] for request in requests}
        while waiting:
            waiting.discard(self.read().get("id"))

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; its whole answer."""
        request = self.request(method, params)
        self.send(request)
        return self.answer_to(request)

    def use(self, tool: str, **given: Any) -> dict[str, Any]:
        """Call a tool that must succeed; its object."""
        request = self.call(tool, **given)
        self.send(request)
        result = self.answer_to(request)["result"]
        assert not result.get("isError"), result
        shown: dict[str, Any] = result["structuredContent"]
        return shown

    def quiet(self, seconds: float = 0.3) -> bool:
        """True when nothing is said for a while."""
        assert self.process.stdout is not None
        return not self._buffer and not select.select([self.process.stdout], [], [], seconds)[0]

    def end(self) -> int:
        """Close its input; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def clog(server: RawServer, bus: Bus, agent: str) -> list[dict[str, Any]]:
    """Fill the pipe of ``agent``'s server with answers that nobody reads yet, and say to which calls: no
    further answer can go out until these are read."""
    assert server.process.stdout is not None
    if not any(each.message.sender == "padder" for each in bus.mail.peek(agent).deliveries):
        bus.agents.register("padder")
        bus.mail.send(bus.agents.attach("padder"), bus.mail.draft(agent, "p" * 39_000))
    calls = [server.call("receive_messages", peek=True, **{"from": "padder"}) for _ in range(4)]
    server.send(*calls)
    deadline = time.monotonic() + DEADLINE
    room = fcntl.fcntl(server.process.stdout, fcntl.F_GETPIPE_SZ)
    waiting = bytearray(4)
    # One answer is in it and the second, which is being written, does not fit. Pages may not be quite full.
    while int.from_bytes(waiting, sys.byteorder) < room * 3 // 4:
        assert time.monotonic() < deadline
        fcntl.ioctl(server.process.stdout, termios.FIONREAD, waiting)
    return calls


def bus_at(folder: Path) -> str:
    """The URL of a bus in ``folder``."""
    return f"sqlite://{folder}/bus.db"
