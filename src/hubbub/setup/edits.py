"""What setup adds to a file: parts that can be put in, found again, and taken out.

An edit works on the text of the whole file, and raises ValueError where that text is of a form that it does
not know.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from hubbub.setup import blocks, jsonc, toml

ABSENT, SAME, DIFFERENT = "absent", "same", "different"

Path = tuple[str, ...]


class Edit(ABC):
    """One part of a file."""

    kind: ClassVar[str]
    optional: ClassVar[bool] = False
    """Whether the rest of the file is worth having without it."""

    @abstractmethod
    def look(self, text: str) -> str:
        """ABSENT, SAME, or DIFFERENT: something else stands in its place."""

    @abstractmethod
    def put(self, text: str) -> str:
        """The text with it, in place of what is different."""

    @abstractmethod
    def take(self, text: str) -> str:
        """The text without it; as it is where it is absent."""

    def former(self, text: str) -> Edit | None:
        """What stood in its place in ``text``; None where nothing did."""
        return None

    def containers(self, text: str) -> list[Path]:
        """What :meth:`put` would make around it, outermost first."""
        return []

    @abstractmethod
    def by_hand(self) -> str:
        """What a person would write into the file."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """How it is recorded."""


class Member(Edit):
    """A member of an object in a JSON file: an MCP server."""

    kind = "member"

    def __init__(self, path: Path, value: Any) -> None:
        self.path, self.value = tuple(path), value

    def look(self, text: str) -> str:
        found = _json(text).find(self.path)
        if found is None:
            return ABSENT
        return SAME if _json(text).get(self.path) == self.value else DIFFERENT

    def put(self, text: str) -> str:
        return jsonc.put(text, self.path, self.value)

    def take(self, text: str) -> str:
        return text if self.look(text) == ABSENT else jsonc.remove(text, self.path)

    def former(self, text: str) -> Edit | None:
        found = _json(text).get(self.path)
        return None if found is None else Member(self.path, found)

    def containers(self, text: str) -> list[Path]:
        document = _json(text)
        return [
            self.path[:depth]
            for depth in range(1, len(self.path))
            if document.find(self.path[:depth]) is None
        ]

    def by_hand(self) -> str:
        value = self.value
        for key in reversed(self.path):
            value = {key: value}
        return json.dumps(value, indent=2, ensure_ascii=False)

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": list(self.path), "value": self.value}


class Hook(Edit):
    """A command in the hooks of a client whose settings are JSON, in a group of its own."""

    kind = "hook"

    def __init__(self, event: str, matcher: str | None, hook: dict[str, Any]) -> None:
        self.event, self.matcher, self.hook = event, matcher, hook
        self.path = ("hooks", event)
        self.group: dict[str, Any] = {"matcher": matcher} if matcher is not None else {}
        self.group["hooks"] = [hook]

    def _places(self, text: str) -> list[tuple[int, int, Any]]:
        """Of each hook that is this one, or another Hubbub's in its place: its group, its number there, and
        the group itself."""
        document = _json(text)
        if document.find(self.path) is None:
            return []
        groups = document.get(self.path)
        if not isinstance(groups, list):
            raise jsonc.NotJson(f"hooks.{self.event} is no array")
        found = []
        for number, group in enumerate(groups):
            hooks = group.get("hooks") if isinstance(group, dict) else None
            for place, hook in enumerate(hooks if isinstance(hooks, list) else []):
                if isinstance(hook, dict) and _alike(hook.get("command"), self.hook["command"]):
                    found.append((number, place, group))
        return found

    def look(self, text: str) -> str:
        places = self._places(text)
        if not places:
            return ABSENT
        same = len(places) == 1 and places[0][2] == self.group
        return SAME if same else DIFFERENT

    def put(self, text: str) -> str:
        return jsonc.put(self.take(text), self.path, self.group, append=True)

    def take(self, text: str) -> str:
        for number, place, group in reversed(self._places(text)):
            inner = ("hooks", place) if len(group["hooks"]) > 1 else ()
            text = jsonc.remove(text, (*self.path, number, *inner))
        return text

    def former(self, text: str) -> Edit | None:
        found = self._places(text)
        if not found:
            return None
        _, place, group = found[0]
        return Hook(self.event, group.get("matcher"), group["hooks"][place])

    def containers(self, text: str) -> list[Path]:
        document = _json(text)
        return [self.path[:depth] for depth in (1, 2) if document.find(self.path[:depth]) is None]

    def by_hand(self) -> str:
        return json.dumps({"hooks": {self.event: [self.group]}}, indent=2, ensure_ascii=False)

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "event": self.event, "matcher": self.matcher, "hook": self.hook}


class Table(Edit):
    """A table in a TOML file: an MCP server."""

    kind = "table"

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        self.path, self.values = tuple(path), values

    def look(self, text: str) -> str:
        found = toml.get(text, self.path)
        return ABSENT if found is None else SAME if found == self.values else DIFFERENT

    def put(self, text: str) -> str:
        return toml.put_table(self.take(text), self.path, self.values)

    def take(self, text: str) -> str:
        return text if self.look(text) == ABSENT else toml.remove_table(text, self.path)

    def former(self, text: str) -> Edit | None:
        found = toml.get(text, self.path)
        return None if found is None else Table(self.path, found)

    def by_hand(self) -> str:
        return toml.table(self.path, self.values)

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": list(self.path), "values": self.values}


class Listed(Edit):
    """A text in an array of a TOML file: a folder that a sandbox may write."""

    kind = "listed"
    optional = True

    def __init__(self, path: Path, value: str) -> None:
        self.path, self.value = tuple(path), value

    def look(self, text: str) -> str:
        found = toml.get(text, self.path)
        return SAME if isinstance(found, list) and self.value in found else ABSENT

    def put(self, text: str) -> str:
        return toml.put_in_array(text, self.path, self.value)

    def take(self, text: str) -> str:
        if self.look(text) == ABSENT:
            return text
        return toml.remove_from_array(text, self.path, self.value, prune=True)

    def by_hand(self) -> str:
        return toml.table(self.path[:-1], {self.path[-1]: [self.value]})

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": list(self.path), "value": self.value}


class Block(Edit):
    """A block between marks in a file of instructions."""

    kind = "block"

    def __init__(self, body: str) -> None:
        self.body = body.strip()

    def look(self, text: str) -> str:
        found = blocks.body(text)
        return ABSENT if found is None else SAME if found == self.body else DIFFERENT

    def put(self, text: str) -> str:
        return blocks.put(text, self.body)

    def take(self, text: str) -> str:
        return blocks.remove(text)

    def former(self, text: str) -> Edit | None:
        found = blocks.body(text)
        return None if found is None else Block(found)

    def by_hand(self) -> str:
        return f"{blocks.BEGIN}\n{self.body}\n{blocks.END}\n"

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "body": self.body}


class Whole(Edit):
    """A file that is all Hubbub's."""

    kind = "whole"

    def __init__(self, content: str) -> None:
        self.content = content

    def look(self, text: str) -> str:
        return ABSENT if not text else SAME if text == self.content else DIFFERENT

    def put(self, text: str) -> str:
        return self.content

    def take(self, text: str) -> str:
        return ""

    def former(self, text: str) -> Edit | None:
        return Whole(text) if text else None

    def by_hand(self) -> str:
        return self.content

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "content": self.content}


