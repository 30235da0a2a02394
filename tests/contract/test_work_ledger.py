"""The ledger of work, the news it makes in topics, the figures, and the bells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from hubbub.errors_work import ClaimLost, ProjectNotFound, StepNotFound
from hubbub.model import EVENTS, Actor
from hubbub.model_work import CLAIM_MS, Claim, Counts, Metrics, Need
from hubbub.stores import open_store
from tests.contract.working import claimed, did, draft, failed, made, planned, step_of
from tests.contract.world import World

PATIENCE = 20.0
"""Seconds after which a ring is given up for lost; no test waits that long when all is well."""

WORK_EVENTS = {
    name for name in EVENTS if name.split("_")[0] in ("project", "step", "claim", "path", "resource")
}
OF_STEPS = {name for name in WORK_EVENTS if name.startswith(("step_", "claim_"))}
OF_ATTEMPTS = {
    "step_claimed",
    "step_started",
    "step_completed",
    "step_failed",
    "step_parked",
    "step_released",
    "claim_adopted",
    "claim_expired",
    "claim_recovered",
}


def _a_long_day(world: World) -> None:
    """Something of everything in the project p."""
    ada, bob = world.agent("ada"), world.seat("bob")
    planned(world, ada, "1", draft("2", max_attempts=1), "3")
    world.work.add_steps(ada, "p", (draft("4"),))
    world.work.edit_step(ada, "p/4", {"title": "four"})
    live = claimed(world, bob)
    world.work.start(bob, live.token)
    bob = world.seat("bob", take_over=True)
    world.work.mine(bob)
    world.work.complete(bob, live.token, commit="f00", result="good")
    world.work.merge(ada, "p/1")
    failed(world, bob, "p/2", final=False)
    world.work.retry(ada, "p/2", note="again")
    world.work.release(bob, claimed(world, bob, step="p/2").token)
    claimed(world, bob, step="p/2")
    world.clock.advance(CLAIM_MS)
    lost = claimed(world, bob, step="p/3")
    world.clock.advance(CLAIM_MS)
    world.work.recover(ada, "p/3", attempt=1, lease_until=lost.attempt.lease_until)
    world.work.cancel_step(ada, "p/4", reason="no need")
    did(world, bob, "p/2")
    did(world, bob, "p/3")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000)
    world.work.renew_reservation(ada, kept.id, ttl_ms=1000)
    world.work.release_reservation(ada, kept.id)
    world.work.limit_resource(ada, "gpu", 2)
    world.work.update_project(ada, "p", {"priority": 1})


# --- the ledger ------------------------------------------------------------------------------------


def test_every_kind_of_event_is_written(world: World) -> None:
    _a_long_day(world)
    assert {event.event for event in world.events() if event.event in WORK_EVENTS} == WORK_EVENTS


def test_events_name_project_step_attempt_actor_session_and_time(world: World) -> None:
    _a_long_day(world)
    project = world.work.project("p").id
    for event in world.events(*WORK_EVENTS):
        of_project = event.event.split("_")[0] in ("project", "step", "claim")
        assert event.project == (project if of_project else None), event
        assert (event.step is not None) == (event.event in OF_STEPS), event
        assert (event.attempt is not None) == (event.event in OF_ATTEMPTS), event
        assert (event.message, event.topic) == (None, None)
        assert (event.actor is not None) or event.event == "step_parked"
    (event,) = world.events("claim_adopted")
    assert (event.actor, event.session, event.attempt) == ("bob", "s-2", 1)
    (event,) = world.events("path_reserved")
    assert (event.actor, event.agent) == ("ada", "ada")


def test_the_story_of_a_step(world: World) -> None:
    _a_long_day(world)
    story = [(event.event, event.actor, event.attempt) for event in world.events(step="p/2")]
    assert story == [
        ("step_added", "ada", None),
        ("step_claimed", "bob", 1),
        ("step_failed", "bob", 1),
        ("step_parked", "bob", 1),
        ("step_retried", "ada", None),
        ("step_claimed", "bob", 2),
        ("step_released", "bob", 2),
        ("step_claimed", "bob", 3),
        ("claim_expired", "bob", 3),
        ("step_claimed", "bob", 4),
        ("step_completed", "bob", 4),
    ]


def test_what_events_say_beside(world: World) -> None:
    _a_long_day(world)
    said: dict[str, Any] = {
        "step_completed": {"commit_id": "f00", "result": "good"},
        "step_parked": {"failed": 1, "lost": 0, "attempts": 1},
        "step_retried": {"note": "again"},
        "step_cancelled": {"why": "no need"},
        "step_changed": {"title": "four"},
        "resource_limited": {"resource": "gpu", "count": 2},
    }
    for name, detail in said.items():
        assert world.events(name)[0].detail == detail
    (event,) = world.events("claim_expired")
    assert event.detail is not None
    assert (event.detail["agent"], event.detail["why"]) == ("bob", "its lease ran out")


def test_events_of_a_project_and_of_a_step(world: World) -> None:
    _a_long_day(world)
    ada = Actor("ada")
    planned(world, ada, "1", name="q")
    did(world, ada, "q/1")
    everything = world.store.ledger.events(limit=10_000)
    for project in ("p", "q"):
        id_ = world.work.project(project).id
        of_project = [event for event in everything if event.project == id_]
        assert world.events(project=project) == world.events(project=id_) == of_project
        assert len(of_project) > 3
    step = step_of(world, 2)
    of_step = [event for event in everything if event.step == step.id]
    assert world.events(step="p/2") == world.events(step=step.id) == of_step
    assert world.events(project="p", step="p/2") == of_step
    assert world.events(project="q", step="p/2") == []


def test_filters_of_project_and_step_go_with_all_others(world: World) -> None:
    _a_long_day(world)
    everything = world.events(project="p")
    cases: list[tuple[dict[str, Any], Callable[[Any], bool]]] = [
        ({"agent": "bob"}, lambda e: "bob" in (e.actor, e.agent)),
        ({"kinds": ("step_claimed", "step_added")}, lambda e: e.event in ("step_claimed", "step_added")),
        ({"since": everything[-3].at}, lambda e: e.at >= everything[-3].at),
        ({"after": everything[5].seq}, lambda e: e.seq > everything[5].seq),
    ]
    id_ = step_of(world, 2).id
    for wanted, keep in cases:
        both: list[tuple[dict[str, Any], Any]] = [
            ({"project": "p"}, everything),
            ({"step": id_}, world.events(step=id_)),
        ]
        for where, pool in both:
            expected = [event for event in pool if keep(event)]
            found = world.store.ledger.events(limit=10_000, **where, **wanted)
            assert found == expected, (where, wanted)
            newest = world.store.ledger.events(limit=3, newest=True, **where, **wanted)
            assert newest == expected[-3:], (where, wanted)
            assert world.store.ledger.events(limit=2, **where, **wanted) == expected[:2]


def test_events_of_what_is_not_there(world: World) -> None:
    _a_long_day(world)
    with pytest.raises(ProjectNotFound):
        world.events(project="nonsense")
    with pytest.raises(StepNotFound):
        world.events(step="p/99")


def test_what_is_refused_leaves_no_event(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    before = world.last_seq()
    with pytest.raises(ClaimLost):
        world.work.complete(ada, "nonsense")
    assert world.last_seq() == before


# --- news ------------------------------------------------------------------------------------------


def _news(world: World, topic: str = "p") -> list[str]:
    return world.written(topic)


def test_what_happened_to_steps_is_told_in_the_projects_topic_once_and_in_order(world: World) -> None:
    _a_long_day(world)
    assert _news(world) == []
    count = world.work.tell()
    told = _news(world)
    assert count == len(told)
    assert told == [
        "Step 1 (1) is completed - commit f00; good.",
        "Step 1 (1) is merged.",
        "Step 2 (2) failed - task: broken.",
        "Step 2 (2) is parked: its attempts are used up.",
        "Step 2 (2) is to be done again - again.",
        "Step 2 (2) was lost by its holder - its lease ran out.",
        "Step 3 (3) was taken back from its holder - its lease ran out.",
        "Step 4 (four) is cancelled - no need.",
        "Step 2 (2) is completed.",
        "Step 3 (3) is completed.",
        "All steps of p are over: the project is completed.",
    ]
    assert world.work.tell() == 0
    assert _news(world) == told


def test_news_say_who_and_of_what(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    did(world, bob)
    world.work.tell()
    (post,) = world.topics.history("p").messages
    assert (post.sender, post.kind) == ("bob", "status")
    assert post.metadata == {"event": "step_completed", "project": "p", "attempt": 1, "step": 1}


def test_members_of_the_topic_read_the_news_and_not_their_own(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    for actor in (ada, bob):
        world.topics.join(actor, "p")
    did(world, bob)
    world.work.tell()
    assert world.read(ada, "p") == ["Step 1 (a) is completed."]
    assert world.read(bob, "p") == []


def test_news_are_told_a_part_at_a_time(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *"abcdef")
    for _ in range(6):
        did(world, ada)
    counts: list[int] = []
    while not counts or counts[-1] or len(_news(world)) < 7:
        counts.append(world.work.tell(limit=4))
        assert len(counts) < 50
    assert sum(counts) == len(_news(world)) == 7
    assert len(set(_news(world))) == 7


def test_two_who_tell_at_once_tell_once(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *["x"] * 30)
    for _ in range(30):
        did(world, ada)
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def tell() -> None:
        store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
        try:
            start.wait()
            for _ in range(20):
                store.work.tell(limit=7)
        except BaseException as error:
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert _news(world) == [
        *[f"Step {num} (x) is completed." for num in range(1, 31)],
        "All steps of p are over: the project is completed.",
    ]


def test_a_topic_that_is_closed_or_gone_is_told_nothing_and_holds_up_nobody(world: World) -> None:
    ada = world.agent("ada")
    for name in ("closed", "gone", "open"):
        planned(world, ada, "a", name=name)
    world.topics.close(ada, "closed")
    world.topics.delete(ada, "gone")
    for name in ("closed", "gone", "open"):
        did(world, ada, f"{name}/1")
    assert world.work.tell() == 2
    assert len(_news(world, "open")) == 2
    assert _news(world, "closed") == []
    world.topics.reopen(ada, "closed")
    assert world.work.tell() == 0


def test_a_renamed_topic_is_still_the_projects(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    world.topics.rename(ada, "p", "site")
    did(world, ada)
    world.work.tell()
    assert len(_news(world, "site")) == 2


def test_news_of_what_no_agent_did(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("a", max_attempts=1, time_limit_ms=1000))
    claimed(world, ada)
    world.clock.advance(1000)
    world.store.sweep("h")
    assert _news(world) == [
        "Step 1 (a) was lost by its holder - its time limit passed.",
        "Step 1 (a) is parked: its attempts are used up.",
    ]
    assert [post.sender for post in world.topics.history("p").messages] == ["ada", "hubbub"]


def test_housekeeping_tells_what_was_not_told(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    did(world, ada)
    swept = world.store.sweep("h")
    assert swept.steps_told == 2
    assert len(_news(world)) == 2
    assert world.store.sweep("h").steps_told == 0


# --- figures ---------------------------------------------------------------------------------------


def test_figures_of_nothing(world: World) -> None:
    none = Metrics(Counts(), 0, {}, None, None, 0, {}, {})
    assert world.work.metrics() == none
    planned(world, world.agent("ada"), "a")
    assert world.work.metrics(scope="ui") == none
    with pytest.raises(ProjectNotFound):
        world.work.metrics(project="nonsense")


def test_figures_of_all_of_a_project_a_scope_and_an_agent(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, draft(scope="db"), draft(scope="db"), draft(scope="ui"), draft("x", 3, scope="ui"))
    planned(world, ada, "x", name="q")
    for actor, wait, work in ((ada, 100, 10), (bob, 200, 40)):
        world.clock.advance(wait)
        live = claimed(world, actor, project="p")
        world.clock.advance(work)
        world.work.complete(actor, live.token)
    failed(world, bob, "p/3", final=False, failure="environment")
    world.clock.advance(CLAIM_MS)
    claimed(world, bob, step="p/3")
    world.clock.advance(CLAIM_MS)
    found = world.work.metrics()
    assert found.counts == Counts(not_started=3, completed=2, ready=2)
    assert (found.attempts, found.failures) == (4, {"environment": 1, "lost": 1})
    assert (found.wait_ms, found.work_ms) == ((310, 310), (40, 40))
    assert found.by_scope == {
        "": Counts(not_started=1, ready=1),
        "db": Counts(completed=2),
        "ui": Counts(not_started=2, ready=1),
    }
    assert found.by_agent == {"ada": 1, "bob": 1}
    assert found.finished_last_hour == 2
    of_p = world.work.metrics(project="p")
    assert of_p.counts == Counts(not_started=2, completed=2, ready=1)
    of_db = world.work.metrics(scope="db")
    assert (of_db.counts, of_db.attempts) == (Counts(completed=2), 2)
    of_bob = world.work.metrics(agent="bob")
    assert (of_bob.attempts, of_bob.by_agent, of_bob.wait_ms) == (3, {"bob": 1}, (310, 310))
    assert of_bob.counts == Counts(not_started=1, completed=1, ready=1)
    world.clock.advance(3_600_000)
    assert world.work.metrics().finished_last_hour == 0


def test_the_median_and_the_95th_percentile(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *["x"] * 100)
    claims = [claimed(world, ada) for _ in range(100)]
    for live in claims:
        world.clock.advance(10)
        world.work.complete(ada, live.token)
    assert world.work.metrics().work_ms == (510, 960)
    assert world.work.metrics().wait_ms == (0, 0)


# --- bells -----------------------------------------------------------------------------------------

RINGS: dict[str, Callable[[World, Actor, Claim], object]] = {
    "complete": lambda world, ada, live: world.work.complete(ada, live.token),
    "release": lambda world, ada, live: world.work.release(ada, live.token),
    "fail": lambda world, ada, live: world.work.fail(ada, live.token, "x"),
    "retry": lambda world, ada, live: world.work.retry(ada, "p/2"),
    "merge": lambda world, ada, live: world.work.merge(ada, "p/3"),
    "add": lambda world, ada, live: world.work.add_steps(ada, "p", (draft(),)),
    "edit": lambda world, ada, live: world.work.edit_step(ada, "p/4", {"paths": ()}),
    "needs": lambda world, ada, live: world.work.set_needs(ada, "p/4", remove=(1,)),
    "split": lambda world, ada, live: world.work.split_step(ada, "p/4", (draft(),)),
    "cancel": lambda world, ada, live: world.work.cancel_step(ada, "p/1"),
    "state": lambda world, ada, live: world.work.update_project(ada, "p", {"state": "active"}),
    "project": lambda world, ada, live: planned(world, ada, "x", name="q"),
    "limit": lambda world, ada, live: world.work.limit_resource(ada, "gpu", 2),
    "unregister": lambda world, ada, live: world.agents.unregister("ada"),
}


@pytest.mark.parametrize("what", RINGS)
def test_what_may_make_a_step_ready_rings_for_work(world: World, what: str) -> None:
    ada = world.agent("ada")
    made(world, ada, "a", "b", "c", draft("d", Need(1), paths=("x",)))
    live = claimed(world, ada, step="p/1")
    world.work.cancel_step(ada, "p/2")
    did(world, ada, "p/3")
    with world.store.bell("work") as bell:
        bell.clear()
        RINGS[what](world, ada, live)
        assert bell.wait(PATIENCE)


def test_the_release_of_a_reservation_rings_for_work(world: World) -> None:
    ada = world.agent("ada")
    kept = world.work.reserve(ada, ("a",), ttl_ms=1000)
    with world.store.bell("work") as bell:
        bell.clear()
        world.work.release_reservation(ada, kept.id)
        assert bell.wait(PATIENCE)


def test_one_may_listen_for_one_project(world: World) -> None:
    ada = world.agent("ada")
    project, _ = made(world, ada, "a", "b")
    other, _ = made(world, ada, "a", "b", name="q")
    with world.store.bell(f"work/{project.id}") as bell, world.store.bell(f"work/{other.id}") as others:
        bell.clear()
        others.clear()
        did(world, ada, "p/1")
        assert bell.wait(PATIENCE)
        assert not others.wait(0)
