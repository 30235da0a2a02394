"""Search by words: how long it takes among a thousand and a million messages, and what the index costs."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

import hubbub
from bench.bare import BODY
from bench.corpus import Corpus, file_name
from bench.figures import Expected, Figure, median, percentile
from bench.fill import refuse_full_disk
from bench.programs import environment, programs, run_once
from bench.rows import Run, Unmeasurable, bus_folder, row
from hubbub.bus import Bus
from hubbub.model import Actor

SMALL = 1_000
AGENTS, TOPICS, KINDS = 50, 100, ("message", "task", "status", "question")
BETWEEN_MS = 10_000
"""One message in ten seconds: a million are four months."""

EXPECTED = Expected(most=20)

_MAIL = """
INSERT INTO messages (tag, sender, recipients, kind, priority, subject, body, created_at, bytes)
VALUES (abs(random()) & 33554431, :sender, :recipients, :kind, 1, '', :body, :at, length(:body))
"""
_DELIVERIES = """
INSERT INTO deliveries (agent, message, state, priority, delivery_count, since, settled_by)
SELECT recipients ->> 0, seq, 'settled', 1, 1, created_at, 'acknowledge' FROM messages ORDER BY 1, seq
"""
_POSTS = """
INSERT INTO posts (tag, topic, seq, sender, kind, body, created_at)
VALUES (abs(random()) & 33554431, :topic, :seq, :sender, :kind, :body, :at)
"""
_COUNTS = """
UPDATE topics SET last_seq = (SELECT count(*) FROM posts p WHERE p.topic = topics.topic)
"""
_PLACES = """
UPDATE members SET own = 0, position = (SELECT last_seq FROM topics WHERE topics.topic = members.topic)
"""
_INDEX = """
import sys, hubbub
bus = hubbub.connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while bus.search.index().behind:
    pass
