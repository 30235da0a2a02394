"""``hubbub hook``: from the words of its command line to an exit status.

A hook must never stand in its client's way. Whatever goes wrong, it exits with 0 and writes nothing or a
whole answer; a line in the log tells what it was. Only a command line that can't be meant ends with 1, which
every client shows to its user and then goes on. It never ends with 2, by which clients are told to stop.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from hubbub.errors import BusNotFound, HubbubError
from hubbub.wake.hooks import occasion as o
from hubbub.wake.hooks.folders import log
from hubbub.wake.hooks.reading import parse, read_input

CLIENTS = ("claude", "codex", "gemini", "opencode")

DEADLINE_SECONDS = 5.0
"""After this time a hook ends without an answer, whatever it waits for."""

BUSY_TIMEOUT_MS = 1000
"""How long it waits for its turn on a busy bus."""

_WITH_VALUE = {"--bus": "bus", "--as": "agent"}


class Wrong(Exception):
    """The command line can't be meant."""


class Line:
    """A command line, understood."""

    def __init__(self, words: list[str]) -> None:
        self.bus: str | None = None
        self.agent: str | None = os.environ.get("HUBBUB_AGENT") or None
        plain: list[str] = []
        left = iter(words)
        for word in left:
            option, mark, value = word.partition("=")
            if option in _WITH_VALUE:
                value = value if mark else next(left, "")
                if not value:
                    raise Wrong(f"{option} needs a value")
                setattr(self, _WITH_VALUE[option], value)
            elif word in ("--json", "--no-color"):
                continue  # its answer is JSON anyway
            elif word.startswith("-"):
                raise Wrong(f"there is no option {ascii(word)[:60]}")
            else:
                plain.append(word)
        if not plain or plain[0] not in CLIENTS:
            raise Wrong(f"name one of: {', '.join(CLIENTS)}")
        if len(plain) > 2:
            raise Wrong(f"{ascii(plain[2])[:60]} is too much")
        self.client = plain[0]
        self.event = plain[1] if len(plain) == 2 else ""


class Client(NamedTuple):
    """How one client speaks."""

    names: dict[str, str]
    """Our names of events by the client's own."""
    read: Callable[[str, str, str, dict[str, Any]], o.Occasion]
    write: Callable[[o.Occasion, o.Verdict], dict[str, Any] | None]


def _client(name: str) -> Client:
    """Only the one that is spoken is loaded."""
    if name == "gemini":
        from hubbub.wake.hooks import gemini

        return Client(gemini.NAMES, gemini.read, gemini.write)
    if name == "opencode":
        from hubbub.wake.hooks import opencode

        return Client(opencode.NAMES, opencode.read, opencode.write)
    from hubbub.wake.hooks import claude

    return Client(claude.NAMES, claude.read, claude.write)  # Codex speaks the same


def run(words: list[str]) -> int:
    """Answer the client's event that is on standard input; the exit status."""
    try:
        line = Line(words)
    except Wrong as wrong:
        os.write(2, f"hubbub hook: {wrong}. Run: hubbub hook --help\n".encode())
        return 1
    try:
        if line.event == o.WAIT:
            from hubbub.wake.waiter import wait

            return wait(line)
        _limit_time(line)
        _answer(line)
    except HubbubError as error:
        _log(line, f"{error.code}: {error.message}")
    except Exception as error:  # a fault of ours is no reason to stop an agent
        _log(line, f"{type(error).__name__}: {error}")
    return 0


def occasion_of(line: Line, raw: bytes) -> o.Occasion | None:
    """What the client tells by ``raw``; None, with a line in the log, where it can't be understood."""
    data = parse(raw)
    if data is None:
        _log(line, f"standard input is not a JSON object ({len(raw)} bytes)")
        return None
    client = _client(line.client)
    told = data.get("hook_event_name")
    name = line.event or (told if isinstance(told, str) else "")
    event = client.names.get(name, name)
    if event == o.WAIT:
        return client.read(line.client, event, name, data)
    if event not in o.EVENTS:
        _log(line, f"there is no event {ascii(name)[:60]}")
        return None
    # The client's own name for it goes into the answer, also where the command line has ours.
    name = (
        name
        if name in client.names
        else next((own for own, ours in client.names.items() if ours == event), name)
    )
    return client.read(line.client, event, name, data)


def _answer(line: Line) -> None:
    occasion = occasion_of(line, read_input(0))
    if occasion is None:
        return
    from hubbub.bus import Bus
    from hubbub.location import find_bus
    from hubbub.stores import open_store
    from hubbub.wake.hooks import core

    place = find_bus(line.bus, occasion.project or None)
    try:
        store = open_store(place.url, create=False, busy_timeout_ms=BUSY_TIMEOUT_MS)
    except BusNotFound:
        if occasion.event == o.SESSION_START:
            _log(line, f"there is no bus at {place.url} ({place.source})")
        return
    with Bus(store) as bus:
        named = place.source in ("--bus", "HUBBUB_BUS")
        here = core.Surroundings(bus, place.url, line.agent, bus_named=named)
        verdict = core.decide(here, occasion)
    for complaint in here.complaints:
        _log(line, f"{occasion.event}: {complaint}")
    _write(line, occasion, verdict)


def _write(line: Line, occasion: o.Occasion, verdict: o.Verdict) -> None:
    answer = _client(line.client).write(occasion, verdict)
    if answer is None:
        return
    import json

    data = memoryview(json.dumps(answer).encode() + b"\n")
    while data:
        data = data[os.write(1, data) :]


def _limit_time(line: Line) -> None:
    """End after :data:`DEADLINE_SECONDS`, with a line in the log."""
    if not hasattr(signal, "setitimer"):
        return

    def over(number: int, frame: FrameType | None) -> None:
        _log(line, f"gave up after {DEADLINE_SECONDS:g} s")
        os._exit(0)

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_SECONDS)


def _log(line: Line, text: str) -> None:
    log(f"{line.client} {line.event or '-'}: {text}")
