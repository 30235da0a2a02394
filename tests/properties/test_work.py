"""Work in the real store against the model, operation by operation, in any order that can be thought of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from hubbub.model import SESSION_TTL_MS, Actor, Profile
from hubbub.model_work import (
    AGEING_MS,
    BACKOFF_MS,
    CLAIM_MS,
    FAILURES,
    NEEDS,
    ON_FAILURE,
    ProjectDraft,
)
from tests.properties.work_claiming import Claiming
from tests.properties.work_holding import Holding
from tests.properties.work_model import FILES, Plan
from tests.properties.work_planning import Planning
from tests.properties.work_world import NAMES, PROJECTS, SCOPES

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


class WorkMachine(Planning, Claiming, Holding):
    """Three agents, with and without sessions, plan, claim, finish, fail and are lost. The rules are few, so
    that each comes often."""

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
    def add(self, name: str, new: list[tuple[dict[str, Any], Any]]) -> None:
        """More steps."""
        self.add_steps(name, new)

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

    @rule(
        agent=names,
        seated=st.booleans(),
        name=st.none() | projects,
        scope=st.sampled_from([None, None, "ui"]),
        lease=st.sampled_from([1000, CLAIM_MS]),
        start=st.booleans(),
        late=st.sampled_from([0, 0, CLAIM_MS]),
    )
    def claim_any(
        self,
        agent: str,
        seated: bool,
        name: str | None,
        scope: str | None,
        lease: int,
        start: bool,
        late: int,
    ) -> None:
        """The first that is ready, also right after leases ran out."""
        self.claim(agent, seated, name, scope, lease, start, late)

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

    @rule(
        milliseconds=st.sampled_from(
            [1, 500, 1000, SESSION_TTL_MS, BACKOFF_MS, CLAIM_MS - 1, CLAIM_MS, AGEING_MS]
        )
    )
    def time_passes(self, milliseconds: int) -> None:
        """Nothing is done about it until somebody looks."""
        self._advance(milliseconds)

    @invariant()
    def holds(self) -> None:
        """Every project and step, what is ready, and what is held."""
        self.all_agrees()


TestWork = WorkMachine.TestCase
# The long profile takes longer than one test may otherwise.
TestWork.pytestmark = [pytest.mark.timeout(3600)]  # type: ignore[attr-defined]
