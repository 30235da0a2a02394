"""Edits of JSON with comments that leave every other byte as it is.

Comments and trailing commas are blanked, byte for byte, so that Python's own JSON reader can say where each
value begins and ends in the text itself. After each edit the new text is read again and compared with what it
should say.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

Path = tuple[str | int, ...]
"""The keys that lead to a value; a number leads into an array."""

_COMMENT = re.compile(r'"(?:[^"\\\n\r]|\\.)*"|//[^\n\r]*|/\*.*?\*/', re.S)
_TRAILING = re.compile(r'"(?:[^"\\\n\r]|\\.)*"|,(?=[ \t\r\n]*[}\]])', re.S)
_INK = re.compile(r"[^\r\n]")
_BLANKS = re.compile(r"[ \t\r\n]*")


class NotJson(ValueError):
    """A text is no JSON, or not of the form that an edit needs; the message says where and what."""


class _Item(NamedTuple):
    """A member of an object or an element of an array, by its places in the text."""

    key: str
    begin: int
    value_begin: int
    end: int


class Document:
    """A text and what it says. Raises NotJson when it is no JSON, even with comments."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.comments: list[tuple[int, int]] = []
        bare = " " + text[1:] if text.startswith("\ufeff") else text
        try:
            self.bare = self.plain = bare
            self.value: Any = _load(bare)
        except ValueError:
            self.bare = _COMMENT.sub(self._without, bare)
            self.plain = _TRAILING.sub(lambda found: _blank_comma(found.group()), self.bare)
            self.value = self._load()
        except RecursionError:
            raise NotJson("it is nested too deep") from None
        self.newline = "\r\n" if "\r\n" in text else "\n"

    def _load(self) -> Any:
        try:
            return _load(self.plain)
        except json.JSONDecodeError as error:
            raise NotJson(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
        except RecursionError:
            raise NotJson("it is nested too deep") from None

    def _without(self, found: re.Match[str]) -> str:
        if found.group().startswith('"'):
            return found.group()
        self.comments.append(found.span())
        return _INK.sub(" ", found.group())

    def get(self, path: Path) -> Any:
        """The value at ``path``; None where there is none."""
        value = self.value
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def find(self, path: Path) -> int | None:
        """Where the value at ``path`` begins, if it is there. Raises NotJson on the way through another kind
        of value, or where a key of the way stands twice."""
        place = self._skip(0)
        for depth, key in enumerate(path):
            if self.plain[place] != ("[" if isinstance(key, int) else "{"):
                raise NotJson(f"{_named(path[:depth])} is no {'array' if isinstance(key, int) else 'object'}")
            items = list(self.items(place))
            found = items[key : key + 1] if isinstance(key, int) else [i for i in items if i.key == key]
            if len(found) > 1:
                raise NotJson(f"{_named(path[: depth + 1])} stands there twice")
            if not found:
                return None
            place = found[0].value_begin
        return place

    def items(self, place: int) -> Iterator[_Item]:
        """What the object or array has that begins at ``place``."""
        is_object = self.plain[place] == "{"
        place = self._skip(place + 1)
        while self.plain[place] not in "}]":
            key, begin = "", place
            if is_object:
                key, place = _DECODER.raw_decode(self.plain, place)
                place = self._skip(self._skip(place) + 1)
            _, end = _DECODER.raw_decode(self.plain, place)
            yield _Item(key, begin, place, end)
            place = self._skip(end)
            if self.plain[place] == ",":
                place = self._skip(place + 1)

    def end(self, place: int) -> int:
        """Where the value ends that begins at ``place``."""
        return int(_DECODER.raw_decode(self.plain, place)[1])

    def indent(self, place: int) -> str | None:
        """The white space that ``place`` has before it in its line; None when something else is there."""
        start = max(self.text.rfind("\n", 0, place), self.text.rfind("\r", 0, place)) + 1
        before = self.text[start:place].lstrip("\ufeff")
        return before if not before.strip(" \t") else None

    def unit(self) -> str:
        """The indentation of one level in this text."""
        place = self._skip(0)
        for item in self.items(place):
            return self.indent(item.begin) or "  "
        return "  "

    def line_end(self, place: int) -> int:
        """The end of the line of ``place`` if only comments follow in it, else ``place`` itself."""
        begin = place
        while place < len(self.text) and self.text[place] not in "\r\n":
            inside = next((end for start, end in self.comments if start <= place < end), None)
            if inside is None and self.plain[place] not in " \t":
                return begin
            place = inside or place + 1
        return place

    def _skip(self, place: int) -> int:
        found = _BLANKS.match(self.plain, place)
        assert found is not None
        return found.end()


def read(text: str) -> Any:
    """What ``text`` says. Raises NotJson."""
    return Document(text).value


def put(text: str, path: tuple[str, ...], value: Any, *, append: bool = False) -> str:
    """``text`` with ``value`` at ``path``, whose containers are made where they are missing.

    Args:
        append: ``path`` is an array that gets ``value`` as its last element.

    Raises:
        NotJson: it can't be read, or has something else on the way.
    """
    document = Document(text if text.strip("\ufeff \t\r\n") else text[:1].strip() + "{}\n")
    if not isinstance(document.value, dict):
        raise NotJson("it is no object")
    wanted = copy.deepcopy(document.value)
    node: Any = wanted
    for depth, key in enumerate(path if append else path[:-1], 1):
        node = node.setdefault(key, [] if append and depth == len(path) else {})
        if not isinstance(node, list if append and depth == len(path) else dict):
            raise NotJson(f"{_named(path[:depth])} is not of the form that is needed")
    if append:
        node.append(value)
    else:
        node[path[-1]] = value
    return _checked(_put(document, path, value, append=append), wanted)


def _put(document: Document, path: tuple[str, ...], value: Any, *, append: bool) -> str:
    place = document.find(path)
    if place is not None and not append:
        return _replace(document, place, value)
    if place is not None:
        return _add(document, place, None, value)
    if append:
        value = [value]
    depth = len(path) - 1
    while (place := document.find(path[:depth])) is None:
        value = {path[depth]: value}
        depth -= 1
    return _add(document, place, path[depth], value)


def _replace(document: Document, place: int, value: Any) -> str:
    start = document.text.rfind("\n", 0, place) + 1
    line = document.text[start:place]
    rendered = _rendered(document, value, line[: len(line) - len(line.lstrip(" \t"))])
    return document.text[:place] + rendered + document.text[document.end(place) :]


def _add(document: Document, place: int, key: str | None, value: Any) -> str:
    """The text with one more item at the end of the object or array at ``place``."""
    text = document.text
    items = list(document.items(place))
    if not items:
        return _add_first(document, place, key, value)
    last = items[-1]
    indent = document.indent(items[0].begin)
    closing = document.end(place) - 1
    comma = document.bare.find(",", last.end, closing)
    if indent is None:
        item = _item(key, _inline(document, value))
        if comma >= 0:
            return f"{text[: comma + 1]} {item},{text[comma + 1 :]}"
        return f"{text[: last.end]}, {item}{text[last.end :]}"
    item = document.newline + indent + _item(key, _rendered(document, value, indent))
    if comma >= 0:
        at = document.line_end(comma + 1)
        return f"{text[:at]}{item},{text[at:]}"
    at = document.line_end(last.end)
    if at == last.end:
        after = "" if document.text[last.end] in "\r\n" else document.newline + (document.indent(place) or "")
        return f"{text[: last.end]},{item}{after}{text[last.end :]}"
    return f"{text[: last.end]},{text[last.end : at]}{item}{text[at:]}"


def _add_first(document: Document, place: int, key: str | None, value: Any) -> str:
    text, closing = document.text, document.end(place) - 1
    start = document.text.rfind("\n", 0, place) + 1
    line = text[start:place].lstrip("\ufeff")
    outer = line[: len(line) - len(line.lstrip(" \t"))]
    indent = outer + document.unit()
    kept = text[place + 1 : closing].rstrip(" \t\r\n")
    item = document.newline + indent + _item(key, _rendered(document, value, indent))
    return text[: place + 1] + kept + item + document.newline + outer + text[closing:]


def remove(text: str, path: Path) -> str:
    """``text`` without what is at ``path``.

    Raises:
        NotJson: it can't be read, or nothing is there.
    """
    document, last = Document(text), path[-1]
    place = document.find(path[:-1])
    if place is None or document.find(path) is None:
        raise NotJson(f"{_named(path)} is not there")
    items = list(document.items(place))
    number = last if isinstance(last, int) else [item.key for item in items].index(last)
    wanted = copy.deepcopy(document.value)
    node = wanted
    for key in path[:-1]:
        node = node[key]
    del node[last]
    return _checked(_remove(document, place, items, number), wanted)


def _remove(document: Document, place: int, items: list[_Item], number: int) -> str:
    text, bare, item = document.text, document.bare, items[number]
    closing = document.end(place) - 1
    following = items[number + 1].begin if number + 1 < len(items) else closing
    comma = bare.find(",", item.end, following)
    rest = text[item.end :]
    if comma >= 0:
        rest = _unless_blank(text[item.end : comma]) + text[comma + 1 :]
    begin = _line_begin(document, item.begin, place + 1, rest)
    if begin == item.begin and comma >= 0:
        rest = rest.lstrip(" \t")
    if len(items) == 1:
        inner = text[place + 1 : begin] + rest[: len(rest) - len(text) + closing]
        return text[: place + 1] + _unless_blank(inner) + text[closing:]
    if comma >= 0:
        return text[:begin] + rest
    before = bare.rfind(",", items[number - 1].end, item.begin)
    return text[:before] + _unless_blank(text[before + 1 : begin]) + rest


def _unless_blank(text: str) -> str:
    return text if text.strip() else ""


def _line_begin(document: Document, place: int, first: int, rest: str) -> int:
    """From where to cut what begins at ``place``: with its line break where it stood alone in its line."""
    indent = document.indent(place)
    if indent is None or not rest.lstrip(" \t").startswith(("\r", "\n")):
        return place
    begin = place - len(indent)
    if document.text[:begin].endswith("\r\n"):
        begin -= 2
    elif document.text[:begin].endswith(("\n", "\r")):
        begin -= 1
    return max(begin, first)


def _item(key: str | None, rendered: str) -> str:
    return rendered if key is None else f"{json.dumps(key, ensure_ascii=False)}: {rendered}"


def _rendered(document: Document, value: Any, indent: str) -> str:
    rendered = json.dumps(value, ensure_ascii=False, indent=document.unit())
    return rendered.replace("\n", document.newline + indent)


def _inline(document: Document, value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _checked(text: str, wanted: Any) -> str:
    if read(text) != wanted:
        raise NotJson("its form is one that can't be edited safely")
    return text


def _blank_comma(found: str) -> str:
    return " " if found == "," else found


def _named(path: Path) -> str:
    return ".".join(map(str, path)) or "the whole"


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _load(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant)
