"""Search within limits: a topic, a sender, a kind, a thread, a time, and several of them."""

from __future__ import annotations

import pytest

from hubbub.model_topics import Imported, Post
from tests.contract.test_search import find, look_up
from tests.contract.world import World

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def test_mail_or_topics_alone(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    world.send(ada, "bob", "needle mail")
    world.post(ada, "build", "needle post")
    assert find(world, "needle", scope="mail") == ["needle mail"]
    assert find(world, "needle", scope="topics") == ["needle post"]
    assert sorted(find(world, "needle", scope="all")) == ["needle mail", "needle post"]


def test_one_topic_alone(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    one, other = world.topic(ada, "one"), world.topic(ada, "other")
    world.send(ada, "bob", "needle mail")
    world.post(ada, "one", "needle one")
    world.post(ada, "other", "needle other")
    assert find(world, "needle", topic=one.id) == ["needle one"]
    assert find(world, "needle", topic=other.id) == ["needle other"]
    assert find(world, "needle", topic=one.id, scope="mail") == []
    for stranger in ("t1zzzzz", "nonsense", ""):
        assert find(world, "needle", topic=stranger) == []


def test_a_renamed_or_closed_topic_is_searched_as_before(world: World) -> None:
    ada = world.agent("ada")
    topic = world.topic(ada, "before")
    world.post(ada, "before", "needle")
    look_up(world, "needle")
    world.topics.rename(ada, "before", "after")
    world.topics.close(ada, topic.id)
    (hit,) = look_up(world, "needle", topic=topic.id).hits
    assert hit.topic_name == "after"


@pytest.mark.parametrize("sender", ["ada", "bob"])
def test_one_sender_alone(world: World, sender: str) -> None:
    for actor in world.agents_named("ada", "bob"):
        world.topic(actor)
        world.send(actor, "ada", f"needle mail of {actor.agent}")
        world.post(actor, "build", f"needle post of {actor.agent}")
    assert sorted(find(world, "needle", sender=sender)) == [
        f"needle mail of {sender}",
        f"needle post of {sender}",
    ]


def test_one_kind_alone(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    for kind in ("task", "question", "task-2"):
        world.send(ada, "bob", f"needle mail {kind}", kind=kind)
        world.post(ada, "build", Post(f"needle post {kind}", kind))
    assert sorted(find(world, "needle", kind="task")) == ["needle mail task", "needle post task"]
    assert find(world, "needle", kind="todo") == []


def test_one_thread_of_the_mail_by_any_message_in_it(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    root = world.send(ada, "bob", "needle root").id
    reply = world.send(bob, "ada", "needle reply", in_reply_to=root, thread=root).id
    world.send(ada, "bob", "needle elsewhere")
    for name in (root, reply):
        assert sorted(find(world, "needle", thread=name)) == ["needle reply", "needle root"]
    assert sorted(find(world, "needle", thread=root, reader="bob")) == ["needle reply", "needle root"]
    assert find(world, "needle", thread="m1zzzzz") == []


@pytest.mark.parametrize("thread", ["deploy", "Deploy", "Größe 5 / b", "=h:deploy", "x" * 128])
def test_a_thread_with_a_name_of_its_own(world: World, thread: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle there", thread=thread)
    for other in ("deploy-2", "dEPLOY", "x" * 127):
        world.send(ada, "bob", "needle elsewhere", thread=other)
    assert find(world, "needle", thread=thread) == ["needle there"]


def test_one_thread_of_a_topic_by_any_message_in_it(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    root, _ = world.post(ada, "build", "needle root", "needle elsewhere")
    (reply,) = world.post(ada, "build", Post("needle reply", reply_to=root.id))
    (deeper,) = world.post(ada, "build", Post("needle deeper", reply_to=reply.id))
    for name in (root.id, reply.id, deeper.id):
        found = find(world, "needle", thread=name)
        assert sorted(found) == ["needle deeper", "needle reply", "needle root"]


def test_a_span_of_time(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    start = world.store.now()
    for number in range(10):
        world.send(ada, "bob", f"needle mail {number}")
        world.post(ada, "build", f"needle post {number}")
        world.clock.advance(DAY_MS)

    def numbers(since: int | None, until: int | None) -> list[int]:
        found = find(
            world,
            "needle",
            since=None if since is None else start + since * DAY_MS,
            until=None if until is None else start + until * DAY_MS,
        )
        assert sorted(body for body in found if "mail" in body) == [
            body.replace("post", "mail") for body in sorted(found) if "post" in body
        ]
        return sorted({int(body.split()[-1]) for body in found})

    assert numbers(3, 5) == [3, 4, 5]
    assert numbers(8, None) == [8, 9]
    assert numbers(None, 1) == [0, 1]
    assert numbers(4, 4) == [4]
    assert numbers(10, None) == []
    assert numbers(None, -1) == []
    assert find(world, "needle", since=start + 1, until=start + DAY_MS - 1) == []


def test_a_span_of_time_after_the_clock_was_set_back(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    start = world.store.now()
    for number in range(6):
        world.send(ada, "bob", f"needle {number}")
        world.clock.advance(HOUR_MS if number % 2 else -DAY_MS)
    times = {hit.body: hit.created_at for hit in look_up(world, "needle").hits}
    for since, until in ((start - DAY_MS, start), (start - 2 * DAY_MS, start - DAY_MS), (start, start)):
        expected = sorted(body for body, at in times.items() if since <= at <= until)
        assert sorted(find(world, "needle", since=since, until=until)) == expected


def test_a_span_of_time_over_many_messages_and_an_import_of_old_ones(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    now = world.store.now()
    for round_ in range(3):
        for _ in range(16):
            world.post(ada, "build", *(f"needle live {round_}" for _ in range(50)))
        world.clock.advance(DAY_MS)
        _import(world, f"old {round_}", 800, now - (round_ + 1) * 100 * DAY_MS)
    counts = {
        (0, 0): 0,
        (now, now): 800,
        (now, now + DAY_MS): 1600,
        (now - 200 * DAY_MS, now - 200 * DAY_MS + 399): 400,
        (now - 200 * DAY_MS + 799, now - 1): 801,
    }
    for (since, until), expected in counts.items():
        found = look_up(world, "needle", since=since, until=until)
        assert (found.total, found.capped) == (expected, False), (since - now, until - now)


def _import(world: World, name: str, count: int, since: int) -> None:
    """A topic of imported messages, one a millisecond."""
    ada = world.agent("ada")
    world.topics.begin_import(ada, name, name, created_at=since)
    messages = tuple(
        Imported("Old One", "Message!", f"needle {name}", None, None, since + number)
        for number in range(count)
    )
    for start in range(0, count, 400):
        world.topics.add_imported(ada, name, start, messages[start : start + 400])
    world.topics.finish_import(ada, name)


def test_a_sender_and_a_kind_that_came_by_import(world: World) -> None:
    _import(world, "old", 3, 1000)
    assert look_up(world, "needle", sender="Old One", kind="Message!").total == 3
    assert look_up(world, "needle", sender="old one").total == 0
    assert look_up(world, "needle", kind="message!").total == 0


def test_all_limits_together(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    topic = world.topic(ada)
    at = world.store.now()
    for actor in (ada, bob):
        for kind in ("task", "question"):
            world.post(actor, "build", Post(f"needle {actor.agent} {kind}", kind))
            world.clock.advance(1000)
    everything = {"topic": topic.id, "sender": "bob", "kind": "task", "since": at, "until": at + 2000}
    assert find(world, "needle", **everything) == ["needle bob task"]
    assert find(world, "needle -bob", **everything) == []
    assert find(world, "needle OR absent", **everything, reader="ada") == ["needle bob task"]
    assert find(world, "needle", **{**everything, "until": at + 1999}) == []
    assert find(world, "needle", **{**everything, "kind": "question"}) == []
