"""The states of a step: every pair of status and event, those that lead on and those that can't."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hubbub.errors import HubbubError
from hubbub.model import Actor
from hubbub.model_work import CLAIM_MS, PROJECT_STATES, STATUSES, Nothing, Wanted
from tests.contract.working import claimed, draft, planned, step_of
from tests.contract.world import World

STEP = "p/1"


def _claim(world: World, ada: Actor, token: str) -> None:
    world.work.claim(ada, Wanted(step=STEP))


def _lease_runs_out(world: World, ada: Actor, token: str) -> None:
    world.clock.advance(CLAIM_MS)
    world.store.sweep("h")


def _recover(world: World, ada: Actor, token: str) -> None:
    _, attempts = world.work.step(STEP)
    seen = (attempts[0].number, attempts[0].lease_until) if attempts else (1, 1)
    world.clock.advance(CLAIM_MS)
    world.work.recover(ada, STEP, attempt=seen[0], lease_until=seen[1])


EVENTS: dict[str, Callable[[World, Actor, str], object]] = {
    "claim": _claim,
    "claim and start": lambda world, ada, token: world.work.claim(ada, Wanted(step=STEP), start=True),
    "start": lambda world, ada, token: world.work.start(ada, token),
    "renew": lambda world, ada, token: world.work.renew(ada, token),
    "complete": lambda world, ada, token: world.work.complete(ada, token),
    "merge": lambda world, ada, token: world.work.merge(ada, STEP),
    "fail": lambda world, ada, token: world.work.fail(ada, token, "broken"),
    "fail the last time": lambda world, ada, token: _fail_last(world, ada, token),
    "fail for good": lambda world, ada, token: world.work.fail(ada, token, "broken", final=True),
    "release": lambda world, ada, token: world.work.release(ada, token),
    "lease runs out": _lease_runs_out,
    "recover": _recover,
    "cancel": lambda world, ada, token: world.work.cancel_step(ada, STEP),
    "retry": lambda world, ada, token: world.work.retry(ada, STEP),
    "edit": lambda world, ada, token: world.work.edit_step(ada, STEP, {"title": "other"}),
    "set needs": lambda world, ada, token: world.work.set_needs(ada, STEP, remove=(2,)),
    "split": lambda world, ada, token: world.work.split_step(ada, STEP, (draft("part"),)),
    "abort the project": lambda world, ada, token: world.work.update_project(ada, "p", {"state": "aborted"}),
}


def _fail_last(world: World, ada: Actor, token: str) -> None:
    # The last of its attempts: the step allows one.
    world.work.fail(ada, token, "broken", failure="timeout")


_LOST = "CLAIM_LOST"
_NONE = "CLAIM_NOT_FOUND"

# What an event leads to from each of STATUSES, in their order: a status, or the code of a refusal. The token
# is that of the last claim; where there was none, one that nobody had.
TABLE: dict[str, tuple[str, ...]] = {
    "claim": ("claimed", *STATUSES[1:]),
    "claim and start": ("in_progress", *STATUSES[1:]),
    "start": (_NONE, "in_progress", "in_progress", _LOST, _LOST, _LOST, _LOST, _LOST),
    "renew": (_NONE, "claimed", "in_progress", _LOST, _LOST, _LOST, _LOST, _LOST),
    "complete": (_NONE, "completed", "completed", "completed", "merged", _LOST, _LOST, _LOST),
    "merge": (*["STEP_NOT_COMPLETED"] * 3, "merged", "merged", *["STEP_NOT_COMPLETED"] * 3),
    "fail": (_NONE, "not_started", "not_started", _LOST, _LOST, _LOST, _LOST, _LOST),
    "fail the last time": (_NONE, "parked", "parked", _LOST, _LOST, _LOST, _LOST, _LOST),
    "fail for good": (_NONE, "failed", "failed", _LOST, _LOST, _LOST, _LOST, _LOST),
    "release": (_NONE, "not_started", "not_started", _LOST, _LOST, _LOST, _LOST, _LOST),
    "lease runs out": ("not_started", "not_started", "not_started", *STATUSES[3:]),
    "recover": ("CLAIM_CHANGED", "not_started", "not_started", *["CLAIM_CHANGED"] * 5),
    "cancel": (*["cancelled"] * 3, "STEP_OVER", "STEP_OVER", "cancelled", "cancelled", "STEP_OVER"),
    "retry": (*["STEP_NOT_PARKED"] * 5, *["not_started"] * 3),
    "edit": ("not_started", "claimed", "in_progress", *["STEP_OVER"] * 5),
    "set needs": ("not_started", "STEP_BEGUN", "STEP_BEGUN", *["STEP_OVER"] * 5),
    "split": ("cancelled", "STEP_BEGUN", "STEP_BEGUN", *["STEP_OVER"] * 5),
    "abort the project": (*["cancelled"] * 3, *STATUSES[3:]),
}
ROWS = [(status, event, TABLE[event][column]) for event in EVENTS for column, status in enumerate(STATUSES)]


def _bring_to(world: World, ada: Actor, status: str) -> str:
    """Bring the step to a status; the token of its last claim, or one that nobody had."""
    if status == "not_started":
        return "nobodys"
    token = claimed(world, ada, step=STEP, start=status == "in_progress").token
    if status in ("completed", "merged"):
        world.work.complete(ada, token)
    if status == "merged":
        world.work.merge(ada, STEP)
    if status in ("failed", "parked"):
        world.work.fail(ada, token, "broken", final=status == "failed")
    if status == "cancelled":
        world.work.cancel_step(ada, STEP)
    return token


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == EVENTS.keys()
    assert all(len(row) == len(STATUSES) for row in TABLE.values())


@pytest.mark.parametrize(("status", "event", "outcome"), ROWS)
def test_transition(world: World, status: str, event: str, outcome: str) -> None:
    ada = world.agent("ada")
    attempts = 1 if status == "parked" or event == "fail the last time" else 2
    planned(world, ada, draft("it", max_attempts=attempts), "another")
    token = _bring_to(world, ada, status)
    assert step_of(world, 1).status == status
    before = world.last_seq()
    if outcome in STATUSES:
        EVENTS[event](world, ada, token)
        assert step_of(world, 1).status == outcome
    else:
        with pytest.raises(HubbubError) as caught:
            EVENTS[event](world, ada, token)
        assert caught.value.code == outcome
        assert step_of(world, 1).status in (status, "not_started" if event == "recover" else status)
        assert {entry.event for entry in world.events(after=before, step=STEP)} <= (
            {"claim_expired"} if event == "recover" else set()
        )
    if outcome == status:
        # A status that stays as it is leaves no transition in the ledger.
        kinds = {entry.event for entry in world.events(after=before, step=STEP)}
        assert kinds <= {"step_changed"}


@pytest.mark.parametrize("status", STATUSES)
def test_a_claim_of_what_can_not_be_had_is_nothing(world: World, status: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, draft("it", max_attempts=1))
    _bring_to(world, ada, status)
    if status != "not_started":
        assert isinstance(world.work.claim(ada, Wanted(step=STEP)), Nothing)


def test_every_status_is_reached_and_left_as_the_table_says() -> None:
    moves = {(status, outcome) for status, _, outcome in ROWS if outcome in STATUSES and outcome != status}
    assert {after for _, after in moves} == set(STATUSES)
    # What is done stays done.
    assert {after for before, after in moves if before in ("completed", "merged")} == {"merged"}
    assert {before for before, after in moves if after == "claimed"} == {"not_started"}


# --- projects --------------------------------------------------------------------------------------

PROJECT_EVENTS: dict[str, Callable[[World, Actor], object]] = {
    "pause": lambda world, ada: world.work.update_project(ada, "p", {"state": "paused"}),
    "resume": lambda world, ada: world.work.update_project(ada, "p", {"state": "active"}),
    "abort": lambda world, ada: world.work.update_project(ada, "p", {"state": "aborted"}),
    "the last step is done": lambda world, ada: world.work.complete(ada, world.work.mine(ada)[0].token),
    "a step is added": lambda world, ada: world.work.add_steps(ada, "p", (draft("more"),)),
}

# The same for a project, from each of PROJECT_STATES.
PROJECT_TABLE: dict[str, tuple[str, ...]] = {
    "pause": ("paused", "paused", "paused", "paused"),
    "resume": ("active", "active", "active", "active"),
    "abort": ("aborted", "aborted", "aborted", "aborted"),
    "the last step is done": ("completed", "paused", "-", "-"),
    "a step is added": ("active", "paused", "active", "aborted"),
}


@pytest.mark.parametrize("event", PROJECT_EVENTS)
@pytest.mark.parametrize("state", PROJECT_STATES)
def test_transition_of_a_project(world: World, state: str, event: str) -> None:
    ada = world.agent("ada")
    planned(world, ada, "done", "last")
    claimed(world, ada, step=STEP)
    live = claimed(world, ada)
    world.work.complete(ada, world.work.mine(ada)[0].token)
    if state == "completed":
        world.work.complete(ada, live.token)
    elif state != "active":
        world.work.update_project(ada, "p", {"state": state})
    assert world.work.project("p").state == state
    outcome = PROJECT_TABLE[event][PROJECT_STATES.index(state)]
    if outcome == "-":
        # Nobody holds a step of such a project.
        assert world.work.mine(ada) == ()
        return
    PROJECT_EVENTS[event](world, ada)
    assert world.work.project("p").state == outcome
