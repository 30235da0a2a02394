"""When what a sync handed out is confirmed, and when it comes back."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hubbub
from hubbub.bus import Bus
from hubbub.model import Actor
from tests.faces.mcp_support import DEADLINE, RawServer, bus_at


class Desk:
    """A bus with a topic that somebody posts to."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        bus.agents.register("sender")
        self.sender: Actor = bus.agents.attach("sender")
        self.topic = bus.topics.create(self.sender, "t").topic.id

    def post(self, *bodies: str) -> None:
        posts = tuple(self.bus.topics.post(body) for body in bodies)
        self.bus.topics.sync(self.sender, self.topic, posts)

    def cursor(self, name: str = "bob") -> int:
        """Up to where all is confirmed."""
        (found,) = (m for m in self.bus.topics.members(self.topic) if m.agent == name)
        return found.cursor

    def until_cursor(self, wanted: int) -> None:
        deadline = time.monotonic() + DEADLINE
        while self.cursor() != wanted:
            assert time.monotonic() < deadline, self.cursor()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with hubbub.connect(bus_at(tmp_path)) as bus:
        yield Desk(bus)


@pytest.fixture
def bob(tmp_path: Path, desk: Desk) -> Iterator[RawServer]:
    with RawServer(bus_at(tmp_path), "bob") as server:
        server.use("join_topic", topic="t")
        yield server


def bodies(answer: dict[str, Any]) -> list[str]:
    return [message["body"] for message in answer["messages"]]


def error_of(server: RawServer, request: dict[str, Any]) -> str:
    result = server.answer_to(request)["result"]
    assert result["isError"], result
    code: str = result["structuredContent"]["error"]["code"]
    return code


def test_the_next_call_confirms(desk: Desk, bob: RawServer) -> None:
    desk.post("1", "2")
    assert bodies(bob.use("sync", topic="t")) == ["1", "2"]
    assert desk.cursor() == 0
    bob.use("list_agents")
    assert desk.cursor() == 2


def test_the_next_sync_confirms_in_the_same_stroke(desk: Desk, bob: RawServer) -> None:
    desk.post("1", "2")
    assert bodies(bob.use("sync", topic="t", limit=1)) == ["1"]
    got = bob.use("sync", topic="t", limit=1)
    assert (bodies(got), got["cursor"]) == (["2"], 1)
    assert desk.cursor() == 1


def test_a_call_sent_before_the_answer_confirms_nothing(desk: Desk, bob: RawServer) -> None:
    """Two calls in one write: the second was sent before the first was answered."""
    for number in range(1, 21):
        desk.post("x")
        sync, other = bob.call("sync", topic="t"), bob.call("list_agents")
        bob.send(sync, other)
        assert {bob.read()["id"], bob.read()["id"]} == {sync["id"], other["id"]}
        assert desk.cursor() == number - 1
        bob.use("list_agents")
        assert desk.cursor() == number


def test_mail_and_topics_are_settled_by_one_call(desk: Desk, bob: RawServer) -> None:
    mail = desk.bus.mail.send(desk.sender, desk.bus.mail.draft("bob", "x")).id
    desk.post("1")
    sync, receive = bob.call("sync", topic="t"), bob.call("receive_messages")
    bob.send(sync, receive)
    bob.read(), bob.read()
    assert desk.cursor() == 0
    bob.use("sync", topic="all")
    assert desk.cursor() == 1
    assert desk.bus.mail.whereabouts(mail).recipients[0].state == "settled"


def test_a_sync_that_fails_confirms_nothing_and_the_next_call_does(desk: Desk, bob: RawServer) -> None:
    desk.post("1")
    bob.use("sync", topic="t")
    failing = bob.call("sync", topic="nope")
    bob.send(failing)
    assert error_of(bob, failing) == "TOPIC_NOT_FOUND"
    assert desk.cursor() == 0
    bob.use("list_topics")
    assert desk.cursor() == 1


def test_a_server_killed_with_messages_in_hand_loses_nothing(tmp_path: Path, desk: Desk) -> None:
    desk.post(*map(str, range(1, 8)))
    with RawServer(bus_at(tmp_path), "bob") as bob:
        assert bodies(bob.use("sync", topic="t", limit=3)) == ["1", "2", "3"]
        assert bodies(bob.use("sync", topic="t", limit=3)) == ["4", "5", "6"]
        bob.process.send_signal(signal.SIGKILL)
        bob.process.wait(DEADLINE)
    with RawServer(bus_at(tmp_path), "bob") as bob:
        again = bob.call("sync", topic="t")
        bob.send(again)
        result = bob.answer_to(again)["result"]
        got = result["structuredContent"]
        assert (bodies(got), got["redelivered"], got["has_more"]) == (["4", "5", "6"], True, True)
        assert "REDELIVERED" in result["content"][0]["text"]
        got = bob.use("sync", topic="t")
        assert (bodies(got), got.get("redelivered")) == (["7"], None)
        assert bodies(bob.use("sync", topic="t")) == []
        assert desk.cursor() == 7


