"""Names, text, errors, clock, process, wire."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from hubbub import wire
from hubbub.clock import ManualClock, SystemClock, spoken, to_iso
from hubbub.errors import HubbubError, InvalidArgument, InvalidName, all_errors
from hubbub.model import Delivery, Message
from hubbub.names import PRIORITIES, check_kind, check_name, check_word, message_id, new_tag, new_token
from hubbub.process import is_gone, this_process
from hubbub.text import safe_line, safe_text

BAD_NAMES = [
    "", "Ada", "ada lovelace", "..", "../x", "a/b", "-a", "_a", "a" * 65, "a" * 300, "ädа", "аda", "ａda",
    "ada\n", "ada\0", "\ud800", "ı", "a.b", "*", None, 7, True, ["ada"], b"ada",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_bad_names(name: object) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(name)
    assert caught.value.message.isascii()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("name", ["a", "7", "ada", "a-b_c", "0-", "a" * 64])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "proposal"), [("Ada Lovelace", "ada-lovelace"), ("My.Agent", "my-agent"), ("-x-", "x")]
)
def test_a_bad_name_is_answered_with_the_nearest_good_one(name: str, proposal: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(name)
    assert proposal in caught.value.hint


def test_words_are_suggested() -> None:
    assert check_word("low", PRIORITIES, "priority") == "low"
    with pytest.raises(InvalidArgument) as caught:
        check_word("urgnt", PRIORITIES, "priority")
    assert caught.value.hint.startswith("Did you mean urgent?")
    for wrong in (None, 1, ["low"]):
        with pytest.raises(InvalidArgument):
            check_word(wrong, PRIORITIES, "priority")


@pytest.mark.parametrize("kind", ["", "Task", "a b", "1task", "a" * 33, None, 3, "täsk"])
def test_bad_kinds(kind: object) -> None:
    with pytest.raises(InvalidArgument):
        check_kind(kind)


def test_kinds_are_an_open_vocabulary() -> None:
    assert check_kind("haiku") == "haiku"


def test_tags_and_tokens_are_random() -> None:
    assert len({new_tag() for _ in range(100)}) > 90
    assert len({new_token() for _ in range(100)}) == 100
    assert re.fullmatch("[0-9a-z]{20}", new_token(20))


def test_every_error_has_its_own_code_a_docstring_and_an_exit_status() -> None:
    errors = all_errors()
    codes = [error.code for error in errors]
    assert len(set(codes)) == len(codes) > 30
    for error in errors:
        assert re.fullmatch("[A-Z][A-Z_]+", error.code)
        assert (error.__doc__ and error.__doc__ != HubbubError.__doc__) or error is HubbubError
        # 126 and 127 are a shell's own words for a command that it can't run and can't find.
        assert error.exit_status in (*range(1, 7), 126, 127)


def test_an_error_shows_what_it_knows_and_nothing_empty() -> None:
    assert InvalidName("x", hint="y", recipient="z").as_dict() == {
        "code": "INVALID_NAME",
        "message": "x",
        "hint": "y",
        "details": {"recipient": "z"},
    }
    assert InvalidName("x", hint="").as_dict() == {"code": "INVALID_NAME", "message": "x"}
    assert InvalidName("x").hint == InvalidName.default_hint


def test_text_keeps_lines_and_shows_what_is_hidden() -> None:
    assert safe_text("a\r\nb\tc\rd\x1b[0m\x7f") == "a\nb\tc␍d␛[0m␡"
    assert safe_line("a\nb\tc") == "a␤b c"
    assert safe_line("abcdef", 4) == "abc…"
    assert safe_line("abcd", 4) == "abcd"


def test_clocks() -> None:
    clock = ManualClock(5)
    clock.advance(-10)
    assert clock.now() == -5
    first = SystemClock().now()
    assert first > 1_600_000_000_000
    assert to_iso(1_795_233_451_250) == "2026-11-21T03:57:31.250Z"
    assert to_iso(0) == "1970-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (12_000, "12 s"),
        (240_000, "4 min"),
        (3 * 3_600_000, "3 h"),
        (2 * 86_400_000, "2 d"),
    ],
)
def test_lengths_of_time_are_said(milliseconds: int, said: str) -> None:
    assert spoken(milliseconds) == said


def test_a_process_is_gone_when_it_surely_ended() -> None:
    script = "from hubbub.process import this_process; print(this_process(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        assert not is_gone(name)
        other.kill()
        other.wait()
        assert is_gone(name)


def test_a_killed_process_that_nobody_waited_for_is_gone_too() -> None:
    script = "from hubbub.process import this_process; print(this_process(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table
        assert is_gone(name)


def test_a_process_is_not_called_gone_without_proof() -> None:
    host, boot, pid, started = this_process().split("/")
    assert not is_gone(this_process())
    assert not is_gone(f"elsewhere/{boot}/{pid}/{started}")
    assert is_gone(f"{host}/another-boot/{pid}/{started}")
    assert is_gone(f"{host}/{boot}/{pid}/1")  # the id was given to another process since
    for nonsense in ("", "x", "a/b/c", "a/b/c/d", f"{host}/{boot}/x/{started}", "/" * 9):
        assert not is_gone(nonsense)


def _message(**changed: object) -> Message:
    id_ = message_id(1, 2)
    plain = Message(id_, 1, "ada", ("bob",), id_, None, "message", "normal", "", "hi", None, None, 0)
    return plain._replace(**changed)  # type: ignore[arg-type]


def test_on_the_wire_nothing_is_said_that_says_nothing() -> None:
    assert wire.message_dict(_message(body="")) == {
        "id": message_id(1, 2),
        "from": "ada",
        "to": ["bob"],
        "kind": "message",
        "sent_at": "1970-01-01T00:00:00.000Z",
        "body": "",
    }
    full = wire.message_dict(_message(priority="low", thread="t", subject="s", metadata={}, reply_due=1))
    assert full["priority"] == "low"
    assert full["thread"] == "t"
    assert full["subject"] == "s"
    assert full["metadata"] == {}
    assert full["reply_due"] == "1970-01-01T00:00:00.001Z"


def test_a_delivery_on_the_wire_is_marked_when_it_comes_again() -> None:
    first = wire.delivery_dict(Delivery(_message(), "bob", "leased", 1, 1000))
    again = wire.delivery_dict(Delivery(_message(), "bob", "leased", 2, 1000, ("why",)))
    assert "redelivered" not in first
    assert (again["redelivered"], again["delivery_count"], again["reasons"]) == (True, 2, ["why"])
