"""The benchmark runs, prints a table that a program can read, counts failures, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from bench.figures import Expected, Figure, Result, percentile, table
from bench.peer_agent_bus import agent_bus
from bench.rows import Run, Unmeasurable
from bench.servers import Place, least, ours, structured
from bench.talk import Talk, flat_out, memory, written

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


def test_a_quick_row_of_topics_measures_both_sizes_and_the_list(tmp_path: Path) -> None:
    done = run_bench("--quick", "--only", "topics_kept", "--folder", str(tmp_path), "--json", "-")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["trouble"] == ""
    medians = [figure for figure in row["figures"] if figure["what"].endswith("median")]
    measured = " ".join(figure["what"] for figure in medians)
    assert all(word in measured for word in ("post", "reads 20", "finds nothing", "history", "list_topics"))
    assert all(figure["value"] > 0 and figure["ratio"] is not None for figure in medians)
    assert not list(tmp_path.iterdir()), "what it wrote is removed"


REFUSING = """
import json, sys
for number, line in enumerate(sys.stdin):
    request = json.loads(line)
    result = {"content": [{"type": "text", "text": "Database is busy."}], "isError": number % 2 == 1}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
"""


def test_calls_at_full_rate_are_counted_as_done_or_failed_with_what_went_wrong() -> None:
    command = (sys.executable, "-c", REFUSING)
    with Talk(command, dict(os.environ)) as one, Talk(command, dict(os.environ)) as other:
        calls = flat_out((one, other), "sync", {}, 0.3)
        assert abs(calls.done - calls.failed) <= 2, "every second call was refused"
        assert calls.failed > 1
        assert calls.first_failure == "Database is busy."
        assert calls.seconds >= 0.3
        with pytest.raises(Unmeasurable, match=r"sync failed: Database is busy\."):
            [one.call("sync", {}) for _ in range(2)]


def test_a_server_that_ends_is_no_measurement() -> None:
    with Talk((sys.executable, "-c", "pass"), dict(os.environ)) as talk, pytest.raises(Unmeasurable):
        talk.greet()


def test_the_least_server_commits_each_call(tmp_path: Path) -> None:
    place = Place(least(), str(tmp_path / "least.db"))
    with place.start("nobody") as talk:
        topic = place.join(talk, "nobody")
        for _ in range(3):
            talk.call("sync", place.server.sync(topic, 1, 0))
        talk.end()
    with apsw.Connection(place.path) as db:
        assert db.execute("SELECT count(*) FROM t0").fetchall() == [(3,)]


def test_our_servers_are_spoken_to_as_the_rows_of_topics_do(tmp_path: Path) -> None:
    place = Place(ours(), str(tmp_path / "bus.db"))
    with place.start("poster-0") as poster, place.start("reader-0") as reader:
        topic = place.join(poster, "poster-0")
        place.join(reader, "reader-0")
        waiting = reader.begin_call("sync", place.server.sync(topic, 0, 20))
        poster.call("sync", place.server.sync(topic, 1, 0))
        answer = structured(reader.answer(waiting)["result"])
        assert place.server.received(answer) == 1
        found = memory(poster.pid)
        if found is not None:
            assert 0 < found.proportional <= found.resident
            before = written(poster.pid)
            poster.call("sync", place.server.sync(topic, 50, 0))
            after = written(poster.pid)
            assert before is not None
            assert after is not None
            assert after >= before


def _run(folder: Path, peers: str | None) -> Run:
    return Run(str(folder), True, lambda text: None, lambda figure: None, peers)


def test_peers_are_left_alone_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match="--peers"):
        agent_bus(_run(tmp_path, None))
    assert not list(tmp_path.iterdir()), "nothing is installed"


def test_a_peer_that_cannot_be_installed_says_why(tmp_path: Path) -> None:
    with pytest.raises(Unmeasurable, match=r"a virtual environment can't be made.*none/python"):
        agent_bus(_run(tmp_path, str(tmp_path / "none" / "python")))
