"""Work whose holders are stopped, killed, late, out of disk, or wrong about the time."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.bus import Bus
from hubbub.clock import ManualClock, SystemClock
from hubbub.errors import BusBusy, BusFull
from hubbub.errors_work import ClaimLive, ClaimLost
from hubbub.model import Actor, NewSession, Profile
from hubbub.model_work import Claim, Nothing, ProjectDraft, StepDraft, Wanted
from hubbub.process import this_process
from hubbub.stores import open_store
from hubbub.stores.contract import Store
from hubbub.stores.sqlite import SqliteStore
from hubbub.stores.sqlite.writers import Turnstile
from tests.faults.processes import child

ADA, BOB = Actor("ada"), Actor("bob")
LEASE_MS = 60_000
HOUR_MS = 3_600_000
ROUNDS = 40

HOLDER = """
import sys
from hubbub.errors import HubbubError
from hubbub.model import Actor
from hubbub.stores import open_store
store = open_store(sys.argv[1])
ada, work = Actor("ada"), store.work
claim = work.claim(ada, lease_ms=60_000)
token = claim.token
print(claim.attempt.number, flush=True)
sys.stdin.readline()
for act in (lambda: work.renew(ada, token, notes="late"), lambda: work.start(ada, token, branch="late"),
            lambda: work.complete(ada, token, commit="late"), lambda: work.fail(ada, token, "late"),
            lambda: work.release(ada, token, notes="late")):
    try:
        act()
        print("did it", flush=True)
    except HubbubError as error:
        print(error.code, flush=True)
"""

RIVAL = """
import sys
from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import Actor
from hubbub.stores import open_store
url, how, now = sys.argv[1:]
store = open_store(url, clock=ManualClock(int(now)))
store.work.projects()
print("ready", flush=True)
for line in sys.stdin:
    step, lease_until = line.split()
    try:
        if how == "beat":
            store.agents.beat("s-ada")
        else:
            store.work.recover(None, step, attempt=1, lease_until=int(lease_until))
        print("done", flush=True)
    except HubbubError as error:
        print(error.code, flush=True)