print("done", flush=True)
"""


def fill_texts(path: str, corpus: Corpus, count: int) -> None:
    """Make a bus at ``path`` with ``count`` texts, half of them mail, half in topics; none is indexed.

    Raises:
        Unmeasurable: the bus itself finds the result faulty (small ones are checked), or there is no room.
    """
    refuse_full_disk(path, count)
    with hubbub.connect("sqlite://" + path) as bus:
        for number in range(AGENTS):
            bus.agents.register(_agent(number))
        for number in range(TOPICS):
            bus.topics.create(Actor(_agent(number % AGENTS)), f"topic-{number}")
        begin = bus.store.now() - count * BETWEEN_MS
    db = apsw.Connection(path)
    try:
        # Nobody else has it open, and a crash costs only this benchmark: no journal, no sync.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        with db:
            _insert(db, corpus, count, begin)
        db.execute("PRAGMA journal_mode = WAL")
    finally:
        db.close()
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _insert(db: apsw.Connection, corpus: Corpus, count: int, begin: int) -> None:
    topics = [row[0] for row in db.execute("SELECT topic FROM topics WHERE topic > 1 ORDER BY topic")]
    numbers = dict.fromkeys(topics, 0)
    for number, text in enumerate(corpus.texts(count)):
        half = number // 2
        values: dict[str, Any] = {
            "sender": _agent(half % AGENTS),
            "kind": KINDS[half % 7 % 4],
            "body": text,
            "at": begin + number * BETWEEN_MS,
        }
        if number % 2:
            topic = topics[half * half % TOPICS]
            numbers[topic] += 1
            db.execute(_POSTS, {**values, "topic": topic, "seq": numbers[topic]})
        else:
            db.execute(_MAIL, {**values, "recipients": f'["{_agent((half + 1 + half % 7) % AGENTS)}"]'})
    db.execute(_DELIVERIES)
    db.execute(_COUNTS)
    db.execute(_PLACES)


def _agent(number: int) -> str:
    return f"agent-{number}"


# --- queries -------------------------------------------------------------------------------------


class Queries:
    """The mix: equally many of each sort, no two alike."""

    def __init__(self, corpus: Corpus, bus: Bus, count: int) -> None:
        self._words = corpus.words
        self._random = random.Random(7)
        self._now = bus.store.now()
        self._span = count * BETWEEN_MS
        self._count = count

    def _word(self, first: int, last: int) -> str:
        return self._words[self._random.randrange(first, last)]

    def _readers(self) -> dict[str, Any]:
        return {"reader": _agent(self._random.randrange(AGENTS))}

    def each(self, rounds: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Sort, query and limits, so many of each sort."""
        for _ in range(rounds):
            since = self._now - self._random.randrange(self._span)
            topic = f"topic-{self._random.randrange(TOPICS)}"
            usual = self._word(40, 2_000)
            yield "rare word", self._word(20_000, 100_000), {}
            yield "common word", self._word(0, 30), {}
            yield "common word, as a reader", self._word(0, 30), self._readers()
            yield "two words", f"{usual} {self._word(40, 2_000)}", {}
            yield "two common words", f"{self._word(0, 30)} {self._word(0, 30)}", self._readers()
            yield "phrase", f'"{self._word(0, 30)} {self._word(0, 200)}"', {}
            yield "file name", file_name(self._random.randrange(self._count) // 10 * 10), self._readers()
            yield "one of two, without a third", f"{usual} OR {self._word(40, 2_000)} -the", {}
            yield "in a topic", usual, {"topic": topic}
            yield "of a sender", usual, {"sender": _agent(self._random.randrange(AGENTS)), **self._readers()}
            yield "of a day", usual, {"since": since, "until": since + 86_400_000}
            yield "of a kind, as a reader", usual, {"kind": "task", **self._readers()}


class Timed:
    """One filled and indexed bus, and how long its searches took, in milliseconds, by their sort."""

    def __init__(self, bus: Bus, queries: Iterator[tuple[str, str, dict[str, Any]]]) -> None:
        self._bus = bus
        self._queries = queries
        self.times: dict[str, list[float]] = {}
        self.found = 0

    def next(self) -> None:
        """The next search."""
        sort, query, options = next(self._queries)
        start = time.perf_counter_ns()
        results = self._bus.search.search(query, mode="words", **options)
        self.times.setdefault(sort, []).append((time.perf_counter_ns() - start) / 1e6)
        self.found += bool(results.hits)
        if results.behind:
            raise Unmeasurable(f"{results.behind} messages are not indexed")

    def all(self, skip: int) -> list[float]:
        """All times, but the first ``skip`` of each sort."""
        return [sample for samples in self.times.values() for sample in samples[skip:]]


# --- the row -------------------------------------------------------------------------------------


@row(
    "search",
    "Milliseconds of a search by words among 1,000,000 messages (20,000 with --quick), half mail and half in "
    "topics, against one among 1,000, in alternation: a mix of rare, common and several words, phrases, file "
    "names and limits. Before it, how fast they are indexed, what a send by another process takes meanwhile, "
    "and how large the index is.",
)
def search(run: Run) -> None:
    """Fill, index, search."""
    large = run.pick(20_000, 1_000_000)
    corpus = Corpus()
    with (
        bus_folder(run, "search") as small_path,
        bus_folder(run, "search") as path,
    ):
        fill_texts(small_path, corpus, SMALL)
        with hubbub.connect("sqlite://" + small_path) as bus:
            bus.search.catch_up()
            problems = bus.check()
            if problems:
                raise Unmeasurable(f"the filled bus is faulty: {problems[0].what}")
        run.say(f"filling a bus with {large:,} messages")
        fill_texts(path, corpus, large)
        _indexing(run, path, large)
        _searches(run, corpus, small_path, path, large)
        _processes(run, corpus, path, large)


def _indexing(run: Run, path: str, large: int) -> None:
    """Index all, and send meanwhile."""
    before, page = _pages(path)
    with hubbub.connect("sqlite://" + path) as bus:
        bus.agents.register(_agent(1), inbox_limit=10_000_000)
        seconds, alone, meanwhile = _index_and_send(run, bus, path)
        if bus.search.catch_up().behind:
            raise Unmeasurable("not all messages could be indexed")
    after, _ = _pages(path)
    run.keep(Figure(f"indexing, {large:,} messages", large / seconds, "/s", note="56 words in the mean"))
    for name, share in (("median", 0.5), ("p99", 0.99)):
        what = f"send while another process indexes, {name}"
        run.keep(
            Figure(
                what, percentile(meanwhile, share), "ms", percentile(alone, share), "with nothing to index"
            )
        )
    kib = page / 1024 / large
    what = f"index of {large:,} messages, each"
    run.keep(Figure(what, (after - before) * kib, "KiB", before * kib, "messages themselves"))


def _index_and_send(run: Run, bus: Bus, path: str) -> tuple[float, list[float], list[float]]:
    """Seconds that another process took to index all, and milliseconds of sends before and meanwhile."""
    sends = run.pick(200, 1_000)
    draft = bus.mail.draft(_agent(1), BODY)

    def send() -> float:
        start = time.perf_counter_ns()
        bus.mail.send(Actor(_agent(0)), draft)
        return (time.perf_counter_ns() - start) / 1e6

    alone = [send() for _ in range(sends)]
    with _indexer(path) as indexer:
        assert indexer.stdin is not None
        assert indexer.stdout is not None
        run.say("indexing, and sending meanwhile")
        start = time.perf_counter()
        print("go", file=indexer.stdin, flush=True)
        meanwhile: list[float] = []
        # Spread over the time it takes: sends one after the other would only wait for each other.
        while len(meanwhile) < sends and indexer.poll() is None:
            meanwhile.append(send())
            time.sleep(0.005)
        if indexer.stdout.readline() != "done\n":
            raise Unmeasurable("the process that indexes failed")
        return time.perf_counter() - start, alone, meanwhile


@contextmanager
def _indexer(path: str) -> Iterator[subprocess.Popen[str]]:
    """A process that waits for a line and then indexes all."""
    process = subprocess.Popen(
        [sys.executable, "-c", _INDEX, "sqlite://" + path],
        env=environment(path, _agent(0)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise Unmeasurable("the process that indexes did not start")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _pages(path: str) -> tuple[int, int]:
    """How many pages of the database are used, and how large one is."""
    db = apsw.Connection(path)
    try:
        used = int(db.pragma("page_count")) - int(db.pragma("freelist_count"))
        return used, int(db.pragma("page_size"))
    finally:
        db.close()


def _searches(run: Run, corpus: Corpus, small_path: str, path: str, large: int) -> None:
    rounds, warm_up = run.pick(20, 100), 3
    with (
        hubbub.connect("sqlite://" + small_path) as small_bus,
        hubbub.connect("sqlite://" + path) as big_bus,
    ):
        small = Timed(small_bus, Queries(corpus, small_bus, SMALL).each(rounds + warm_up))
        big = Timed(big_bus, Queries(corpus, big_bus, large).each(rounds + warm_up))
        run.say(f"searching among {SMALL:,} and {large:,} messages")
        for number in itertools.count():
            try:
                for timed in (small, big) if number % 2 else (big, small):
                    timed.next()
            except StopIteration:
                break
    ours, floor = big.all(warm_up), small.all(warm_up)
    sorts = {sort: median(samples[warm_up:]) for sort, samples in big.times.items()}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        note = f"{len(ours)} searches of {len(sorts)} sorts, {big.found} of all found something"
        slowest = "; ".join(
            f"{sort} {milliseconds:.1f} ms"
            for sort, milliseconds in sorted(sorts.items(), key=lambda x: -x[1])
        )
        run.keep(
            Figure(
                f"search among {large:,}, {name}",
                percentile(ours, share),
                "ms",
                percentile(floor, share),
                f"among {SMALL:,}",
                EXPECTED if name == "p95" else None,
                f"{note}; medians: {slowest}" if name == "p50" else "",
            )
        )


def _processes(run: Run, corpus: Corpus, path: str, large: int) -> None:
    """`hubbub search` as a whole process, beside `hubbub --version`."""
    rounds = run.pick(10, 20)
    environ = environment(path, _agent(3))
    for program in programs():
        times: dict[str, list[float]] = {"--version": [], "search": []}
        for number in range(rounds + 2):
            for name, arguments in (
                ("--version", ("--version",)),
                ("search", ("search", "--mode", "words", corpus.words[100 + number])),
            ):
                start = time.perf_counter_ns()
                run_once((*program.command, *arguments), environ)
                times[name].append((time.perf_counter_ns() - start) / 1e6)
        run.keep(
            Figure(
                f"{program.named} search, {large:,} messages",
                median(times["search"][2:]),
                "ms",
                median(times["--version"][2:]),
                "--version",
            )
        )
