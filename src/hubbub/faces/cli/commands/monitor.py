"""monitor: keep an agent online, and write a line for each of its messages to a log."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import TYPE_CHECKING

from hubbub.clock import to_iso
from hubbub.config import Config
from hubbub.errors import InvalidConfig, NoAgentName, NotRegistered, UnknownAgent
from hubbub.faces.cli.output import complain
from hubbub.location import split_url
from hubbub.names import check_name
from hubbub.text import safe_line
from hubbub.wake.monitor import Monitor, Taken
from hubbub.wake.notify import NotifyLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubbub.bus import Bus
    from hubbub.faces.cli.context import Context
    from hubbub.model_presence import Standing


def monitor(context: Context) -> int:
    """Stand by an agent until a signal ends it."""
    name = context.arguments.name or context.named_agent
    if name is None:
        raise NoAgentName("Whom to stand by was not said.", hint="Run: hubbub monitor NAME")
    check_name(name)
    # One bus has one file, whatever links lead to it.
    file = os.path.realpath(split_url(context.place.url)[1])
    log = _log(context, name, file)
    stop, stopped = _end_on_signals()
    beside = Monitor(
        _opener(context),
        file,
        name,
        log,
        stop=stop,
        complain=lambda text: complain(f"hubbub monitor: {text}"),
    )
    try:
        beside.begin()
        context.show(
            {"agent": name, "log": log.path, "pid": os.getpid(), "started": True},
            f"Stands by {name}; its messages are told in {safe_line(log.path)}",
        )
        context.output.flush()
        beside.run()
    except Taken as taken:
        _tell_of(context, name, taken.other)
        return 0
    except (UnknownAgent, NotRegistered) as error:
        raise NotRegistered(
            f"{name} is not registered on this bus.",
            hint=f"Make it known with: hubbub register {name}. {error.hint}".rstrip(),
        ) from None
    return 128 + stopped[0] if stopped else 0


def _opener(context: Context) -> Callable[[], Bus]:
    """What opens the bus, each time anew."""
    from hubbub.bus import Bus
    from hubbub.stores import open_store

    url, policy = context.place.url, context.policy
    return lambda: Bus(open_store(url, create=False, policy=policy))


def _log(context: Context, name: str, file: str) -> NotifyLog:
    config = Config(bus_named=context.place.source in ("--bus", "HUBBUB_BUS"))
    given: str | None = context.arguments.log
    path, folder = given, os.getcwd()
    if path is None and (found := config.find("monitor.log")) is not None:
        path = found.value
        folder = os.path.dirname(found.source) if os.path.isabs(found.source) else folder
    if path is None:
        return NotifyLog(f"{file}-notify/{name}.log", config.get("monitor.log_bytes"), make_all=False)
    path = os.path.join(folder, os.path.expanduser(path.replace("{agent}", name)))
    if path.endswith("/") or os.path.isdir(path):
        raise InvalidConfig(
            f"{path} is a folder: the notify log is a file.",
            hint='For example: monitor.log = "notify/{agent}.log"',
        )
    return NotifyLog(os.path.abspath(path), config.get("monitor.log_bytes"), make_all=True)


def _tell_of(context: Context, name: str, other: Standing) -> None:
    since, process = to_iso(other.since), safe_line(other.process)
    if context.output.answered:
        complain(f"hubbub monitor: another one stands by {name} now, process {process}.")
        return
    context.show(
        {"agent": name, "started": False, "holder": other._asdict()},
        f"Another monitor stands by {name} since {since}: process {process}.",
    )


def _end_on_signals() -> tuple[int, list[int]]:
    """Have SIGTERM, SIGINT and SIGHUP make a descriptor readable, and a list tell which came."""
    stopped: list[int] = []
    stop, wake = os.pipe()

    def note(number: int, frame: FrameType | None) -> None:
        if not stopped:
            os.write(wake, b"!")
        stopped.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    return stop, stopped
