"""Work in SQLite. See :class:`hubbub.stores.contract_work.WorkStore`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hubbub.errors import BusBusy, BusFull, BusReadOnly
from hubbub.model import Actor
from hubbub.model_work import (
    CLAIM_MS,
    Attempt,
    Blocker,
    Claim,
    Conflict,
    Lost,
    Metrics,
    Need,
    Nothing,
    Past,
    Project,
    ProjectDraft,
    Reservation,
    Stale,
    Step,
    StepDraft,
    Wanted,
)
from hubbub.stores.sqlite import (
    work_changes,
    work_claims,
    work_explain,
    work_figures,
    work_files,
    work_own,
    work_plans,
    work_telling,
)
from hubbub.stores.sqlite import work_ends as ends
from hubbub.stores.sqlite.core import Core, one
from hubbub.stores.sqlite.work_rows import (
    SQL,
    attempt_of,
    find_project,
    find_step,
    project_of,
    step_of,
    step_row,
)

_ANY = Wanted()
_ATTEMPTS_SHOWN = 100


class SqliteWork:
    """The facet of work."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def _catch_up(self) -> None:
        """End what ran out, so that a look shows the truth."""
        now = self._core.clock.now()
        with self._core.read() as db:
            row = one(db, SQL["anything_expired"], {"now": now})
        if row is not None and row[0]:
            # A look needs no turn: where nothing can be written, it shows what is written.
            with suppress(BusBusy, BusFull, BusReadOnly), self._core.write() as tx:
                work_telling.expire(tx, self._core.clock.now())

    # --- plans -------------------------------------------------------------------------------

    def create_project(
        self, actor: Actor, draft: ProjectDraft, *, key: str | None = None
    ) -> tuple[Project, tuple[Step, ...]]:
        """A project with its steps."""
        return work_plans.create_project(self._core, actor, draft, key)

    def adopt_project(
        self,
        actor: Actor,
        draft: ProjectDraft,
        past: tuple[Past, ...],
        *,
        source: str,
        state: str = "active",
        created_at: int | None = None,
        key: str | None = None,
    ) -> tuple[Project, tuple[Step, ...]]:
        """A project whose work began elsewhere."""
        from hubbub.stores.sqlite import work_adopting  # few projects are taken over

        return work_adopting.adopt(self._core, actor, draft, past, source, state, created_at, key)

    def project(self, project: str) -> Project:
        """One project."""
        self._catch_up()
        with self._core.read() as db:
            return project_of(find_project(db, project))

    def projects(
        self, *, state: str | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[tuple[Project, ...], str | None]:
        """A page of projects."""
        self._catch_up()
        return work_figures.projects(self._core, state, after, limit)

    def update_project(self, actor: Actor, project: str, changes: dict[str, Any]) -> Project:
        """Change a project."""
        return work_changes.update_project(self._core, actor, project, changes)

    def add_steps(
        self, actor: Actor, project: str, steps: tuple[StepDraft, ...], *, key: str | None = None
    ) -> tuple[Step, ...]:
        """More steps."""
        return work_plans.add_steps(self._core, actor, project, steps, key)

    def edit_step(self, actor: Actor, step: str, changes: dict[str, Any]) -> Step:
        """Change a step."""
        return work_changes.edit_step(self._core, actor, step, changes)

    def split_step(self, actor: Actor, step: str, parts: tuple[StepDraft, ...]) -> tuple[Step, ...]:
        """Several steps for one."""
        return work_changes.split(self._core, actor, step, parts)

    def set_needs(
        self, actor: Actor, step: str, *, add: tuple[Need, ...] = (), remove: tuple[int, ...] = ()
    ) -> Step:
        """Change what a step needs."""
        return work_changes.set_needs(self._core, actor, step, add, remove)

    def cancel_step(self, actor: Actor, step: str, *, reason: str = "") -> Step:
        """It is not to be done."""
        return work_changes.cancel(self._core, actor, step, reason)

    def step(self, step: str) -> tuple[Step, tuple[Attempt, ...]]:
        """One step and its attempts."""
        self._catch_up()
        with self._core.read() as db:
            number = find_step(db, step)
            rows = list(db.execute(SQL["attempt_rows"], {"step": number, "limit": _ATTEMPTS_SHOWN}))
            return step_of(db, step_row(db, number)), tuple(attempt_of(row) for row in rows)

    def steps(
        self,
        project: str | None = None,
        *,
        statuses: tuple[str, ...] = (),
        scope: str | None = None,
        ready: bool = False,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[tuple[Step, ...], str | None]:
        """A page of steps."""
        self._catch_up()
        return work_figures.steps(self._core, project, statuses, scope, ready, after, limit)

    def explain(self, step: str) -> tuple[Blocker, ...]:
        """What keeps it from being claimed."""
        ends.end_dead_sessions(self._core)
        self._catch_up()
        with self._core.read() as db:
            return work_explain.explain(db, find_step(db, step), None, self._core.clock.now())

    # --- claims ------------------------------------------------------------------------------

    def claim(
        self,
        actor: Actor,
        wanted: Wanted = _ANY,
        *,
        lease_ms: int = CLAIM_MS,
        start: bool = False,
        key: str | None = None,
    ) -> Claim | Nothing:
        """Take the first ready step."""
        return work_claims.claim(self._core, actor, wanted, lease_ms, start, key)

    def mine(self, actor: Actor) -> tuple[Claim, ...]:
        """What the agent holds."""
        return work_own.mine(self._core, actor)

    def lost(self, actor: Actor) -> tuple[Lost, ...]:
        """What it lost of late."""
        self._catch_up()
        return work_own.lost(self._core, actor)

    def lost_told(self, actor: Actor, losses: tuple[Lost, ...]) -> None:
        """It knows of these."""
        work_own.lost_told(self._core, actor, losses)

    def start(
        self, actor: Actor, token: str, *, branch: str | None = None, worktree: str | None = None
    ) -> Claim:
        """Begin."""
        return work_claims.start(self._core, actor, token, branch, worktree)

    def renew(self, actor: Actor, token: str, *, notes: str | None = None) -> Claim:
        """Still at work."""
        return work_claims.renew(self._core, actor, token, notes)

    def complete(
        self,
        actor: Actor,
        token: str,
        *,
        commit: str | None = None,
        files: tuple[str, ...] = (),
        notes: str | None = None,
        result: str | None = None,
        key: str | None = None,
        tell: bool = False,
    ) -> Step:
        """Done."""
        left = {"commit_id": commit, "files": files, "notes": notes, "result": result}
        return work_claims.complete(self._core, actor, token, left, key, tell)

    def merge(self, actor: Actor, step: str, *, commit: str | None = None) -> Step:
        """In the base."""
        return work_changes.merge(self._core, actor, step, commit)

    def fail(
        self,
        actor: Actor,
        token: str,
        reason: str,
        *,
        failure: str = "task",
        notes: str | None = None,
        delay_ms: int | None = None,
        final: bool = False,
        key: str | None = None,
        tell: bool = False,
    ) -> Step:
        """Not done."""
        told = {"failure": failure, "reason": reason, "notes": notes, "delay_ms": delay_ms, "final": final}
        return work_claims.fail(self._core, actor, token, told, key, tell)

    def release(self, actor: Actor, token: str, *, notes: str | None = None, delay_ms: int = 0) -> Step:
        """Given back without blame."""
        return work_claims.release(self._core, actor, token, notes, delay_ms)

    def retry(self, actor: Actor, step: str, *, note: str = "") -> Step:
        """To be done after all."""
        return work_changes.retry(self._core, actor, step, note)

    # --- recovery ----------------------------------------------------------------------------

    def stale(self, *, idle_ms: int, limit: int = 100) -> tuple[Stale, ...]:
        """Claims that show no life."""
        return work_changes.stale(self._core, idle_ms, limit)

    def recover(self, actor: Actor | None, step: str, *, attempt: int, lease_until: int) -> Step:
        """Take it back."""
        return work_changes.recover(self._core, actor, step, attempt, lease_until)

    # --- files -------------------------------------------------------------------------------

    def reserve(
        self, actor: Actor, globs: tuple[str, ...], *, ttl_ms: int, reason: str = "", key: str | None = None
    ) -> Reservation:
        """Keep files."""
        return work_files.reserve(self._core, actor, globs, ttl_ms, reason, key)

    def renew_reservation(self, actor: Actor, id: str, *, ttl_ms: int) -> Reservation:
        """Keep them longer."""
        return work_files.renew(self._core, actor, id, ttl_ms)

    def release_reservation(self, actor: Actor, id: str) -> Reservation:
        """Give them up."""
        return work_files.release(self._core, actor, id)

    def reservations(self, *, agent: str | None = None) -> tuple[Reservation, ...]:
        """The live ones."""
        return work_files.reservations(self._core, agent)

    def conflicts(self, globs: tuple[str, ...], *, but: str | None = None) -> tuple[Conflict, ...]:
        """Who holds them."""
        return work_files.conflicts(self._core, globs, but)

    def limit_resource(self, actor: Actor, resource: str, count: int) -> None:
        """How many may have it."""
        work_files.limit(self._core, actor, resource, count)

    # --- figures -----------------------------------------------------------------------------

    def metrics(
        self, *, project: str | None = None, scope: str | None = None, agent: str | None = None
    ) -> Metrics:
        """How the work goes."""
        self._catch_up()
        return work_figures.metrics(self._core, project, scope, agent)

    def tell(self, *, limit: int = 100) -> int:
        """News for the topics."""
        return work_telling.tell(self._core, limit)
