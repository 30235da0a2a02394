"""The clients that setup knows: which files of theirs it writes, and what into them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from importlib import resources
from typing import Any

from hubbub.location import data_folder
from hubbub.setup.edits import Block, Edit, Hook, Listed, Member, Table, Whole
from hubbub.setup.places import PROJECT, USER, Plan, Setting, Target

HOOK_SECONDS = 10
"""After this a client goes on without the hook's answer; a hook takes well under a tenth of a second."""

CODEX_END_SECONDS = 3
"""The most that Codex gives a hook at the end of a session; it warns of more."""

WAITER_SECONDS = 86_400
"""How long the waiter that wakes an idle session may live."""

PASSED_ON = ["HUBBUB_AGENT", "HUBBUB_BUS", "XDG_DATA_HOME", "XDG_STATE_HOME"]
"""Variables that Codex hands on to the server: of the rest of the environment it gives nearly nothing."""

WRITES_CLAUDE = "Write|Edit|MultiEdit|NotebookEdit"
WRITES_CODEX = "apply_patch|Write|Edit"
WRITES_GEMINI = "write_file|replace"
"""The tools that write files, by whose names a client finds the hook that looks at reservations."""


def claude(setting: Setting) -> Plan:
    """Claude Code."""
    entry = {"type": "stdio", **_command(setting), "alwaysLoad": True}
    server = Member(("mcpServers", "hubbub"), entry)
    line = setting.hook("claude")
    hook: dict[str, Any] = {"type": "command", "command": line, "timeout": HOOK_SECONDS}
    waiter = {
        "type": "command",
        "command": setting.hook("claude", "wait"),
        "asyncRewake": True,
        "timeout": WAITER_SECONDS,
    }
    events = ("SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd")
    hooks = [Hook("PreToolUse", WRITES_CLAUDE, hook), *(Hook(event, None, hook) for event in events)]
    hooks += [Hook(event, None, waiter) for event in ("SessionStart", "Stop")]
    folder = os.path.join(setting.root, ".claude")
    if setting.scope == PROJECT:
        servers = os.path.join(setting.root, ".mcp.json")
    else:
        moved = setting.user_folder("CLAUDE_CONFIG_DIR", "")
        folder = setting.user_folder("CLAUDE_CONFIG_DIR", ".claude")
        servers = os.path.join(moved, ".claude.json")
    targets = [
        Target(servers, (server,)),
        Target(os.path.join(folder, "settings.json"), tuple(hooks)),
        _skill(os.path.join(folder, "skills")),
    ]
    notes = ["Claude Code reads this when a session starts: start a new one."]
    if setting.scope == PROJECT:
        notes.append("Claude Code asks each person once whether to use the servers of .mcp.json.")
    return Plan(targets, notes)


def codex(setting: Setting) -> Plan:
    """Codex."""
    values: dict[str, Any] = {
        **_command(setting),
        "env_vars": PASSED_ON,
        "default_tools_approval_mode": "approve",
    }
    edits: list[Edit] = [Table(("mcp_servers", "hubbub"), values)]
    hook = {"type": "command", "command": setting.hook("codex"), "timeout": HOOK_SECONDS}
    events = ("SessionStart", "UserPromptSubmit", "PostToolUse", "Stop")
    hooks = [Hook("PreToolUse", WRITES_CODEX, hook), *(Hook(event, None, hook) for event in events)]
    hooks.append(Hook("SessionEnd", None, {**hook, "timeout": CODEX_END_SECONDS}))
    folders: tuple[str, ...] = ()
    if setting.scope == USER:
        folder = setting.user_folder("CODEX_HOME", ".codex")
        folders = (data_folder(),)
        edits.append(Listed(("sandbox_workspace_write", "writable_roots"), data_folder()))
        instructions = os.path.join(folder, "AGENTS.md")
    else:
        folder = os.path.join(setting.root, ".codex")
        instructions = os.path.join(setting.root, "AGENTS.md")
    targets = [
        Target(os.path.join(folder, "config.toml"), tuple(edits)),
        Target(os.path.join(folder, "hooks.json"), tuple(hooks)),
        _instructions(instructions),
        _shared_skill(setting),
    ]
    notes = ["Codex asks once to review the new hooks: until you trust them it leaves them out, in silence."]
    if setting.scope == PROJECT:
        notes.append("Codex reads .codex in folders that you trust only.")
        notes.append("For hubbub in Codex's sandboxed shell, run hubbub setup codex once for your user, too.")
    return Plan(targets, notes, folders)


def gemini(setting: Setting) -> Plan:
    """Gemini CLI."""
    server = Member(("mcpServers", "hubbub"), {**_command(setting), "timeout": 600_000})
    hook = {
        "type": "command",
        "name": "hubbub",
        "command": setting.hook("gemini"),
        "timeout": HOOK_SECONDS * 1000,
    }
    events = ("SessionStart", "BeforeAgent", "AfterTool", "AfterAgent", "SessionEnd")
    hooks = [Hook("BeforeTool", WRITES_GEMINI, hook), *(Hook(event, None, hook) for event in events)]
    home = setting.user_folder("GEMINI_CLI_HOME", "") if setting.scope == USER else setting.root
    targets = [
        Target(os.path.join(home, ".gemini", "settings.json"), (server, *hooks)),
        _shared_skill(setting),
    ]
    return Plan(targets, ["Gemini CLI starts servers and hooks in folders that you trust only."])


