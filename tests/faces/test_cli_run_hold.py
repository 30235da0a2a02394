"""hubbub run does not ring where something else wakes the agent by itself, nor at a shell's prompt."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import hubbub
from hubbub.bus import Bus
from tests.faces.test_cli_run import send, wait_for_state
from tests.faces.test_cli_run_ring import Wrapped, line
from tests.faces.wrapper_support import DEADLINE, PROFILE, Terminal, profile_into


def test_mail_that_something_else_woke_the_agent_for_gives_no_second_turn(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path)
    with wrapped.terminal, hubbub.connect(wrapped.url) as bus, hubbub.connect(wrapped.url) as waiter:
        wait_for_state(wrapped.terminal, bus, "no mail waits")
        assert waiter.presence.stand_by("bob", "waiter", slot="waiter s1") is None
        send(wrapped.url)
        wait_for_states(wrapped.terminal, bus, "left to what wakes the agent by itself")
        newest = bus.mail.peek("bob").deliveries[-1].message.id
        waiter.presence.woke("bob", "wakes the idle session", worked=True, message=newest)
        waiter.presence.step_down("bob", "waiter s1")
        wait_for_states(wrapped.terminal, bus, "no mail waits")
        wrapped.terminal.during(1.5)  # as a person who looks on
        assert wrapped.sent() == []
        send(wrapped.url)
        assert wrapped.until_sent(1) == [line(2)]
        wrapped.finish()


def test_mail_that_what_stood_by_left_without_a_wake_is_rung_for(tmp_path: pathlib.Path) -> None:
    wrapped = Wrapped(tmp_path)
    with wrapped.terminal, hubbub.connect(wrapped.url) as bus, hubbub.connect(wrapped.url) as waker:
        wait_for_state(wrapped.terminal, bus, "no mail waits")
        assert waker.presence.stand_by("bob", "server", slot="codex") is None
        send(wrapped.url)
        wait_for_states(wrapped.terminal, bus, "left to what wakes the agent by itself")
        assert wrapped.sent() == []
        waker.presence.step_down("bob", "codex")
        assert wrapped.until_sent(1) == [line(1)]
        wrapped.finish()


def test_a_shells_prompt_gets_nothing_and_what_runs_in_the_shell_does(tmp_path: pathlib.Path) -> None:
    url = f"sqlite://{tmp_path / 'bus.db'}"
    profile = PROFILE.replace("shell = true\n", "")
    environment = {"HUBBUB_BUS": url, "HOME": str(tmp_path), "PS1": "> ", "HISTFILE": ""}
    environment |= profile_into(tmp_path, text=profile)
    with hubbub.connect(url) as bus:
        words = ["bash", "--norc", "--noprofile", "-i"]
        with Terminal.run(words, environment, "--profile", "quick") as terminal:
            terminal.until(b"> ")
            send(url)
            wait_for_state(terminal, bus, "a shell would run the line as a command")
            assert b"Hubbub: 1" not in terminal.seen
            terminal.press(f"{sys.executable} -c 'print(len(input(chr(62)+chr(32))))'\r".encode())
            terminal.until(b"act on it.")
            terminal.until(str(len(line(1))).encode())
            terminal.press(b"exit\r")
            assert terminal.end() == 0


def test_a_question_of_another_program_is_not_answered(tmp_path: pathlib.Path) -> None:
    """To the generic profile every line that ends in a letter of a prompt is one."""
    url = f"sqlite://{tmp_path / 'bus.db'}"
    environment = {"HUBBUB_BUS": url, "HOME": str(tmp_path)} | profile_into(
        tmp_path, text="prompt = '> ?$'\n"
    )
    asks = "print('GOT', input('Delete the production database> '))"
    with hubbub.connect(url) as bus:
        words = [sys.executable, "-c", asks]
        with Terminal.run(words, environment, "--profile", "quick") as terminal:
            terminal.until(b"database> ")
            send(url)
            wait_for_state(terminal, bus, "no prompt is on the screen")
            terminal.press(b"no\r")
            terminal.until(b"GOT no")
            assert terminal.end() == 0


def test_what_a_program_left_running_does_not_keep_the_wrapper(tmp_path: pathlib.Path) -> None:
    url = f"sqlite://{tmp_path / 'bus.db'}"
    hubbub.connect(url).close()
    left = "(trap '' HUP; while echo tick; do sleep 0.05; done) & sleep 0.3; exit 4"
    command = [sys.executable, "-m", "hubbub", "run", "--as", "gil", "--", "sh", "-c", left]
    environment = {**os.environ, "HUBBUB_BUS": url, "HOME": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 4
    assert b"tick" in done.stdout


def test_a_signal_ends_a_wrapper_whose_output_nobody_takes(tmp_path: pathlib.Path) -> None:
    url = f"sqlite://{tmp_path / 'bus.db'}"
    hubbub.connect(url).close()
    script = f"head -c 150000 /dev/zero | tr '\\0' x; echo $$ > {tmp_path}/shell"
    command = [sys.executable, "-m", "hubbub", "run", "--as", "gil", "--", "sh", "-c", script]
    environment = {**os.environ, "HUBBUB_BUS": url, "HOME": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            deadline = time.monotonic() + DEADLINE
            while not ended_shell(tmp_path / "shell"):
                assert time.monotonic() < deadline
                time.sleep(0.05)  # for another process, with a deadline
            assert process.poll() is None  # what is not taken yet is not lost
            while process.poll() is None:
                assert time.monotonic() < deadline + DEADLINE
                process.terminate()  # the first may still have been meant for the program, and passed on
                time.sleep(0.1)  # for another process, with a deadline
            assert process.returncode == 0
        finally:
            process.kill()


def ended_shell(file: pathlib.Path) -> bool:
    """Whether the process whose id is in ``file`` has come to its end, and is gone."""
    text = file.read_text() if file.exists() else ""
    return text.endswith("\n") and not pathlib.Path(f"/proc/{text.strip()}").exists()


def wait_for_states(terminal: Terminal, bus: Bus, state: str) -> None:
    """Until the wrapper says so, whoever else stands by."""
    deadline = time.monotonic() + DEADLINE
    while state not in (found := [each.state for each in bus.presence.standing("bob")]):
        assert time.monotonic() < deadline, found
        terminal.during(0.02)
