"""The tables and the diagram of the states of work are those that the stores are held to."""

from __future__ import annotations

import re

from hubbub.model_work import PROJECT_STATES, STATUSES
from tests.contract.test_work_states import PROJECT_TABLE, ROWS, TABLE
from tests.unit.test_docs import DOCS

PAGE = (DOCS / "reference" / "work.md").read_text()


def _table(columns: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The rows of the table that has these columns, by event."""
    head = "| event | " + " | ".join(columns) + " |\n"
    assert PAGE.count(head) == 1
    rows = {}
    for line in PAGE.split(head)[1].splitlines()[1:]:
        if not line.startswith("|"):
            break
        event, *outcomes = (cell.strip() for cell in line.strip("|").split("|"))
        rows[event] = tuple(outcomes)
    return rows


def test_the_table_of_steps_is_the_one_that_the_stores_are_held_to() -> None:
    assert _table(STATUSES) == TABLE


def test_the_table_of_projects_is_the_one_that_the_stores_are_held_to() -> None:
    assert _table(PROJECT_STATES) == PROJECT_TABLE


def test_the_diagram_shows_every_transition_and_no_other() -> None:
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.S)
    drawn: dict[tuple[str, str], list[str]] = {}
    for line in diagram.splitlines():
        before, after, events = re.fullmatch(r"    (\S+) --> (\w+): (.+)", line).groups()  # type: ignore[union-attr]
        assert (before, after) not in drawn, line
        drawn[before, after] = events.split(", ")
    assert drawn.pop(("[*]", "not_started")) == ["add"]
    moves: dict[tuple[str, str], list[str]] = {}
    for before, event, after in ROWS:
        if after in STATUSES and before != after:
            moves.setdefault((before, after), []).append(event)
    assert drawn == moves
