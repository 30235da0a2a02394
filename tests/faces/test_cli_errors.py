"""Wrong usage, wrong names, and a bus that can't be used: a code, a hint, an exit status, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from hubbub.faces.cli.arguments import parse
from tests.faces.cli_support import Answer, Cli

NOBODY = 65534


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


USAGE = [
    (["send"], "USAGE"),
    (["send", "bob", "x", "extra"], "USAGE"),
    (["frobnicate"], "USAGE"),
    (["--frobnicate"], "USAGE"),
    (["receive", "--limit", "many"], "USAGE"),
    (["receive", "--limit", "0"], "INVALID_ARGUMENT"),
    (["receive", "--wait", "nan"], "INVALID_ARGUMENT"),
    (["receive", "--wait", "inf"], "INVALID_ARGUMENT"),
    (["receive", "--wait", "-1"], "INVALID_ARGUMENT"),
    (["receive", "--lease", "0"], "INVALID_ARGUMENT"),
    (["receive", "--priority", "high"], "INVALID_ARGUMENT"),
    (["send", "Bob", "x"], "INVALID_NAME"),
    (["send", "../etc", "x"], "INVALID_NAME"),
    (["send", "bob,,", "x"], "INVALID_NAME"),
    (["send", "b" * 300, "x"], "INVALID_NAME"),
    (["send", "bоb", "x"], "INVALID_NAME"),  # the o is Cyrillic
    (["send", "*,bob", "x"], "INVALID_ARGUMENT"),
    (["send", "bob", ""], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "-p", "high"], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "-k", "Not A Kind"], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "-s", "s" * 301], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "--metadata", "{"], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "--metadata", "[1]"], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "--metadata", "null"], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "--metadata", '{"n": NaN}'], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "--metadata", "[" * 100_000], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "--ttl", "-1"], "INVALID_ARGUMENT"),
    (["send", "bob", "x", "--key", "a\nb"], "INVALID_ARGUMENT"),
    (["send", "bob", b"not \xff utf-8"], "INVALID_ARGUMENT"),
    (["send", "bob", "@"], "USAGE"),
    (["send", "bob", "@."], "INVALID_ARGUMENT"),
    (["ack"], "USAGE"),
    (["ack", "m1abcde", "--delay", "5"], "USAGE"),
    (["ack", ","], "INVALID_ARGUMENT"),
    (["log", "--since", "yesterday"], "INVALID_ARGUMENT"),
    (["log", "--event", "message_snt"], "INVALID_ARGUMENT"),
    (["log", "--limit", "0"], "INVALID_ARGUMENT"),
    (["thread", "x", "--limit", "0"], "INVALID_ARGUMENT"),
    (["dead", "bury"], "INVALID_ARGUMENT"),
    (["dead", "retry"], "USAGE"),
    (["dead", "retry", "m1abcde", "--all"], "USAGE"),
    (["dead", "show"], "USAGE"),
    (["dead", "list", "m1abcde"], "USAGE"),
    (["register", "Not Valid"], "INVALID_NAME"),
    (["register", "dave", "--role", "boss"], "INVALID_ARGUMENT"),
    (["register", "dave", "--inbox-limit", "0"], "INVALID_ARGUMENT"),
    (["register", "dave", "--max-message-bytes", "999999999"], "INVALID_ARGUMENT"),
    (["unregister", "bob", "--release-name", "--delete-mail"], "USAGE"),
    (["completion", "tcsh"], "USAGE"),
    (["who", "--bus", "http://somewhere/"], "INVALID_BUS_URL"),
    (["who", "--as", "Not Valid", "--bus"], "USAGE"),
    (["receive", "--as", "No Name"], "INVALID_NAME"),
]


@pytest.mark.parametrize(("words", "code"), USAGE, ids=lambda value: str(value)[:40])
def test_wrong_usage_exits_2_with_a_code(cli: Cli, words: list[Any], code: str) -> None:
    answer = cli.run(*words, agent="alice")
    assert (answer.status, answer.code, answer.out) == (2, code, "")
    with cli.bus() as bus:
        assert bus.info().messages == 0


NOT_FOUND = [
    (["send", "bbo", "x"], "UNKNOWN_RECIPIENT", "bob"),
    (["send", "bob,bbo", "x"], "UNKNOWN_RECIPIENT", "bob"),
    (["send", "bob", "@no-such-file"], "NOT_FOUND", "@@"),
    (["send", "bob", "x", "--reply-to", "m1abcde"], "MESSAGE_NOT_FOUND", "typos"),
    (["reply", "m1abcde", "x"], "MESSAGE_NOT_FOUND", "typos"),
    (["ack", "m1abcde"], "MESSAGE_NOT_FOUND", "typos"),
    (["ack", "nonsense"], "MESSAGE_NOT_FOUND", "typos"),
    (["thread", "no-such-thread"], "THREAD_NOT_FOUND", "Name a thread"),
    (["status", "bbo"], "UNKNOWN_AGENT", "bob"),
    (["status", "m1abcde"], "MESSAGE_NOT_FOUND", "typos"),
    (["peek", "--agent", "bbo"], "UNKNOWN_AGENT", "bob"),
    (["log", "--message", "m1abcde"], "MESSAGE_NOT_FOUND", "typos"),
    (["dead", "show", "m1abcde"], "MESSAGE_NOT_FOUND", "typos"),
    (["dead", "retry", "m1abcde"], "MESSAGE_NOT_FOUND", "typos"),
    (["dead", "purge", "m1abcde", "--yes"], "MESSAGE_NOT_FOUND", "typos"),
    (["unregister", "bbo"], "UNKNOWN_AGENT", "bob"),
    (["unregister", "bbo", "--delete-mail"], "UNKNOWN_AGENT", "bob"),
    (["unregister", "bbo", "--release-name"], "UNKNOWN_AGENT", "bob"),
]


@pytest.mark.parametrize(("words", "code", "hint"), NOT_FOUND, ids=lambda value: str(value)[:40])
def test_what_does_not_exist_exits_3_and_names_the_nearest(
    cli: Cli, words: list[str], code: str, hint: str
) -> None:
    answer = cli.run(*words, agent="alice")
    assert (answer.status, answer.code, answer.out) == (3, code, "")
    assert hint in answer.err.splitlines()[1]
    as_json = cli.run(*words, "--json", agent="alice")
    assert as_json.status == 3
    assert as_json.err == ""
    assert as_json.json["error"]["code"] == code
    assert hint in as_json.json["error"]["hint"]


def test_an_error_in_words_and_in_json(cli: Cli) -> None:
    words = ["send", "bbo", "x"]
    assert cli.run(*words, agent="alice").err == (
        "hubbub: No agent is called bbo; nothing was sent. [UNKNOWN_RECIPIENT]\n  Did you mean bob?\n"
    )
    assert cli.run(*words, "--json", agent="alice").json == {
        "error": {
            "code": "UNKNOWN_RECIPIENT",
            "message": "No agent is called bbo; nothing was sent.",
            "hint": "Did you mean bob?",
            "details": {"recipient": "bbo"},
        }
    }
    usage = cli.run("--json", "send")
    assert (usage.status, usage.json["error"]["code"]) == (2, "USAGE")
    option = cli.run("send", "bob", "x", "--subjet", "y", "--json")
    assert option.json["error"]["hint"] == "Did you mean --subject? Run: hubbub send --help"
    unknown = cli.run("recieve", "--json")
    assert unknown.json["error"]["hint"] == "Did you mean receive?"


def test_whose_turn_it_is_exits_5(cli: Cli) -> None:
    cli.run("register", "carol")
    id_ = cli.send("bob", "x")
    cli.run("register", "herald", "--role", "publisher")
    for words, agent, code in (
        (["receive"], None, "NO_AGENT_NAME"),
        (["send", "bob", "x"], None, "NO_AGENT_NAME"),
        (["receive"], "dave", "NOT_REGISTERED"),
        (["send", "bob", "x"], "dave", "NOT_REGISTERED"),
        (["ack", id_], "carol", "NOT_YOUR_MESSAGE"),
        (["reply", id_, "x"], "carol", "NOT_YOUR_MESSAGE"),
        (["status", id_], "carol", "NOT_YOUR_MESSAGE"),
        (["receive"], "herald", "ROLE_FORBIDS"),
    ):
        answer = cli.run(*words, agent=agent)
        assert (answer.status, answer.code) == (5, code), words
    assert "hubbub register dave" in cli.run("receive", agent="dave").err
    assert cli.state(id_, "bob") == ("queued", 0)


def test_what_the_state_of_things_forbids_exits_1(cli: Cli) -> None:
    cli.run("register", "herald", "--role", "publisher")
    id_ = cli.send("bob", "x")
    for words, agent, code in (
        (["send", "herald", "x"], "alice", "NO_INBOX"),
        (["ack", "--release", id_], "bob", "NOT_LEASED"),
        (["dead", "retry", id_], None, "NOT_DEAD"),
        (["dead", "show", id_], None, "NOT_DEAD"),
    ):
        answer = cli.run(*words, agent=agent)
        assert (answer.status, answer.code) == (1, code), words


def test_bodies_that_no_inbox_takes(cli: Cli) -> None:
    cases = [
        (b"x" * (11 << 20), "MESSAGE_TOO_LARGE"),
        (b"x" * ((1 << 20) + 1), "MESSAGE_TOO_LARGE"),
        (b"\xff\xfe binary", "INVALID_ARGUMENT"),
        (b"", "INVALID_ARGUMENT"),
    ]
    for data, code in cases:
        (cli.folder / "body").write_bytes(data)
        for answer in (
            cli.run("send", "bob", "@body", agent="alice"),
            cli.run("send", "bob", "-", agent="alice", stdin=data[: 5 << 20]),
        ):
            assert (answer.status, answer.code) == (2, code), data[:20]
    assert cli.run("peek", agent="bob").status == 4


def test_a_bound_of_the_recipients_own(cli: Cli) -> None:
    cli.run("register", "bob", "--max-message-bytes", "10")
    assert cli.run("send", "bob", "ten bytes!", agent="alice").status == 0
    refused = cli.run("send", "bob", "eleven byte", agent="alice")
    assert (refused.status, refused.code) == (2, "MESSAGE_TOO_LARGE")
    assert "send its path" in refused.err


def test_a_name_in_the_environment_that_cannot_be(cli: Cli) -> None:
    answer = cli.run("receive", env={"HUBBUB_AGENT": "Alice B."})
    assert (answer.status, answer.code) == (2, "INVALID_NAME")
    assert "Try alice-b" in answer.err


def test_a_path_that_can_hold_no_bus(cli: Cli) -> None:
    (cli.folder / "text.db").write_text("This is no database, but it is long enough to look like one. " * 99)
    before = (cli.folder / "text.db").read_bytes()
    (cli.folder / "plain").write_text("")
    other = str(cli.folder / "other.db")
    theirs = apsw.Connection(other)
    theirs.execute("CREATE TABLE t(x)")
    theirs.close()
    newer = str(cli.folder / "newer.db")
    assert cli.run("register", "alice", "--bus", newer).status == 0
    made = apsw.Connection(newer)
    made.pragma("user_version", made.pragma("user_version") + 1)
    made.close()
    for path, code in (
        (str(cli.folder), "BUS_UNUSABLE"),
        (str(cli.folder / "text.db"), "BUS_NOT_HUBBUB"),
        (other, "BUS_NOT_HUBBUB"),
        (newer, "BUS_NEWER"),
    ):
        for words in (["who"], ["send", "bob", "x"], ["receive"], ["doctor"]):
            answer = cli.run(*words, "--json", "--bus", path, agent="alice")
            assert answer.status == 6, (words, path, answer.out, answer.err)
            if words != ["doctor"]:
                assert answer.json["error"]["code"] == code, (words, path)
            else:
                assert answer.json["result"] == "problem"
    assert (cli.folder / "text.db").read_bytes() == before
    under_a_file = ["--bus", str(cli.folder / "plain" / "bus.db")]
    assert cli.run("register", "alice", *under_a_file).code == "BUS_UNUSABLE"
    assert cli.run("who", *under_a_file).code == "BUS_NOT_FOUND"
    assert cli.run("doctor", *under_a_file).status == 6


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="hubbub-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


AS_NOBODY = f"""
import difflib, importlib, os, pkgutil, hubbub
for module in pkgutil.walk_packages(hubbub.__path__, "hubbub."):
    if module.name.startswith(("hubbub.faces.cli", "hubbub.stores", "hubbub.bus", "hubbub.bells")):
        importlib.import_module(module.name)  # this user may not be able to read the interpreter's files
