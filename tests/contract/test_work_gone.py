"""Claims whose holder is gone: nobody waits for them longer than they must, and who lost them is told."""

from __future__ import annotations

from hubbub.model import BEAT_INTERVAL_MS, SESSION_TTL_MS, Actor
from hubbub.model_work import CLAIM_MS, LOST_SHOWN_MS, ORPHAN_MS
from tests.contract.working import claimed, did, draft, failed, nothing, planned, ready, step_of
from tests.contract.world import World

HOUR = 3_600_000


def test_who_waits_is_told_since_when_the_holder_is_gone(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, draft("a", paths=("src/**",)), draft("b", 1), draft("c", paths=("src/c.py",)))
    live = claimed(world, bob)
    found = nothing(world, ada, step="p/2").holders
    assert [(one.name, one.agent, one.offline_since) for one in found] == [("p/1", "bob", None)]
    began = world.store.now()
    world.clock.advance(SESSION_TTL_MS)
    for wanted in ({}, {"step": "p/1"}, {"step": "p/2"}, {"step": "p/3"}, {"project": "p"}):
        (holder,) = nothing(world, ada, **wanted).holders
        assert (holder.step, holder.offline_since) == (live.step.id, began + SESSION_TTL_MS)
        assert holder.lease_until == world.store.now() + ORPHAN_MS
    for step, kind in (("p/1", "claimed"), ("p/2", "need"), ("p/3", "path")):
        (blocker,) = world.work.explain(step)
        assert (blocker.kind, blocker.holder) == (kind, holder)


