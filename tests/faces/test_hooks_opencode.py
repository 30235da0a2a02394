"""OpenCode's plugin, run by Node with this very ``hubbub``."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hubbub.wake
from tests.faces.cli_support import DEADLINE, Cli
from tests.needs import missing

DRIVER = Path(__file__).parent / "opencode_driver.mjs"
PLUGIN = Path(hubbub.wake.__file__ or "").parent / "opencode.js"


class Played:
    """OpenCode, as far as its plugin can tell."""

    def __init__(self, cli: Cli) -> None:
        node = shutil.which("node")
        if node is None:
            missing("Node", "install Node 20 or newer")
        program = cli.folder / "bin" / "hubbub"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hubbub "$@"\n')
        program.chmod(0o700)
        plugin = cli.folder / "hubbub.mjs"
        shutil.copyfile(PLUGIN, plugin)
        path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
        state = str(cli.folder / "state")
        self.process = subprocess.Popen(
            [node, str(DRIVER), str(plugin)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**cli.env, "PATH": path, "XDG_STATE_HOME": state, "HUBBUB_AGENT": "alice"},
            cwd=cli.folder,
            bufsize=0,
        )
        self._buffer = b""
        self._heard: list[dict[str, Any]] = []

    def send(self, hook: str, *given: Any) -> None:
        """Have the plugin do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([hook, *given]).encode() + b"\n")

    def hear(self, word: str) -> dict[str, Any]:
        """The next thing that the plugin did of this kind: ``done``, ``thrown`` or ``turn``."""
        end = time.monotonic() + DEADLINE
        while True:
            for place, said in enumerate(self._heard):
                if word in said:
                    return self._heard.pop(place)
            self._read(end)

    def _read(self, end: float) -> None:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
        assert ready, self._heard
        part = os.read(self.process.stdout.fileno(), 1 << 16)
        assert part, "the plugin ended"
        *lines, self._buffer = (self._buffer + part).split(b"\n")
        self._heard += [json.loads(line) for line in lines]

    def do(self, hook: str, *given: Any) -> list[Any]:
        """Have it do something that must succeed; what was given, as it left it."""
        self.send(hook, *given)
        done: list[Any] = self.hear("done")["done"]
        return done

    def speak(self, session: str, text: str) -> list[dict[str, Any]]:
        """A person speaks; the parts of the message that the model gets."""
        parts = [{"id": "prt_1", "type": "text", "text": text, "sessionID": session}]
        _, output = self.do("chat.message", {"sessionID": session}, {"message": {}, "parts": parts})
        found: list[dict[str, Any]] = output["parts"]
        return found

    def event(self, type_: str, **properties: Any) -> None:
        """Something happened."""
        self.do("event", {"event": {"type": type_, "properties": properties}})

    def turns(self) -> int:
        """How many turns the plugin asked for that nobody heard of yet."""
        return sum("turn" in said for said in self._heard)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


@pytest.fixture
def played(cli: Cli) -> Iterator[Played]:
    played = Played(cli)
    yield played
    assert played.process.stdin is not None
    played.process.stdin.close()
    try:
        assert played.process.wait(DEADLINE) == 0
    finally:
        played.process.kill()
        assert played.process.stdout is not None
        played.process.stdout.close()


def test_the_model_is_told_beside_what_a_person_says(cli: Cli, played: Played) -> None:
    first, about = played.speak("ses_1", "Hello")
    assert first["text"] == "Hello"
    assert about["synthetic"] is True
    assert about["id"].startswith("prt_")
    assert 'you are "alice"' in about["text"]
    assert len(played.speak("ses_1", "Again")) == 1
    id_ = cli.send("alice", "one", agent="bob")
    assert id_ in played.speak("ses_1", "More")[1]["text"]