hubbub.faces.cli.arguments.build_parser("send").format_help()
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
hubbub.faces.cli.main.run()
"""


def without_rights(cli: Cli, *words: str) -> Answer:
    """Run a command as a user who may only read the bus."""
    program = ("-c", AS_NOBODY) if os.geteuid() == 0 else ("-m", "hubbub")
    return cli.run(*words, agent="alice", program=program)


def test_a_bus_that_may_not_be_written(shared: Path) -> None:
    cli = Cli(shared, "alice", "bob")
    for name in os.listdir(shared):
        path = shared / name
        path.chmod(0o555 if path.is_dir() else 0o444)
    shared.chmod(0o555)
    try:
        answer = without_rights(cli, "send", "bob", "x")
        assert (answer.status, answer.code) == (6, "BUS_READ_ONLY"), answer.err
    finally:
        shared.chmod(0o755)


def test_a_folder_in_which_no_bus_can_be_made(shared: Path) -> None:
    cli = Cli(shared)
    shared.chmod(0o555)
    try:
        answer = without_rights(cli, "register", "alice")
        assert (answer.status, answer.code) == (6, "BUS_UNUSABLE"), answer.err
    finally:
        shared.chmod(0o755)


def test_a_configuration_that_cannot_be_read_needs_a_person(cli: Cli) -> None:
    (cli.folder / ".hubbub.toml").write_text("buss = 'x'\n")
    answer = cli.run("who", env={"HUBBUB_BUS": ""})
    assert (answer.status, answer.code) == (6, "INVALID_CONFIG")
    assert "Did you mean bus?" in answer.err


def test_a_fault_in_the_program_is_one_line_and_a_traceback_only_on_request(cli: Cli) -> None:
    # A module of the same name that can't work stands in for a fault.
    broken = cli.folder / "broken"
    broken.mkdir()
    (broken / "apsw.py").write_text("raise RuntimeError('spoilt\\x1b[2J')\n")
    path = f"{broken}{os.pathsep}{cli.env['PYTHONPATH']}"
    answer = cli.run("who", env={"PYTHONPATH": path})
    assert (answer.status, answer.code) == (1, "INTERNAL")
    assert len(answer.err.splitlines()) == 2
    assert "\x1b" not in answer.err
    as_json = cli.run("who", "--json", env={"PYTHONPATH": path})
    assert as_json.json["error"]["code"] == "INTERNAL"
    with pytest.raises(AssertionError, match="Traceback"):
        cli.run("who", env={"PYTHONPATH": path, "HUBBUB_DEBUG": "1"})


def test_errors_in_json_are_the_one_answer(cli: Cli) -> None:
    for words in (["receive", "--json"], ["dead", "show", "m1abcde", "--json"], ["--json", "status", "x y"]):
        answer = cli.run(*words)
        assert answer.err == ""
        assert set(json.loads(answer.out)) == {"error"}


@pytest.mark.parametrize(
    "words",
    [
        ["who", "--bus", ""],
        ["--bus", "", "who"],
        ["--bus=", "who"],
        ["who", "--as", ""],
        ["--as", "", "receive"],
        ["receive", "--as="],
        ["mcp", "--agent", ""],
        ["--as"],
        ["--bus"],
        ["--json", "--no-color", "--bus"],
    ],
)
def test_an_option_without_its_value_does_not_choose_the_default(cli: Cli, words: list[str]) -> None:
    answer = cli.run(*words, agent="alice")
    assert answer.status == 2
    if "--json" in words:
        assert answer.json["error"]["code"] == "USAGE"
    else:
        assert (answer.code, answer.out) == ("USAGE", "")


def test_a_body_that_begins_with_a_dash(cli: Cli) -> None:
    for words in (["send", "bob", "-xhello"], ["send", "bob", "--++--"], ["send", "bob", "-zzz"]):
        answer = cli.run(*words, agent="alice")
        assert (answer.status, answer.code) == (2, "USAGE"), words
        hint = 'Put -- before a text that begins with a dash: hubbub send bob -- "-hello"'
        assert answer.err.splitlines()[1].strip() == hint
    refused = cli.run("reply", "m1abcde", "-no", agent="alice")
    assert refused.err.endswith('hubbub reply ID -- "-hello"\n')
    assert "--" not in cli.run("send", "bob", "x", "extra", agent="alice").err.replace("--help", "")
    assert cli.run("send", "bob", "--", "-hello", agent="alice").status == 0
    assert cli.run("receive", "--json", agent="bob").json["messages"][0]["body"] == "-hello"


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["send", "--", "bob", "-x"], {"to": "bob", "body": "-x"}),
        (["send", "bob", "--json", "--", "-x"], {"to": "bob", "body": "-x", "json": True}),
        (["search", "--", "crash", "-fixed"], {"query": ["crash", "-fixed"]}),
        (["search", "--", "-fixed", "crash"], {"query": ["-fixed", "crash"]}),
        (["search", "crash", "--topic", "t", "--", "-fixed", "--jso"], {"topic": "t", "json": False}),
        (["send", "--", "bob", "--json is an option"], {"to": "bob", "body": "--json is an option"}),
        (["topic delete", "--", "-x"], {"topic": "-x"}),
    ],
)
def test_words_behind_two_dashes_are_no_options(words: list[str], values: dict[str, object]) -> None:
    given = vars(parse(words[0], words[1:], lambda _: None))
    assert {name: given[name] for name in values} == values


def test_a_value_that_begins_with_a_dash(cli: Cli) -> None:
    refused = cli.run("sync", "review", "--post", "-x", agent="alice")
    assert (refused.status, refused.code) == (2, "USAGE")
    assert "--post=-x" in refused.err


BUSLESS = [
    ["send", "bob", "x"],
    ["receive"],
    ["receive", "--wait", "5"],
    ["reply", "m1abcde", "x"],
    ["ack", "m1abcde"],
    ["peek"],
    ["thread", "m1abcde"],
    ["log"],
    ["log", "--follow"],
    ["who"],
    ["status"],
    ["dead"],
    ["dead", "retry", "--all"],
    ["unregister", "bob"],
    ["backup"],
]


@pytest.mark.parametrize("words", BUSLESS, ids=" ".join)
def test_only_registering_makes_a_bus(cli: Cli, words: list[str]) -> None:
    folder = cli.folder / "elsewhere"
    path = folder / "none.db"
    answer = cli.run(*words, "--bus", str(path), agent="alice")
    assert (answer.status, answer.code, answer.out) == (3, "BUS_NOT_FOUND", "")
    assert f"no bus at sqlite://{path} yet (named by --bus)" in answer.err
    assert "hubbub register NAME" in answer.err
    assert not folder.exists()


def test_registering_makes_the_bus(cli: Cli) -> None:
    path = str(cli.folder / "elsewhere" / "new.db")
    assert cli.run("register", "alice", "--bus", path).status == 0
    assert cli.run("who", "--bus", path).out.startswith("alice ")


def test_an_event_that_there_is_not(cli: Cli) -> None:
    answer = cli.run("log", "--event", "nosuch")
    assert "'nosuch' is not a kind of event." in answer.err


def test_one_is_singular(cli: Cli) -> None:
    cli.run("register", "bob", "--inbox-limit", "1")
    assert "Inbox: up to 1 message of " in cli.run("status", "bob").out
