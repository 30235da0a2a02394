"""Mistakes at the command line: each answer leads to what was meant, and none passes in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faces.cli_support import Cli, post
from tests.faces.work_support import plan


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


@pytest.mark.parametrize(
    "words",
    [
        ["search", "--", "hi", "--as", "alice"],
        ["search", "--", "hi", "--json"],
        ["send", "bob", "--", "-1 from me", "--as", "alice"],
        ["send", "bob", "--", "-1 from me", "--as=alice"],
        ["sync", "all", "--", "--wait"],
    ],
)
def test_an_option_behind_two_dashes_is_refused_not_swallowed(cli: Cli, words: list[str]) -> None:
    answer = cli.run(*words)
    assert (answer.status, answer.code) == (2, "USAGE")
    assert "stands behind --" in answer.err
    assert "Put options before --." in answer.err
    assert "\0" not in answer.err + answer.out


def test_no_mark_of_a_word_behind_two_dashes_is_shown(cli: Cli) -> None:
    answer = cli.run("send", "bob", "--", "-1", "-2", agent="alice")
    assert (answer.status, answer.code) == (2, "USAGE")
    assert "-2" in answer.err
    assert "\0" not in answer.err
    assert "\\x00" not in answer.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["topic", "watch", "x"], "watch"),
        (["topic", "export"], "export"),
        (["topic", "presence"], "topic members"),
        (["topic", "post", "x"], "sync TOPIC --post TEXT"),
        (["post", "hi"], "sync TOPIC --post TEXT, or send"),
        (["hepl"], "--help"),
        (["recieve"], "receive"),
        (["step", "complete"], "step done"),
        (["step", "next"], "step claim"),
        (["step", "heartbeat"], "step beat"),
        (["step", "delete", "parser/1"], "step cancel"),
        (["project", "delete", "parser"], "project abort"),
        (["project", "new", "parser"], "project create"),
        (["claim", "parser"], "step claim"),
        (["complete"], "step done"),
        (["unlock", "src/**"], "reserve release"),
    ],
)
def test_a_word_for_another_command_leads_to_it(cli: Cli, words: list[str], meant: str) -> None:
    answer = cli.run(*words, agent="alice")
    assert answer.status == 2
    assert f"Did you mean {meant}?" in answer.err


def test_nothing_far_off_is_offered(cli: Cli) -> None:
    for word in ("x", "frobnicate", "xyzzy"):
        assert "Did you mean" not in cli.run(word).err
    assert cli.run("version").out == cli.run("--version").out


@pytest.mark.parametrize(
    "words",
    [
        ["search", "hi"],
        ["topic", "list"],
        ["topic", "show", "all"],
        ["topic", "read", "all"],
        ["topic", "members", "all"],
        ["thread", "#all"],
        ["export", "all"],
    ],
)
def test_a_mistyped_agent_that_reads_is_told(cli: Cli, words: list[str]) -> None:
    answer = cli.run(*words, "--as", "alise")
    assert (answer.status, answer.code) == (5, "NOT_REGISTERED")
    assert "Did you mean alice?" in answer.err


def test_unread_messages_of_a_closed_topic_are_listed(cli: Cli) -> None:
    for name in ("open", "ended", "unread"):
        post(cli, name, "hello")
    cli.run("sync", "ended", agent="bob")
    cli.run("topic", "join", "unread", agent="bob")
    for name in ("ended", "unread"):
        cli.run("topic", "close", name, agent="alice")
    listed = cli.run("topic", "list", agent="bob").out.splitlines()
    assert [line.split()[0] for line in listed] == ["#open", "#all", "#unread"]
    assert "not joined" in listed[0]
    assert "1 unread" in listed[2]
    assert "closed by alice" in listed[2]
    shown = cli.run("topic", "list", "--json", agent="bob").json
    assert [topic["name"] for topic in shown["closed_unread"]] == ["unread"]
    assert "closed_unread" not in cli.run("topic", "list", "--state", "open", "--json", agent="bob").json
    assert "#unread: closed, 1 unread" in cli.run("status", "bob").out
    assert cli.run("topic", "list", "--match", "zzz").out == "No open topic's name contains zzz.\n"


def test_a_message_of_a_topic_is_not_answered_by_mail(cli: Cli) -> None:
    (id_,) = post(cli, "review", "hello")
    for words in (["reply", id_, "x"], ["ack", id_], ["send", "alice", "x", "--reply-to", id_]):
        refused = cli.run(*words, agent="bob")
        assert (refused.status, refused.code) == (3, "MESSAGE_NOT_FOUND")
        assert f"{id_} is a message of the topic #review, not mail." in refused.err
        assert f"hubbub sync review --post TEXT --reply-to {id_}" in refused.err
    refused = cli.run("send", "#review", "x", agent="bob")
    assert "is a topic, and mail goes to agents" in refused.err


def test_a_topic_is_found_where_mail_is_asked_for(cli: Cli) -> None:
    post(cli, "review", "hello")
    id_ = cli.run("topic", "show", "review", "--json").json["topic"]["id"]
    assert "hello" in cli.run("thread", "review").out
    assert cli.run("thread", "nothing").code == "THREAD_NOT_FOUND"
    for name in ("#review", "review", id_):
        assert cli.run("status", name, "--json").json["topic"]["id"] == id_
    assert cli.run("status", "nobody").code == "UNKNOWN_AGENT"
    assert cli.run("status", "#nothing").code == "TOPIC_NOT_FOUND"


def test_a_deleted_topic_is_no_typo(cli: Cli) -> None:
    post(cli, "review", "hello")
    post(cli, "reviews", "hello")
    cli.run("topic", "delete", "review", "--yes", agent="alice")
    gone = cli.run("topic", "read", "review")
    assert (gone.status, gone.code) == (3, "TOPIC_NOT_FOUND")
    assert "The topic review was deleted by alice at 20" in gone.err
    assert "Did you mean reviews?" in cli.run("topic", "read", "revews").err


def test_bounds_are_told_by_the_options_own_name(cli: Cli) -> None:
    post(cli, "review", "one", "two")
    assert "last must be from 1 to 1000, not 0." in cli.run("topic", "read", "review", "--last", "0").err
    assert "after must be 0 or more, not -1." in cli.run("topic", "read", "review", "--after", "-1").err
    assert cli.run("topic", "read", "review", "--after", "2").out == "No messages there: #review ends at 2.\n"
    long = cli.run("topic", "create", "x" * 129, agent="alice")
    assert "The topic's name has 129 characters." in long.err
    odd = cli.run("topic", "create", "\u202e" + "y" * 100, agent="alice").err
    assert "...' can't be a topic's name." in odd


def test_a_full_inbox_says_whether_it_was_waited_for(cli: Cli) -> None:
    cli.run("register", "bob", "--inbox-limit", "1")
    cli.run("send", "bob", "one", agent="alice")
    full = cli.run("send", "bob", "two", agent="alice")
    assert (full.code, "--wait-for-room SECONDS" in full.err) == ("INBOX_FULL", True)
    waited = cli.run("send", "bob", "two", "--wait-for-room", "0.1", agent="alice")
    assert "It was so for the 0.1 s that were waited." in waited.err


def test_an_export_into_no_folder_says_so(cli: Cli) -> None:
    post(cli, "review", "one")
    refused = cli.run("export", "review", "-o", "nowhere/x.md")
    assert (refused.status, refused.code) == (1, "EXPORT_FAILED")
    assert "The folder nowhere does not exist." in refused.err


def test_every_command_that_another_word_leads_to_is_there() -> None:
    import re

    from hubbub.faces.cli import catalogue, synonyms

    for word, meant in synonyms._MEANT.items():
        assert word not in catalogue.COMMANDS
        for each in re.split(", or | or ", meant):
            name = re.match(r"(?:--)?[a-z]+(?: [a-z]+)?", each)
            assert name is not None
            assert name[0] in ("--help", *catalogue.COMMANDS, *catalogue.FAMILIES) or (
                name[0].partition(" ")[0] in catalogue.COMMANDS
            ), meant


def test_a_step_in_the_place_of_a_project_leads_to_the_option(cli: Cli) -> None:
    plan(cli, "A")
    refused = cli.run("step", "claim", "parser/1", agent="bob")
    assert (refused.status, refused.code) == (3, "PROJECT_NOT_FOUND")
    assert "To claim that step: hubbub step claim --step parser/1 (A)" in refused.err
    assert "hubbub step claim --step" not in cli.run("step", "claim", "parser/9", agent="bob").err
