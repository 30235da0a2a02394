"""Texts to search in: made-up words, as frequent as words are, in messages as long as messages are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate

VOCABULARY = 100_000
POOL = 2_000_000
"""How many words are drawn; a message is a stretch of them, every second, third or further one."""

_COMMON = (
    "the of to and in is for it on with this that file test error line function branch merge build parser "
    "token fix bug review task done retry timeout python code class"
)


class Corpus:
    """Messages of 5 to 400 words, 56 in the mean; each tenth names a file and a version."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        common = _COMMON.split()
        self.words = [*common, *self._made_up(VOCABULARY - len(common))]
        """All words, the most frequent first: the one at place n is 1 / n as frequent (Zipf's law)."""
        weights = list(accumulate(1 / (place + 2.7) for place in range(VOCABULARY)))
        self._pool = self._random.choices(self.words, cum_weights=weights, k=POOL)

    def _made_up(self, count: int) -> list[str]:
        syllables = [first + second for first in "bcdfghklmnprstvwz" for second in "aeiou"]
        found: dict[str, None] = {}
        while len(found) < count:
            found["".join(self._random.choices(syllables, k=self._random.randint(2, 4)))] = None
        return list(found)

    def texts(self, count: int) -> Iterator[str]:
        """So many messages."""
        for number in range(count):
            length = min(400, max(5, int(self._random.lognormvariate(3.7, 0.8))))
            step = self._random.randrange(1, 7)
            start = self._random.randrange(POOL - length * step)
            text = " ".join(self._pool[start : start + length * step : step])
            yield f"{text} {file_name(number)} v1.{number % 31}.{number % 7}" if number % 10 == 0 else text


def file_name(number: int) -> str:
    """The file that a message names."""
    return f"src/mod_{number % 5000}/peer_{number % 977}.py"
