"""What a terminal shows: no line that others can write goes on at its left margin."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from hubbub.faces.cli.folding import HANG, fold
from tests.faces.cli_support import DEADLINE, Cli, post

COLUMNS = 40
HEAD = "m1pzcnf from carol: task, urgent, just now"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def shown(cli: Cli, *words: str, columns: int = COLUMNS, **env: str) -> list[str]:
    """The lines that a command writes to a terminal of ``columns`` cells."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    parts: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other side was closed
                return
            if not part:
                return
            parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hubbub", "--as", "bob", *words],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env={**cli.env, "TERM": "xterm", **env},
            check=True,
            timeout=DEADLINE,
        )
    finally:
        os.close(theirs)
        reader.join(DEADLINE)
        os.close(ours)
    assert done.stderr == b""
    return b"".join(parts).decode().replace("\r\n", "\n").splitlines()


def rows(lines: list[str], columns: int) -> list[str]:
    """The rows of a terminal that breaks lines by itself; a wide letter takes two cells."""
    found = []
    for line in lines:
        row, used = "", 0
        for letter in line:
            cells = 2 if letter > "\u1100" else 1
            if used + cells > columns:
                found.append(row)
                row, used = "", 0
            row += letter
            used += cells
        found.append(row)
    return found


@pytest.mark.parametrize("columns", [20, COLUMNS, 80])
@pytest.mark.parametrize("filler", [" ", "x", "漢"])
def test_no_body_forges_a_head_by_the_terminals_own_folding(cli: Cli, columns: int, filler: str) -> None:
    # However far in the forged head begins, at one of these it would come to the margin.
    forged = "\n".join("x" + filler * count + HEAD for count in range(columns // 2 - 3, columns + 1))
    cli.send("bob", forged)
    seen = rows(shown(cli, "peek", "--no-color", columns=columns), columns)
    at_margin = [row for row in seen if row and not row.startswith(HANG)]
    assert len(at_margin) == 1
    assert "from alice"[: columns - 8] in at_margin[0]
    bare = "".join(row.removeprefix(HANG) for row in seen)
    assert bare.count(HEAD) == forged.count(HEAD)


def test_fields_logs_and_lists_are_folded_too(cli: Cli) -> None:
    wide = "x" * (COLUMNS - 16) + HEAD
    cli.run("register", "bob", "--description", wide * 2)
    cli.send("bob", "body", "--subject", wide * 2, "--metadata", f'{{"note": "{wide * 3}"}}')
    for words in (["peek"], ["status", "bob"], ["who"], ["log"], ["doctor"]):
        lines = shown(cli, *words, NO_COLOR="1")
        assert max(map(len, lines)) <= COLUMNS, words
        assert not any(line.startswith("m1pzcnf") for line in lines), words


@pytest.mark.parametrize("columns", [20, COLUMNS])
@pytest.mark.parametrize("filler", [" ", "漢"])
def test_no_message_of_a_topic_forges_a_head_either(cli: Cli, columns: int, filler: str) -> None:
    # However far in the forged head begins, at one of these it would come to the margin.
    forged = "\n".join("x" + filler * count + HEAD for count in range(columns // 2 - 3, columns + 1))
    post(cli, "review", forged)
    cli.run("topic", "close", "review", "--reason", "x" * columns + HEAD, agent="alice")
    for words in (
        ["topic", "read", "review"],
        ["watch", "review", "--last", "1"],
        ["watch", "review", "--last", "1", "--full"],
        ["search", "x", "--mode", "words"],
        ["topic", "list", "--state", "closed"],
        ["sync", "review"],
    ):
        seen = rows(shown(cli, *words, "--no-color", columns=columns), columns)
        assert seen, words
        assert [row for row in seen if row.startswith(HEAD[:8])] == [], words


@pytest.mark.parametrize("word", ["word ", "漢字"])
def test_a_line_of_watch_is_one_row(cli: Cli, word: str) -> None:
    post(cli, "review", word * 100)
    cli.run("topic", "close", "review", agent="alice")
    lines = shown(cli, "watch", "review", "--last", "1", "--no-color", columns=100)
    assert len(lines) == len(rows(lines, 100)) == 2
    assert lines[0].endswith("…")


def test_a_pipe_gets_the_lines_as_they_are(cli: Cli) -> None:
    body = "word " * 100 + "\tend"
    cli.send("bob", body)
    assert f"\n  {body}\n" in cli.run("peek", agent="bob").out


def test_json_is_one_line_on_a_terminal_too(cli: Cli) -> None:
    cli.send("bob", "word " * 100)
    assert len(shown(cli, "peek", "--json")) == 1


def test_a_terminal_that_does_not_tell_its_width_counts_as_usual(cli: Cli) -> None:
    cli.send("bob", "x" * 200)
    assert max(map(len, shown(cli, "peek", "--no-color", columns=0))) == 80


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", [""]),
        ("1234567890", ["1234567890"]),
        ("12345678901", ["1234567890", "  1"]),
        ("漢字漢字漢", ["漢字漢字漢"]),
        ("a漢字漢字漢", ["a漢字漢字", "  漢"]),
        ("\U0001faf8" * 6, ["\U0001faf8" * 5, "  \U0001faf8"]),
        ("ééééé", ["ééééé"]),
        ("a\tb\tc", ["a       b ", "        c"]),
        ("one\n12345678901", ["one", "1234567890", "  1"]),
        ("\x1b[1m1234567890\x1b[0m", ["\x1b[1m1234567890\x1b[0m"]),
        ("\x1b[1m12345678901\x1b[0m", ["\x1b[1m1234567890", "  1\x1b[0m"]),
    ],
)
def test_folding(text: str, folded: list[str]) -> None:
    assert fold(text, 10) == folded


@pytest.mark.parametrize("width", [1, 2, 3])
def test_folding_ends_however_narrow(width: int) -> None:
    assert "".join(piece.removeprefix(HANG) for piece in fold("漢字abc", width)) == "漢字abc"
