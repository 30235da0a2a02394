"""The records of work. As in :mod:`hubbub.model`: immutable, times in milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import Any, NamedTuple

CLAIM_MS = 300_000
"""How long a claim is good for without being renewed. The process that serves the agent renews it."""

LEASE_MIN_MS = 30_000
"""The shortest lease that may be asked for: three beats of the process that serves the agent."""

ORPHAN_MS = 60_000
"""How much longer the claims of a session are good that is gone without a word, from when that is noticed:
enough for a process that was only held up, or for the agent's next session, to go on with them."""

LOST_SHOWN_MS = 86_400_000
"""How long an agent is told of claims that it lost."""

TIME_LIMIT_MS = 4 * 3_600_000
"""How long one attempt at a step may take in all, unless the step sets another time."""

MAX_ATTEMPTS = 3
"""How many attempts that fail at the task itself, or take too long, park a step."""

LOST_MAX = 5
"""How many attempts whose holder was lost park a step: it may be what kills them."""

TRIES_MAX = 20
"""How many attempts of any kind park a step."""

BACKOFF_MS = 30_000
"""How long a step rests after its first failure; twice as long after each further one."""

BACKOFF_MAX_MS = 3_600_000
"""How long it rests at most."""

AGEING_MS = 600_000
"""A step goes before one whose priority is a point higher once it has been ready for this much longer.
Two ready steps d points apart are therefore served in order of age when their ages differ by more than d
times this: nothing starves."""

IN_LINE_MS = AGEING_MS
"""A step that live claims keep from being claimed stands in line for what they hold once its place in the
order of claims is this far in the past: from then on no step behind it gets what it waits for."""

PRIORITY_MAX = 100
"""Priorities go from minus this to this; 0 is usual and higher goes first."""

STEPS_MAX = 10_000
"""How many steps one project takes in one call."""

PROJECT_STATES = ("active", "paused", "completed", "aborted")

STATUSES = (
    "not_started",
    "claimed",
    "in_progress",
    "completed",
    "merged",
    "failed",
    "parked",
    "cancelled",
)
"""The statuses of a step; their transitions are in ``docs/reference/work.md``."""

DONE = ("completed", "merged")
OVER = ("completed", "merged", "failed", "parked", "cancelled")
LIVE = ("claimed", "in_progress")

NEEDS = ("completed", "merged")
"""What a dependency may wait for."""

ON_FAILURE = ("block", "cancel", "continue")
"""What becomes of a dependent when what it needs failed, was parked or was cancelled."""

FAILURES = ("task", "environment", "rate_limited", "timeout")
"""Why an attempt failed. ``task`` and ``timeout`` use up attempts; the others are not the step's fault."""

REASONS = (
    "no_such_project",
    "no_steps",
    "all_done",
    "all_in_flight",
    "blocked",
    "blocked_by_failed",
    "delayed",
    "held",
    "paused",
)
"""Why there is nothing to claim."""


class Need(NamedTuple):
    """An edge: a step needs another one of its project."""

    num: int
    until: str = "completed"
    on_failure: str = "block"


class StepDraft(NamedTuple):
    """A step about to be added."""

    title: str
    num: int | None = None
    """Its number in the project; None takes the next one."""
    instructions: str = ""
    acceptance: str = ""
    branch: str = ""
    scope: str = ""
    paths: tuple[str, ...] = ()
    """Globs of files that it will change: no two live claims overlap."""
    resources: tuple[str, ...] = ()
    """Named things of which only so many steps may have one at a time."""
    priority: int = 0
    needs: tuple[Need, ...] = ()
    max_attempts: int = MAX_ATTEMPTS
    time_limit_ms: int = TIME_LIMIT_MS
    metadata: dict[str, Any] | None = None


class ProjectDraft(NamedTuple):
    """A project about to be made."""

    name: str
    base_commit: str = ""
    description: str = ""
    priority: int = 0
    metadata: dict[str, Any] | None = None
    steps: tuple[StepDraft, ...] = ()


class PastAttempt(NamedTuple):
    """One go at a step that was over before the step came to this bus."""

    agent: str
    """Who it was: an agent's name, which need not be registered here."""
    state: str
    """``completed``, ``failed``, ``released``, ``lost`` or ``cancelled``."""
    claimed_at: int
    ended_at: int
    started_at: int | None = None
    branch: str | None = None
    worktree: str | None = None
    commit: str | None = None
    files: tuple[str, ...] = ()
    notes: str | None = None
    result: str | None = None
    failure: str | None = None
    """One of :data:`FAILURES`."""
    reason: str | None = None


class Past(NamedTuple):
    """What became of a step before it came to this bus."""

    num: int
    status: str = "not_started"
    """``not_started``, or one of :data:`OVER`."""
    attempts: tuple[PastAttempt, ...] = ()
    """The oldest first. Only the last may be ``completed``, and it is where the step is done."""
    ended_at: int | None = None
    """When it was over; None takes the end of the last attempt, or now."""


PAST_ATTEMPTS_MAX = 1000
"""How many attempts a step may bring along."""


class Counts(NamedTuple):
    """How many steps have each status."""

    not_started: int = 0
    claimed: int = 0
    in_progress: int = 0
    completed: int = 0
    merged: int = 0
    failed: int = 0
    parked: int = 0
    cancelled: int = 0
    ready: int = 0
    """Of those not started, how many wait for no other step."""

    @property
    def total(self) -> int:
        """All steps."""
        return sum(self) - self.ready


