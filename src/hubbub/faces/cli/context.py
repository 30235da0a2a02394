"""What a command is given: its arguments, its output, the bus and the agent it acts for."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from hubbub.errors import BusNotFound, HubbubError, NoAgentName, NotRegistered, UnknownAgent
from hubbub.faces.cli.failures import ConfirmationNeeded
from hubbub.text import safe_line

if TYPE_CHECKING:
    from argparse import Namespace

    from hubbub.bus import Bus
    from hubbub.faces.cli.output import Output
    from hubbub.location import Place
    from hubbub.model import Actor, Agent
    from hubbub.policy import Policy


CLIENT_MARKS = {
    "CLAUDECODE": ("claude", False),
    "CLAUDE_CODE_SESSION_ID": ("claude", True),
    "CODEX_THREAD_ID": ("codex", True),
    "GEMINI_CLI": ("gemini", False),
    "GEMINI_SESSION_ID": ("gemini", True),
    "OPENCODE": ("opencode", False),
}
"""Variables that clients set in their shells: of which client, and whether it is the id of its session."""


class Context:
    """One call of a command."""

    def __init__(self, arguments: Namespace, output: Output) -> None:
        self.arguments = arguments
        self.output = output
        self._bus: Bus | None = None
        self._place: Place | None = None
        self._of_shell: Agent | None = None
        self._looked = False
        self._told = False

    @property
    def place(self) -> Place:
        """Where the bus is and what named it. Raises InvalidBusUrl or InvalidConfig."""
        if self._place is None:
            from hubbub.location import find_bus

            self._place = find_bus(self.arguments.bus)
        return self._place

    @property
    def policy(self) -> Policy:
        """What the surroundings say about the gate and reminders. Raises InvalidBusUrl or InvalidConfig."""
        from hubbub.config import policy_here

        return policy_here(bus_named=self.place.source in ("--bus", "HUBBUB_BUS"))

    @property
    def bus(self) -> Bus:
        """The bus, opened when first asked for. Raises StoreError; BusNotFound when there is none yet."""
        return self.open_bus(create=False)

    def open_bus(self, *, create: bool) -> Bus:
        """The bus; with ``create`` it is made when there is none yet. Raises StoreError."""
        if self._bus is None:
            from hubbub.bus import Bus
            from hubbub.stores import open_store

            try:
                self._bus = Bus(open_store(self.place.url, create=create, policy=self.policy))
            except BusNotFound:
                path, source = safe_line(self.place.url), safe_line(self.place.source)
                raise BusNotFound(f"There is no bus at {path} yet (named by {source}).") from None
        return self._bus

    @property
    def named_agent(self) -> str | None:
        """The agent that ``--as`` or HUBBUB_AGENT names, if any. Raises InvalidName."""
        name = agent_name(self.arguments.as_agent)
        if name is None:
            return None
        from hubbub.names import check_name

        return check_name(name)

    @property
    def known_agent(self) -> str | None:
        """:attr:`named_agent`, else the agent of the client whose shell this is. Raises InvalidName."""
        return self.named_agent or self.agent_of_shell

    @property
    def agent_of_shell(self) -> str | None:
        """The agent as which the client that runs this command is on the bus; None where none is told, or
        in a shell of no client."""
        if not self._looked:
            self._looked = True
            told = clients_told()
            if told:
                from contextlib import suppress

                from hubbub.wake.hooks.identity import find_of_shell

                with suppress(HubbubError):  # what needs the bus says what is wrong with it
                    self._of_shell = find_of_shell(self.bus, told)
        return None if self._of_shell is None else self._of_shell.name

    @property
    def reader(self) -> str | None:
        """:attr:`known_agent`, which must be registered: a mistyped name would read as nobody.

        Raises:
            InvalidName: it can't be a name.
            NotRegistered: no agent has it.
        """
        name = self.known_agent
        if name is not None and self._of_shell is None:
            try:
                self.bus.store.agents.get(name)
            except UnknownAgent as unknown:
                raise NotRegistered(
                    f"{name} is not registered on this bus.",
                    hint=f"Make it known with: hubbub register {name}. {unknown.hint}",
                ) from None
        return name

    def check_reader(self) -> None:
        """Raise as :attr:`reader` does: for commands that answer everybody alike."""
        _ = self.reader

    @property
    def actor(self) -> Actor:
        """The agent to act for, beside whatever session holds its name.

        Raises:
            NoAgentName: neither ``--as`` nor HUBBUB_AGENT names one, nor does the client of this shell.
            InvalidName: it can't be a name.
        """
        name = self.known_agent
        if name is None:
            raise no_agent("This command acts for an agent, and none was named.")
        if self._of_shell is not None and not self.output.json and not self._told:
            from hubbub.faces.cli.output import complain

            self._told = True
            complain(f"(as {name})")
        return self.bus.agents.attach(name)

    def show(self, value: dict[str, Any], *lines: str) -> None:
        """Answer with ``value`` where JSON is wanted, else with ``lines``."""
        if self.output.json:
            self.output.answer(value)
        else:
            for line in lines:
                self.output.line(line)

    def done(self, value: dict[str, Any], *lines: str) -> None:
        """Answer as :meth:`show`, with what was changed: that is told even if the answer can't be written."""
        self.output.done = " ".join(lines)
        self.show(value, *lines)

    def confirm(self, what: str, undo: str = "This can't be undone") -> bool:
        """Ask a person on the terminal before ``what``; ``undo`` says whether it can be undone.

        Raises:
            ConfirmationNeeded: there is no terminal, and no ``--yes``.
        """
        if self.arguments.yes:
            return True
        if self.output.json or sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ConfirmationNeeded(f"{what} {undo}, and nobody is here to be asked.")
        sys.stderr.write(f"{what} {undo}. Go on? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def close(self) -> None:
        """Close the bus, if it was opened."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None


def agent_name(explicit: str | None) -> str | None:
    """The name given with ``--as``, else in HUBBUB_AGENT; unchecked."""
    return explicit if explicit is not None else os.environ.get("HUBBUB_AGENT") or None


def clients_told() -> dict[str, str]:
    """The clients that the environment speaks of, each with the id of its session or nothing."""
    told: dict[str, str] = {}
    for variable, (client, is_id) in CLIENT_MARKS.items():
        value = os.environ.get(variable)
        if value:
            told[client] = value if is_id else told.get(client, "")
    return told


def no_agent(what: str, *, hint: str | None = None) -> NoAgentName:
    """``what`` as an error with ``hint``; in a client's shell the hint is why its agent can't be told."""
    told = clients_told()
    if not told:
        return NoAgentName(what, hint=hint)
    clients = " and ".join(told)
    return NoAgentName(
        what,
        hint=f"Which agent {clients} is can't be told from this shell: its Hubbub server is not there, or on "
        "another bus. Pass --as NAME, or set HUBBUB_AGENT; hubbub who lists the names.",
    )
