"""Hooks never stand in their client's way: whatever is wrong, they exit with 0, and a log tells."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubbub.wake.hooks import folders, memory
from hubbub.wake.hooks.reading import INPUT_MAX
from tests.faces.cli_support import DEADLINE, Cli
from tests.faces.hook_support import Hooks


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


@pytest.fixture
def hooks(cli: Cli) -> Hooks:
    return Hooks(cli, "claude", "alice")


@pytest.mark.parametrize(
    "stdin",
    [
        b"rubbish",
        b"[1, 2]",
        b'"Stop"',
        b"{" * 100_000,
        b'{"hook_event_name": "Stop"',
        b"\x80\xff\x00",
        b'{"hook_event_name": "Dance"}',
        b'{"hook_event_name": 7}',
        b"{}",
        b"",
    ],
)
def test_input_that_is_no_event_is_logged_and_answered_with_nothing(hooks: Hooks, stdin: bytes) -> None:
    answer = hooks.raw(stdin)
    assert (answer.status, answer.raw, answer.err) == (0, b"", "")
    assert len(hooks.log) == 1
    assert " claude " in hooks.log[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"session_id": None, "cwd": 7, "prompt": ["x"]},
        {"session_id": "\ud800", "cwd": "relative"},
        {"session_id": "x" * 100_000, "cwd": "/nowhere"},
        {"session_id": "../../etc", "cwd": ""},
        {"tool_input": "x", "tool_name": {}},
    ],
)
def test_odd_fields_do_not_keep_mail_from_being_told(
    cli: Cli, hooks: Hooks, fields: dict[str, object]
) -> None:
    id_ = cli.send("alice", "one", agent="bob")
    told = json.dumps({"hook_event_name": "UserPromptSubmit", **fields}).encode()
    answer = hooks.raw(told)
    assert answer.status == 0
    assert id_ in answer.out
    assert hooks.raw(told).out == ""


def test_text_that_is_not_utf_8_and_a_byte_order_mark_are_read(cli: Cli, hooks: Hooks) -> None:
    id_ = cli.send("alice", "one", agent="bob")
    told = b'\xef\xbb\xbf{"hook_event_name": "UserPromptSubmit", "prompt": "\xff\xfe", "session_id": "S"}'
    assert id_ in hooks.raw(told).out


def test_huge_input_is_read_to_its_end_and_answered_with_nothing(hooks: Hooks) -> None:
    told = hooks.told("PostToolUse", tool_name="Bash", tool_response="x" * (4 << 20))
    assert hooks.raw(told).status == 0
    assert hooks.log == []
    told = hooks.told("PostToolUse", tool_name="Bash", tool_response="x" * INPUT_MAX)
    assert (hooks.raw(told).status, hooks.raw(told).out) == (0, "")
    assert "there is no event" in hooks.log[0]


def test_a_closed_standard_output_is_no_failure(cli: Cli, hooks: Hooks) -> None:
    cli.send("alice", "one", agent="bob")
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub", "hook", "claude"],
        stdin=subprocess.PIPE,
        stdout=write,
        stderr=subprocess.PIPE,
        env=hooks.env,
        cwd=cli.folder,
    )
    os.close(write)
    _, err = process.communicate(hooks.told("SessionStart"), timeout=DEADLINE)
    assert (process.returncode, err) == (0, b"")
    assert "BrokenPipeError" in hooks.log[0]


def test_a_hook_makes_no_bus(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    hooks = Hooks(cli, "claude", "alice")
    for event in ("SessionStart", "UserPromptSubmit", "PostToolUse", "PreToolUse", "Stop", "SessionEnd"):
        assert hooks.call(event, tool_name="Write", tool_input={"file_path": "a"}) == {}
    assert not cli.path.exists()
    assert not Path(f"{cli.path}-hooks").exists()
    assert len(hooks.log) == 1
    assert "there is no bus at" in hooks.log[0]


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\0" * 4096])
def test_a_file_that_is_no_bus_is_logged(tmp_path: Path, content: bytes) -> None:
    cli = Cli(tmp_path)
    cli.path.write_bytes(content)
    hooks = Hooks(cli, "claude", "alice")
    assert hooks.call("Stop") == {}
    assert "BUS_" in hooks.log[0] or "NOT_HUBBUB" in hooks.log[0]
    assert cli.path.read_bytes() == content


@contextmanager
def locked(cli: Cli) -> Iterator[None]:
    """Another program holds the bus for writing."""
    script = (
        "import apsw, sys; db = apsw.Connection(sys.argv[1]); db.execute('BEGIN IMMEDIATE'); "
        "print('in', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(cli.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        yield
    finally:
        holder.kill()
        holder.communicate()


def test_a_locked_bus_is_read_all_the_same(cli: Cli, hooks: Hooks) -> None:
    id_ = cli.send("alice", "one", agent="bob")
    with locked(cli):
        assert id_ in hooks.context("UserPromptSubmit")
        assert id_ in hooks.blocked()


def test_a_locked_bus_that_would_have_to_be_written_is_given_up_soon(cli: Cli, hooks: Hooks) -> None:
    with cli.bus(later=-100) as bus:
        bus.mail.send(bus.agents.attach("bob"), bus.mail.draft("alice", "one", ttl=1))
    with locked(cli):
        assert hooks.call("UserPromptSubmit") == {}
    assert "BUS_BUSY" in hooks.log[0]
    assert hooks.call("UserPromptSubmit") == {}  # the message had run out
    assert len(hooks.log) == 1


def test_a_client_that_never_ends_its_input_is_not_waited_for(cli: Cli, hooks: Hooks) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub", "hook", "claude"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=hooks.env,
        cwd=cli.folder,
    )
    assert process.wait(timeout=DEADLINE) == 0
    process.communicate()
    assert "gave up after" in hooks.log[0]


@pytest.mark.parametrize(
    "words",
    [(), ("claud",), ("claude", "Stop", "now"), ("--json",), ("claude", "--as"), ("claude", "--fast")],
)
def test_a_command_line_that_cannot_be_meant_ends_with_1(hooks: Hooks, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hubbub", "hook", *words],
        input=b"{}",
        capture_output=True,
        env=hooks.env,
        cwd=hooks.cli.folder,
        timeout=DEADLINE,
        check=False,
    )
    # By 2 a client is told to stop what it does.
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"hubbub hook: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("name", ["NOT A NAME", "../x", "nobody", "é"])
def test_a_name_that_nobody_has_is_no_failure(cli: Cli, name: str) -> None:
    hooks = Hooks(cli, "claude", name)
    assert hooks.call("UserPromptSubmit") == {}
    assert hooks.call("PostToolUse", tool_name="Bash") == {}
    assert hooks.call("PreToolUse", tool_name="Write", tool_input={"file_path": "a"}) == {}
    assert hooks.call("Stop") == {}


def test_a_bus_url_and_a_configuration_that_are_wrong_are_logged(cli: Cli, hooks: Hooks) -> None:
    answer = hooks.raw(hooks.told("Stop"), env={"HUBBUB_BUS": "gopher://x"})
    assert (answer.status, answer.out, answer.err) == (0, "", "")
    assert "INVALID_BUS_URL" in hooks.log[-1] or "BUS_URL" in hooks.log[-1]
    (cli.folder / ".hubbub.toml").write_text("bus = [")
    del hooks.env["HUBBUB_BUS"]
    assert hooks.call("Stop") == {}
    assert ".hubbub.toml" in hooks.log[-1]


# --- what can't be remembered ---------------------------------------------------------------------


def no_memory(cli: Cli) -> None:
    """Have files where folders are needed: this user may write everywhere."""
    Path(f"{cli.path}-hooks").write_text("")
    (cli.folder / "state").mkdir(exist_ok=True)
    (cli.folder / "state" / "hubbub").write_text("")


def test_without_memory_nothing_makes_a_loop(cli: Cli, hooks: Hooks) -> None:
    no_memory(cli)
    id_ = cli.send("alice", "one", agent="bob")
    assert id_ in hooks.context("SessionStart")
    assert id_ in hooks.context("UserPromptSubmit")  # a person speaks at each: that is no loop
    assert hooks.call("PostToolUse", tool_name="Bash") == {}
    assert hooks.call("Stop") == {}
    assert hooks.call("SessionEnd") == {}


def test_a_bus_folder_that_cannot_be_written_leaves_the_memory_to_the_users_folder(
    cli: Cli, hooks: Hooks
) -> None:
    Path(f"{cli.path}-hooks").write_text("")
    cli.send("alice", "one", agent="bob")
    assert hooks.blocked()
    assert hooks.blocked() == ""
    assert list((cli.folder / "state" / "hubbub" / "hooks").glob("*/*.json"))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"told": 7, "stopped": [1], "blocks": "x", "waiter": []}', b"\xff"]
)
def test_a_damaged_memory_counts_as_none(cli: Cli, hooks: Hooks, content: bytes) -> None:
    cli.send("alice", "one", agent="bob")
    assert hooks.blocked()
    (kept,) = Path(f"{cli.path}-hooks").iterdir()
    kept.write_bytes(content)
    assert hooks.blocked()
    assert hooks.blocked() == ""


def test_a_memory_in_use_is_waited_for_only_shortly(cli: Cli, hooks: Hooks) -> None:
    cli.send("alice", "one", agent="bob")
    assert hooks.context("UserPromptSubmit")
    (kept,) = Path(f"{cli.path}-hooks").iterdir()
    with open(kept, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert hooks.call("Stop") == {}
    assert hooks.blocked()
    assert "can't be remembered" in hooks.log[0]


def test_a_memory_is_no_link_that_somebody_laid(cli: Cli, hooks: Hooks) -> None:
    cli.send("alice", "one", agent="bob")
    assert hooks.context("UserPromptSubmit")
    (kept,) = Path(f"{cli.path}-hooks").iterdir()
    target = cli.folder / "precious"
    target.write_text("precious")
    kept.unlink()
    os.symlink(target, kept)
    assert hooks.blocked()  # kept in the user's folder
    assert target.read_text() == "precious"


def test_many_hooks_of_one_session_at_once_tell_once(cli: Cli, hooks: Hooks) -> None:
    cli.send("alice", "one", agent="bob")
    told = hooks.told("PostToolUse", tool_name="Bash")
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "hubbub", "hook", "claude"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=hooks.env,
            cwd=cli.folder,
        )
        for _ in range(6)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(told)
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=DEADLINE)[0] for process in started]
    assert sum(map(bool, said)) == 1


def test_old_memories_are_removed_when_a_session_starts(cli: Cli, hooks: Hooks) -> None:
    folder = Path(f"{cli.path}-hooks")
    folder.mkdir()
    old, new = folder / "alice.claude.1.json", folder / "alice.claude.2.json"
    for path in (old, new):
        path.write_text("{}")
    os.utime(old, (1, 1))
    hooks.context("SessionStart")
    assert not old.exists()
    assert new.exists()


def test_a_memory_keeps_so_many_messages(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/bus.db"
    known = memory.recall(url, "alice", "claude", "S")
    assert known is not None
    with known:
        known.tell([f"m{number}:0" for number in range(memory.KEPT + 10)])
        assert known.save()
    known = memory.recall(url, "alice", "claude", "S")
    assert known is not None
    with known:
        assert known.untold(["m9:0", "m10:0", f"m{memory.KEPT + 9}:0"]) == ["m9:0"]


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for number in range(1500):
        folders.log(f"{number} " + "x" * 1000 + "\n\x1b[2J")
    files = sorted(path for path in (tmp_path / "hubbub").iterdir())
    assert [path.name for path in files] == ["hooks.log", "hooks.log.1"]
    assert all(path.stat().st_size <= folders.LOG_MAX + 1000 for path in files)
    assert "\x1b" not in files[0].read_text()
    assert files[0].read_text().splitlines()[-1].split()[2] == "1499"