"""

KEYED = """
import sys
from hubbub.model import Actor
from hubbub.stores import open_store
store = open_store(sys.argv[1])
claim = store.work.claim(Actor("ada"), lease_ms=60_000, key="the-key")
print(claim.token, claim.step.id, flush=True)
sys.stdin.readline()
"""

WRITER = """
import sys
from hubbub.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
with store._core.write():
    print("holds", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where the bus is."""
    return f"sqlite://{tmp_path}/bus.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A bus with two agents, whose writers wait 300 ms for their turn."""
    opened = open_store(url, busy_timeout_ms=300)
    _two_agents(opened)
    try:
        yield opened
    finally:
        opened.close()


def _two_agents(store: Store) -> None:
    store.agents.register(Profile("ada"))
    store.agents.register(Profile("bob"))


def _planned(store: Store, count: int = 1) -> list[str]:
    """A project of so many steps; their ids."""
    drafts = tuple(StepDraft(f"step {number}") for number in range(count))
    return [step.id for step in store.work.create_project(BOB, ProjectDraft("p", steps=drafts))[1]]


def _claimed(store: Store, actor: Actor, key: str | None = None) -> Claim:
    found = store.work.claim(actor, lease_ms=LEASE_MS, key=key)
    assert isinstance(found, Claim)
    return found


@pytest.mark.parametrize("then", ["completed", "held", "nothing"])
def test_a_stopped_holder_can_change_nothing_any_more(store: Store, url: str, then: str) -> None:
    (step,) = _planned(store)
    late = open_store(url, clock=ManualClock(SystemClock().now() + LEASE_MS + 1000))
    with child(HOLDER, url) as holder:
        assert holder.line() == "1"
        holder.stop()
        if then == "nothing":
            late.sweep("late")
        else:
            claim = _claimed(late, BOB)
            assert claim.attempt.number == 2
            if then == "completed":
                late.work.complete(BOB, claim.token, commit="abc", notes="mine")
        before = late.work.step(step)
        holder.signal(signal.SIGCONT)
        holder.go()
        assert [holder.line() for _ in range(5)] == ["CLAIM_LOST"] * 5
        assert holder.wait() == 0
    assert late.work.step(step) == before
    assert before[0].status == {"completed": "completed", "held": "claimed", "nothing": "not_started"}[then]
    assert late.check() == []
    late.close()


def test_of_two_sweepers_and_a_late_beat_one_wins(url: str) -> None:
    start = SystemClock().now()
    clock = ManualClock(start)
    store = open_store(url, clock=clock)
    _two_agents(store)
    store.agents.register(Profile("ada"), NewSession("s-ada"))
    ada = Actor("ada", "s-ada")
    _planned(store, ROUNDS)
    ran_out = str(start + LEASE_MS)
    in_time = str(start + LEASE_MS - 1)
    with (
        child(RIVAL, url, "sweep", ran_out) as one,
        child(RIVAL, url, "sweep", ran_out) as two,
        child(RIVAL, url, "beat", in_time) as beat,
    ):
        rivals = [one, two, beat]
        assert [rival.line() for rival in rivals] == ["ready"] * 3
        for _ in range(ROUNDS):
            claim = _claimed(store, ada)
            seen = claim.attempt.lease_until
            for rival in random.sample(rivals, 3):
                assert rival.process.stdin is not None
                rival.process.stdin.write(f"{claim.step.id} {seen}\n")
                rival.process.stdin.flush()
            said = [rival.line() for rival in rivals]
            assert said[2] == "done"
            step, (attempt,) = store.work.step(claim.step.id)
            renewed = attempt.lease_until > seen
            assert said[:2].count("done") + renewed == 1
            assert set(said[:2]) <= {"done", "CLAIM_CHANGED"}
            assert (step.status, attempt.state) == (
                ("claimed", "live") if renewed else ("not_started", "lost")
            )
            recovered = store.ledger.events(step=claim.step.id, kinds=("claim_recovered",))
            assert len(recovered) == 1 - renewed
            store.work.cancel_step(BOB, claim.step.id)
    assert store.check() == []
    store.close()


def test_what_a_killed_process_claimed_under_a_key_it_has_again(store: Store, url: str) -> None:
    _planned(store, 2)
    with child(KEYED, url) as claimant:
        token, step = claimant.line().split()
        claimant.signal(signal.SIGKILL)
        claimant.wait()
    with child(KEYED, url) as again:
        assert again.line().split() == [token, step]
    claim = _claimed(store, ADA, key="the-key")
    assert (claim.token, claim.step.id, claim.repeated) == (token, step, True)
    assert len(store.ledger.events(kinds=("step_claimed",))) == 1
    assert store.work.complete(ADA, token).status == "completed"
    # What the key had is over: asking again is a new request.
    other = _claimed(store, ADA, key="the-key")
    assert (other.step.id != step, other.repeated) == (True, False)


def test_a_full_disk_refuses_to_complete_and_nothing_is_half_done(tmp_path: Path) -> None:
    store = SqliteStore(f"{tmp_path}/bus.db")
    _two_agents(store)
    (step,) = _planned(store)
    claim = _claimed(store, ADA)
    db = store._core.connections.mine().db
    db.pragma("max_page_count", int(db.pragma("page_count")) + 1)
    before = store.work.step(step), store.ledger.events(limit=1000)
    with pytest.raises(BusFull):
        store.work.complete(ADA, claim.token, notes="x" * 50_000, key="k")
    assert (store.work.step(step), store.ledger.events(limit=1000)) == before
    assert store.work.renew(ADA, claim.token).step.status == "claimed"
    db.pragma("max_page_count", 1_000_000)
    for _ in range(2):
        done = store.work.complete(ADA, claim.token, notes="x" * 50_000, key="k")
        assert (done.status, len(done.notes or "")) == ("completed", 50_000)
    assert len(store.ledger.events(kinds=("step_completed",))) == 1
    assert store.check() == []
    store.close()


def test_a_clock_set_forward_ends_claims_and_no_work_is_done_twice(tmp_path: Path) -> None:
    clock = ManualClock()
    store = open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)
    _two_agents(store)
    (step,) = _planned(store)
    lost = _claimed(store, ADA)
    clock.advance(HOUR_MS)
    claim = _claimed(store, BOB)
    assert (claim.step.id, claim.attempt.number) == (step, 2)
    clock.advance(-HOUR_MS)
    with pytest.raises(ClaimLost):
        store.work.complete(ADA, lost.token)
    assert isinstance(store.work.claim(ADA), Nothing)
    assert store.work.complete(BOB, claim.token).status == "completed"
    assert [event.attempt for event in store.ledger.events(kinds=("step_completed",))] == [2]
    assert store.check() == []
    store.close()


def test_a_clock_set_back_leaves_claims_with_their_holders(tmp_path: Path) -> None:
    clock = ManualClock()
    store = open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)
    _two_agents(store)
    (step,) = _planned(store)
    claim = _claimed(store, ADA)
    clock.advance(-HOUR_MS)
    assert isinstance(store.work.claim(BOB), Nothing)
    with pytest.raises(ClaimLive):
        store.work.recover(BOB, step, attempt=1, lease_until=claim.attempt.lease_until)
    renewed = store.work.renew(ADA, claim.token)
    assert renewed.attempt.lease_until == claim.attempt.lease_until
    assert store.work.complete(ADA, claim.token).status == "completed"
    assert store.check() == []
    store.close()


