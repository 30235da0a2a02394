"""Topics that another program damaged: a check names what is wrong, and is silent when all is well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hubbub.model import Actor, Profile
from hubbub.model_topics import Post
from hubbub.stores import open_store
from hubbub.stores.contract import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A topic with five messages, of which bob has the first two in hand, and wrote the fourth."""
    opened = open_store(f"sqlite://{tmp_path}/bus.db")
    ada, bob = Actor("ada"), Actor("bob")
    for actor in (ada, bob):
        opened.agents.register(Profile(actor.agent))
    opened.topics.create(ada, "build")
    opened.topics.sync(ada, "build", outbox=(Post("1"), Post("2"), Post("3")))
    opened.topics.sync(bob, "build", outbox=(Post("4"),), limit=2)
    opened.topics.sync(ada, "build", outbox=(Post("5"),))
    try:
        yield opened
    finally:
        opened.close()


DAMAGE = {
    "a message is gone": "DELETE FROM posts WHERE seq = 2 AND topic = 2",
    "the newest message is gone": "DELETE FROM posts WHERE seq = 5 AND topic = 2",
    "the topic counts one more": "UPDATE topics SET last_seq = last_seq + 1 WHERE topic = 2",
    "the topic counts one less": "UPDATE topics SET last_seq = last_seq - 1 WHERE topic = 2",
    "own messages are miscounted": "UPDATE members SET own = own + 1 WHERE agent = 'bob' AND topic = 2",
    "a place is behind the end": "UPDATE members SET position = 9 WHERE agent = 'bob' AND topic = 2",
    "a place is skipped": "UPDATE members SET position = 4 WHERE agent = 'bob' AND topic = 2",
    "a hand-out is behind the place": "UPDATE hands SET last = 4 WHERE agent = 'bob'",
    "a hand-out is miscounted": "UPDATE hands SET others = 7 WHERE agent = 'bob'",
    "a hand-out is there twice": "INSERT INTO hands"
    " SELECT agent, topic, 2, 2, 1, session, lease_until, marked FROM hands WHERE agent = 'bob'",
    "a topic is gone": "INSERT INTO members (agent, topic, position, joined_at) VALUES ('bob', 77, 0, 0)",
}


def test_a_topic_that_is_whole_is_not_complained_of(store: Store) -> None:
    assert store.check() == []


@pytest.mark.parametrize("what", DAMAGE)
def test_a_check_finds_damage(store: Store, tmp_path: Path, what: str) -> None:
    other = apsw.Connection(f"{tmp_path}/bus.db")
    other.execute(DAMAGE[what])
    assert other.changes() == 1
    other.close()
    problems = store.check()
    assert problems
    assert {problem.severity for problem in problems} == {"error"}
    assert all(problem.fix for problem in problems)
