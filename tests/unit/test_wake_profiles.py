"""Profiles, on screens of the real clients: what each program wrote until then, as it was captured."""

from __future__ import annotations

import gzip
import pathlib
import re

import pytest

from hubbub.errors import InvalidConfig
from hubbub.wake.profiles import (
    GENERIC,
    View,
    choose,
    compact,
    load,
    look,
    names,
    problems,
    profile_of,
)
from hubbub.wake.ring import doorbell
from hubbub.wake.screen import Screen

SCREENS = pathlib.Path(__file__).parent.parent / "data" / "screens"
ROWS, COLUMNS = 40, 120
BAD = ("bad", "codex", GENERIC)
CAPTURED = sorted(path.name.removesuffix(".gz") for path in SCREENS.glob("*.gz"))


def captured(name: str) -> bytes:
    return gzip.decompress((SCREENS / f"{name}.gz").read_bytes())


def screen_of(name: str) -> Screen:
    screen = Screen(ROWS, COLUMNS)
    screen.feed(captured(name))
    return screen


def of_lines(*lines: str) -> View:
    """A screen of plain lines whose cursor stands behind the last."""
    return View(list(lines), list(lines), len(lines) - 1, len(lines[-1]))


@pytest.mark.parametrize("name", CAPTURED)
def test_a_real_screen_is_read_as_what_it_is(name: str) -> None:
    client, _, state = name.partition("-")
    seen = look(load(client), screen_of(name).view())
    words = state.split("-")
    assert seen.dialog == ("dialog" in words)
    assert seen.busy == ("busy" in words)
    if "typed" in words:
        assert seen.text
    elif "dialog" in words:
        assert seen.text != ""
    else:
        assert seen.text == ""


def test_every_client_was_captured_in_each_state() -> None:
    for client in ("claude", "codex", "gemini", "opencode"):
        for state in ("idle", "typed", "dialog", "busy", "busy-typed"):
            assert f"{client}-{state}" in CAPTURED


@pytest.mark.parametrize("client", ["claude", "codex", "gemini", "opencode"])
def test_what_is_typed_is_read_whole_however_it_is_broken(client: str) -> None:
    # What each writes for an empty prompt, and then the line, as long as several rows of it.
    line = doorbell(3) + " " + doorbell(4)
    data = captured(f"{client}-idle")
    screen = Screen(ROWS, COLUMNS)
    screen.feed(data)
    view = screen.view()
    row = view.row
    first, width = view.column, 100
    parts = [line[place : place + width] for place in range(0, len(line), width)]
    for number, part in enumerate(parts):
        if client == "opencode":
            text = view.lines[row].ljust(first)[:first] + part  # its bar stands at each line
        else:
            text = (view.lines[row].ljust(first)[:first] if number == 0 else " " * first) + part
        view.lines[row + number] = view.typed[row + number] = text
    wrapped = view._replace(row=row + len(parts) - 1, column=first + len(parts[-1]))
    assert look(load(client), wrapped).text == compact(line)


@pytest.mark.parametrize("prompt", ["$ ", "$", "> ", "user@host:~/x# ", "(venv) % ", "❯ ", ">>> ", "mysql> "])
def test_the_generic_profile_knows_usual_prompts(prompt: str) -> None:
    generic = load(GENERIC)
    assert look(generic, of_lines("some output", prompt)).text == ""
    assert look(generic, of_lines("some output", prompt + "ls")).text is None
    line = doorbell(2)
    assert look(generic, of_lines("x", prompt + line), line).text == compact(line)
    broken = prompt + line[:30]
    assert look(generic, of_lines("x", broken, line[30:]), line).text == compact(line)
    assert look(generic, of_lines("x", prompt + "ls " + line), line).text is None
    assert look(generic, of_lines("x", prompt + line + "y"), line).text is None


@pytest.mark.parametrize(
    "asked", ["Continue? [y/N] ", "Proceed (yes/no)? ", "Password: ", "Press Enter to go on:"]
)
def test_the_generic_profile_keeps_out_of_questions(asked: str) -> None:
    assert look(load(GENERIC), of_lines("text", asked)).dialog


def test_text_behind_the_cursor_is_typed_text() -> None:
    view = View(["$ ls -l"], ["$ ls -l"], 0, 2)
    assert look(load(GENERIC), view).text is None


def test_a_program_finds_its_profile() -> None:
    assert choose("/usr/local/bin/claude", pytest.fail).name == "claude"
    assert choose("codex", pytest.fail).name == "codex"
    assert choose("my-agent", pytest.fail).name == GENERIC


def test_a_user_adds_and_replaces_profiles(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hubbub" / "profiles"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("commands = ['my-agent']\nprompt = '^me> $'\nquiet_seconds = 3\n")
    (folder / "codex.toml").write_text("commands = ['codex']\nprompt = '^other> $'\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert choose("my-agent", pytest.fail).quiet_seconds == 3.0
    assert choose("codex", pytest.fail).prompt.pattern == "^other> $"
    assert {"mine", "claude", GENERIC} <= set(names())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("promt = 'x'", "prompt was meant"),
        ("commands = ['x']", "prompt is missing"),
        ("prompt = '['", "no pattern"),
        ("prompt = 3", "a text"),
        ("prompt = 'x'\nquiet_seconds = -1", "seconds, 0 to"),
        ("prompt = 'x'\nquiet_seconds = true", "seconds, 0 to"),
        ("prompt = 'x'\nqueues = 1", "true or false"),
        ("prompt = 'x'\nplain = 1", "true or false"),
        ("prompt = 'x'\ndialog = 'y'", "list of texts"),
        ("prompt = 'x'\ndialog = ['(']", "no pattern"),
        ("prompt = 'x'\nclear_keys = ['ctrl-1']", "there is no key"),
        ("prompt =", "can't be read"),
    ],
)
def test_a_bad_profile_is_refused_with_its_mistake(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    folder = tmp_path / "hubbub" / "profiles"
    folder.mkdir(parents=True)
    (folder / "bad.toml").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(InvalidConfig, match=re.escape(told)) as caught:
        load("bad")
    assert caught.value.hint


def test_a_bad_profile_stops_no_other_program(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hubbub" / "profiles"
    folder.mkdir(parents=True)
    for name in BAD:
        (folder / f"{name}.toml").write_text("commands = ['bad']\nprompt = '['")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for command, name in (("claude", "claude"), ("codex", "codex"), ("bad", GENERIC)):
        told: list[str] = []
        assert choose(command, told.append).name == name
        for each, text, problem in zip(BAD, told, problems(), strict=True):
            assert str(folder / f"{each}.toml") in text
            assert problem.message in text
    with pytest.raises(InvalidConfig, match="no pattern"):
        load("codex")


def test_an_unknown_profile_names_those_that_are_near() -> None:
    with pytest.raises(InvalidConfig) as caught:
        load("cluade")
    assert "claude" in caught.value.hint


def test_all_keys_have_a_check() -> None:
    whole = profile_of(
        "whole",
        {
            "prompt": "^> (?P<text>.*)$",
            "commands": ["a"],
            "block": True,
            "frame": "|",
            "busy": ["b"],
            "busy_title": ["b"],
            "dialog": ["d"],
            "dialog_title": ["d"],
            "queues": True,
            "shell": True,
            "plain": True,
            "clear_keys": ["escape", "ctrl-x"],
            "quiet_seconds": 1,
            "untouched_seconds": 1,
            "settle_seconds": 1,
            "trust_screen_seconds": 1,
        },
    )
    assert whole.shows_text
    assert whole.clear_keys == ("escape", "ctrl-x")
