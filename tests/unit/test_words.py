"""How text is cut into words, and how a query is read."""

from __future__ import annotations

import re
import unicodedata

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.words import (
    ATOM_MAX,
    MARKS_MAX,
    PHRASE_MAX,
    TERMS_MAX,
    Query,
    Term,
    aligned,
    cut,
    few_marks,
    folded,
    holds,
    parse,
)


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("", []),
        ("The Parser", ["the", "parser"]),
        ("peer_server.py", ["peer", "server", "py"]),
        ("foo-bar", ["foo", "bar"]),
        ("it's it’s", ["it", "s", "it", "s"]),
        ("src/hubbub/bus.py", ["src", "hubbub", "bus", "py"]),
        ("a.b.c", ["a", "b", "c"]),
        ("v0.5.1", ["v0", "0", "5", "1"]),
        ("v10 v2beta 3v4", ["v10", "10", "v2beta", "3v4"]),
        ("C++ C# F# c", ["c++", "c", "c#", "c", "f#", "f", "c"]),
        ("C++17, (C++)", ["c++", "c", "17", "c++", "c"]),
        ("a#section page#top x+y abc++ 1++", ["a", "section", "page", "top", "x", "y", "abc", "1"]),
        ("naïve NAÏVE naive\u0308", ["naive", "naive", "naive"]),
        ("Straße ﬁn Ⅷ ²", ["strasse", "fin", "viii", "2"]),
        ("会議は明日", ["会", "議", "は", "明", "日"]),
        ("한국어 abc한", ["한", "국", "어", "abc", "한"]),
        ("\u1112\u1161\u11ab", ["한"]),
        ("ｶﾞ がか\u3099", ["ガ", "が", "が"]),
        ("ดีก็", ["ด", "ี", "ก", "็"]),
        ("हिन्दी", ["हिन्दी"]),
        ("مرحبا", ["مرحبا"]),
        ("Shipped🚀now ❤️ 👩‍💻", ["shipped", "🚀", "now", "❤", "👩", "💻"]),
        ("co\u00adoper\u200date", ["cooperate"]),
        ("a\u200bb c\ud800d e\0f", ["a", "b", "c", "d", "e", "f"]),
        ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", []),
        ("x" * 100, ["x" * ATOM_MAX]),
    ],
)
def test_text_is_cut_into_words(text: str, atoms: list[str]) -> None:
    assert cut(text) == atoms


def test_every_word_is_one_word_to_the_tokenizer_of_the_index() -> None:
    db = apsw.Connection(":memory:")
    tokenizer = db.fts5_tokenizer("unicode61", ["remove_diacritics", "0", "categories", "L* M* N* P* S* C*"])
    for start in range(0, 0x110000, 256):
        text = " ".join(chr(code) for code in range(start, start + 256) if not 0xD800 <= code < 0xE000)
        atoms = cut(text)
        tokens = list(
            tokenizer(" ".join(atoms).encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False)
        )
        assert len(tokens) == len(atoms), hex(start)


def test_a_million_characters_are_cut_in_one_pass() -> None:
    assert len(cut("word " * 200_000)) == 200_000
    assert len(cut("日" * 300_000)) == 300_000
    assert cut("é" * 1_000_000) == ["e" * ATOM_MAX]


_ROWS = {
    "accents": "\u0301\u0316",
    "one accent": "\u0301",
    "points of Hebrew": "\u05b0\u0591\u05b1",
    "vowels of Tibetan that are marks in parts only": "\u0f73\u0301\u0316",
    "halfwidth sound marks, letters by their class": "\uff9e\u0f73",
    "marks that are two": "\u0344\u0316",
    "a mark that is folded to a letter": "\u0345\u0301",
    "tone marks of Hangul": "\u302e\u0301\u302f",
    "stems of notes": "\U0001d165\U0001d16d\u0316",
}


@pytest.mark.parametrize("marks", _ROWS.values(), ids=_ROWS.keys())
def test_no_long_row_of_marks_is_put_in_order(marks: str) -> None:
    count = 300_000 // len(marks)
    text = f"before a{marks * count} after"
    kept = unicodedata.normalize("NFKD", few_marks(text))
    rows = "".join("m" if unicodedata.combining(char) else " " for char in kept).split()
    assert 0 < max(map(len, rows)) <= 2 * MARKS_MAX
    # Without the bound each of these takes minutes.
    assert cut(text)[0] == "before"
    assert cut(text)[-1] == "after"
    assert cut(f"{'né ' * 100}{text}")[:1] == ["ne"]


@given(st.text(st.sampled_from("aé\u0301\u0316\u0591カ\uff9e\u0f73\u200d 日"), max_size=200))
def test_marks_in_rows_as_people_write_them_are_left_alone(text: str) -> None:
    rows = re.split(r"[^\u0301\u0316\u0591\uff9e\u0f73]", text)
    if max(map(len, rows)) <= MARKS_MAX:
        assert few_marks(text) == text
    assert max(map(len, re.split(r"[^\u0301\u0316\u0591\uff9e\u0f73]", few_marks(text)))) <= MARKS_MAX


def test_words_differ_by_neither_case_nor_form() -> None:
    for text in ("Ångström", "ΌΣΟΣ", "İstanbul", "ǆ"):
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert cut(unicodedata.normalize(form, text)) == cut(text.casefold())


