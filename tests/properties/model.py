"""Mail as it should be: plain Python, no store, to compare the real one with."""

from __future__ import annotations

from dataclasses import dataclass, field

from hubbub.model import LEASE_MS, MAX_DELIVERIES, SESSION_TTL_MS

PRIORITIES = ("urgent", "normal", "low")


@dataclass
class Delivery:
    """One message in one inbox."""

    id: str
    seq: int
    agent: str
    priority: str
    expires_at: int | None
    state: str = "queued"
    count: int = 0
    session: str | None = None
    lease_until: int = 0
    not_before: int = 0
    implicit: bool = False
    """Settled without being told so."""
    failures: int = 0
    """How many reasons are kept: one for each failed hand-out and one for each death."""


@dataclass
class Inbox:
    """One agent."""

    name: str
    limit: int
    session: str | None = None
    expires_at: int = 0
    fenced: dict[str, str] = field(default_factory=dict)
    """Sessions that lost the name for good, and the code that each use of them must raise."""


class Model:
    """The whole of the mail."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.inboxes: dict[str, Inbox] = {}
        self.deliveries: dict[tuple[str, str], Delivery] = {}

    def of(self, agent: str, *states: str) -> list[Delivery]:
        """An agent's deliveries in these states, in order of hand-out."""
        found = [one for one in self.deliveries.values() if one.agent == agent and one.state in states]
        return sorted(found, key=lambda one: (PRIORITIES.index(one.priority), one.seq))

    def counts(self, agent: str) -> tuple[int, int, int]:
        """Queued, leased, dead."""
        return tuple(len(self.of(agent, state)) for state in ("queued", "leased", "dead"))  # type: ignore[return-value]

    # --- time ----------------------------------------------------------------------------------

    def advance(self, milliseconds: int) -> None:
        """Time passes; what falls due is due at once."""
        self.now += milliseconds
        for one in self.deliveries.values():
            if one.state == "leased" and one.lease_until <= self.now:
                self.take_back(one)
            if one.state == "queued" and one.expires_at is not None and one.expires_at <= self.now:
                one.state = "dead"
                one.failures += 1

    def take_back(self, one: Delivery) -> None:
        """A hand-out failed."""
        one.failures += 1
        one.session = None
        one.state = "queued"
        one.not_before = 0
        expired = one.expires_at is not None and one.expires_at <= self.now
        if one.count >= MAX_DELIVERIES or expired:
            one.state = "dead"
            one.failures += 1

    # --- sessions ------------------------------------------------------------------------------

    def lapsed(self, inbox: Inbox) -> bool:
        """Whether its session missed its beats."""
        return inbox.session is not None and inbox.expires_at <= self.now

    def opens(self, inbox: Inbox, session: str) -> None:
        """A new session holds the name."""
        inbox.session, inbox.expires_at = session, self.now + SESSION_TTL_MS

    def acts(self, inbox: Inbox) -> None:
        """A session that missed its beats is live again by acting."""
        if self.lapsed(inbox):
            inbox.expires_at = self.now + SESSION_TTL_MS

    def loses(self, inbox: Inbox, code: str | None, unseen: set[str] | None = None) -> None:
        """The session ends; what it has in hand goes back. ``code`` is None when it merely expired."""
        session, inbox.session = inbox.session, None
        assert session is not None
        if code is not None:
            inbox.fenced[session] = code
        for one in self.of(inbox.name, "leased"):
            if one.session == session:
                if one.id in (unseen or ()):
                    self.give_back(one, 0, unseen=True)
                else:
                    self.take_back(one)

    # --- mail ----------------------------------------------------------------------------------

    def available(self, agent: str) -> list[Delivery]:
        """What a receive hands out, in order."""
        return [one for one in self.of(agent, "queued") if one.not_before <= self.now]

    def lease(self, one: Delivery, session: str | None) -> None:
        """queued -> leased."""
        one.state, one.session, one.count = "leased", session, one.count + 1
        one.lease_until, one.not_before = self.now + LEASE_MS, 0

    def give_back(self, one: Delivery, not_before: int, *, unseen: bool) -> None:
        """leased -> queued on purpose."""
        one.state, one.session, one.not_before = "queued", None, not_before
        one.count -= unseen
        self.advance(0)

    def next_due(self, agent: str) -> int | None:
        """When something leased or delayed can next be had."""
        times = [one.lease_until for one in self.of(agent, "leased")]
        times += [one.not_before for one in self.of(agent, "queued") if one.not_before > self.now]
        return min(times, default=None)
