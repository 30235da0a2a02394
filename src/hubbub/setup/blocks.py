"""A block of text between two marks in a file that is otherwise somebody else's."""

from __future__ import annotations

import re

BEGIN = "<!-- hubbub: begin -->"
END = "<!-- hubbub: end -->"

_BLOCK = re.compile(re.escape(BEGIN) + r".*?" + re.escape(END) + r"(?:\r?\n)?", re.S)


class Unmarked(ValueError):
    """The marks do not stand there once each, the first before the second."""


def find(text: str) -> re.Match[str] | None:
    """The block with its marks. Raises Unmarked."""
    if text.count(BEGIN) != text.count(END) or text.count(BEGIN) > 1:
        raise Unmarked("the marks of its hubbub block do not stand there once each")
    found = _BLOCK.search(text)
    if found is None and BEGIN in text:
        raise Unmarked("the end of its hubbub block stands before the begin")
    return found


def put(text: str, body: str) -> str:
    """``text`` with the block in its place, else at the end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    block = f"{BEGIN}\n{body.strip()}\n{END}\n".replace("\n", newline)
    found = find(text)
    if found is not None:
        return text[: found.start()] + block + text[found.end() :]
    if not text.strip("\ufeff \t\r\n"):
        return text + block
    gap = newline if text.endswith("\n") else newline * 2
    return text + gap + block


def body(text: str) -> str | None:
    """What stands between the marks; None where there is no block. Raises Unmarked."""
    found = find(text)
    if found is None:
        return None
    return found.group().strip()[len(BEGIN) : -len(END)].replace("\r\n", "\n").strip()


def remove(text: str) -> str:
    """``text`` without the block and the empty line before it. Raises Unmarked."""
    found = find(text)
    if found is None:
        return text
    before = text[: found.start()]
    for newline in ("\r\n", "\n"):
        if before.endswith(newline * 2):
            before = before.removesuffix(newline)
            break
    return before + text[found.end() :]
