"""A ``hubbub monitor`` that runs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faces.cli_support import DEADLINE, Cli

LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z  (m[0-9a-z]+)  to \S")


class Monitor:
    """It stands by an agent, from when it said so."""

    def __init__(self, cli: Cli, *words: str, agent: str = "bob", complaints: Path | None = None) -> None:
        self.complaints = complaints or cli.folder / f"{agent}.err"
        with self.complaints.open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hubbub", "monitor", agent, "--json", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                env=cli.env,
                cwd=cli.folder,
            )
        assert self.process.stdout is not None
        self.said: dict[str, Any] = json.loads(self.process.stdout.readline() or b"{}")
        assert self.said.get("started"), (self.said, self.complaints.read_text())
        self.log = Path(self.said.get("log", ""))

    def lines(self) -> list[str]:
        """What its log says, with those put aside, oldest first."""
        parts = [Path(f"{self.log}.{number}") for number in (3, 2, 1)]
        text = "".join(part.read_text() for part in [*parts, self.log] if part.exists())
        assert text == "" or text.endswith("\n")
        return text.splitlines()

    def ids(self) -> list[str]:
        """The messages that its log tells of."""
        found = []
        for line in self.lines():
            match = LINE.match(line)
            assert match, line
            found.append(match[1])
        return found

    def wait(self, done: Callable[[], bool], seconds: float = DEADLINE) -> None:
        """Wait until ``done``, while it runs."""
        end = time.monotonic() + seconds
        while not done():
            assert self.process.poll() is None, self.complaints.read_text()
            assert time.monotonic() < end, (self.complaints.read_text(), self.log, done)
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue

    def wait_for(self, ids: list[str]) -> None:
        """Wait until its log tells of these, in this order, each once, and of no other."""
        self.wait(lambda: self.log.exists() and len(self.ids()) >= len(ids))
        assert self.ids() == ids

    def wait_for_complaint(self, text: str) -> None:
        """Wait until it complained so."""
        self.wait(lambda: text in self.complaints.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        status = self.process.wait(DEADLINE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status
