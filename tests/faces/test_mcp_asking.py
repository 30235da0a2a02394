"""request, ping_agent and list_pending over real servers: several at once, cancelled, late, killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

import hubbub
from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.faces.mcp import calls
from hubbub.faces.mcp.calls import Call
from hubbub.stores import open_store
from mcp import Client
from tests.faces.mcp_support import (
    DEADLINE,
    ERAS,
    RawServer,
    bus_at,
    clog,
    over_client,
    refused,
    text_of,
    use,
)


def asked_of(bus: Bus, agent: str, count: int) -> list[str]:
    """The ids of what waits for ``agent``, once there are ``count``."""
    end = time.monotonic() + DEADLINE
    with bus.store.bell(f"inbox/{agent}") as bell:
        while True:
            waiting = bus.mail.peek(agent, limit=100).deliveries
            if len(waiting) >= count:
                return [delivery.message.id for delivery in waiting]
            assert time.monotonic() < end, f"{len(waiting)} of {count} came"
            bell.wait(1.0)


def reply(bus: Bus, agent: str, id_: str, body: str, **fields: Any) -> str:
    return bus.mail.reply(bus.agents.attach(agent), id_, body, **fields).id


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A bus where bob is known."""
    with hubbub.connect(bus_at(tmp_path)) as bus:
        bus.agents.register("bob")
    return bus_at(tmp_path)


@pytest.mark.parametrize("era", ERAS)
def test_a_request_is_answered_by_another_client(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client) -> None:
        async def answer() -> None:
            (message,) = (await use(bob, "receive_messages", wait_seconds=20))["messages"]
            assert (message["kind"], message["body"]) == ("question", "Which port?")
            text = await text_of(bob, "send_message", in_reply_to=message["id"], body="8080")
            assert "that is the answer you owed" in text

        async with anyio.create_task_group() as group:
            group.start_soon(answer)
            got = await use(alice, "request", to="bob", body="Which port?")
        assert (got["state"], got["answer"]["body"], got["answer"]["kind"]) == ("answered", "8080", "answer")
        assert (await use(alice, "receive_messages"))["messages"] == []
        assert (await use(alice, "list_pending"))["owed_to_you"] == []
        place = (await use(alice, "get_queue_status", message_id=got["answer"]["id"]))["recipients"][0]
        assert (place["state"], place["settled_by"]) == ("settled", "implicit")

    over_client(bus_at(tmp_path), era, ["alice", "bob"], play)


def test_many_requests_at_once_in_one_server_each_get_their_own_answer(place: str) -> None:
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        requests = [alice.call("request", to="bob", body=f"{number}") for number in range(20)]
        alice.send(*requests)
        for id_ in reversed(asked_of(bus, "bob", 20)):
            body = bus.mail.message(id_).body
            reply(bus, "bob", id_, f"answer to {body}")
        got = {}
        for _ in requests:
            answer = alice.read()
            got[answer["id"]] = answer["result"]["structuredContent"]["answer"]["body"]
        assert got == {each["id"]: f"answer to {number}" for number, each in enumerate(requests)}
        assert bus.mail.peek("alice").deliveries == ()
        alice.use("list_agents")  # begun after the answers were had: it settles them all
        assert bus.agents.get("alice").leased == 0


def test_one_that_is_cancelled_leaves_its_answer_to_the_inbox(place: str) -> None:
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        first, second = (alice.call("request", to="bob", body=body) for body in ("first", "second"))
        alice.send(first, second)
        ids = {bus.mail.message(id_).body: id_ for id_ in asked_of(bus, "bob", 2)}
        alice.cancel(first)
        alice.use("list_agents")  # read after the cancellation
        end = time.monotonic() + DEADLINE
        while True:
            answer_id = reply(bus, "bob", ids["first"], "one")
            if any(each.message.id == answer_id for each in bus.mail.peek("alice").deliveries):
                break
            assert time.monotonic() < end
        reply(bus, "bob", ids["second"], "two")
        assert alice.answer_to(second)["result"]["structuredContent"]["answer"]["body"] == "two"
        bodies = {message["body"] for message in alice.use("receive_messages")["messages"]}
        assert bodies == {"one"}


def test_an_answer_that_was_cancelled_before_it_went_out_comes_again(place: str) -> None:
    """What it held is in the inbox, and was never handed out."""
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        request = alice.call("request", to="bob", body="x")
        alice.send(request)
        (id_,) = asked_of(bus, "bob", 1)
        clogged = clog(alice, bus, "alice")
        answer = reply(bus, "bob", id_, "y")
        deadline = time.monotonic() + DEADLINE
        while bus.mail.whereabouts(answer).recipients[0].state == "queued":
            assert time.monotonic() < deadline
        alice.cancel(request)
        alice.read_answers(clogged)
        asked_of(bus, "alice", 2)
        (message,) = alice.use("receive_messages", **{"from": "bob"})["messages"]
        assert message["id"] == answer
        assert "redelivered" not in message


