"""backup, doctor, completion, help and version, as whole processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

import hubbub
from hubbub.faces.cli.arguments import build_parser
from hubbub.faces.cli.catalogue import COMMANDS
from tests.faces.cli_support import DEADLINE, Cli, end
from tests.needs import missing


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


# --- backup ----------------------------------------------------------------------------------------


def test_a_backup_is_a_bus_and_leaves_nothing_else(cli: Cli, tmp_path: Path) -> None:
    id_ = cli.send("bob", "kept")
    target = tmp_path / "copies"
    target.mkdir()
    answer = cli.run("backup", "copies/one.db", "--json").json
    copy = target / "one.db"
    assert answer == {"file": str(copy), "bytes": copy.stat().st_size, "checked": True}
    assert os.listdir(target) == ["one.db"]
    assert copy.stat().st_mode & 0o077 == 0
    got = cli.run("receive", "--json", "--bus", str(copy), agent="bob").json
    assert got["messages"][0]["id"] == id_
    assert cli.state(id_, "bob") == ("queued", 0)


def test_a_backup_has_a_name_of_its_own_and_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    text = cli.run("backup", cwd=folder).out
    (name,) = os.listdir(folder)
    assert name.startswith("hubbub-")
    assert name.endswith(".db")
    assert text.startswith(f"Wrote {folder / name}: ")
    before = (folder / name).read_bytes()
    refused = cli.run("backup", name, cwd=folder)
    assert (refused.status, refused.code) == (1, "BACKUP_FAILED")
    assert (folder / name).read_bytes() == before
    assert cli.run("backup", "no/such/folder.db").code == "BACKUP_FAILED"


# --- doctor ----------------------------------------------------------------------------------------


def levels(cli: Cli, *words: str, agent: str | None = None) -> tuple[int, dict[str, str]]:
    answer = cli.run("doctor", "--json", *words, agent=agent)
    found: dict[str, str] = {}
    for check in answer.json["checks"]:
        if found.get(check["check"]) != "problem":
            found[check["check"]] = check["level"]
    return answer.status, found


def test_a_healthy_bus(cli: Cli) -> None:
    cli.env["HOME"] = str(cli.folder)  # where no client is set up
    status, found = levels(cli, agent="alice")
    assert status == 0
    assert set(found.values()) == {"ok"}
    assert set(found) == {
        "program",
        "bus",
        "disk",
        "rights",
        "writers",
        "engine",
        "integrity",
        "agents",
        "mail",
        "agent",
        "bells",
        "clients",
    }
    text = cli.run("doctor")
    assert text.status == 0
    assert f"{cli.url}, named by HUBBUB_BUS" in text.out


def test_rights_that_are_too_wide_are_found_and_corrected(cli: Cli) -> None:
    cli.path.chmod(0o644)
    status, found = levels(cli)
    assert (status, found["rights"]) == (6, "problem")
    assert "hubbub doctor --fix" in cli.run("doctor").out
    status, found = levels(cli, "--fix")
    assert (status, found["rights"]) == (0, "ok")
    assert cli.path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_can_write_is_a_problem(cli: Cli) -> None:
    cli.folder.chmod(0o777)
    assert levels(cli)[0] == 6
    assert levels(cli, "--fix")[0] == 0
    assert cli.folder.stat().st_mode & 0o777 == 0o755


def test_a_damaged_bus_needs_a_person(cli: Cli) -> None:
    for number in range(3):
        cli.send("bob", f"{number} " * 500)
    with cli.bus() as bus:
        bus.backup(str(cli.folder / "copy.db"))
    data = bytearray((cli.folder / "copy.db").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    (cli.folder / "copy.db").write_bytes(data)
    answer = cli.run("doctor", "--json", "--bus", "copy.db")
    assert (answer.status, answer.json["result"]) == (6, "problem")


def test_wrong_counts_need_a_person(cli: Cli) -> None:
    cli.send("bob", "x")
    db = apsw.Connection(str(cli.path))
    db.execute("UPDATE agents SET queued = queued + 7")
    db.close()
    status, found = levels(cli)
    assert (status, found["integrity"]) == (6, "problem")


def test_dead_letters_full_inboxes_and_lost_sessions_are_worth_a_look(cli: Cli) -> None:
    cli.run("register", "bob", "--inbox-limit", "1")
    cli.send("bob", "x", "--ttl", "5")
    assert levels(cli)[1]["mail"] == "warning"
    with cli.bus(later=6) as bus:
        bus.mail.peek("bob")
    process = cli.hold("alice")
    end(process)
    process.communicate(timeout=DEADLINE)
    answer = cli.run("doctor")
    assert answer.status == 0
    assert "1 dead letter" in answer.out
    assert "the process is gone of alice" in answer.out


def test_a_name_that_is_invalid_or_not_registered(cli: Cli) -> None:
    assert levels(cli, agent="Not Valid") == (6, {**levels(cli)[1], "agent": "problem"})
    answer = cli.run("doctor", agent="dave")
    assert answer.status == 6
    assert "hubbub register dave" in answer.out


def test_doctor_makes_no_bus(cli: Cli) -> None:
    status, found = levels(cli, "--bus", "none.db")
    assert (status, found["file"]) == (0, "warning")
    assert not (cli.folder / "none.db").exists()


def test_what_is_no_bus_is_left_alone(cli: Cli) -> None:
    other = cli.folder / "other.db"
    theirs = apsw.Connection(str(other))
    theirs.execute("CREATE TABLE t(x)")
    theirs.close()
    (cli.folder / "text.db").write_text("This is no database, but it is long enough to look like one. " * 99)
    (cli.folder / "empty.db").write_bytes(b"")
    os.mkfifo(cli.folder / "fifo.db")
    cli.folder.chmod(0o777)
    for name, level in (("other", 6), ("text", 6), ("empty", 0), ("fifo", 6)):
        path = cli.folder / f"{name}.db"
        path.chmod(0o666)
        before = path.stat()
        for words in (["doctor"], ["doctor", "--fix"]):
            answer = cli.run(*words, "--json", "--bus", str(path))
            assert answer.status == level, (words, answer.out)
            assert "rights" not in {check["check"] for check in answer.json["checks"]}
        after = path.stat()
        assert (after.st_mode, after.st_mtime_ns, after.st_size) == (
            before.st_mode,
            before.st_mtime_ns,
            before.st_size,
        )
    assert cli.folder.stat().st_mode & 0o777 == 0o777


def test_a_device_is_no_bus(cli: Cli) -> None:
    answer = cli.run("doctor", "--fix", "--json", "--bus", os.devnull)
    assert answer.status == 6
    assert "is not a regular file" in answer.out
    assert os.stat(os.devnull).st_mode & 0o666 == 0o666
    assert not os.path.exists(f"{os.devnull}-queue")


def test_files_of_like_names_are_not_the_buss_own(cli: Cli) -> None:
    notes = cli.folder / "bus.db-notes.txt"
    notes.write_text("for all to read")
    notes.chmod(0o644)
    assert levels(cli, "--fix")[0] == 0
    assert notes.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user_is_not_changed(cli: Cli) -> None:
    cli.path.chmod(0o644)
    os.chown(cli.path, 65534, 65534)
    status, found = levels(cli, "--fix")
    assert (status, found["rights"]) == (6, "problem")
    assert cli.path.stat().st_mode & 0o777 == 0o644


def test_a_bus_behind_a_link_is_mended_itself(cli: Cli) -> None:
    link = cli.folder / "link.db"
    link.symlink_to(cli.path)
    cli.path.chmod(0o640)
    assert levels(cli, "--bus", str(link))[0] == 6
    assert levels(cli, "--fix", "--bus", str(link))[0] == 0
    assert cli.path.stat().st_mode & 0o777 == 0o600


def test_a_process_that_holds_the_turn_to_write_is_named_as_the_problem(cli: Cli) -> None:
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
        answer = cli.run("doctor", "--json")
    finally:
        end(holder)
        holder.communicate(timeout=DEADLINE)
    assert answer.status == 6
    (problem,) = [check for check in answer.json["checks"] if check["level"] == "problem"]
    assert problem["check"] == "writers"
    assert f"fuser -v {cli.path}" in problem["fix"]
    assert levels(cli)[0] == 0


# --- completion --------------------------------------------------------------------------------------


def complete(cli: Cli, line: str) -> set[str]:
    """What real bash would offer at the end of ``line``."""
    folder = cli.folder / "bin"
    folder.mkdir(exist_ok=True)
    command = folder / "hubbub"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hubbub "$@"\n')
    command.chmod(0o755)
    script = """
    eval "$(hubbub completion bash)"
    read -ra COMP_WORDS <<< "$LINE"
    [[ $LINE == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
    _hubbub
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**cli.env, "LINE": line, "PATH": f"{folder}{os.pathsep}{cli.env['PATH']}"},
        cwd=cli.folder,
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stderr == b""
    return set(done.stdout.decode().split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hubbub re", {"receive", "reply", "request", "register", "reserve"}),
        ("hubbub --as al", {"alice"}),
        ("hubbub send ", {"alice", "bob"}),
        ("hubbub --as alice send b", {"bob"}),
        ("hubbub receive --k", {"--kind", "--keep", "--key"}),
        ("hubbub send bob -k rev", {"review_request", "review_response"}),
        ("hubbub peek --priority ", {"urgent", "normal", "low"}),
        ("hubbub dead p", {"purge"}),
        ("hubbub completion ", {"bash", "zsh", "fish"}),
        ("hubbub --bus none.db send ", set()),
    ],
)
def test_bash_completes(cli: Cli, line: str, offered: set[str]) -> None:
    assert complete(cli, line) == offered
    assert not (cli.folder / "none.db").exists()


