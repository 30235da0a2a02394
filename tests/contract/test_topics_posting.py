"""Posting: in order, all or nothing, once under a key, and as answers."""

from __future__ import annotations

import threading

import pytest

from hubbub.errors import IdempotencyMismatch, NotRegistered, ReplyNotFound
from hubbub.model import IDEMPOTENCY_MS, Actor
from hubbub.model_topics import Post, Posted
from hubbub.names import parse_post_id
from hubbub.stores import open_store
from tests.contract.conftest import Place
from tests.contract.world import World


def test_an_outbox_is_posted_in_order_and_numbered_without_a_gap(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.clock.advance(3)
    first = world.post(ada, "build", "1", "2")
    second = world.post(bob, "build", "3")
    third = world.post(ada, "build", "4")
    posted = (*first, *second, *third)
    assert [one.seq for one in posted] == [1, 2, 3, 4]
    assert all(parse_post_id(one.id) for one in posted)
    assert len({one.id for one in posted}) == 4
    assert {one.created_at for one in posted} == {world.store.now()}
    assert not any(one.repeated for one in posted)
    assert world.topics.get("build").last_seq == 4
    assert world.written("build") == ["1", "2", "3", "4"]


def test_a_message_is_kept_to_the_letter(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    topic = world.topic(ada)
    body = "line\r\n\ttab \x1b[31m \u202e 日本 🚀 \x00 end "
    (posted,) = world.post(ada, "build", Post(body, kind="decision", metadata={"a": [1, None, "é"]}))
    found = world.topics.message(posted.id)
    assert (found.id, found.topic, found.seq) == (posted.id, topic.id, 1)
    assert (found.sender, found.kind, found.body) == ("ada", "decision", body)
    assert (found.metadata, found.reply_to, found.thread) == ({"a": [1, None, "é"]}, None, posted.id)
    assert found.created_at == posted.created_at
    assert world.topics.sync(bob, "build").messages == (found,)
    assert world.topics.history("build").messages == (found,)


def test_topics_are_numbered_each_by_itself(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada, "one")
    world.topic(ada, "other")
    assert [world.post(ada, name, "x")[0].seq for name in ("one", "other", "one")] == [1, 1, 2]


def test_nothing_to_post_posts_nothing(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    before = world.last_seq()
    synced = world.topics.sync(ada, "build")
    assert (synced.posted, synced.messages, synced.hand, synced.has_more) == ((), (), None, False)
    assert synced.next_due_at is None
    assert world.last_seq() == before


def test_an_outbox_is_posted_whole_or_not_at_all(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.post(bob, "build", "there")
    before = world.last_seq(), world.topics.get("build")
    with pytest.raises(ReplyNotFound):
        world.post(ada, "build", Post("1", key="k1"), Post("2", reply_to="p1zzzzz"), Post("3"))
    assert (world.last_seq(), world.topics.get("build")) == before
    # What was refused leaves its keys free.
    assert not world.post(ada, "build", Post("other", key="k1"))[0].repeated
    assert world.written("build") == ["there", "other"]


def test_a_refused_outbox_takes_nothing_and_makes_no_member(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.post(ada, "build", "there")
    with pytest.raises(ReplyNotFound):
        world.topics.sync(bob, "build", outbox=(Post("x", reply_to="nonsense"),))
    assert world.unread("bob", "build") is None
    assert world.read(bob, "build") == ["there"]


# --- keys ------------------------------------------------------------------------------------------


def test_a_repeated_key_gives_the_first_answer_and_posts_nothing(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    (first,) = world.post(ada, "build", Post("hello", key="k", metadata={"a": 1}))
    before = world.last_seq()
    world.clock.advance(5)
    (again,) = world.post(ada, "build", Post("hello", key="k", metadata={"a": 1}))
    assert again == first._replace(repeated=True)
    assert world.last_seq() == before
    assert world.written("build") == ["hello"]


def test_an_outbox_that_is_known_in_part_posts_the_rest(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    one, two = world.post(ada, "build", Post("1", key="k1"), Post("2", key="k2"))
    posted = world.post(
        ada, "build", Post("0"), Post("2", key="k2"), Post("3", key="k3"), Post("1", key="k1")
    )
    assert [entry.repeated for entry in posted] == [False, True, False, True]
    assert [entry.seq for entry in posted] == [3, 2, 4, 1]
    assert (posted[1].id, posted[3].id) == (two.id, one.id)
    assert world.written("build") == ["1", "2", "0", "3"]


def test_a_key_twice_in_one_outbox_is_one_message(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    first, again = world.post(ada, "build", Post("hello", key="k"), Post("hello", key="k"))
    assert again == first._replace(repeated=True)
    assert world.written("build") == ["hello"]


@pytest.mark.parametrize(
    "other",
    [
        Post("other"),
        Post("hello", kind="task"),
        Post("hello", metadata={"a": 1}),
        Post("hello", reply_to="*"),
    ],
    ids=["body", "kind", "metadata", "reply_to"],
)
def test_a_key_for_another_message_is_refused(world: World, other: Post) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    (there,) = world.post(ada, "build", Post("there"))
    world.post(ada, "build", Post("hello", key="k"))
    before = world.last_seq()
    if other.reply_to:
        other = other._replace(reply_to=there.id)
    with pytest.raises(IdempotencyMismatch):
        world.post(ada, "build", Post("new"), other._replace(key="k"))
    assert world.last_seq() == before
    assert world.written("build") == ["there", "hello"]


def test_a_key_for_another_topic_or_operation_is_refused(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada, "one")
    world.topic(ada, "other")
    world.post(ada, "one", Post("hello", key="k"))
    with pytest.raises(IdempotencyMismatch):
        world.post(ada, "other", Post("hello", key="k"))
    with pytest.raises(IdempotencyMismatch):
        world.send(ada, "bob", key="k")
    with pytest.raises(IdempotencyMismatch):
        world.topics.create(ada, "third", key="k")
    world.send(ada, "bob", key="m")
    with pytest.raises(IdempotencyMismatch):
        world.post(ada, "one", Post("hello", key="m"))
    assert not world.post(bob, "one", Post("hello", key="k"))[0].repeated


def test_a_key_names_the_topic_however_that_is_called(world: World) -> None:
    ada = world.agent("ada")
    made = world.topic(ada)
    (first,) = world.post(ada, "build", Post("hello", key="k"))
    for name in ("#build", "BUILD", made.id):
        assert world.post(ada, name, Post("hello", key="k")) == (first._replace(repeated=True),)
    world.topics.rename(ada, "build", "make")
    assert world.post(ada, "make", Post("hello", key="k"))[0].repeated


def test_a_key_holds_across_sessions_and_for_a_week(world: World) -> None:
    old = world.seat("ada")
    world.topic(old)
    (first,) = world.post(old, "build", Post("hello", key="k"))
    new = world.seat("ada", take_over=True)
    assert world.post(new, "build", Post("hello", key="k")) == (first._replace(repeated=True),)
    world.clock.advance(IDEMPOTENCY_MS)
    assert world.post(Actor("ada"), "build", Post("hello", key="k"))[0].repeated
    world.clock.advance(1)
    world.store.sweep("h")
    assert not world.post(Actor("ada"), "build", Post("hello", key="k"))[0].repeated


def test_a_repeated_sync_still_reads(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    outbox = (Post("mine", key="k"),)
    world.topics.sync(ada, "build", outbox=outbox)
    world.post(bob, "build", "news")
    again = world.topics.sync(ada, "build", outbox=outbox)
    assert [one.repeated for one in again.posted] == [True]
    assert [one.body for one in again.messages] == ["news"]


# --- answers ---------------------------------------------------------------------------------------


def test_a_chain_of_replies_is_a_thread(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    (root,) = world.post(ada, "build", "question")
    (answer,) = world.post(bob, "build", Post("answer", reply_to=root.id))
    (other,) = world.post(ada, "build", "something else")
    (more,) = world.post(ada, "build", Post("thanks", reply_to=answer.id))
    shown = {one.id: (one.reply_to, one.thread) for one in world.topics.history("build").messages}
    assert shown == {
        root.id: (None, root.id),
        answer.id: (root.id, root.id),
        other.id: (None, other.id),
        more.id: (answer.id, root.id),
    }


def test_an_agent_may_answer_itself(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    (root,) = world.post(ada, "build", "one more thing")
    (posted,) = world.post(ada, "build", Post("this", reply_to=root.id))
    assert world.topics.message(posted.id).thread == root.id


def test_only_a_message_of_the_topic_can_be_answered(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada, "one")
    world.topic(ada, "other")
    (here,) = world.post(ada, "one", "here")
    (there,) = world.post(ada, "other", "there")
    mail = world.send(ada, "bob").id
    mistyped = here.id[:-1] + ("0" if here.id[-1] != "0" else "1")
    for id_ in (there.id, mail, mistyped, "nonsense", "1", "p1", world.topics.get("one").id):
        with pytest.raises(ReplyNotFound) as caught:
            world.post(bob, "one", Post("answer", reply_to=id_))
    assert caught.value.hint
    assert world.written("one") == ["here"]


# --- who posts -------------------------------------------------------------------------------------


def test_an_agent_that_is_not_registered_posts_nothing(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    with pytest.raises(NotRegistered):
        world.post(Actor("nobody"), "build", "x")
    world.agents.unregister("ada")
    with pytest.raises(NotRegistered):
        world.post(ada, "build", "x")
    assert world.written("build") == []


def test_posting_makes_a_member(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.post(ada, "build", "hello")
    synced = world.topics.sync(bob, "build", outbox=(Post("hi"),))
    assert synced.joined
    assert [one.body for one in synced.messages] == ["hello"]
    assert not world.topics.sync(bob, "build").joined


def test_many_at_once_share_one_order(world: World, place: Place) -> None:
    names = [f"a{number}" for number in range(6)]
    world.topic(world.agents_named(*names)[0])
    start, posted = threading.Barrier(6), dict[str, list[Posted]]()

    def work(name: str) -> None:
        store = open_store(place.url, clock=place.clock)
        try:
            start.wait(20)
            mine = posted.setdefault(name, [])
            for number in range(10):
                outbox = (Post(f"{name}/{number}/a"), Post(f"{name}/{number}/b"))
                mine += store.topics.sync(Actor(name), "build", outbox=outbox).posted
        finally:
            store.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    numbers = sorted(one.seq for mine in posted.values() for one in mine)
    assert numbers == list(range(1, 121))
    whole = world.topics.history("build", limit=1000).messages
    assert [one.seq for one in whole] == numbers
    for name, mine in posted.items():
        assert [one.seq for one in mine] == [one.seq for one in whole if one.sender == name]
        # The two of one outbox stand together.
        assert all(mine[place].seq + 1 == mine[place + 1].seq for place in range(0, 20, 2))
