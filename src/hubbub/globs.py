"""Globs of paths, and whether two of them can name the same file.

A glob is a path relative to the repository's root. ``*`` stands for any run of characters within one
part, ``?`` for one character, ``[abc]``, ``[a-z]`` and ``[!a]`` for one of a set, ``{a,b}`` for either, and
a part ``**`` for any number of parts. A path that ends in ``/`` or ``**`` covers
all below it. So does one without any patterns, which may be a folder; where its last part has a dot, as in
``src/a.py``, it does so only for those that name something in it. There are no escapes.

Upper and lower case are the same: so they are where files are kept on macOS and Windows, and to be held up
elsewhere does less harm than two agents in one file.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from hubbub.errors import InvalidArgument

GLOB_MAX = 200
"""How long a glob is at most, in characters: two are compared within the turn to write, in a time that
grows with the product of their lengths."""

STARS_MAX = 4
"""How many ``*`` one part of a path holds at most."""

CHOICES_MAX = 16
"""How many globs the braces of one may stand for."""

_EXAMPLE = "Use a path like src/app.py, src/*.py, src/** or docs/{a,b}.md, relative to the repository."


class _Set(NamedTuple):
    """One character of a set of ranges, or of all others."""

    ranges: tuple[tuple[str, str], ...]
    others: bool
    either_case: tuple[tuple[str, str], ...] = ()
    """The ranges, and those of the same letters in the other case."""

    def has(self, letter: str) -> bool:
        if self.others:  # [!a] names A where case counts
            return not any(low <= letter <= high for low, high in self.ranges)
        return any(
            low <= one <= high
            for one in (letter, letter.lower(), letter.upper())
            for low, high in self.ranges
        )


_Token: TypeAlias = "str | _Set"
"""A letter, or a set; :data:`_STAR` is any run of letters, :data:`_ONE` any one."""
_Part: TypeAlias = tuple[_Token, ...] | None
"""One part of a path; None is ``**``."""
_STAR = _Set((), False)
_ONE = _Set((), True)


def check_glob(glob: object) -> str:
    """``glob`` in its plain form: no ``./``, no doubled slashes.

    Raises:
        InvalidArgument: it is absolute, leaves the repository, is too long, or can't be read.
    """
    if not isinstance(glob, str):
        raise InvalidArgument("A path must be text.", hint=_EXAMPLE)
    shown = ascii(glob)[:80]
    if not glob.strip() or len(glob) > GLOB_MAX or not glob.isprintable():
        raise InvalidArgument(f"{shown} can't be a path.", hint=_EXAMPLE)
    if glob.startswith(("/", "~")) or "\\" in glob or (len(glob) > 1 and glob[1] == ":"):
        raise InvalidArgument(f"{shown} must be relative to the repository's root.", hint=_EXAMPLE)
    plain = unicodedata.normalize("NFC", glob)
    folder = plain.endswith("/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidArgument(f"{shown} leads out of the repository.", hint=_EXAMPLE)
    if folder or not parts:
        parts.append("**")
    plain = "/".join(parts)
    _parsed(plain)
    return plain


def overlap(one: str, other: str) -> bool:
    """Whether some path matches both of two checked globs."""
    if one == other:
        return True
    return any(
        _meet(a, b) or _lies_below(a, b) or _lies_below(b, a) for a in _parsed(one) for b in _parsed(other)
    )


def _lies_below(folder: tuple[_Part, ...], other: tuple[_Part, ...]) -> bool:
    """Whether ``folder`` has no patterns and the other begins with it: then it is one, whatever its name."""
    if len(other) <= len(folder) or not _is_plain(folder):
        return False
    start = other[: len(folder)]
    return _is_plain(start) and _meet(folder, start)


def matches(glob: str, path: str) -> bool:
    """Whether a checked glob names ``path``, a plain path whose characters all stand for themselves."""
    plain = tuple(
        tuple(part) for part in unicodedata.normalize("NFC", path).split("/") if part not in ("", ".")
    )
    return any(_meet(a, plain) or _lies_below(a, plain) for a in _parsed(glob))


@lru_cache(maxsize=4096)
def _parsed(glob: str) -> tuple[tuple[_Part, ...], ...]:
    """The globs without braces that ``glob`` stands for, each as its parts."""
    plain = _expand(glob)
    if len(plain) > CHOICES_MAX:
        raise InvalidArgument(
            f"{ascii(glob)[:80]} stands for more than {CHOICES_MAX} globs.",
            hint="Give several paths instead.",
        )
    return tuple(_with_below(tuple(_part(part, glob) for part in each.split("/") if part)) for each in plain)


def _with_below(parts: tuple[_Part, ...]) -> tuple[_Part, ...]:
    """What has no patterns and ends in a name without a dot may well be a folder: it is all below it, too."""
    last = parts[-1] if parts else None
    return (*parts, None) if last is not None and _is_plain(parts) and "." not in last[1:] else parts


def _is_plain(parts: tuple[_Part, ...]) -> bool:
    return all(part is not None and all(isinstance(token, str) for token in part) for part in parts)


def _expand(glob: str) -> list[str]:
    start = _outside_sets(glob, "{")
    if start < 0:
        if _outside_sets(glob, "}") >= 0:
            raise InvalidArgument(f"{ascii(glob)[:80]} has a }} without its {{.", hint=_EXAMPLE)
        return [glob]
    depth, commas = 0, [start]
    for place in range(start, len(glob)):
        letter = glob[place]
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 1:
            commas.append(place)
        if depth == 0:
            break
    else:
        raise InvalidArgument(f"{ascii(glob)[:80]} has a {{ without its }}.", hint=_EXAMPLE)
    ends = [*commas[1:], place]
    found: list[str] = []
    for first, last in zip(commas, ends, strict=True):
        found += _expand(glob[:start] + glob[first + 1 : last] + glob[place + 1 :])
        if len(found) > CHOICES_MAX:
            break
    return found


def _outside_sets(glob: str, wanted: str) -> int:
    inside = False
    for place, letter in enumerate(glob):
        if letter == "[":
            inside = True
        elif letter == "]":
            inside = False
        elif letter == wanted and not inside:
            return place
    return -1


def _part(part: str, glob: str) -> _Part:
    if part == "**":
        return None
    tokens: list[_Token] = []
    place = 0
    while place < len(part):
        letter = part[place]
        if letter == "*":
            if not tokens or tokens[-1] is not _STAR:
                tokens.append(_STAR)
        elif letter == "?":
            tokens.append(_ONE)
        elif letter == "[":
            end = part.find("]", place + 2)
            if end < 0:
                raise InvalidArgument(f"{ascii(glob)[:80]} has a [ without its ].", hint=_EXAMPLE)
            tokens.append(_set(part[place + 1 : end], glob))
            place = end
        else:
            tokens.append(letter)
        place += 1
    if tokens.count(_STAR) > STARS_MAX:
        raise InvalidArgument(
            f"{ascii(glob)[:80]} has more than {STARS_MAX} stars in one part.", hint=_EXAMPLE
        )
    return tuple(tokens)


def _set(text: str, glob: str) -> _Set:
    others = text[0] in "!^"
    text = text[1:] if others else text
    ranges: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        if place + 2 < len(text) and text[place + 1] == "-":
            if text[place] > text[place + 2]:
                raise InvalidArgument(
                    f"{ascii(glob)[:80]} has a range that ends before it begins.", hint=_EXAMPLE
                )
            ranges.append((text[place], text[place + 2]))
            place += 3
        else:
            ranges.append((text[place], text[place]))
            place += 1
    swapped = [(_swapped(low), _swapped(high)) for low, high in _halves(ranges)]
    return _Set(tuple(ranges), others, (*ranges, *swapped))


def _halves(ranges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What of the ranges are letters of one case: all of a to z and A to Z, and any single letter."""
    found = [(low, high) for low, high in ranges if low == high]
    for first, last in (("a", "z"), ("A", "Z")):
        found += [(max(low, first), min(high, last)) for low, high in ranges if low <= last and high >= first]
    return found


