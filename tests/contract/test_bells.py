"""Bells: who waits is woken by a commit, from any thread and any process."""

from __future__ import annotations

import select
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from hubbub.errors import UnknownRecipient
from hubbub.model import LEASE_MS, MAX_DELIVERIES, SESSION_TTL_MS, Actor, Profile
from tests.contract.world import World

PATIENCE = 20.0
"""Seconds after which a ring is given up for lost; no test waits that long when all is well."""


Act = Callable[[World], None]


def _send(world: World) -> None:
    world.send(Actor("ada"), "bob")


def _release(world: World) -> None:
    world.mail.release(Actor("bob"), tuple(world.take(Actor("bob"))))


def _take_over(world: World) -> None:
    world.seat("bob", take_over=True)


def _end(world: World) -> None:
    (session,) = world.agents.sessions()
    world.agents.end_session(session.id, "left")


def _lapse(world: World) -> None:
    world.clock.advance(SESSION_TTL_MS)
    world.store.sweep("h")


def _lease_runs_out(world: World) -> None:
    world.take(Actor("bob"))
    world.clock.advance(LEASE_MS)
    world.store.sweep("h")


def _retry(world: World) -> None:
    world.mail.retry((world.mail.dead()[0].message.id,))


def _settle(world: World) -> None:
    world.mail.settle(Actor("bob"), (world.mail.peek("bob").deliveries[0].message.id,))


def _answer(world: World) -> None:
    id_ = world.mail.peek("bob").deliveries[0].message.id
    world.send(Actor("bob"), "ada", in_reply_to=id_)


def _expire(world: World) -> None:
    world.send(Actor("ada"), "bob", ttl_ms=1)
    world.clock.advance(1)
    world.store.sweep("h")


def _use_up(world: World) -> None:
    world.agents.register(Profile("bob"))
    (waiting,) = world.mail.peek("bob").deliveries
    world.use_up("bob", waiting.message.id, times=MAX_DELIVERIES - 1)
    _lease_runs_out(world)


def _raise_the_limit(world: World) -> None:
    world.agents.register(Profile("bob", inbox_limit=5000))


def _delete_mail(world: World) -> None:
    world.agents.unregister("bob", delete_mail=True)


def _register(world: World) -> None:
    world.agent("newcomer")


def _unregister(world: World) -> None:
    world.agents.unregister("bob")


RINGS: list[tuple[str, Act]] = [
    ("inbox/bob", _send),
    ("inbox/bob", _release),
    ("inbox/bob", _take_over),
    ("inbox/bob", _end),
    ("inbox/bob", _lapse),
    ("inbox/bob", _lease_runs_out),
    ("inbox/bob", _retry),
    ("room/bob", _settle),
    ("room/bob", _answer),
    ("room/bob", _expire),
    ("room/bob", _use_up),
    ("room/bob", _raise_the_limit),
    ("room/bob", _delete_mail),
    ("agents", _register),
    ("agents", _unregister),
    ("agents", _take_over),
    ("agents", _end),
    ("agents", _lapse),
    ("events", _send),
    ("events", _settle),
    ("events", _register),
]


@pytest.mark.parametrize(("key", "act"), RINGS)
def test_what_rings(world: World, key: str, act: Act) -> None:
    ada, _ = world.agent("ada"), world.seat("bob")
    if act is _retry:
        world.dead_letter("bob", ada)
    elif act not in (_take_over, _end, _lapse, _send, _register, _unregister):
        world.send(ada, "bob")
    with world.store.bell(key) as bell:
        act(world)
        assert bell.wait(PATIENCE)


@pytest.mark.parametrize("key", ["inbox/ada", "inbox/bobby", "inbox/bo", "room/bob"])
def test_what_does_not_ring(world: World, key: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    with world.store.bell(key) as bell, world.store.bell("inbox/bob") as witness:
        world.send(ada, "bob")
        assert witness.wait(PATIENCE)
        assert not bell.wait(0)


@pytest.mark.parametrize("key", ["inbox/bob", "room/bob", "agents", "events"])
def test_what_was_rolled_back_does_not_ring(world: World, key: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    with world.store.bell(key) as bell:
        with pytest.raises(UnknownRecipient):
            world.send(ada, ("bob", "nobody"))
        assert not bell.wait(0)


def test_one_bell_for_several_keys(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    with world.store.bell("inbox/bob", "agents") as bell:
        assert not bell.wait(0)
        world.send(ada, "bob")
        assert bell.wait(PATIENCE)
        world.agent("newcomer")
        assert bell.wait(PATIENCE)


def test_a_ring_is_taken_off(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    with world.store.bell("inbox/bob") as bell:
        world.send(ada, "bob")
        world.send(ada, "bob")
        assert bell.wait(PATIENCE)
        assert not bell.wait(0)
        world.send(ada, "bob")
        bell.clear()
        assert not bell.wait(0)
        bell.clear()


def test_two_waiters_are_both_woken(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    with world.store.bell("inbox/bob") as one, world.store.bell("inbox/bob") as other:
        world.send(ada, "bob")
        assert one.wait(PATIENCE)
        assert other.wait(PATIENCE)


def test_a_poke_wakes_one_bell(world: World) -> None:
    with world.store.bell("agents") as one, world.store.bell("agents") as other:
        one.poke()
        assert one.wait(PATIENCE)
        assert not other.wait(0)


def test_a_descriptor_is_readable_when_it_rang(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    with world.store.bell("inbox/bob") as bell:
        if bell.fileno() < 0:
            pytest.skip("this store's bells have no descriptor here")
        assert select.select([bell.fileno()], [], [], 0)[0] == []
        world.send(ada, "bob")
        assert select.select([bell.fileno()], [], [], PATIENCE)[0] == [bell.fileno()]
        bell.clear()
        assert select.select([bell.fileno()], [], [], 0)[0] == []


def test_closing_twice_is_fine_and_nothing_is_left_behind(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    bell = world.store.bell("inbox/bob", "events")
    bell.close()
    bell.close()
    world.send(ada, "bob")


def test_a_waiting_thread_is_woken_after_the_commit(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    ready, seen = threading.Event(), list[str]()

    def wait() -> None:
        with world.store.bell("inbox/bob") as bell:
            ready.set()
            if bell.wait(PATIENCE):
                # The ring comes after the commit: what it tells of is there.
                seen.extend(world.take(bob))

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert ready.wait(PATIENCE)
    sent = world.send(ada, "bob")
    waiter.join(PATIENCE)
    assert seen == [sent.id]


_ELSEWHERE = """
import sys
from hubbub.model import Actor, Draft
from hubbub.stores import open_store
store = open_store(sys.argv[1])
store.mail.send(Actor("ada"), Draft(("bob",), "from elsewhere"))
store.close()
"""


@pytest.mark.parametrize("name", ["bob", "b" * 64])
def test_a_commit_of_another_process_rings(world: World, name: str) -> None:
    world.agents_named("ada", name)
    with world.store.bell(f"inbox/{name}") as bell:
        script = _ELSEWHERE.replace('"bob"', f'"{name}"')
        subprocess.run([sys.executable, "-c", script, world.url], check=True, timeout=PATIENCE)
        assert bell.wait(PATIENCE)
    assert world.take_one(Actor(name)).message.body == "from elsewhere"
