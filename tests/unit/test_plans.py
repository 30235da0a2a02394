"""What a plan's file may say, and what is said of one that is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.errors import HubbubError, ImportInvalid, InvalidArgument, YamlUnavailable
from hubbub.errors_work import DependencyCycle, ProjectNotFound, StepExists, StepNotFound
from hubbub.interchange.plans import PLAN_BYTES, export_plan, import_plan
from hubbub.model_work import Need
from hubbub.stores import open_store
from tests.interchange_support import ADA


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with an agent."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=ManualClock())) as opened:
        opened.agents.register("ada")
        yield opened
        assert opened.check() == []


def _wrong(bus: Bus, text: str, **options: Any) -> ImportInvalid:
    """The error of a plan that can't be taken, which changes nothing."""
    with pytest.raises(ImportInvalid) as caught:
        import_plan(bus, ADA, text, **options)
    assert bus.work.projects() == ((), None)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


BY_HAND = """
# Written by a person.
name: Parser
base_commit: "1234567"
steps:
  - title: Write the lexer
    instructions: &how |
      Test first.
      Then the code.
    paths: src/lexer/**
  - title: Write the parser
    instructions: *how
    needs: [1]
    metadata: {due: 2026-12-24, size: 1.5}
  - Say that it is done
  - description: as in hq
    branch: docs
    depends_on:
      - {num: 2, until: merged, on_failure: continue}
"""


def test_a_plan_written_by_hand(bus: Bus) -> None:
    project, steps = import_plan(bus, ADA, BY_HAND)
    assert (project.name, project.base_commit) == ("Parser", "1234567")
    assert [(step.num, step.title) for step in steps] == [
        (1, "Write the lexer"),
        (2, "Write the parser"),
        (3, "Say that it is done"),
        (4, "docs"),
    ]
    first, second, _, last = steps
    assert first.instructions == second.instructions == "Test first.\nThen the code.\n"
    assert first.paths == ("src/lexer/**",)
    assert second.metadata == {"due": "2026-12-24", "size": 1.5}
    assert (last.instructions, last.needs) == ("as in hq", (Need(2, "merged", "continue"),))


def test_steps_without_a_number_come_after_those_with_one(bus: Bus) -> None:
    text = "name: p\nsteps: [a, {title: b, num: 10, status: merged}, c, {title: d, num: '5', needs: [10]}]"
    for name, keep_done in (("p", False), ("q", True)):
        _, steps = import_plan(bus, ADA, text, name=name, keep_done=keep_done)
        assert [(step.num, step.title) for step in steps] == [(11, "a"), (10, "b"), (12, "c"), (5, "d")]


def test_a_list_of_steps_needs_a_name(bus: Bus) -> None:
    text = json.dumps(["a", {"title": "b", "needs": [1]}])
    assert _wrong(bus, text).details == {"field": "name"}
    _, steps = import_plan(bus, ADA, text, name="list")
    assert [step.title for step in steps] == ["a", "b"]
    assert import_plan(bus, ADA, "- a\n- b\n", name="yaml list")[0].counts.total == 2


def test_the_form_is_seen_or_said(bus: Bus) -> None:
    flow = "{name: flow, steps: [a, b]}"
    assert "JSON" in _wrong(bus, flow).message
    assert "form yaml" in _wrong(bus, flow).hint
    assert import_plan(bus, ADA, flow, form="yaml")[0].name == "flow"
    assert import_plan(bus, ADA, '\ufeff\n {"name": "json", "steps": []}')[0].name == "json"
    with pytest.raises(InvalidArgument):
        import_plan(bus, ADA, flow, form="toml")


STEP = "name: p\nsteps:\n- title: first\n- title: second\n  "

