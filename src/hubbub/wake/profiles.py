"""Profiles: how to read the screen of an agent, and how to give it a line.

A profile is a TOML file. Those that come with Hubbub lie beside this module; a file of the same name
in the user's folder takes the place of one, and others add to them. ``docs/reference/wrapper.md``
tells what a profile holds.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hubbub.errors import InvalidConfig
from hubbub.names import nearest
from hubbub.wake.pty_keys import KEY_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

GENERIC = "generic"

_TIMES = ("quiet_seconds", "untouched_seconds", "settle_seconds", "trust_screen_seconds")
_PATTERNS = ("busy", "busy_title", "dialog", "dialog_title")
_TIME_MAX = 3600.0


class Profile(NamedTuple):
    """How to read an agent's screen. Times are seconds."""

    name: str
    prompt: re.Pattern[str]
    """Of the line where a person types, up to the cursor where it has no group ``text``."""
    commands: tuple[str, ...] = ()
    """Basenames of the programs that it is for."""
    block: bool = False
    """Lines above the prompt's that match it belong to it."""
    frame: str = "│┃▌▐"
    """Letters around what is typed that are no part of it."""
    busy: tuple[re.Pattern[str], ...] = ()
    busy_title: tuple[re.Pattern[str], ...] = ()
    dialog: tuple[re.Pattern[str], ...] = ()
    dialog_title: tuple[re.Pattern[str], ...] = ()
    queues: bool = False
    """What is submitted while the agent is busy is kept for when it is not."""
    shell: bool = False
    """It rings at a shell's prompt, too, where the line runs as a command."""
    plain: bool = False
    """Where the pattern can't tell what is typed it rings also in a program that does not ask for marked
    pastes: any question may look like its prompt then."""
    clear_keys: tuple[str, ...] = ("ctrl-c", "ctrl-u")
    """Keys after which nothing that was typed is left."""
    quiet_seconds: float = 1.5
    untouched_seconds: float = 2.0
    settle_seconds: float = 0.15
    trust_screen_seconds: float = 0.0
    """After so long without a key the screen alone tells whether something is typed; 0 for never."""

    @property
    def shows_text(self) -> bool:
        """Whether the prompt's pattern tells what is typed."""
        return "text" in self.prompt.groupindex


class Look(NamedTuple):
    """What a screen shows."""

    dialog: bool
    busy: bool
    text: str | None
    """What is typed at the prompt, without blanks; None when no prompt is there."""
    shell: bool = False
    """It is a shell's."""


class View(NamedTuple):
    """A screen to be read."""

    lines: list[str]
    typed: list[str]
    """The same with what is faint blanked, letter by letter."""
    row: int
    """The cursor's row, from 0."""
    column: int
    """How many letters of its row are before the cursor."""
    title: str | None = None
    """The terminal's title, as the program set it."""


def look(profile: Profile, view: View, own: str = "") -> Look:
    """Read a screen. Where the prompt's pattern can't tell what is typed, only ``own`` is known again."""
    # Blanks before the cursor are part of the prompt.
    for rows in (view.lines, view.typed):
        rows[view.row] = rows[view.row].ljust(view.column)
    text, title = "\n".join(view.lines), view.title or ""
    typed = _typed_text(profile, view) if profile.shows_text else _known_text(profile, view, compact(own))
    return Look(
        dialog=_any(profile.dialog, text) or _any(profile.dialog_title, title),
        busy=_any(profile.busy, text) or _any(profile.busy_title, title),
        text=typed,
    )


def compact(text: str) -> str:
    """``text`` without any blanks: lines are broken at different places on different screens."""
    return "".join(text.split())


def _any(patterns: tuple[re.Pattern[str], ...], text: str) -> bool:
    return any(pattern.search(text) for pattern in patterns)


def _typed_text(profile: Profile, view: View) -> str | None:
    """What stands behind the prompt that is nearest above the cursor, up to the cursor's line."""
    found = {row: profile.prompt.match(view.lines[row]) for row in range(view.row + 1)}
    first = next((row for row in range(view.row, -1, -1) if found[row]), None)
    if first is None or not all(view.lines[row].strip() for row in range(first, view.row)):
        return None
    while profile.block and first > 0 and found[first - 1]:
        first -= 1
    parts = []
    for row in range(first, view.row + 1):
        match = found[row]
        part = view.typed[row] if match is None else view.typed[row][match.start("text") : match.end("text")]
        parts.append(part.strip().strip(profile.frame))
    return compact("".join(parts))


