"""run: an agent's program in a terminal of its own, woken when mail waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import NoAgentName
from hubbub.faces.cli.failures import UsageError
from hubbub.faces.cli.output import complain

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubbub.bus import Bus
    from hubbub.faces.cli.context import Context


def run(context: Context) -> int:
    """Run a program and ring in its terminal when mail waits; its exit status."""
    from hubbub.wake.profiles import choose, load, names

    given = context.arguments
    if given.list_profiles:
        context.show({"profiles": names()}, *names())
        return 0
    if not given.words:
        raise UsageError("Name the program to run.", hint="For example: hubbub run --as bob claude")
    name = _agent(context)
    profile = load(given.profile) if given.profile else choose(given.words[0], complain)
    from hubbub.wake.pty_run import wrap

    return wrap(given.words, name, context.place.url, profile, open_bus=opener(context), complain=complain)


def _agent(context: Context) -> str:
    name = context.named_agent
    if name is None:
        raise NoAgentName("This command acts for an agent, and none was named.")
    return name


def opener(context: Context) -> Callable[[], Bus]:
    """What opens the bus anew, on whatever thread, and makes it when there is none yet."""
    url = context.place.url

    def open_bus() -> Bus:
        from hubbub.bus import Bus
        from hubbub.stores import open_store

        return Bus(open_store(url, create=True, policy=context.policy))

    return open_bus
