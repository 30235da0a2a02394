"""What a store keeps of topics: across closing, a killed process, in a backup, from an older format."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import apsw

from hubbub.clock import ManualClock
from hubbub.model import Actor, NewSession, Profile
from hubbub.model_topics import EVERYBODY, HANDOUT_MS, Post
from hubbub.stores import open_store
from hubbub.stores.sqlite.connection import Connection, make_file
from hubbub.stores.sqlite.migrating import migrate
from hubbub.stores.sqlite.statements import migrations, newest_format
from tests.contract.conftest import Place
from tests.contract.world import World, bodies


def test_topics_are_there_after_closing_and_opening(world: World, place: Place) -> None:
    ada, bob = world.agents_named("ada", "bob")
    topic = world.topic(ada, metadata={"a": 1})
    world.post(ada, "build", *"123")
    assert world.read(bob, "build", limit=1) == ["1"]
    other = open_store(place.url, clock=place.clock)
    try:
        assert other.topics.get("build").id == topic.id
        assert other.topics.get("build").metadata == {"a": 1}
        assert bodies(other.topics.sync(bob, "build", limit=1)) == ["2"]
        place.clock.advance(HANDOUT_MS)
        again = other.topics.sync(bob, "build", limit=1)
        assert (bodies(again), again.redelivered) == (["1"], True)
        assert other.check() == []
    finally:
        other.close()


_LAST_WORDS = """
import os, signal, sys
from hubbub.model import Actor
from hubbub.model_topics import Post
from hubbub.stores import open_store
store = open_store(sys.argv[1])
posted = store.topics.sync(Actor("ada"), "build", outbox=(Post("last words", key="k"),)).posted[0]
os.write(1, posted.id.encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_posted_survives_a_process_that_is_killed_right_after(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    died = subprocess.run(
        [sys.executable, "-c", _LAST_WORDS, world.url], stdout=subprocess.PIPE, timeout=30, check=False
    )
    assert died.returncode < 0
    id_ = died.stdout.decode()
    assert world.topics.message(id_).body == "last words"
    assert world.read(bob, "build") == ["last words"]


def test_a_backup_has_the_topics_and_how_far_each_has_read(world: World, tmp_path: Path) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.post(ada, "build", *"123")
    world.read(bob, "build", limit=2)
    copy = tmp_path / "backup.db"
    world.store.backup(str(copy))
    world.post(ada, "build", "after the backup")
    clock = ManualClock(world.store.now())
    restored = open_store(f"sqlite://{copy}", create=False, clock=clock)
    try:
        assert restored.check() == []
        assert [one.body for one in restored.topics.history("build").messages] == list("123")
        assert bodies(restored.topics.sync(bob, "build")) == ["3"]
        clock.advance(HANDOUT_MS)
        assert bodies(restored.topics.sync(bob, "build")) == ["1", "2"]
    finally:
        restored.close()


def test_one_store_serves_many_threads_of_one_agent(world: World) -> None:
    ada = world.agent("ada")
    bob = world.seat("bob")
    world.topic(ada)
    for start in range(0, 200, 50):
        world.post(ada, "build", *[str(number) for number in range(start, start + 50)])
    taken: list[str] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                synced = world.topics.sync(bob, "build", limit=3)
                if synced.hand is None:
                    return
                taken.extend(bodies(synced))
                assert world.topics.confirm(bob, (synced.hand,)) == 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(taken, key=int) == [str(number) for number in range(200)]
    assert world.topics.sync(bob, "build").cursor == 200


def test_info_counts_topics(world: World) -> None:
    ada = world.agent("ada")
    before = world.store.info()
    assert (before.topics, before.topic_messages) == (1, 0)
    world.topic(ada)
    world.post(ada, "build", *"123")
    world.topics.close(ada, "build")
    after = world.store.info()
    assert (after.topics, after.topic_messages) == (2, 3)
    assert after.messages == before.messages


# --- from an older format --------------------------------------------------------------------------


_OLDER = """
INSERT INTO agents (name, role, description, inbox_limit, max_message_bytes, ephemeral, registered_at)
VALUES ('ada', 'both', '', 1000, 1048576, 0, 1000), ('bob', 'both', '', 1000, 1048576, 0, 1001);
INSERT INTO messages (tag, sender, recipients, kind, priority, subject, body, created_at, bytes)
VALUES (7, 'ada', '["bob"]', 'message', 1, '', 'precious', 2000, 8);
INSERT INTO deliveries (agent, message, state, priority, since) VALUES ('bob', 1, 'queued', 1, 2000);
INSERT INTO events (at, event, actor, message, agent) VALUES (2000, 'message_sent', 'ada', 1, 'bob');
"""


def _older_bus(path: Path) -> None:
    """A bus in the format that had no topics, with two agents, a session and mail."""
    make_file(str(path))
    connection = Connection(str(path), 5000)
    try:
        migrate(connection, migrations()[:1], 1_800_000_000_000)
    finally:
        connection.close()
    db = apsw.Connection(str(path))
    db.execute(_OLDER)
    db.close()


def test_a_bus_of_the_first_format_keeps_its_mail_and_gets_topics(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    _older_bus(path)
    store = open_store(f"sqlite://{path}", create=False, clock=ManualClock())
    try:
        assert store.info().format == newest_format()
        assert store.check() == []
        assert [one.message.body for one in store.mail.peek("bob").deliveries] == ["precious"]
        (event,) = store.ledger.events()
        assert (event.event, event.topic) == ("message_sent", None)
        assert {one.agent for one in store.topics.members(EVERYBODY)} == {"ada", "bob"}
        ada, bob = Actor("ada"), Actor("bob")
        store.agents.register(Profile("cy"), NewSession("s"))
        assert store.topics.get("all").members == 3
        store.topics.sync(ada, "#all", outbox=(Post("hello"),))
        assert bodies(store.topics.sync(bob, "#all")) == ["hello"]
        store.topics.create(ada, "build")
        assert store.check() == []
    finally:
        store.close()
    assert len(list(tmp_path.glob("bus.db.before-*"))) == 1