PLACES = {
    "priority: 1000": (5, 2, "priority"),
    "prio: 1": (5, 2, "prio"),
    "needs: [x]": (5, 2, "needs"),
    "needs:\n  - {num: 1, until: never}": (5, 2, "needs"),
    "needs:\n  - {number: 1}": (5, 2, "needs"),
    "instructions: [a]": (5, 2, "instructions"),
    "acceptance: 5": (5, 2, "acceptance"),
    "branch: 1.20": (5, 2, "branch"),
    "scope: {}": (5, 2, "scope"),
    "paths: ['a/../../b']": (5, 2, "paths"),
    "paths: 7": (5, 2, "paths"),
    "resources: ['']": (5, 2, "resources"),
    "num: 0": (5, 2, "num"),
    "num: one": (5, 2, "num"),
    "max_attempts: 0": (5, 2, "max_attempts"),
    "time_limit: 4h": (5, 2, "time_limit"),
    "time_limit: .nan": (5, 2, "time_limit"),
    "metadata: [1]": (5, 2, "metadata"),
    "metadata: {a: .inf}": (5, 2, "metadata"),
    "metadata: {a: !!binary aGk=}": (5, 2, "metadata"),
    "status: done": (5, 2, "status"),
    "depends_on: [1]\n  needs: [1]": (6, 2, "needs"),
    "outcome: {agent: bob}": (5, 2, "outcome"),
    "status: completed\n  outcome: {agent: Bob}": (6, 2, "outcome"),
    "status: completed\n  outcome: {who: bob}": (4, 2, "who"),
    "status: completed\n  outcome: {ended_at: yesterday}": (6, 2, "outcome"),
    "status: completed\n  outcome: {ended_at: '2026-01-01T00:00:00Z', claimed_at: '2026-01-02T00:00:00Z'}": (
        6,
        2,
        "outcome",
    ),
    "status: merged\n  outcome: [bob]": (6, 2, "outcome"),
    "title: second": (5, None, None),
}


@pytest.mark.parametrize("text", PLACES)
def test_an_error_names_line_step_and_field(bus: Bus, text: str) -> None:
    line, step, field = PLACES[text]
    error = _wrong(bus, STEP + text + "\n")
    assert (error.details.get("line"), error.details.get("step"), error.details.get("field")) == (
        line,
        step,
        field,
    )
    assert error.message.startswith(f"Line {line}: ")
    if field is not None:
        assert f"Step {step}, field {field}: " in error.message


@pytest.mark.parametrize("text", [text for text in PLACES if "!!" not in text and ": ." not in text])
def test_the_same_in_json_names_line_step_and_field(bus: Bus, text: str) -> None:
    import yaml

    as_json = json.dumps(yaml.safe_load(STEP + text), indent=1)  # each field is on a line of its own
    if text.startswith("title"):
        as_json = as_json.replace('"second"', '"second", "title": "twice"')
    _, step, field = PLACES[text]
    error = _wrong(bus, as_json)
    assert (error.details.get("step"), error.details.get("field")) == (step, field)
    if field is not None:
        given = as_json.splitlines()[error.details["line"] - 1].strip()
        # What is within an outcome has the line of its step.
        assert given.startswith(f'"{field}"') or (field == "who" and given == "{")
        assert error.message.startswith(f"Line {error.details['line']}: ")


HEADS = {
    "name: [p]\nsteps: []": (1, "name"),
    "name: 12\nsteps: []": (1, "name"),
    "steps: []": (None, "name"),
    "name: p\nbase_commit: 1234567\nsteps: []": (2, "base_commit"),
    "name: p\ndescription: []\nsteps: []": (2, "description"),
    "name: p\npriority: high\nsteps: []": (2, "priority"),
    "name: p\nmetadata: x\nsteps: []": (2, "metadata"),
    "name: p\nstate: closed\nsteps: []": (2, "state"),
    "name: p\nsteps: {}": (2, "steps"),
    "name: p\nsteps: a": (2, "steps"),
    "name: p": (None, "steps"),
    "name: p\nstep: []": (2, "step"),
    "format: other\nname: p\nsteps: []": (1, "format"),
    "format: hubbub-plan\nversion: 2\nname: p\nsteps: []": (2, "version"),
    "version: 1\nname: p\nsteps: []": (None, "format"),
    "name: p\nsteps:\n- 5": (3, None),
    "name: p\nsteps:\n- title: a\n-": (4, None),
    "name: p\nsteps:\n- num: 1": (3, "title"),
    "just text": (None, None),
    "5": (None, None),
    "": (None, None),
    " \n# nothing\n": (None, None),
}


@pytest.mark.parametrize("text", HEADS)
def test_what_is_wrong_with_a_plan_is_said(bus: Bus, text: str) -> None:
    error = _wrong(bus, text)
    assert (error.details.get("line"), error.details.get("field")) == HEADS[text]


