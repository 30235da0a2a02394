"""``hubbub setup`` and its undo: what is there stays, what is added works, and out again is as before."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hubbub.setup import jsonc
from tests.faces.setup_support import CLIENTS, CODEX, GEMINI, Home, states


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("scope", ["user", "project"])
@pytest.mark.parametrize("filled", [True, False], ids=["filled", "bare"])
def test_all_and_its_undo_leave_a_home_as_it_was(home: Home, scope: str, filled: bool) -> None:
    if filled:
        home.fill()
    before = home.picture()
    done = home.setup("all", "--scope", scope, "--json")
    assert done.status == 0, done.out
    assert set(states(done).values()) <= {"created", "changed"}
    during = home.picture()
    again = home.setup("all", "--scope", scope, "--json")
    assert (again.status, set(states(again).values())) == (0, {"unchanged"})
    assert home.picture() == during
    undone = home.setup("all", "--undo", "--scope", scope, "--json")
    assert undone.status == 0
    assert set(states(undone).values()) == ({"restored", "removed"} if filled else {"removed"})
    assert home.picture() == before
    assert home.setup("all", "--undo", "--scope", scope).out.startswith("Nothing to undo")
    assert home.picture() == before


def test_both_scopes_are_undone_apart(home: Home) -> None:
    home.fill()
    before = home.picture()
    home.setup("all")
    between = home.picture()
    home.setup("all", "--scope", "project")
    undone = home.setup("all", "--undo")
    assert f"Still set up in {home.project}." in undone.out
    assert (home.project / ".mcp.json").read_text() != "{}\n"
    assert home.setup("all", "--scope", "project", "--undo").status == 0
    assert home.picture() == before
    home.setup("all")
    assert home.picture() == between


def test_what_each_client_gets(home: Home) -> None:
    home.fill()
    assert home.setup("all").status == 0
    server = {"command": "hubbub", "args": ["mcp"]}
    claude = jsonc.read((home.home / ".claude.json").read_text())
    assert claude["mcpServers"]["hubbub"] == {"type": "stdio", **server, "alwaysLoad": True}
    hooks = json.loads((home.home / ".claude/settings.json").read_text())["hooks"]
    commands = {
        event: [hook["command"] for group in groups for hook in group["hooks"]]
        for event, groups in hooks.items()
    }
    plain, waiter = "hubbub hook claude", "hubbub hook claude wait"
    assert commands == {
        "Stop": [plain, waiter],
        "PreToolUse": [plain],
        "SessionStart": [plain, waiter],
        "UserPromptSubmit": [plain],
        "PostToolUse": [plain],
        "SessionEnd": [plain],
    }
    assert hooks["PreToolUse"][0]["matcher"] == "Write|Edit|MultiEdit|NotebookEdit"
    assert [group["hooks"][0].get("asyncRewake") for group in hooks["Stop"]] == [None, True]
    codex = tomllib.loads((home.home / ".codex/config.toml").read_text())
    assert codex["mcp_servers"]["hubbub"]["env_vars"][:2] == ["HUBBUB_AGENT", "HUBBUB_BUS"]
    data = home.home / ".local/share/hubbub"
    assert codex["sandbox_workspace_write"]["writable_roots"] == [str(data), "/var/cache"]
    assert data.is_dir()
    gemini = jsonc.read((home.home / ".gemini/settings.json").read_text())
    assert gemini["mcpServers"]["hubbub"]["timeout"] == 600_000
    assert {group["hooks"][0]["timeout"] for group in gemini["hooks"]["BeforeTool"]} == {10_000}
    assert [len(groups) for groups in gemini["hooks"].values()] == [2, 1, 1, 1, 1, 1]
    opencode = jsonc.read((home.home / ".config/opencode/opencode.jsonc").read_text())
    assert opencode["mcp"]["hubbub"] == {"type": "local", "command": ["hubbub", "mcp"], "enabled": True}
    assert (home.home / ".config/opencode/plugins/hubbub.js").read_text().count('["hubbub"]') == 1
    assert json.loads((home.home / ".cursor/mcp.json").read_text())["mcpServers"]["hubbub"]["args"] == ["mcp"]
    code = "Library/Application Support" if sys.platform == "darwin" else ".config"
    assert "hubbub" in json.loads((home.home / code / "Code/User/mcp.json").read_text())["servers"]
    assert (home.home / ".agents/skills/hubbub/SKILL.md").is_file()
    assert (home.home / ".claude/skills/hubbub/SKILL.md").is_file()
    instructions = (home.home / ".codex/AGENTS.md").read_bytes().decode()
    assert instructions.startswith("# Mine\r\n\r\nBe kind.\r\n\r\n<!-- hubbub: begin -->\r\n")
    assert "\n" not in instructions.replace("\r\n", "")


def test_comments_marks_modes_and_links_are_kept(home: Home) -> None:
    home.fill()
    home.setup("all")
    gemini = (home.home / ".gemini/settings.json").read_text()
    for line in GEMINI.splitlines():
        assert line.rstrip("}],") in gemini
    codex = (home.home / ".codex/config.toml").read_bytes().decode()
    assert codex.startswith(CODEX.partition("[sandbox")[0])
    assert "\n" not in codex.replace("\r\n", "")
    assert (home.home / ".claude.json").read_text().startswith("\ufeff{")
    modes = {
        name: stat.S_IMODE((home.home / name).stat().st_mode)
        for name in (".claude.json", ".gemini/settings.json")
    }
    assert modes == {".claude.json": 0o600, ".gemini/settings.json": 0o640}
    assert (home.home / ".cursor/mcp.json").is_symlink()
    assert "hubbub" in (home.home / "dotfiles/cursor.json").read_text()
    state = home.home / ".local/state/hubbub/setup"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in state.iterdir()} == {0o600}


def test_a_preview_writes_nothing_and_shows_all(home: Home) -> None:
    home.fill()
    before = home.picture()
    shown = home.setup("all", "--preview")
    assert shown.status == 0
    assert home.picture() == before
    assert f"--- {home.home}/.gemini/settings.json\n+++ " in shown.out
    assert '+\t\t"hubbub": {\n' in shown.out
    assert "+[mcp_servers.hubbub]" in shown.out
    home.setup("all")
    during = home.picture()
    back = home.setup("all", "--undo", "--preview", "--json").json
    assert home.picture() == during
    assert back["preview"] is True
    (gemini,) = [file for file in back["files"] if file["file"].endswith(".gemini/settings.json")]
    assert '\n-\t\t"hubbub": {' in gemini["difference"]


def test_what_clients_share_stays_until_the_last_is_undone(home: Home) -> None:
    before = home.picture()
    home.setup("codex", "gemini")
    skill = home.home / ".agents/skills/hubbub/SKILL.md"
    assert skill.is_file()
    undone = states(home.setup("codex", "--undo", "--json"))
    assert undone[str(skill)] == "kept"
    assert skill.is_file()
    assert not (home.home / ".codex").exists()
    home.setup("gemini", "--undo")
    assert home.picture() == before


def test_one_client_after_the_other_is_undone_byte_for_byte(home: Home) -> None:
    home.fill()
    before = home.picture()
    for client in CLIENTS:
        assert home.setup(client, "--scope", "project").status == 0
    for client in CLIENTS:
        assert home.setup(client, "--undo", "--scope", "project").status == 0
    assert home.picture() == before


def test_a_file_that_was_changed_since_loses_only_our_part(home: Home) -> None:
    home.fill()
    home.setup("claude")
    file = home.home / ".claude.json"
    now = jsonc.read(file.read_text())
    now["numStartups"] = 8
    now["mcpServers"]["new"] = {"command": "y"}
    file.write_text(json.dumps(now, indent=2))  # as Claude Code writes it: whole, in a form of its own
    undone = home.setup("claude", "--undo")
    assert f"{file} was changed since by somebody else: only Hubbub's part was taken out" in undone.out
    assert json.loads(file.read_text()) == {
        "numStartups": 8,
        "mcpServers": {"other": {"command": "x"}, "new": {"command": "y"}},
        "projects": {"/p": {"history": []}},
    }


def test_a_file_that_we_made_and_others_filled_is_kept(home: Home) -> None:
    home.setup("claude", "gemini")
    file = home.home / ".gemini/settings.json"
    file.write_text(jsonc.put(file.read_text(), ("theme",), "dark"))
    other = home.home / ".claude/settings.json"
    other.write_text(other.read_text() + "\n\n")
    home.setup("all", "--undo")
    assert json.loads(file.read_text()) == {"theme": "dark"}
    assert not other.exists()  # nothing of anybody's is left in it


def test_setting_up_again_after_a_change_goes_back_to_that(home: Home) -> None:
    home.fill()
    home.setup("codex")
    file = home.home / ".codex/config.toml"
    file.write_bytes(file.read_bytes() + b'\r\n[mcp_servers.later]\r\ncommand = "z"\r\n')
    assert home.setup("codex", "--as", "coder").status == 0
    assert tomllib.loads(file.read_text())["mcp_servers"]["hubbub"]["args"] == ["mcp", "--as", "coder"]
    home.setup("codex", "--undo")
    assert tomllib.loads(file.read_text()) == {
        **tomllib.loads(CODEX),
        "mcp_servers": {"other": {"command": "x"}, "later": {"command": "z"}},
    }


def test_another_name_takes_the_place_of_our_own_entries(home: Home) -> None:
    home.fill()
    before = home.picture()
    home.setup("all")
    assert home.setup("all", "--as", "ada", "--tools", "mail,work").status == 0
    text = (home.home / ".claude/settings.json").read_text()
    assert text.count("hook claude --as ada") == 6
    assert text.count("hook claude wait --as ada") == 2
    assert text.count("hook claude") == 8
    servers = jsonc.read((home.home / ".claude.json").read_text())["mcpServers"]
    assert servers["hubbub"]["args"] == ["mcp", "--as", "ada", "--tools", "mail,work"]
    assert '["hubbub", "--as", "ada"]' in (home.home / ".config/opencode/plugins/hubbub.js").read_text()
    home.setup("all", "--undo")
    assert home.picture() == before


def test_clients_are_found_by_what_they_leave(home: Home) -> None:
    home.write(".codex/config.toml", "")
    (home.folder / "bin" / "gemini").write_text("#!/bin/sh\n")
    (home.folder / "bin" / "gemini").chmod(0o700)
    before = home.picture()
    asked = home.setup()
    assert (asked.status, asked.code) == (6, "CONFIRMATION_NEEDED")
    assert home.picture() == before
    assert home.setup("--yes", "--json").json["clients"] == ["codex", "gemini"]
    assert home.setup("--undo").status == 0
    assert home.picture() == before


def test_nobody_is_found_on_a_bare_machine(home: Home) -> None:
    none = home.setup("--yes")
    assert (none.status, none.code) == (2, "INVALID_ARGUMENT")


def test_a_team_mates_entry_is_left_alone(home: Home) -> None:
    """What stands in a project already, just so, is not ours to take out."""
    home.setup("all", "--scope", "project")
    (home.home / ".local/state/hubbub/setup/written.json").unlink()  # as after a clone elsewhere
    before = home.picture()
    assert set(states(home.setup("all", "--scope", "project", "--json")).values()) == {"unchanged"}
    home.setup("all", "--scope", "project", "--undo")
    after = home.picture()
    assert {path for path in before if path.startswith("work")} <= set(after)


def test_folders_that_variables_name_are_used(home: Home, tmp_path: Path) -> None:
    env = {
        "CLAUDE_CONFIG_DIR": str(tmp_path / "c"),
        "CODEX_HOME": str(tmp_path / "x"),
        "GEMINI_CLI_HOME": str(tmp_path / "g"),
        "XDG_CONFIG_HOME": str(tmp_path / "o"),
    }
    home.setup("all", env=env)
    for path in (
        "c/.claude.json",
        "c/settings.json",
        "c/skills/hubbub/SKILL.md",
        "x/config.toml",
        "x/hooks.json",
    ):
        assert (tmp_path / path).is_file(), path
    for path in ("g/.gemini/settings.json", "o/opencode/opencode.json", "o/opencode/plugins/hubbub.js"):
        assert (tmp_path / path).is_file(), path
    home.setup("all", "--undo")  # knows the places by itself
    assert not any((tmp_path / name).exists() for name in "cxgo")


def test_a_hubbub_that_is_not_on_the_path_is_named_whole(home: Home) -> None:
    home.setup("claude", env={"PATH": "/usr/bin:/bin"})
    server = jsonc.read((home.home / ".claude.json").read_text())["mcpServers"]["hubbub"]
    assert os.path.isabs(server["command"])
    words = [server["command"], *server["args"][:-1], "--version"]
    done = subprocess.run(words, capture_output=True, text=True, env=home.env, timeout=60, check=True)
    assert done.stdout.startswith("hubbub ")
    assert home.setup("claude").status == 0  # on PATH again: our own entries follow
    assert jsonc.read((home.home / ".claude.json").read_text())["mcpServers"]["hubbub"]["command"] == "hubbub"


def answered(home: Home, answer: str) -> tuple[int, str]:
    """``hubbub setup`` on a terminal where a person types ``answer``: its exit status, and what was shown."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub", "setup"],
        cwd=home.project,
        env=home.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # on Linux the end of a terminal is an error
        pass
    os.close(ours)
    return process.wait(60), shown.decode()


def test_a_person_is_shown_what_would_be_written_and_asked(home: Home) -> None:
    home.write(".cursor/mcp.json", "{}")
    before = home.picture()
    status, shown = answered(home, "n\n")
    assert (status, home.picture()) == (0, before)
    assert "Found here: cursor." in shown
    assert shown.index("mcp.json") < shown.index("Go on? [y/N]")
    status, shown = answered(home, "y\n")
    assert status == 0
    assert "hubbub" in (home.home / ".cursor/mcp.json").read_text()


def test_what_only_an_activated_environment_has_on_its_path_is_named_in_full(tmp_path: Path) -> None:
    """A client is started from another shell, where the environment is not active."""
    program = Path(sys.prefix) / "bin" / "hubbub"
    environment = {"HOME": str(tmp_path), "PATH": f"{program.parent}:/usr/bin:/bin"}
    words = [str(program), "setup", "claude", "--preview", "--json"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=True)
    shown = "\n".join(each["difference"] for each in json.loads(done.stdout)["files"])
    assert f'"command": "{program}"' in shown
    assert f"{program} hook claude" in shown
