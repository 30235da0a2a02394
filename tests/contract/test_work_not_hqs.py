"""What goes wrong in hq, an older program for the same purpose, does not go wrong here: a test for each."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable

import pytest

from hubbub.bus import Bus
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.errors_work import ClaimChanged, ClaimLost, ClaimNotFound, ProjectExists, ProjectNotFound
from hubbub.model import Actor
from hubbub.model_work import CLAIM_MS, LOST_MAX, Claim, Need, Nothing
from hubbub.stores import open_store
from hubbub.stores.contract_work import WorkStore
from hubbub.wire_work import claim_dict
from tests.contract.working import claimed, did, draft, failed, made, nothing, planned, statuses, step_of
from tests.contract.world import World


def _seen(live: Claim) -> dict[str, int]:
    return {"attempt": live.attempt.number, "lease_until": live.attempt.lease_until}


ENDS: dict[str, Callable[[World, Actor, str], object]] = {
    "start": lambda world, actor, token: world.work.start(actor, token),
    "complete": lambda world, actor, token: world.work.complete(actor, token),
    "fail": lambda world, actor, token: world.work.fail(actor, token, "x"),
    "release": lambda world, actor, token: world.work.release(actor, token),
}


def test_01_a_claim_is_atomic_across_handles(world: World) -> None:
    """Right there, too, and to be kept: each step goes to one of many who claim at once."""
    actors = world.agents_named(*[f"w{number}" for number in range(5)])
    planned(world, actors[0], *["x"] * 25)
    had: list[str] = []
    start = threading.Barrier(len(actors))

    def work(actor: Actor) -> None:
        store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
        try:
            start.wait()
            while isinstance(live := store.work.claim(actor), Claim):
                had.append(live.step.id)
        finally:
            store.close()

    threads = [threading.Thread(target=work, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(had) == sorted(step.id for step in world.work.steps("p")[0])


@pytest.mark.parametrize("act", ["complete", "fail"])
def test_02_who_was_swept_can_not_end_anothers_claim(world: World, act: str) -> None:
    """There a holder that was taken for dead could finish the step under its new holder's name."""
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    old = claimed(world, ada, start=True)
    world.clock.advance(CLAIM_MS)
    new = claimed(world, bob, start=True)
    with pytest.raises(ClaimLost, match="bob"):
        ENDS[act](world, ada, old.token)
    step = world.work.complete(bob, new.token, commit="bobs")
    assert (step.agent, step.commit) == ("bob", "bobs")
    assert [event.actor for event in world.events("step_completed", "step_failed")] == ["bob"]


def test_03_a_second_sweeper_with_an_old_list_takes_no_fresh_claim(world: World) -> None:
    """There two sweepers with the same list reset a claim that was made between them."""
    ada, bob, one, two = world.agents_named("ada", "bob", "one", "two")
    planned(world, ada, "a")
    claimed(world, ada)
    world.clock.advance(CLAIM_MS)
    (stale,) = world.work.stale(idle_ms=CLAIM_MS)
    seen = {"attempt": stale.attempt.number, "lease_until": stale.attempt.lease_until}
    world.work.recover(one, stale.step.id, **seen)
    fresh = claimed(world, bob, start=True)
    with pytest.raises(ClaimChanged):
        world.work.recover(two, stale.step.id, **seen)
    assert world.work.mine(bob)[0].token == fresh.token
    assert nothing(world, ada).reason == "all_in_flight"


def test_04_a_renewal_between_looking_and_recovering_counts(world: World) -> None:
    """There a sign of life after the look was not looked at again before the step was taken back."""
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    world.clock.advance(CLAIM_MS - 1)
    (stale,) = world.work.stale(idle_ms=CLAIM_MS - 1)
    world.work.renew(bob, live.token)
    world.clock.advance(1)
    with pytest.raises(ClaimChanged):
        world.work.recover(ada, "p/1", attempt=1, lease_until=stale.attempt.lease_until)
    assert step_of(world, 1).agent == "bob"


def test_05_a_zombie_of_the_same_name_renews_nothing(world: World) -> None:
    """There a process that lived on under a name kept the claim of its successor alive."""
    zombie = world.seat("ada")
    planned(world, zombie, "a", "b")
    old = claimed(world, zombie)
    heir = world.seat("ada", take_over=True)
    fresh = claimed(world, heir)
    until = fresh.attempt.lease_until
    world.clock.advance(1000)
    for renewal in (
        lambda: world.agents.beat(zombie.session or ""),
        lambda: world.work.renew(zombie, fresh.token),
        lambda: world.work.renew(zombie, old.token),
    ):
        with pytest.raises(HubbubError):
            renewal()
    assert step_of(world, 2).lease_until == until


