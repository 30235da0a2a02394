"""The stage of the demonstration: a bus of its own, real processes on it, and the transcript."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from hubbub.bus import Bus
from hubbub.text import safe_line
from mcp import Client, StdioServerParameters


class DemoFailed(Exception):
    """Something did not happen as it should."""


class Stage:
    """Where the demonstration plays."""

    def __init__(self, bus: Bus, url: str) -> None:
        self.bus = bus
        self.hand_overs: list[float] = []
        self._began = time.monotonic()
        self._environment = {**os.environ, "HUBBUB_BUS": url, "HUBBUB_AGENT": "", "NO_COLOR": "1"}

    def say(self, who: str, what: str, milliseconds: float | None = None, *, start: bool = False) -> None:
        """One line of the transcript; ``milliseconds`` is what the hand-over took, and ``start``
        says that the start of a process is in it."""
        took = ""
        if milliseconds is not None:
            what += "  (with the start of a process)" if start else ""
            if not start:
                self.hand_overs.append(milliseconds)
            took = f"{milliseconds:7.1f} ms"
        print(
            f"{time.monotonic() - self._began:7.2f} s {took:>11}  {who:<8} {safe_line(what, 110)}", flush=True
        )

    def agent(self, name: str, mode: Any) -> Client:
        """A client of a new ``hubbub mcp`` process that acts for ``name``."""
        return Client(
            StdioServerParameters(
                command=sys.executable,
                args=["-m", "hubbub", "mcp", "--as", name],
                env=self._environment,
            ),
            mode=mode,
        )

    async def command(self, *words: str) -> dict[str, Any]:
        """Run ``hubbub`` as the person would, with ``--json``; its answer."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hubbub",
            "--json",
            *words,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        if process.returncode != 0:
            raise DemoFailed(f"hubbub {' '.join(words)} ended with {process.returncode}: {out.decode()}")
        answer: dict[str, Any] = json.loads(out)
        return answer

    def process_of(self, name: str) -> int:
        """The process id of the server that holds ``name``."""
        session = self.bus.agents.get(name).session
        if session is None:
            raise DemoFailed(f"{name} is not online.")
        return int(session.process.split("/")[2])


async def call(client: Client, tool: str, **given: Any) -> dict[str, Any]:
    """Call a tool; its object."""
    result = await client.call_tool(tool, given)
    if result.is_error:
        raise DemoFailed(f"{tool} answered: {getattr(result.content[0], 'text', result.content)}")
    answer: dict[str, Any] = result.structured_content or {}
    return answer


async def receive(client: Client, **given: Any) -> tuple[dict[str, Any], float]:
    """Wait for one message; it, and when it arrived (``time.monotonic()``)."""
    answer = await call(client, "receive_messages", wait_seconds=30, limit=1, **given)
    if not answer["messages"]:
        raise DemoFailed(f"No message came: {answer}")
    return answer["messages"][0], time.monotonic()


async def listen(client: Client, topic: str) -> tuple[dict[str, Any], float]:
    """Wait for one message in a topic; it, and when it arrived (``time.monotonic()``)."""
    answer = await call(client, "sync", topic=topic, wait_seconds=30, limit=1)
    if not answer["messages"]:
        raise DemoFailed(f"No message came: {answer}")
    return answer["messages"][0], time.monotonic()


def expect(condition: bool, what: str) -> None:
    """Fail the demonstration unless ``condition``."""
    if not condition:
        raise DemoFailed(what)
