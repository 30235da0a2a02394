"""Reminders while housekeepers race and are killed."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from hubbub.clock import ManualClock
from hubbub.model import Actor, Draft, Profile
from hubbub.names import BUS_NAME
from hubbub.stores import open_store
from tests.faults.processes import Child, child

SWEEPER = """
import sys
from hubbub.clock import ManualClock
from hubbub.stores import open_store
clock = ManualClock(0)
store = open_store(sys.argv[1], clock=clock)
print("ready", flush=True)
for line in sys.stdin:
    clock.advance(int(line) - clock.now())
    swept = store.sweep(sys.argv[2])
    print(swept.reminders, swept.escalations, flush=True)
"""

DEBTS = 20
STEP_MS = 5000
DUTY_MS = 15_000
DUE_MS = 10_000


def _tell(sweeper: Child, now: int) -> None:
    assert sweeper.process.stdin is not None
    sweeper.process.stdin.write(f"{now}\n")
    sweeper.process.stdin.flush()


def _start(stack: ExitStack, url: str, name: str) -> Child:
    started = stack.enter_context(child(SWEEPER, url, name))
    assert started.line() == "ready"
    return started


@pytest.mark.parametrize("kill", ["none", "between", "within"])
def test_each_reminder_comes_once_whoever_races_and_is_killed(tmp_path: Path, kill: str) -> None:
    url, clock = f"sqlite://{tmp_path}/bus.db", ManualClock()
    store = open_store(url, clock=clock)
    for name in ("ada", "bob", "watchdog"):
        store.agents.register(Profile(name))
    for _ in range(DEBTS):
        store.mail.send(Actor("ada"), Draft(("bob",), "?", kind="question", reply_within_ms=DUE_MS))
    due, rounds = clock.now() + DUE_MS, 0
    with ExitStack() as stack:
        sweepers = [_start(stack, url, f"h{number}") for number in range(2)]
        while clock.now() < due + 600_000:
            clock.advance(STEP_MS)
            rounds += 1
            for one in sweepers:
                _tell(one, clock.now())
            victim = rounds % 14 // 7
            if kill == "within" and rounds % 7 == 0:
                sweepers[victim].signal(signal.SIGKILL)
            for place, one in enumerate(sweepers):
                if not (kill == "within" and rounds % 7 == 0 and place == victim):
                    assert one.line()
            if kill != "none" and rounds % 7 == 0:
                sweepers[victim].signal(signal.SIGKILL)
                sweepers[victim].wait()
                sweepers[victim] = _start(stack, url, f"h{victim}-{rounds}")
    late = 0 if kill == "none" else DUTY_MS + STEP_MS
    for debt in store.pending.owed(limit=100):
        sent = store.ledger.events(kinds=("reminder_sent",), message=debt.message)
        assert [(event.detail or {})["number"] for event in sent] == [1, 2, 3, 4]
        for event, after in zip(sent, (30_000, 60_000, 120_000, 240_000), strict=True):
            assert due + after <= event.at <= due + after + late
        (escalated,) = store.ledger.events(kinds=("answer_escalated",), message=debt.message)
        assert escalated.at <= due + 480_000 + late
    assert len(store.pending.owed(limit=100)) == DEBTS
    for name in ("ada", "watchdog"):
        waiting = store.mail.peek(name, limit=100).deliveries
        assert [one.message.sender for one in waiting] == [BUS_NAME]  # one mail of them all
    reminders = store.ledger.events(kinds=("message_sent",), agent="bob", limit=1000)
    assert [one.actor for one in reminders].count(BUS_NAME) == 4
    # Of the reminders none is left: each gave way to the next, and the last to the escalation.
    assert {one.message.sender for one in store.mail.peek("bob", limit=1000).deliveries} == {"ada"}
    assert store.check() == []
    store.close()
