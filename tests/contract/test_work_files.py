"""Files and resources: never held twice, by claims or by reservations."""

from __future__ import annotations

import pytest

from hubbub.errors import HubbubError, IdempotencyMismatch, NotRegistered
from hubbub.errors_work import PathHeld, ReservationNotFound
from hubbub.model import Actor
from hubbub.model_work import CLAIM_MS, Claim, Conflict
from tests.contract.working import claimed, draft, made, nothing, planned, ready, step_of
from tests.contract.world import World

HOUR = 3_600_000


# --- claims ----------------------------------------------------------------------------------------


def test_two_live_claims_never_overlap_in_paths(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(
        world,
        ada,
        draft("1", paths=("src/**", "doc.md")),
        draft("2", paths=("src/a/b.py",)),
        draft("3", paths=("*.md",)),
        draft("4", paths=("test/**",)),
        "5",
    )
    live = claimed(world, bob)
    assert ready(world) == [4, 5]
    # Not those of one agent either.
    assert [claimed(world, actor).step.num for actor in (bob, ada)] == [4, 5]
    assert nothing(world, bob).reason == "held"
    world.work.complete(bob, live.token)
    assert [claimed(world, ada).step.num for _ in "ab"] == [2, 3]


def test_paths_are_held_across_projects(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(paths=("a",)), name="p")
    planned(world, ada, draft(paths=("a",)), name="q")
    live = claimed(world, ada, project="q")
    assert nothing(world, ada, project="p").blocked_by == (live.step.id,)


@pytest.mark.parametrize("end", ["complete", "fail", "release", "cancel", "expire"])
def test_paths_and_resources_are_free_when_a_claim_is_over(world: World, end: str) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(paths=("a",), resources=("r",)), draft(paths=("a",)), draft(resources=("r",)))
    live = claimed(world, bob)
    assert nothing(world, ada).reason == "held"
    if end == "complete":
        world.work.complete(bob, live.token)
    elif end == "fail":
        world.work.fail(bob, live.token, "x")
    elif end == "release":
        world.work.release(bob, live.token, delay_ms=1000)
    elif end == "cancel":
        world.work.cancel_step(ada, "p/1")
    else:
        world.clock.advance(CLAIM_MS)
        assert claimed(world, bob, step="p/2").step.num == 2
        assert claimed(world, bob, step="p/3").step.num == 3
        return
    assert [claimed(world, ada).step.num for _ in "ab"] == [2, 3]


def test_a_resource_is_had_by_one_unless_more_are_allowed(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, *[draft(resources=("gpu", f"port {num}")) for num in range(4)])
    live = claimed(world, ada)
    assert nothing(world, bob).blocked_by == ("gpu",)
    world.work.limit_resource(ada, "gpu", 3)
    assert [claimed(world, bob).step.num for _ in "ab"] == [2, 3]
    assert nothing(world, ada).blocked_by == ("gpu",)
    # Fewer than have it: they go on, and the next one waits.
    world.work.limit_resource(ada, "gpu", 2)
    world.work.complete(ada, live.token)
    assert nothing(world, ada).reason == "held"
    world.work.limit_resource(ada, "gpu", 3)
    assert claimed(world, ada).step.num == 4


def test_a_step_that_is_held_back_lets_later_ones_by(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(paths=("a",)), draft(paths=("a",), priority=5), draft("free", priority=-5))
    assert [claimed(world, ada).step.num for _ in "ab"] == [2, 3]


def test_many_steps_that_want_the_same_file_go_one_by_one(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *[draft(paths=("a/*.py",)) for _ in range(300)], "free")
    live = claimed(world, ada)
    assert claimed(world, ada).step.title == "free"
    found = nothing(world, ada)
    assert (found.reason, found.counts.ready) == ("held", 299)
    world.work.complete(ada, live.token)
    assert claimed(world, ada).step.num == 2


# --- reservations ----------------------------------------------------------------------------------