def test_a_tool_tells_of_new_mail_and_a_kept_file_is_not_written(cli: Cli, played: Played) -> None:
    with cli.bus() as bus:
        bus.work.reserve(bus.agents.attach("bob"), ["src/**"])
    played.speak("ses_1", "Hello")
    id_ = cli.send("alice", "one", agent="bob")
    tool = {"tool": "bash", "sessionID": "ses_1", "callID": "c"}
    assert id_ in played.do("tool.execute.after", tool, {"output": "ok"})[1]["output"]
    assert played.do("tool.execute.after", tool, {"output": "ok"})[1]["output"] == "ok"
    write = {"tool": "write", "sessionID": "ses_1", "callID": "c"}
    played.send("tool.execute.before", write, {"args": {"filePath": str(cli.folder / "src/a.py")}})
    assert 'bob keeps "src/**"' in played.hear("thrown")["thrown"]
    played.do("tool.execute.before", write, {"args": {"filePath": str(cli.folder / "a.py")}})


def test_an_idle_session_gets_a_turn_once_for_what_came(cli: Cli, played: Played) -> None:
    played.speak("ses_1", "Hello")
    played.event("session.idle", sessionID="ses_1")
    cli.send("alice", "secret", agent="bob")
    rung = played.hear("turn")
    assert rung["turn"] == "ses_1"
    assert rung["text"].startswith("Hubbub: 1 message waits in your inbox.")
    # The model did not take it: it is asked once more as it becomes idle, and then left alone.
    played.event("session.idle", sessionID="ses_1")
    assert "before you stop" in played.hear("turn")["text"]
    played.event("session.idle", sessionID="ses_1")
    assert played.turns() == 0
    cli.send("alice", "two", agent="bob")
    assert "2 messages wait" in played.hear("turn")["text"]


def test_mail_that_comes_while_it_works_waits_until_it_is_idle(cli: Cli, played: Played) -> None:
    played.speak("ses_1", "Hello")
    played.event("session.idle", sessionID="ses_1")
    with cli.bus() as bus, bus.store.bell("agents", "events") as bell:
        while not bus.presence.standing("alice"):
            bell.wait(1.0)
        played.speak("ses_1", "Do something")
        cli.send("alice", "one", agent="bob")
        while not bus.events.events(kinds=("agent_woken",)):
            bell.wait(1.0)
    assert played.turns() == 0
    played.event("session.idle", sessionID="ses_1")
    # By the waiter's line, if that comes now, or by what is said before a stop: one turn in any case.
    assert "1 message waits" in played.hear("turn")["text"]
    assert played.turns() == 0


def test_a_sub_agents_session_is_no_session_to_wake(cli: Cli, played: Played) -> None:
    played.speak("ses_1", "Hello")
    played.event("session.created", info={"id": "ses_2", "parentID": "ses_1"})
    cli.send("alice", "one", agent="bob")
    assert len(played.speak("ses_2", "Do a part")) == 1
    tool = {"tool": "bash", "sessionID": "ses_2", "callID": "c"}
    assert played.do("tool.execute.after", tool, {"output": "ok"})[1]["output"] == "ok"
    played.event("session.idle", sessionID="ses_2")
    assert played.turns() == 0
    played.event("session.deleted", info={"id": "ses_2"})
    played.event("session.deleted", info={"id": "ses_1"})
    assert list(Path(f"{cli.path}-hooks").glob("*.json")) == []


def test_without_hubbub_everything_goes_on(cli: Cli, played: Played) -> None:
    (cli.folder / "bin" / "hubbub").write_text("#!/bin/sh\nexit 7\n")
    assert len(played.speak("ses_1", "Hello")) == 1
    (cli.folder / "bin" / "hubbub").write_text("#!/bin/sh\necho rubbish\n")
    assert len(played.speak("ses_1", "Hello")) == 1
    (cli.folder / "bin" / "hubbub").unlink()
    write = {"tool": "write", "sessionID": "ses_1", "callID": "c"}
    played.do("tool.execute.before", write, {"args": {"filePath": "a.py"}})
