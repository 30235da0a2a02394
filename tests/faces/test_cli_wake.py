"""hubbub wake: in a pane of a real tmux, and by a program."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import hubbub
from hubbub.wake.profiles import profile_of
from hubbub.wake.tmux import Pane
from tests.faces.test_cli_run import send
from tests.faces.test_cli_run_ring import PROGRAM, line
from tests.faces.wrapper_support import DEADLINE, profile_into
from tests.needs import missing


class Waker:
    """``hubbub wake`` with its surroundings."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.url = f"sqlite://{folder / 'bus.db'}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HUBBUB_BUS": self.url,
            "HOME": str(folder),
            "TMUX_TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            **profile_into(folder),
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "hubbub", "wake", "--as", "bob", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end."""
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, timeout=DEADLINE * 2, check=False
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start it; it stands by the agent when this returns."""
        process = subprocess.Popen(self.command(*words), env=self.environment, stderr=subprocess.PIPE)
        self.running.append(process)
        assert process.stderr is not None
        assert b"Ctrl-C ends" in process.stderr.readline()
        return process

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()


@pytest.fixture
def waker(tmp_path: pathlib.Path) -> Iterator[Waker]:
    made = Waker(tmp_path)
    yield made
    made.end()


class Tmux:
    """A tmux server of its own."""

    def __init__(self, waker: Waker) -> None:
        self._environment = waker.environment

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-f", "/dev/null", *words],
            env=self._environment,
            capture_output=True,
            timeout=DEADLINE,
            check=True,
        )
        return done.stdout.decode()

    def until(self, text: str) -> str:
        """Wait until the pane shows something."""
        deadline = time.monotonic() + DEADLINE
        while text not in (shown := self("capture-pane", "-p", "-J", "-t", "agent")):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)  # tmux tells nobody; with a deadline
        return shown


@pytest.fixture
def tmux(waker: Waker) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        missing("tmux", "apt-get install tmux")
    server = Tmux(waker)
    program = f"exec {sys.executable} {PROGRAM} {waker.folder / 'record'} 0"
    server("new-session", "-d", "-s", "agent", "-x", "130", "-y", "20", program)
    yield server
    subprocess.run(["tmux", "kill-server"], env=waker.environment, capture_output=True, check=False)


def recorded(waker: Waker, what: str) -> list[str]:
    """What the program in the pane noted."""
    import json

    notes = [json.loads(each) for each in (waker.folder / "record").read_text().splitlines()]
    return [note["data"] for note in notes if note["what"] == what]


def until_sent(waker: Waker, count: int) -> list[str]:
    """Wait until it was sent so many lines."""
    deadline = time.monotonic() + DEADLINE
    while len(sent := recorded(waker, "sent")) < count:
        assert time.monotonic() < deadline, sent
        time.sleep(0.05)  # for another process, with a deadline
    return sent


def test_mail_gives_the_agent_in_a_pane_a_turn(waker: Waker, tmux: Tmux) -> None:
    tmux.until("> ")
    process = waker.start("--tmux", "agent", "--profile", "quick")
    send(waker.url)
    assert until_sent(waker, 1) == [line(1)]
    assert "\x1b[200~" in recorded(waker, "byte")  # as a paste, as the program asked for
    send(waker.url)
    assert until_sent(waker, 2) == [line(1), line(2)]
    with hubbub.connect(waker.url) as bus:
        [standing] = bus.presence.standing("bob")
        assert (standing.kind, standing.slot) == ("tmux", "tmux %0")
        assert [wake.worked for wake in bus.presence.wakes("bob")] == [True]
        assert bus.agents.get("bob").queued == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 128 + signal.SIGTERM
        assert not bus.presence.standing("bob")


def test_what_stands_typed_in_a_pane_is_never_sent(waker: Waker, tmux: Tmux) -> None:
    tmux.until("> ")
    tmux("send-keys", "-t", "agent", "-l", "half a line")
    tmux.until("half a line")
    waker.start("--tmux", "agent", "--profile", "quick")
    send(waker.url)
    wait_for_state(waker, "something is typed and not sent")
    tmux("send-keys", "-t", "agent", "C-u")
    assert until_sent(waker, 1) == [line(1)]


def test_a_pane_is_read_in_any_locale_and_with_blanks_in_its_names(
    waker: Waker, tmux: Tmux, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the C locale tmux would write what it can't show as underscores."""
    script = "printf '\\033]2;✳ a title\\007❯ '; read x"
    tmux("new-window", "-n", "blank", "bash", "-c", f'exec -a \'"my prog"\' bash -c "{script}"')
    monkeypatch.setenv("TMUX_TMPDIR", str(waker.folder))
    monkeypatch.setenv("LC_ALL", "C")
    pane = Pane(
        "agent:blank", profile_of("ask", {"prompt": "^❯ (?P<text>.*)$", "busy_title": ["^✳ a title$"]})
    )
    deadline = time.monotonic() + DEADLINE
    while True:
        pane.refresh(time.monotonic())
        seen = pane.look("")
        if seen.busy and seen.text == "":
            break
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)  # tmux tells nobody; with a deadline


