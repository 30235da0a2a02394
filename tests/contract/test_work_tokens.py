"""The token fences a claim: who has lost it changes nothing, and learns when and to whom it was lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.clock import to_iso
from hubbub.errors import HubbubError, SessionSuperseded
from hubbub.errors_work import ClaimLost, ClaimNotFound
from hubbub.model import Actor
from hubbub.model_work import CLAIM_MS, TIME_LIMIT_MS, Claim
from tests.contract.working import claimed, planned, statuses, step_of
from tests.contract.world import World

WRITES: dict[str, Callable[[World, Actor, str], object]] = {
    "start": lambda world, actor, token: world.work.start(actor, token, branch="mine"),
    "renew": lambda world, actor, token: world.work.renew(actor, token, notes="mine"),
    "complete": lambda world, actor, token: world.work.complete(actor, token, commit="mine"),
    "fail": lambda world, actor, token: world.work.fail(actor, token, "mine"),
    "release": lambda world, actor, token: world.work.release(actor, token, notes="mine"),
}
write = pytest.mark.parametrize("write", WRITES)

# How a claim is lost, and the word for it. Each leaves the step to be had at once, unless it can't be.
ENDS: dict[str, tuple[Callable[[World, Actor, Claim], object], str]] = {
    "runs out": (lambda world, actor, live: world.clock.advance(CLAIM_MS), "ran out"),
    "recovered": (lambda world, actor, live: _recover(world, actor, live), "ran out"),
    "cancelled": (lambda world, actor, live: world.work.cancel_step(actor, live.step.id), "was cancelled"),
    "released": (lambda world, actor, live: world.work.release(actor, live.token), "was released"),
    "failed": (
        lambda world, actor, live: world.work.fail(actor, live.token, "broken", delay_ms=0),
        "was ended as failed",
    ),
    "completed": (lambda world, actor, live: world.work.complete(actor, live.token), "was completed"),
}


def _recover(world: World, actor: Actor, live: Claim) -> None:
    world.clock.advance(CLAIM_MS)
    attempt = live.attempt
    world.work.recover(actor, live.step.id, attempt=attempt.number, lease_until=attempt.lease_until)


def _refused(
    world: World, actor: Actor, token: str, name: str, error: type[HubbubError] = ClaimLost
) -> HubbubError:
    """The error of a write, which must change nothing."""
    seen = world.work.steps(), world.work.mine(actor)  # a look ends what ran out
    before = world.last_seq(), *seen
    with pytest.raises(error) as caught:
        WRITES[name](world, actor, token)
    assert (world.last_seq(), world.work.steps(), world.work.mine(actor)) == before
    assert "Stop" in caught.value.hint or "mine" in caught.value.hint
    return caught.value


@write
def test_an_unknown_token(world: World, write: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    for token in ("nonsense", "", live.token[:-1], live.token + "0", live.token.upper()):
        error = _refused(world, ada, token, write, ClaimNotFound)
        assert error.exit_status == 5
        assert "Check it for typos." in error.hint


@write
def test_another_agents_token(world: World, write: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    error = _refused(world, ada, live.token, write)
    assert "bob" in error.message
    assert error.details["holder"] == "bob"
    WRITES[write](world, bob, live.token)


# Completing again is the same answer.
PAIRS = [(end, write) for end in ENDS for write in WRITES if (end, write) != ("completed", "complete")]


@pytest.mark.parametrize(("end", "write"), PAIRS)
def test_a_token_whose_claim_is_over_says_when(world: World, end: str, write: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    live = claimed(world, ada)
    world.clock.advance(11)
    act, word = ENDS[end]
    act(world, ada, live)
    ended = live.attempt.lease_until if "ran" in word else world.store.now()
    # However late it comes.
    world.clock.advance(12_345)
    error = _refused(world, ada, live.token, write)
    assert word in error.message
    assert to_iso(ended) in error.message
    assert "step 1 of p" in error.message
    assert (error.details["attempt"], error.details["ended_at"]) == (1, to_iso(ended))
    assert "holder" not in error.details


@write
@pytest.mark.parametrize("end", ["runs out", "recovered", "released", "failed"])
def test_a_token_whose_step_went_to_another_says_to_whom(world: World, end: str, write: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, ada)
    ENDS[end][0](world, ada, live)
    world.clock.advance(5)
    taken = claimed(world, bob)
    error = _refused(world, ada, live.token, write)
    assert error.details["holder"] == "bob"
    assert "bob" in error.message
    assert to_iso(world.store.now()) in error.message
    assert "attempt 2" in error.message
    # The new holder's claim is as it was, and good.
    assert world.work.renew(bob, taken.token).attempt.notes is None
    assert world.work.complete(bob, taken.token, commit="bobs").commit == "bobs"
    error = _refused(world, ada, live.token, write)
    assert error.details["holder"] == "bob"


def test_the_token_of_an_earlier_claim_of_ones_own(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    first = claimed(world, ada)
    world.clock.advance(CLAIM_MS)
    second = claimed(world, ada)
    for name in WRITES:
        assert _refused(world, ada, first.token, name).details["holder"] == "ada"
    assert world.work.complete(ada, second.token).status == "completed"


@write
def test_a_claim_is_good_until_its_lease_runs_out_and_not_a_moment_longer(world: World, write: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    first, second = claimed(world, ada), claimed(world, ada)
    world.clock.advance(CLAIM_MS - 1)
    WRITES[write](world, ada, first.token)
    world.clock.advance(1)
    _refused(world, ada, second.token, write)


@write
def test_a_claim_is_not_good_beyond_its_time_limit_however_often_it_was_renewed(
    world: World, write: str
) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    while world.store.now() + CLAIM_MS < live.attempt.limit_until:
        world.clock.advance(CLAIM_MS - 1)
        assert (
            world.work.renew(ada, live.token).attempt.limit_until == live.attempt.claimed_at + TIME_LIMIT_MS
        )
    world.clock.advance(CLAIM_MS)
    error = _refused(world, ada, live.token, write)
    assert to_iso(live.attempt.limit_until) in error.message


@write
def test_a_fenced_session_changes_nothing_with_a_good_token(world: World, write: str) -> None:
    ada = world.agent("ada")
    old = world.seat("bob")
    planned(world, ada, "a")
    live = claimed(world, old)
    new = world.seat("bob", take_over=True)
    before = world.last_seq()
    with pytest.raises(SessionSuperseded):
        WRITES[write](world, old, live.token)
    assert world.last_seq() == before
    # The claim is the agent's: its new session may go on with it.
    WRITES[write](world, new, live.token)


def test_two_who_complete_with_one_token_at_once_complete_once(world: World) -> None:
    import threading

    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def finish(name: str) -> None:
        start.wait()
        try:
            WRITES[name](world, ada, live.token)
            outcomes.append(name)
        except HubbubError as error:
            outcomes.append(error.code)

    threads = [
        threading.Thread(target=finish, args=(name,)) for name in ("complete", "fail", "release", "fail")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes)[:3] == ["CLAIM_LOST"] * 3
    ended = [one.event for one in world.events("step_completed", "step_failed", "step_released")]
    assert ended == [
        {"complete": "step_completed", "fail": "step_failed", "release": "step_released"}[max(outcomes)]
    ]
    assert statuses(world) == ["completed" if max(outcomes) == "complete" else "not_started"]
    assert step_of(world, 1).attempts == 1
