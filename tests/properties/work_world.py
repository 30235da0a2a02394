"""The store and the model side by side, and what must always hold of both."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections import Counter
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import SESSION_TTL_MS, Actor
from hubbub.model_work import (
    CLAIM_MS,
    Claim,
    Need,
)
from hubbub.stores import open_store
from hubbub.stores.sqlite import migrating
from tests.properties.work_model import DONE, GIVEN_UP, LIVE, Edge, Model, Plan, Task, named

NAMES = ("ada", "bob", "cy")
PROJECTS = ("p", "q")
SCOPES = ("", "ui")
TASKS_MAX = 14


class WorkWorld(RuleBasedStateMachine):
    """Three agents, two projects, a store and a model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="hubbub-property-")
        self.clock = ManualClock()
        # Every example has a new file; making its log long takes more time than the example.
        setattr(migrating, "LOG_BYTES", 0)  # noqa: B010 - the constant is not exported
        self.store = open_store(f"sqlite://{self.folder}/bus.db", clock=self.clock)
        self.work = self.store.work
        self.model = Model(self.clock.now())
        self.ids: dict[int, str] = {}
        self.sessions: dict[str, tuple[str, int]] = {}
        self.keys: dict[str, str] = {}
        self.numbers = itertools.count(1)
        self.rounds = 0

    def teardown(self) -> None:
        """Whatever happened: the store agrees, is whole, and all the work can be done."""
        try:
            self._drain()
            assert self.store.check() == []
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    def _actor(self, name: str, seated: bool) -> Actor:
        held = self.sessions.get(name)
        return Actor(name, held[0]) if seated and held else Actor(name)

    def _acted(self, actor: Actor) -> None:
        """A session that missed its beats is live again by what it does; not by what is refused."""
        held = self.sessions.get(actor.agent)
        if actor.session is not None and held is not None and held[1] <= self.model.now:
            self.sessions[actor.agent] = (held[0], self.model.now + SESSION_TTL_MS)

    def _bury(self) -> None:
        """Somebody noticed which sessions missed their beats."""
        for id_, until in self.sessions.values():
            if until <= self.model.now:
                self.model.orphan(id_)

    def _code(self, actor: Actor, act: Any) -> str:
        try:
            act()
        except HubbubError as error:
            return error.code
        self._acted(actor)
        return ""

    def _pick(self, index: int, *likely: str) -> Task | None:
        """Any step, but mostly one in a status where something can come of it."""
        pool = self.model.tasks
        if index % 4 and likely:
            pool = [task for task in pool if task.status in likely] or pool
        return pool[index % len(pool)] if pool else None

    def _token(self, index: int, agent: str) -> tuple[str, Task | None]:
        """A token, and the step if it is the agent's to use: mostly its own, else any that there was."""
        own = [task for task in self.model.living() if task.live and task.live.agent == agent]
        if own and index % 4:
            task = own[index % len(own)]
            assert task.live is not None
            return task.live.token, task
        others = [task.live.token for task in self.model.living() if task.live and task.live.agent != agent]
        pool = [*self.model.over, *others, "nobodys"]
        return pool[index % len(pool)], None

    def _add(self, plan: Plan, drafts_: list[dict[str, Any]], needs: list[Any], first: int) -> list[Task]:
        """The steps of a plan as the model has them, numbered from ``first``."""
        added = []
        for place, draft in enumerate(drafts_):
            task = Task(plan, len(self.model.tasks), first + place, self.model.now, **draft)
            self.model.tasks.append(task)
            plan.tasks.append(task)
            added.append(task)
        for task, its in zip(added, needs, strict=True):
            for needed, until, on_failure in its:
                task.edges[needed.order] = edge = Edge(needed, until, on_failure)
                edge.rate()
            self.model.rate(task)
        return added

    def _advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.model.now += milliseconds

    # --- what must always hold -----------------------------------------------------------------

    def all_agrees(self) -> None:
        """Every project and step, what is ready, and what is held."""
        self.rounds += 1
        self.model.expire()
        for name, plan in self.model.plans.items():
            found = self.work.project(name)
            assert (found.state, tuple(found.counts)) == (plan.state, plan.counts())
        shown = {step.id: step for step in self.work.steps(limit=1000)[0]}
        assert set(shown) == set(self.ids.values())
        for task in self.model.tasks:
            self._agrees(task, shown[self.ids[task.order]])
        order = [self.ids[task.order] for task in self.model.order(None)]
        assert [step.id for step in self.work.steps(ready=True)[0]] == order
        if self.rounds % 10 == 0:
            self._agrees_closely()

    def _agrees(self, task: Task, step: Any) -> None:
        assert (step.status, step.waiting, step.attempts) == (task.status, task.waiting, task.attempts)
        assert step.num == task.num
        assert step.needs == tuple(
            sorted(Need(edge.needed.num, edge.until, edge.on_failure) for edge in task.edges.values())
        )
        if task.status == "not_started":
            assert step.ready_at == task.ready_at
            assert (step.not_before or 0) == task.not_before
        if task.live is not None:
            assert (step.agent, step.lease_until) == (task.live.agent, task.live.lease_until)

    def _agrees_closely(self) -> None:
        """One live token at most, attempts without gaps, nothing held twice; and the file is whole."""
        assert self.store.check() == []
        self._bury()  # to explain is to look who is there
        for task in self.model.tasks:
            step, attempts = self.work.step(self.ids[task.order])
            assert [one.number for one in attempts] == list(range(task.attempts, 0, -1))
            assert [one.state == "live" for one in attempts].count(True) == (step.status in LIVE)
            ready = not self.work.explain(step.id)
            assert ready is self.model.open(task, None)
        living = self.work.steps(statuses=LIVE, limit=1000)[0]
        for one, other in itertools.combinations(living, 2):
            assert not named(one.paths) & named(other.paths)
        found = self.work.metrics()
        assert found.attempts == sum(task.attempts for task in self.model.tasks)
        assert found.counts.total == len(self.model.tasks)

    def _drain(self) -> None:
        """Bring everything back, then do it all: every step is done once, and told."""
        for name, plan in self.model.plans.items():
            if plan.state in ("paused", "aborted"):
                self.work.update_project(Actor("ada"), name, {"state": "active"})
        self.clock.advance(4 * CLAIM_MS)
        while given_up := self.work.steps(statuses=GIVEN_UP, limit=1000)[0]:
            for step in given_up:
                if self.work.step(step.id)[0].status in GIVEN_UP:
                    self.work.retry(Actor("ada"), step.id)
        cy, idle = Actor("cy"), 0
        while idle < 2:
            found = self.work.claim(cy)
            if isinstance(found, Claim):
                idle = 0
                self.work.complete(cy, found.token)
                continue
            for step in self.work.steps(statuses=("completed",), limit=1000)[0]:
                self.work.merge(cy, step.id)
            self.clock.advance(CLAIM_MS * 20)
            idle += 1
        steps = self.work.steps(limit=1000)[0]
        assert {step.status for step in steps} <= set(DONE), steps
        # One that was reopened by hand stays open though nothing is left.
        reopened = {name for name, plan in self.model.plans.items() if plan.state == "active"}
        for project in self.work.projects()[0]:
            assert project.state == "completed" or project.name in reopened
        self._told()

    def _told(self) -> None:
        while self.work.tell(limit=50):
            pass
        events = self.store.ledger.events(limit=100_000)
        done = Counter(event.step for event in events if event.event == "step_completed")
        assert set(done) == set(self.ids.values())
        assert set(done.values()) <= {1}
        for name in PROJECTS:
            id_ = self.work.project(name).id
            completed = [one for one in events if one.event == "step_completed" and one.project == id_]
            posts = self.store.topics.history(name, limit=100_000).messages
            told = [one for one in posts if (one.metadata or {}).get("event") == "step_completed"]
            assert len(told) == len(completed)