def test_a_dialog_and_a_look_back_in_a_pane_are_left_alone(waker: Waker, tmux: Tmux) -> None:
    tmux.until("> ")
    tmux("send-keys", "-t", "agent", "C-o")
    tmux.until("Allow this?")
    waker.start("--tmux", "agent", "--profile", "quick")
    send(waker.url)
    wait_for_state(waker, "a dialog is open")
    tmux("copy-mode", "-t", "agent")
    tmux("send-keys", "-t", "agent", "-X", "cancel")
    assert recorded(waker, "byte") == ["\x0f"]
    tmux("send-keys", "-t", "agent", "n")
    assert until_sent(waker, 1) == [line(1)]


def test_a_pane_that_goes_ends_it_with_an_error(waker: Waker, tmux: Tmux) -> None:
    tmux.until("> ")
    process = waker.start("--tmux", "agent", "--profile", "quick")
    tmux("kill-server")
    send(waker.url)
    assert process.wait(DEADLINE) in (3, 6)
    assert process.stderr is not None
    told = process.stderr.read()
    assert b"PANE_NOT_FOUND" in told or b"TMUX_UNAVAILABLE" in told


def test_only_one_rings_in_a_pane(waker: Waker, tmux: Tmux) -> None:
    tmux.until("> ")
    waker.start("--tmux", "agent", "--profile", "quick")
    done = waker.run("--tmux", "agent", "--profile", "quick")
    assert done.returncode == 5
    assert b"ALREADY_BESIDE" in done.stderr


def test_a_profile_that_can_not_tell_what_is_typed_is_refused_in_a_pane(waker: Waker, tmux: Tmux) -> None:
    """tmux tells of no keys: the generic profile would send what somebody has half typed."""
    done = waker.run("--tmux", "agent", "--profile", "generic")
    assert done.returncode == 2
    assert b"can't tell in a pane what somebody has typed" in done.stderr
    assert b"--profile claude" in done.stderr


def test_a_pane_that_is_not_there(waker: Waker, tmux: Tmux) -> None:
    done = waker.run("--tmux", "nowhere")
    assert done.returncode == 3
    assert b"PANE_NOT_FOUND" in done.stderr


def wait_for_state(waker: Waker, state: str) -> None:
    """Until what stands by says so."""
    deadline = time.monotonic() + DEADLINE
    with hubbub.connect(waker.url) as bus:
        while [each.state for each in bus.presence.standing("bob")] != [state]:
            assert time.monotonic() < deadline, bus.presence.standing("bob")
            time.sleep(0.02)  # for another process, with a deadline


def test_a_program_is_run_once_for_a_batch(waker: Waker) -> None:
    script = f"echo $HUBBUB_AGENT $HUBBUB_COUNT $HUBBUB_URGENT >> {waker.folder}/ran"
    process = waker.start("--command", "sh", "-c", script)
    assert process.stderr is not None
    send(waker.url, priority="urgent")
    assert b"1 message: ran" in process.stderr.readline()
    send(waker.url)
    assert b"2 messages: ran" in process.stderr.readline()
    assert (waker.folder / "ran").read_text() == "bob 1 1\nbob 2 1\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo first >&2; echo no connection >&2; exit 3", b"status 3: no connection"),
        ("kill -9 $$", b"signal 9"),
        ("sleep 60", b"did not end within 0.3 s and was killed"),
    ],
)
def test_a_program_that_fails_is_told_of(waker: Waker, script: str, told: bytes) -> None:
    send(waker.url)
    done = waker.run(
        "--once", "--timeout", "0.3" if "sleep" in script else "20", "--command", "sh", "-c", script
    )
    assert done.returncode == 1
    assert told in done.stderr
    with hubbub.connect(waker.url) as bus:
        [wake] = bus.presence.wakes("bob")
        assert not wake.worked


def test_what_a_program_leaves_running_is_not_waited_for(waker: Waker) -> None:
    send(waker.url)
    done = waker.run("--once", "--command", "sh", "-c", "sleep 30 & exit 0")
    assert done.returncode == 0
    assert b"1 message: ran" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ((), 2, b"USAGE"),
        (("--tmux", "%1", "--command", "true"), 2, b"USAGE"),
        (("--command",), 2, b"USAGE"),
        (("word",), 2, b"USAGE"),
        (("--timeout", "0", "--command", "true"), 2, b"INVALID_ARGUMENT"),
        (("--once", "--command", "no-such-program"), 127, b"COMMAND_NOT_FOUND"),
    ],
)
def test_mistakes_are_told(waker: Waker, words: tuple[str, ...], status: int, code: bytes) -> None:
    send(waker.url)
    done = waker.run(*words)
    assert done.returncode == status
    assert code in done.stderr
