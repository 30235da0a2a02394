"""Homes for real clients: a folder each, set up for the played model and one bus, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from hubbub.stores import open_store
from tests.clients.model_server import ModelServer
from tests.clients.terminal import Terminal
from tests.faces.mcp_support import bus_at
from tests.needs import client, client_path

SECONDS = 120
"""How long one run of a client may take: the first of OpenCode looks for the network in vain."""


class Home:
    """A person's machine with one client: HOME, a project folder, and a bus."""

    client = ""

    def __init__(self, folder: Path, model: ModelServer, agent: str) -> None:
        self.command = client(self.client)
        self.model = model
        self.agent = agent
        self.home = folder / "home"
        self.project = folder / "project"
        self.bus_url = bus_at(folder)
        self.bin = folder / "bin"
        for each in (self.home, self.project, self.bin):
            each.mkdir()
        open_store(self.bus_url).close()
        self._make_command()
        self.prepare()

    def prepare(self) -> None:
        """Write what the client needs to reach the model and to ask nothing."""

    def close(self) -> None:
        """End what the client left running."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_command(self) -> None:
        """A ``hubbub`` of this very source: clients start it with little of this process's environment."""
        command = self.bin / "hubbub"
        source = os.environ.get("PYTHONPATH", "")
        command.write_text(
            f'#!/bin/sh\nPYTHONPATH="{source}" exec {sys.executable} -m hubbub "$@"\n', encoding="utf-8"
        )
        command.chmod(0o700)

    def env(self) -> dict[str, str]:
        """What the client sees of the surroundings."""
        return {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(self.bin), client_path()]),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "HUBBUB_BUS": self.bus_url,
            "HUBBUB_AGENT": self.agent,
        }

    def words(self, prompt: str) -> list[str]:
        """The command that runs one prompt without a terminal."""
        raise NotImplementedError

    def typed(self, prompt: str) -> str:
        """What it reads from standard input in such a run."""
        return ""

    def interactive(self) -> list[str]:
        """The command that starts it on a terminal."""
        return [self.command]

    def answer_dialogs(self, terminal: Terminal, seconds: float) -> None:
        """Do what a person is asked to do before the first prompt."""

    def hubbub(self, *words: str) -> str:
        """Run a ``hubbub`` command as this person; what it printed."""
        done = subprocess.run(
            [str(self.bin / "hubbub"), *words],
            cwd=self.project,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (words, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def run(self, prompt: str) -> str:
        """Run one prompt to its end; what the client printed."""
        done = subprocess.run(
            self.words(prompt),
            cwd=self.project,
            env=self.env(),
            input=self.typed(prompt),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, (done.returncode, (done.stdout + done.stderr)[-3000:])
        return done.stdout + done.stderr


class Claude(Home):
    """Claude Code."""

    client = "claude"

    def env(self) -> dict[str, str]:
        """With the played model for Anthropic's."""
        return {
            **super().env(),
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": "sk-ant-dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "MCP_CONNECTION_NONBLOCKING": "0",
            "ENABLE_TOOL_SEARCH": "false",
        }

    def prepare(self) -> None:
        """The answers to what it asks a new person."""
        known = {
            "hasCompletedOnboarding": True,
            "customApiKeyResponses": {"approved": ["sk-ant-dummy"]},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
        }
        (self.home / ".claude.json").write_text(json.dumps(known), encoding="utf-8")

    def words(self, prompt: str) -> list[str]:
        """Print mode."""
        return [self.command, "-p", prompt, "--allowedTools", "mcp__hubbub", "Write", "Edit", "Bash"]

    def interactive(self) -> list[str]:
        """Its automatic mode asks a server of its maker about every call; this one asks nobody."""
        return [self.command, "--permission-mode", "default", "--allowedTools", "mcp__hubbub"]


class Codex(Home):
    """Codex."""

    client = "codex"

    def prepare(self) -> None:
        """The played model as a provider, and no questions."""
        folder = self.home / ".codex"
        folder.mkdir()
        (folder / "config.toml").write_text(
            'model = "gpt-5.5-codex"\nmodel_provider = "played"\napproval_policy = "never"\n'
            'sandbox_mode = "danger-full-access"\n\n[model_providers.played]\nname = "played"\n'
            f'base_url = "{self.model.url}/v1"\nwire_api = "responses"\n\n'
            f'[projects."{self.project}"]\ntrust_level = "trusted"\n',
            encoding="utf-8",
        )

    def answer_dialogs(self, terminal: Terminal, seconds: float) -> None:
        """Trust the hooks, once."""
        asked = "Hooks need review"
        terminal.wait_until(lambda screen: asked in screen, seconds, "question about hooks")
        for _ in range(int(seconds)):
            terminal.press("2", "Enter")  # it may be drawn before it listens
            if terminal.becomes(lambda screen: asked not in screen, 1.0):
                return
        raise AssertionError(f"The question about hooks stays:\n{terminal.screen()}")

    def close(self) -> None:
        """Its terminal starts a server that stays, and one that updates it."""
        subprocess.run(
            [self.command, "app-server", "daemon", "stop"],
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
        updater = self.home / ".codex" / "app-server-daemon" / "daemon-updater.pid"
        if updater.exists():
            with suppress(ProcessLookupError):
                os.kill(json.loads(updater.read_text(encoding="utf-8"))["pid"], signal.SIGTERM)

    def words(self, prompt: str) -> list[str]:
        """One execution; a person has looked at the hooks."""
        return [
            self.command,
            "exec",
            "--skip-git-repo-check",
            "--dangerously-bypass-hook-trust",
            prompt,
        ]


class Gemini(Home):
    """Gemini CLI."""

    client = "gemini"

    def env(self) -> dict[str, str]:
        """With the played model for Google's."""
        return {
            **super().env(),
            "GEMINI_API_KEY": "dummy",
            "GOOGLE_GEMINI_BASE_URL": self.model.url,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        }

    def prepare(self) -> None:
        """The way to sign in."""
        folder = self.home / ".gemini"
        folder.mkdir()
        chosen = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        (folder / "settings.json").write_text(json.dumps(chosen, indent=2), encoding="utf-8")

    def words(self, prompt: str) -> list[str]:
        """One prompt, all tools allowed."""
        return [*self.interactive(), "-y", "-p", prompt]

    def interactive(self) -> list[str]:
        """With a model named: else it has another one choose, which the played one does not do."""
        return [self.command, "-m", "gemini-2.5-pro"]


class OpenCode(Home):
    """OpenCode."""

    client = "opencode"

    def env(self) -> dict[str, str]:
        """Without the looks at the network that it else waits for."""
        quiet = ("MODELS_FETCH", "AUTOUPDATE", "SHARE", "DEFAULT_PLUGINS", "LSP_DOWNLOAD")
        return {**super().env(), **{f"OPENCODE_DISABLE_{name}": "1" for name in quiet}}

    def prepare(self) -> None:
        """The played model as a provider."""
        folder = self.home / ".config" / "opencode"
        folder.mkdir(parents=True)
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "name": "played",
            "options": {"baseURL": f"{self.model.url}/v1", "apiKey": "x"},
            "models": {"played-model": {"name": "played-model"}},
        }
        chosen = {"provider": {"played": provider}, "model": "played/played-model", "autoupdate": False}
        (folder / "opencode.json").write_text(json.dumps(chosen, indent=2), encoding="utf-8")

    def words(self, prompt: str) -> list[str]:
        """One prompt, from standard input: what it is given as an argument it quotes."""
        return [self.command, "run"]

    def typed(self, prompt: str) -> str:
        """The prompt."""
        return prompt


HOMES: dict[str, type[Home]] = {each.client: each for each in (Claude, Codex, Gemini, OpenCode)}
