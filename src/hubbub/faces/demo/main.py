"""``hubbub demo``."""

from __future__ import annotations

import sys
import tempfile
import time

from hubbub.errors import DemoUnavailable


def run(argv: list[str]) -> int:
    """Play the demonstration; 0 when all went as it should.

    Raises:
        DemoUnavailable: the official MCP client is not installed.
    """
    keep = "--keep" in argv
    try:
        import asyncio

        from hubbub.faces.demo.play import play
        from hubbub.faces.demo.stage import DemoFailed, Stage
    except ImportError as error:
        raise DemoUnavailable(
            f"The demonstration drives the servers with the official MCP client: {error}.",
        ) from None
    from hubbub.bus import Bus
    from hubbub.config import policy_here
    from hubbub.stores import open_store

    folder = tempfile.mkdtemp(prefix="hubbub-demo-")
    url = f"sqlite://{folder}/bus.db"
    print("Two agents, each with its own MCP server process, and a person on the command line.")
    print(f"Their bus: {url}\n")
    print(f"{'at':>9} {'hand-over':>11}  who      what", flush=True)
    began = time.monotonic()
    try:
        with Bus(open_store(url, policy=policy_here(bus_named=True))) as bus:
            stage = Stage(bus, url)
            asyncio.run(play(stage))
    except DemoFailed as error:
        print(f"\nFAILED: {error}\nThe bus is kept for a look: {url}", file=sys.stderr)
        return 1
    _finish(folder, url, keep, stage.hand_overs, time.monotonic() - began)
    return 0


def _finish(folder: str, url: str, keep: bool, hand_overs: list[float], seconds: float) -> None:
    import shutil

    middle, count = sorted(hand_overs)[len(hand_overs) // 2], len(hand_overs)
    print(f"\nAll went as it should, in {seconds:.1f} s.")
    print(f"{count} hand-overs between running servers, the median one in {middle:.1f} ms.")
    if keep:
        print(f"The bus is kept. Look at it with:  hubbub --bus {url} log")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        print("hubbub demo --keep leaves the bus for a look.")
