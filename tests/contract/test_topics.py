"""Topics: making one, naming one, and finding one again."""

from __future__ import annotations

import threading

import pytest

from hubbub.errors import IdempotencyMismatch, NotFound, TopicExists, TopicNotFound
from hubbub.model import Actor
from hubbub.model_topics import EVERYBODY
from hubbub.names import parse_topic_id
from hubbub.stores import open_store
from tests.contract.conftest import Place
from tests.contract.world import World


def test_a_new_topic(world: World) -> None:
    ada = world.agent("ada")
    world.clock.advance(7)
    made = world.topics.create(ada, "build", metadata={"branch": "main"})
    assert made.created
    topic = made.topic
    assert parse_topic_id(topic.id) is not None
    assert (topic.name, topic.state, topic.metadata) == ("build", "open", {"branch": "main"})
    assert (topic.created_by, topic.created_at, topic.last_at) == (
        "ada",
        world.store.now(),
        world.store.now(),
    )
    assert (topic.last_seq, topic.members) == (0, 1)
    assert (topic.closed_at, topic.closed_by, topic.close_reason) == (None, None, "")
    assert world.topics.get("build", agent="ada")._replace(unread=None) == topic._replace(unread=None)
    assert world.unread("ada", "build") == 0


def test_the_maker_is_a_member(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    assert [one.agent for one in world.topics.members("build")] == ["ada"]


def test_an_open_topic_is_used_again_as_it_is(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    first = world.topic(ada, metadata={"a": 1})
    world.post(ada, "build", "hello")
    again = world.topics.create(bob, "build", metadata={"b": 2})
    assert not again.created
    assert (again.topic.id, again.topic.metadata, again.topic.created_by) == (first.id, {"a": 1}, "ada")
    assert world.read(bob, "build") == ["hello"]


def test_who_finds_a_topic_by_making_it_is_a_member_and_stays_where_it_is(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.topic(bob)
    assert {one.agent for one in world.topics.members("build")} == {"ada", "bob"}
    world.post(ada, "build", "one")
    assert world.read(bob, "build") == ["one"]
    world.topic(bob)
    assert world.read(bob, "build") == []


def test_who_left_is_a_member_again_by_making_the_topic(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.topic(bob)
    world.topics.leave(bob, "build")
    world.topic(bob)
    assert {one.agent for one in world.topics.members("build")} == {"ada", "bob"}


def test_a_new_one_is_refused_while_the_name_is_taken(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    before = world.last_seq()
    with pytest.raises(TopicExists) as caught:
        world.topics.create(bob, "build", reuse=False)
    assert caught.value.hint
    assert world.last_seq() == before
    assert world.topics.create(bob, "deploy", reuse=False).created


def test_a_closed_topic_is_not_used_again(world: World) -> None:
    ada = world.agent("ada")
    old = world.topic(ada)
    world.topics.close(ada, "build")
    new = world.topics.create(ada, "build", reuse=False)
    assert new.created
    assert new.topic.id != old.id


def test_without_a_name_it_is_called_by_its_id(world: World) -> None:
    ada = world.agent("ada")
    one, other = world.topics.create(ada, None), world.topics.create(ada, None)
    assert (one.created, other.created) == (True, True)
    assert one.topic.name == one.topic.id != other.topic.id
    assert world.topics.get(one.topic.id).id == one.topic.id


def test_many_that_make_a_topic_at_once_make_one(world: World, place: Place) -> None:
    names = [f"a{number}" for number in range(6)]
    world.agents_named(*names)
    start, made = threading.Barrier(6), list[tuple[str, bool]]()

    def work(name: str) -> None:
        store = open_store(place.url, clock=place.clock)
        try:
            start.wait(20)
            found = store.topics.create(Actor(name), "build")
            made.append((found.topic.id, found.created))
        finally:
            store.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({id_ for id_, _ in made}) == 1
    assert sorted(created for _, created in made) == [False] * 5 + [True]
    assert {one.agent for one in world.topics.members("build")} == set(names)


def test_a_repeated_create_gives_the_first_answer(world: World) -> None:
    ada = world.agent("ada")
    first = world.topics.create(ada, None, key="k")
    before = world.last_seq()
    again = world.topics.create(ada, None, key="k")
    assert (again.topic.id, again.created) == (first.topic.id, True)
    assert world.last_seq() == before
    named = world.topics.create(ada, "build", reuse=False, key="n")
    assert world.topics.create(ada, "build", reuse=False, key="n").topic.id == named.topic.id


def test_a_key_for_another_topic_is_refused(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topics.create(ada, "build", key="k")
    for name, options in (("deploy", {}), ("build", {"metadata": {"a": 1}}), ("build", {"reuse": False})):
        with pytest.raises(IdempotencyMismatch):
            world.topics.create(ada, name, key="k", **options)
    with pytest.raises(IdempotencyMismatch):
        world.send(ada, "bob", key="k")
    assert world.topics.create(bob, "deploy", key="k").created


SAME = [
    ("build", "BUILD"),
    ("build", "ｂｕｉｌｄ"),
    ("build bot", "Build  bot"),
    ("straße", "STRASSE"),
    ("ﬁx", "fix"),
    ("①", "1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_look_alikes_and_capitals_make_no_other_topic(world: World, one: str, other: str) -> None:
    ada = world.agent("ada")
    made = world.topic(ada, one)
    again = world.topics.create(ada, other)
    assert (again.created, again.topic.id, again.topic.name) == (False, made.id, one)
    assert world.topics.get(other).id == made.id
    with pytest.raises(TopicExists):
        world.topics.create(ada, other, reuse=False)


def test_names_that_differ_are_different_topics(world: World) -> None:
    ada = world.agent("ada")
    names = ["build", "build-2", "b.uild", "bauen", "build: it's C++ v0.5.1 'quoted' %_ --", "日本語", "🚀"]
    ids = {world.topic(ada, name).id for name in names}
    assert len(ids) == len(names)
    assert {world.topics.get(name).id for name in names} == ids


def test_a_topic_is_found_by_id_and_name_with_or_without_a_hash(world: World) -> None:
    ada = world.agent("ada")
    made = world.topic(ada)
    for text in (made.id, "build", "#build", "#BUILD", "Build"):
        assert world.topics.get(text).id == made.id


def test_an_open_topic_is_found_before_closed_ones_then_the_newest_closed(world: World) -> None:
    ada = world.agent("ada")
    ids = []
    for _ in range(3):
        ids.append(world.topic(ada).id)
        world.clock.advance(1000)
        world.topics.close(ada, "build")
    assert world.topics.get("build").id == ids[2]
    # Newest is the one made last, whatever happened to the older ones since.
    world.topics.reopen(ada, ids[0])
    assert world.topics.get("build").id == ids[0]
    world.topics.close(ada, ids[0])
    assert world.topics.get("build").id == ids[2]
    assert [world.topics.get(id_).state for id_ in ids] == ["closed"] * 3


def test_a_topic_that_is_not_there(world: World) -> None:
    ada = world.agent("ada")
    made = world.topic(ada, "release-notes")
    mistyped = made.id[:-1] + ("0" if made.id[-1] != "0" else "1")
    for text in ("nonsense", mistyped, "", "#", "m1zzzzz", "'; DROP TABLE topics; --", "x" * 200):
        with pytest.raises(TopicNotFound):
            world.topics.get(text)
    with pytest.raises(NotFound) as caught:
        world.topics.get("relase-notes")
    assert "release-notes" in caught.value.hint


def test_every_operation_says_that_a_topic_is_not_there(world: World) -> None:
    ada, topics = world.agent("ada"), world.topics
    before = world.last_seq()
    for act in (
        lambda: topics.close(ada, "x"),
        lambda: topics.reopen(ada, "x"),
        lambda: topics.rename(ada, "x", "y"),
        lambda: topics.delete(ada, "x"),
        lambda: topics.join(ada, "x"),
        lambda: topics.leave(ada, "x"),
        lambda: topics.members("x"),
        lambda: topics.sync(ada, "x"),
        lambda: topics.reset(ada, "x", 0),
        lambda: topics.history("x"),
    ):
        with pytest.raises(TopicNotFound):
            act()
    assert world.last_seq() == before


# --- the list --------------------------------------------------------------------------------------


def _names(world: World, **wanted: object) -> list[str]:
    return [one.name for one in world.topics.list(**wanted).topics]  # type: ignore[arg-type]


def _several(world: World) -> None:
    ada = world.agent("ada")
    for name in ("one", "two", "three", "four"):
        world.clock.advance(1000)
        world.topic(ada, name)
    world.clock.advance(1000)


def test_the_last_active_come_first(world: World) -> None:
    _several(world)
    assert _names(world) == ["four", "three", "two", "one", EVERYBODY]
    world.post(world.agent("bob"), "two", "hello")
    assert _names(world)[0] == "two"
    assert world.topics.get("two").last_at == world.store.now()


def test_reading_and_joining_are_no_activity(world: World) -> None:
    _several(world)
    bob = world.agent("bob")
    before = _names(world)
    world.topics.join(bob, "one")
    world.read(bob, "two")
    world.topics.history("three")
    assert _names(world) == before


def test_open_closed_or_all_of_them(world: World) -> None:
    _several(world)
    ada = world.agent("ada")
    world.topics.close(ada, "two")
    world.clock.advance(1000)
    world.topics.close(ada, "three")
    assert _names(world) == ["four", "one", EVERYBODY]
    assert _names(world, state="closed") == ["three", "two"]
    assert _names(world, state="all") == ["three", "two", "four", "one", EVERYBODY]
    assert world.topics.list(state="closed").total == 2
    assert world.topics.list(state="all").total == 5


@pytest.mark.parametrize("state", ["open", "all"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_paging_gives_each_once(world: World, state: str, size: int) -> None:
    ada = world.agent("ada")
    # Several at the same moment: the order between them must hold over pages.
    for number in range(5):
        world.topic(ada, f"t{number}")
    world.topics.close(ada, "t3")
    whole = _names(world, state=state)
    seen: list[str] = []
    after = None
    while True:
        page = world.topics.list(state=state, after=after, limit=size)
        assert len(page.topics) <= size
        assert page.total == len(whole)
        seen += [one.name for one in page.topics]
        if page.next is None:
            break
        assert page.topics
        after = page.next
    assert seen == whole


def test_only_names_that_contain_something(world: World) -> None:
    ada = world.agent("ada")
    for name in ("Release 1.0", "pre-release", "100%", "a_b", "axb"):
        world.topic(ada, name)
    assert sorted(_names(world, match="release")) == ["Release 1.0", "pre-release"]
    assert sorted(_names(world, match="RELEASE")) == ["Release 1.0", "pre-release"]
    assert _names(world, match="%") == ["100%"]
    assert _names(world, match="_") == ["a_b"]
    assert _names(world, match="nothing") == []
    assert world.topics.list(match="release").total == 2
    page = world.topics.list(match="release", limit=1)
    rest = world.topics.list(match="release", limit=1, after=page.next)
    assert len({one.id for one in (*page.topics, *rest.topics)}) == 2


def test_the_list_says_what_an_agent_has_unread(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    for name in ("joined", "foreign", "left"):
        world.topic(ada, name)
    world.topics.join(bob, "joined")
    world.topics.join(bob, "left")
    world.topics.leave(bob, "left")
    for name in ("joined", "foreign", "left", EVERYBODY):
        world.post(ada, name, "1", "2")
    world.post(bob, "joined", "own")
    found = {one.name: one.unread for one in world.topics.list(agent="bob").topics}
    assert found == {"joined": 2, "foreign": None, "left": None, EVERYBODY: 2}
    found = {one.name: one.unread for one in world.topics.list(agent="ada").topics}
    assert found == {"joined": 1, "foreign": 0, "left": 0, EVERYBODY: 0}
    assert {one.unread for one in world.topics.list().topics} == {None}


def test_the_list_counts_members(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "cy")
    world.topic(ada)
    world.topics.join(bob, "build")
    assert {one.name: one.members for one in world.topics.list().topics} == {"build": 2, EVERYBODY: 3}
    world.topics.leave(bob, "build")
    assert world.topics.get("build").members == 1