def test_an_answer_that_comes_late_is_in_the_inbox(place: str) -> None:
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        request = alice.call("request", to="bob", body="x", wait_seconds=0, reply_within_seconds=600)
        alice.send(request)
        result = alice.answer_to(request)["result"]
        late = result["structuredContent"]
        assert late["state"] == "late"
        text = result["content"][0]["text"]
        assert "bob is offline" in text
        assert "due within 10 min" in text
        assert "will come to your inbox" in text
        (owed,) = alice.use("list_pending")["owed_to_you"]
        assert (owed["id"], owed["debtor"], owed["state"]) == (late["id"], "bob", "open")
        reply(bus, "bob", late["id"], "y")
        (message,) = alice.use("receive_messages")["messages"]
        assert (message["body"], message["in_reply_to"]) == ("y", late["id"])
        assert alice.use("list_pending")["owed_to_you"] == []


def test_the_answer_survives_the_death_of_the_askers_server(place: str) -> None:
    with hubbub.connect(place) as bus:
        with RawServer(place, "alice") as alice:
            alice.send(alice.call("request", to="bob", body="x"))
            (id_,) = asked_of(bus, "bob", 1)
            os.kill(alice.process.pid, signal.SIGKILL)
            alice.process.wait(DEADLINE)
        reply(bus, "bob", id_, "y")
        with RawServer(place, "alice") as alice:
            (message,) = alice.use("receive_messages", wait_seconds=40)["messages"]
            assert (message["body"], message["in_reply_to"]) == ("y", id_)


def test_a_retry_with_the_same_key_waits_on_for_the_same_request(place: str) -> None:
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        given = {"to": "bob", "body": "x", "idempotency_key": "k"}
        late = alice.use("request", **given, wait_seconds=0)
        reply(bus, "bob", late["id"], "y")
        again = alice.use("request", **given, wait_seconds=5)
        assert (again["id"], again["state"], again["answer"]["body"]) == (late["id"], "answered", "y")
        assert bus.mail.peek("alice").deliveries == ()
        once_more = alice.use("request", **given)
        assert (once_more["state"], once_more["answer"]["body"]) == ("elsewhere", "y")


def test_one_who_declines_says_so(place: str) -> None:
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        request = alice.call("request", to="bob", body="x", kind="message")
        alice.send(request)
        (id_,) = asked_of(bus, "bob", 1)
        with RawServer(place, "bob") as bob:
            owed = bob.use("list_pending")["you_owe"]
            assert [debt["id"] for debt in owed] == [id_]
            said = bob.use("send_message", in_reply_to=id_, body="No time.", kind="declined")
            assert said["debt"] == "declined"
            assert bob.use("list_pending")["you_owe"] == []
        result = alice.answer_to(request)["result"]
        assert result["structuredContent"]["state"] == "declined"
        assert result["content"][0]["text"].startswith(f"bob declines to answer {id_}:")


def test_waiving_ends_the_wait_and_is_told_to_who_answers_all_the_same(place: str) -> None:
    with RawServer(place, "alice") as alice, RawServer(place, "bob") as bob, hubbub.connect(place) as bus:
        request = alice.call("request", to="bob", body="x")
        alice.send(request)
        (id_,) = asked_of(bus, "bob", 1)
        waiving = alice.call("list_pending", waive=[id_, "m1zzzzz"], reason="found it")
        alice.send(waiving)
        results = {line["id"]: line["result"]["structuredContent"] for line in (alice.read(), alice.read())}
        waived = results[waiving["id"]]
        assert waived["waived"] == [{"id": id_, "debtor": "bob"}]
        assert [error["code"] for error in waived["not_waived"]] == ["MESSAGE_NOT_FOUND"]
        assert results[request["id"]]["state"] == "waived"
        assert bob.use("list_pending")["you_owe"] == []
        said = bob.call("send_message", in_reply_to=id_, body="late")
        bob.send(said)
        result = bob.answer_to(said)["result"]
        assert result["structuredContent"]["debt"] == "waived"
        assert "had been waived" in result["content"][0]["text"]
        (message,) = alice.use("receive_messages")["messages"]
        assert message["body"] == "late"


