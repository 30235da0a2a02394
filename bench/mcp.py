"""The MCP server of one agent on stdio: its start, its memory, its end."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

import hubbub
from bench.figures import Expected, Figure, median
from bench.programs import Program, environment, programs
from bench.rows import Run, Unmeasurable, bus_folder, row
from bench.talk import INITIALIZE, Talk, memory

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
    with Talk(command, environ) as talk:
        answer = talk.ask("initialize", INITIALIZE)
        answered = time.perf_counter_ns()
        talk.notify("notifications/initialized")
        tools = talk.ask("tools/list")
        called = talk.call("list_agents", {})
        if real and not (answer.get("serverInfo") and tools.get("tools") and called.get("content")):
            raise Unmeasurable("the server's answers lack what they should hold")
        used = memory(talk.pid)
        return Life((answered - start) / 1e6, talk.end(), None if used is None else used.resident)
