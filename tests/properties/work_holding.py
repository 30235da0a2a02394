"""Operations on sessions, files and resources, done to the store and to the model."""

from __future__ import annotations

from typing import Any

from hubbub.model import SESSION_TTL_MS, Actor, NewSession, Profile
from tests.properties.work_model import DONE, GIVEN_UP, LIVE, named
from tests.properties.work_world import WorkWorld


class Holding(WorkWorld):
    """What keeps claims alive, and what else holds files."""

    def join(self, agent: str) -> None:
        """A new session has the name; the old one changes nothing any more."""
        id_ = f"s{next(self.numbers)}"
        self.store.agents.register(Profile(agent), NewSession(id_), take_over=True)
        old = self.sessions.get(agent)
        if old is not None and old[1] <= self.model.now:
            self.model.orphan(old[0])
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

    def sweep(self) -> None:
        """Housekeeping changes nothing that a look would not."""
        assert self.store.sweep("housekeeper").ran
        self._bury()

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
