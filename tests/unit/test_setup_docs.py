"""The page on setup says what setup writes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hubbub.setup.clients import CLIENTS, PASSED_ON
from hubbub.setup.edits import Hook, Table
from hubbub.setup.places import Setting, Target

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reference" / "setup.md").read_text()
NAMES = {
    "claude": "Claude Code",
    "codex": "Codex",
    "gemini": "Gemini CLI",
    "opencode": "OpenCode",
    "cursor": "Cursor",
    "vscode": "VS Code",
}
HOMES = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "XDG_CONFIG_HOME")


def what(target: Target) -> set[str]:
    """What the page has to name of a file."""
    found = set()
    for edit in target.edits:
        given = edit.as_dict()
        if isinstance(edit, Hook):
            found |= {"hooks", edit.event}
        elif isinstance(edit, Table):
            found.add(f"[{'.'.join(edit.path)}]")
        elif "path" in given:
            found.add(".".join(given["path"]))
    return found


@pytest.mark.skipif(sys.platform == "darwin", reason="the page has the paths of Linux")
@pytest.mark.parametrize("client", CLIENTS)
def test_every_file_and_key_is_on_the_page(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HOMES:
        monkeypatch.delenv(name, raising=False)
    section = PAGE.split(f"### {NAMES[client]}\n")[1].split("\n#")[0]
    rows = [
        line.strip("|").split(" | ")
        for line in section.splitlines()
        if line.startswith("| `") or "| |" in line
    ]
    listed: dict[str, set[str]] = {}
    for user, project, words in rows:
        for path in re.findall(r"`([^`]+)`", f"{user} {project}"):
            listed[path] = set(re.findall(r"`([^`<]+)`", words))
    written: dict[str, set[str]] = {}
    for scope, root, shown in (("user", "/home/me", "~/"), ("project", "/p", "")):
        for target in CLIENTS[client](Setting(scope, root, ("hubbub",))).targets:
            written[target.path.replace(f"{root}/", shown)] = what(target)
    assert listed.keys() == written.keys()
    for path, keys in written.items():
        assert keys <= listed[path], path


def test_what_codex_hands_on_is_on_the_page() -> None:
    for name in PASSED_ON:
        assert f"`{name}`" in PAGE
