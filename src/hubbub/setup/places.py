"""For whom, how far and with what to set up: what every client is told."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import NamedTuple

from hubbub.location import git_common_folder
from hubbub.setup.edits import Edit

USER, PROJECT = "user", "project"
SCOPES = (USER, PROJECT)


class Setting(NamedTuple):
    """What the entries that setup writes depend on."""

    scope: str
    root: str
    """The project's folder; in the scope of the user their home."""
    program: tuple[str, ...]
    """What starts Hubbub."""
    name: str | None = None
    """The agent's name, where it is fixed."""
    tools: str = ""
    """Toolsets, with commas between; empty for all."""

    @property
    def server(self) -> list[str]:
        """The command that serves an agent over MCP, in words."""
        named = ["--as", self.name] if self.name else []
        return [*self.program, "mcp", *named, *(["--tools", self.tools] if self.tools else [])]

    def hook(self, *words: str) -> str:
        """The command of a hook, as one line for a shell. It stays the same as long as nothing here changes:
        a client may ask its user to trust each new one."""
        named = ["--as", self.name] if self.name else []
        return shlex.join([*self.program, "hook", *words, *named])

    @property
    def within(self) -> str | None:
        """The folder that no link may lead out of: files of a project may come from others."""
        return self.root if self.scope == PROJECT else None

    def user_folder(self, variable: str, default: str) -> str:
        """A folder of the user's that ``variable`` may name; ``default`` begins at their home."""
        given = os.environ.get(variable) or ""
        return given if os.path.isabs(given) else os.path.join(self.root, default)


class Target(NamedTuple):
    """A file and what it gets."""

    path: str
    edits: tuple[Edit, ...]


class Plan(NamedTuple):
    """What one client gets."""

    targets: list[Target]
    notes: list[str]
    """What a person has to do or know, in sentences."""
    folders: tuple[str, ...] = ()
    """Folders that must be there."""


def this_program() -> tuple[str, ...]:
    """What starts this very Hubbub: ``hubbub`` where PATH leads to one and no other was called by its path,
    else the full path. The full path, too, where only an activated virtual environment has it on PATH: the
    clients are started from other shells."""
    on_path = shutil.which("hubbub")
    called = os.path.abspath(sys.argv[0]) if os.path.basename(sys.argv[0]) == "hubbub" else None
    if on_path is not None and (called is None or os.path.samefile(on_path, called)):
        return (on_path,) if _of_environment(on_path) else ("hubbub",)
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "hubbub")
    for path in (called, beside):
        if path is not None and os.access(path, os.X_OK):
            return (path,)
    return (sys.executable, "-m", "hubbub")


def _of_environment(program: str) -> bool:
    """Whether a program lies in the virtual environment that this one runs in."""
    if sys.prefix == sys.base_prefix:
        return False
    folder = os.path.dirname(os.path.abspath(program))
    return folder.startswith(os.path.abspath(sys.prefix).rstrip("/") + "/")


def project_root(folder: str) -> str:
    """The folder of the project around ``folder``: where its ``.git`` is, else ``folder`` itself."""
    if git_common_folder(folder) is None:
        return folder
    root = folder
    while not os.path.exists(os.path.join(root, ".git")):
        root = os.path.dirname(root)
    return root
