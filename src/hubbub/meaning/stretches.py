"""Cutting a long text into stretches that one vector can stand for."""

from __future__ import annotations

STRETCH = 1_000
"""About how many characters one vector stands for: some 250 of the model's pieces, which it was
trained on. Of a longer text the vector is a mean that is near to nothing."""

STRETCHES_MAX = 64
"""How many stretches of one text get a vector. A log of a megabyte would cost a minute and more; search
by words finds what stands behind them."""

_ENDS = ("\n\n", "\n", ". ", " ")
"""Where a stretch may end, the best first: after a paragraph, a line, a sentence, a word."""


def stretches(text: str) -> list[str]:
    """The stretches of ``text``, in order: none for a text of nothing but space.

    Each ends at the best place in its second half, or after :data:`STRETCH` characters if there is none.
    """
    found: list[str] = []
    begin = 0
    while begin < len(text) and len(found) < STRETCHES_MAX:
        end = begin + STRETCH
        if end < len(text):
            end = _end(text, begin, end)
        stretch = text[begin:end].strip()
        if stretch:
            found.append(stretch)
        begin = end
    return found


def _end(text: str, begin: int, end: int) -> int:
    for mark in _ENDS:
        at = text.rfind(mark, begin + STRETCH // 2, end)
        if at >= 0:
            return at + len(mark)
    return end
