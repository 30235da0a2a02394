"""Processes that are stopped (SIGSTOP) at the worst moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hubbub.clock import ManualClock, SystemClock
from hubbub.errors import BusBusy
from hubbub.model import SESSION_TTL_MS, Actor, Draft, NewSession, Profile
from hubbub.model_topics import Post
from hubbub.stores import open_store
from hubbub.stores.contract import Store
from tests.faults.processes import child

HOLDER = """
import sys
from hubbub.stores.sqlite import SqliteStore
from hubbub.model import Actor, Draft
from hubbub.stores.sqlite import sending
store = SqliteStore(sys.argv[1])
with store._core.write() as tx:
    tx.db.execute("UPDATE agents SET description = 'half done'")
    print("holds", flush=True)
    sys.stdin.readline()
print("left", flush=True)
"""

RECEIVER = """
import sys
from hubbub.errors import HubbubError
from hubbub.model import Actor, NewSession, Profile
from hubbub.stores import open_store
store = open_store(sys.argv[1])
store.agents.register(Profile("bob"), NewSession("s-old"))
bob = Actor("bob", "s-old")
print(store.mail.receive(bob).deliveries[0].message.id, flush=True)
sys.stdin.readline()
id_ = sys.argv[2]
for act in (lambda: store.agents.beat("s-old"), lambda: store.mail.settle(bob, (id_,)),
            lambda: store.mail.receive(bob), lambda: store.mail.release(bob, (id_,))):
    try:
        act()
        print("did it", flush=True)
    except HubbubError as error:
        print(error.code, flush=True)
"""

READER = """
import sys
from hubbub.errors import HubbubError
from hubbub.model import Actor, NewSession, Profile
from hubbub.model_topics import Post
from hubbub.stores import open_store
store = open_store(sys.argv[1])
store.agents.register(Profile("bob"), NewSession("s-old"))
bob, topics = Actor("bob", "s-old"), store.topics
synced = topics.sync(bob, "build", limit=2)
print(*(one.body for one in synced.messages), flush=True)
sys.stdin.readline()
hands = (synced.hand,)
for act in (lambda: topics.confirm(bob, hands), lambda: topics.give_back(bob, hands),
            lambda: topics.sync(bob, "build", confirm=hands),
            lambda: topics.sync(bob, "build", outbox=(Post("late"),)),
            lambda: topics.sync(bob, "build", automatic=False, ack_through=3)):
    try:
        act()
        print("did it", flush=True)
    except HubbubError as error:
        print(error.code, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A bus with two agents, whose writers wait 300 ms for their turn."""
    opened = open_store(f"sqlite://{tmp_path}/bus.db", busy_timeout_ms=300)
    opened.agents.register(Profile("ada"))
    opened.agents.register(Profile("bob"))
    try:
        yield opened
    finally:
        opened.close()


def _send(store: Store) -> str:
    return store.mail.send(Actor("ada"), Draft(("bob",), "hello")).id


@pytest.mark.parametrize("then", ["continued", "killed"])
def test_a_stopped_writer_costs_the_others_an_error_and_no_hang(
    store: Store, tmp_path: Path, then: str
) -> None:
    with child(HOLDER, f"{tmp_path}/bus.db") as holder:
        assert holder.line() == "holds"
        holder.stop()
        for _ in range(2):
            with pytest.raises(BusBusy):
                _send(store)
        # Looking needs no turn.
        assert store.mail.peek("bob").remaining == 0
        assert store.agents.get("ada").description == ""
        if then == "continued":
            holder.signal(signal.SIGCONT)
            holder.go()
            assert holder.line() == "left"
        else:
            holder.signal(signal.SIGKILL)
        holder.wait()
    sent = _send(store)
    assert [one.message.id for one in store.mail.peek("bob").deliveries] == [sent]
    assert store.agents.get("ada").description == ("half done" if then == "continued" else "")
    assert store.check() == []


def test_a_program_that_does_not_queue_costs_an_error_and_no_hang(store: Store, tmp_path: Path) -> None:
    other = apsw.Connection(f"{tmp_path}/bus.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusBusy):
        _send(store)
    other.execute("ROLLBACK")
    other.close()
    assert _send(store)


def test_a_stopped_receiver_loses_its_name_and_learns_it(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/bus.db"
    clock = ManualClock(SystemClock().now() + SESSION_TTL_MS + 1000)
    early = open_store(url)
    early.agents.register(Profile("ada"))
    early.agents.register(Profile("bob"))
    sent = _send(early)
    with child(RECEIVER, url, sent) as receiver:
        assert receiver.line() == sent
        receiver.stop()
        late = open_store(url, clock=clock)
        late.agents.register(Profile("bob"), NewSession("s-new"))
        bob = Actor("bob", "s-new")
        (again,) = late.mail.receive(bob).deliveries
        assert (again.message.id, again.redelivered) == (sent, True)
        receiver.signal(signal.SIGCONT)
        receiver.go()
        assert [receiver.line() for _ in range(4)] == ["SESSION_SUPERSEDED"] * 4
        assert receiver.wait() == 0
        assert late.mail.settle(bob, (sent,)) == (sent,)
        late.close()
    early.close()


def test_a_stopped_reader_of_a_topic_loses_what_it_had_and_learns_it(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/bus.db"
    clock = ManualClock(SystemClock().now() + SESSION_TTL_MS + 1000)
    early = open_store(url)
    for name in ("ada", "bob"):
        early.agents.register(Profile(name))
    early.topics.create(Actor("ada"), "build")
    early.topics.sync(Actor("ada"), "build", outbox=(Post("1"), Post("2"), Post("3")))
    with child(READER, url) as reader:
        assert reader.line() == "1 2"
        reader.stop()
        late = open_store(url, clock=clock)
        late.agents.register(Profile("bob"), NewSession("s-new"))
        bob = Actor("bob", "s-new")
        again = late.topics.sync(bob, "build")
        assert ([one.body for one in again.messages], again.redelivered) == (["1", "2"], True)
        assert again.hand is not None
        reader.signal(signal.SIGCONT)
        reader.go()
        assert [reader.line() for _ in range(5)] == ["SESSION_SUPERSEDED"] * 5
        assert reader.wait() == 0
        assert late.topics.confirm(bob, (again.hand,)) == 1
        assert [one.body for one in late.topics.sync(bob, "build").messages] == ["3"]
        assert late.topics.get("build").last_seq == 3
        assert late.check() == []
        late.close()
    early.close()


def test_a_stopped_writer_costs_a_sync_an_error_and_it_can_be_retried(store: Store, tmp_path: Path) -> None:
    ada, bob = Actor("ada"), Actor("bob")
    store.topics.create(ada, "build")
    store.topics.sync(ada, "build", outbox=(Post("there"),))
    store.topics.join(bob, "build")
    with child(HOLDER, f"{tmp_path}/bus.db") as holder:
        assert holder.line() == "holds"
        holder.stop()
        with pytest.raises(BusBusy):
            store.topics.sync(bob, "build", outbox=(Post("mine", key="k"),))
        # Looking needs no turn, and neither does a sync that finds nothing.
        assert store.topics.get("build", agent="bob").unread == 1
        assert store.topics.sync(ada, "build").messages == ()
        holder.signal(signal.SIGKILL)
        holder.wait()
    synced = store.topics.sync(bob, "build", outbox=(Post("mine", key="k"),))
    assert [one.repeated for one in synced.posted] == [False]
    assert [one.body for one in synced.messages] == ["there"]
    assert store.check() == []
