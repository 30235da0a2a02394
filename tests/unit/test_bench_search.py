"""What the benchmark of search searches in is a bus like any other, and its queries find something."""

from __future__ import annotations

from pathlib import Path

from bench.corpus import Corpus
from bench.search import Queries, Timed, fill_texts

import hubbub


def test_the_filled_bus_is_whole_and_its_queries_find_something(tmp_path: Path) -> None:
    path, count = f"{tmp_path}/bus.db", 600
    corpus = Corpus()
    fill_texts(path, corpus, count)
    with hubbub.connect("sqlite://" + path) as bus:
        assert bus.search.catch_up() == (count, 0)
        assert bus.check() == []
        timed = Timed(bus, Queries(corpus, bus, count).each(3))
        for _ in range(36):
            timed.next()
        assert len(timed.times) == 12
        assert timed.found > 10


def test_its_texts_are_the_same_each_time() -> None:
    first, second = Corpus(), Corpus()
    assert first.words[:100] == second.words[:100]
    assert list(first.texts(20)) == list(second.texts(20))
