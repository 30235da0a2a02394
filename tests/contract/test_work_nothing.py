"""Why there is nothing to claim: each reason, with counts, what stands in the way, and until when."""

from __future__ import annotations

import pytest

from hubbub.model_work import BACKOFF_MS, CLAIM_MS, REASONS, Counts, Need
from tests.contract.working import claimed, did, draft, failed, made, nothing, planned, step_of
from tests.contract.world import World


def test_no_such_project(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", name="website")
    found = nothing(world, ada, project="webiste")
    assert (found.reason, found.counts, found.blocked_by, found.retry_at) == (
        "no_such_project",
        Counts(),
        (),
        None,
    )
    assert "website" in found.says


def test_no_steps(world: World) -> None:
    ada = world.agent("ada")
    assert nothing(world, ada).reason == "no_steps"
    made(world, ada, name="empty")
    planned(world, ada, draft("a", scope="db"))
    assert nothing(world, ada, project="empty").reason == "no_steps"
    assert "empty" in nothing(world, ada, project="empty").says
    for wanted in ({"scope": "ui"}, {"scope": "ui", "project": "p"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.counts) == ("no_steps", Counts())
        assert "ui" in found.says


def test_all_done(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c")
    did(world, ada, "p/1")
    did(world, ada, "p/2")
    world.work.merge(ada, "p/2")
    world.work.cancel_step(ada, "p/3")
    for wanted in ({}, {"project": "p"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.counts) == ("all_done", Counts(completed=1, merged=1, cancelled=1))
        assert (found.blocked_by, found.retry_at) == ((), None)


def test_all_in_flight(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b", "c")
    did(world, ada)
    claimed(world, ada)
    world.clock.advance(9)
    claimed(world, bob, start=True)
    for wanted in ({}, {"project": "p"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.counts) == (
            "all_in_flight",
            Counts(claimed=1, in_progress=1, completed=1),
        )
        # The lease that runs out first.
        assert found.retry_at == world.store.now() - 9 + CLAIM_MS
    world.clock.advance(CLAIM_MS - 9)
    assert claimed(world, bob).step.num == 2


def test_when_a_claim_of_the_project_runs_out_not_one_of_another(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", name="other")
    claimed(world, ada, lease_ms=10)
    planned(world, ada, "a")
    claimed(world, ada, project="p")
    assert nothing(world, ada, project="p").retry_at == world.store.now() + CLAIM_MS
    assert nothing(world, ada).retry_at == world.store.now() + 10


def test_blocked_by_what_is_in_hand(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1), draft("c", 2, scope="ui"))
    claimed(world, ada)
    for wanted in ({}, {"project": "p"}, {"scope": "ui"}, {"scope": "ui", "project": "p"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.blocked_by) == ("blocked", (step_of(world, 1).id,))
        assert found.retry_at == world.store.now() + CLAIM_MS
    assert nothing(world, ada).counts == Counts(not_started=2, claimed=1)
    assert nothing(world, ada, scope="ui").counts == Counts(not_started=1)


def test_blocked_by_what_is_done_and_not_merged(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", Need(1, "merged")), "off")
    did(world, ada, "p/1")
    # Given up, but nobody waits for it.
    failed(world, ada, "p/3")
    found = nothing(world, ada)
    assert (found.reason, found.blocked_by) == ("blocked", (step_of(world, 1).id,))
    assert "completed" in found.says


def test_blocked_by_what_is_of_another_scope(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", scope="db"), draft("b", 1, scope="ui"))
    found = nothing(world, ada, scope="ui")
    assert (found.reason, found.blocked_by) == ("blocked", (step_of(world, 1).id,))


@pytest.mark.parametrize("how", ["failed", "parked", "cancelled"])
def test_blocked_by_what_was_given_up(world: World, how: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", max_attempts=1), draft("b", 1), draft("c", 2))
    if how == "cancelled":
        world.work.cancel_step(ada, "p/1")
    else:
        failed(world, ada, final=how == "failed")
    assert step_of(world, 1).status == how
    for wanted in ({}, {"project": "p"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.blocked_by) == ("blocked_by_failed", (step_of(world, 1).id,))
        assert "step 1 of p" in found.says
        assert how in found.says
        assert found.retry_at is None


def test_what_is_left_was_given_up(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada)
    failed(world, ada)
    found = nothing(world, ada)
    assert (found.reason, found.blocked_by) == ("blocked_by_failed", (step_of(world, 2).id,))
    assert found.counts == Counts(completed=1, failed=1)
    assert "retry" in found.says


def test_what_was_given_up_is_named_beside_what_is_in_hand(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", draft("c", 1, 2))
    failed(world, ada, "p/1")
    claimed(world, ada)
    found = nothing(world, ada)
    assert (found.reason, set(found.blocked_by)) == ("blocked", {step_of(world, num).id for num in (1, 2)})


def test_delayed(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    failed(world, ada, "p/1", final=False)
    failed(world, ada, "p/2", final=False, delay_ms=5000)
    for wanted in ({}, {"project": "p"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.retry_at) == ("delayed", world.store.now() + 5000)
        assert found.counts == Counts(not_started=2, ready=2)
    assert nothing(world, ada, step="p/1").retry_at == world.store.now() + BACKOFF_MS
    world.clock.advance(5000)
    assert claimed(world, ada).step.num == 2


def test_delayed_but_a_lease_runs_out_before(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    failed(world, ada, final=False)
    claimed(world, ada, lease_ms=100)
    found = nothing(world, ada)
    assert (found.reason, found.retry_at) == ("delayed", world.store.now() + 100)


def test_held_by_a_claim(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", paths=("src/**",)), draft("b", paths=("src/x.py",)))
    claimed(world, ada)
    found = nothing(world, ada)
    assert (found.reason, found.blocked_by) == ("held", (step_of(world, 1).id,))
    assert (found.counts, found.retry_at) == (
        Counts(not_started=1, claimed=1, ready=1),
        world.store.now() + CLAIM_MS,
    )


def test_held_by_a_reservation(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("a", paths=("src/**",)))
    kept = world.work.reserve(bob, ("src/x.py",), ttl_ms=5000)
    for wanted in ({}, {"project": "p"}, {"step": "p/1"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.blocked_by, found.retry_at) == ("held", (kept.id,), kept.until)
    world.clock.advance(5000)
    assert claimed(world, ada).step.num == 1


def test_held_by_a_resource(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", resources=("gpu",)), draft("b", resources=("gpu",)))
    claimed(world, ada)
    found = nothing(world, ada)
    assert (found.reason, found.blocked_by, found.retry_at) == (
        "held",
        ("gpu",),
        world.store.now() + CLAIM_MS,
    )


@pytest.mark.parametrize("state", ["paused", "aborted"])
def test_paused(world: World, state: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", scope="ui"))
    world.work.update_project(ada, "p", {"state": state})
    if state == "aborted":
        world.work.add_steps(ada, "p", (draft("late", scope="ui"),))
    for wanted in ({"project": "p"}, {"project": "p", "scope": "ui"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.retry_at) == ("paused", None)
        assert state in found.says
    assert nothing(world, ada, step=f"p/{2 if state == 'paused' else 3}").reason == "paused"


def test_an_aborted_project_is_not_done(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", scope="ui"))
    did(world, ada, "p/1")
    made(world, ada, name="empty")
    for project in ("p", "empty"):
        world.work.update_project(ada, project, {"state": "aborted"})
    for wanted in ({"project": "p"}, {"project": "p", "scope": "ui"}, {"project": "empty"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.blocked_by, found.retry_at) == ("paused", (), None)
        assert found.says == f"The project {wanted['project']} is aborted."
    assert nothing(world, ada, project="p").counts == Counts(completed=1, cancelled=1)


def test_all_that_is_left_is_paused(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", scope="ui"), name="p")
    planned(world, ada, draft("b", scope="ui"), name="q")
    world.work.update_project(ada, "p", {"state": "paused"})
    live = claimed(world, ada)
    # Something is in hand elsewhere: that is why, and a paused project's steps are not counted.
    for wanted in ({}, {"scope": "ui"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.counts) == ("all_in_flight", Counts(claimed=1))
    world.work.complete(ada, live.token)
    for wanted in ({}, {"scope": "ui"}):
        found = nothing(world, ada, **wanted)
        assert (found.reason, found.counts) == ("paused", Counts(not_started=1, ready=1))


def test_a_paused_project_of_which_all_is_done(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.work.update_project(ada, "p", {"state": "paused"})
    world.work.complete(ada, live.token)
    assert nothing(world, ada, project="p").reason == "all_done"


# --- of a step that is named -----------------------------------------------------------------------


def test_why_a_step_that_is_named_can_not_be_had(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(
        world,
        ada,
        "over",
        "in hand",
        draft("needs", 2),
        "failed",
        draft("stuck", 4),
        "rests",
        draft("held", paths=("x",)),
        draft("used", resources=("r",)),
        draft("uses", resources=("r",)),
    )
    did(world, ada, "p/1")
    claimed(world, ada, step="p/2")
    failed(world, ada, "p/4")
    world.work.release(ada, claimed(world, ada, step="p/6").token, delay_ms=77)
    kept = world.work.reserve(bob, ("x",), ttl_ms=1000)
    claimed(world, ada, step="p/8")
    now, ids = world.store.now(), {num: step_of(world, num).id for num in range(1, 10)}
    expected = {
        1: ("all_done", ids[1], None),
        2: ("all_in_flight", ids[2], now + CLAIM_MS),
        3: ("blocked", ids[2], None),
        4: ("blocked_by_failed", ids[4], None),
        5: ("blocked_by_failed", ids[4], None),
        6: ("delayed", ids[6], now + 77),
        7: ("held", kept.id, now + 1000),
        9: ("held", "r", now + 1000),
    }
    for num, (reason, blocker, retry_at) in expected.items():
        found = nothing(world, ada, step=f"p/{num}")
        assert (found.reason, found.blocked_by, found.retry_at) == (reason, (blocker,), retry_at), num
        assert found.says
        assert found.counts == world.work.project("p").counts
        assert [blocker.what for blocker in world.work.explain(f"p/{num}")] == list(found.blocked_by)


def test_explain_lists_all_that_keeps_a_step(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(
        world,
        ada,
        "a",
        "b",
        draft("x", resources=("r",)),
        draft("c", 1, 2, paths=("src/**",), resources=("r",)),
    )
    failed(world, ada, "p/2")
    claimed(world, ada, step="p/3")
    world.work.edit_step(ada, "p/4", {"not_before": world.store.now() + 9})
    kept = world.work.reserve(bob, ("src/a", "src/b"), ttl_ms=1000)
    world.work.update_project(ada, "p", {"state": "paused"})
    ids = {num: step_of(world, num).id for num in range(1, 5)}
    assert sorted((one.kind, one.what) for one in world.work.explain("p/4")) == sorted(
        [
            ("project", "p"),
            ("failed", ids[2]),
            ("need", ids[1]),
            ("delay", ids[4]),
            ("path", kept.id),
            ("path", kept.id),
            ("resource", "r"),
        ]
    )
    assert all(one.says.endswith(".") for one in world.work.explain("p/4"))


def test_explain_says_nothing_of_a_ready_step(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1))
    assert world.work.explain("p/1") == ()
    live = claimed(world, ada)
    (one,) = world.work.explain("p/1")
    assert (one.kind, one.what) == ("claimed", live.step.id)
    assert "ada" in one.says
    world.work.complete(ada, live.token)
    assert [one.kind for one in world.work.explain("p/1")] == ["over"]
    assert world.work.explain("p/2") == ()


def test_every_reason_has_its_test() -> None:
    """The tests above assert every reason that there is, and no other."""
    with open(__file__) as file:
        text = file.read()
    assert [reason for reason in REASONS if f'"{reason}"' not in text] == []


def test_one_step_and_several_are_each_said_as_such(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", draft("c", 1))
    failed(world, ada, "p/1", final=False)
    failed(world, ada, "p/2", final=False)
    assert nothing(world, ada).says.startswith("2 steps rest at least until ")
    world.clock.advance(BACKOFF_MS)
    claimed(world, ada, step="p/2")
    failed(world, ada, "p/1", final=False)
    assert nothing(world, ada, project="p").says.startswith("1 step of p rests until ")
    world.work.cancel_step(ada, "p/2")
    world.clock.advance(2 * BACKOFF_MS)
    claimed(world, ada, step="p/1")
    assert nothing(world, ada).says == "1 step waits for others; in hand: step 1 of p (claimed)."


def test_one_step_whose_files_are_held_is_said_as_such(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("a", paths=("src/**",)), draft("b", paths=("src/b.py",)))
    claimed(world, ada)
    assert nothing(world, bob).says == "1 ready step names files or resources that others hold."
