"""request, ping, pending and what other commands say of answers that are owed, on the command line."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus
from hubbub.model import Draft
from tests.faces.cli_support import DEADLINE, Cli, ageless, end, wait_until_listening
from tests.faces.mcp_support import RawServer

LONGER_THAN_BUSY = 12.0
"""Seconds: a command gives a try to write up before."""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Alice and bob on a bus."""
    return Cli(tmp_path, "alice", "bob")


def asked_of(bus: Bus, agent: str) -> str:
    """The id of what waits for ``agent``, once something does."""
    deadline = time.monotonic() + DEADLINE
    with bus.store.bell(f"inbox/{agent}") as bell:
        while True:
            waiting = bus.mail.peek(agent).deliveries
            if waiting:
                return waiting[0].message.id
            assert time.monotonic() < deadline, "nothing came"
            bell.wait(1.0)


def reply(bus: Bus, id_: str, body: str, **fields: Any) -> str:
    return bus.mail.reply(bus.agents.attach("bob"), id_, body, **fields).id


def ends(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """The status and output of a command that ends by itself."""
    out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out.decode(), err.decode()


def test_a_request_prints_the_answer_and_settles_it(cli: Cli) -> None:
    asking = cli.start("request", "bob", "Which port?", agent="alice")
    with cli.bus() as bus:
        id_ = asked_of(bus, "bob")
        assert bus.mail.message(id_).kind == "question"
        answer = reply(bus, id_, "8080\n")
    assert ends(asking)[:2] == (0, "8080\n")
    assert cli.state(answer, "alice") == ("settled", 1)


def test_a_request_in_json(cli: Cli) -> None:
    asking = cli.start(
        "request", "bob", "x", "--kind", "task", "--reply-within", "10m", "--json", agent="alice"
    )
    with cli.bus() as bus:
        id_ = asked_of(bus, "bob")
        due = bus.mail.message(id_).reply_due
        assert due is not None
        assert due - bus.mail.message(id_).created_at == 600_000
        answer = reply(bus, id_, "\x1b[31mdone")
    status, out, err = ends(asking)
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (told["id"], told["state"], told["answer"]["id"]) == (id_, "answered", answer)
    assert told["answer"]["body"] == "\x1b[31mdone"
    assert "lease_until" not in told["answer"]


def test_a_late_answer_comes_to_the_inbox(cli: Cli) -> None:
    late = cli.run("request", "bob", "x", "--wait", "0", agent="alice")
    assert (late.status, late.out) == (4, "")
    assert "will come to alice's inbox: hubbub receive" in late.err
    late_json = cli.run("request", "bob", "y", "--wait", "0.1s", "--json", agent="alice")
    assert (late_json.status, late_json.json["state"]) == (4, "late")
    with cli.bus() as bus:
        reply(bus, late_json.json["id"], "late")
    got = cli.run("receive", "--json", agent="alice").json["messages"]
    assert [(message["body"], message["in_reply_to"]) for message in got] == [("late", late_json.json["id"])]


def test_a_request_with_the_same_key_waits_on(cli: Cli) -> None:
    first = cli.run("request", "bob", "x", "--wait", "0", "--key", "k", "--json", agent="alice").json
    with cli.bus() as bus:
        reply(bus, first["id"], "y")
        assert bus.agents.get("bob").queued == 0
    for _ in range(2):  # the second has it from before
        again = cli.run("request", "bob", "x", "--key", "k", agent="alice")
        assert (again.status, again.out) == (0, "y\n")


def test_one_that_is_declined_or_waived(cli: Cli) -> None:
    asking = cli.start("request", "bob", "x", agent="alice")
    with cli.bus() as bus:
        id_ = asked_of(bus, "bob")
    said = cli.run("reply", id_, "--decline", "No time.", agent="bob")
    assert said.status == 0
    assert "It was declined: no answer is owed any more." in said.out
    status, out, err = ends(asking)
    assert (status, out) == (1, "No time.\n")
    assert "bob declined to answer" in err
    asking = cli.start("request", "bob", "y", agent="alice")
    with cli.bus() as bus:
        id_ = asked_of(bus, "bob")
    assert cli.run("pending", "waive", id_, "--reason", "found it", agent="alice").status == 0
    status, out, err = ends(asking)
    assert (status, out) == (4, "")
    assert "was waived" in err
    said = cli.run("reply", id_, "here it is", agent="bob")
    assert "The answer had been waived: nobody waits for it." in said.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_wait_up(cli: Cli, number: int) -> None:
    with cli.start("request", "bob", "x", agent="alice") as asking, cli.bus() as bus:
        id_ = asked_of(bus, "bob")
        wait_until_listening(asking)
        asking.send_signal(number)
        status, out, err = ends(asking)
        assert (status, out) == (128 + number, "")
        assert f"Asked bob: {id_}. The answer will come to alice's inbox: hubbub receive\n" in err
        answer = reply(bus, id_, "y")
        # No time is left over in which the answer is kept for a call that is gone.
        assert [each.message.id for each in bus.mail.peek("alice").deliveries] == [answer]


def test_one_that_is_there_is_not_called_offline(cli: Cli) -> None:
    with RawServer(cli.url, "bob") as bob:
        bob.use("list_agents")
        late = cli.run("request", "bob", "x", "--wait", "0.1", agent="alice")
    assert late.status == 4
    assert "offline" not in late.err
    late = cli.run("request", "bob", "y", "--wait", "0.1", agent="alice")
    assert late.err.startswith("bob is offline, last seen ")
    assert "ago. Waiting up to 100 ms for its answer.\nAsked bob: m" in late.err


def test_a_question_that_comes_again_says_that_it_was_waived(cli: Cli) -> None:
    id_ = cli.send("bob", "Which?", "-k", "question")
    other = cli.send("bob", "And this?", "-k", "question")
    assert cli.run("receive", "--keep", "--lease", "60", agent="bob").status == 0
    assert cli.run("pending", "waive", id_, "--reason", "found\nit", agent="alice").status == 0
    assert cli.run("ack", "--release", id_, other, agent="bob").status == 0
    shown = cli.run("receive", "--keep", agent="bob").out
    assert f"{id_} from alice: question" in shown
    assert shown.count("no longer wanted") == 1
    assert "no longer wanted (found␤it)" in shown
    cli.run("ack", "--release", id_, other, agent="bob")
    with RawServer(cli.url, "bob") as bob:
        text = bob.ask("tools/call", {"name": "receive_messages", "arguments": {}})["result"]["content"][0][
            "text"
        ]
    assert text.count("NO LONGER WANTED") == 1
    assert 'NO LONGER WANTED ("found␤it")' in text


def test_a_bus_that_is_busy_for_a_while_ends_no_wait(cli: Cli) -> None:
    asking = cli.start("request", "bob", "x", "--wait", "60", agent="alice")
    with cli.bus() as bus:
        id_ = asked_of(bus, "bob")
        wait_until_listening(asking)
        other = sqlite3.connect(cli.path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(subprocess.TimeoutExpired):
                asking.wait(LONGER_THAN_BUSY)  # it tries in this time, in vain, and goes on
        finally:
            other.execute("ROLLBACK")
            other.close()
        reply(bus, id_, "y")
    assert ends(asking)[:2] == (0, "y\n")


def test_who_waits_keeps_house_where_nobody_else_does(cli: Cli) -> None:
    cli.env["HUBBUB_REMINDERS_AFTER"] = "0.01"
    words = ("request", "bob", "x", "--reply-within", "1", "--wait", "60")
    with cli.start(*words, agent="alice") as asking:
        deadline = time.monotonic() + DEADLINE
        with cli.bus() as bus, bus.store.bell("inbox/bob") as bell:
            while "reminder" not in {each.message.kind for each in bus.mail.peek("bob").deliveries}:
                assert asking.poll() is None
                assert time.monotonic() < deadline, "nobody was reminded"
                bell.wait(1.0)
        assert end(asking, signal.SIGTERM) == 128 + signal.SIGTERM


def test_what_fails_after_the_send_says_what_was_asked(cli: Cli) -> None:
    asking = cli.start("request", "bob", "x", "--wait", "60", agent="alice")
    with cli.bus() as bus:
        id_ = asked_of(bus, "bob")
        wait_until_listening(asking)
        bus.agents.unregister("alice")
    status, out, err = ends(asking)
    assert (status != 0, out) == (True, "")
    assert id_ in err


def test_an_answer_that_was_read_meanwhile_is_said_to_be(cli: Cli) -> None:
    with cli.start("request", "bob", "x", agent="alice") as asking:
        with cli.bus() as bus:
            id_ = asked_of(bus, "bob")
            wait_until_listening(asking)
            os.kill(asking.pid, signal.SIGSTOP)
            try:
                reply(bus, id_, "y")
                with cli.bus(later=31) as then:
                    (got,) = then.mail.receive(then.agents.attach("alice")).deliveries
                    assert got.message.body == "y"
            finally:
                os.kill(asking.pid, signal.SIGCONT)
        status, out, err = ends(asking)
    assert (status, out) == (0, "y\n")
    assert err.endswith("This answer was taken out of the inbox before.\n")


def test_a_killed_one_leaves_the_answer_to_the_inbox(cli: Cli) -> None:
    with cli.start("request", "bob", "x", agent="alice") as asking:
        with cli.bus() as bus:
            id_ = asked_of(bus, "bob")
            end(asking)
            answer = reply(bus, id_, "y")
        with cli.bus(later=31) as bus:
            assert [each.message.id for each in bus.mail.receive(bus.agents.attach("alice")).deliveries] == [
                answer
            ]


def test_an_answer_that_nobody_can_be_shown_is_given_back(cli: Cli) -> None:
    reading, writing = os.pipe()
    with cli.start("request", "bob", "x", agent="alice", stdout=writing) as asking:
        os.close(writing)
        with cli.bus() as bus:
            id_ = asked_of(bus, "bob")
            os.close(reading)
            answer = reply(bus, id_, "y")
            asking.wait(DEADLINE)
            assert asking.returncode == 1
            (waiting,) = bus.mail.peek("alice").deliveries
            assert (waiting.message.id, waiting.delivery_count) == (answer, 0)


def test_bad_requests(cli: Cli) -> None:
    for words, status, code in (
        (("request", "alice", "x"), 2, "INVALID_ARGUMENT"),
        (("request", "bob,alice", "x"), 2, "INVALID_NAME"),
        (("request", "*", "x"), 2, "INVALID_ARGUMENT"),
        (("request", "bobb", "x"), 3, "UNKNOWN_RECIPIENT"),
        (("request", "bob", ""), 2, "INVALID_ARGUMENT"),
        (("request", "", "x"), 2, "USAGE"),
        (("request", "bob", "x", "--wait", "8d"), 2, "INVALID_ARGUMENT"),
        (("request", "bob", "x", "--wait", "-1"), 2, "INVALID_ARGUMENT"),
        (("request", "bob", "x", "--wait", "soon"), 2, "USAGE"),
        (("request", "bob", "x", "--reply-within", "0"), 2, "INVALID_ARGUMENT"),
    ):
        refused = cli.run(*words, agent="alice")
        assert (refused.status, refused.code) == (status, code), words
    with cli.bus() as bus:
        assert bus.pending.all() == []
        assert bus.mail.peek("bob").deliveries == ()
    with cli.start("request", "bob", "x", "--wait", "7d", agent="alice") as a_week:
        wait_until_listening(a_week)
        assert end(a_week, signal.SIGTERM) == 128 + signal.SIGTERM


def test_a_request_to_oneself_among_servers_and_shells(cli: Cli) -> None:
    """A server answers what a command of another agent asks."""
    with RawServer(cli.url, "bob") as bob:
        asking = cli.start("request", "bob", "-k", "task", "Build it", agent="alice")
        (message,) = bob.use("receive_messages", wait_seconds=30)["messages"]
        bob.use("send_message", in_reply_to=message["id"], body="Built.")
        assert ends(asking) == (0, "Built.\n", "")


def test_ping_measures_a_server_and_exits_4_without_one(cli: Cli) -> None:
    offline = cli.run("ping", "bob")
    assert (offline.status, offline.code) == (4, "AGENT_OFFLINE")
    assert cli.run("ping", "nobody").status == 3
    assert cli.run("ping", "bob", "--count", "0").status == 2
    with RawServer(cli.url, "bob") as bob:
        bob.use("list_agents")
        once = cli.run("ping", "bob", agent="alice")
        assert once.status == 0
        assert once.out.startswith("bob: ")
        assert "by its server, raw 1, session s-" in once.out
        told = cli.run("ping", "bob", "--json").json
        assert (told["agent"], told["by"], told["client"]) == ("bob", "server", "raw 1")
        assert told["round_trip_ms"] > 0
        twice = cli.run("ping", "bob", "--count", "2", "--json").json
        assert (twice["sent"], twice["answered"], len(twice["pings"])) == (2, 2, 2)
        assert cli.run("ping", "bob", agent="bob").status == 0
        os.kill(bob.process.pid, signal.SIGSTOP)
        try:
            silent = cli.run("ping", "bob", "--timeout", "0.2")
        finally:
            os.kill(bob.process.pid, signal.SIGCONT)
        assert (silent.status, silent.code) == (4, "NO_PONG")


def test_pending_shows_both_sides_and_all(cli: Cli) -> None:
    task = cli.send("bob", "Build it", "-k", "task", "-s", "build", "--reply-within", "10m")
    question = cli.send("alice", "Which?", "-k", "question", agent="bob")
    shown = ageless(cli.run("pending", agent="alice").out)
    assert shown == (
        "alice owes 1 answer:\n"
        f"  {question} to bob: question, asked AGO, not read yet\n"
        "alice waits for 1 answer:\n"
        f"  {task} bob: task (build), asked AGO, not read yet, due in 9 min\n"
    )
    assert cli.run("receive", agent="alice").status == 0
    assert f"{question} to bob: question, asked AGO, read\n" in ageless(cli.run("pending", agent="alice").out)
    told = cli.run("pending", "bob", "--json").json
    assert [debt["id"] for debt in told["owes"]] == [task]
    assert [debt["id"] for debt in told["is_owed"]] == [question]
    cli.run("reply", question, "This", agent="alice")
    every = cli.run("pending", "--all", "--json").json["owed"]
    assert [debt["id"] for debt in every] == [task]
    closed = cli.run("pending", "--all", "--closed", "--json").json["owed"]
    assert [(debt["id"], debt["state"]) for debt in closed] == [(task, "open"), (question, "answered")]
    first = cli.run("pending", "--all", "--closed", "--limit", "1", "--json").json
    assert ([debt["id"] for debt in first["owed"]], "next_after" in first) == ([task], True)
    rest = cli.run("pending", "--all", "--closed", "--after", str(first["next_after"]), "--json").json["owed"]
    assert [debt["id"] for debt in rest] == [question]
    assert cli.run("pending", "alice", agent="bob").out.startswith("alice owes no answer.\n")


def test_pending_refuses_what_can_not_be_meant(cli: Cli) -> None:
    id_ = cli.send("bob", "x", "-k", "task")
    assert cli.run("pending").code == "NO_AGENT_NAME"
    assert cli.run("pending", "nobody").code == "UNKNOWN_AGENT"
    assert cli.run("pending", "bob", "--all").code == "USAGE"
    other = cli.run("pending", "waive", id_, agent="bob")
    assert (other.code, "declines" in other.err) == ("NOT_YOUR_MESSAGE", True)
    assert cli.run("pending", "waive", "m1zzzzz", agent="alice").status == 3
    assert cli.run("pending", "waive", id_, "--of", "alice", agent="alice").code == "NOTHING_OWED"
    assert cli.run("reply", id_, "x", "--decline", "y", agent="bob").code == "USAGE"
    assert cli.run("reply", id_, "--decline", "y", "-k", "result", agent="bob").code == "USAGE"
    by_the_operator = cli.run("pending", "waive", id_, "--json").json["waived"]
    assert [(debt["debtor"], debt["state"]) for debt in by_the_operator] == [("bob", "waived")]


def test_only_one_of_several_is_waived(cli: Cli) -> None:
    with cli.bus() as bus:
        bus.agents.register("carol")
    id_ = cli.send("bob,carol", "x", "-k", "task")
    assert cli.run("pending", "waive", id_, "--of", "bob", agent="alice").status == 0
    shown = cli.run("status", id_, "--json").json["answers"]
    assert {debt["debtor"]: debt["state"] for debt in shown} == {"bob": "waived", "carol": "open"}


def test_who_and_status_tell_of_what_stands_by_and_of_wakes(cli: Cli) -> None:
    id_ = cli.send("bob", "x", "-k", "task", "--reply-within", "10m")
    with cli.bus() as bus:
        bus.presence.stand_by("bob", "wrapper", how="types", state="waits for a quiet prompt")
        bus.presence.woke("bob", "wrapper", worked=False, detail="a dialog is open", message=id_)
        assert "by its wrapper (waits for a quiet prompt)" in cli.run("who", "--online").out
        (listed,) = cli.run("who", "--online", "--json").json["agents"]
        assert (listed["name"], listed["online"], listed["standing"][0]["how"]) == ("bob", True, "types")
        shown = cli.run("status", id_).out
        assert "bob owes the answer: task" in shown
        assert "bob could not be woken AGO (wrapper: a dialog is open)" in ageless(shown)
        agent = cli.run("status", "bob").out
        assert "Stands by: wrapper, waits for a quiet prompt" in agent
        assert "Owes 1 answer, waits for 0: hubbub pending bob" in agent
        told = cli.run("status", "bob", "--json").json
        assert (told["owes"], told["is_owed"], told["agent"]["online"]) == (1, 0, True)


def test_a_wake_that_failed_is_told_for_later_mail_until_one_works(cli: Cli) -> None:
    first = cli.send("bob", "x")
    with cli.bus() as bus:
        bus.presence.stand_by("bob", "wrapper", how="types")
        bus.presence.woke("bob", "types", worked=False, detail="a dialog is open", message=first)
        bus.presence.woke("bob", "of one that ended", worked=False, detail="no pane", message=first)
    with cli.bus(later=5) as bus:
        second = bus.mail.send(bus.agents.attach("alice"), Draft(("bob",), "y")).id
        shown = cli.run("status", second).out
        assert "bob could not be woken" in shown
        assert "a dialog is open" in shown
        assert "no pane" not in shown
        assert "no pane" in cli.run("status", first).out
        bus.presence.woke("bob", "types", worked=True, detail="rang", message=second)
        assert " (types)\n" in cli.run("status", "bob").out
        assert "could not be woken" not in cli.run("status", second).out


def test_receive_counts_announcements(cli: Cli) -> None:
    cli.send("bob", "x", "--announce")
    with cli.bus() as bus:
        bus.agents.register("carol")
    cli.send("bob", "y", "--announce")
    empty = cli.run("receive", agent="carol")
    assert (empty.status, empty.out) == (4, "")
    assert empty.err == "1 message unread in #all: hubbub sync all\n"
    assert cli.run("receive", "--json", agent="bob").json["announcements"] == 2
    assert cli.run("sync", "all", agent="carol").out.count("alice") == 1
    assert cli.run("receive", agent="carol").err == ""


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("listen", "receive --wait"),
        ("deregister", "unregister"),
        ("ask", "request"),
        ("waive", "pending waive"),
    ],
)
def test_words_of_other_systems_lead_to_the_command(cli: Cli, word: str, meant: str) -> None:
    refused = cli.run(word, "bob")
    assert refused.status == 2
    assert f"Did you mean {meant}" in refused.err


def test_send_and_receive_load_nothing_of_it(cli: Cli) -> None:
    """What a common command does not need it does not import."""
    script = (
        "import sys; from hubbub.faces.cli.main import main; main(sys.argv[1:]); "
        "print([name for name in sys.modules if name in ("
        "'hubbub.bus.pending', 'hubbub.bus.presence', 'hubbub.wire_pending', 'hubbub.stores.sqlite.topics', "
        "'hubbub.stores.sqlite.pending', 'hubbub.faces.cli.asking_arguments')], file=sys.stderr)"
    )
    for words, agent in ((("send", "bob", "x"), "alice"), (("receive",), "bob")):
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            env={**cli.env, "HUBBUB_AGENT": agent},
            capture_output=True,
            check=True,
            timeout=DEADLINE,
        )
        assert done.stderr.decode().strip() == "[]"
