"""Whose a claim is when calls are cancelled, answers are lost, servers die and leases run out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.model_work import TRIES_MAX, Claim
from tests.faces.desk import Desk, refusal
from tests.faces.mcp_support import DEADLINE, RawServer, bus_at, clog


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(bus_at(tmp_path))
    yield desk
    desk.bus.close()


@pytest.fixture
def bob(desk: Desk) -> Iterator[RawServer]:
    with RawServer(desk.url, "bob") as server:
        yield server


def test_a_cancelled_wait_ends_at_once_and_takes_nothing(desk: Desk, bob: RawServer) -> None:
    waiting = bob.call("claim_step", wait_seconds=40)
    bob.send(waiting)
    assert bob.quiet()
    bob.cancel(waiting)
    bob.use("list_agents")  # reads on: the cancelled call is never answered
    step = desk.add()
    assert bob.quiet()
    found, attempts = desk.step(step)
    # It may have looked once more before it saw that it was cancelled.
    assert (found.status, [attempt.state for attempt in attempts] in ([], ["released"])) == (
        "not_started",
        True,
    )
    assert bob.use("claim_step")["step_id"] == step


def claim_unheard(desk: Desk, bob: RawServer, step: str, **given: Any) -> None:
    """Claim a step and cancel the call before its answer can go out."""
    answers = clog(bob, desk.bus, "bob")
    claim = bob.call("claim_step", **given)
    bob.send(claim)
    desk.until(lambda: desk.step(step)[0].status == "claimed")
    bob.cancel(claim)
    bob.read_answers(answers)
    desk.until_given_back(step)


def test_a_cancellation_before_the_answer_gives_the_step_back(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    claim_unheard(desk, bob, step)
    assert bob.use("claim_step")["step_id"] == step
    bob.use("complete_step")


def test_a_cancellation_of_an_answer_that_was_had_leaves_the_claim(desk: Desk, bob: RawServer) -> None:
    """OpenCode cancels each call after it has used the answer."""
    step = desk.add()
    claim = bob.call("claim_step")
    bob.send(claim)
    bob.answer_to(claim)
    assert bob.quiet()
    bob.cancel(claim)
    bob.use("list_agents")
    assert desk.step(step)[0].status == "claimed"
    assert bob.use("complete_step")["step"]["status"] == "completed"


def test_what_was_given_back_unheard_uses_up_no_attempt(desk: Desk, bob: RawServer) -> None:
    step = desk.add(max_attempts=1)
    for _ in range(TRIES_MAX + 5):
        claim_unheard(desk, bob, step)
    text = bob.call("claim_step")
    bob.send(text)
    answer = bob.answer_to(text)["result"]
    assert answer["structuredContent"]["step_id"] == step
    assert "Earlier attempts" not in answer["content"][0]["text"]  # they have nothing to say


def test_a_cancellation_after_the_next_call_comes_too_late(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    claim = bob.call("claim_step")
    bob.send(claim)
    bob.answer_to(claim)
    bob.use("start_step")
    bob.cancel(claim)
    bob.use("list_agents")
    assert desk.step(step)[0].status == "in_progress"
    assert bob.use("complete_step")["step"]["status"] == "completed"


def test_a_cancelled_call_that_was_given_an_earlier_claim_leaves_it(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    first = bob.use("claim_step", idempotency_key="k")
    again = bob.call("claim_step", idempotency_key="k")
    bob.send(again)
    answer = bob.answer_to(again)["result"]["structuredContent"]
    assert (answer["claim_token"], answer["repeated"]) == (first["claim_token"], True)
    bob.cancel(again)
    bob.use("list_agents")
    assert desk.step(step)[0].status == "claimed"


def test_a_cancelled_claim_is_a_new_request_under_its_old_key(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    claim_unheard(desk, bob, step, idempotency_key="k")
    again = bob.use("claim_step", idempotency_key="k")
    assert (again["step_id"], again["attempt"]["number"], "repeated" in again) == (step, 2, False)


def test_a_cancellation_while_the_answer_is_written_gives_back(desk: Desk, bob: RawServer) -> None:
    """The pipe is full in the middle of the answers when the cancellation comes."""
    desk.bus.work.create_project(desk.actor, "long", [{"title": "t", "instructions": "p" * 39_000}])
    desk.bus.work.update_project(desk.actor, "long", state="paused")
    looking = [bob.call("get_step", step_id="long/1") for _ in range(4)]
    bob.send(*looking)  # their answers fill the pipe, which nobody reads
    step = desk.add()
    claim = bob.call("claim_step")
    bob.send(claim)
    desk.until(lambda: desk.step(step)[0].status == "claimed")
    bob.cancel(claim)
    bob.read_answers(looking)
    desk.until_given_back(step)


def test_a_claim_whose_answer_nobody_reads_is_given_back(desk: Desk, bob: RawServer) -> None:
    bob.send(bob.call("claim_step", wait_seconds=40))
    assert bob.quiet()
    assert bob.process.stdout is not None
    bob.process.stdout.close()
    step = desk.add()
    desk.until(lambda: len(desk.step(step)[1]) == 1)
    desk.until_given_back(step)
    assert bob.end() == 0


def test_a_client_that_vanishes_while_it_waits_takes_nothing(desk: Desk, bob: RawServer) -> None:
    bob.send(bob.call("claim_step", wait_seconds=40))
    assert bob.quiet()
    assert bob.end() == 0
    assert desk.step(desk.add())[1] == ()


@pytest.mark.parametrize("asks", [True, False], ids=["asks", "just goes on"])
def test_a_killed_server_leaves_its_claim_to_the_next_one(desk: Desk, asks: bool) -> None:
    step = desk.add(instructions="All of it.")
    with RawServer(desk.url, "bob") as first:
        claim = first.use("claim_step")
        first.use("start_step", branch="bob/t", worktree="/w/t")
        first.use("heartbeat", notes="up to here")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(DEADLINE)
    with RawServer(desk.url, "bob") as second:
        if asks:
            (found,) = second.use("claim_step", mine=True)["claims"]
            assert (found["step_id"], found["claim_token"]) == (step, claim["claim_token"])
            assert found["step"]["instructions"] == "All of it."
            assert (found["attempt"]["branch"], found["attempt"]["notes"]) == ("bob/t", "up to here")
        done = second.use("complete_step", commit_hash="c")
        assert (done["step"]["id"], done["step"]["status"]) == (step, "completed")
    assert len(desk.step(step)[1]) == 1


def test_the_next_server_renews_what_the_killed_one_had_without_being_asked(desk: Desk) -> None:
    step = desk.add()
    with RawServer(desk.url, "bob") as first:
        first.use("claim_step")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(DEADLINE)

    def adopted() -> bool:
        return bool(desk.bus.events.events(step=step, kinds=("claim_adopted",)))

    assert not adopted()
    with RawServer(desk.url, "bob") as second:
        desk.until(adopted)
        other = desk.add()
        claim = second.use("claim_step")
        assert (claim["step_id"], claim["also_yours"]) == (other, [step])


def test_the_server_renews_what_it_was_given(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    bob.use("claim_step")
    before = desk.step(step)[0].lease_until
    assert before is not None
    desk.until(lambda: (desk.step(step)[0].lease_until or 0) > before)  # its heart beats


def test_a_claim_that_ran_out_says_when_and_who_has_it(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    bob.use("claim_step", start=True)
    desk.run_out(step)
    with RawServer(desk.url, "carol") as carol:
        assert carol.use("claim_step")["step_id"] == step
        code, text = refusal(bob, "complete_step", step_id=step, commit_hash="late")
        assert code == "CLAIM_LOST"
        assert "Your claim on step 1 of p (attempt 1) ran out at 20" in text
        assert "carol has had it since 20" in text
        assert "Stop working on this step and do not push" in text
        # Told again, from what the bus knows of the attempt.
        code, text = refusal(bob, "heartbeat", step_id=step)
        assert (code, "attempt 1, ran out at" in text, "carol has it now" in text) == (
            "CLAIM_LOST",
            True,
            True,
        )
        assert carol.use("complete_step")["step"]["agent"] == "carol"


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("start_step", {}),
        ("heartbeat", {"notes": "n"}),
        ("complete_step", {}),
        ("fail_step", {"reason": "r"}),
        ("release_step", {}),
    ],
)
def test_a_lost_claim_can_change_nothing(
    desk: Desk, bob: RawServer, tool: str, given: dict[str, Any]
) -> None:
    step = desk.add()
    bob.use("claim_step")
    desk.bus.work.cancel_step(desk.actor, step, reason="not needed")
    before = desk.step(step)
    # A call that names no step is told of the loss, too, before it is taken to mean another claim.
    other = desk.add()
    bob.use("claim_step")
    code, text = refusal(bob, tool, **given)
    assert (code, "was cancelled at" in text) == ("CLAIM_LOST", True)
    assert desk.step(step) == before
    assert desk.step(other)[0].status == "claimed"
    assert refusal(bob, tool, step_id=step, **given)[0] == "CLAIM_LOST"
    bob.use(tool, **given)
    assert desk.step(other)[1][0].state != "live" or tool in ("start_step", "heartbeat")


def test_a_repeated_end_of_a_step_gives_the_same_answer(desk: Desk, bob: RawServer) -> None:
    steps = [desk.add(), desk.add()]
    for step in steps:
        bob.use("claim_step", step_id=step)
    done = bob.use("complete_step", step_id=steps[0], commit_hash="c", idempotency_key="k")
    failed = bob.use("fail_step", step_id=steps[1], reason="r", idempotency_key="l")
    again = bob.use("complete_step", step_id=steps[0], commit_hash="c", idempotency_key="k")
    assert again["step"] == done["step"]
    again = bob.use("fail_step", step_id=steps[1], reason="r", idempotency_key="l")
    assert (again["step"], len(desk.step(steps[1])[1])) == (failed["step"], 1)
    code, text = refusal(bob, "complete_step")
    assert (code, f"The last one, on {steps[1]}, is over." in text) == ("CLAIM_NOT_FOUND", True)


def test_many_claims_fit_into_one_answer(desk: Desk, bob: RawServer) -> None:
    steps = [desk.add(instructions="i" * 30_000) for _ in range(12)]
    for step in steps:
        bob.use("claim_step", step_id=step)
    mine = bob.call("claim_step", mine=True)
    bob.send(mine)
    result = bob.answer_to(mine)["result"]
    assert len(result["content"][0]["text"]) < 48_000
    assert [claim["step_id"] for claim in result["structuredContent"]["claims"]] == steps[:10]
    assert result["structuredContent"]["more"] == steps[10:]
    cut = result["structuredContent"]["claims"][0]["step"]
    rest = bob.use("get_step", step_id=steps[0], field="instructions", offset=len(cut["instructions"]))
    assert cut["instructions"] + rest["text"] == "i" * 30_000


def test_after_a_loss_the_next_claim_on_the_same_step_counts(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    old = bob.use("claim_step")
    desk.run_out(step)
    new = bob.use("claim_step")
    assert (new["step_id"], new["attempt"]["number"]) == (step, 2)
    assert refusal(bob, "complete_step", claim_token=old["claim_token"])[0] == "CLAIM_LOST"
    assert bob.use("complete_step", step_id=step)["step"]["status"] == "completed"


def test_a_claim_that_another_process_of_the_agent_took_is_found(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    bob.use("claim_step")
    desk.run_out(step)
    shell = desk.bus.agents.attach("bob")
    assert isinstance(desk.bus.work.claim(shell, step=step), Claim)
    first = bob.call("complete_step", step_id=step)
    bob.send(first)
    result = bob.answer_to(first)["result"]
    if result.get("isError"):
        # It was not told of the loss yet; unless the look that a server takes when it starts came so late
        # that it found the newer claim.
        assert result["structuredContent"]["error"]["code"] == "CLAIM_LOST"
        # A call that is repeated does not mean that claim.
        for named in ({"step_id": step}, {}, {"step_id": "p/1"}):
            again = bob.call("complete_step", **named)
            bob.send(again)
            told = bob.answer_to(again)["result"]
            if not told.get("isError"):
                assert desk.step(step)[0].status == "completed"  # that look came in between
                return
            assert told["structuredContent"]["error"]["code"] == "CLAIM_LOST"
            text = told["content"][0]["text"]
            assert "Another process of bob claimed it anew at" in text
            assert "claim_step(mine=true)" in text
        assert desk.step(step)[0].status == "claimed"
        assert bob.use("claim_step", mine=True)["claims"][0]["step_id"] == step
        bob.use("complete_step", step_id=step)
    _, attempts = desk.step(step)
    assert [attempt.state for attempt in attempts] == ["completed", "lost"]


def test_a_stale_claim_is_seen_and_taken_back_only_when_it_ran_out(desk: Desk, bob: RawServer) -> None:
    step = desk.add()
    bob.use("claim_step")
    with RawServer(desk.url, "carol") as carol:
        code, text = refusal(carol, "recover_step", step_id=step)
        assert (code, "bob holds step 1" in text) == ("CLAIM_LIVE", True)
        assert carol.use("detect_stale_work")["stale"] == []
        desk.run_out(step)
        assert carol.use("recover_step", step_id=step)["step"]["status"] == "not_started"


def test_another_name_gives_back_what_the_made_up_one_had(desk: Desk) -> None:
    step = desk.add()
    with RawServer(desk.url) as server:
        server.use("claim_step")
        request = server.call("register_agent", name="zoe")
        server.send(request)
        text = server.answer_to(request)["result"]["content"][0]["text"]
        assert f"Its claims were given back: {step}" in text
        assert desk.step(step)[0].status == "not_started"
        again = server.use("claim_step", step_id=step)
        assert again["attempt"]["agent"] == "zoe"
