"""The bus: checks of what callers hand in, waiting, the heart, names of killed processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus, Pause, Seat, checking, run
from hubbub.bus.heart import Heart, keep_house
from hubbub.clock import ManualClock
from hubbub.errors import HubbubError, InboxFull, InvalidArgument, NameTaken
from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.stores import open_store
from tests.faults.processes import PATIENCE, child

DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.fixture
def clock() -> ManualClock:
    """The bus's time."""
    return ManualClock()


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[Bus]:
    """A bus with two agents."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=clock)) as opened:
        opened.agents.register("ada")
        opened.agents.register("bob")
        yield opened


def _send(bus: Bus, body: str = "hello") -> str:
    return bus.mail.send(Actor("ada"), bus.mail.draft("bob", body)).id


BAD: list[Callable[[], object]] = [
    lambda: checking.text(5, "x"),
    lambda: checking.text("\ud800", "x"),
    lambda: checking.text("abc", "x", 2),
    lambda: checking.text("", "x", empty=False),
    lambda: checking.body(""),
    lambda: checking.body(None),
    lambda: checking.body("x" * (5 << 20)),
    lambda: checking.label("a\nb", "x", 10),
    lambda: checking.label("\x1b", "x", 10),
    lambda: checking.number(True, "x", 0, 9),
    lambda: checking.number("1", "x", 0, 9),
    lambda: checking.number(1.5, "x", 0, 9),
    lambda: checking.number(float("nan"), "x", 0, 9),
    lambda: checking.number(10**100, "x", 0, 9),
    lambda: checking.seconds(float("nan"), "x", 9),
    lambda: checking.seconds(float("inf"), "x", 9),
    lambda: checking.seconds(-1, "x", 9),
    lambda: checking.seconds("1", "x", 9),
    lambda: checking.seconds(False, "x", 9),
    lambda: checking.metadata([]),
    lambda: checking.metadata("{}"),
    lambda: checking.metadata({"a": {1, 2}}),
    lambda: checking.metadata({"a": float("nan")}),
    lambda: checking.metadata({"a": "\ud800"}),
    lambda: checking.metadata({"a": DEEP}),
    lambda: checking.recipients([]),
    lambda: checking.recipients(None),
    lambda: checking.recipients({"ada": 1}),
    lambda: checking.recipients(["*", "ada"]),
    lambda: checking.recipients(["ada", 5]),
    lambda: checking.recipients(["Ada"]),
    lambda: checking.recipients("a" * 300),
    lambda: checking.recipients([f"a{n}" for n in range(1001)]),
    lambda: checking.message_ids([]),
    lambda: checking.message_ids([1]),
    lambda: checking.message_ids(None),
    lambda: checking.message_ids(["m"] * 1001),
    lambda: checking.key(""),
    lambda: checking.key("k" * 201),
    lambda: checking.key(7),
]


@pytest.mark.parametrize("check", BAD, ids=range(len(BAD)))
def test_bad_input_is_refused_with_a_typed_error(check: Callable[[], object]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check()
    assert len(caught.value.message) < 300


def test_good_input_is_kept() -> None:
    assert checking.recipients("*") == ("*",)
    assert checking.recipients(["bob", "ada", "bob"]) == ("bob", "ada")
    assert checking.metadata({1: "a", "b": [None]}) == {"1": "a", "b": [None]}
    assert checking.metadata(None) is None
    assert checking.number(3.0, "x", 0, 9) == 3
    assert checking.seconds(1.5, "x", 9) == 1500
    assert checking.message_ids("m1") == ("m1",)
    assert checking.key(None) is None
    assert checking.label("release 1.0 ü", "x", 20) == "release 1.0 ü"


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "boss"}, {"inbox_limit": 0}, {"inbox_limit": 1.5}, {"max_message_bytes": 5 << 20},
        {"description": "x" * 1001}, {"description": 5},
    ],
    ids=str,
)  # fmt: skip
def test_a_profile_is_checked(bus: Bus, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        bus.agents.register("cy", **fields)
    assert [agent.name for agent in bus.agents.all()] == ["ada", "bob"]


def test_a_reply_takes_kind_thread_and_recipient_from_what_it_answers(bus: Bus) -> None:
    for kind, answer in (
        ("task", "result"),
        ("question", "answer"),
        ("review_request", "review_response"),
        ("todo", "message"),
    ):
        asked = bus.mail.send(Actor("ada"), bus.mail.draft("bob", "do it", kind=kind, thread="t"))
        sent = bus.mail.reply(Actor("bob"), asked.id, "done")
        reply = bus.mail.message(sent.id)
        assert (reply.kind, reply.thread, reply.recipients) == (answer, "t", ("ada",))
        assert sent.settled == asked.id


def test_a_thread_can_be_named_by_any_of_its_messages(bus: Bus) -> None:
    first = bus.mail.send(Actor("ada"), bus.mail.draft("bob", "1", thread="release"))
    draft = bus.mail.draft("bob", "2", thread=first.id, actor=Actor("ada"))
    assert draft.thread == "release"


def test_run_drives_steps_to_their_result(bus: Bus) -> None:
    def steps() -> Any:
        with bus.store.bell("agents") as bell:
            bell.poke()
            yield Pause(bell, PATIENCE)
            yield Pause(bell, 0)
        return "result"

    assert run(steps()) == "result"


def test_an_error_in_steps_is_the_callers(bus: Bus) -> None:
    def steps() -> Any:
        with bus.store.bell("agents") as bell:
            yield Pause(bell, 0)
        raise InvalidArgument("no")

    with pytest.raises(InvalidArgument):
        run(steps())


def test_giving_a_wait_up_takes_nothing(bus: Bus) -> None:
    steps = bus.mail.receiving(Actor("bob"), bus.mail.filter(), wait=60)
    next(steps)
    steps.close()
    sent = _send(bus)
    assert bus.mail.peek("bob").deliveries[0].message.id == sent


def test_a_receiver_waits_for_a_message(bus: Bus) -> None:
    steps = bus.mail.receiving(Actor("bob"), bus.mail.filter(), wait=60)
    pause = next(steps)
    sent = _send(bus)
    assert pause.bell.wait(PATIENCE)
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert [one.message.id for one in done.value.value.deliveries] == [sent]


def test_a_receiver_with_a_filter_goes_on_waiting(bus: Bus) -> None:
    steps = bus.mail.receiving(Actor("bob"), bus.mail.filter(kind="task"), wait=60)
    next(steps)
    _send(bus)
    assert next(steps).seconds > 0
    steps.close()


def test_no_wait_is_no_wait(bus: Bus) -> None:
    assert bus.mail.receive(Actor("bob")).deliveries == ()


def test_a_sender_waits_for_room(bus: Bus) -> None:
    bus.agents.register("bob", inbox_limit=1)
    first = _send(bus)
    with pytest.raises(InboxFull):
        _send(bus)
    steps = bus.mail.sending(Actor("ada"), bus.mail.draft("bob", "second"), wait_for_room=60)
    pause = next(steps)
    bus.mail.receive(Actor("bob"))
    bus.mail.acknowledge(Actor("bob"), first)
    assert pause.bell.wait(PATIENCE)
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert bus.mail.peek("bob").deliveries[0].message.id == done.value.value.id


def test_what_was_taken_back_does_not_count(bus: Bus) -> None:
    seat = bus.agents.join("bob")
    sent = _send(bus)
    bus.mail.receive(seat.actor)
    bus.mail.take_back(seat.actor, (sent, "nonsense", "m1zzzzz"))
    assert bus.mail.receive(seat.actor).deliveries[0].redelivered is False


HOLDER = """
import sys
from hubbub import connect
bus = connect(sys.argv[1])
seat = bus.agents.join("bob")
bus.mail.receive(seat.actor)
print("holds", flush=True)
sys.stdin.readline()
"""


def _kill_the_holder(bus: Bus) -> None:
    with child(HOLDER, bus.info().url) as holder:
        assert holder.line() == "holds"
        with pytest.raises(NameTaken):
            open_and_join(bus)
        holder.process.kill()
        holder.wait()


def open_and_join(bus: Bus) -> Seat:
    """Join as bob, through a store that goes by the machine's clock."""
    with Bus(open_store(bus.info().url)) as real:
        return real.agents.join("bob")


