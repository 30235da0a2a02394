"""Plans that go out to a file and come back, on every store."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.bus import Bus
from hubbub.errors_work import ProjectExists
from hubbub.interchange.plans import FORMS, export_plan, import_plan
from hubbub.model import Actor
from hubbub.model_work import Attempt, Need, Step, StepDraft
from tests.contract.working import claimed, did, draft, failed, made, planned, ready, statuses
from tests.contract.world import World

ZOE = Actor("zoe")
"""Who imports: never who planned."""

ALL = StepDraft(
    "Parser: ‘yes’",
    num=7,
    instructions="Read it.\n\n  - indented: [not yaml]\n# no comment\n",
    acceptance="yes",
    branch="1.20",
    scope="null",
    paths=("src/**", "docs/*.md"),
    resources=("db", "on"),
    priority=-3,
    needs=(Need(2), Need(40, "merged"), Need(41, "completed", "cancel"), Need(42, "merged", "continue")),
    max_attempts=9,
    time_limit_ms=1001,
    metadata={"a": [1, None, 2.5, "1:30", {"b": True}], "": "é"},
)
AWKWARD = (
    "\x1b[2J\x07 \x9b bell",
    "a\u202eb\u200bc\u2066",
    "\r\n\r",
    " leading\n\n\ttab \n",
    "\ufeffmark\u2028\u2029\x85",
    "\n",
    "日本 ❤️ \U0001f43f",
    "- a: b # c",
    "\0",
    "'\"\\",
    "…\n...\n---\n%YAML",
)


def _bus(world: World) -> Bus:
    return Bus(world.store)


def _drafted(step: Step) -> StepDraft:
    """What was planned of a step."""
    return StepDraft(**{name: getattr(step, name) for name in StepDraft._fields})


def _told(attempt: Attempt) -> dict[str, Any]:
    """What a file says of an attempt that did a step."""
    fields = attempt._asdict()
    for name in ("session", "number", "lease_until", "limit_until"):
        del fields[name]
    return fields


def _back(world: World, form: str, name: str = "q", **options: Any) -> tuple[Step, ...]:
    """The steps of ``p`` after a journey through a file."""
    world.agent("zoe")
    text = export_plan(_bus(world), "p", form=form, results=bool(options))
    return import_plan(_bus(world), ZOE, text, name=name, **options)[1]


@pytest.mark.parametrize("form", FORMS)
def test_all_that_was_planned_comes_back(world: World, form: str) -> None:
    ada = world.agent("ada")
    project, steps = made(
        world,
        ada,
        ALL,
        *(draft("x", num=num) for num in (2, 40, 41, 42)),
        base_commit="1234567",
        description="All of it.\nReally.",
        priority=12,
        metadata={"repo": "shop", "n": 1},
    )
    again = _back(world, form)
    # A file has the steps in order of number.
    assert [_drafted(step) for step in again] == [_drafted(s) for s in sorted(steps, key=lambda s: s.num)]
    back = world.work.project("q")
    for field in ("base_commit", "description", "priority", "metadata", "state"):
        assert getattr(back, field) == getattr(project, field), field
    assert (back.created_by, project.created_by) == ("zoe", "ada")


@pytest.mark.parametrize("form", FORMS)
def test_any_text_comes_back(world: World, form: str) -> None:
    ada = world.agent("ada")
    steps = planned(
        world,
        ada,
        *(draft("x", instructions=text, acceptance=text, metadata={text: text}) for text in AWKWARD),
        description="\n".join(AWKWARD),
    )
    assert [_drafted(step) for step in _back(world, form)] == [_drafted(step) for step in steps]
    assert world.work.project("q").description == "\n".join(AWKWARD)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_can_be_shown(world: World, form: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, *(draft("x", instructions=text) for text in AWKWARD))
    text = export_plan(_bus(world), "p", form=form)
    assert text.endswith("\n")
    for letter in "\x1b\x07\x9b\u202e\u200b\u2066\r\0\ufeff":
        assert letter not in text, ascii(letter)
    assert "日本" in text


def _worked(world: World) -> None:
    """A project with a step of every status."""
    ada = world.agent("ada")
    names = ("completed", "merged", "failed", "parked", "cancelled", "claimed", "open")
    planned(world, ada, *(draft(name, branch=name) for name in names), draft("last", 1, 2))
    claim = claimed(world, ada, step="p/1")
    world.work.start(ada, claim.token, branch="own", worktree="/w")
    world.clock.advance(5000)
    world.work.complete(ada, claim.token, commit="abc", files=("a", "b"), notes="n\n", result="r")
    did(world, ada, "p/2")
    world.work.merge(ada, "p/2", commit="def")
    failed(world, ada, "p/3")
    world.work.edit_step(ada, "p/4", {"max_attempts": 1})
    failed(world, ada, "p/4", final=False)
    world.work.cancel_step(ada, "p/5")
    claimed(world, ada, step="p/6")


@pytest.mark.parametrize("form", FORMS)
def test_a_plan_is_taken_to_be_done_again(world: World, form: str) -> None:
    _worked(world)
    again = _back(world, form)
    assert [step.status for step in again] == ["not_started"] * 8
    assert [step.attempts for step in again] == [0] * 8
    assert again[7].waiting == 2
    text = export_plan(_bus(world), "p", form=form, results=True)
    _, again = import_plan(_bus(world), ZOE, text, name="r")
    assert [step.status for step in again] == ["not_started"] * 8


@pytest.mark.parametrize("form", FORMS)
def test_what_was_done_is_kept_when_asked_for(world: World, form: str) -> None:
    _worked(world)
    again = _back(world, form, keep_done=True)
    assert statuses(world, "q") == [
        "completed",
        "merged",
        "not_started",
        "not_started",
        "cancelled",
        "not_started",
        "not_started",
        "not_started",
    ]
    assert [step.attempts for step in again] == [1, 1, 0, 0, 0, 0, 0, 0]
    for num in (1, 2):
        ((before,), (after,)) = world.work.step(f"p/{num}")[1], world.work.step(f"q/{num}")[1]
        assert _told(after) == _told(before)
    assert ready(world, "q") == [3, 4, 6, 7, 8]
    text = export_plan(_bus(world), "q", form=form, results=True)
    assert text == export_plan(_bus(world), "q", form=form, results=True)
    import_plan(_bus(world), ZOE, text, name="r", keep_done=True)
    assert export_plan(_bus(world), "r", form=form, results=True) == text.replace('"q"', '"r"').replace(
        "name: q", "name: r"
    )


@pytest.mark.parametrize("state", ["paused", "aborted"])
def test_the_state_of_a_project_is_kept_with_what_was_done(world: World, state: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada, "p/1")
    world.work.update_project(ada, "p", {"state": state})
    _back(world, "json", keep_done=True)
    assert world.work.project("q").state == state
    text = export_plan(_bus(world), "p", results=True)
    assert import_plan(_bus(world), ada, text, name="r")[0].state == "active"
    world.work.update_project(ada, "q", {"state": "active"})
    assert statuses(world, "q") == ["completed", "not_started"]


def test_a_project_that_is_done_is_done(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    did(world, ada)
    _back(world, "json", keep_done=True)
    assert world.work.project("q").state == "completed"


def test_a_name_that_is_taken_imports_nothing(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a")
    did(world, ada)
    for results in (False, True):
        text = export_plan(_bus(world), "p", results=results)
        with pytest.raises(ProjectExists):
            import_plan(_bus(world), ada, text, keep_done=results)
    assert len(world.work.projects()[0]) == 1


def test_the_same_key_imports_once(world: World) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", "b")
    did(world, ada)
    text = export_plan(_bus(world), "p", results=True)
    for name, keep_done in (("q", False), ("r", True)):
        first = import_plan(_bus(world), ada, text, name=name, keep_done=keep_done, key=name)
        assert import_plan(_bus(world), ada, text, name=name, keep_done=keep_done, key=name) == first
    assert len(world.work.projects()[0]) == 3


def test_more_steps_than_a_page(world: World) -> None:
    ada = world.agent("ada")
    steps = [draft(f"step {num}", *([num - 1] if num > 1 else []), num=num) for num in range(1, 2502)]
    planned(world, ada, *steps)
    assert [_drafted(step) for step in _back(world, "json")] == steps
