"""What a terminal shows: the screen of a program, kept from the bytes that it writes.

Only what deciding needs is kept: the letters, which of them are faint (a hint of the program's, not
something that was typed), the cursor, and the modes that were switched on. Colours are dropped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from hubbub.wake.profiles import View
from hubbub.wake.screen_grid import Grid
from hubbub.wake.screen_stream import Reader

FAINT = 1
"""Of a cell: shown faint or grey."""

_LINES = str.maketrans("jklmnqtuvwx", "┘┐┌└┼─├┤┴┬│")
"""The line-drawing letters that programs use through ``ESC ( 0``."""


class Screen(Reader):
    """The screen of a program, from its output."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self._main = Grid(max(1, rows), max(1, columns))
        self._other: Grid | None = None
        self.grid = self._main
        self.faint = False
        self.modes: set[int] = set()
        """The private modes that are on and were off at first: 2004 is bracketed paste."""
        self.cursor_hidden = False
        self._insert = False
        self._wraps = True
        self._graphics = [False, False]
        self._shift = 0
        self._last = " "

    @property
    def bracketed_paste(self) -> bool:
        """Whether the program asked for pasted text to be marked as such."""
        return 2004 in self.modes

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self.grid.row, self.grid.column

    def view(self) -> View:
        """What is shown, to be read by a profile."""
        grid = self.grid
        return View(
            lines=self.lines(),
            typed=[self._typed(row) for row in range(grid.rows)],
            row=grid.row,
            column=len("".join(grid.cells[grid.row][: grid.column + grid.wrapping])),
            title=self.title,
        )

    def lines(self) -> list[str]:
        """The rows as text, without the blanks at their ends."""
        return ["".join(row).rstrip() for row in self.grid.cells]

    def _typed(self, row: int) -> str:
        """A row with what is faint blanked: what is left was typed, or is the frame."""
        cells, marks = self.grid.cells[row], self.grid.marks[row]
        text = [" " * len(cell) if mark else cell for cell, mark in zip(cells, marks, strict=True)]
        here = self.grid.column
        if row == self.grid.row and here + 1 < len(cells) and marks[here + 1] and cells[here + 1].strip():
            # A program that draws its cursor itself shows the first letter of a hint in it.
            text[here] = " " * len(text[here])
        return "".join(text).rstrip()

    def resize(self, rows: int, columns: int) -> None:
        """The terminal has another size now."""
        rows, columns = max(1, rows), max(1, columns)
        self._main.resize(rows, columns)
        if self._other is not None:
            self._other.resize(rows, columns)

    def text(self, text: str) -> None:
        """Letters, at the cursor."""
        if self._graphics[self._shift]:
            text = text.translate(_LINES)
        grid, mark = self.grid, FAINT if self.faint else 0
        if text.isascii() and not self._insert:
            self._plain(text, mark)
        else:
            for letter in text:
                self._letter(grid, letter, mark)
        self._last = text[-1]

    def _plain(self, text: str, mark: int) -> None:
        """Letters of one cell each, as many at once as fit into the line."""
        grid = self.grid
        while text:
            if grid.wrapping:
                self._wrap(grid)
            room = grid.columns - grid.column
            part, text = text[:room], text[room:]
            end = grid.column + len(part)
            grid.halve(grid.row, grid.column, end)
            grid.cells[grid.row][grid.column : end] = part
            grid.marks[grid.row][grid.column : end] = bytes([mark]) * len(part)
            grid.column = min(end, grid.columns - 1)
            grid.wrapping = end == grid.columns

    def _wrap(self, grid: Grid) -> None:
        grid.wrapping = False
        if self._wraps:
            grid.column = 0
            grid.line_feed()

    def _letter(self, grid: Grid, letter: str, mark: int) -> None:
        width = width_of(letter)
        if width == 0:
            before = grid.column if grid.wrapping else grid.column - 1
            if before >= 0:
                grid.cells[grid.row][before] += letter
            return
        if grid.wrapping or (width == 2 and grid.column == grid.columns - 1 and grid.columns > 1):
            self._wrap(grid)
        if self._insert:
            grid.shift(width)
        width = min(width, grid.columns - grid.column)
        grid.halve(grid.row, grid.column, grid.column + width)
        grid.cells[grid.row][grid.column] = letter
        grid.marks[grid.row][grid.column] = mark
        if width == 2:
            grid.cells[grid.row][grid.column + 1] = ""
            grid.marks[grid.row][grid.column + 1] = mark
        grid.wrapping = grid.column + width == grid.columns
        grid.column = min(grid.column + width, grid.columns - 1)

    def control(self, code: str) -> None:
        """One of the control characters."""
        grid = self.grid
        if code in "\n\x0b\x0c":
            grid.line_feed()
        elif code == "\r":
            grid.move(grid.row, 0)
        elif code == "\b":
            grid.move(grid.row, grid.column - 1)
        elif code == "\t":
            grid.move(grid.row, (grid.column // 8 + 1) * 8)
        elif code in "\x0e\x0f":
            self._shift = 1 if code == "\x0e" else 0

    def escape(self, between: str, final: str) -> None:
        """A short escape sequence."""
        grid = self.grid
        if between in ("(", ")"):
            self._graphics[between == ")"] = final == "0"
        elif between:
            return
        elif final == "M":
            grid.reverse_feed()
        elif final in "DE":
            grid.line_feed()
            if final == "E":
                grid.move(grid.row, 0)
        elif final == "7":
            grid.saved = (grid.row, grid.column)
        elif final == "8":
            grid.move(*grid.saved)
        elif final == "c":
            self._reset()

    def _reset(self) -> None:
        rows, columns = self.grid.rows, self.grid.columns
        self._main = self.grid = Grid(rows, columns)
        self._other = None
        self.modes.clear()
        self.faint = self.cursor_hidden = self._insert = False
        self._wraps, self._graphics, self._shift = True, [False, False], 0

    def sequence(self, private: str, numbers: list[int], between: str, final: str) -> None:
        """A control sequence."""
        if private == "?" and final in "hl" and not between:
            for mode in numbers:
                self._mode(mode, final == "h")
        elif not private and not between:
            action = _ACTIONS.get(final)
            if action is not None:
                action(self, numbers)
        elif between == "!" and final == "p":
            self.faint = self._insert = False
            self.grid.top, self.grid.bottom = 0, self.grid.rows - 1

    def rendition(self, faint: bool) -> None:
        """How letters look from here on."""
        self.faint = faint

    def _mode(self, mode: int, on: bool) -> None:
        if mode == 7:
            self._wraps = on
        elif mode == 25:
            self.cursor_hidden = not on
        elif mode in (47, 1047, 1049):
            self._alternate(on, mode == 1049)
        if mode in (7, 25):
            return
        (self.modes.add if on else self.modes.discard)(mode)

    def _alternate(self, on: bool, save: bool) -> None:
        if on and self._other is None:
            if save:
                self._main.saved = (self._main.row, self._main.column)
            self._other = self.grid = Grid(self._main.rows, self._main.columns)
        elif not on and self._other is not None:
            self._other, self.grid = None, self._main
            if save:
                self._main.move(*self._main.saved)

    def erase_display(self, numbers: list[int]) -> None:
        """ED: below the cursor, above it, or all."""
        grid, how = self.grid, numbers[0]
        if how == 0:
            grid.erase(grid.row, grid.column, grid.columns)
            grid.erase_rows(grid.row + 1, grid.rows)
        elif how == 1:
            grid.erase_rows(0, grid.row)
            grid.erase(grid.row, 0, grid.column + 1)
        elif how == 2:
            grid.erase_rows(0, grid.rows)

    def erase_line(self, numbers: list[int]) -> None:
        """EL: to the end of the line, to its beginning, or all of it."""
        grid, how = self.grid, numbers[0]
        first = grid.column if how == 0 else 0
        grid.erase(grid.row, first, grid.column + 1 if how == 1 else grid.columns)
        grid.wrapping = False

    def set_region(self, numbers: list[int]) -> None:
        """DECSTBM: which lines scroll."""
        grid = self.grid
        top, bottom = numbers[0] or 1, (numbers[1] if len(numbers) > 1 else 0) or grid.rows
        if top < bottom <= grid.rows:
            grid.top, grid.bottom = top - 1, bottom - 1
            grid.move(0, 0)

    def lines_in(self, count: int) -> None:
        """IL, or with a negative count DL: lines in at the cursor, or out."""
        grid = self.grid
        if grid.top <= grid.row <= grid.bottom:
            grid.scroll(-count, grid.row)
            grid.move(grid.row, 0)

    def repeat(self, count: int) -> None:
        """REP: the last letter again."""
        self.text(self._last * min(count, self.grid.rows * self.grid.columns))

    def switch(self, numbers: list[int], on: bool) -> None:
        """SM and RM: of the public modes only inserting matters."""
        if 4 in numbers:
            self._insert = on


def width_of(letter: str) -> int:
    """How many cells a letter takes: 0 for what combines with the one before, 2 for wide ones."""
    if letter < "\u0300":
        return 1
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _one(numbers: list[int]) -> int:
    return numbers[0] or 1


def _place(screen: Screen, numbers: list[int]) -> None:
    column = numbers[1] if len(numbers) > 1 else 1
    screen.grid.move((numbers[0] or 1) - 1, (column or 1) - 1)


def _by(rows: int, columns: int, *, begin: bool = False) -> Callable[[Screen, list[int]], None]:
    def act(screen: Screen, numbers: list[int]) -> None:
        grid, count = screen.grid, _one(numbers)
        row = grid.row + rows * count
        if rows > 0 and grid.row <= grid.bottom:
            row = min(row, grid.bottom)
        elif rows < 0 and grid.row >= grid.top:
            row = max(row, grid.top)
        grid.move(row, 0 if begin else grid.column + columns * count)

    return act


_ACTIONS: dict[str, Callable[[Screen, list[int]], None]] = {
    "A": _by(-1, 0),
    "B": _by(1, 0),
    "C": _by(0, 1),
    "D": _by(0, -1),
    "E": _by(1, 0, begin=True),
    "F": _by(-1, 0, begin=True),
    "a": _by(0, 1),
    "e": _by(1, 0),
    "G": lambda screen, numbers: screen.grid.move(screen.grid.row, _one(numbers) - 1),
    "`": lambda screen, numbers: screen.grid.move(screen.grid.row, _one(numbers) - 1),
    "d": lambda screen, numbers: screen.grid.move(_one(numbers) - 1, screen.grid.column),
    "H": _place,
    "f": _place,
    "I": lambda screen, numbers: screen.grid.move(
        screen.grid.row, (screen.grid.column // 8 + _one(numbers)) * 8
    ),
    "Z": lambda screen, numbers: screen.grid.move(
        screen.grid.row, (-(-screen.grid.column // 8) - _one(numbers)) * 8
    ),
    "J": Screen.erase_display,
    "K": Screen.erase_line,
    "L": lambda screen, numbers: screen.lines_in(_one(numbers)),
    "M": lambda screen, numbers: screen.lines_in(-_one(numbers)),
    "@": lambda screen, numbers: screen.grid.shift(_one(numbers)),
    "P": lambda screen, numbers: screen.grid.shift(-_one(numbers)),
    "S": lambda screen, numbers: screen.grid.scroll(_one(numbers)),
    "T": lambda screen, numbers: screen.grid.scroll(-_one(numbers)),
    "X": lambda screen, numbers: screen.grid.erase(
        screen.grid.row, screen.grid.column, screen.grid.column + _one(numbers)
    ),
    "b": lambda screen, numbers: screen.repeat(_one(numbers)),
    "h": lambda screen, numbers: screen.switch(numbers, True),
    "l": lambda screen, numbers: screen.switch(numbers, False),
    "r": Screen.set_region,
    "s": lambda screen, numbers: setattr(screen.grid, "saved", screen.cursor),
    "u": lambda screen, numbers: screen.grid.move(*screen.grid.saved),
}
