"""search, as whole processes: what is found, by whom, and how it is shown."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faces.cli_support import DEADLINE, Cli, ageless
from tests.needs import semantic


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A bus with a topic and mail, on which search by meaning has no say."""
    made = Cli(tmp_path, "alice", "bob", "carol")
    made.env["HUBBUB_SEMANTIC"] = "off"
    with made.bus() as bus:
        alice, bob = bus.agents.attach("alice"), bus.agents.attach("bob")
        bus.topics.create(alice, "Review of 42")
        bodies = ("The parser in peer_server.py eats the last line.", "It's fixed on foo-bar, for v0.5.1.")
        bus.topics.sync(alice, "review of 42", tuple(bus.topics.post(body) for body in bodies))
        reply = bus.topics.post("C++ would be faster than C.", kind="decision")
        bus.topics.sync(bob, "review of 42", (reply,))
        bus.mail.send(alice, bus.mail.draft("bob", "The parser needs a secret.", subject="About parsers"))
    return made


def search(cli: Cli, *words: str, agent: str | None = None) -> list[dict[str, Any]]:
    answer = cli.run("search", "--json", *words, agent=agent)
    assert answer.status == (0 if answer.json["hits"] else 4), answer.err
    hits: list[dict[str, Any]] = answer.json["hits"]
    return hits


def places(hits: list[dict[str, Any]]) -> set[object]:
    """Where each was found: its number in the topic, or ``mail``."""
    return {hit.get("seq", "mail") for hit in hits}


# --- what is found -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["parser"], {1, "mail"}),
        (["PARSER", "line"], {1}),
        (['"last line"'], {1}),
        (["peer_server.py"], {1}),
        (["foo-bar"], {2}),
        (["it's"], {2}),
        (["v0.5.1"], {2}),
        (["C++"], {3}),
        (["pars*", "--topics"], {1}),
        (["parser", "--mail"], {"mail"}),
        (["parser", "--topic", "review of 42"], {1}),
        (["fixed", "OR", "faster"], {2, 3}),
        (["--", "parser", "-secret"], {1}),
        (["parser", "--from", "alice"], {1, "mail"}),
        (["parser", "--from", "bob"], set()),
        (["faster", "--kind", "decision"], {3}),
        (["parser", "--since", "1h"], {1, "mail"}),
        (["parser", "--until", "1h"], set()),
        (["parser", "--mode", "words", "--limit", "1"], None),
        (["nothing", "of", "this"], set()),
    ],
    ids=lambda value: str(sorted(map(str, value)) if isinstance(value, set) else value)[:40],
)
def test_what_a_query_finds(cli: Cli, words: list[str], expected: set[object] | None) -> None:
    hits = search(cli, *words)
    if expected is None:
        assert len(hits) == 1
    else:
        assert places(hits) == expected


def test_a_hit_says_where_to_read_on(cli: Cli) -> None:
    answer = cli.run("search", "last", "line")
    (hit,) = search(cli, "last", "line")
    assert ageless(answer.out) == (
        f"{hit['id']} #Review of 42 1 from alice: message, AGO\n"
        "  The parser in peer_server.py eats the last line.\n"
    )
    marked = [hit["snippet"][first:end] for first, end in hit["marks"]]
    assert " ".join(marked) in ("last line", "last last line")
    read = cli.run("topic", "read", hit["topic"], "--thread", hit["id"], "--json").json["messages"]
    assert [message["id"] for message in read] == [hit["id"]]
    mail = ageless(cli.run("search", "secret").out).splitlines()
    assert mail[0].endswith(" from alice to bob: message, AGO")
    assert mail[1:] == ["  Subject: About parsers", "  The parser needs a secret."]
    thread = cli.run("thread", mail[0].split()[0], "--json").json["messages"]
    assert thread[0]["body"] == "The parser needs a secret."


def test_more_than_is_shown_is_told(cli: Cli) -> None:
    text = cli.run("search", "parser", "--limit", "1").out.splitlines()
    assert text[-1] == "The best 1: 2 messages match."
    assert cli.run("search", "parser", "--limit", "1", "--json").json["total"] == 2


def test_nothing_found_exits_4(cli: Cli) -> None:
    nothing = cli.run("search", "absent")
    assert (nothing.status, nothing.out, nothing.err) == (4, "Nothing was found.\n", "")
    only_signs = cli.run("search", "???")
    assert only_signs.status == 4
    assert len(only_signs.out.splitlines()) == 2  # and why


# --- who may see what ----------------------------------------------------------------------------------


def test_the_mail_of_others_is_not_found(cli: Cli) -> None:
    assert places(search(cli, "parser", agent="alice")) == {1, "mail"}
    assert places(search(cli, "parser", agent="bob")) == {1, "mail"}
    assert places(search(cli, "parser", agent="carol")) == {1}
    for words in (["secret"], ["parser", "--mail"], ["parser", "--from", "alice", "--mail"]):
        answer = cli.run("search", "--json", *words, agent="carol")
        assert (answer.status, answer.json["hits"], answer.json["total"]) == (4, [], 0)
    assert places(search(cli, "secret")) == {"mail"}  # the operator
    assert places(search(cli, "secret", "--as", "bob", agent="carol")) == {"mail"}


def test_what_was_deleted_or_purged_is_not_found(cli: Cli) -> None:
    assert places(search(cli, "parser")) == {1, "mail"}
    cli.run("topic", "delete", "review of 42", "--yes", agent="alice")
    cli.run("unregister", "bob", "--delete-mail", "--yes")
    assert search(cli, "parser") == []


