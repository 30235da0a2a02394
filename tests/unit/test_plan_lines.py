"""On which line of a plan in JSON something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import hubbub
from hubbub.bus import Bus
from hubbub.errors import HubbubError
from hubbub.interchange.plans import import_plan
from tests.interchange_support import ADA


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with hubbub.connect(f"sqlite://{tmp_path}/bus.db") as bus:
        bus.agents.register(ADA.agent)
        yield bus


JSON_LINES = {
    '{"name": "p", "steps": [\n{"title": "a"},\n{"title": "b",\n"num": 0}]}': (4, 2, "num"),
    '[\n"a", {"title":\n"b\\n\\"]},", "needs": [1]},\n\n{"title": "c", "x": {"steps": [1]}}]': (5, 3, "x"),
    '[["a"],\n{}]': (1, 1, None),
    '["a",\n7]': (2, 2, None),
    '{"metadata": {"steps": [{\n"title": 1}]},\n"steps": [{"title": "a"\n, "prio": 1}]}': (4, 1, "prio"),
    '{"steps": [{"title": "a", "metadata": {"num":\n1}},\n{"title": "b",\r\n"num": "b"}], "name": "p"}': (
        4,
        2,
        "num",
    ),
    '{"name": "p",\n"priority":\n101, "steps": []}': (2, None, "priority"),
    '{"name": "p", "steps": [{"title": "a"},\n{"title": "b",\n"n\\u0075m": 0}]}': (3, 2, "num"),
}


@pytest.mark.parametrize("text", JSON_LINES)
def test_an_error_in_json_names_the_line_whatever_stands_around_it(bus: Bus, text: str) -> None:
    with pytest.raises(HubbubError) as caught:
        import_plan(bus, ADA, text, name="q")
    details = caught.value.details
    assert (details.get("line"), details.get("step"), details.get("field")) == JSON_LINES[text]
