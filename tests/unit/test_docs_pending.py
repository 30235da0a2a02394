"""The table and the diagram of answers that are owed are those that the stores are held to."""

from __future__ import annotations

import re

from hubbub.model_pending import WANTS_ANSWER
from hubbub.policy import ESCALATE_AFTER_MS, GATE_LIMIT, GATE_WINDOW_MS, REMIND_AFTER_MS, WATCHDOG
from tests.contract.test_debt_states import ROWS, STATES, TABLE
from tests.unit.test_docs import DOCS

PAGE = (DOCS / "reference" / "pending.md").read_text()


def test_the_table_is_the_one_that_the_stores_are_held_to() -> None:
    head = "| event | " + " | ".join(STATES) + " |\n"
    assert PAGE.count(head) == 1
    rows = {}
    for line in PAGE.split(head)[1].splitlines()[1:]:
        if not line.startswith("|"):
            break
        event, *outcomes = (cell.strip() for cell in line.strip("|").split("|"))
        rows[event] = tuple(outcomes)
    assert rows == TABLE


def test_the_diagram_shows_every_transition_and_no_other() -> None:
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.S)
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (.+)$", diagram, re.M))
    moves = {(before, after, event) for before, event, after in ROWS if after in STATES and before != after}
    assert drawn == moves


def test_its_numbers_are_those_of_the_code() -> None:
    seconds = [str(each // 1000) for each in REMIND_AFTER_MS]
    assert f"{', '.join(seconds[:-1])} and {seconds[-1]} s" in PAGE
    assert f"{ESCALATE_AFTER_MS // 1000} s" in PAGE
    assert f"`{WATCHDOG}`" in PAGE
    assert f"{GATE_LIMIT} messages" in PAGE
    assert f"{GATE_WINDOW_MS // 1000} s" in PAGE
    assert ", ".join(f"`{kind}`" for kind in WANTS_ANSWER[:-1]) in PAGE
