"""The cells of a screen: where letters are put, moved and blanked."""

from __future__ import annotations


class Grid:
    """One screen: rows of cells. A wide letter takes its cell and leaves the next one empty."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.cells = [self._blank() for _ in range(rows)]
        self.marks = [bytearray(columns) for _ in range(rows)]
        self.row = self.column = 0
        self.wrapping = False
        """The last column was written: the next letter goes to the next line."""
        self.top, self.bottom = 0, rows - 1
        self.saved = (0, 0)

    def _blank(self) -> list[str]:
        return [" "] * self.columns

    def resize(self, rows: int, columns: int) -> None:
        """Take another size; what no longer fits is cut at the right, and at the top above the cursor."""
        self.columns = columns
        for number, row in enumerate(self.cells):
            self.cells[number] = (row + self._blank())[:columns]
            self.marks[number] = (self.marks[number] + bytearray(columns))[:columns]
        cut = max(0, self.row - rows + 1)
        self.cells = (self.cells[cut:] + [self._blank() for _ in range(rows)])[:rows]
        self.marks = (self.marks[cut:] + [bytearray(columns) for _ in range(rows)])[:rows]
        self.rows, self.top, self.bottom = rows, 0, rows - 1
        self.move(self.row - cut, self.column)

    def move(self, row: int, column: int) -> None:
        """Put the cursor somewhere, at the nearest edge where that is outside."""
        self.row = min(max(row, 0), self.rows - 1)
        self.column = min(max(column, 0), self.columns - 1)
        self.wrapping = False

    def line_feed(self) -> None:
        """Go a line down; at the bottom of the scrolled part, scroll it."""
        if self.row == self.bottom:
            self.scroll(1)
        elif self.row < self.rows - 1:
            self.row += 1
        self.wrapping = False

    def reverse_feed(self) -> None:
        """Go a line up; at the top of the scrolled part, scroll it down."""
        if self.row == self.top:
            self.scroll(-1)
        elif self.row > 0:
            self.row -= 1
        self.wrapping = False

    def scroll(self, count: int, top: int | None = None) -> None:
        """Move the lines from ``top`` to the end of the scrolled part ``count`` up; down when negative."""
        first, last = self.top if top is None else top, self.bottom
        for _ in range(min(abs(count), last - first + 1)):
            gone, new = (first, last) if count > 0 else (last, first)
            del self.cells[gone], self.marks[gone]
            self.cells.insert(new, self._blank())
            self.marks.insert(new, bytearray(self.columns))

    def shift(self, count: int) -> None:
        """Insert ``count`` blanks at the cursor; with a negative count, delete letters."""
        row, marks, here = self.cells[self.row], self.marks[self.row], self.column
        if count > 0:
            count = min(count, self.columns - here)
            self.halve(self.row, here, here)
            row[here:here] = [" "] * count
            marks[here:here] = bytes(count)
            del row[self.columns :], marks[self.columns :]
        else:
            count = min(-count, self.columns - here)
            self.halve(self.row, here, here + count)
            del row[here : here + count], marks[here : here + count]
            row.extend([" "] * count)
            marks.extend(bytes(count))
        self.wrapping = False

    def halve(self, row: int, first: int, last: int) -> None:
        """The cells from ``first`` to before ``last`` are about to be written: of a wide letter that is only
        half among them the other half goes blank."""
        cells = self.cells[row]
        if first > 0 and cells[first] == "":
            cells[first - 1] = " "
        if last < self.columns and cells[last] == "":
            cells[last] = " "

    def erase(self, row: int, first: int, last: int) -> None:
        """Blank the cells of a row from ``first`` to before ``last``."""
        last = min(last, self.columns)
        if last > first:
            self.halve(row, first, last)
            self.cells[row][first:last] = [" "] * (last - first)
            self.marks[row][first:last] = bytes(last - first)

    def erase_rows(self, first: int, last: int) -> None:
        """Blank whole rows from ``first`` to before ``last``."""
        for row in range(first, last):
            self.erase(row, 0, self.columns)
