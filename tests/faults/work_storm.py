"""A kill storm over one plan: processes claim and end steps, hit by SIGKILL and SIGSTOP at random.

    python -m tests.faults.work_storm --processes 100 --steps 10000 --kills 300

The steps need each other at random; some name files or a resource that only so many may have. A worker
claims under a key that it notes first, and then completes, renews, fails, releases or simply forgets the
step. Whoever is killed is started again: it asks again under its last key, and now and then goes on with
what it had. Leases are short, so that what a killed or stopped worker had comes back by time.

In the end the ledger, the steps' attempts and the workers' notes must agree: each step was completed
once, no two claims of a step were live at a time, none was claimed before what it needs was completed,
nothing that two may not have was held twice, and whoever was told that it had completed a step had.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

import hubbub
from hubbub.bus import Bus
from hubbub.errors import BusBusy
from hubbub.errors_work import ClaimChanged, ClaimLive, ClaimLost
from hubbub.model import Actor
from hubbub.model_work import Claim, Need, Nothing, StepDraft
from tests.faults.storm import StormFailed, Worker, whole_lines
from tests.faults.work_account import Account, require

PROJECT = "storm"
RESOURCE = "gpu"
RESOURCE_LIMIT = 2
WINDOW = 400
"""Steps need some of so many before them: the plan is wide enough to keep a hundred processes busy."""
FOLDERS = 20
LEASE_SECONDS = 3.0
STOP_SECONDS = 4.0
"""Longer than a lease: a stopped worker finds its claim lost when it goes on."""
DEADLINE_SECONDS = 1800.0


class Figures(NamedTuple):
    """What a storm came to."""

    steps: int
    processes: int
    attempts: int
    kills: int
    stops: int
    expired: int
    """Claims whose lease ran out because their holder was killed, stopped or forgot them."""
    recovered: int
    """Of these, those that were taken back by name and not by the next claim."""
    told_lost: int
    """Writes of a worker that were refused because its claim was over."""
    asked_again: int
    """Claims answered from their key: the worker was killed before it noted them."""
    gone_on: int
    """Claims that a worker found to be its own after it was killed, and ended."""
    retried: int
    """Parked and failed steps that were brought back."""
    seconds: float


class StepWorker(Worker):
    """A process of this storm."""

    module = "tests.faults.work_storm"

    stopped = False

    def stop_for_a_while(self) -> None:
        """SIGSTOP it. Another thread lets it go on: this one may be waiting for the turn that it has."""
        self.stopped = True
        self.process.send_signal(signal.SIGSTOP)
        timer = threading.Timer(STOP_SECONDS, self._go_on)
        timer.daemon = True
        timer.start()

    def _go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.stopped = False


# --- the workers -------------------------------------------------------------------------------


class Hand:
    """A worker: what it notes, and what it does with what it claimed."""

    def __init__(self, bus: Bus, folder: str, name: str) -> None:
        path = f"{folder}/notes-{name}"
        self._notes = whole_lines(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._chance = random.Random(os.getpid())
        self._bus, self._actor = bus, bus.agents.attach(name)
        self._asked = sum(line[0] == "ask" for line in self._notes)

    def work(self) -> None:
        """Claim and end steps until all are done."""
        if self._notes and self._chance.random() < 0.3:
            for claim in self._mine():
                self._note("mine", claim)
                self._end(claim)
        # A key without an answer in the notes: it may have had one.
        number = self._asked - 1 if self._notes and self._notes[-1][0] == "ask" else self._asked
        while True:
            try:
                found = self._claim(number)
            except BusBusy:
                continue  # the key makes the retry safe
            if isinstance(found, Claim):
                self._dawdle()
                self._note("had", found, int(found.repeated))
                self._dawdle()
                self._end(found)
                number += 1
            elif found.reason == "all_done":
                return

    def _dawdle(self) -> None:
        """Be slow around the note of an answer: that is where a kill is worst."""
        time.sleep(self._chance.random() * 0.005)

    def _mine(self) -> tuple[Claim, ...]:
        while True:
            try:
                return self._bus.work.mine(self._actor)
            except BusBusy:
                continue

    def _claim(self, number: int) -> Claim | Nothing:
        self._write(f"ask {number}\n")
        key = f"claim-{number}"
        # The request belongs to the key: another process asks for the same.
        start = number % 2 == 0
        return self._bus.work.claim(
            self._actor, project=PROJECT, wait=5, lease=LEASE_SECONDS, start=start, key=key
        )

    def _note(self, what: str, claim: Claim, more: int = 0) -> None:
        self._write(f"{what} {claim.step.num} {claim.attempt.number} {more}\n")

    def _write(self, line: str) -> None:
        os.write(self._file, line.encode())

    def _end(self, claim: Claim) -> None:
        """End a claim in one of the ways; what is forgotten comes back by time."""
        act = self._chance.random()
        while True:
            try:
                if act > 0.97:
                    return
                if act > 0.94:
                    self._bus.work.release(self._actor, claim.token, notes="given back")
                    self._note("gave", claim)
                elif act > 0.90:
                    failure = self._chance.choice(("task", "environment"))
                    self._bus.work.fail(self._actor, claim.token, "broken", failure=failure, delay=0)
                    self._note("gave", claim)
                else:
                    if act > 0.80:
                        self._bus.work.renew(self._actor, claim.token, notes="at it")
                    self._bus.work.complete(self._actor, claim.token, commit=f"c{claim.step.num}")
                    self._note("done", claim)
                return
            except BusBusy:
                continue
            except ClaimLost:
                self._note("lost", claim)
                return


def run_worker(url: str, folder: str, name: str) -> None:
    """Work until all is done."""
    with hubbub.connect(url) as bus:
        Hand(bus, folder, name).work()


# --- the storm -----------------------------------------------------------------------------------


def plan(steps: int, chance: random.Random) -> tuple[StepDraft, ...]:
    """Steps that need earlier ones at random; some name a folder or the resource."""
    drafts = []
    for num in range(1, steps + 1):
        before = range(max(1, num - WINDOW), num)
        needed = chance.sample(before, min(len(before), chance.choice((0, 0, 1, 1, 2, 3))))
        folder = f"src/m{chance.randrange(FOLDERS)}/**"
        drafts.append(
            StepDraft(
                f"step {num}",
                num=num,
                needs=tuple(Need(each) for each in needed),
                paths=(folder,) if chance.random() < 0.1 else (),
                resources=(RESOURCE,) if chance.random() < 0.03 else (),
                priority=chance.randint(-2, 2),
            )
        )
    return tuple(drafts)


class Storm:
    """The agents of one storm, and who kills and stops them."""

    def __init__(self, bus: Bus, url: str, folder: str, size: tuple[int, int, int], seed: int) -> None:
        self._bus, self._folder = bus, folder
        processes, steps, self._kills_wanted = size
        self._chance = random.Random(seed)
        self._pause = threading.Event()
        self._looked = 0.0
        self.kills = self.stops = self.retried = 0
        self.names = [f"worker-{number}" for number in range(processes)]
        for name in ("host", *self.names):
            bus.agents.register(name)
        self._host = Actor("host")
        bus.work.limit_resource(self._host, RESOURCE, RESOURCE_LIMIT)
        self.plan = plan(steps, self._chance)
        bus.work.create_project(self._host, PROJECT, self.plan)
        common = ["--url", url, "--folder", folder]
        self._workers = [StepWorker(folder, ["--worker", name, *common]) for name in self.names]

    def rage(self) -> None:
        """Kill and stop at random moments, spread over the whole of the work, until all is done."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while busy := [worker for worker in self._workers if worker.running()]:
            if time.monotonic() > deadline:
                raise StormFailed(f"not done after {DEADLINE_SECONDS:g} s; see {self._folder}")
            due = min(int((self._kills_wanted + 1) * self._done()), self._kills_wanted)
            able = [worker for worker in busy if not worker.stopped]
            if self.kills < due and able:
                self._pause.wait(self._chance.random() * 0.02)
                self._hit(self._chance.choice(able))
            else:
                self._pause.wait(0.1)
                self._look_after()

    def _done(self) -> float:
        """How much of the plan is done."""
        return self._bus.work.project(PROJECT).counts.completed / len(self.plan)

    def _hit(self, worker: StepWorker) -> None:
        if self.stops < self.kills // 5:
            worker.stop_for_a_while()
            self.stops += 1
        else:
            self.kills += worker.kill()

    def _look_after(self) -> None:
        """Once a second take back what ran out, beside the claims that do so, and retry what was given up."""
        if time.monotonic() < self._looked + 1:
            return
        self._looked = time.monotonic()
        for stale in self._bus.work.stale(idle=LEASE_SECONDS):
            attempt = stale.attempt
            with suppress(ClaimChanged, ClaimLive, BusBusy):
                self._bus.store.work.recover(
                    self._host, stale.step.id, attempt=attempt.number, lease_until=attempt.lease_until
                )
        for step in self._bus.work.steps(PROJECT, statuses=("parked", "failed"))[0]:
            with suppress(BusBusy):
                self._bus.work.retry(self._host, step.id, note="once more")
                self.retried += 1

    def stop(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.stop()


def account(bus: Bus, folder: str, storm: Storm, seconds: float) -> Figures:
    """Compare the ledger, the attempts and the notes.

    Raises:
        StormFailed: they do not agree.
    """
    found = Account(bus, PROJECT, storm.plan, {RESOURCE: RESOURCE_LIMIT})
    found.replay()
    found.compare_attempts()
    notes = {name: whole_lines(f"{folder}/notes-{name}") for name in storm.names}
    found.compare_notes(notes)
    problems = bus.check()
    require(problems == [], f"the bus is not whole: {problems}")
    what = Counter(line[0] for lines in notes.values() for line in lines)
    again = sum(line[0] == "had" and line[3] == "1" for lines in notes.values() for line in lines)
    return Figures(
        steps=len(storm.plan),
        processes=len(storm.names),
        attempts=found.events["step_claimed"],
        kills=storm.kills,
        stops=storm.stops,
        expired=found.events["claim_expired"] + found.events["claim_recovered"],
        recovered=found.events["claim_recovered"],
        told_lost=what["lost"],
        asked_again=again,
        gone_on=what["mine"],
        retried=storm.retried,
        seconds=round(seconds, 1),
    )


def run_storm(processes: int, steps: int, kills: int, folder: str, seed: int | None = None) -> Figures:
    """One storm in ``folder``, which must be empty; its figures.

    Raises:
        StormFailed: something was lost, done twice, or had by two.
    """
    url = f"sqlite://{folder}/bus.db"
    began = time.monotonic()
    with hubbub.connect(url) as bus:
        chosen = random.randrange(2**32) if seed is None else seed
        storm = Storm(bus, url, folder, (processes, steps, kills), chosen)
        try:
            storm.rage()
        finally:
            storm.stop()
        return account(bus, folder, storm, time.monotonic() - began)


def main() -> None:
    """The command line: a storm, or one of its workers."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.work_storm", description=__doc__)
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int)
    for hidden in ("--worker", "--url", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        run_worker(given.url, given.folder, given.worker)
        return
    with tempfile.TemporaryDirectory(prefix="hubbub-storm-") as folder:
        figures = run_storm(given.processes, given.steps, given.kills, folder, given.seed)
    for name, value in figures._asdict().items():
        print(f"{name.replace('_', ' '):16} {value}")


if __name__ == "__main__":
    main()
