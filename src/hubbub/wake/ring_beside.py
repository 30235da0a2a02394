"""``hubbub wake``: beside an agent that runs already, ring in its pane of tmux or run a program for it."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hubbub.clock import spoken
from hubbub.errors_wake import AlreadyBeside
from hubbub.wake.command import run_once
from hubbub.wake.profiles import choose, load
from hubbub.wake.ring import Outcome, Ringer, Waiting
from hubbub.wake.ring_mail import Beside, Mailbox
from hubbub.wake.tmux import Pane, find, program

if TYPE_CHECKING:
    from hubbub.bus import Bus

LOOK_SECONDS = 0.25
"""How often a pane is looked at while there is something to ring for."""

ALONE_SECONDS = 10.0
"""How often it is looked whether the pane is still there when there is nothing."""

BUS_SECONDS = 10.0
AGAIN_SECONDS = (5.0, 10.0, 30.0, 60.0, 300.0)
"""After how long a program that failed is run again for the same mail."""


class Caller:
    """What ``hubbub wake`` was asked to do, and where to say what goes on."""

    def __init__(
        self,
        agent: str,
        url: str,
        *,
        open_bus: Callable[[], Bus],
        say: Callable[[str], None],
        once: bool = False,
    ) -> None:
        self.agent, self.url, self.open_bus, self.say, self.once = agent, url, open_bus, say, once

    def stand(self, kind: str, slot: str, how: str) -> Mailbox:
        """Begin to stand by the agent.

        Raises:
            AlreadyBeside: another process does that already.
            HubbubError: the bus can't be had, and why.
        """
        mailbox = Mailbox(self.open_bus, Beside(self.agent, kind, slot, how))
        mailbox.start()
        mailbox.begun(BUS_SECONDS)
        other, problem = mailbox.other, mailbox.problem
        if other is not None or problem is not None:
            mailbox.stop()
        if problem is not None:
            raise problem
        if other is not None:
            since = spoken(max(0, int(time.time() * 1000) - other.since))
            raise AlreadyBeside(
                f"Another process has done this for {self.agent} for {since}: {other.slot}, "
                f"in {other.folder or '?'}.",
                hint=f"See it with: hubbub who. Its process: {''.join(other.process.split('/')[2:3])}",
            )
        return mailbox


def ring_in_pane(caller: Caller, target: str, profile: str | None) -> int:
    """Ring in a pane of tmux until it is gone; 0.

    Raises:
        PaneNotFound: there is no such pane, or no longer.
        TmuxUnavailable, AlreadyBeside, InvalidConfig: as they say.
    """
    chosen = load(profile) if profile else choose(program(find(target)), caller.say)
    pane = Pane(target, chosen)
    ringer = Ringer(chosen, pane.keys)
    mailbox = caller.stand("tmux", f"tmux {pane.id}", f"types into tmux {pane.id}")
    caller.say(f"Ringing for {caller.agent} in tmux pane {pane.id} ({chosen.name}). Ctrl-C ends.")
    looked, rang = float("-inf"), ""
    try:
        while not (caller.once and ringer.rings):
            now = time.monotonic()
            ringer.mail(mailbox.take())
            busy = ringer.due or ringer.active
            if now - looked >= (LOOK_SECONDS if busy else ALONE_SECONDS):
                pane.refresh(now)
                looked = now
                ringer.output(pane.output_at)
                ringer.step(now, pane)
            for outcome in ringer.outcomes:
                mailbox.woke(outcome)
                caller.say(f"{time.strftime('%H:%M:%S')} {outcome.what}")
                rang = time.strftime("rang %H:%M") if outcome.worked else rang
            ringer.outcomes.clear()
            mailbox.tell(ringer.state or rang or "no mail waits", pane.output_at if looked > 0 else now)
            _wait(mailbox, looked + (LOOK_SECONDS if busy else ALONE_SECONDS) - time.monotonic())
    finally:
        mailbox.stop()
    return 0


def run_for_mail(caller: Caller, command: list[str], timeout: float) -> int:
    """Run a program for each batch of mail, until interrupted.

    Raises:
        CommandNotFound, CommandNotRunnable: it can't be run.
        AlreadyBeside: another process does this for the agent.
    """
    name = os.path.basename(command[0])
    environment = dict(os.environ) | {"HUBBUB_AGENT": caller.agent, "HUBBUB_BUS": caller.url}
    mailbox = caller.stand("command", "command", f"runs {name}")
    caller.say(f"Running {name} when mail comes for {caller.agent}. Ctrl-C ends.")
    done, failures, again = 0, 0, float("-inf")
    state = "no mail waits"
    try:
        while True:
            waiting = mailbox.take()
            now = time.monotonic()
            due = waiting.total > 0 and waiting.fresh > done
            if due and now >= again:
                problem = run_once(command, waiting, environment, timeout)
                mailbox.woke(Outcome(not problem, problem or "ran", waiting.newest))
                done, failures = (done, failures + 1) if problem else (waiting.fresh, 0)
                again = (
                    time.monotonic() + AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS)) - 1]
                    if problem
                    else now
                )
                state = f"failed: {problem}" if problem else time.strftime("ran %H:%M")
                caller.say(f"{time.strftime('%H:%M:%S')} {_told(waiting)}: {problem or 'ran'}")
                if caller.once:
                    return 1 if problem else 0
                continue
            mailbox.tell(state, now)
            _wait(mailbox, again - now if due else 3600.0)
    finally:
        mailbox.stop()


def _told(waiting: Waiting) -> str:
    return f"{waiting.total} message{'' if waiting.total == 1 else 's'}"


def _wait(mailbox: Mailbox, seconds: float) -> None:
    """Wait until there is news of mail, at most so long."""
    poll = select.poll()
    poll.register(mailbox.fileno(), select.POLLIN)
    poll.poll(max(0.0, seconds) * 1000)
