"""What can't be meant of work on the command line is refused with a code, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hubbub.faces.cli.catalogue import COMMANDS
from tests.faces.cli_support import Cli
from tests.faces.work_support import plan, take


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def told(cli: Cli) -> list[Any]:
    """All that could have changed."""
    with cli.bus() as bus:
        return [event.seq for event in bus.events.events(limit=1000)]


BAD = (
    (["project", "create", ""], 2, "INVALID_ARGUMENT"),
    (["project", "create", "x" * 200], 2, "INVALID_ARGUMENT"),
    (["project", "create", "parser"], 1, "PROJECT_EXISTS"),
    (["project", "create", "q", "--priority", "101"], 2, "INVALID_ARGUMENT"),
    (["project", "create", "q", "--priority", "high"], 2, "USAGE"),
    (["project", "create", "q", "--steps", "none.json"], 3, "NOT_FOUND"),
    (["project", "create", "q", "--steps", "."], 2, "INVALID_ARGUMENT"),
    (["project", "create", "q", "--metadata", "[1]"], 2, "INVALID_ARGUMENT"),
    (["project", "list", "--state", "open"], 2, "INVALID_ARGUMENT"),
    (["project", "list", "--limit", "0"], 2, "INVALID_ARGUMENT"),
    (["project", "list", "--after", "x"], 2, "INVALID_ARGUMENT"),
    (["project", "show", "parsr"], 3, "PROJECT_NOT_FOUND"),
    (["project", "edit", "parser"], 2, "USAGE"),
    (["project", "events", "parser", "--limit", "0"], 2, "INVALID_ARGUMENT"),
    (["project", "events", "parser", "--step", "9"], 3, "STEP_NOT_FOUND"),
    (["step", "add", "parser"], 2, "USAGE"),
    (["step", "add", "parser", "x", "--needs", "0"], 2, "INVALID_ARGUMENT"),
    (["step", "add", "parser", "x", "--needs", "9"], 3, "STEP_NOT_FOUND"),
    (["step", "add", "parser", "x", "--needs", "one"], 2, "USAGE"),
    (["step", "add", "parser", "x", "--needs", "1:done"], 2, "USAGE"),
    (["step", "add", "parser", "x", "--needs", "1:merged:completed"], 2, "USAGE"),
    (["step", "add", "parser", "x", "--num", "1"], 2, "STEP_EXISTS"),
    (["step", "add", "parser", "x", "--num", "4", "--needs", "4"], 2, "DEPENDENCY_CYCLE"),
    (["step", "add", "parser", "x", "--path", "/etc/passwd"], 2, "INVALID_ARGUMENT"),
    (["step", "add", "parser", "x", "--path", "a/../../b"], 2, "INVALID_ARGUMENT"),
    (["step", "add", "parser", "x", "--time-limit", "soon"], 2, "USAGE"),
    (["step", "add", "parser", "x", "--time-limit", "nan"], 2, "INVALID_ARGUMENT"),
    (["step", "add", "parser", "x", "--attempts", "0"], 2, "INVALID_ARGUMENT"),
    (["step", "add", "parser", "x", "--steps", "-"], 2, "USAGE"),
    (["step", "add", "nowhere", "x"], 3, "PROJECT_NOT_FOUND"),
    (["step", "edit", "parser/2"], 2, "USAGE"),
    (["step", "edit", "parser/2", "--delay", "-5m"], 2, "USAGE"),
    (["step", "edit", "parser/2", "--delay=-5m"], 2, "USAGE"),
    (["step", "needs", "parser/1", "--add", "3"], 1, "STEP_BEGUN"),
    (["step", "needs", "parser/2", "--add", "3"], 2, "DEPENDENCY_CYCLE"),
    (["step", "needs", "parser/2", "--add", "2"], 2, "DEPENDENCY_CYCLE"),
    (["step", "split", "parser/1", "x"], 1, "STEP_BEGUN"),
    (["step", "split", "parser/2"], 2, "USAGE"),
    (["step", "list", "--status", "done"], 2, "INVALID_ARGUMENT"),
    (["step", "list", "--ready", "--after", "1:1"], 2, "USAGE"),
    (["step", "show", "3"], 3, "STEP_NOT_FOUND"),
    (["step", "claim", "--step", "parser/77"], 3, "STEP_NOT_FOUND"),
    (["step", "claim", "--lease", "0"], 2, "INVALID_ARGUMENT"),
    (["step", "claim", "--wait", "-1"], 2, "INVALID_ARGUMENT"),
    (["step", "claim", "--key", ""], 2, "INVALID_ARGUMENT"),
    (["step", "done", "--token", "c0000"], 5, "CLAIM_NOT_FOUND"),
    (["step", "done", "--notes", "@none.md"], 3, "NOT_FOUND"),
    (["step", "fail", "x", "--class", "mood"], 2, "INVALID_ARGUMENT"),
    (["step", "fail"], 2, "USAGE"),
    (["step", "merged", "parser/2"], 1, "STEP_NOT_COMPLETED"),
    (["step", "retry", "parser/2"], 1, "STEP_NOT_PARKED"),
    (["step", "stale", "--idle", "-1"], 2, "INVALID_ARGUMENT"),
    (["step", "graph", "nowhere"], 3, "PROJECT_NOT_FOUND"),
    (["step", "graph", "parser", "-o", "r.png"], 2, "USAGE"),
    (["step", "claim", "parser/1"], 3, "PROJECT_NOT_FOUND"),
    (["reserve", "/abs"], 2, "INVALID_ARGUMENT"),
    (["reserve", "x", "--for", "0"], 2, "INVALID_ARGUMENT"),
    (["reserve", "--for", "1h"], 2, "USAGE"),
    (["reserve", "check"], 2, "USAGE"),
    (["reserve", "check", "a{b"], 2, "INVALID_ARGUMENT"),
    (["reserve", "renew", "r1"], 3, "RESERVATION_NOT_FOUND"),
    (["log", "--project", "nowhere"], 3, "PROJECT_NOT_FOUND"),
    (["log", "--step", "parser/9"], 3, "STEP_NOT_FOUND"),
)


def test_what_can_not_be_meant_changes_nothing(cli: Cli) -> None:
    plan(cli, "A", {"title": "B", "needs": [1]}, {"title": "C", "needs": [2]})
    take(cli, agent="alice")
    before = told(cli)
    wrong = []
    for words, status, code in BAD:
        done = cli.run(*words, agent="alice")
        if (done.status, done.code) != (status, code) or done.out:
            wrong.append((words, done.status, done.err))
    assert wrong == []
    assert told(cli) == before


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{",
        b"3",
        b'{"step": []}',
        b'[{"titel": "x"}]',
        b'[{"title": "x", "needs": "two"}]',
        b'[{"title": ""}]',
        b"[[]]",
        b'["' + b"x" * 301 + b'"]',
        b'["\xff"]',
        b"[" * 100_000,
        b'[{"title": "x", "num": 1}, {"title": "y", "num": 1}]',
        b'[{"title": "x", "needs": [2]}, {"title": "y", "needs": [1]}]',
        json.dumps([{"title": "x", "instructions": "x" * 70_000}]).encode(),
    ],
)
def test_a_plan_that_is_wrong_makes_nothing(cli: Cli, given: bytes) -> None:
    done = cli.run("project", "create", "p", "--steps", "-", agent="alice", stdin=given)
    assert done.status == 2, done.err
    assert len(done.err) < 1000
    assert cli.run("project").out == "No projects.\n"


def test_without_a_bus_nothing_is_made(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for words in (["project"], ["step", "claim"], ["step", "done"], ["reserve", "x"], ["step", "graph", "p"]):
        done = cli.run(*words, agent="alice")
        assert (done.status, done.code) == (3, "BUS_NOT_FOUND"), done.err
        in_json = cli.run(*words, "--json", agent="alice")
        assert in_json.json["error"]["code"] == "BUS_NOT_FOUND"
    assert not cli.path.exists()
    assert cli.run("complete-projects").out == ""


def test_who_acts_must_be_named(cli: Cli) -> None:
    plan(cli, "A")
    for words in (["step", "claim"], ["step", "mine"], ["project", "pause", "parser"], ["reserve", "x"]):
        done = cli.run(*words)
        assert (done.status, done.code) == (5, "NO_AGENT_NAME")


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name.partition(" ")[0] in ("project", "step", "reserve")]
)
def test_every_example_of_work_is_one_that_is_taken(name: str) -> None:
    import shlex

    from hubbub.faces.cli import catalogue, main
    from hubbub.faces.cli.arguments import parse

    words = shlex.split(COMMANDS[name].example)[1:]
    before, word, after = main._split(words)
    more, action, rest = main._split(after)
    found, taken = catalogue.resolve(word, action)
    assert found == name
    parse(found, before + (more + rest if taken else after), lambda _: None)
