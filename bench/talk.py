"""Talking to an MCP server on stdio line by line: what is measured is the server, not a client."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from bench.rows import Unmeasurable

ANSWER_SECONDS = 20

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "0"},
}


class Talk:
    """A server that was started, and the conversation with it."""

    def __init__(self, command: Sequence[str], environ: dict[str, str]) -> None:
        self._command = " ".join(command)[:80]
        self._process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.pid = self._process.pid
        self._number = 0
        self._received = b""
        self._answers: dict[int, dict[str, Any]] = {}

    def greet(self) -> dict[str, Any]:
        """The handshake; the answer of ``initialize``."""
        answer = self.ask("initialize", INITIALIZE)
        self.notify("notifications/initialized")
        return answer

    def notify(self, method: str) -> None:
        """Send a notification."""
        self._write({"jsonrpc": "2.0", "method": method})

    def begin(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Send a request; its number, to wait for its answer by."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method}
        self._write(request if params is None else {**request, "params": params})
        return self._number

    def begin_call(self, tool: str, arguments: dict[str, Any]) -> int:
        """Send a tool call."""
        return self.begin("tools/call", {"name": tool, "arguments": arguments})

    def answer(self, number: int, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Wait for the answer of a request, whole.

        Raises:
            Unmeasurable: there is none in time.
        """
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.descriptor, selectors.EVENT_READ)
            while number not in self._answers:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise Unmeasurable(f"{self._command} did not answer within {seconds:g} s")
                self.read()
        return self.taken(number)

    def taken(self, number: int) -> dict[str, Any]:
        """The answer that :meth:`read` told of."""
        return self._answers.pop(number)

    def read(self) -> list[int]:
        """Read what is there; the numbers of the answers that are complete now."""
        part = os.read(self.descriptor, 1 << 16)
        if not part:
            raise Unmeasurable(f"{self._command} ended instead of answering")
        *lines, self._received = (self._received + part).split(b"\n")
        found = []
        for line in lines:
            message = json.loads(line) if line.strip() else {}
            if "id" in message and "method" not in message:
                self._answers[message["id"]] = message
                found.append(message["id"])
        return found

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; the result of its answer."""
        answer = self.answer(self.begin(method, params))
        if "result" not in answer:
            raise Unmeasurable(f"{self._command} refused {method}: {str(answer.get('error'))[:200]}")
        result: dict[str, Any] = answer["result"]
        return result

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool, which must succeed; its result."""
        answer = self.answer(self.begin_call(tool, arguments))
        if fault := failure(answer):
            raise Unmeasurable(f"{tool} failed: {fault}")
        result: dict[str, Any] = answer["result"]
        return result

    @property
    def descriptor(self) -> int:
        """Where its answers come from."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Unmeasurable(f"{self._command} ended before it was asked") from None

    def end(self) -> float:
        """Close its input; milliseconds until it has ended.

        Raises:
            Unmeasurable: it goes on.
        """
        assert self._process.stdin is not None
        start = time.perf_counter_ns()
        self._process.stdin.close()
        try:
            self._process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unmeasurable(f"{self._command} did not end with its input") from None
        return (time.perf_counter_ns() - start) / 1e6

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:  # a request that it did not live to read
                continue


def failure(answer: dict[str, Any]) -> str:
    """What an answer says went wrong; empty when nothing did."""
    if "result" not in answer:
        return str(answer.get("error"))[:200]
    result = answer["result"]
    if not result.get("isError"):
        return ""
    return " ".join(part.get("text", "") for part in result.get("content", []))[:200] or "no text"


def ready(talks: Sequence[Talk], seconds: float = ANSWER_SECONDS) -> list[tuple[Talk, int]]:
    """Wait until one of the servers has answered something: which, and the numbers of the answers.

    Raises:
        Unmeasurable: none has in time.
    """
    found: list[tuple[Talk, int]] = []
    with selectors.DefaultSelector() as selector:
        for talk in talks:
            selector.register(talk.descriptor, selectors.EVENT_READ, talk)
        while not found:
            keys = selector.select(seconds)
            if not keys:
                raise Unmeasurable(f"none of {len(talks)} servers answered within {seconds:g} s")
            found = [(key.data, number) for key, _ in keys for number in key.data.read()]
    return found


class Calls(NamedTuple):
    """What several servers answered to one caller each, who calls again at once."""

    done: int
    failed: int
    seconds: float
    worst: float
    """The longest single call, in milliseconds."""
    first_failure: str


def flat_out(talks: Sequence[Talk], tool: str, arguments: dict[str, Any], seconds: float) -> Calls:
    """Call the same tool of all servers, each again as soon as it has answered, for ``seconds``."""
    done = failed = 0
    worst, fault = 0.0, ""
    begun: dict[Talk, float] = {}
    start = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for talk in talks:
            selector.register(talk.descriptor, selectors.EVENT_READ, talk)
            begun[talk] = time.monotonic()
            talk.begin_call(tool, arguments)
        while begun:
            ready = selector.select(ANSWER_SECONDS)
            if not ready:
                raise Unmeasurable(f"{len(begun)} servers did not answer within {ANSWER_SECONDS} s")
            for key, _ in ready:
                talk = key.data
                for number in talk.read():
                    now = time.monotonic()
                    worst = max(worst, now - begun.pop(talk))
                    text = failure(talk.taken(number))
                    fault = fault or text
                    done, failed = done + (not text), failed + bool(text)
                    if now - start < seconds:
                        begun[talk] = now
                        talk.begin_call(tool, arguments)
    return Calls(done, failed, time.monotonic() - start, worst * 1000, fault)


class Memory(NamedTuple):
    """What a process takes up, in MiB."""

    resident: float
    proportional: float
    """Pages that several processes share count in part for each."""


def memory(pid: int) -> Memory | None:
    """None where /proc does not tell."""
    found = _fields(f"/proc/{pid}/smaps_rollup")
    if "Rss" not in found or "Pss" not in found:
        return None
    return Memory(found["Rss"] / 1024, found["Pss"] / 1024)


def written(pid: int) -> int | None:
    """How many bytes a process has had written to disks so far; None where /proc does not tell."""
    return _fields(f"/proc/{pid}/io").get("write_bytes")


def _fields(path: str) -> dict[str, int]:
    """The lines ``name: number ...`` of a file; none where it can't be read."""
    found = {}
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                value = rest.split()
                if value and value[0].isdigit():
                    found[name] = int(value[0])
    except OSError:
        return {}
    return found
