"""``hubbub setup`` on what it can't or must not change: refused, told what to do by hand, the rest done."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hubbub.setup import jsonc
from tests.faces.setup_support import Home, states

BROKEN = '{"mcpServers": {"other": {"command": "x"}'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.fill()
    return home


def refused(home: Home, client: str, path: str, *words: str) -> dict[str, Any]:
    """Set up ``client``, whose file at ``path`` must be left as it is; what is said of that."""
    file = home.home / path
    before = file.read_bytes() if file.is_file() else None
    done = home.setup(client, "--json", *words)
    assert done.status == 6
    told: dict[str, Any]
    (told,) = [each for each in done.json["files"] if each["state"] == "refused"]
    assert told["file"] == str(file)
    assert told["error"]["hint"]
    assert (file.read_bytes() if file.is_file() else None) == before
    shown = home.setup(client, *words)
    assert shown.status == 6
    assert f"[{told['error']['code']}]" in shown.out
    return told


@pytest.mark.parametrize(
    "content",
    [
        BROKEN,
        "{'mcpServers': {}}",
        "[]",
        '{"mcpServers": []}',
        '{"mcpServers": {}, "mcpServers": {}}',
        "\x00",
        "<xml/>",
        "[" * 50_000,
    ],
)
def test_json_that_can_not_be_understood(home: Home, content: str) -> None:
    home.write(".claude.json", content)
    told = refused(home, "claude", ".claude.json")
    assert told["error"]["code"] == "CONFIG_UNREADABLE"
    assert json.loads(told["by_hand"])["mcpServers"]["hubbub"]["args"] == ["mcp"]
    assert "hook claude" in (home.home / ".claude/settings.json").read_text()  # the others are done


def test_the_place_of_the_mistake_is_told(home: Home) -> None:
    home.write(".claude.json", '{\n  "a": 1\n  "b": 2\n}')
    assert "line 3, column 3" in refused(home, "claude", ".claude.json")["error"]["message"]


@pytest.mark.parametrize(
    "content", ["[mcp_servers\nx = 1", 'mcp_servers = "x"', 'mcp_servers = { other = { command = "x" } }']
)
def test_toml_that_can_not_be_edited(home: Home, content: str) -> None:
    home.write(".codex/config.toml", content)
    told = refused(home, "codex", ".codex/config.toml")
    assert told["error"]["code"] == "CONFIG_UNREADABLE"
    assert "[mcp_servers.hubbub]" in told["by_hand"]


def test_roots_that_can_not_be_edited_are_told_and_the_rest_is_done(home: Home) -> None:
    home.write(".codex/config.toml", 'sandbox_workspace_write = { writable_roots = ["/x"] }\n')
    done = home.setup("codex")
    assert done.status == 0
    assert "If you want it, add: [sandbox_workspace_write] writable_roots = [" in done.out
    assert "[mcp_servers.hubbub]" in (home.home / ".codex/config.toml").read_text()


def test_hooks_of_an_unknown_form(home: Home) -> None:
    home.write(".claude/settings.json", '{"hooks": {"Stop": {"command": "x"}}}')
    assert refused(home, "claude", ".claude/settings.json")["error"]["code"] == "CONFIG_UNREADABLE"
    home.write(".claude/settings.json", '{"hooks": {"Stop": ["x", {"hooks": 7}, {"hooks": [null]}]}}')
    assert home.setup("claude").status == 0


def test_bytes_that_are_no_utf_8(home: Home) -> None:
    file = home.write(".claude.json", "")
    file.write_bytes(b'{"name": "\xff\xfe"}')
    assert refused(home, "claude", ".claude.json")["error"]["message"].endswith("is no UTF-8.")
    (home.home / ".codex/AGENTS.md").write_bytes("Grüße\n".encode("latin-1"))
    assert "<!-- hubbub: begin -->" in refused(home, "codex", ".codex/AGENTS.md")["by_hand"]


def test_half_a_block(home: Home) -> None:
    home.write(".codex/AGENTS.md", "x\n<!-- hubbub: begin -->\ny\n")
    assert refused(home, "codex", ".codex/AGENTS.md")["error"]["code"] == "CONFIG_UNREADABLE"


def test_another_entry_is_kept_unless_forced_and_comes_back(home: Home) -> None:
    other = '{"mcpServers": {"hubbub": {"command": "mine"}, "x": {}}, "n": 1}\n'
    file = home.write(".claude.json", other)
    home.write(".claude/skills/hubbub/SKILL.md", "mine")
    before = home.picture()
    done = home.setup("claude")
    assert done.status == 6
    assert done.out.count("[CONFIG_DIFFERENT]") == 2
    assert '-{"mcpServers": {"hubbub": {"command": "mine"}' in done.out
    assert file.read_text() == other
    home.setup("claude", "--undo")
    assert home.picture() == before
    assert home.setup("claude", "--force").status == 0
    assert jsonc.read(file.read_text())["mcpServers"]["hubbub"]["args"] == ["mcp"]
    home.setup("claude", "--undo")
    assert home.picture() == before
    home.setup("claude", "--force")
    file.write_text(file.read_text().replace('"n": 1', '"n": 2'))
    home.setup("claude", "--undo")
    assert json.loads(file.read_text()) == {**json.loads(other), "n": 2}


def test_hooks_of_another_hubbub_are_different_ones(home: Home) -> None:
    old = {
        "hooks": {
            "Stop": [{"hooks": [{"type": "command", "command": "/old/bin/hubbub hook claude", "timeout": 5}]}]
        }
    }
    home.write(".claude/settings.json", json.dumps(old))
    before = home.picture()
    assert refused(home, "claude", ".claude/settings.json")["error"]["code"] == "CONFIG_DIFFERENT"
    home.setup("claude", "--force")
    stop = json.loads((home.home / ".claude/settings.json").read_text())["hooks"]["Stop"]
    assert [group["hooks"][0]["command"] for group in stop] == [
        "hubbub hook claude",
        "hubbub hook claude wait",
    ]
    home.setup("claude", "--undo")
    assert home.picture() == before


def test_an_entry_of_ours_that_a_person_changed_is_theirs(home: Home) -> None:
    home.setup("claude")
    file = home.home / ".claude.json"
    file.write_text(file.read_text().replace('["mcp"]', '["mcp", "--era", "legacy"]'))
    assert refused(home, "claude", ".claude.json")["error"]["code"] == "CONFIG_DIFFERENT"


def test_read_only_files_and_folders(home: Home) -> None:
    (home.home / ".claude.json").chmod(0o444)
    assert refused(home, "claude", ".claude.json")["error"]["message"].endswith("is read-only.")
    (home.home / ".codex").chmod(0o500)
    done = home.setup("codex", "--json")
    assert done.status == 6
    assert "read-only" in done.json["files"][0]["error"]["message"]
    (home.home / ".codex").chmod(0o700)


def test_what_is_no_file(home: Home) -> None:
    (home.home / ".claude.json").unlink()
    (home.home / ".claude.json").mkdir()
    assert refused(home, "claude", ".claude.json")["error"]["code"] == "CONFIG_NOT_OURS"
    (home.home / ".claude.json").rmdir()
    os.mkfifo(home.home / ".claude.json")
    assert "no regular file" in refused(home, "claude", ".claude.json")["error"]["message"]
    home.write(".cursor/x", "")
    home.write(".config/Code", "a file where a folder should be")
    assert home.setup("vscode").status == 6
    assert (home.home / ".config/Code").read_text() == "a file where a folder should be"


def test_links_that_lead_in_circles_or_nowhere(home: Home) -> None:
    file = home.home / ".claude.json"
    file.unlink()
    file.symlink_to(".claude.json")
    assert refused(home, "claude", ".claude.json")["error"]["code"] == "CONFIG_NOT_OURS"
    file.unlink()
    file.symlink_to("nowhere/at/all.json")
    assert "leads nowhere" in refused(home, "claude", ".claude.json")["error"]["message"]


def test_a_project_can_not_lead_out_of_itself(home: Home) -> None:
    target = home.write(".bashrc", "echo hello\n")
    agents = home.project / "AGENTS.md"
    agents.unlink()
    agents.symlink_to(target)
    done = home.setup("codex", "--scope", "project", "--json")
    assert done.status == 6
    (told,) = [each for each in done.json["files"] if each["state"] == "refused"]
    assert "leads out of" in told["error"]["message"]
    assert target.read_text() == "echo hello\n"


def test_a_file_with_two_names(home: Home) -> None:
    os.link(home.home / ".claude.json", home.home / "second.json")
    assert "2 names" in refused(home, "claude", ".claude.json")["error"]["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user(home: Home) -> None:
    os.chown(home.home / ".claude.json", 12345, 12345)
    assert "another user" in refused(home, "claude", ".claude.json")["error"]["message"]


def test_ten_megabytes_are_edited_and_too_many_refused(home: Home) -> None:
    history = {
        f"/p/{number}": {"history": [{"display": "x" * 80, "n": number}] * 8} for number in range(9_000)
    }
    file = home.write(".claude.json", json.dumps({"projects": history, "mcpServers": {}}, indent=2))
    assert file.stat().st_size > 10 << 20
    before = home.picture()
    done = home.setup("claude", "--preview")
    assert done.status == 0
    assert len(done.out) < 20_000
    assert home.setup("claude").status == 0
    assert json.loads(file.read_text())["mcpServers"]["hubbub"]["args"] == ["mcp"]
    home.setup("claude", "--undo")
    assert home.picture() == before
    with file.open("r+b") as opened:
        opened.truncate(40 << 20)
    done = home.setup("claude", "--json")
    (told,) = [each for each in done.json["files"] if each["state"] == "refused"]
    assert "larger than 32 MiB" in told["error"]["message"]


def test_a_damaged_record_is_not_guessed_at(home: Home) -> None:
    home.setup("claude")
    record = home.home / ".local/state/hubbub/setup/written.json"
    record.write_text(record.read_text()[:-20])
    before = home.picture()
    for words in (["claude"], ["--undo"], ["claude", "--undo", "--preview"]):
        done = home.setup(*words)
        assert (done.status, done.code) == (6, "SETUP_RECORD_DAMAGED")
    assert home.picture() == before


def test_an_undo_that_can_not_read_the_file_says_what_to_take_out(home: Home) -> None:
    home.setup("claude")
    file = home.write(".claude.json", BROKEN)
    done = home.setup("claude", "--undo")
    assert done.status == 6
    assert "Take out:" in done.out
    assert file.read_text() == BROKEN
    file.write_text(BROKEN + "}}")
    assert home.setup("claude", "--undo").status == 0


def test_an_undo_of_files_that_are_gone(home: Home) -> None:
    home.setup("claude")
    (home.home / ".claude.json").unlink()
    (home.home / ".claude/settings.json").unlink()
    assert home.setup("claude", "--undo").status == 0
    assert not (home.home / ".claude.json").exists()
    assert not (home.home / ".local").exists()


def test_two_at_once_do_not_mix(home: Home) -> None:
    before = home.picture()
    words = [sys.executable, "-m", "hubbub", "setup"]
    started = [
        subprocess.Popen([*words, client], cwd=home.project, env=home.env, stdout=subprocess.DEVNULL)
        for client in ["all", "claude", "codex", "gemini", "all", "cursor"]
    ]
    assert [process.wait(60) for process in started] == [0] * 6
    for path in (".claude.json", ".cursor/mcp.json", ".gemini/settings.json"):
        assert (home.home / path).read_text().count('"hubbub": {') == 1
    assert home.setup("all", "--undo").status == 0
    assert home.picture() == before


def test_one_that_hangs_is_told_of(home: Home) -> None:
    home.setup("cursor")
    state = os.open(home.home / ".local/state/hubbub/setup", os.O_RDONLY)
    fcntl.flock(state, fcntl.LOCK_EX)
    code = (
        "import sys, hubbub.setup.record as record; record.LOCK_SECONDS = 0.1\n"
        "from hubbub.faces.cli.main import main; sys.exit(main(['setup', 'claude']))"
    )
    done = home.run(program=("-c", code))
    os.close(state)
    assert (done.status, done.code) == (1, "SETUP_BUSY")


MEANWHILE = """
import json, sys
from hubbub.faces.cli.main import main
from hubbub.setup import files

