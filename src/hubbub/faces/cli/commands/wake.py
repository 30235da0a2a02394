"""wake: give an agent that already runs a turn when mail waits, in tmux or by a program."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NoReturn

from hubbub.errors import InvalidArgument, NoAgentName
from hubbub.faces.cli.commands.run import opener
from hubbub.faces.cli.failures import Interrupted, UsageError
from hubbub.faces.cli.output import complain

if TYPE_CHECKING:
    from types import FrameType

    from hubbub.faces.cli.context import Context
    from hubbub.wake.ring_beside import Caller

TIMEOUT_MAX = 3600.0


def wake(context: Context) -> int:
    """Ring for an agent until ended."""
    given = context.arguments
    if bool(given.tmux) == bool(given.command):
        raise UsageError("Say how: --tmux PANE, or --command PROGRAM.", hint="Run: hubbub wake --help")
    if given.words and not given.command:
        raise UsageError("A program goes behind --command.", hint="Run: hubbub wake --help")
    if given.command and not given.words:
        raise UsageError(
            "--command needs a program.", hint="hubbub wake --command notify-send 'Mail for bob'"
        )
    if not 0 < given.timeout <= TIMEOUT_MAX:
        raise InvalidArgument(f"timeout must be more than 0 and at most {TIMEOUT_MAX:g} s.")
    caller = _caller(context)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    from hubbub.wake.ring_beside import ring_in_pane, run_for_mail

    if given.command:
        return run_for_mail(caller, given.words, given.timeout)
    return ring_in_pane(caller, given.tmux, given.profile)


def _caller(context: Context) -> Caller:
    from hubbub.wake.ring_beside import Caller

    name = context.named_agent
    if name is None:
        raise NoAgentName("This command acts for an agent, and none was named.")
    opened, once = opener(context), context.arguments.once
    return Caller(name, context.place.url, open_bus=opened, say=complain, once=once)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(number)
