"""Plans: projects made with their steps, added to, and listed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hubbub.errors import IdempotencyMismatch, InvalidArgument, NotRegistered
from hubbub.errors_work import ProjectExists, ProjectNotFound, StepExists, StepNotFound
from hubbub.model import Actor
from hubbub.model_work import Counts, Need, Project, ProjectDraft, StepDraft
from hubbub.stores.contract import Store
from tests.contract.working import (
    claimed,
    did,
    draft,
    failed,
    made,
    nums,
    planned,
    ready,
    step_of,
)
from tests.contract.world import World

FULL = StepDraft(
    "parser",
    num=3,
    instructions="Write it.\nAll of it.",
    acceptance="tests pass",
    branch="feat/parser",
    scope="core",
    paths=("src/**", "docs/{a,b}.md"),
    resources=("port 8080",),
    priority=7,
    needs=(Need(1), Need(4, "merged", "cancel")),
    max_attempts=5,
    time_limit_ms=60_000,
    metadata={"size": "é"},
)


# --- made ------------------------------------------------------------------------------------------


def test_a_project_is_made_with_all_that_was_said_of_it_and_its_steps(world: World) -> None:
    ada = world.agent("ada")
    said: dict[str, Any] = {"base_commit": "abc", "description": "A site.", "metadata": {"k": [1]}}
    project, steps = made(world, ada, draft("one", num=1), "two", FULL, name="Site", priority=-5, **said)
    assert project == Project(
        id=project.id,
        name="Site",
        state="active",
        topic=world.topics.get("Site").id,
        created_by="ada",
        created_at=world.store.now(),
        priority=-5,
        counts=Counts(not_started=3, ready=2),
        **said,
    )
    assert project.counts.total == 3
    one, _, parser = steps
    for field in set(StepDraft._fields) - {"num"}:
        assert getattr(parser, field) == getattr(FULL, field), field
    assert (parser.project, parser.status, parser.waiting, parser.attempts) == (
        project.id,
        "not_started",
        2,
        0,
    )
    assert (parser.ready_at, one.ready_at, one.created_at) == (None, world.store.now(), world.store.now())
    assert (parser.agent, parser.lease_until, parser.ended_at, parser.notes) == (None, None, None, None)
    assert world.work.steps("Site")[0] == tuple(sorted(steps, key=lambda step: step.num))


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ((None, None, None), [1, 2, 3]),
        ((5, 2, 9), [5, 2, 9]),
        # What was given no number comes behind all that were.
        ((None, 7, None), [8, 7, 9]),
        ((), []),
    ],
    ids=str,
)
def test_steps_have_the_numbers_they_are_given_or_the_next(
    world: World, given: tuple[int | None, ...], numbers: list[int]
) -> None:
    ada = world.agent("ada")
    assert nums(planned(world, ada, *[draft(num=num) for num in given])) == numbers


def test_a_project_is_made_once_under_a_key(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first = made(world, ada, "a", "b", key="k")
    before = world.last_seq()
    assert made(world, ada, "a", "b", key="k") == first
    assert world.last_seq() == before
    with pytest.raises(IdempotencyMismatch):
        made(world, ada, "a", key="k")
    assert made(world, bob, name="other", key="k")[0].name == "other"


@pytest.mark.parametrize("name", ["p", "P", " p "])
def test_a_name_belongs_to_one_project(world: World, name: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    before = world.last_seq()
    with pytest.raises(ProjectExists):
        planned(world, ada, "b", name=name)
    assert world.last_seq() == before
    assert [project.name for project in world.work.projects()[0]] == ["p"]


def test_a_project_is_found_by_its_name_in_any_case_and_by_its_id(world: World) -> None:
    ada = world.agent("ada")
    project, steps = made(world, ada, "a", name="Web Site")
    assert world.work.project("web  SITE") == world.work.project(project.id) == project
    assert world.work.step("web site/1")[0] == world.work.step(f"{project.id}/1")[0] == steps[0]
    assert world.work.step(steps[0].id)[0] == steps[0]


def test_an_unknown_project_or_step_is_named_with_the_nearest(world: World) -> None:
    ada = world.agent("ada")
    project, steps = made(world, ada, "a", name="website")
    with pytest.raises(ProjectNotFound) as caught:
        world.work.project("webiste")
    assert "website" in caught.value.hint
    mistyped = project.id[:-1] + ("0" if project.id[-1] != "0" else "1")
    for unknown in (mistyped, "nonsense"):
        with pytest.raises(ProjectNotFound):
            world.work.project(unknown)
        with pytest.raises(ProjectNotFound):
            world.work.step(f"{unknown}/1")
    mistyped = steps[0].id[:-1] + ("0" if steps[0].id[-1] != "0" else "1")
    for unknown in (mistyped, "nonsense", "website/2", "website/x", "website/" + "9" * 30, "1"):
        with pytest.raises(StepNotFound):
            world.work.step(unknown)


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ((draft("a", num=2), draft("b", num=2)), StepExists),
        ((draft("a"), draft("b", 7)), StepNotFound),
        ((draft("a", 1),), InvalidArgument),
        ((draft("a", 2), draft("b", 1)), InvalidArgument),
    ],
    ids=["number twice", "need of nothing", "needs itself", "circle"],
)
def test_a_plan_that_does_not_hold_together_is_not_made(
    world: World, steps: tuple[StepDraft, ...], error: type[Exception]
) -> None:
    ada = world.agent("ada")
    before = world.last_seq()
    with pytest.raises(error):
        planned(world, ada, *steps)
    assert world.last_seq() == before
    assert world.work.projects()[0] == ()
    assert [topic.name for topic in world.topics.list()[0]] == ["all"]


def test_a_number_that_two_of_many_steps_have_is_named(world: World) -> None:
    ada = world.agent("ada")
    many = [draft(num=num) for num in range(1, 501)]
    with pytest.raises(StepExists, match="321"):
        planned(world, ada, *many, draft(num=321))


def test_only_the_registered_plan(world: World) -> None:
    with pytest.raises(NotRegistered):
        planned(world, Actor("nobody"), "a")
    assert world.work.projects()[0] == ()


def test_two_who_make_the_same_project_at_once_make_one(world: World) -> None:
    actors = world.agents_named("ada", "bob", "cy", "dee")
    outcomes: list[str] = []
    start = threading.Barrier(len(actors))

    def make(actor: Actor) -> None:
        start.wait()
        try:
            planned(world, actor, "a")
            outcomes.append("made")
        except ProjectExists:
            outcomes.append("refused")

    threads = [threading.Thread(target=make, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["made", "refused", "refused", "refused"]
    assert len(world.work.steps("p")[0]) == 1


# --- its topic -------------------------------------------------------------------------------------


def test_a_project_has_a_topic_of_its_name(world: World) -> None:
    ada = world.agent("ada")
    project, _ = made(world, ada, name="Site")
    topic = world.topics.get("site")
    assert (project.topic, topic.name, topic.created_by) == (topic.id, "Site", "ada")


def test_an_open_topic_of_that_name_becomes_the_projects(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    topic = world.topic(bob, "site")
    assert made(world, ada, name="Site")[0].topic == topic.id


def test_a_closed_topic_of_that_name_stays_closed(world: World) -> None:
    ada = world.agent("ada")
    old = world.topic(ada, "site")
    world.topics.close(ada, "site")
    assert made(world, ada, name="site")[0].topic not in (None, old.id)
    assert world.topics.get(old.id).state == "closed"


# --- more steps ------------------------------------------------------------------------------------


def test_steps_are_added_while_work_runs(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    planned(world, ada, "a", "b")
    live = claimed(world, bob)
    added = world.work.add_steps(ada, "p", (draft("c", 1), draft("d", 2, num=10), draft("e", 10)))
    assert nums(added) == [11, 10, 12]
    assert [step.waiting for step in added] == [1, 1, 1]
    assert world.work.project("p").counts == Counts(not_started=4, claimed=1, ready=1)
    world.work.complete(bob, live.token)
    assert ready(world) == [2, 11]


def test_a_need_that_is_met_when_the_step_is_added_is_not_waited_for(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "done", "merged", "failed")
    did(world, ada, "p/1")
    did(world, ada, "p/2")
    world.work.merge(ada, "p/2")
    failed(world, ada, "p/3")
    edges = [
        (Need(1), 0),
        (Need(1, "merged"), 1),
        (Need(2), 0),
        (Need(2, "merged"), 0),
        (Need(3), 1),
        (Need(3, "merged", "continue"), 0),
    ]
    added = world.work.add_steps(ada, "p", tuple(draft("x", edge) for edge, _ in edges))
    assert [step.waiting for step in added] == [waiting for _, waiting in edges]
    assert ready(world) == [4, 6, 7, 9]


def test_steps_that_do_not_fit_are_not_added(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    before, steps = world.last_seq(), world.work.steps("p")
    for wrong, error in (
        ((draft(num=9), draft(num=2)), StepExists),
        ((draft(num=9), draft(num=9)), StepExists),
        ((draft(num=9), draft("x", 8)), StepNotFound),
        ((draft("x", 4), draft("y", 3)), InvalidArgument),
    ):
        with pytest.raises(error):
            world.work.add_steps(ada, "p", wrong)
    with pytest.raises(ProjectNotFound):
        world.work.add_steps(ada, "q", (draft(),))
    assert (world.last_seq(), world.work.steps("p")) == (before, steps)


def test_steps_are_added_once_under_a_key(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    added = world.work.add_steps(ada, "p", (draft("b"),), key="k")
    assert world.work.add_steps(ada, "p", (draft("b"),), key="k") == added
    assert len(world.work.steps("p")[0]) == 2
    with pytest.raises(IdempotencyMismatch):
        world.work.add_steps(ada, "p", (draft("c"),), key="k")


# --- listed ----------------------------------------------------------------------------------------


def test_projects_come_highest_priority_first_then_newest(world: World) -> None:
    ada = world.agent("ada")
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", -5), ("e", 5)):
        made(world, ada, name=name, priority=priority)
    names, after = [], None
    while True:
        page, after = world.work.projects(after=after, limit=2)
        assert 1 <= len(page) <= 2
        names += [project.name for project in page]
        if after is None:
            break
    assert names == ["e", "b", "c", "a", "d"]


def test_projects_of_one_state(world: World) -> None:
    ada = world.agent("ada")
    for state in ("active", "paused", "aborted"):
        made(world, ada, "x", name=state)
        world.work.update_project(ada, state, {"state": state})
    made(world, ada, "x", name="completed")
    did(world, ada, "completed/1")
    for state in ("active", "paused", "completed", "aborted"):
        assert [(one.name, one.state) for one in world.work.projects(state=state)[0]] == [(state, state)]


@pytest.mark.parametrize("after", ["", "x", "1", "1:", ":1", "--1:1", "1:x", "²:1", "9" * 25 + ":1"])
def test_what_is_no_place_in_a_list(world: World, after: str) -> None:
    planned(world, world.agent("ada"), "a")
    with pytest.raises(InvalidArgument):
        world.work.projects(after=after)
    with pytest.raises(InvalidArgument):
        world.work.steps("p", after=after)


def test_steps_come_by_number_in_pages(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, *[draft(num=num) for num in (5, 1, 9, 2, 7)])
    planned(world, ada, "x", "y", name="q")
    seen, after = [], None
    while True:
        page, after = world.work.steps(after=after, limit=3)
        seen += [(step.project, step.num) for step in page]
        if after is None:
            break
    p, q = world.work.project("p").id, world.work.project("q").id
    assert seen == [(p, 1), (p, 2), (p, 5), (p, 7), (p, 9), (q, 1), (q, 2)]


def test_steps_by_status_and_scope(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft(scope="db"), draft(scope="ui"), draft(scope="db"), draft("x", 1, scope="db"))
    did(world, ada, "p/1")
    claimed(world, ada, step="p/2")
    assert nums(world.work.steps("p", statuses=("completed", "claimed"))[0]) == [1, 2]
    assert nums(world.work.steps("p", scope="db")[0]) == [1, 3, 4]
    assert nums(world.work.steps("p", scope="db", statuses=("not_started",))[0]) == [3, 4]
    assert nums(world.work.steps(scope="ui")[0]) == [2]
    with pytest.raises(ProjectNotFound):
        world.work.steps("q")


# --- kept ------------------------------------------------------------------------------------------


def test_a_large_plan_is_made_in_one_stroke(world: World) -> None:
    ada = world.agent("ada")
    drafts = tuple(draft(f"step {num}", *range(max(1, num - 3), num)) for num in range(1, 2001))
    project, steps = world.work.create_project(ada, ProjectDraft("big", steps=drafts))
    assert project.counts == Counts(not_started=2000, ready=1)
    assert [len(step.needs) for step in steps[:5]] == [0, 1, 2, 3, 3]
    assert step_of(world, 2000, "big").waiting == 3


def test_what_one_writes_another_sees(world: World) -> None:
    from hubbub.stores import open_store

    ada = world.agent("ada")
    _, steps = made(world, ada, FULL._replace(needs=()))
    other: Store = open_store(world.url, clock=world.clock)  # type: ignore[arg-type]
    try:
        assert other.work.step("p/3")[0] == steps[0]
        assert other.check() == []
    finally:
        other.close()


def test_steps_that_come_together_may_need_each_other_in_every_way(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "done", "merged", "failed")
    did(world, ada, "p/1")
    did(world, ada, "p/2")
    world.work.merge(ada, "p/2")
    failed(world, ada, "p/3")
    steps = (
        draft("a", Need(3), Need(5), Need(5), num=11),
        draft("b", Need(3, on_failure="continue"), Need(9, on_failure="continue"), num=5),
        draft("c", Need(1, "merged"), Need(7, "merged", "cancel"), num=9),
        draft("d", Need(2, "merged"), Need(4, "merged", "continue"), Need(1), num=7),
        draft("e", num=4),
    )
    added = world.work.add_steps(ada, "p", steps)
    for step, given in zip(added, steps, strict=True):
        assert step.needs == tuple(sorted(set(given.needs)))
    assert [(step.num, step.waiting) for step in added] == [(11, 2), (5, 1), (9, 2), (7, 1), (4, 0)]
    assert world.store.check() == []
