"""``hubbub run``: an agent's program in a terminal of its own, with the bus beside it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from hubbub.errors import HubbubError
from hubbub.errors_wake import CommandNotFound, CommandNotRunnable, NoTerminal
from hubbub.wake.pty import Wrapper
from hubbub.wake.pty_spawn import Child, spawn
from hubbub.wake.pty_terminal import Terminal
from hubbub.wake.ring_mail import Beside, Mailbox

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.wake.profiles import Profile

SLOT = "wrapper"
HOW = "types into its terminal"
BUS_SECONDS = 1.0
"""How long the program's start may be held up by the bus."""


def wrap(
    command: list[str],
    agent: str,
    url: str,
    profile: Profile,
    *,
    open_bus: Callable[[], Bus],
    complain: Callable[[str], None],
) -> int:
    """Run ``command`` for ``agent``, ring when mail waits, and give its exit status.

    The program runs whatever becomes of the bus: ``complain`` is told once, before it starts, when the
    bus can't be had.

    Raises:
        CommandNotFound, CommandNotRunnable: it can't be run.
        NoTerminal: there is no terminal for it.
    """
    terminal = Terminal()
    environment = dict(os.environ) | {"HUBBUB_AGENT": agent, "HUBBUB_BUS": url}
    try:
        child = spawn(command, environment, terminal.size(), terminal.attributes)
    except OSError as error:
        terminal.close()
        raise NoTerminal(f"There is no terminal for {command[0]!a}: {error.strerror}.") from None
    mailbox = Mailbox(open_bus, Beside(agent, "wrapper", SLOT, HOW))
    mailbox.start()  # a thread: after the fork
    try:
        in_time = mailbox.begun(BUS_SECONDS)
        trouble = _trouble(mailbox, in_time)
        if trouble:
            complain(f"hubbub: {trouble}")
        status = Wrapper(child, terminal, profile, mailbox).run()
    finally:
        mailbox.stop()
    _check(child, command[0])
    return status


def _trouble(mailbox: Mailbox, in_time: bool) -> str:
    """Why nothing will ring for now, in a line; empty when all is well."""
    other, problem = mailbox.other, mailbox.problem
    if other is not None:
        return (
            f"another process (in {other.folder or '?'}) wraps this agent already; mail rings there. "
            "Give this one a name of its own with --as."
        )
    if problem is None and in_time:
        return ""
    why = "it is busy" if problem is None else _line(problem)
    return f"the bus can't be had ({why}); the program runs without it, and it is tried again."


def _line(problem: HubbubError) -> str:
    return f"{problem.message.rstrip('.')} [{problem.code}]"


def _check(child: Child, command: str) -> None:
    failure = child.failure
    if failure is None:
        return
    if failure.errno in (errno.ENOENT, errno.ENOTDIR):
        raise CommandNotFound(f"There is no program {command!a}.")
    raise CommandNotRunnable(f"{command!a} can't be run: {failure.strerror}.")
