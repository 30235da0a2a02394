"""What is set on the bus itself, for whoever uses it; and what holds, of all that is said."""

from __future__ import annotations

from typing import Any, NamedTuple

from hubbub.config import Config
from hubbub.config_keys import BY_NAME, KEYS, LIMIT_MAX, Key, as_text, find_key, from_text
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.model import Actor
from hubbub.names import check_name
from hubbub.stores.contract import Store

THE_BUS = "set on the bus"
DEFAULT = "default"
TABLE = "gate.limits"
"""The key that holds a value for each name; on the bus each has a row of its own."""


class Holding(NamedTuple):
    """What holds for one key."""

    key: str
    value: str
    """As text; empty where nothing is said."""
    source: str
    """A variable's name, a file's path, ``set on the bus`` or ``default``."""
    also: tuple[tuple[str, str], ...] = ()
    """Other values that were said, and where: they give way."""


class Settings:
    """Values on one bus."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, str]:
        """Every value that is set on the bus, by its key."""
        return self._store.settings.all()

    def set(self, name: str, text: str, *, by: Actor | None = None) -> str | None:
        """Set a key for everyone who uses this bus; its value before. ``gate.limits.NAME`` is a key, too.

        Raises:
            InvalidArgument: there is no such key, it can't be set on a bus, or can't have this value.
        """
        key, part = _settable(name)
        if part:
            value = from_text(_row(name), text, "")
        elif key.kind == "limits":
            raise InvalidArgument(
                f"{name} is set name by name.", hint=f"For example: hubbub config set {name}.bob 5"
            )
        else:
            value = from_text(key, text, "")
        return self._store.settings.put(name, as_text(value), by=by)

    def unset(self, name: str, *, by: Actor | None = None) -> str | None:
        """Set a key no longer; its value before, None where it had none. Raises as :meth:`set` does."""
        _settable(name)
        return self._store.settings.put(name, None, by=by)


def _row(name: str) -> Key:
    """A value of the table, as a key of its own."""
    return Key(name, "count", "", "", least=1, most=LIMIT_MAX)


def _settable(name: str) -> tuple[Key, str]:
    """The key, and of a table the name in it."""
    part = name.removeprefix(f"{TABLE}.") if name.startswith(f"{TABLE}.") else ""
    key = BY_NAME[TABLE] if part else find_key(name)
    if part:
        check_name(part)
    if not key.on_bus:
        known = ", ".join(each.name for each in KEYS if each.on_bus)
        raise InvalidArgument(
            f"{name} can't be set on the bus: it belongs to each process.",
            hint=f"Set {key.env}{' or use .hubbub.toml' if key.in_file else ''}. On the bus: {known}.",
        )
    return key, part


def holding(key: Key, config: Config, on_bus: dict[str, str]) -> Holding:
    """What holds for ``key``, of what the surroundings say and what is set on the bus."""
    said: list[tuple[Any, str]] = []
    for values, source in ((config.in_env, key.env), (config.in_file, str(config.file))):
        if key.name in values:
            said.append((values[key.name], source))
    kept = _of_bus(key, on_bus)
    if kept is not None:
        said.append((kept, THE_BUS))
    if key.name == "gate.limit" and kept is None:
        said.append((from_text(key, key.default, key.name), DEFAULT))
    if key.kind == "limits":
        return _table(key, said)
    if key.name == "gate.mode":
        said.sort(key=lambda pair: pair[0] != "enforce")
    elif key.name == "gate.limit":
        said.sort(key=lambda pair: pair[0])
    if not said:
        return Holding(key.name, key.default, DEFAULT)
    (value, source), *others = said
    also = tuple((as_text(other), where) for other, where in others if where != DEFAULT)
    return Holding(key.name, as_text(value), source, also)


def _table(key: Key, said: list[tuple[Any, str]]) -> Holding:
    least: dict[str, int] = {}
    for limits, _ in said:
        for name, limit in limits.items():
            least[name] = min(limit, least.get(name, limit))
    sources = " and ".join(source for _, source in said) or DEFAULT
    return Holding(key.name, as_text(dict(sorted(least.items()))), sources)


def _of_bus(key: Key, on_bus: dict[str, str]) -> Any:
    """What is set on the bus for ``key``; None where nothing is that can be understood."""
    if not key.on_bus:
        return None
    if key.kind == "limits":
        start = f"{key.name}."
        limits = {name[len(start) :]: text for name, text in on_bus.items() if name.startswith(start)}
        return {name: int(text) for name, text in limits.items() if text.isdecimal()} or None
    try:
        return from_text(key, on_bus[key.name], key.name) if key.name in on_bus else None
    except HubbubError:
        return None


def misunderstood(on_bus: dict[str, str]) -> list[str]:
    """Keys that are set on the bus and mean nothing to this version, or have a value that does not."""
    wrong = []
    for name, text in on_bus.items():
        try:
            key, part = _settable(name)
            from_text(_row(name) if part else key, text, name)
        except HubbubError:
            wrong.append(name)
    return wrong
