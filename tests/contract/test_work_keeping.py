"""What a store keeps of work: across closing, a killed process, in a backup, and from an older format."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from hubbub.clock import ManualClock
from hubbub.model import Actor
from hubbub.model_topics import Post
from hubbub.model_work import CLAIM_MS, Need
from hubbub.stores import open_store
from hubbub.stores.sqlite.connection import Connection, make_file
from hubbub.stores.sqlite.migrating import migrate
from hubbub.stores.sqlite.statements import migrations, newest_format
from tests.contract.conftest import Place
from tests.contract.working import claimed, did, draft, failed, made, planned, ready, step_of
from tests.contract.world import World


def test_work_is_there_after_closing_and_opening(world: World, place: Place) -> None:
    ada, bob = world.agents_named("ada", "bob")
    project, _ = made(world, ada, "a", draft("b", Need(1, "merged")), draft("c", paths=("x",)))
    live = claimed(world, bob, step="p/3", key="k")
    kept = world.work.reserve(bob, ("y",), ttl_ms=CLAIM_MS)
    world.work.limit_resource(ada, "gpu", 3)
    other = open_store(place.url, clock=place.clock)
    try:
        assert other.work.project("p") == world.work.project(project.id)
        assert other.work.steps("p") == world.work.steps("p")
        assert other.work.mine(bob) == world.work.mine(bob)
        assert other.work.reservations() == (kept,)
        assert other.work.complete(bob, live.token).status == "completed"
        assert other.check() == []
    finally:
        other.close()
    assert step_of(world, 3).status == "completed"


_LAST_WORDS = """
import os, signal, sys
from hubbub.model import Actor
from hubbub.stores import open_store
store = open_store(sys.argv[1])
claim = store.work.claim(Actor("ada"), key="k")
os.write(1, claim.token.encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_claim_survives_the_process_that_made_it_and_is_had_again_by_its_key(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path}/bus.db")
    try:
        world = World(f"sqlite://{tmp_path}/bus.db", store, ManualClock())
        ada = world.agent("ada")
        planned(world, ada, "a", "b")
        died = subprocess.run(
            [sys.executable, "-c", _LAST_WORDS, world.url], stdout=subprocess.PIPE, timeout=30, check=False
        )
        assert died.returncode < 0
        again = claimed(world, ada, key="k")
        assert (again.token, again.repeated) == (died.stdout.decode(), True)
        assert world.work.complete(ada, again.token).num == 1
        assert store.check() == []
    finally:
        store.close()


def test_a_backup_has_the_work_and_its_claims(world: World, tmp_path: Path) -> None:
    ada = world.agent("ada")
    planned(world, ada, "a", draft("b", 1))
    live = claimed(world, ada)
    copy = tmp_path / "backup.db"
    world.store.backup(str(copy))
    world.work.complete(ada, live.token)
    clock = ManualClock(world.store.now())
    restored = open_store(f"sqlite://{copy}", create=False, clock=clock)
    try:
        assert restored.check() == []
        assert restored.work.mine(ada) == (live._replace(project=restored.work.project("p")),)
        assert restored.work.complete(ada, live.token).status == "completed"
    finally:
        restored.close()


# --- from an older format --------------------------------------------------------------------------

_OLDER = """
INSERT INTO agents (name, role, description, inbox_limit, max_message_bytes, ephemeral, registered_at)
VALUES ('ada', 'both', '', 1000, 1048576, 0, 1000), ('bob', 'both', '', 1000, 1048576, 0, 1001);
INSERT INTO messages (tag, sender, recipients, kind, priority, subject, body, created_at, bytes)
VALUES (7, 'ada', '["bob"]', 'message', 1, '', 'precious', 2000, 8);
INSERT INTO deliveries (agent, message, state, priority, since) VALUES ('bob', 1, 'queued', 1, 2000);
INSERT INTO events (at, event, actor, message, agent) VALUES (2000, 'message_sent', 'ada', 1, 'bob');
"""


@pytest.mark.parametrize("older", [number for number, _ in migrations() if number < 5])
def test_a_bus_of_an_older_format_keeps_all_and_takes_work(tmp_path: Path, older: int) -> None:
    path = tmp_path / "bus.db"
    make_file(str(path))
    connection = Connection(str(path), 5000)
    migrate(connection, [script for script in migrations() if script[0] <= older], 1_800_000_000_000)
    connection.close()
    db = apsw.Connection(str(path))
    db.execute(_OLDER)
    db.close()
    clock = ManualClock()
    store = open_store(f"sqlite://{path}", create=False, clock=clock)
    try:
        assert store.info().format == newest_format()
        assert store.check() == []
        world = World(f"sqlite://{path}", store, clock)
        ada, bob = Actor("ada"), Actor("bob")
        assert [one.message.body for one in store.mail.peek("bob").deliveries] == ["precious"]
        (event,) = store.ledger.events()
        assert (event.event, event.project, event.step, event.attempt) == ("message_sent", None, None, None)
        assert store.work.tell() == 0
        planned(world, ada, "a", draft("b", 1), name="build")
        did(world, bob)
        store.topics.sync(ada, "build", outbox=(Post("hello"),))
        assert store.work.tell() == 1
        assert world.written("build") == ["hello", "Step 1 (a) is completed."]
        assert ready(world, "build") == [2]
        assert store.check() == []
    finally:
        store.close()
    assert len(list(tmp_path.glob("bus.db.before-*"))) == 1


# --- what the tables themselves refuse -------------------------------------------------------------

REFUSED = {
    "two live claims of a step": """
        INSERT INTO attempts (token, step, number, agent, state, claimed_at, renewed_at, lease_ms,
                              lease_until, limit_until)
        SELECT 'other', step, number + 1, agent, state, claimed_at, renewed_at, lease_ms,
               lease_until, limit_until
        FROM attempts WHERE state = 'live'""",
    "two claims with one token": """
        INSERT INTO attempts (token, step, number, agent, state, claimed_at, renewed_at, lease_ms,
                              lease_until, limit_until, ended_at)
        SELECT token, step, number + 1, agent, 'lost', claimed_at, renewed_at, lease_ms,
               lease_until, limit_until, 1
        FROM attempts WHERE state = 'live'""",
    "a claim that lives and has ended": "UPDATE attempts SET ended_at = 1 WHERE state = 'live'",
    "an attempt that ends twice": "UPDATE attempts SET state = 'failed' WHERE state = 'completed'",
    "a lease beyond the time limit": "UPDATE attempts SET lease_until = limit_until + 1",
    "a step removed": "DELETE FROM steps WHERE num = 4",
    "a done step that is open again": "UPDATE steps SET status = 'not_started' WHERE status = 'completed'",
    "a merged step that is not": "UPDATE steps SET status = 'completed' WHERE status = 'merged'",
    "a number twice": "UPDATE steps SET num = 1 WHERE num = 2",
    "a number of nothing": "UPDATE steps SET num = 0 WHERE num = 2",
    "a status that there is not": "UPDATE steps SET status = 'begun' WHERE num = 4",
    "a step without a title": "UPDATE steps SET title = ''",
    "a priority out of bounds": "UPDATE steps SET priority = 101",
    "a step that needs itself": """
        INSERT INTO needs (step, needed, until, on_failure, met) VALUES (1, 1, 'completed', 'block', 0)""",
    "a step that needs nothing that is there": """
        INSERT INTO needs (step, needed, until, on_failure, met) VALUES (1, 99, 'completed', 'block', 0)""",
    "a project's name twice": "UPDATE projects SET name_key = 'q' WHERE name = 'p'",
    "a state that there is not": "UPDATE projects SET state = 'done'",
    "counts below nothing": "UPDATE projects SET parked = -1",
    "a limit of nothing": "INSERT INTO resource_limits (resource, count) VALUES ('gpu', 0)",
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_tables_refuse(tmp_path: Path, what: str) -> None:
    path = tmp_path / "bus.db"
    store = open_store(f"sqlite://{path}", clock=ManualClock())
    try:
        world = World(f"sqlite://{path}", store, ManualClock())
        ada = world.agent("ada")
        planned(world, ada, "done", "merged", "live", "open")
        planned(world, ada, name="q")
        did(world, ada, "p/1")
        did(world, ada, "p/2")
        world.work.merge(ada, "p/2")
        claimed(world, ada, step="p/3")
        db = apsw.Connection(str(path))
        db.pragma("foreign_keys", True)
        with pytest.raises(apsw.ConstraintError):
            db.execute(REFUSED[what])
        db.close()
        assert store.check() == []
    finally:
        store.close()


WRONG = {
    "counts of a project": ("UPDATE projects SET not_started = not_started + 1", "project p"),
    "ready of a project": ("UPDATE projects SET ready = 0", "project p"),
    "what a step waits for": ("UPDATE steps SET waiting = 7 WHERE num = 2", "Step 2 of project p"),
    "a live step that nobody has": (
        "UPDATE attempts SET state = 'lost', ended_at = 1 WHERE state = 'live'",
        "Step 3 of project p",
    ),
    "a claim of a step that is not claimed": (
        "UPDATE steps SET status = 'not_started' WHERE num = 3",
        "Step 3 of project p",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_check_finds_what_is_wrong(tmp_path: Path, what: str) -> None:
    path = tmp_path / "bus.db"
    store = open_store(f"sqlite://{path}", clock=ManualClock())
    try:
        world = World(f"sqlite://{path}", store, ManualClock())
        ada = world.agent("ada")
        planned(world, ada, "failed", draft("waits", 1), "live", "open")
        failed(world, ada, "p/1")
        claimed(world, ada, step="p/3")
        assert store.check() == []
        db = apsw.Connection(str(path))
        statement, found = WRONG[what]
        db.execute(statement)
        db.close()
        assert any(found in problem.what for problem in store.check())
    finally:
        store.close()
