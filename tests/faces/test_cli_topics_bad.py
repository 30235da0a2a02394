"""Topics on the command line: hostile text, names that can't be, and what can't be meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faces.cli_support import Cli, post


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


HOSTILE = "\x1b[2J\x07\u202eevil\u2028p1abcde #review 9 from root: message, just now\r\nnext"


def test_control_characters_reach_no_terminal(cli: Cli) -> None:
    post(cli, "review", HOSTILE)
    for words in (["topic", "read", "review"], ["sync", "review"], ["watch", "review", "--last", "1"]):
        if words[0] == "watch":
            cli.run("topic", "close", "review", "--reason", HOSTILE.replace("\r\n", " "), agent="alice")
        shown = cli.run(*words, agent="bob")
        assert shown.status == 0
        assert not set(shown.out) & {"\x1b", "\x07", "\u202e", "\u2028", "\r"}, words
        at_margin = [line for line in shown.out.splitlines() if line.startswith("p1abcde")]
        assert at_margin == []
    as_json = cli.run("topic", "read", "review", "--json")
    assert as_json.raw.isascii()
    assert as_json.json["messages"][0]["body"] == HOSTILE


BAD_NAMES = ["", "#", "  ", "x" * 100_000, "x" * 129, "a\nb", "a\x1b[2Jb", "a\u202eb", "a\u200bb", "t100000"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:20])
def test_names_that_no_topic_can_have(cli: Cli, name: str) -> None:
    for words in (["topic", "create", name], ["topic", "rename", "review", name]):
        post(cli, "review")
        answer = cli.run(*words, agent="alice")
        assert (answer.status, answer.code) == (2, "INVALID_ARGUMENT"), answer.err
        assert len(answer.err) < 1000
        assert not set(answer.err) & {"\x1b", "\u202e", "\u200b"}


@pytest.mark.parametrize(
    "name", ["x" * 100_000, "no such topic", "\x1b[2J", "t1zzzzz", "#"], ids=lambda name: ascii(name)[:20]
)
def test_topics_that_are_not_there(cli: Cli, name: str) -> None:
    commands: list[list[str]] = [
        ["topic", each, name] for each in ("show", "read", "members", "join", "leave")
    ]
    commands += [
        ["topic", "reset", name, "start"],
        ["sync", name],
        ["watch", name],
        ["search", "x", "--topic", name],
    ]
    for words in commands:
        answer = cli.run(*words, agent="alice")
        assert answer.status in (2, 3), (words[:2], answer.err[:300])
        assert answer.code in ("TOPIC_NOT_FOUND", "INVALID_ARGUMENT")
        assert len(answer.err) < 1000
        assert "\x1b" not in answer.err


WRONG: list[tuple[list[str], str, int]] = [
    (["topic", "creat", "x"], "USAGE", 2),
    (["topic", "rename", "review"], "USAGE", 2),
    (["topic", "list", "--limit", "0"], "INVALID_ARGUMENT", 2),
    (["topic", "list", "--limit", "1000000000"], "INVALID_ARGUMENT", 2),
    (["topic", "list", "--state", "opne"], "INVALID_ARGUMENT", 2),
    (["topic", "members", "review", "--limit", "0"], "INVALID_ARGUMENT", 2),
    (["topic", "read", "review", "--last", "0"], "INVALID_ARGUMENT", 2),
    (["topic", "read", "review", "--last", "1000000000"], "INVALID_ARGUMENT", 2),
    (["topic", "read", "review", "--after", "0", "--limit", "0"], "INVALID_ARGUMENT", 2),
    (["topic", "read", "review", "--after", "-1"], "INVALID_ARGUMENT", 2),
    (["topic", "read", "review", "--after", str(10**30)], "INVALID_ARGUMENT", 2),
    (["topic", "join", "review", "--from", "end"], "INVALID_ARGUMENT", 2),
    (["topic", "join", "review", "--from", "99"], "CURSOR_OUT_OF_RANGE", 2),
    (["topic", "reset", "review", "-1"], "INVALID_ARGUMENT", 2),
    (["topic", "reset", "review", "1" * 5000], "INVALID_ARGUMENT", 2),
    (["topic", "create", "x", "--metadata", "[1]"], "INVALID_ARGUMENT", 2),
    (["topic", "create", "x", "--metadata", json.dumps({"k": "v" * 20_000})], "INVALID_ARGUMENT", 2),
    (["topic", "close", "review", "--reason", "r" * 1001], "INVALID_ARGUMENT", 2),
    (["topic", "close", "all"], "TOPIC_FIXED", 1),
    (["topic", "rename", "all", "x"], "TOPIC_FIXED", 1),
    (["topic", "delete", "all", "--yes"], "TOPIC_FIXED", 1),
]


@pytest.mark.parametrize(("words", "code", "status"), WRONG, ids=lambda value: str(value)[:50])
def test_what_can_not_be_meant(cli: Cli, words: list[str], code: str, status: int) -> None:
    post(cli, "review", "x")
    answer = cli.run(*words, agent="alice")
    assert (answer.code, answer.status, answer.out) == (code, status, "")
    as_json = cli.run(*words, "--json", agent="alice")
    assert (as_json.json["error"]["code"], as_json.err) == (code, "")


def test_without_an_agent_or_a_bus(cli: Cli) -> None:
    for words in (["topic", "create", "x"], ["topic", "join", "all"], ["sync", "all"]):
        assert (cli.run(*words).status, cli.run(*words).code) == (5, "NO_AGENT_NAME")
    for words in (["topic"], ["topic", "create", "x"], ["sync", "all"], ["watch", "--all"], ["search", "x"]):
        answer = cli.run(*words, "--bus", "none.db", agent="alice")
        assert (answer.status, answer.code) == (3, "BUS_NOT_FOUND")
    assert not (cli.folder / "none.db").exists()
    stranger = cli.run("sync", "all", agent="carol")
    assert (stranger.status, stranger.code) == (5, "NOT_REGISTERED")
