"""Whose a claim is when servers without a name of their own, or with several, come and go."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.model_work import Claim
from tests.faces.desk import Desk, refusal
from tests.faces.mcp_support import DEADLINE, RawServer, bus_at


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(bus_at(tmp_path))
    yield desk
    desk.bus.close()


@pytest.fixture
def bob(desk: Desk) -> Iterator[RawServer]:
    with RawServer(desk.url, "bob") as server:
        yield server


def test_a_made_up_name_does_not_go_on_with_what_another_process_had_under_it(desk: Desk) -> None:
    step, other = desk.add(paths=["a"]), desk.add()
    with RawServer(desk.url) as first:
        assert first.use("claim_step")["step_id"] == step
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(DEADLINE)
    before = desk.step(step)
    with RawServer(desk.url) as second:  # of the same client, and so of the same name
        for named in ({"step_id": step}, {}, {"step_id": "p/1"}):
            code, text = refusal(second, "complete_step", **named)
            assert (code, "claimed by an earlier process under the name raw" in text) == (
                "CLAIM_NOT_FOUND",
                True,
            )
            assert "If that was you: claim_step(mine=true)" in text
        # What it claims itself is all that it means by a call without a step.
        assert second.use("claim_step")["step_id"] == other
        assert second.use("complete_step")["step"]["id"] == other
        waiting = second.call("claim_step")
        second.send(waiting)
        told = second.answer_to(waiting)["result"]["content"][0]["text"]
        assert f"Another process under your name claimed {step}" in told
        now = desk.step(step)
        assert now[1][0].state == "live"
        assert (now[0].lease_until or 0) < (before[0].lease_until or 0)  # nobody renewed it
        assert not desk.bus.events.events(step=step, kinds=("claim_adopted",))
        (claim,) = second.use("claim_step", mine=True)["claims"]
        assert claim["step_id"] == step
        assert desk.bus.events.events(step=step, kinds=("claim_adopted",))
        assert second.use("complete_step")["step"]["status"] == "completed"


@pytest.mark.parametrize("given", [{}, {"step_id": "1"}])
def test_a_made_up_name_that_was_taken_over_is_told_so(desk: Desk, given: dict[str, str]) -> None:
    desk.add()
    with RawServer(desk.url) as server:
        server.use("claim_step")
        desk.bus.agents.join("raw", take_over=True)
        assert refusal(server, "complete_step", **given)[0] == "SESSION_SUPERSEDED"
    with RawServer(desk.url, hello=False) as server:
        server.hello("crow")
        server.use("list_agents")
        desk.bus.agents.join("crow", take_over=True)
        assert refusal(server, "complete_step", **given)[0] == "SESSION_SUPERSEDED"


def test_a_made_up_name_has_what_a_command_beside_it_claimed(desk: Desk) -> None:
    step = desk.add()
    with RawServer(desk.url) as server:
        server.use("list_agents")
        shell = desk.bus.agents.attach("raw")
        assert isinstance(desk.bus.work.claim(shell, step=step), Claim)
        assert server.use("complete_step")["step"]["id"] == step


@pytest.mark.parametrize("told", ["by its environment", "with a call", "by register_agent"])
def test_a_made_up_name_goes_on_when_the_client_is_known_to_be_the_same(desk: Desk, told: str) -> None:
    step = desk.add()
    session = "one" if told == "by its environment" else ""

    def say_who(server: RawServer) -> None:
        if told == "with a call":
            request = server.request(
                "tools/call", {"name": "list_agents", "arguments": {}, "_meta": {"threadId": "one"}}
            )
            server.send(request)
            server.answer_to(request)
        elif told == "by register_agent":
            server.use("register_agent", name="raw")

    with RawServer(desk.url, CLAUDE_CODE_SESSION_ID=session) as first:
        say_who(first)
        first.use("claim_step")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(DEADLINE)
    with RawServer(desk.url, CLAUDE_CODE_SESSION_ID=session) as second:
        say_who(second)
        assert second.use("complete_step")["step"]["id"] == step


def test_a_sub_agent_is_told_to_say_who_it_is(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    bob.use("register_agent", name="sub")
    request = bob.call("claim_step", as_agent="sub")
    bob.send(request)
    assert "Give as_agent='sub' with each." in bob.answer_to(request)["result"]["content"][0]["text"]
    assert bob.use("complete_step", as_agent="sub")["step"]["id"] == step
