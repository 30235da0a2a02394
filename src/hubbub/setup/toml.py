"""Edits of TOML that leave every other byte as it is: tables are added at the end, and cut out as they stand.

After each edit the new text is read and compared with what it should say.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from typing import Any

Path = tuple[str, ...]

_HEADER = re.compile(r"^[ \t]*\[", re.M)


class NotToml(ValueError):
    """A text is no TOML, or not of the form that an edit needs; the message says where and what."""


def read(text: str) -> dict[str, Any]:
    """What ``text`` says. Raises NotToml."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotToml(str(error)) from None


def get(text: str, path: Path) -> Any:
    """The value at ``path``; None where there is none."""
    value: Any = read(text)
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def put_table(text: str, path: Path, values: dict[str, Any]) -> str:
    """``text`` with a table at its end. Raises NotToml."""
    wanted = read(text)
    node = wanted
    for key in path[:-1]:
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            raise NotToml(f"{key} is no table")
    node[path[-1]] = copy.deepcopy(values)
    newline = _newline(text)
    block = table(path, values).replace("\n", newline)
    gap = "" if not text or text.endswith(newline * 2) else newline if text.endswith("\n") else newline * 2
    return _checked(text + (gap if text.strip("\ufeff \t\r\n") else "") + block, wanted)


def table(path: Path, values: dict[str, Any]) -> str:
    """A table as text, with a line feed at its end."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [f"[{'.'.join(map(_key, path))}]"]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    within = [table((*path, key), value) for key, value in values.items() if isinstance(value, dict)]
    return "\n".join(["\n".join(lines) + "\n", *within])


def remove_table(text: str, path: Path) -> str:
    """``text`` without the table at ``path`` and those within it. Raises NotToml."""
    wanted = read(text)
    node: Any = wanted
    for key in path[:-1]:
        node = node.get(key, {}) if isinstance(node, dict) else {}
    if path[-1] not in node:
        raise NotToml(f"{'.'.join(path)} is not there")
    del node[path[-1]]
    for depth in range(len(path) - 1, 0, -1):
        _drop_empty(wanted, path[:depth])
    begin = 0
    while (region := _region(text, path, begin)) is not None:
        text = text[: region[0]] + text[region[1] :]
        begin = region[0]
    return _checked(text, wanted)


def _drop_empty(value: Any, path: Path) -> None:
    for key in path[:-1]:
        value = value[key]
    if value[path[-1]] == {}:
        del value[path[-1]]


def _region(text: str, path: Path, begin: int) -> tuple[int, int] | None:
    """From the header of the next such table to the next other header, without the comments before that."""
    names = r"\s*\.\s*".join(rf'(?:{re.escape(key)}|"{re.escape(key)}")' for key in path)
    header = re.compile(rf"^[ \t]*\[\s*{names}\s*(?:\.[^\]\n]*)?\]", re.M)
    found = header.search(text, begin)
    if found is None:
        return None
    following = _HEADER.search(text, found.end())
    end = following.start() if following else len(text)
    body = text[found.start() : end]
    lines = body.splitlines(keepends=True)
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    start = found.start()
    end = start + len("".join(lines))
    blank = re.search(r"(?:\A|\n)([ \t]*\r?\n)\Z", text[:start])
    if blank is not None:
        start = blank.start(1)
    return start, end


def put_in_array(text: str, path: Path, value: str) -> str:
    """``text`` with ``value`` as the first element of the array at ``path``; array and table are made where
    they are missing. Raises NotToml."""
    wanted = read(text)
    node: Any = wanted
    for key in path[:-1]:
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            raise NotToml(f"{key} is no table")
    before = node.get(path[-1])
    if before is None and get(text, path[:-1]) is None:
        return put_table(text, path[:-1], {path[-1]: [value]})
    if not isinstance(before, list | None):
        raise NotToml(f"{'.'.join(path)} is no array")
    node[path[-1]] = [value, *(before or [])]
    table_begin, table_end = _span(text, path[:-1])
    if before is None:
        line = f"{path[-1]} = {_value([value])}{_newline(text)}"
        above = text[:table_begin]
        above += "" if above.endswith("\n") else _newline(text)  # a header may end the file
        return _checked(above + line + text[table_begin:], wanted)
    found = re.compile(rf"^[ \t]*{re.escape(path[-1])}[ \t]*=[ \t]*\[", re.M).search(
        text, table_begin, table_end
    )
    if found is None:
        raise NotToml(f"{'.'.join(path)} is written in a form that can't be edited safely")
    comma = ", " if before else ""
    return _checked(text[: found.end()] + _value(value) + comma + text[found.end() :], wanted)


def remove_from_array(text: str, path: Path, value: str, *, prune: bool) -> str:
    """``text`` without ``value`` in the array at ``path``; with ``prune`` without that array if it is then
    empty. Raises NotToml."""
    wanted = read(text)
    node: Any = get(text, path[:-1])
    if not isinstance(node, dict) or value not in (node.get(path[-1]) or []):
        raise NotToml(f"{value!a} is not there")
    if prune and node == {path[-1]: [value]}:
        return remove_table(text, path[:-1])
    node = wanted
    for key in path[:-1]:
        node = node[key]
    node[path[-1]].remove(value)
    begin, end = _span(text, path[:-1])
    if prune and not node[path[-1]]:
        del node[path[-1]]
        pattern = (
            rf"^[ \t]*{re.escape(path[-1])}[ \t]*=[ \t]*\[\s*{re.escape(_value(value))}\s*\][ \t]*\r?\n?"
        )
    else:
        pattern = rf"{re.escape(_value(value))}(?:[ \t]*,[ \t]?)?"
    found = re.compile(pattern, re.M).search(text, begin, end)
    if found is None:
        raise NotToml(f"{'.'.join(path)} is written in a form that can't be edited safely")
    return _checked(text[: found.start()] + text[found.end() :], wanted)


def _span(text: str, path: Path) -> tuple[int, int]:
    """What stands between the header of a table and the next header."""
    names = r"\s*\.\s*".join(re.escape(key) for key in path)
    found = re.compile(rf"^[ \t]*\[\s*{names}\s*\][ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)", re.M).search(text)
    if found is None:
        raise NotToml(f"{'.'.join(path)} is written in a form that can't be edited safely")
    following = _HEADER.search(text, found.end())
    return found.end(), following.start() if following else len(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # Of JSON's strings only DEL is none of TOML's.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _checked(text: str, wanted: dict[str, Any]) -> str:
    if read(text) != wanted:
        raise NotToml("its form is one that can't be edited safely")
    return text