class Project(NamedTuple):
    """A unit of work with steps."""

    id: str
    name: str
    state: str
    base_commit: str
    description: str
    priority: int
    metadata: dict[str, Any] | None
    topic: str | None
    """The id of the topic where its steps' news are posted."""
    created_by: str
    created_at: int
    counts: Counts


class Step(NamedTuple):
    """One piece of a project's work."""

    id: str
    project: str
    """The project's id."""
    num: int
    title: str
    instructions: str
    acceptance: str
    branch: str
    scope: str
    paths: tuple[str, ...]
    resources: tuple[str, ...]
    priority: int
    status: str
    needs: tuple[Need, ...]
    waiting: int
    """How many of its needs are not met."""
    attempts: int
    """How many attempts there were, the live one included."""
    max_attempts: int
    time_limit_ms: int
    not_before: int | None
    metadata: dict[str, Any] | None
    created_at: int
    ready_at: int | None
    """Since when it waits for no other step."""
    ended_at: int | None
    agent: str | None
    """Who has it, or finished it."""
    lease_until: int | None
    commit: str | None
    files: tuple[str, ...]
    notes: str | None
    result: str | None


class Attempt(NamedTuple):
    """One agent's go at a step: its notes outlive it, for whoever is next."""

    number: int
    agent: str
    session: str | None
    state: str
    """``live``, ``completed``, ``failed``, ``released``, ``lost`` (its lease ran out) or ``cancelled``."""
    claimed_at: int
    started_at: int | None
    lease_until: int
    limit_until: int
    """Beyond this its lease is not renewed."""
    ended_at: int | None
    branch: str | None
    worktree: str | None
    commit: str | None
    files: tuple[str, ...]
    notes: str | None
    result: str | None
    failure: str | None
    """One of :data:`FAILURES`."""
    reason: str | None


class Done(NamedTuple):
    """What a step that is needed left behind."""

    num: int
    title: str
    status: str
    branch: str | None
    commit: str | None
    result: str | None


class Claim(NamedTuple):
    """A claim that was had: all that a fresh agent needs to begin."""

    token: str
    """Fences the claim: every later write of it carries this."""
    project: Project
    step: Step
    attempt: Attempt
    needs: tuple[Done, ...]
    earlier: tuple[Attempt, ...]
    """Earlier attempts, the latest first."""
    repeated: bool = False
    """The request id was known: this is what it had."""
    note: str = ""
    """What was said when the step was last brought back by a retry."""


class Lost(NamedTuple):
    """A claim that its agent lost: it ran out, or was taken back from it."""

    step: Step
    """As it is now: ``agent`` has it by now, if anybody."""
    attempt: Attempt
    """As it ended."""


class Holder(NamedTuple):
    """Who has a step, and whether anybody is there."""

    step: str
    """The step's id."""
    name: str
    """``PROJECT/NUMBER``."""
    agent: str
    lease_until: int
    """The claim is over at this time unless it is renewed."""
    offline_since: int | None = None
    """Since when no session of the agent is live; None when one is, or when none ever held the claim."""


class Nothing(NamedTuple):
    """Nothing can be claimed, and why."""

    reason: str
    """One of :data:`REASONS`."""
    says: str
    """The same in a sentence."""
    counts: Counts
    blocked_by: tuple[str, ...] = ()
    """Ids of the steps, claims or reservations that stand in the way."""
    retry_at: int | None = None
    """When there may be something, if nothing else happens."""
    holders: tuple[Holder, ...] = ()
    """Of the claims that stand in the way, the first ten."""


class Wanted(NamedTuple):
    """What a claim is to be of. None takes any."""

    project: str | None = None
    scope: str | None = None
    step: str | None = None
    """A step's id, or with ``project`` its number."""


class Stale(NamedTuple):
    """A live claim that shows no life."""

    step: Step
    attempt: Attempt
    idle_ms: int
    """How long ago its lease was last renewed."""
    expired: bool
    """Its lease ran out: it can be recovered, and the next claim takes it anyway."""


class Reservation(NamedTuple):
    """Files that an agent keeps to itself for a while, outside steps."""

    id: str
    agent: str
    globs: tuple[str, ...]
    reason: str
    created_at: int
    until: int


class Conflict(NamedTuple):
    """Who holds files that somebody asks about."""

    agent: str
    wanted: str
    """The glob that was asked about."""
    held: str
    """The glob that overlaps it."""
    what: str
    """The id of the reservation or of the step."""
    until: int
    reason: str


class Blocker(NamedTuple):
    """One thing that a step waits for."""

    kind: str
    """``need``, ``failed``, ``project``, ``delay``, ``path``, ``resource``, ``line`` (a step before it waits
    for the same), ``claimed`` or ``over``."""
    what: str
    says: str
    holder: Holder | None = None
    """Whose claim it is: of ``claimed``, of a ``path`` that a claim holds, and of a ``need`` in hand."""


class Metrics(NamedTuple):
    """How the work goes, of one project, scope or agent, or of all."""

    counts: Counts
    attempts: int
    failures: dict[str, int]
    """Failed attempts by class, and ``lost``."""
    wait_ms: tuple[int, int] | None
    """Median and 95th percentile from ready to claimed, of finished steps."""
    work_ms: tuple[int, int] | None
    """The same from claimed to completed."""
    finished_last_hour: int
    by_scope: dict[str, Counts]
    by_agent: dict[str, int]
    """Steps completed by each agent."""
