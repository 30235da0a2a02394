"""Databases of hq for the tests, in the form that its migrations 1 and 2 keep on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw

SCHEMA = """
CREATE TABLE schema_migrations (
    version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT (datetime('now')));
CREATE TABLE projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, base_commit TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'aborted')),
    priority INTEGER NOT NULL DEFAULT 0);
CREATE TABLE steps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    step_num INTEGER NOT NULL, branch TEXT NOT NULL, scope TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'not_started'
        CHECK (status IN ('not_started', 'claimed', 'in_progress', 'completed', 'failed', 'merged')),
    worktree TEXT, agent_id TEXT, claimed_at TEXT, started_at TEXT, completed_at TEXT, last_heartbeat TEXT,
    last_commit TEXT, files_modified TEXT, notes TEXT, UNIQUE (project_id, step_num));
CREATE TABLE dependencies (
    step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    depends_on_step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    PRIMARY KEY (step_id, depends_on_step_id));
CREATE TABLE agent_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL,
    project_id INTEGER REFERENCES projects (id) ON DELETE SET NULL,
    step_id INTEGER REFERENCES steps (id) ON DELETE SET NULL,
    event_type TEXT NOT NULL
        CHECK (event_type IN ('claimed', 'started', 'heartbeat', 'completed', 'failed', 'recovered')),
    timestamp TEXT NOT NULL DEFAULT (datetime('now')), metadata TEXT);
CREATE INDEX idx_projects_status ON projects (status);
CREATE INDEX idx_projects_priority ON projects (priority DESC);
CREATE INDEX idx_steps_status ON steps (status);
CREATE INDEX idx_steps_agent ON steps (agent_id);
CREATE INDEX idx_steps_scope ON steps (scope);
CREATE INDEX idx_steps_heartbeat ON steps (last_heartbeat);
CREATE INDEX idx_dependencies_step ON dependencies (step_id);
CREATE INDEX idx_dependencies_on ON dependencies (depends_on_step_id);
CREATE INDEX idx_events_timestamp ON agent_events (timestamp DESC);
CREATE INDEX idx_events_agent ON agent_events (agent_id);
CREATE INDEX idx_events_step ON agent_events (step_id);
INSERT INTO schema_migrations (version) VALUES (1);
"""

SECOND = """
CREATE TABLE failed_steps_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT, original_step_id INTEGER NOT NULL,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    step_num INTEGER NOT NULL, branch TEXT NOT NULL, scope TEXT NOT NULL, worktree TEXT, agent_id TEXT,
    claimed_at TEXT, started_at TEXT, failed_at TEXT, last_commit TEXT, files_modified TEXT, notes TEXT,
    archived_at TEXT NOT NULL DEFAULT (datetime('now')));
