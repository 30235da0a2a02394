"""What a terminal shows: the screen of a program, kept by pyte from the bytes that the program writes.

pyte draws. Added here is what it lacks: the other screen, scrolling by sequence, one place to save the cursor
at, faint letters, and letters without a width. What reaches it was put right by
:class:`hubbub.wake.screen_input.Input`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import Any

import pyte
from pyte.modes import DECAWM
from pyte.screens import Char, Cursor, Margins, StaticDefaultDict, wcwidth

from hubbub.wake.profiles import View
from hubbub.wake.screen_input import Input

_OTHER_SCREEN = (47, 1047, 1049)


class _Grid(pyte.Screen):
    """pyte's screen, and what it lacks. Its methods are called by pyte's stream, with the numbers."""

    def reset(self) -> None:
        self.private: set[int] = set()
        self._under: Any = None
        """The rows of the main screen while the other one is shown, and where its cursor was."""
        self._saved = (Cursor(0, 0), 0, "", "")
        self._last = " "
        super().reset()
        self.g1_charset = self.g0_charset
        self.save_cursor()

    def draw(self, data: str) -> None:
        """Letters, at the cursor. pyte drops what comes after one that has no width."""
        self._last = data[-1]
        if data.isascii():
            super().draw(data)
            return
        for letter in data:
            width = wcwidth(letter)
            if width == 2 and self.cursor.x == self.columns - 1 and DECAWM in self.mode:
                self.cursor.x = self.columns  # it does not fit into this line
            if width > 0:
                super().draw(letter)
            elif self.cursor.x and (unicodedata.combining(letter) or letter in "\u200d\ufe0f"):
                line = self.buffer[self.cursor.y]
                place = self.cursor.x - (1 if line[self.cursor.x - 1].data or self.cursor.x == 1 else 2)
                line[place] = line[place]._replace(data=line[place].data + letter)

    def select_graphic_rendition(self, *attrs: int) -> None:
        """pyte has no faint letters: its blinking ones stand for them, as nothing here asks for those."""
        left, taken = list(attrs), []
        while left:
            code = left.pop(0)
            if code in (38, 48, 58):
                count = {5: 2, 2: 4}.get(left[0], 1) if left else 0
                taken += [code, *left[:count]] if code != 58 else []
                del left[:count]
            elif code not in (5, 6, 25):
                taken += {2: [5], 22: [22, 25]}.get(code, [code])
        if taken or not attrs:
            super().select_graphic_rendition(*taken)

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        self._switch(modes, bool(kwargs.get("private")), True)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        self._switch(modes, bool(kwargs.get("private")), False)

    def _switch(self, modes: tuple[int, ...], private: bool, on: bool) -> None:
        """pyte is told of those only that change what is shown where; with others it resizes itself."""
        act = super().set_mode if on else super().reset_mode
        for mode in modes:
            if mode in ((7, 25) if private else (4, 20)):
                act(mode, private=private)
            elif private:
                (self.private.add if on else self.private.discard)(mode)
                if mode in _OTHER_SCREEN:
                    self._swap(on, mode == 1049)

    def _swap(self, on: bool, save: bool) -> None:
        if on and self._under is None:
            self._under = (self.buffer, (self.cursor.x, self.cursor.y))
            self.buffer = defaultdict(lambda: StaticDefaultDict[int, Char](self.default_char))
        elif not on and self._under is not None:
            (self.buffer, place), self._under = self._under, None
            if save:
                self.cursor.x, self.cursor.y = place
                self._inside()

    def save_cursor(self, *args: int) -> None:
        cursor = Cursor(self.cursor.x, self.cursor.y, self.cursor.attrs)
        self._saved = (cursor, self.charset, self.g0_charset, self.g1_charset)

    def restore_cursor(self, *args: int) -> None:
        """pyte's would be gone after the first time, and hide the cursor as it was."""
        saved, self.charset, self.g0_charset, self.g1_charset = self._saved
        self.cursor.x, self.cursor.y, self.cursor.attrs = saved.x, saved.y, saved.attrs
        self._inside()

    def _inside(self) -> None:
        self.ensure_hbounds()
        self.ensure_vbounds()

    def set_margins(self, top: int | None = None, bottom: int | None = None) -> None:
        first, last = (top or 1) - 1, min(bottom or self.lines, self.lines) - 1
        if first < last:
            self.margins = Margins(first, last) if (first, last) != (0, self.lines - 1) else None
            self.cursor_position()

    def cursor_up(self, count: int | None = None) -> None:
        top = self.margins.top if self.margins and self.cursor.y >= self.margins.top else 0
        self.cursor.y = max(self.cursor.y - (count or 1), top)
        self.ensure_hbounds()

    def cursor_down(self, count: int | None = None) -> None:
        inside = self.margins is not None and self.cursor.y <= self.margins.bottom
        bottom = self.margins.bottom if self.margins and inside else self.lines - 1
        self.cursor.y = min(self.cursor.y + (count or 1), bottom)
        self.ensure_hbounds()

    def cursor_to_line(self, line: int | None = None) -> None:
        super().cursor_to_line(line)
        self.ensure_hbounds()

    def next_line(self) -> None:
        """NEL."""
        self.index()
        self.carriage_return()

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        """With 3 it is the lines that have left the screen that go, which are not kept."""
        if how in (0, 1, 2):
            super().erase_in_display(how)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        self.ensure_hbounds()
        if how in (0, 1, 2):
            super().erase_in_line(how)

    def delete_lines(self, count: int | None = None) -> None:
        """pyte leaves a line as it is where the one to take its place was never written to."""
        for y in range(self.lines):
            self.buffer[y]
        super().delete_lines(count)

    def scroll_up(self, count: int) -> None:
        """SU: the lines of the part that scrolls, up."""
        self._scroll(self.delete_lines, count)

    def scroll_down(self, count: int) -> None:
        """SD: down."""
        self._scroll(self.insert_lines, count)

    def _scroll(self, act: Any, count: int) -> None:
        x, y = self.cursor.x, self.cursor.y
        self.cursor.y = self.margins.top if self.margins else 0
        act(count)
        self.cursor.x, self.cursor.y = x, y

    def repeat(self, count: int) -> None:
        """REP: the last letter again."""
        self.draw(self._last * min(count or 1, self.lines * self.columns))

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """What no longer fits is cut at the right, and at the top above the cursor; pyte's cuts the top."""
        lines, columns = lines or self.lines, columns or self.columns
        cut, keep = max(0, self.cursor.y - lines + 1), min(columns, self.columns)
        for buffer in (self.buffer, *([self._under[0]] if self._under else [])):
            rows = {y - cut: buffer[y] for y in range(cut, min(self.lines, cut + lines))}
            buffer.clear()
            for y, row in rows.items():
                for x in [x for x in row if x >= keep]:
                    del row[x]
                buffer[y] = row
        self.lines, self.columns, self.margins = lines, columns, None
        self.tabstops = set(range(8, columns, 8))
        self.cursor.y -= cut
        self._inside()

    def cells(self, y: int) -> tuple[list[str], list[bool]]:
        """A row: its letters, and which of them are faint. Half a wide letter is blank, which pyte keeps."""
        row = [self.buffer[y][x] for x in range(self.columns)]
        texts = [cell.data for cell in row]
        wide = [not text.isascii() and wcwidth(text[0]) == 2 for text in texts]
        for x, text in enumerate(texts):
            whole = wide[x - 1] if x and not text else not wide[x] or texts[x + 1 : x + 2] == [""]
            if not whole or (not x and not text):
                texts[x] = " "
        return texts, [cell.blink or is_grey(cell.fg) for cell in row]


