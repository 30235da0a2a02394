"""Commands that hand over to another face or program; those are loaded only then."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubbub.faces.cli.output import complain

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context


def mcp(context: Context) -> int:
    """``hubbub mcp``: serve one agent on standard input and output."""
    from hubbub.faces.mcp.main import serve

    given = context.arguments
    if sys.stdin is not None and sys.stdin.isatty():
        complain(
            "hubbub mcp speaks JSON-RPC with the client that starts it, not with a person: register it with "
            "your client (hubbub setup). Waiting for JSON on standard input; Ctrl-C ends."
        )
    return serve(
        bus_url=context.place.url,
        agent=context.named_agent,
        tools=given.tools,
        era=given.era,
        policy=context.policy,
    )


def demo(context: Context) -> int:
    """``hubbub demo``: agents exchange work on a bus of their own."""
    from hubbub.faces.demo.main import run

    return run(["--keep"] if context.arguments.keep else [])
