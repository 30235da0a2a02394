"""A person's home, with and without configurations of clients in it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

from tests.faces.cli_support import SOURCE, Answer, Cli

CLIENTS = ["claude", "codex", "gemini", "opencode", "cursor", "vscode"]

GEMINI = """{
\t// how I like it
\t"security": {"auth": {"selectedType": "oauth-personal"}}, /* mine */
\t"mcpServers": {
\t\t"other": { "command": "x" }, // keep
\t},
\t"hooks": {
\t\t"AfterAgent": [{"hooks": [{"type": "command", "command": "say done"}]}]
\t}
}
"""
CODEX = (
    'model = "gpt-5.5-codex" # the best\r\n\r\n[sandbox_workspace_write]\r\nnetwork_access = true\r\n'
    'writable_roots = [\r\n  "/var/cache", # builds\r\n]\r\n\r\n[mcp_servers.other]\r\ncommand = "x"\r\n'
)
CLAUDE = (
    '\ufeff{"numStartups": 7, "mcpServers": {"other": {"command": "x"}}, "projects": {"/p": {"history": []}}}'
)
SETTINGS = '{\n    "permissions": {"allow": ["Bash(ls)"]},\n    "hooks": {\n        "Stop": []\n    }\n}'
OPENCODE = '{\n  "$schema": "https://opencode.ai/config.json",\n  // models\n  "mcp": {},\n}\n'


class Home(Cli):
    """``hubbub`` commands of a person with a home of their own, where ``hubbub`` is on PATH."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.home = folder / "home"
        self.project = self.home / "work"
        (self.project / ".git").mkdir(parents=True)
        (self.project / "src").mkdir()
        programs = folder / "bin"
        programs.mkdir()
        command = programs / "hubbub"
        command.write_text(f'#!/bin/sh\nPYTHONPATH="{SOURCE}" exec {sys.executable} -m hubbub "$@"\n')
        command.chmod(0o700)
        for name in [name for name in self.env if name.startswith(("XDG_", "CLAUDE", "CODEX", "GEMINI"))]:
            del self.env[name]
        self.env |= {"HOME": str(self.home), "PATH": f"{programs}:/usr/bin:/bin"}

    def setup(self, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Answer:
        """Run ``hubbub setup`` in the project's folder."""
        return self.run("setup", *words, cwd=cwd or self.project / "src", env=env)

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Write a file below the home, byte for byte."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        file.chmod(mode)
        return file

    def fill(self) -> None:
        """Configurations as people have them."""
        self.write(".gemini/settings.json", GEMINI, 0o640)
        self.write(".codex/config.toml", CODEX, 0o600)
        self.write(".codex/AGENTS.md", "# Mine\r\n\r\nBe kind.\r\n")
        self.write(".claude.json", CLAUDE, 0o600)
        self.write(".claude/settings.json", SETTINGS)
        self.write(".config/opencode/opencode.jsonc", OPENCODE)
        self.write("dotfiles/cursor.json", '{"mcpServers":{}}')
        (self.home / ".cursor").mkdir()
        (self.home / ".cursor" / "mcp.json").symlink_to("../dotfiles/cursor.json")
        self.write("work/AGENTS.md", "Build with make.")
        self.write("work/.mcp.json", "{}\n")

    def picture(self) -> dict[str, Any]:
        """All that is in the home: of each file its bytes and mode, of each link where it leads."""
        found: dict[str, Any] = {}
        for folder, folders, names in os.walk(self.home):
            for name in [*folders, *names]:
                path = Path(folder, name)
                kind = str(path.relative_to(self.home))
                if path.is_symlink():
                    found[kind] = str(path.readlink())
                else:
                    mode = stat.S_IMODE(path.stat().st_mode)
                    found[kind] = (mode, None if path.is_dir() else path.read_bytes())
        return found


def states(answer: Answer) -> dict[str, str]:
    """What became of each file, by its name, from an answer in JSON."""
    return {file["file"]: file["state"] for file in answer.json["files"]}
