"""Words: how text is cut into what search finds, and how a query is read."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """One condition of a query."""

    words: tuple[str, ...]
    """In this order, next to each other."""
    prefix: bool = False
    """The last word may go on."""
    excluded: bool = False


class Query(NamedTuple):
    """What to look for: messages that match one of each group, and none of the excluded."""

    groups: tuple[tuple[Term, ...], ...]
    excluded: tuple[Term, ...] = ()
