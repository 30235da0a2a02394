"""A short kill storm over one plan; ``python -m tests.faults.work_storm`` runs the full one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.work_storm import run_storm


@pytest.mark.xdist_group("heavy")
def test_a_kill_storm_completes_each_step_once(tmp_path: Path) -> None:
    figures = run_storm(8, 400, 20, str(tmp_path))
    assert figures.steps == 400
    assert figures.kills >= 20
    assert figures.attempts > 400
    assert figures.expired > 0
