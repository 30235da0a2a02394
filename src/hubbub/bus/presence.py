"""Who is there: processes that stand by an agent, pings, and what became of wakes."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from hubbub.bus import checking
from hubbub.bus.agents import Agents
from hubbub.bus.waiting import LOOK_AGAIN_SECONDS, Pause, Steps, run
from hubbub.clock import spoken
from hubbub.errors import NoPong, NotServed
from hubbub.model import Actor, Agent
from hubbub.model_presence import STANDING_KINDS, NewStanding, Pong, Standing, Wake
from hubbub.names import check_name, check_word, new_token
from hubbub.process import is_gone, this_process
from hubbub.stores.contract import Store

PING_SECONDS = 5.0
"""How long a ping waits for its answer unless told otherwise."""

PING_SECONDS_MAX = 45.0
TEXT_MAX = 200


class Pinged(NamedTuple):
    """The answer to a ping."""

    agent: Agent
    """With its counts of mail, as they were when the answer came."""
    pong: Pong
    round_trip_ms: float


class Presence:
    """Who is there, on one bus."""

    def __init__(self, store: Store, agents: Agents) -> None:
        self._store = store
        self._agents = agents
        self._mine: dict[tuple[str, str], str] = {}

    # --- standing by -------------------------------------------------------------------------

    def stand_by(
        self, agent: str, kind: str, *, slot: str | None = None, how: str = "", state: str = ""
    ) -> Standing | None:
        """Stand by a registered agent with this process; the standing that fills the slot already, if one
        does, and else None.

        Args:
            agent: Whom to stand by.
            kind: ``monitor``, ``wrapper``, ``waiter``, ``tmux``, ``command``, ``server`` or ``plugin``.
            slot: What only one process does for the agent at a time; the kind unless given.
            how: How it wakes the agent, in a few words; empty when it does not.
            state: What it does at the moment.

        Raises:
            NotRegistered: no agent has the name.
        """
        check_word(kind, STANDING_KINDS, "kind")
        new = NewStanding(
            id="w-" + new_token(),
            kind=kind,
            slot=checking.label(slot or kind, "slot", TEXT_MAX),
            how=checking.text(how, "how")[:TEXT_MAX],
            state=checking.text(state, "state")[:TEXT_MAX],
            process=this_process(),
            folder=_folder(),
        )
        other = self._store.presence.stand_by(check_name(agent), new)
        if other is not None and is_gone(other.process):
            self._store.presence.step_down(other.id)
            other = self._store.presence.stand_by(agent, new)
        if other is None:
            self._mine[(agent, new.slot)] = new.id
        return other

    def keep(self, agent: str, slot: str, state: str | None = None) -> bool:
        """Go on standing by, at least every 30 s, and say what this process does at the moment; False when
        it stands by no more: another process has the slot, or the agent is gone."""
        id_ = self._mine.get((agent, slot))
        return id_ is not None and self._store.presence.keep(id_, state) is not None

    def step_down(self, agent: str, slot: str) -> None:
        """Stand by no more."""
        id_ = self._mine.pop((agent, slot), None)
        if id_ is not None:
            self._store.presence.step_down(id_)

    def standing(self, agent: str | None = None) -> list[Standing]:
        """Who stands by ``agent``, or by any; what is surely gone is ended."""
        found = self._store.presence.standing(None if agent is None else check_name(agent))
        gone = [each for each in found if is_gone(each.process)]
        for each in gone:
            self._store.presence.step_down(each.id)
        return [each for each in found if each not in gone]

    def woke(
        self, agent: str, how: str, *, worked: bool, detail: str = "", message: str | None = None
    ) -> None:
        """Keep what became of a try to wake ``agent`` for its mail up to ``message``."""
        detail = checking.text(detail, "detail")[:TEXT_MAX]
        self._store.presence.woke(check_name(agent), how[:TEXT_MAX], worked, detail, message)

    def wakes(self, agent: str) -> list[Wake]:
        """The last try to wake ``agent`` in each way, newest first."""
        return self._store.presence.wakes(check_name(agent))

    def failed_wakes(self, agent: str, since: int) -> list[Wake]:
        """The ways that did not wake ``agent`` when they last tried: after ``since`` (ms), or before, where
        what tried is still there and would have to wake it for what came later, too."""
        failed = [wake for wake in self.wakes(agent) if not wake.worked]
        if all(wake.at >= since for wake in failed):
            return failed
        ways = {each.how for each in self.standing(agent)}
        return [wake for wake in failed if wake.at >= since or wake.how in ways]

    # --- pings -------------------------------------------------------------------------------

    def ping(self, actor: Actor | None, agent: str, *, timeout: float = PING_SECONDS) -> Pinged:
        """A round trip through the bus to a process that serves ``agent``; costs its model nothing.

        Raises:
            NotServed: nobody serves it at the moment; the error says since when.
            NoPong: whoever serves it did not answer within ``timeout`` seconds.
            UnknownAgent: no agent has the name.
        """
        return run(self.pinging(actor, agent, timeout=timeout))

    def pinging(self, actor: Actor | None, agent: str, *, timeout: float = PING_SECONDS) -> Steps[Pinged]:
        """:meth:`ping` in steps, for callers with their own way to wait."""
        patience = checking.seconds(timeout, "timeout", PING_SECONDS_MAX, 0.001) / 1000
        self._refuse_offline(check_name(agent))
        begun = time.monotonic()
        number = self._store.presence.ping("" if actor is None else actor.agent, agent)
        with self._store.bell(f"pong/{number}") as bell:
            while True:
                pong = self._store.presence.pong_of(number)
                taken = time.monotonic() - begun
                if pong is not None:
                    return Pinged(self._store.agents.get(agent), pong, round(taken * 1000, 3))
                if taken >= patience:
                    raise self._silent(agent, patience)
                yield Pause(bell, min(patience - taken, LOOK_AGAIN_SECONDS))

    def _refuse_offline(self, name: str) -> None:
        agent = self._agents.get(name)
        if agent.session is not None or self.standing(name):
            return
        now = self._store.now()
        if agent.last_seen_at is None:
            since = "and never was online"
        else:
            since = f"and was seen {spoken(max(0, now - agent.last_seen_at))} ago"
        raise NotServed(
            f"{name} is offline {since}.",
            hint="Mail waits for it; it is told when it is back.",
            last_seen_at=agent.last_seen_at,
        )

    def _silent(self, name: str, patience: float) -> NoPong:
        agent = self._store.agents.get(name)
        beat = ""
        if agent.session is not None:
            beat = f" Its session {agent.session.id} last beat "
            beat += f"{spoken(max(0, self._store.now() - agent.session.beat_at))} ago."
        return NoPong(
            f"{name} did not answer within {patience:g} s.{beat}",
            hint="Its process may be stopped, or be one that answers no pings. Mail waits for it.",
        )


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
