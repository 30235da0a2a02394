"""Words: how text is cut into what search finds, and how a query is read.

Text becomes a row of atoms. A run of letters and digits is one; so is each character of the scripts that
are written without spaces between words, and each emoji. All else separates. What is written together
(``peer_server.py``, ``it's``, ``v0.5.1``) is thereby a phrase of atoms, in a text as in a query, and any
part of it that a reader would call a word is found, too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

ATOM_MAX = 64
"""Characters of an atom that count; what follows is left out, in a text as in a query."""

TERMS_MAX = 32
"""How many terms of a query are looked for."""

PHRASE_MAX = 64
"""How many atoms of one term are looked for."""

MARKS_MAX = 30
"""How many combining marks in a row count, as in the Stream-Safe Text Format of Unicode (UAX #15): no
language writes as many."""

PREFIX_MIN = 3
"""How many characters a word must have for ``*`` to mean any that begin so: fewer stand for too much."""


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


class Parsed(NamedTuple):
    """A query as it was read."""

    query: Query
    notes: tuple[str, ...] = ()
    """What of it could not be followed: plain sentences, each for the person who asked."""


# --- cutting -----------------------------------------------------------------------------------

# C++, C# and F# are names of things that C and F are not.
_SIGNED = re.compile(r"(?<![^\W_])([a-z](?:\+\+|#(?![^\W\d_])))")
_RUN = re.compile(r"[a-z0-9]+")
_VERSION = re.compile(r"v[0-9]+")

# Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, Tai; kana, bopomofo, ideographs, Yi.
# Hangul has spaces, but its words carry endings.
_SOLO = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x1950, 0x19DF),
    (0x1A20, 0x1AAF),
    (0x3005, 0x3007),
    (0x3021, 0x312F),
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAADF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0x16FE0, 0x18CFF),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)

# Seen by nobody, and inside words: the soft hyphen, joiners, selectors of a variant.
_NOTHING = ((0x00AD, 0x00AD), (0x200C, 0x200D), (0x2060, 0x2060), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF))
_ACCENTS = (0x0300, 0x036F)


class _Table(dict[int, str]):
    """What each character becomes, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _place(code)
        return found


def _place(code: int) -> str:
    import unicodedata

    char = chr(code)
    if _within(code, (_ACCENTS, *_NOTHING)) or 0xE0100 <= code <= 0xE01EF:
        return ""
    category = unicodedata.category(char)
    if category == "So":
        return f" {char} "
    if not char.isalnum() and category[0] != "M":
        return " "
    return f" {char} " if _within(code, _SOLO) else char


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)


_TABLE = _Table()


def folded(text: str) -> str:
    """``text`` without what makes no difference to a search: capitals, accents, forms of one character."""
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    plain = normalize("NFKD", normalize("NFKD", few_marks(text)).casefold())
    return normalize("NFKC", plain.translate(_NO_ACCENTS))


def few_marks(text: str) -> str:
    """``text`` with no more than :data:`MARKS_MAX` combining marks in a row: of a longer row the first.

    Normalising puts the marks of a row in order by moving each past those before it, so that its time grows
    with the square of the row, and it lets no other thread run meanwhile.
    """
    if not _MANY.search(text):
        return text
    rows = list(_TOO_MANY.finditer(text.translate(_KINDS)))
    if not rows:
        return text
    kept, begin = [], 0
    for row in rows:
        kept.append(text[begin : row.start() + MARKS_MAX])
        begin = row.end()
    return "".join((*kept, text[begin:]))


_MANY = re.compile(rf"[^\x00-\u02ff]{{{MARKS_MAX + 1}}}")
_TOO_MANY = re.compile(rf"m{{{MARKS_MAX + 1},}}")


class _Kinds(dict[int, str]):
    """Which characters are marks, or become marks when they are taken apart (``m``)."""

    def __missing__(self, code: int) -> str:
        from unicodedata import combining, normalize

        # Some that are no marks by their class are marks in parts: the halfwidth voiced sound marks, two
        # vowel signs of Tibetan.
        parts = normalize("NFKD", chr(code))
        found = self[code] = "m" if combining(parts[0]) else "."
        return found


_KINDS = _Kinds()


_NO_ACCENTS = dict.fromkeys(range(_ACCENTS[0], _ACCENTS[1] + 1))


def cut(text: str) -> list[str]:
    """The atoms of ``text`` in order. ``C++`` gives ``c++`` and ``c``, ``v0`` gives ``v0`` and ``0``."""
    text = folded(text)
    if "#" not in text and "++" not in text:
        return _plain(text)
    atoms: list[str] = []
    for place, part in enumerate(_SIGNED.split(text)):
        atoms += (part, part[0]) if place % 2 else _plain(part)
    return atoms


