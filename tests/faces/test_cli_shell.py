"""Commands in the shell of a client: they act for the agent that the client is."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.faces.cli_support import DEADLINE, Answer, Cli, end
from tests.faces.hook_support import serve


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


class Serve(Protocol):
    def __call__(self, agent: str, client: str, client_session: str = "") -> subprocess.Popen[bytes]: ...


@pytest.fixture
def served(cli: Cli) -> Iterator[Serve]:
    """Starts servers, as the client that is this process."""
    with ExitStack() as started:

        def start(agent: str, client: str, client_session: str = "") -> subprocess.Popen[bytes]:
            process = serve(cli, agent, client, client_session)
            started.callback(process.communicate)  # its standard input is closed, and it ends
            return process

        yield start


def in_shell(cli: Cli, words: str, env: dict[str, str], shells: int = 1) -> Answer:
    """Run ``hubbub`` with ``words`` in a shell, in a shell, and so on."""
    line = f"{shlex.quote(sys.executable)} -m hubbub {words}"
    for _ in range(shells):
        line = f"/bin/sh -c {shlex.quote(line + '; exit $?')}; exit $?"
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={**cli.env, **env},
        cwd=cli.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    return Answer(done)


def test_the_id_of_the_session_tells_which_agent(cli: Cli, served: Serve) -> None:
    served("claude", "claude-code 2.1", "S1")
    served("claude-2", "claude-code 2.1", "S2")
    sent = in_shell(cli, "send bob hello", {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "S2"}, shells=4)
    assert (sent.status, sent.err) == (0, "(as claude-2)\n")
    received = cli.run("receive", agent="bob")
    assert "from claude-2" in received.out


def test_what_the_agent_is_rung_for_can_be_had_in_its_shell(cli: Cli, served: Serve) -> None:
    served("codex", "codex-mcp-client 0.150", "T1")
    cli.send("codex", "look here")
    received = in_shell(cli, "receive --json", {"CODEX_THREAD_ID": "T1"})
    assert [message["body"] for message in received.json["messages"]] == ["look here"]
    assert received.err == ""  # JSON is for programs
    assert in_shell(cli, "receive", {"CODEX_THREAD_ID": "T1"}).status == 4


@pytest.mark.parametrize(
    ("client", "mark"), [("gemini-cli-mcp-client", "GEMINI_CLI"), ("opencode 1.18", "OPENCODE")]
)
def test_a_client_that_tells_no_session_is_found_by_its_process(
    cli: Cli, served: Serve, client: str, mark: str
) -> None:
    served("gem", client)
    sent = in_shell(cli, "send bob hello | cat", {mark: "1"})
    assert "Sent m" in sent.out
    assert sent.err == "(as gem)\n"


def test_what_is_named_goes_before(cli: Cli, served: Serve) -> None:
    served("claude", "claude-code 2.1", "S1")
    told = {"CLAUDE_CODE_SESSION_ID": "S1"}
    for words, env in (("send bob x --as alice", told), ("send bob x", {**told, "HUBBUB_AGENT": "alice"})):
        sent = in_shell(cli, words, env)
        assert (sent.status, sent.err) == (0, "")
    received = cli.run("receive", agent="bob")
    assert received.out.count("from alice") == 2


def test_another_clients_server_is_not_taken_for_this_ones(cli: Cli, served: Serve) -> None:
    served("gem", "gemini-cli-mcp-client")
    refused = in_shell(cli, "send bob x", {"CLAUDE_CODE_SESSION_ID": "S1"})
    assert refused.code == "NO_AGENT_NAME"
    assert "Which agent claude is can't be told" in refused.err
    assert "--as NAME" in refused.err


def test_a_session_that_ended_speaks_for_nobody(cli: Cli, served: Serve) -> None:
    """A shell may outlive it, and another may have its name by then."""
    end(served("claude", "claude-code 2.1", "S1"))
    with cli.bus() as bus:
        assert bus.agents.end_if_gone("claude")
    assert in_shell(cli, "receive", {"CLAUDE_CODE_SESSION_ID": "S1"}).code == "NO_AGENT_NAME"


def test_a_client_in_a_clients_shell_is_not_taken_for_the_outer_one(cli: Cli, served: Serve) -> None:
    """The outer one's variables reach the inner one's shell."""
    served("claude", "claude-code 2.1", "S1")
    told = {"CLAUDE_CODE_SESSION_ID": "S1", "CODEX_THREAD_ID": "T1"}
    refused = in_shell(cli, "receive", told, shells=3)
    assert refused.code == "NO_AGENT_NAME"
    assert "claude and codex" in refused.err


def test_two_of_a_client_that_tells_no_session_are_not_confused(cli: Cli, served: Serve) -> None:
    served("gem", "gemini-cli-mcp-client")
    served("gem-2", "gemini-cli-mcp-client")
    assert in_shell(cli, "receive", {"GEMINI_CLI": "1"}).code == "NO_AGENT_NAME"


def test_what_is_read_is_the_agents_own(cli: Cli, served: Serve) -> None:
    served("claude", "claude-code 2.1", "S1")
    pending = in_shell(cli, "pending", {"CLAUDE_CODE_SESSION_ID": "S1"})
    assert pending.out.startswith("claude owes no answer")


def test_without_a_bus_the_bus_is_what_is_missed(tmp_path: Path) -> None:
    nowhere = Cli(tmp_path)
    assert in_shell(nowhere, "search x", {"CLAUDE_CODE_SESSION_ID": "S1"}).code == "BUS_NOT_FOUND"
    assert in_shell(nowhere, "config", {"CLAUDE_CODE_SESSION_ID": "S1"}).status == 0
