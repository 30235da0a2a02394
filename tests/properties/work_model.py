"""Work as it should be: plain Python, no store, to compare the real one with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hubbub.model_work import (
    AGEING_MS,
    BACKOFF_MAX_MS,
    BACKOFF_MS,
    IN_LINE_MS,
    LEASE_MIN_MS,
    LOST_MAX,
    ORPHAN_MS,
    STATUSES,
    TRIES_MAX,
)

DONE = ("completed", "merged")
GIVEN_UP = ("failed", "parked", "cancelled")
LIVE = ("claimed", "in_progress")
ABORTED = -1
"""Stands in ``cancelled_for`` of what an abort cancelled."""

FILES = {
    "a/x": {"a/x"},
    "a/*": {"a/x", "a/y"},
    "*/x": {"a/x", "b/x", "c/x"},
    "b/**": {"b/x", "b/c/y"},
    "c": {"c", "c/x"},
    "**": {"a/x", "a/y", "b/x", "b/c/y", "c", "c/x"},
}
"""Globs, and what they name in a tree so small that any two that overlap have a file of it in common."""


def named(globs: tuple[str, ...]) -> set[str]:
    """The files that globs name."""
    return {file for glob in globs for file in FILES[glob]}


@dataclass
class Edge:
    """A step needs another one."""

    needed: Task
    until: str
    on_failure: str
    met: bool = False

    def rate(self) -> None:
        """Whether it is met, as the other one is now."""
        status = self.needed.status
        self.met = (
            status == "merged"
            or (status == "completed" and self.until == "completed")
            or (status in GIVEN_UP and self.on_failure == "continue")
        )


@dataclass
class Live:
    """A claim."""

    token: str
    agent: str
    session: str | None
    order: int
    lease_ms: int
    lease_until: int
    limit_until: int

    def renew(self, now: int) -> None:
        """As long again, up to the limit."""
        self.lease_until = max(self.lease_until, min(now + self.lease_ms, self.limit_until))


@dataclass
class Task:
    """A step."""

    plan: Plan
    order: int
    num: int
    ready_at: int | None
    priority: int = 0
    scope: str = ""
    paths: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    max_attempts: int = 3
    time_limit_ms: int = 0
    status: str = "not_started"
    edges: dict[int, Edge] = field(default_factory=dict)
    """By the order of what is needed."""
    not_before: int = 0
    attempts: int = 0
    charged: int = 0
    lost: int = 0
    forgiven: int = 0
    cancelled_for: int | None = None
    live: Live | None = None

    @property
    def waiting(self) -> int:
        """How many needs are not met."""
        return sum(not edge.met for edge in self.edges.values())

    @property
    def rank(self) -> tuple[int, int]:
        """Its place among the ready ones of its project."""
        assert self.ready_at is not None
        return self.ready_at - self.priority * AGEING_MS, self.num

    @property
    def place(self) -> tuple[int, int]:
        """Its place among all ready ones."""
        return self.rank[0] - self.plan.priority * AGEING_MS, self.order


@dataclass
class Plan:
    """A project."""

    name: str
    priority: int
    state: str = "active"
    tasks: list[Task] = field(default_factory=list)

    def count(self, *statuses: str) -> int:
        """How many steps have one of these."""
        return sum(task.status in statuses for task in self.tasks)

    def counts(self) -> tuple[int, ...]:
        """As the store counts them, with those ready last."""
        found = Counter(task.status for task in self.tasks)
        ready = sum(task.status == "not_started" and not task.waiting for task in self.tasks)
        return (*(found[status] for status in STATUSES), ready)


class Model:
    """All the work."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.plans: dict[str, Plan] = {}
        self.tasks: list[Task] = []
        self.reserved: dict[str, tuple[str, tuple[str, ...], int]] = {}
        """Agent, globs and end by id."""
        self.limits: dict[str, int] = {}
        self.claims = 0
        self.over: dict[str, tuple[Task, str, str]] = {}
        """Of tokens that are over: the step, the agent, and how it ended."""

    # --- looking -------------------------------------------------------------------------------

    def dependents(self, task: Task) -> list[Task]:
        """What needs it."""
        return [one for one in task.plan.tasks if task.order in one.edges]

    def living(self) -> list[Task]:
        """What somebody has."""
        return [task for task in self.tasks if task.live is not None]

    def free(self, task: Task, agent: str | None) -> bool:
        """Whether no other claim and no other's reservation holds what it names."""
        others = [one for one in self.living() if one is not task]
        files = named(task.paths)
        if any(files & named(one.paths) for one in others):
            return False
        kept = [globs for who, globs, until in self.reserved.values() if who != agent and until > self.now]
        if any(files & named(globs) for globs in kept):
            return False
        used = Counter(name for one in others for name in one.resources)
        return all(used[name] < self.limits.get(name, 1) for name in task.resources)

    def in_use(self, task: Task) -> bool:
        """Whether live claims hold what it names."""
        if any(named(task.paths) & named(one.paths) for one in self.living() if one is not task):
            return True
        used = self.used()
        return any(used[name] >= self.limits.get(name, 1) for name in task.resources)

    def used(self) -> Counter[str]:
        """How many live claims have each resource."""
        return Counter(name for one in self.living() for name in one.resources)

    def in_line(self) -> list[Task]:
        """What live claims alone keep, and have kept for long."""
        kept = [globs for _, globs, until in self.reserved.values() if until > self.now]
        return [
            task
            for task in self.tasks
            if task.status == "not_started"
            and task.plan.state == "active"
            and not task.waiting
            and task.not_before <= self.now
            and task.place[0] <= self.now - IN_LINE_MS
            and self.in_use(task)
            and not any(named(task.paths) & named(globs) for globs in kept)
        ]

    def behind(self, task: Task) -> bool:
        """Whether one that stands in line before it waits for the same."""
        ahead = [one for one in self.in_line() if one.place < task.place]
        if any(named(one.paths) & named(task.paths) for one in ahead):
            return True
        used = self.used()
        for name in task.resources:
            waiting = sum(name in one.resources for one in ahead)
            if waiting and used[name] + waiting >= self.limits.get(name, 1):
                return True
        return False

    def open(self, task: Task, agent: str | None) -> bool:
        """Whether it can be claimed."""
        return (
            task.status == "not_started"
            and task.plan.state == "active"
            and not task.waiting
            and task.not_before <= self.now
            and self.free(task, agent)
            and not self.behind(task)
        )

    def order(self, agent: str | None, plan: str | None = None, scope: str | None = None) -> list[Task]:
        """What can be claimed: of the first of each project, the first, and so on."""
        queues = [
            sorted(
                (t for t in one.tasks if self.open(t, agent) and scope in (None, t.scope)),
                key=lambda t: t.rank,
            )
            for one in self.plans.values()
            if plan in (None, one.name)
        ]
        found = []
        while queues := [queue for queue in queues if queue]:
            best = min(
                queues,
                key=lambda queue: (queue[0].rank[0] - queue[0].plan.priority * AGEING_MS, queue[0].order),
            )
            found.append(best.pop(0))
        return found

    def reason(self, plan: Plan, agent: str) -> str:
        """Why nothing of a project can be claimed."""
        live, open_ = plan.count(*LIVE), plan.count("not_started")
        given_up = plan.count("failed", "parked")
        if plan.state == "aborted":
            return "paused"
        if not plan.tasks:
            return "no_steps"
        if plan.state != "active" and live + open_ + given_up:
            return "paused"
        if not live + open_ + given_up:
            return "all_done"
        if live and not open_:
            return "all_in_flight"
        unblocked = [task for task in plan.tasks if task.status == "not_started" and not task.waiting]
        if any(task.not_before <= self.now for task in unblocked):
            return "held"
        if unblocked:
            return "delayed"
        waited_for = {
            edge.needed.status
            for task in plan.tasks
            for edge in task.edges.values()
            if task.status == "not_started" and not edge.met
        }
        if waited_for & {*LIVE}:
            return "blocked"
        return "blocked_by_failed" if waited_for & {*GIVEN_UP} or not open_ else "blocked"

    # --- claims --------------------------------------------------------------------------------

    def claim(
        self, task: Task, token: str, agent: str, session: str | None, lease_ms: int, start: bool
    ) -> None:
        """not_started -> claimed or in_progress."""
        self.claims += 1
        task.attempts += 1
        task.not_before = 0
        task.status = "in_progress" if start else "claimed"
        if session is not None:
            lease_ms = max(lease_ms, LEASE_MIN_MS)
        limit = self.now + task.time_limit_ms
        task.live = Live(token, agent, session, self.claims, lease_ms, min(self.now + lease_ms, limit), limit)

    def let_go(self, task: Task, how: str) -> None:
        """The claim is over."""
        assert task.live is not None
        self.over[task.live.token] = (task, task.live.agent, how)
        task.live = None

    def complete(self, task: Task) -> None:
        """claimed or in_progress -> completed."""
        self.let_go(task, "completed")
        self.finish(task, "completed")

    def merge(self, task: Task) -> None:
        """completed -> merged."""
        task.status = "merged"
        for one in self.dependents(task):
            one.edges[task.order].met = True
        self.now_ready(task)
        self.complete_plan(task.plan)

    def fail(self, task: Task, charged: bool, final: bool, delay_ms: int | None) -> None:
        """claimed or in_progress -> not_started, parked or failed."""
        self.let_go(task, "failed")
        task.charged += charged
        if final:
            self.finish(task, "failed")
            return
        failures = task.attempts - task.forgiven - task.lost
        rest = min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (failures - 1)) if delay_ms is None else delay_ms
        self.rest_or_park(task, self.now + rest if rest else 0)

    def release(self, task: Task, delay_ms: int) -> None:
        """claimed or in_progress -> not_started, without blame."""
        self.let_go(task, "released")
        task.forgiven += 1
        self.give_back(task, self.now + delay_ms if delay_ms else 0)

    def give_back(self, task: Task, not_before: int) -> None:
        """not_started again; what it went on without may be about to be done after all."""
        task.status, task.not_before = "not_started", not_before
        for edge in task.edges.values():
            edge.rate()
        if task.waiting:
            task.ready_at = None

    def lose(self, task: Task) -> None:
        """The lease ran out."""
        assert task.live is not None
        late = task.live.lease_until >= task.live.limit_until
        self.let_go(task, "lost")
        task.charged += late
        task.lost += not late
        self.rest_or_park(task, 0)

    def rest_or_park(self, task: Task, not_before: int) -> None:
        """After an attempt that did not finish."""
        used = task.attempts - task.forgiven
        if task.charged >= task.max_attempts or task.lost >= LOST_MAX or used >= TRIES_MAX:
            self.finish(task, "parked")
        else:
            self.give_back(task, not_before)

    def orphan(self, session: str) -> None:
        """A session is gone without a word."""
        for task in self.living():
            if task.live and task.live.session == session and task.live.lease_until > self.now + ORPHAN_MS:
                task.live.lease_until = self.now + ORPHAN_MS

    def expire(self) -> None:
        """What ran out is over at once."""
        due = [(task.live.lease_until, task.live.order, task) for task in self.living() if task.live]
        for until, _, task in sorted(due, key=lambda entry: entry[:2]):
            if until <= self.now:
                self.lose(task)

    # --- what follows --------------------------------------------------------------------------

    def finish(self, task: Task, status: str, cancelled_for: int | None = None) -> None:
        """The step is over, and what that leads to."""
        task.status, task.not_before, task.cancelled_for = status, 0, cancelled_for
        for one in self.dependents(task):
            edge = one.edges[task.order]
            if (status == "completed" and edge.until == "completed") or (
                status in GIVEN_UP and edge.on_failure == "continue"
            ):
                edge.met = True
        self.now_ready(task)
        if status in GIVEN_UP:
            for one in self.dependents(task):
                edge = one.edges[task.order]
                if edge.on_failure == "cancel" and not edge.met and one.status == "not_started":
                    self.finish(one, "cancelled", task.order if cancelled_for is None else cancelled_for)
        self.complete_plan(task.plan)

    def now_ready(self, task: Task) -> None:
        """Dependents that wait for nothing any more."""
        for one in self.dependents(task):
            if one.status == "not_started" and not one.waiting and one.ready_at is None:
                one.ready_at = self.now

    def complete_plan(self, plan: Plan) -> None:
        """All over, something done, nothing given up but on purpose."""
        left = plan.count("not_started", *LIVE, "failed", "parked")
        if plan.state == "active" and not left and plan.count(*DONE):
            plan.state = "completed"

    def cancel(self, task: Task, cancelled_for: int | None = None) -> None:
        """Not to be done."""
        if task.live is not None:
            self.let_go(task, "cancelled")
        self.finish(task, "cancelled", cancelled_for)

    def revive(self, task: Task) -> None:
        """To be done after all, and what was cancelled for its sake."""
        for edge in task.edges.values():
            edge.rate()
        task.status, task.not_before, task.cancelled_for = "not_started", 0, None
        task.charged = task.lost = 0
        task.forgiven = task.attempts
        task.ready_at = None if task.waiting else self.now
        for one in self.dependents(task):
            if one.status == "not_started":
                one.edges[task.order].met = False
                one.ready_at = None
        for one in task.plan.tasks:
            if one.cancelled_for == task.order and one.status == "cancelled":
                self.revive(one)

    def reopen(self, plan: Plan) -> None:
        """There is something to do again."""
        if plan.state == "completed" and plan.count("not_started"):
            plan.state = "active"

    def set_state(self, plan: Plan, state: str) -> None:
        """Paused, aborted, or active again."""
        before, plan.state = plan.state, state
        if state == before:
            return
        if state == "aborted":
            for task in plan.tasks:
                if task.status in ("not_started", *LIVE):
                    self.cancel(task, ABORTED)
        if state == "active":
            for task in plan.tasks:
                if task.status == "cancelled" and task.cancelled_for == ABORTED:
                    self.revive(task)
            if before != "completed":
                self.complete_plan(plan)

    # --- plans ---------------------------------------------------------------------------------

    def cancel_late(self, task: Task, edge: Edge) -> None:
        """What it comes to need and is not to be done without was given up before."""
        follows = task.status == "not_started" and not edge.met and edge.on_failure == "cancel"
        if follows and edge.needed.status in GIVEN_UP:
            root = edge.needed.cancelled_for
            self.finish(task, "cancelled", edge.needed.order if root is None else root)

    def circle(self, task: Task, needed: Task) -> bool:
        """Whether ``task`` needing ``needed`` would close a circle."""
        seen: set[int] = set()
        left = [needed]
        while left:
            one = left.pop()
            if one is task:
                return True
            if one.order not in seen:
                seen.add(one.order)
                left += [edge.needed for edge in one.edges.values()]
        return False

    def rate(self, task: Task) -> None:
        """Its needs changed."""
        task.ready_at = None if task.waiting else task.ready_at if task.ready_at is not None else self.now
