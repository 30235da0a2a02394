"""Work in the real store against the model, operation by operation, in any order that can be thought of."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hubbub.clock import ManualClock
from hubbub.errors import HubbubError
from hubbub.model import SESSION_TTL_MS, Actor, NewSession, Profile
from hubbub.model_work import (
    AGEING_MS,
    BACKOFF_MS,
    CLAIM_MS,
    FAILURES,
    NEEDS,
    ON_FAILURE,
    Claim,
    Need,
    ProjectDraft,
    StepDraft,
    Wanted,
)
from hubbub.stores import open_store
from hubbub.stores.sqlite import migrating
from tests.properties.work_model import DONE, FILES, GIVEN_UP, LIVE, Edge, Model, Plan, Task, named

NAMES = ("ada", "bob", "cy")
PROJECTS = ("p", "q")
SCOPES = ("", "ui")
TASKS_MAX = 14
names = st.sampled_from(NAMES)
projects = st.sampled_from(PROJECTS)
indexes = st.integers(0, 10_000)
paths = st.lists(st.sampled_from(sorted(FILES)), max_size=2, unique=True).map(tuple)
some_paths = st.lists(st.sampled_from(sorted(FILES)), min_size=1, max_size=2, unique=True).map(tuple)
resources = st.lists(st.sampled_from(["gpu", "port"]), max_size=2, unique=True).map(tuple)
edges = st.lists(
    st.tuples(indexes, st.sampled_from(NEEDS), st.sampled_from(ON_FAILURE)),
    max_size=3,
    unique_by=lambda e: e[0],
)
drafts = st.fixed_dictionaries(
    {
        "priority": st.integers(-2, 2),
        "scope": st.sampled_from(SCOPES),
        "paths": st.just(()) | paths,
        "resources": st.just(()) | resources,
        "max_attempts": st.integers(1, 3),
        "time_limit_ms": st.sampled_from([CLAIM_MS + 1, 4 * CLAIM_MS]),
    }
)
delays = st.sampled_from([None, 0, 500, BACKOFF_MS])


class WorkMachine(RuleBasedStateMachine):
    """Three agents, with and without sessions, plan, claim, finish, fail and are lost."""

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

    # --- helpers -------------------------------------------------------------------------------

    def _actor(self, name: str, seated: bool) -> Actor:
        held = self.sessions.get(name)
        return Actor(name, held[0]) if seated and held else Actor(name)

    def _acted(self, actor: Actor) -> None:
        """A session that missed its beats is live again by what it does; not by what is refused."""
        held = self.sessions.get(actor.agent)
        if actor.session is not None and held is not None and held[1] <= self.model.now:
            self.sessions[actor.agent] = (held[0], self.model.now + SESSION_TTL_MS)

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

    # --- the rules: few, so that each comes often ------------------------------------------------

    @rule(
        op=st.sampled_from(
            ["need", "need", "need", "no need", "split", "cancel", "retry", "retry", "merge", "merge", "stop"]
        ),
        index=indexes,
        other=indexes,
        until=st.sampled_from(NEEDS),
        fails=st.sampled_from(ON_FAILURE),
    )
    def change_plan(self, op: str, index: int, other: int, until: str, fails: str) -> None:
        """Edges and fates of steps."""
        if op == "need":
            self.add_need(index, other, until, fails)
        elif op == "no need":
            self.remove_need(index, other)
        elif op == "split":
            self.split(index, 1 + other % 2)
        elif op == "stop":
            self.stop_and_go_on(PROJECTS[index % 2], ("paused", "aborted")[other % 2])
        else:
            {"cancel": self.cancel, "retry": self.retry, "merge": self.merge}[op](index)

    @rule(
        field=st.sampled_from(["priority", "scope", "max_attempts", "not_before", "num"]),
        index=indexes,
        value=st.integers(1, 2),
    )
    def edit_step(self, field: str, index: int, value: int) -> None:
        """What a step says of itself."""
        if field == "not_before":
            self._edit(index, {"not_before": self.model.now + 700 * (value - 1)})
        elif field == "num":
            self._edit(index, {"num": 1000 - next(self.numbers)})
        else:
            self._edit(index, {field: SCOPES[value - 1] if field == "scope" else value})

    @rule(
        op=st.sampled_from(["edit", "edit", "reserve", "reserve", "end", "limit"]),
        agent=names,
        index=indexes,
        globs=some_paths,
        things=resources,
        ttl=st.sampled_from([500, CLAIM_MS]),
    )
    def files(
        self, op: str, agent: str, index: int, globs: tuple[str, ...], things: tuple[str, ...], ttl: int
    ) -> None:
        """Paths, resources and reservations."""
        if op == "edit":
            self.edit_what_it_holds(index, globs, things)
        elif op == "reserve":
            self.reserve(agent, globs, ttl)
        elif op == "end":
            self.end_or_renew_a_reservation(index, release=bool(index % 2))
        else:
            self.limit("gpu", 1 + index % 3)

    @rule(agent=names, index=indexes, named_=st.booleans())
    def claim_otherwise(self, agent: str, index: int, named_: bool) -> None:
        """A step that is named, or any under a key."""
        if named_:
            self.claim_one(agent, bool(index % 2), index)
        else:
            self.claim_under_a_key(agent)

    @rule(
        op=st.sampled_from(["start", "renew", "complete", "complete", "complete", "fail", "fail", "release"]),
        agent=names,
        seated=st.booleans(),
        index=indexes,
        late=st.sampled_from([0, 0, 0, 0, 0, 0, CLAIM_MS]),
        failure=st.sampled_from(FAILURES),
        delay=delays,
    )
    def write(
        self, op: str, agent: str, seated: bool, index: int, late: int, failure: str, delay: int | None
    ) -> None:
        """A write with a token, good or not."""
        if op == "fail":
            self.fail(agent, seated, index, failure, index % 5 == 0, delay)
        elif op == "release":
            self.release(agent, seated, index, delay)
        else:
            {"start": self.start, "renew": self.renew, "complete": self.complete}[op](
                agent, seated, index, late
            )

    @rule(
        agent=names,
        ends=st.lists(
            st.sampled_from(["complete", "complete", "fail", "lose", "keep"]), min_size=1, max_size=6
        ),
    )
    def work_off(self, agent: str, ends: list[str]) -> None:
        """Claim and end, several times."""
        for end in ends:
            self.claim(agent, False, None, None, CLAIM_MS, True, 0)
            if end == "complete":
                self.complete(agent, False, 1, 0)
            elif end == "fail":
                self.fail(agent, False, 1, "task", False, None if len(ends) % 2 else 0)
            elif end == "lose":
                self._advance(CLAIM_MS)

    @rule(
        op=st.sampled_from(["join", "beat", "beat", "mine", "mine", "sweep", "recover", "recover"]),
        agent=names,
        index=indexes,
        late=st.sampled_from([0, 1000, CLAIM_MS]),
    )
    def live_on(self, op: str, agent: str, index: int, late: int) -> None:
        """Sessions, and who looks after lost claims."""
        if op == "mine":
            self.mine(agent, bool(index % 2))
        elif op == "sweep":
            self.sweep()
        elif op == "recover":
            self.recover(index, late, right=bool(index % 5))
        else:
            {"join": self.join, "beat": self.beat}[op](agent)

    # --- plans ---------------------------------------------------------------------------------

    @initialize(
        priority=st.integers(-1, 1),
        new=st.lists(st.tuples(drafts, edges), min_size=3, max_size=6),
        few=st.lists(st.tuples(drafts, edges), max_size=2),
    )
    def begin(self, priority: int, new: list[Any], few: list[Any]) -> None:
        """Three agents and two projects."""
        for name in NAMES:
            self.store.agents.register(Profile(name))
        for name in PROJECTS:
            self.work.create_project(Actor("ada"), ProjectDraft(name, priority=priority * (name == "p")))
            self.model.plans[name] = Plan(name, priority * (name == "p"))
        self.add_steps("p", new)
        if few:
            self.add_steps("q", few)

    @rule(name=projects, new=st.lists(st.tuples(drafts, edges), min_size=1, max_size=3))
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
        for task, step in zip(added, made, strict=True):
            self.ids[task.order] = step.id
        self.model.reopen(plan)

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

    def _why_not_changed(self, task: Task) -> str:
        over = task.status in (*DONE, *GIVEN_UP)
        return "STEP_OVER" if over else "STEP_BEGUN" if task.status in LIVE else ""

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

    def edit_what_it_holds(self, index: int, files: tuple[str, ...], things: tuple[str, ...]) -> None:
        """A claim comes to hold only what is free."""
        task = self._pick(index, "not_started", *LIVE)
        if task is None or task.status in (*DONE, *GIVEN_UP):
            return
        ada = Actor("ada")
        before = task.paths, task.resources
        task.paths, task.resources = files, things
        may = "PATH_HELD STEP_BEGUN"
        if task.live is None or self.model.free(task, task.live.agent):
            may = ""
        changes = {"paths": files, "resources": things}
        code = self._code(ada, lambda: self.work.edit_step(ada, self.ids[task.order], changes))
        if not may:
            assert code == ""
        elif code:
            assert code in may
            task.paths, task.resources = before
        else:
            # More have a resource than may since its limit was lowered, this claim among them already.
            assert set(things) <= set(before[1])
            assert not any(named(files) & named(one.paths) for one in self.model.living() if one is not task)

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

    # --- claims --------------------------------------------------------------------------------

    @rule(
        agent=names,
        seated=st.booleans(),
        name=st.none() | projects,
        scope=st.sampled_from([None, None, "ui"]),
        lease=st.sampled_from([1000, CLAIM_MS]),
        start=st.booleans(),
        late=st.sampled_from([0, 0, CLAIM_MS]),
    )
    def claim(
        self,
        agent: str,
        seated: bool,
        name: str | None,
        scope: str | None,
        lease: int,
        start: bool,
        late: int,
    ) -> None:
        """The very step that the model says, or nothing, and why; also right after leases ran out."""
        self._advance(late)
        actor = self._actor(agent, seated)
        found = self.work.claim(actor, Wanted(name, scope), lease_ms=lease, start=start)
        self.model.expire()
        self._acted(actor)
        self._claimed(found, actor, self.model.order(agent, name, scope)[:1], lease, start)
        if not isinstance(found, Claim):
            assert found.retry_at is None or found.retry_at > self.model.now
            if name is not None and scope is None:
                plan = self.model.plans[name]
                assert found.reason == self.model.reason(plan, agent)
                assert tuple(found.counts) == plan.counts()

    def claim_one(self, agent: str, seated: bool, index: int) -> None:
        """A step that is named."""
        task = self._pick(index, "not_started")
        if task is None:
            return
        actor = self._actor(agent, seated)
        found = self.work.claim(actor, Wanted(step=self.ids[task.order]))
        self._acted(actor)
        self._claimed(found, actor, [task] if self.model.open(task, agent) else [], CLAIM_MS, False)

    def claim_under_a_key(self, agent: str) -> None:
        """The same claim while it is live, another one after."""
        actor = Actor(agent)
        held = [task for task in self.model.living() if task.live and task.live.token == self.keys.get(agent)]
        found = self.work.claim(actor, key="k")
        if held:
            assert isinstance(found, Claim)
            assert (found.repeated, found.token) == (True, self.keys[agent])
            return
        self._claimed(found, actor, self.model.order(agent)[:1], CLAIM_MS, False)
        if isinstance(found, Claim):
            assert not found.repeated
            self.keys[agent] = found.token

    def _claimed(self, found: Any, actor: Actor, expected: list[Task], lease: int, start: bool) -> None:
        assert isinstance(found, Claim) == bool(expected), (found, expected)
        if not expected:
            return
        (task,) = expected
        assert not task.waiting
        assert found.step.id == self.ids[task.order]
        assert found.attempt.number == task.attempts + 1
        assert len(found.earlier) == min(10, task.attempts)
        held = self.sessions.get(actor.agent)
        beside = held[0] if held and held[1] > self.model.now else None
        self.model.claim(task, found.token, actor.agent, actor.session or beside, lease, start)

    def start(self, agent: str, seated: bool, index: int, late: int) -> None:
        """Begin, which renews."""
        task = self._write(agent, seated, index, late, lambda actor, token: self.work.start(actor, token))
        if task is not None and task.live is not None:
            task.status = "in_progress"
            task.live.renew(self.model.now)

    def renew(self, agent: str, seated: bool, index: int, late: int) -> None:
        """Still there."""
        task = self._write(agent, seated, index, late, lambda actor, token: self.work.renew(actor, token))
        if task is not None and task.live is not None:
            task.live.renew(self.model.now)

    def complete(self, agent: str, seated: bool, index: int, late: int) -> None:
        """Done, once."""
        again = [
            token for token, (_, who, how) in self.model.over.items() if who == agent and how == "completed"
        ]
        if again and index % 5 == 0:
            token = again[index % len(again)]
            status = self.model.over[token][0].status
            assert self.work.complete(Actor(agent), token).status == status
            return
        task = self._write(agent, seated, index, late, lambda actor, token: self.work.complete(actor, token))
        if task is not None:
            self.model.complete(task)

    def fail(
        self, agent: str, seated: bool, index: int, failure: str, final: bool, delay: int | None
    ) -> None:
        """Again after a rest, or parked, or failed."""
        task = self._write(
            agent,
            seated,
            index,
            0,
            lambda actor, token: self.work.fail(
                actor, token, "x", failure=failure, final=final, delay_ms=delay
            ),
        )
        if task is not None:
            self.model.fail(task, failure in ("task", "timeout"), final, delay)

    def release(self, agent: str, seated: bool, index: int, delay: int | None) -> None:
        """Given back."""
        task = self._write(
            agent, seated, index, 0, lambda actor, token: self.work.release(actor, token, delay_ms=delay or 0)
        )
        if task is not None:
            self.model.release(task, delay or 0)

    def _write(self, agent: str, seated: bool, index: int, late: int, act: Any) -> Task | None:
        """A write with a token; the step if it was good. ``late`` is how much later it comes, unlooked at."""
        token, task = self._token(index, agent)
        if task is None and token in self.model.over and self.model.over[token][1:] == (agent, "completed"):
            return None  # completing again is the same answer, and tested elsewhere
        self._advance(late)
        actor = self._actor(agent, seated)
        good = task is not None and task.live is not None and task.live.lease_until > self.model.now
        code = self._code(actor, lambda: act(actor, token))
        assert code == ("" if good else "CLAIM_LOST")
        # What ran out meanwhile ends at the next look: after this.
        return task if good else None

    def recover(self, index: int, late: int, right: bool) -> None:
        """Only the claim that was seen, and only when it ran out."""
        task = self._pick(index, *LIVE)
        if task is None:
            return
        live = task.live
        seen = live.lease_until if live else 1
        self._advance(late)
        cy = Actor("cy")
        code = self._code(
            cy,
            lambda: self.work.recover(
                cy, self.ids[task.order], attempt=task.attempts, lease_until=seen if right else seen - 1
            ),
        )
        if live is None or not right:
            assert code == "CLAIM_CHANGED"
        else:
            assert code == ("CLAIM_LIVE" if live.lease_until > self.model.now else "")
            if not code:
                self.model.lose(task)

    # --- agents and time -----------------------------------------------------------------------

    def join(self, agent: str) -> None:
        """A new session has the name; the old one changes nothing any more."""
        id_ = f"s{next(self.numbers)}"
        self.store.agents.register(Profile(agent), NewSession(id_), take_over=True)
        old = self.sessions.get(agent)
        self.sessions[agent] = (id_, self.model.now + SESSION_TTL_MS)
        if old is not None:
            for act in (
                lambda: self.store.agents.beat(old[0]),
                lambda: self.work.claim(Actor(agent, old[0])),
                lambda: self.work.mine(Actor(agent, old[0])),
            ):
                assert self._code(Actor(agent), act) == "SESSION_SUPERSEDED"

    def beat(self, agent: str) -> None:
        """A beat renews the claims of its session."""
        held = self.sessions.get(agent)
        if held is None:
            return
        self.store.agents.beat(held[0])
        self.sessions[agent] = (held[0], self.model.now + SESSION_TTL_MS)
        for task in self.model.living():
            if task.live and task.live.session == held[0]:
                task.live.renew(self.model.now)

    def mine(self, agent: str, seated: bool) -> None:
        """What the agent has is its acting session's from now on."""
        actor = self._actor(agent, seated)
        found = self.work.mine(actor)
        self._acted(actor)
        own = [task for task in self.model.living() if task.live and task.live.agent == agent]
        own.sort(key=lambda task: task.live.order if task.live else 0)
        for task in own:
            if task.live and actor.session is not None and task.live.session != actor.session:
                task.live.session = actor.session
                task.live.lease_until = min(self.model.now + task.live.lease_ms, task.live.limit_until)
        assert [live.token for live in found] == [task.live.token for task in own if task.live]

    def reserve(self, agent: str, globs: tuple[str, ...], ttl: int) -> None:
        """Not what another has."""
        held = [
            named(files)
            for who, files, until in self.model.reserved.values()
            if who != agent and until > self.model.now
        ]
        held += [named(task.paths) for task in self.model.living() if task.live and task.live.agent != agent]
        free = not any(files & named(globs) for files in held)
        made: list[Any] = []
        actor = Actor(agent)
        code = self._code(actor, lambda: made.append(self.work.reserve(actor, globs, ttl_ms=ttl)))
        assert code == ("" if free else "PATH_HELD")
        if not code:
            self.model.reserved[made[0].id] = (agent, globs, self.model.now + ttl)

    def end_or_renew_a_reservation(self, index: int, release: bool) -> None:
        """While it lives."""
        if not self.model.reserved:
            return
        id_ = sorted(self.model.reserved)[index % len(self.model.reserved)]
        agent, globs, until = self.model.reserved[id_]
        actor = Actor(agent)
        if release:
            code = self._code(actor, lambda: self.work.release_reservation(actor, id_))
        else:
            code = self._code(actor, lambda: self.work.renew_reservation(actor, id_, ttl_ms=900))
        assert code == ("" if until > self.model.now else "RESERVATION_NOT_FOUND")
        if release or code:
            del self.model.reserved[id_]
        else:
            self.model.reserved[id_] = (agent, globs, self.model.now + 900)

    def limit(self, resource: str, count: int) -> None:
        """How many may have it."""
        self.work.limit_resource(Actor("ada"), resource, count)
        self.model.limits[resource] = count

    @rule(
        milliseconds=st.sampled_from(
            [1, 500, 1000, SESSION_TTL_MS, BACKOFF_MS, CLAIM_MS - 1, CLAIM_MS, AGEING_MS]
        )
    )
    def time_passes(self, milliseconds: int) -> None:
        """Nothing is done about it until somebody looks."""
        self._advance(milliseconds)

    def sweep(self) -> None:
        """Housekeeping changes nothing that a look would not."""
        assert self.store.sweep("housekeeper").ran

    def _advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.model.now += milliseconds

    # --- what must always hold -----------------------------------------------------------------

    @invariant()
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
        for name in self.model.plans:
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
        for project in self.work.projects()[0]:
            assert project.state == ("completed" if project.counts.total else "active")
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


TestWork = WorkMachine.TestCase