def from_dict(recorded: dict[str, Any]) -> Edit:
    """The edit that was recorded so. Raises ValueError, KeyError or TypeError when it is none."""
    given = dict(recorded)
    kind = given.pop("kind")
    makers: dict[str, Any] = {each.kind: each for each in (Member, Hook, Table, Listed, Block, Whole)}
    if kind not in makers:
        raise ValueError(f"{kind!a} is no kind of edit")
    edit: Edit = makers[kind](**given)
    return edit


def prune(text: str, made: list[Path]) -> str:
    """``text`` without those of these containers of JSON that are empty by now."""
    for path in sorted(made, key=len, reverse=True):
        if _json(text).find(path) is not None and _json(text).get(path) in ({}, []):
            text = jsonc.remove(text, path)
    return text


_HUBBUB_HOOK = re.compile(r"""(?:^|[\s/"'\\])hubbub(?:\.exe)?["']?\s(?:.*\s)?hook\s+(?P<rest>.*)$""", re.S)


def _alike(command: Any, ours: str) -> bool:
    """Whether a command is ours, or what another Hubbub would have in its place: for the same client and, if
    ours waits, one that waits."""
    if not isinstance(command, str):
        return False
    if command == ours:
        return True
    there, here = _HUBBUB_HOOK.search(command), _HUBBUB_HOOK.search(ours)
    if there is None:
        return False
    mine = here.group("rest").split() if here else ours.rpartition(" hook ")[2].split()
    theirs = there.group("rest").split()
    return theirs[:1] == mine[:1] and ("wait" in theirs) == ("wait" in mine)


def _json(text: str) -> jsonc.Document:
    document = jsonc.Document(text if text.strip("\ufeff \t\r\n") else "{}")
    if not isinstance(document.value, dict):
        raise jsonc.NotJson("it is no object")
    return document
