"""config: what is configured, where each value comes from, and what is set on the bus for everyone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hubbub.bus.settings import TABLE, THE_BUS, holding, misunderstood
from hubbub.config import Config
from hubbub.config_keys import KEYS, OTHER_VARIABLES, find_key
from hubbub.errors import BusNotFound
from hubbub.faces.cli.output import complain
from hubbub.names import nearest
from hubbub.text import safe_line

if TYPE_CHECKING:
    from hubbub.bus.settings import Holding
    from hubbub.faces.cli.context import Context
    from hubbub.model import Actor


def show(context: Context) -> int:
    """Show every key, its value and where that comes from."""
    config, on_bus = read(context)
    found = [holding(key, config, on_bus) for key in KEYS]
    wrong = said_in_vain(config, on_bus)
    place = context.place
    if context.output.json:
        answer: dict[str, Any] = {
            "bus": place.url,
            "bus_named_by": place.source,
            "file": config.file,
            "values": {each.key: _as_dict(each) for each in found},
        }
        context.output.answer(answer | ({"wrong": wrong} if wrong else {}))
        return 0
    context.output.line(f"bus {safe_line(place.url)}, named by {safe_line(place.source)}")
    context.output.line(f"file {safe_line(config.file) if config.file else 'none'}")
    for each in found:
        context.output.line(f"  {each.key:<25} {_told(each)}")
    for text in wrong:
        complain(f"hubbub: {text}")
    return 0


def get(context: Context) -> int:
    """Print the value of one key."""
    name: str = context.arguments.key
    one = name.removeprefix(f"{TABLE}.") if name.startswith(f"{TABLE}.") else ""
    key = find_key(TABLE if one else name)
    config, on_bus = read(context)
    found = holding(key, config, on_bus)
    if one:
        limits = dict(part.split("=") for part in found.value.split(",") if part)
        found = found._replace(key=name, value=limits.get(one, ""))
    context.show({"key": name, **_as_dict(found)}, safe_line(found.value))
    return 0


def set_(context: Context) -> int:
    """Set a key on the bus, for everyone who uses it."""
    name, text = context.arguments.key, context.arguments.value
    before = context.bus.settings.set(name, text, by=_actor(context))
    value = context.bus.settings.all()[name]
    was = "" if before is None or before == value else f" (it was {safe_line(before)})"
    context.done({"key": name, "value": value, "before": before}, f"{name} is {value} on this bus{was}.")
    return 0


def unset(context: Context) -> int:
    """Take a key off the bus again."""
    name = context.arguments.key
    before = context.bus.settings.unset(name, by=_actor(context))
    said = "was not set on this bus" if before is None else f"is set no more (it was {safe_line(before)})"
    context.done({"key": name, "value": None, "before": before}, f"{name} {said}.")
    return 0


def read(context: Context) -> tuple[Config, dict[str, str]]:
    """What the surroundings say, and what is set on the bus, if there is one."""
    config = Config(bus_named=context.place.source in ("--bus", "HUBBUB_BUS"))
    try:
        return config, context.bus.settings.all()
    except BusNotFound:
        return config, {}


def _actor(context: Context) -> Actor | None:
    return context.actor if context.known_agent is not None else None


def _told(found: Holding) -> str:
    value = safe_line(found.value) or "-"
    others = "".join(f"; {safe_line(other)} {_by(where)} gives way" for other, where in found.also)
    return f"{value:<16} {_by(found.source)}{others}"


def _by(source: str) -> str:
    return source if source in (THE_BUS, "default") else f"by {safe_line(source)}"


def _as_dict(found: Holding) -> dict[str, Any]:
    value: dict[str, Any] = {"value": found.value, "source": found.source}
    if found.also:
        value["also"] = [{"value": other, "source": where} for other, where in found.also]
    return value


def said_in_vain(config: Config, on_bus: dict[str, str]) -> list[str]:
    """What means nothing: a variable that nothing reads, a file of another user, what the bus has set."""
    known = {key.env for key in KEYS} | set(OTHER_VARIABLES)
    found = []
    for name in sorted(os.environ):
        if name.startswith("HUBBUB_") and name not in known:
            near = [each.upper() for each in nearest(name.lower(), [each.lower() for each in known], 1)]
            found.append(f"{safe_line(name)} means nothing" + (f"; did you mean {near[0]}?" if near else "."))
    if config.unused:
        found.append(f"{safe_line(str(config.file))} is not used: {config.unused}.")
    found += _too_late(config, on_bus)
    for name in misunderstood(on_bus):
        found.append(f"{safe_line(name)}, set on the bus, means nothing to this version.")
    return found


def _too_late(config: Config, on_bus: dict[str, str]) -> list[str]:
    """Reminders that never come, because it is escalated before them."""
    after, end = (
        holding(find_key(f"reminders.{name}"), config, on_bus).value for name in ("after", "escalate_after")
    )
    try:
        late = [each for each in after.split(",") if each != "none" and float(each) >= float(end)]
    except ValueError:
        return []  # set by another program; it is told as what can't be understood
    if not late:
        return []
    told = ", ".join(safe_line(each) for each in late)
    return [
        f"reminders.after {told} never comes: after reminders.escalate_after, {safe_line(end)} s, nobody is "
        "reminded."
    ]


__all__ = ["get", "set_", "show", "unset"]