def test_a_server_killed_before_the_answer_was_read_loses_nothing(tmp_path: Path, desk: Desk) -> None:
    """The answer is written, and nobody ever looks at it."""
    desk.post("1")
    with RawServer(bus_at(tmp_path), "bob") as bob:
        bob.send(bob.call("sync", topic="t"))
        assert not bob.quiet(DEADLINE)  # the answer lies in the pipe
        bob.process.send_signal(signal.SIGKILL)
        bob.process.wait(DEADLINE)
    with RawServer(bus_at(tmp_path), "bob") as bob:
        assert bodies(bob.use("sync", topic="t")) == ["1"]


def test_the_end_of_input_gives_back_what_was_not_confirmed(tmp_path: Path, desk: Desk) -> None:
    desk.post("1")
    with RawServer(bus_at(tmp_path), "bob") as bob:
        bob.use("sync", topic="t")
        assert bob.end() == 0
    with RawServer(bus_at(tmp_path), "bob") as bob:
        got = bob.use("sync", topic="t")
        assert (bodies(got), got["redelivered"]) == (["1"], True)


def test_a_cancelled_wait_ends_at_once_and_takes_nothing(desk: Desk, bob: RawServer) -> None:
    waiting = bob.call("sync", topic="t", wait_seconds=40)
    bob.send(waiting)
    assert bob.quiet()
    bob.cancel(waiting)
    bob.use("list_agents")  # reads on: the cancelled call is never answered
    desk.post("1")
    assert bob.quiet()
    got = bob.use("sync", topic="t")
    assert (bodies(got), got.get("redelivered")) == (["1"], None)


def test_a_cancelled_wait_has_confirmed_what_came_before_it(desk: Desk, bob: RawServer) -> None:
    desk.post("1")
    bob.use("sync", topic="t")
    waiting = bob.call("sync", topic="t", wait_seconds=40)
    bob.send(waiting)
    desk.until_cursor(1)
    bob.cancel(waiting)
    # Replayed, the same range is handed out again: the confirmation before does not count for it.
    bob.use("reset_cursor", topic="t", start=0)
    # The cancelled call may have looked once more and be about to give back what it saw: it waits for that.
    replay, other = bob.call("sync", topic="t", wait_seconds=10), bob.call("list_agents")
    bob.send(replay, other)
    assert bodies(bob.answer_to(replay)["result"]["structuredContent"]) == ["1"]
    assert desk.cursor() == 0
    bob.use("list_agents")
    assert desk.cursor() == 1


def test_a_cancelled_wait_keeps_what_it_posted(desk: Desk, bob: RawServer) -> None:
    post = {"body": "from bob", "key": "k"}
    waiting = bob.call("sync", topic="t", outbox=[post], wait_seconds=40)
    bob.send(waiting)
    assert bob.quiet()
    bob.cancel(waiting)
    again = bob.use("sync", topic="t", outbox=[post])
    assert [(posted["seq"], posted["repeated"]) for posted in again["posted"]] == [(1, True)]
    assert [m.body for m in desk.bus.topics.history("t").messages] == ["from bob"]


def test_a_cancellation_of_an_answer_that_was_had_changes_nothing(desk: Desk, bob: RawServer) -> None:
    """OpenCode cancels each call after it has used the answer."""
    desk.post("1")
    sync = bob.call("sync", topic="t")
    bob.send(sync)
    bob.answer_to(sync)
    assert bob.quiet()
    bob.cancel(sync)
    assert bob.use("sync", topic="t")["messages"] == []
    (member,) = [each for each in desk.bus.topics.members("t") if each.agent == "bob"]
    assert member.cursor == member.position


def test_a_cancellation_while_the_answer_is_written_gives_back(desk: Desk, bob: RawServer) -> None:
    """The pipe is full in the middle of the answer when the cancellation comes."""
    desk.post("p" * 39_000)
    listing = [bob.call("read_thread", thread="#t") for _ in range(4)]
    bob.send(*listing)  # their answers fill the pipe, which nobody reads
    sync = bob.call("sync", topic="t")
    bob.send(sync)
    deadline = time.monotonic() + DEADLINE
    while desk.bus.topics.get("t", agent="bob").unread:
        assert time.monotonic() < deadline
    bob.cancel(sync)
    bob.read_answers(listing)
    while not desk.bus.topics.get("t", agent="bob").unread:
        assert time.monotonic() < deadline
    got = bob.use("sync", topic="t")
    assert (len(got["messages"]), got.get("redelivered")) == (1, None)


