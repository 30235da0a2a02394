"""The ledger of work, and its bells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hubbub.errors_work import ClaimNotFound, ProjectNotFound, StepNotFound
from hubbub.model import EVENTS, Actor
from hubbub.model_work import Claim, Need
from tests.contract.working import a_long_day, claimed, did, draft, made, planned, step_of
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


# --- the ledger ------------------------------------------------------------------------------------


def test_every_kind_of_event_is_written(world: World) -> None:
    a_long_day(world)
    assert {event.event for event in world.events() if event.event in WORK_EVENTS} == WORK_EVENTS


def test_events_name_project_step_attempt_actor_session_and_time(world: World) -> None:
    a_long_day(world)
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
    a_long_day(world)
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
    a_long_day(world)
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
    a_long_day(world)
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
    a_long_day(world)
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
    a_long_day(world)
    with pytest.raises(ProjectNotFound):
        world.events(project="nonsense")
    with pytest.raises(StepNotFound):
        world.events(step="p/99")


def test_what_is_refused_leaves_no_event(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    before = world.last_seq()
    with pytest.raises(ClaimNotFound):
        world.work.complete(ada, "nonsense")
    assert world.last_seq() == before


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
