"""project and step as whole processes: planning work, doing it, and looking at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.faces.cli_support import DEADLINE, Cli, ageless
from tests.faces.test_cli_care import complete
from tests.faces.work_support import hq_database, plan, step, take, unclaimed


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


# --- the cycle -----------------------------------------------------------------------------------------


def test_a_project_from_plan_to_completion(cli: Cli) -> None:
    made = plan(cli)
    assert made.out.startswith("Created parser (j")
    assert made.out.endswith(") with 3 steps.\n")
    assert cli.run("project").out.endswith("active, 3 steps: 1 ready, 2 waiting\n")

    first = cli.run("step", "claim", "parser", "--start", agent="alice")
    assert "in_progress, attempt 1  Grammar\n" in first.out
    assert "  Instructions:\n    Write it down.\n    All of it.\n" in first.out
    assert "  Acceptance:\n    It is unambiguous.\n" in first.out
    assert "renew it before with: hubbub step beat" in first.out
    beaten = cli.run("step", "beat", "--notes", "half", agent="alice")
    assert unclaimed(beaten.out).startswith("Renewed parser/1: Grammar; its lease ends in 5 min")
    done = cli.run(
        "step", "done", "--commit", "c1", "--file", "g.md", "--result", "It has 40 rules.", agent="alice"
    )
    assert (
        unclaimed(done.out)
        == "Completed parser/1: Grammar.\nparser: 3 steps: 1 completed, 1 ready, 1 waiting.\n"
    )
    assert step(cli, "parser/1")["files_modified"] == ["g.md"]
    assert step(cli, "parser/1")["notes"] == "half"

    second = cli.run("step", "claim", agent="bob").out
    assert "  Branch: lexer\n  Files: src/lexer/**\n" in second
    assert "    1 Grammar: completed, commit c1\n      Result:\n        It has 40 rules.\n" in second
    begun = cli.run("step", "start", "--worktree", "../lexer", "--json", agent="bob").json
    assert (begun["step"]["status"], begun["attempt"]["worktree"]) == ("in_progress", "../lexer")
    assert cli.run("step", "done", agent="bob").status == 0
    waiting = cli.run("step", "claim", "--json", agent="bob")
    assert (waiting.status, waiting.json["reason"]) == (4, "blocked")  # it is to be merged first
    merged = cli.run("step", "merged", "parser/2", "--commit", "m2", agent="alice")
    assert merged.out.startswith("Merged parser/2: Lexer.\n")
    assert take(cli, "--scope", "core", agent="bob")["step"]["num"] == 3
    last = cli.run("step", "done", agent="bob")
    assert last.out.endswith("parser is completed: 3 steps: 1 merged, 2 completed.\n")
    over = cli.run("step", "claim", "parser", agent="bob")
    assert (over.status, over.out.partition(":")[0]) == (4, "Nothing to claim (all_done)")


def test_showing_a_project_and_its_steps(cli: Cli) -> None:
    plan(cli)
    cli.run(
        "project", "edit", "parser", "--base", "1f3c2ab", "--description", "Reads programs.", agent="alice"
    )
    take(cli, agent="bob")
    shown = ageless(cli.run("project", "show", "parser").out)
    assert "  Base: 1f3c2ab\n  Created: AGO by alice\n" in shown
    assert "  Description:\n    Reads programs.\n" in shown
    lines = shown.splitlines()[-3:]
    assert lines[0].startswith("  1  claimed      Grammar  (bob, lease ends in ")
    assert lines[1] == "  2  not_started  Lexer  (needs 1; 1 not met)"
    assert lines[2] == "  3  not_started  Parser  (needs 2 (merged); 1 not met, scope core)"
    assert [each["num"] for each in cli.run("project", "show", "parser", "--json").json["steps"]] == [1, 2, 3]
    part = cli.run("project", "show", "parser", "--limit", "2").out
    assert "3 in all; the rest: hubbub step list parser --after " in part
    after = part.rpartition(" ")[2].strip()
    assert cli.run("step", "list", "parser", "--after", after).out.startswith("parser/3  not_started  Parser")
    assert cli.run("step", "list", "--status", "claimed").out.startswith("parser/1  claimed")
    assert cli.run("step", "list", "parser", "--ready").out == "No step is ready.\n"


def test_changing_a_plan_while_it_runs(cli: Cli) -> None:
    plan(cli)
    take(cli, agent="bob")
    added = cli.run(
        *("step", "add", "parser", "Docs", "--needs", "1", "--needs", "2:merged:cancel", "--path", "docs/**"),
        *("--resource", "gpu", "--attempts", "2", "--time-limit", "90m", "--priority", "7", "--num", "9"),
        *("--instructions", "@@see", "--json"),
        agent="alice",
    ).json["steps"][0]
    assert (added["num"], added["priority"], added["max_attempts"]) == (9, 7, 2)
    assert added["time_limit_seconds"] == 5400
    assert added["needs"] == [{"num": 1}, {"num": 2, "until": "merged", "on_failure": "cancel"}]
    assert step(cli, "parser/9")["instructions"] == "@see"
    needs = cli.run("step", "needs", "parser/9", "--add", "3", "--remove", "1", agent="alice")
    assert needs.out.endswith(": Docs; not_started, needs 2 (merged, else cancel), 3.\n")
    edited = cli.run("step", "edit", "parser/9", "--title", "Manual", "--path", "", "--delay", "1h", "--json")
    assert (edited.status, edited.json["error"]["code"]) == (5, "NO_AGENT_NAME")
    edited = cli.run(
        "step",
        "edit",
        "parser/9",
        "--title",
        "Manual",
        "--path",
        "",
        "--delay",
        "1h",
        "--json",
        agent="alice",
    )
    assert "paths" not in edited.json["step"]
    assert "not_before" in edited.json["step"]
    undelayed = cli.run("step", "edit", "parser/9", "--delay", "0", "--json", agent="alice").json["step"]
    assert "not_before" not in undelayed
    split = cli.run("step", "split", "parser/9", "Tutorial", "Reference", agent="alice")
    assert split.out == "In its place there are 2 steps now: 10, 11.\n"
    assert step(cli, "parser/9")["status"] == "cancelled"
    many = cli.run(
        "step", "add", "parser", "--steps", "-", agent="alice", stdin=b'{"steps": ["A", "B", "C"]}'
    )
    assert many.out == "Added 3 steps to parser: 12, 13, 14.\n"


def test_a_key_makes_a_project_and_a_step_once(cli: Cli) -> None:
    for _ in range(2):
        assert cli.run("project", "create", "p", "--key", "k1", agent="alice").status == 0
        assert cli.run("step", "add", "p", "once", "--key", "k2", agent="alice").status == 0
    assert len(cli.run("step", "list", "--json").json["steps"]) == 1
    other = cli.run("project", "create", "P", agent="alice")
    assert (other.status, other.code) == (1, "PROJECT_EXISTS")


def test_a_resource_is_had_by_as_many_as_its_limit_says(cli: Cli) -> None:
    plan(cli, *({"title": title, "resources": ["gpu"]} for title in ("A", "B", "C")))
    take(cli, agent="bob")
    held = cli.run("step", "claim", "--json", agent="bob")
    assert (held.status, held.json["reason"]) == (4, "held")
    assert cli.run("step", "limit", "gpu", "2", agent="alice").out == "2 steps at a time may have gpu.\n"
    assert take(cli, agent="bob")["step"]["num"] == 2
    assert cli.run("step", "claim", agent="bob").status == 4
    refused = cli.run("step", "limit", "gpu", "0", agent="alice")
    assert (refused.status, refused.code) == (2, "INVALID_ARGUMENT")


def test_pausing_and_going_on(cli: Cli) -> None:
    plan(cli)
    assert cli.run("project", "pause", "parser", agent="alice").out == "Paused parser.\n"
    assert cli.run("project", "list", "--state", "active").out == "No active projects.\n"
    nothing = cli.run("step", "claim", "parser", agent="bob")
    assert (nothing.status, nothing.out[:26]) == (4, "Nothing to claim (paused):")
    assert cli.run("project", "resume", "parser", agent="alice").out.startswith("parser is active: 3 steps")
    assert take(cli, agent="bob")["step"]["num"] == 1


@pytest.mark.parametrize(("typed", "state"), [(b"n\n", "active"), (b"\n", "active"), (b"y\n", "aborted")])
def test_an_abort_asks_a_person(cli: Cli, typed: bytes, state: str) -> None:
    plan(cli)
    take(cli, agent="bob")
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "hubbub", "--as", "alice", "project", "abort", "parser"],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env=cli.env,
        )
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 4096)
        assert b"This aborts parser: 3 steps will be cancelled, 1 of them in hand." in asked
        os.write(ours, typed)
        assert process.wait(DEADLINE) == (0 if state == "aborted" else 1)
    finally:
        os.close(ours)
        os.close(theirs)
    assert cli.run("project", "show", "parser", "--json").json["project"]["state"] == state


def test_an_abort_without_a_terminal_needs_yes(cli: Cli) -> None:
    plan(cli)
    refused = cli.run("project", "abort", "parser", agent="alice")
    assert (refused.status, refused.code) == (6, "CONFIRMATION_NEEDED")
    assert "the rest comes back with a resume" in refused.err
    done = cli.run("project", "abort", "parser", "--yes", agent="alice")
    assert done.out == "Aborted parser: 3 steps: 3 cancelled.\n"
    back = cli.run("project", "resume", "parser", agent="alice")
    assert back.out == "parser is active: 3 steps: 1 ready, 2 waiting.\n"


# --- looking -------------------------------------------------------------------------------------------


def test_explaining_and_showing_a_step(cli: Cli) -> None:
    plan(cli)
    ready = cli.run("step", "explain", "parser/1").out
    assert ready.startswith("parser/1 can be claimed now: hubbub step claim --step s")
    told = cli.run("step", "explain", "parser/3").out.splitlines()
    assert told[0] == "parser/3 can't be claimed now:"
    assert told[1].startswith("  need      It needs step 2 (Lexer) to be merged; that one is not_started.  s")
    blockers = cli.run("step", "explain", "parser/3", "--json").json
    assert (blockers["ready"], blockers["blockers"][0]["kind"]) == (False, "need")
    take(cli, "--step", "parser/1", agent="bob")
    cli.run("step", "fail", "no disk", "--class", "environment", "--notes", "try /mnt", agent="bob")
    shown = ageless(cli.run("step", "show", "parser/1").out)
    assert "    1 by bob, failed (environment) AGO: no disk\n      Notes:\n        try /mnt\n" in shown
    assert "  In the way: It rests until " in shown


def test_the_graph_in_its_forms(cli: Cli) -> None:
    plan(cli)
    text = cli.run("step", "graph", "parser").out
    assert "Longest chain of open steps, 3: 1 -> 2 -> 3\nWave 1\n *[ ] 1  Grammar  ready\n" in text
    as_json = cli.run("step", "graph", "parser", "--json").json
    assert (as_json["waves"], as_json["longest_chain"]) == ([[1], [2], [3]], [1, 2, 3])
    assert as_json["steps"][0]["holds_up"] == 2
    mermaid = cli.run("step", "graph", "parser", "--format", "mermaid").out
    assert "  s2 -->|merged| s3\n" in mermaid
    picture = cli.run("step", "graph", "parser", "--format", "svg")
    assert ElementTree.fromstring(picture.out).tag.endswith("svg")
    wrote = cli.run("step", "graph", "parser", "-o", "p.svg")
    assert wrote.out == f"Wrote {cli.folder / 'p.svg'}: 3 steps.\n"
    assert (cli.folder / "p.svg").read_text() == picture.out
    again = cli.run("step", "graph", "parser", "-o", "p.svg")
    assert (again.status, again.code) == (1, "EXPORT_FAILED")
    assert cli.run("step", "graph", "parser", "-o", "p.svg", "--format", "text", "--force").status == 0
    assert (cli.folder / "p.svg").read_text() == text
    picture_file = cli.run("step", "graph", "parser", "-o", "p.png")
    assert (picture_file.status, picture_file.code) == (2, "USAGE")
    assert "A name that ends in .svg, .mmd, .mermaid, .txt says how" in picture_file.err
    assert not (cli.folder / "p.png").exists()
    assert cli.run("step", "graph", "parser", "-o", "p.png", "--format", "svg").status == 0
    for name, begins in (("p.txt", "parser (active)"), ("p.mmd", "flowchart"), ("plain", "parser (active)")):
        assert cli.run("step", "graph", "parser", "-o", name).status == 0
        assert begins in (cli.folder / name).read_text()
    wrong = cli.run("step", "graph", "parser", "--format", "svgg")
    assert (wrong.status, wrong.code) == (2, "INVALID_ARGUMENT")


def test_ten_thousand_steps_are_planned_and_drawn(cli: Cli) -> None:
    steps = [
        {"title": f"Step {num}", "needs": [num - 1] if num % 10 != 1 else []} for num in range(1, 10_001)
    ]
    plan(cli, *steps, name="big")
    drawn = cli.run("step", "graph", "big")
    assert drawn.out.count("\n") < 60
    assert "10000 steps, 10 waves" in drawn.out
    refused = cli.run(
        "step", "add", "big", "--steps", "-", agent="alice", stdin=json.dumps(["x"] * 10_001).encode()
    )
    assert (refused.status, refused.code) == (2, "INVALID_ARGUMENT")


def test_figures_and_events(cli: Cli) -> None:
    plan(cli)
    take(cli, agent="bob")
    cli.run("step", "done", agent="bob")
    figures = cli.run("project", "metrics", "parser", "--json").json
    assert (figures["by_agent"], figures["steps"]["completed"], figures["attempts"]) == ({"bob": 1}, 1, 1)
    told = cli.run("project", "metrics").out
    assert "Steps:     3 steps: 1 completed, 1 ready, 1 waiting\n" in told
    assert "Agent bob: 1 step completed\n" in told
    events = cli.run("project", "events", "parser", "--step", "1", "--agent", "bob", "--json").json["events"]
    assert [(event["event"], event["step_name"]) for event in events] == [
        ("step_claimed", "parser/1"),
        ("step_completed", "parser/1"),
    ]
    claimed = next(each for each in events if each["event"] == "step_claimed")
    assert claimed["detail"]["lease_until"].endswith("Z")
    assert (
        f'"lease_until": "{claimed["detail"]["lease_until"]}"' in cli.run("project", "events", "parser").out
    )
    newest = cli.run("project", "events", "parser", "--limit", "1").out
    assert "step_completed       bob  parser/1  attempt 1\n" in newest
    assert cli.run("project", "events", "parser", "--step", "3", "--agent", "bob").out.startswith("Nothing")
    logged = cli.run("log", "--step", "parser/1", "--event", "step_claimed", "--json").json["events"]
    assert [event["actor"] for event in logged] == ["bob"]
    whole = cli.run("log", "--project", "parser", "--json").json["events"]
    assert [event["event"] for event in whole].count("step_added") == 3


def test_who_and_status_tell_who_has_what(cli: Cli) -> None:
    assert "Work:" not in cli.run("status").out
    plan(cli, "A", "B")
    take(cli, agent="bob")
    take(cli, agent="bob")
    assert "  Has the steps parser/1, parser/2\n" in cli.run("who").out
    agents = {agent["name"]: agent for agent in cli.run("who", "--json").json["agents"]}
    assert [held["step"] for held in agents["bob"]["steps"]] == ["parser/1", "parser/2"]
    assert "steps" not in agents["alice"]
    assert "  parser/1: claimed, lease ends in " in cli.run("status", "bob").out
    assert cli.run("status", "alice", "--json").json["steps"] == []
    assert "Work:    1 active project; 2 steps: 2 claimed\n" in cli.run("status").out
    assert cli.run("status", "--json").json["projects"] == {
        "active": 1,
        "steps": {"claimed": 2, "total": 2},
    }


def test_what_others_wrote_can_not_pass_for_more_than_it_is(cli: Cli) -> None:
    plan(cli, {"title": "x", "instructions": "one\x1b[31m\nparser/2  s2  Token: forged\r\n\x07end"})
    shown = cli.run("step", "claim", agent="bob").out
    assert not any(control in shown for control in ("\x1b", "\x07", "\r"))
    assert "\n    parser/2  s2  Token: forged\n" in shown
    for words in (["step", "add", "parser", "a\x1b[2Jb"], ["project", "create", "a\nb"]):
        refused = cli.run(*words, agent="alice")
        assert (refused.status, "\x1b" in refused.err) == (2, False)


# --- plans as files ------------------------------------------------------------------------------------


def test_a_plan_goes_to_a_file_and_comes_back(cli: Cli) -> None:
    plan(cli)
    take(cli, agent="bob")
    cli.run("step", "done", "--commit", "c1", agent="bob")
    printed = cli.run("project", "export", "parser")
    wrote = cli.run("project", "export", "parser", "-o", "plan.json")
    assert wrote.out.startswith(f"Wrote {cli.folder / 'plan.json'}: ")
    assert (cli.folder / "plan.json").read_text() == printed.out
    assert cli.run("project", "export", "parser", "-o", "plan.json").code == "EXPORT_FAILED"
    again = cli.run("project", "import", "-", "--name", "two", agent="alice", stdin=printed.raw)
    assert again.out.endswith("): 3 steps: 1 ready, 2 waiting.\n")
    assert cli.run("project", "export", "two").out.replace('"two"', '"parser"') == printed.out
    full = cli.run("project", "export", "parser", "-o", "all.json", "--results", "--json").json
    assert full["form"] == "json"
    kept = cli.run("project", "import", "all.json", "--name", "three", "--keep-done", "--json", agent="alice")
    assert (kept.json["project"]["steps"]["completed"], kept.json["steps"]) == (1, 3)
    assert step(cli, "three/1")["commit_hash"] == "c1"
    taken = cli.run("project", "import", "all.json", agent="alice")
    assert (taken.status, taken.code) == (1, "PROJECT_EXISTS")


def test_a_file_that_is_no_plan_is_refused(cli: Cli) -> None:
    (cli.folder / "large.json").write_bytes(b"[" + "é".encode() * 3_000_000)
    (cli.folder / "list.json").write_text('["x"]')
    (cli.folder / "latin.json").write_bytes(b'["\xe9"]')
    for words, status, code in (
        (["large.json"], 2, "INVALID_ARGUMENT"),
        (["latin.json"], 2, "INVALID_ARGUMENT"),
        (["none.json"], 3, "NOT_FOUND"),
        (["bus.db"], 2, "IMPORT_INVALID"),
        (["bus.db", "--keep-done"], 2, "USAGE"),
        (["-", "--again"], 2, "USAGE"),
        (["-"], 2, "IMPORT_INVALID"),
        (["list.json"], 2, "IMPORT_INVALID"),  # it has no name
        (["list.json", "--format", "toml"], 2, "INVALID_ARGUMENT"),
    ):
        done = cli.run("project", "import", *words, agent="alice")
        assert (words, done.status, done.code) == (words, status, code)
    assert cli.run("project").out == "No projects.\n"
    unknown = cli.run("project", "export", "parser")
    assert (unknown.status, unknown.code) == (3, "PROJECT_NOT_FOUND")


def test_what_hq_holds_is_taken_over_once(cli: Cli) -> None:
    hq_database(cli.folder / "hq.db")
    made = cli.run("project", "import", "hq.db", agent="alice")
    assert made.status == 0, made.err
    told = "): 3 steps: 1 completed, 1 ready, 1 waiting; 1 in hand there can be claimed here."
    assert told in made.out
    assert made.out.endswith("Not imported: 1 event.\n")
    again = cli.run("project", "import", "hq.db", agent="alice")
    assert again.out.startswith("There was nothing to import.\ncompiler was imported before")
    other = cli.run(
        "project", "import", "hq.db", "--again", "--projects", "compiler", "--json", agent="alice"
    )
    assert other.json["projects"][0]["handed_on"] == 1
    taken = take(cli, "compiler", agent="bob")
    assert (taken["step"]["branch"], taken["base_commit"]) == ("parser", "abc123")
    assert taken["earlier_attempts"][0]["worktree"] == "/wt"
    unknown = cli.run("project", "import", "hq.db", "--projects", "none", agent="alice")
    assert (unknown.status, unknown.code) == (3, "PROJECT_NOT_FOUND")


# --- help and completion -------------------------------------------------------------------------------


def test_help_of_the_families(cli: Cli) -> None:
    assert "  recover  take a step back" in cli.run("step", "--help").out
    assert "usage: hubbub reserve [OPTION ...] GLOB ..." in cli.run("reserve", "--help").out
    assert cli.run("reserve", "help").out == cli.run("help", "reserve").out == cli.run("reserve", "-h").out
    mistyped = cli.run("step", "clam")
    assert (mistyped.status, mistyped.code) == (2, "USAGE")
    assert "Did you mean step claim?" in mistyped.err


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hubbub project s", {"show"}),
        ("hubbub project show p", {"parser"}),
        ("hubbub step claim ", {"parser"}),
        ("hubbub log --project ", {"parser"}),
        ("hubbub project create ", {""}),
        ("hubbub step re", {"release", "retry", "recover"}),
        ("hubbub step fail x --class r", {"rate_limited"}),
        ("hubbub step graph parser --format m", {"mermaid"}),
        ("hubbub project list --state a", {"active", "aborted"}),
        ("hubbub reserve ch", {"check"}),
        ("hubbub reserve check --j", {"--json"}),
    ],
)
def test_bash_completes_work(cli: Cli, line: str, offered: set[str]) -> None:
    plan(cli, "x")
    assert complete(cli, line) == offered - {""}