def test_the_name_of_a_killed_process_is_free_at_once(bus: Bus) -> None:
    _kill_the_holder(bus)
    assert open_and_join(bus).session


def test_a_killed_process_is_not_shown_online(tmp_path: Path) -> None:
    with Bus(open_store(f"sqlite://{tmp_path}/real.db")) as bus:
        bus.agents.register("ada")
        bus.agents.register("bob")
        sent = _send(bus)
        _kill_the_holder(bus)
        assert bus.agents.get("bob").session is None
        assert [agent.session for agent in bus.agents.all()] == [None, None]
        # What it had in hand can be had at once by a command that acts beside it.
        again = bus.mail.receive(Actor("bob")).deliveries[0]
        assert (again.message.id, again.redelivered) == (sent, True)


READER = """
import sys
import hubbub
bus = hubbub.connect(sys.argv[1])
seat = bus.agents.join("bob")
bus.topics.sync(seat.actor, "parser")
print("holds", flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_process_had_of_a_topic_comes_before_what_is_new(tmp_path: Path) -> None:
    with Bus(open_store(f"sqlite://{tmp_path}/real.db")) as bus:
        for name in ("ada", "bob"):
            bus.agents.register(name)
        bus.topics.create(Actor("ada"), "parser")
        bus.topics.sync(Actor("ada"), "parser", (bus.topics.post("old"),))
        with child(READER, bus.info().url) as reader:
            assert reader.line() == "holds"
            reader.process.kill()
            reader.wait()
        bus.topics.sync(Actor("ada"), "parser", (bus.topics.post("new"),))
        again = bus.topics.sync(Actor("bob"), "parser")
        assert ([message.body for message in again.messages], again.redelivered) == (["old"], True)


def test_a_heart_beats_and_keeps_house(bus: Bus, clock: ManualClock) -> None:
    seat = bus.agents.join("bob")
    heart = Heart(bus.store, bus.agents, interval_ms=3_600_000)
    heart.add(seat)
    bus.mail.send(Actor("ada"), bus.mail.draft("bob", "x", ttl=1))
    for _ in range(3):
        clock.advance(SESSION_TTL_MS - 1)
        heart.beat_once()
    heart.stop()
    assert bus.agents.get("bob").session is not None
    assert len(bus.events.events(kinds=("message_expired",))) == 1


def test_a_heart_tells_which_seat_was_lost_and_why(bus: Bus) -> None:
    lost: list[tuple[str, str]] = []
    heart = Heart(
        bus.store,
        bus.agents,
        lost=lambda seat, error: lost.append((seat.session, error.code)),
        interval_ms=3_600_000,
    )
    old, ada = bus.agents.join("bob"), bus.agents.join("ada")
    heart.add(old)
    heart.add(ada)
    bus.agents.join("bob", take_over=True)
    bus.agents.release("ada")
    heart.beat_once()
    heart.beat_once()
    heart.stop()
    assert sorted(lost) == sorted([(old.session, "SESSION_SUPERSEDED"), (ada.session, "SESSION_ENDED")])


def test_a_heart_beats_by_itself_until_stopped(bus: Bus) -> None:
    told = threading.Event()

    def lost(seat: Seat, error: HubbubError) -> None:
        told.set()

    heart = Heart(bus.store, bus.agents, lost=lost, interval_ms=10)
    heart.add(bus.agents.join("bob"))
    bus.agents.release("bob")
    assert told.wait(PATIENCE)
    heart.stop()
    assert not any(thread.name == "hubbub-heart" for thread in threading.enumerate())


def test_keeping_house_ends_sessions_of_killed_processes(tmp_path: Path) -> None:
    with Bus(open_store(f"sqlite://{tmp_path}/real.db")) as bus:
        bus.agents.register("bob")
        _kill_the_holder(bus)
        assert keep_house(bus.store, bus.agents, "h").ran
        assert bus.store.agents.sessions() == []
