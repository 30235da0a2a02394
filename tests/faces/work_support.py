"""What tests of work on the command line do most."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hubbub.model_work import Claim
from tests.faces.cli_support import Answer, Cli

THREE = (
    {"title": "Grammar", "instructions": "Write it down.\nAll of it.", "acceptance": "It is unambiguous."},
    {"title": "Lexer", "needs": [1], "paths": ["src/lexer/**"], "branch": "lexer"},
    {"title": "Parser", "needs": [{"num": 2, "until": "merged"}], "scope": "core"},
)


def plan(cli: Cli, *steps: object, name: str = "parser", agent: str = "alice") -> Answer:
    """Make a project of ``steps`` by the command line."""
    given = json.dumps(steps or THREE).encode()
    done = cli.run("project", "create", name, "--steps", "-", agent=agent, stdin=given)
    assert done.status == 0, done.err
    return done


def step(cli: Cli, name: str) -> dict[str, Any]:
    """A step as the command line shows it."""
    shown: dict[str, Any] = cli.run("step", "show", name, "--json").json["step"]
    return shown


def take(cli: Cli, *words: str, agent: str = "alice") -> dict[str, Any]:
    """Claim a step that must be there."""
    done = cli.run("step", "claim", *words, "--json", agent=agent)
    assert done.status == 0, done.out
    return done.json


def unclaimed(text: str) -> str:
    """``text`` without the attempts that commands say they acted on: when those were claimed may differ."""
    return re.sub(r" \(attempt \d+, claimed [^()]* by [a-z]+\)", "", text)


def took_before(cli: Cli, seconds: float, step: str, agent: str = "alice") -> Claim:
    """A claim of five minutes that was had ``seconds`` ago."""
    with cli.bus(later=-seconds) as bus:
        found = bus.work.claim(bus.agents.attach(agent), step=step)
    assert isinstance(found, Claim)
    return found


_HQ = """
CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT UNIQUE, base_commit TEXT,
    created_at TEXT DEFAULT (datetime('now')), status TEXT DEFAULT 'active', priority INTEGER DEFAULT 0);
CREATE TABLE steps (id TEXT PRIMARY KEY, project_id TEXT, step_num INTEGER, branch TEXT, scope TEXT,
    status TEXT DEFAULT 'not_started', worktree TEXT, agent_id TEXT, claimed_at TEXT, started_at TEXT,
    completed_at TEXT, last_heartbeat TEXT, last_commit TEXT, files_modified TEXT, notes TEXT,
    UNIQUE (project_id, step_num));
CREATE TABLE dependencies (step_id TEXT, depends_on_step_id TEXT, PRIMARY KEY (step_id, depends_on_step_id));
CREATE TABLE agent_events (id INTEGER PRIMARY KEY, agent_id TEXT, project_id TEXT, step_id TEXT,
    event_type TEXT, timestamp TEXT DEFAULT (datetime('now')), metadata TEXT);
CREATE TABLE failed_steps_history (id INTEGER PRIMARY KEY, original_step_id TEXT, project_id TEXT,
    step_num INTEGER, branch TEXT, scope TEXT, worktree TEXT, agent_id TEXT, claimed_at TEXT, started_at TEXT,
    failed_at TEXT, last_commit TEXT, files_modified TEXT, notes TEXT, archived_at TEXT);
CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT);
INSERT INTO schema_migrations VALUES (1, datetime('now')), (2, datetime('now'));
INSERT INTO projects (id, name, base_commit) VALUES ('p1', 'compiler', 'abc123');
INSERT INTO steps (id, project_id, step_num, branch, scope, status, agent_id, claimed_at, started_at,
    completed_at, last_commit, files_modified, notes)
    VALUES ('s1', 'p1', 1, 'lexer', 'core', 'completed', 'agent-1', datetime('now'), datetime('now'),
    datetime('now'), 'c1', '["a.go"]', 'done');
INSERT INTO steps (id, project_id, step_num, branch, scope, status, agent_id, claimed_at, worktree)
    VALUES ('s2', 'p1', 2, 'parser', 'core', 'in_progress', 'agent-2', datetime('now'), '/wt');
INSERT INTO steps (id, project_id, step_num, branch, scope) VALUES ('s3', 'p1', 3, 'docs', 'docs');
INSERT INTO dependencies VALUES ('s2', 's1'), ('s3', 's2');
INSERT INTO agent_events (agent_id, project_id, step_id, event_type)
    VALUES ('agent-1', 'p1', 's1', 'claimed');
"""


def hq_database(path: Path) -> None:
    """A database as hq keeps it, with a step that is done, one that is in hand, and one that waits."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_HQ)