@pytest.mark.parametrize("end", ENDS)
def test_06_nobody_ends_anothers_work(world: World, end: str) -> None:
    """There a step's id was all that one needed to end whoever's work on it."""
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, bob)
    for token in (live.token, live.step.id, "p/1"):
        with pytest.raises((ClaimLost, ClaimNotFound)):
            ENDS[end](world, ada, token)
    with pytest.raises(HubbubError):
        world.work.recover(ada, "p/1", **_seen(live))
    assert step_of(world, 1) == live.step


def test_07_a_claim_that_is_asked_for_again_is_the_same(world: World) -> None:
    """There a call that was repeated, its answer lost, took a second step."""
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    first = claimed(world, ada, key="k")
    assert claimed(world, ada, key="k").token == first.token
    assert statuses(world) == ["claimed", "not_started"]
    # Without a key, too, one finds what one has.
    assert [live.token for live in world.work.mine(ada)] == [first.token]


def test_08_a_step_that_kills_its_holders_is_parked(world: World) -> None:
    """There a step was handed out again without end, however often its holders were lost."""
    ada = world.agent("ada")
    planned(world, ada, "poison")
    rounds = 0
    while isinstance(world.work.claim(ada), Claim):
        rounds += 1
        world.clock.advance(CLAIM_MS)
        assert rounds <= LOST_MAX
    assert (rounds, step_of(world, 1).status) == (LOST_MAX, "parked")


def test_09_who_waits_for_a_failed_step_is_told_and_told_of(world: World) -> None:
    """There a failure blocked what depended on it for good, and nothing said so."""
    ada = world.agent("ada")
    planned(
        world,
        ada,
        "a",
        draft("blocked", 1),
        draft("goes with it", Need(1, on_failure="cancel")),
        draft("goes on", Need(1, on_failure="continue")),
    )
    failed(world, ada, "p/1")
    assert statuses(world) == ["failed", "not_started", "cancelled", "not_started"]
    did(world, ada, "p/4")
    found = nothing(world, ada)
    assert (found.reason, found.blocked_by) == ("blocked_by_failed", (step_of(world, 1).id,))
    assert [blocker.kind for blocker in world.work.explain("p/2")] == ["failed"]
    world.work.tell()
    assert any("failed" in body for body in world.written("p"))
    world.work.retry(ada, "p/1")
    did(world, ada, "p/1")
    assert claimed(world, ada, step="p/2").step.num == 2


def test_10_nothing_to_claim_says_why(world: World) -> None:
    """There the same null stood for an unknown project, all done, all blocked, and all in hand."""
    ada = world.agent("ada")
    made(world, ada, name="empty")
    planned(world, ada, "a", name="done")
    did(world, ada, "done/1")
    planned(world, ada, "a", name="busy")
    claimed(world, ada, project="busy")
    planned(world, ada, "a", draft("b", 1), name="waits")
    claimed(world, ada, project="waits")
    planned(world, ada, "a", draft("b", 1), name="stuck")
    failed(world, ada, "stuck/1")
    found = {
        name: nothing(world, ada, project=name)
        for name in ("none", "empty", "done", "busy", "waits", "stuck")
    }
    assert {name: one.reason for name, one in found.items()} == {
        "none": "no_such_project",
        "empty": "no_steps",
        "done": "all_done",
        "busy": "all_in_flight",
        "waits": "blocked",
        "stuck": "blocked_by_failed",
    }
    assert len({one.says for one in found.values()}) == 6


@pytest.mark.parametrize("state", ["paused", "aborted"])
def test_11_only_an_active_project_gives_steps_out(world: World, state: str) -> None:
    """There the claim did not look at the state of the project."""
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    world.work.update_project(ada, "p", {"state": state})
    for wanted in ({}, {"project": "p"}, {"step": "p/1"}):
        assert isinstance(nothing(world, ada, **wanted), Nothing)
    assert world.events("step_claimed") == []


def test_12_every_event_of_a_step_is_among_its_projects(world: World) -> None:
    """There most events were written without their project, and a look at the project missed them."""
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.work.start(ada, live.token)
    world.work.fail(ada, live.token, "x", delay_ms=0)
    claimed(world, ada)
    world.clock.advance(CLAIM_MS)
    did(world, ada)
    of_step = {"step_added", "step_claimed", "step_started", "step_failed", "claim_expired", "step_completed"}
    assert {event.event for event in world.events(project="p", agent="ada")} == {
        "project_created",
        "project_completed",
        *of_step,
    }
    assert {event.event for event in world.events(step="p/1")} == of_step