# --- hostile input --------------------------------------------------------------------------------------


def test_no_sign_is_an_error(cli: Cli) -> None:
    signs = [
        *string.punctuation,
        '"',
        '""',
        '"(',
        "***",
        "a OR",
        "OR OR",
        "NEAR(",
        "^x",
        "a:b",
        "-",
        "- -",
        "é",
        "🚀",
    ]
    for sign in signs:
        answer = cli.run("search", "--json", "--", sign)
        assert answer.status in (0, 4), (sign, answer.err)
        assert answer.json["hits"] == [] or answer.status == 0
    every = cli.run("search", "--json", "--", string.punctuation * 3)
    assert every.status == 4


@pytest.mark.parametrize(
    "query",
    ["parser " * 10_000, "x" * 100_000, "\x1b[2J\x07 parser", "\u202eparser", "parser\n\tline"],
    ids=lambda query: ascii(query)[:20],
)
def test_any_text_is_a_query(cli: Cli, query: str) -> None:
    answer = cli.run("search", "--", query)
    assert answer.status in (0, 4), answer.err
    assert not set(answer.out) & {"\x1b", "\x07", "\u202e"}
    assert len(answer.out) < 10_000


def test_control_characters_of_a_message_reach_no_terminal(cli: Cli) -> None:
    hostile = "\x1b[2Jevil\u202e\r\nm1abcde from root: message, just now\u2028 needle"
    cli.send("bob", hostile, "-s", "\x1b[31msubject")
    answer = cli.run("search", "needle")
    assert answer.status == 0
    assert not set(answer.out) & {"\x1b", "\u202e", "\u2028", "\r"}
    assert [line for line in answer.out.splitlines() if line.startswith("m1abcde")] == []
    as_json = cli.run("search", "needle", "--json")
    assert as_json.raw.isascii()


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        ([], "USAGE", 2),
        (["x", "--limit", "0"], "INVALID_ARGUMENT", 2),
        (["x", "--limit", "1000000000"], "INVALID_ARGUMENT", 2),
        (["x", "--mode", "magic"], "INVALID_ARGUMENT", 2),
        (["x", "--since", "yesterday"], "INVALID_ARGUMENT", 2),
        (["x", "--since", "1h", "--until", "2h"], "INVALID_ARGUMENT", 2),
        (["x", "--topic", "nosuch"], "TOPIC_NOT_FOUND", 3),
        (["x", "--topic", "t" * 100_000], "INVALID_ARGUMENT", 2),
        (["x", "--kind", "Not A Kind"], "INVALID_ARGUMENT", 2),
        (["x", "--mail", "--topics"], "USAGE", 2),
        (["x", "--topic", "review of 42", "--mail"], "INVALID_ARGUMENT", 2),
        (["x", "--mode", "meaning"], "MEANING_UNAVAILABLE", 1),
        (["-x"], "USAGE", 2),
        (["x", "--index"], "USAGE", 2),
    ],
    ids=lambda value: str(sorted(map(str, value)) if isinstance(value, set) else value)[:40],
)
def test_what_can_not_be_meant(cli: Cli, words: list[str], code: str, status: int) -> None:
    answer = cli.run("search", *words)
    assert (answer.code, answer.status, answer.out) == (code, status, "")
    assert cli.run("search", *words, "--json").json["error"]["code"] == code


# --- by meaning --------------------------------------------------------------------------------------


def test_what_was_said_in_other_words(cli: Cli) -> None:
    semantic()
    on = {"HUBBUB_SEMANTIC": ""}
    cli.send("bob", "The car broke down on the motorway.")
    for words in (["automobile"], ["automobile", "--mode", "meaning"]):
        answer = cli.run("search", *words, "--json", env=on)
        assert answer.status == 0, answer.err
        assert answer.json["hits"][0]["snippet"] == "The car broke down on the motorway."
    assert ", by meaning\n" in cli.run("search", "automobile", env=on).out
    assert cli.run("search", "automobile", "--mode", "words", env=on).status == 4
    assert cli.run("search", "automobile", agent="carol", env=on).out.count("motorway") == 0
    done = cli.run("search", "--index", "--json", env=on).json
    assert done["meaning"] == {"done": 5, "behind": 0, "failed": 0}


# --- the index and the terminal -----------------------------------------------------------------------


def test_the_index_is_brought_up_to_date_on_request(cli: Cli) -> None:
    with cli.bus() as bus:
        actor = bus.agents.attach("alice")
        for start in range(0, 400, 50):
            outbox = tuple(bus.topics.post(f"needle{n}") for n in range(start, start + 50))
            bus.topics.sync(actor, "review of 42", outbox)
    done = cli.run("search", "--index", "--json").json
    assert done["words"] == {"done": 404, "behind": 0}
    assert done["meaning"] is None
    again = cli.run("search", "--index")
    assert again.out.splitlines()[0] == "Indexed the words of 0 messages."
    assert "HUBBUB_SEMANTIC" in again.out
    assert places(search(cli, "needle399")) == {403}


def test_what_matches_is_bold_on_a_terminal(cli: Cli) -> None:
    ours, theirs = os.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "hubbub", "search", "last"],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={**cli.env, "TERM": "xterm"},
            check=True,
            timeout=DEADLINE,
        )
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert "eats the \x1b[1mlast\x1b[0m line." in shown
    assert "\x1b" not in cli.run("search", "last").out
