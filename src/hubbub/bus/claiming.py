"""Taking a step, waiting for one, and who is in the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hubbub.bus import planning
from hubbub.bus.agents import Agents
from hubbub.bus.checking import key as check_key
from hubbub.bus.checking import seconds, text
from hubbub.bus.files import Files, named
from hubbub.bus.waiting import LOOK_AGAIN_SECONDS, Pause, Steps, run
from hubbub.errors import BusBusy, BusFull, BusReadOnly
from hubbub.model import Actor
from hubbub.model_work import CLAIM_MS, Claim, Holder, Nothing, Wanted
from hubbub.stores.contract import Store

DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS


class Claiming(Files):
    """The part of :class:`hubbub.bus.work.Work` that is about getting a step."""

    def __init__(self, store: Store, agents: Agents) -> None:
        super().__init__(store)
        self._agents = agents

    def claim(self, actor: Actor, **options: Any) -> Claim | Nothing:
        """Claim a step: see :meth:`claiming`."""
        return run(self.claiming(actor, **options))

    def claiming(
        self,
        actor: Actor,
        *,
        project: str | None = None,
        scope: str | None = None,
        step: str | None = None,
        wait: float = 0,
        lease: float = CLAIM_MS / 1000,
        start: bool = False,
        key: str | None = None,
    ) -> Steps[Claim | Nothing]:
        """Claim the first ready step, waiting up to ``wait`` seconds for one, in steps.

        What can't come by waiting (no such project, all done, a step that is over) ends the wait.

        Args:
            actor: Who claims.
            project: Only of this one.
            scope: Only of this scope.
            step: Only this one.
            wait: Seconds.
            lease: Seconds until the claim must be renewed; the process that serves the agent does it.
            start: Begin at once.
            key: The same key gives the same claim while it is live.

        Raises:
            StepNotFound: ``step`` names none.
        """
        wanted = Wanted(
            project=None if project is None else named(project, "project"),
            scope=None if scope is None else text(scope, "scope", planning.LABEL_MAX, empty=False),
            step=None if step is None else named(step, "step"),
        )
        options: dict[str, Any] = {
            "lease_ms": seconds(lease, "lease", DAY_SECONDS, 1),
            "start": start,
            "key": check_key(key),
        }
        deadline = time.monotonic() + seconds(wait, "wait", WEEK_SECONDS) / 1000
        found = self._claim(actor, wanted, options)
        if isinstance(found, Claim) or _hopeless(found) or time.monotonic() >= deadline:
            return found
        looked = time.monotonic()
        with self._store.bell("work", f"inbox/{actor.agent}") as bell:
            while True:
                if time.monotonic() - looked < LOOK_AGAIN_SECONDS:
                    found = self._store.work.claim(actor, wanted, **options)
                else:  # a bell may ring often: the holders are not looked at each time
                    found, looked = self._claim(actor, wanted, options), time.monotonic()
                left = deadline - time.monotonic()
                if isinstance(found, Claim) or _hopeless(found) or left <= 0:
                    return found
                yield Pause(bell, min(left, LOOK_AGAIN_SECONDS, self._until(found.retry_at)))

    def _claim(self, actor: Actor, wanted: Wanted, options: dict[str, Any]) -> Claim | Nothing:
        """Claim, and know at once that those in the way are gone: their claims are over sooner then."""
        found = self._store.work.claim(actor, wanted, **options)
        if isinstance(found, Nothing) and self._end_gone(found.holders):
            found = self._store.work.claim(actor, wanted, **options)
        return found

    def _until(self, due: int | None) -> float:
        if due is None:
            return LOOK_AGAIN_SECONDS
        return max(0.005, (due - self._store.now()) / 1000)

    def _end_gone(self, holders: Sequence[Holder]) -> bool:
        """End the sessions of holders whose processes ended without a word; whether there were any."""
        names = {holder.agent for holder in holders if holder.offline_since is None}
        ended = False
        # A look needs no turn: where nothing can be written, it shows what is written.
        with suppress(BusBusy, BusFull, BusReadOnly):
            for name in sorted(names):
                ended |= self._agents.end_if_gone(name)
        return ended


def _hopeless(nothing: Nothing) -> bool:
    """Whether waiting can't help."""
    return nothing.reason in ("no_such_project", "all_done")
