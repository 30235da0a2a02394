"""The plugin and the skill say what the rest of Hubbub says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import hubbub
from hubbub.errors import all_errors
from hubbub.faces.cli import catalogue
from hubbub.faces.mcp.toolsets import ALL_TOOLS
from hubbub.setup import edits
from hubbub.setup.clients import CLIENTS, INSTRUCTIONS, WAITER_SECONDS
from hubbub.setup.places import Setting

PLUGINS = Path(hubbub.__file__).parent / "plugins"
PLUGIN = PLUGINS / "hubbub"
PORTABLE = PLUGINS / "portable"
SKILL = (PLUGIN / "skills" / "hubbub" / "SKILL.md").read_text()
SETTING = Setting("user", "/home/me", ("hubbub",))
TOOLS = {tool.name: tool for tool in ALL_TOOLS}


def arguments_of(tool: str) -> set[str]:
    """All that a tool takes."""
    return {*TOOLS[tool].parameters, *(name for name, _ in TOOLS[tool].unlisted)}


def read(path: Path) -> Any:
    """A JSON file of the plugin."""
    return json.loads(path.read_text())


def test_the_skill_is_short_and_has_what_a_skill_needs() -> None:
    _, front, body = SKILL.split("---\n", 2)
    assert len(SKILL.split()) < 700
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    assert fields.keys() == {"name", "description"}
    assert fields["name"] == "hubbub" == (PLUGIN / "skills" / "hubbub").name
    assert len(fields["description"]) < 1024
    assert "CLAIM_LOST" in body


@pytest.mark.parametrize("text", [SKILL, INSTRUCTIONS], ids=["skill", "instructions"])
def test_every_tool_and_argument_that_is_named_exists(text: str) -> None:
    named = 0
    for span in re.findall(r"`([^`]+)`", text):
        call = re.fullmatch(r"([a-z]+_[a-z_]+|sync|request)(?:\((.*)\))?", span)
        if call is None or call.group(1) in ("review_request", "reply_to", "wait_seconds"):
            continue
        named += 1
        assert call.group(1) in TOOLS, span
        given = call.group(2) or ""
        arguments = re.findall(r"\b([a-z_]+)=", given) or re.findall(r"^[a-z_]+(?:, [a-z_]+)*$", given)
        for argument in ", ".join(arguments).split(", ") if arguments else []:
            assert argument in arguments_of(call.group(1)), span
    assert named >= 4


@pytest.mark.parametrize("text", [SKILL, INSTRUCTIONS], ids=["skill", "instructions"])
def test_every_command_and_error_code_that_is_named_exists(text: str) -> None:
    for span in re.findall(r"`hubbub ([a-z][^`]*)`", text):
        words = span.split()
        known = words[0] in catalogue.COMMANDS or " ".join(words[:2]) in catalogue.COMMANDS
        assert known or words[0].startswith("--"), span
    codes = {error.code for error in all_errors()}
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text))
    assert named <= codes, named - codes


def test_the_skill_names_the_errors_that_an_agent_meets() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \|", SKILL, re.M)
    assert {"UNKNOWN_RECIPIENT", "NAME_TAKEN", "CLAIM_LOST", "PATH_HELD", "INBOX_FULL"} <= set(rows)


def test_the_manifests_agree() -> None:
    plugins = [read(PLUGIN / ".claude-plugin/plugin.json"), read(PLUGIN / ".codex-plugin/plugin.json")]
    plugins += [read(PLUGIN / "gemini-extension.json"), read(PORTABLE / "plugin.json")]
    for plugin in plugins:
        assert (plugin["name"], plugin["version"]) == ("hubbub", hubbub.__version__)
        assert plugin["description"] == plugins[0]["description"]
    (listed,) = read(PLUGINS / ".claude-plugin/marketplace.json")["plugins"]
    assert (PLUGINS / listed["source"]).resolve() == PLUGIN
    codex = plugins[1]
    for key in ("skills", "mcpServers", "hooks"):
        assert (PLUGIN / codex[key]).exists()
    assert (PORTABLE / "skills/hubbub/SKILL.md").read_text() == SKILL


def test_codex_finds_no_portable_manifest_beside_its_own() -> None:
    """Where it does, it takes that one, starts the server in the plugin's folder, and reads no hooks."""
    assert not (PLUGIN / "plugin.json").exists()


