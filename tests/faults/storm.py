"""A kill storm: agents work through one bus while SIGKILL hits them at random moments.

    python -m tests.faults.storm --messages 20000 --kills 300

Senders note what was accepted only after ``send`` returned; receivers note what they handled,
synced to disk, before they settle it. Whoever is killed is started again and goes on. In the
end the notes, the bus and its ledger must agree: nothing lost, nothing settled twice, and
whatever was handled again had been marked as redelivered.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from typing import IO, NamedTuple

import hubbub
from hubbub.bus import Bus
from hubbub.bus.heart import Heart
from hubbub.errors import BusBusy
from hubbub.model import Event

SENDERS = 4
RECEIVERS = 4
DEADLINE_SECONDS = 900.0
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Figures(NamedTuple):
    """What a storm came to."""

    messages: int
    deliveries: int
    kills: int
    redelivered: int
    """Deliveries that were handed out more than once."""
    handled_again: int
    """Deliveries whose work was done more than once: killed between the note and the settling."""
    dead: int
    """Dead letters that were retried because each of their hand-outs was killed."""
    seconds: float


class StormFailed(AssertionError):
    """The notes, the bus and its ledger do not agree."""


# --- the workers -------------------------------------------------------------------------------


def recipients_of(number: int) -> list[str]:
    """One receiver, or two for every tenth message, which must reach both or none."""
    first = number % RECEIVERS
    return [f"receiver-{first}"] + ([f"receiver-{(first + 1) % RECEIVERS}"] if number % 10 == 0 else [])


def whole_lines(path: str) -> list[list[str]]:
    """The fields of each line that was written to its end."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return [line.split() for line in file.read().split("\n")[:-1]]