def test_the_claims_of_a_session_that_died_are_soon_to_be_had(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    world.clock.advance(SESSION_TTL_MS)
    # Whoever looks for work notices; nobody has to keep house.
    assert nothing(world, ada).retry_at == world.store.now() + ORPHAN_MS
    assert [one.event for one in world.events("session_expired")] == ["session_expired"]
    world.clock.advance(ORPHAN_MS - 1)
    assert nothing(world, ada).reason == "all_in_flight"
    world.clock.advance(1)
    taken = claimed(world, ada)
    assert (taken.step.id, taken.earlier[0].state) == (live.step.id, "lost")


def test_a_session_that_was_only_held_up_goes_on(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    claimed(world, bob)
    world.clock.advance(CLAIM_MS - 1)  # as a computer that slept
    assert nothing(world, ada).reason == "all_in_flight"
    assert bob.session is not None
    world.agents.beat(bob.session)
    assert step_of(world, 1).lease_until == world.store.now() + CLAIM_MS
    world.clock.advance(BEAT_INTERVAL_MS)
    assert nothing(world, ada).holders[0].offline_since is None


def test_the_agents_next_session_goes_on_with_it(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    world.clock.advance(SESSION_TTL_MS)
    assert nothing(world, ada).holders[0].offline_since is not None
    bob = world.seat("bob")
    assert [one.token for one in world.work.mine(bob)] == [live.token]
    assert step_of(world, 1).lease_until == world.store.now() + CLAIM_MS
    (holder,) = nothing(world, ada).holders
    assert (holder.offline_since, world.work.lost(bob)) == (None, ())


def test_a_claim_that_no_session_ever_held_is_not_cut_short(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    claimed(world, bob)
    until = world.store.now() + CLAIM_MS
    world.clock.advance(SESSION_TTL_MS + ORPHAN_MS)
    (holder,) = nothing(world, ada).holders
    assert (holder.lease_until, holder.offline_since) == (until, None)


def test_a_session_that_ended_in_order_keeps_its_lease_for_the_next(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    claimed(world, bob)
    assert bob.session is not None
    ended = world.store.now()
    world.agents.end_session(bob.session, "closed")
    world.clock.advance(ORPHAN_MS + SESSION_TTL_MS)
    (holder,) = nothing(world, ada).holders
    assert (holder.lease_until, holder.offline_since) == (ended + CLAIM_MS, ended)


def test_the_claims_of_a_session_whose_process_is_gone_are_soon_to_be_had(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    assert bob.session is not None
    ended = world.store.now()
    world.agents.end_session(bob.session, "its process ended", gone=True)
    found = nothing(world, ada)
    assert (found.holders[0].offline_since, found.retry_at) == (ended, ended + ORPHAN_MS)
    # Whoever is the agent next goes on with it.
    world.clock.advance(ORPHAN_MS - 1)
    bob = world.seat("bob")
    assert [one.token for one in world.work.mine(bob)] == [live.token]
    assert bob.session is not None
    assert step_of(world, 1).lease_until == world.store.now() + CLAIM_MS


def test_the_claims_of_a_session_that_the_operator_ends_are_soon_to_be_had(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    claimed(world, bob)
    world.agents.release_name("bob", "it hangs")
    assert nothing(world, ada).retry_at == world.store.now() + ORPHAN_MS
    world.clock.advance(ORPHAN_MS)
    assert claimed(world, ada).step.num == 1


def test_a_session_that_was_taken_over_leaves_its_claims_to_the_one_that_did(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    until = world.store.now() + CLAIM_MS
    bob = world.seat("bob", take_over=True)
    (holder,) = nothing(world, ada).holders
    assert (holder.lease_until, holder.offline_since) == (until, None)
    assert [one.token for one in world.work.mine(bob)] == [live.token]


def test_who_comes_back_is_told_what_it_lost(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a", "b", "c", "d")
    claims = [claimed(world, bob) for _ in range(3)]
    world.work.release(bob, claims[2].token)
    world.clock.advance(HOUR)
    assert claimed(world, ada).step.num == 1
    bob = world.seat("bob")
    assert world.work.mine(bob) == ()
    lost = world.work.lost(bob)
    assert {(one.step.num, one.step.agent, one.attempt.state) for one in lost} == {
        (1, "ada", "lost"),
        (2, None, "lost"),
    }
    assert all(one.attempt.agent == "bob" for one in lost)
    assert world.work.lost(ada) == ()
    # What it has again, it has not lost.
    claimed(world, bob, step="p/2")
    assert [one.step.num for one in world.work.lost(bob)] == [1]
    world.clock.advance(LOST_SHOWN_MS)
    world.work.mine(bob)
    assert [one.step.num for one in world.work.lost(bob)] == [2]  # it ran out as this was asked


def test_a_loss_that_nobody_looked_at_is_told_at_once(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    claimed(world, bob)
    world.clock.advance(CLAIM_MS)
    assert [one.step.num for one in world.work.lost(Actor("bob"))] == [1]


def test_a_loss_is_told_in_one_session(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a", "b")
    claimed(world, bob)
    world.clock.advance(CLAIM_MS)
    first = world.seat("bob")
    losses = world.work.lost(first)
    assert [one.step.num for one in losses] == [1]
    world.work.lost_told(ada, losses)  # it is none of hers
    world.work.lost_told(first, losses)
    assert world.work.lost(first) == losses  # an answer may get lost
    claimed(world, first, step="p/2")
    world.clock.advance(CLAIM_MS)
    second = world.seat("bob")
    assert [one.step.num for one in world.work.lost(second)] == [2]
    assert world.work.lost(Actor("bob")) == world.work.lost(second)
    world.work.lost_told(Actor("bob"), world.work.lost(second))
    assert world.work.lost(second) == world.work.lost(Actor("bob")) == ()
    # Losing it once more is another loss.
    claimed(world, second, step="p/1")
    world.clock.advance(CLAIM_MS)
    third = world.seat("bob")
    assert [(one.step.num, one.attempt.number) for one in world.work.lost(third)] == [(1, 2)]


# --- what was said when it was brought back -----------------------------------------------------------


def test_the_note_of_a_retry_is_with_the_claim(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    assert claimed(world, bob, step="p/2").note == ""
    failed(world, bob, "p/1")
    world.work.retry(ada, "p/1", note="use the other compiler")
    live = claimed(world, bob)
    assert live.note == "use the other compiler"
    assert world.work.renew(bob, live.token).note == live.note
    assert [one.note for one in world.work.mine(bob)] == ["", live.note]
    world.work.fail(bob, live.token, "no", final=True)
    world.work.retry(ada, "p/1", note="and another")
    assert claimed(world, bob, step="p/1").note == "and another"
    world.work.cancel_step(ada, "p/1")
    world.work.retry(ada, "p/1")
    assert claimed(world, bob, step="p/1").note == ""


def test_a_step_that_was_cancelled_before_anybody_had_it_has_its_note(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    world.work.cancel_step(ada, "p/1")
    world.work.retry(ada, "p/1", note="we need it after all")
    assert claimed(world, ada, step="p/1").note == "we need it after all"
    did(world, ada, "p/2")
    assert ready(world) == []