def test_the_portable_manifest_has_the_fields_of_its_closed_schema() -> None:
    manifest, servers = read(PORTABLE / "plugin.json"), read(PORTABLE / "mcp.json")
    closed = {"$schema", "name", "version", "description", "author", "homepage", "repository", "license"}
    assert manifest.keys() <= closed | {"keywords", "extensions"}
    for read_one, name in ((manifest, "plugin"), (servers, "mcp")):
        assert read_one["$schema"] == f"https://agent-plugins.org/schemas/1.0.0/{name}.schema.json"
    assert servers.keys() == {"$schema", "mcpServers"}
    assert servers["mcpServers"]["hubbub"] == {"type": "stdio", "command": "hubbub", "args": ["mcp"]}


def hooks_of(client: str) -> dict[tuple[str, str | None, bool], dict[str, Any]]:
    """The hooks that setup writes for a client, by event, matcher and whether it is the waiter."""
    found = {}
    for target in CLIENTS[client](SETTING).targets:
        for edit in target.edits:
            if isinstance(edit, edits.Hook):
                found[edit.event, edit.matcher, "asyncRewake" in edit.hook] = edit.hook
    return found


def hooks_in(name: str) -> dict[tuple[str, str | None, bool], dict[str, Any]]:
    """The hooks in a file of the plugin, likewise."""
    return {
        (event, group.get("matcher"), "asyncRewake" in hook): hook
        for event, groups in read(PLUGIN / "hooks" / name)["hooks"].items()
        for group in groups
        for hook in group["hooks"]
    }


def run_by(command: str, path: str) -> str:
    """What the shell runs of a plugin's hook where ``${extensionPath}`` is ``path``; empty for nothing."""
    line = command.replace("${extensionPath}", path).replace("exec hubbub", "exec echo hubbub")
    line = line.replace("command -v hubbub", "command -v echo")
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


def test_the_plugin_has_the_hooks_that_setup_writes() -> None:
    """One file serves Claude Code and Gemini CLI, each of which passes over the events that it does not know;
    only Gemini CLI puts the extension's folder into a command."""
    shared, claude, gemini = hooks_in("hooks.json"), hooks_of("claude"), hooks_of("gemini")
    assert shared.keys() == claude.keys() | gemini.keys()
    for key, hook in shared.items():
        if key in claude:
            assert run_by(hook["command"], "${extensionPath}") == claude[key]["command"]
        if key in gemini:
            assert run_by(hook["command"], "/home/me/.gemini/extensions/hubbub") == gemini[key]["command"]
        elif key[0] in ("SessionStart", "Stop") and key[2]:
            assert hook["timeout"] == WAITER_SECONDS
            assert run_by(hook["command"], "/home/me/.gemini/extensions/hubbub") == ""
    codex = hooks_in("codex.json")
    assert codex.keys() == hooks_of("codex").keys()
    for key, hook in codex.items():
        assert run_by(hook["command"], "") == hooks_of("codex")[key]["command"]
        assert hook["timeout"] == hooks_of("codex")[key]["timeout"]


def test_a_hook_of_the_plugin_is_silent_where_hubbub_is_missing() -> None:
    for name in ("hooks.json", "codex.json"):
        for hook in hooks_in(name).values():
            words = ["/bin/sh", "-c", hook["command"]]
            done = subprocess.run(
                words, env={"PATH": "/nowhere"}, capture_output=True, timeout=30, check=False
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