def test_files_are_kept_for_a_while(world: World) -> None:
    ada = world.agent("ada")
    kept = world.work.reserve(ada, ("src/**", "a.md"), ttl_ms=HOUR, reason="refactoring")
    now = world.store.now()
    assert kept == (kept.id, "ada", ("src/**", "a.md"), "refactoring", now, now + HOUR)
    assert world.work.reservations() == (kept,)
    world.clock.advance(HOUR - 1)
    assert world.work.reservations(agent="ada") == (kept,)
    assert world.work.reservations(agent="bob") == ()
    world.clock.advance(1)
    assert world.work.reservations() == ()


def test_only_the_registered_reserve(world: World) -> None:
    with pytest.raises(NotRegistered):
        world.work.reserve(Actor("nobody"), ("a",), ttl_ms=1)
    assert world.work.reservations() == ()


def test_what_another_has_is_not_reserved_and_then_nothing_is(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.work.reserve(bob, ("src/*.py",), ttl_ms=HOUR, reason="mine")
    before = world.last_seq()
    with pytest.raises(PathHeld) as caught:
        world.work.reserve(ada, ("free.md", "src/a.*", "**"), ttl_ms=HOUR)
    assert "bob" in caught.value.message
    assert "mine" in caught.value.message
    assert caught.value.details["conflicts"] == [
        {"agent": "bob", "held": "src/*.py", "wanted": "src/a.*"},
        {"agent": "bob", "held": "src/*.py", "wanted": "**"},
    ]
    assert world.last_seq() == before
    assert world.work.reserve(ada, ("free.md", "src/a/b.py", "lib"), ttl_ms=HOUR).agent == "ada"


def test_ones_own_reservations_may_overlap(world: World) -> None:
    ada = world.agent("ada")
    first = world.work.reserve(ada, ("a/**",), ttl_ms=HOUR)
    second = world.work.reserve(ada, ("a/b",), ttl_ms=HOUR)
    assert world.work.reservations() == (first, second)


def test_a_reservation_of_another_keeps_a_step_and_ones_own_does_not(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(paths=("src/**",)))
    kept = world.work.reserve(bob, ("src/a.py",), ttl_ms=HOUR)
    assert nothing(world, ada).blocked_by == (kept.id,)
    live = claimed(world, bob)
    assert live.step.num == 1
    world.work.release(bob, live.token)
    world.work.release_reservation(bob, kept.id)
    assert claimed(world, ada).step.num == 1


def test_a_reservation_that_ran_out_keeps_nothing(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(paths=("a",)))
    world.work.reserve(bob, ("a",), ttl_ms=100)
    world.clock.advance(99)
    assert nothing(world, ada).reason == "held"
    with pytest.raises(PathHeld):
        world.work.reserve(ada, ("a",), ttl_ms=1)
    world.clock.advance(1)
    world.work.reserve(ada, ("a",), ttl_ms=1)
    assert claimed(world, ada).step.num == 1


def test_files_of_a_live_claim_are_reserved_by_its_holder_only(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("the step", paths=("src/**",)))
    live = claimed(world, bob)
    with pytest.raises(PathHeld, match="bob"):
        world.work.reserve(ada, ("src/a",), ttl_ms=HOUR)
    world.work.reserve(bob, ("src/a",), ttl_ms=1)
    world.clock.advance(1)
    world.work.complete(bob, live.token)
    assert world.work.reserve(ada, ("src/a",), ttl_ms=HOUR).globs == ("src/a",)


def test_a_reservation_is_renewed_by_its_agent_while_it_lives(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000)
    world.clock.advance(600)
    renewed = world.work.renew_reservation(ada, kept.id, ttl_ms=1000)
    assert renewed == kept._replace(until=world.store.now() + 1000)
    world.clock.advance(600)
    assert world.work.reservations() == (renewed,)
    mistyped = kept.id[:-1] + ("0" if kept.id[-1] != "0" else "1")
    for actor, id_ in ((bob, kept.id), (ada, mistyped), (ada, "nonsense"), (ada, "")):
        with pytest.raises(ReservationNotFound):
            world.work.renew_reservation(actor, id_, ttl_ms=1000)
        with pytest.raises(ReservationNotFound):
            world.work.release_reservation(actor, id_)
    world.clock.advance(400)
    with pytest.raises(ReservationNotFound):
        world.work.renew_reservation(ada, kept.id, ttl_ms=1000)
    with pytest.raises(ReservationNotFound):
        world.work.release_reservation(ada, kept.id)


def test_a_reservation_is_given_up_once(world: World) -> None:
    ada = world.agent("ada")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000)
    assert world.work.release_reservation(ada, kept.id) == kept
    assert world.work.reservations() == ()
    with pytest.raises(ReservationNotFound):
        world.work.release_reservation(ada, kept.id)