def test_a_number_where_text_is_wanted_is_to_be_put_between_quotes(bus: Bus) -> None:
    assert "between quotes" in _wrong(bus, "name: p\nbase_commit: 1234567\nsteps: []").hint
    assert "between quotes" not in _wrong(bus, '{"name": "p", "base_commit": 1234567, "steps": []}').hint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"name": "p",\n "steps": [}', 2),
        ('{"name": "p", "name": "q", "steps": []}', None),
        ('{"name": NaN}', None),
        ("name: p\nsteps: [a", None),
        ("name: p\n\tsteps: []", 2),
        ("name: p\nname: q\nsteps: []", 2),
        ("name: p\nsteps: *none", 2),
        ("name: p\n---\nname: q", 2),
        ("name: p\nsteps: !!python/object/apply:os.system ['true']", 2),
        ("name: p\nsteps: !<!own> []", 2),
        ("name: p\nsteps: []\nmetadata: {? [a] : b}", 3),
        ("name: p\nsteps: \x00", None),
        ("name: p\npriority: " + "9" * 5000 + "\nsteps: []", None),
    ],
)
@pytest.mark.parametrize("pure", [False, True])
def test_text_that_is_no_json_or_yaml(
    bus: Bus, text: str, line: int | None, pure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    if pure:  # as where PyYAML came without its parser in C
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    error = _wrong(bus, text)
    if line is not None:
        assert error.details["line"] == line


# --- limits --------------------------------------------------------------------------------------------


def _bomb(levels: int) -> str:
    lines = ["name: p", "description: &a0 xxxxxxxxxxxxxxxx"]
    for level in range(1, levels):
        lines.append(f"k{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join([*lines, f"steps: *a{levels - 1}"])


LIMITS = {
    "aliases that make millions": _bomb(9),
    "aliases that nest without end": "name: p\nsteps: &a [*a]",
    "aliases that nest deep": "\n".join(
        ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 500))]
    ),
    "merged keys that make millions": "\n".join(
        ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9))]
    ),
    "lists in lists": "name: p\nsteps: " + "[" * 100_000,
    "objects in objects": "{" + '"a":{' * 100_000,
    "indents": "\n".join(" " * depth + "a:" for depth in range(200)),
    "too large": "name: p\nsteps: []\n#" + "x" * PLAN_BYTES,
    "too many bytes": "name: p\nsteps: []\n#" + "é" * (PLAN_BYTES // 2),
    "half of a pair": "name: p\nsteps: ['\ud800']",
}


@pytest.mark.parametrize("case", LIMITS)
@pytest.mark.parametrize("pure", [False, True])
def test_a_plan_that_is_too_much_is_refused(
    bus: Bus, case: str, pure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    if pure:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    before = time.process_time()
    _wrong(bus, LIMITS[case])
    assert time.process_time() - before < 30  # not a matter of seconds but of ever


def test_as_many_steps_as_a_project_takes(bus: Bus) -> None:
    steps = [{"title": f"step {num}"} for num in range(1, 10_002)]
    error = _wrong(bus, json.dumps({"name": "p", "steps": steps}))
    assert error.details["field"] == "steps"
    made, _ = import_plan(bus, ADA, json.dumps({"name": "p", "steps": steps[:-1]}))
    assert made.counts.total == 10_000


# --- what the store refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ("[{title: a, needs: [2]}, {title: b, needs: [1]}]", DependencyCycle),
        ("[{title: a, needs: [1]}]", DependencyCycle),
        ("[{title: a, needs: [9]}]", StepNotFound),
        ("[{title: a, num: 3}, {title: b, num: 3}]", StepExists),
    ],
)
@pytest.mark.parametrize("done", ["", ", {title: z, status: completed}"])
def test_a_plan_that_can_not_be(bus: Bus, steps: str, error: type[HubbubError], done: str) -> None:
    with pytest.raises(error):
        import_plan(bus, ADA, f"name: p\nsteps: {steps[:-1]}{done}]", keep_done=True)
    assert bus.work.projects() == ((), None)


