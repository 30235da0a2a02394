"""A kill storm in one topic: writers and readers of every kind, hit by SIGKILL at random moments.

    python -m tests.faults.topic_storm --messages 20000 --kills 200

Writers note what was accepted only after ``sync`` returned; readers note what they read, synced to
disk, before they confirm or acknowledge it. Whoever is killed is started again and goes on. In the
end the notes, the topic and the ledger must agree: each message is there once, each reader has had
every message in order, and whatever it had again had been marked as redelivered.

Three kinds of reader: ``auto`` holds its name with a session and reads in automatic mode; ``manual``
acknowledges by number; ``pair`` is one agent that two processes act for side by side.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from collections import Counter, defaultdict
from typing import NamedTuple

import hubbub
from hubbub.bus import Bus
from hubbub.bus.heart import Heart
from hubbub.errors import BusBusy
from hubbub.model import Actor, Event
from hubbub.model_topics import Hand, Synced, TopicMessage
from tests.faults.storm import StormFailed, Worker, whole_lines

TOPIC = "storm"
WRITERS = 3
READERS = ("auto-0", "auto-1", "manual-0", "manual-1")
PAIR = "pair"
PAIR_LEASE_SECONDS = 2.0
"""What a killed process of the pair had comes back by time alone: no session ended."""
DEADLINE_SECONDS = 900.0


class Figures(NamedTuple):
    """What a storm came to."""

    messages: int
    readings: int
    """Messages times the agents that read them."""
    kills: int
    handed_out_again: int
    """Hand-outs of the automatic mode that were marked as redelivered."""
    read_again: int
    """Messages that some reader noted more than once: killed between the note and what ends it."""
    retried: int
    """Posts that were answered from their key: the writer was killed before it noted them."""
    seconds: float


class TopicWorker(Worker):
    """A process of this storm."""

    module = "tests.faults.topic_storm"


# --- the workers -------------------------------------------------------------------------------


def _dawdle(chance: random.Random) -> None:
    """Be slow between an answer and the note of it: that is where a kill is worst."""
    time.sleep(chance.random() * 0.005)


def _note(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def run_writer(url: str, folder: str, name: str, count: int) -> None:
    """Post ``count`` numbered messages, a few at a time, going on after the last noted one."""
    path = f"{folder}/accepted-{name}"
    number = len(whole_lines(path))
    file, chance = _note(path), random.Random(os.getpid())
    with hubbub.connect(url) as bus:
        actor = bus.agents.attach(name)
        while number < count:
            size = min(chance.randint(1, 5), count - number)
            outbox = tuple(
                bus.topics.post(f"{name} {number + more}", key=f"{name}-{number + more}")
                for more in range(size)
            )
            try:
                synced = bus.topics.sync(actor, TOPIC, outbox, auto_advance=False, limit=1)
            except BusBusy:
                continue  # the keys make the retry safe
            _dawdle(chance)
            lines = [
                f"{number + more} {one.id} {one.seq} {int(one.repeated)}\n"
                for more, one in enumerate(synced.posted)
            ]
            os.write(file, "".join(lines).encode())
            number += size


def _write_down(
    file: int, life: str, messages: tuple[TopicMessage, ...], again: bool, chance: random.Random
) -> None:
    _dawdle(chance)
    lines = [f"{life} {one.seq} {one.id} {int(again)}\n" for one in messages]
    os.write(file, "".join(lines).encode())
    os.fsync(file)
    _dawdle(chance)


def run_auto(url: str, folder: str, name: str) -> None:
    """Hold the name; read, note, confirm, until killed."""
    file, chance = _note(f"{folder}/read-{name}"), random.Random(os.getpid())
    with hubbub.connect(url) as bus:
        seat = bus.agents.join(name)
        heart = Heart(bus.store, bus.agents, interval_ms=1000)
        heart.add(seat)
        pending: tuple[Hand, ...] = ()
        while True:
            try:
                # Confirmed by itself, or by the next sync in the same stroke.
                if pending and chance.random() < 0.5:
                    bus.topics.confirm(seat.actor, pending)
                    pending = ()
                limit = chance.randint(1, 20)
                synced = bus.topics.sync(seat.actor, TOPIC, confirm=pending, wait=5, limit=limit)
            except BusBusy:
                continue
            _write_down(file, seat.session, synced.messages, synced.redelivered, chance)
            pending = (synced.hand,) if synced.hand else ()


def run_pair(url: str, folder: str, name: str) -> None:
    """Act for the pair beside another process; read, note, confirm, until killed."""
    file, chance = _note(f"{folder}/read-{name}"), random.Random(os.getpid())
    with hubbub.connect(url) as bus:
        actor = bus.agents.attach(PAIR)
        while True:
            try:
                synced = bus.topics.sync(
                    actor, TOPIC, wait=5, limit=chance.randint(1, 20), lease=PAIR_LEASE_SECONDS
                )
                _write_down(file, str(os.getpid()), synced.messages, synced.redelivered, chance)
                if synced.hand:
                    bus.topics.confirm(actor, (synced.hand,))
            except BusBusy:
                continue


def run_manual(url: str, folder: str, name: str) -> None:
    """Read, note, acknowledge by number, until killed."""
    file, chance = _note(f"{folder}/read-{name}"), random.Random(os.getpid())
    with hubbub.connect(url) as bus:
        actor = bus.agents.attach(name)
        through = 0
        while True:
            try:
                synced: Synced = bus.topics.sync(
                    actor, TOPIC, auto_advance=False, ack_through=through, wait=5, limit=chance.randint(1, 20)
                )
            except BusBusy:
                continue
            _write_down(file, str(os.getpid()), synced.messages, False, chance)
            through = synced.through


RUN = {"auto": run_auto, "pair": run_pair, "manual": run_manual}


# --- the storm -----------------------------------------------------------------------------------


class Storm:
    """The agents of one storm, and who kills them."""

    def __init__(self, bus: Bus, url: str, folder: str, messages: int, kills: int, seed: int) -> None:
        self._bus, self._folder = bus, folder
        self._messages, self._kills_wanted = messages, kills
        self._chance = random.Random(seed)
        self._pause = threading.Event()
        self.kills = 0
        bus.agents.register("host")
        bus.topics.create(Actor("host"), TOPIC)
        for name in [*(f"writer-{n}" for n in range(WRITERS)), *READERS, PAIR]:
            bus.agents.register(name)
        common = ["--url", url, "--folder", folder]
        shares = [messages // WRITERS + (number < messages % WRITERS) for number in range(WRITERS)]
        self._writers = [
            TopicWorker(folder, ["--writer", f"writer-{number}", *common, "--count", str(share)])
            for number, share in enumerate(shares)
        ]
        names = [*READERS, f"{PAIR}-0", f"{PAIR}-1"]
        self._readers = [TopicWorker(folder, ["--reader", name, *common]) for name in names]

    def rage(self) -> None:
        """Kill at random moments, spread over the whole of the work, until all is posted and read."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            if time.monotonic() > deadline:
                raise StormFailed(f"not done after {DEADLINE_SECONDS:g} s; see {self._folder}")
            writing = [worker for worker in self._writers if worker.running()]
            busy = [*writing, *(worker for worker in self._readers if worker.running())]
            share = self._done()
            if self.kills < min(int((self._kills_wanted + 1) * share), self._kills_wanted):
                self._pause.wait(self._chance.random() * 0.02)
                self.kills += self._chance.choice(busy).kill()
            elif share >= 1 and not writing:
                return
            else:
                self._pause.wait(0.02)

    def _done(self) -> float:
        """How much of the work is done: what was posted, and what each reader is done with."""
        places = {one.agent: one.cursor for one in self._bus.topics.members(TOPIC)}
        done = self._bus.topics.get(TOPIC).last_seq
        readers = (*READERS, PAIR)
        done += sum(places.get(name, 0) for name in readers)
        return done / (self._messages * (1 + len(readers)))

    def stop(self) -> None:
        """End all workers."""
        for worker in [*self._writers, *self._readers]:
            worker.stop()


