"""topic ACTION, and what status, log and send say of topics, as whole processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli_support import DEADLINE, Cli, ageless, post
from tests.faces.test_cli_care import complete


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


# --- making, listing, showing --------------------------------------------------------------------


def test_creating_says_whether_it_was_there(cli: Cli) -> None:
    made = cli.run("topic", "create", "Review", "--metadata", '{"branch": "x"}', "--json", agent="alice").json
    assert made["created"] is True
    assert made["topic"]["name"] == "Review"
    assert made["topic"]["metadata"] == {"branch": "x"}
    id_ = made["topic"]["id"]
    again = cli.run("topic", "create", "#review", agent="bob")
    assert again.out == f"#Review was there ({id_}, 0 messages).\n"
    refused = cli.run("topic", "create", "review", "--new", agent="bob")
    assert (refused.status, refused.code) == (1, "TOPIC_EXISTS")
    unnamed = cli.run("topic", "create", "--json", agent="bob").json["topic"]
    assert unnamed["name"] == unnamed["id"]


def test_a_key_makes_one_topic(cli: Cli) -> None:
    made = [cli.run("topic", "create", "--key", "k1", "--json", agent="alice").json for _ in range(2)]
    assert made[0]["topic"]["id"] == made[1]["topic"]["id"]
    assert cli.run("topic", "list", "--json").json["total"] == 2  # and #all


def test_the_list_tells_an_agent_what_is_unread(cli: Cli) -> None:
    post(cli, "review", "one", "two")
    cli.run("topic", "join", "review", agent="bob")
    post(cli, "design", "three")
    as_bob = {
        topic["name"]: topic for topic in cli.run("topic", "list", "--json", agent="bob").json["topics"]
    }
    assert as_bob["review"]["unread"] == 2
    assert "unread" not in as_bob["design"]  # bob is no member
    text = cli.run("topic", agent="bob").out.splitlines()
    assert [line.split()[0] for line in text] == ["#design", "#review", "#all"]
    assert ", 2 messages, 2 members, active " in text[1]
    assert "2 unread" in text[1]
    assert "unread" not in cli.run("topic", "list").out  # the operator reads nothing
    matched = cli.run("topic", "list", "--match", "REV", "--json").json
    assert [topic["name"] for topic in matched["topics"]] == ["review"]


def test_a_long_list_comes_in_pages(cli: Cli) -> None:
    for number in range(7):
        post(cli, f"t{number}", "x")
    seen: list[str] = []
    words: list[str] = []
    while True:
        page = cli.run("topic", "list", "--limit", "3", "--json", *words).json
        assert page["total"] == 8
        seen += [topic["name"] for topic in page["topics"]]
        if "next" not in page:
            break
        words = ["--after", page["next"]]
    assert seen == ["t6", "t5", "t4", "t3", "t2", "t1", "t0", "all"]
    text = cli.run("topic", "list", "--limit", "3").out
    assert "8 in all: add --after " in text


def test_closed_topics_are_listed_when_asked_for(cli: Cli) -> None:
    post(cli, "old", "x")
    assert cli.run("topic", "list", "--state", "closed").out == "No closed topics.\n"
    assert cli.run("topic", "close", "old", "--reason", "Merged.", agent="bob").out == "Closed #old.\n"
    assert "#old" not in cli.run("topic", "list").out
    listed = cli.run("topic", "list", "--state", "closed").out
    assert "closed by bob AGO: Merged." in ageless(listed)
    shown = cli.run("topic", "show", "old", "--json").json["topic"]
    assert (shown["state"], shown["closed_by"], shown["close_reason"]) == ("closed", "bob", "Merged.")
    again = cli.run("topic", "close", "old", "--reason", "Other.", agent="alice")
    assert (again.status, ageless(again.out)) == (0, "#old was closed by bob AGO: Merged.\n")
    assert cli.run("topic", "reopen", "old", "--json", agent="alice").json["changed"] is True
    assert cli.run("topic", "reopen", "old", agent="alice").out == "#old is open already.\n"
    assert "Closed by" not in cli.run("topic", "show", "old").out


def test_renaming_leaves_the_messages_alone(cli: Cli) -> None:
    (id_,) = post(cli, "review", "about review")
    renamed = cli.run("topic", "rename", "review", "Review of 42", agent="alice")
    assert renamed.out == "Renamed #review to #Review of 42.\n"
    read = cli.run("topic", "read", "#review of 42", "--json").json
    assert [(message["id"], message["body"]) for message in read["messages"]] == [(id_, "about review")]
    gone = cli.run("topic", "show", "review")
    assert (gone.status, gone.code) == (3, "TOPIC_NOT_FOUND")


# --- deleting ------------------------------------------------------------------------------------


def test_deleting_needs_a_person_or_yes_and_tells_how_much_goes(cli: Cli) -> None:
    post(cli, "review", "one", "two", "three")
    refused = cli.run("topic", "delete", "review", agent="alice")
    assert (refused.status, refused.code) == (6, "CONFIRMATION_NEEDED")
    assert "This deletes #review with 3 messages." in refused.err
    assert cli.run("topic", "show", "review").status == 0
    mistyped = cli.run("topic", "delete", "reveiw", agent="alice")
    assert (mistyped.status, mistyped.code) == (3, "TOPIC_NOT_FOUND")
    done = cli.run("topic", "delete", "review", "--yes", agent="alice")
    assert done.out == "Deleted #review with 3 messages.\n"
    for words in (["show", "review"], ["read", "review"], ["members", "review"]):
        assert cli.run("topic", *words).code == "TOPIC_NOT_FOUND"


@pytest.mark.parametrize(("typed", "there"), [(b"n\n", True), (b"\n", True), (b"y\n", False)])
def test_on_a_terminal_the_person_is_asked(cli: Cli, typed: bytes, there: bool) -> None:
    post(cli, "review", "one")
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "hubbub", "--as", "alice", "topic", "delete", "review"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=cli.env,
        )
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 4096)
        os.write(ours, typed)
        process.communicate(timeout=DEADLINE)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"This deletes #review with 1 message." in asked
    assert process.returncode == (1 if there else 0)
    assert (cli.run("topic", "show", "review").status == 0) is there


# --- members -------------------------------------------------------------------------------------


def test_joining_leaving_and_coming_back(cli: Cli) -> None:
    post(cli, "review", "one", "two", "three")
    joined = cli.run("topic", "join", "review", "--from", "1", "--json", agent="bob").json
    assert (joined["topic"], joined["unread"], joined["joined"]) == ("review", 2, True)
    assert cli.run("topic", "join", "review", agent="bob").out == (
        "bob is a member of #review: 2 messages to read.\n"
    )
    assert cli.run("topic", "leave", "review", agent="bob").out == (
        "Left #review. Your place in it, number 1, is kept.\n"
    )
    left = cli.run("sync", "review", agent="bob")
    assert (left.status, left.code) == (5, "NOT_JOINED")
    cli.run("topic", "join", "review", agent="bob")
    got = cli.run("sync", "review", "--json", agent="bob").json["messages"]
    assert [message["seq"] for message in got] == [2, 3]
    assert cli.run("topic", "leave", "all", agent="bob").code == "TOPIC_FIXED"


@pytest.mark.parametrize(
    ("place", "numbers"), [("start", [1, 2, 3]), ("latest", []), ("2", [3]), ("0", [1, 2, 3])]
)
def test_resetting_replays_or_skips(cli: Cli, place: str, numbers: list[int]) -> None:
    post(cli, "review", "one", "two", "three")
    cli.run("sync", "review", "--limit", "1", agent="bob")
    told = cli.run("topic", "reset", "review", place, agent="bob")
    assert told.status == 0
    assert "The next sync of #review begins after number " in told.out
    got = cli.run("sync", "review", "--json", agent="bob").json["messages"]
    assert [message["seq"] for message in got] == numbers


def test_members_and_how_far_behind_each_is(cli: Cli) -> None:
    post(cli, "review", "one", "two")
    cli.run("topic", "join", "review", agent="bob")
    with cli.bus() as bus:
        seat = bus.agents.join("alice")
        found = cli.run("topic", "members", "review", "--json").json["members"]
        assert {member["agent"]: (member["online"], member["unread"]) for member in found} == {
            "alice": (True, 0),
            "bob": (False, 2),
        }
        text = cli.run("topic", "members", "review").out.splitlines()
        bus.agents.leave(seat)
    assert sum(line.startswith("bob  offline  2 behind, never synced, joined ") for line in text) == 1
    assert sum(line.startswith("alice  online   up to date, last sync ") for line in text) == 1
    assert [member["agent"] for member in cli.run("topic", "members", "all", "--json").json["members"]] != []


# --- reading -------------------------------------------------------------------------------------


def numbers(cli: Cli, *words: str) -> list[int]:
    return [message["seq"] for message in cli.run("topic", "read", *words, "--json").json["messages"]]


def test_reading_history_needs_no_membership_and_moves_nothing(cli: Cli) -> None:
    post(cli, "long", *[f"n{number}" for number in range(1, 31)])
    post(cli, "long", *[f"n{number}" for number in range(31, 61)])
    assert numbers(cli, "long") == list(range(11, 61))
    assert numbers(cli, "long", "--last", "3") == [58, 59, 60]
    assert numbers(cli, "long", "--limit", "3") == [58, 59, 60]
    assert numbers(cli, "long", "--after", "57") == [58, 59, 60]
    assert numbers(cli, "long", "--after", "0", "--limit", "2") == [1, 2]
    assert numbers(cli, "long", "--before", "3") == [1, 2]
    assert numbers(cli, "long", "--before", "30", "--last", "2") == [28, 29]
    assert numbers(cli, "long", "--after", "10", "--before", "13") == [11, 12]
    assert cli.run("topic", "read", "long", "--after", "0", "--limit", "2", "--json").json["next_after"] == 2
    assert "There are earlier ones: add --before 11\n" in cli.run("topic", "read", "long").out
    assert cli.run("topic", "read", "long", "--after", "60").out == "No messages there: #long ends at 60.\n"
    members = cli.run("topic", "members", "long", "--json").json["members"]
    assert [member["agent"] for member in members] == ["alice"]
    whole = cli.run("topic", "read", "long", "--after", "0", "--limit", "1000000")
    assert "There is" not in whole.out
    assert sum(line.startswith("p") for line in whole.out.splitlines()) == 60


def test_reading_a_thread_of_a_topic(cli: Cli) -> None:
    first, _ = post(cli, "review", "question", "something else")
    answered = cli.run("sync", "review", "--post", "answer", "--reply-to", first, "--json", agent="bob").json
    (answer,) = answered["posted"]
    assert numbers(cli, "review", "--thread", first) == [1, 3]
    assert numbers(cli, "review", "--thread", answer["id"]) == [1, 3]
    assert f"  In reply to: {first}\n" in cli.run("topic", "read", "review", "--last", "1").out
    assert cli.run("topic", "read", "review", "--thread", "p9zzzzz").code == "THREAD_NOT_FOUND"


# --- elsewhere -------------------------------------------------------------------------------------


def test_an_announcement_is_in_all_and_wakes_nobody(cli: Cli) -> None:
    id_ = cli.run("send", "bob", "The build is red.", "--announce", "--json", agent="alice").json["id"]
    (copy,) = cli.run("topic", "read", "all", "--json").json["messages"]
    assert (copy["from"], copy["body"]) == ("alice", "The build is red.")
    assert id_ in json.dumps(copy["metadata"])
    assert cli.run("receive", "--json", agent="bob").json["messages"][0]["id"] == id_


def test_status_counts_topics_and_what_an_agent_has_unread(cli: Cli) -> None:
    post(cli, "review", "one", "two")
    post(cli, "old", "three")
    cli.run("topic", "join", "review", agent="bob")
    cli.run("topic", "close", "old", agent="alice")
    shown = cli.run("status", "--json").json
    assert shown["topics"] == {"open": 2, "closed": 1}
    assert "Topics:  2 open, 1 closed; 3 messages kept\n" in cli.run("status").out
    unread: list[dict[str, Any]] = cli.run("status", "bob", "--json").json["unread"]
    assert [(topic["topic"], topic["unread"]) for topic in unread] == [("review", 2)]
    assert "  #review: 2 unread, active " in cli.run("status", "bob").out


def test_the_log_names_the_topic(cli: Cli) -> None:
    (id_,) = post(cli, "review", "one")
    line = next(line for line in cli.run("log").out.splitlines() if "topic_posted" in line)
    assert line.split()[-2:] == ["#review", id_]
    (event,) = cli.run("log", "--event", "topic_posted", "--json").json["events"]
    assert (event["topic_name"], event["message"]) == ("review", id_)
    cli.run("topic", "delete", "review", "--yes", agent="alice")
    (event,) = cli.run("log", "--event", "topic_posted", "--json").json["events"]
    assert event["topic"].startswith("t")
    assert "topic_deleted" in cli.run("log").out


def test_where_a_message_of_a_topic_is(cli: Cli) -> None:
    cli.run("register", "carol")
    (id_,) = post(cli, "review", "one")
    cli.run("topic", "join", "review", agent="bob")
    cli.run("sync", "review", agent="carol")
    text = cli.run("status", id_).out.splitlines()
    assert text[0].startswith(f"{id_} #review 1 from alice: message, ")
    assert sorted(text[1:]) == ["  bob: unread", "  carol: done"]
    with cli.bus() as bus:
        bus.topics.sync(bus.agents.attach("bob"), "review")
    shown = cli.run("status", id_, "--json").json
    assert {"agent": "bob", "state": "handed out"} in shown["members"]
    assert "body" not in shown
    missing = cli.run("status", "p9zzzzz")
    assert (missing.status, missing.code) == (3, "MESSAGE_NOT_FOUND")
    cli.run("register", "p9zzzzz")
    assert cli.run("status", "p9zzzzz", "--json").json["agent"]["name"] == "p9zzzzz"


def test_thread_and_log_take_what_a_topic_shows(cli: Cli) -> None:
    first, other = post(cli, "review", "question", "something else")
    cli.run("sync", "review", "--post", "answer", "--reply-to", first, agent="bob")
    for name, seen in ((first, [1, 3]), ("#review", [1, 2, 3]), (other, [2])):
        shown = cli.run("thread", name, "--json").json
        assert [message["seq"] for message in shown["messages"]] == seen
    id_ = cli.run("topic", "show", "review", "--json").json["topic"]["id"]
    assert cli.run("thread", id_, "--limit", "1", "--json").json["next_after"] == 1
    assert cli.run("thread", "#nosuch").code == "TOPIC_NOT_FOUND"
    cli.send("bob", "mail", "--thread", "p1abcde")
    assert cli.run("thread", "p1abcde", "--json").json["messages"][0]["body"] == "mail"
    (event,) = cli.run("log", "--message", other, "--json").json["events"]
    assert (event["event"], event["message"]) == ("topic_posted", other)
    of_topic = cli.run("log", "--topic", "review", "--json").json["events"]
    assert {event["topic_name"] for event in of_topic} == {"review"}
    assert cli.run("log", "--topic", "nosuch").code == "TOPIC_NOT_FOUND"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hubbub topic re", {"read", "reset", "reopen", "rename"}),
        ("hubbub topic show r", {"review"}),
        ("hubbub sync ", {"review", "all", "old"}),
        ("hubbub search x --topic r", {"review"}),
        ("hubbub topic join --from ", {"start", "latest"}),
        ("hubbub topic list --state ", {"open", "closed", "all"}),
        ("hubbub watch --mail b", {"bob"}),
        ("hubbub topic show --bus none.db ", set()),
    ],
)
def test_bash_completes_topics(cli: Cli, line: str, offered: set[str]) -> None:
    post(cli, "review")
    post(cli, "old")
    assert complete(cli, line) == offered


def test_completing_expands_nothing_of_a_name(cli: Cli) -> None:
    name = "$(touch${IFS}proof);`touch${IFS}proof`;*\\'\"é"
    post(cli, name)
    (offered,) = complete(cli, "hubbub topic show $")
    typed = subprocess.run(
        ["bash", "-c", f"printf %s {offered}"], capture_output=True, check=True, cwd=cli.folder
    )
    assert typed.stdout.decode() == name
    assert not (cli.folder / "proof").exists()
