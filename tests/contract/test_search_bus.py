"""Search as callers of the bus have it: what is refused, what is said, what is shown."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub.bus import Bus
from hubbub.errors import InvalidArgument, InvalidName, TopicNotFound
from hubbub.model_search import SEARCH_MAX
from tests.contract.world import World


@pytest.fixture
def bus(world: World) -> Bus:
    """The world's store as a bus."""
    return Bus(world.store)


def test_a_search_brings_the_index_up_to_date_and_shows_why_it_found(world: World, bus: Bus) -> None:
    ada, _ = world.agents_named("ada", "bob")
    sent = world.send(ada, "bob", "The needle is in the haystack.")
    (found,) = bus.search.search("needle", mode="words").hits
    assert found.hit.id == sent.id
    assert found.snippet == "The needle is in the haystack."
    assert [found.snippet[start:end] for start, end in found.marks] == ["needle"]
    results = bus.search.search("needle", mode="words")
    assert (results.total, results.capped, results.behind, results.notes) == (1, False, 0, ())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limit": 0}, "1 to 100"),
        ({"limit": 10**9}, "1 to 100"),
        ({"limit": "many"}, "whole number"),
        ({"limit": True}, "whole number"),
        ({"scope": "everything"}, "scope"),
        ({"mode": "fuzzy"}, "mode"),
        ({"kind": "No Kind"}, "kind"),
        ({"sender": ""}, "sender"),
        ({"sender": 5}, "sender"),
        ({"thread": "a\nb"}, "thread"),
        ({"topic": ""}, "topic"),
        ({"topic": "build", "scope": "mail"}, "no mail"),
        ({"since": "yesterday"}, "since"),
        ({"until": 10**30}, "until"),
        ({"since": 2, "until": 1}, "later"),
        ({"query": 5}, "text"),
        ({"query": None}, "text"),
    ],
)
def test_what_can_not_be_meant_is_refused(world: World, bus: Bus, options: dict[str, Any], says: str) -> None:
    world.topic(world.agent("ada"), "build")
    with pytest.raises(InvalidArgument) as caught:
        bus.search.search(options.pop("query", "needle"), **options)
    assert says in caught.value.message


def test_a_reader_must_be_a_name(bus: Bus) -> None:
    with pytest.raises(InvalidName):
        bus.search.search("needle", reader="Not A Name")


def test_an_unknown_topic_is_refused_with_the_nearest(world: World, bus: Bus) -> None:
    world.topic(world.agent("ada"), "parser-fix")
    with pytest.raises(TopicNotFound) as caught:
        bus.search.search("needle", topic="parser-fox")
    assert "parser-fix" in caught.value.hint


@pytest.mark.parametrize("name", ["parser-fix", "#parser-fix", "PARSER-FIX"])
def test_a_topic_is_named_as_elsewhere(world: World, bus: Bus, name: str) -> None:
    ada = world.agent("ada")
    world.topic(ada, "parser-fix")
    world.topic(ada, "other")
    world.post(ada, "parser-fix", "needle here")
    world.post(ada, "other", "needle there")
    assert [found.hit.body for found in bus.search.search("needle", topic=name, mode="words").hits] == [
        "needle here"
    ]


def test_a_limit_that_nothing_meets_is_told(world: World, bus: Bus) -> None:
    _, builder = world.agents_named("ada", "builder")
    world.send(builder, "ada", "needle", kind="question")
    for limits, says in (
        ({"sender": "bulider"}, "Nothing was ever posted or sent by bulider. Did you mean builder?"),
        ({"kind": "answer"}, "Nothing is of the kind answer."),
        ({"thread": "nowhere"}, "Nothing is in the thread nowhere."),
    ):
        assert bus.search.search("needle", **limits).notes == (says,)  # type: ignore[arg-type]
    assert bus.search.search("other", sender="builder", kind="question").notes == ()
    # Of mail that the reader may not see nothing is told.
    world.agent("eve")
    assert bus.search.search("needle", reader="eve", kind="question").notes == (
        "Nothing that eve may see is of the kind question.",
    )


def test_the_most_hits_are_a_hundred(world: World, bus: Bus) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    for _ in range(3):
        world.post(ada, "build", *["needle"] * 50)
    results = bus.search.search("needle", limit=SEARCH_MAX, mode="words")
    assert (len(results.hits), results.total) == (SEARCH_MAX, 150)
    assert len(bus.search.search("needle", mode="words").hits) == 20


@pytest.mark.parametrize("mode", ["auto", "words"])
@pytest.mark.parametrize(
    ("query", "says"), [("", "empty"), ("?!", "no word"), ("-needle", "only excludes"), ('"', "no word")]
)
def test_a_query_that_can_find_nothing_says_why(
    world: World, bus: Bus, query: str, says: str, mode: str
) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle")
    results = bus.search.search(query, mode=mode)
    assert (results.hits, results.total) == ((), 0)
    assert any(says in note for note in results.notes)


def test_a_hundred_thousand_characters_are_a_query(world: World, bus: Bus) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "word")
    results = bus.search.search("word " * 20_000, mode="words")
    assert results.total == 1
    assert any("first 32" in note for note in results.notes)
    assert bus.search.search("x" * 100_000, mode="words").hits == ()


@pytest.mark.parametrize("query", ["\0", "needle\0", "\ud800", "needle \udfff", "needle\u202e"])
def test_odd_characters_are_no_error(world: World, bus: Bus, query: str) -> None:
    ada, _ = world.agents_named("ada", "bob")
    world.send(ada, "bob", "needle")
    results = bus.search.search(query, mode="words")
    assert len(results.hits) == ("needle" in query)


def test_a_search_does_not_wait_for_all_of_a_large_backlog(
    world: World, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.bus.search.CATCH_UP_MESSAGES", 100)
    ada = world.agent("ada")
    world.topic(ada)
    for _ in range(20):
        world.post(ada, "build", *["needle"] * 50)
    first = bus.search.search("needle", mode="words")
    assert 0 < first.behind < 1000
    assert first.total == 1000 - first.behind
    (note,) = first.notes
    assert f"{first.behind} messages are not indexed yet" in note
    while (again := bus.search.search("needle", mode="words")).behind:
        assert again.total < 1000
    assert (again.total, again.notes) == (1000, ())


def test_all_can_be_indexed_at_once_with_progress(world: World, bus: Bus) -> None:
    ada = world.agent("ada")
    world.topic(ada)
    for _ in range(20):
        world.post(ada, "build", *["needle"] * 50)
    steps: list[tuple[int, int]] = []
    assert bus.search.catch_up(steps.append) == (1000, 0)
    assert [done + behind for done, behind in steps] == [1000] * len(steps)
    assert len(steps) > 1
    assert bus.search.catch_up() == (0, 0)
