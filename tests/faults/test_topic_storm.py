"""A short kill storm in a topic; ``python -m tests.faults.topic_storm`` runs the full one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.topic_storm import READERS, run_storm


@pytest.mark.xdist_group("heavy")
def test_a_kill_storm_in_a_topic_loses_nothing(tmp_path: Path) -> None:
    figures = run_storm(1500, 25, str(tmp_path))
    assert figures.messages == 1500
    assert figures.readings == 1500 * (len(READERS) + 1)
    assert figures.kills >= 25
