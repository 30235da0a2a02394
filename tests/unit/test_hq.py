"""Import of databases of hq: all of it that can be kept, nothing done twice, and the file left as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hubbub.bus import Bus
from hubbub.clock import ManualClock, to_iso
from hubbub.errors import ImportInvalid
from hubbub.errors_work import ProjectNotFound
from hubbub.interchange.hq import HqReport, import_hq
from hubbub.model_work import Claim, Need
from hubbub.stores import open_store
from tests.agent_bus import AgentBusFile
from tests.hq import HqFile
from tests.interchange_support import ADA


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with an agent."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db", clock=ManualClock())) as opened:
        opened.agents.register("ada")
        yield opened
        assert opened.check() == []


@pytest.fixture
def source(tmp_path: Path) -> Iterator[HqFile]:
    """A file in the other system's format, open."""
    made = HqFile(tmp_path / "agent-coordination.db")
    yield made
    made.db.close()


def _import(bus: Bus, source: HqFile, *projects: str, again: bool = False) -> HqReport:
    return import_hq(bus, ADA, str(source.path), projects=projects or None, again=again)


def _statuses(bus: Bus, project: str) -> list[str]:
    return [step.status for step in bus.work.steps(project)[0]]


def _time(minute: int) -> str:
    return f"2026-01-18T10:{minute:02}:00.000Z"


