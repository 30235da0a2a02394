"""Whether a topic with a million messages, or a bus with a thousand topics, is as quick as a small one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import apsw

import hubbub
from bench.bare import BODY, commits, make
from bench.figures import Expected, Figure, median, percentile
from bench.fill import READER, WRITER, refuse_full_disk
from bench.rows import Run, Unmeasurable, bus_folder, row
from hubbub.bus import Bus
from hubbub.model import Actor
from hubbub.model_topics import Hand

SMALL = 1_000
FEW, MANY = 10, 1_000
PAGE = 20
TOPIC = "bench"
VISITOR = "visitor-0"
Answer = TypeVar("Answer")

_POSTS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO posts (tag, topic, seq, sender, kind, body, created_at)
SELECT abs(random()) & 33554431, :topic, i, :writer, 'message', :body, :now - :count + i FROM n
"""

_EVENTS = """
INSERT INTO events (at, event, actor, message, topic)
SELECT created_at, 'topic_posted', sender, post, topic FROM posts ORDER BY post
"""


def fill_topic(path: str, count: int) -> None:
    """Make a bus at ``path`` with ``count`` messages of one agent in a topic; another reads the last.

    Raises:
        Unmeasurable: the bus itself finds the result faulty (small ones are checked), or there is no room.
    """
    refuse_full_disk(path, count)
    with hubbub.connect("sqlite://" + path) as bus:
        for agent in (WRITER, READER, VISITOR):
            bus.agents.register(agent)
        topic = bus.topics.create(Actor(WRITER), TOPIC).topic
        now = bus.store.now()
    _insert(path, count, now)
    with hubbub.connect("sqlite://" + path) as bus:
        bus.topics.reset(Actor(WRITER), TOPIC, "latest")
        bus.topics.join(Actor(READER), TOPIC, start=count - SMALL)
        if bus.topics.get(topic.id).last_seq != count:
            raise Unmeasurable(f"the topic does not count {count:,} messages")
        problems = bus.check() if count <= 10_000 else []
        if problems:
            raise Unmeasurable(f"the filled bus is faulty: {problems[0].what}")


def _insert(path: str, count: int, now: int) -> None:
    db = apsw.Connection(path)
    try:
        # Nobody else has it open, and a crash costs only this benchmark: no journal, no sync.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        with db:
            ((number,),) = db.execute("SELECT topic FROM topics WHERE name = ?", (TOPIC,)).fetchall()
            values = {"count": count, "topic": number, "writer": WRITER, "body": BODY, "now": now}
            db.execute(_POSTS, values)
            db.execute(_EVENTS)
            db.execute("UPDATE topics SET last_seq = ?, last_at = ? WHERE topic = ?", (count, now, number))
        db.execute("PRAGMA journal_mode = WAL")
    finally:
        db.close()
    with open(path, "rb") as file:
        os.fsync(file.fileno())


class Timed:
    """One filled bus, and how long each operation on it took, in milliseconds."""

    def __init__(self, bus: Bus, count: int) -> None:
        self._topics = bus.topics
        self._count = count
        self._post = (bus.topics.post(BODY),)
        self._hands: tuple[Hand, ...] = ()
        self.times: dict[str, list[float]] = {}

    def round(self) -> None:
        """Post one, read 20 and confirm the 20 before, find nothing new, read a page of the history."""
        topics, reader = self._topics, Actor(READER)
        self._time("post", lambda: topics.sync(Actor(WRITER), TOPIC, self._post))
        read = self._time("sync that reads 20", lambda: topics.sync(reader, TOPIC, confirm=self._hands))
        if len(read.messages) != PAGE or read.hand is None:
            raise Unmeasurable(f"a sync handed out {len(read.messages)} messages instead of {PAGE}")
        self._hands = (read.hand,)
        self._time("sync that finds nothing", lambda: topics.sync(Actor(WRITER), TOPIC))
        self._time("newest 20 of the history", lambda: topics.history(TOPIC, newest=True, limit=PAGE))
        middle = self._count // 2
        self._time(
            "20 from the middle of the history", lambda: topics.history(TOPIC, after=middle, limit=PAGE)
        )
        if not read.has_more or read.hand.last > self._count - 2 * PAGE:
            topics.reset(reader, TOPIC, self._count - SMALL)
            self._hands = ()

    def visit(self) -> None:
        """Join at the start, go to the end and back, and leave: what has to do with all that is kept."""
        topics, visitor = self._topics, Actor(VISITOR)
        self._time("join at the start", lambda: topics.join(visitor, TOPIC, start="start"))
        topics.reset(visitor, TOPIC, "latest")
        self._time("reset_cursor to the start", lambda: topics.reset(visitor, TOPIC, "start"))
        self._time("leave", lambda: topics.leave(visitor, TOPIC))

    def _time(self, name: str, act: Callable[[], Answer]) -> Answer:
        start = time.perf_counter_ns()
        answer = act()
        self.times.setdefault(name, []).append((time.perf_counter_ns() - start) / 1e6)
        return answer


