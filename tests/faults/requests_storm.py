"""A process of some agents that ask all others at once and answer what they are asked, in any order.

    python -m tests.faults.requests_storm URL FIRST COUNT ALL EACH SEED

Agents FIRST to FIRST + COUNT of ALL ask EACH questions each. Every tenth question is answered late: its
asker has given up. Prints ``prompt`` when all others were answered, is told to answer the late ones,
prints ``late`` when its own late answers are in the inbox, is told to end, and prints what it got.
"""

from __future__ import annotations

import json
import random
import select
import sys
import threading
from typing import Any

import hubbub
from hubbub.bus import Bus, Pause, Steps
from hubbub.bus.pending import Requested

LATE = 10
PATIENCE = 100.0


def ask_all(steps: dict[str, Steps[Requested]], got: list[tuple[str, str, str, str]]) -> None:
    """Drive all requests at once on one thread, as an event loop would, until each has its result."""
    waiting: dict[str, Pause] = {}
    for name, each in steps.items():
        waiting[name] = next(each)
    while waiting:
        poller = select.poll()
        for pause in waiting.values():
            poller.register(pause.bell.fileno(), select.POLLIN)
        rung = {number for number, _ in poller.poll(min(pause.seconds for pause in waiting.values()) * 1000)}
        for name, pause in list(waiting.items()):
            if rung and pause.bell.fileno() not in rung:
                continue
            pause.bell.clear()
            try:
                waiting[name] = next(steps[name])
            except StopIteration as done:
                result: Requested = done.value
                answer = result.answer
                text = answer.message.body if answer else ""
                got.append((name, result.sent.id, result.state, text))
                del waiting[name]


class Member:
    """One agent: a thread that asks, and one that answers."""

    def __init__(self, bus: Bus, number: int, everyone: int, each: int, seed: int) -> None:
        self.bus = bus
        self.name = f"agent-{number}"
        self.chance = random.Random(seed * 1000 + number)
        self.actor = bus.agents.join(self.name).actor
        self.got: list[tuple[str, str, str, str]] = []
        self.inbox: list[tuple[str | None, str]] = []
        self.held: list[tuple[str, str]] = []
        self.late_expected = -(-each // LATE)
        self.release, self.end, self.all_late = threading.Event(), threading.Event(), threading.Event()
        others = [f"agent-{one}" for one in range(everyone) if one != number]
        self.questions = [(f"{self.name}/{one}", self.chance.choice(others)) for one in range(each)]
        self.threads = [threading.Thread(target=self.ask), threading.Thread(target=self.serve)]

    def ask(self) -> None:
        """Ask everything at once; what nobody answers soon is given up."""
        steps = {}
        for place, (text, to) in enumerate(self.questions):
            late = place % LATE == 0
            draft = self.bus.mail.draft(to, text, kind="question", metadata={"late": late})
            steps[text] = self.bus.pending.requesting(self.actor, draft, wait=0.5 if late else PATIENCE)
        ask_all(steps, self.got)

    def serve(self) -> None:
        """Answer what comes, shuffled; note the answers that come to the inbox."""
        while not self.end.is_set():
            handout = self.bus.mail.receive(self.actor, wait=0.2, limit=self.chance.randint(1, 12))
            deliveries = list(handout.deliveries)
            self.chance.shuffle(deliveries)
            for one in deliveries:
                if one.message.kind == "question":
                    if (one.message.metadata or {})["late"]:
                        self.held.append((one.message.id, one.message.body))
                    else:
                        self.bus.mail.reply(self.actor, one.message.id, f"re {one.message.body}")
                else:
                    self.inbox.append((one.message.in_reply_to, one.message.body))
                    self.bus.mail.acknowledge(self.actor, one.message.id)
            if self.release.is_set():
                self.chance.shuffle(self.held)
                while self.held:
                    id_, text = self.held.pop()
                    self.bus.mail.reply(self.actor, id_, f"re {text}")
            if len(self.inbox) >= self.late_expected:
                self.all_late.set()

    def told(self) -> dict[str, Any]:
        """What it got, by request and in the inbox."""
        return {"name": self.name, "asked": self.questions, "got": self.got, "inbox": self.inbox}


def main(url: str, first: int, count: int, everyone: int, each: int, seed: int) -> None:
    """The life of one process."""
    with hubbub.connect(url) as bus:
        members = [Member(bus, number, everyone, each, seed) for number in range(first, first + count)]
        print("ready", flush=True)
        sys.stdin.readline()
        for member in members:
            for thread in member.threads:
                thread.start()
        for member in members:
            member.threads[0].join()
        print("prompt", flush=True)
        sys.stdin.readline()
        for member in members:
            member.release.set()
        for member in members:
            member.all_late.wait(PATIENCE)
        print("late", flush=True)
        sys.stdin.readline()
        for member in members:
            member.end.set()
            member.threads[1].join()
        print(json.dumps([member.told() for member in members]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(text) for text in sys.argv[2:]))
