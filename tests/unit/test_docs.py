"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hubbub
from hubbub.errors import HubbubError
from hubbub.faces.cli import catalogue, main
from hubbub.faces.cli.arguments import parse
from tests.contract.test_states import STATES, TABLE

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["errors.md", "tools.md", "commands.md"])
def test_reference_pages_are_what_the_code_says(name: str) -> None:
    written = (DOCS / "reference" / name).read_text()
    assert written == _generator().PAGES[name](), "stale: run make docs"


def test_the_table_of_states_is_the_one_that_the_stores_are_held_to() -> None:
    rows = {}
    for line in (DOCS / "reference" / "states.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == len(STATES) + 1 and cells[0] in TABLE:
            rows[cells[0]] = tuple(cells[1:])
    assert rows == TABLE


def test_the_diagram_of_states_shows_every_transition_and_no_other() -> None:
    page = (DOCS / "reference" / "states.md").read_text()
    drawn = set(re.findall(r"^    (\w+) --> (\w+):", page, re.M))
    real = {(state, row[column]) for row in TABLE.values() for column, state in enumerate(STATES)}
    moves = {
        (before, after) for before, after in real if before != after and after in STATES and after != "purged"
    }
    assert drawn == moves | {("leased", "dead")}  # the fifth hand-out, which the table's rows say in words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_decision_is_listed() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text()
    for page in (DOCS / "decisions").glob("0*.md"):
        assert page.name in listed


_KEYWORDS = ("while", "until", "if", "then", "do", "else", "!")


def _simple_commands(page: Path) -> list[list[str]]:
    """The words of each hubbub command in a page's blocks, and in its tables of commands, without what the
    shell makes of the rest."""
    found, text = [], page.read_text()
    blocks = re.findall(r"^ *```(console|text|sh)\n(.*?)```", text, re.M | re.S)
    for table in re.findall(r"^\| command \| \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.M):
        blocks.append(("text", "\n".join(re.findall(r"^\| `([^`]+)` \|", table, re.M)) + "\n"))
    for kind, block in blocks:
        # What a shell would fill in could be anything: a number is good for most.
        for line in re.sub(r'"[^"\n]*\$\([^()\n]*\)"|\$\w+', "1", block).splitlines():
            if kind == "console" and not line.lstrip().startswith("$ "):
                continue  # what a command printed
            lexer, words = shlex.shlex(line, posix=True, punctuation_chars=True), list[str]()
            lexer.whitespace_split = True
            for word in [*lexer, ";"]:
                if re.fullmatch(r"[();<>|&]+", word):
                    if words[:1] == ["hubbub"]:
                        found.append(words[1:])
                    words = []
                elif words or (word not in _KEYWORDS and word != "$" and "=" not in word):
                    words.append(word)
    return found


def _of_the_command(words: list[str]) -> tuple[str, list[str]]:
    """The name of a command, of one word or two, and its arguments."""
    before, name, after = main._split(words)
    if name not in catalogue.FAMILIES:
        return name, before + after
    more, action, rest = main._split(after)
    name, taken = catalogue.resolve(name, action)
    return name, before + (more + rest if taken else after)


def test_every_command_in_the_pages_is_one_that_the_command_line_takes() -> None:
    pages = [page for page in PAGES if page.name != "commands.md"]  # whose overview is no command
    commands = [(page.name, words) for page in pages for words in _simple_commands(page)]
    assert len(commands) > 80
    for page, words in commands:
        name, arguments = _of_the_command(words)
        try:
            parse(name, arguments, lambda _: None)
        except HubbubError as error:
            pytest.fail(f"{page}: hubbub {shlex.join(words)}: {error.message}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_comment_stands_behind_a_command(page: Path) -> None:
    """An interactive zsh takes it for arguments."""
    for block in re.findall(r"^ *```(?:console|text|sh)\n(.*?)```", page.read_text(), re.M | re.S):
        for line in block.splitlines():
            assert not re.match(r"(\$ )?(hubbub|make|python|pip|git|kill) .*\s# ", line), line


def _steps(page: Path) -> list[tuple[str, list[str]]]:
    """The commands of a page's console blocks, and what each should print."""
    steps: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.S):
        for line in block.rstrip("\n").split("\n"):
            if line.startswith("$ "):
                steps.append((line[2:], []))
            elif steps:
                steps[-1][1].append(line)
    return steps


def _masked(text: str) -> str:
    text = re.sub(r"\b[mpt]\d[0-9a-z]{5,8}\b", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "DATE", text)
    text = re.sub(r"\b(just now|\d+ (ms|s|min) ago|\d+ (ms|s))\b", "TIME", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize("name", ["first-exchange.md", "review-loop.md"])
def test_a_tutorial_works_as_printed(name: str, tmp_path: Path) -> None:
    """Every command of the tutorial in one shell, with the output that the page shows."""
    steps = _steps(DOCS / "tutorials" / name)
    assert len(steps) > 12
    (tmp_path / "hubbub").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hubbub "$@"\n')
    (tmp_path / "hubbub").chmod(0o700)
    script = [f"cd '{tmp_path}'"]
    for number, (command, _) in enumerate(steps):
        # In braces, and on lines of their own: a command may end in & or be an exec.
        script += ["{", command, f"}} > out-{number} 2>&1", f"echo $? > status-{number}"]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "dumb"}
    env["HUBBUB_SEMANTIC"] = "off"  # what it adds depends on how far it has come
    subprocess.run(["bash", "-c", "\n".join(script)], env=env, check=True, timeout=60)
    for number, (command, shown) in enumerate(steps):
        printed = (tmp_path / f"out-{number}").read_text()
        assert int((tmp_path / f"status-{number}").read_text()) == 0, f"{command}\n{printed}"
        if shown:
            assert _masked(printed) == _masked("\n".join(shown)), command


def test_the_commands_of_the_readme_work(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    block = re.search(r"## Two minutes by hand\n\n```console\n(.*?)```", text, re.S)
    assert block is not None
    commands = [line[2:] for line in block.group(1).splitlines()]
    (tmp_path / "hubbub").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hubbub "$@"\n')
    (tmp_path / "hubbub").chmod(0o700)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = "\n".join(["set -e", f"cd '{tmp_path}'", *commands])
    subprocess.run(["bash", "-c", script], env=env, check=True, timeout=60, capture_output=True)


def test_the_python_sample_of_topics_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = re.findall(r"```python\n(.*?)```", (DOCS / "how-to" / "scripts.md").read_text(), re.S)[1]
    monkeypatch.setenv("HUBBUB_BUS", f"sqlite://{tmp_path}/bus.db")
    with hubbub.connect() as bus:
        for name in ("builder", "nightly"):
            bus.agents.register(name)
        builder, nightly = bus.agents.attach("builder"), bus.agents.attach("nightly")
        bus.topics.create(builder, "builds")
        bus.topics.sync(builder, "builds", (bus.topics.post("good morning"),))
        done = subprocess.run([sys.executable, "-c", sample], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        (report,) = bus.topics.sync(builder, "builds").messages
        assert report.body == "Nightly build is green."
        assert done.stdout == f"1 builder: good morning\n{report.id} {report.body}\n"
        assert bus.topics.sync(nightly, "builds").cursor == 2


def test_the_python_sample_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "how-to" / "scripts.md").read_text()
    sample = re.search(r"```python\n(.*?)```", page, re.S)
    assert sample is not None
    monkeypatch.setenv("HUBBUB_BUS", f"sqlite://{tmp_path}/bus.db")
    with hubbub.connect() as bus:
        bus.agents.register("builder")
        bus.agents.register("nightly")
        bus.mail.send(bus.agents.attach("builder"), bus.mail.draft("nightly", "good morning"))
        done = subprocess.run(
            [sys.executable, "-c", sample.group(1)], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "good morning\n", "")
        assert [d.message.body for d in bus.mail.peek("builder").deliveries] == ["Nightly build is green."]
        assert bus.agents.get("nightly").queued + bus.agents.get("nightly").leased == 0
