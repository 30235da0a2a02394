"""Topics as they should be: plain Python, no store, to compare the real one with."""

from __future__ import annotations

from dataclasses import dataclass, field

from hubbub.model import SESSION_TTL_MS
from hubbub.model_topics import HANDOUT_MS, LATEST


@dataclass
class Range:
    """What one sync handed out, or what is left of it."""

    first: int
    last: int
    seqs: list[int]
    """The messages of others in it that are not done with."""
    session: str | None
    until: int | None
    """None once it came back."""
    marked: bool

    def waits(self, now: int) -> bool:
        """It can be handed out again."""
        return self.until is None or self.until <= now

    def returns(self, *, seen: bool) -> None:
        """It comes back."""
        self.session, self.until, self.marked = None, None, self.marked or seen


@dataclass
class Member:
    """One agent in one topic."""

    agent: str
    position: int = 0
    """All of others up to here were handed out or passed over."""
    present: bool = True
    hands: list[Range] = field(default_factory=list)
    had: set[int] = field(default_factory=set)
    """What an automatic sync handed out since it was last set to a place: it may have been read."""
    accounted: set[int] = field(default_factory=set)
    """What it was given in either mode, or chose to skip."""


@dataclass
class Topic:
    """One topic; message number n is entry n - 1."""

    id: str
    name: str
    state: str = "open"
    senders: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def last_seq(self) -> int:
        """The number of the newest message."""
        return len(self.senders)

    def of_others(self, agent: str, after: int, last: int | None = None) -> list[int]:
        """The numbers of what others wrote in a range."""
        end = self.last_seq if last is None else last
        return [seq for seq in range(after + 1, end + 1) if self.senders[seq - 1] != agent]

    def fresh(self, member: Member) -> list[int]:
        """What it was never handed."""
        return self.of_others(member.agent, member.position)

    def back(self, member: Member, now: int) -> list[Range]:
        """What it is to be handed again, the lowest first."""
        return sorted((one for one in member.hands if one.waits(now)), key=lambda one: one.first)

    def unread(self, member: Member, now: int) -> int:
        """How many messages wait for it."""
        return len(self.fresh(member)) + sum(len(one.seqs) for one in self.back(member, now))

    def undone(self, member: Member) -> list[int]:
        """What it is not done with."""
        return sorted([seq for one in member.hands for seq in one.seqs] + self.fresh(member))

    def append(self, sender: str, id_: str) -> None:
        """Somebody posted."""
        self.senders.append(sender)
        self.ids.append(id_)

    def enters(self, agent: str, start: int | None) -> bool:
        """It joins; False when it is there, and stays where it is unless ``start`` says otherwise."""
        member = self.members.get(agent)
        if member is None:
            member = self.members[agent] = Member(agent)
        elif member.present:
            if start is not None:
                self.set_to(member, start)
            return False
        member.present = True
        if start is not None:
            self.set_to(member, start)
        return True

    def set_to(self, member: Member, place: int) -> None:
        """It goes on after a number; what it had in hand is forgotten."""
        member.position = self.last_seq if place == LATEST else place
        member.hands.clear()
        member.had.clear()
        member.accounted.update(range(1, member.position + 1))

    def leaves(self, member: Member) -> None:
        """Its place is kept: what was not confirmed comes again once it is back."""
        kept = set(member.accounted)
        lowest = min((one.first for one in member.hands), default=member.position + 1)
        self.set_to(member, lowest - 1)
        member.accounted = kept
        member.present = False

    def hands_again(self, member: Member, limit: int, now: int, session: str | None) -> Range | None:
        """What an automatic sync hands out that came back; None when nothing did."""
        waiting = self.back(member, now)
        if not waiting:
            return None
        old = waiting[0]
        member.hands.remove(old)
        marked = old.marked or old.until is not None
        given, rest = old.seqs[:limit], old.seqs[limit:]
        last = given[-1] if rest else old.last
        if rest:
            member.hands.append(Range(last + 1, old.last, rest, None, None, marked))
        new = Range(old.first, last, given, session, now + HANDOUT_MS, marked)
        member.hands.append(new)
        return new

    def acknowledges(self, member: Member, through: int) -> None:
        """All up to a number is done with."""
        member.accounted.update(range(1, through + 1))
        for one in list(member.hands):
            one.seqs = [seq for seq in one.seqs if seq > through]
            one.first = max(one.first, through + 1)
            if not one.seqs:
                member.hands.remove(one)
        member.position = max(member.position, through)


@dataclass
class Agent:
    """One agent and its sessions."""

    name: str
    session: str | None = None
    expires_at: int = 0
    fenced: list[tuple[str, str]] = field(default_factory=list)
    """Sessions that lost the name for good, and the code that each use of them must raise."""

    def opens(self, session: str, now: int) -> None:
        """A new session holds the name."""
        self.session, self.expires_at = session, now + SESSION_TTL_MS

    def lapsed(self, now: int) -> bool:
        """Whether its session missed its beats."""
        return self.session is not None and self.expires_at <= now
