"""A program in a terminal of its own, between it and the person: every byte goes through as it is, and a
line is put in between when mail waits and nothing stands in the way.

One loop serves both sides. Neither is waited for: what one side does not take yet is kept, and the
other is read no further until it is taken.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import termios
import time

from hubbub.wake.foreground import is_shell
from hubbub.wake.profiles import Look, Profile, look
from hubbub.wake.pty_backlog import Backlog
from hubbub.wake.pty_keys import Keys
from hubbub.wake.pty_spawn import Child
from hubbub.wake.pty_terminal import Terminal, undoing
from hubbub.wake.ring import Ringer
from hubbub.wake.ring_mail import Mailbox

OUT_MAX = 1 << 18
IN_MAX = 1 << 16
READ_MAX = 1 << 16
DRAIN_SECONDS = 0.2
"""A program that ended has written all; this is how long its last output may take to come through."""

DRAIN_MOST_SECONDS = 2.0
"""The same where something that the program left running goes on writing."""

ENDING = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT))
"""Signals that end the wrapper once its program has ended."""

HANG_UP_SECONDS = 5.0
"""How long a program may take to end after its terminal has gone."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_OWN = (signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP)


class Wrapper:
    """Serves one program until it ends."""

    def __init__(self, child: Child, terminal: Terminal, profile: Profile, mailbox: Mailbox) -> None:
        self._child, self._terminal, self._mailbox = child, terminal, mailbox
        self._profile = profile
        self._keys = Keys(profile.clear_keys)
        self._ringer = Ringer(profile, self._keys)
        self._backlog = Backlog(terminal.size())
        self._out, self._in = bytearray(), bytearray()
        self._source_open = self._target_open = True
        self._source_ends = stat.S_ISFIFO(mode := os.fstat(terminal.source).st_mode) or stat.S_ISREG(mode)
        self._line_open = False
        """Bytes behind the last line feed went to the program."""
        self._signals, self._signalled = os.pipe()
        self._before: dict[int, object] = {}
        self._give_up_at = float("inf")
        self._told_to_end = False
        """A signal came after the program had ended."""
        self._notice = ""
        self._rang_at = ""
        self._began = time.monotonic()

    def run(self) -> int:
        """Serve it; its exit status, 128 and the signal's number when a signal ended it."""
        self._watch_signals()
        self._terminal.raw()
        try:
            self._child.start()
            while self._child.exit_status is None and time.monotonic() < self._give_up_at:
                self._turn()
            self._ringer.end(time.monotonic())
            self._tell(time.monotonic())
            self._drain()
            self._tidy()
        finally:
            self._terminal.restore()
            self._forget_signals()
            self._child.close()
            self._terminal.close()
        return 128 + signal.SIGHUP if self._child.exit_status is None else self._child.exit_status

    # --- the loop ------------------------------------------------------------------------------

    def _turn(self) -> None:
        now = time.monotonic()
        again = self._ringer.step(now, self)
        self._tell(now)
        if self._backlog.behind:
            again = now
        timeout = min(30.0, self._give_up_at - now, 30.0 if again is None else again - now)
        ready = self._wait(max(0.0, timeout))
        if not ready:
            self._backlog.catch_up()
        if self._signals in ready:
            self._take_signals()
        if self._terminal.source in ready:
            self._from_person()
        if self._child.master in ready:
            self._from_program()
        if self._mailbox.fileno() in ready:
            self._ringer.mail(self._mailbox.take())
        if self._child.status in ready:
            self._child.news()
        if self._child.stopped:
            self._suspend()
        self._pass_on()

    def _wait(self, timeout: float) -> set[int]:
        """Descriptors that can be read, or written where something is to be."""
        poll = select.poll()
        masks: dict[int, int] = {}
        for descriptor in (self._signals, self._child.status, self._mailbox.fileno()):
            masks[descriptor] = select.POLLIN
        if self._source_open and len(self._in) < IN_MAX:
            masks[self._terminal.source] = select.POLLIN
        if len(self._out) < OUT_MAX:
            masks[self._child.master] = select.POLLIN
        if self._in:
            masks[self._child.master] = masks.get(self._child.master, 0) | select.POLLOUT
        if self._out and self._target_open:
            out = self._terminal.out
            masks[out] = masks.get(out, 0) | select.POLLOUT
        for descriptor, mask in masks.items():
            poll.register(descriptor, mask)
        found = poll.poll(timeout * 1000)
        return {each for each, event in found if event & (select.POLLIN | select.POLLHUP | select.POLLERR)}

    def _from_person(self) -> None:
        try:
            data = os.read(self._terminal.source, READ_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._source_gone()
            return
        self._in += data
        self._line_open = not data.endswith((b"\n", b"\r"))
        now = time.monotonic()
        # A key that answers a dialog is not typed at the prompt.
        self._keys.feed(data, now, dialog=self._ringer.due and self.look("").dialog)

    def _source_gone(self) -> None:
        self._source_open = False
        if self._terminal.is_terminal:
            self._hang_up()
        elif self._source_ends:
            with contextlib.suppress(termios.error):
                attributes = termios.tcgetattr(self._child.master)
                if attributes[3] & termios.ICANON:
                    # Within a line the first only ends what was read of it.
                    self._in += attributes[6][termios.VEOF] * (2 if self._line_open else 1)

    def _from_program(self) -> bool:
        """Take what the program wrote; False when it writes no more."""
        try:
            data = os.read(self._child.master, READ_MAX)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        if self._target_open:
            self._out += data
        self._backlog.add(data)
        self._ringer.output(time.monotonic())
        return True

    def _pass_on(self) -> None:
        """Write what is to be written, as far as it is taken."""
        if self._in:
            with contextlib.suppress(BlockingIOError, OSError):
                del self._in[: os.write(self._child.master, self._in)]
        if self._out and self._target_open:
            try:
                with memoryview(self._out) as data:
                    count = self._terminal.write(data)
                del self._out[:count]
            except OSError:
                self._target_open = False
                self._out.clear()
                self._hang_up()

    def _hang_up(self) -> None:
        """The terminal has gone: the program is told, and has a while to end."""
        if self._give_up_at == float("inf"):
            self._give_up_at = time.monotonic() + HANG_UP_SECONDS
            self._child.signal(signal.SIGHUP)
            self._child.signal(signal.SIGCONT)

    def _drain(self) -> None:
        """Hand over what the program wrote before it ended. What it left running may write for ever: that
        is not waited for, and a signal ends it, too."""
        end = time.monotonic() + DRAIN_MOST_SECONDS
        last = time.monotonic()
        more = True
        while self._target_open and not self._told_to_end and (more or self._out):
            left = min(last + DRAIN_SECONDS, end) - time.monotonic()
            ready = self._wait(max(0.0, left) if not self._out else 1.0)
            if self._signals in ready and ENDING.intersection(os.read(self._signals, 512)):
                self._told_to_end = True
            if more and self._child.master in ready:
                more = self._from_program() and time.monotonic() < end
                last = time.monotonic()
            elif left <= 0:
                more = False
            if not more and not self._out:
                break
            self._in.clear()
            self._source_open = False
            self._pass_on()
            if not more:
                self._flush()

    def _flush(self) -> None:
        """Write what is left, as long as somebody reads it or may yet. Once a signal came only what goes
        without waiting."""
        poll = select.poll()
        poll.register(self._terminal.out, select.POLLOUT)
        poll.register(self._signals, select.POLLIN)
        while self._out and self._target_open:
            ready = {each for each, _ in poll.poll(0 if self._told_to_end else 1000)}
            if self._signals in ready and ENDING.intersection(os.read(self._signals, 512)):
                self._told_to_end = True
            if self._terminal.out in ready:
                self._pass_on()
            elif self._told_to_end:
                return

    def _tidy(self) -> None:
        """Take back the title, and what a killed program left switched on."""
        if not (self._terminal.shows and self._target_open):
            return
        self._show("")
        status = self._child.exit_status
        if status is None or status > 128:
            screen = self._backlog.screen()
            self._out += undoing(screen.modes, screen.cursor_hidden)
        self._flush()

    # --- ringing: what hubbub.wake.ring.Terminal asks for ------------------------------------------

    def look(self, own: str) -> Look:
        """What the program's screen shows."""
        screen = self._backlog.screen()
        if self._backlog.unknown:
            return Look(False, False, None)
        if not (self._profile.shows_text or self._profile.plain or screen.bracketed_paste):
            # Any question ends in a letter of a prompt; who edits lines for an agent wants pastes marked.
            return Look(False, False, None)
        seen = look(self._profile, screen.view(), own)
        if seen.text is not None and not self._profile.shell and is_shell(self._child.foreground()):
            return seen._replace(shell=True)
        return seen

    def still(self) -> bool:
        """Whether nothing is on its way in either direction."""
        if self._in or self._backlog.size:
            return False
        poll = select.poll()
        poll.register(self._child.master, select.POLLIN)
        if self._source_open:
            poll.register(self._terminal.source, select.POLLIN)
        return not poll.poll(0)

    def write(self, line: str) -> None:
        """Put a line at the prompt."""
        data = line.encode()
        if self._backlog.screen().bracketed_paste:
            data = b"\x1b[200~" + data + b"\x1b[201~"
        self._in += data
        self._pass_on()

    def enter(self) -> None:
        """Press Enter."""
        self._in += b"\r"
        self._pass_on()

    def _tell(self, now: float) -> None:
        """Say in the bus and in the terminal's title what goes on."""
        ringer = self._ringer
        for outcome in ringer.outcomes:
            self._mailbox.woke(outcome)
            if outcome.worked:
                self._rang_at = time.strftime("rang %H:%M")
        ringer.outcomes.clear()
        active = max(self._began, self._keys.touched_at, ringer.output_at)
        self._mailbox.tell(ringer.state or self._rang_at or "no mail waits", active)
        notice = ringer.notice(now)
        if notice != self._notice and self._terminal.shows:
            self._show(notice)

    def _show(self, notice: str) -> None:
        """Show something in the title, or with nothing put back what was there."""
        if self._notice == notice or (notice and not self._backlog.screen().between_sequences):
            return
        title = self._backlog.screen().title
        if notice:
            self._out += (b"" if self._notice else b"\x1b[22;2t") + b"\x1b]2;" + notice.encode() + b"\x07"
        else:
            self._out += b"\x1b[23;2t" + (b"\x1b]2;" + title.encode() + b"\x07" if title else b"")
        self._notice = notice

    # --- signals ------------------------------------------------------------------------------------

    def _watch_signals(self) -> None:
        os.set_blocking(self._signals, False)
        os.set_blocking(self._signalled, False)
        for number in (*FORWARDED, *_OWN):
            if signal.getsignal(number) is signal.SIG_IGN and number == signal.SIGHUP:
                continue  # nohup
            self._before[number] = signal.signal(number, lambda number, frame: None)
        self._old_wakeup = signal.set_wakeup_fd(self._signalled, warn_on_full_buffer=False)

    def _forget_signals(self) -> None:
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._signals)
        os.close(self._signalled)

    def _take_signals(self) -> None:
        for number in dict.fromkeys(os.read(self._signals, 512)):
            if number == signal.SIGWINCH:
                self._resize()
            elif number == signal.SIGCONT:
                self._terminal.raw()
                self._resize()
            elif number == signal.SIGHUP and self._terminal.is_terminal:
                self._hang_up()
            else:
                self._child.signal(number)

    def _resize(self) -> None:
        size = self._terminal.size()
        self._backlog.resize(size)
        self._child.resize(size)

    def _suspend(self) -> None:
        """The program was stopped: stop, too, as one job of the person's shell."""
        self._terminal.restore()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        # Where nobody could let it go on again the system does not stop it, and no sign comes.
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        poll.poll(200)
        signal.signal(signal.SIGTSTP, lambda number, frame: None)
        self._terminal.raw()
        self._resize()
        self._child.resume()
