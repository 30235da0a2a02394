"""Whether an agent has anything to lose or to keep clear of, before anything is loaded that tells what."""

from __future__ import annotations

from hubbub.model import Stakes
from tests.contract.working import claimed, draft, planned
from tests.contract.world import World

NOTHING = Stakes(False, False, False, False)


def both(world: World) -> tuple[Stakes, Stakes]:
    return world.agents.stakes("ada"), world.agents.stakes("bob")


def test_nothing_is_at_stake_at_first_or_for_a_name_that_nobody_has(world: World) -> None:
    world.agent("ada")
    assert both(world) == (NOTHING, NOTHING)


def test_a_step_is_held_until_it_is_done_and_its_files_are_kept(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(paths=("a",)), "2")
    live = claimed(world, bob)
    assert both(world) == (Stakes(False, False, False, True), Stakes(True, False, False, False))
    claimed(world, ada)  # which names no files
    assert both(world) == (Stakes(True, False, False, True), Stakes(True, False, False, False))
    world.work.complete(bob, live.token)
    assert both(world) == (Stakes(True, False, False, False), NOTHING)


def test_what_ran_out_is_not_at_stake(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(paths=("a",)))
    live = claimed(world, bob)
    world.work.reserve(bob, ("b",), ttl_ms=1000)
    assert world.agents.stakes("bob") == Stakes(True, True, False, False)
    world.clock.advance(1000)
    assert world.agents.stakes("bob") == Stakes(True, False, False, False)
    world.clock.advance(live.attempt.lease_until - world.store.now())
    assert both(world) == (NOTHING, NOTHING)


def test_files_are_kept_until_they_are_released(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000)
    assert both(world) == (Stakes(False, True, False, False), Stakes(False, False, False, True))
    world.work.release_reservation(ada, kept.id)
    assert both(world) == (NOTHING, NOTHING)


def test_an_answer_is_owed_until_it_is_given(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    asked = world.send(ada, "bob", kind="task")
    assert both(world) == (NOTHING, Stakes(False, False, True, False))
    world.send(bob, "ada", kind="result", in_reply_to=asked.id)
    assert both(world) == (NOTHING, NOTHING)
