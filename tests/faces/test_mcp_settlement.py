"""When what a receive handed out is settled, and when it comes back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

import hubbub
from tests.faces.mcp_support import DEADLINE, RawServer, bus_at, clog


def state_of(bus: hubbub.bus.Bus, id_: str) -> str:
    return bus.mail.whereabouts(id_).recipients[0].state


def sent(bus: hubbub.bus.Bus, to: str, body: str = "x") -> str:
    bus.agents.register("sender")
    return bus.mail.send(bus.agents.attach("sender"), bus.mail.draft(to, body)).id


def test_the_next_call_settles(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "bob") as bob, hubbub.connect(bus_at(tmp_path)) as bus:
        id_ = sent(bus, "bob")
        bob.use("receive_messages")
        assert state_of(bus, id_) == "leased"
        bob.use("list_agents")
        assert state_of(bus, id_) == "settled"
        assert bus.mail.whereabouts(id_).recipients[0].settled_by == "implicit"


def test_a_call_sent_before_the_answer_settles_nothing(tmp_path: Path) -> None:
    """Two calls in one write: the second was sent before the first was answered."""
    with RawServer(bus_at(tmp_path), "bob") as bob, hubbub.connect(bus_at(tmp_path)) as bus:
        for _ in range(20):
            id_ = sent(bus, "bob")
            receive, other = bob.call("receive_messages"), bob.call("list_agents")
            bob.send(receive, other)
            first, second = bob.read(), bob.read()
            assert {first["id"], second["id"]} == {receive["id"], other["id"]}
            assert state_of(bus, id_) == "leased"
            bob.use("list_agents")
            assert state_of(bus, id_) == "settled"


def test_the_next_receive_settles_in_the_same_stroke(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "bob") as bob, hubbub.connect(bus_at(tmp_path)) as bus:
        first, second = sent(bus, "bob"), sent(bus, "bob")
        assert [m["id"] for m in bob.use("receive_messages", limit=1)["messages"]] == [first]
        assert [m["id"] for m in bob.use("receive_messages", limit=1)["messages"]] == [second]
        assert (state_of(bus, first), state_of(bus, second)) == ("settled", "leased")


def test_a_call_about_a_message_decides_itself(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "bob") as bob, hubbub.connect(bus_at(tmp_path)) as bus:
        kept, back, answered = sent(bus, "bob"), sent(bus, "bob"), sent(bus, "bob")
        bob.use("receive_messages")
        bob.use("acknowledge", release=[back])
        assert (state_of(bus, kept), state_of(bus, back), state_of(bus, answered)) == (
            "settled",
            "queued",
            "settled",
        )
        again = bob.use("receive_messages")["messages"]
        assert [(m["id"], m.get("redelivered")) for m in again] == [(back, True)]
        bob.use("send_message", in_reply_to=back, body="ok")
        assert bus.mail.whereabouts(back).recipients[0].settled_by == "reply"


def test_an_explicit_acknowledgement_of_what_was_settled_implicitly_is_fine(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "bob") as bob, hubbub.connect(bus_at(tmp_path)) as bus:
        id_ = sent(bus, "bob")
        bob.use("receive_messages")
        bob.use("list_agents")
        assert bob.use("acknowledge", ids=[id_]) == {"settled": [id_]}


def test_explicit_acknowledgement_waits_for_it(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "bob") as bob, hubbub.connect(bus_at(tmp_path)) as bus:
        id_ = sent(bus, "bob")
        bob.use("receive_messages", ack="explicit")
        bob.use("list_agents")
        bob.use("list_agents")
        assert state_of(bus, id_) == "leased"
        bob.use("acknowledge", ids=[id_])
        assert state_of(bus, id_) == "settled"


def test_a_server_killed_with_mail_in_hand_loses_nothing(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus:
        with RawServer(bus_at(tmp_path), "bob") as bob:
            id_ = sent(bus, "bob")
            bob.use("receive_messages")
            bob.process.send_signal(signal.SIGKILL)
            bob.process.wait(DEADLINE)
        with RawServer(bus_at(tmp_path), "bob") as bob:
            (message,) = bob.use("receive_messages")["messages"]
        assert (message["id"], message["redelivered"], message["delivery_count"]) == (id_, True, 2)


def test_the_end_of_input_gives_back_what_was_not_settled(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "bob") as bob:
        id_ = sent(bus, "bob")
        bob.use("receive_messages")
        assert bob.end() == 0
        assert state_of(bus, id_) == "queued"
        assert bus.agents.get("bob").session is None


def test_a_client_that_vanishes_while_its_receive_waits_takes_nothing(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "bob") as bob:
        bob.send(bob.call("receive_messages", wait_seconds=40))
        assert bob.quiet()
        assert bob.end() == 0
        id_ = sent(bus, "bob")
        (place,) = bus.mail.whereabouts(id_).recipients
        assert (place.state, place.delivery_count) == ("queued", 0)


def test_a_cancelled_wait_ends_at_once_and_takes_nothing(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "bob") as bob:
        waiting = bob.call("receive_messages", wait_seconds=40)
        bob.send(waiting)
        assert bob.quiet()
        bob.send(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": waiting["id"]}}
        )
        bob.use("list_agents")  # reads on: the cancelled call is never answered
        id_ = sent(bus, "bob")
        assert bob.quiet()
        assert bus.mail.whereabouts(id_).recipients[0].delivery_count == 0
        assert [m["id"] for m in bob.use("receive_messages")["messages"]] == [id_]


@pytest.mark.parametrize("ack", ["implicit", "explicit"])
def test_a_cancellation_of_an_answer_that_was_had_changes_nothing(tmp_path: Path, ack: str) -> None:
    """OpenCode cancels each call after it has used the answer."""
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "bob") as bob:
        id_ = sent(bus, "bob")
        receive = bob.call("receive_messages", ack=ack)
        bob.send(receive)
        bob.answer_to(receive)
        assert bob.quiet()
        bob.cancel(receive)
        assert bob.use("receive_messages")["messages"] == []
        (place,) = bus.mail.whereabouts(id_).recipients
        settled = ("settled", "implicit", 1) if ack == "implicit" else ("leased", None, 1)
        assert (place.state, place.settled_by, place.delivery_count) == settled
        if ack == "explicit":
            bob.use("acknowledge", ids=[id_])


def test_a_takeover_fences_out_the_older_server_even_while_it_waits(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "bob") as old, RawServer(bus_at(tmp_path), "bob") as new:
        refused = new.call("list_agents")
        new.send(refused)
        error = new.answer_to(refused)["result"]
        assert error["isError"]
        assert error["structuredContent"]["error"]["code"] == "NAME_TAKEN"
        waiting = old.call("receive_messages", wait_seconds=40)
        old.send(waiting)
        assert old.quiet()
        new.use("register_agent", name="bob", take_over=True)
        fenced = old.answer_to(waiting)["result"]
        assert fenced["structuredContent"]["error"]["code"] == "SESSION_SUPERSEDED"
        assert new.use("list_agents")["you"] == "bob"
        # The older one can go on under another name.
        assert old.use("register_agent", name="robert")["default"] is True
        assert old.use("list_agents")["you"] == "robert"


def test_a_cancellation_while_the_answer_is_written_gives_back(tmp_path: Path) -> None:
    """The pipe is full in the middle of the answer when the cancellation comes."""
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "bob") as bob:
        padding = [sent(bus, "bob", "p" * 39_000) for _ in range(4)]
        listing = [bob.call("receive_messages", peek=True, limit=1) for _ in range(4)]
        bob.send(*listing)  # their answers fill the pipe, which nobody reads
        receive = bob.call("receive_messages", limit=1, ack="explicit")
        bob.send(receive)
        deadline = time.monotonic() + 20
        while state_of(bus, padding[0]) != "leased":
            assert time.monotonic() < deadline
        bob.send(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": receive["id"]}}
        )
        bob.read_answers(listing)
        while state_of(bus, padding[0]) != "queued":
            assert time.monotonic() < deadline
        assert bus.mail.whereabouts(padding[0]).recipients[0].delivery_count == 0


def test_a_cancellation_before_the_answer_is_begun_gives_back(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "bob") as bob:
        answers = clog(bob, bus, "bob")
        id_ = sent(bus, "bob")
        receive = bob.call("receive_messages", **{"from": "sender"})
        bob.send(receive)
        deadline = time.monotonic() + DEADLINE
        while state_of(bus, id_) != "leased":
            assert time.monotonic() < deadline
        bob.cancel(receive)
        bob.read_answers(answers)
        (message,) = bob.use("receive_messages", wait_seconds=10, **{"from": "sender"})["messages"]
        assert message["id"] == id_
        assert "redelivered" not in message


def test_registering_again_after_the_session_was_ended_is_whole(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "bob") as bob:
        bob.use("list_agents")
        bus.agents.release("bob")
        ended = bob.call("receive_messages")
        bob.send(ended)
        error = bob.answer_to(ended)["result"]["structuredContent"]["error"]
        assert error["code"] == "SESSION_ENDED"
        assert bob.use("register_agent", name="bob")["online"] is True
        assert bob.use("list_agents", as_agent="bob")["you"] == "bob"
        assert bob.use("register_agent", name="bob", description="again")["description"] == "again"
        id_ = sent(bus, "bob")
        bob.use("receive_messages")
        bob.use("list_agents")
        assert state_of(bus, id_) == "settled"
        bob.end()
        assert bus.agents.get("bob").session is None


def test_a_superseded_server_cannot_change_the_agent(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "bob") as old, RawServer(bus_at(tmp_path), hello=False) as new:
        old.use("list_agents")
        new.hello("other")
        new.use("register_agent", name="bob", take_over=True)
        change = old.call("register_agent", name="bob", role="publisher", inbox_limit=1)
        old.send(change)
        error = old.answer_to(change)["result"]["structuredContent"]["error"]
        assert error["code"] == "NAME_TAKEN"
        assert new.use("get_queue_status")["role"] == "both"


def test_a_resumed_session_is_the_main_agent_and_not_its_helper(tmp_path: Path) -> None:
    url = bus_at(tmp_path)
    with RawServer(url, hello=False, CLAUDE_CODE_SESSION_ID="abc") as server:
        server.hello("claude-code")
        server.use("register_agent", name="alice")
        server.use("register_agent", name="helper")
    with RawServer(url, hello=False, CLAUDE_CODE_SESSION_ID="abc") as server:
        server.hello("claude-code")
        assert server.use("list_agents")["you"] == "alice"
        assert server.use("register_agent", name="helper")["default"] is False
        assert server.use("list_agents")["you"] == "alice"


def test_choosing_a_name_settles_what_the_made_up_one_had_received(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), hello=False) as server:
        server.hello("claude-code")
        first, second = sent(bus, "claude"), sent(bus, "claude")
        server.use("receive_messages", limit=1)
        choose = server.call("register_agent", name="alice")
        server.send(choose)
        text = server.answer_to(choose)["result"]["content"][0]["text"]
        assert "You are no longer claude; 1 messages wait there." in text
        assert (state_of(bus, first), state_of(bus, second)) == ("settled", "queued")
