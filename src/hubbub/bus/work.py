"""Work: projects whose steps agents claim, do, and hand on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from hubbub.bus import planning
from hubbub.bus.checking import key as check_key
from hubbub.bus.checking import number, seconds, text
from hubbub.bus.claiming import WEEK_SECONDS, Claiming
from hubbub.bus.files import named
from hubbub.errors import HubbubError, InvalidArgument
from hubbub.errors_work import StepNotClaimed
from hubbub.model import Actor
from hubbub.model_work import (
    FAILURES,
    PROJECT_STATES,
    STATUSES,
    Attempt,
    Blocker,
    Claim,
    Lost,
    Metrics,
    Need,
    Project,
    Stale,
    Step,
    StepDraft,
)
from hubbub.names import check_name, check_word

T = TypeVar("T")

PAGE_MAX = 1000
GLOBS_MAX = 100
RESERVATION_SECONDS = 3600.0
STALE_SECONDS = 900.0


class Work(Claiming):
    """The work of one bus. A project is named by name or id; a step by id, or as ``PROJECT/NUMBER``."""

    def _told(self, answer: T) -> T:
        """``answer``, once the projects' topics have been told what it changed."""
        try:
            self._store.work.tell()
        except HubbubError:
            return answer  # whoever does housekeeping tells them
        return answer

    # --- plans -------------------------------------------------------------------------------

    def create_project(
        self,
        actor: Actor,
        name: str,
        steps: list[dict[str, Any]] | tuple[StepDraft, ...] = (),
        *,
        base_commit: str = "",
        description: str = "",
        priority: int = 0,
        metadata: dict[str, Any] | None = None,
        key: str | None = None,
    ) -> tuple[Project, tuple[Step, ...]]:
        """Make a project with its steps, in one stroke.

        Args:
            actor: Who plans.
            name: What it is called; its topic gets the same name.
            steps: Up to 10,000, as :func:`hubbub.bus.planning.step` reads them.
            base_commit: What the work starts from.
            description: What it is about.
            priority: Higher goes first, from -100 to 100.
            metadata: A JSON object.
            key: The same key makes it once.

        Raises:
            InvalidArgument: something given is not as above.
            ProjectExists, StepExists, StepNotFound, DependencyCycle: nothing was made.
        """
        draft = planning.project(name, steps, base_commit, description, priority, metadata)
        return self._store.work.create_project(actor, draft, key=check_key(key))

    def project(self, project: str) -> Project:
        """One project with the counts of its steps."""
        return self._store.work.project(named(project, "project"))

    def projects(
        self, *, state: str | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[tuple[Project, ...], str | None]:
        """Projects, highest priority first, then newest; and where to go on."""
        return self._store.work.projects(
            state=None if state is None else check_word(state, PROJECT_STATES, "state of a project"),
            after=_optional(after, "after", planning.LABEL_MAX),
            limit=number(limit, "limit", 1, PAGE_MAX),
        )

    def update_project(self, actor: Actor, project: str, **changes: Any) -> Project:
        """Change ``name``, ``base_commit``, ``description``, ``priority``, ``metadata`` or ``state``."""
        checked = planning.project_changes(changes)
        return self._told(self._store.work.update_project(actor, named(project, "project"), checked))

    def add_steps(
        self,
        actor: Actor,
        project: str,
        steps: list[dict[str, Any]] | tuple[StepDraft, ...],
        *,
        key: str | None = None,
    ) -> tuple[Step, ...]:
        """Add steps, also while work runs, all or nothing."""
        drafts = planning.steps(steps)
        return self._store.work.add_steps(actor, named(project, "project"), drafts, key=check_key(key))

    def edit_step(self, actor: Actor, step: str, **changes: Any) -> Step:
        """Change a step that is not over; the fields are those of :func:`hubbub.bus.planning.step`."""
        return self._store.work.edit_step(actor, named(step, "step"), planning.step_changes(changes))

    def split_step(
        self, actor: Actor, step: str, parts: list[dict[str, Any]] | tuple[StepDraft, ...]
    ) -> tuple[Step, ...]:
        """Put several steps in the place of one that nobody has begun."""
        drafts = planning.steps(parts)
        if not drafts:
            raise InvalidArgument("Name the parts of the step.", hint="To drop a step, cancel it.")
        return self._told(self._store.work.split_step(actor, named(step, "step"), drafts))

    def set_needs(
        self,
        actor: Actor,
        step: str,
        *,
        add: list[Any] | tuple[Need, ...] = (),
        remove: list[int] | tuple[int, ...] = (),
    ) -> Step:
        """Change what a step needs: numbers of steps of its project, or objects as in a step."""
        gone = tuple(number(num, "remove", 1, 2**31) for num in remove)
        edges = planning.needs(add)
        return self._told(self._store.work.set_needs(actor, named(step, "step"), add=edges, remove=gone))

    def cancel_step(self, actor: Actor, step: str, *, reason: str = "") -> Step:
        """It is not to be done."""
        reason = text(reason, "reason", planning.REASON_MAX)
        return self._told(self._store.work.cancel_step(actor, named(step, "step"), reason=reason))

    def step(self, step: str) -> tuple[Step, tuple[Attempt, ...]]:
        """One step, and its attempts, the latest first."""
        return self._store.work.step(named(step, "step"))

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
        """Steps by number, or with ``ready`` those that can be claimed; and where to go on."""
        return self._store.work.steps(
            None if project is None else named(project, "project"),
            statuses=tuple(check_word(status, STATUSES, "status") for status in statuses),
            scope=_optional(scope, "scope", planning.LABEL_MAX),
            ready=ready,
            after=_optional(after, "after", planning.LABEL_MAX),
            limit=number(limit, "limit", 1, PAGE_MAX),
        )

    def explain(self, step: str) -> tuple[Blocker, ...]:
        """All that keeps a step from being claimed now."""
        found = self._store.work.explain(named(step, "step"))
        if self._end_gone([blocker.holder for blocker in found if blocker.holder]):
            found = self._store.work.explain(step)
        return found

    # --- claims ------------------------------------------------------------------------------

    def mine(self, actor: Actor) -> tuple[Claim, ...]:
        """What the agent holds; its session renews that from now on."""
        return self._store.work.mine(actor)

    def lost(self, actor: Actor) -> tuple[Lost, ...]:
        """What the agent lost within a day, was not told of in another session, and has not claimed again."""
        return self._store.work.lost(actor)

    def lost_told(self, actor: Actor, losses: tuple[Lost, ...]) -> None:
        """The agent was told of these losses; where that can't be kept it is told again."""
        if losses:
            with suppress(HubbubError):
                self._store.work.lost_told(actor, losses)

    def start(
        self, actor: Actor, token: str, *, branch: str | None = None, worktree: str | None = None
    ) -> Claim:
        """Say that work begins, and where."""
        return self._store.work.start(
            actor,
            _token(token),
            branch=_line(branch, "branch", planning.LABEL_MAX),
            worktree=_line(worktree, "worktree", planning.PATH_MAX),
        )

    def renew(self, actor: Actor, token: str, *, notes: str | None = None) -> Claim:
        """Renew the lease, and leave notes for a successor."""
        notes = _optional(notes, "notes", planning.TEXT_MAX)
        return self._store.work.renew(actor, _token(token), notes=notes)

    def complete(
        self,
        actor: Actor,
        token: str,
        *,
        commit: str | None = None,
        files: list[str] | tuple[str, ...] = (),
        notes: str | None = None,
        result: str | None = None,
        key: str | None = None,
    ) -> Step:
        """The step is done."""
        return self._store.work.complete(
            actor,
            _token(token),
            commit=_line(commit, "commit", planning.LABEL_MAX),
            files=planning.files(files),
            notes=_optional(notes, "notes", planning.TEXT_MAX),
            result=_optional(result, "result", planning.TEXT_MAX),
            key=check_key(key),
            tell=True,
        )

    def merge(self, actor: Actor, step: str, *, commit: str | None = None) -> Step:
        """The step's work is in the base."""
        commit = _line(commit, "commit", planning.LABEL_MAX)
        return self._told(self._store.work.merge(actor, named(step, "step"), commit=commit))

    def fail(
        self,
        actor: Actor,
        token: str,
        reason: str,
        *,
        failure: str = "task",
        notes: str | None = None,
        delay: float | None = None,
        final: bool = False,
        key: str | None = None,
    ) -> Step:
        """The attempt failed, as ``task``, ``environment``, ``rate_limited`` or ``timeout``."""
        return self._store.work.fail(
            actor,
            _token(token),
            text(reason, "reason", planning.REASON_MAX, empty=False),
            failure=check_word(failure, FAILURES, "class of failure"),
            notes=_optional(notes, "notes", planning.TEXT_MAX),
            delay_ms=None if delay is None else seconds(delay, "delay", WEEK_SECONDS),
            final=final,
            key=check_key(key),
            tell=True,
        )

    def release(self, actor: Actor, token: str, *, notes: str | None = None, delay: float = 0) -> Step:
        """Give the step back without blame."""
        released = self._store.work.release(
            actor,
            _token(token),
            notes=_optional(notes, "notes", planning.TEXT_MAX),
            delay_ms=seconds(delay, "delay", WEEK_SECONDS),
        )
        return self._told(released)

    def retry(self, actor: Actor, step: str, *, note: str = "") -> Step:
        """Bring a failed, parked or cancelled step back."""
        note = text(note, "note", planning.REASON_MAX)
        return self._told(self._store.work.retry(actor, named(step, "step"), note=note))

    # --- recovery ----------------------------------------------------------------------------

    def stale(self, *, idle: float = STALE_SECONDS, limit: int = 100) -> tuple[Stale, ...]:
        """Claims that were not renewed for ``idle`` seconds, or ran out."""
        idle_ms = seconds(idle, "idle", WEEK_SECONDS)
        return self._store.work.stale(idle_ms=idle_ms, limit=number(limit, "limit", 1, PAGE_MAX))

    def recover(self, actor: Actor | None, step: str) -> Step:
        """Take a step back from a claim that ran out, if it is still the one that is seen now.

        Raises:
            StepNotClaimed: nobody has it, and the last who had it did not lose it.
            ClaimLive: its holder may be at work.
        """
        found, attempts = self._store.work.step(named(step, "step"))
        if not attempts or attempts[0].state != "live":
            if attempts and attempts[0].state == "lost" and found.status in ("not_started", "parked"):
                return found  # looking at it ended the claim that ran out
            raise StepNotClaimed(f"Step {found.num} ({found.title[:60]}) is {found.status}: nobody holds it.")
        live = attempts[0]
        recovered = self._store.work.recover(
            actor, found.id, attempt=live.number, lease_until=live.lease_until
        )
        return self._told(recovered)

    # --- figures -----------------------------------------------------------------------------

    def metrics(
        self, *, project: str | None = None, scope: str | None = None, agent: str | None = None
    ) -> Metrics:
        """How the work goes."""
        return self._store.work.metrics(
            project=None if project is None else named(project, "project"),
            scope=_optional(scope, "scope", planning.LABEL_MAX),
            agent=None if agent is None else check_name(agent),
        )

    def tell_all(self, *, progress: Callable[[int], None] | None = None) -> int:
        """Post all news that were not posted yet; how many. Housekeeping does it, too."""
        total = 0
        while True:
            count = self._store.work.tell()
            total += count
            if progress is not None:
                progress(total)
            if not count:
                return total


def _token(value: object) -> str:
    return text(value, "claim token", 100, empty=False)


def _line(value: object, what: str, limit: int) -> str | None:
    return None if value is None else planning.line(value, what, limit)


def _optional(value: object, what: str, limit: int) -> str | None:
    return None if value is None else text(value, what, limit)
