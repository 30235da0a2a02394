"""What is configured, by the environment and by the nearest ``.hubbub.toml``.

Nothing here reads the bus; :class:`hubbub.bus.settings.Settings` does. A command must start fast: a file is
only parsed where there is one.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NoReturn

from hubbub.config_keys import BY_NAME, KEYS, checked, from_text
from hubbub.errors import InvalidConfig
from hubbub.names import nearest
from hubbub.policy import Policy

FILE_NAME = ".hubbub.toml"
FILE_MAX = 1 << 20
"""Bytes of a configuration file at most."""


class Found:
    """A value and where it comes from."""

    __slots__ = ("source", "value")

    def __init__(self, value: Any, source: str) -> None:
        self.value = value
        self.source = source


class Config:
    """What the environment and the nearest file say, checked."""

    __slots__ = ("file", "in_env", "in_file", "unused")

    def __init__(self, folder: str | None = None, *, bus_named: bool = False) -> None:
        """Read both, the file from ``folder`` upwards, by default the current one.

        ``bus_named``: the bus is named already, so that another user's file is not refused but left alone.

        Raises:
            InvalidConfig: one of them says what can't be understood.
        """
        self.in_env = {
            # What is wrong with the name of a bus or an agent is told by what needs it.
            key.name: text if key.name in ("bus", "agent") else from_text(key, text, key.env)
            for key in KEYS
            if (text := os.environ.get(key.env))
        }
        self.file = find_file(folder)
        self.unused = ""
        """Why the file is not used, if it is not."""
        self.in_file: dict[str, Any] = {}
        if self.file is not None:
            if bus_named and is_foreign(self.file):
                self.unused = "it belongs to another user"
            else:
                self.in_file = read_file(self.file)

    def find(self, name: str) -> Found | None:
        """What is said about a key, and where; None where nothing is."""
        if name in self.in_env:
            return Found(self.in_env[name], BY_NAME[name].env)
        if name in self.in_file:
            return Found(self.in_file[name], str(self.file))
        return None

    def get(self, name: str) -> Any:
        """The value of a key that can't be set on the bus: as said, else the default."""
        found = self.find(name)
        key = BY_NAME[name]
        return found.value if found is not None else from_text(key, key.default, name) if key.default else ""

    def policy(self) -> Policy:
        """What a store is to be opened with. Of the gate the stricter of environment and file holds."""
        both = [said for said in (self.in_env, self.in_file) if said]
        if not both:
            return Policy()
        named = sorted({name for said in both for name in said.get("gate.limits", ())})
        after, escalate = (self._either(f"reminders.{what}") for what in ("after", "escalate_after"))
        return Policy(
            gate_enforce=any(said.get("gate.mode") == "enforce" for said in both),
            gate_limit=_least(said.get("gate.limit") for said in both),
            gate_limits=tuple(
                (name, limit) for name in named if (limit := _limit_of(both, name)) is not None
            ),
            remind_after_ms=None if after is None else tuple(round(each * 1000) for each in after),
            escalate_after_ms=None if escalate is None else round(escalate * 1000),
            watchdog=self._either("reminders.watchdog"),
        )

    def _either(self, name: str) -> Any:
        return self.in_env.get(name, self.in_file.get(name))


def policy_here(*, bus_named: bool) -> Policy:
    """What the surroundings of this process say. Raises InvalidConfig."""
    return Config(bus_named=bus_named).policy()


def _limit_of(said: list[dict[str, Any]], name: str) -> int | None:
    return _least(each.get("gate.limits", {}).get(name, each.get("gate.limit")) for each in said)


def _least(values: Any) -> int | None:
    return min((value for value in values if value is not None), default=None)


# --- the file --------------------------------------------------------------------------------------


def upwards(folder: str, name: str) -> str | None:
    """The path of ``name`` in ``folder`` or the nearest folder above it that has it."""
    while True:
        candidate = os.path.join(folder, name)
        if os.path.exists(candidate):
            return candidate
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def find_file(folder: str | None = None) -> str | None:
    """The nearest configuration file, from ``folder`` upwards; none where the current folder is gone."""
    try:
        return upwards(os.path.abspath(folder or os.getcwd()), FILE_NAME)
    except OSError:
        return None


def is_foreign(path: str) -> bool:
    """Whether a file belongs to another user, who would thereby configure this one's programs."""
    try:
        return os.name == "posix" and os.stat(path).st_uid not in (os.geteuid(), 0) and os.geteuid() != 0
    except OSError:
        return False


def read_file(path: str) -> dict[str, Any]:
    """What a configuration file says, by key.

    Raises:
        InvalidConfig: it can't be read, belongs to another user, or says what can't be understood.
    """
    import tomllib

    if is_foreign(path):
        raise InvalidConfig(
            f"{path} belongs to another user, who would thereby choose your bus.",
            hint="Name the bus yourself, by --bus or HUBBUB_BUS; the file is then left alone.",
        )
    try:
        # Not to wait for who writes to a pipe of that name.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("it is not a regular file")
            data = file.read(FILE_MAX + 1)
        if len(data) > FILE_MAX:
            raise ValueError(f"it has more than {FILE_MAX} bytes")
        text = data.decode()
        said = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidConfig(f"{path} can't be read: {error}", hint="Correct the file or remove it.") from None
    values: dict[str, Any] = {}
    for name, value in _flat(said).items():
        where = _place(path, text, name)
        key = BY_NAME.get(name)
        if key is None or not key.in_file:
            _refuse_key(name, where)
        values[name] = checked(key, value, where)
    return values


def _flat(said: dict[str, Any]) -> dict[str, Any]:
    """Keys of a section with its name before them: ``gate.mode``."""
    flat: dict[str, Any] = {}
    for name, value in said.items():
        if isinstance(value, dict) and name not in BY_NAME:
            flat |= {f"{name}.{inner}": each for inner, each in value.items()} or {name: value}
        else:
            flat[name] = value
    return flat


def _place(path: str, text: str, name: str) -> str:
    """The file, and the line that sets ``name`` where one does so by that very word."""
    section, _, last = name.rpartition(".")
    within = ""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if bare.startswith("["):
            within = bare.partition("]")[0].strip("[ ")
            if within == name:
                return f"{path}, line {number}"
            continue
        word = bare.partition("=")[0].strip().strip("'\"")
        if (word == last and within == section) or (word == name and not within):
            return f"{path}, line {number}"
    return path


def _refuse_key(name: str, where: str) -> NoReturn:
    known = [key.name for key in KEYS if key.in_file]
    if name == "agent":
        hint = "A file would name one agent for all: set HUBBUB_AGENT, or pass --as NAME."
    else:
        near = nearest(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(known)}."
    raise InvalidConfig(f"{where}: unknown key {ascii(name)[:60]}.", hint=hint)