# --- the account -----------------------------------------------------------------------------------


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise StormFailed(what)


def _accepted(folder: str, messages: int) -> tuple[dict[str, tuple[str, int]], int]:
    """Every message that a writer was promised, ``id: (writer, seq)``, and how many were retried."""
    promised: dict[str, tuple[str, int]] = {}
    retried = 0
    for index in range(WRITERS):
        lines = whole_lines(f"{folder}/accepted-writer-{index}")
        numbers = [int(line[0]) for line in lines]
        _require(numbers == list(range(len(lines))), "a number was skipped or repeated")
        seqs = [int(line[2]) for line in lines]
        _require(seqs == sorted(set(seqs)), f"writer-{index} was posted out of order")
        for _, id_, seq, repeated in lines:
            _require(id_ not in promised, f"{id_} was accepted twice")
            promised[id_] = (f"writer-{index}", int(seq))
            retried += repeated == "1"
    _require(len(promised) == messages, f"{len(promised)} of {messages} messages were accepted")
    return promised, retried


def _stored(bus: Bus, promised: dict[str, tuple[str, int]]) -> None:
    """The topic holds what was promised, each once, numbered without a gap."""
    found: list[TopicMessage] = []
    while page := bus.topics.history(TOPIC, after=len(found), limit=1000).messages:
        found += page
    _require([one.seq for one in found] == list(range(1, len(found) + 1)), "the numbers have a gap")
    shown = {one.id: (one.sender, one.seq) for one in found}
    _require(shown == promised, "the topic does not hold what was accepted")
    bodies = Counter(one.body for one in found)
    _require(set(bodies.values()) == {1}, "a message was posted twice")