def test_agents_work_at_any_state(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", (), (1,), (1,), (2, 3), (), (), priority=7)
    source.complete(source.claim(shop, 1), commit="abc123", files=["a.py", "b.py"], notes="see b")
    source.start(source.claim(shop, 2, "agent-2"), "agent-2", worktree="/w/2")
    source.claim(shop, 3, "agent-3", minute=6)
    source.fail(source.claim(shop, 5), "no compiler", minute=9)
    source._set(source.step(shop, 6), status="merged", agent_id="agent-9", completed_at="2026-01-18 10:08:00")
    report = _import(bus, source)
    (made,) = report.projects
    assert (made.source, made.steps, made.done, made.handed_on, made.attempts) == ("shop", 6, 2, 2, 5)
    assert report.events == 7
    assert report.notes == ()
    project = made.project
    assert (project.name, project.state, project.base_commit, project.priority) == (
        "shop",
        "active",
        "f00dbabe",
        7,
    )
    assert to_iso(project.created_at) == _time(0)
    assert _statuses(bus, "shop") == [
        "completed",
        "not_started",
        "not_started",
        "not_started",
        "failed",
        "merged",
    ]
    steps = bus.work.steps("shop")[0]
    assert [step.needs for step in steps[:4]] == [(), (Need(1),), (Need(1),), (Need(2), Need(3))]
    assert [(s.title, s.branch, s.scope) for s in steps[:2]] == [
        ("feature/shop-1", "feature/shop-1", "scope-1"),
        ("feature/shop-2", "feature/shop-2", "scope-0"),
    ]
    first = steps[0]
    assert (first.agent, first.commit, first.files, first.notes) == (
        "agent-1",
        "abc123",
        ("a.py", "b.py"),
        "see b",
    )
    assert first.ended_at is not None
    assert to_iso(first.ended_at) == _time(3)
    assert [step.num for step in bus.work.steps("shop", ready=True)[0]] == [2, 3]


def test_who_is_next_gets_what_the_last_one_left(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", ())
    source.start(source.claim(shop, 1, "agent-2"), "agent-2", worktree="/w/2")
    source._set(source.step(shop, 1), notes="half of it", last_commit="abc")
    _import(bus, source)
    claim = bus.work.claim(ADA)
    assert isinstance(claim, Claim)
    assert claim.attempt.number == 2
    (earlier,) = claim.earlier
    assert (earlier.agent, earlier.state, earlier.branch) == ("agent-2", "lost", "feature/shop-1")
    assert (earlier.worktree, earlier.notes, earlier.commit) == ("/w/2", "half of it", "abc")
    assert earlier.reason == "It was in_progress in hq when the project was taken over."
    assert (to_iso(earlier.claimed_at), to_iso(earlier.started_at or 0)) == (_time(1), _time(2))


def test_what_failed_has_failed_and_says_why(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", (), (1,))
    step = source.claim(shop, 1, "agent-1", minute=1)
    source.start(step)
    source.fail(step, "first", minute=3)
    source.recover_failed(step, minute=5)
    source.fail(source.claim(shop, 1, "agent-2", minute=6), "second", "agent-2", minute=8)
    _import(bus, source)
    found, attempts = bus.work.step("shop/1")
    assert found.status == "failed"
    assert [(a.agent, a.state, a.failure, a.reason, to_iso(a.ended_at or 0)) for a in attempts] == [
        ("agent-2", "failed", "task", "second", _time(8)),
        ("agent-1", "failed", "task", "first", _time(5)),
    ]
    assert attempts[1].worktree == "/w/1"
    assert bus.work.explain("shop/2")[0].kind == "failed"
    bus.work.retry(ADA, "shop/1")
    claim = bus.work.claim(ADA)
    assert isinstance(claim, Claim)
    assert [earlier.reason for earlier in claim.earlier] == ["second", "first"]


def test_a_step_that_was_taken_back_keeps_its_notes(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", (), ())
    step = source.claim(shop, 1, "agent-4", minute=2)
    source._set(step, notes="half of it", last_commit="abc")
    source.recover(step)
    source.recover(source.claim(shop, 2, "agent-5"))
    _import(bus, source)
    (attempt,) = bus.work.step("shop/1")[1]
    assert (attempt.agent, attempt.state, attempt.notes, attempt.commit) == (
        "agent-4",
        "lost",
        "half of it",
        "abc",
    )
    assert to_iso(attempt.claimed_at) == _time(2)
    assert bus.work.step("shop/2")[1] == ()  # of which nothing is left


@pytest.mark.parametrize(
    ("there", "done", "here"),
    [
        ("active", False, "active"),
        ("active", True, "completed"),
        ("completed", True, "completed"),
        ("completed", False, "paused"),
        ("aborted", False, "aborted"),
    ],
)
def test_the_state_of_a_project(bus: Bus, source: HqFile, there: str, done: bool, here: str) -> None:
    project = source.project("shop", (), status=there)
    if done:
        source.complete(source.claim(project, 1))
    report = _import(bus, source)
    assert report.projects[0].project.state == here
    assert any("paused" in note for note in report.notes) == (here == "paused")
    assert _statuses(bus, "shop") == [
        "completed" if done else "cancelled" if here == "aborted" else "not_started"
    ]


def test_importing_again_changes_nothing(bus: Bus, source: HqFile) -> None:
    source.project("shop", ())
    other = source.project("garden", ())
    _import(bus, source, "shop")
    report = _import(bus, source)
    assert [made.source for made in report.projects] == ["garden"]
    assert report.notes == ("shop was imported before, as shop: left as it is.",)
    source.claim(other, 1)
    bus.work.update_project(ADA, "garden", name="park")
    report = _import(bus, source)
    assert report.projects == ()
    assert (
        report.notes[1] == "garden was imported before, as park, and has changed in hq since: left as it is."
    )
    report = _import(bus, source, "garden", again=True)
    assert [made.project.name for made in report.projects] == ["garden"]
    report = _import(bus, source, "garden", again=True)
    assert report.notes == ("garden is called garden-2 here.",)


def test_a_name_that_is_taken_gets_a_number(bus: Bus, source: HqFile) -> None:
    bus.work.create_project(ADA, "Shop", [{"title": "mine"}])
    source.project("shop", ())
    source.project("two\nlines", ())
    report = _import(bus, source)
    assert [made.project.name for made in report.projects] == ["shop-2", "two␤lines"]
    assert report.projects[0].project.metadata == {"hq_name": "shop"}
    assert "shop is called shop-2 here." in report.notes
    assert bus.work.project("Shop").counts.total == 1


def test_a_project_called_all_does_not_post_to_everybody(bus: Bus, source: HqFile) -> None:
    source.project("All", ())
    assert _import(bus, source).projects[0].project.name == "All-2"


def test_what_stands_on_one_line_here_holds_nothing_that_can_not_be_seen(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", (), base="c1\x1b[2J")
    step = source.claim(shop, 1)
    source.start(step, worktree="/w\n/1")
    source.complete(step, commit="c0\x07ffee")
    source._set(step, branch="a\x1b[31m\nb", scope="\x9b1m")
    _import(bus, source)
    found, (attempt,) = bus.work.step("shop/1")
    assert (found.title, found.branch, found.scope) == ("a [31m b", "a [31m b", "1m")
    assert (attempt.worktree, attempt.commit) == ("/w /1", "c0 ffee")
    assert bus.work.project("shop").base_commit == "c1 [2J"


def test_names_of_agents_that_can_not_be_are_changed_and_said(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", (), ())
    source.complete(source.claim(shop, 1, "Agent One\x1b[2J"))
    source.complete(source.claim(shop, 2, ""), "")
    report = _import(bus, source)
    assert [step.agent for step in bus.work.steps("shop")[0]] == ["agent-one-2j", "unknown"]
    assert "shop: an agent without a name can't be the name of an agent and is unknown here." in report.notes
    assert any("'Agent One\\x1b[2J'" in note and "agent-one-2j" in note for note in report.notes)
    assert [agent.name for agent in bus.agents.all()] == ["ada"]


def test_what_is_too_long_is_cut_and_said(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", ())
    source.complete(source.claim(shop, 1), notes="n" * 70_000)
    source._set(source.step(shop, 1), branch="b" * 400)
    report = _import(bus, source)
    assert report.notes == ("shop: cut, since it is too long: notes of step 1, branch of step 1.",)
    step = bus.work.step("shop/1")[0]
    assert (len(step.branch), len(step.title), len(step.notes or "")) == (200, 300, 65_536)


@pytest.mark.parametrize(
    "form", ["2026-01-18 10:01:00 +0000 UTC", "2026-01-18T10:01:00Z", "2026-01-18T12:01:00.25+02:00"]
)
def test_times_in_the_forms_of_its_driver(bus: Bus, source: HqFile, form: str) -> None:
    shop = source.project("shop", ())
    source._set(source.claim(shop, 1), claimed_at=form)
    _import(bus, source)
    assert to_iso(bus.work.step("shop/1")[1][0].claimed_at) in (_time(1), "2026-01-18T10:01:00.250Z")


def test_the_first_version_had_no_history(bus: Bus, tmp_path: Path) -> None:
    old = HqFile(tmp_path / "old.db", version=1)
    old.complete(old.claim(old.project("shop", ()), 1))
    report = import_hq(bus, ADA, str(old.done()))
    assert report.projects[0].project.state == "completed"


# --- the file is only read -----------------------------------------------------------------------------


def test_a_file_that_is_in_use_is_read_as_it_is_and_not_changed(bus: Bus, source: HqFile) -> None:
    shop = source.project("shop", (), ())
    source.complete(source.claim(shop, 1))
    log = Path(f"{source.path}-wal")
    assert log.stat().st_size > 0  # nothing of it is in the database proper yet
    before = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (source.path, log)]
    report = _import(bus, source)
    assert report.projects[0].done == 1
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in (source.path, log)] == before
    source.claim(shop, 2)  # and its agents go on


# --- what is refused -----------------------------------------------------------------------------------


def _refused(bus: Bus, path: Path) -> str:
    with pytest.raises(ImportInvalid) as caught:
        import_hq(bus, ADA, str(path))
    assert bus.work.projects() == ((), None)
    assert caught.value.hint
    return caught.value.message


def test_files_that_are_no_database_of_hq(bus: Bus, tmp_path: Path) -> None:
    assert "can't be read" in _refused(bus, tmp_path / "none.db")
    assert "not a regular file" in _refused(bus, tmp_path)
    text = tmp_path / "plan.json"
    text.write_text('{"name": "shop"}')
    assert "not an SQLite database" in _refused(bus, text)
    assert "a bus of Hubbub itself" in _refused(bus, tmp_path / "bus.db")
    assert "another program" in _refused(bus, AgentBusFile(tmp_path / "agent_bus.sqlite").done())


BROKEN = {
    "a newer version": ("INSERT INTO schema_migrations (version) VALUES (3)", "version 3"),
    "no version": ("DELETE FROM schema_migrations", "no version"),
    "a column that is gone": ("ALTER TABLE steps DROP COLUMN notes", "has no steps as hq has"),
    "a table that is gone": ("DROP TABLE agent_events", "has no agent_events"),
    "an unknown status": (
        "PRAGMA ignore_check_constraints = 1; UPDATE steps SET status = 'resting'",
        "shop: step 1 (1): the status 'resting' is not known.",
    ),
    "a time that is none": ("UPDATE steps SET claimed_at = 'yesterday'", "claimed_at is not a time"),
    "a day that is none": (
        "UPDATE projects SET created_at = '2026-02-31 10:00:00'",
        "created_at is not a time",
    ),
    "no time of making": ("UPDATE projects SET created_at = ''", "created_at is missing"),
    "files that are no JSON": ("UPDATE steps SET files_modified = '[a.py'", "files_modified is not JSON"),
    "files that are no list": ("UPDATE steps SET files_modified = '{}'", "files_modified is not a list"),
    "text that is none": ("UPDATE steps SET branch = CAST(x'ff' AS TEXT)", "branch is not valid UTF-8"),
    "a number that is none": ("UPDATE steps SET step_num = 'one' WHERE step_num = 1", "its number is none"),
    "a number below one": ("UPDATE steps SET step_num = 0 WHERE step_num = 1", "a step of the number 0"),
    "a circle": ("INSERT INTO dependencies VALUES (1, 2)", "wait for each other"),
    "a step that needs itself": ("INSERT INTO dependencies VALUES (1, 1)", "wait for each other: 1 -> 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_said_and_nothing_is_imported(bus: Bus, source: HqFile, case: str) -> None:
    source.project("shop", (), (1,))
    source.project("zoo", ())
    statement, says = BROKEN[case]
    source.db.pragma("foreign_keys", False)
    source.db.execute(statement)
    assert says in _refused(bus, source.path)


def test_a_damaged_file(bus: Bus, source: HqFile) -> None:
    for number in range(40):
        source.project(f"p{number}", *[()] * 20)
    path = source.done()
    data = bytearray(path.read_bytes())
    for place in range(8192 + 64, len(data) - 64, 4096):
        data[place : place + 32] = b"\xff" * 32
    path.write_bytes(data)
    assert "damaged" in _refused(bus, path)


def test_a_file_that_ends_early(bus: Bus, source: HqFile) -> None:
    source.project("shop", *[()] * 200)
    path = source.done()
    path.write_bytes(path.read_bytes()[: 4096 * 3])
    assert "damaged" in _refused(bus, path)


def test_a_dependency_that_leads_nowhere_is_left_out_and_said(bus: Bus, source: HqFile) -> None:
    source.project("shop", (), ())
    source.project("garden", ())
    source.db.pragma("foreign_keys", False)
    source.db.execute("INSERT INTO dependencies VALUES (1, 3), (1, 99)")
    report = _import(bus, source)
    assert report.notes == ("shop: left out: dependencies that lead to no step of the project (2).",)
    assert bus.work.step("shop/1")[0].needs == ()


def test_only_some_projects(bus: Bus, source: HqFile) -> None:
    source.project("shop", ())
    garden = source.project("garden", ())
    assert [made.source for made in _import(bus, source, str(garden)).projects] == ["garden"]
    with pytest.raises(ProjectNotFound, match="no project 'shap'") as caught:
        _import(bus, source, "shop", "shap")
    assert caught.value.hint == "Did you mean shop?"
    with pytest.raises(ProjectNotFound) as caught:
        _import(bus, source, "kettle")
    assert caught.value.hint == "Name those of the file, or none: then all are imported."
    assert [project.name for project in bus.work.projects()[0]] == ["garden"]


def test_a_broken_project_does_not_keep_the_others_from_being_chosen(bus: Bus, source: HqFile) -> None:
    source.project("shop", ())
    source.project("garden", ())
    source.db.execute("UPDATE steps SET claimed_at = 'x' WHERE project_id = 1")
    with pytest.raises(ImportInvalid, match="shop: step 1"):
        _import(bus, source)
    assert [made.source for made in _import(bus, source, "garden").projects] == ["garden"]


def test_ids_may_be_text(bus: Bus, tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    file = HqFile(path)
    file.db.execute("DROP TABLE dependencies; DROP TABLE agent_events; DROP TABLE steps; DROP TABLE projects")
    file.db.execute(
        "CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT, base_commit TEXT, created_at TEXT,"
        " status TEXT, priority INTEGER);"
        "CREATE TABLE steps (id TEXT PRIMARY KEY, project_id TEXT, step_num INTEGER, branch TEXT, scope TEXT,"
        " status TEXT, worktree TEXT, agent_id TEXT, claimed_at TEXT, started_at TEXT, completed_at TEXT,"
        " last_heartbeat TEXT, last_commit TEXT, files_modified TEXT, notes TEXT);"
        "CREATE TABLE dependencies (step_id TEXT, depends_on_step_id TEXT);"
        "CREATE TABLE agent_events (id TEXT, agent_id TEXT, step_id TEXT, event_type TEXT, timestamp TEXT);"
        "INSERT INTO projects VALUES ('p-1', 'shop', 'abc', '2026-01-18 10:00:00', 'active', 0);"
        "INSERT INTO steps (id, project_id, step_num, branch, scope, status) VALUES"
        " ('s-1', 'p-1', 1, 'a', 'x', 'not_started'), ('s-2', 'p-1', 2, 'b', 'x', 'not_started');"
        "INSERT INTO dependencies VALUES ('s-2', 's-1')"
    )
    file.db.close()
    import_hq(bus, ADA, str(path))
    assert bus.work.step("shop/2")[0].needs == (Need(1),)


def test_a_large_project(bus: Bus, source: HqFile) -> None:
    with source.db:
        source.project("big", *[(num - 1,) if num > 1 else () for num in range(1, 2001)])
    report = _import(bus, source)
    assert report.projects[0].steps == 2000
    assert bus.work.project("big").counts.ready == 1


def test_sqlite_says_who_reads(source: HqFile) -> None:
    """The builder of these files is held to what hq's own schema refuses."""
    project = source.project("shop", ())
    with pytest.raises(apsw.ConstraintError):
        source.project("shop", ())
    with pytest.raises(apsw.ConstraintError):
        source._set(source.step(project, 1), status="parked")
