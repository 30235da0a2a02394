"""The MCP server of one agent on stdio: its start, its memory, its end."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from typing import Any, NamedTuple

import hubbub
from bench.figures import Expected, Figure, median
from bench.programs import Program, environment, programs
from bench.rows import Run, Unmeasurable, bus_folder, row

ANSWER_SECONDS = 20

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "0"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
CALL = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "tools/call",
    "params": {"name": "list_agents", "arguments": {}},
}

# The least that any server written in Python does: it answers each line that asks, until its input ends.
BARE = """
import sys
for line in sys.stdin:
    if '"id"' in line:
        number = line.split('"id": ')[1].split(",")[0]
        sys.stdout.write('{"jsonrpc": "2.0", "id": %s, "result": {}}\\n' % number)
        sys.stdout.flush()
"""


class Life(NamedTuple):
    """One server's life."""

    answer: float
    """Milliseconds from before its start to the answer of ``initialize``."""
    end: float
    """Milliseconds from the end of its input to its exit."""
    memory: float | None
    """Resident MiB after ``tools/list`` and one call; None where /proc does not tell."""


@row(
    "mcp",
    "An MCP server on stdio: milliseconds from before its start to the answer of `initialize`, its "
    "resident memory after `tools/list` and one tool call, and milliseconds from closing its input to its "
    "end; against an interpreter that only answers lines, in alternation.",
)
def mcp(run: Run) -> None:
    """Medians, for each way to start the program."""
    for program in programs():
        _measure(run, program)


def _measure(run: Run, program: Program) -> None:
    rounds = run.pick(5, 20)
    ours: list[Life] = []
    bare: list[Life] = []
    with bus_folder(run, "mcp") as path:
        with hubbub.connect("sqlite://" + path) as bus:
            bus.agents.register("reader-0")
        environ = environment(path, "bench")
        for number in range(rounds + 1):
            if number % 5 == 0:
                run.say(f"{program.named} mcp, round {number} of {rounds}")
            bare.append(_live((sys.executable, "-c", BARE), environ, real=False))
            ours.append(_live((*program.command, "mcp"), environ, real=True))
    ours, bare = ours[1:], bare[1:]
    what, note = "line-answering interpreter", f"median of {rounds}"
    name = f"{program.named} mcp"
    figure = Figure(
        f"{name}, start to answer", median([life.answer for life in ours]), "ms", expected=Expected(most=100)
    )
    run.keep(figure._replace(limit=median([life.answer for life in bare]), limit_what=what, note=note))
    _keep_memory(run, f"{name}, resident memory", ours, bare, what)
    figure = Figure(f"{name}, end of input to exit", median([life.end for life in ours]), "ms")
    run.keep(figure._replace(limit=median([life.end for life in bare]), limit_what=what, note=note))


def _keep_memory(run: Run, name: str, ours: list[Life], bare: list[Life], what: str) -> None:
    mine = [life.memory for life in ours if life.memory is not None]
    floor = [life.memory for life in bare if life.memory is not None]
    if not mine or not floor:
        raise Unmeasurable("resident memory is read from /proc, which this system has not")
    run.keep(Figure(name, median(mine), "MiB", median(floor), what, Expected(most=30)))


def _live(command: tuple[str, ...], environ: dict[str, str], *, real: bool) -> Life:
    """Start a server, use it, and let it end."""
    start = time.perf_counter_ns()
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        answer = _ask(process, INITIALIZE)
        answered = time.perf_counter_ns()
        _tell(process, INITIALIZED)
        tools = _ask(process, LIST)
        called = _ask(process, CALL)
        if real and not (answer.get("serverInfo") and tools.get("tools") and called.get("content")):
            raise Unmeasurable("the server's answers lack what they should hold")
        if called.get("isError"):
            raise Unmeasurable("the tool call failed")
        memory = _resident(process.pid)
        assert process.stdin is not None
        closing = time.perf_counter_ns()
        process.stdin.close()
        process.wait(ANSWER_SECONDS)
        ended = time.perf_counter_ns()
    except subprocess.TimeoutExpired:
        raise Unmeasurable(f"{' '.join(command)[:80]} did not end with its input") from None
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    return Life((answered - start) / 1e6, (ended - closing) / 1e6, memory)


def _tell(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise Unmeasurable("the server ended before it was asked") from None


def _ask(process: subprocess.Popen[bytes], message: dict[str, Any]) -> dict[str, Any]:
    """Send a request; the result of its answer."""
    _tell(process, message)
    assert process.stdout is not None
    descriptor, received = process.stdout.fileno(), b""
    deadline = time.monotonic() + ANSWER_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise Unmeasurable(f"the server did not answer {message['method']}")
            part = os.read(descriptor, 1 << 16)
            if not part:
                raise Unmeasurable(f"the server ended instead of answering {message['method']}")
            received += part
            *lines, received = received.split(b"\n")
            for line in lines:
                answer = json.loads(line)
                if answer.get("id") == message["id"]:
                    if "result" not in answer:
                        raise Unmeasurable(f"the server refused {message['method']}: {line[:200]!r}")
                    result: dict[str, Any] = answer["result"]
                    return result


def _resident(pid: int) -> float | None:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None
