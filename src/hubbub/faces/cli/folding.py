"""Folding lines to the width of a terminal.

A terminal breaks a line that is too long by itself, and goes on at its left margin: there the
rest of a body could pass for the head of another message. What is folded here goes on indented.
"""

from __future__ import annotations

import re

HANG = "  "
"""What a line goes on with; never less, so that only a line's own beginning is at the margin."""

_EMOJI = 0x1F000
"""From here on Unicode's tables of widths may be older than the terminal's."""

_STYLE = re.compile(r"(\x1b\[[0-9]+m)")


def fold(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` cells, those after the first behind an indent.

    What others wrote in it is safe already: an escape sequence is a style of ours and takes no cell.
    """
    return [piece for line in text.split("\n") for piece in _folded(line, width)]


def cut(text: str, width: int) -> str:
    """The beginning of a line that takes at most ``width`` cells; it ends with … where more was."""
    if cells(text) <= width:
        return text
    left = width - 2  # some terminals show … as wide as a Chinese character
    for place, letter in enumerate(text):
        left -= _cells(letter)
        if left < 0:
            return text[:place] + "…"
    return text


def cells(text: str) -> int:
    """How many cells a line without styles takes, rather too many."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _folded(line: str, width: int) -> list[str]:
    if "\t" in line:
        line = line.expandtabs(8)  # a tab's width depends on where it stands
    if line.isascii() and len(line) <= width:
        return [line]
    room = max(2, width - len(HANG))
    pieces: list[str] = []
    piece: list[str] = []
    left = max(2, width)
    for index, part in enumerate(_STYLE.split(line)):
        if index % 2:
            piece.append(part)
            continue
        for letter in part:
            cells = _cells(letter)
            if cells > left:
                pieces.append("".join(piece))
                piece, left = [HANG], room
            piece.append(letter)
            left -= cells
    return [*pieces, "".join(piece)]


def _cells(letter: str) -> int:
    """How many cells a letter takes, rather too many: a line that is folded early does no harm."""
    if letter.isascii():
        return 1
    from unicodedata import east_asian_width

    return 2 if ord(letter) >= _EMOJI or east_asian_width(letter) in "WF" else 1
