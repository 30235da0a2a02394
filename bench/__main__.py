"""``python -m bench``: run the rows, show progress on standard error and the table on standard output."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from typing import Any

import apsw

import hubbub
from bench import (
    commands,
    kept,
    mcp,
    meaning,
    ping,
    search,
    sends,
    topics,
    topics_kept,
    topics_mcp,
    wake,
    work,
)
from bench.figures import Figure, Result, table
from bench.programs import programs
from bench.rows import ROWS, Row, Run, Unmeasurable
from hubbub.errors import HubbubError

MODULES = (sends, wake, ping, kept, commands, mcp, topics, topics_kept, topics_mcp, search, meaning, work)
NAMES = [module.__name__.rpartition(".")[2] for module in MODULES]
"""The rows in the order of the table: each is named as the module that registers it."""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 when every row was measured, 1 when one was not, 2 for wrong usage."""
    options = _options(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = _machine(options.folder)
    if options.json != "-":
        print(_described(machine), end="\n\n", flush=True)
    results = []
    with tempfile.TemporaryDirectory(prefix=".hubbub-bench-", dir=options.folder) as folder:
        for name in options.only:
            results.append(_measure(ROWS[name], os.path.abspath(folder), options.quick, options.peers))
    report = {
        "machine": machine,
        "quick": options.quick,
        "rows": [
            {**result._asdict(), "figures": [figure.as_dict() for figure in result.figures]}
            for result in results
        ],
    }
    if options.json == "-":
        print(json.dumps(report, indent=2))
    else:
        print(table(results))
        print("\n" + "\n".join(f"{result.row}: {result.sentence}" for result in results))
    if options.json not in (None, "-"):
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
    return 1 if any(result.trouble for result in results) else 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure this machine's limits and how near Hubbub comes to them.",
        epilog="Rows: " + ", ".join(NAMES),
    )
    parser.add_argument("--quick", action="store_true", help="shorter rounds and fewer samples: about 90 s")
    parser.add_argument("--only", metavar="NAME,...", help="only these rows")
    parser.add_argument(
        "--json", metavar="FILE", help="also write all figures to FILE (-: only those, printed)"
    )
    parser.add_argument(
        "--peers",
        nargs="?",
        const="",
        metavar="PYTHON",
        help="install other programs for the run and measure them, too (PYTHON: what to install them for)",
    )
    parser.add_argument(
        "--folder", default=os.getcwd(), help="where to put the temporary files: on the disk to measure"
    )
    options = parser.parse_args(argv)
    options.only = NAMES if options.only is None else [name for name in options.only.split(",") if name]
    unknown = [name for name in options.only if name not in ROWS]
    if unknown or not options.only:
        parser.error(f"no row is called {', '.join(unknown) or 'nothing'}; there are {', '.join(NAMES)}")
    if not os.path.isdir(options.folder):
        parser.error(f"{options.folder} is not a folder")
    return options


def _measure(row: Row, folder: str, quick: bool, peers: str | None) -> Result:
    start = time.monotonic()
    figures: list[Figure] = []
    trouble = ""

    def say(text: str) -> None:
        print(f"[{time.monotonic() - start:5.1f} s] {row.name}: {text}", file=sys.stderr, flush=True)

    try:
        row.measure(Run(folder, quick, say, figures.append, peers))
    except (Unmeasurable, HubbubError, OSError) as error:
        trouble = f"{error}"
        say(f"not measured: {trouble}")
    return Result(row.name, row.sentence, tuple(figures), time.monotonic() - start, trouble)


def _machine(folder: str) -> dict[str, Any]:
    """What the figures depend on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "hubbub": hubbub.__version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": load,
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "folder": os.path.abspath(folder),
        "programs": [program.named for program in programs()],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _described(machine: dict[str, Any]) -> str:
    load = "" if machine["load"] is None else f" (load {machine['load']:.1f} before the run)"
    return (
        f"Hubbub {machine['hubbub']}, Python {machine['python']}, SQLite {machine['sqlite']}; "
        f"{machine['system']}, {machine['processors']} processors{load}; files in {machine['folder']}; "
        f"started as {' and '.join(machine['programs'])}."
    )


if __name__ == "__main__":
    sys.exit(main())
