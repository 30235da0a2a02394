"""Claims: which step is had, by whom, once; and what the answer holds."""

from __future__ import annotations

import itertools
import threading

import pytest

from hubbub.errors import IdempotencyMismatch, NotRegistered, SessionSuperseded
from hubbub.errors_work import ClaimLost, StepNotFound
from hubbub.model import Actor
from hubbub.model_work import AGEING_MS, CLAIM_MS, TIME_LIMIT_MS, Claim, Done, Need, Nothing
from hubbub.stores import open_store
from tests.contract.working import (
    claimed,
    did,
    draft,
    made,
    nothing,
    planned,
    ready,
    statuses,
    step_of,
)
from tests.contract.world import World

# --- what is had -----------------------------------------------------------------------------------


def test_a_claim_takes_a_step(world: World) -> None:
    ada, bob = world.agent("ada"), world.seat("bob")
    project, (step, _) = made(world, ada, draft("a", branch="feat/a"), "b")
    world.clock.advance(7)
    now = world.store.now()
    live = world.work.claim(bob)
    assert isinstance(live, Claim)
    assert not live.repeated
    assert live.project.id == project.id
    assert live.step == step._replace(status="claimed", attempts=1, agent="bob", lease_until=now + CLAIM_MS)
    attempt = live.attempt
    assert (attempt.number, attempt.agent, attempt.session, attempt.state) == (1, "bob", bob.session, "live")
    assert (attempt.claimed_at, attempt.started_at, attempt.ended_at) == (now, None, None)
    assert (attempt.lease_until, attempt.limit_until) == (now + CLAIM_MS, now + TIME_LIMIT_MS)
    assert (attempt.branch, attempt.worktree) == ("feat/a", None)
    assert world.work.step(step.id) == (live.step, (attempt,))
    assert statuses(world) == ["claimed", "not_started"]


