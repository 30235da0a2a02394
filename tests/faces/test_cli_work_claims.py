"""Holding steps as whole processes: claims that race, that are lost, and that a killed command had."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.cli_support import DEADLINE, Cli, end, small_pipe, wait_until_listening
from tests.faces.work_support import plan, step, take, took_before, unclaimed

BIG = "x" * 60_000
"""More than a small pipe holds: its writer blocks until somebody reads."""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


# --- racing and waiting --------------------------------------------------------------------------------


def test_forty_at_once_have_forty_steps(cli: Cli) -> None:
    plan(cli, *(f"Step {num}" for num in range(1, 41)))
    with cli.bus() as bus:
        for num in range(40):
            bus.agents.register(f"a{num}")
    racing = [cli.start("step", "claim", "--json", agent=f"a{num}") for num in range(40)]
    answers = []
    for process in racing:
        out, err = process.communicate(timeout=DEADLINE * 2)
        assert process.returncode == 0, (out, err)
        answers.append(out)
    shown = cli.run("step", "list", "--json").json["steps"]
    assert [each["status"] for each in shown] == ["claimed"] * 40
    assert sorted(each["agent"] for each in shown) == sorted(f"a{num}" for num in range(40))
    for each in shown:  # and each was told of the step that it has
        assert each["id"].encode() in answers[int(each["agent"][1:])]
    assert cli.run("step", "claim", "--json", agent="bob").json["reason"] == "all_in_flight"


def test_a_waiting_claim_takes_what_becomes_ready(cli: Cli) -> None:
    plan(cli, "first", {"title": "second", "needs": [1]})
    take(cli, agent="bob")
    waiting = cli.start("step", "claim", "parser", "--wait", "--json", agent="alice")
    wait_until_listening(waiting)
    cli.run("step", "done", agent="bob")
    out, _ = waiting.communicate(timeout=DEADLINE)
    assert waiting.returncode == 0
    assert b'"title": "second"' in out


def test_what_waiting_can_not_bring_is_not_waited_for(cli: Cli) -> None:
    plan(cli, "only")
    take(cli, agent="bob")
    cli.run("step", "done", agent="bob")
    over = cli.run("step", "claim", "parser", "--wait", agent="alice")
    assert (over.status, "(all_done)" in over.out) == (4, True)
    unknown = cli.run("step", "claim", "parsr", "--wait", agent="alice")
    assert (unknown.status, unknown.code) == (3, "PROJECT_NOT_FOUND")
    assert "Did you mean parser?" in unknown.err


def test_a_signal_ends_a_wait(cli: Cli) -> None:
    plan(cli, "only")
    take(cli, agent="bob")
    waiting = cli.start("step", "claim", "--wait", agent="alice")
    wait_until_listening(waiting)
    assert end(waiting, signal.SIGTERM) == 128 + signal.SIGTERM
    waiting.communicate()


# --- which claim ---------------------------------------------------------------------------------------


def test_which_claim_a_command_is_about(cli: Cli) -> None:
    none = cli.run("step", "done", agent="bob")
    assert (none.status, none.code) == (5, "CLAIM_NOT_FOUND")
    assert cli.run("step", "mine", agent="bob").status == 4
    plan(cli, "A", "B", "C", "D")
    tokens = [take(cli, agent="bob")["claim_token"] for _ in range(4)]
    several = cli.run("step", "beat", agent="bob")
    assert (several.status, several.code) == (2, "USAGE")
    for num, token in enumerate(tokens, 1):
        assert f"--token {token} (parser/{num} " in several.err
    assert cli.run("step", "done", "--token", tokens[0], agent="bob").status == 0
    assert cli.run("step", "done", "--step", "2", agent="bob").status == 0
    named = cli.run("step", "done", "--json", agent="bob", env={"HUBBUB_CLAIM": tokens[3]})
    assert named.json["step"]["num"] == 4
    both = cli.run("step", "done", "--token", tokens[2], "--step", "3", agent="bob")
    assert (both.status, both.code) == (2, "USAGE")
    other = cli.run("step", "done", "--step", "parser/1", agent="bob")
    assert (other.status, other.code) == (5, "CLAIM_NOT_FOUND")
    unknown = cli.run("step", "done", "--step", "parser/9", agent="bob")
    assert (unknown.status, unknown.code) == (3, "STEP_NOT_FOUND")
    theirs = cli.run("step", "done", "--token", tokens[2], agent="alice")
    assert (theirs.status, theirs.code) == (5, "CLAIM_LOST")
    assert "belongs to bob" in theirs.err
    assert cli.run("step", "done", agent="bob").out.startswith("Completed parser/3")  # the only one left


def test_a_late_shell_can_be_kept_from_a_newer_claim_of_its_agent(cli: Cli) -> None:
    plan(cli, "A")
    old = took_before(cli, 1000, "parser/1", agent="bob")
    claimed = cli.run("step", "claim", agent="bob")  # another shell of bob
    new = cli.run("step", "mine", "--json", agent="bob").json["claims"][0]
    assert f"export HUBBUB_CLAIM={new['claim_token']}\n" in claimed.out
    for command in ("start", "beat", "done", "release"):
        fenced = cli.run("step", command, agent="bob", env={"HUBBUB_CLAIM": old.token})
        assert (fenced.status, fenced.code) == (5, "CLAIM_LOST")
        first = cli.run("step", command, "--attempt", "1", agent="bob")
        assert (first.status, first.code) == (5, "CLAIM_LOST")
        assert "bob on parser/1 is attempt 2, claimed at 20" in first.err
        assert "If you work on attempt 1: stop, it is over, and do not push." in first.err
    assert cli.run("step", "fail", "no", "--attempt", "1", "--step", "1", agent="bob").code == "CLAIM_LOST"
    named = cli.run("step", "beat", "--token", new["claim_token"], "--attempt", "1", agent="bob")
    assert named.code == "CLAIM_LOST"
    assert step(cli, "parser/1")["status"] == "claimed"
    # Who names nothing acts on the newer one, and is told so.
    told = cli.run("step", "beat", agent="bob").out
    assert re.match(r"Renewed parser/1: A \(attempt 2, claimed .* by bob\); its lease ends in 5 min", told)
    done = cli.run("step", "done", "--attempt", "2", "--json", agent="bob")
    assert (done.json["attempt"]["number"], done.json["attempt"]["agent"]) == (2, "bob")
    assert done.json["attempt"]["claimed_at"] == new["attempt"]["claimed_at"]
    assert step(cli, "parser/1")["status"] == "completed"


def test_a_claim_beside_a_session_is_renewed_by_it(cli: Cli) -> None:
    plan(cli, "A", "B")
    holding = cli.hold("alice")
    try:
        shown = cli.run("step", "claim", agent="alice").out
        assert "; your session " in shown
        assert " renews it" in shown
        assert "hubbub step beat" not in shown
    finally:
        holding.kill()
        holding.communicate()


# --- how claims end ------------------------------------------------------------------------------------


def test_a_claim_that_was_not_renewed_is_lost(cli: Cli) -> None:
    plan(cli, "A", "B")
    mine = took_before(cli, 1000, "parser/1", agent="bob")
    taken = take(cli, "--step", "parser/1", agent="alice")
    assert taken["earlier_attempts"][0]["state"] == "lost"
    lost = cli.run("step", "done", "--token", mine.token, agent="bob")
    assert (lost.status, lost.code) == (5, "CLAIM_LOST")
    assert "alice has had it since " in lost.err
    assert "do not push" in lost.err
    named = cli.run("step", "done", "--step", "parser/1", agent="bob")  # who knows no token is told, too
    assert (named.status, named.code) == (5, "CLAIM_LOST")
    assert "(attempt 1) ran out at " in named.err
    assert "alice has it now." in named.err
    assert step(cli, "parser/1")["agent"] == "alice"


def test_recovering(cli: Cli) -> None:
    plan(cli, "A", "B")
    took_before(cli, 1000, "parser/1", agent="bob")
    stale = cli.run("step", "stale", "--json").json["stale"]
    assert [(each["step"]["num"], each["expired"]) for each in stale] == [(1, True)]
    told = cli.run("step", "stale").out
    assert told.startswith("parser/1  bob, attempt 1, last renewed 16 min ago, ran out  A\n")
    assert cli.run("step", "recover", "parser/1").out.startswith(
        "Recovered parser/1: A; it can be claimed.\n"
    )
    assert cli.run("step", "stale").out == "Every claim was renewed within 2 min.\n"
    take(cli, "--step", "parser/1", agent="bob")
    live = cli.run("step", "recover", "parser/1", agent="alice")
    assert (live.status, live.code) == (1, "CLAIM_LIVE")
    assert cli.run("step", "stale", "--idle", "0").out.startswith("parser/1  bob, attempt 2, last renewed ")
    took_before(cli, 200, "parser/2", agent="bob")  # nobody renews it, and its lease is not over yet
    unseen = cli.run("step", "stale").out
    assert unseen.startswith("parser/2  bob, attempt 1, last renewed 3 min ago, lease ends in ")


def test_failing_parking_and_coming_back(cli: Cli) -> None:
    plan(cli, {"title": "A", "max_attempts": 1}, {"title": "B", "needs": [1]})
    take(cli, agent="bob")
    parked = cli.run("step", "fail", "-", "--delay", "0", agent="bob", stdin=b"It does not link.\n")
    assert unclaimed(parked.out).startswith("Failed at parser/1: A; it is parked: its attempts are used up.")
    stuck = cli.run("step", "claim", agent="alice")
    assert (stuck.status, "Nothing to claim (blocked_by_failed)" in stuck.out) == (4, True)
    assert "  In the way: s" in stuck.out
    back = cli.run("step", "retry", "parser/1", "--note", "Use gold.", agent="alice")
    assert back.out.startswith("Brought back parser/1: A; it can be claimed.\n")
    again = take(cli, agent="alice")
    assert again["earlier_attempts"][0]["reason"].startswith("It does not link.")
    final = cli.run("step", "fail", "Impossible.", "--final", agent="alice")
    assert "; it is given up. Bring it back: hubbub step retry s" in final.out
    cancelled = cli.run("step", "cancel", "parser/2", "--reason", "No use.", agent="alice")
    assert cancelled.out.startswith("Cancelled parser/2: B.\n")
    twice = cli.run("step", "cancel", "parser/2", agent="alice")
    assert (twice.status, twice.code) == (1, "STEP_OVER")


def test_releasing_is_no_failure(cli: Cli) -> None:
    plan(cli, "A")
    take(cli, agent="bob")
    rests = cli.run("step", "release", "--delay", "1h", "--notes", "half", agent="bob")
    assert unclaimed(rests.out).startswith("Released parser/1: A; it can be claimed again in 60 min.\n")
    assert cli.run("project", "metrics", "--json").json["failures"] == {}
    shown = cli.run("step", "show", "parser/1", "--json").json
    assert (shown["attempts"][0]["state"], shown["attempts"][0]["notes"]) == ("released", "half")


def test_completing_twice_is_the_same(cli: Cli) -> None:
    plan(cli, "A")
    token = take(cli, agent="bob")["claim_token"]
    answers = {cli.run("step", "done", "--token", token, agent="bob").out for _ in range(2)}
    assert len(answers) == 1
    refused = cli.run("step", "fail", "no", "--token", token, agent="bob")
    assert (refused.status, refused.code) == (5, "CLAIM_LOST")


# --- what a command had that did not end well ------------------------------------------------------------


def blocked(cli: Cli, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """A claim of a step so long that the command is writing still."""
    plan(cli, {"title": "A", "instructions": BIG})
    reading, writing = small_pipe()
    process = cli.start("step", "claim", *words, agent="bob", stdout=writing)
    os.close(writing)
    assert os.read(reading, 1)  # it has begun to write, so that the claim is there
    assert step(cli, "parser/1")["status"] == "claimed"
    return process, reading


def test_a_command_killed_before_its_answer_was_read_can_be_repeated(cli: Cli) -> None:
    process, reading = blocked(cli, "--key", "k1")
    assert end(process) == -signal.SIGKILL
    os.close(reading)
    process.communicate()
    mine = cli.run("step", "mine", "--json", agent="bob").json["claims"]
    again = take(cli, "--key", "k1", agent="bob")
    assert again["repeated"] is True
    assert [again["claim_token"]] == [claim["claim_token"] for claim in mine]
    assert step(cli, "parser/1")["attempts"] == 1
    assert take_nothing(cli) == "all_in_flight"
    assert cli.run("step", "done", agent="bob").status == 0


def take_nothing(cli: Cli) -> str:
    answer = cli.run("step", "claim", "--json", agent="bob")
    assert answer.status == 4
    return str(answer.json["reason"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_writing_gives_back(cli: Cli, number: signal.Signals) -> None:
    process, reading = blocked(cli)
    assert end(process, number) == 128 + number
    os.close(reading)
    process.communicate()
    assert step(cli, "parser/1")["status"] == "not_started"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("flag", ["", "--json"])
def test_a_full_device_gives_back_a_claim_and_keeps_what_was_done(cli: Cli, flag: str) -> None:
    plan(cli, "A")

    def full(words: str) -> str:
        script = f'"{sys.executable}" -m hubbub --as bob {words} {flag} >/dev/full'
        done = subprocess.run(
            ["bash", "-c", script],
            env=cli.env,
            cwd=cli.folder,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 1
        return unclaimed(done.stderr.decode())

    assert "Gave back the step: nothing is lost." in full("step claim")
    assert step(cli, "parser/1")["status"] == "not_started"
    take(cli, "--key", "k1", agent="bob")
    full("step claim --key k1")
    assert step(cli, "parser/1")["status"] == "claimed"  # an earlier command had it
    assert "It was done all the same: Completed parser/1: A." in full("step done")
    assert step(cli, "parser/1")["status"] == "completed"


def test_nothing_is_claimed_without_a_place_to_write_to(cli: Cli) -> None:
    plan(cli, "A")
    script = f'"{sys.executable}" -m hubbub --as bob step claim >&-'
    done = subprocess.run(
        ["bash", "-c", script],
        env=cli.env,
        cwd=cli.folder,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, b"OUTPUT_FAILED" in done.stderr) == (1, True)
    assert "attempts" not in step(cli, "parser/1")