@pytest.mark.parametrize("era", ERAS)
def test_bad_requests_pings_and_waivers_are_refused_with_the_next_step(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client) -> None:
        for to, code, hint in (
            ("alice", "INVALID_ARGUMENT", "Name another agent"),
            ("bob,alice", "INVALID_ARGUMENT", "Ask several"),
            ("*", "INVALID_ARGUMENT", "Ask several"),
            ("", "INVALID_ARGUMENT", ""),
            ("bobb", "UNKNOWN_RECIPIENT", "bob"),
            ("#all", "INVALID_NAME", "sync"),
        ):
            error = await refused(alice, "request", to=to, body="x")
            assert error["code"] == code, to
            assert hint in error.get("hint", ""), to
        assert (await refused(alice, "request", to="bob", body="x", wait_seconds=-1))[
            "code"
        ] == "INVALID_ARGUMENT"
        assert (await refused(alice, "ping_agent", agent="nobody"))["code"] == "UNKNOWN_AGENT"
        assert (await refused(alice, "list_pending", reason="x"))["code"] == "INVALID_ARGUMENT"
        asked = await use(bob, "send_message", to="alice", body="x", kind="task")
        error = await refused(alice, "list_pending", waive=[asked["id"]])
        assert (error["code"], "declines" in error["hint"]) == ("NOT_YOUR_MESSAGE", True)
        plain = await use(alice, "send_message", to="bob", body="x")
        assert (await refused(alice, "list_pending", waive=[plain["id"]]))["code"] == "NOTHING_OWED"
        assert (await refused(alice, "mesh_request", to="bob"))["hint"] == "Use request(to, body)."
        assert (await refused(alice, "mesh_pending"))["hint"] == "Use list_pending()."

    over_client(bus_at(tmp_path), era, ["alice", "bob"], play)


def test_a_wait_of_a_week_is_cut_and_cancelled_all_the_same(place: str) -> None:
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        request = alice.call("request", to="bob", body="x", wait_seconds=7 * 86_400)
        alice.send(request)
        (id_,) = asked_of(bus, "bob", 1)
        reply(bus, "bob", id_, "y")
        assert alice.answer_to(request)["result"]["structuredContent"]["state"] == "answered"


def test_pings_are_answered_by_an_idle_and_by_a_busy_server(place: str) -> None:
    with RawServer(place, "alice") as alice, RawServer(place, "bob") as bob, hubbub.connect(place) as bus:
        idle = alice.use("ping_agent", agent="bob")
        assert (idle["by"], idle["client"], idle["agent"]) == ("server", "raw 1", "bob")
        assert idle["idle_ms"] >= 0
        assert "state" not in idle
        waiting = bob.call("receive_messages", wait_seconds=45)
        bob.send(waiting)
        sender = bus.agents.register("sender").agent.name
        end = time.monotonic() + DEADLINE
        while "state" not in (busy := alice.use("ping_agent", agent="bob")):
            assert time.monotonic() < end
        assert (busy["state"], busy["idle_ms"]) == ("busy: receive_messages", 0)
        bus.mail.send(bus.agents.attach(sender), bus.mail.draft("bob", "x"))
        bob.answer_to(waiting)
        own = alice.use("ping_agent", agent="alice")
        assert own["state"] == "busy: ping_agent"


def test_names_that_come_and_go_are_answered_for(place: str) -> None:
    with RawServer(place, "alice") as alice, RawServer(place) as other:
        other.use("register_agent", name="carol")
        other.use("register_agent", name="dave")
        sessions = {alice.use("ping_agent", agent=name)["session"] for name in ("carol", "dave")}
        assert len(sessions) == 2
        other.use("unregister_agent", as_agent="dave")
        other.use("list_agents", as_agent="carol")
        gone = alice.call("ping_agent", agent="dave")
        alice.send(gone)
        error = alice.answer_to(gone)["result"]["structuredContent"]["error"]
        assert error["code"] == "UNKNOWN_AGENT"
        alice.use("ping_agent", agent="carol")


def test_a_ping_of_who_is_offline_or_stopped_says_so(place: str) -> None:
    with RawServer(place, "alice") as alice, RawServer(place, "carol") as carol:
        offline = alice.call("ping_agent", agent="bob")
        alice.send(offline)
        error = alice.answer_to(offline)["result"]["structuredContent"]["error"]
        assert (error["code"], error["message"]) == ("AGENT_OFFLINE", "bob is offline and never was online.")
        os.kill(carol.process.pid, signal.SIGSTOP)
        try:
            silent = alice.call("ping_agent", agent="carol", timeout_seconds=0.2)
            alice.send(silent)
            assert alice.answer_to(silent)["result"]["structuredContent"]["error"]["code"] == "NO_PONG"
        finally:
            os.kill(carol.process.pid, signal.SIGCONT)
        assert alice.use("ping_agent", agent="carol")["by"] == "server"


