"""Start a program in a terminal of its own.

Between this process and the program stands a small process that leads the terminal's session, as a shell
does. Without it the program's group would be an orphan, which the system never stops: Ctrl-Z would not
work. It tells when the program stops and ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import struct
import termios
from typing import Any

NOT_FOUND = 127
NOT_RUNNABLE = 126

Size = tuple[int, int]
"""Rows and columns."""


class Child:
    """A program in a terminal, as its owner sees it."""

    def __init__(self, pid: int, master: int, status: int, go: int) -> None:
        self._leader = pid
        self.master = master
        """The other end of its terminal."""
        self.status = status
        """Where :meth:`news` come from; readable when there are some."""
        self._go = go
        self._told = b""
        self.group = 0
        """The program's process group, once it runs."""
        self.stopped = False
        self.exit_status: int | None = None
        """What it ended with; 128 and the signal's number when one ended it."""
        self.failure: OSError | None = None
        """Why it could not be run."""

    def start(self) -> None:
        """Let the program run."""
        os.write(self._go, b"!")
        os.close(self._go)
        self._go = -1

    def news(self) -> None:
        """Take what the leader tells."""
        try:
            data = os.read(self.status, 4096)
        except BlockingIOError:
            return
        *lines, self._told = (self._told + data).split(b"\n")
        for line in lines:
            kind, value = line[:1], int(line[1:] or b"0")
            if kind == b"P":
                self.group = value
            elif kind == b"X":
                self.failure = OSError(value, os.strerror(value))
            elif kind == b"T":
                self.stopped = True
            elif kind == b"E":
                self.exit_status = os.waitstatus_to_exitcode(value)
                if self.exit_status < 0:
                    self.exit_status = 128 - self.exit_status
        if not data and self.exit_status is None:
            self.exit_status = 128 + signal.SIGKILL  # the leader itself was killed

    def signal(self, number: int) -> None:
        """Send a signal to the program and its group, and to what runs in the foreground."""
        for group in {self.group, self.foreground()} - {0, self._leader}:
            with contextlib.suppress(OSError):
                os.killpg(group, number)

    def foreground(self) -> int:
        """The process group that its terminal's keys go to; 0 when there is none."""
        with contextlib.suppress(OSError, struct.error):
            return int(struct.unpack("i", fcntl.ioctl(self.master, termios.TIOCGPGRP, b"\0" * 4))[0])
        return 0

    def resume(self) -> None:
        """Let it go on after it was stopped."""
        self.stopped = False
        self.signal(signal.SIGCONT)

    def resize(self, size: Size) -> None:
        """Tell it the size of the terminal."""
        set_size(self.master, size)

    def close(self) -> None:
        """Hang up, and collect the leader."""
        for descriptor in (self.master, self.status, self._go):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self.status = self._go = -1
        with contextlib.suppress(OSError):
            os.waitpid(self._leader, 0)


def spawn(
    arguments: list[str], environment: dict[str, str], size: Size, attributes: list[Any] | None
) -> Child:
    """Make the terminal and what leads it; the program runs when :meth:`Child.start` is called.

    Threads must not have been started before.

    Args:
        arguments: The program, looked for on the path, and its arguments.
        environment: Its environment.
        size: Of its terminal.
        attributes: How its terminal is set, as ``termios.tcgetattr`` has it.

    Raises:
        OSError: no terminal or no process is to be had.
    """
    master, slave = os.openpty()
    set_size(slave, size)
    if attributes is not None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(slave, termios.TCSANOW, attributes)
    status, tell = os.pipe()
    wait, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for descriptor in (master, status, go):
                os.close(descriptor)
            _lead(slave, wait, tell, arguments, environment)
        finally:
            os._exit(NOT_RUNNABLE)
    for descriptor in (slave, tell, wait):
        os.close(descriptor)
    os.set_blocking(master, False)
    os.set_blocking(status, False)
    return Child(pid, master, status, go)


def set_size(descriptor: int, size: Size) -> None:
    """Set a terminal's size."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


def _lead(slave: int, wait: int, tell: int, arguments: list[str], environment: dict[str, str]) -> None:
    """What the leader does. It returns never, or with an error that nobody can be told of."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(slave, descriptor)
    if slave > 2:
        os.close(slave)
    if not os.read(wait, 1):
        os._exit(0)  # its owner went away before
    os.close(wait)
    for number in (
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGTERM,
    ):
        signal.signal(number, signal.SIG_IGN)
    worker = os.fork()
    if worker == 0:
        _work(tell, arguments, environment)
    with contextlib.suppress(OSError):
        os.setpgid(worker, worker)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, worker)
    os.write(tell, b"P%d\n" % worker)
    while True:
        _, status = os.waitpid(worker, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.write(tell, b"T\n")
        else:
            os.write(tell, b"E%d\n" % status)
            os._exit(0)


def _work(tell: int, arguments: list[str], environment: dict[str, str]) -> None:
    """Become the program."""
    try:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        for number in (
            *(signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGTERM),
            *(signal.SIGPIPE, signal.SIGXFSZ),
        ):
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(arguments[0], arguments, environment)
    except OSError as error:
        os.write(tell, b"X%d\n" % (error.errno or errno.ENOENT))
        os._exit(NOT_FOUND if error.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_RUNNABLE)
    finally:
        os._exit(NOT_RUNNABLE)
