"""Servers asked through the official client, as agents ask them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TextIO

from bench.figures import median
from bench.rows import Unmeasurable
from bench.servers import Place, structured

if TYPE_CHECKING:
    from mcp import ClientSession

AGENT = "caller-0"


def rates(places: Sequence[Place], rounds: int, seconds: float) -> list[float]:
    """Posts a second through one server of each kind, in turns: the median of the rounds.

    Raises:
        Unmeasurable: the client is not installed, or a server fails.
    """
    try:
        import mcp
    except ImportError:
        raise Unmeasurable("the official MCP client is not installed (the package mcp)") from None
    del mcp
    return asyncio.run(_rates(places, rounds, seconds))


async def _rates(places: Sequence[Place], rounds: int, seconds: float) -> list[float]:
    found: list[list[float]] = [[] for _ in places]
    async with AsyncExitStack() as opened:
        with open(os.devnull, "w") as nowhere:
            sessions = [await _open(opened, place, nowhere) for place in places]
        topics = [await _enter(place, session) for place, session in zip(places, sessions, strict=True)]
        for _ in range(rounds + 1):
            for number, place in enumerate(places):
                arguments = place.server.sync(topics[number], 1, 0)
                found[number].append(await _rate(sessions[number], arguments, seconds))
    return [median(rates[1:]) for rates in found]  # the first round warms up


async def _open(opened: AsyncExitStack, place: Place, errors: TextIO) -> ClientSession:
    from mcp.client.stdio import stdio_client

    from mcp import ClientSession, StdioServerParameters

    command, *arguments = place.command
    parameters = StdioServerParameters(
        command=command, args=arguments, env=place.server.environment(place.path, AGENT)
    )
    streams = await opened.enter_async_context(stdio_client(parameters, errlog=errors))
    session = await opened.enter_async_context(ClientSession(*streams))
    await session.initialize()
    return session


async def _enter(place: Place, session: ClientSession) -> str:
    steps = place.server.enter(AGENT)
    answer: dict[str, Any] | None = None
    try:
        while True:
            tool, arguments = next(steps) if answer is None else steps.send(answer)
            answer = structured(await _call(session, tool, arguments))
    except StopIteration as done:
        topic: str = done.value
        return topic


async def _rate(session: ClientSession, arguments: dict[str, Any], seconds: float) -> float:
    count, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        await _call(session, "sync", arguments)
        count += 1
    return count / (time.monotonic() - start)


async def _call(session: ClientSession, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await session.call_tool(tool, arguments)
    if result.is_error:
        raise Unmeasurable(f"{tool} failed: {str(result.content)[:200]}")
    return {"structuredContent": result.structured_content}
