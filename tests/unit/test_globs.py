"""Globs of paths: what they name, whether two of them meet, and what is none."""

from __future__ import annotations

import itertools
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidArgument
from hubbub.globs import CHOICES_MAX, GLOB_MAX, STARS_MAX, check_glob, matches, overlap

LETTERS = "abc"
PATHS = [
    path
    for length in range(1, 6)
    for path in map("".join, itertools.product(LETTERS + "/", repeat=length))
    if not path.startswith("/") and not path.endswith("/") and "//" not in path
]
"""Every path of up to five characters. A third letter is there for [!a] and [!b] to meet in."""

_BELOW = "(?:[^/]+/)*"
_WORDS = {"*": "[^/]*", "?": "[^/]", "{": "(?:", ",": "|", "}": ")"}


def _regex(glob: str) -> re.Pattern[str]:
    """The same as a regular expression of a path with a slash behind every part."""
    each = (
        "".join(map(_of_part, one.split("/"))) + (_BELOW if _is_plain(one) else "") for one in _each(glob)
    )
    return re.compile("|".join(f"(?:{one})" for one in each))


def _each(glob: str) -> list[str]:
    """The globs without braces that it stands for, where braces hold whole parts."""
    parts = [part.strip("{}").split(",") for part in glob.split("/")]
    return ["/".join(parts) for parts in itertools.product(*parts)]


def _of_part(part: str) -> str:
    if part == "**":
        return _BELOW
    made = ""
    for token in re.findall(r"\[.*?\]|.", part):
        negated = token.startswith("[!")
        made += _WORDS.get(token, f"[^/{token[2:]}" if negated else token)
    return made + "/"


def _is_plain(part: str) -> bool:
    return not re.search(r"[*?\[]", part)


def _may_be_a_folder(glob: str) -> bool:
    return any(map(_is_plain, _each(glob)))


def _named(glob: str) -> set[str]:
    """The paths that a glob names, by brute force."""
    pattern = _regex(glob)
    return {path for path in PATHS if pattern.fullmatch(path + "/")}


_TOKENS = ["a", "b", "*", "?", "[ab]", "[!a]", "[!b]", "[a-b]", "[!a-b]", "[c]"]
_short = (
    st.lists(st.sampled_from(_TOKENS), min_size=1, max_size=2).map("".join).filter(lambda part: part != "**")
)
_part = st.one_of(_short, st.just("**"), st.tuples(_short, _short).map(lambda two: f"{{{two[0]},{two[1]}}}"))
# Up to two parts of up to two characters each: what two of these have in common is in PATHS.
_glob = st.lists(_part, min_size=1, max_size=2).map("/".join)
_long = st.lists(
    st.lists(st.sampled_from(_TOKENS), min_size=1, max_size=4)
    .map("".join)
    .filter(lambda part: "**" not in part)
    | st.just("**"),
    min_size=1,
    max_size=4,
).map("/".join)


@settings(max_examples=400, deadline=None, database=None)
@given(_glob, _glob)
def test_two_globs_overlap_when_some_path_is_named_by_both(one: str, other: str) -> None:
    one, other = check_glob(one), check_glob(other)
    expected = bool(_named(one) & _named(other))
    if expected or not (_may_be_a_folder(one) or _may_be_a_folder(other)):
        assert overlap(one, other) is expected
    # What is below a folder has more parts than PATHS: that has a test of its own.
    assert overlap(other, one) is overlap(one, other)


@settings(max_examples=400, deadline=None, database=None)
@given(st.lists(st.sampled_from(["a", "b", "ab"]), max_size=2), st.sampled_from(["a", "ab"]), _glob)
def test_a_plain_name_overlaps_what_it_and_all_below_it_do(parts: list[str], name: str, other: str) -> None:
    plain, below = check_glob("/".join([*parts, name])), check_glob("/".join([*parts, name, "**"]))
    assert overlap(plain, check_glob(other)) is overlap(below, check_glob(other))


@settings(max_examples=200, deadline=None, database=None)
@given(_long, _long)
def test_longer_globs_that_name_a_path_in_common_overlap(one: str, other: str) -> None:
    one, other = check_glob(one), check_glob(other)
    if _named(one) & _named(other):
        assert overlap(one, other)
    assert overlap(one, other) is overlap(other, one)
    assert overlap(one, one)


@settings(max_examples=200, deadline=None, database=None)
@given(_long | _glob)
def test_a_glob_matches_the_paths_that_it_names(glob: str) -> None:
    glob = check_glob(glob)
    named = _named(glob)
    assert {path for path in PATHS if matches(glob, path)} == named
    # A plain path is a glob of itself.
    for path in list(named)[:5]:
        assert overlap(glob, path)


