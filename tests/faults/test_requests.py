"""Requests under load, and askers that are killed or stopped while they wait."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hubbub.clock import ManualClock, SystemClock
from hubbub.model import Actor, Draft, Profile
from hubbub.model_pending import WAIT_LEASE_MS
from hubbub.stores import open_store
from tests.faults.processes import child

STORM = (
    "import sys; from tests.faults import requests_storm as s; s.main(sys.argv[1], *map(int, sys.argv[2:]))"
)
AGENTS, PROCESSES, EACH = 20, 4, 50

ASKER = """
import sys
import hubbub
bus = hubbub.connect(sys.argv[1])
actor = bus.agents.join("ada").actor
steps = bus.pending.requesting(actor, bus.mail.draft("bob", "?", kind="question"), wait=3600)
pause = next(steps)
print("waits", flush=True)
sys.stdin.readline()
try:
    while True:
        pause.bell.wait(0)
        pause = next(steps)
        print("still waits", flush=True)
        sys.stdin.readline()
except StopIteration as done:
    print(done.value.state, done.value.answer.message.body, flush=True)
"""


@pytest.mark.xdist_group("heavy")
def test_a_thousand_requests_in_flight_each_get_their_own_answer_once(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/bus.db"
    store = open_store(url)
    for number in range(AGENTS):
        store.agents.register(Profile(f"agent-{number}"))
    each = AGENTS // PROCESSES
    with ExitStack() as stack:
        children = [
            stack.enter_context(child(STORM, url, *map(str, (first, each, AGENTS, EACH, 7))))
            for first in range(0, AGENTS, each)
        ]
        for expected in ("ready", "prompt", "late"):
            assert [one.line() for one in children] == [expected] * PROCESSES
            for one in children:
                one.go()
        told: list[dict[str, Any]] = [member for one in children for member in json.loads(one.line())]
    _check_what_was_told(told)
    assert store.pending.owed() == []
    sent = store.ledger.events(kinds=("message_sent",), limit=10_000)
    assert len(sent) == 2 * AGENTS * EACH
    assert store.check() == []
    store.close()


def _check_what_was_told(told: list[dict[str, Any]]) -> None:
    states = Counter[str]()
    for member in told:
        asked = {text for text, _ in member["asked"]}
        ids = {text: id_ for text, id_, _, _ in member["got"]}
        assert ids.keys() == asked
        states.update(state for _, _, state, _ in member["got"])
        seen = [(ids[text], body) for text, _, state, body in member["got"] if state == "given"]
        seen += [(in_reply_to, body) for in_reply_to, body in member["inbox"]]
        # Each answer once, and the right one for each request.
        assert sorted(seen) == sorted((ids[text], f"re {text}") for text in asked)
    assert states["given"] + states["late"] == AGENTS * EACH
    assert states["late"] >= AGENTS * EACH // 10


@pytest.mark.parametrize("answered", ["before", "after"])
def test_the_answer_to_a_killed_asker_is_in_its_inbox(tmp_path: Path, answered: str) -> None:
    url = f"sqlite://{tmp_path}/bus.db"
    clock = ManualClock(SystemClock().now())
    store = open_store(url, clock=clock)
    store.agents.register(Profile("bob"))
    with child(ASKER, url) as asker:
        assert asker.line() == "waits"
        (debt,) = store.pending.owed()
        reply = Draft(("ada",), "because", in_reply_to=debt.message)
        if answered == "before":
            asker.stop()  # so that it can't take the answer before it is killed
            store.mail.send(Actor("bob"), reply)
            assert store.mail.receive(Actor("ada")).deliveries == ()
        asker.signal(signal.SIGKILL)
        asker.wait()
        if answered == "after":
            store.mail.send(Actor("bob"), reply)
    clock.advance(WAIT_LEASE_MS + 60_000)
    assert [one.message.body for one in store.mail.receive(Actor("ada"), limit=10).deliveries] == ["because"]
    assert store.pending.owed() == []
    store.close()


@pytest.mark.parametrize("taken", [True, False])
def test_a_stopped_asker_finds_its_answer_here_or_elsewhere(tmp_path: Path, taken: bool) -> None:
    url = f"sqlite://{tmp_path}/bus.db"
    clock = ManualClock(SystemClock().now() + WAIT_LEASE_MS + 60_000)
    early = open_store(url)
    early.agents.register(Profile("bob"))
    with child(ASKER, url) as asker:
        assert asker.line() == "waits"
        asker.stop()
        (debt,) = early.pending.owed()
        early.mail.send(Actor("bob"), Draft(("ada",), "because", in_reply_to=debt.message))
        assert early.mail.receive(Actor("ada")).deliveries == ()
        late = open_store(url, clock=clock)
        late.sweep("h")
        if taken:
            (delivery,) = late.mail.receive(Actor("ada")).deliveries
            late.mail.settle(Actor("ada"), (delivery.message.id,))
        asker.signal(signal.SIGCONT)
        asker.go()
        assert asker.line() == f"{'elsewhere' if taken else 'given'} because"
        late.close()
    early.close()