path, left, look = sys.argv[1], int(sys.argv[2]), files.look

def looked_at_by_a_client(*arguments):
    global left
    found = look(*arguments)
    if arguments[0] == path and left:
        left -= 1
        value = json.loads(found.data.decode("utf-8-sig"))
        value["numStartups"] += 1
        with open(path, "w") as file:
            json.dump(value, file)
    return found

files.look = looked_at_by_a_client
sys.exit(main(["setup", "claude", *sys.argv[3:]]))
"""
"""Runs setup beside a client that writes its file after each of the first looks at it."""


@pytest.mark.parametrize("undo", [[], ["--undo"]])
def test_what_a_client_writes_meanwhile_is_not_lost(home: Home, undo: list[str]) -> None:
    file = home.home / ".claude.json"
    if undo:
        home.setup("claude")
    done = home.run(str(file), "3", *undo, program=("-c", MEANWHILE))
    assert done.status == 0, done.out
    value = json.loads(file.read_text())
    assert value["numStartups"] == 7 + 3
    assert sorted(value["mcpServers"]) == (["other"] if undo else ["hubbub", "other"])


def test_a_file_that_a_client_never_stops_writing_is_left_to_it(home: Home) -> None:
    file = home.home / ".claude.json"
    done = home.run(str(file), "1000", program=("-c", MEANWHILE))
    assert done.status == 6
    assert "[SETUP_BUSY]" in done.out
    assert list(json.loads(file.read_text())["mcpServers"]) == ["other"]
    assert home.setup("claude").status == 0
    assert home.setup("claude", "--undo").status == 0
    assert list(json.loads(file.read_text())["mcpServers"]) == ["other"]


@pytest.mark.parametrize("seconds", [0.06, 0.09, 0.12, 0.15])
def test_a_kill_leaves_whole_files_and_what_undo_needs(home: Home, seconds: float) -> None:
    before = home.picture()
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub", "setup", "all"], cwd=home.project, env=home.env
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        threading.Event().wait(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    for path in (".claude.json", ".gemini/settings.json", ".cursor/mcp.json"):
        jsonc.read((home.home / path).read_text())
    assert home.setup("all").status == 0
    assert home.setup("all", "--undo").status == 0
    after = home.picture()
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["cluade"], "Did you mean claude?"),
        (["claude", "--scope", "global"], "Known: user, project."),
        (["claude", "--tools", "mails"], "Did you mean mail?"),
        (["claude", "--undo", "--force"], "Run: hubbub setup --help"),
        (["claude", "--as", "No Name"], "A name is"),
    ],
)
def test_mistakes_at_the_command_line(home: Home, words: list[str], hint: str) -> None:
    before = home.picture()
    done = home.setup(*words)
    assert done.status == 2
    assert hint in done.err
    assert home.picture() == before


def test_what_others_wrote_is_safe_to_show(home: Home) -> None:
    home.write(
        ".claude.json",
        '{"mcpServers": {"hubbub": {"command": "\u001b[2Jevil\u0007"}}}'.replace("\\u", "\\\\u"),
    )
    shown = home.setup("claude").raw
    assert b"\x1b" not in shown
    assert b"\x07" not in shown
    assert states(home.setup("claude", "--json"))
