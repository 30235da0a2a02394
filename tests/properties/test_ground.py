"""Properties of ids, names, shown text and URLs."""

from __future__ import annotations

import os
import unicodedata
from datetime import UTC

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hubbub.clock import to_iso
from hubbub.errors import InvalidBusUrl, InvalidName
from hubbub.location import normal_url, split_url
from hubbub.names import NAME_RULE, TAG_LIMIT, check_name, message_id, nearest, parse_message_id, suggest_name
from hubbub.text import fold_long_lines, has_lone_surrogate, safe_line, safe_text

SEQ_MAX = 2**60 - 1
"""More messages than any bus will see."""

seqs = st.integers(1, SEQ_MAX)
tags = st.integers(0, TAG_LIMIT - 1)
any_text = st.text(st.characters())  # lone surrogates included


@given(seqs, tags)
@example(1, 0)
@example(SEQ_MAX, TAG_LIMIT - 1)
def test_an_id_is_read_back_as_it_was_made(seq: int, tag: int) -> None:
    made = message_id(seq, tag)
    assert parse_message_id(made) == (seq, tag)
    assert made.isascii()
    assert made == made.lower()


@given(seqs, tags, st.data())
def test_a_mistyped_id_never_names_the_same_message_and_tag(seq: int, tag: int, data: st.DataObject) -> None:
    made = message_id(seq, tag)
    place = data.draw(st.integers(0, len(made) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != made[place]))
    assert parse_message_id(made[:place] + letter + made[place + 1 :]) != (seq, tag)
    assert parse_message_id(made[:place] + made[place + 1 :]) != (seq, tag)


@given(any_text)
@example("")
@example("m")
@example("m000000")
@example("M1ABCDE")
@example("m１abcde")
def test_what_is_read_as_an_id_is_that_id(text: str) -> None:
    parsed = parse_message_id(text)
    if parsed is not None:
        assert message_id(*parsed) == text
        assert 0 < parsed[0] < 2**63
        assert 0 <= parsed[1] < TAG_LIMIT


def _shown_safely(text: str, allowed: str) -> bool:
    return all(
        character in allowed or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        for character in text
    )


@given(any_text)
@example("\x1b[2J\x1b]0;title\x07")
@example("a\r\nb\rc")
@example("\u202eevil\u2066")
@example("\x9b31m")
@example("\ud800")
def test_no_control_character_survives(text: str) -> None:
    shown = safe_text(text)
    assert _shown_safely(shown, "\n\t")
    assert not has_lone_surrogate(shown)
    assert safe_text(shown) == shown
    reordering = {0x061C, *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    assert reordering.isdisjoint(map(ord, shown))


@given(any_text, st.none() | st.integers(0, 50))
def test_a_line_is_one_line_and_no_longer_than_allowed(text: str, limit: int | None) -> None:
    shown = safe_line(text, limit)
    assert _shown_safely(shown, "")
    assert len(shown.splitlines()) <= 1
    if limit:
        assert len(shown) <= limit
    assert not has_lone_surrogate(shown)


INVISIBLE_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols by their category that show nothing, and are replaced for it."""


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters=INVISIBLE_LETTERS)))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert safe_text(text) == text
    assert safe_line(text) == text


@given(any_text, st.integers(1, 20))
def test_folding_loses_nothing(text: str, width: int) -> None:
    folded, changed = fold_long_lines(text, width)
    assert folded.replace("\n", "") == text.replace("\n", "")
    assert changed is (folded != text)
    assert all(len(line) <= width for line in folded.split("\n"))


@given(any_text)
@example("a\n")
@example("ａda")
@example("аda")
def test_a_name_is_taken_only_by_the_rule(text: str) -> None:
    if NAME_RULE.fullmatch(text):
        assert check_name(text) == text
        assert text.isascii()
        assert text == text.lower().strip()
        assert 1 <= len(text) <= 64
    else:
        with pytest.raises(InvalidName) as caught:
            check_name(text)
        assert len(caught.value.message) < 200
    proposal = suggest_name(text)
    assert proposal is None or check_name(proposal) == proposal


@given(any_text, st.lists(st.text(max_size=10), max_size=8, unique=True), st.integers(1, 3))
def test_nearest_are_known_and_few(word: str, known: list[str], count: int) -> None:
    found = nearest(word, known, count)
    assert len(found) <= count
    assert len(set(found)) == len(found)
    assert set(found) <= set(known)


@given(any_text, st.sampled_from(["/", "/work", "/work/deep er"]))
@example("sqlite://bus.db", "/work")
@example("~", "/work")
@example("sqlite:///a/../../b.db", "/work")
def test_a_url_is_normal_once_it_was_made_so(text: str, folder: str) -> None:
    try:
        url = normal_url(text, folder)
    except InvalidBusUrl:
        return
    assert normal_url(url, "/elsewhere") == url
    scheme, path = split_url(url)
    assert scheme == "sqlite"
    assert os.path.isabs(path)
    assert os.path.normpath(path) == path


@given(st.integers(0, 253_402_300_799_999))
def test_a_time_reads_back(milliseconds: int) -> None:
    from datetime import datetime

    shown = to_iso(milliseconds)
    read = datetime.strptime(shown, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    began = datetime(1970, 1, 1, tzinfo=UTC)
    assert round((read - began).total_seconds() * 1000) == milliseconds
