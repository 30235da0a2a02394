"""Real clients take what setup writes, and each installs the plugin as it is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import hubbub
from tests.faces.setup_support import Home
from tests.needs import client, client_path

SECONDS = 90
PLUGINS = Path(hubbub.__file__).parent / "plugins"
QUIET = {
    "ANTHROPIC_API_KEY": "sk-ant-dummy",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",  # nobody is there, and it is told so at once
    "GEMINI_API_KEY": "dummy",
    "GEMINI_CLI_TRUST_WORKSPACE": "true",
    "LANG": "C.UTF-8",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    (home.home / ".codex").mkdir()
    return home


def surroundings(home: Home) -> dict[str, str]:
    """What a client sees."""
    path = os.pathsep.join([str(home.folder / "bin"), client_path()])
    return {"HOME": str(home.home), "PATH": path, "HUBBUB_BUS": home.url, **QUIET}


def run(home: Home, *words: str, stdin: str = "") -> str:
    """Run a client to its end; what it printed."""
    done = subprocess.run(
        [client(words[0]), *words[1:]],
        cwd=home.project,
        env=surroundings(home),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, (words, done.stdout + done.stderr)
    return done.stdout + done.stderr


def codex_says(home: Home, method: str) -> dict[str, Any]:
    """What Codex's own server says of the project."""
    calls = [
        {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "test", "version": "1"}}},
        {"id": 2, "method": method, "params": {"cwds": [str(home.project)]}},
    ]
    with subprocess.Popen(
        [client("codex"), "app-server"],
        cwd=home.project,
        env=surroundings(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for call in calls:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **call}) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            answer = json.loads(line)
            if answer.get("id") == 2:
                process.kill()
                found: dict[str, Any] = answer["result"]["data"][0]
                return found
    raise AssertionError("no answer")


EVENTS = {"preToolUse", "postToolUse", "sessionStart", "sessionEnd", "userPromptSubmit", "stop"}


def test_codex_reads_what_setup_wrote(home: Home) -> None:
    home.setup("codex")
    (server,) = json.loads(run(home, "codex", "mcp", "list", "--json").partition("WARNING")[0])
    assert (server["name"], server["enabled"]) == ("hubbub", True)
    assert server["transport"]["env_vars"][:2] == ["HUBBUB_AGENT", "HUBBUB_BUS"]
    hooks = codex_says(home, "hooks/list")
    assert {hook["eventName"] for hook in hooks["hooks"]} == EVENTS
    assert {hook["command"] for hook in hooks["hooks"]} == {"hubbub hook codex"}
    assert (hooks["errors"], hooks["warnings"]) == ([], [])
    skills = codex_says(home, "skills/list")["skills"]
    assert [skill["path"] for skill in skills if skill["name"] == "hubbub"] == [
        str(home.home / ".agents/skills/hubbub/SKILL.md")
    ]


def test_claude_code_and_gemini_cli_connect_to_what_setup_wrote(home: Home) -> None:
    home.setup("claude", "gemini")
    for name in ("claude", "gemini"):
        listed = run(home, name, "mcp", "list")
        assert any("hubbub" in line and "Connected" in line for line in listed.splitlines()), listed
    assert home.setup("claude", "--undo").status == 0  # after Claude Code has written its own file
    assert "hubbub" not in (home.home / ".claude.json").read_text()


def test_claude_code_installs_the_plugin(home: Home) -> None:
    for folder in (PLUGINS, PLUGINS / "hubbub", PLUGINS / "portable"):
        assert "Validation passed" in run(home, "claude", "plugin", "validate", str(folder))
    run(home, "claude", "plugin", "marketplace", "add", str(PLUGINS))
    run(home, "claude", "plugin", "install", "hubbub@hubbub")
    details = run(home, "claude", "plugin", "details", "hubbub@hubbub")
    assert "Hooks (6)" in details
    assert "Skills (1)" in details
    assert "MCP servers (1)" in details
    listed = run(home, "claude", "mcp", "list")
    assert any("hubbub" in line and "Connected" in line for line in listed.splitlines()), listed


def test_codex_installs_the_plugin(home: Home) -> None:
    run(home, "codex", "plugin", "marketplace", "add", str(PLUGINS))
    run(home, "codex", "plugin", "add", "hubbub@hubbub")
    server = json.loads(run(home, "codex", "mcp", "get", "hubbub", "--json").partition("WARNING")[0])
    assert (server["transport"]["command"], server["transport"]["args"]) == ("hubbub", ["mcp"])
    assert server["transport"]["cwd"] is None  # it starts in the project, where it finds the project's bus
    hooks = codex_says(home, "hooks/list")
    assert {hook["eventName"] for hook in hooks["hooks"]} == EVENTS
    assert (hooks["errors"], hooks["warnings"]) == ([], [])
    assert "hubbub:hubbub" in [skill["name"] for skill in codex_says(home, "skills/list")["skills"]]


def test_gemini_cli_installs_the_plugin(home: Home) -> None:
    source = str(PLUGINS / "hubbub")
    assert "success" in run(home, "gemini", "extensions", "validate", source)
    assert "success" in run(home, "gemini", "extensions", "install", source, "--consent", stdin="y\n" * 5)
    listed = run(home, "gemini", "extensions", "list")
    assert "hubbub (0.1.0)" in listed
    assert "Agent skills" in listed
    connected = run(home, "gemini", "mcp", "list")
    assert any("hubbub" in line and "Connected" in line for line in connected.splitlines()), connected
