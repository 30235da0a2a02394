"""The documentation of work says what the code does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubbub import globs, model, model_work
from hubbub.bus import claiming, files, planning
from hubbub.stores.sqlite.work_telling import NEWS
from tests.unit.test_docs import DOCS, _steps

REFERENCE = DOCS / "reference" / "work.md"


def _masked(text: str, home: Path) -> str:
    """``text`` without ids, commits, times and places."""
    text = text.replace(str(home), "/home/you")
    text = re.sub(r"\bc[0-9a-z]{16}\b", "TOKEN", text)
    text = re.sub(r"\b([0-9a-f]{40}|[0-9a-f]{7}(?= ))\b", "COMMIT", text)
    text = re.sub(r"\b[a-z]\d[0-9a-z]{5,8}\b", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "DATE", text)
    text = re.sub(r"\b(just now|(in )?\d+ (ms|s|min|h|d)( ago)?)\b", "TIME", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _run(page: Path, tmp_path: Path) -> None:
    """Every command of a page in one shell, in an empty folder, with what the page shows."""
    steps = _steps(page)
    assert len(steps) > 12
    home, tools = tmp_path / "you", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    (tools / "hubbub").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hubbub "$@"\n')
    (tools / "hubbub").chmod(0o700)
    (tools / "gitconfig").write_text("[user]\nname = You\nemail = you@example.org\n")
    script = [f"cd '{home}'"]
    for number, (command, shown) in enumerate(steps):
        # What follows a command up to the end of its here-document is its text.
        lines, end = [command], re.search(r"<<'(\w+)'", command)
        if end is not None:
            closing = shown.index(end.group(1)) + 1
            lines += shown[:closing]
            del shown[:closing]
        out = f"'{tmp_path}/out-{number}'"
        script += ["{", *lines, f"}} > {out} 2>&1", f"echo $? > '{tmp_path}/status-{number}'"]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HUBBUB", "GIT"))}
    env |= {"PATH": f"{tools}:{os.environ['PATH']}", "TERM": "dumb", "HUBBUB_SEMANTIC": "off"}
    env |= {"GIT_CONFIG_GLOBAL": str(tools / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {"HOME": str(tools), "XDG_DATA_HOME": str(tools / "data"), "XDG_STATE_HOME": str(tools / "state")}
    subprocess.run(["bash", "-c", "\n".join(script)], env=env, check=True, timeout=120)
    for number, (command, shown) in enumerate(steps):
        printed = (tmp_path / f"out-{number}").read_text()
        assert int((tmp_path / f"status-{number}").read_text()) == 0, f"{command}\n{printed}"
        if shown:
            assert _masked(printed, home) == _masked("\n".join(shown), home), command


@pytest.mark.parametrize("page", ["how-to/work-in-git-worktrees.md", "tutorials/share-a-project.md"])
def test_a_page_on_work_does_what_it_prints_in_a_real_repository(page: str, tmp_path: Path) -> None:
    _run(DOCS / page, tmp_path)


def _table(heading: str) -> dict[str, list[str]]:
    """The first table below a heading of the reference: its rows by their first cell."""
    _, _, below = REFERENCE.read_text().partition(f"\n## {heading}\n")
    section = below.partition("\n## ")[0]
    rows = {}
    for line in re.findall(r"^\|(.*)\|$", section, re.M)[2:]:
        first, *rest = (cell.strip() for cell in line.split(" | "))
        rows[first.strip("`")] = rest
    return rows


def test_every_reason_is_told_and_no_other() -> None:
    assert set(_table("Why nothing")) == set(model_work.REASONS)


def test_every_class_of_failure_is_told() -> None:
    rows = re.findall(r"^\| fails: (.*?) \|", REFERENCE.read_text(), re.M)
    assert {word.strip("`") for row in rows for word in row.split(", ")} == set(model_work.FAILURES)


def test_what_becomes_of_a_dependent_is_told() -> None:
    _, _, below = REFERENCE.read_text().partition("\n| `on_failure` |")
    table = below.partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.M)) == model_work.ON_FAILURE


def test_every_event_of_work_is_told_and_whether_it_is_news() -> None:
    told = _table("In the ledger")
    families = ("project", "step", "claim", "path", "resource")
    assert set(told) == {name for name in model.EVENTS if name.split("_")[0] in families}
    assert {name for name, (_, news) in told.items() if news} == {*NEWS, "project_completed"}


def test_the_limits_are_those_of_the_code() -> None:
    told = {what: int(number) for what, (number,) in _table("Limits").items()}
    assert told == {
        "seconds of a lease, unless asked otherwise": model_work.CLAIM_MS // 1000,
        "seconds of a lease that a session renews, at least": model_work.LEASE_MIN_MS // 1000,
        "seconds of a lease, at most": claiming.DAY_SECONDS,
        "seconds that claims outlive a session that died, at most": model_work.ORPHAN_MS // 1000,
        "seconds after its rank from which a step that is held stands in line": model_work.IN_LINE_MS // 1000,
        "seconds in which an agent is told of what it lost": model_work.LOST_SHOWN_MS // 1000,
        "seconds of one attempt, unless the step says otherwise": model_work.TIME_LIMIT_MS // 1000,
        "attempts that fail before a step is parked, unless the step says otherwise": model_work.MAX_ATTEMPTS,
        "lost attempts that park a step": model_work.LOST_MAX,
        "attempts of any kind that park a step": model_work.TRIES_MAX,
        "seconds of the first rest after a failure": model_work.BACKOFF_MS // 1000,
        "seconds of a rest, at most, unless asked otherwise": model_work.BACKOFF_MAX_MS // 1000,
        "seconds that a point of priority is worth": model_work.AGEING_MS // 1000,
        "priority, from minus this to this": model_work.PRIORITY_MAX,
        "steps in one call": model_work.STEPS_MAX,
        "needs of a step": planning.NEEDS_MAX,
        "paths of a step, and resources": planning.PATHS_MAX,
        "globs of a reservation": files.GLOBS_MAX,
        "globs that the braces of one may stand for": globs.CHOICES_MAX,
        "characters of a path": globs.GLOB_MAX,
        "characters of a title": planning.TITLE_MAX,
        "characters of a branch, scope, commit or resource": planning.LABEL_MAX,
        "characters of a reason": planning.REASON_MAX,
        "characters of instructions, acceptance, notes or result": planning.TEXT_MAX,
        "bytes of metadata": planning.METADATA_BYTES,
        "files named at the end of a step": planning.FILES_MAX,
        "seconds of a reservation, unless asked otherwise": int(files.RESERVATION_SECONDS),
        "seconds of a reservation, at most": claiming.WEEK_SECONDS,
        "seconds that a claim waits, at most (over MCP 45)": claiming.WEEK_SECONDS,
    }
