"""Whole processes of the command line."""

from __future__ import annotations

import sys
import time

import hubbub
from bench.bare import BODY
from bench.figures import Expected, Figure, median
from bench.programs import Program, environment, programs, run_once
from bench.rows import Run, Unmeasurable, bus_folder, row

BARE = (sys.executable, "-c", "pass")
EXPECTED = Expected(most=50)


@row(
    "commands",
    "Milliseconds from the start to the end of whole processes: `hubbub --version`, `send`, and `receive` "
    "with one message waiting; against the bare interpreter (`python -c pass`), in alternation.",
)
def commands(run: Run) -> None:
    """Medians, for each way to start the program."""
    for program in programs():
        _measure(run, program)


def _measure(run: Run, program: Program) -> None:
    rounds, warm_up = run.pick(20, 40), 2
    times: dict[str, list[float]] = {"bare": [], "--version": [], "send": [], "receive": []}
    with bus_folder(run, "commands") as path:
        with hubbub.connect("sqlite://" + path) as bus:
            bus.agents.register("sender-0")
            bus.agents.register("reader-0")
        to_send, to_receive = environment(path, "sender-0"), environment(path, "reader-0")
        for number in range(rounds + warm_up):
            if number % 10 == 0:
                run.say(f"{program.named}, round {number + 1} of {rounds + warm_up}")
            times["bare"].append(_time(BARE, to_send, ""))
            version = _time((*program.command, "--version"), to_send, hubbub.__version__)
            times["--version"].append(version)
            times["send"].append(_time((*program.command, "send", "reader-0", BODY), to_send, "reader-0"))
            times["receive"].append(_time((*program.command, "receive"), to_receive, BODY.strip()))
    floor = median(times.pop("bare")[warm_up:])
    for name, samples in times.items():
        run.keep(
            Figure(
                f"{program.named} {name}",
                median(samples[warm_up:]),
                "ms",
                floor,
                "bare interpreter",
                EXPECTED,
                f"median of {rounds}",
            )
        )


def _time(command: tuple[str, ...], environ: dict[str, str], says: str) -> float:
    """Milliseconds of the whole process, which must succeed and print ``says``."""
    start = time.perf_counter_ns()
    printed = run_once(command, environ)
    taken = (time.perf_counter_ns() - start) / 1e6
    if says not in printed:
        raise Unmeasurable(f"{' '.join(command)[:80]} did not print what it should")
    return taken
