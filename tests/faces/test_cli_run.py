"""hubbub run: what goes through, and how it ends. Real programs at real terminals."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import apsw
import pytest

import hubbub
from hubbub.bus import Bus
from tests.faces.wrapper_support import DEADLINE, Terminal, profile_into


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    return f"sqlite://{tmp_path / 'bus.db'}"


@pytest.fixture
def surroundings(tmp_path: pathlib.Path, url: str) -> dict[str, str]:
    return {"HUBBUB_BUS": url, "HOME": str(tmp_path), **profile_into(tmp_path)}


def wait_for(path: pathlib.Path, terminal: Terminal | None = None) -> str:
    """The content of a file that a program writes, once it is there."""
    deadline = time.monotonic() + DEADLINE
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} is not written"
        if terminal is not None:
            terminal.during(0.02)
        else:
            time.sleep(0.02)  # for another process, with a deadline
    return path.read_text()


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("echo gone; exit 1", 1)],
)
def test_it_ends_as_its_program_does(surroundings: dict[str, str], script: str, status: int) -> None:
    with Terminal.run(["sh", "-c", script], surroundings) as terminal:
        assert terminal.end() == status
        assert terminal.settings() == terminal.before


@pytest.mark.parametrize(
    ("command", "status", "code"),
    [("no-such-program", 127, b"COMMAND_NOT_FOUND"), ("/etc/passwd", 126, b"COMMAND_NOT_RUNNABLE")],
)
def test_a_program_that_cannot_be_run_is_told_of(
    surroundings: dict[str, str], command: str, status: int, code: bytes
) -> None:
    with Terminal.run([command], surroundings) as terminal:
        assert terminal.end() == status
        assert code in terminal.seen
        assert terminal.settings() == terminal.before


def test_the_program_knows_its_agent_and_its_bus(surroundings: dict[str, str], url: str) -> None:
    with Terminal.run(["sh", "-c", "echo $HUBBUB_AGENT at $HUBBUB_BUS; tty"], surroundings) as terminal:
        assert terminal.end() == 0
        assert f"bob at {url}".encode() in terminal.seen
        assert b"/dev/" in terminal.seen
    with hubbub.connect(url) as bus:
        agent = bus.agents.get("bob")
        assert agent.session is None  # the agent's own server holds the name


SINK = """
import hashlib, os, sys, tty
tty.setraw(0)
os.write(1, b"ready")
left, digest = int(sys.argv[1]), hashlib.sha256()
while left:
    data = os.read(0, min(left, 65536))
    digest.update(data)
    left -= len(data)
os.write(1, b"<" + digest.hexdigest().encode() + b">")
"""

SOURCE = """
import os, random, sys, tty
tty.setraw(0)
data = random.Random(5).randbytes(int(sys.argv[1]))
while data:
    data = data[os.write(1, data[:50000]):]