@row(
    "topics_kept",
    "Milliseconds of a post, of syncs and of reading the history in a topic that keeps 1,000,000 messages "
    "(20,000 with --quick), against one that keeps 1,000; and of list_topics with what is unread, on a bus "
    "with 1,000 topics, against one with 10; in alternation.",
)
def topics_kept(run: Run) -> None:
    """The two sizes take turns, operation by operation, with a bare commit between them."""
    with bus_folder(run, "topics-kept") as path:
        _measure_kept(run, path)
    with bus_folder(run, "topics-list") as path:
        _measure_list(run, path)


@contextmanager
def _filled(run: Run, path: str, count: int) -> Iterator[Timed]:
    run.say(f"filling a topic with {count:,} messages")
    fill_topic(path, count)
    with hubbub.connect("sqlite://" + path) as bus:
        yield Timed(bus, count)


def _measure_kept(run: Run, path: str) -> None:
    large = run.pick(20_000, 1_000_000)
    rounds, visits, warm_up = run.pick(150, 500), run.pick(5, 20), 20
    make(path + ".bare", 1)
    bare: list[float] = []
    with (
        _filled(run, path, SMALL) as small,
        _filled(run, path + ".large", large) as big,
        commits(path + ".bare", 1, queued=True) as commit,
    ):
        run.say(f"post, sync and history with {SMALL:,} and {large:,} messages")
        for number in range(rounds + warm_up):
            for timed in (small, big) if number % 2 else (big, small):
                timed.round()
            start = time.perf_counter_ns()
            commit()
            bare.append((time.perf_counter_ns() - start) / 1e6)
        run.say(f"join, reset and leave with {SMALL:,} and {large:,} messages")
        for _ in range(visits):
            small.visit()
            big.visit()
    note = f"a bare one-row commit in between: median {median(bare[warm_up:]):.3f} ms"
    for name, samples in big.times.items():
        skip = warm_up if len(samples) > warm_up else 1
        _keep(
            run, f"{name}, {large:,} kept", samples[skip:], small.times[name][skip:], f"{SMALL:,} kept", note
        )


def _measure_list(run: Run, path: str) -> None:
    rounds = run.pick(100, 300)
    with ExitStack() as opened:
        buses = [opened.enter_context(_with_topics(run, f"{path}.{count}", count)) for count in (FEW, MANY)]
        times: tuple[list[float], list[float]] = ([], [])
        run.say(f"list_topics with {FEW} and {MANY:,} topics")
        for _ in range(rounds + 1):
            for place, bus in enumerate(buses):
                start = time.perf_counter_ns()
                page = bus.topics.list(agent=READER, limit=FEW)
                times[place].append((time.perf_counter_ns() - start) / 1e6)
                if len(page.topics) != FEW or page.topics[0].unread != 1:
                    raise Unmeasurable("a list of topics does not show what is unread")
    name = f"first {FEW} of list_topics with unread, {MANY:,} topics"
    _keep(run, name, times[1][1:], times[0][1:], f"{FEW} topics", "")


@contextmanager
def _with_topics(run: Run, path: str, count: int) -> Iterator[Bus]:
    """A bus with so many topics, in each of which the reader has one message unread."""
    run.say(f"a bus with {count:,} topics")
    with hubbub.connect("sqlite://" + path) as bus:
        for agent in (WRITER, READER):
            bus.agents.register(agent)
        post = (bus.topics.post(BODY),)
        for number in range(count):
            bus.topics.create(Actor(READER), f"topic-{number}")
            bus.topics.sync(Actor(WRITER), f"topic-{number}", post)
        yield bus


def _keep(run: Run, what: str, ours: list[float], floor: list[float], beside: str, note: str) -> None:
    """The medians, held to a ratio, and where there are enough samples the 99th percentiles."""
    note = f"{len(ours)} samples" + ("; " + note if note else "")
    expected = Expected(most_ratio=1.25)
    run.keep(Figure(f"{what}, median", median(ours), "ms", median(floor), f"with {beside}", expected, note))
    if len(ours) >= 100:
        high, low = percentile(ours, 0.99), percentile(floor, 0.99)
        run.keep(Figure(f"{what}, p99", high, "ms", low, f"with {beside}"))
