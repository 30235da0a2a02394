"""What can be configured: the one table, and what each value may be."""

from __future__ import annotations

from typing import Any, NoReturn

from hubbub.errors import InvalidArgument, InvalidConfig
from hubbub.names import NAME_RULE, nearest
from hubbub.policy import ESCALATE_AFTER_MS, GATE_LIMIT, REMIND_AFTER_MS, WATCHDOG

SECONDS_MAX = 604_800
LIMIT_MAX = 1_000_000
STEPS_MAX = 20
"""How many reminders there can be."""


class Key:
    """One thing that can be configured."""

    __slots__ = ("default", "env", "in_file", "kind", "least", "meaning", "most", "name", "on_bus", "words")

    def __init__(
        self,
        name: str,
        kind: str,
        default: str,
        meaning: str,
        *,
        in_file: bool = True,
        on_bus: bool = False,
        words: tuple[str, ...] = (),
        least: int = 0,
        most: int = 0,
    ) -> None:
        """``kind`` is ``text``, ``name``, ``word``, ``count``, ``seconds``, ``times`` or ``limits``;
        ``default`` is what holds where nobody sets it, as text."""
        self.name = name
        self.env = "HUBBUB_" + name.replace(".", "_").upper()
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self.in_file = in_file
        self.on_bus = on_bus
        self.words = words
        self.least = least
        self.most = most

    @property
    def allowed(self) -> str:
        """What may be its value, in words."""
        return {
            "text": "a string that is not empty",
            "name": "an agent's name: 1-64 of a-z, 0-9, - and _, the first a letter or a digit",
            "word": " or ".join(self.words),
            "count": f"a whole number from {self.least} to {self.most}",
            "seconds": f"a number of seconds, more than 0, up to {SECONDS_MAX}",
            "times": f"up to {STEPS_MAX} numbers of seconds up to {SECONDS_MAX}, each more than the one "
            'before, as text with commas between, or "none"',
            "limits": f"names with a whole number from 1 to {LIMIT_MAX} each; as text like bob=5,eve=10",
        }[self.kind]


KEYS: tuple[Key, ...] = (
    Key("bus", "text", "", "the bus: a URL or a path"),
    Key(
        "agent",
        "name",
        "",
        "the agent to act for; never in a file, which would name one for all",
        in_file=False,
    ),
    Key(
        "gate.mode",
        "word",
        "observe",
        "what becomes of a send beyond the limit: kept in the ledger, or refused",
        on_bus=True,
        words=("observe", "enforce"),
    ),
    Key(
        "gate.limit",
        "count",
        str(GATE_LIMIT),
        "how many messages one agent may send to another within 10 s",
        on_bus=True,
        least=1,
        most=LIMIT_MAX,
    ),
    Key(
        "gate.limits", "limits", "", "limits of single senders, by name, in place of gate.limit", on_bus=True
    ),
    Key(
        "reminders.after",
        "times",
        ",".join(str(each // 1000) for each in REMIND_AFTER_MS),
        "how long after the due time of an answer its debtor is reminded",
        on_bus=True,
    ),
    Key(
        "reminders.escalate_after",
        "seconds",
        str(ESCALATE_AFTER_MS // 1000),
        "how long after the due time whoever asked, and the watchdog, are told",
        on_bus=True,
    ),
    Key(
        "reminders.watchdog",
        "name",
        WATCHDOG,
        "the agent that is told of answers that never came",
        on_bus=True,
    ),
    Key(
        "monitor.log",
        "text",
        "",
        "the notify log of hubbub monitor, {agent} in it stands for the name; else beside the bus",
    ),
    Key(
        "monitor.log_bytes",
        "count",
        "1000000",
        "how large a notify log grows before it is put aside",
        least=10_000,
        most=1_000_000_000,
    ),
    Key(
        "hooks.writes",
        "word",
        "deny",
        "what a hook does about a write to a file that another agent keeps",
        words=("deny", "warn", "off"),
    ),
)

BY_NAME = {key.name: key for key in KEYS}

OTHER_VARIABLES = {
    "HUBBUB_CLAIM": "the claim to act under, as `hubbub step claim` shows it",
    "HUBBUB_DEBUG": "show where in the program an unexpected error came from",
    "HUBBUB_SEMANTIC": "`off`: no search by meaning, whatever is installed",
}
"""Variables of the environment that are no keys."""


def from_text(key: Key, text: str, where: str) -> Any:
    """The value that ``text`` stands for; ``where`` names its place, empty for an argument. Raises
    InvalidConfig, or InvalidArgument for one."""
    value: Any = text.strip()
    try:
        if key.kind == "count":
            value = int(value) if value.isascii() and value.isdecimal() else value
        elif key.kind == "seconds":
            value = _number(value)
        elif key.kind == "times":
            value = [] if value == "none" else [_number(part) for part in value.split(",")]
        elif key.kind == "limits":
            pairs = [part.partition("=") for part in value.split(",")]
            value = {name.strip(): int(limit) for name, _, limit in pairs}
            if len(value) < len(pairs):
                raise ValueError(text)
    except ValueError:
        refuse(key, text, where)
    return checked(key, value, where)


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def checked(key: Key, value: Any, where: str) -> Any:
    """``value`` if it may be one of ``key``. Raises InvalidConfig."""
    if not _may_be(key, value):
        refuse(key, value, where)
    return value


def _may_be(key: Key, value: Any) -> bool:
    if key.kind == "count":
        return type(value) is int and key.least <= value <= key.most
    if key.kind == "seconds":
        return _is_time(value)
    if key.kind == "times":
        return (
            isinstance(value, list)
            and len(value) <= STEPS_MAX
            and all(_is_time(each) for each in value)
            and all(value[place] > value[place - 1] for place in range(1, len(value)))
        )
    if key.kind == "limits":
        return isinstance(value, dict) and all(
            NAME_RULE.fullmatch(name) and type(limit) is int and 1 <= limit <= LIMIT_MAX
            for name, limit in value.items()
        )
    if not isinstance(value, str):
        return False
    if key.kind == "name":
        return NAME_RULE.fullmatch(value) is not None
    return value in key.words if key.kind == "word" else bool(value) and "\0" not in value


def _is_time(value: Any) -> bool:
    # A comparison that not-a-number fails, too.
    return type(value) in (int, float) and 0.001 <= value <= SECONDS_MAX


def refuse(key: Key, value: Any, where: str) -> NoReturn:
    """Raise InvalidConfig for a value that can't be one of ``key``; InvalidArgument without a place."""
    if not where:
        raise InvalidArgument(f"{key.name} must be {key.allowed}, not {ascii(value)[:60]}.")
    hint = f"Correct {where}, or unset it." if where == key.env else "Correct it, or take it out."
    message = f"{where}: {key.name} must be {key.allowed}, not {ascii(value)[:60]}."
    raise InvalidConfig(message, hint=hint, key=key.name)


def as_text(value: Any) -> str:
    """A value as it is written in the environment and on the bus."""
    if isinstance(value, list):
        return ",".join(str(each) for each in value) or "none"
    if isinstance(value, dict):
        return ",".join(f"{name}={limit}" for name, limit in value.items())
    return str(value)


def find_key(name: str) -> Key:
    """The key of that name. Raises InvalidArgument with the nearest one."""
    key = BY_NAME.get(name)
    if key is None:
        near = nearest(name, BY_NAME, 1)
        known = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(BY_NAME)}."
        raise InvalidArgument(f"There is no key {ascii(name)[:60]}.", hint=known)
    return key
