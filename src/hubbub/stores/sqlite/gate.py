"""The gate: how many messages one agent sends to another within a window."""

from __future__ import annotations

import apsw

from hubbub.clock import spoken
from hubbub.errors import RateLimited
from hubbub.model import Actor
from hubbub.policy import GATE_WINDOW_MS, Policy
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import Core, add_event, one
from hubbub.stores.sqlite.statements import statements

_SQL = statements("pending.sql")


class Gate:
    """What holds for one sender at this moment."""

    __slots__ = ("enforce", "limit", "now", "sender")

    def __init__(self, db: apsw.Connection, policy: Policy, sender: str, now: int) -> None:
        self.sender = sender
        self.now = now
        self.enforce = policy.gate_enforce
        self.limit = policy.limit_of(sender)
        # Of what is set on the bus and what this process was told, the stricter holds: a gate
        # that an agent's own surroundings could open would be none.
        own: int | None = None
        everyones: int | None = None
        for name, value in db.execute(_SQL["gate_settings"]):
            if name == "config.gate.mode":
                self.enforce = self.enforce or value == "enforce"
            elif name == "config.gate.limit":
                everyones = int(value)
            elif name == f"config.gate.limits.{sender}":
                own = int(value)
        known = own if own is not None else everyones
        if known is not None:
            self.limit = min(self.limit, known) if _is_set(policy, sender) else known

    def pass_through(self, tx: Write, actor: Actor, recipient: str, shown: str = "") -> None:
        """Count one more message to ``recipient``, who is called ``shown`` if that is another name.

        Raises:
            RateLimited: the gate is enforced and the limit is reached; nothing is counted.
        """
        place = {"sender": self.sender, "recipient": recipient}
        row = one(tx.db, _SQL["gate_row"], place)
        start, sent, over, told = row if row is not None else (self.now, 0, 0, 0)
        # A window that begins later than now was written before the clock was set back.
        if not start <= self.now < start + GATE_WINDOW_MS:
            if over > told:
                self._tell(tx, None, recipient, over - told, start)
            start, sent, over, told = self.now, 0, 0, 0
        beyond = sent >= self.limit
        if beyond and self.enforce:
            raise self._refusal(recipient, shown or recipient, sent, start)
        if beyond:
            over += 1
            if not told:
                told = over
                self._tell(tx, actor, recipient, over, start)
        values = {**place, "window_start": start, "sent": sent + 1, "over": over, "told": told}
        tx.db.execute(_SQL["count_sends"], values)

    def _refusal(self, recipient: str, shown: str, sent: int, start: int) -> RateLimited:
        left = start + GATE_WINDOW_MS - self.now
        return RateLimited(
            f"{self.sender} sent {sent} messages to {shown} within {spoken(GATE_WINDOW_MS)}, which is its limit. "
            "Nothing was sent.",
            hint=f"Try again in {spoken(left)}; say in one message what would be many.",
            recipient=recipient,
            limit=self.limit,
            retry_after_seconds=round(left / 1000, 3),
        )

    def _tell(self, tx: Write, actor: Actor | None, recipient: str, count: int, start: int) -> None:
        tell(tx, self.now, self.enforce, actor or Actor(self.sender), recipient, count, start)


def _is_set(policy: Policy, sender: str) -> bool:
    """Whether this process was told a limit, and does not only have the usual one."""
    return policy.limit_of(sender) != Policy().gate_limit


def note_refusal(core: Core, actor: Actor, refusal: RateLimited) -> None:
    """Keep a refusal: the ledger is told of the first of a window at once, of the others when it is over."""
    recipient = refusal.details["recipient"]
    with core.write() as tx:
        now = core.clock.now()
        place = {"sender": actor.agent, "recipient": recipient}
        row = one(tx.db, _SQL["gate_row"], place)
        # Several to one recipient in one stroke: what was counted before the refusal was taken back.
        start, sent, over, told = row if row is not None else (now, 0, 0, 0)
        if not told:
            tell(tx, now, True, actor, recipient, over + 1, start)
            told = over + 1
        values = {**place, "window_start": start, "sent": sent, "over": over + 1, "told": told}
        tx.db.execute(_SQL["count_sends"], values)


def tell_of_past_windows(tx: Write, policy: Policy, now: int) -> None:
    """Tell the ledger of the excess in windows that are over."""
    over = {"window_over": now - GATE_WINDOW_MS}
    for sender, recipient, start, beyond, told in list(tx.db.execute(_SQL["gate_untold"], over)):
        enforce = Gate(tx.db, policy, sender, now).enforce
        tell(tx, now, enforce, Actor(sender), recipient, beyond - told, start)
        tx.db.execute(_SQL["gate_told"], {"sender": sender, "recipient": recipient})


def tell(tx: Write, now: int, enforce: bool, actor: Actor, recipient: str, count: int, start: int) -> None:
    """Write into the ledger how many were refused, or would have been."""
    add_event(
        tx.db,
        now,
        "gate_refused" if enforce else "gate_exceeded",
        actor,
        agent=None if recipient.startswith("#") else recipient,
        detail={"recipient": recipient, "count": count, "window_start": start},
    )
