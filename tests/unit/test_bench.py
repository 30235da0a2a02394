"""The benchmark runs, prints a table that can be read by a program, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.figures import Expected, Figure, Result, percentile, table

ROOT = Path(__file__).resolve().parents[2]


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m bench`` as a process of its own."""
    environ = dict(os.environ)
    environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *filter(None, [environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def cells(output: str) -> list[dict[str, str]]:
    """The lines of the table, each by the names in its head."""
    lines = [line.strip("|").split("|") for line in output.splitlines() if line.startswith("| ")]
    head, *rest = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(head, line, strict=True)) for line in rest]


def test_a_quick_row_prints_a_table_that_agrees_with_its_json(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    folder = tmp_path / "folder"
    folder.mkdir()
    done = run_bench("--quick", "--only", "kept", "--folder", str(folder), "--json", str(report))
    assert done.returncode == 0, done.stderr
    shown = cells(done.stdout)
    assert {line["row"] for line in shown} == {"kept"}
    kept = json.loads(report.read_text())
    assert kept["quick"] is True
    assert kept["machine"]["processors"] == os.cpu_count()
    (row,) = kept["rows"]
    assert row["trouble"] == ""
    assert [line["measured"] for line in shown] == [figure["what"] for figure in row["figures"]]
    for line, figure in zip(shown, row["figures"], strict=True):
        assert figure["value"] > 0
        assert figure["ratio"] == pytest.approx(figure["value"] / figure["limit"])
        assert line["ratio"] == f"{figure['ratio']:.2f}"
        assert line["met"] == {True: "yes", False: "NO", None: ""}[figure["met"]]
    measured = " ".join(line["measured"] for line in shown)
    assert all(word in measured for word in ("send", "receive", "settle", "queued", "settled"))
    assert "[" in done.stderr, "progress is shown on standard error"
    assert not list(folder.iterdir()), "what it wrote is removed"


def test_a_row_that_does_not_exist_is_a_usage_error_that_names_those_that_do(tmp_path: Path) -> None:
    done = run_bench("--only", "speed", "--folder", str(tmp_path))
    assert done.returncode == 2
    assert "speed" in done.stderr
    assert "sends" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    done = run_bench("--quick", "--only", "kept", "--folder", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "none" in done.stderr


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        (None, None),
        (Expected(most=10), True),
        (Expected(most=7.9), False),
        (Expected(least=8), True),
        (Expected(least=8.1), False),
        (Expected(most_ratio=2), True),
        (Expected(most_ratio=1.9), False),
        (Expected(least_ratio=2), True),
        (Expected(least_ratio=2.1), False),
        (Expected(most=10, least_ratio=2.1), False),
    ],
)
def test_an_expectation_is_met_or_missed(expected: Expected | None, met: bool | None) -> None:
    assert Figure("x", 8, "ms", 4, "y", expected).met is met


def test_a_ratio_that_is_expected_and_was_not_measured_is_missed() -> None:
    assert Figure("x", 8, "ms", expected=Expected(most_ratio=2)).met is False


@pytest.mark.parametrize(
    ("share", "value"), [(0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.99, 99), (1, 100)]
)
def test_percentiles_are_samples_of_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value


def test_a_miss_and_a_row_that_failed_are_plain_to_see() -> None:
    figure = Figure("a thing", 1234.5, "ms", 100, "the machine", Expected(most=50))
    shown = table([Result("one", "", (figure,), 1.0), Result("two", "", (), 1.0, "no such thing here")])
    assert cells(shown)[0]["met"] == "NO"
    assert cells(shown)[0]["value"] == "1,234 ms"
    assert "two: not measured: no such thing here" in shown
