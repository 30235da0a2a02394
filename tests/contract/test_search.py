"""Search by words: what finds what, who finds it, and in what order."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.model import Actor
from hubbub.model_search import RANKED_MAX, Found, Where
from hubbub.model_topics import Post
from hubbub.words import parse
from tests.contract.world import World

TEXTS = {
    "parser": "The parser in src/hubbub/bus.py eats the last line.",
    "fixed": "It's fixed on foo-bar, for v0.5.1.",
    "lexer": "Ported the lexer to C++; plain C was too slow.",
    "plain": "C would do for the parser.",
    "server": "peer_server.py: naïve retry, see RFC 9110 and a.b.c",
    "meeting": "会議は明日の朝です",
    "thai": "การประชุมพรุ่งนี้",
    "korean": "내일 회의가 있습니다",
    "rocket": "Shipped 🚀",
    "spoken": "what's up? He said “foo-bar”, twice",
}


def catch_up(world: World) -> None:
    """Index all that is waiting."""
    while world.store.search.index().behind:
        pass


def look_up(world: World, query: str, *, limit: int = 100, reader: str | None = None, **where: Any) -> Found:
    """What a query finds once all is indexed."""
    catch_up(world)
    return world.store.search.search(parse(query).query, reader=reader, where=Where(**where), limit=limit)


def find(world: World, query: str, **options: Any) -> list[str]:
    """The bodies that a query finds, the best first."""
    return [hit.body for hit in look_up(world, query, **options).hits]


@pytest.mark.parametrize("source", ["mail", "topic"])
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("parser", "parser plain"),
        ("PARSER line", "parser"),
        ('"last line"', "parser"),
        ('"line last"', ""),
        ('"last line', "parser"),
        ("parser -line", "plain"),
        ('parser -"last line"', "plain"),
        ("parser -absent", "parser plain"),
        ("pars*", "parser plain"),
        ("pars", ""),
        ("peer_ser*", "server"),
        ("lexer OR line", "parser lexer"),
        ("lexer OR absent parser OR slow", "lexer"),
        ("lexer or line", ""),
        ("bus.py", "parser"),
        ("src/hubbub/bus.py", "parser"),
        ("hubbub", "parser"),
        ("peer_server.py", "server"),
        ("server.py", "server"),
        ("server", "server"),
        ("bar-foo", ""),
        ("foo-bar", "fixed spoken"),
        ("it's", "fixed"),
        ("it’s", "fixed"),
        ("what's up?", "spoken"),
        ("v0.5.1", "fixed"),
        ("0.5.1", "fixed"),
        ("0.5", "fixed"),
        ("v0.5.2", ""),
        ("C++", "lexer"),
        ("c", "lexer plain server"),
        ("C#", ""),
        ("a.b.c", "server"),
        ("a.b.d", ""),
        ("naive", "server"),
        ("NAÏVE", "server"),
        ("RFC 9110", "server"),
        ("rfc9110", ""),
        ("明日", "meeting"),
        ("会議は明日", "meeting"),
        ("日明", ""),
        ("พรุ่งนี้", "thai"),
        ("회의", "korean"),
        ("🚀", "rocket"),
        ("absent", ""),
        ("", ""),
        ("???", ""),
        ("-parser", ""),
    ],
)
def test_a_query_finds_what_it_names(world: World, source: str, query: str, names: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for text in TEXTS.values():
        if source == "mail":
            world.send(ada, "bob", text)
    if source == "topic":
        world.topic(ada)
        world.post(ada, "build", *TEXTS.values())
    assert sorted(find(world, query)) == sorted(TEXTS[name] for name in names.split())


def test_a_version_finds_the_same_one_without_its_v(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "tagged 0.5.1 today")
    assert find(world, "v0.5.1") == ["tagged 0.5.1 today"]


def test_mail_is_found_by_its_subject(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "see inside", subject="Parser trouble")
    assert find(world, "parser inside") == ["see inside"]


@pytest.mark.parametrize("sign", string.punctuation)
def test_every_sign_is_a_query(world: World, sign: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "a plain text")
    for query in (
        sign,
        sign * 3,
        f"{sign}plain",
        f"plain{sign}",
        f"plain {sign} text",
        f"{sign}plain text{sign}",
    ):
        found = find(world, query)
        if "plain" in query and not query.startswith("-"):
            assert found == ["a plain text"], query


@pytest.mark.parametrize(
    "query", ["AND", "OR", "NOT", "NEAR", "a AND b", "NEAR(a b, 2)", "marks:x", "{words}:a", "=r:bob"]
)
def test_words_of_the_index_s_own_language_are_words(world: World, query: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", f"before {query} after")
    world.send(ada, "bob", "something else from bob")
    assert find(world, query) == [f"before {query} after"]


def test_a_hit_tells_where_it_stands(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    topic = world.topic(ada, "build")
    (first, second) = world.post(ada, "build", "nothing", "a needle")
    (reply,) = world.post(ada, "build", Post("the needle, yes", "answer", reply_to=second.id))
    sent = world.send(ada, "bob", "needle mail", subject="about", kind="task")
    hits = {hit.body: hit for hit in look_up(world, "needle").hits}
    mail, post, answer = hits["needle mail"], hits["a needle"], hits["the needle, yes"]
    assert (mail.source, mail.id, mail.recipients, mail.subject) == ("mail", sent.id, ("bob",), "about")
    assert (mail.topic, mail.topic_name, mail.kind, mail.thread) == (None, None, "task", sent.id)
    assert mail.sender == "ada"
    assert mail.created_at == world.store.now()
    assert (post.source, post.id, post.topic, post.topic_name) == ("topic", second.id, topic.id, "build")
    assert (post.seq, post.recipients, post.thread) == (2, (), second.id)
    assert (answer.id, answer.kind, answer.seq, answer.thread) == (reply.id, "answer", 3, second.id)
    assert first.id not in {hit.id for hit in hits.values()}


# --- order ---------------------------------------------------------------------------------------


def test_a_rarer_word_weighs_more(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    for number in range(30):
        world.send(ada, "bob", f"common text number {number}")
    world.send(ada, "bob", "rare text number thirty")
    assert find(world, "common OR rare")[0] == "rare text number thirty"


def test_a_shorter_text_comes_first(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle here")
    world.send(ada, "bob", "needle " + "and much more text than that " * 5)
    assert find(world, "needle")[0] == "needle here"


def test_more_of_a_word_comes_first(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle needle needle of the lot")
    world.send(ada, "bob", "needle among others of the lot")
    assert find(world, "needle")[0] == "needle needle needle of the lot"


def test_of_equal_ones_the_newer_comes_first(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    for number in range(3):
        world.send(ada, "bob", f"needle mail{number}")
        world.clock.advance(1000)
        world.post(ada, "build", f"needle post{number}")
        world.clock.advance(1000)
    expected = [f"needle {source}{number}" for number in (2, 1, 0) for source in ("post", "mail")]
    assert find(world, "needle") == expected
    assert find(world, "needle", limit=3) == expected[:3]


def test_mail_and_posts_are_ranked_together(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    world.send(ada, "bob", "needle and a few more words")
    world.post(ada, "build", "needle", "needle and very many more words than the mail " * 3)
    assert [body[:12] for body in find(world, "needle")] == ["needle", "needle and a", "needle and v"]


def test_the_limit_cuts_the_answer_and_not_the_total(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    for number in range(4):
        world.send(ada, "bob", f"needle {number}")
    world.post(ada, "build", *(f"needle {number}" for number in range(5)))
    found = look_up(world, "needle", limit=3)
    assert (len(found.hits), found.total, found.capped) == (3, 9, False)
    assert found.hits == look_up(world, "needle", limit=50).hits[:3]


def test_of_too_many_matches_the_newest_are_ranked(world: World) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    world.post(ada, "build", "needle")  # would be the best, and is the oldest
    for batch in range(0, RANKED_MAX, 50):
        world.post(ada, "build", *(f"needle number {batch + number}" for number in range(50)))
    found = look_up(world, "needle", limit=RANKED_MAX)
    assert (found.total, found.capped) == (RANKED_MAX, True)
    assert "needle" not in {hit.body for hit in found.hits}
    assert len({hit.id for hit in found.hits}) == RANKED_MAX
    assert not look_up(world, f"needle {RANKED_MAX - 1}").capped


# --- who may see what ----------------------------------------------------------------------------


def test_a_reader_finds_its_own_mail_and_all_topics(world: World) -> None:
    ada, bob, cyd = world.agents_named("ada", "bob", "cyd")
    world.topic(ada)
    world.send(ada, "bob", "needle from ada to bob")
    world.send(bob, ("ada", "cyd"), "needle from bob to both")
    world.send(cyd, "ada", "needle from cyd to ada")
    world.post(ada, "build", "needle in a topic")

    def seen(reader: str | None) -> set[str]:
        return {body.removeprefix("needle ") for body in find(world, "needle", reader=reader)}

    everything = {"from ada to bob", "from bob to both", "from cyd to ada", "in a topic"}
    assert seen(None) == everything
    assert seen("ada") == everything
    assert seen("bob") == everything - {"from cyd to ada"}
    assert seen("cyd") == everything - {"from ada to bob"}
    assert seen("dan") == {"in a topic"}


def test_nothing_of_others_mail_shows_in_the_count(world: World) -> None:
    ada, _, _ = world.agents_named("ada", "bob", "cyd")
    for number in range(20):
        world.send(ada, "bob", f"secret needle {number}")
    for query in ("needle", '"secret needle"', "need*", "needle OR secret", "secret -absent"):
        found = look_up(world, query, reader="cyd")
        assert (found.hits, found.total, found.capped) == ((), 0, False), query


def test_nothing_of_others_mail_shows_in_the_scores(world: World) -> None:
    ada, bob, _, _ = world.agents_named("ada", "bob", "cyd", "eve")
    world.topic(ada)
    world.post(ada, "build", "alpha", "omega")
    for _ in range(20):
        world.send(bob, "cyd", "alpha")
    seen = {hit.body: hit.score for hit in look_up(world, "alpha OR omega", reader="eve").hits}
    assert seen["alpha"] == seen["omega"]
    known = {hit.body: hit.score for hit in look_up(world, "alpha OR omega", reader="cyd", limit=30).hits}
    assert known["alpha"] < known["omega"]


def test_the_texts_of_hits_can_be_had_later(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.topic(ada)
    world.send(ada, "bob", "needle in the mail", subject="about it")
    world.post(ada, "build", "needle in a topic")
    gone = world.dead_letter("bob", ada, "needle that goes")
    look_up(world, "needle")
    query = parse("needle").query
    full = world.store.search.search(query).hits
    brief = world.store.search.search(query, body_max=6).hits
    assert {hit.body for hit in brief} == {"needle"}
    assert world.store.search.whole(brief) == full
    world.mail.purge((gone.id,))
    assert world.store.search.whole(brief) == tuple(hit for hit in full if hit.id != gone.id)


def test_a_name_that_begins_like_another_s_reads_nothing_of_it(world: World) -> None:
    ada, _, _, _ = world.agents_named("ada", "bob", "bob-2", "bo")
    world.send(ada, "bob", "needle")
    assert find(world, "needle", reader="bob") == ["needle"]
    assert find(world, "needle", reader="bob-2") == []
    assert find(world, "needle", reader="bo") == []


def test_nobody_finds_by_the_index_s_own_marks(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "hello", kind="task")
    for query in ("task", "=k:task", "k task", '"=r:bob"', "bob", "r:bob", "ada"):
        assert find(world, query) == [], query


# --- any text ------------------------------------------------------------------------------------

RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(query=st.text(max_size=200) | st.text(alphabet='"*-+#()^:{}aOR \0', max_size=60))
def test_no_query_fails(world: World, query: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    if not world.store.search.search(parse("plain").query).hits:
        world.send(ada, "bob", "a plain text")
    look_up(world, query)


@RELAXED
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_a_message_is_found_by_each_of_its_words(world: World, text: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob", text)
    for word in text.replace('"', " ").split():
        query = word.lstrip("-").rstrip("*")
        if parse(query).query.groups:
            found = look_up(world, query, limit=RANKED_MAX)
            assert sent.id in {hit.id for hit in found.hits}, query


def test_long_words_and_long_texts_are_found(world: World) -> None:
    ada = world.agent("ada")
    world.agent("bob", max_message_bytes=4 << 20)
    world.send(ada, "bob", "filler words " * 60_000 + "needle " + "x" * 100_000)
    assert len(find(world, "needle")) == 1
    assert len(find(world, "x" * 100_000)) == 1
    assert len(find(world, '"words needle"')) == 1
    assert find(world, "filler " * 20_000) != []


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\uff9e\u0f73", "\u0591\u05b0\u0301"])
def test_a_message_of_nothing_but_marks_holds_nobody_up(world: World, marks: str) -> None:
    ada = world.agent("ada")
    world.agent("bob", max_message_bytes=1 << 20)
    row = marks * (900_000 // len(marks.encode()))
    world.send(ada, "bob", f"needle a{row} thread")
    assert len(find(world, "needle thread")) == 1
    assert find(world, f"nowhere a{row}") == []


def test_actors_need_not_be_registered_to_be_searched_for(world: World) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle")
    assert find(world, "needle", sender="Nobody At All") == []
    assert find(world, "needle", sender=Actor("ada").agent) == ["needle"]