def _known_text(profile: Profile, view: View, own: str) -> str | None:
    """Empty or ``own``, where the cursor stands right behind the prompt, or behind the prompt and it."""
    line = view.lines[view.row]
    if view.typed[view.row][view.column :].strip():
        return None
    if profile.prompt.search(line[: view.column]):
        return ""
    before = "\n".join([*view.lines[: view.row], line[: view.column]])
    place, left = len(before), own
    while left and place:
        place -= 1
        if before[place] == left[-1]:
            left = left[:-1]
        elif not before[place].isspace():
            return None
    if left or not own or not profile.prompt.search(before[:place].rpartition("\n")[2]):
        return None
    return own


def user_folder() -> str:
    """Where a user's own profiles are."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(base, "hubbub", "profiles")


def _files(*, own: bool = True) -> dict[str, str]:
    """The profiles that there are: names and paths, the user's ``own`` before Hubbub's."""
    found: dict[str, str] = {}
    for folder in (os.path.join(os.path.dirname(__file__), "profiles"), user_folder() if own else ""):
        try:
            names = sorted(os.listdir(folder)) if folder else []
        except OSError:
            continue
        found |= {file[:-5]: os.path.join(folder, file) for file in names if file.endswith(".toml")}
    return found


def names() -> list[str]:
    """The names of all profiles."""
    return sorted(_files())


def load(name: str) -> Profile:
    """The profile of that name.

    Raises:
        InvalidConfig: there is none, or its file can't be read.
    """
    path = _files().get(name)
    if path is None:
        near = nearest(name, _files())
        hint = f"Did you mean {', '.join(near)}?" if near else f"There are: {', '.join(names())}."
        raise InvalidConfig(f"There is no profile {name!a}.", hint=hint)
    return _read(name, path)


def choose(command: str, complain: Callable[[str], None]) -> Profile:
    """The profile for a program: the one that names its basename, else the generic one.

    A file of the user that can't be read is told of by ``complain`` and left out: it is for another program,
    most likely. Hubbub's own of the same name is used in its place.
    """
    wanted = os.path.basename(command)
    usable, hubbubs = {}, _files(own=False)
    for name, path in sorted(_files().items()):
        try:
            usable[name] = _read(name, path)
        except InvalidConfig as error:
            complain(f"hubbub: {error.message} It is left out.")
            if name in hubbubs:
                usable[name] = _read(name, hubbubs[name])
    return next((each for each in usable.values() if wanted in each.commands), usable[GENERIC])


def problems() -> list[InvalidConfig]:
    """What is wrong with the profiles that there are."""
    found = []
    for name, path in sorted(_files().items()):
        try:
            _read(name, path)
        except InvalidConfig as error:
            found.append(error)
    return found


def _read(name: str, path: str) -> Profile:
    import tomllib

    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidConfig(
            f"The profile {path} can't be read: {error}.", hint="Correct or remove it."
        ) from None
    try:
        return profile_of(name, table)
    except ValueError as error:
        raise InvalidConfig(
            f"The profile {path} is not valid: {error}.",
            hint="What a profile holds: docs/reference/wrapper.md",
        ) from None


def profile_of(name: str, table: dict[str, Any]) -> Profile:
    """A profile from what its file holds. Raises ValueError with what is wrong."""
    known = set(Profile._fields) - {"name"}
    for key in table:
        if key not in known:
            near = nearest(key, known, 1)
            raise ValueError(f"it has no key {key!a}" + (f"; {near[0]} was meant, maybe" if near else ""))
    if "prompt" not in table:
        raise ValueError("prompt is missing")
    values: dict[str, Any] = {"name": name}
    for key, value in table.items():
        values[key] = _checked(key, value)
    return Profile(**values)


def _checked(key: str, value: Any) -> Any:
    if key in _TIMES:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= _TIME_MAX:
            raise ValueError(f"{key} is seconds, 0 to {_TIME_MAX:g}")
        return float(value)
    if key in ("block", "queues", "shell", "plain"):
        if not isinstance(value, bool):
            raise ValueError(f"{key} is true or false")
        return value
    if key in ("prompt", "frame"):
        if not isinstance(value, str):
            raise ValueError(f"{key} is a text")
        return _pattern(key, value, 0) if key == "prompt" else value
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{key} is a list of texts")
    if key in _PATTERNS:
        return tuple(_pattern(key, each, re.MULTILINE) for each in value)
    if key == "clear_keys":
        wrong = [each for each in value if each not in KEY_NAMES]
        if wrong:
            raise ValueError(f"{key}: there is no key {wrong[0]!a}; there are ctrl-a to ctrl-z and escape")
    return tuple(value)


def _pattern(key: str, text: str, flags: int) -> re.Pattern[str]:
    try:
        return re.compile(text, flags)
    except (re.error, RecursionError) as error:
        raise ValueError(f"{key}: {text!a} is no pattern ({error})") from None
