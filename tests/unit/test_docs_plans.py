"""The pages about plans say what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hubbub.bus import Bus, planning
from hubbub.errors import ImportInvalid
from hubbub.interchange import hq_file, plan_text, plans
from hubbub.model_work import MAX_ATTEMPTS, STEPS_MAX, TIME_LIMIT_MS
from hubbub.stores import open_store
from tests.interchange_support import ADA

DOCS = Path(__file__).parent.parent.parent / "docs"
FORMAT = (DOCS / "reference" / "plan-format.md").read_text()
HOW_TO = (DOCS / "how-to" / "plans-and-hq.md").read_text()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with an agent."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db")) as opened:
        opened.agents.register("ada")
        yield opened


def _fields(title: str) -> dict[str, str]:
    """The fields that the table under a heading lists, and what it says of each."""
    part = FORMAT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.M))


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)


def test_every_field_is_listed_in_its_order() -> None:
    assert tuple(_fields("The plan")) == plans.PLAN_FIELDS
    assert tuple(_fields("A step")) == plans.STEP_FIELDS
    assert tuple(_fields("An outcome")) == plans.OUTCOME_FIELDS


def test_the_numbers_are_those_of_the_code() -> None:
    step, plan = _fields("A step"), _fields("The plan")
    assert f"up to {STEPS_MAX:,}" in plan["steps"]
    assert f"`{plans.FORMAT}`" in plan["format"]
    assert plan["version"].startswith(f"{plans.VERSION};")
    assert f"up to {planning.TITLE_MAX} " in step["title"]
    assert f"up to {planning.TEXT_MAX:,} " in step["instructions"]
    assert f"; {MAX_ATTEMPTS}" in step["max_attempts"]
    assert f"; {TIME_LIMIT_MS // 1000:,}" in step["time_limit"]
    assert f"up to {planning.METADATA_BYTES >> 10} KiB" in step["metadata"]
    assert f"up to {plan_text.PLAN_BYTES:,} bytes and is nested up to {plan_text.DEPTH_MAX} deep" in FORMAT
    for other, name in planning.ALIASES.items():
        assert f"`{other}`" in FORMAT
        assert name in step
    assert f"version than {hq_file.VERSIONS[0]} or {hq_file.VERSIONS[1]}" in HOW_TO


@pytest.mark.parametrize("language", ["yaml", "json"])
def test_the_examples_can_be_imported_and_are_what_is_exported(bus: Bus, language: str) -> None:
    (text,) = _blocks(FORMAT, language)
    project, steps = plans.import_plan(bus, ADA, text, keep_done=True)
    load = yaml.safe_load if language == "yaml" else json.loads
    given = load(text)
    assert len(steps) == len(given["steps"])
    back = load(plans.export_plan(bus, project.id, form=language, results=language == "json"))
    for place, step in enumerate(given["steps"], 1):
        assert back["steps"][place - 1] == {"num": place, **step}


def test_the_plan_of_the_guide_and_the_error_that_it_shows(bus: Bus) -> None:
    (text,) = _blocks(HOW_TO, "yaml")
    _, steps = plans.import_plan(bus, ADA, text)
    assert [len(step.needs) for step in steps] == [0, 1, 1]
    (shown,) = [block for block in _blocks(HOW_TO, "text") if block.startswith("Line ")]
    with pytest.raises(ImportInvalid) as caught:
        plans.import_plan(bus, ADA, text.replace("resources:", "resource:"), name="other")
    error = caught.value
    assert shown == f"{error.message}\n{error.hint}\n"
