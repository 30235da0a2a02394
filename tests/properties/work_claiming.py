"""Operations on claims, done to the store and to the model."""

from __future__ import annotations

from typing import Any

from hubbub.model import Actor
from hubbub.model_work import (
    CLAIM_MS,
    Claim,
    Wanted,
)
from tests.properties.work_model import LIVE, Task
from tests.properties.work_world import WorkWorld


class Claiming(WorkWorld):
    """What workers do."""

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
            self._bury()
            assert found.retry_at is None or found.retry_at > self.model.now
            if name is not None and scope is None:
                plan = self.model.plans[name]
                assert found.reason == self.model.reason(plan, agent)
                assert tuple(found.counts) == plan.counts()

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

    def claim_one(self, agent: str, seated: bool, index: int) -> None:
        """A step that is named."""
        task = self._pick(index, "not_started")
        if task is None:
            return
        actor = self._actor(agent, seated)
        found = self.work.claim(actor, Wanted(step=self.ids[task.order]))
        self._acted(actor)
        if not isinstance(found, Claim):
            self._bury()
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
        if not isinstance(found, Claim):
            self._bury()
        self._claimed(found, actor, self.model.order(agent)[:1], CLAIM_MS, False)
        if isinstance(found, Claim):
            assert not found.repeated
            self.keys[agent] = found.token

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
        assert code == ("" if good else "CLAIM_NOT_FOUND" if token == "nobodys" else "CLAIM_LOST")
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