CREATE INDEX idx_failed_original ON failed_steps_history (original_step_id);
CREATE INDEX idx_failed_project ON failed_steps_history (project_id);
CREATE INDEX idx_failed_archived ON failed_steps_history (archived_at DESC);
CREATE INDEX idx_steps_project_status_num ON steps (project_id, status, step_num);
INSERT INTO schema_migrations (version) VALUES (2);
"""

DAY = "2026-01-18 10:"
"""What every time here begins with; the minute and second follow."""


class HqFile:
    """A file that is being filled by agents that do what hq's tools do; as there, it is in WAL mode."""

    def __init__(self, path: Path, *, version: int = 2) -> None:
        self.path = path
        self.db = apsw.Connection(str(path))
        self.db.pragma("journal_mode", "wal")
        self.db.pragma("foreign_keys", True)
        self.db.execute(SCHEMA + (SECOND if version >= 2 else ""))

    def project(self, name: str, *steps: tuple[int, ...], **fields: Any) -> int:
        """create_project: a step for each of these, with the numbers that it needs."""
        values = (
            name,
            fields.get("base", "f00dbabe"),
            f"{DAY}00:00",
            fields.get("status", "active"),
            fields.get("priority", 0),
        )
        self.db.execute(
            "INSERT INTO projects (name, base_commit, created_at, status, priority) VALUES (?, ?, ?, ?, ?)",
            values,
        )
        project = self.db.last_insert_rowid()
        ids = {}
        for num in range(1, len(steps) + 1):
            self.db.execute(
                "INSERT INTO steps (project_id, step_num, branch, scope) VALUES (?, ?, ?, ?)",
                (project, num, f"feature/{name}-{num}", f"scope-{num % 2}"),
            )
            ids[num] = self.db.last_insert_rowid()
        for num, needs in enumerate(steps, 1):
            for needed in needs:
                self.db.execute("INSERT INTO dependencies VALUES (?, ?)", (ids[num], ids[needed]))
        return project

    def step(self, project: int, num: int) -> int:
        """The id of a step."""
        row = self.db.execute("SELECT id FROM steps WHERE project_id = ? AND step_num = ?", (project, num))
        return int(next(row)[0])

    def claim(self, project: int, num: int, agent: str = "agent-1", minute: int = 1) -> int:
        """claim_step, had by ``agent``."""
        step, at = self.step(project, num), f"{DAY}{minute:02}:00"
        self._set(step, status="claimed", agent_id=agent, claimed_at=at, last_heartbeat=at)
        self.event(agent, "claimed", at, step, project)
        return step

    def start(
        self, step: int, agent: str = "agent-1", minute: int = 2, worktree: str | None = "/w/1"
    ) -> None:
        """start_step."""
        at = f"{DAY}{minute:02}:00"
        self._set(step, status="in_progress", started_at=at, last_heartbeat=at, worktree=worktree)
        self.event(agent, "started", at, step)

    def complete(self, step: int, agent: str = "agent-1", minute: int = 3, **left: Any) -> None:
        """complete_step."""
        at = f"{DAY}{minute:02}:00"
        files = left.get("files")
        self._set(
            step,
            status="completed",
            completed_at=at,
            last_commit=left.get("commit", "c0ffee"),
            files_modified=None if files is None else json.dumps(files),
            notes=left.get("notes"),
        )
        self.event(agent, "completed", at, step)

    def fail(self, step: int, reason: str, agent: str = "agent-1", minute: int = 3) -> None:
        """fail_step."""
        self._set(step, status="failed", notes=reason)
        self.event(agent, "failed", f"{DAY}{minute:02}:00", step, detail={"reason": reason})

    def recover(self, step: int, minute: int = 4) -> None:
        """recover_step: what the sweeper does to a stale claim."""
        self._set(
            step,
            status="not_started",
            agent_id=None,
            claimed_at=None,
            started_at=None,
            last_heartbeat=None,
            worktree=None,
        )
        self.event("system", "recovered", f"{DAY}{minute:02}:00", step)

    def recover_failed(self, step: int, minute: int = 5) -> None:
        """recover_failed_step: the row goes to the history, and everything of it is cleared."""
        at = f"{DAY}{minute:02}:00"
        self.db.execute(
            "INSERT INTO failed_steps_history (original_step_id, project_id, step_num, branch, scope,"
            " worktree, agent_id, claimed_at, started_at, failed_at, last_commit, files_modified, notes,"
            " archived_at)"
            " SELECT id, project_id, step_num, branch, scope, worktree, agent_id, claimed_at, started_at, ?,"
            " last_commit, files_modified, notes, ? FROM steps WHERE id = ?",
            (at, at, step),
        )
        self._set(step, last_commit=None, files_modified=None, notes=None)
        self.recover(step, minute)

    def event(
        self,
        agent: str,
        kind: str,
        at: str,
        step: int,
        project: int | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """A line of the ledger; of most kinds, hq does not say of which project."""
        self.db.execute(
            "INSERT INTO agent_events (agent_id, project_id, step_id, event_type, timestamp, metadata)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (agent, project, step, kind, at, None if detail is None else json.dumps(detail)),
        )

    def _set(self, step: int, **values: Any) -> None:
        names = ", ".join(f"{name} = :{name}" for name in values)
        self.db.execute(f"UPDATE steps SET {names} WHERE id = :step", {"step": step, **values})

    def done(self) -> Path:
        """Close it; where it is."""
        self.db.close()
        return self.path