def test_a_client_that_vanishes_while_its_sync_waits_takes_nothing(
    tmp_path: Path, desk: Desk, bob: RawServer
) -> None:
    bob.send(bob.call("sync", topic="t", wait_seconds=40))
    assert bob.quiet()
    assert bob.end() == 0
    desk.post("1")
    with RawServer(bus_at(tmp_path), "bob") as new:
        got = new.use("sync", topic="t")
        assert (bodies(got), got.get("redelivered")) == (["1"], None)


def test_manual_mode_hands_out_nothing(tmp_path: Path, desk: Desk) -> None:
    desk.post("1", "2")
    with RawServer(bus_at(tmp_path), "bob") as bob:
        assert bodies(bob.use("sync", topic="t", auto_advance=False)) == ["1", "2"]
        bob.use("list_agents")
        assert desk.cursor() == 0
        bob.process.send_signal(signal.SIGKILL)
        bob.process.wait(DEADLINE)
    with RawServer(bus_at(tmp_path), "bob") as bob:
        got = bob.use("sync", topic="t", ack_through=1)
        assert (bodies(got), got.get("redelivered"), got["cursor"]) == (["2"], None, 1)


def test_a_waiting_sync_holds_up_no_other(desk: Desk, bob: RawServer) -> None:
    bob.use("create_topic", name="u")
    waiting = bob.call("sync", topic="t", wait_seconds=40)
    bob.send(waiting)
    desk.bus.topics.sync(desk.sender, "u", (desk.bus.topics.post("elsewhere"),))
    assert bodies(bob.use("sync", topic="u", wait_seconds=40)) == ["elsewhere"]
    assert bob.ask("ping") == {"jsonrpc": "2.0", "id": bob._next_id, "result": {}}
    desk.post("here")
    assert bodies(bob.answer_to(waiting)["result"]["structuredContent"]) == ["here"]


def test_a_topic_that_is_deleted_wakes_who_waits_in_it(desk: Desk, bob: RawServer) -> None:
    waiting = bob.call("sync", topic="t", wait_seconds=40)
    bob.send(waiting)
    assert bob.quiet()
    desk.bus.topics.delete(desk.sender, "t")
    assert error_of(bob, waiting) == "TOPIC_NOT_FOUND"


def test_a_takeover_fences_out_a_sync_that_waits(tmp_path: Path, desk: Desk, bob: RawServer) -> None:
    waiting = bob.call("sync", topic="t", wait_seconds=40)
    bob.send(waiting)
    assert bob.quiet()
    with RawServer(bus_at(tmp_path), "bob") as new:
        new.use("register_agent", name="bob", take_over=True)
        assert error_of(bob, waiting) == "SESSION_SUPERSEDED"
        desk.post("1")
        assert bodies(new.use("sync", topic="t")) == ["1"]


def test_what_a_fenced_out_server_had_in_hand_goes_to_the_new_one(
    tmp_path: Path, desk: Desk, bob: RawServer
) -> None:
    desk.post("1")
    bob.use("sync", topic="t")
    with RawServer(bus_at(tmp_path), "bob") as new:
        new.use("register_agent", name="bob", take_over=True)
        got = new.use("sync", topic="t")
        assert (bodies(got), got["redelivered"]) == (["1"], True)
        late = bob.call("sync", topic="t")  # its call would confirm what is the new one's now
        bob.send(late)
        assert error_of(bob, late) == "SESSION_SUPERSEDED"
        assert desk.cursor() == 0
        new.use("list_agents")
        assert desk.cursor() == 1


def test_over_many_short_lives_nothing_is_lost_and_only_marked_messages_come_twice(
    tmp_path: Path, desk: Desk
) -> None:
    chance = random.Random(11)
    seen: list[int] = []
    posted = lives = 0
    while len(set(seen)) < 150:
        lives += 1
        assert lives < 100
        with RawServer(bus_at(tmp_path), "bob") as bob:
            for _ in range(chance.randrange(1, 8)):
                fresh = range(posted, min(150, posted + chance.randrange(8)))
                posted += len(fresh)
                if fresh:
                    desk.post(*map(str, fresh))
                call = bob.call("sync", topic="t", limit=chance.randrange(1, 6))
                bob.send(call)
                if chance.random() < 0.2:
                    break  # killed with the call under way, or its answer unread
                got = bob.answer_to(call)["result"]["structuredContent"]
                numbers = [int(body) for body in bodies(got)]
                if not got.get("redelivered"):
                    assert not set(numbers) & set(seen)
                assert numbers == sorted(numbers)
                seen += numbers
            bob.process.send_signal(signal.SIGKILL)
            bob.process.wait(DEADLINE)
    assert set(seen) == set(range(150))
    with RawServer(bus_at(tmp_path), "bob") as bob:
        while bob.use("sync", topic="t")["messages"]:
            pass
    assert desk.cursor() == 150
    assert desk.bus.check() == []
