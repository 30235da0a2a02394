"""What ``hubbub doctor`` says of clients and of waking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faces.cli_support import Answer, end
from tests.faces.setup_support import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.run("register", "ada")
    return home


def said(home: Home, check: str = "clients") -> tuple[int, list[tuple[str, str]]]:
    """The exit status, and what doctor finds of one check: level and words."""
    done: Answer = home.run("doctor", "--json", cwd=home.project)
    return done.status, [
        (each["level"], each["found"]) for each in done.json["checks"] if each["check"] == check
    ]


def test_a_bare_machine(home: Home) -> None:
    assert said(home) == (0, [("ok", "none of the clients that setup knows is here")])


def test_clients_that_are_here_and_set_up(home: Home) -> None:
    home.fill()
    found = said(home)[1]
    assert ("ok", "codex is here and not set up") in found
    home.setup("codex")
    home.setup("claude", "--scope", "project", "--as", "ada")
    status, found = said(home)
    assert status == 0
    assert ("ok", "codex is set up for your user") in found
    assert ("ok", "claude is set up in this project") in found


def test_a_part_that_is_missing(home: Home) -> None:
    home.setup("claude")
    (home.home / ".claude/settings.json").write_text("{}")
    assert said(home) == (0, [("warning", "claude is set up in part for your user")])
    home.setup("claude")
    assert said(home) == (0, [("ok", "claude is set up for your user")])


def test_entries_of_another_setup(home: Home) -> None:
    home.setup("cursor")
    file = home.home / ".cursor/mcp.json"
    file.write_text(file.read_text().replace('"mcp"', '"mcp", "--era", "legacy"'))
    assert said(home) == (0, [("warning", "cursor has entries of another setup for your user")])


def test_a_program_that_is_gone_needs_a_person(home: Home) -> None:
    home.setup("claude")
    for name in (".claude.json", ".claude/settings.json"):
        file = home.home / name
        file.write_text(
            file.read_text()
            .replace('"hubbub', '"/gone/bin/hubbub')
            .replace('"/gone/bin/hubbub": {', '"hubbub": {')
        )
    status, ((level, words),) = said(home)
    assert (status, level) == (6, "problem")
    assert words.endswith(".claude.json starts /gone/bin/hubbub, which is not there")
    assert home.setup("claude", "--force").status == 0
    assert said(home)[0] == 0


@pytest.mark.parametrize("content", ["{", "[]", '{"hooks": {"Stop": 7}}'])
def test_a_file_that_can_not_be_read_needs_a_person(home: Home, content: str) -> None:
    home.write(".claude/settings.json", content)
    status, ((level, words),) = said(home)
    assert (status, level) == (6, "problem")
    assert str(home.home / ".claude/settings.json") in words


def test_a_profile_that_can_not_be_read_needs_a_person(home: Home) -> None:
    assert said(home, "profiles") == (0, [])
    file = home.write(".config/hubbub/profiles/mine.toml", "prompt = '['")
    status, ((level, words),) = said(home, "profiles")
    assert (status, level) == (6, "problem")
    assert f"{file} is not valid: prompt: '[' is no pattern" in words


def test_looking_changes_nothing(home: Home) -> None:
    home.fill()
    home.setup("all")
    before = home.picture()
    said(home)
    assert home.picture() == before


def test_a_damaged_record(home: Home) -> None:
    home.setup("claude")
    (home.home / ".local/state/hubbub/setup/written.json").write_text("{")
    status, ((level, words),) = said(home)
    assert (status, level) == (6, "problem")
    assert "written.json" in words


def test_how_agents_are_woken(home: Home) -> None:
    assert said(home, "waking") == (0, [])
    with home.hold("ada") as process:
        assert said(home, "waking")[1] == [("ok", "1 agent nobody can wake: ada")]
        with home.bus() as bus:
            bus.presence.stand_by("ada", "wrapper", how="types into its terminal")
            assert said(home, "waking")[1] == [("ok", "can be woken: ada (types into its terminal)")]
        end(process)


def test_dead_letters_are_told(home: Home) -> None:
    home.run("register", "bob")
    id_ = home.send("bob", "hello", "--ttl", "0.001", agent="ada")
    with home.bus(later=60) as bus:
        assert bus.mail.whereabouts(id_).recipients[0].state == "dead"
    status, found = said(home, "mail")
    assert (status, found) == (0, [("warning", "1 dead letter")])
    assert json.loads(home.run("doctor", "--json").out)["result"] == "warning"