def _waits(monkeypatch: pytest.MonkeyPatch, clock: ManualClock, milliseconds: int) -> None:
    """Every wait for the turn to write takes so long from now on."""
    enter = Turnstile.enter

    def slowly(turn: Turnstile) -> None:
        enter(turn)
        clock.advance(milliseconds)

    monkeypatch.setattr(Turnstile, "enter", slowly)


def test_a_claim_that_waited_for_its_turn_has_its_whole_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    store = open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)
    _two_agents(store)
    _planned(store)
    before = clock.now()
    _waits(monkeypatch, clock, 5000)
    claim = _claimed(store, ADA)
    assert claim.attempt.claimed_at == before + 5000
    assert claim.attempt.lease_until == before + 5000 + LEASE_MS
    renewed = store.work.renew(ADA, claim.token)
    assert renewed.attempt.lease_until == before + 10_000 + LEASE_MS
    store.close()


def test_a_lease_that_runs_out_while_its_holder_waits_for_its_turn_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    store = open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)
    _two_agents(store)
    _planned(store)
    claim = _claimed(store, ADA)
    _waits(monkeypatch, clock, LEASE_MS)
    with pytest.raises(ClaimLost):
        store.work.complete(ADA, claim.token)
    again = _claimed(store, BOB)
    assert again.attempt.number == 2
    (lost,) = again.earlier
    assert lost.lease_until <= again.attempt.claimed_at
    store.close()


def test_looking_at_work_needs_no_turn_even_when_a_claim_ran_out(store: Store, url: str) -> None:
    (step,) = _planned(store)
    _claimed(store, ADA)
    late = open_store(url, busy_timeout_ms=300, clock=ManualClock(SystemClock().now() + 2 * LEASE_MS))
    with child(WRITER, url.removeprefix("sqlite://")) as writer:
        assert writer.line() == "holds"
        writer.stop()
        assert late.work.project("p").counts.claimed == 1
        assert late.work.step(step)[0].status == "claimed"
        assert [stale.expired for stale in late.work.stale(idle_ms=0)] == [True]
        with pytest.raises(BusBusy):
            late.work.claim(BOB)
        writer.signal(signal.SIGKILL)
        writer.wait()
    assert late.work.project("p").counts.not_started == 1
    assert late.check() == []
    late.close()


def test_a_claim_that_finds_nothing_needs_no_turn(store: Store, url: str) -> None:
    drafts = (StepDraft("a", paths=("src/**",)), StepDraft("b", paths=("src/x",)), StepDraft("c", scope="db"))
    store.work.create_project(BOB, ProjectDraft("p", steps=drafts))
    _claimed(store, ADA)
    rests = store.work.claim(ADA, Wanted(step="p/3"))
    assert isinstance(rests, Claim)
    store.work.release(ADA, rests.token, delay_ms=HOUR_MS)
    wishes = {"any": Wanted(), "step": Wanted(step="p/2"), "scope": Wanted(scope="db")}
    with child(WRITER, url.removeprefix("sqlite://")) as writer:
        assert writer.line() == "holds"
        writer.stop()
        found = {name: store.work.claim(BOB, wish) for name, wish in wishes.items()}
        found["keyed"] = store.work.claim(BOB, key="k")
        writer.signal(signal.SIGKILL)
        writer.wait()
    reasons = {name: each.reason for name, each in found.items() if isinstance(each, Nothing)}
    assert reasons == {"any": "held", "step": "held", "scope": "delayed", "keyed": "held"}


def test_who_is_in_the_way_is_told_while_the_bus_is_busy(tmp_path: Path) -> None:
    url = f"{tmp_path}/bus.db"
    store, other = SqliteStore(url, busy_timeout_ms=50), SqliteStore(url)
    host, boot, _, started = this_process().split("/")
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    session = NewSession("s-1", process=f"{host}/{boot}/{ended.pid}/{started}")
    store.agents.register(Profile("ada"), session)
    store.agents.register(Profile("bob"))
    store.work.create_project(BOB, ProjectDraft("p", steps=(StepDraft("a"),)))
    store.work.claim(Actor("ada", "s-1"))
    with Bus(store) as bus:
        with other._core.write():
            (blocker,) = bus.work.explain("p/1")
            assert blocker.holder is not None
            assert blocker.holder.offline_since is None
            assert isinstance(bus.work.claim(BOB), Nothing)
        (blocker,) = bus.work.explain("p/1")
        assert blocker.holder is not None
        assert blocker.holder.offline_since is not None
    other.close()