def test_bash_completes_every_command_and_option(cli: Cli) -> None:
    assert {name.split()[0] for name in COMMANDS} <= complete(cli, "hubbub ")
    for name in ("send", "log", "mcp", "sync", "search", "topic create"):
        options = {each for action in build_parser(name)._actions for each in action.option_strings}
        assert complete(cli, f"hubbub {name} -") == options


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(cli: Cli, shell: str) -> None:
    script = cli.run("completion", shell, "--json").json
    assert script["shell"] == shell
    for name in COMMANDS:
        assert all(word in script["script"] for word in name.split())
    if shutil.which(shell) is None:
        missing(f"the shell {shell}", f"install the package {shell}; its script was made, but not run")
    subprocess.run([shell, "-c", script["script"]], check=True, timeout=DEADLINE, capture_output=True)


# --- help and version ----------------------------------------------------------------------------------


def test_version(cli: Cli) -> None:
    assert cli.run("--version").out == f"hubbub {hubbub.__version__}\n"
    assert cli.run("--version", "--json").json == {"version": hubbub.__version__}


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["--json", "--help"]])
def test_help_lists_every_command(cli: Cli, words: list[str]) -> None:
    answer = cli.run(*words)
    assert (answer.status, answer.err) == (0, "")
    listed = {line.split()[0] for line in answer.out.splitlines() if line.startswith("  ") and line.strip()}
    assert {name.split()[0] for name in COMMANDS} <= listed


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_explains_itself_with_an_example(cli: Cli, name: str) -> None:
    answer = cli.run(*name.split(), "--help")
    assert (answer.status, answer.err) == (0, "")
    assert cli.run("help", *name.split()).out == answer.out
    assert answer.out.startswith(f"usage: hubbub {name} ")
    assert f"example: {COMMANDS[name].example}" in " ".join(answer.out.split())
    for each in ("--bus", "--as", "--json", "--no-color"):
        assert each in answer.out
