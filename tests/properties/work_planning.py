"""Operations on plans, done to the store and to the model."""

from __future__ import annotations

import itertools
from typing import Any

from hubbub.model import Actor
from hubbub.model_work import (
    CLAIM_MS,
    Need,
    StepDraft,
)
from tests.properties.work_model import DONE, GIVEN_UP, LIVE, Edge, Task
from tests.properties.work_world import TASKS_MAX, WorkWorld


class Planning(WorkWorld):
    """What planners do."""

    def add_steps(self, name: str, new: list[tuple[dict[str, Any], Any]]) -> None:
        """Steps that need those before them, old and new."""
        plan = self.model.plans[name]
        if len(self.model.tasks) + len(new) > TASKS_MAX:
            return
        first = max([task.num for task in plan.tasks], default=0) + 1
        known = [task.num for task in plan.tasks]
        wanted: list[list[tuple[int, str, str]]] = []
        for place, (_, its) in enumerate(new):
            pool = [*known, *range(first, first + place)]
            found = {pool[index % len(pool)]: (until, fails) for index, until, fails in its} if pool else {}
            wanted.append([(num, *edge) for num, edge in found.items()])
        made = self.work.add_steps(
            Actor("ada"),
            name,
            tuple(
                StepDraft("x", needs=tuple(itertools.starmap(Need, its)), **draft)
                for (draft, _), its in zip(new, wanted, strict=True)
            ),
        )
        added = self._add(plan, [draft for draft, _ in new], [[] for _ in new], first)
        by_num = {task.num: task for task in plan.tasks}
        for task, its in zip(added, wanted, strict=True):
            for num, until, fails in its:
                task.edges[by_num[num].order] = edge = Edge(by_num[num], until, fails)
                edge.rate()
            self.model.rate(task)
        for task, its in zip(added, wanted, strict=True):
            for num, *_ in its:
                self.model.cancel_late(task, task.edges[by_num[num].order])
        for task, step in zip(added, made, strict=True):
            self.ids[task.order] = step.id
        self.model.reopen(plan)

    def _why_not_changed(self, task: Task) -> str:
        over = task.status in (*DONE, *GIVEN_UP)
        return "STEP_OVER" if over else "STEP_BEGUN" if task.status in LIVE else ""

    def add_need(self, index: int, other: int, until: str, fails: str) -> None:
        """A circle, a step in hand and one that is over are refused."""
        task = self._pick(index, "not_started")
        if task is None:
            return
        needed = task.plan.tasks[other % len(task.plan.tasks)]
        ada = Actor("ada")
        add = (Need(needed.num, until, fails),)
        code = self._code(ada, lambda: self.work.set_needs(ada, self.ids[task.order], add=add))
        assert code == self._why_not_changed(task) or (
            "DEPENDENCY_CYCLE" if self.model.circle(task, needed) else ""
        )
        if not code:
            task.edges[needed.order] = edge = Edge(needed, until, fails)
            edge.rate()
            self.model.rate(task)
            self.model.cancel_late(task, edge)

    def remove_need(self, index: int, other: int) -> None:
        """It needs one less."""
        task = self._pick(index, "not_started")
        if task is None:
            return
        needed = task.plan.tasks[other % len(task.plan.tasks)]
        ada = Actor("ada")
        code = self._code(ada, lambda: self.work.set_needs(ada, self.ids[task.order], remove=(needed.num,)))
        assert code == self._why_not_changed(task)
        if not code:
            task.edges.pop(needed.order, None)
            self.model.rate(task)

    def split(self, index: int, parts: int) -> None:
        """Parts take the place of the whole."""
        task = self._pick(index, "not_started")
        if task is None or len(self.model.tasks) + parts > TASKS_MAX:
            return
        ada = Actor("ada")
        first = max(one.num for one in task.plan.tasks) + 1
        made: list[Any] = []
        split = (StepDraft("part", time_limit_ms=CLAIM_MS),) * parts
        code = self._code(ada, lambda: made.extend(self.work.split_step(ada, self.ids[task.order], split)))
        assert code == self._why_not_changed(task)
        if code:
            return
        needs = [[(edge.needed, edge.until, edge.on_failure) for edge in task.edges.values()]] * parts
        added = self._add(task.plan, [{"time_limit_ms": CLAIM_MS}] * parts, needs, first)
        for one, step in zip(added, made, strict=True):
            self.ids[one.order] = step.id
        for one in self.model.dependents(task):
            old = one.edges.pop(task.order)
            for part in added:
                one.edges[part.order] = edge = Edge(part, old.until, old.on_failure)
                edge.rate()
            self.model.rate(one)
        self.model.cancel(task)

    def _edit(self, index: int, changes: dict[str, Any]) -> None:
        task = self._pick(index, "not_started", *LIVE)
        if task is None:
            return
        ada = Actor("ada")
        code = self._code(ada, lambda: self.work.edit_step(ada, self.ids[task.order], changes))
        assert code == ("STEP_OVER" if task.status in (*DONE, *GIVEN_UP) else "")
        if not code:
            for field, value in changes.items():
                setattr(task, field, value)

    def stop_and_go_on(self, name: str, *states: str) -> None:
        """A project is stopped, mostly for a moment."""
        for state in (*states, "active"):
            self.set_state(name, state)
            self.all_agrees()

    def set_state(self, name: str, state: str) -> None:
        """Paused, aborted, active."""
        plan = self.model.plans[name]
        found = self.work.update_project(Actor("ada"), name, {"state": state})
        self.model.set_state(plan, state)
        assert found.state == plan.state

    def cancel(self, index: int) -> None:
        """Not what is done, or cancelled already."""
        task = self._pick(index, "not_started", *LIVE)
        if task is None:
            return
        ada = Actor("ada")
        code = self._code(ada, lambda: self.work.cancel_step(ada, self.ids[task.order]))
        assert code == ("STEP_OVER" if task.status in (*DONE, "cancelled") else "")
        if not code:
            self.model.cancel(task)

    def retry(self, index: int) -> None:
        """Only what was given up."""
        task = self._pick(index, *GIVEN_UP)
        if task is None:
            return
        ada = Actor("ada")
        code = self._code(ada, lambda: self.work.retry(ada, self.ids[task.order]))
        assert code == ("" if task.status in GIVEN_UP else "STEP_NOT_PARKED")
        if not code:
            self.model.revive(task)
            self.model.reopen(task.plan)

    def merge(self, index: int) -> None:
        """Only what is completed."""
        task = self._pick(index, "completed")
        if task is None:
            return
        ada = Actor("ada")
        code = self._code(ada, lambda: self.work.merge(ada, self.ids[task.order]))
        assert code == ("" if task.status in DONE else "STEP_NOT_COMPLETED")
        if task.status == "completed":
            self.model.merge(task)
