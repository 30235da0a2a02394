"""What is asked of work and can't be meant: each is refused with a code, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hubbub
from tests.faces.mcp_support import RawServer, bus_at

LONG = "x" * 1_000_000
CIRCLE = [{"title": f"t{num}", "num": num, "needs": [num % 500 + 1]} for num in range(1, 501)]
HQ_STEPS = [
    {"step_num": 1, "branch": "b1", "scope": "s", "depends_on": []},
    {"step_num": 2, "branch": "b2", "scope": "s", "depends_on": [1]},
]


class Case:
    """Two agents on a bus with the project ``p``: alice has its first step, bob its second."""

    def __init__(self, url: str, alice: RawServer, bob: RawServer) -> None:
        self.url, self.alice, self.bob = url, alice, bob
        alice.use("create_project", name="p", steps=["one", "two", {"title": "three", "needs": [1]}, "four"])
        self.step = alice.use("claim_step", step_id="p/1")["step_id"]
        self.bobs = bob.use("claim_step", step_id="p/2", start=True)
        alice.use("create_project", name="other", steps=["elsewhere"])

    def seen(self) -> str:
        """All of the work, to compare."""
        with hubbub.connect(self.url) as bus:
            steps, _ = bus.work.steps()
            plain = [(step._replace(lease_until=None), bus.work.explain(step.id)) for step in steps]
            return repr((bus.work.projects(), plain, bus.work.reservations()))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    url = bus_at(tmp_path_factory.mktemp("bad"))
    with RawServer(url, "alice") as alice, RawServer(url, "bob") as bob:
        yield Case(url, alice, bob)


def refusal(server: RawServer, tool: str, given: dict[str, Any]) -> dict[str, Any]:
    """The error that a call leads to: short, and its text begins with its code."""
    request = server.request("tools/call", {"name": tool, "arguments": given})
    server.send(request)
    result = server.answer_to(request)["result"]
    assert result.get("isError"), result
    error: dict[str, Any] = result["structuredContent"]["error"]
    text = result["content"][0]["text"]
    assert text.startswith(error["code"])
    assert len(json.dumps(result)) < 6000
    return error


def made(**given: Any) -> tuple[str, dict[str, Any]]:
    return "create_project", {"name": "new", **given}


BAD = "INVALID_ARGUMENT"
REFUSED: list[tuple[tuple[str, dict[str, Any]], str, str]] = [
    (made(steps=[{"title": "t", "needs": [1]}]), "DEPENDENCY_CYCLE", ""),
    (made(steps=[{"title": "t", "needs": [9]}]), "STEP_NOT_FOUND", "9"),
    (made(steps=CIRCLE), "DEPENDENCY_CYCLE", ""),
    (made(steps=[{"title": "t", "num": 1}, {"title": "u", "num": 1}]), "STEP_EXISTS", "1"),
    (made(name="p"), "PROJECT_EXISTS", "p"),
    (made(name=" P "), "PROJECT_EXISTS", "p"),
    (made(name=""), BAD, ""),
    (made(name=LONG), BAD, ""),
    (("create_project", {}), BAD, "needs the argument name"),
    (made(description=LONG), BAD, "description"),
    (made(base_commit=LONG), BAD, "base_commit"),
    (made(priority=101), BAD, "priority"),
    (made(priority="high"), BAD, "priority"),
    (made(steps=7), BAD, "steps must be a list"),
    (made(steps='[{"title":"a"},]'), BAD, "steps is not valid JSON: "),
    (made(steps=' {"title": "a", x}'), BAD, "line 1 column 17"),
    (("add_steps", {"project": "p", "steps": "[" * 100_000}), BAD, "steps is not valid JSON: "),
    (made(steps=[7]), BAD, "Step 1"),
    (made(steps=[{}]), BAD, "Step 1: title"),
    (made(steps=["a", {"title": " "}]), BAD, "Step 2: title"),
    (made(steps=[{"title": LONG}]), BAD, "Step 1: title"),
    (made(steps=[{"title": "t", "instructions": LONG}]), BAD, "instructions"),
    (made(steps=[{"title": "t", "acceptance": LONG}]), BAD, "acceptance"),
    (made(steps=[{"title": "t", "branch": LONG}]), BAD, "branch"),
    (made(steps=[{"title": "t", "scope": LONG}]), BAD, "scope"),
    (made(steps=[{"title": "t", "paths": [LONG]}]), BAD, "can't be a path"),
    (made(steps=[{"title": "t", "paths": ["../x"]}]), BAD, "leads out"),
    (made(steps=[{"title": "t", "paths": ["/etc/passwd"]}]), BAD, "relative"),
    (made(steps=[{"title": "t", "paths": ["src/{a,b"]}]), BAD, "{"),
    (made(steps=[{"title": "t", "paths": [""]}]), BAD, "path"),
    (made(steps=[{"title": "t", "colour": 1}]), BAD, "colour"),
    (made(steps=[{"title": "t", "needs": ["x"]}]), BAD, "needs"),
    (made(steps=[{"title": "t", "needs": [{"num": 1, "until": "never"}]}]), BAD, "until"),
    (made(steps=[{"title": "t", "metadata": {"k": LONG}}]), BAD, "metadata"),
    (made(idempotency_key=""), BAD, "idempotency key"),
    (("add_steps", {"project": "p"}), BAD, "steps"),
    (("add_steps", {"project": "nope", "steps": ["t"]}), "PROJECT_NOT_FOUND", "nope"),
    (("add_steps", {"project": "p", "steps": [{"title": "t", "num": 1}]}), "STEP_EXISTS", "1"),
    (("add_steps", {"project": "p", "steps": ["t"], "instead_of": 1}), "STEP_BEGUN", "alice"),
    (("add_steps", {"project": "p", "steps": ["t"], "instead_of": "s9zzzzz"}), "STEP_NOT_FOUND", ""),
    (("get_project", {"project": "nope"}), "PROJECT_NOT_FOUND", "nope"),
    (("get_project", {"project": "p", "status": "lost"}), BAD, "lost"),
    (("get_project", {"project": "p", "after": "x"}), BAD, "x"),
    (("get_project", {"project": "p", "limit": 0}), BAD, "limit"),
    (("list_projects", {"state": "open"}), BAD, "open"),
    (("update_project", {"project": "p"}), BAD, "Nothing was given"),
    (("update_project", {"project": "p", "state": "done"}), BAD, "done"),
    (("update_project", {"project": "p", "name": "other"}), "PROJECT_EXISTS", "other"),
    (("update_project", {"project": "p", "steps": [{"step_id": 3, "needs": [3]}]}), "DEPENDENCY_CYCLE", "3"),
    (("update_project", {"project": "p", "steps": [{"step_id": 9, "title": "x"}]}), "STEP_NOT_FOUND", "9"),
    (("update_project", {"project": "p", "steps": [{"step_id": "other/1", "title": "x"}]}), BAD, "another"),
    (("update_project", {"project": "p", "steps": [{"step_id": 4}]}), BAD, "Change 1"),
    (("update_project", {"project": "p", "steps": ["x"]}), BAD, "Change 1"),
    (("update_project", {"project": "p", "steps": [{"step_id": 4, "num": 3}]}), "STEP_EXISTS", "3"),
    (("get_step", {"step_id": "s9zzzzz"}), "STEP_NOT_FOUND", ""),
    (("get_step", {"step_id": "p/99"}), "STEP_NOT_FOUND", "99"),
    (("get_step", {"step_id": ""}), BAD, "step"),
    (("get_step", {"step_id": LONG}), BAD, "step"),
    (("get_step", {"step_id": "p/1", "field": "title"}), BAD, "field"),
    (("get_step", {"step_id": "p/1", "offset": 5}), BAD, "offset"),
    (("claim_step", {"step_id": "p/99"}), "STEP_NOT_FOUND", "99"),
    (("claim_step", {"scope": ""}), BAD, "scope"),
    (("claim_step", {"wait_seconds": -1}), BAD, "wait"),
    (("claim_step", {"mine": True, "project": "p"}), BAD, "alone"),
    (("claim_step", {"agent_id": "bob"}), BAD, "agent_id"),
    (("claim_step", {"as_agent": "carol"}), "NOT_REGISTERED", "carol"),
    (("start_step", {"step_id": "p/4"}), "CLAIM_NOT_FOUND", "not_started"),
    (("complete_step", {"step_id": "p/4"}), "CLAIM_NOT_FOUND", "not_started"),
    (("complete_step", {"step_id": "p/2"}), "CLAIM_NOT_FOUND", "bob has it now"),
    (("complete_step", {"step_id": "p/4", "merged": True}), "STEP_NOT_COMPLETED", "4"),
    (("complete_step", {"claim_token": "cnosuchtoken"}), "CLAIM_NOT_FOUND", "cnosuchtoken"),
    (("complete_step", {"commit_hash": LONG}), BAD, "commit"),
    (("complete_step", {"notes": LONG}), BAD, "notes"),
    (("complete_step", {"result": LONG}), BAD, "result"),
    (("complete_step", {"files_modified": [""]}), BAD, "files"),
    (("complete_step", {"files_modified": {"a": 1}}), BAD, "files_modified"),
    (("heartbeat", {"notes": LONG}), BAD, "notes"),
    (("heartbeat", {"step_id": "p/3"}), "CLAIM_NOT_FOUND", "not_started"),
    (("fail_step", {}), BAD, "reason"),
    (("fail_step", {"reason": ""}), BAD, "reason"),
    (("fail_step", {"reason": LONG}), BAD, "reason"),
    (("fail_step", {"reason": "r", "failure": "bad"}), BAD, "failure"),
    (("release_step", {"delay_seconds": -1}), BAD, "delay"),
    (("start_step", {"worktree": LONG}), BAD, "worktree"),
    (("recover_step", {"step_id": "p/2"}), "CLAIM_LIVE", "bob"),
    (("recover_step", {"step_id": "p/4", "retry": True}), "STEP_NOT_PARKED", "not_started"),
    (("recover_step", {"step_id": "p/4", "note": "n"}), BAD, "retry"),
    (("detect_stale_work", {"timeout_minutes": -1}), BAD, "timeout_minutes"),
    (("get_metrics", {"project": "nope"}), "PROJECT_NOT_FOUND", "nope"),
    (("get_metrics", {"agent_id": "bob"}), BAD, "agent_id"),
    (("get_agent_events", {"project": "nope"}), "PROJECT_NOT_FOUND", "nope"),
    (("get_agent_events", {"step_id": "p/99"}), "STEP_NOT_FOUND", "99"),
    (("get_agent_events", {"limit": 101}), BAD, "limit"),
    (("get_agent_events", {"after": -1}), BAD, "after"),
]


@pytest.mark.parametrize(
    ("call", "code", "says"),
    REFUSED,
    ids=[f"{number}-{call[0]}" for number, (call, _, _) in enumerate(REFUSED)],
)
def test_it_is_refused_and_changes_nothing(
    case: Case, call: tuple[str, dict[str, Any]], code: str, says: str
) -> None:
    before = case.seen()
    error = refusal(case.alice, *call)
    assert error["code"] == code
    assert says in error["message"]
    assert case.seen() == before


def test_anothers_token_is_refused(case: Case) -> None:
    before = case.seen()
    for tool in ("start_step", "heartbeat", "complete_step", "fail_step", "release_step"):
        given = {"claim_token": case.bobs["claim_token"]} | ({"reason": "r"} if tool == "fail_step" else {})
        error = refusal(case.alice, tool, given)
        assert (error["code"], "belongs to bob" in error["message"]) == ("CLAIM_LOST", True)
    assert case.seen() == before
    assert case.bob.use("heartbeat")["step_id"] == case.bobs["step_id"]


def test_the_arguments_of_other_systems_are_told_what_to_be(case: Case) -> None:
    error = refusal(case.alice, "claim_step", {"project": "p", "agent_id": "alice"})
    assert "as_agent" in error["hint"]
    assert refusal(case.alice, "complete_step", {"comit_hash": "c"})["hint"].startswith(
        "Did you mean commit_hash?"
    )


def test_the_circle_is_printed(case: Case) -> None:
    steps = [{"title": "a", "needs": [3]}, {"title": "b", "needs": [1]}, {"title": "c", "needs": [2]}]
    message = refusal(case.alice, *made(steps=steps))["message"]
    assert all(num in message for num in "123")


def test_plans_as_users_of_hq_write_them(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice") as alice:
        made = alice.use("create_project", name="hq", base_commit="abc", steps=json.dumps(HQ_STEPS))
        assert [(step["num"], step["title"], step["branch"]) for step in made["steps"]] == [
            (1, "b1", "b1"),
            (2, "b2", "b2"),
        ]
        assert made["steps"][1]["needs"] == [{"num": 1}]
        alice.use("claim_step", project="hq")
        alice.use("start_step", step_id=made["steps"][0]["id"], worktree="/w/1")
        # Completed without a word of where it began, and with the list as text.
        done = alice.use(
            "complete_step",
            step_id=made["steps"][0]["id"],
            commit_hash=1234567,
            files_modified='["a.py", "b c.py"]',
        )
        assert done["step"]["commit_hash"] == "1234567"
        shown = alice.use("get_step", step_id="hq/1")
        assert shown["attempts"][0]["files_modified"] == ["a.py", "b c.py"]
        assert len(alice.use("get_project", name="hq")["steps"]) == 2
