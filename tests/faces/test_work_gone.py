"""What both faces say when a holder is gone, and to the holder that comes back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.clock import ManualClock, SystemClock
from hubbub.model_work import ORPHAN_MS, Claim, Holder, Nothing
from hubbub.stores import open_store
from tests.faces.cli_support import Cli
from tests.faces.desk import Desk
from tests.faces.mcp_support import DEADLINE, RawServer, bus_at
from tests.faces.work_support import plan, step, take, took_before


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(bus_at(tmp_path))
    yield desk
    desk.bus.close()


def leave(url: str, agent: str, step: str) -> None:
    """Let ``agent`` claim a step in a session that was not heard of since: for a minute and a half."""
    from hubbub.bus import Bus

    with Bus(open_store(url, clock=ManualClock(SystemClock().now() - 90_000))) as bus:
        seat = bus.agents.join(agent)
        assert isinstance(bus.work.claim(seat.actor, step=step), Claim)


def text_of(server: RawServer, tool: str, **given: object) -> str:
    request = server.call(tool, **given)
    server.send(request)
    return str(server.answer_to(request)["result"]["content"][0]["text"])


def test_a_shell_is_told_that_the_holder_is_gone_and_how_to_free_the_step(cli: Cli) -> None:
    plan(cli, "A", {"title": "B", "needs": [1]})
    leave(cli.url, "bob", "parser/1")
    free = "To free it now, and all that bob holds: hubbub unregister bob"
    nothing = cli.run("step", "claim", agent="alice")
    assert nothing.status == 4
    (line,) = [
        line for line in nothing.out.splitlines() if "parser/1" in line and "bob" in line and "20" in line
    ]
    assert line.startswith("  In the way: parser/1 is held by bob, offline since 20")
    assert "; its lease ends in " in line
    assert line.endswith(free)
    holder = cli.run("step", "claim", "--json", agent="alice").json["holders"][0]
    assert (holder["name"], holder["agent"], "offline_since" in holder) == ("parser/1", "bob", True)
    for words in (
        ("explain", "parser/1"),
        ("explain", "parser/2"),
        ("show", "parser/1"),
        ("show", "parser/2"),
    ):
        told = cli.run("step", *words).out
        assert "offline since 20" in told, words
        assert free in told, words
    assert cli.run("step", "explain", "parser/1", "--json").json["blockers"][0]["holder"] == holder
    assert cli.run("unregister", "bob").status == 0
    assert take(cli, agent="alice")["step"]["num"] == 1


def test_a_holder_who_is_there_is_no_reason_to_free_anything(cli: Cli) -> None:
    plan(cli, "A")
    holding = cli.hold("bob")
    try:
        take(cli, agent="bob")
        told = cli.run("step", "claim", agent="alice").out
        assert "  In the way: parser/1 is held by bob, its lease ends in 5 min\n" in told
        assert "bob is there; its lease ends in 5 min\n" in cli.run("step", "explain", "parser/1").out
    finally:
        holding.kill()
        holding.communicate()


def test_a_shell_that_comes_back_is_told_what_it_lost(cli: Cli) -> None:
    plan(cli, "A", "B")
    mine = took_before(cli, 1000, "parser/1", agent="bob")
    with cli.bus(later=-990) as bus:
        bus.work.start(bus.agents.attach("bob"), mine.token, branch="b", worktree="/w/b")
    take(cli, "--step", "parser/1", agent="alice")
    told = cli.run("step", "mine", agent="bob")
    assert told.status == 4
    assert told.out.startswith(f"You hold no step.\nLost: parser/1  {mine.step.id}  A: attempt 1 ended ")
    assert told.out.endswith(
        "; alice has it now\n  Your work is in branch b, worktree /w/b: do not push it.\n"
    )
    # It knows that now.
    again = cli.run("step", "mine", agent="bob")
    assert (again.status, again.out) == (4, "You hold no step.\n")
    assert "lost" not in cli.run("step", "mine", "--json", agent="bob").json


def test_a_program_that_comes_back_is_told_once_what_it_lost(cli: Cli) -> None:
    plan(cli, "A", "B")
    mine = took_before(cli, 1000, "parser/1", agent="bob")
    with cli.bus(later=-990) as bus:
        bus.work.start(bus.agents.attach("bob"), mine.token, worktree="/w/b")
    assert "lost" not in cli.run("step", "mine", "--json", agent="alice").json
    (lost,) = cli.run("step", "mine", "--json", agent="bob").json["lost"]
    assert (lost["step"]["id"], lost["attempt"]["worktree"]) == (mine.step.id, "/w/b")
    assert "lost" not in cli.run("step", "mine", "--json", agent="bob").json


def test_the_next_holder_has_the_note_of_a_retry(cli: Cli) -> None:
    plan(cli, "A")
    take(cli, agent="bob")
    cli.run("step", "fail", "No.", "--final", agent="bob")
    cli.run("step", "retry", "parser/1", "--note", "Use gold.", agent="alice")
    shown = cli.run("step", "claim", agent="bob").out
    assert "  Brought back with the note:\n    Use gold.\n" in shown
    assert cli.run("step", "mine", "--json", agent="bob").json["claims"][0]["retry_note"] == "Use gold."
    assert step(cli, "parser/1")["status"] == "claimed"


def test_a_server_is_told_that_the_holder_is_gone(desk: Desk) -> None:
    first = desk.add()
    desk.add(needs=[1])
    desk.bus.agents.register("bob")
    leave(desk.url, "bob", first)
    with RawServer(desk.url, "carol") as carol:
        for tool, given in (
            ("claim_step", {}),
            ("get_step", {"step_id": first}),
            ("get_step", {"step_id": "p/2"}),
        ):
            told = text_of(carol, tool, **given)
            assert f'"p/1" ({first}) is held by bob, offline since 20' in told, tool
            assert "claim_step takes it then, or recover_step." in told
            assert "hubbub " not in told
        assert carol.use("claim_step")["holders"][0]["agent"] == "bob"


@pytest.mark.parametrize("asks", ["claims", "explains"])
def test_a_holder_whose_process_was_killed_is_known_to_be_gone_at_once(desk: Desk, asks: str) -> None:
    step, other = desk.add(paths=["src/**"]), desk.add(paths=["src/a.py"])

    def in_the_way() -> Holder:
        if asks == "claims":
            found = desk.bus.work.claim(desk.actor, step=other)
            assert isinstance(found, Nothing)
            return found.holders[0]
        (blocker,) = desk.bus.work.explain(other)
        assert blocker.holder is not None
        return blocker.holder

    with RawServer(desk.url, "bob") as bob:
        assert bob.use("claim_step")["step_id"] == step
        assert in_the_way().offline_since is None
        bob.process.send_signal(signal.SIGKILL)
        bob.process.wait(DEADLINE)
    holder = in_the_way()
    assert holder.offline_since is not None
    assert holder.lease_until == holder.offline_since + ORPHAN_MS
    assert [event.agent for event in desk.bus.events.events(kinds=("session_ended",))] == ["bob"]


def test_who_waits_learns_that_the_holder_was_killed_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.bus.claiming.LOOK_AGAIN_SECONDS", 0.0)
    step = desk.add()
    with RawServer(desk.url, "bob") as bob:
        bob.use("claim_step")
        waiting = desk.bus.work.claiming(desk.actor, step=step, wait=60)
        next(waiting)
        bob.process.send_signal(signal.SIGKILL)
        bob.process.wait(DEADLINE)
        next(waiting)
        waiting.close()
    (ended,) = desk.bus.events.events(kinds=("session_ended",))
    assert desk.step(step)[0].lease_until == ended.at + ORPHAN_MS


def test_a_server_that_comes_back_is_told_what_its_agent_lost(desk: Desk) -> None:
    step = desk.add()
    with RawServer(desk.url, "bob") as first:
        first.use("claim_step")
        first.use("start_step", branch="b", worktree="/w/b")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(DEADLINE)
    desk.run_out(step)
    with RawServer(desk.url, "carol") as carol:
        carol.use("claim_step")
        with RawServer(desk.url, "bob") as second:
            told = text_of(second, "claim_step", mine=True)
            assert told.startswith(
                "You have no claim. claim_step() takes a step.\nYou lost, and must not push:\n"
            )
            assert f'- step 1 ({step}) "t": your attempt 1 ended ' in told
            assert told.endswith('; carol has it now; branch "b"; worktree "/w/b"')
            answer = second.use("claim_step", mine=True)
            assert answer["lost"][0]["step"]["agent"] == "carol"
            other = desk.add()
            second.use("claim_step")
            both = second.use("claim_step", mine=True)
            assert [claim["step_id"] for claim in both["claims"]] == [other]
            assert both["lost"] == answer["lost"]
            assert "You lost, and must not push:" in text_of(second, "claim_step", mine=True)
        with RawServer(desk.url, "bob") as third:
            assert "lost" not in third.use("claim_step", mine=True)
            assert "You lost" not in text_of(third, "claim_step", mine=True)
