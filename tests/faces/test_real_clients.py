"""Real clients: MCP Inspector, Claude Code and Gemini CLI start the server and find it well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hubbub
from tests.faces.mcp_support import bus_at
from tests.needs import client, client_path

SECONDS = 90
_PATH = os.environ.get("PYTHONPATH")
PYTHON_PATH = ["-e", f"PYTHONPATH={_PATH}"] if _PATH else []
"""Clients start servers with little of this process's environment."""


def run(words: list[str], folder: Path, **env: str) -> str:
    """Run a client with a home of its own; what it printed."""
    surroundings = {
        "HOME": str(folder),
        "PATH": client_path(),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        **env,
    }
    done = subprocess.run(
        words,
        cwd=folder,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def inspect(folder: Path, name: str, era: str, *words: str) -> Any:
    """One call through MCP Inspector; the result."""
    out = run(
        [
            client("mcp-inspector"),
            "--cli",
            "-e",
            f"HUBBUB_BUS={bus_at(folder)}",
            *PYTHON_PATH,
            sys.executable,
            "-m",
            "hubbub",
            "mcp",
            "--as",
            name,
            "--protocol-era",
            era,
            "--format",
            "json",
            "-q",
            *words,
        ],
        folder,
    )
    return json.loads(out)


def find(value: Any, key: str) -> Any:
    """The first value of ``key`` in a nested result, whose outer form differs between versions."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found = find(item, key)
            if found is not None:
                return found
    return None


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_inspector_lists_sends_and_receives(tmp_path: Path, era: str) -> None:
    listed = find(inspect(tmp_path, "alice", era, "--method", "tools/list"), "tools")
    assert [tool["name"] for tool in listed][:3] == ["register_agent", "list_agents", "send_message"]
    given = json.dumps({"to": "alice", "body": "hello", "kind": "todo"})
    call = ["--method", "tools/call", "--tool-name"]
    sent = inspect(tmp_path, "alice", era, *call, "send_message", "--tool-args-json", given)
    id_ = find(sent, "structuredContent")["id"]
    got = inspect(tmp_path, "alice", era, *call, "receive_messages", "--tool-args-json", "{}")
    (message,) = find(got, "structuredContent")["messages"]
    assert (message["id"], message["body"], message["kind"]) == (id_, "hello", "todo")
    read = inspect(tmp_path, "alice", era, "--method", "resources/read", "--uri", "hubbub://inbox")
    assert find(read, "contents")[0]["uri"] == "hubbub://inbox"
    with hubbub.connect(bus_at(tmp_path)) as bus:
        assert bus.agents.get("alice").session is None  # each run ended its session


def test_the_schemas_are_portable(tmp_path: Path) -> None:
    """Inspector's own check that no client's dialect of JSON Schema trips over the tools."""
    inspect(tmp_path, "alice", "legacy", "--method", "tools/list", "--strict")


def test_claude_code_finds_the_server_connected(tmp_path: Path) -> None:
    claude = client("claude")
    quiet = {
        "ANTHROPIC_API_KEY": "sk-ant-dummy",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    server = [sys.executable, "-m", "hubbub", "mcp"]
    named = ["-e", f"HUBBUB_BUS={bus_at(tmp_path)}", *PYTHON_PATH]
    run([claude, "mcp", "add", "hubbub", "--scope", "user", *named, "--", *server], tmp_path, **quiet)
    listed = run([claude, "mcp", "list"], tmp_path, **quiet)
    line = next(line for line in listed.splitlines() if line.startswith("hubbub"))
    assert "Connected" in line
    with hubbub.connect(bus_at(tmp_path)) as bus:
        assert bus.agents.all() == []  # the name that was made up for the look is given back
        assert [event.agent for event in bus.events.events(kinds=("session_opened",))] == ["claude"]


def test_gemini_cli_finds_the_server_connected(tmp_path: Path) -> None:
    gemini = client("gemini")
    trust = {"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_API_KEY": "dummy"}
    named = ["-e", f"HUBBUB_BUS={bus_at(tmp_path)}", *PYTHON_PATH]
    server = [sys.executable, "-m", "hubbub", "mcp"]
    run([gemini, "mcp", "add", "--scope", "user", *named, "hubbub", *server], tmp_path, **trust)
    listed = run([gemini, "mcp", "list"], tmp_path, **trust)
    line = next(line for line in listed.splitlines() if "hubbub" in line and "onnected" in line)
    assert "Connected" in line
    with hubbub.connect(bus_at(tmp_path)) as bus:
        assert len(bus.events.events(kinds=("session_opened",))) == 1
        assert bus.agents.all() == []