def test_files_are_reserved_once_under_a_key(world: World) -> None:
    ada = world.agent("ada")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000, key="k")
    assert world.work.reserve(ada, ("a",), ttl_ms=1000, key="k") == kept
    assert world.work.reservations() == (kept,)
    with pytest.raises(IdempotencyMismatch):
        world.work.reserve(ada, ("b",), ttl_ms=1000, key="k")
    world.work.release_reservation(ada, kept.id)
    with pytest.raises(ReservationNotFound):
        world.work.reserve(ada, ("a",), ttl_ms=1000, key="k")


def test_housekeeping_forgets_reservations_that_ran_out(world: World) -> None:
    ada = world.agent("ada")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000)
    later = world.work.reserve(ada, ("a",), ttl_ms=100_000)
    world.clock.advance(20_000)
    assert world.store.sweep("h").ran
    assert world.work.reservations() == (later,)
    with pytest.raises(ReservationNotFound):
        world.work.renew_reservation(ada, kept.id, ttl_ms=1)


def test_who_holds_files_that_one_asks_about(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("parse", paths=("src/p/**", "doc.md")))
    live = claimed(world, bob)
    kept = world.work.reserve(ada, ("src/x.py",), ttl_ms=HOUR, reason="mine")
    claim = Conflict("bob", "src/**", "src/p/**", live.step.id, live.attempt.lease_until, "step 1: parse")
    reservation = Conflict("ada", "src/**", "src/x.py", kept.id, kept.until, "mine")
    assert set(world.work.conflicts(("src/**", "free"))) == {claim, reservation}
    assert world.work.conflicts(("src/**",), but="bob") == (reservation,)
    assert world.work.conflicts(("src/**",), but="ada") == (claim,)
    assert world.work.conflicts(("free", "src/x.pyc")) == ()
    world.clock.advance(HOUR)
    assert world.work.conflicts(("**",)) == ()


# --- both ------------------------------------------------------------------------------------------


def test_what_is_ready_can_be_claimed_and_what_is_not_can_not(world: World) -> None:
    """Every mixture of paths: the list of ready steps, the claim and the conflicts agree."""
    ada, bob = world.agents_named("ada", "bob")
    globs = ("a/*", "a/b", "a/**", "b", "*", "{a/b,b}", "[!a]", "a/?")
    made(world, ada, *[draft(glob, paths=(glob,)) for glob in globs])
    for num, glob in enumerate(globs, 1):
        live = world.work.claim(bob, lease_ms=HOUR, key=f"k{num}")
        assert isinstance(live, Claim)
        for other, wanted in enumerate(globs, 1):
            if step_of(world, other).status != "not_started":
                continue
            free = not world.work.conflicts((wanted,))
            assert (other in ready(world)) is free, (glob, wanted)
            assert (not world.work.explain(f"p/{other}")) is free
            try:
                world.work.reserve(ada, (wanted,), ttl_ms=1)
                assert free
            except HubbubError:
                assert not free
            world.clock.advance(1)
        world.work.cancel_step(ada, live.step.id)
