"""Real ``hubbub hook`` processes, as a client starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faces.cli_support import DEADLINE, Answer, Cli


class Hooks:
    """The hooks of one client's session, which acts as ``agent`` if one is given."""

    def __init__(
        self, cli: Cli, client: str = "claude", agent: str | None = None, session: str = "S1"
    ) -> None:
        self.cli = cli
        self.client = client
        self.session = session
        self.env = {**cli.env, "XDG_STATE_HOME": str(cli.folder / "state")}
        for variable in ("CLAUDE_PID", "CLAUDE_PROJECT_DIR", "GEMINI_PROJECT_DIR"):
            self.env.pop(variable, None)
        if agent is not None:
            self.env["HUBBUB_AGENT"] = agent

    def raw(
        self, stdin: bytes, *words: str, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> Answer:
        """Give a hook ``stdin``; its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "hubbub", "hook", *(words or (self.client,))],
            input=stdin,
            capture_output=True,
            env={**self.env, **(env or {})},
            cwd=cwd or self.cli.folder,
            timeout=DEADLINE * 2,
            check=False,
        )
        return Answer(done)

    def told(self, event: str, **fields: Any) -> bytes:
        """What the client writes at ``event``."""
        common = {"session_id": self.session, "cwd": str(self.cli.folder), "hook_event_name": event}
        return json.dumps({**common, **fields}).encode()

    def call(self, event: str, *, env: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        """The answer to ``event``; empty when there is none."""
        answer = self.raw(self.told(event, **fields), env=env)
        assert answer.status == 0, (answer.status, answer.err)
        assert answer.err == "", answer.err
        return answer.json if answer.out else {}

    def context(self, event: str, **fields: Any) -> str:
        """What the model is told at ``event``."""
        found = self.call(event, **fields)
        if not found:
            return ""
        assert list(found) == ["hookSpecificOutput"], found
        assert found["hookSpecificOutput"]["hookEventName"] == event
        return str(found["hookSpecificOutput"]["additionalContext"])

    def blocked(self, event: str = "Stop", **fields: Any) -> str:
        """Why a stop is refused; empty when it is not."""
        found = self.call(event, **fields)
        if not found:
            return ""
        assert found["decision"] == ("deny" if self.client == "gemini" else "block"), found
        return str(found["reason"])

    def denied(self, tool: str, event: str = "PreToolUse", **tool_input: Any) -> str:
        """Why a tool may not be used; empty when it may."""
        found = self.call(event, tool_name=tool, tool_input=tool_input)
        if not found:
            return ""
        if self.client == "gemini":
            assert found["decision"] == "deny", found
            return str(found["reason"])
        assert found["hookSpecificOutput"]["hookEventName"] == event
        assert found["hookSpecificOutput"]["permissionDecision"] == "deny", found
        return str(found["hookSpecificOutput"]["permissionDecisionReason"])

    @property
    def log(self) -> list[str]:
        """The lines of the log."""
        path = self.cli.folder / "state" / "hubbub" / "hooks.log"
        if not path.exists():
            return []
        assert path.stat().st_mode & 0o777 == 0o600
        return path.read_text().splitlines()

    def wait(self, *words: str, shell: bool = False, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a waiter beside the session, directly or through a shell."""
        command = [sys.executable, "-m", "hubbub", "hook", self.client, "wait", *words]
        if shell:
            command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env,
            cwd=cwd or self.cli.folder,
        )
        assert process.stdin is not None
        process.stdin.write(self.told("SessionStart", **({} if cwd is None else {"cwd": str(cwd)})))
        process.stdin.close()
        process.stdin = None
        return process


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """What a process that ends by itself left: status, standard output, standard error."""
    out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out.decode(), err.decode()


def serve(cli: Cli, agent: str, client: str, client_session: str = "") -> subprocess.Popen[bytes]:
    """A process that holds ``agent``'s name for ``client``, as that one's server would, until it is ended."""
    script = (
        "import hubbub, sys; bus = hubbub.connect(); "
        "bus.agents.join(sys.argv[1], client=sys.argv[2], client_session=sys.argv[3]); "
        "print('in', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, agent, client, client_session],
        env=cli.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    return process
