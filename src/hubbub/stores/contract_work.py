"""What a store must do for work. What :mod:`hubbub.stores.contract` says of all facets holds here.

A project is named by its id or its name; a step by its id, or by ``PROJECT/NUMBER``. Unknown ones raise
``PROJECT_NOT_FOUND`` and ``STEP_NOT_FOUND`` with the nearest.

A step is **ready** when it is not_started, its project active, every need met, its time come, and neither
its paths nor its resources held by a live claim or another agent's reservation. Claiming finds and takes
the first ready step in one stroke, so that a claim has one holder. Every later write of a claim carries
its **token**; one whose lease ran out, was taken, recovered, cancelled or released raises ``CLAIM_LOST``,
which says when and to whom, and one that no claim has ``CLAIM_NOT_FOUND``. A claim whose lease ran out is
over at once: whatever looks at it next ends it.
"""

from __future__ import annotations

from typing import Any, Protocol

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


class WorkStore(Protocol):
    """Projects, steps, claims and reservations."""

    # --- plans -------------------------------------------------------------------------------

    def create_project(
        self, actor: Actor, draft: ProjectDraft, *, key: str | None = None
    ) -> tuple[Project, tuple[Step, ...]]:
        """Make a project with its steps, and the topic of its name for its news, all or nothing.

        Raises ``PROJECT_EXISTS``, ``STEP_EXISTS`` (a number twice), ``STEP_NOT_FOUND`` (a need that is
        not there), ``DEPENDENCY_CYCLE`` (with the circle).
        """
        ...

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
        """Make a project whose work began elsewhere, all or nothing: as :meth:`create_project`, and its
        steps are as far as ``past`` says; the others, and those over without being done, follow their
        needs as usual. The attempts that it brings use up none here. What it tells of itself is in the
        ledger's ``project_created`` (with ``source``, where it comes from) and ``step_added`` (with the
        ``status``); no news is posted of what happened elsewhere. ``state`` is ``active`` (completed at
        once, where all is done), ``paused`` or ``aborted``, which cancels what is not over, as ever.

        Raises as :meth:`create_project`; ``INVALID_ARGUMENT`` when ``past`` is not as :class:`Past` says
        or names a step that is not in the draft.
        """
        ...

    def project(self, project: str) -> Project:
        """One project."""
        ...

    def projects(
        self, *, state: str | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[tuple[Project, ...], str | None]:
        """Projects, highest priority first, then newest; and where to go on."""
        ...

    def update_project(self, actor: Actor, project: str, changes: dict[str, Any]) -> Project:
        """Change ``name``, ``base_commit``, ``description``, ``priority``, ``metadata`` or ``state``:
        ``paused`` stops claims, ``aborted`` cancels what is not over, ``active`` undoes both or reopens a
        completed one. It completes by itself when all its steps are done or cancelled and one at least is
        done; more to do makes it active again.
        """
        ...

    def add_steps(
        self, actor: Actor, project: str, steps: tuple[StepDraft, ...], *, key: str | None = None
    ) -> tuple[Step, ...]:
        """Add steps while work runs, all or nothing. Raises as :meth:`create_project`."""
        ...

    def edit_step(self, actor: Actor, step: str, changes: dict[str, Any]) -> Step:
        """Change ``title``, ``instructions``, ``acceptance``, ``branch``, ``scope``, ``paths``,
        ``resources``, ``priority``, ``num``, ``max_attempts``, ``time_limit_ms``, ``not_before`` or
        ``metadata`` of a step that is not over. A live claim comes to hold only what is free. Raises
        ``STEP_OVER``, ``STEP_EXISTS``, ``PATH_HELD``, ``STEP_BEGUN`` (a resource is in use).
        """
        ...

    def split_step(self, actor: Actor, step: str, parts: tuple[StepDraft, ...]) -> tuple[Step, ...]:
        """Put several steps in the place of one that is not begun: what it needed the first ones need,
        what needed it needs all of them; it is cancelled. Raises ``STEP_BEGUN``, ``STEP_OVER``.
        """
        ...

    def set_needs(
        self, actor: Actor, step: str, *, add: tuple[Need, ...] = (), remove: tuple[int, ...] = ()
    ) -> Step:
        """Change what a step needs. Raises ``DEPENDENCY_CYCLE``, ``STEP_BEGUN``, ``STEP_OVER``."""
        ...

    def cancel_step(self, actor: Actor, step: str, *, reason: str = "") -> Step:
        """The step is not to be done. A live claim of it is lost. Raises ``STEP_OVER``."""
        ...

    def step(self, step: str) -> tuple[Step, tuple[Attempt, ...]]:
        """One step, and its attempts, the latest first."""
        ...

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
        """Steps in order of number, or, with ``ready``, those that can be claimed in the order in which
        they would be; and where to go on."""
        ...

    def explain(self, step: str) -> tuple[Blocker, ...]:
        """All that keeps a step from being claimed now; nothing when it is ready."""
        ...

    # --- claims ------------------------------------------------------------------------------

    def claim(
        self,
        actor: Actor,
        wanted: Wanted = Wanted(),  # noqa: B008 - immutable
        *,
        lease_ms: int = CLAIM_MS,
        start: bool = False,
        key: str | None = None,
    ) -> Claim | Nothing:
        """Take the first ready step: by priority and age (``AGEING_MS``), then by number; of all active
        projects unless one is named. The same ``key`` gives the same claim while it is live; with
        ``start`` the step is in_progress at once.
        """
        ...

    def mine(self, actor: Actor) -> tuple[Claim, ...]:
        """The live claims of the agent. They are the acting session's from now on: it renews them."""
        ...

    def lost(self, actor: Actor) -> tuple[Lost, ...]:
        """The claims that the agent lost within ``LOST_SHOWN_MS``, the latest first, ten at most: their lease
        or time ran out, or they were taken back. Not those of steps that it has claimed again since, nor
        those that another session of it was told of (:meth:`lost_told`)."""
        ...

    def lost_told(self, actor: Actor, losses: tuple[Lost, ...]) -> None:
        """The agent was told of these by the acting session, or by a command: no other one is."""
        ...

    def start(
        self, actor: Actor, token: str, *, branch: str | None = None, worktree: str | None = None
    ) -> Claim:
        """claimed -> in_progress; again changes only what is given."""
        ...

    def renew(self, actor: Actor, token: str, *, notes: str | None = None) -> Claim:
        """Renew the lease, up to the attempt's time limit; keep ``notes`` for a successor.

        A session's beat (:meth:`hubbub.stores.contract.AgentStore.beat`) renews all its live claims.
        """
        ...

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
        """claimed or in_progress -> completed; what needed only this is ready in the same stroke, and with
        ``tell`` the news of it are posted, as by :meth:`tell`.

        Completing again with the token that completed it gives the same answer.
        """
        ...

    def merge(self, actor: Actor, step: str, *, commit: str | None = None) -> Step:
        """completed -> merged: its work is in the base. Raises ``STEP_NOT_COMPLETED``."""
        ...

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
        """claimed or in_progress -> not_started after a rest (``delay_ms``, else ``BACKOFF_MS`` doubled
        with each failure), parked when its attempts are used up, or failed when ``final``."""
        ...

    def release(self, actor: Actor, token: str, *, notes: str | None = None, delay_ms: int = 0) -> Step:
        """claimed or in_progress -> not_started without blame; the attempt does not count."""
        ...

    def retry(self, actor: Actor, step: str, *, note: str = "") -> Step:
        """parked, failed or cancelled -> not_started with its attempts forgiven; what was cancelled for
        its sake comes back with it. Raises ``STEP_NOT_PARKED``."""
        ...

    # --- recovery ----------------------------------------------------------------------------

    def stale(self, *, idle_ms: int, limit: int = 100) -> tuple[Stale, ...]:
        """Live claims that were not renewed for ``idle_ms``, or ran out."""
        ...

    def recover(self, actor: Actor | None, step: str, *, attempt: int, lease_until: int) -> Step:
        """Take a step back from a claim that ran out, if it is still that attempt with that lease: of
        several who try, or a late renewal, one wins. Raises ``CLAIM_LIVE``, ``CLAIM_CHANGED``."""
        ...

    # --- files -------------------------------------------------------------------------------

    def reserve(
        self, actor: Actor, globs: tuple[str, ...], *, ttl_ms: int, reason: str = "", key: str | None = None
    ) -> Reservation:
        """Keep files to oneself. Raises ``PATH_HELD`` with who has what, and nothing is reserved."""
        ...

    def renew_reservation(self, actor: Actor, id: str, *, ttl_ms: int) -> Reservation:
        """Keep it longer. Raises ``RESERVATION_NOT_FOUND`` when it is over."""
        ...

    def release_reservation(self, actor: Actor, id: str) -> Reservation:
        """Give it up."""
        ...

    def reservations(self, *, agent: str | None = None) -> tuple[Reservation, ...]:
        """The live ones."""
        ...

    def conflicts(self, globs: tuple[str, ...], *, but: str | None = None) -> tuple[Conflict, ...]:
        """Who else than ``but`` holds files that these globs could name, by reservation or claim."""
        ...

    def limit_resource(self, actor: Actor, resource: str, count: int) -> None:
        """How many live claims may have a resource at a time; 1 unless set."""
        ...

    # --- figures -----------------------------------------------------------------------------

    def metrics(
        self, *, project: str | None = None, scope: str | None = None, agent: str | None = None
    ) -> Metrics:
        """How the work goes."""
        ...

    def tell(self, *, limit: int = 100) -> int:
        """Post what the ledger says happened to steps to their projects' topics, once each; how many."""
        ...
