"""log, who, status, dead, register and unregister, as whole processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.cli_support import DEADLINE, Cli, end, wait_until_listening


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def bury(cli: Cli, body: str = "poison", to: str = "bob") -> str:
    """A dead letter: handed out as often as that is tried, and never settled."""
    id_ = cli.send(to, body)
    for turn in range(5):
        with cli.bus(later=turn * 100) as bus:
            assert bus.mail.receive(bus.agents.attach(to), lease=10).deliveries[-1].message.id == id_
    with cli.bus(later=600) as bus:
        bus.mail.peek(to)
    assert cli.state(id_, to) == ("dead", 5)
    return id_


# --- log ---------------------------------------------------------------------------------------


def test_the_log_tells_what_happened_and_filters(cli: Cli) -> None:
    first = cli.send("bob", "x")
    second = cli.send("bob", "y")
    cli.run("receive", "--limit", "1", agent="bob")

    def events(*words: str) -> list[tuple[str, str | None]]:
        found = cli.run("log", "--json", *words).json["events"]
        return [(event["event"], event.get("message")) for event in found]

    assert events()[:2] == [("agent_registered", None)] * 2
    of_first = [("message_sent", first), ("message_received", first), ("message_settled", first)]
    assert events("--message", first) == of_first
    assert events("--event", "message_sent") == [("message_sent", first), ("message_sent", second)]
    assert events("--event", "message_sent", "--event", "message_settled", "--limit", "2") == [
        ("message_sent", second),
        ("message_settled", first),
    ]
    assert events("--agent", "alice", "--event", "message_settled") == []
    assert len(events("--after", "0", "--limit", "1")) == 1
    assert events("--since", "1h") == events()
    assert events("--since", "2999-01-01") == []
    text = cli.run("log", "--message", first).out.splitlines()
    assert len(text) == 3
    assert "alice -> bob" in text[0]
    assert first in text[0]


def test_the_log_is_followed_live(cli: Cli) -> None:
    following = cli.start(
        "log", "--follow", "--json", "--event", "message_sent", "--after", "0", agent="alice"
    )
    assert following.stdout is not None
    try:
        wait_until_listening(following)
        ids = [cli.send("bob", f"n{number}") for number in range(3)]
        seen = [json.loads(following.stdout.readline()) for _ in ids]
        assert [event["message"] for event in seen] == ids
        assert [event["event"] for event in seen] == ["message_sent"] * 3
    finally:
        status = end(following, signal.SIGINT)
    assert status == 130
    assert following.communicate(timeout=DEADLINE) == (b"", b"")


def test_following_from_the_start_of_a_long_log_leaves_nothing_out(cli: Cli) -> None:
    with cli.bus() as bus:
        actor = bus.agents.attach("alice")
        for number in range(250):
            bus.mail.send(actor, bus.mail.draft("bob", f"n{number}"))
        count = len(bus.events.events(limit=1000))
    following = cli.start("log", "--follow", "--json", "--after", "0", "--limit", "10", agent="alice")
    assert following.stdout is not None
    try:
        seen = [json.loads(following.stdout.readline())["seq"] for _ in range(count)]
    finally:
        end(following)
        following.communicate(timeout=DEADLINE)
    assert seen == sorted(set(seen))
    assert len(seen) == count


# --- who and status ------------------------------------------------------------------------------


def test_who_shows_agents_and_who_is_online(cli: Cli) -> None:
    cli.run("register", "bob", "--description", "Reviews\npull requests")
    cli.send("bob", "x")
    with cli.bus() as bus:
        seat = bus.agents.join("alice", client="claude-code 2.1")
        text = cli.run("who").out.splitlines()
        assert text[0].startswith("alice  online   0 queued, claude-code 2.1, last beat ")
        assert text[1] == "bob  offline  1 queued"
        assert text[2].startswith("  Reviews")
        online = cli.run("who", "--online", "--json").json["agents"]
        assert [agent["name"] for agent in online] == ["alice"]
        bus.agents.leave(seat)
    assert cli.run("who", "--online").out == "No agent is online.\n"
    assert [agent["online"] for agent in cli.run("who", "--json").json["agents"]] == [False, False]


def test_an_agent_whose_process_was_killed_is_offline_at_once(cli: Cli) -> None:
    process = cli.hold("alice")
    assert cli.run("who", "--online", "--json").json["agents"][0]["name"] == "alice"
    end(process)
    process.communicate(timeout=DEADLINE)
    assert cli.run("who", "--online", "--json").json["agents"] == []


def test_status_of_the_bus(cli: Cli) -> None:
    cli.send("bob", "x")
    shown = cli.run("status", "--json").json
    assert shown["bus"]["url"] == cli.url
    assert shown["bus"]["named_by"] == "HUBBUB_BUS"
    assert shown["bus"]["store"] == "sqlite"
    assert shown["agents"] == {"registered": 2, "online": 0}
    assert (shown["queued"], shown["leased"], shown["dead"]) == (1, 0, 0)
    text = cli.run("status", "--bus", "bus.db").out
    assert f"Bus:     {cli.url}\n         named by --bus\n" in text
    assert "1 queued, 0 leased, 0 dead; 1 message kept" in text


def test_status_of_an_agent(cli: Cli) -> None:
    ids = [cli.send("bob", f"body {number}", "-s", f"about {number}") for number in range(7)]
    shown = cli.run("status", "bob", "--json").json
    assert shown["agent"]["queued"] == 7
    assert shown["agent"]["inbox_limit"] == 1000
    assert [message["id"] for message in shown["waiting"]] == ids[:5]
    assert "body" not in shown["waiting"][0]
    text = cli.run("status", "bob").out
    assert f"  {ids[0]} from alice: message, " in text
    assert ": about 0\n" in text
    assert "  and 2 more queued\n" in text
    assert cli.state(ids[0], "bob") == ("queued", 0)


def test_status_of_a_message_through_its_life(cli: Cli) -> None:
    id_ = cli.send("bob", "x", "-s", "A subject")
    assert cli.run("status", id_, "--json").json["recipients"][0]["state"] == "queued"
    cli.run("receive", "--keep", agent="bob")
    assert "lease ends in " in cli.run("status", id_, agent="alice").out
    cli.run("ack", id_, agent="bob")
    settled = cli.run("status", id_, "--json", agent="alice").json
    assert settled["recipients"][0]["settled_by"] == "acknowledge"
    assert "body" not in settled
    assert "bob: settled " in cli.run("status", id_).out


def test_an_agent_whose_name_looks_like_an_id(cli: Cli) -> None:
    cli.run("register", "m1abcde")
    assert cli.run("status", "m1abcde", "--json").json["agent"]["name"] == "m1abcde"


# --- dead letters ----------------------------------------------------------------------------------


def test_dead_letters_are_listed_shown_and_retried(cli: Cli) -> None:
    assert cli.run("dead").out == "No dead letters.\n"
    id_ = bury(cli)
    listed = cli.run("dead").out
    assert listed.startswith(f"{id_} from alice to bob: message, ")
    assert "handed out 5 times and never settled" in listed
    assert cli.run("dead", "list", "--agent", "alice", "--json").json == {"dead": []}
    shown = cli.run("dead", "show", id_, "--json").json["dead"][0]
    assert (shown["agent"], shown["body"], len(shown["reasons"])) == ("bob", "poison", 6)
    assert "Dead in the mail of bob, handed out 5 times:" in cli.run("dead", "show", id_).out
    assert "hubbub dead" in cli.run("status").out
    assert cli.run("dead", "retry", id_).out == "1 dead letter is queued again.\n"
    assert cli.state(id_, "bob") == ("queued", 0)
    again = cli.run("dead", "retry", id_)
    assert (again.status, again.code) == (1, "NOT_DEAD")


def test_all_dead_letters_at_once(cli: Cli) -> None:
    cli.run("register", "carol")
    ids = [bury(cli, "one"), bury(cli, "two", "carol")]
    assert cli.run("dead", "retry", "--all", "--agent", "carol", "--json").json == {"retried": 1}
    assert [cli.state(ids[0], "bob")[0], cli.state(ids[1], "carol")[0]] == ["dead", "queued"]
    assert cli.run("dead", "retry", "--all", "--json").json == {"retried": 1}
    assert cli.run("dead", "retry", "--all").out == "No dead letters.\n"


def test_purging_needs_a_person_or_yes(cli: Cli) -> None:
    id_ = bury(cli)
    refused = cli.run("dead", "purge", id_)
    assert (refused.status, refused.code) == (6, "CONFIRMATION_NEEDED")
    assert "--yes" in refused.err
    assert cli.state(id_, "bob")[0] == "dead"
    assert cli.run("dead", "purge", id_, "--yes", "--json").json == {"purged": 1}
    receipt = cli.run("status", id_, "--json").json
    assert receipt["recipients"][0]["state"] == "purged"
    assert cli.run("log", "--event", "message_purged", "--json").json["events"][0]["message"] == id_


@pytest.mark.parametrize(("typed", "state"), [(b"n\n", "dead"), (b"\n", "dead"), (b"y\n", "purged")])
def test_on_a_terminal_the_person_is_asked(cli: Cli, typed: bytes, state: str) -> None:
    id_ = bury(cli)
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "hubbub", "dead", "purge", "--all"],
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
    assert process.returncode == (0 if state == "purged" else 1)
    assert cli.state(id_, "bob")[0] == state


# --- agents ------------------------------------------------------------------------------------------


def test_registering_and_changing_an_agent(cli: Cli) -> None:
    made = cli.run("register", "carol", "--role", "consumer", "--description", "Tests", "--json").json
    assert made["created"] is True
    assert (made["agent"]["role"], made["agent"]["description"]) == ("consumer", "Tests")
    changed = cli.run("register", "carol", "--inbox-limit", "5", "--max-message-bytes", "100", "--json").json
    assert changed["created"] is False
    assert changed["agent"]["description"] == "Tests"
    detail = cli.run("status", "carol", "--json").json["agent"]
    assert (detail["inbox_limit"], detail["max_message_bytes"]) == (5, 100)
    assert cli.run("register", "carol").out == (
        "carol was registered before (consumer): nothing was changed.\n"
    )
    assert cli.run("register", "carol", "--max-message-bytes", "1", "--role", "both").out == (
        "carol was registered before: role is now both, max message bytes is now 1.\n"
    )


def test_unregistering_keeps_the_mail(cli: Cli) -> None:
    id_ = cli.send("bob", "kept")
    assert cli.run("unregister", "bob").out == "Unregistered bob. Its mail is kept for when it comes back.\n"
    assert cli.run("send", "bob", "x", agent="alice").code == "UNKNOWN_RECIPIENT"
    assert cli.run("register", "bob").out == "Registered bob. 1 message waits for it.\n"
    assert cli.run("receive", "--json", agent="bob").json["messages"][0]["id"] == id_


def test_unregistering_with_the_mail_asks_first(cli: Cli) -> None:
    id_ = cli.send("bob", "gone")
    refused = cli.run("unregister", "bob", "--delete-mail", "--json")
    assert (refused.status, refused.json["error"]["code"]) == (6, "CONFIRMATION_NEEDED")
    done = cli.run("unregister", "bob", "--delete-mail", "--yes", "--json").json
    assert done == {"unregistered": "bob", "mail_deleted": True}
    assert cli.state(id_, "bob")[0] == "purged"


def test_releasing_a_name_ends_its_session_only(cli: Cli) -> None:
    id_ = cli.send("bob", "stays")
    with cli.bus() as bus:
        seat = bus.agents.join("bob")
        released = cli.run("unregister", "bob", "--release-name", "--json").json
        assert released["released"]["id"] == seat.session
        again = bus.agents.join("bob")
        assert again.session != seat.session
        bus.agents.leave(again)
    assert cli.run("unregister", "bob", "--release-name").out == "No live session holds bob.\n"
    assert cli.state(id_, "bob") == ("queued", 0)
