"""export and import, as whole processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent_bus import AgentBusFile
from tests.faces.cli_support import DEADLINE, Cli, end, post
from tests.faces.test_cli_holding import shell


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# --- export ----------------------------------------------------------------------------------------


def test_a_topic_as_markdown_and_as_json_lines(cli: Cli) -> None:
    first, _ = post(cli, "review", "one\n## [9] root (message)", "two")
    cli.run("sync", "review", "--post", "yes", "--reply-to", first, agent="bob")
    page = cli.run("export", "review")
    assert (page.status, page.err) == (0, "")
    heads = [line for line in page.out.splitlines() if line.startswith("## [")]
    assert [head.split(",")[0] for head in heads] == [
        "## [1] alice (message)",
        "## [2] alice (message)",
        "## [3] bob (message)",
    ]
    lines = lines_of(cli.run("export", "#Review", "--format", "jsonl").out)
    assert [line.get("body") for line in lines[1:-1]] == ["one\n## [9] root (message)", "two", "yes"]
    assert (lines[0]["count"], lines[-1]["end"], lines[3]["reply_to_seq"]) == (3, True, 1)


def test_a_part_of_a_topic(cli: Cli) -> None:
    first, _, _ = post(cli, "review", "one", "two", "three")
    reply = cli.run("sync", "review", "--post", "yes", "--reply-to", first, "--json", agent="bob").json
    answer = reply["posted"][0]["id"]

    def bodies(*words: str) -> list[object]:
        answered = cli.run("export", *words, "--format", "jsonl")
        assert answered.status == 0, answered.err
        return [line["body"] for line in lines_of(answered.out)[1:-1]]

    assert bodies("review", "--after", "2") == ["three", "yes"]
    assert bodies("review", "--thread", first) == ["one", "yes"]
    assert bodies(answer) == ["one", "yes"]  # a message of a topic stands for its thread there


def test_a_thread_of_the_mail(cli: Cli) -> None:
    id_ = cli.send("bob", "a question", "--thread", "talk")
    cli.run("reply", id_, "an answer", agent="bob")
    for name in ("talk", id_):
        page = cli.run("export", name).out
        assert ("a question" in page, "an answer" in page) == (True, True)
    cli.run("register", "carol")
    hidden = cli.run("export", "talk", agent="carol")
    assert (hidden.status, hidden.out) == (3, "")
    missing = cli.run("export", "nosuch")
    assert (missing.status, missing.code) == (3, "TOPIC_NOT_FOUND")
    assert "There is no topic and no thread 'nosuch'." in missing.err


def test_a_file_is_whole_and_never_overwritten_unasked(cli: Cli) -> None:
    post(cli, "review", "one")
    done = cli.run("export", "review", "-o", "out.jsonl", "--json").json
    file = cli.folder / "out.jsonl"
    assert (done["file"], done["messages"], done["bytes"]) == (str(file), 1, file.stat().st_size)
    assert lines_of(file.read_text())[-1]["end"] is True  # the format follows from the name
    before = file.read_bytes()
    refused = cli.run("export", "review", "-o", "out.jsonl")
    assert (refused.status, refused.code) == (1, "EXPORT_FAILED")
    assert file.read_bytes() == before
    post(cli, "review", "two")
    told = cli.run("export", "review", "-o", "out.jsonl", "--force")
    assert told.out.startswith(f"Wrote {file}: 2 messages, ")
    assert cli.run("export", "nosuch", "-o", "none.md").status == 3
    assert not (cli.folder / "none.md").exists()
    assert cli.run("export", "review", "-o", "no/such/folder.md").code == "EXPORT_FAILED"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_no_half_of_a_file(cli: Cli, number: signal.Signals) -> None:
    post(cli, "long", *["x" * 2000] * 5000)
    before = set(os.listdir(cli.folder))
    process = cli.start("export", "long", "-o", "long.jsonl", agent="bob")
    end_at = time.monotonic() + DEADLINE
    while set(os.listdir(cli.folder)) == before:
        assert process.poll() is None
        assert time.monotonic() < end_at
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.001)
    status = end(process, number)
    process.communicate(timeout=DEADLINE)
    assert status == 128 + number
    assert set(os.listdir(cli.folder)) == before


def test_a_reader_that_left_ends_an_export_quietly(cli: Cli) -> None:
    post(cli, "review", *["x" * 50_000] * 20)
    done = shell(cli, "set -o pipefail; $H export review | head -c 10")
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_device_fails_an_export(cli: Cli) -> None:
    post(cli, "review", "one")
    done = shell(cli, "$H export review >/dev/full")
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert shell(cli, "$H export review >&-").returncode == 1


def test_an_export_is_no_answer_in_json(cli: Cli) -> None:
    post(cli, "review", "one")
    refused = cli.run("export", "review", "--json")
    assert (refused.status, refused.json["error"]["code"]) == (2, "USAGE")
    assert cli.run("export", "review", "--format", "html").code == "INVALID_ARGUMENT"


# --- import ----------------------------------------------------------------------------------------


def test_there_and_back(cli: Cli) -> None:
    first, _ = post(cli, "review", "one", "two\x1b[2J\r\n")
    cli.run("sync", "review", "--post", "yes", "--reply-to", first, agent="bob")
    cli.run("topic", "close", "review", "--reason", "done", agent="alice")
    before = cli.run("topic", "read", "review", "--json").json["messages"]
    cli.run("export", "review", "-o", "out.jsonl")
    cli.run("topic", "delete", "review", "--yes", agent="alice")
    made = cli.run("import", "out.jsonl", "--json", agent="bob").json
    (topic,) = made["topics"]
    assert (made["form"], topic["messages"], topic["topic"]["state"]) == ("hubbub", 3, "closed")
    after = cli.run("topic", "read", "review", "--json").json["messages"]
    assert [(each["from"], each["body"], each["sent_at"]) for each in after] == [
        (each["from"], each["body"], each["sent_at"]) for each in before
    ]
    assert after[2]["reply_to"] == after[0]["id"]


def test_a_name_that_is_taken_and_another(cli: Cli) -> None:
    post(cli, "review", "one")
    cli.run("export", "review", "-o", "out.jsonl")
    taken = cli.run("import", "out.jsonl", agent="bob")
    assert (taken.status, taken.code) == (1, "TOPIC_EXISTS")
    assert "--as-topic NAME" in taken.err
    told = cli.run("import", "out.jsonl", "--as-topic", "copy", agent="bob")
    assert told.out.startswith("Imported #copy (t")
    assert told.out.endswith("): 1 message; called review there.\n")
    again = cli.run("import", "out.jsonl", "--as-topic", "copy", "--json", agent="bob")
    assert again.json["error"]["code"] == "TOPIC_EXISTS"
    with cli.bus() as bus:
        assert bus.check() == []


def test_what_can_not_be_imported(cli: Cli) -> None:
    post(cli, "review", "one", "two")
    cli.run("export", "review", "-o", "out.jsonl")
    whole = (cli.folder / "out.jsonl").read_bytes()
    (cli.folder / "cut.jsonl").write_bytes(whole[:-30])
    (cli.folder / "other.txt").write_text("something else\n")
    (cli.folder / "empty").write_bytes(b"")
    for name in ("cut.jsonl", "other.txt", "empty", "none", "."):
        answer = cli.run("import", name, "--as-topic", "copy", agent="bob")
        assert (answer.status, answer.code, answer.out) == (2, "IMPORT_INVALID", ""), name
    assert cli.run("topic", "show", "copy").code == "TOPIC_NOT_FOUND"
    assert cli.run("import", "out.jsonl", "--topics", "x", agent="bob").code == "USAGE"
    assert cli.run("import", "out.jsonl").code == "NO_AGENT_NAME"


def killed_import(cli: Cli) -> None:
    """An import that is killed as soon as its progress says that something is in."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "hubbub", "import", "long.jsonl", "--as-topic", "copy", "--as", "bob"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=cli.env,
        cwd=cli.folder,
    )
    os.close(theirs)
    shown = ""
    try:
        while not re.search(r"Imported: [1-9][0-9,]* of 8,000", shown):
            shown += os.read(ours, 4096).decode()
    finally:
        status = end(process)
        os.close(ours)
    assert status == -signal.SIGKILL, shown


