"""The index of words follows the messages: what comes is found, what goes is not."""

from __future__ import annotations

import threading

import pytest

from hubbub.model import Draft
from hubbub.model_topics import Imported
from hubbub.stores import open_store
from hubbub.words import parse
from tests.contract.conftest import Place
from tests.contract.test_search import catch_up, find, look_up
from tests.contract.world import World

NEEDLE = parse("needle").query


def found_now(world: World) -> int:
    """How many are found without indexing first."""
    return world.store.search.search(NEEDLE).total


def test_what_is_not_indexed_is_counted_and_not_found(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    for number in range(3):
        world.send(ada, "bob", f"needle {number}")
    world.post(ada, "build", "needle", "needle")
    found = world.store.search.search(NEEDLE)
    assert (found.total, found.behind) == (0, 5)
    assert world.store.search.index(limit=2) == (2, 3)
    assert world.store.search.search(NEEDLE).behind == 3
    assert found_now(world) == 2
    assert world.store.search.index(limit=2) == (2, 1)
    assert world.store.search.index(limit=2) == (1, 0)
    assert world.store.search.index(limit=2) == (0, 0)
    assert found_now(world) == 5


def test_an_empty_bus_has_nothing_to_index(world: World) -> None:
    assert world.store.search.index() == (0, 0)
    assert look_up(world, "needle") == ((), 0, False, 0)


def test_a_query_without_a_word_tells_how_far_the_index_is_behind(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob")
    assert world.store.search.search(parse("?").query) == ((), 0, False, 1)


def test_many_messages_take_several_strokes(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    for _ in range(40):
        world.post(ada, "build", *["needle"] * 50)
    done, strokes = 0, 0
    while True:
        step = world.store.search.index(limit=1000)
        done, strokes = done + step.done, strokes + 1
        assert step.behind == 2000 - done
        if not step.behind:
            break
    assert (done, found_now(world)) == (2000, 2000)
    assert strokes > 1


def test_long_texts_are_indexed_in_strokes_of_their_own(world: World) -> None:
    ada = world.agent("ada")
    world.agent("bob", max_message_bytes=4 << 20)
    for _ in range(3):
        world.send(ada, "bob", "needle " * 100_000)
    assert world.store.search.index() == (1, 2)
    catch_up(world)
    assert found_now(world) == 3


def test_housekeeping_indexes(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    world.send(ada, "bob", "needle")
    world.post(ada, "build", "needle")
    assert world.store.sweep("h").indexed == 2
    assert found_now(world) == 2
    world.send(ada, "bob", "needle")
    assert world.store.sweep("h").indexed == 1, "also in a round that finds nothing due"
    assert world.store.sweep("h").indexed == 0


def test_a_round_of_housekeeping_is_bounded(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    for _ in range(70):
        world.post(ada, "build", *["needle"] * 50)
    first = world.store.sweep("h").indexed
    assert 0 < first < 3500
    assert world.store.sweep("h").indexed > 0


def test_another_housekeeper_does_not_index(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.store.sweep("h")
    world.send(ada, "bob", "needle")
    assert world.store.sweep("other").indexed == 0


# --- what goes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("indexed", [True, False])
def test_purged_mail_is_not_found(world: World, indexed: bool) -> None:
    ada, _ = world.agents_named("ada", "bob")
    gone, kept = world.dead_letter("bob", ada, "needle gone"), world.dead_letter("bob", ada, "needle kept")
    if indexed:
        assert look_up(world, "needle").total == 2
    world.mail.purge((gone.id,))
    if indexed:
        assert found_now(world) == 1
    assert [hit.id for hit in look_up(world, "needle").hits] == [kept.id]
    assert find(world, "gone") == []
    assert find(world, "", sender="ada") == []


def test_mail_that_one_of_two_recipients_still_has_is_found(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cyd")
    sent = world.send(ada, ("bob", "cyd"), "needle", ttl_ms=1000)
    world.clock.advance(1000)
    assert world.state("bob", sent.id) == "dead"
    world.mail.purge((sent.id,), agent="bob")
    assert find(world, "needle") == ["needle"]
    world.mail.purge((sent.id,), agent="cyd")
    assert find(world, "needle") == []


def test_mail_that_went_with_its_agent_is_not_found(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle")
    assert find(world, "needle") == ["needle"]
    world.agents.unregister("bob", delete_mail=True)
    assert find(world, "needle") == []


def test_mail_of_an_agent_that_left_is_found(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle")
    world.agents.unregister("bob")
    assert find(world, "needle", reader="ada") == ["needle"]


def test_a_deleted_topic_is_not_found_and_leaves_the_index(world: World) -> None:
    ada = world.agent("ada")
    gone = world.topic(ada, "gone")
    world.topic(ada, "kept")
    world.post(ada, "gone", *["needle gone"] * 30)
    world.post(ada, "kept", "needle kept")
    assert look_up(world, "needle").total == 31
    world.topics.delete(ada, "gone")
    assert found_now(world) == 1
    assert find(world, "needle", topic=gone.id) == []
    while world.store.sweep("h").posts_removed:
        assert found_now(world) == 1
    assert find(world, "needle") == ["needle kept"]
    world.topic(ada, "gone")
    assert find(world, "needle") == ["needle kept"]


@pytest.mark.parametrize("indexed", [True, False])
def test_what_is_posted_after_the_newest_topic_was_erased_is_found(world: World, indexed: bool) -> None:
    ada = world.agent("ada")
    world.topic(ada, "kept")
    world.topic(ada, "gone")
    world.post(ada, "kept", "needle old")
    world.post(ada, "gone", *["needle gone"] * 20)
    if indexed:
        catch_up(world)
    world.topics.delete(ada, "gone")
    while world.store.sweep("h").posts_removed:
        pass
    assert world.store.check() == []
    world.post(ada, "kept", *(f"needle new {number}" for number in range(5)))
    assert sorted(find(world, "needle")) == [*(f"needle new {number}" for number in range(5)), "needle old"]


def test_many_deleted_topics_at_once(world: World) -> None:
    ada = world.agent("ada")
    for number in range(300):
        world.topic(ada, f"topic {number}")
        world.post(ada, f"topic {number}", f"needle {number}")
    catch_up(world)
    for number in range(299):
        world.topics.delete(ada, f"topic {number}")
    assert find(world, "needle") == ["needle 299"]


def test_an_import_is_found_once_it_is_whole(world: World) -> None:
    ada = world.agent("ada")
    begun = world.topics.begin_import(ada, "source", "old", created_at=1000)
    messages = tuple(Imported("ada", "message", f"needle {n}", None, None, 1000 + n) for n in range(3))
    world.topics.add_imported(ada, "source", 0, messages)
    assert look_up(world, "needle").total == 0
    assert look_up(world, "needle", topic=begun.topic.id).total == 0
    world.topics.finish_import(ada, "source")
    assert look_up(world, "needle").total == 3
    assert look_up(world, "needle", topic=begun.topic.id).total == 3


# --- several at once -----------------------------------------------------------------------------


def test_indexing_by_many_at_once_counts_each_message_once(world: World, place: Place) -> None:
    ada = world.agent("ada")
    world.agent("bob", inbox_limit=100_000)
    world.topic(ada)
    for _ in range(500):
        world.send(ada, "bob", "needle mail")
    for _ in range(10):
        world.post(ada, "build", *["needle post"] * 50)
    start, done = threading.Barrier(5), list[int]()

    def work() -> None:
        store = open_store(place.url, clock=place.clock, busy_timeout_ms=60_000)
        try:
            start.wait(20)
            while True:
                step = store.search.index(limit=30)
                done.append(step.done)
                if not step.behind:
                    return
        finally:
            store.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait(20)
    for number in range(100):
        world.send(ada, "bob", f"needle later {number}")
    for thread in threads:
        thread.join(100)
    catch_up(world)
    assert found_now(world) == 1100
    assert len({hit.id for hit in world.store.search.search(NEEDLE, limit=2000).hits}) == 1100
    assert sum(done) <= 1100


def test_searching_while_others_send_and_index(world: World, place: Place) -> None:
    ada = world.agent("ada")
    world.agent("bob", inbox_limit=100_000)
    over, failed = threading.Event(), list[BaseException]()

    def look() -> None:
        store = open_store(place.url, clock=place.clock, busy_timeout_ms=60_000)
        try:
            before = 0
            while not over.is_set():
                store.search.index()
                total = store.search.search(NEEDLE).total
                assert total >= before
                before = total
        except BaseException as error:
            failed.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(300):
            world.mail.send(ada, Draft(("bob",), f"needle {number}"))
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert failed == []
    assert look_up(world, "needle").total == 300
