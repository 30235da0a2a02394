"""The forms of an export: each makes bytes of the facts, of a message, and of the end."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Protocol

from hubbub.clock import to_iso
from hubbub.interchange.entries import Entry, Facts
from hubbub.interchange.records import FORMS
from hubbub.names import KIND_RULE, NAME_RULE, check_word
from hubbub.text import safe_line, safe_text

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_MARKS = re.compile(r"([\\`*_\[\]<>&#~|!])")
_BACKTICKS = re.compile(r"`+")


class Form(Protocol):
    """How an export looks."""

    def begin(self, facts: Facts, now: int) -> bytes:
        """What comes first."""
        ...

    def message(self, entry: Entry) -> bytes:
        """One message."""
        ...

    def end(self, count: int) -> bytes:
        """What comes last, by which a reader sees that nothing is missing."""
        ...


def make_form(form: str, *, metadata: bool) -> Form:
    """The form of that name.

    Raises:
        InvalidArgument: there is none.
    """
    if check_word(form, FORMS, "form of export") == "jsonl":
        return JsonLines()
    return Markdown(metadata=metadata)


def json_line(value: dict[str, Any]) -> bytes:
    """``value`` as one line of JSON. What could move a cursor or hide is escaped: the line may be shown."""
    line = _encode(value)
    if line.isascii():
        line = line.replace("\x7f", "\\u007f")
    else:
        escapes = {ord(c): json.dumps(c)[1:-1] for c in set(line) if safe_text(c) != c}
        line = line.translate(escapes | {0x7F: "\\u007f"})
    return line.encode() + b"\n"


class JsonLines:
    """A header, a message a line, and an end with the digest of all before it."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def begin(self, facts: Facts, now: int) -> bytes:
        """The header."""
        return self._counted(json_line({**facts.header, "exported_at": to_iso(now)}))

    def message(self, entry: Entry) -> bytes:
        """The whole record."""
        return self._counted(json_line(entry.record))

    def end(self, count: int) -> bytes:
        """The end mark."""
        return json_line({"end": True, "count": count, "sha256": self._digest.hexdigest()})

    def _counted(self, line: bytes) -> bytes:
        self._digest.update(line)
        return line


class Markdown:
    """A page to read. No text of a message begins a line: it stands in a fence longer than any in it,
    and behind an indent, which the fence takes off again when the page is rendered."""

    def __init__(self, *, metadata: bool) -> None:
        self._metadata = metadata

    def begin(self, facts: Facts, now: int) -> bytes:
        """Title and facts."""
        lines = [f"# {_plain(facts.title)}", ""]
        lines += [f"- {word}: {_plain(said)}" for word, said in facts.lines]
        lines += [f"- Messages: {facts.total}", f"- Exported: {to_iso(now)}", ""]
        if self._metadata and facts.metadata is not None:
            lines += ["Metadata:", "", *_json(facts.metadata), ""]
        return _bytes(lines)

    def message(self, entry: Entry) -> bytes:
        """A heading, what it answers, and the text."""
        to = f" to {', '.join(_name(name) for name in entry.recipients)}" if entry.recipients else ""
        said = f"{_name(entry.sender)}{to} ({_kind(entry.kind)}), {to_iso(entry.created_at)}"
        lines = [f"## [{entry.number}] {said}", ""]
        if entry.reply_to is not None:
            known = entry.reply_number is not None
            lines += [f"In reply to {f'#{entry.reply_number}' if known else _plain(entry.reply_to)}.", ""]
        if entry.priority != "normal":
            lines += [f"Priority: {_plain(entry.priority)}", ""]
        if entry.subject:
            lines += [f"Subject: {_plain(entry.subject)}", ""]
        lines += [*_fenced(entry.body), ""]
        if self._metadata and entry.metadata is not None:
            lines += ["Metadata:", "", *_json(entry.metadata), ""]
        return _bytes(lines)

    def end(self, count: int) -> bytes:
        """A last line."""
        return _bytes(["---", "", f"End of the export: {count} {'message' if count == 1 else 'messages'}."])


def _bytes(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _plain(text: str) -> str:
    """``text`` on one line, none of it Markdown."""
    return _MARKS.sub(r"\\\1", safe_line(text))


def _name(name: str) -> str:
    """A name as it is; what is none, as imported senders may be, in quotes, so that it passes for none."""
    return name if NAME_RULE.fullmatch(name) else _plain(_encode(name))


def _kind(kind: str) -> str:
    return kind if KIND_RULE.fullmatch(kind) else _plain(kind)


def _fenced(text: str, language: str = "") -> list[str]:
    shown = safe_text(text)
    longest = max((len(run) for run in _BACKTICKS.findall(shown)), default=0)
    fence = "`" * max(3, longest + 1)
    body = [f"  {line}" if line else "" for line in shown.split("\n")]
    return [f"  {fence}{language}", *body, f"  {fence}"]


def _json(value: dict[str, Any]) -> list[str]:
    return _fenced(json.dumps(value, ensure_ascii=False, indent=2), "json")


__all__ = ["Form", "JsonLines", "Markdown", "json_line", "make_form"]
