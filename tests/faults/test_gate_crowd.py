"""Forty processes at full rate against an enforced gate."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from hubbub.clock import ManualClock
from hubbub.model import Actor, Profile
from hubbub.policy import GATE_WINDOW_MS
from hubbub.stores import open_store
from tests.faults.processes import child

SENDER = """
import json, sys
from hubbub.clock import ManualClock
from hubbub.errors import RateLimited
from hubbub.model import Actor, Draft
from hubbub.stores import open_store
clock = ManualClock(int(sys.argv[3]))
store = open_store(sys.argv[1], clock=clock, busy_timeout_ms=60_000)
actor = Actor(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    accepted, refused = [], 0
    for number in range(60):
        try:
            accepted.append(store.mail.send(actor, Draft(("bob",), str(number))).id)
        except RateLimited:
            refused += 1
    print(json.dumps([actor.agent, accepted, refused]), flush=True)
    clock.advance(10_000)
"""

LIMIT = 25
CROWD = 20
"""How many processes send under one name; as many more have each its own."""


@pytest.mark.xdist_group("heavy")
def test_the_count_is_exact_whoever_sends_and_the_ledger_adds_up(tmp_path: Path) -> None:
    url, clock = f"sqlite://{tmp_path}/bus.db", ManualClock()
    store = open_store(url, clock=clock, busy_timeout_ms=60_000)
    store.settings.put("gate.mode", "enforce")
    store.settings.put("gate.limit", str(LIMIT))
    own = [f"sender-{number}" for number in range(CROWD)]
    for name in ("bob", "crowd", *own):
        store.agents.register(Profile(name, inbox_limit=100_000))
    accepted, refused = list[tuple[str, str]](), Counter[str]()
    with ExitStack() as stack:
        names = ["crowd"] * CROWD + own
        children = [stack.enter_context(child(SENDER, url, name, str(clock.now()))) for name in names]
        assert [one.line() for one in children] == ["ready"] * len(children)
        for window in (1, 2):
            for one in children:
                one.go()
            for one in children:
                name, ids, count = json.loads(one.line())
                accepted += [(name, id_) for id_ in ids]
                refused[name] += count
            assert Counter(name for name, _ in accepted) == dict.fromkeys(("crowd", *own), window * LIMIT)
    clock.advance(2 * GATE_WINDOW_MS)
    store.sweep("h")
    told = Counter[str]()
    for event in store.ledger.events(kinds=("gate_refused",), limit=10_000):
        told[event.actor or ""] += (event.detail or {})["count"]
    assert told == refused
    assert refused["crowd"] == 2 * (CROWD * 60 - LIMIT)
    assert store.ledger.events(kinds=("gate_exceeded",)) == []
    # What was accepted is all there, and nothing else.
    there = [one.message for one in store.mail.receive(Actor("bob"), limit=100_000).deliveries]
    assert sorted((one.sender, one.id) for one in there) == sorted(accepted)
    assert store.check() == []
    store.close()