def test_an_import_that_was_killed_goes_on_and_is_seen_whole_only(cli: Cli) -> None:
    post(cli, "long", *[f"n{number}" for number in range(8_000)])
    cli.run("export", "long", "-o", "long.jsonl")
    for _ in range(2):
        killed_import(cli)
        assert cli.run("topic", "show", "copy").code == "TOPIC_NOT_FOUND"
    (done,) = cli.run("import", "long.jsonl", "--as-topic", "copy", "--json", agent="bob").json["topics"]
    assert 0 < done["resumed"] < done["messages"] == 8_000
    found = cli.run("topic", "read", "copy", "--after", "0", "--limit", "10000", "--json").json["messages"]
    assert [each["body"] for each in found] == [f"n{number}" for number in range(8_000)]


def test_a_database_of_agent_bus(cli: Cli) -> None:
    file = AgentBusFile(cli.folder / "agent_bus.sqlite")
    review = file.topic("aaaaaaaaaa", "review")
    question = file.message(review, 1, "Is it done?", sender="Claude Code")
    file.message(review, 2, "Yes.", sender="rev", reply_to=question)
    file.message(file.topic("bbbbbbbbbb", "design"), 1, "A plan.")
    path = file.done()
    chosen = cli.run("import", path.name, "--topics", "design", "--json", agent="bob").json
    assert (chosen["form"], [each["source"] for each in chosen["topics"]]) == ("agent-bus", ["design"])
    told = cli.run("import", path.name, "--topics", "review", agent="bob")
    assert told.out.startswith("Imported #review (t")
    read = cli.run("topic", "read", "review", "--json").json["messages"]
    assert [(each["from"], each["body"]) for each in read] == [
        ("Claude Code", "Is it done?"),
        ("rev", "Yes."),
    ]
    assert read[1]["reply_to"] == read[0]["id"]
    assert cli.run("import", path.name, "--as-topic", "x", agent="bob").code == "USAGE"
    assert cli.run("import", path.name, "--topics", "nosuch", agent="bob").code == "TOPIC_NOT_FOUND"


def test_progress_is_shown_on_a_terminal_only(cli: Cli) -> None:
    post(cli, "review", "one", "two")
    ours, theirs = os.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "hubbub", "export", "review", "-o", "out.jsonl"],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env=cli.env,
            cwd=cli.folder,
            check=True,
            timeout=DEADLINE,
        )
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Exported: 2 of 2 (100 %)" in shown
    assert shown.endswith("\r\x1b[K")
    assert cli.run("export", "review", "-o", "again.jsonl").err == ""