def test_a_claim_may_start_at_once(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    live = claimed(world, ada, start=True)
    assert (live.step.status, live.attempt.started_at) == ("in_progress", world.store.now())
    assert [event.event for event in world.events(step=live.step.id)] == ["step_added", "step_claimed"]


def test_a_claim_says_how_long_its_lease_is(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", time_limit_ms=400))
    assert claimed(world, ada, lease_ms=1000).attempt.lease_until == world.store.now() + 1000
    # No longer than the attempt may take in all.
    live = claimed(world, ada, lease_ms=1000)
    assert (live.attempt.lease_until, live.attempt.limit_until) == (world.store.now() + 400,) * 2


def test_a_claim_holds_all_that_a_fresh_agent_needs(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    said = draft("c", 1, 2, instructions="Do it.\n", acceptance="green", scope="s", metadata={"a": 1})
    made(world, ada, draft("a", branch="feat/a"), "b", said, base_commit="abc", description="Why.")
    live = claimed(world, bob, step="p/1")
    world.work.start(bob, live.token, branch="bob/a", worktree="/w/a")
    world.work.complete(bob, live.token, commit="f00", result="parsed", notes="mind the gap")
    did(world, bob, "p/2")
    live = claimed(world, ada)
    assert (live.project.base_commit, live.project.description) == ("abc", "Why.")
    step = live.step
    assert (step.instructions, step.acceptance, step.scope, step.metadata) == (
        "Do it.\n",
        "green",
        "s",
        {"a": 1},
    )
    assert live.needs == (
        Done(1, "a", "completed", "bob/a", "f00", "parsed"),
        Done(2, "b", "completed", None, None, None),
    )
    assert live.earlier == ()


def test_what_earlier_attempts_left_is_handed_on(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft("a", branch="feat/a"))
    first = claimed(world, ada)
    world.work.start(ada, first.token, branch="ada/a", worktree="/w/ada")
    world.work.renew(ada, first.token, notes="half way")
    world.work.fail(ada, first.token, "no disk", failure="environment", delay_ms=0)
    second = claimed(world, bob)
    world.clock.advance(CLAIM_MS)
    third = claimed(world, ada)
    assert [attempt.number for attempt in third.earlier] == [2, 1]
    lost, broken = third.earlier
    assert (lost.agent, lost.state, lost.branch, lost.notes) == ("bob", "lost", "feat/a", None)
    assert (broken.agent, broken.state, broken.failure, broken.reason) == (
        "ada",
        "failed",
        "environment",
        "no disk",
    )
    assert (broken.branch, broken.worktree, broken.notes) == ("ada/a", "/w/ada", "half way")
    assert (second.attempt.number, third.attempt.number) == (2, 3)
    # Its own attempt begins with the step's branch and nobody's notes.
    assert (third.attempt.branch, third.attempt.notes) == ("feat/a", None)
    assert world.work.step("p/1")[1] == (third.attempt, *third.earlier)


def test_a_claim_of_the_unregistered_and_of_the_superseded(world: World) -> None:
    ada, old = world.agent("ada"), world.seat("bob")
    planned(world, ada, "a")
    world.seat("bob", take_over=True)
    with pytest.raises(SessionSuperseded):
        world.work.claim(old)
    with pytest.raises(NotRegistered):
        world.work.claim(Actor("nobody"))
    assert statuses(world) == ["not_started"]


# --- in what order ---------------------------------------------------------------------------------


def _order(world: World, actor: Actor) -> list[str]:
    """The titles in the order in which they are claimed; it is the order that is shown beforehand."""
    shown = [step.title for step in world.work.steps(ready=True)[0]]
    had = []
    while isinstance(live := world.work.claim(actor), Claim):
        had.append(live.step.title)
    assert had == shown
    return had


def test_steps_of_the_same_age_go_by_priority_then_number(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("c", num=3), draft("a", num=1), draft("d", priority=-1), draft("x", priority=2))
    assert _order(world, ada) == ["x", "a", "c", "d"]


def test_the_older_goes_first_among_equals(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("old", num=9))
    world.clock.advance(1)
    world.work.add_steps(ada, "p", (draft("new", num=1),))
    assert _order(world, ada) == ["old", "new"]


@pytest.mark.parametrize("points", [1, 3])
@pytest.mark.parametrize(
    ("later", "order"), [(-1, ["high", "low"]), (0, ["low", "high"]), (1, ["low", "high"])], ids=str
)
def test_a_step_waits_for_those_of_higher_priority_only_so_long(
    world: World, points: int, later: int, order: list[str]
) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("low", priority=-1, num=1))
    world.clock.advance(points * AGEING_MS + later)
    world.work.add_steps(ada, "p", (draft("high", priority=points - 1, num=2),))
    assert _order(world, ada) == order


def test_nothing_starves_under_a_stream_of_urgent_steps(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("humble", priority=-100))
    for count in itertools.count(1):
        world.work.add_steps(ada, "p", (draft("urgent", priority=100),))
        live = claimed(world, ada)
        world.work.complete(ada, live.token)
        if live.step.title == "humble":
            break
        assert count * 10 * AGEING_MS <= 200 * AGEING_MS
        world.clock.advance(10 * AGEING_MS)


def test_age_counts_from_when_a_step_became_ready(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "needed", draft("waits", 1))
    live = claimed(world, ada)
    world.clock.advance(5)
    world.work.add_steps(ada, "p", (draft("added"),))
    world.clock.advance(5)
    assert world.work.complete(ada, live.token).status == "completed"
    assert step_of(world, 2).ready_at == world.store.now()
    assert _order(world, ada) == ["added", "waits"]


def test_a_step_that_comes_back_keeps_its_age(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "old")
    live = claimed(world, ada)
    world.clock.advance(5)
    world.work.add_steps(ada, "p", (draft("new"),))
    world.work.release(ada, live.token)
    assert _order(world, ada) == ["old", "new"]


def test_projects_are_served_by_their_priority_and_the_age_of_their_steps(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("low", priority=1), name="low", priority=-1)
    planned(world, ada, "high", draft("high 3", priority=3), name="high", priority=2)
    planned(world, ada, "usual", name="usual")
    world.clock.advance(3 * AGEING_MS)
    planned(world, ada, draft("late", priority=5), name="late")
    assert _order(world, ada) == ["high 3", "high", "late", "low", "usual"]


def test_only_of_the_project_that_is_named(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("p", priority=9), name="p")
    q, _ = made(world, ada, "q", name="q")
    assert claimed(world, ada, project="Q").step.title == "q"
    assert nothing(world, ada, project=q.id).reason == "all_in_flight"


def test_only_of_the_scope_that_is_named(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", scope="db", priority=9), draft("b", scope="ui"), draft("c", scope="db"))
    planned(world, ada, draft("d", scope="ui", priority=1), name="q")
    assert claimed(world, ada, scope="ui").step.title == "d"
    assert claimed(world, ada, scope="ui", project="p").step.title == "b"
    assert nothing(world, ada, scope="ui").reason == "all_in_flight"
    assert [claimed(world, ada, scope="db").step.title for _ in "ab"] == ["a", "c"]


def test_a_step_may_be_named(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", priority=9), "b", "c", draft("d", scope="ui"))
    id_ = step_of(world, 2).id
    assert claimed(world, ada, step=id_).step.title == "b"
    assert claimed(world, ada, project="p", step="3").step.title == "c"
    assert claimed(world, ada, scope="ui", step="p/4").step.title == "d"
    assert nothing(world, ada, step=id_).reason == "all_in_flight"


def test_a_step_that_is_not_there_or_not_of_what_is_named_beside_it(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    planned(world, ada, draft("b", scope="ui"), name="q")
    for wanted in (
        {"step": "p/2"},
        {"step": "nonsense"},
        {"project": "p", "step": "2"},
        {"project": "p", "step": "q/1"},
        {"scope": "db", "step": "q/1"},
    ):
        with pytest.raises(StepNotFound):
            nothing(world, ada, **wanted)
    assert world.work.project("q").counts.ready == 1


# --- ready -----------------------------------------------------------------------------------------


def test_a_step_is_not_had_before_its_needs_are_met(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", draft("c", 1, Need(2, "merged")))
    for num in (1, 2):
        did(world, ada, f"p/{num}")
        assert nothing(world, ada, step="p/3").reason == "blocked"
    world.work.merge(ada, "p/2")
    assert claimed(world, ada, step="p/3").step.num == 3


def test_ready_steps_are_listed_though_the_first_are_held_or_rest(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(
        world, ada, draft("a", paths=("x",)), "b", draft("c", scope="s"), draft("d", resources=("r",)), "e"
    )
    world.work.reserve(bob, ("x",), ttl_ms=1000)
    world.work.edit_step(ada, "p/2", {"not_before": world.store.now() + 1})
    assert ready(world) == [3, 4, 5]
    for limit in (1, 2):
        assert len(world.work.steps("p", ready=True, limit=limit)[0]) == limit
    assert [step.num for step in world.work.steps("p", ready=True, scope="s")[0]] == [3]


# --- under a key -----------------------------------------------------------------------------------


def test_a_claim_is_had_once_under_a_key_while_it_is_live(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c")
    first = claimed(world, ada, key="k")
    assert not first.repeated
    again = claimed(world, ada, key="k")
    assert again == first._replace(repeated=True)
    # It shows the claim as it is now.
    world.work.start(ada, first.token, branch="x")
    again = claimed(world, ada, key="k")
    assert (again.token, again.step.status, again.attempt.branch) == (first.token, "in_progress", "x")
    assert statuses(world).count("not_started") == 2


@pytest.mark.parametrize("end", ["complete", "fail", "release", "expire", "cancel"])
def test_a_key_whose_claim_is_over_is_a_new_request(world: World, end: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b", "c")
    first = claimed(world, ada, key="k")
    if end == "complete":
        world.work.complete(ada, first.token)
    elif end == "fail":
        world.work.fail(ada, first.token, "broken")
    elif end == "release":
        world.work.release(ada, first.token, delay_ms=1000)
    elif end == "expire":
        world.clock.advance(CLAIM_MS)
    else:
        world.work.cancel_step(ada, "p/1")
    second = claimed(world, ada, key="k")
    assert not second.repeated
    assert second.token != first.token
    assert claimed(world, ada, key="k").token == second.token


def test_a_key_belongs_to_one_request_of_one_agent(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    first = claimed(world, ada, key="k")
    for options in ({"project": "p"}, {"start": True}, {"lease_ms": 1}):
        with pytest.raises(IdempotencyMismatch):
            claimed(world, ada, key="k", **options)
    assert claimed(world, bob, key="k").token != first.token


def test_a_key_that_found_nothing_asks_anew(world: World) -> None:
    ada = world.agent("ada")
    assert nothing(world, ada, key="k").reason == "no_steps"
    planned(world, ada, "a")
    assert not claimed(world, ada, key="k").repeated


# --- one holder ------------------------------------------------------------------------------------


def test_each_of_many_steps_is_had_by_one_of_many_threads(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *["x"] * 60)
    actors = world.agents_named(*[f"w{number}" for number in range(6)])
    had: list[tuple[str, str]] = []
    failures: list[BaseException] = []

    def work(actor: Actor) -> None:
        store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
        try:
            while isinstance(live := store.work.claim(actor), Claim):
                had.append((live.step.id, actor.agent))
                store.work.complete(actor, live.token)
        except BaseException as error:
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=work, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(step for step, _ in had) == sorted(step.id for step in world.work.steps("p")[0])
    assert {step.id: step.agent for step in world.work.steps("p")[0]} == dict(had)
    assert world.work.project("p").state == "completed"


def test_a_claim_that_finds_nothing_writes_nothing(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", priority=1), draft("b", 1))
    claimed(world, ada)
    before = world.last_seq()
    assert isinstance(world.work.claim(ada), Nothing)
    assert world.last_seq() == before


def test_an_agent_may_hold_several_steps(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    tokens = [claimed(world, ada).token for _ in "ab"]
    assert len(set(tokens)) == 2
    assert [live.token for live in world.work.mine(ada)] == tokens
    world.work.complete(ada, tokens[0])
    assert [live.token for live in world.work.mine(ada)] == tokens[1:]
    with pytest.raises(ClaimLost):
        world.work.renew(ada, tokens[0])
    world.work.release(ada, tokens[1])
    assert world.work.mine(ada) == ()