def _note(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def run_sender(url: str, folder: str, name: str, count: int) -> None:
    """Send ``count`` numbered messages, going on after the last one that was noted as accepted."""
    path = f"{folder}/accepted-{name}"
    begin = len(whole_lines(path))
    file = _note(path)
    with hubbub.connect(url) as bus:
        actor = bus.agents.attach(name)
        for number in range(begin, count):
            draft = bus.mail.draft(recipients_of(number), f"{name} {number}", metadata={"number": number})
            while True:
                try:
                    sent = bus.mail.send(actor, draft, key=f"{name}-{number}", wait_for_room=600)
                    break
                except BusBusy:
                    continue  # the key makes the retry safe
            os.write(file, f"{number} {sent.id} {','.join(sent.recipients)}\n".encode())


def run_receiver(url: str, folder: str, name: str) -> None:
    """Hold the name; receive, note, settle, until killed."""
    file = _note(f"{folder}/handled-{name}")
    chance = random.Random(os.getpid())
    with hubbub.connect(url) as bus:
        seat = bus.agents.join(name)
        heart = Heart(bus.store, bus.agents, interval_ms=1000)
        heart.add(seat)
        while True:
            try:
                handout = bus.mail.receive(seat.actor, wait=5, limit=chance.randint(1, 5))
                for delivery in handout.deliveries:
                    os.write(file, f"{delivery.message.id} {int(delivery.redelivered)}\n".encode())
                    os.fsync(file)
                    bus.mail.acknowledge(seat.actor, delivery.message.id, key=f"done-{delivery.message.id}")
            except BusBusy:
                continue  # what was not settled comes back


# --- the storm -----------------------------------------------------------------------------------


class Worker:
    """One process that is started again whenever it is killed."""

    module = "tests.faults.storm"

    def __init__(self, folder: str, arguments: list[str]) -> None:
        self._arguments = arguments
        self._log: IO[bytes] = open(f"{folder}/log-{arguments[1]}", "ab")  # noqa: SIM115 - see stop()
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", self.module, *self._arguments]
        path = os.pathsep.join([ROOT, os.path.join(ROOT, "src"), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stderr=self._log)

    def running(self) -> bool:
        """False once it ended well; raises if it failed by itself."""
        ended = self.process.poll()
        if ended:
            with open(self._log.name, errors="replace") as log:
                raise StormFailed(f"{self._arguments} ended with {ended}:\n{log.read()[-2000:]}")
        return ended is None

    def kill(self) -> bool:
        """SIGKILL it and start it again; False when it had ended by itself just before."""
        self.process.kill()
        if self.process.wait() != -9:
            return False
        self.process = self._start()
        return True

    def stop(self) -> None:
        """End it for good."""
        self.process.kill()
        self.process.wait()
        self._log.close()


class Storm:
    """The agents of one storm, and who kills them."""

    def __init__(self, bus: Bus, url: str, folder: str, messages: int, kills: int, seed: int) -> None:
        self._bus = bus
        self._folder = folder
        self._messages = messages
        self._kills_wanted = kills
        self._chance = random.Random(seed)
        self._pause = threading.Event()
        self.kills = 0
        self.retried: set[str] = set()
        for name in [f"sender-{n}" for n in range(SENDERS)] + [f"receiver-{n}" for n in range(RECEIVERS)]:
            bus.agents.register(name)
        common = ["--url", url, "--folder", folder]
        shares = [messages // SENDERS + (number < messages % SENDERS) for number in range(SENDERS)]
        self._senders = [
            Worker(folder, ["--sender", f"sender-{number}", *common, "--count", str(share)])
            for number, share in enumerate(shares)
        ]
        self._receivers = [
            Worker(folder, ["--receiver", f"receiver-{number}", *common]) for number in range(RECEIVERS)
        ]

    def rage(self) -> None:
        """Kill at random moments, spread over the whole of the work, until all is sent and settled."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        work = sum(1 + len(recipients_of(number)) for number in range(self._messages))
        while True:
            if time.monotonic() > deadline:
                raise StormFailed(f"not done after {DEADLINE_SECONDS:g} s; see {self._folder}")
            busy = [worker for worker in [*self._senders, *self._receivers] if worker.running()]
            done = self._done()
            due = int((self._kills_wanted + 1) * done / work)
            if self.kills < min(due, self._kills_wanted):
                self._pause.wait(self._chance.random() * 0.02)
                self.kills += self._chance.choice(busy).kill()
            elif self._drained():
                return
            else:
                self._pause.wait(0.02)

    def _done(self) -> int:
        """About how much is done: what was sent and what was settled."""
        newest = self._bus.events.events(limit=1, newest=True)
        return 0 if not newest else newest[0].seq * 2 // 3

    def _drained(self) -> bool:
        if any(worker.running() for worker in self._senders):
            return False
        agents = self._bus.agents.all()
        if any(agent.queued or agent.leased for agent in agents):
            return False
        dead = self._bus.mail.dead(limit=1000)
        if dead:
            ids = sorted({delivery.message.id for delivery in dead})
            self.retried.update(ids)
            self._bus.mail.retry(ids)
        return not dead

    def stop(self) -> None:
        """End all workers."""
        for worker in [*self._senders, *self._receivers]:
            worker.stop()


# --- the account -----------------------------------------------------------------------------------


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise StormFailed(what)


def _whole_ledger(bus: Bus) -> list[Event]:
    events: list[Event] = []
    while page := bus.events.events(after=events[-1].seq if events else 0, limit=5000):
        events += page
    return events


def accepted_pairs(folder: str, messages: int) -> set[tuple[str, str]]:
    """Every delivery that a sender was promised: message and receiver."""
    pairs: set[tuple[str, str]] = set()
    ids: set[str] = set()
    for index in range(SENDERS):
        lines = whole_lines(f"{folder}/accepted-sender-{index}")
        _require(
            [int(line[0]) for line in lines] == list(range(len(lines))), "a number was skipped or repeated"
        )
        for _, id_, names in lines:
            _require(id_ not in ids, f"{id_} was accepted twice")
            ids.add(id_)
            pairs.update((id_, name) for name in names.split(","))
    _require(len(ids) == messages, f"{len(ids)} of {messages} messages were accepted")
    return pairs


def handled(folder: str) -> dict[tuple[str, str], list[bool]]:
    """What receivers noted: for each delivery whether each of its hand-outs was marked redelivered."""
    notes: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for index in range(RECEIVERS):
        name = f"receiver-{index}"
        for id_, again in whole_lines(f"{folder}/handled-{name}"):
            notes[id_, name].append(again == "1")
    return notes


def account(bus: Bus, folder: str, storm: Storm, messages: int, seconds: float) -> Figures:
    """Compare notes, bus and ledger.

    Raises:
        StormFailed: they do not agree.
    """
    promised, notes = accepted_pairs(folder, messages), handled(folder)
    _require(set(notes) == promised, f"handled is not what was accepted: {set(notes) ^ promised}")
    for (id_, name), marks in notes.items():
        # A retried dead letter starts anew: its count, and with it the mark, is reset.
        marked = all(marks[1:]) or id_ in storm.retried
        _require(marked, f"{id_} came to {name} again unmarked")
    events = _whole_ledger(bus)
    sent = Counter(event.message for event in events if event.event == "message_sent")
    _require(set(sent) == {id_ for id_, _ in promised}, "the ledger's messages are not those accepted")
    _require(set(sent.values()) == {1}, "a message was sent twice")
    settled = Counter((event.message, event.agent) for event in events if event.event == "message_settled")
    _require(set(settled) == promised, "what is settled is not what was accepted")
    _require(set(settled.values()) == {1}, "a delivery was settled twice")
    received = Counter((event.message, event.agent) for event in events if event.event == "message_received")
    problems = bus.check()
    _require(problems == [], f"the bus is not whole: {problems}")
    return Figures(
        messages=messages,
        deliveries=len(promised),
        kills=storm.kills,
        redelivered=sum(count > 1 for count in received.values()),
        handled_again=sum(len(marks) > 1 for marks in notes.values()),
        dead=len(storm.retried),
        seconds=round(seconds, 1),
    )


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
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int)
    for hidden in ("--sender", "--receiver", "--url", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sender:
        run_sender(given.url, given.folder, given.sender, given.count)
    elif given.receiver:
        run_receiver(given.url, given.folder, given.receiver)
    else:
        with tempfile.TemporaryDirectory(prefix="hubbub-storm-") as folder:
            figures = run_storm(given.messages, given.kills, folder, given.seed)
        for name, value in figures._asdict().items():
            print(f"{name.replace('_', ' '):14} {value}")


if __name__ == "__main__":
    main()
