"""Starting the server from the command line."""

from __future__ import annotations

import os
import signal
from types import FrameType

from hubbub.bus import Bus
from hubbub.errors import InvalidArgument
from hubbub.faces.mcp.lines import LineReader, LineWriter
from hubbub.faces.mcp.server import Server
from hubbub.faces.mcp.tools import Tool
from hubbub.faces.mcp.toolsets import TOOLSETS, tools_of
from hubbub.names import check_name, nearest
from hubbub.policy import Policy
from hubbub.stores import open_store

ERAS = ("auto", "legacy")


def serve(
    *,
    bus_url: str,
    agent: str | None,
    tools: str,
    era: str,
    policy: Policy = Policy(),  # noqa: B008 - immutable
) -> int:
    """Serve MCP on standard input and output until the input ends; the exit status.

    Args:
        bus_url: The bus.
        agent: The name to take; without one it is made from the client's name.
        tools: Toolsets, by comma: ``mail``, ``topics``; empty for all.
        era: ``auto`` speaks both eras of the protocol, ``legacy`` only the handshake.
        policy: What holds for the gate and reminders beside what is set on the bus.

    Raises:
        InvalidArgument, InvalidName: an argument is not as above.
        StoreError: the bus can't be opened.
    """
    chosen = _chosen(tools)
    if era not in ERAS:
        raise InvalidArgument(f"{era!a} is not an era.", hint=f"Known: {', '.join(ERAS)}.")
    if agent:
        check_name(agent)
    bus = Bus(open_store(bus_url, policy=policy))
    stop, stopped = _end_on_signals()
    reader = LineReader(0, stop=stop)
    modern = era == "auto"
    Server(bus, reader, LineWriter(1), agent=agent or None, tools=chosen, modern=modern).run()
    return 128 + stopped[0] if stopped else 0


def _end_on_signals() -> tuple[int, list[int]]:
    """Have SIGTERM, SIGINT and SIGHUP end the reading: a descriptor that they make readable, and a
    list that tells which came.

    An exception from a handler could come out anywhere and be swallowed there; and a handler alone
    does not run while the reader blocks, if the signal came just before it did.
    """
    stopped: list[int] = []
    stop, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def note(number: int, frame: FrameType | None) -> None:
        stopped.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, note)
    return stop, stopped


def _chosen(text: str) -> tuple[Tool, ...]:
    """The tools of the toolsets that ``text`` names, in their fixed order."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in TOOLSETS:
            near = nearest(name, TOOLSETS, 1)
            hint = (f"Did you mean {near[0]}? " if near else "") + f"Known: {', '.join(TOOLSETS)}."
            raise InvalidArgument(f"{name!a} is not a toolset.", hint=hint)
    return tools_of(*names)
