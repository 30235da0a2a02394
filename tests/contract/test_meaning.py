"""Search by meaning in a store: vectors are computed once, kept whole, and found by whom they are for.

The vectors are handed in, so these tests make their own: eight directions, and mixtures of them.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from hubbub.model_search import FAILED_TRIES, TEXT_MAX, Found, Text, Vectors, Where
from hubbub.model_topics import Imported, Post
from tests import needs
from tests.contract.world import World

MODEL = "a-model/1"
LENGTH = 384
LEASE_MS = 60_000


@pytest.fixture(autouse=True)
def _extra() -> None:
    needs.semantic()


def vector(*weights: int, noise: int = 0) -> bytes:
    """A vector: ``weights`` are how far it goes in each direction."""
    made = [0.0] * LENGTH
    for direction, weight in enumerate(weights):
        random_ = random.Random(direction)
        for place in range(LENGTH):
            made[place] += weight * random_.uniform(-1, 1)
    if noise:
        random_ = random.Random(f"noise {noise}")
        made = [number + 0.05 * random_.uniform(-1, 1) for number in made]
    largest = max(map(abs, made)) or 1.0
    return bytes(round(127 * number / largest) & 0xFF for number in made)


def keep(world: World, given: dict[str, bytes], holder: str = "h") -> None:
    """Compute what is missing: the vector of a message is the one ``given`` for its text."""
    search = world.store.search
    while texts := search.unread_meaning(holder, MODEL, limit=5):
        batch = tuple(Vectors(one.source, one.number, (given[one.text.strip()],)) for one in texts)
        assert search.keep_meaning(holder, MODEL, batch)


def near(world: World, wanted: bytes, *, reader: str | None = None, limit: int = 20, **where: Any) -> Found:
    """Search."""
    return world.store.search.near(MODEL, wanted, reader=reader, where=Where(**where), limit=limit)


def bodies(found: Found) -> list[str]:
    """What was found, in order."""
    return [hit.body for hit in found.hits]


def batch_of(texts: tuple[Text, ...], wanted: bytes = b"") -> tuple[Vectors, ...]:
    """Any vectors for these."""
    return tuple(Vectors(one.source, one.number, (wanted or vector(1),)) for one in texts)


# --- what waits, and in which order ---------------------------------------------------------------


def test_mail_and_topics_wait_in_the_order_they_were_written(world: World) -> None:
    ada, bob = world.agents_named("ada", "bob")
    world.topic(ada)
    world.send(ada, "bob", "first", subject="greeting")
    world.clock.advance(1)
    world.post(ada, "build", "second")
    world.clock.advance(1)
    world.send(bob, "ada", "third")
    assert world.store.search.meaning_behind(MODEL) == (0, 3)
    texts = world.store.search.unread_meaning("h", MODEL)
    assert [(one.source, one.text.strip()) for one in texts] == [
        ("mail", "greeting\nfirst"),
        ("topic", "second"),
        ("mail", "third"),
    ]


def test_what_is_kept_does_not_wait_any_more(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for body in ("one", "two", "three"):
        world.send(ada, "bob", body)
    search = world.store.search
    first = search.unread_meaning("h", MODEL, limit=2)
    assert [one.text.strip() for one in first] == ["one", "two"]
    assert search.keep_meaning("h", MODEL, batch_of(first))
    assert search.meaning_behind(MODEL) == (2, 1)
    assert [one.text.strip() for one in search.unread_meaning("h", MODEL)] == ["three"]


def test_what_was_not_kept_is_handed_out_again(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    search = world.store.search
    given = search.unread_meaning("h", MODEL)
    world.clock.advance(LEASE_MS + 1)
    assert search.unread_meaning("another", MODEL) == given


def test_part_of_a_batch_may_be_kept(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for body in ("one", "two", "three"):
        world.send(ada, "bob", body)
    search = world.store.search
    given = search.unread_meaning("h", MODEL)
    assert search.keep_meaning("h", MODEL, batch_of(given[:1]))
    assert [one.text.strip() for one in search.unread_meaning("h", MODEL)] == ["two", "three"]


def test_nothing_is_passed_over_by_a_gap(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for body in ("one", "two", "three"):
        world.send(ada, "bob", body)
    search = world.store.search
    one, _, three = search.unread_meaning("h", MODEL)
    assert search.keep_meaning("h", MODEL, batch_of((one, three)))
    assert [left.text.strip() for left in search.unread_meaning("h", MODEL)] == ["two", "three"]
    assert search.meaning_behind(MODEL) == (1, 2)


def test_a_long_text_is_handed_out_by_its_beginning(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "x" * (TEXT_MAX + 5))
    (text,) = world.store.search.unread_meaning("h", MODEL)
    assert len(text.text) == TEXT_MAX


def test_a_message_without_any_text_is_done_without_vectors(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", " ", subject="")
    search = world.store.search
    (text,) = search.unread_meaning("h", MODEL)
    assert search.keep_meaning("h", MODEL, (Vectors(text.source, text.number, ()),))
    assert search.meaning_behind(MODEL) == (0, 0)
    assert search.unread_meaning("h", MODEL) == ()


def test_each_model_has_its_own_vectors(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    keep(world, {"one": vector(1)})
    assert world.store.search.meaning_behind("another/1") == (0, 1)
    assert world.store.search.near("another/1", vector(1)).hits == ()


# --- one at a time -----------------------------------------------------------------------------


def test_one_holder_at_a_time(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    search = world.store.search
    assert search.unread_meaning("a", MODEL)
    assert search.unread_meaning("b", MODEL) == ()
    search.release_meaning("b")
    assert search.unread_meaning("b", MODEL) == ()
    search.release_meaning("a")
    assert search.unread_meaning("b", MODEL)


def test_who_lost_the_lease_keeps_nothing(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    search = world.store.search
    given = search.unread_meaning("a", MODEL)
    world.clock.advance(LEASE_MS + 1)
    again = search.unread_meaning("b", MODEL)
    assert not search.keep_meaning("a", MODEL, batch_of(given))
    assert not search.fail_meaning("a", MODEL, given[0].source, given[0].number, "late")
    assert search.meaning_behind(MODEL) == (0, 1)
    assert search.keep_meaning("b", MODEL, batch_of(again))
    assert not search.keep_meaning("a", MODEL, batch_of(given))
    assert search.meaning_behind(MODEL) == (1, 0)
    assert len(near(world, vector(1)).hits) == 1


def test_a_batch_that_is_kept_twice_is_there_once(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    search = world.store.search
    given = search.unread_meaning("a", MODEL)
    assert search.keep_meaning("a", MODEL, batch_of(given))
    assert search.keep_meaning("a", MODEL, batch_of(given))
    assert search.meaning_behind(MODEL) == (1, 0)
    assert len(near(world, vector(1)).hits) == 1


def test_keeping_a_batch_prolongs_the_lease(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    world.send(ada, "bob", "two")
    search = world.store.search
    one, two = search.unread_meaning("a", MODEL)
    world.clock.advance(LEASE_MS - 1)
    assert search.keep_meaning("a", MODEL, batch_of((one,)))
    world.clock.advance(LEASE_MS - 1)
    assert search.unread_meaning("b", MODEL) == ()
    assert search.keep_meaning("a", MODEL, batch_of((two,)))


def test_a_clock_that_was_set_back_keeps_nobody_out(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    assert world.store.search.unread_meaning("a", MODEL)
    world.clock.advance(-10 * LEASE_MS)
    assert world.store.search.unread_meaning("b", MODEL)
    world.store.search.release_meaning("b")
    world.clock.advance(-5_000)
    assert world.store.search.unread_meaning("a", MODEL)


# --- what can't be had -----------------------------------------------------------------------------


def test_what_fails_again_and_again_is_passed_over_and_told(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    bad = world.send(ada, "bob", "bad")
    world.send(ada, "bob", "good")
    search = world.store.search
    for tries in range(FAILED_TRIES):
        assert search.meaning_failures(MODEL) == ()
        text = search.unread_meaning("h", MODEL)[0]
        assert text.text.strip() == "bad"
        assert search.fail_meaning("h", MODEL, text.source, text.number, f"cause {tries}")
    (failed,) = search.meaning_failures(MODEL)
    assert (failed.id, failed.source, failed.tries) == (bad.id, "mail", FAILED_TRIES)
    assert (failed.cause, failed.at) == (f"cause {FAILED_TRIES - 1}", world.store.now())
    keep(world, {"good": vector(1)})
    assert search.meaning_behind(MODEL) == (1, 0)
    assert bodies(near(world, vector(1))) == ["good"]


def test_a_failure_is_forgotten_once_it_goes_well(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    search = world.store.search
    (text,) = search.unread_meaning("h", MODEL)
    search.fail_meaning("h", MODEL, text.source, text.number, "no memory")
    keep(world, {"one": vector(1)})
    assert search.meaning_failures(MODEL) == ()
    assert bodies(near(world, vector(1))) == ["one"]


def test_what_ends_every_process_is_found_alone_and_passed_over(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    bad = world.send(ada, "bob", "bad")
    world.send(ada, "bob", "good")
    search = world.store.search
    sizes = []
    for died in range(6):  # each process takes a batch and is never heard of again
        sizes.append(len(search.unread_meaning(f"process-{died}", MODEL)))
        world.clock.advance(LEASE_MS + 1)
    assert sizes == [2, 2, 2, 1, 1, 1]
    keep(world, {"good": vector(1)})
    (failed,) = search.meaning_failures(MODEL)
    assert failed.id == bad.id
    assert "ended" in failed.cause
    assert bodies(near(world, vector(1))) == ["good"]


def test_processes_that_stop_politely_count_for_nothing(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    world.send(ada, "bob", "two")
    search = world.store.search
    for stopped in range(20):
        assert len(search.unread_meaning(f"process-{stopped}", MODEL)) == 2
        search.release_meaning(f"process-{stopped}")
    assert search.meaning_failures(MODEL) == ()


DAY = 86_400_000


def test_what_was_passed_over_is_tried_again_after_a_day(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "bad")
    world.send(ada, "bob", "good")
    search = world.store.search
    for died in range(6):
        assert search.unread_meaning(f"process-{died}", MODEL)
        world.clock.advance(LEASE_MS + 1)
    keep(world, {"good": vector(1)})
    assert search.meaning_behind(MODEL) == (1, 0)
    world.clock.advance(DAY - LEASE_MS)
    assert search.unread_meaning("h", MODEL) == ()
    world.clock.advance(2 * LEASE_MS)
    assert search.meaning_behind(MODEL) == (1, 1)
    # Once a day and no more, whatever becomes of it; it delays no other message.
    world.send(ada, "bob", "new")
    (text,) = search.unread_meaning("died", MODEL)
    assert text.text.strip() == "bad"
    world.clock.advance(LEASE_MS + 1)
    keep(world, {"new": vector(0, 1)})
    world.clock.advance(DAY)
    (text,) = search.unread_meaning("h", MODEL)
    assert search.fail_meaning("h", MODEL, text.source, text.number, "again")
    assert search.unread_meaning("h", MODEL) == ()
    world.clock.advance(DAY + 1)
    keep(world, {"bad": vector(0, 0, 1)})
    assert search.meaning_failures(MODEL) == ()
    assert search.meaning_behind(MODEL) == (3, 0)
    assert bodies(near(world, vector(0, 0, 1)))[0] == "bad"
    assert world.store.check() == []


def test_what_is_gone_is_not_tried_again(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    bad = world.dead_letter("bob", ada, "bad")
    search = world.store.search
    for _ in range(FAILED_TRIES):
        (text,) = search.unread_meaning("h", MODEL)
        search.fail_meaning("h", MODEL, text.source, text.number, "no")
    world.clock.advance(DAY + 1)
    (text,) = search.unread_meaning("h", MODEL)
    world.mail.purge((bad.id,))
    search.keep_meaning("h", MODEL, (Vectors(text.source, text.number, (vector(1),)),))
    assert near(world, vector(1)).hits == ()
    assert search.meaning_behind(MODEL) == (0, 0)


# --- finding ---------------------------------------------------------------------------------------


def test_the_nearest_first_with_their_cosines(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for body in ("north", "north-east", "east"):
        world.send(ada, "bob", body)
    keep(world, {"north": vector(1), "north-east": vector(1, 1), "east": vector(0, 1)})
    found = near(world, vector(1))
    assert bodies(found) == ["north", "north-east", "east"]
    same, half, _ = (hit.score for hit in found.hits)
    assert same == pytest.approx(1.0, abs=0.01)
    assert half == pytest.approx(0.7, abs=0.1)
    assert (found.total, found.capped, found.behind) == (3, False, 0)


def test_a_hit_tells_all_of_its_message(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    topic = world.topic(ada)
    sent = world.send(ada, "bob", "by mail", subject="S", kind="question")
    (root,) = world.post(ada, "build", "by post")
    (reply,) = world.post(ada, "build", Post("answer", kind="result", reply_to=root.id))
    keep(world, {"S\nby mail": vector(1), "by post": vector(0, 1), "answer": vector(0, 0, 1)})
    (mail,) = near(world, vector(1), limit=1).hits
    assert mail._replace(score=0) == (
        sent.id, "mail", None, None, mail.seq, "ada", ("bob",), sent.id, "question", "S", "by mail",
        world.store.now(), 0, 0,
    )  # fmt: skip
    (post,) = near(world, vector(0, 0, 1), limit=1).hits
    assert post._replace(score=0) == (
        reply.id, "topic", topic.id, "build", 2, "ada", (), root.id, "result", "", "answer",
        world.store.now(), 0, 0,
    )  # fmt: skip


def test_a_message_counts_by_its_nearest_stretch(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "long " * 500)
    world.send(ada, "bob", "short")
    search = world.store.search
    long, short = search.unread_meaning("h", MODEL)
    batch = (
        Vectors(long.source, long.number, (vector(0, 1), vector(1), vector(0, 0, 1))),
        Vectors(short.source, short.number, (vector(1, 1),)),
    )
    assert search.keep_meaning("h", MODEL, batch)
    found = near(world, vector(1)).hits
    assert [(hit.body[:5].strip(), hit.stretch) for hit in found] == [("long", 1), ("short", 0)]
    assert near(world, vector(0, 0, 1)).hits[0].stretch == 2
    assert search.meaning_behind(MODEL) == (2, 0)


def test_among_many_the_nearest_is_found(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    given = {"wanted": vector(1, 2, 3)}
    for number in range(1300):
        given[f"n{number}"] = vector(0, 0, 0, 1, number % 7, noise=number + 1)
    names = list(given)
    for start in range(0, len(names), 50):
        world.post(ada, "build", *names[start : start + 50])
    search = world.store.search
    while texts := search.unread_meaning("h", MODEL, limit=400):
        batch = tuple(Vectors(one.source, one.number, (given[one.text],)) for one in texts)
        assert search.keep_meaning("h", MODEL, batch)
    assert search.meaning_behind(MODEL) == (1301, 0)
    assert bodies(near(world, vector(1, 2, 3), limit=1)) == ["wanted"]
    assert bodies(near(world, given["n1299"], limit=1)) == ["n1299"]
    assert len(near(world, vector(1, 2, 3), limit=100).hits) == 100


def test_nothing_is_found_before_anything_is_kept(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    assert near(world, vector(1)) == ((), 0, False, 1)


# --- who may see it, and what was asked for -----------------------------------------------------------


def test_a_reader_finds_its_own_mail_and_all_topics(world: World) -> None:
    ada, bob, _ = world.agents_named("ada", "bob", "eve")
    world.topic(ada)
    world.send(ada, "bob", "to bob")
    world.send(bob, "ada", "to ada")
    world.send(ada, "eve", "to eve")
    world.post(ada, "build", "posted")
    keep(world, dict.fromkeys(("to bob", "to ada", "to eve", "posted"), vector(1)))
    assert set(bodies(near(world, vector(1), reader="bob"))) == {"to bob", "to ada", "posted"}
    assert set(bodies(near(world, vector(1), reader="eve"))) == {"to eve", "posted"}
    assert len(near(world, vector(1)).hits) == 4
    assert near(world, vector(1), reader="bob").total == 3


def test_what_the_reader_may_see_is_found_behind_all_that_it_may_not(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "eve")
    given = {}
    for number in range(700):
        given[f"n{number}"] = vector(1, noise=number + 1)
        world.send(ada, "bob", f"n{number}")
    given["for eve"] = vector(1, 3)
    world.send(ada, "eve", "for eve")
    search = world.store.search
    while texts := search.unread_meaning("h", MODEL, limit=400):
        batch = tuple(Vectors(one.source, one.number, (given[one.text.strip()],)) for one in texts)
        assert search.keep_meaning("h", MODEL, batch)
    assert bodies(near(world, vector(1), reader="eve", limit=5)) == ["for eve"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"scope": "mail"}, {"mail", "question"}),
        ({"scope": "topics"}, {"root", "reply", "elsewhere"}),
        ({"sender": "bob"}, {"question", "reply"}),
        ({"kind": "question"}, {"question"}),
        ({"since": 3}, {"root", "reply", "elsewhere"}),
        ({"until": 1}, {"mail"}),
        ({"since": 2, "until": 2}, {"question"}),
        ({"scope": "mail", "sender": "bob", "kind": "question"}, {"question"}),
        ({"kind": "unheard-of"}, set()),
    ],
)
def test_filters(world: World, where: dict[str, Any], expected: set[str]) -> None:
    _written(world)
    start = world.store.now() - 5
    for name in ("since", "until"):
        if name in where:
            where = where | {name: start + int(str(where[name]))}
    assert set(bodies(near(world, vector(1), **where))) == expected


def test_filters_by_topic_and_thread(world: World) -> None:
    mail, root, reply, topic = _written(world)
    assert set(bodies(near(world, vector(1), topic=topic))) == {"root", "reply"}
    assert set(bodies(near(world, vector(1), thread=root))) == {"root", "reply"}
    assert set(bodies(near(world, vector(1), thread=reply))) == {"root", "reply"}
    assert set(bodies(near(world, vector(1), thread=mail))) == {"mail"}
    assert set(bodies(near(world, vector(1), topic=topic, thread=root))) == {"root", "reply"}
    assert bodies(near(world, vector(1), topic=topic, thread=mail)) == []
    assert bodies(near(world, vector(1), topic=topic, scope="mail")) == []
    assert bodies(near(world, vector(1), thread="nothing")) == []


def _written(world: World) -> tuple[str, str, str, str]:
    """Two mails and three posts, one a millisecond: the ids of the first mail, of a post, of its reply, and
    of their topic."""
    ada, bob = world.agents_named("ada", "bob")
    topic = world.topic(ada)
    world.topic(ada, "other")
    world.clock.advance(1)
    mail = world.send(ada, "bob", "mail")
    world.clock.advance(1)
    world.send(bob, "ada", "question", kind="question")
    world.clock.advance(1)
    (root,) = world.post(ada, "build", "root")
    world.clock.advance(1)
    world.topics.join(bob, "build")
    (reply,) = world.post(bob, "build", Post("reply", reply_to=root.id))
    world.clock.advance(1)
    world.post(ada, "other", "elsewhere")
    keep(world, dict.fromkeys(("mail", "question", "root", "reply", "elsewhere"), vector(1)))
    return mail.id, root.id, reply.id, topic.id


# --- what is gone ----------------------------------------------------------------------------------


def test_purged_mail_is_not_found_and_loses_its_vectors(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    dead = world.dead_letter("bob", ada, "dead")
    world.send(ada, "bob", "alive")
    keep(world, {"dead": vector(1), "alive": vector(0, 1)})
    assert bodies(near(world, vector(1))) == ["dead", "alive"]
    world.mail.purge((dead.id,))
    assert bodies(near(world, vector(1))) == ["alive"]
    assert world.store.search.meaning_behind(MODEL) == (1, 0)


def test_a_message_of_many_stretches_is_one_message(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "before")
    dead = world.dead_letter("bob", ada, "long")
    world.send(ada, "bob", "behind")
    search = world.store.search
    before, long, behind = search.unread_meaning("h", MODEL)
    batch = (
        Vectors(before.source, before.number, (vector(0, 1),)),
        Vectors(long.source, long.number, tuple(vector(1, noise=number + 1) for number in range(600))),
        Vectors(behind.source, behind.number, (vector(0, 0, 1),)),
    )
    assert search.keep_meaning("h", MODEL, batch)
    assert search.meaning_behind(MODEL) == (3, 0)
    assert bodies(near(world, vector(1), limit=2))[0] == "long"
    assert len(near(world, vector(1), limit=100).hits) == 3
    world.mail.purge((dead.id,))
    assert search.meaning_behind(MODEL) == (2, 0)
    assert bodies(near(world, vector(0, 1))) == ["before", "behind"]
    assert bodies(near(world, vector(0, 0, 1))) == ["behind", "before"]


def test_mail_that_goes_with_its_agent_loses_its_vectors(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.agent("eve")
    world.send(ada, "bob", "to bob")
    world.send(ada, ("bob", "eve"), "to both")
    keep(world, {"to bob": vector(1), "to both": vector(0, 1)})
    world.agents.unregister("bob", delete_mail=True)
    assert bodies(near(world, vector(1))) == ["to both"]
    assert world.store.search.meaning_behind(MODEL) == (1, 0)


def test_mail_that_is_purged_before_its_vectors_come_gets_none(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    dead = world.dead_letter("bob", ada, "dead")
    world.send(ada, "bob", "alive")
    given = world.store.search.unread_meaning("h", MODEL)
    world.mail.purge((dead.id,))
    assert world.store.search.keep_meaning("h", MODEL, batch_of(given))
    assert bodies(near(world, vector(1))) == ["alive"]
    assert world.store.search.meaning_behind(MODEL) == (1, 0)


def test_a_deleted_topic_is_not_found_and_what_is_erased_loses_its_vectors(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    world.topic(ada, "other")
    world.post(ada, "build", *(f"n{number}" for number in range(50)))
    world.post(ada, "other", "stays")
    given = {f"n{number}": vector(1, noise=number + 1) for number in range(50)} | {"stays": vector(0, 1)}
    keep(world, given)
    world.topics.delete(ada, "build")
    assert bodies(near(world, vector(1))) == ["stays"]
    world.clock.advance(15_001)
    world.store.sweep("house")
    assert world.store.search.meaning_behind(MODEL) == (1, 0)
    assert bodies(near(world, vector(1))) == ["stays"]


def test_what_is_written_after_the_last_topic_was_erased_is_not_missed(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    world.post(ada, "build", "one", "two")
    keep(world, {"one": vector(1), "two": vector(1)})
    world.topics.delete(ada, "build")
    world.clock.advance(15_001)
    world.store.sweep("house")
    world.topic(ada)
    world.post(ada, "build", "new")
    assert world.store.search.meaning_behind(MODEL) == (0, 1)
    keep(world, {"new": vector(0, 1)})
    assert bodies(near(world, vector(1))) == ["new"]
    assert near(world, vector(0, 1)).hits[0].score == pytest.approx(1.0, abs=0.01)


def test_what_is_written_after_newer_messages_were_erased_has_its_own_vectors(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    world.topic(ada, "other")
    world.post(ada, "build", "one", "two")
    world.post(ada, "other", "three", "four")
    keep(world, {"one": vector(1), "two": vector(0, 1), "three": vector(0, 0, 1), "four": vector(0, 0, 1)})
    world.topics.delete(ada, "other")
    world.clock.advance(15_001)
    world.store.sweep("house")
    assert world.store.check() == []
    world.post(ada, "build", "five")
    keep(world, {"five": vector(0, 0, 0, 1)})
    assert bodies(near(world, vector(0, 0, 0, 1)))[0] == "five"
    assert set(bodies(near(world, vector(0, 0, 1)))) == {"one", "two", "five"}
    assert world.store.search.meaning_behind(MODEL) == (3, 0)


def test_vectors_can_be_dropped_and_computed_anew(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "one")
    world.send(ada, "bob", "two")
    keep(world, {"one": vector(1), "two": vector(0, 1)})
    search = world.store.search
    assert search.forget_meaning("another/1") == 0
    assert search.forget_meaning(MODEL) == 2
    assert near(world, vector(1)) == ((), 0, False, 2)
    keep(world, {"one": vector(0, 1), "two": vector(1)})
    assert bodies(near(world, vector(1))) == ["two", "one"]
    assert search.forget_meaning() == 2


def test_an_import_is_found_once_it_is_finished(world: World) -> None:
    ada = world.agent("ada")
    world.topics.begin_import(ada, "s", "old", created_at=1)
    old = Imported("cy", "message", "from elsewhere", None, None, 2)
    world.topics.add_imported(ada, "s", 0, (old,))
    keep(world, {"from elsewhere": vector(1)})
    assert near(world, vector(1)).hits == ()
    world.topics.finish_import(ada, "s")
    assert bodies(near(world, vector(1))) == ["from elsewhere"]


def test_an_import_that_is_finished_later_than_the_others_were_written(world: World) -> None:
    ada = world.agent("ada")
    world.topics.begin_import(ada, "s", "old", created_at=1)
    world.topics.add_imported(ada, "s", 0, (Imported("cy", "message", "one", None, None, 2),))
    world.topic(ada)
    world.post(ada, "build", "two")
    keep(world, {"one": vector(1), "two": vector(0, 1)})
    world.topics.add_imported(ada, "s", 1, (Imported("cy", "message", "three", None, None, 3),))
    world.topics.finish_import(ada, "s")
    keep(world, {"three": vector(0, 0, 1)})
    assert [bodies(near(world, vector(*place)))[0] for place in ((1,), (0, 1), (0, 0, 1))] == [
        "one",
        "two",
        "three",
    ]
