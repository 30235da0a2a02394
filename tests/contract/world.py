"""A small world for the contract suite: one store, one clock, and agents to act in it."""

from __future__ import annotations

import itertools
from typing import Any, Protocol

from hubbub.model import Actor, Delivery, Draft, Event, Filter, NewSession, Profile, Registration, Sent
from hubbub.model_topics import Post, Posted, Synced, Topic
from hubbub.stores.contract import Store


class ShiftingClock(Protocol):
    """The store's time, which a test can move."""

    def advance(self, milliseconds: int) -> None:
        """Move by ``milliseconds``, back when negative."""
        ...


class World:
    """One store and what tests do with it most."""

    def __init__(self, url: str, store: Store, clock: ShiftingClock) -> None:
        self.url = url
        self.store = store
        self.agents = store.agents
        self.mail = store.mail
        self.topics = store.topics
        self.work = store.work
        self.clock = clock
        self._numbers = itertools.count(1)

    def agent(self, name: str, **fields: Any) -> Actor:
        """Register ``name``; acts as an attachment, without a session."""
        self.agents.register(Profile(name, **fields))
        return Actor(name)

    def agents_named(self, *names: str) -> list[Actor]:
        """Several at once."""
        return [self.agent(name) for name in names]

    def opened(self, name: str, *, take_over: bool = False, **session: Any) -> Registration:
        """Register ``name`` with a session."""
        id_ = session.pop("id", None) or f"s-{next(self._numbers)}"
        return self.agents.register(Profile(name), NewSession(id_, **session), take_over=take_over)

    def seat(self, name: str, *, take_over: bool = False, **session: Any) -> Actor:
        """Register ``name`` and hold it with a session."""
        made = self.opened(name, take_over=take_over, **session)
        assert made.agent.session is not None
        return Actor(name, made.agent.session.id)

    def send(
        self,
        sender: Actor,
        to: str | tuple[str, ...],
        body: str = "hello",
        *,
        key: str | None = None,
        **fields: Any,
    ) -> Sent:
        """Send a message."""
        recipients = (to,) if isinstance(to, str) else to
        return self.mail.send(sender, Draft(recipients, body, **fields), key=key)

    def take(self, actor: Actor, wanted: Filter | None = None, **options: Any) -> list[str]:
        """Receive; the ids that were handed out."""
        handed = self.mail.receive(actor, wanted or Filter(), **options)
        return [delivery.message.id for delivery in handed.deliveries]

    def take_one(self, actor: Actor, **options: Any) -> Delivery:
        """Receive exactly one."""
        (delivery,) = self.mail.receive(actor, **options).deliveries
        return delivery

    def state(self, agent: str, id_: str) -> str:
        """The state of one delivery."""
        return self.mail.delivery(agent, id_).state

    def events(self, *kinds: str, **wanted: Any) -> list[Event]:
        """The ledger's events of these kinds, all if none is named."""
        return self.store.ledger.events(kinds=kinds, limit=10_000, **wanted)

    def last_seq(self) -> int:
        """The place of the newest event, 0 when there is none."""
        newest = self.store.ledger.events(limit=1, newest=True)
        return newest[-1].seq if newest else 0

    def use_up(self, agent: str, id_: str, *, times: int = 5) -> None:
        """Let the lease on ``id_``, the only message of ``agent``, run out ``times`` times."""
        for _ in range(times):
            assert self.take(Actor(agent)) == [id_]
            self.clock.advance(300_001)

    def dead_letter(self, agent: str, sender: Actor, body: str = "hello") -> Sent:
        """A message to ``agent`` that nobody took within its time."""
        sent = self.send(sender, agent, body, ttl_ms=1000)
        self.clock.advance(1000)
        assert self.state(agent, sent.id) == "dead"
        return sent

    # --- topics ----------------------------------------------------------------------------------

    def topic(self, actor: Actor, name: str | None = "build", **options: Any) -> Topic:
        """Make a topic, or find the open one of that name; ``actor`` is a member."""
        return self.topics.create(actor, name, **options).topic

    def post(self, actor: Actor, topic: str, *posts: str | Post) -> tuple[Posted, ...]:
        """Post to a topic; takes nothing of what ``actor`` has to read there."""
        outbox = tuple(Post(one) if isinstance(one, str) else one for one in posts)
        return self.topics.sync(actor, topic, outbox=outbox, automatic=False, limit=1).posted

    def read(self, actor: Actor, topic: str, **options: Any) -> list[str]:
        """The bodies that one sync hands out, in the automatic mode if nothing else is asked for."""
        return bodies(self.topics.sync(actor, topic, **options))

    def unread(self, agent: str, topic: str) -> int | None:
        """How many messages ``agent`` has not been handed there."""
        return self.topics.get(topic, agent=agent).unread

    def written(self, topic: str) -> list[str]:
        """The bodies of all that was ever posted there."""
        return [one.body for one in self.topics.history(topic, limit=100_000).messages]


def bodies(synced: Synced) -> list[str]:
    """The texts of what a sync handed out."""
    return [one.body for one in synced.messages]