@settings(max_examples=100, deadline=None, database=None)
@given(_long)
def test_the_plain_form_is_plain_already(glob: str) -> None:
    assert check_glob(check_glob(glob)) == check_glob(glob)


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        ("a", "a"),
        ("./a//b/./c", "a/b/c"),
        ("a/", "a/**"),
        ("a/**/", "a/**/**"),
        (".", "**"),
        ("./", "**"),
        ("src/**/*.py", "src/**/*.py"),
        ("a b/ü", "a b/ü"),
        (unicodedata.normalize("NFD", "é"), "é"),
        ("{a,b}/[c-e]?", "{a,b}/[c-e]?"),
        ("-x", "-x"),
        (".github/x", ".github/x"),
        ("a..b/...", "a..b/..."),
    ],
)
def test_the_plain_form(given_: str, plain: str) -> None:
    assert check_glob(given_) == plain


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "/",
        "/etc/passwd",
        "~/x",
        "C:/x",
        "c:x",
        "a\\b",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "a\nb",
        "a\x00b",
        "a\x1b[2J",
        "a\u202eb",
        "\ud800",
        "x" * (GLOB_MAX + 1),
        "[a",
        "a[",
        "[]",
        "[z-a]",
        "a/[b/c]",
        "{a",
        "a}",
        "{a,b",
        "a,b}",
        "{a}}",
        "{{a}",
        "{a,b}" * 7,
        "{a,b}" * 190,
        "{" + ",".join("x" * 2 for _ in range(CHOICES_MAX + 1)) + "}",
        5,
        None,
        b"a",
        ["a"],
    ],
    ids=lambda bad: ascii(bad)[:30],
)
def test_what_is_no_glob(bad: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_glob(bad)
    assert len(caught.value.message) < 200
    assert caught.value.hint


def test_braces_stand_for_any_of_their_globs() -> None:
    glob = check_glob("{src/{a,b},doc}/*.{py,md}")
    for path in ("src/a/x.py", "src/b/x.md", "doc/x.py"):
        assert matches(glob, path)
    for path in ("src/x.py", "src/c/x.py", "doc/x.txt", "src/a/b/x.py"):
        assert not matches(glob, path)
    assert matches(check_glob("a{,b}"), "a")
    assert matches(check_glob("a{,b}"), "ab")
    assert matches(check_glob("[{]a"), "{a")
    assert check_glob("{a,b}" * 4)


def test_a_folder_covers_all_below_it() -> None:
    for glob in ("src/", "src/**"):
        plain = check_glob(glob)
        for path in ("src/a", "src/a/b/c.py", "src"):
            assert matches(plain, path)
        assert not matches(plain, "srca/b")
    # So does a path without patterns, which may be a folder; not a pattern.
    for path in ("src/a.py", "src/a/b.py", "src", "src/**", "s*", "**/b.py"):
        assert overlap("src", path)
        assert overlap(path, "src")
    # A name with a dot is most often a file: it is a folder to who names something in it.
    for path in (".github/x.yml", "v1.2/src/*", "v1.2/**/x.py"):
        assert overlap(path.partition("/")[0], path)
        assert overlap(path, path.partition("/")[0])
    assert matches("v1.2", "V1.2/a")
    for one, other in (("src/a.py", "**/b.py"), ("src/**/a.py", "src/**/b.py"), ("src/a.py", "src/a.pyi")):
        assert not overlap(one, other)
        assert not overlap(other, one)
    assert matches("src", "src/a/b")
    assert not overlap("src", "srca/b")
    assert not overlap("lib/src", "src/lib")
    assert not overlap("src/*", "src/a/b")
    assert not overlap("s?c", "src/a")
    assert overlap("{src,s?c}", "src/a")
    assert not overlap("*/src", "lib/src/a")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SRC/a", "src/A"),
        ("README.md", "Readme.*"),
        ("[a-c]x", "Bx"),
        ("[A-C]x", "bX"),
        ("[a-c]", "[B]"),
        ("[ä]", "Ä"),
        ("[ä]", "[Ä]"),
        ("Straße", "STRASSE"[:4] + "\u1e9eE"),
        ("[!a]", "A"),
    ],
)
def test_case_does_not_count(one: str, other: str) -> None:
    one, other = check_glob(one), check_glob(other)
    assert overlap(one, other)
    assert overlap(other, one)
    if not set(other) & set("[*"):
        assert matches(one, other)


@pytest.mark.parametrize(("one", "other"), [("[!a]", "a"), ("[!a]", "[a]"), ("[a-c]", "D"), ("[@]", "`")])
def test_case_makes_no_other_letters_the_same(one: str, other: str) -> None:
    assert not overlap(check_glob(one), check_glob(other))
    assert not overlap(check_glob(other), check_glob(one))


def test_accents_are_one_however_written() -> None:
    assert matches(check_glob("é"), unicodedata.normalize("NFD", "é"))
    assert overlap(check_glob(unicodedata.normalize("NFD", "é*")), "é1")


def test_a_path_that_looks_like_a_glob_is_taken_as_it_is() -> None:
    assert matches("*", "**")
    assert matches("[*]", "*")
    assert not matches("a", "*")
    assert not matches("a/b", "**")


def test_globs_that_could_be_slow_are_not() -> None:
    """Both name all that the other does, in very many ways, but for the end."""
    one, other = check_glob("a*" * STARS_MAX + "b" * 90), check_glob("*a" * STARS_MAX + "c" * 90)
    assert not overlap(one, other)
    assert not overlap(check_glob("**/a/" * 39 + "b"), check_glob("**/a/" * 39 + "c"))
    with pytest.raises(InvalidArgument, match="stars"):
        check_glob("a*" * (STARS_MAX + 1))
    deep = check_glob("{" * 60 + "a" + "}" * 60)
    assert matches(deep, "a")
