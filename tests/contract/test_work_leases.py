"""Leases: renewed by the session's beat, adopted by a new session, run out, and taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hubbub.errors import HubbubError
from hubbub.errors_work import ClaimChanged, ClaimLive, ClaimLost
from hubbub.model import BEAT_INTERVAL_MS, SESSION_TTL_MS, Actor, NewSession, Profile
from hubbub.model_work import CLAIM_MS, LEASE_MIN_MS, TIME_LIMIT_MS, Claim
from hubbub.stores import open_store
from tests.contract.working import claimed, did, draft, planned, statuses, step_of
from tests.contract.world import World


def _until(world: World, num: int = 1) -> int | None:
    return step_of(world, num).lease_until


# --- renewed ---------------------------------------------------------------------------------------


def test_a_renewal_makes_the_lease_as_long_again(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada, lease_ms=1000)
    world.clock.advance(600)
    renewed = world.work.renew(ada, live.token)
    assert renewed.attempt == live.attempt._replace(lease_until=world.store.now() + 1000)
    assert renewed.token == live.token
    assert _until(world) == world.store.now() + 1000
    assert world.work.start(ada, live.token).attempt.lease_until == world.store.now() + 1000


def test_a_renewal_never_shortens_a_lease(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.clock.advance(-60_000)
    assert world.work.renew(ada, live.token).attempt.lease_until == live.attempt.lease_until


def test_notes_are_kept_for_a_successor(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    assert world.work.renew(ada, live.token, notes="one").attempt.notes == "one"
    assert world.work.renew(ada, live.token).attempt.notes == "one"
    assert world.work.renew(ada, live.token, notes="two").attempt.notes == "two"
    assert step_of(world, 1).notes == "two"


def test_starting_again_changes_only_what_is_given(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(branch="b0"))
    live = claimed(world, ada)
    world.clock.advance(5)
    begun = world.work.start(ada, live.token, worktree="/w")
    assert (begun.step.status, begun.attempt.started_at) == ("in_progress", world.store.now())
    assert (begun.attempt.branch, begun.attempt.worktree) == ("b0", "/w")
    world.clock.advance(5)
    again = world.work.start(ada, live.token, branch="b1")
    assert (again.attempt.branch, again.attempt.worktree) == ("b1", "/w")
    assert again.attempt.started_at == begun.attempt.started_at
    assert len(world.events("step_started")) == 1


def test_a_beat_renews_all_live_claims_of_its_session(world: World) -> None:
    ada = world.seat("ada")
    bob = world.seat("bob")
    planned(world, ada, "a", "b", "c")
    for actor, lease in ((ada, 50_000), (ada, 90_000), (bob, 50_000)):
        claimed(world, actor, lease_ms=lease)
    start = world.store.now()
    world.clock.advance(40_000)
    world.agents.beat(ada.session or "")
    assert [_until(world, num) for num in (1, 2, 3)] == [start + 90_000, start + 130_000, start + 50_000]


def test_beats_carry_a_claim_as_far_as_its_time_limit(world: World) -> None:
    ada = world.seat("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    limit = live.attempt.claimed_at + TIME_LIMIT_MS
    while world.store.now() < limit - 1:
        world.clock.advance(min(15_000, limit - 1 - world.store.now()))
        world.agents.beat(ada.session or "")
    assert (step_of(world, 1).status, _until(world)) == ("claimed", limit)
    world.clock.advance(1)
    world.agents.beat(ada.session or "")
    assert step_of(world, 1).status == "not_started"
    (attempt,) = world.work.step("p/1")[1]
    assert (attempt.state, attempt.failure) == ("lost", "timeout")
    assert "time limit" in (attempt.reason or "")


def test_a_beat_does_not_bring_back_a_claim_that_ran_out(world: World) -> None:
    ada = world.seat("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.clock.advance(CLAIM_MS)
    world.agents.beat(ada.session or "")
    assert step_of(world, 1).status == "not_started"
    with pytest.raises(ClaimLost):
        world.work.renew(ada, live.token)


def test_what_a_short_command_claims_is_renewed_by_the_session_beside_it(world: World) -> None:
    seat = world.seat("ada")
    planned(world, seat, "a")
    live = claimed(world, Actor("ada"), lease_ms=40_000)
    assert live.attempt.session == seat.session
    world.clock.advance(15_000)
    world.agents.beat(seat.session or "")
    assert _until(world) == world.store.now() + 40_000


def test_a_lease_that_beats_renew_lasts_from_one_beat_to_the_next(world: World) -> None:
    seat, bob = world.seat("ada"), world.agent("bob")
    planned(world, seat, "a", "b", "c")
    for actor, lease in ((seat, LEASE_MIN_MS), (Actor("ada"), LEASE_MIN_MS), (bob, 1000)):
        live = claimed(world, actor, lease_ms=1000)
        assert live.attempt.lease_until == world.store.now() + lease
    world.clock.advance(BEAT_INTERVAL_MS)
    world.agents.beat(seat.session or "")
    world.clock.advance(LEASE_MIN_MS - 1)
    assert [one.step.num for one in world.work.mine(Actor("ada"))] == [1, 2]


# --- whose it is -----------------------------------------------------------------------------------


def test_mine_are_the_live_claims_of_the_agent(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, *"abcd")
    done, kept, short = claimed(world, ada), claimed(world, ada), claimed(world, ada, lease_ms=10)
    claimed(world, bob)
    world.work.complete(ada, done.token)
    assert world.work.mine(ada) == (kept._replace(project=world.work.project("p")), world.work.mine(ada)[1])
    assert [live.token for live in world.work.mine(ada)] == [kept.token, short.token]
    world.clock.advance(10)
    assert [live.token for live in world.work.mine(ada)] == [kept.token]


def test_a_new_session_goes_on_with_the_claims_of_the_old(world: World) -> None:
    old = world.seat("ada")
    planned(world, old, "a", "b")
    for lease in (100_000, 50_000):
        claimed(world, old, lease_ms=lease)
    start = world.store.now()
    world.clock.advance(30_000)
    new = world.seat("ada", take_over=True)
    adopted = world.work.mine(new)
    now = world.store.now()
    assert [(live.attempt.session, live.attempt.lease_until) for live in adopted] == [
        (new.session, now + 100_000),
        (new.session, now + 50_000),
    ]
    assert [event.step for event in world.events("claim_adopted")] == [live.step.id for live in adopted]
    # Looking again is no adoption, and no renewal.
    world.clock.advance(10_000)
    assert world.work.mine(new) == adopted
    assert len(world.events("claim_adopted")) == 2
    world.agents.beat(new.session or "")
    assert _until(world) == start + 40_000 + 100_000


def test_renewals_of_an_old_session_do_not_reach_an_adopted_claim(world: World) -> None:
    old = world.seat("ada")
    planned(world, old, "a")
    live = claimed(world, old)
    world.clock.advance(SESSION_TTL_MS)
    new = world.seat("ada")
    world.work.mine(new)
    until = _until(world)
    world.clock.advance(10_000)
    with pytest.raises(HubbubError):
        world.agents.beat(old.session or "")
    assert _until(world) == until
    with pytest.raises(HubbubError):
        world.work.renew(old, live.token)
    assert _until(world) == until


def test_a_look_without_a_session_leaves_a_claim_with_its_session(world: World) -> None:
    seat = world.seat("ada")
    planned(world, seat, "a")
    claimed(world, seat)
    (live,) = world.work.mine(Actor("ada"))
    assert live.attempt.session == seat.session
    assert world.events("claim_adopted") == []


def test_a_session_that_ends_leaves_its_claims_until_their_leases_run_out(world: World) -> None:
    seat = world.seat("ada")
    planned(world, seat, "a")
    live = claimed(world, seat)
    world.agents.end_session(seat.session or "", "left")
    assert step_of(world, 1).status == "claimed"
    again = world.seat("ada")
    assert [one.token for one in world.work.mine(again)] == [live.token]
    world.clock.advance(CLAIM_MS)
    assert world.work.mine(again) == ()


def test_an_agent_that_leaves_the_bus_gives_back_what_it_holds(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, draft("a", max_attempts=1), "b")
    live = claimed(world, bob)
    claimed(world, ada)
    world.work.reserve(bob, ("x/**",), ttl_ms=CLAIM_MS)
    world.agents.unregister("bob")
    assert statuses(world) == ["not_started", "claimed"]
    (attempt,) = world.work.step("p/1")[1]
    assert (attempt.agent, attempt.state) == ("bob", "released")
    assert world.work.reservations() == ()
    world.work.reserve(ada, ("x/y",), ttl_ms=1)
    assert claimed(world, ada).step.num == 1
    back = world.seat("bob")
    assert world.work.mine(back) == ()
    with pytest.raises(ClaimLost, match="released"):
        world.work.renew(back, live.token)


TAKES_PART: dict[str, Callable[[World, Actor], object]] = {
    "claim": lambda world, actor: world.work.claim(actor),
    "project": lambda world, actor: planned(world, actor, name="q"),
    "reserve": lambda world, actor: world.work.reserve(actor, ("x",), ttl_ms=10 * SESSION_TTL_MS),
    "look": lambda world, actor: world.work.mine(actor),
}


@pytest.mark.parametrize("what", TAKES_PART)
def test_a_made_up_name_that_takes_part_is_kept(world: World, what: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    made = world.agents.register(Profile("made-up", ephemeral=True), NewSession("s-made-up"))
    assert made.agent.session is not None
    TAKES_PART[what](world, Actor("made-up", "s-made-up"))
    world.agents.end_session("s-made-up", "left")
    kept = "made-up" in {agent.name for agent in world.agents.all()}
    assert kept is (what != "look")
    assert len(world.work.reservations()) == (what == "reserve")


# --- run out ---------------------------------------------------------------------------------------

LOOKS = {
    "claim": lambda world, ada: world.work.claim(ada, lease_ms=CLAIM_MS),
    "step": lambda world, ada: world.work.step("p/1"),
    "steps": lambda world, ada: world.work.steps("p"),
    "project": lambda world, ada: world.work.project("p"),
    "projects": lambda world, ada: world.work.projects(),
    "explain": lambda world, ada: world.work.explain("p/1"),
    "metrics": lambda world, ada: world.work.metrics(),
    "mine": lambda world, ada: world.work.mine(ada),
    "edit": lambda world, ada: world.work.edit_step(ada, "p/2", {"title": "x"}),
    "reserve": lambda world, ada: world.work.reserve(ada, ("y",), ttl_ms=1),
    "sweep": lambda world, ada: world.store.sweep("h"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_whatever_looks_next_ends_a_claim_that_ran_out(world: World, look: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    claimed(world, bob)
    claimed(world, ada, lease_ms=2 * CLAIM_MS)
    world.clock.advance(CLAIM_MS - 1)
    world.store.sweep("h")
    LOOKS["project"](world, ada)
    assert world.events("claim_expired") == []
    world.clock.advance(1)
    LOOKS[look](world, ada)
    (event,) = world.events("claim_expired")
    assert (event.actor, event.step, event.attempt) == ("bob", step_of(world, 1).id, 1)
    attempt = world.work.step("p/1")[1][-1]
    assert (attempt.agent, attempt.state, attempt.reason) == ("bob", "lost", "its lease ran out")


def test_an_expired_claim_is_had_by_the_claim_itself(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    claimed(world, bob)
    world.clock.advance(CLAIM_MS)
    live = claimed(world, ada)
    assert (live.attempt.number, live.earlier[0].agent) == (2, "bob")


def test_a_clock_that_is_set_back_loses_no_claim(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.clock.advance(-3_600_000)
    assert world.work.renew(ada, live.token).attempt.lease_until == live.attempt.lease_until
    assert world.work.complete(ada, live.token).status == "completed"


# --- recovered -------------------------------------------------------------------------------------


def _seen(live: Claim) -> dict[str, int]:
    return {"attempt": live.attempt.number, "lease_until": live.attempt.lease_until}


def test_a_step_is_taken_back_from_a_claim_that_ran_out(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    world.clock.advance(CLAIM_MS)
    step = world.work.recover(ada, "p/1", **_seen(live))
    assert (step.status, step.agent) == ("not_started", None)
    (event,) = world.events("claim_recovered")
    assert (event.actor, event.step, event.attempt) == ("ada", step.id, 1)
    assert event.detail is not None
    assert event.detail["agent"] == "bob"
    # The next one has it at once: a loss calls for no rest.
    assert claimed(world, ada).attempt.number == 2


def test_nobody_needs_to_be_the_one_who_recovers(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.clock.advance(CLAIM_MS)
    assert world.work.recover(None, "p/1", **_seen(live)).status == "not_started"


def test_a_claim_that_is_live_is_not_taken_back(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    world.clock.advance(CLAIM_MS - 1)
    with pytest.raises(ClaimLive, match="bob"):
        world.work.recover(ada, "p/1", **_seen(live))
    assert world.work.renew(bob, live.token).step.status == "claimed"


@pytest.mark.parametrize("what", ["renewed", "ended", "taken", "done", "recovered"])
def test_a_claim_that_is_not_what_was_seen_is_not_taken_back(world: World, what: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    world.clock.advance(CLAIM_MS - 1)
    if what == "renewed":
        world.work.renew(bob, live.token)
    if what == "done":
        world.work.complete(bob, live.token)
    world.clock.advance(1)
    if what == "ended":
        world.work.project("p")
    if what == "taken":
        claimed(world, ada)
    if what == "recovered":
        world.work.recover(ada, "p/1", **_seen(live))
    before, step = world.last_seq(), step_of(world, 1)
    with pytest.raises(ClaimChanged):
        world.work.recover(ada, "p/1", **_seen(live))
    assert (world.last_seq(), step_of(world, 1)) == (before, step)


def test_of_several_who_recover_at_once_one_wins(world: World) -> None:
    actors = world.agents_named("ada", "bob", "cy", "dee")
    planned(world, actors[0], *["x"] * 10)
    claims = [claimed(world, actors[0], lease_ms=1000) for _ in range(10)]
    world.clock.advance(1000)
    won: list[str] = []
    start = threading.Barrier(len(actors))

    def sweep(actor: Actor) -> None:
        store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
        try:
            start.wait()
            for live in claims:
                try:
                    won.append(store.work.recover(actor, live.step.id, **_seen(live)).id)
                except ClaimChanged:
                    continue
        finally:
            store.close()

    threads = [threading.Thread(target=sweep, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(won) == sorted(live.step.id for live in claims)
    assert len(world.events("claim_recovered")) == 10


def test_stale_claims_are_shown_before_they_are_over(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, *"abc")
    first = claimed(world, ada, lease_ms=2000)
    world.clock.advance(500)
    second = claimed(world, bob, lease_ms=100)
    done = claimed(world, ada)
    world.work.complete(ada, done.token)
    assert world.work.stale(idle_ms=501) == ()
    world.clock.advance(100)
    found = world.work.stale(idle_ms=600)
    assert [(one.step.num, one.attempt.agent, one.idle_ms, one.expired) for one in found] == [
        (1, "ada", 600, False),
        (2, "bob", 100, True),
    ]
    assert found[1].attempt == second.attempt
    # A look alone ends nothing: what was seen can be recovered.
    assert world.work.recover(ada, found[1].step.id, attempt=1, lease_until=second.attempt.lease_until)
    world.work.renew(ada, first.token)
    assert world.work.stale(idle_ms=1) == ()
    assert [one.step.num for one in world.work.stale(idle_ms=0)] == [1]
    assert world.work.stale(idle_ms=0, limit=1)[0].step.num == 1


def test_a_step_may_be_done_by_whoever_is_left(world: World) -> None:
    ada = world.agent("ada")
    lost = world.seat("bob")
    planned(world, ada, "a", draft("b", 1))
    claimed(world, lost)
    world.clock.advance(CLAIM_MS)
    world.store.sweep("h")
    did(world, ada)
    did(world, ada)
    assert world.work.project("p").state == "completed"


def test_a_time_limit_that_is_changed_bounds_the_claim_that_lives(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("a", time_limit_ms=10 * CLAIM_MS, max_attempts=9), "b")
    live = claimed(world, bob)
    began = world.store.now()
    world.clock.advance(1000)
    world.work.edit_step(ada, "p/1", {"time_limit_ms": CLAIM_MS // 2})
    assert _until(world) == began + CLAIM_MS // 2
    world.work.renew(bob, live.token)
    assert _until(world) == began + CLAIM_MS // 2
    # Longer is possible, too.
    world.work.edit_step(ada, "p/1", {"time_limit_ms": 3 * CLAIM_MS})
    world.clock.advance(1000)
    attempt = world.work.renew(bob, live.token).attempt
    assert (attempt.limit_until, attempt.lease_until) == (began + 3 * CLAIM_MS, began + 2000 + CLAIM_MS)
    # And what is past already is over at once, as any time limit.
    step = world.work.edit_step(ada, "p/1", {"time_limit_ms": 2000})
    assert step.status == "not_started"
    attempt = world.work.step("p/1")[1][0]
    assert (attempt.state, attempt.failure) == ("lost", "timeout")
    with pytest.raises(ClaimLost):
        world.work.renew(bob, live.token)
