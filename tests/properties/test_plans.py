"""Any plan that a bus holds comes back from its file as it was; any text is a plan or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.bus import Bus
from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.interchange.plan_text import FORMS, read, write
from hubbub.interchange.plans import export_plan, import_plan
from hubbub.model_work import Step
from hubbub.stores import open_store
from tests.interchange_support import ADA

LETTERS = st.characters(codec="utf-8")
AWKWARD = st.sampled_from("\n\r\t \x00\x1b\x7f\x85\u2028\u2029\ufeff\u202e\u200b'\"\\:#-?{}[]&*!|>%@`~,é日🐿")
TEXT = st.text(st.one_of(LETTERS, AWKWARD), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
# Made so, not filtered: most texts hold something that can't be printed.
PRINTABLE = st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp", "Zs"]) | st.just(" ")
LINE = st.text(PRINTABLE, max_size=40)
METADATA = st.none() | st.dictionaries(TEXT, JSON, max_size=3)
TITLE = st.text(PRINTABLE, min_size=1, max_size=30).filter(str.strip)


@st.composite
def _steps(draw: st.DrawFn) -> list[dict[str, Any]]:
    nums = draw(st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=5, unique=True))
    steps = []
    for place, num in enumerate(nums):
        needs = draw(st.lists(st.sampled_from(nums[:place]), unique=True)) if place else []
        steps.append(
            {
                "num": num,
                "title": draw(TITLE),
                "instructions": draw(TEXT),
                "acceptance": draw(TEXT),
                "branch": draw(LINE),
                "scope": draw(LINE),
                "priority": draw(st.integers(-100, 100)),
                "max_attempts": draw(st.integers(1, 100)),
                "time_limit": draw(st.integers(1000, 30 * 86_400_000)) / 1000,
                "metadata": draw(METADATA),
                "needs": [
                    {
                        "num": need,
                        "until": draw(st.sampled_from(("completed", "merged"))),
                        "on_failure": draw(st.sampled_from(("block", "cancel", "continue"))),
                    }
                    for need in needs
                ],
            }
        )
    return steps


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """A bus with an agent."""
    url = f"sqlite://{tmp_path_factory.mktemp('plans')}/bus.db"
    with Bus(open_store(url, clock=ManualClock())) as opened:
        opened.agents.register("ada")
        yield opened
        assert opened.check() == []


_COUNT = iter(range(10**9))


def _planned(step: Step) -> dict[str, Any]:
    """All of a step but what each has of its own."""
    own = ("id", "project", "created_at", "ready_at")
    return {name: value for name, value in step._asdict().items() if name not in own}


@pytest.mark.parametrize("form", FORMS)
@given(steps=_steps(), description=TEXT, metadata=METADATA)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_plan_comes_back(
    bus: Bus, form: str, steps: list[dict[str, Any]], description: str, metadata: dict[str, Any] | None
) -> None:
    name = f"p{next(_COUNT)}"
    _, planned = bus.work.create_project(ADA, name, steps, description=description, metadata=metadata)
    text = export_plan(bus, name, form=form)
    project, again = import_plan(bus, ADA, text, name=f"{name}-again")
    assert (project.description, project.metadata) == (description, metadata)
    for before, after in zip(sorted(planned, key=lambda step: step.num), again, strict=True):
        assert _planned(before) == _planned(after)
    assert export_plan(bus, project.id, form=form).replace(f"{name}-again", name, 1) == text


@pytest.mark.parametrize("form", FORMS)
@given(value=st.dictionaries(TEXT, JSON, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_value_comes_back(form: str, value: dict[str, Any]) -> None:
    assert read(write(value, form), form).value == value


@given(text=st.text(st.one_of(LETTERS, AWKWARD, st.sampled_from("name: steps\n- ")), max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    refused = []
    for form in (None, *FORMS):
        try:
            read(text, form)
        except HubbubError as error:
            refused.append(error.message)
    assert not [message for message in refused if "\n" in message or not message]