class _Stream(pyte.Stream):
    """pyte's, and some sequences that it does not know."""

    escape = {**pyte.Stream.escape, "E": "next_line"}  # noqa: RUF012
    csi = {  # noqa: RUF012
        **pyte.Stream.csi,
        "S": "scroll_up",
        "T": "scroll_down",
        "b": "repeat",
        "s": "save_cursor",
        "u": "restore_cursor",
    }


class Screen:
    """The screen of a program, from its output."""

    def __init__(self, rows: int, columns: int) -> None:
        self._grid = _Grid(max(1, columns), max(1, rows))
        self._stream = _Stream(self._grid)
        self._stream.use_utf8 = False  # else it would pass over the line-drawing letters
        self._input = Input()

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._grid.lines, self._grid.columns

    @property
    def title(self) -> str:
        """What the program made the terminal's title; empty when it did not."""
        return self._grid.title

    @property
    def modes(self) -> set[int]:
        """The private modes that are on and were off at first: 2004 is bracketed paste."""
        return self._grid.private

    @property
    def bracketed_paste(self) -> bool:
        """Whether the program asked for pasted text to be marked as such."""
        return 2004 in self.modes

    @property
    def cursor_hidden(self) -> bool:
        """Whether the program hid the cursor."""
        return self._grid.cursor.hidden

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self._grid.cursor.y, min(self._grid.cursor.x, self._grid.columns - 1)

    @property
    def between_sequences(self) -> bool:
        """Nothing is begun and not ended: other bytes would not tear anything apart."""
        return self._input.whole

    def feed(self, data: bytes) -> None:
        """Take what the program wrote."""
        self._stream.feed(self._input.take(data))

    def resize(self, rows: int, columns: int) -> None:
        """The terminal has another size now."""
        self._grid.resize(max(1, rows), max(1, columns))

    def put(self, row: int, column: int, title: str) -> None:
        """Tell it what another terminal shows. Behind the last column: the next letter wraps."""
        self._grid.cursor.y = min(max(row, 0), self._grid.lines - 1)
        self._grid.cursor.x = min(max(column, 0), self._grid.columns)
        self._grid.title = title

    def successor(self) -> Screen:
        """An empty screen with the same size, title and modes."""
        new = Screen(*self.size)
        new._grid.set_mode(*self.modes, private=True)
        new._grid.cursor.hidden = self.cursor_hidden
        new._grid.title = self.title
        return new

    def lines(self) -> list[str]:
        """The rows as text, without the blanks at their ends."""
        return ["".join(self._grid.cells(y)[0]).rstrip() for y in range(self._grid.lines)]

    def view(self) -> View:
        """What is shown, to be read by a profile."""
        rows = [self._grid.cells(y) for y in range(self._grid.lines)]
        row, x = self._grid.cursor.y, self._grid.cursor.x
        return View(
            lines=["".join(texts).rstrip() for texts, _ in rows],
            typed=[_typed(*cells, x if y == row else None) for y, cells in enumerate(rows)],
            row=row,
            column=len("".join(rows[row][0][:x])),
            title=self.title,
        )


def _typed(texts: list[str], faint: list[bool], cursor: int | None) -> str:
    """A row with what is faint blanked: what is left was typed, or is the frame."""
    text = [" " * len(each) if mark else each for each, mark in zip(texts, faint, strict=True)]
    if cursor is not None and cursor + 1 < len(texts) and faint[cursor + 1] and texts[cursor + 1].strip():
        # A program that draws its cursor itself shows the first letter of a hint in it.
        text[cursor] = " " * len(text[cursor])
    return "".join(text).rstrip()


def is_grey(colour: str) -> bool:
    """Whether a colour, as pyte names it, is a grey, in which programs write hints."""
    if re.fullmatch("[0-9a-f]{6}", colour) is None:
        return colour == "brightblack"
    red, green, blue = bytes.fromhex(colour)
    return max(red, green, blue) - min(red, green, blue) <= 24 and 48 <= red < 188