def test_who_stands_by_and_failed_wakes_are_told(place: str) -> None:
    with RawServer(place, "alice") as alice, hubbub.connect(place) as bus:
        assert bus.presence.stand_by("bob", "monitor", state="writes the log") is None
        listed = {agent["name"]: agent for agent in alice.use("list_agents", online_only=True)["agents"]}
        assert listed["bob"]["online"] is True
        assert [each["kind"] for each in listed["bob"]["standing"]] == ["monitor"]
        status = alice.call("get_queue_status", agent="bob")
        alice.send(status)
        text = alice.answer_to(status)["result"]["content"][0]["text"]
        assert text.startswith("bob (online by its monitor (writes the log)")
        sent = alice.use("send_message", to="bob", body="x", kind="task", reply_within_seconds=60)
        bus.presence.woke("bob", "wrapper", worked=False, detail="a dialog is open", message=sent["id"])
        receipt = alice.use("get_queue_status", message_id=sent["id"])
        assert [(wake["agent"], wake["detail"]) for wake in receipt["failed_wakes"]] == [
            ("bob", "a dialog is open")
        ]
        assert [(debt["debtor"], debt["state"]) for debt in receipt["answers"]] == [("bob", "open")]
        later = alice.use("send_message", to="bob", body="x")
        if bus.presence.wakes("bob")[0].at < bus.mail.message(later["id"]).created_at:
            assert "failed_wakes" not in alice.use("get_queue_status", message_id=later["id"])


def test_announcements_are_counted_and_wake_nobody(place: str) -> None:
    with RawServer(place, "alice") as alice, RawServer(place, "carol") as carol:
        assert "announcements" not in carol.use("receive_messages")
        alice.use("send_message", to="bob", body="x", announce=True)
        assert carol.use("receive_messages")["announcements"] == 1
        assert "announcements" not in alice.use("receive_messages")  # its own
        carol.use("sync", topic="all")
        assert "announcements" not in carol.use("receive_messages")


def test_many_debts_come_in_pages_without_a_gap(place: str) -> None:
    with hubbub.connect(place) as bus:
        bus.agents.register("alice")
        alice, bob = bus.agents.attach("alice"), bus.agents.attach("bob")
        mine = [bus.mail.send(alice, bus.mail.draft("bob", f"{n}", kind="task")).id for n in range(70)]
        owed = [bus.mail.send(bob, bus.mail.draft("alice", f"{n}", kind="task")).id for n in range(35)]
    with RawServer(place, "alice") as alice_server:
        seen: dict[str, list[str]] = {"you_owe": [], "owed_to_you": []}
        after: dict[str, int] = {}
        while True:
            page = alice_server.use("list_pending", **after)
            for side, ids in seen.items():
                ids += [debt["id"] for debt in page[side]]
            if "next_after" not in page:
                break
            after = {"after": page["next_after"]}
        assert seen == {"you_owe": owed, "owed_to_you": mine}


def test_a_reminder_is_received_and_its_answer_answers_the_question(place: str) -> None:
    with RawServer(place, "alice") as alice, RawServer(place, "bob") as bob, hubbub.connect(place) as bus:
        asked = alice.use("send_message", to="bob", body="x", kind="task", reply_within_seconds=60)
        bob.use("receive_messages")
        bob.use("list_agents")  # which settles the task, and answers nothing
        clock = ManualClock(bus.store.now() + 91_000)
        with Bus(open_store(place, clock=clock)) as later:
            assert later.store.sweep("test").reminders == 1
        (reminder,) = bob.use("receive_messages")["messages"]
        assert (reminder["from"], reminder["kind"]) == ("hubbub", "reminder")
        assert asked["id"] in reminder["body"]
        (owed,) = bob.use("list_pending")["you_owe"]
        assert owed["reminders"] == 1
        said = bob.use("send_message", in_reply_to=reminder["id"], body="done")
        assert (said["to"], said["debt"]) == (["alice"], "answered")
        (answer,) = alice.use("receive_messages")["messages"]
        assert (answer["body"], answer["in_reply_to"]) == ("done", asked["id"])
        assert bob.use("list_pending")["you_owe"] == []


def test_a_request_reports_progress_to_who_asked_for_it(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first report comes after 15 s: here the wait is driven with a shorter one."""
    monkeypatch.setattr(calls, "PROGRESS_SECONDS", 0.05)
    told: list[float] = []
    with hubbub.connect(place) as bus:
        bus.agents.register("alice")
        alice = bus.agents.attach("alice")
        steps = bus.pending.requesting(alice, bus.mail.draft("bob", "x"), wait=0.5)
        assert Call(told.append).drive(steps).state == "late"
    assert len(told) > 2
