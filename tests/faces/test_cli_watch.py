"""watch: messages as they come, and nothing taken from anybody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli_support import DEADLINE, Cli, ageless, end, post, small_pipe, wait_until_listening


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


class Watching:
    """A ``watch`` that runs."""

    def __init__(self, cli: Cli, *words: str) -> None:
        self.process = cli.start("watch", *words, agent="bob")
        wait_until_listening(self.process)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip("\n")

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.line())
        return value

    def rest(self) -> list[str]:
        """What it says until it ends by itself, with success."""
        out, err = self.process.communicate(timeout=DEADLINE)
        assert (self.process.returncode, err) == (0, b"")
        return out.decode().splitlines()

    def stop(self) -> None:
        end(self.process)
        self.process.communicate(timeout=DEADLINE)


def test_messages_of_several_topics_as_they_come(cli: Cli) -> None:
    post(cli, "review", "before")
    post(cli, "design", "before")
    watching = Watching(cli, "review", "design", "--json")
    try:
        for topic, body in (("review", "one"), ("design", "two"), ("other", "unseen"), ("review", "three")):
            post(cli, topic, body)
        seen = [watching.json() for _ in range(3)]
        assert [(each["topic"], each["seq"], each["body"]) for each in seen] == [
            ("review", 2, "one"),
            ("design", 2, "two"),
            ("review", 3, "three"),
        ]
    finally:
        status = end(watching.process, signal.SIGINT)
    assert status == 130
    assert watching.process.communicate(timeout=DEADLINE) == (b"", b"")


def test_it_takes_nothing_and_moves_no_cursor(cli: Cli) -> None:
    post(cli, "review", "one")
    with cli.bus() as bus:
        bus.topics.join(bus.agents.attach("bob"), "review")
        before = bus.topics.members("review")
    watching = Watching(cli, "review", "--last", "5")
    try:
        assert watching.line().endswith("  #review 1  alice: one")
        with cli.bus() as bus:
            assert bus.topics.members("review") == before
    finally:
        watching.stop()
    assert cli.run("sync", "review", "--json", agent="bob").json["messages"][0]["body"] == "one"


def test_it_begins_with_the_newest_of_each_in_the_order_of_time(cli: Cli) -> None:
    for number in range(4):
        post(cli, "review", f"r{number}")
        post(cli, "design", f"d{number}")
    with cli.bus() as bus:
        for name in ("review", "design"):
            bus.topics.close(bus.agents.attach("alice"), name, reason="done")

    def watched(*words: str) -> list[str]:
        answer = cli.run("watch", *words)
        assert (answer.status, answer.err) == (0, "")
        return [line.rpartition(": ")[2] for line in answer.out.splitlines()]

    assert watched("review", "design", "--last", "2") == ["r2", "d2", "r3", "d3", "done", "done"]
    assert watched("review") == ["done"]


def test_all_topics_those_to_come_included(cli: Cli) -> None:
    post(cli, "old", "a", "b")
    post(cli, "older", "c")
    watching = Watching(cli, "--all", "--last", "2", "--json")
    try:
        assert [watching.json()["body"] for _ in range(2)] == ["b", "c"]
        post(cli, "new", "first of a new topic")
        created = watching.json()
        assert (created["event"], created["topic"]) == ("created", "new")
        assert watching.json()["body"] == "first of a new topic"
        cli.run("topic", "rename", "new", "newer", agent="alice")
        renamed = watching.json()
        assert (renamed["event"], renamed["topic"], renamed["before"]) == ("renamed", "newer", "new")
        cli.run("topic", "close", "newer", "--reason", "done", agent="alice")
        closed = watching.json()
        assert (closed["event"], closed["close_reason"]) == ("closed", "done")
        cli.run("topic", "reopen", "newer", agent="alice")
        assert watching.json()["event"] == "reopened"
        cli.run("topic", "delete", "newer", "--yes", agent="alice")
        deleted = watching.json()
        assert (deleted["event"], deleted["topic"]) == ("deleted", "newer")
        cli.run("send", "bob", "to all", "--announce", agent="alice")
        announced = watching.json()
        assert (announced["topic"], announced["body"]) == ("all", "to all")
    finally:
        watching.stop()


def test_a_close_is_told_and_ends_it_when_it_was_the_last(cli: Cli) -> None:
    post(cli, "review")
    post(cli, "design")
    watching = Watching(cli, "review", "design")
    cli.run("topic", "close", "review", "--reason", "Merged.", agent="alice")
    assert ageless(watching.line()) == "#review was closed by alice AGO: Merged."
    post(cli, "design", "still here")
    assert watching.line().endswith("  #design 1  alice: still here")
    cli.run("topic", "delete", "design", "--yes", agent="alice")
    assert watching.rest() == ["#design was deleted by alice"]


def test_what_was_posted_just_before_the_end_is_shown(cli: Cli) -> None:
    post(cli, "review")
    watching = Watching(cli, "review")
    with cli.bus() as bus:
        actor = bus.agents.attach("alice")
        bus.topics.sync(actor, "review", (bus.topics.post("last words"),))
        bus.topics.close(actor, "review")
    rest = watching.rest()
    assert rest[0].endswith("alice: last words")
    assert rest[1].startswith("#review was closed by alice")


def test_the_mail_of_an_agent(cli: Cli) -> None:
    cli.send("bob", "earlier")
    watching = Watching(cli, "--mail", "bob", "--last", "1", "--json")
    try:
        assert watching.json()["body"] == "earlier"
        first = cli.send("bob", "to bob", "-s", "A subject")
        cli.send("alice", "to herself")
        second = cli.send("alice", "from bob", agent="bob")
        seen = [watching.json() for _ in range(2)]
        assert [(each["id"], each["body"]) for each in seen] == [(first, "to bob"), (second, "from bob")]
    finally:
        watching.stop()
    assert cli.state(first, "bob") == ("queued", 0)
    watching = Watching(cli, "--mail", "bob", "--last", "2")
    try:
        assert watching.line().endswith("  to bob  alice: A subject: to bob")
        assert watching.line().endswith("  to alice  bob: from bob")
    finally:
        watching.stop()
    missing = cli.run("watch", "--mail", "bbo")
    assert (missing.status, missing.code) == (3, "UNKNOWN_AGENT")


def test_a_message_to_many_is_one_line(cli: Cli) -> None:
    for name in ("carol", "dave", "erin", "frank"):
        cli.run("register", name)
    watching = Watching(cli, "alice")  # no topic is called so
    try:
        cli.run("send", "*", "to everyone", agent="alice")
        cli.send("bob", "next")
        assert watching.line().endswith("  to bob, carol, dave and 2 more  alice: to everyone")
        assert watching.line().endswith("  to bob  alice: next")
    finally:
        watching.stop()


def test_a_message_to_many_is_shown_to_each_that_watches(cli: Cli) -> None:
    cli.run("register", "carol")
    watching = Watching(cli, "--mail", "bob")
    try:
        cli.send("bob,carol", "to two")
        cli.send("carol", "not to bob")
        cli.run("send", "*", "to everyone", agent="alice")
        assert watching.line().endswith("  to bob, carol  alice: to two")
        assert watching.line().endswith("  to bob, carol  alice: to everyone")
    finally:
        watching.stop()
    earlier = Watching(cli, "--mail", "carol", "--last", "3")
    try:
        assert [earlier.line().rpartition(": ")[2] for _ in range(3)] == [
            "to two",
            "not to bob",
            "to everyone",
        ]
    finally:
        earlier.stop()


def test_long_and_hostile_texts_take_one_line(cli: Cli) -> None:
    post(cli, "review", "first\nsecond " + "x" * 5000, "\x1b[2J\u202eevil\r\n#review was deleted.")
    cli.run("topic", "close", "review", agent="alice")
    lines = cli.run("watch", "review", "--last", "5").out.splitlines()
    assert len(lines) == 3
    assert 235 <= len(lines[0]) <= 240
    assert lines[0].endswith("…")
    assert "first␤second xxx" in lines[0]
    assert not set(lines[1]) & {"\x1b", "\u202e", "\r"}
    full = cli.run("watch", "review", "--last", "5", "--full").out.splitlines()
    assert full[1:3] == ["  first", "  second " + "x" * 5000]
    assert [line for line in full if line.startswith("#review")] == [lines[2]]


def test_many_messages_at_once_are_all_shown(cli: Cli) -> None:
    post(cli, "review")
    watching = Watching(cli, "review", "--json")
    try:
        for start in range(0, 500, 50):
            post(cli, "review", *[f"n{number}" for number in range(start, start + 50)])
        assert [watching.json()["seq"] for _ in range(500)] == list(range(1, 501))
    finally:
        watching.stop()


def test_a_reader_that_left_ends_it_quietly(cli: Cli) -> None:
    post(cli, "review", "x" * 3000)
    reading, writing = small_pipe()
    process = cli.start("watch", "review", "--last", "1", "--full", agent="bob", stdout=writing)
    os.close(writing)
    assert os.read(reading, 1 << 16)
    wait_until_listening(process)
    os.close(reading)
    post(cli, "review", "nobody reads this")
    _, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_device_is_an_error(cli: Cli) -> None:
    post(cli, "review", "x")
    with open("/dev/full", "wb") as full:
        process = cli.start("watch", "review", "--last", "1", agent="bob", stdout=full)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert b"[OUTPUT_FAILED]" in err


def test_it_waits_without_working(cli: Cli) -> None:
    """A watcher of a quiet bus sleeps: it is woken by a bell, not by looking again and again."""
    post(cli, "review")
    watching = Watching(cli, "review")
    try:
        for _ in range(int(DEADLINE)):
            before = _switches(watching.process)
            with pytest.raises(subprocess.TimeoutExpired):
                watching.process.wait(1.0)
            if _switches(watching.process) == before:
                break  # it slept for a whole second
        else:
            pytest.fail("it never came to rest")
    finally:
        watching.stop()


def _switches(process: subprocess.Popen[bytes]) -> int:
    """How often the process went to sleep by itself."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("voluntary_ctxt"))


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        ([], "USAGE", 2),
        (["review", "--all"], "USAGE", 2),
        (["review", "--last", "-1"], "INVALID_ARGUMENT", 2),
        (["review", "--last", "1000000000"], "INVALID_ARGUMENT", 2),
        (["review", "nosuch"], "TOPIC_NOT_FOUND", 3),
        (["--mail", "Not Valid"], "INVALID_NAME", 2),
    ],
)
def test_what_can_not_be_watched(cli: Cli, words: list[str], code: str, status: int) -> None:
    post(cli, "review", "x")
    answer = cli.run("watch", *words)
    assert (answer.code, answer.status, answer.out) == (code, status, "")
    assert cli.run("watch", *words, "--json").json["error"]["code"] == code
