"""What a measurement gives, and how figures are shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple


class Expected(NamedTuple):
    """What a figure is held to: at most or at least a value, of the figure or of its ratio."""

    most: float | None = None
    least: float | None = None
    most_ratio: float | None = None
    least_ratio: float | None = None


class Figure(NamedTuple):
    """One measured value beside the limit that the machine set in the same run."""

    what: str
    value: float
    unit: str
    """``/s``, ``ms``, ``MiB``, ``KiB`` or ``%``."""
    limit: float | None = None
    limit_what: str = ""
    """What the limit is a measurement of; for some figures, what else was measured in the same run."""
    expected: Expected | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The value divided by its limit."""
        return self.value / self.limit if self.limit else None

    @property
    def met(self) -> bool | None:
        """Whether the figure is as expected; None where nothing is expected of it."""
        if self.expected is None:
            return None
        most, least, most_ratio, least_ratio = self.expected
        if (most is not None and self.value > most) or (least is not None and self.value < least):
            return False
        if most_ratio is None and least_ratio is None:
            return True
        if self.ratio is None:
            return False
        return (most_ratio is None or self.ratio <= most_ratio) and (
            least_ratio is None or self.ratio >= least_ratio
        )

    def as_dict(self) -> dict[str, Any]:
        """The figure as JSON values."""
        expected = None if self.expected is None else self.expected._asdict()
        return {**self._asdict(), "expected": expected, "ratio": self.ratio, "met": self.met}


class Result(NamedTuple):
    """What one row led to."""

    row: str
    sentence: str
    figures: tuple[Figure, ...]
    seconds: float
    trouble: str = ""
    """Why the row, or part of it, could not be measured."""


def median(samples: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(samples)


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least ``share`` (0 to 1) of all samples do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def table(results: Sequence[Result]) -> str:
    """All figures as one Markdown table, aligned for a terminal, and what could not be measured."""
    lines = [("row", "measured", "value", "beside it", "ratio", "expected", "met")]
    for result in results:
        for figure in result.figures:
            lines.append(
                (
                    result.row,
                    figure.what,
                    _amount(figure.value, figure.unit),
                    ""
                    if figure.limit is None
                    else f"{_amount(figure.limit, figure.unit)} {figure.limit_what}",
                    "" if figure.ratio is None else f"{figure.ratio:.2f}",
                    _expectation(figure),
                    {True: "yes", False: "NO", None: ""}[figure.met],
                )
            )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown = [_line(line, widths) for line in lines]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = [
        f"{result.row}: {figure.what}: {figure.note}"
        for result in results
        for figure in result.figures
        if figure.note
    ]
    missing = [f"{result.row}: not measured: {result.trouble}" for result in results if result.trouble]
    return "\n".join(shown + [""] * bool(notes or missing) + notes + missing)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def _amount(value: float, unit: str) -> str:
    if unit == "/s":
        return f"{value:,.0f} /s"
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def _expectation(figure: Figure) -> str:
    if figure.expected is None:
        return ""
    most, least, most_ratio, least_ratio = figure.expected
    parts = []
    if most is not None:
        parts.append(f"<= {_amount(most, figure.unit)}")
    if least is not None:
        parts.append(f">= {_amount(least, figure.unit)}")
    if most_ratio is not None:
        parts.append(f"ratio <= {most_ratio:g}")
    if least_ratio is not None:
        parts.append(f"ratio >= {least_ratio:g}")
    return ", ".join(parts)