# --- queries -------------------------------------------------------------------------------------


def term(*words: str, prefix: bool = False) -> Term:
    return Term(words, prefix)


def no(*words: str) -> Term:
    return Term(words, False, True)


@pytest.mark.parametrize(
    ("text", "groups", "excluded"),
    [
        ("parser line", [[term("parser")], [term("line")]], []),
        ('"last line" x', [[term("last", "line")], [term("x")]], []),
        ('"not closed', [[term("not", "closed")]], []),
        ('say"last line"now', [[term("say")], [term("last", "line")], [term("now")]], []),
        ('""', [], []),
        ("parser -line", [[term("parser")]], [no("line")]),
        ('parser -"last line"', [[term("parser")]], [no("last", "line")]),
        ("a - b", [[term("a")], [term("b")]], []),
        ("a -", [[term("a")]], []),
        ("foo-bar", [[term("foo", "bar")]], []),
        ("--no-verify", [[term("no", "verify")]], []),
        ("a -> b", [[term("a")], [term("b")]], []),
        ("pars*", [[term("pars", prefix=True)]], []),
        ("peer_ser*", [[term("peer", "ser", prefix=True)]], []),
        ('"last lin"*', [[term("last", "lin", prefix=True)]], []),
        ("* pa*rs", [[term("pa", "rs")]], []),
        ("会*", [[term("会")]], []),
        ("lexer OR parser", [[term("lexer"), term("parser")]], []),
        ("a OR b OR c d", [[term("a"), term("b"), term("c")], [term("d")]], []),
        ("OR a OR", [[term("or")], [term("a")]], []),
        ("a or b", [[term("a")], [term("or")], [term("b")]], []),
        ("a OR -b", [[term("a")]], [no("b")]),
        ("-b OR a", [[term("or")], [term("a")]], [no("b")]),
        ("v0.5.1", [[term("0", "5", "1")]], []),
        ("v2", [[term("v2", "2")]], []),
        ("C++", [[term("c++", "c")]], []),
        ("AND NOT NEAR(a b)", [[term("and")], [term("not")], [term("near", "a")], [term("b")]], []),
        ("words:x ^y", [[term("words", "x")], [term("y")]], []),
        ("???", [], []),
        ("", [], []),
        ("-x", [], [no("x")]),
        ("a\0b \ud800", [[term("a", "b")]], []),
    ],
)
def test_a_query_is_read(text: str, groups: list[list[Term]], excluded: list[Term]) -> None:
    assert parse(text).query == Query(tuple(map(tuple, groups)), tuple(excluded))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("?!", "no word"),
        ("-a", "only excludes"),
        ("ab* word", "ab* was taken as a word"),
        (" ".join(f"w{n}" for n in range(40)), f"first {TERMS_MAX} words"),
        ('"' + " ".join(f"w{n}" for n in range(100)) + '"', f"first {PHRASE_MAX} words"),
    ],
)
def test_what_of_a_query_could_not_be_followed_is_said(text: str, says: str) -> None:
    (note,) = parse(text).notes
    assert says in note


def test_a_query_that_could_be_followed_has_no_notes() -> None:
    for text in ("parser", '"last line" -x pars* a OR b', "会*", "v0.5.1"):
        assert parse(text).notes == ()


def test_a_long_query_is_read_up_to_its_bounds() -> None:
    parsed = parse("word " * 20_000 + '"' + "deep " * 20_000)
    assert len(parsed.query.groups) == TERMS_MAX
    (phrase,) = parse('"' + "deep " * 20_000).query.groups
    assert len(phrase[0].words) == PHRASE_MAX


@given(st.text())
def test_any_text_is_a_query(text: str) -> None:
    query, notes = parse(text)
    assert query.groups or notes
    for group in (*query.groups, query.excluded):
        for one in group:
            assert all(one.words)
            assert not any(" " in word or '"' in word for word in one.words)


@given(st.text())
def test_a_text_holds_each_of_its_own_words(text: str) -> None:
    for word in text.replace('"', " ").split():
        groups = parse(word.lstrip("-").rstrip("*")).query.groups
        assert all(holds(text, group) for group in groups), word


@given(st.text())
def test_an_aligned_text_leads_back_to_the_text(text: str) -> None:
    plain = aligned(text)
    places = [plain.place(index) for index in range(len(plain.text))]
    assert places == sorted(places)
    assert all(0 <= place < len(text) for place in places)
    for index, char in enumerate(plain.text):
        if char != " ":
            assert char in folded(text[places[index]])


@pytest.mark.parametrize(
    ("text", "query", "held"),
    [
        ("the last line", '"last line"', True),
        ("the last  line", '"line last"', False),
        ("liner", "line", False),
        ("liner", "lin*", True),
        ("plain C", "C++", False),
    ],
)
def test_whether_a_text_holds_a_term(text: str, query: str, held: bool) -> None:
    (group,) = parse(query).query.groups
    assert holds(text, group) is held


def test_a_version_within_a_phrase_is_looked_for_as_the_index_has_it() -> None:
    for text in ("0\x08V¼", "from v0.5.1 on"):
        (group,) = parse(f'"{text}"').query.groups
        assert list(group[0].words) == cut(text)