@pytest.mark.parametrize(
    ("needs", "line", "says", "cycle"),
    [
        ("[2]\n- title: b\n  needs: [3]\n- title: c\n  needs: [1]", 4, "1 -> 2 -> 3 -> 1.", [1, 2, 3, 1]),
        ("[1]", 4, "1 -> 1.", [1, 1]),
        ("[]\n- title: b\n- title: c\n\n  needs:\n  - 9\n", 8, "The plan has no step 9.", None),
        ("[]\n  num: 1\n- title: b\n  num: 1", 7, "Step 1 of the file has the number 1, too.", None),
    ],
)
def test_an_error_about_several_steps_says_where_it_is(
    bus: Bus, needs: str, line: int, says: str, cycle: list[int] | None
) -> None:
    text = f"name: p\nsteps:\n- title: a\n  needs: {needs}"
    with pytest.raises((DependencyCycle, StepNotFound, StepExists)) as caught:
        import_plan(bus, ADA, text)
    error = caught.value
    assert error.message.startswith(f"Line {line}: step {error.details['step']}, field ")
    assert error.message.endswith(says)
    assert (error.details["line"], error.details.get("cycle")) == (line, cycle)
    assert text.split("\n")[line - 1].strip().startswith(error.details["field"])
    assert error.hint == "Nothing was imported."


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("name: All\nsteps: [a]", 1, "name"),
        ('name: p\nbase_commit: "a\\eb"\nsteps: [a]', 2, "base_commit"),
        ('name: p\nsteps:\n- title: a\n  branch: "a\\nb"', 4, "branch"),
        (
            'name: p\nsteps:\n- title: a\n  status: completed\n  outcome: {worktree: "/w\\e[2J"}',
            5,
            "outcome",
        ),
    ],
)
def test_what_can_not_stand_on_a_line_is_refused_with_its_place(
    bus: Bus, text: str, line: int, field: str
) -> None:
    error = _wrong(bus, text)
    assert (error.details["line"], error.details["field"]) == (line, field)


def test_what_a_person_says_was_done(bus: Bus) -> None:
    text = """
name: p
steps:
- {title: a, status: completed}
- {title: b, status: merged, outcome: {commit_hash: abc, files_modified: [x]}}
- {title: c, status: completed, outcome: {agent: bob, ended_at: 2026-01-02T03:04:05Z}}
- {title: d, status: parked}
- {title: e, status: in_progress, needs: [1]}
"""
    _, steps = import_plan(bus, ADA, text, keep_done=True)
    assert [step.status for step in steps] == [
        "completed",
        "merged",
        "completed",
        "not_started",
        "not_started",
    ]
    assert [(step.agent, step.commit) for step in steps[:3]] == [(None, None), ("ada", "abc"), ("bob", None)]
    assert steps[1].files == ("x",)
    assert steps[2].ended_at == 1_767_323_045_000
    assert steps[4].waiting == 0
    assert [agent.name for agent in bus.agents.all()] == ["ada"]


def test_export_of_what_is_not_there(bus: Bus) -> None:
    with pytest.raises(ProjectNotFound):
        export_plan(bus, "none")
    bus.work.create_project(ADA, "p")
    with pytest.raises(InvalidArgument):
        export_plan(bus, "p", form="toml")
    assert json.loads(export_plan(bus, "p")) == {
        "format": "hubbub-plan",
        "version": 1,
        "name": "p",
        "steps": [],
    }


def test_without_the_extra_json_works_and_yaml_says_what_is_missing(bus: Bus, tmp_path: Path) -> None:
    bus.work.create_project(ADA, "p", [{"title": "a"}])
    script = (
        "import sys\n"
        "sys.modules['yaml'] = None\n"  # as where the package is not installed
        "import hubbub\n"
        "from hubbub.errors import YamlUnavailable\n"
        "from hubbub.interchange.plans import export_plan, import_plan\n"
        "with hubbub.connect(sys.argv[1]) as bus:\n"
        "    ada = bus.agents.attach('ada')\n"
        "    import_plan(bus, ada, export_plan(bus, 'p'), name='q')\n"
        "    export = lambda: export_plan(bus, 'p', form='yaml')\n"
        "    for act in (export, lambda: import_plan(bus, ada, 'name: r')):\n"
        "        try:\n"
        "            act()\n"
        "        except YamlUnavailable as error:\n"
        "            print(error.code, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite://{tmp_path}/bus.db"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{YamlUnavailable.code} {YamlUnavailable.default_hint}\n" * 2, done.stderr
    assert [project.name for project in bus.work.projects()[0]] == ["q", "p"]