"""


def test_every_byte_of_the_keyboard_goes_through(surroundings: dict[str, str]) -> None:
    data = random.Random(1).randbytes(150_000) + "wörter 日本語".encode() * 500 + bytes(range(256))
    with Terminal.run([sys.executable, "-c", SINK, str(len(data))], surroundings) as terminal:
        terminal.until(b"ready")
        for place in range(3000):
            terminal.press(data[place : place + 1])  # letters are torn apart
        terminal.press(data[3000:])
        assert terminal.end() == 0
        assert b"<" + hashlib.sha256(data).hexdigest().encode() + b">" in terminal.seen


def test_every_byte_of_the_program_goes_through(surroundings: dict[str, str]) -> None:
    size = 3_000_000
    with Terminal.run([sys.executable, "-c", SOURCE, str(size)], surroundings) as terminal:
        assert terminal.end() == 0
        assert terminal.seen == random.Random(5).randbytes(size)


def test_keys_go_through_while_nobody_reads_the_screen(
    surroundings: dict[str, str], tmp_path: pathlib.Path
) -> None:
    script = (
        "import os, sys, threading, tty\n"
        "tty.setraw(0)\n"
        "threading.Thread(target=lambda: [os.write(1, b'x' * 50000) for _ in range(40)]).start()\n"
        "key = os.read(0, 1)\n"
        f"open({str(tmp_path / 'key')!r}, 'w').write(key.decode())\n"
    )
    with Terminal.run([sys.executable, "-c", script], surroundings) as terminal:
        terminal.until(b"x")
        # What it writes fills everything on the way; nothing more is read here.
        os.write(terminal.master, b"k")
        assert wait_for(tmp_path / "key") == "k"
        assert terminal.end() == 0
        assert terminal.seen.count(b"x") == 2_000_000


def test_a_pipe_can_stand_in_for_a_terminal(surroundings: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hubbub", "run", "--as", "bob", "cat"],
        input=b"one\ntwo",
        capture_output=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **surroundings},
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.count(b"two") >= 1
    assert not done.stderr


def test_the_size_goes_through_and_its_changes(surroundings: dict[str, str], tmp_path: pathlib.Path) -> None:
    script = "trap 'stty size' WINCH; stty size; while ! [ -e stop ]; do sleep 0.05; done"
    with Terminal.run(["sh", "-c", f"cd {tmp_path}; {script}"], surroundings, size=(33, 77)) as terminal:
        terminal.until(b"33 77")
        terminal.resize(1, 1)
        terminal.until(b"1 1")
        terminal.resize(50, 200)
        terminal.until(b"50 200")
        (tmp_path / "stop").touch()
        assert terminal.end() == 0


def test_a_terminal_of_one_cell_will_do(surroundings: dict[str, str], url: str) -> None:
    with Terminal.run(["sh", "-c", "echo started; read line; exit 3"], surroundings, size=(1, 1)) as terminal:
        terminal.until(b"started")
        send(url)
        terminal.during(0.5)
        terminal.press(b"\r")
        assert terminal.end() == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_go_to_the_program(surroundings: dict[str, str], number: signal.Signals) -> None:
    script = f"trap 'echo caught; exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    with Terminal.run(["sh", "-c", script], surroundings) as terminal:
        terminal.until(b"ready")
        terminal.process.send_signal(number)
        assert terminal.end() == 9
        assert terminal.settings() == terminal.before


def test_ctrl_c_is_the_programs(surroundings: dict[str, str]) -> None:
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    with Terminal.run(["sh", "-c", script], surroundings) as terminal:
        terminal.until(b"ready")
        terminal.press(b"\x03")
        assert terminal.end() == 9


def test_a_terminal_that_goes_ends_the_program(surroundings: dict[str, str], tmp_path: pathlib.Path) -> None:
    script = f"trap 'echo hung up > {tmp_path}/told; exit' HUP; echo ready; while :; do sleep 0.05; done"
    with Terminal.run(["sh", "-c", script], surroundings) as terminal:
        terminal.until(b"ready")
        terminal.close()
        assert wait_for(tmp_path / "told") == "hung up\n"
        terminal.process.wait(DEADLINE)


def test_a_killed_program_leaves_a_terminal_that_can_be_used(surroundings: dict[str, str]) -> None:
    script = r"printf '\033[?1049h\033[?2004h\033[?1003h\033[?25lready'; stty raw -echo; kill -9 $$"
    with Terminal.run(["sh", "-c", script], surroundings) as terminal:
        assert terminal.end() == 137
        assert terminal.settings() == terminal.before
        for undone in (b"\x1b[?1049l", b"\x1b[?2004l", b"\x1b[?1003l", b"\x1b[?25h"):
            assert undone in terminal.seen.partition(b"ready")[2]


def test_the_shells_job_control_works(surroundings: dict[str, str]) -> None:
    run = f"{sys.executable} -m hubbub run --as bob -- sh -c 'echo up; cat; echo over'"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PS1": "shell$ ", "HISTFILE": "", **surroundings}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], environment) as terminal:
        terminal.until(b"shell$ ")
        terminal.press(run.encode() + b"; echo status=$?\r")
        terminal.until(b"up\r\n")
        terminal.press(b"\x1a")
        terminal.until(b"Stopped")
        terminal.during(0.1)
        terminal.press(b"echo back to the sh''ell\r")
        terminal.until(b"back to the shell")
        terminal.press(b"fg; echo ended=$?\r")
        terminal.during(0.5)
        terminal.press(b"still here\r")
        terminal.until(b"still here\r\nstill here")
        terminal.press(b"\x04")
        terminal.until(b"over")
        terminal.until(b"ended=0")
        terminal.press(b"exit\r")
        terminal.end()


def test_without_a_bus_the_program_runs_and_a_line_says_so(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    environment = {"HUBBUB_BUS": f"sqlite://{tmp_path}/file/bus.db", "HOME": str(tmp_path)}
    with Terminal.run(["sh", "-c", "echo ran; exit 5"], environment) as terminal:
        assert terminal.end() == 5
        assert b"the program runs without it" in terminal.seen.partition(b"ran\r")[0]
        assert terminal.seen.count(b"hubbub:") == 1


def test_a_locked_bus_holds_nothing_up_and_is_tried_again(surroundings: dict[str, str], url: str) -> None:
    with hubbub.connect(url):
        pass
    other = apsw.Connection(url.removeprefix("sqlite://"))
    other.execute("BEGIN IMMEDIATE")
    with Terminal.run(["sh", "-c", "echo ran; read line; exit 5"], surroundings) as terminal:
        terminal.until(b"ran\r\n", seconds=5)
        terminal.press(b"typed")
        terminal.until(b"typed", seconds=2)
        other.execute("ROLLBACK")
        other.close()
        with hubbub.connect(url) as bus:
            deadline = time.monotonic() + DEADLINE
            while not any(agent.name == "bob" for agent in bus.agents.all()):
                assert time.monotonic() < deadline
                terminal.during(0.05)
        terminal.press(b"\r")
        assert terminal.end() == 5


def test_it_stands_by_its_agent_and_says_what_it_waits_for(surroundings: dict[str, str], url: str) -> None:
    script = "printf 'Allow this? '; read line; printf '\\033[2J\\033[H> '; read line; exit 0"
    with (
        Terminal.run(["sh", "-c", script], surroundings, "--profile", "quick") as terminal,
        hubbub.connect(url) as bus,
    ):
        terminal.until(b"Allow this? ")
        send(url)
        wait_for_state(terminal, bus, "a dialog is open")
        assert [(each.kind, each.how) for each in bus.presence.standing("bob")] == [
            ("wrapper", "types into its terminal")
        ]
        pong = bus.presence.ping(None, "bob").pong
        assert (pong.by, pong.state) == ("wrapper", "a dialog is open")
        terminal.press(b"y\r")
        terminal.until(b"act on it.")
        assert terminal.end() == 0
        assert [wake.worked for wake in bus.presence.wakes("bob")] == [True]
        assert not bus.presence.standing("bob")


def test_a_second_one_for_the_same_agent_runs_and_does_not_ring(
    surroundings: dict[str, str], url: str
) -> None:
    with Terminal.run(["sh", "-c", "echo first; read line"], surroundings) as first:
        first.until(b"first")
        with Terminal.run(["sh", "-c", "echo second; exit 4"], surroundings) as second:
            assert second.end() == 4
            assert b"wraps this agent already" in second.seen
        first.press(b"\r")
        assert first.end() == 0


def send(url: str, count: int = 1, *, priority: str = "normal") -> None:
    """Mail for the agent."""
    with hubbub.connect(url) as bus:
        bus.agents.register("bob")
        bus.agents.register("alice")
        for number in range(count):
            bus.mail.send(
                bus.agents.attach("alice"), bus.mail.draft("bob", f"message {number}", priority=priority)
            )


def wait_for_state(terminal: Terminal, bus: Bus, state: str) -> None:
    """Until what stands by says so."""
    deadline = time.monotonic() + DEADLINE
    while [each.state for each in bus.presence.standing("bob")] != [state]:
        assert time.monotonic() < deadline, [each.state for each in bus.presence.standing("bob")]
        terminal.during(0.02)
