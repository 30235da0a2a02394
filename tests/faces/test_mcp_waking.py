"""The server of a Codex session wakes it: by ``codex queue``, once for all mail that comes together."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hubbub
from hubbub.bus import Bus
from hubbub.model import Event
from hubbub.wake import native
from tests.faces.mcp_support import DEADLINE, RawServer, bus_at

THREAD = "01a1fddd-2563-71c1-9c17-36d3726a8d43"

CODEX = """#!{python}
import json, os, sys
with open({record!r}, "a") as file:
    file.write(json.dumps([sys.argv[1:], os.environ.get("CODEX_HOME")]) + "\\n")
sys.stderr.write({said!r})
sys.exit({status})
"""


class Codex:
    """A program named ``codex`` that notes how it is called, and a server as Codex starts it."""

    def __init__(self, folder: Path) -> None:
        self.url = bus_at(folder)
        self._record = folder / "calls"
        self._program = folder / "bin" / "codex"
        self._program.parent.mkdir()
        self.answer(0)
        self.bus = hubbub.connect(self.url)
        for name in ("alice", "bob"):
            self.bus.agents.register(name)

    def answer(self, status: int, said: str = "") -> None:
        """What the program exits with, and writes to standard error."""
        text = CODEX.format(python=sys.executable, record=str(self._record), said=said, status=status)
        self._program.write_text(text)
        self._program.chmod(0o700)

    def serve(self, client: str = "codex-mcp-client") -> RawServer:
        """A server for alice."""
        path = os.pathsep.join([str(self._program.parent), os.environ.get("PATH", "")])
        server = RawServer(self.url, "alice", hello=False, PATH=path, CODEX_HOME="/codex")
        server.hello(client)
        return server

    @property
    def calls(self) -> list[list[Any]]:
        """How the program was called."""
        if not self._record.exists():
            return []
        return [json.loads(line) for line in self._record.read_text().splitlines()]

    def write(self, body: str, **more: Any) -> str:
        """Mail to alice from bob."""
        return self.bus.mail.send(
            self.bus.agents.attach("bob"), self.bus.mail.draft("alice", body, **more)
        ).id

    def event(self, kind: str, count: int = 1) -> Event:
        """The last of so many events of a kind, waited for."""
        end = time.monotonic() + DEADLINE
        with self.bus.store.bell("events") as bell:
            while True:
                found = self.bus.events.events(kinds=(kind,))
                if len(found) >= count:
                    return found[count - 1]
                left = end - time.monotonic()
                assert left > 0, f"{len(found)} of {kind}"
                bell.wait(min(left, 1.0))


@pytest.fixture
def codex(tmp_path: Path) -> Iterator[Codex]:
    codex = Codex(tmp_path)
    yield codex
    codex.bus.close()


def tell_thread(server: RawServer) -> None:
    """A tool call that names the thread, as each of Codex does."""
    request = server.call("list_agents")
    request["params"]["_meta"] = {"threadId": THREAD}
    server.send(request)
    assert "result" in server.answer_to(request)


def test_an_idle_session_is_woken_once_for_a_batch(codex: Codex) -> None:
    with codex.serve() as server:
        tell_thread(server)
        codex.write("secret", subject="Secret")
        last = codex.write("two")
        woken = codex.event("agent_woken")
        assert woken.message == last
        assert codex.calls == [
            [
                [
                    "queue",
                    "--thread",
                    THREAD,
                    "--message",
                    "Hubbub: 2 messages wait in your inbox. Call receive_messages (in a shell: hubbub "
                    "receive) and act on them.",
                ],
                "/codex",
            ]
        ]
        (shown,) = codex.bus.presence.standing("alice")
        assert (shown.kind, shown.how) == ("server", "codex queue")
        third = codex.write("three")
        assert codex.event("agent_woken", 2).message == third
        assert len(codex.calls) == 2
        assert server.end() == 0
    assert codex.bus.presence.standing("alice") == []


def test_mail_that_the_agent_takes_or_was_told_of_wakes_nobody(codex: Codex) -> None:
    with codex.serve() as server:
        tell_thread(server)
        codex.write("one")
        assert server.use("receive_messages")["messages"]
        second = codex.write("two")
        from hubbub.wake.ringing import Session

        assert Session(codex.url, "alice", "codex", THREAD).take(codex.bus) is not None  # a hook told it
        third = codex.write("three")
        woken = codex.event("agent_woken")
        assert woken.message == third != second
        assert len(codex.calls) == 1


def test_a_session_that_a_hook_made_known_is_woken_without_a_call(codex: Codex) -> None:
    with codex.serve():
        held = codex.bus.agents.get("alice").session
        assert held is not None
        codex.bus.store.agents.identify(held.id, THREAD)
        codex.write("one")
        codex.event("agent_woken")
        assert codex.calls[0][0][2] == THREAD


def test_a_wake_that_fails_is_told_and_not_repeated_until_there_is_more(codex: Codex) -> None:
    codex.answer(1, "no such thread\nreally")
    with codex.serve() as server:
        tell_thread(server)
        first = codex.write("one")
        failed = codex.event("wake_failed")
        assert failed.message == first
        assert failed.detail == {
            "how": "codex queue",
            "detail": "codex queue ended with 1: no such thread really",
        }
        (wake,) = codex.bus.presence.wakes("alice")
        assert not wake.worked
        codex.answer(0)
        second = codex.write("two")
        assert codex.event("agent_woken").message == second
        assert len(codex.calls) == 2
        assert codex.bus.mail.peek("alice").remaining + len(codex.bus.mail.peek("alice").deliveries) == 2


def test_other_clients_are_not_woken_by_their_server(codex: Codex) -> None:
    with codex.serve("claude-code") as server:
        tell_thread(server)
        codex.write("one")
        assert codex.bus.presence.standing("alice") == []
        assert server.end() == 0
    assert codex.calls == []


def test_codex_that_is_nowhere_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert native.codex_queue(THREAD, "text") == native.Outcome(False, "codex was not found on PATH")
    program = tmp_path / "codex"
    program.write_bytes(b"\0\0\0\0")
    program.chmod(0o700)
    worked, detail = native.codex_queue(THREAD, "text")
    assert not worked
    assert "could not be run" in detail


def test_a_codex_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(native, "COMMAND_SECONDS", 0.2)
    program = tmp_path / "codex"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.close()\nimport signal\nsignal.pause()\n")
    program.chmod(0o700)
    worked, detail = native.codex_queue(THREAD, "text")
    assert not worked
    assert "it may have worked" in detail


def test_an_agent_at_work_is_not_woken(tmp_path: Path) -> None:
    """Busy as long as a call is under way, and shortly after it."""
    with hubbub.connect(bus_at(tmp_path)) as bus:
        seat = bus.agents.join("alice", client="codex", client_session=THREAD)
        bus.agents.register("bob")
        asked: list[float | None] = [None, 0.01, 5.0]
        rung: list[str] = []

        def busy_for() -> float | None:
            return asked.pop(0) if len(asked) > 1 else asked[0]

        def queue(thread: str, text: str) -> native.Outcome:
            rung.append(text)
            return native.Outcome(True, "")

        waker = native.CodexWaker(bus, lambda: seat, busy_for, queue=queue, gather=0.01, quiet=0.05)
        waker.start()
        try:
            bus.mail.send(bus.agents.attach("bob"), bus.mail.draft("alice", "one"))
            wait_for_event(bus, "agent_woken")
        finally:
            waker.stop()
        assert len(rung) == 1
        assert asked == [5.0]


def wait_for_event(bus: Bus, kind: str) -> None:
    end = time.monotonic() + DEADLINE
    with bus.store.bell("events") as bell:
        while not bus.events.events(kinds=(kind,)):
            assert time.monotonic() < end
            bell.wait(1.0)
