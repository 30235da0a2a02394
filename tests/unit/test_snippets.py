"""Snippets: what of a text is shown, and what in it is marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.bus.snippets import GAP, WIDTH, Snipper, Snippet
from hubbub.words import parse

FILL = "lorem ipsum dolor sit amet " * 40


def snip(text: str, query: str) -> Snippet:
    return Snipper(parse(query).query).snippet(text)


def marked(text: str, query: str) -> list[str]:
    shown = snip(text, query)
    return [shown.text[start:end] for start, end in shown.marks]


@pytest.mark.parametrize(
    ("text", "query", "matches"),
    [
        ("The parser eats the last line.", "PARSER line", ["parser", "line"]),
        ("The parser eats the last line.", '"last line"', ["last line"]),
        ("the parsers and the parser", "parser", ["parser"]),
        ("the parsers and the parser", "pars*", ["parsers", "parser"]),
        ("in src/hubbub/bus.py there", "hubbub/bus.py", ["hubbub/bus.py"]),
        ("It’s fixed", "it's", ["It’s"]),
        ("since v0.5.1 it is", "v0.5.1", ["v0.5.1"]),
        ("since v0.5.1 it is", "0.5.1", ["v0.5.1"]),
        ("from C++17 to plain C", "C++", ["C++"]),
        ("from C++17 to plain C", "C", ["C", "C"]),
        ("a naïve and a NAI\u0308VE one", "naive", ["naïve", "NAI\u0308VE"]),
        ("会議は明日の朝です", "明日", ["明日"]),
        ("Shipped 🚀 now", "🚀", ["🚀"]),
        ("Ｆｕｌｌ ﬁne", "full fine", ["Ｆｕｌｌ", "ﬁne"]),
        ("line last", '"last line"', []),
        ("last last line", 'last "last line"', ["last", "last line"]),
        ("nothing here", "absent", []),
        ("x" * 100 + " end", "x" * 70, ["x" * 100]),
    ],
)
def test_matches_are_marked(text: str, query: str, matches: list[str]) -> None:
    shown = snip(text, query)
    assert shown.text == text
    assert marked(text, query) == matches


def test_a_long_text_is_cut_around_the_match() -> None:
    shown = snip(f"{FILL}the needle is here {FILL}", "needle")
    assert "the needle is here" in shown.text
    assert len(shown.text) <= WIDTH + 2 * len(GAP)
    assert shown.text.startswith("… ")
    assert shown.text.endswith(" …")
    assert [shown.text[start:end] for start, end in shown.marks] == ["needle"]


def test_words_that_lie_apart_are_shown_in_two_stretches() -> None:
    shown = snip(f"an apple first {FILL} and a pear last", "apple pear")
    assert GAP in shown.text
    assert [shown.text[start:end] for start, end in shown.marks] == ["apple", "pear"]


def test_the_stretch_with_most_of_the_words_is_chosen() -> None:
    shown = snip(f"apple {FILL} apple pear {FILL} pear", "apple pear")
    assert "apple pear" in shown.text
    assert GAP not in shown.text.strip("… ")


def test_without_a_match_it_is_the_beginning() -> None:
    shown = snip(FILL, "absent")
    assert FILL.startswith(shown.text.removesuffix(" …"))
    assert shown.marks == ()


def test_a_match_far_into_a_long_text_is_found() -> None:
    for fill in ("word " * 200_000, "wörd " * 200_000):
        shown = snip(fill + "needle", "needle")
        assert [shown.text[start:end] for start, end in shown.marks] == ["needle"]


def test_a_phrase_across_an_edge_of_what_is_read_at_once_is_found() -> None:
    for before in range(65_520, 65_545):
        assert marked("." * before + " last line ", '"last line"') == ["last line"]


def test_no_more_text_is_read_than_the_budget_allows() -> None:
    text = "word " * 40_000 + "needle"
    snipper = Snipper(parse("needle").query, budget=100_000)
    assert snipper.snippet(text).marks == ()
    assert snipper.snippet("needle").text == "needle"


@given(st.text(max_size=500), st.text(min_size=1, max_size=20))
def test_marks_lie_in_the_snippet_in_order(text: str, query: str) -> None:
    shown = snip(text, query)
    end = 0
    for start, stop in shown.marks:
        assert end <= start < stop <= len(shown.text)
        end = stop


@given(
    st.lists(st.sampled_from(["apple", "Pear", "v0.5.1", "C++", "naïve", "会議", "🚀", "x_y.py"]), min_size=1)
)
def test_each_word_of_a_text_is_marked_where_it_stands(words: list[str]) -> None:
    assert marked(" ".join(words), words[0])[0] == words[0]