def test_13_who_reads_before_writing_is_not_refused_when_another_writes_between(world: World) -> None:
    """There a transaction that read first failed at once as locked when another process wrote meanwhile."""
    ada = world.agent("ada")
    planned(world, ada, *["x"] * 40)
    for num in range(1, 41):
        failed(world, ada, f"p/{num}")
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def bring_back(part: int) -> None:
        store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
        try:
            start.wait()
            for num in range(part, 41, 4):
                store.work.retry(ada, f"p/{num}")
        except BaseException as error:
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=bring_back, args=(part,)) for part in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert statuses(world) == ["not_started"] * 40


def test_14_why_the_last_attempt_failed_and_when_is_handed_on(world: World) -> None:
    """There a recovery wiped the notes, kept the wrong time, and nothing showed the history."""
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a")
    live = claimed(world, ada)
    world.clock.advance(100)
    world.work.fail(ada, live.token, "tests hang", notes="see the log", final=True)
    failed_at = world.store.now()
    world.clock.advance(60_000)
    world.work.retry(bob, "p/1")
    (earlier,) = claimed(world, bob).earlier
    assert (earlier.reason, earlier.notes, earlier.ended_at) == ("tests hang", "see the log", failed_at)


def test_15_the_branch_and_worktree_of_a_lost_attempt_are_handed_on(world: World) -> None:
    """There the worktree was forgotten and the branch not mentioned, so that work half done was orphaned."""
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(branch="feat/a"))
    world.work.start(ada, claimed(world, ada).token, branch="feat/a-ada", worktree="/w/ada")
    world.clock.advance(CLAIM_MS)
    (earlier,) = claimed(world, bob).earlier
    assert (earlier.state, earlier.branch, earlier.worktree) == ("lost", "feat/a-ada", "/w/ada")


def test_16_the_serving_process_beats_and_the_model_need_not(world: World) -> None:
    """There the model itself had to call every minute, and a long build cost it the step."""
    seat = world.seat("ada")
    planned(world, seat, "a")
    live = claimed(world, seat)
    for _ in range(4 * 60):
        world.clock.advance(15_000)
        world.agents.beat(seat.session or "")
    assert world.work.complete(seat, live.token).status == "completed"
    # A beat leaves no line in the ledger: there, each did, for ever.
    assert len(world.events(step="p/1")) == 3


def test_17_answers_are_records_and_errors_have_codes(world: World) -> None:
    """There errors were raw SQL, fields wrapped, lists null, and a plan's answer had no ids of steps."""
    ada = world.agent("ada")
    project, steps = made(world, ada, "a", "b")
    assert [step.id for step in steps] == [step.id for step in world.work.steps("p")[0]]
    with pytest.raises(ProjectExists):
        made(world, ada)
    with pytest.raises(ProjectNotFound):
        world.work.project("none")
    assert world.work.stale(idle_ms=0) == ()
    assert world.work.mine(ada) == ()
    live = claimed(world, ada)
    shown = json.loads(json.dumps(claim_dict(live)))
    assert (shown["step"]["agent"], shown["step"]["num"]) == ("ada", 1)
    with Bus(open_store(world.url, clock=world.clock)) as bus:  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match="must be a list"):
            bus.work.create_project(ada, "q", '[{"title": "x"}]')  # type: ignore[arg-type]
        assert bus.work.project(project.id).name == "p"


def test_18_every_handle_keeps_the_rules_of_the_store(world: World) -> None:
    """There a connection that was opened anew came back without its settings."""
    ada = world.agent("ada")
    planned(world, ada, "a")
    for _ in range(3):
        store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
        try:
            failures: list[str] = []

            def elsewhere(store: object = store, failures: list[str] = failures) -> None:
                try:
                    store.work.claim(Actor("nobody"))  # type: ignore[attr-defined]
                except HubbubError as error:
                    failures.append(error.code)

            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join(30)
            assert failures == ["NOT_REGISTERED"]
            assert store.check() == []
        finally:
            store.close()


def test_19_plans_change_lists_have_pages_and_fields_have_bounds(world: World) -> None:
    """There a plan was fixed once made, lists had no end, fields no bound, and one's own steps no list."""
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    world.work.add_steps(ada, "p", (draft("c"),))
    world.work.edit_step(ada, "p/3", {"priority": 5})
    world.work.set_needs(ada, "p/1", add=(Need(3),))
    world.work.cancel_step(ada, "p/2")
    assert [claimed(world, ada).step.num] == [3]
    page, more = world.work.steps("p", limit=2)
    assert (len(page), more is None) == (2, False)
    assert len(world.work.mine(ada)) == 1
    with Bus(open_store(world.url, clock=world.clock)) as bus:  # type: ignore[arg-type]
        for wrong in ("x" * 301, "", "two\nlines"):
            with pytest.raises(InvalidArgument):
                bus.work.add_steps(ada, "p", [{"title": wrong}])
    for name in ("steps", "projects", "stale", "tell"):
        assert inspect.signature(getattr(WorkStore, name)).parameters["limit"].default in (50, 100)
