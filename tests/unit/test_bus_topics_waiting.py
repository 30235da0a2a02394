"""Waiting in topics: what ends it, what does not, and who gets what then."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus, Pause, run
from hubbub.clock import ManualClock
from hubbub.errors import (
    SessionSuperseded,
    TopicClosed,
    TopicNotFound,
)
from hubbub.model import Actor
from hubbub.model_topics import Hand, Synced
from hubbub.stores import open_store
from tests.faults.processes import PATIENCE, child

ADA, BOB = Actor("ada"), Actor("bob")


@pytest.fixture
def clock() -> ManualClock:
    """The bus's time."""
    return ManualClock()


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[Bus]:
    """A bus with two agents and a topic that both are in."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as opened:
        for name in ("ada", "bob"):
            opened.agents.register(name)
        opened.topics.create(ADA, "build")
        opened.topics.join(BOB, "build")
        yield opened
        assert opened.check() == []


def _post(bus: Bus, actor: Actor, *bodies: str, topic: str = "build") -> None:
    bus.topics.sync(actor, topic, tuple(bus.topics.post(body) for body in bodies), auto_advance=False)


def _bodies(synced: Synced) -> list[str]:
    return [one.body for one in synced.messages]


Waiting = Generator[Pause, None, Synced]


def _wait(bus: Bus, actor: Actor = BOB, topic: str = "build", **options: Any) -> tuple[Waiting, Pause]:
    """One who waits, and what it waits on."""
    steps = bus.topics.syncing(actor, topic, **{"wait": 3600, **options})
    return steps, next(steps)


def _end(steps: Waiting) -> Synced:
    """What the wait came to; it must be over."""
    with pytest.raises(StopIteration) as done:
        next(steps)
    found: Synced = done.value.value
    return found


@pytest.mark.parametrize("automatic", [True, False])
def test_a_post_ends_the_wait(bus: Bus, automatic: bool) -> None:
    steps, pause = _wait(bus, auto_advance=automatic)
    assert not pause.bell.wait(0)
    _post(bus, ADA, "news")
    assert pause.bell.wait(PATIENCE)
    synced = _end(steps)
    assert _bodies(synced) == ["news"]
    assert (synced.hand is not None) is automatic


def test_what_was_posted_is_in_the_answer_that_was_waited_for(bus: Bus) -> None:
    bus.agents.register("cy")
    outbox = (bus.topics.post("question", key="k"),)
    steps = bus.topics.syncing(Actor("cy"), "build", outbox, wait=3600)
    pause = next(steps)
    (posted,) = bus.topics.history("build").messages
    # Its own post may have rung; what ends the wait is the answer.
    pause.bell.clear()
    _post(bus, ADA, "answer")
    assert pause.bell.wait(PATIENCE)
    synced = _end(steps)
    assert [one.id for one in synced.posted] == [posted.id]
    assert synced.joined
    assert _bodies(synced) == ["answer"]
    assert len(bus.topics.history("build").messages) == 2


def test_a_caller_is_told_before_a_wait_begins_and_only_then(bus: Bus) -> None:
    told: list[Synced] = []
    outbox = (bus.topics.post("question"),)
    steps = bus.topics.syncing(BOB, "build", outbox, wait=3600, before_wait=told.append)
    next(steps)
    (first,) = told
    assert [one.seq for one in first.posted] == [1]
    steps.close()
    _post(bus, ADA, "answer")
    assert _bodies(_end(bus.topics.syncing(BOB, "build", wait=3600, before_wait=told.append))) == ["answer"]
    _end(bus.topics.syncing(BOB, "build", before_wait=told.append))
    bus.topics.close(ADA, "build")
    _end(bus.topics.syncing(BOB, "build", wait=3600, before_wait=told.append))
    assert told == [first]


def test_a_close_ends_the_wait_and_says_so(bus: Bus) -> None:
    steps, pause = _wait(bus)
    bus.topics.close(ADA, "build", reason="done")
    assert pause.bell.wait(PATIENCE)
    synced = _end(steps)
    assert (synced.messages, synced.topic.state, synced.topic.close_reason) == ((), "closed", "done")
    with pytest.raises(TopicClosed):
        _post(bus, BOB, "late")


def test_a_delete_ends_the_wait_with_an_error(bus: Bus) -> None:
    steps, pause = _wait(bus)
    bus.topics.delete(ADA, "build")
    # Another topic of that name is not the one that was waited for.
    bus.topics.create(ADA, "build")
    _post(bus, ADA, "elsewhere")
    assert pause.bell.wait(PATIENCE)
    with pytest.raises(TopicNotFound):
        next(steps)


def test_a_rename_does_not_end_the_wait(bus: Bus) -> None:
    steps, pause = _wait(bus)
    bus.topics.rename(ADA, "build", "make")
    pause.bell.clear()
    pause = next(steps)
    _post(bus, ADA, "news", topic="make")
    assert pause.bell.wait(PATIENCE)
    assert _end(steps).topic.name == "make"


def test_own_posts_do_not_end_the_wait(bus: Bus) -> None:
    steps, _ = _wait(bus)
    _post(bus, BOB, "own")
    assert next(steps).seconds > 0
    steps.close()


def test_an_announcement_wakes_nobody(bus: Bus) -> None:
    steps, pause = _wait(bus, topic="#all")
    with bus.store.bell("inbox/bob") as witness:
        bus.mail.send(ADA, bus.mail.draft("bob", "done", announce=True))
        assert witness.wait(PATIENCE)
    assert not pause.bell.wait(0)
    # Who happens to look goes on waiting, and gets it with the next message that somebody posts.
    assert isinstance(next(steps), Pause)
    assert isinstance(next(steps), Pause)
    _post(bus, ADA, "to all", topic="#all")
    assert pause.bell.wait(PATIENCE)
    found = _end(steps)
    assert (_bodies(found), found.redelivered) == (["done", "to all"], False)


def test_an_announcement_is_had_when_the_wait_ends(bus: Bus) -> None:
    bus.mail.send(ADA, bus.mail.draft("bob", "before", announce=True))
    assert _bodies(bus.topics.sync(BOB, "#all", wait=60)) == ["before"]
    steps, _ = _wait(bus, topic="#all", wait=0.3)
    bus.mail.send(ADA, bus.mail.draft("bob", "meanwhile", announce=True))
    assert _bodies(run(steps)) == ["meanwhile"]


def test_what_goes_wrong_while_waiting_does_not_hide_that_it_was_posted(bus: Bus) -> None:
    outbox = (bus.topics.post("once"),)
    steps = bus.topics.syncing(BOB, "build", outbox, wait=60)
    next(steps)
    bus.topics.delete(ADA, "build")
    with pytest.raises(TopicNotFound) as gone:
        next(steps)
    assert gone.value.details["posted"]
    assert "don't post it again" in gone.value.hint


def test_a_message_in_another_topic_wakes_nobody(bus: Bus) -> None:
    bus.topics.create(ADA, "other")
    steps, pause = _wait(bus)
    _post(bus, ADA, "x", topic="other")
    assert not pause.bell.wait(0)
    steps.close()


def test_no_wait_is_no_wait(bus: Bus) -> None:
    for options in ({}, {"wait": 0}, {"wait": 0, "auto_advance": False}):
        steps = bus.topics.syncing(BOB, "build", **options)  # type: ignore[arg-type]
        assert _end(steps).messages == ()


def test_what_is_there_is_not_waited_for(bus: Bus) -> None:
    _post(bus, ADA, "there")
    assert _bodies(_end(bus.topics.syncing(BOB, "build", wait=3600))) == ["there"]


def test_nobody_waits_in_a_closed_topic(bus: Bus) -> None:
    bus.topics.close(ADA, "build")
    assert _end(bus.topics.syncing(BOB, "build", wait=3600)).topic.state == "closed"


def test_a_wait_has_an_end(bus: Bus) -> None:
    steps, pause = _wait(bus, wait=0.02)
    assert 0 < pause.seconds <= 0.02
    steps.close()
    assert bus.topics.sync(BOB, "build", wait=0.02).messages == ()


def test_a_wait_that_is_given_up_takes_nothing(bus: Bus) -> None:
    steps, _ = _wait(bus)
    steps.close()
    _post(bus, ADA, "news")
    assert bus.topics.get("build", agent="bob").unread == 1


def test_one_message_goes_to_one_of_two_that_wait_for_an_agent(bus: Bus) -> None:
    one, first = _wait(bus)
    other, second = _wait(bus)
    _post(bus, ADA, "news")
    assert first.bell.wait(PATIENCE)
    assert second.bell.wait(PATIENCE)
    assert _bodies(_end(one)) == ["news"]
    assert next(other).seconds > 0
    other.close()


def test_a_waiter_has_what_another_session_gives_back(bus: Bus) -> None:
    _post(bus, ADA, "news")
    seat = bus.agents.join("bob")
    hand = bus.topics.sync(seat.actor, "build").hand
    assert hand is not None
    steps, pause = _wait(bus)
    bus.topics.take_back(seat.actor, (hand,))
    assert pause.bell.wait(PATIENCE)
    assert _bodies(_end(steps)) == ["news"]


def test_a_waiter_has_what_a_session_had_that_ends(bus: Bus) -> None:
    _post(bus, ADA, "news")
    seat = bus.agents.join("bob")
    bus.topics.sync(seat.actor, "build")
    steps, pause = _wait(bus)
    bus.agents.leave(seat)
    assert pause.bell.wait(PATIENCE)
    synced = _end(steps)
    assert (_bodies(synced), synced.redelivered) == (["news"], True)


def test_a_waiter_looks_again_when_a_lease_runs_out(bus: Bus, clock: ManualClock) -> None:
    _post(bus, ADA, "news")
    bus.topics.sync(BOB, "build", lease=2)
    steps, pause = _wait(bus)
    assert 1.9 < pause.seconds <= 2
    clock.advance(1500)
    assert 0 < next(steps).seconds <= 0.5
    clock.advance(500)
    synced = _end(steps)
    assert (_bodies(synced), synced.redelivered) == (["news"], True)


def test_a_waiter_that_is_taken_over_learns_it(bus: Bus) -> None:
    seat = bus.agents.join("bob")
    steps, _ = _wait(bus, seat.actor)
    bus.agents.join("bob", take_over=True)
    with pytest.raises(SessionSuperseded):
        next(steps)


def test_a_thread_that_waits_is_woken_by_another(bus: Bus) -> None:
    found: list[str] = []
    began = threading.Event()

    def wait() -> None:
        steps = bus.topics.syncing(BOB, "build", wait=PATIENCE)
        pause = next(steps)
        began.set()
        pause.bell.wait(PATIENCE)
        found.extend(_bodies(_end(steps)))

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert began.wait(PATIENCE)
    _post(bus, ADA, "news")
    waiter.join(PATIENCE)
    assert found == ["news"]


def test_two_threads_converse_in_one_topic(bus: Bus) -> None:
    said: list[str] = []

    def talk(actor: Actor, opens: bool) -> None:
        outbox = (bus.topics.post("0"),) if opens else ()
        through = 0
        while True:
            synced = bus.topics.sync(
                actor, "build", outbox, wait=PATIENCE, auto_advance=False, ack_through=through
            )
            if not synced.messages:
                return  # it is closed
            through = synced.through
            (body,) = _bodies(synced)
            said.append(body)
            if body == "20":
                bus.topics.close(actor, "build", reason="enough")
                return
            outbox = (bus.topics.post(str(int(body) + 1)),)

    threads = [
        threading.Thread(target=talk, args=(actor, opens)) for actor, opens in ((ADA, True), (BOB, False))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert said == [str(number) for number in range(21)]


HOLDER = """
import sys
from hubbub import connect
bus = connect(sys.argv[1])
seat = bus.agents.join("bob")
bus.topics.sync(seat.actor, "build")
print("holds", flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_process_had_can_be_had_at_once(tmp_path: Path) -> None:
    with Bus(open_store(f"sqlite://{tmp_path}/real.db")) as bus:
        for name in ("ada", "bob"):
            bus.agents.register(name)
        bus.topics.create(ADA, "build")
        _post(bus, ADA, "news")
        with child(HOLDER, bus.info().url) as holder:
            assert holder.line() == "holds"
            assert bus.topics.sync(BOB, "build").messages == ()
            holder.process.kill()
            holder.wait()
        again = bus.topics.sync(BOB, "build")
        assert (_bodies(again), again.redelivered) == (["news"], True)
        assert again.hand == Hand(bus.topics.get("build").id, 1, 1)
