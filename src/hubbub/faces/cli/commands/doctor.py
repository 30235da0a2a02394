"""doctor: is the bus sound, are its surroundings, and what to do where they are not."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from hubbub.errors import EXIT_PERSON, BusBusy, BusUnusable, HubbubError
from hubbub.faces.cli import render
from hubbub.faces.cli.commands import rights
from hubbub.faces.cli.context import agent_name
from hubbub.location import split_url
from hubbub.text import safe_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubbub.faces.cli.context import Context

OK, WARNING, PROBLEM = "ok", "warning", "problem"

SPACE_LOW = 100 << 20
SPACE_OUT = 10 << 20

TURN_MS = 2_000
"""How long a turn to write may take to come; a busy bus gives one within milliseconds."""

SOUND_SQLITE = (3, 51, 3)
"""Older ones can damage a database that several processes write and checkpoint (the WAL-reset bug)."""


class Finding(NamedTuple):
    """What one check found."""

    check: str
    level: str
    found: str
    fix: str = ""


def doctor(context: Context) -> int:
    """Run every check; a problem needs a person."""
    findings = [*_findings(context), *_clients()]
    level = max((finding.level for finding in findings), key=(OK, WARNING, PROBLEM).index)
    if context.output.json:
        context.output.answer({"result": level, "checks": [_as_dict(finding) for finding in findings]})
    else:
        for finding in findings:
            _show(context, finding)
    return EXIT_PERSON if level == PROBLEM else 0


def _findings(context: Context) -> Iterator[Finding]:
    yield from _surroundings()
    try:
        place = context.place
    except HubbubError as error:
        yield Finding("bus", PROBLEM, error.message, error.hint)
        return
    yield Finding("bus", OK, f"{place.url}, named by {place.source}")
    path = split_url(place.url)[1]
    yield from _space(path)
    outside = _not_a_bus(path)
    if outside is not None:
        yield outside
        return
    checks: list[Callable[[Context], Iterator[Finding]]] = [
        _config,
        _engine,
        _rights,  # only here: what did not open as a bus is none of ours
        _writers,
        _integrity,
        _sessions,
        _mail,
        _agent,
        _bells,
        _waking,
    ]
    for check in checks:
        try:
            yield from check(context)
        except HubbubError as error:
            yield Finding(check.__name__.strip("_"), PROBLEM, error.message, error.hint)
            return  # the bus can't be used: the other checks would say the same


def _surroundings() -> Iterator[Finding]:
    import platform

    from hubbub import __version__

    yield Finding(
        "program", OK, f"Hubbub {__version__}, Python {platform.python_version()}, {platform.system()}"
    )


def _not_a_bus(path: str) -> Finding | None:
    """What to say of a path that must not even be opened, since no bus can be there yet."""
    if not os.path.exists(path):
        return _absent(path)
    state = os.stat(path)
    if not stat.S_ISREG(state.st_mode):
        found = f"{path} is not a regular file: no bus can be kept there."
        return Finding("file", PROBLEM, found, BusUnusable.default_hint)
    if state.st_size == 0:
        return Finding("file", WARNING, f"{path} is empty: no bus yet.", "Start with: hubbub register NAME")
    return None


def _absent(path: str) -> Finding:
    folder = _nearest_folder(path)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        found = f"{path} does not exist and can't be made in {folder}."
        return Finding("file", PROBLEM, found, "Name a file in a folder that your user may write.")
    return Finding("file", WARNING, f"{path} does not exist yet.", "Start with: hubbub register NAME")


def _nearest_folder(path: str) -> str:
    """The folder of ``path``, or what there is of the way to it."""
    folder = os.path.dirname(path)
    while not os.path.lexists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _space(path: str) -> Iterator[Finding]:
    folder = _nearest_folder(path)
    try:
        disk = os.statvfs(folder)
    except (OSError, AttributeError) as error:
        yield Finding("disk", WARNING, f"The free space of {folder} is not known: {error}", "")
        return
    free = disk.f_bavail * disk.f_frsize
    level = OK if free >= SPACE_LOW else WARNING if free >= SPACE_OUT else PROBLEM
    fix = "" if level == OK else "Free some space: a send is refused when the disk is full."
    yield Finding("disk", level, f"{render.size(free)} free", fix)


def _config(context: Context) -> Iterator[Finding]:
    """What is configured in vain; where all of it means something, nothing is said."""
    from hubbub.faces.cli.commands.config import read, said_in_vain

    for text in said_in_vain(*read(context)):
        yield Finding("config", WARNING, text, "See: hubbub config")


def _engine(context: Context) -> Iterator[Finding]:
    info = context.bus.info()
    found = f"{info.engine}, format {info.format}, {render.size(info.bytes)}"
    name, _, version = info.engine.partition(" ")
    parts = tuple(int(part) for part in version.split(".") if part.isdigit())
    if name == "SQLite" and parts < SOUND_SQLITE:
        fix = "Upgrade apsw: this SQLite can damage a file that several processes write."
        yield Finding("engine", PROBLEM, found, fix)
    else:
        yield Finding("engine", OK, found)


def _rights(context: Context) -> Iterator[Finding]:
    # The store keeps its other files beside the file itself, whatever links lead to it.
    path = os.path.realpath(split_url(context.place.url)[1])
    for level, found, fix in rights.check(path, mend=context.arguments.fix):
        yield Finding("rights", level, found, fix)


def _writers(context: Context) -> Iterator[Finding]:
    """Take one turn at writing that changes nothing: whoever holds it long stops all others."""
    from hubbub.stores import open_store

    path = split_url(context.place.url)[1]
    try:
        store = open_store(context.place.url, create=False, busy_timeout_ms=TURN_MS)
        try:
            store.agents.end_session("doctor-looks", "")  # there is no such session
        finally:
            store.close()
    except BusBusy:
        raise BusBusy(
            f"No turn to write came in {TURN_MS / 1000:g} s: another process holds it.",
            hint=f"Find a stopped or hung one with: fuser -v {path} {path}-queue"
            " - then let it go on (kill -CONT PID) or end it (kill -KILL PID; nothing is lost).",
        ) from None
    yield Finding("writers", OK, "a turn to write comes at once")


def _integrity(context: Context) -> Iterator[Finding]:
    problems = context.bus.check()
    for problem in problems:
        level = PROBLEM if problem.severity == "error" else WARNING
        yield Finding("integrity", level, problem.what, problem.fix)
    if not problems:
        yield Finding("integrity", OK, "what is stored is whole")


def _sessions(context: Context) -> Iterator[Finding]:
    before = {agent.name for agent in context.bus.store.agents.all() if agent.session is not None}
    agents = context.bus.agents.all()  # ends the sessions of processes that are gone
    online = [agent.name for agent in agents if agent.session is not None]
    gone = sorted(before - set(online))
    if gone:
        yield Finding(
            "sessions", WARNING, f"ended: the process is gone of {', '.join(gone)}", "Nothing to do."
        )
    yield Finding("agents", OK, f"{len(agents)} registered, online: {', '.join(online) or 'none'}")


def _mail(context: Context) -> Iterator[Finding]:
    agents = context.bus.agents.all()
    dead = sum(agent.dead for agent in agents)
    if dead:
        yield Finding("mail", WARNING, render.plural(dead, "dead letter"), "Look at them with: hubbub dead")
    full = [agent.name for agent in agents if agent.queued + agent.leased >= agent.inbox_limit]
    if full:
        fix = "Sends to these are refused until they read their mail."
        yield Finding("mail", WARNING, f"full: the inbox of {', '.join(full)}", fix)
    if not dead and not full:
        yield Finding("mail", OK, "no dead letters, no full inbox")


def _agent(context: Context) -> Iterator[Finding]:
    given = agent_name(context.arguments.as_agent)
    if given is None and context.agent_of_shell is not None:
        yield Finding("agent", OK, f"acting for {context.agent_of_shell}, the agent of this shell's client")
        return
    if given is None:
        yield Finding("agent", OK, "HUBBUB_AGENT is not set: commands that act for an agent need --as NAME")
        return
    try:
        context.bus.agents.get(given)
    except HubbubError as error:
        fix = error.hint if error.code == "INVALID_NAME" else f"Register it: hubbub register {given}"
        yield Finding("agent", PROBLEM, f"HUBBUB_AGENT or --as: {error.message}", fix)
        return
    yield Finding("agent", OK, f"acting for {given}")


def _bells(context: Context) -> Iterator[Finding]:
    with context.bus.store.bell("events") as bell:
        wakes = bell.fileno() >= 0
        bell.poke()
        rang = bell.wait(2)
    if wakes and rang:
        yield Finding("bells", OK, "a waiter is woken at once")
    else:
        fix = "Waiting works, but later: let this user create sockets beside the bus."
        yield Finding("bells", WARNING, "no socket can be had to wake a waiter", fix)


def _waking(context: Context) -> Iterator[Finding]:
    from hubbub.faces.cli.commands.doctor_clients import waking

    for level, found, fix in waking(context):
        yield Finding("waking", level, found, fix)


def _clients() -> Iterator[Finding]:
    """These do not need the bus."""
    from hubbub.faces.cli.commands.doctor_clients import clients, profiles

    for level, found, fix in profiles():
        yield Finding("profiles", level, found, fix)
    try:
        for level, found, fix in clients():
            yield Finding("clients", level, found, fix)
    except HubbubError as error:
        yield Finding("clients", PROBLEM, error.message, error.hint)


def _show(context: Context, finding: Finding) -> None:
    colours = {OK: "green", WARNING: "yellow", PROBLEM: "red"}
    output = context.output
    mark = output.styled(f"{finding.level:<8}", colours[finding.level])
    output.line(f"{mark} {finding.check:<10} {safe_line(finding.found)}")
    if finding.fix:
        output.line(f"{'':<8} {'':<10} -> {safe_line(finding.fix)}")


def _as_dict(finding: Finding) -> dict[str, str]:
    shown = finding._asdict()
    if not finding.fix:
        del shown["fix"]
    return shown