def _readings(folder: str, name: str, promised: dict[str, tuple[str, int]]) -> dict[int, list[bool]]:
    """What a reader noted: for each message whether each of its readings was marked as redelivered."""
    notes: dict[int, list[bool]] = defaultdict(list)
    lives: dict[str, int] = {}
    newest = 0
    for life, seq, id_, again in whole_lines(f"{folder}/read-{name}"):
        number = int(seq)
        _require(promised[id_][1] == number, f"{name} read {id_} under another number")
        if not name.startswith(PAIR):
            # The pair's hand-outs come back by time, also to a process that lives on.
            _require(lives.get(life, 0) < number, f"{name} read {number} out of order")
            lives[life] = number
        if again == "0" and not name.startswith("manual"):
            _require(number > newest, f"{name} read {number} again, or out of order, unmarked")
            newest = number
        notes[number].append(again == "1")
    return notes


def _all_read(folder: str, promised: dict[str, tuple[str, int]]) -> int:
    """Each reader has had every message; how many some reader has had more than once."""
    wanted = {seq for _, seq in promised.values()}
    both: dict[int, list[bool]] = defaultdict(list)
    read_again = 0
    for name in READERS:
        notes = _readings(folder, name, promised)
        _require(set(notes) == wanted, f"{name} missed {sorted(wanted - set(notes))[:10]}")
        read_again += sum(len(marks) > 1 for marks in notes.values())
    for name in (f"{PAIR}-0", f"{PAIR}-1"):
        for seq, marks in _readings(folder, name, promised).items():
            both[seq] += marks
    _require(set(both) == wanted, f"the pair missed {sorted(wanted - set(both))[:10]}")
    twice = [seq for seq, marks in both.items() if marks.count(False) > 1]
    _require(not twice, f"both of the pair were handed {twice[:10]}")
    return read_again + sum(len(marks) > 1 for marks in both.values())


def _ledger_agrees(bus: Bus, promised: dict[str, tuple[str, int]]) -> int:
    """The ledger tells the same story; how many hand-outs it marks as redelivered."""
    events: list[Event] = []
    while page := bus.events.events(after=events[-1].seq if events else 0, topic=TOPIC, limit=5000):
        events += page
    posted = Counter(event.message for event in events if event.event == "topic_posted")
    _require(set(posted) == set(promised), "the ledger's messages are not those accepted")
    _require(set(posted.values()) == {1}, "the ledger has a message twice")
    again = 0
    for name in (*READERS, PAIR):
        mine = [event for event in events if event.agent == name]
        spans = [(event.event, event.detail or {}) for event in mine]
        first = [span for what, span in spans if what == "topic_read" and not span.get("redelivered")]
        again += sum(what == "topic_read" and bool(span.get("redelivered")) for what, span in spans)
        done = [span for what, span in spans if what == "topic_confirmed"]
        if not name.startswith("manual"):
            _require(_covers_once(first, len(promised)), f"{name} was first handed a message twice, or never")
        _require(_covers_once(done, len(promised)), f"{name} confirmed a message twice, or never")
    return again


def _covers_once(spans: list[dict[str, int]], last: int) -> bool:
    """Whether the ranges cover 1 to ``last``, each number once."""
    place = 0
    for span in sorted(spans, key=lambda span: span["first"]):
        if span["first"] != place + 1:
            return False
        place = span["last"]
    return place == last


def account(bus: Bus, folder: str, storm: Storm, messages: int, seconds: float) -> Figures:
    """Compare notes, topic and ledger.

    Raises:
        StormFailed: they do not agree.
    """
    promised, retried = _accepted(folder, messages)
    _stored(bus, promised)
    read_again = _all_read(folder, promised)
    again = _ledger_agrees(bus, promised)
    for name in (*READERS, PAIR):
        unread = bus.topics.get(TOPIC, agent=name).unread
        _require(unread == 0, f"{name} has {unread} unread in the end")
    problems = bus.check()
    _require(problems == [], f"the bus is not whole: {problems}")
    readings = messages * (len(READERS) + 1)
    return Figures(messages, readings, storm.kills, again, read_again, retried, round(seconds, 1))


def run_storm(messages: int, kills: int, folder: str, seed: int | None = None) -> Figures:
    """One storm in ``folder``, which must be empty; its figures.

    Raises:
        StormFailed: something was lost, doubled or not marked.
    """
    url = f"sqlite://{folder}/bus.db"
    began = time.monotonic()
    with hubbub.connect(url) as bus:
        storm = Storm(bus, url, folder, messages, kills, random.randrange(2**32) if seed is None else seed)
        try:
            storm.rage()
        finally:
            storm.stop()
        return account(bus, folder, storm, messages, time.monotonic() - began)


def main() -> None:
    """The command line: a storm, or one of its workers."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.topic_storm", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int)
    for hidden in ("--writer", "--reader", "--url", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.writer:
        run_writer(given.url, given.folder, given.writer, given.count)
    elif given.reader:
        RUN[given.reader.partition("-")[0]](given.url, given.folder, given.reader)
    else:
        with tempfile.TemporaryDirectory(prefix="hubbub-storm-") as folder:
            figures = run_storm(given.messages, given.kills, folder, given.seed)
        for name, value in figures._asdict().items():
            print(f"{name.replace('_', ' '):16} {value}")


if __name__ == "__main__":
    main()
