"""How the model's text is cut into pieces of its vocabulary: BERT's WordPiece, without case or accents.

Text is cut at spaces and around each sign of punctuation; a word that the vocabulary lacks is taken
apart into the longest pieces that it has.
"""

from __future__ import annotations

import os
import unicodedata
from functools import lru_cache

from hubbub.words import few_marks

UNKNOWN, START, END = 100, 101, 102
"""The numbers of ``[UNK]``, ``[CLS]`` and ``[SEP]`` in the vocabulary."""

WORD_MAX = 100
"""A word with more characters than this is unknown to the model it was trained as."""


class WordPiece:
    """A text as numbers of the vocabulary."""

    def __init__(self) -> None:
        path = os.path.join(os.path.dirname(__file__), "vocabulary.txt")
        with open(path, encoding="utf-8") as file:
            self._numbers = {piece: number for number, piece in enumerate(file.read().split("\n"))}
        self._pieces = lru_cache(maxsize=20_000)(self._cut)

    def numbers(self, text: str, limit: int) -> list[int]:
        """The pieces of ``text`` between start and end, ``limit`` of them in all at most."""
        found = [START]
        for word in _spread(text).split():
            found.extend(self._pieces(word))
            if len(found) >= limit:
                break
        return [*found[: limit - 1], END]

    def _cut(self, word: str) -> tuple[int, ...]:
        if len(word) > WORD_MAX:
            return (UNKNOWN,)
        found: list[int] = []
        begin = 0
        while begin < len(word):
            end = len(word)
            while end > begin:
                piece = ("##" if begin else "") + word[begin:end]
                number = self._numbers.get(piece)
                if number is not None:
                    break
                end -= 1
            else:
                return (UNKNOWN,)
            assert number is not None
            found.append(number)
            begin = end
        return tuple(found)


def _spread(text: str) -> str:
    """Lower case without accents and control characters, spaces around what stands for itself."""
    if text.isascii():
        return text.lower().translate(_ASCII)
    spread = []
    for sign in unicodedata.normalize("NFD", few_marks(text.lower())):
        kind = unicodedata.category(sign)
        if sign in "\t\n\r" or kind == "Zs":
            spread.append(" ")
        elif kind in ("Mn", "Cc", "Cf", "Cs", "Co") or sign == "\ufffd":
            continue
        elif _alone(sign, kind):
            spread.append(f" {sign} ")
        else:
            spread.append(sign)
    return "".join(spread)


def _alone(sign: str, kind: str) -> bool:
    """Whether a character is a word of its own: punctuation, and Chinese characters."""
    code = ord(sign)
    if code < 128:
        return not sign.isalnum() and 32 < code < 127
    return kind.startswith("P") or any(first <= code <= last for first, last in _CHINESE)


_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def _ascii(code: int) -> str | None:
    if chr(code) in "\t\n\r":
        return " "
    if code < 32 or code == 127:
        return None
    return f" {chr(code)} " if _alone(chr(code), "") else chr(code)


_ASCII = {code: _ascii(code) for code in range(128)}