def opencode(setting: Setting) -> Plan:
    """OpenCode."""
    entry = {"type": "local", "command": setting.server, "enabled": True}
    if setting.scope == USER:
        folder = os.path.join(setting.user_folder("XDG_CONFIG_HOME", ".config"), "opencode")
        plugins = os.path.join(folder, "plugins")
    else:
        folder, plugins = setting.root, os.path.join(setting.root, ".opencode", "plugins")
    name = "opencode.jsonc" if os.path.lexists(os.path.join(folder, "opencode.jsonc")) else "opencode.json"
    targets = [
        Target(os.path.join(folder, name), (Member(("mcp", "hubbub"), entry),)),
        _instructions(os.path.join(folder, "AGENTS.md")),
        _shared_skill(setting),
    ]
    plugin = Whole(_opencode_plugin(setting))
    return Plan([*targets, Target(os.path.join(plugins, "hubbub.js"), (plugin,))], [])


def cursor(setting: Setting) -> Plan:
    """Cursor."""
    targets = [
        Target(
            os.path.join(setting.root, ".cursor", "mcp.json"),
            (Member(("mcpServers", "hubbub"), {"type": "stdio", **_command(setting)}),),
        ),
        _shared_skill(setting),
    ]
    if setting.scope == PROJECT:
        targets.append(_instructions(os.path.join(setting.root, "AGENTS.md")))
    return Plan(targets, ["Cursor lists new servers in its settings under MCP: switch it on there."])


def vscode(setting: Setting) -> Plan:
    """VS Code with Copilot."""
    server = Member(("servers", "hubbub"), {"type": "stdio", **_command(setting)})
    if setting.scope == PROJECT:
        path = os.path.join(setting.root, ".vscode", "mcp.json")
    elif sys.platform == "darwin":
        path = os.path.join(setting.root, "Library", "Application Support", "Code", "User", "mcp.json")
    else:
        path = os.path.join(setting.user_folder("XDG_CONFIG_HOME", ".config"), "Code", "User", "mcp.json")
    targets = [Target(path, (server,)), _shared_skill(setting)]
    if setting.scope == PROJECT:
        targets.append(_instructions(os.path.join(setting.root, "AGENTS.md")))
    return Plan(targets, ["VS Code asks once whether you trust the new server."])


CLIENTS: dict[str, Callable[[Setting], Plan]] = {
    "claude": claude,
    "codex": codex,
    "gemini": gemini,
    "opencode": opencode,
    "cursor": cursor,
    "vscode": vscode,
}

_SIGNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "claude": (("claude",), (".claude", ".claude.json")),
    "codex": (("codex",), (".codex",)),
    "gemini": (("gemini",), (".gemini",)),
    "opencode": (("opencode",), (".config/opencode",)),
    "cursor": (("cursor", "cursor-agent"), (".cursor",)),
    "vscode": (("code",), (".config/Code", "Library/Application Support/Code")),
}
"""By what a client is known to be here: its commands, and what it keeps in the user's home."""


def installed(home: str) -> list[str]:
    """The clients of which this machine has the command or this user a configuration."""
    return [
        client
        for client, (commands, kept) in _SIGNS.items()
        if any(map(shutil.which, commands)) or any(os.path.exists(os.path.join(home, each)) for each in kept)
    ]


def data(name: str) -> str:
    """A text that comes with Hubbub, from the folder of its plugin."""
    return (resources.files("hubbub") / "plugins" / "hubbub" / name).read_text(encoding="utf-8")


INSTRUCTIONS = """\
## Hubbub: other agents work here too

You share a message bus with the other coding agents and the person. Call `receive_messages` before you start,
between steps and before you stop; answer a task, question or review_request with
`send_message(in_reply_to=ID)`. `list_agents` shows whom you can write to, `list_topics` where you have
something unread. Without these tools use the command `hubbub` (see `hubbub --help`). The
skill `hubbub` says more."""


def _command(setting: Setting) -> dict[str, Any]:
    program, *arguments = setting.server
    return {"command": program, "args": arguments}


def _skill(folder: str) -> Target:
    return Target(os.path.join(folder, "hubbub", "SKILL.md"), (Whole(data("skills/hubbub/SKILL.md")),))


def _shared_skill(setting: Setting) -> Target:
    return _skill(os.path.join(setting.root, ".agents", "skills"))


def _instructions(path: str) -> Target:
    return Target(path, (Block(INSTRUCTIONS),))


def _opencode_plugin(setting: Setting) -> str:
    """The plugin for OpenCode, told what starts Hubbub."""
    text = (resources.files("hubbub") / "wake" / "opencode.js").read_text(encoding="utf-8")
    words = [*setting.program, *(["--as", setting.name] if setting.name else [])]
    return text.replace('const HUBBUB = ["hubbub"]', f"const HUBBUB = {json.dumps(words)}", 1)
