"""hook: what a client's hooks run. See :mod:`hubbub.wake.hooks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context


def run(words: list[str]) -> int:
    """The exit status for the words of a command line without ``hook``. No parser is built: it would cost
    more than all else, at every tool call of every agent."""
    from hubbub.wake.hooks.entry import run

    return run(words)


def hook(context: Context) -> int:
    """The same from parsed arguments, for whoever calls it in this way."""
    given = context.arguments
    words = [given.client, *([given.event] if given.event else [])]
    words += [f"--bus={given.bus}"] if given.bus else []
    words += [f"--as={given.as_agent}"] if given.as_agent else []
    return run(words)
