"""A short kill storm; ``python -m tests.faults.storm`` runs the full one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.storm import run_storm


@pytest.mark.xdist_group("heavy")
def test_a_kill_storm_loses_nothing(tmp_path: Path) -> None:
    figures = run_storm(1500, 25, str(tmp_path))
    assert figures.messages == 1500
    assert figures.kills >= 25