def _plain(text: str) -> list[str]:
    atoms = _RUN.findall(text) if text.isascii() else text.translate(_TABLE).split()
    if max(map(len, atoms), default=0) > ATOM_MAX:
        atoms = [atom[:ATOM_MAX] for atom in atoms]
    if "v" in text:
        return list(_with_versions(atoms))
    return atoms


def _with_versions(atoms: list[str]) -> Iterator[str]:
    for atom in atoms:
        yield atom
        if atom[0] == "v" and _VERSION.fullmatch(atom):
            yield atom[1:]


_ASCII = {code: chr(code) if chr(code).isalnum() or chr(code) in "+#" else " " for code in range(128)}


class Aligned(NamedTuple):
    """A text with its words as in the index, in which a place leads back to the text that it is made of."""

    text: str
    ends: list[int] | None
    """Where in ``text`` each character of the original ends; None where the places are the same."""

    def place(self, index: int) -> int:
        """The place in the original of the character at ``index``."""
        return index if self.ends is None else bisect_right(self.ends, index)


def aligned(text: str) -> Aligned:
    """``text`` with its words as in the index, and all else but ``+`` and ``#`` turned into spaces.

    It is made character by character: one that is written as several (a Korean syllable in its parts)
    is not put together.
    """
    if text.isascii():
        return Aligned(text.lower().translate(_ASCII), None)
    pieces = list(map(_PLACED.__getitem__, text))
    return Aligned("".join(pieces), list(accumulate(map(len, pieces))))


class _Placed(dict[str, str]):
    """What each character becomes in :func:`aligned`."""

    def __missing__(self, char: str) -> str:
        plain = folded(char)
        found = self[char] = plain.translate(_ASCII if plain.isascii() else _TABLE)
        return found


_PLACED = _Placed()


# --- reading a query -------------------------------------------------------------------------

# A sign of exclusion; a phrase, closed or not; or a word, up to a space or the quote of a phrase.
_PIECES = re.compile(r'(?:(?<!\S)(-)(?=[^\s-]))?(?:"([^"]*)(?:"|$)(\*?)|([^\s"]+))')


def parse(text: str) -> Parsed:
    """Read a query. Nothing is an error: what can't be followed is said in the notes."""
    groups: list[tuple[Term, ...]] = []
    excluded: list[Term] = []
    notes: dict[str, None] = {}
    count, joining, was_term = 0, False, False
    for piece in _PIECES.finditer(text):
        if piece[0] == "OR" and was_term and not joining:
            joining = True
            continue
        term = _term(piece, notes)
        if term is None:
            continue
        if count == TERMS_MAX:
            notes[f"Only the first {TERMS_MAX} words and phrases of the query were looked for."] = None
            break
        count += 1
        if term.excluded:
            excluded.append(term)
        elif joining:
            groups[-1] = (*groups[-1], term)
        else:
            groups.append((term,))
        joining, was_term = False, not term.excluded
    if not groups:
        notes[_reason(text, excluded)] = None
    return Parsed(Query(tuple(groups), tuple(excluded)), tuple(notes))


def _term(piece: re.Match[str], notes: dict[str, None]) -> Term | None:
    minus, phrase, star, word = piece.groups()
    atoms = _sought(cut(word if phrase is None else phrase))
    if not atoms:
        return None
    if len(atoms) > PHRASE_MAX:
        notes[f"Of a phrase only the first {PHRASE_MAX} words were looked for."] = None
        return Term(tuple(atoms[:PHRASE_MAX]), False, bool(minus))
    prefix = bool(star) if word is None else word.endswith("*")
    if prefix and len(atoms[-1]) < PREFIX_MIN:
        prefix = False
        # A character that is a word by itself is found wherever it stands: nothing was left out.
        if not _TABLE[ord(atoms[-1][0])].startswith(" "):
            notes[
                f"{atoms[-1]}* was taken as a word: to stand for all that begin so it takes "
                f"{PREFIX_MIN} characters."
            ] = None
    return Term(tuple(atoms), prefix, bool(minus))


def _sought(atoms: list[str]) -> list[str]:
    """Without the ``v0`` of a version that goes on, at the beginning: ``v0.5.1`` finds what ``0.5.1`` does.

    Elsewhere it stands between two words that the index has on either side of it.
    """
    if len(atoms) < 3 or not atoms[0].startswith("v"):
        return atoms
    first, after, next_one = atoms[:3]
    return atoms[1:] if first == "v" + after and after.isdigit() and next_one[:1].isdigit() else atoms


def _reason(text: str, excluded: list[Term]) -> str:
    if excluded:
        return "The query only excludes: add a word that should be there."
    if not text.strip():
        return "The query is empty."
    return "The query holds no word: only letters, digits and emoji are searched for."


def holds(text: str, terms: tuple[Term, ...]) -> bool:
    """Whether any of the terms is in ``text``."""
    atoms = f" {' '.join(cut(text))} "
    return any(f" {' '.join(term.words)}{'' if term.prefix else ' '}" in atoms for term in terms)
