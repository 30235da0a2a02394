"""A process that waits beside a session wakes it once for all mail that comes together, and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hubbub.bus import Bus
from tests.faces.cli_support import DEADLINE, Cli
from tests.faces.hook_support import Hooks, finish, serve


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


@pytest.fixture
def hooks(cli: Cli) -> Hooks:
    return Hooks(cli, "claude", "alice")


def stands(bus: Bus, count: int = 1, agent: str = "alice") -> list[str]:
    """Wait until so many processes stand by an agent; their processes."""
    end = time.monotonic() + DEADLINE
    with bus.store.bell("agents") as bell:
        while True:
            found = bus.presence.standing(agent)
            if len(found) == count:
                return [each.process for each in found]
            left = end - time.monotonic()
            assert left > 0, found
            bell.wait(min(left, 1.0))


def test_mail_wakes_an_idle_session_once_with_the_doorbell(cli: Cli, hooks: Hooks) -> None:
    waiter = hooks.wait()
    with cli.bus() as bus:
        stands(bus)
        (shown,) = bus.presence.standing("alice")
        assert (shown.kind, shown.state) == ("waiter", "waits for mail")
        assert "asyncRewake" in shown.how
        cli.send("alice", "secret words", "--subject", "Secret", agent="bob")
        last = cli.send("alice", "two", "--priority", "urgent", agent="bob")
        assert finish(waiter) == (
            2,
            "",
            "Hubbub: 2 messages (1 urgent) wait in your inbox. Call receive_messages (in a shell: hubbub "
            "receive) and act on them.\n",
        )
        (wake,) = bus.presence.wakes("alice")
        assert (wake.how, wake.worked, wake.message) == ("claude waiter", True, last)
        assert bus.presence.standing("alice") == []
        assert cli.state(last, "alice") == ("queued", 0)
        # The model did nothing about it. It is not woken for the same again, only for more.
        waiter = hooks.wait()
        stands(bus)
        third = cli.send("alice", "three", agent="bob")
        status, _, said = finish(waiter)
        assert (status, "3 messages" in said) == (2, True)
        assert bus.presence.wakes("alice")[0].message == third
    assert hooks.log == []


def test_it_waits_on_the_bus_of_the_project_wherever_the_session_is(
    cli: Cli, hooks: Hooks, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (cli.folder / ".hubbub.toml").write_text(f'bus = "{cli.url}"\n', encoding="utf-8")
    hooks.env.pop("HUBBUB_BUS")
    hooks.env["CLAUDE_PROJECT_DIR"] = str(cli.folder)
    waiter = hooks.wait(cwd=tmp_path_factory.mktemp("outside"))
    with cli.bus() as bus:
        stands(bus)
        cli.send("alice", "x", agent="bob")
        assert finish(waiter)[0] == 2


def test_what_a_hook_told_wakes_nobody(cli: Cli, hooks: Hooks) -> None:
    cli.send("alice", "one", agent="bob")
    assert hooks.context("UserPromptSubmit")
    waiter = hooks.wait()
    with cli.bus() as bus:
        stands(bus)
        taken = cli.send("alice", "two", agent="bob")
        # The agent takes it by itself before the ring.
        bus.mail.receive(bus.agents.attach("alice"), limit=2)
        third = cli.send("alice", "three", agent="bob")
        status, _, said = finish(waiter)
        assert (status, "1 message waits" in said) == (2, True)
        assert bus.presence.wakes("alice")[0].message == third
        assert cli.state(taken, "alice")[0] == "leased"


def test_a_stop_that_is_refused_for_mail_is_no_reason_to_wake(cli: Cli, hooks: Hooks) -> None:
    """The client starts its hook and its waiter at the same time."""
    id_ = cli.send("alice", "one", agent="bob")
    waiter = hooks.wait()
    assert id_ in hooks.blocked()
    with cli.bus() as bus:
        stands(bus)
        second = cli.send("alice", "two", agent="bob")
        assert finish(waiter)[0] == 2
        assert bus.presence.wakes("alice")[0].message == second
        assert [event.message for event in bus.events.events(kinds=("agent_woken",))] == [second]


def test_a_newer_waiter_takes_the_place_of_an_older(cli: Cli, hooks: Hooks) -> None:
    older = hooks.wait()
    with cli.bus() as bus:
        stands(bus)
        newer = hooks.wait()
        assert finish(older) == (0, "", "")
        assert newer.poll() is None
        cli.send("alice", "one", agent="bob")
        assert finish(newer)[0] == 2
        assert len(bus.events.events(kinds=("agent_woken",))) == 1


def test_the_end_of_the_session_ends_it(cli: Cli, hooks: Hooks) -> None:
    waiter = hooks.wait()
    with cli.bus() as bus:
        stands(bus)
        hooks.call("SessionEnd", reason="clear")
        assert finish(waiter) == (0, "", "")
        assert bus.presence.standing("alice") == []


@pytest.mark.parametrize("shell", [False, True])
def test_it_ends_with_the_client_that_started_it(cli: Cli, hooks: Hooks, shell: bool) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.faces.cli_support import Cli\n"
        "from tests.faces.hook_support import Hooks\n"
        "cli = Cli(Path(sys.argv[1]))\nHooks(cli, 'claude', 'alice').wait(shell=sys.argv[2] == 'True')\n"
        "sys.stdin.read()"
    )
    root = str(Path(__file__).parent.parent.parent)
    client = subprocess.Popen(
        [sys.executable, "-c", script, str(cli.folder), str(shell)],
        stdin=subprocess.PIPE,
        env={**hooks.env, "PYTHONPATH": f"{hooks.env['PYTHONPATH']}{os.pathsep}{root}"},
    )
    with cli.bus() as bus:
        (process,) = stands(bus)
        client.kill()
        client.communicate()
        stands(bus, 0)
        pid = int(process.split("/")[2])
        end = time.monotonic() + DEADLINE
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            os.sched_yield()
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(cli: Cli, hooks: Hooks, number: int) -> None:
    waiter = hooks.wait()
    with cli.bus() as bus:
        stands(bus)
        waiter.send_signal(number)
        assert finish(waiter) == (0, "", "")
        assert bus.presence.standing("alice") == []
        assert not list(Path(f"{cli.path}-bells").rglob("inbox/alice/*"))


def test_it_waits_for_the_server_that_makes_the_bus_and_the_agent(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    hooks = Hooks(cli, "claude")
    waiter = hooks.wait()
    server = serve(cli, "claude", "claude-code 2.1")  # a sibling: this process started both
    try:
        with cli.bus() as bus:
            stands(bus, agent="claude")
            bus.agents.register("bob")
            bus.mail.send(bus.agents.attach("bob"), bus.mail.draft("claude", "one"))
        status, _, said = finish(waiter)
        assert (status, "1 message waits" in said) == (2, True)
        with cli.bus() as bus:
            held = bus.agents.get("claude").session
            assert held is not None
            assert held.client_session == "S1"
    finally:
        server.kill()
        server.communicate()


def test_opencode_is_woken_by_a_line_on_standard_output(cli: Cli) -> None:
    hooks = Hooks(cli, "opencode", "alice")
    waiter = hooks.wait()
    cli.send("alice", "one", agent="bob")
    status, out, err = finish(waiter)
    assert (status, err) == (0, "")
    assert out.startswith("Hubbub: 1 message waits in your inbox.")


def test_without_memory_it_wakes_nobody(cli: Cli, hooks: Hooks) -> None:
    Path(f"{cli.path}-hooks").write_text("")
    (cli.folder / "state").mkdir()
    (cli.folder / "state" / "hubbub").write_text("")
    cli.send("alice", "one", agent="bob")
    assert finish(hooks.wait()) == (0, "", "")


def test_an_agent_that_leaves_the_bus_is_waited_for_no_more(cli: Cli, hooks: Hooks) -> None:
    waiter = hooks.wait()
    with cli.bus() as bus:
        stands(bus)
        bus.agents.unregister("alice")
    assert finish(waiter)[0] == 0
    assert "the agent left the bus" in hooks.log[0]


def test_nothing_waits_beside_a_run_of_one_prompt(cli: Cli, hooks: Hooks) -> None:
    """``claude -p`` waits for every hook before its first turn, also for one that waits for mail."""
    hooks.env["CLAUDE_CODE_ENTRYPOINT"] = "sdk-cli"
    assert finish(hooks.wait()) == (0, "", "")
    with cli.bus() as bus:
        assert bus.presence.standing("alice") == []