def _swapped(letter: str) -> str:
    other = letter.swapcase()
    return other if len(other) == 1 else letter


@lru_cache(maxsize=65536)
def _meet(one: tuple[_Part, ...], other: tuple[_Part, ...]) -> bool:
    """Whether some path has parts that both allow: all pairs of places that can be reached, in turn."""
    seen = {(0, 0)}
    left = [(0, 0)]
    while left:
        i, j = left.pop()
        if i == len(one) and j == len(other):
            return True
        steps = []
        if i < len(one) and one[i] is None:
            steps.append((i + 1, j))
            if j < len(other) and other[j] is not None:
                steps.append((i, j + 1))
        if j < len(other) and other[j] is None:
            steps.append((i, j + 1))
            if i < len(one) and one[i] is not None:
                steps.append((i + 1, j))
        if i < len(one) and j < len(other):
            a, b = one[i], other[j]
            if a is not None and b is not None and _parts_meet(a, b):
                steps.append((i + 1, j + 1))
        for step in steps:
            if step not in seen:
                seen.add(step)
                left.append(step)
    return False


def _parts_meet(one: tuple[_Token, ...], other: tuple[_Token, ...]) -> bool:
    """The same for the characters of one part."""
    if one and other and not (one[0] is _STAR or other[0] is _STAR or _letters_meet(one[0], other[0])):
        return False
    if one and other and not (one[-1] is _STAR or other[-1] is _STAR or _letters_meet(one[-1], other[-1])):
        return False
    seen = {(0, 0)}
    left = [(0, 0)]
    while left:
        i, j = left.pop()
        if i == len(one) and j == len(other):
            return True
        steps = []
        if i < len(one) and one[i] is _STAR:
            steps.append((i + 1, j))
            if j < len(other) and other[j] is not _STAR:
                steps.append((i, j + 1))
        if j < len(other) and other[j] is _STAR:
            steps.append((i, j + 1))
            if i < len(one) and one[i] is not _STAR:
                steps.append((i + 1, j))
        if i < len(one) and j < len(other) and _letters_meet(one[i], other[j]):
            steps.append((i + 1, j + 1))
        for step in steps:
            if step not in seen:
                seen.add(step)
                left.append(step)
    return False


def _letters_meet(a: _Token, b: _Token) -> bool:
    if a is _STAR or b is _STAR:
        return False
    if isinstance(a, str):
        return _same_letter(a, b) if isinstance(b, str) else b.has(a)
    if isinstance(b, str):
        return a.has(b)
    if a.others and b.others:
        return True  # two finite sets leave out only so many letters
    if a.others or b.others:
        wanted, other = (b, a) if a.others else (a, b)
        return any(
            other.has(chr(code))
            for low, high in wanted.ranges
            for code in range(ord(low), min(ord(high), ord(low) + 65_536) + 1)
        )
    return any(low <= top and bottom <= high for low, high in a.either_case for bottom, top in b.ranges)


def _same_letter(a: str, b: str) -> bool:
    return a == b or a.lower() == b.lower() or a.upper() == b.upper()
