"""Search by meaning: how good it is, how fast vectors are computed and found, and what it costs in memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import hubbub
from bench.corpus import Corpus
from bench.figures import Expected, Figure, median, percentile
from bench.labelled import labelled, post_all, quality
from bench.rows import Run, Unmeasurable, bus_folder, row
from bench.search import AGENTS, fill_texts
from hubbub.bus import Bus
from hubbub.bus.meaning import MODEL, Meaning
from hubbub.meaning import DIMENSIONS, available
from hubbub.model_search import Vectors, Where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AROUND = 50
"""So many made-up vectors lie around one point, as messages lie around what they are about."""

_MEMORY = """
import resource, sys, hubbub
from bench.labelled import labelled
from hubbub import meaning
from hubbub.meaning.stretches import stretches
model = meaning.load()
short, long = list(labelled()[0].values()), stretches(" ".join(labelled()[0].values()))
import time
def rate(texts):
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        model.embed(texts)
        best = max(best, len(texts) / (time.perf_counter() - start))
    return best
once = []
for number in range(30):
    start = time.perf_counter()
    model.embed([f"query number {number} about a full disk"])
    once.append((time.perf_counter() - start) * 1000)
print(rate(short[:64]), rate(long), sorted(once)[15], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@row(
    "meaning",
    "Search by meaning: how good words, meaning and both together are on a labelled set of 120 messages and "
    "40 queries; how fast one thread computes vectors; and the milliseconds of finding the nearest of up to "
    "1,000,000 vectors (10,000 with --quick), made-up ones, with the messages that they are for.",
)
def meaning(run: Run) -> None:
    """Quality, speed of the model, speed of the search."""
    if not available():
        raise Unmeasurable("it needs the extra: pip install 'hubbub[semantic]'")
    _quality(run)
    _model(run)
    for count in (10_000,) if run.quick else (10_000, 100_000, 1_000_000):
        _nearest(run, count)


def _quality(run: Run) -> None:
    messages, queries = labelled()
    run.say(f"{len(queries)} queries on a labelled set")
    sorts = {"": queries, ", own words": [], ", paraphrases": []}
    for query in queries:
        sorts[", own words" if query.kind == "e" else ", paraphrases"].append(query)
    with bus_folder(run, "meaning") as path, hubbub.connect("sqlite://" + path) as bus:
        post_all(bus, messages)
        bus.search.meaning.index()
        for sort, chosen in sorts.items():
            words, near, both = (quality(bus, chosen, mode) for mode in ("words", "meaning", "hybrid"))
            note = f"meaning alone {100 * near.ndcg:.0f} %"
            what = f"{len(chosen)} queries{sort}"
            expected = Expected(least_ratio=1.0) if words.ndcg else None
            run.keep(
                Figure(f"{what}: nDCG@10", 100 * both.ndcg, "%", 100 * words.ndcg, "words", expected, note)
            )
            note = f"meaning alone {100 * near.recall:.0f} %"
            run.keep(
                Figure(
                    f"{what}: recall@10", 100 * both.recall, "%", 100 * words.recall, "words", expected, note
                )
            )
        _apart(run, bus)


def _apart(run: Run, bus: Bus) -> None:
    """A serving process asks a child: the first time it has to start."""
    times = []
    search = Meaning(bus.store, apart=True)
    try:
        for number in range(run.pick(20, 200)):
            start = time.perf_counter()
            search.find(f"query number {number}: no space left on the disk")
            times.append((time.perf_counter() - start) * 1000)
    finally:
        search.close()
    run.keep(Figure("a search by a serving process's child, the first", times[0], "ms"))
    run.keep(Figure("a search by a serving process's child, a further one", median(times[1:]), "ms"))


def _model(run: Run) -> None:
    run.say("computing vectors")
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unmeasurable(f"the model did not run: {done.stderr.strip().splitlines()[-1:]}")
    short, long, once, memory = map(float, done.stdout.split())
    run.keep(Figure("messages of 15 words, one thread", short, "/s"))
    run.keep(Figure("stretches of 1,000 characters, one thread", long, "/s"))
    run.keep(Figure("the vector of a query", once, "ms"))
    run.keep(Figure("memory of the process that computes them", memory / 1024, "MiB"))


def _nearest(run: Run, count: int) -> None:
    import numpy as np

    rounds = run.pick(20, 50)
    dice = np.random.default_rng(5)
    about = count // AROUND
    centres = dice.standard_normal((about, DIMENSIONS), dtype=np.float32)

    def made(number: int) -> NDArray[np.int8]:
        rows = centres[dice.integers(0, about, number)]
        rows = rows + 0.8 * dice.standard_normal((number, DIMENSIONS), dtype=np.float32)
        rows *= 127 / np.abs(rows).max(axis=1, keepdims=True)
        return np.rint(rows).astype(np.int8)

    with bus_folder(run, "meaning") as path, _filled(run, path, count, made) as (bus, vectors):
        run.say(f"searching among {count:,} vectors")
        wanted = [row.tobytes() for row in made(rounds)]
        cases: dict[str, dict[str, Any]] = {
            "": {},
            ", as a reader": {"reader": f"agent-{AGENTS // 2}"},
            ", in one of 100 topics": {"where": Where(topic=bus.topics.get("topic-1").id)},
        }
        for case, options in cases.items():
            times = []
            for vector in wanted:
                start = time.perf_counter()
                bus.store.search.near(MODEL, vector, limit=100, **options)
                times.append((time.perf_counter() - start) * 1000)
            note = f"p95 {percentile(times, 0.95):.1f} ms"
            run.keep(Figure(f"nearest 100 of {count:,}{case}, median", median(times), "ms", note=note))
        run.keep(
            Figure(f"the true nearest 10 of {count:,} that are found", _found(bus, vectors, wanted), "%")
        )
        size = os.path.getsize(path)
    run.keep(
        Figure(f"{count:,} vectors, each", _bytes(count) / 1024, "KiB", size / 1024 / count, "whole bus")
    )


def _bytes(count: int) -> float:
    """What a vector takes: itself, its signs, and whose it is."""
    return DIMENSIONS + DIMENSIONS / 8 + 8


@contextmanager
def _filled(
    run: Run, path: str, count: int, made: Callable[[int], NDArray[np.int8]]
) -> Iterator[tuple[Bus, NDArray[np.int8]]]:
    """A bus whose messages have made-up vectors, and these in the order of the messages' numbers."""
    import numpy as np

    run.say(f"filling a bus with {count:,} messages and vectors")
    fill_texts(path, Corpus(), count)
    kept: dict[tuple[str, int], bytes] = {}
    with hubbub.connect("sqlite://" + path) as bus:
        search = bus.store.search
        start = time.perf_counter()
        while texts := search.unread_meaning("bench", MODEL, limit=4096):
            rows = [row.tobytes() for row in made(len(texts))]
            batch = [Vectors(one.source, one.number, (row,)) for one, row in zip(texts, rows, strict=True)]
            kept |= {(one.source, one.number): one.vectors[0] for one in batch}
            if not search.keep_meaning("bench", MODEL, tuple(batch)):
                raise Unmeasurable("the lease was lost")
        run.keep(Figure(f"keeping {count:,} vectors", count / (time.perf_counter() - start), "/s"))
        if len(kept) != count:
            raise Unmeasurable(f"only {len(kept):,} of {count:,} messages have vectors")
        yield bus, np.array([np.frombuffer(row, np.int8) for row in kept.values()])


def _found(bus: Bus, vectors: NDArray[np.int8], wanted: list[bytes]) -> float:
    """How many of the ten nearest, by comparing with every vector in full, the search finds, in per cent."""
    import numpy as np

    hits = 0
    lengths = np.concatenate(
        [np.linalg.norm(part.astype(np.float32), axis=1) for part in np.array_split(vectors, 64)]
    )
    for vector in wanted:
        one = np.frombuffer(vector, np.int8).astype(np.float32)
        one /= np.linalg.norm(one)
        scores = np.concatenate([part.astype(np.float32) @ one for part in np.array_split(vectors, 64)])
        scores /= lengths
        tenth = np.sort(scores)[-10]
        found = bus.store.search.near(MODEL, vector, limit=10)
        hits += sum(hit.score >= tenth - 1e-4 for hit in found.hits)
    return 100 * hits / (10 * len(wanted))
