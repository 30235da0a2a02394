"""Snippets: the stretches of a text that show why it was found."""

from __future__ import annotations

import re
from typing import NamedTuple

from hubbub.words import ATOM_MAX, Query, Term, aligned

WIDTH = 200
"""About how many characters of a text a snippet shows: in one stretch, or in two of half the width."""

GAP = " … "
"""What stands for text that is left out."""

_PART = 1 << 16
_OVERLAP = 1 << 10
_ENOUGH = 200
_SNAP = 20

_EDGE = " +#"


class Snippet(NamedTuple):
    """A text cut down to what matters, and where in it the matches are."""

    text: str
    marks: tuple[tuple[int, int], ...]
    """``(start, end)`` of each match in ``text``, in order, none overlapping."""


class _Match(NamedTuple):
    start: int
    end: int
    term: int


class Snipper:
    """Makes the snippets of one search. It reads up to ``budget`` characters of text for all of them, so that
    a page of very long messages costs a bounded time; of what lies behind, the beginning is shown."""

    def __init__(self, query: Query, budget: int = 2 << 20) -> None:
        terms = [term for group in query.groups for term in group]
        # A phrase comes before its own words: the first that fits is taken.
        terms.sort(key=lambda term: -len(term.words))
        self._count = len(terms)
        either = "|".join(f"({_pattern(term)})" for term in terms)
        # Only where a word begins is anything tried: a long text is read in a fraction of the time.
        self._pattern = re.compile(f"(?<![^{_EDGE}])(?:{either})") if terms else None
        self._left = budget

    def snippet(self, text: str) -> Snippet:
        """The stretches of ``text`` with the best matches; its beginning where there are none."""
        matches = self._find(text)
        if not matches:
            return _cut(text, [(0, WIDTH)], [])
        best = _best(matches, WIDTH, set())
        seen = {match.term for match in best}
        rest = [match for match in matches if match.term not in seen]
        if not rest:
            return _cut(text, [_around(best, WIDTH)], matches)
        first = _best(matches, WIDTH // 2, set())
        second = _best(matches, WIDTH // 2, {match.term for match in first})
        return _cut(text, [_around(first, WIDTH // 2), _around(second, WIDTH // 2)], matches)

    def _find(self, text: str) -> list[_Match]:
        """The first matches, until each term was met or enough were."""
        found: list[_Match] = []
        met: set[int] = set()
        for begin in range(0, len(text), _PART):
            if self._pattern is None or self._left <= 0 or len(met) == self._count or len(found) >= _ENOUGH:
                break
            # Parts overlap, so that no phrase is missed that lies across an edge.
            part = text[max(0, begin - _OVERLAP) : begin + _PART]
            offset = max(0, begin - _OVERLAP)
            self._left -= len(part) * (1 + self._count // 8)  # many terms take longer
            plain = aligned(part)
            for match in self._pattern.finditer(plain.text):
                start, end = plain.place(match.start()), plain.place(match.end() - 1) + 1
                if start + offset >= (found[-1].end if found else 0):
                    found.append(_Match(start + offset, end + offset, (match.lastindex or 1) - 1))
                    met.add(found[-1].term)
                if len(found) >= _ENOUGH:
                    break
        return found


def _pattern(term: Term) -> str:
    """What a term looks like in an aligned text."""
    parts: list[str] = []
    words = list(term.words)
    while words:
        word = words.pop(0)
        parts.append(re.escape(word) + (f"[^{_EDGE}]*" if len(word) == ATOM_MAX else ""))
        # The index holds the c of c++ and the 0 of v0 as words of their own; the text does not.
        if words and (word == words[0] + "++" or word == words[0] + "#" or word == "v" + words[0]):
            words.pop(0)
    before = "v?" if term.words[0].isdigit() else ""
    if term.prefix:
        after = f"[^{_EDGE}]*"
    else:
        after = "" if parts[-1][-1] in "+#" else f"(?![^{_EDGE}])"
    return before + f"[{_EDGE}]+".join(parts) + after


def _best(matches: list[_Match], width: int, known: set[int]) -> list[_Match]:
    """The matches within ``width`` that show most terms not ``known``, then most matches, then the first."""
    best: list[_Match] = []
    best_worth = (-1, 0)
    for place, first in enumerate(matches):
        group = [first]
        for other in matches[place + 1 : place + 32]:
            if other.end - first.start > width - 2 * _SNAP:
                break
            group.append(other)
        worth = (len({match.term for match in group} - known), len(group))
        if worth > best_worth:
            best, best_worth = group, worth
    return best


def _around(group: list[_Match], width: int) -> tuple[int, int]:
    start, end = group[0].start, min(group[-1].end, group[0].start + width)
    spare = max(0, width - (end - start))
    start = max(0, start - spare // 2)
    return start, start + width


def _cut(text: str, stretches: list[tuple[int, int]], matches: list[_Match]) -> Snippet:
    """These stretches of ``text``, at the ends of words where there are any near."""
    shown = ""
    marks: list[tuple[int, int]] = []
    for start, end in _apart(text, stretches):
        shown += GAP.lstrip() if start and not shown else GAP if shown else ""
        shift = len(shown) - start
        shown += text[start:end]
        marks += [
            (match.start + shift, min(match.end, end) + shift)
            for match in matches
            if start <= match.start < end
        ]
    last = max(end for _, end in stretches)
    return Snippet(shown + (GAP.rstrip() if last < len(text) else ""), tuple(marks))


def _apart(text: str, stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches in order, at the ends of words, and as one where they meet."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        begin, stop = _begin(text, start), _stop(text, end)
        if found and begin <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((begin, stop))
    return found


def _begin(text: str, start: int) -> int:
    if start == 0:
        return 0
    space = re.compile(r"\s").search(text, start, start + _SNAP)
    return space.end() if space else start


def _stop(text: str, end: int) -> int:
    if end >= len(text):
        return len(text)
    for place in range(end, max(0, end - _SNAP), -1):
        if text[place].isspace():
            return place
    return end
